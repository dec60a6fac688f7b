/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - sleeping locks for one holder.
 *
 * `state` says all; the list of waiters is for sleeping only:
 *
 *   HELD     somebody has it
 *   WAITERS  the list is not empty: a release looks at it
 *   WAKING   the first waiter was woken and has not looked yet: a release need not wake it
 *   HANDOFF  the first waiter has been first for long: nobody else may take the lock
 *
 * A release frees the lock and wakes the first waiter; whoever comes first takes it. To give it to the sleeper
 * would let everybody wait until that runs: two switches for each critical section, on all CPUs, for as long as
 * anybody queues. So a newcomer may overtake, but not for ever: a waiter that was first for HANDOFF_NS and found the
 * lock taken each time it looked sets HANDOFF, and the next release is for it alone. At most one
 * hand-off in HANDOFF_NS, so a queue does not turn into a convoy; and everybody gets the lock in the end.
 *
 * Who finds the lock taken spins for a while before it queues, as long as the holder runs: most critical sections
 * are shorter than two switches. The holder is not looked at, it may be gone: its CPU is asked whom it runs.
 *
 * No wake-up is lost. A release clears HELD, and looks at what else was set, in one step. Who goes to sleep
 * has, under wait_lock and in this order,
 *	(1) set WAITERS, or cleared WAKING
 *	(2) looked at HELD
 * so either it sees the lock free, or the release sees that it has to wake somebody, and waits for wait_lock to
 * find it on the list. `woken` of the waiter is what it sleeps for.
 *
 * Locks: wait_lock (LEAF) holds nothing else; threads are woken after it was dropped.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/sched.h>
#include <tessera/thread.h>
#include <tessera/time.h>
#include <tessera/wait.h>

#include "sync.h"

#define HELD    1u
#define WAITERS 2u
#define WAKING  4u
#define HANDOFF 8u

struct mutex_waiter {
	struct list node;      /* wait_lock */
	struct thread *thread; /* [I] */
	uint64_t first_since;  /* its own: when it saw that it is the first; 0: not yet */
	bool woken;            /* [a] set under wait_lock */
};

void
mutex_init(struct mutex *m, enum lock_class class)
{
	*m = (struct mutex){ .class = (uint16_t)class };
	spin_init(&m->wait_lock, LOCK_LEAF);
	list_init(&m->waiters);
}

/* The caller has set HELD. */
static __always_inline void
own(struct mutex *m)
{
	WRITE_ONCE(m->owner_cpu, (uint16_t)arch_cpu_id());
	WRITE_ONCE(m->owner, current_thread());
}

/* Free, and nobody waits. */
static __always_inline bool
try_free(struct mutex *m)
{
	uint32_t free = 0;

	if (!atomic_cas(&m->state, &free, HELD))
		return false;
	own(m);
	return true;
}

/* Take it unless a bit of `unless` is set; bits of `drop` go. */
static bool
try_take(struct mutex *m, uint32_t unless, uint32_t drop)
{
	uint32_t s = atomic_load_relaxed(&m->state);

	while (!(s & unless)) {
		if (atomic_cas(&m->state, &s, (s & ~drop) | HELD)) {
			own(m);
			return true;
		}
	}
	return false;
}

/* Overtake who sleeps, while it is worth it: where the holder makes progress meanwhile. */
static bool
spin_for_it(struct mutex *m, uint32_t unless)
{
	if (cpu_count == 1)
		return false;
	for (unsigned int i = 0; i < LOCK_SPINS; i++) {
		const struct thread *owner = READ_ONCE(m->owner);
		uint32_t s = atomic_load_relaxed(&m->state);

		if (!(s & unless) && try_take(m, unless, 0))
			return true;
		if ((s & ~HELD & unless) || !lock_worth_spinning(owner, READ_ONCE(m->owner_cpu)))
			return false;
		arch_cpu_relax();
	}
	return false;
}

/* Leave the list; the bits that spoke of it go. wait_lock held. */
static void
leave(struct mutex *m, struct mutex_waiter *w)
{
	uint32_t stale = list_first(&m->waiters, struct mutex_waiter, node) == w ? WAKING | HANDOFF : 0;

	list_del(&w->node);
	if (list_is_empty(&m->waiters))
		stale |= WAITERS;
	if (stale)
		atomic_and(&m->state, ~stale);
}

