/* SPDX-License-Identifier: MIT */
/* files.h - what the exercisers of file systems share: random numbers that a seed repeats, and a way to fail. */
#ifndef FILES_FILES_H
#define FILES_FILES_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_state = 1;

static inline void
random_begin(uint64_t seed)
{
	random_state = (seed + 1) * 0x9e3779b97f4a7c15ull | 1;
}

static inline uint32_t
random_number(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * 0x2545f4914f6cdd1dull) >> 32);
}

/* 0 to limit - 1. */
static inline uint32_t
random_below(uint32_t limit)
{
	return limit ? random_number() % limit : 0;
}

/* One line, and the end of this process. */
static inline void __attribute__((noreturn, format(printf, 1, 2)))
fail(const char *format, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	fflush(stdout);
	fprintf(stderr, "failed: %s\n", line);
	exit(1);
}

static inline uint32_t
checksum(uint32_t sum, const void *data, size_t size)
{
	const uint8_t *p = data;

	while (size--)
		sum = (sum ^ *p++) * 16777619u;
	return sum;
}

#endif
