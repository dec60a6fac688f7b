/* SPDX-License-Identifier: MIT */
/*
 * text.h - the growing buffer that the files of /proc and /sys are written into.
 */
#ifndef TESSERA_TEXT_H
#define TESSERA_TEXT_H

#include <tessera/types.h>

/* A text that grows. Once memory fails, `failed` stays and what follows is dropped. */
struct text {
	char *data;
	size_t used, size;
	bool failed;
};
void text_print(struct text *t, const char *format, ...) __printf(2, 3);
void text_add(struct text *t, const char *s, size_t n);
/* A path with space, tab, newline and backslash as \ooo. */
void text_add_escaped(struct text *t, const char *s);
/*
 * Sets of CPUs as Linux writes them: bit n is CPU n of cpu_count. A list: "0-3,6". A mask: hexadecimal words
 * of 32, the highest first, as many digits as there are CPUs for.
 */
void text_add_cpu_list(struct text *t, uint64_t set);
void text_add_cpu_mask(struct text *t, uint64_t set);
/* For interfaces that take a print function. */
void text_print_context(void *ctx, const char *format, ...) __printf(2, 3);
void text_free(struct text *t);

#endif
