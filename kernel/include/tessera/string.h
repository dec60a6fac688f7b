/* SPDX-License-Identifier: MIT */
/*
 * string.h - memory and strings, C's names and meanings; plus the bounded copies we use.
 */
#ifndef TESSERA_STRING_H
#define TESSERA_STRING_H

#include <tessera/types.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *p, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *what);

/* Copy with truncation, always NUL-terminated. Returns strlen(from), as strlcpy does. */
size_t string_copy(char *to, const char *from, size_t size);
/* Parse an unsigned number (base 0: 0x and 0 prefixes). *end gets the first character not used.
 * Returns 0, -EINVAL (no digit) or -ERANGE. */
int parse_u64(const char *s, const char **end, unsigned int base, uint64_t *out);

#endif
