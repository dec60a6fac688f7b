/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - sleeping locks for one holder, handed on in the order of arrival.
 *
 *   state 0  free
 *   state 1  held, nobody waits: taken and given back by one compare-and-exchange each
 *   state 2  held, and the list of waiters may be non-empty: giving it back takes wait_lock
 *
 * A release with waiters does not free the lock: it makes the first waiter the owner (hand-off), so
 * nobody who comes by can overtake and no waiter starves. A newcomer spins for a short while first: most
 * critical sections are shorter than two switches.
 *
 * The order of a hand-off:
 *	(1) take the waiter off the list, make it the owner, and get a reference to its thread
 *	(2) set `granted`; from here on the waiter may return and its `struct mutex_waiter` be gone
 *	(3) drop wait_lock, (4) wake the thread. The waiter tests `granted` after it has said that it
 *	sleeps, so either it sees (2) or (4) finds it asleep.
 *
 * Locks: wait_lock (LEAF) holds nothing else; threads are woken after it was dropped.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/sched.h>
#include <tessera/thread.h>
#include <tessera/wait.h>

#include "sync.h"

#define SPIN_TRIES 64

struct mutex_waiter {
	struct list node;      /* wait_lock */
	struct thread *thread; /* [I] */
	bool granted;          /* [a] */
};

void
mutex_init(struct mutex *m, enum lock_class class)
{
	*m = (struct mutex){ .class = (uint16_t)class };
	spin_init(&m->wait_lock, LOCK_LEAF);
	list_init(&m->waiters);
}

static __always_inline bool
try_free(struct mutex *m)
{
	uint32_t free = 0;

	if (!atomic_cas(&m->state, &free, 1))
		return false;
	m->owner = current_thread();
	return true;
}

/* Worth it only where the holder can make progress meanwhile. */
static bool
spin_for_it(struct mutex *m)
{
	if (cpu_count == 1)
		return false;
	for (unsigned int i = 0; i < SPIN_TRIES; i++) {
		uint32_t state = atomic_load_relaxed(&m->state);

		if (state == 2 || this_cpu()->need_resched)
			return false;
		if (state == 0 && try_free(m))
			return true;
		arch_cpu_relax();
	}
	return false;
}

/*
 * Wait for the lock. Returns 0 as its owner, or -EINTR when `mode` is WAIT_KILLABLE and a fatal signal
 * came first.
 */
static __noinline int
lock_slowly(struct mutex *m, enum wait_mode mode)
{
	struct thread *t = current_thread();
	struct mutex_waiter w = { .thread = t };
	uint64_t flags;
	int error = 0;

	if (spin_for_it(m))
		return 0;
	flags = spin_lock_irq(&m->wait_lock);
	if (atomic_exchange(&m->state, 2) == 0) {
		/* It was freed since, so nobody waits. */
		atomic_store(&m->state, 1);
		m->owner = t;
		spin_unlock_irq(&m->wait_lock, flags);
		return 0;
	}
	list_add_tail(&m->waiters, &w.node);
	spin_unlock_irq(&m->wait_lock, flags);

	t->waiting_kind = LOCK_WAIT_MUTEX;
	t->waiting_for_lock = m;
	for (;;) {
		wait_prepare(mode);
		if (atomic_load(&w.granted))
			break;
		error = wait_sleep(mode, DEADLINE_NEVER);
		if (error)
			break;
	}
	wait_finish();
	t->waiting_for_lock = NULL;
	if (error) {
		flags = spin_lock_irq(&m->wait_lock);
		if (w.granted) {
			error = 0;
		} else {
			list_del(&w.node);
			if (list_is_empty(&m->waiters))
				atomic_store(&m->state, 1);
		}
		spin_unlock_irq(&m->wait_lock, flags);
	}
	return error;
}

