/* SPDX-License-Identifier: MIT */
/*
 * text.c - characters: UTF-8 to UTF-16 and back, upper case, code page 437.
 *
 * A long name on a disk is a row of 16-bit units of which nobody says that they are UTF-16. A surrogate without its
 * other half becomes the three bytes that UTF-8 would have for its number, so that each name that is shown can be named;
 * a name with one cannot be made.
 */
#include <errno.h>

#include "volume.h"

/* Short names are in the code page of the machine that wrote them, which the disk does not tell: this is the first. */
static const uint16_t oem[128] = {
	0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7,
	0x00ea, 0x00eb, 0x00e8, 0x00ef, 0x00ee, 0x00ec, 0x00c4, 0x00c5,
	0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9,
	0x00ff, 0x00d6, 0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192,
	0x00e1, 0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa, 0x00ba,
	0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb,
	0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556,
	0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b, 0x2510,
	0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f,
	0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567,
	0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b,
	0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580,
	0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4,
	0x03a6, 0x0398, 0x03a9, 0x03b4, 0x221e, 0x03c6, 0x03b5, 0x2229,
	0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7, 0x2248,
	0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x00a0,
};

uint16_t
fat_name_from_oem(uint8_t byte)
{
	return byte < 0x80 ? byte : oem[byte - 0x80];
}

uint8_t
fat_name_to_oem(uint16_t unit)
{
	if (unit < 0x80)
		return (uint8_t)unit;
	for (unsigned int i = 0; i < 128; i++)
		if (oem[i] == unit)
			return (uint8_t)(0x80 + i);
	return 0;
}

/* --- upper case ------------------------------------------------------------------------------------------- */

/* Letters in order: all lower `by` above their capitals, or (by 1) capital and small in turns from `from` - 1 on. */
struct letters {
	uint16_t from, to;
	uint16_t step;
	int16_t by;
};

static const struct letters small[] = {
	{ 0x0061, 0x007a, 1, 32 },                                                      /* Latin */
	{ 0x00e0, 0x00f6, 1, 32 },  { 0x00f8, 0x00fe, 1, 32 },  { 0x00ff, 0x00ff, 1, -121 },
	{ 0x0101, 0x0137, 2, 1 },   { 0x013a, 0x0148, 2, 1 },   { 0x014b, 0x0177, 2, 1 },
	{ 0x017a, 0x017e, 2, 1 },   { 0x01ce, 0x01dc, 2, 1 },   { 0x01df, 0x01ef, 2, 1 },
	{ 0x01f9, 0x021f, 2, 1 },   { 0x0223, 0x0233, 2, 1 },
	{ 0x03ac, 0x03ac, 1, 38 },  { 0x03ad, 0x03af, 1, 37 },  { 0x03b1, 0x03c1, 1, 32 },  /* Greek */
	{ 0x03c2, 0x03c2, 1, 31 },  { 0x03c3, 0x03cb, 1, 32 },  { 0x03cc, 0x03cc, 1, 64 },
	{ 0x03cd, 0x03ce, 1, 63 },
	{ 0x0430, 0x044f, 1, 32 },  { 0x0450, 0x045f, 1, 80 },  { 0x0461, 0x0481, 2, 1 },   /* Cyrillic */
	{ 0x048b, 0x04bf, 2, 1 },   { 0x04c2, 0x04ce, 2, 1 },   { 0x04d1, 0x052f, 2, 1 },
	{ 0x0561, 0x0586, 1, 48 },                                                      /* Armenian */
	{ 0x1e01, 0x1e95, 2, 1 },   { 0x1ea1, 0x1eff, 2, 1 },                           /* Latin again */
	{ 0x2170, 0x217f, 1, 16 },  { 0x24d0, 0x24e9, 1, 26 },  { 0xff41, 0xff5a, 1, 32 },
};

static uint16_t
upper(uint16_t u)
{
	if (u < 0x80)
		return u >= 'a' && u <= 'z' ? u - 32 : u;
	for (unsigned int i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
		const struct letters *l = &small[i];

		if (u >= l->from && u <= l->to)
			return (u - l->from) % l->step ? u : (uint16_t)(u - l->by);
	}
	return u;
}

