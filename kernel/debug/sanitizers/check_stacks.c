/* SPDX-License-Identifier: MIT */
/*
 * check_stacks.c - call stacks kept once each and named by a number, so that every object of the kernel
 * can remember two.
 *
 * A hash table that only grows, open addressing. A slot is taken by a compare-and-exchange of its hash
 * from 0 and filled before `ready` is set; whoever finds a hash without `ready` is on another CPU or
 * interrupted the one that fills it, and goes on to the next slot: a stack may be there twice, no harm.
 * Nothing is ever waited for: any context may ask.
 *
 * Interrupts make stacks out of every function that they interrupted. When the table is three quarters
 * full only the innermost addresses are kept, so that it does not overflow; what does not fit is
 * STACK_UNKNOWN.
 */
#include <tessera/atomic.h>
#include <tessera/memory_check.h>
#include <tessera/panic.h>
#include <tessera/print.h>

#include "check.h"

#define STACK_DEPTH   12u
#define STACK_SHORT   4u
#define STACK_SLOTS   16384u /* a power of two */
#define STACK_UNKNOWN 1u
#define PROBES_MAX    64u

extern const char kernel_start[], kernel_text_end[];

/* [I] once ready */
struct stack {
	uint32_t hash;              /* [a] 0: empty */
	uint16_t ready;             /* [a] */
	uint16_t depth;
	uint32_t pc[STACK_DEPTH];   /* from kernel_start */
};

static struct stack stacks[STACK_SLOTS];
static uint32_t stack_count; /* [a] */

/* The addresses above our caller's caller, as offsets. */
static __noinline uint32_t
walk(uint32_t *pc, uint32_t max, unsigned int skip)
{
	const vaddr_t *frame = __builtin_frame_address(0);
	const vaddr_t *low = frame;
	uint32_t n = 0;

	while (n < max) {
		const vaddr_t *next = (const vaddr_t *)frame[0];
		vaddr_t at = frame[1];

		if (at < (vaddr_t)kernel_start || at >= (vaddr_t)kernel_text_end)
			break;
		if (skip)
			skip--;
		else
			pc[n++] = (uint32_t)(at - (vaddr_t)kernel_start);
		if (next <= frame || (vaddr_t)next - (vaddr_t)low > KERNEL_STACK_SIZE ||
		    !IS_ALIGNED((vaddr_t)next, 8))
			break;
		frame = next;
	}
	return n;
}

static bool
same(const struct stack *s, uint32_t hash, const uint32_t *pc, uint32_t depth)
{
	if (atomic_load_relaxed(&s->hash) != hash || !atomic_load(&s->ready) || s->depth != depth)
		return false;
	for (uint32_t i = 0; i < depth; i++)
		if (s->pc[i] != pc[i])
			return false;
	return true;
}

stack_id_t __noinline
stack_remember(unsigned int skip)
{
	uint32_t pc[STACK_DEPTH], hash = 2166136261u, depth;
	bool crowded = atomic_load_relaxed(&stack_count) > STACK_SLOTS / 4 * 3;

	depth = walk(pc, crowded ? STACK_SHORT : STACK_DEPTH, skip + 1);
	for (uint32_t i = 0; i < depth; i++)
		hash = (hash ^ pc[i]) * 16777619u;
	hash |= 1;
	for (uint32_t i = 0; i < PROBES_MAX; i++) {
		uint32_t slot = (hash / 2 + i) % STACK_SLOTS, empty = 0;
		struct stack *s = &stacks[slot];

		if (slot <= STACK_UNKNOWN)
			continue;
		if (same(s, hash, pc, depth))
			return slot;
		if (atomic_load_relaxed(&s->hash) != 0 || !atomic_cas(&s->hash, &empty, hash))
			continue;
		for (uint32_t k = 0; k < depth; k++)
			s->pc[k] = pc[k];
		s->depth = (uint16_t)depth;
		atomic_store_release(&s->ready, 1);
		atomic_add_relaxed(&stack_count, 1);
		return slot;
	}
	return STACK_UNKNOWN;
}

uint32_t
stack_get(stack_id_t id, vaddr_t *pc, uint32_t max)
{
	uint32_t n;

	if (id <= STACK_UNKNOWN || id >= STACK_SLOTS || !atomic_load(&stacks[id].ready))
		return 0;
	n = MIN(max, (uint32_t)stacks[id].depth);
	for (uint32_t i = 0; i < n; i++)
		pc[i] = (vaddr_t)kernel_start + stacks[id].pc[i];
	return n;
}

void
stack_print(stack_id_t id, const char *indent)
{
	vaddr_t pc[STACK_DEPTH];
	uint32_t n = stack_get(id, pc, STACK_DEPTH);
	char where[80];

	if (n == 0)
		pr_err("%s(not known)\n", indent);
	for (uint32_t i = 0; i < n; i++)
		pr_err("%s%s\n", indent, symbol_format(pc[i] - 1, where, sizeof(where)));
}
