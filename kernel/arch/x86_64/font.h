/* SPDX-License-Identifier: MIT */
/*
 * font.h - one character as 16 rows of 8 pixels, the leftmost in bit 7.
 */
#ifndef ARCH_X86_64_FONT_H
#define ARCH_X86_64_FONT_H

#include <tessera/types.h>

#define FONT_WIDTH  8
#define FONT_HEIGHT 16

/* FONT_HEIGHT bytes. Of a character that is not printable ASCII: a box; of 0: blank. Not reentrant. */
const uint8_t *font_glyph(uint8_t ch);

#endif