bool
fat_name_same(const uint16_t *a, uint32_t a_length, const uint16_t *b, uint32_t b_length)
{
	if (a_length != b_length)
		return false;
	for (uint32_t i = 0; i < a_length; i++)
		if (a[i] != b[i] && upper(a[i]) != upper(b[i]))
			return false;
	return true;
}

/* --- UTF-8 ------------------------------------------------------------------------------------------------- */

/* One character at **p, which is moved behind it. Returns its number, or -1. */
static int32_t
decode(const char **p)
{
	static const int32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t *s = (const uint8_t *)*p;
	unsigned int n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
	int32_t c;

	if (n == 0)
		return -1;
	c = n == 1 ? s[0] : s[0] & (0x7f >> n);
	for (unsigned int i = 1; i < n; i++) {
		if (s[i] >> 6 != 2)
			return -1;
		c = c << 6 | (s[i] & 0x3f);
	}
	*p += n;
	return c < least[n] || c > 0x10ffff ? -1 : c;
}

static bool
is_high(uint32_t u)
{
	return u >> 10 == 0xd800 >> 10;
}

static bool
is_low(uint32_t u)
{
	return u >> 10 == 0xdc00 >> 10;
}

int
fat_name_from_utf8(const char *text, uint16_t *out, uint32_t *length)
{
	uint32_t n = 0;

	while (*text) {
		int32_t c = decode(&text);
		bool pair = c > 0xffff;

		/* Two halves are one character, which has a form of its own. */
		if (c < 0 || (n && is_low((uint32_t)c) && is_high(out[n - 1])))
			return -EINVAL;
		if (n + 1 + pair > FAT_NAME_UNITS) {
			/* Only dots may come now, which do not count. */
			if (c != '.')
				return -ENAMETOOLONG;
			continue;
		}
		if (pair) {
			out[n++] = (uint16_t)(0xd800 + ((c - 0x10000) >> 10));
			out[n++] = (uint16_t)(0xdc00 + ((c - 0x10000) & 0x3ff));
		} else {
			out[n++] = (uint16_t)c;
		}
	}
	while (n && out[n - 1] == '.')
		n--;
	*length = n;
	return n ? 0 : -ENOENT;
}

size_t
fat_name_to_utf8(const uint16_t *name, uint32_t length, char *out)
{
	char *p = out;

	for (uint32_t i = 0; i < length; i++) {
		uint32_t c = name[i];

		if (is_high(c) && i + 1 < length && is_low(name[i + 1]))
			c = 0x10000 + ((c & 0x3ff) << 10) + (name[++i] & 0x3ffu);
		if (c < 0x80) {
			*p++ = (char)c;
			continue;
		}
		if (c < 0x800) {
			*p++ = (char)(0xc0 | c >> 6);
		} else {
			if (c < 0x10000) {
				*p++ = (char)(0xe0 | c >> 12);
			} else {
				*p++ = (char)(0xf0 | c >> 18);
				*p++ = (char)(0x80 | (c >> 12 & 0x3f));
			}
			*p++ = (char)(0x80 | (c >> 6 & 0x3f));
		}
		*p++ = (char)(0x80 | (c & 0x3f));
	}
	*p = '\0';
	return (size_t)(p - out);
}

bool
fat_name_is_good(const uint16_t *name, uint32_t length)
{
	if (length == 0 || name[length - 1] == ' ' || name[length - 1] == '.')
		return false;
	for (uint32_t i = 0; i < length; i++) {
		uint16_t u = name[i];

		if (u < 0x20 || u == '"' || u == '*' || u == '/' || u == ':' || u == '<' || u == '>' || u == '?' ||
		    u == '\\' || u == '|')
			return false;
		if (is_high(u) && i + 1 < length && is_low(name[i + 1]))
			i++;
		else if (is_high(u) || is_low(u))
			return false;
	}
	return true;
}
