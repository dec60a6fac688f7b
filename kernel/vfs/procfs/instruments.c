/* SPDX-License-Identifier: MIT */
/*
 * instruments.c - /proc/tessera/{lock_stat,latency,profile,symbols}: the kernel's measurements of itself.
 *
 * Each but the last is switched by writing: "1" (profile: the rate in Hz) begins, "0" stops and keeps
 * what was gathered, "reset" forgets it, "off" also gives the memory back.
 */
#include <tessera/debug.h>
#include <tessera/errno.h>
#include <tessera/latency.h>
#include <tessera/lock_stat.h>
#include <tessera/profile.h>
#include <tessera/string.h>

#include "files.h"

enum order { ORDER_START, ORDER_STOP, ORDER_RESET, ORDER_OFF, ORDER_BAD };

/* What a write asks for; *number: what it says if it is one above 0. */
static enum order
parse_order(char *data, long *number)
{
	char *end = strchr(data, '\n');

	if (end)
		*end = '\0';
	if (!strcmp(data, "reset"))
		return ORDER_RESET;
	if (!strcmp(data, "off"))
		return ORDER_OFF;
	*number = parse_number(data, strlen(data));
	if (*number < 0)
		return ORDER_BAD;
	return *number ? ORDER_START : ORDER_STOP;
}

int
show_lock_stat(struct text *t, struct target *at)
{
	return lock_stat_print(text_print_context, t);
}

ssize_t
write_lock_stat(struct target *at, char *data, size_t n)
{
	long number;
	int error = 0;

	switch (parse_order(data, &number)) {
	case ORDER_START:
	case ORDER_STOP:
		error = number > 1 ? -EINVAL : lock_stat_enable(number);
		break;
	case ORDER_RESET:
		lock_stat_reset();
		break;
	case ORDER_OFF:
		lock_stat_free();
		break;
	default:
		error = -EINVAL;
	}
	return error ? error : (ssize_t)n;
}

int
show_latency(struct text *t, struct target *at)
{
	latency_print(text_print_context, t);
	return 0;
}

ssize_t
write_latency(struct target *at, char *data, size_t n)
{
	long number;

	switch (parse_order(data, &number)) {
	case ORDER_START:
		if (number > 1)
			return -EINVAL;
		latency_enable(true);
		break;
	case ORDER_STOP:
	case ORDER_OFF:
		latency_enable(false);
		break;
	case ORDER_RESET:
		latency_reset();
		break;
	default:
		return -EINVAL;
	}
	return (ssize_t)n;
}

int
show_profile(struct text *t, struct target *at)
{
	profile_print(text_print_context, t);
	return 0;
}

ssize_t
write_profile(struct target *at, char *data, size_t n)
{
	long number;
	int error = 0;

	switch (parse_order(data, &number)) {
	case ORDER_START:
		error = number > PROFILE_HZ_MAX ? -EINVAL : profile_start((uint32_t)number);
		break;
	case ORDER_STOP:
		profile_stop();
		break;
	case ORDER_RESET:
		profile_reset();
		break;
	case ORDER_OFF:
		profile_free();
		break;
	default:
		error = -EINVAL;
	}
	return error ? error : (ssize_t)n;
}

static void
symbol_line(void *ctx, vaddr_t start, const char *name)
{
	text_print(ctx, "%016lx t %s\n", start, name);
}

int
show_symbols(struct text *t, struct target *at)
{
	symbol_for_each(symbol_line, t);
	return 0;
}
