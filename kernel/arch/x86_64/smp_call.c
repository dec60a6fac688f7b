/* SPDX-License-Identifier: MIT */
/*
 * smp_call.c - one CPU has others do something.
 *
 * Each CPU owns one request, because a caller waits until everybody has served it, with preemption
 * off. A target has a word of bits, one per caller, that says whose requests it has yet to serve:
 *
 *	(1) the caller fills its request, with the mask of who is pending
 *	(2) it sets its bit in each target's word; if the word was 0 it also sends an interrupt
 *	(3) a target swaps its word for 0 and serves each caller whose bit it finds
 *	(4) it clears itself from the request's mask; the caller waits until the mask is empty
 *
 * One message reaches all others where every CPU of the machine runs; else each target gets its own.
 *
 * A word that is not 0 has an interrupt on its way, since whoever made it so sent one and only (3)
 * empties it. (1) is before (2) and (3) before (4) by sequentially consistent atomics.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/panic.h>
#include <tessera/trace.h>

#include "apic.h"

struct call_request {
	void (*fn)(void *);
	void *arg;
	uint64_t pending; /* [a] bit = cpu id */
} __aligned(64);

struct call_inbox {
	uint64_t callers; /* [a] bit = cpu id */
} __aligned(64);

static struct call_request requests[MAX_CPUS];
static struct call_inbox inboxes[MAX_CPUS];
static uint64_t everybody; /* [a] all CPUs of the machine; 0: not all run, or not yet */

void
smp_call_all_run(void)
{
	uint64_t mask = 0;
	struct cpu *c;

	for_each_cpu(c)
		mask |= BIT(c->id);
	atomic_store(&everybody, mask);
}

static void
ring(uint64_t mask, uint32_t self)
{
	uint64_t all = atomic_load_relaxed(&everybody);

	for (uint64_t left = mask; left; left &= left - 1)
		trace_ipi_send(VECTOR_CALL, __builtin_ctzll(left));
	if (mask && mask == (all & ~BIT(self))) {
		lapic_send_others(VECTOR_CALL);
		return;
	}
	for (; mask; mask &= mask - 1)
		lapic_send(cpus[__builtin_ctzll(mask)]->arch.apic_id, VECTOR_CALL);
}

bool
arch_call_cpus_start(uint64_t mask, void (*fn)(void *), void *arg)
{
	uint32_t self = this_cpu()->id;
	struct call_request *r = &requests[self];
	uint64_t empty = 0;
	struct cpu *c;

	mask &= ~BIT(self);
	for_each_cpu(c)
		if ((mask & BIT(c->id)) && !c->arch.online)
			mask &= ~BIT(c->id);
	if (cpu_count < MAX_CPUS)
		mask &= BIT(cpu_count) - 1;
	if (!mask)
		return false;
	assert(arch_irqs_enabled());

	r->fn = fn;
	r->arg = arg;
	atomic_store(&r->pending, mask); /* (1) */
	for (uint64_t left = mask; left; left &= left - 1) {
		uint32_t id = (uint32_t)__builtin_ctzll(left);

		if (!atomic_fetch_or(&inboxes[id].callers, BIT(self))) /* (2) */
			empty |= BIT(id);
	}
	ring(empty, self);
	return true;
}

void
arch_call_cpus_wait(void)
{
	struct call_request *r = &requests[this_cpu()->id];

	while (atomic_load(&r->pending)) /* (4) */
		arch_cpu_relax();
}

void
arch_call_cpus(uint64_t mask, void (*fn)(void *), void *arg)
{
	if (arch_call_cpus_start(mask, fn, arg))
		arch_call_cpus_wait();
}

void
smp_call_interrupt(void)
{
	uint32_t self = this_cpu()->id;
	uint64_t callers = atomic_exchange(&inboxes[self].callers, 0); /* (3) */

	for (; callers; callers &= callers - 1) {
		struct call_request *r = &requests[__builtin_ctzll(callers)];

		r->fn(r->arg);
		atomic_and(&r->pending, ~BIT(self)); /* (4) */
	}
}

void
arch_kick_cpu(uint32_t cpu_id)
{
	struct cpu *c = cpus[cpu_id];

	if (c && c->arch.online) {
		trace_ipi_send(VECTOR_KICK, cpu_id);
		lapic_send(c->arch.apic_id, VECTOR_KICK);
	}
}
