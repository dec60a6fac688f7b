/* SPDX-License-Identifier: MIT */
/*
 * rwlock.c - sleeping locks for many readers or one writer, in the order of arrival.
 *
 * Whoever finds somebody waiting waits behind: a stream of readers cannot starve a writer, nor writers
 * a reader. A release hands the lock to the first waiter, and when that is a reader, to all readers up
 * to the next writer. Hand-off is as in mutex.c: the waiter owns the lock when `granted` is set.
 *
 *   readers > 0   that many readers        readers == -1   `writer` holds it
 *   readers == 0  free; then nobody waits
 *
 * A reader must not take the lock again: with a writer waiting in between it would wait for itself. The
 * order checker refuses it.
 *
 * Locks: wait_lock (LEAF) holds nothing else; threads are woken after it was dropped.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/panic.h>
#include <tessera/sched.h>
#include <tessera/thread.h>
#include <tessera/wait.h>

#include "sync.h"

struct rwlock_waiter {
	struct list node;      /* wait_lock */
	struct thread *thread; /* [I] */
	bool write;            /* [I] */
	bool granted;          /* [a] */
};

void
rwlock_init(struct rwlock *l, enum lock_class class)
{
	*l = (struct rwlock){ .class = (uint16_t)class };
	spin_init(&l->wait_lock, LOCK_LEAF);
	list_init(&l->waiters);
}

/* Take it at once if the rules allow. wait_lock held. */
static bool
try_locked(struct rwlock *l, bool write)
{
	if (write) {
		if (l->readers != 0)
			return false;
		l->readers = -1;
		l->writer = current_thread();
		return true;
	}
	if (l->readers < 0 || !list_is_empty(&l->waiters))
		return false;
	l->readers++;
	return true;
}

/*
 * Grant the lock to the first waiter if it may have it now. wait_lock held. Returns its thread with a
 * reference, to be woken when the lock was dropped, or NULL.
 */
static struct thread *
grant_one(struct rwlock *l)
{
	struct rwlock_waiter *w = list_first(&l->waiters, struct rwlock_waiter, node);
	struct thread *t;

	if (!w || l->readers < 0 || (w->write && l->readers != 0))
		return NULL;
	t = w->thread;
	thread_get(t);
	list_del(&w->node);
	if (w->write) {
		l->readers = -1;
		l->writer = t;
		l->writers_waiting--;
	} else {
		l->readers++;
	}
	atomic_store(&w->granted, true);
	return t;
}

/* Wake all who may have it. Called and returns with wait_lock held by `flags`, dropped at the end. */
static void
grant_and_unlock(struct rwlock *l, uint64_t flags)
{
	struct thread *t;

	while ((t = grant_one(l)) != NULL) {
		spin_unlock_irq(&l->wait_lock, flags);
		thread_wake(t);
		thread_put(t);
		flags = spin_lock_irq(&l->wait_lock);
	}
	spin_unlock_irq(&l->wait_lock, flags);
}

/* Wait behind those who came before. Called with wait_lock held by `flags`. */
static __noinline void
wait_turn(struct rwlock *l, bool write, uint64_t flags)
{
	struct thread *t = current_thread();
	struct rwlock_waiter w = { .thread = t, .write = write };

	list_add_tail(&l->waiters, &w.node);
	if (write)
		l->writers_waiting++;
	spin_unlock_irq(&l->wait_lock, flags);

	t->waiting_kind = write ? LOCK_WAIT_WRITE : LOCK_WAIT_READ;
	t->waiting_for_lock = l;
	for (;;) {
		wait_prepare(WAIT_UNINTERRUPTIBLE);
		if (atomic_load(&w.granted))
			break;
		(void)wait_sleep(WAIT_UNINTERRUPTIBLE, DEADLINE_NEVER);
	}
	wait_finish();
	t->waiting_for_lock = NULL;
}

