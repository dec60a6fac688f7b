/* SPDX-License-Identifier: MIT */
/*
 * alias.c - short names: eight letters and three, in capitals, which every file has (FAT, "The Basis-Name Generation
 * Algorithm", "The Numeric-Tail Generation Algorithm").
 *
 * A name that is one already has no long name. Of any other the short one is made: "read me.text" is READMETE.TEX, and
 * as that says less than the name, README~1.TEX.
 */
#include <stdio.h>
#include <string.h>

#include "volume.h"

uint8_t
fat_name_checksum(const uint8_t *alias)
{
	uint8_t sum = 0;

	for (unsigned int i = 0; i < 11; i++)
		sum = (uint8_t)((sum << 7 | sum >> 1) + alias[i]);
	return sum;
}

/* Part of a short name, without the blanks behind it. Returns its length, or -1 for what has no place in a name. */
static int
show(const uint8_t *from, uint32_t room, bool lower, uint16_t *out)
{
	uint32_t n = room;

	while (n && from[n - 1] == ' ')
		n--;
	for (uint32_t i = 0; i < n; i++) {
		if (from[i] < 0x20 || from[i] == '/')
			return -1;
		out[i] = fat_name_from_oem(from[i]);
		if (lower && out[i] >= 'A' && out[i] <= 'Z')
			out[i] += 32;
	}
	return (int)n;
}

uint32_t
fat_name_from_alias(const uint8_t *alias, uint8_t lower, uint16_t *out)
{
	uint8_t bytes[11];
	int base, tail;

	memcpy(bytes, alias, sizeof(bytes));
	if (bytes[0] == FAT_SLOT_E5)
		bytes[0] = 0xe5;
	base = show(bytes, 8, lower & FAT_LOWER_BASE, out);
	if (base <= 0)
		return 0;
	tail = show(bytes + 8, 3, lower & FAT_LOWER_TAIL, out + base + 1);
	if (tail < 0)
		return 0;
	if (tail) {
		out[base] = '.';
		base += 1 + tail;
	}
	/* Nothing but dots is not the name of a file. */
	for (int i = 0; i < base; i++)
		if (out[i] != '.')
			return (uint32_t)base;
	return 0;
}

/* As a letter of a short name: 0 for what is left out. *lossy: it is another letter, and not only of another case. */
static uint8_t
letter(uint16_t u, bool *lossy, bool *small)
{
	if (u >= 'a' && u <= 'z') {
		*small = true;
		return (uint8_t)(u - 32);
	}
	if (u > 0x20 && u < 0x7f && !strchr("+,;=[]\"*/:<>?\\|.", u))
		return (uint8_t)u;
	*lossy = true;
	return u == ' ' || u == '.' ? 0 : '_';
}

/* Letters of name[from, to) into a part of the short name that has `room`. Returns how many. */
static uint32_t
fill(const uint16_t *name, uint32_t from, uint32_t to, uint8_t *out, uint32_t room, bool *lossy, bool *small)
{
	uint32_t n = 0;

	for (uint32_t i = from; i < to; i++) {
		uint8_t c = letter(name[i], lossy, small);

		if (c && n == room)
			*lossy = true;
		else if (c)
			out[n++] = c;
	}
	return n;
}

bool
fat_name_alias(const uint16_t *name, uint32_t length, uint8_t *alias, bool *exact)
{
	uint32_t start = 0, dot = length;
	bool lossy = false, small = false;

	while (start < length && name[start] == '.')
		start++;
	for (uint32_t i = start; i < length; i++)
		if (name[i] == '.')
			dot = i;
	if (start)
		lossy = true;
	memset(alias, ' ', 11);
	if (fill(name, start, dot, alias, 8, &lossy, &small) == 0) {
		alias[0] = '_';
		lossy = true;
	}
	if (dot < length)
		fill(name, dot + 1, length, alias + 8, 3, &lossy, &small);
	*exact = !lossy;
	return !lossy && !small;
}

void
fat_name_number(const uint8_t *alias, uint32_t hash, unsigned int number, uint8_t *out)
{
	char text[16];
	size_t base = 8, n;

	memcpy(out, alias, 11);
	while (base && out[base - 1] == ' ')
		base--;
	n = (size_t)(hash ? snprintf(text, sizeof(text), "%04X~%u", hash & 0xffff, number)
			  : snprintf(text, sizeof(text), "~%u", number));
	if (base > 8 - n)
		base = 8 - n;
	memcpy(out + base, text, n);
}
