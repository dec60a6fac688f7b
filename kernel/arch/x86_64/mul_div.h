/* SPDX-License-Identifier: MIT */
/*
 * mul_div.h - a * b / c with 128 bits in between, which the compiler would call a library for.
 */
#ifndef ARCH_X86_64_MUL_DIV_H
#define ARCH_X86_64_MUL_DIV_H

#include <tessera/types.h>

/* UINT64_MAX when the result does not fit, or for c = 0. */
static inline uint64_t
mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
	uint64_t quotient, remainder;

	if (high >= c)
		return UINT64_MAX;
	__asm__("divq %4" : "=a"(quotient), "=d"(remainder) : "0"(low), "1"(high), "r"(c) : "cc");
	return quotient;
}

/* a * b where b is a 32.32 fixed-point number. */
static inline uint64_t
mul_fixed(uint64_t a, uint64_t b)
{
	return (uint64_t)((unsigned __int128)a * b >> 32);
}

#define FIXED_ONE (1ull << 32)

#endif