static void
lock(struct rwlock *l, bool write, vaddr_t pc)
{
	uint64_t flags = spin_lock_irq(&l->wait_lock), start, waited = 0;
	bool contended = !try_locked(l, write);

	if (likely(!contended)) {
		spin_unlock_irq(&l->wait_lock, flags);
	} else {
		start = lock_watched() ? arch_clock_ns() : 0;
		trace_lock_wait(l->class, (vaddr_t)l, pc);
		wait_turn(l, write, flags);
		if (start)
			waited = arch_clock_ns() - start;
		trace_lock_acquired(l->class, (vaddr_t)l, waited, pc);
	}
	if (trace_watches(TRACE_LOCK_STAT))
		lock_stat_acquired(l, l->class, true, pc, contended, waited);
}

/* The caller gives up its share. wait_lock held. */
static __always_inline void
note_release(struct rwlock *l, vaddr_t pc)
{
	if (!lock_watched())
		return;
	if (!list_is_empty(&l->waiters))
		trace_lock_handover(l->class, (vaddr_t)l, pc);
	if (trace_watches(TRACE_LOCK_STAT))
		lock_stat_released(l, l->class, true);
}

static bool
trylock(struct rwlock *l, bool write, vaddr_t pc)
{
	uint64_t flags = spin_lock_irq(&l->wait_lock);
	bool got = try_locked(l, write);

	spin_unlock_irq(&l->wait_lock, flags);
	if (got)
		lock_order_sleep_acquire(l, l->class, LOCK_TRY);
	if (got && trace_watches(TRACE_LOCK_STAT))
		lock_stat_acquired(l, l->class, true, pc, false, 0);
	return got;
}

void
read_lock(struct rwlock *l)
{
	lock_order_sleep_acquire(l, l->class, LOCK_PLAIN);
	lock(l, false, CALLER_PC);
}

bool
read_trylock(struct rwlock *l)
{
	return trylock(l, false, CALLER_PC);
}

void
read_unlock(struct rwlock *l)
{
	uint64_t flags;

	lock_order_sleep_release(l, l->class);
	flags = spin_lock_irq(&l->wait_lock);
	if (unlikely(l->readers <= 0))
		panic("rwlock %s %p: read_unlock without a reader (%d)", lock_class_name(l->class),
		      (void *)l, l->readers);
	note_release(l, CALLER_PC);
	l->readers--;
	grant_and_unlock(l, flags);
}

void
write_lock(struct rwlock *l)
{
	lock_order_sleep_acquire(l, l->class, LOCK_PLAIN);
	lock(l, true, CALLER_PC);
}

void
write_lock_nested(struct rwlock *l)
{
	lock_order_sleep_acquire(l, l->class, LOCK_NESTED);
	lock(l, true, CALLER_PC);
}

bool
write_trylock(struct rwlock *l)
{
	return trylock(l, true, CALLER_PC);
}

/* The caller must be the writer. wait_lock held. */
static void
check_writer(const struct rwlock *l, const char *what)
{
	if (unlikely(l->readers != -1 || l->writer != current_thread()))
		panic("rwlock %s %p: %s by %s, written by %s", lock_class_name(l->class),
		      (const void *)l, what, current_thread() ? current_thread()->name : "nobody",
		      l->writer ? l->writer->name : "nobody");
}

void
write_unlock(struct rwlock *l)
{
	uint64_t flags;

	lock_order_sleep_release(l, l->class);
	flags = spin_lock_irq(&l->wait_lock);
	check_writer(l, "write_unlock");
	note_release(l, CALLER_PC);
	l->readers = 0;
	l->writer = NULL;
	grant_and_unlock(l, flags);
}

/* From writer to reader without letting another writer in between. */
void
write_downgrade(struct rwlock *l)
{
	uint64_t flags = spin_lock_irq(&l->wait_lock);

	check_writer(l, "write_downgrade");
	l->readers = 1;
	l->writer = NULL;
	grant_and_unlock(l, flags);
}

bool
rwlock_is_held(const struct rwlock *l)
{
	return READ_ONCE(l->readers) != 0;
}

bool
rwlock_is_write_held(const struct rwlock *l)
{
	return READ_ONCE(l->readers) == -1 && READ_ONCE(l->writer) == current_thread();
}
