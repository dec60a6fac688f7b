/* SPDX-License-Identifier: MIT */
/*
 * spinlock.c - ticket locks: first come, first served, in two words.
 *
 * A CPU draws a ticket from `next` and waits until `serving` shows it. Drawing is one atomic add, so
 * nobody starves. The pair of barriers: the load of `serving` that ends the wait acquires, and the
 * store in unlock releases.
 *
 * On a guest's CPUs a queue is a trap: the hypervisor may have stopped whoever is next in line, and
 * everybody behind waits until it runs again. There nobody draws a ticket unless it is served at once
 * (one compare-and-exchange of both words); whoever runs when the lock becomes free gets it. It is
 * the same lock: the two ways may even meet at one.
 *
 * The holder has preemption off, so a waiter waits for a CPU that is running, never for one that must
 * first be scheduled. A waiter that waits absurdly long reports instead of hanging silently.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/debug.h>
#include <tessera/latency.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/time.h>

#include "sync.h"

/* Emulated machines with many more CPUs than the host has are slow, but not that slow. */
#define STUCK_NS (60 * NSEC_PER_SEC)
#define SPINS_PER_LOOK (1u << 20)

static bool queueing __ro_after_init = true; /* draw tickets, or try until one is served at once */

void
spin_choose_policy(void)
{
	queueing = !arch_is_guest();
}

void
spin_init(struct spinlock *l, enum lock_class class)
{
	*l = (struct spinlock){ .class = (uint16_t)class };
}

/* `ticket` has not been served for very many looks: tell whom we wait for. */
static __cold __noinline void
check_stuck(struct spinlock *l, uint64_t *since)
{
	uint64_t now = arch_clock_ns() - debug_stopped_ns();

	debug_lock_stuck();
	if (*since == 0)
		*since = now;
	if (now - *since > STUCK_NS)
		panic("spinlock %s %p not released for %lu s; held by CPU %d",
		      lock_class_name(l->class), (void *)l, STUCK_NS / NSEC_PER_SEC,
		      (int)READ_ONCE(l->holder_cpu) - 1);
}

_Static_assert(offsetof(struct spinlock, serving) == 0 && offsetof(struct spinlock, next) == 2,
	       "both words are taken at once, and a carry out of next is lost");

/* With queues: draw a ticket and wait for it. Else try until the next ticket would be served at once. */
__noinline void
spin_wait(struct spinlock *l)
{
	const struct spinlock *outer = this_cpu()->spin_wait;
	uint16_t ticket = queueing ? __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED) : 0;
	uint32_t spins = 0;
	uint64_t since = 0;

	this_cpu()->spin_wait = l;
	while (queueing ? __atomic_load_n(&l->serving, __ATOMIC_ACQUIRE) != ticket : !spin_try(l)) {
		arch_cpu_relax();
		if (unlikely(++spins == SPINS_PER_LOOK)) {
			spins = 0;
			check_stuck(l, &since);
		}
	}
	this_cpu()->spin_wait = outer;
}

/* Somebody looks, but not by the order checker alone. */
static __always_inline bool
watched(void)
{
	return trace_watches(TRACE_LOCK_STAT | TRACE_LATENCY | TRACE_LOCK_EVENTS);
}

/* Acquire under observation; `flags`: as they were before this acquisition. */
static __cold __noinline void
acquire_watched(struct spinlock *l, uint64_t flags, vaddr_t pc)
{
	uint64_t waited = 0;
	bool contended;

	if (latency_watched()) {
		if (arch_flags_irqs_on(flags))
			latency_irqs_off();
		latency_preempt_off();
	}
	contended = !spin_try(l);
	if (contended) {
		uint64_t start = arch_clock_ns();

		trace_lock_wait(l->class, (vaddr_t)l, pc);
		spin_wait(l);
		waited = arch_clock_ns() - start;
		trace_lock_acquired(l->class, (vaddr_t)l, waited, pc);
	}
	if (trace_watches(TRACE_LOCK_STAT))
		lock_stat_acquired(l, l->class, false, pc, contended, waited);
}

/* Preemption is off, the interrupts too if the lock wants it; `flags` as above, 0: they stay as they are. */
static __always_inline void
take(struct spinlock *l, enum lock_how how, uint64_t flags, vaddr_t pc)
{
	if (config_lock_check)
		lock_order_spin_acquire(l, how);
	if (watched())
		acquire_watched(l, flags, pc);
	else if (unlikely(!spin_try(l)))
		spin_wait(l);
	WRITE_ONCE(l->holder_cpu, (uint16_t)(arch_cpu_id() + 1));
}

/* spin_release(), and interrupts as `flags` says, under observation. */
static __cold __noinline void
release_watched(struct spinlock *l, uint64_t flags, vaddr_t pc)
{
	if ((uint16_t)(READ_ONCE(l->next) - l->serving) > 1)
		trace_lock_handover(l->class, (vaddr_t)l, pc);
	if (trace_watches(TRACE_LOCK_STAT))
		lock_stat_released(l, l->class, false);
	spin_release(l);
	arch_irq_restore(flags);
	if (latency_watched())
		latency_preempt_on();
}

/* `flags`: 0, interrupts stay as they are. */
static __always_inline void
give_back(struct spinlock *l, uint64_t flags, vaddr_t pc)
{
	if (config_lock_check)
		lock_order_spin_release(l);
	if (watched()) {
		release_watched(l, flags, pc);
	} else {
		spin_release(l);
		arch_irq_restore_quiet(flags);
	}
	if (arch_preempt_count_dec_and_should_resched())
		schedule_preempted();
	preempt_random_here();
}

void
spin_lock_watched(struct spinlock *l)
{
	preempt_random_here();
	arch_preempt_count_inc();
	take(l, LOCK_PLAIN, 0, CALLER_PC);
}

void
spin_lock_nested_watched(struct spinlock *l)
{
	arch_preempt_count_inc();
	take(l, LOCK_NESTED, 0, CALLER_PC);
}

/* The lock if it is free and nobody waits. A SPIN_IRQ lock: with interrupts off. */
bool
spin_trylock(struct spinlock *l)
{
	preempt_disable();
	if (!spin_try(l)) {
		preempt_enable();
		return false;
	}
	WRITE_ONCE(l->holder_cpu, (uint16_t)(arch_cpu_id() + 1));
	if (config_lock_check)
		lock_order_spin_acquire(l, LOCK_TRY);
	if (trace_watches(TRACE_LOCK_STAT))
		lock_stat_acquired(l, l->class, false, CALLER_PC, false, 0);
	return true;
}

void
spin_unlock_watched(struct spinlock *l)
{
	give_back(l, 0, CALLER_PC);
}

uint64_t
spin_lock_irq_watched(struct spinlock *l)
{
	uint64_t flags;

	preempt_random_here();
	flags = arch_irq_save_quiet();
	arch_preempt_count_inc();
	take(l, LOCK_PLAIN, flags, CALLER_PC);
	return flags;
}

uint64_t
spin_lock_irq_nested_watched(struct spinlock *l)
{
	uint64_t flags = arch_irq_save_quiet();

	arch_preempt_count_inc();
	take(l, LOCK_NESTED, flags, CALLER_PC);
	return flags;
}

void
spin_unlock_irq_watched(struct spinlock *l, uint64_t flags)
{
	give_back(l, flags, CALLER_PC);
}

bool
spin_is_held(const struct spinlock *l)
{
	return READ_ONCE(l->holder_cpu) == this_cpu()->id + 1;
}
