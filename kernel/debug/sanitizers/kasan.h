/* SPDX-License-Identifier: MIT */
/*
 * kasan.h - private to the address sanitiser.
 */
#ifndef SANITIZERS_KASAN_H
#define SANITIZERS_KASAN_H

#include <tessera/kasan.h>
#include <tessera/layout.h>

#define GRANULE      (1ul << SHADOW_SHIFT)
#define GRANULE_MASK (GRANULE - 1)
#define KERNEL_HALF  0xffff800000000000ul

/* What the compiler writes around arrays on the stack. */
#define KASAN_STACK_LEFT   0xf1
#define KASAN_STACK_MIDDLE 0xf2
#define KASAN_STACK_RIGHT  0xf3
#define KASAN_STACK_SCOPE  0xf8

/* [a] The shadow means something: look at it. Cleared for good by the first report. */
extern bool kasan_looking;

static inline uint8_t *
shadow_at(vaddr_t a)
{
	return (uint8_t *)SHADOW_OF(a);
}

/* Say what was done to what, and panic. */
void __noreturn __cold kasan_report(vaddr_t a, size_t n, bool write, vaddr_t pc);

#endif
