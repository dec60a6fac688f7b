/* SPDX-License-Identifier: MIT */
/*
 * setting.c - the numbers below /proc/sys, read and written as Linux does: decimal when read; when written in any
 * base that C knows, among blanks. What follows is left for another write(), which, not being at the start, says
 * nothing any more.
 */
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/network.h>
#include <tessera/string.h>

#include "files.h"

#define SETTING_NUMBERS_MAX 2

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

static int
show_of_network(const struct setting *s, struct text *t)
{
	for (unsigned int i = 0; i < s->count; i++)
		text_print(t, "%d%c", network_setting(current_network(), (enum network_setting)(s->of_network + (int)i)),
			   i + 1 < s->count ? '\t' : '\n');
	return 0;
}

int
setting_show(const struct setting *s, struct text *t)
{
	if (!s->value)
		return show_of_network(s, t);
	text_print(t, "%d\n", READ_ONCE(*s->value));
	return 0;
}

/* Fewer numbers than there are leave the others as they are. */
static ssize_t
write_of_network(const struct setting *s, const char *data)
{
	struct network *n = current_network();
	int values[SETTING_NUMBERS_MAX];
	ssize_t used = 0;

	for (unsigned int i = 0; i < s->count; i++) {
		bool negative;
		uint64_t v;
		ssize_t word;

		values[i] = network_setting(n, (enum network_setting)(s->of_network + (int)i));
		if (i > 0 && !data[used])
			continue;
		word = parse_word(data + used, &negative, &v);
		if (word < 0 || negative || v > INT32_MAX)
			return -EINVAL;
		values[i] = (int)v;
		used += word;
	}
	return network_setting_set(n, (enum network_setting)s->of_network, values, s->count) ? -EINVAL : used;
}

ssize_t
setting_write(const struct setting *s, const char *data)
{
	bool negative;
	uint64_t v;
	int64_t value;
	ssize_t used;

	if (!s->value)
		return write_of_network(s, data);
	used = parse_word(data, &negative, &v);
	if (used < 0 || v > INT32_MAX + (uint64_t)negative)
		return -EINVAL;
	value = negative ? -(int64_t)v : (int64_t)v;
	if (value < s->low || value > s->high)
		return -EINVAL;
	WRITE_ONCE(*s->value, (int)value);
	return used;
}