/* The same for who finds it taken, or is watched: `pc` is the caller's. */
static __noinline int
lock_watchfully(struct mutex *m, enum wait_mode mode, vaddr_t pc)
{
	uint64_t waited = 0;
	bool contended = !try_free(m);
	int error = 0;

	if (contended) {
		uint64_t start = lock_watched() ? arch_clock_ns() : 0;

		trace_lock_wait(m->class, (vaddr_t)m, pc);
		error = lock_slowly(m, mode);
		if (start)
			waited = arch_clock_ns() - start;
		if (!error)
			trace_lock_acquired(m->class, (vaddr_t)m, waited, pc);
	}
	if (!error && trace_watches(TRACE_LOCK_STAT))
		lock_stat_acquired(m, m->class, true, pc, contended, waited);
	return error;
}

static __always_inline int
acquire(struct mutex *m, enum wait_mode mode, vaddr_t pc)
{
	if (likely(!lock_watched() && try_free(m)))
		return 0;
	return lock_watchfully(m, mode, pc);
}

void
mutex_lock(struct mutex *m)
{
	preempt_random_here();
	lock_order_sleep_acquire(m, m->class, LOCK_PLAIN);
	(void)acquire(m, WAIT_UNINTERRUPTIBLE, CALLER_PC);
}

void
mutex_lock_nested(struct mutex *m)
{
	lock_order_sleep_acquire(m, m->class, LOCK_NESTED);
	(void)acquire(m, WAIT_UNINTERRUPTIBLE, CALLER_PC);
}

static int
lock_in_mode(struct mutex *m, enum wait_mode mode, vaddr_t pc)
{
	int error;

	preempt_random_here();
	lock_order_sleep_acquire(m, m->class, LOCK_PLAIN);
	error = acquire(m, mode, pc);
	if (error)
		lock_order_sleep_release(m, m->class);
	return error;
}

int
mutex_lock_killable(struct mutex *m)
{
	return lock_in_mode(m, WAIT_KILLABLE, CALLER_PC);
}

int
mutex_lock_interruptible(struct mutex *m)
{
	return lock_in_mode(m, WAIT_INTERRUPTIBLE, CALLER_PC);
}

bool
mutex_trylock(struct mutex *m)
{
	if (!try_free(m))
		return false;
	lock_order_sleep_acquire(m, m->class, LOCK_TRY);
	if (trace_watches(TRACE_LOCK_STAT))
		lock_stat_acquired(m, m->class, true, CALLER_PC, false, 0);
	return true;
}

/* Give it to the first waiter. */
static __noinline void
hand_off(struct mutex *m, vaddr_t pc)
{
	uint64_t flags = spin_lock_irq(&m->wait_lock);
	struct mutex_waiter *w = list_first(&m->waiters, struct mutex_waiter, node);
	struct thread *t;

	trace_lock_handover(m->class, (vaddr_t)m, pc);
	if (!w) {
		/* The last waiter gave up. */
		m->owner = NULL;
		atomic_store(&m->state, 0);
		spin_unlock_irq(&m->wait_lock, flags);
		return;
	}
	t = w->thread;
	thread_get(t);                          /* (1) */
	list_del(&w->node);
	m->owner = t;
	if (list_is_empty(&m->waiters))
		atomic_store(&m->state, 1);
	atomic_store(&w->granted, true);        /* (2) */
	spin_unlock_irq(&m->wait_lock, flags);  /* (3) */
	thread_wake(t);                         /* (4) */
	thread_put(t);
}

void
mutex_unlock(struct mutex *m)
{
	uint32_t alone = 1;

	if (unlikely(m->owner != current_thread()))
		panic("mutex %s %p released by %s, owned by %s", lock_class_name(m->class), (void *)m,
		      current_thread() ? current_thread()->name : "the boot CPU",
		      m->owner ? m->owner->name : "nobody");
	lock_order_sleep_release(m, m->class);
	if (trace_watches(TRACE_LOCK_STAT))
		lock_stat_released(m, m->class, true);
	m->owner = NULL;
	if (unlikely(!atomic_cas(&m->state, &alone, 0)))
		hand_off(m, CALLER_PC);
	preempt_random_here();
}

bool
mutex_is_held(const struct mutex *m)
{
	return atomic_load_relaxed(&m->state) != 0 && READ_ONCE(m->owner) == current_thread();
}
