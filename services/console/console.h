/* SPDX-License-Identifier: MIT */
/*
 * console.h - keyboards and a terminal, and what lies between them.
 */
#ifndef CONSOLE_CONSOLE_H
#define CONSOLE_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

/* What is held and switched on, over all keyboards. */
struct modifiers {
	bool shift, control, alt;
	bool caps, num;
};

#define TYPED_MAX 8

/* keymap.c: what a key types: its bytes in `out`, how many. A layout as in the United States. */
size_t keymap_type(unsigned key, const struct modifiers *m, char out[TYPED_MAX]);

/* keyboards.c: look for keyboards in /dev/input, now and whenever the folder changes; their keys go to `type`. */
int keyboards_begin(void (*type)(const char *bytes, size_t n));

#endif
