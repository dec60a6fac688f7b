/* SPDX-License-Identifier: MIT */
/*
 * setting.c - the numbers below /proc/sys, read and written as Linux does: decimal when read; when written in any
 * base that C knows, among blanks. What follows is left for another write(), which, not being at the start, says
 * nothing any more.
 */
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/string.h>

#include "files.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* The first word as a sign and a number. How many bytes it and the blanks around it are, or -EINVAL. */
static ssize_t
parse_word(const char *data, bool *negative, uint64_t *out)
{
	const char *at = data;

	while (is_blank(*at))
		at++;
	*negative = *at == '-';
	if (*negative)
		at++;
	if (parse_u64(at, &at, 0, out) || (*at && !is_blank(*at)))
		return -EINVAL;
	while (is_blank(*at))
		at++;
	return at - data;
}

ssize_t
parse_setting(const char *data, size_t n, uint64_t low, uint64_t high, uint64_t *out)
{
	bool negative;
	uint64_t v;

	if (parse_word(data, &negative, &v) < 0 || negative || v < low || v > high)
		return -EINVAL;
	*out = v;
	return (ssize_t)n;
}

int
setting_show(const struct setting *s, struct text *t)
{
	text_print(t, "%d\n", READ_ONCE(*s->value));
	return 0;
}

ssize_t
setting_write(const struct setting *s, const char *data)
{
	bool negative;
	uint64_t v;
	int64_t value;
	ssize_t used = parse_word(data, &negative, &v);

	if (used < 0 || v > INT32_MAX + (uint64_t)negative)
		return -EINVAL;
	value = negative ? -(int64_t)v : (int64_t)v;
	if (value < s->low || value > s->high)
		return -EINVAL;
	WRITE_ONCE(*s->value, (int)value);
	return used;
}