/* (1), (2): the lock for `w`, which is on the list, if it is free and `w` is the first. wait_lock held. */
static bool
try_first(struct mutex *m, struct mutex_waiter *w)
{
	if (list_first(&m->waiters, struct mutex_waiter, node) != w)
		return false;
	atomic_and(&m->state, ~WAKING);
	if (w->first_since == 0)
		w->first_since = clock_monotonic_ns();
	else if (clock_monotonic_ns() - w->first_since > HANDOFF_NS)
		atomic_or(&m->state, HANDOFF);
	return try_take(m, HELD, HANDOFF);
}

/*
 * If the lock is free and its first waiter does not know, wake it. Called with wait_lock held by `flags`,
 * which is dropped. When the lock is taken, its holder will do that.
 */
static void
wake_first(struct mutex *m, uint64_t flags)
{
	struct mutex_waiter *w = list_first(&m->waiters, struct mutex_waiter, node);
	struct thread *t;

	if (!w || (atomic_load(&m->state) & (HELD | WAKING))) {
		spin_unlock_irq(&m->wait_lock, flags);
		return;
	}
	atomic_or(&m->state, WAKING);
	t = w->thread;
	thread_get(t); /* `w` may be gone as soon as woken is set and the lock dropped */
	atomic_store(&w->woken, true);
	spin_unlock_irq(&m->wait_lock, flags);
	thread_wake(t);
	thread_put(t);
}

/* Sleep until woken for `w`. 0, or as wait_sleep(). */
static int
doze(struct mutex_waiter *w, enum wait_mode mode)
{
	int error = 0;

	do {
		wait_prepare(mode);
		if (atomic_load(&w->woken))
			break;
		error = wait_sleep(mode, DEADLINE_NEVER);
	} while (!error);
	wait_finish();
	return error;
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
	bool got;

	if (spin_for_it(m, HELD | HANDOFF))
		return 0;
	flags = spin_lock_irq(&m->wait_lock);
	list_add_tail(&m->waiters, &w.node);
	atomic_or(&m->state, WAITERS); /* (1) */
	got = try_take(m, HELD | HANDOFF, 0) || try_first(m, &w);
	while (!got) {
		atomic_store(&w.woken, false);
		spin_unlock_irq(&m->wait_lock, flags);

		t->waiting_kind = LOCK_WAIT_MUTEX;
		t->waiting_for_lock = m;
		error = doze(&w, mode);
		t->waiting_for_lock = NULL;
		got = !error && spin_for_it(m, HELD);
		flags = spin_lock_irq(&m->wait_lock);
		if (error)
			break;
		got = got || try_first(m, &w);
	}
	leave(m, &w);
	if (error)
		wake_first(m, flags); /* whom a release left to us */
	else
		spin_unlock_irq(&m->wait_lock, flags);
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
	if (!try_take(m, HELD | HANDOFF, 0))
		return false;
	lock_order_sleep_acquire(m, m->class, LOCK_TRY);
	if (trace_watches(TRACE_LOCK_STAT))
		lock_stat_acquired(m, m->class, true, CALLER_PC, false, 0);
	return true;
}

static __noinline void
unlock_slowly(struct mutex *m, vaddr_t pc)
{
	trace_lock_handover(m->class, (vaddr_t)m, pc);
	wake_first(m, spin_lock_irq(&m->wait_lock));
}

void
mutex_unlock(struct mutex *m)
{
	uint32_t before;

	if (unlikely(m->owner != current_thread()))
		panic("mutex %s %p released by %s, owned by %s", lock_class_name(m->class), (void *)m,
		      current_thread() ? current_thread()->name : "the boot CPU",
		      m->owner ? m->owner->name : "nobody");
	lock_order_sleep_release(m, m->class);
	if (trace_watches(TRACE_LOCK_STAT))
		lock_stat_released(m, m->class, true);
	WRITE_ONCE(m->owner, NULL);
	before = atomic_fetch_add(&m->state, -HELD);
	if (unlikely((before & (WAITERS | WAKING)) == WAITERS))
		unlock_slowly(m, CALLER_PC);
	preempt_random_here();
}

bool
mutex_is_held(const struct mutex *m)
{
	return (atomic_load_relaxed(&m->state) & HELD) && READ_ONCE(m->owner) == current_thread();
}
