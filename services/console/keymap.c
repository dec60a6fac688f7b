/* SPDX-License-Identifier: MIT */
/*
 * keymap.c - what keys type: ASCII, and for the others what a Linux console sends (terminfo's "linux").
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <linux/input.h>

#include "console.h"

static const char plain[][2] = {
	[KEY_1] = "1!", [KEY_2] = "2@", [KEY_3] = "3#", [KEY_4] = "4$", [KEY_5] = "5%", [KEY_6] = "6^", [KEY_7] = "7&",
	[KEY_8] = "8*", [KEY_9] = "9(", [KEY_0] = "0)", [KEY_MINUS] = "-_", [KEY_EQUAL] = "=+", [KEY_Q] = "qQ", [KEY_W] = "wW",
	[KEY_E] = "eE", [KEY_R] = "rR", [KEY_T] = "tT", [KEY_Y] = "yY", [KEY_U] = "uU", [KEY_I] = "iI", [KEY_O] = "oO",
	[KEY_P] = "pP", [KEY_LEFTBRACE] = "[{", [KEY_RIGHTBRACE] = "]}", [KEY_A] = "aA", [KEY_S] = "sS", [KEY_D] = "dD",
	[KEY_F] = "fF", [KEY_G] = "gG", [KEY_H] = "hH", [KEY_J] = "jJ", [KEY_K] = "kK", [KEY_L] = "lL", [KEY_SEMICOLON] = ";:",
	[KEY_APOSTROPHE] = "'\"", [KEY_GRAVE] = "`~", [KEY_BACKSLASH] = "\\|", [KEY_Z] = "zZ", [KEY_X] = "xX", [KEY_C] = "cC",
	[KEY_V] = "vV", [KEY_B] = "bB", [KEY_N] = "nN", [KEY_M] = "mM", [KEY_COMMA] = ",<", [KEY_DOT] = ".>", [KEY_SLASH] = "/?",
	[KEY_SPACE] = "  ", [KEY_102ND] = "<>", [KEY_ENTER] = "\r\r", [KEY_KPENTER] = "\r\r", [KEY_TAB] = "\t\t",
	[KEY_ESC] = "\033\033", [KEY_BACKSPACE] = "\177\177", [KEY_KPASTERISK] = "**", [KEY_KPSLASH] = "//",
	[KEY_KPMINUS] = "--", [KEY_KPPLUS] = "++",
};

/* Behind ESC. */
static const struct {
	uint16_t key;
	const char *bytes;
} sequences[] = {
	{ KEY_UP, "[A" }, { KEY_DOWN, "[B" }, { KEY_RIGHT, "[C" }, { KEY_LEFT, "[D" }, { KEY_HOME, "[1~" }, { KEY_INSERT, "[2~" },
	{ KEY_DELETE, "[3~" }, { KEY_END, "[4~" }, { KEY_PAGEUP, "[5~" }, { KEY_PAGEDOWN, "[6~" }, { KEY_F1, "[[A" },
	{ KEY_F2, "[[B" }, { KEY_F3, "[[C" }, { KEY_F4, "[[D" }, { KEY_F5, "[[E" }, { KEY_F6, "[17~" }, { KEY_F7, "[18~" },
	{ KEY_F8, "[19~" }, { KEY_F9, "[20~" }, { KEY_F10, "[21~" }, { KEY_F11, "[23~" }, { KEY_F12, "[24~" },
};

/* The keypad: digits, or what stands below them. */
static const struct {
	uint16_t key, other;
	char digit;
} keypad[] = {
	{ KEY_KP7, KEY_HOME, '7' }, { KEY_KP8, KEY_UP, '8' }, { KEY_KP9, KEY_PAGEUP, '9' }, { KEY_KP4, KEY_LEFT, '4' },
	{ KEY_KP5, 0, '5' }, { KEY_KP6, KEY_RIGHT, '6' }, { KEY_KP1, KEY_END, '1' }, { KEY_KP2, KEY_DOWN, '2' },
	{ KEY_KP3, KEY_PAGEDOWN, '3' }, { KEY_KP0, KEY_INSERT, '0' }, { KEY_KPDOT, KEY_DELETE, '.' },
};

/* Control takes a letter's two upper bits; 2 to 8 are what they have been since terminals were typewriters. */
static char
with_control(char c)
{
	static const char digits[] = "\0\033\034\035\036\037\177";

	if (c == ' ')
		return 0;
	if (c >= '2' && c <= '8')
		return digits[c - '2'];
	if (c == '/')
		return 037;
	return c >= '@' && c < 0x7f ? c & 037 : c;
}

size_t
keymap_type(unsigned key, const struct modifiers *m, char out[TYPED_MAX])
{
	size_t n = 0;
	char c = 0;

	for (size_t i = 0; i < sizeof(keypad) / sizeof(keypad[0]); i++)
		if (keypad[i].key == key) {
			c = m->num ? keypad[i].digit : 0;
			key = keypad[i].other;
		}
	if (!c && key < sizeof(plain) / sizeof(plain[0])) {
		bool letter = plain[key][0] >= 'a' && plain[key][0] <= 'z';

		c = plain[key][m->shift != (letter && m->caps)];
	}
	if (c) {
		if (m->alt)
			out[n++] = '\033';
		out[n++] = m->control ? with_control(c) : c;
		return n;
	}
	for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++)
		if (sequences[i].key == key)
			return (size_t)snprintf(out, TYPED_MAX, "\033%s", sequences[i].bytes);
	return 0;
}
