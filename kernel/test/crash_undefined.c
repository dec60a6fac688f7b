/* SPDX-License-Identifier: MIT */
/*
 * crash_undefined.c - expressions that have no meaning in C, for the ubsan build to notice. Elsewhere the
 * machine makes something of each, and the run ends as one that nothing stopped.
 */
#include <tessera/print.h>
#include <tessera/string.h>

#include "crash.h"

/* The compiler shall not see what is in it. */
static volatile int64_t opaque;

static void
keep(int64_t v)
{
	opaque = v;
}

static int
given(int v)
{
	keep(v);
	return (int)opaque;
}

static void __noinline
crash_shift(void)
{
	keep(1u << given(40));
}

static void __noinline
crash_shift_negative(void)
{
	keep(1l << given(-3));
}

static void __noinline
crash_divide(void)
{
	keep(7 / given(0));
}

static void __noinline
crash_bounds(void)
{
	static const uint8_t table[4] = { 1, 2, 3, 4 };

	keep(table[given(5)]);
}

static void __noinline
crash_alignment(void)
{
	static uint64_t words[2];
	volatile uint32_t *p = (volatile uint32_t *)(void *)((uint8_t *)words + given(2));

	keep(*p);
}

static void __noinline
crash_bool(void)
{
	static uint8_t byte;
	const volatile bool *b = (const volatile bool *)(void *)&byte;

	byte = (uint8_t)given(7);
	keep(*b);
}

static void __noinline
crash_null_member(void)
{
	const struct { int a, b; } *p = (void *)(uint64_t)given(0);

	keep(p->b);
}

static void __noinline
crash_unreachable(void)
{
	if (given(1))
		__builtin_unreachable();
	keep(0);
}

const struct crash crash_undefined[] = {
	{ "shift", crash_shift },
	{ "shift_negative", crash_shift_negative },
	{ "divide", crash_divide },
	{ "bounds", crash_bounds },
	{ "alignment", crash_alignment },
	{ "bool", crash_bool },
	{ "null_member", crash_null_member },
	{ "unreachable", crash_unreachable },
	{ 0 },
};
