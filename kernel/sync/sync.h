/* SPDX-License-Identifier: MIT */
/*
 * sync.h - private to sync/: the order checker's door for the locks themselves.
 */
#ifndef SYNC_SYNC_H
#define SYNC_SYNC_H

#include <tessera/config.h>
#include <tessera/cpu.h>
#include <tessera/lock.h>
#include <tessera/time.h>
#include <tessera/trace.h>
#include <tessera/types.h>

enum lock_how {
	LOCK_PLAIN,  /* must stand below everything held */
	LOCK_NESTED, /* may be of a class already held */
	LOCK_TRY,    /* cannot deadlock: any order */
};

/* Spinlocks: preemption off. Before waiting, so that a deadlock is reported instead of entered. */
void lock_order_spin_acquire(const struct spinlock *l, enum lock_how how);
void lock_order_spin_release(const struct spinlock *l);
/* Sleeping locks: thread context. */
void lock_order_sleep_acquire(const void *l, uint16_t class, enum lock_how how);
void lock_order_sleep_release(const void *l, uint16_t class);

/* Somebody looks at locks: statistics, or events of class lock. */
static __always_inline bool
lock_watched(void)
{
	return trace_watches(TRACE_LOCK_STAT | TRACE_LOCK_EVENTS);
}

/* lock_stat.c: the caller has the lock since now, having waited `waited` ns if it was contended; `pc` is
 * where it was asked for. `sleeping`: the thread holds it, not the CPU. */
void lock_stat_acquired(const void *lock, uint16_t class, bool sleeping, vaddr_t pc, bool contended,
			uint64_t waited);
/* The caller is about to give it back. */
void lock_stat_released(const void *lock, uint16_t class, bool sleeping);

/* mutex.c and rwlock.c: how often one looks before one queues, and how long the first waiter is overtaken. */
#define LOCK_SPINS 200u
#define HANDOFF_NS (4 * NSEC_PER_MSEC)

/* Nothing more urgent is to be done here, and `owner`, who took a lock on CPU `cpu`, still runs there; NULL: is
 * just taking or leaving it. */
static inline bool
lock_worth_spinning(const struct thread *owner, uint32_t cpu)
{
	if (READ_ONCE(this_cpu()->need_resched))
		return false;
	return !owner || (cpus[cpu] && READ_ONCE(cpus[cpu]->current) == owner);
}

#define CALLER_PC ((vaddr_t)__builtin_return_address(0))

#endif
