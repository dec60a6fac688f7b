/* SPDX-License-Identifier: MIT */
/*
 * rwlock.c - sleeping locks for many readers or one writer.
 *
 * `state` says all; taking and giving back are one atomic step each while nobody waits. The list of waiters is for
 * sleeping only:
 *
 *   WRITER   `writer` has it
 *   WAITERS  the list is not empty: the release that frees the lock looks at it
 *   WAKING   the first waiter, a writer, was woken and has not looked yet: a release need not wake it
 *   HANDOFF  the first waiter, a writer, has been first for long: nobody else may take the lock
 *   READER   times the number of readers, above these bits
 *
 * As with mutexes (mutex.c tells why), a release does not give the lock to a sleeping writer, it wakes it, and whoever
 * comes first takes the lock; a writer that has been first for HANDOFF_NS reserves it. Readers at the head of the
 * list are let in by who wakes them, all up to the next writer: they do not exclude each other.
 *
 * A newcomer takes a lock at once only if nobody waits; else it tries for a while before it queues, and then may
 * overtake; but a reader does not join other readers while somebody waits. So the readers that a writer found
 * leave in time, each release of the last one wakes it, and a stream of them lets it wait for little more than
 * HANDOFF_NS.
 *
 * A reader must not take the lock again: with a writer waiting in between it would wait for itself. The
 * order checker refuses it.
 *
 * No wake-up is lost: as in mutex.c, who goes to sleep has (1) set WAITERS or cleared WAKING before it (2) looks
 * whether the lock is free, and a release tells in one step that it is and learns whether somebody is to be woken.
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

#define WRITER  1u
#define WAITERS 2u
#define WAKING  4u
#define HANDOFF 8u
#define READER  16u
#define READERS (~(READER - 1))

struct rwlock_waiter {
	struct list node;      /* wait_lock */
	struct thread *thread; /* [I] */
	uint64_t first_since;  /* a writer's own: when it saw that it is the first; 0: not yet */
	bool write;            /* [I] */
	bool woken;            /* [a] set under wait_lock; a reader has the lock then */
};

void
rwlock_init(struct rwlock *l, enum lock_class class)
{
	*l = (struct rwlock){ .class = (uint16_t)class };
	spin_init(&l->wait_lock, LOCK_LEAF);
	list_init(&l->waiters);
}

/* What keeps one out. */
static __always_inline uint32_t
excludes(bool write)
{
	return write ? WRITER | HANDOFF | READERS : WRITER | HANDOFF;
}

/* Take it unless a bit of `unless` is set; bits of `drop` go. */
static __always_inline bool
try_take(struct rwlock *l, bool write, uint32_t unless, uint32_t drop)
{
	uint32_t s = atomic_load_relaxed(&l->state);

	while (!(s & unless)) {
		if (!atomic_cas(&l->state, &s, (s & ~drop) + (write ? WRITER : READER)))
			continue;
		if (write) {
			WRITE_ONCE(l->writer_cpu, (uint16_t)arch_cpu_id());
			WRITE_ONCE(l->writer, current_thread());
		}
		return true;
	}
	return false;
}

/*
 * Overtake who sleeps, while it is worth it: while the writer runs, or readers are about to leave. A bit of `unless`
 * keeps us out, and so do readers when somebody waits.
 */
static bool
spin_for_it(struct rwlock *l, bool write, uint32_t unless)
{
	if (cpu_count == 1)
		return false;
	for (unsigned int i = 0; i < LOCK_SPINS; i++) {
		const struct thread *writer = READ_ONCE(l->writer);
		uint32_t s = atomic_load_relaxed(&l->state), now = unless | (s & WAITERS ? READERS : 0);

		if (!(s & now) && try_take(l, write, now, 0))
			return true;
		if ((s & HANDOFF & unless) || !lock_worth_spinning(writer, READ_ONCE(l->writer_cpu)))
			return false;
		arch_cpu_relax();
	}
	return false;
}

/* Leave the list; the bits that spoke of it go. wait_lock held. */
static void
leave(struct rwlock *l, struct rwlock_waiter *w)
{
	uint32_t stale = list_first(&l->waiters, struct rwlock_waiter, node) == w ? WAKING | HANDOFF : 0;

	list_del(&w->node);
	if (list_is_empty(&l->waiters))
		stale |= WAITERS;
	if (stale)
		atomic_and(&l->state, ~stale);
}

/* (1), (2): the lock for `w`, a writer on the list, if it is free and `w` is the first. wait_lock held. */
static bool
try_first(struct rwlock *l, struct rwlock_waiter *w)
{
	if (!w->write || list_first(&l->waiters, struct rwlock_waiter, node) != w)
		return false;
	atomic_and(&l->state, ~WAKING);
	if (w->first_since == 0)
		w->first_since = clock_monotonic_ns();
	else if (clock_monotonic_ns() - w->first_since > HANDOFF_NS)
		atomic_or(&l->state, HANDOFF);
	return try_take(l, true, WRITER | READERS, HANDOFF);
}

/* Let the first waiter in if it is a reader and may. wait_lock held. Its thread with a reference, or NULL. */
static struct thread *
admit_reader(struct rwlock *l)
{
	struct rwlock_waiter *w = list_first(&l->waiters, struct rwlock_waiter, node);
	struct thread *t;

	if (!w || w->write || !try_take(l, false, WRITER, 0))
		return NULL;
	t = w->thread;
	thread_get(t); /* `w` may be gone as soon as woken is set and the lock dropped */
	leave(l, w);
	atomic_store(&w->woken, true);
	return t;
}

/* The same for a writer, which then tries by itself. */
static struct thread *
rouse_writer(struct rwlock *l)
{
	struct rwlock_waiter *w = list_first(&l->waiters, struct rwlock_waiter, node);
	struct thread *t;

	if (!w || !w->write || (atomic_load(&l->state) & (WRITER | READERS | WAKING)))
		return NULL;
	atomic_or(&l->state, WAKING);
	t = w->thread;
	thread_get(t);
	atomic_store(&w->woken, true);
	return t;
}

/* Wake all who may have the lock. Called with wait_lock held by `flags`, which is dropped. */
static __noinline void
wake_and_unlock(struct rwlock *l, uint64_t flags)
{
	struct thread *t;

	while ((t = admit_reader(l)) != NULL || (t = rouse_writer(l)) != NULL) {
		spin_unlock_irq(&l->wait_lock, flags);
		thread_wake(t);
		thread_put(t);
		flags = spin_lock_irq(&l->wait_lock);
	}
	spin_unlock_irq(&l->wait_lock, flags);
}

static void
doze(struct rwlock_waiter *w)
{
	for (;;) {
		wait_prepare(WAIT_UNINTERRUPTIBLE);
		if (atomic_load(&w->woken))
			break;
		(void)wait_sleep(WAIT_UNINTERRUPTIBLE, DEADLINE_NEVER);
	}
	wait_finish();
}

/* Sleep until `w`, which is on the list, has the lock. wait_lock is held by `flags`, and dropped. */
static void
sleep_for_it(struct rwlock *l, struct rwlock_waiter *w, uint64_t flags)
{
	struct thread *t = w->thread;
	bool got = false;

	while (!got) {
		atomic_store(&w->woken, false);
		spin_unlock_irq(&l->wait_lock, flags);
		t->waiting_kind = w->write ? LOCK_WAIT_WRITE : LOCK_WAIT_READ;
		t->waiting_for_lock = l;
		doze(w);
		t->waiting_for_lock = NULL;
		if (!w->write)
			return; /* admitted, and off the list */
		got = spin_for_it(l, true, WRITER | READERS);
		flags = spin_lock_irq(&l->wait_lock);
		got = got || try_first(l, w);
	}
	leave(l, w);
	spin_unlock_irq(&l->wait_lock, flags);
}

static __noinline void
lock_slowly(struct rwlock *l, bool write)
{
	struct rwlock_waiter w = { .thread = current_thread(), .write = write };
	uint32_t unless = excludes(write);
	uint64_t flags;

	if (spin_for_it(l, write, unless))
		return;
	flags = spin_lock_irq(&l->wait_lock);
	if (!list_is_empty(&l->waiters))
		unless |= READERS;
	list_add_tail(&l->waiters, &w.node);
	atomic_or(&l->state, WAITERS); /* (1) */
	if (try_take(l, write, unless, 0)) { /* (2) */
		leave(l, &w);
		wake_and_unlock(l, flags); /* readers that came in between */
		return;
	}
	sleep_for_it(l, &w, flags);
}

static void
lock(struct rwlock *l, bool write, vaddr_t pc)
{
	uint64_t start, waited = 0;
	bool contended = !try_take(l, write, excludes(write) | WAITERS, 0);

	if (unlikely(contended)) {
		start = lock_watched() ? arch_clock_ns() : 0;
		trace_lock_wait(l->class, (vaddr_t)l, pc);
		lock_slowly(l, write);
		if (start)
			waited = arch_clock_ns() - start;
		trace_lock_acquired(l->class, (vaddr_t)l, waited, pc);
	}
	if (trace_watches(TRACE_LOCK_STAT))
		lock_stat_acquired(l, l->class, true, pc, contended, waited);
}

/* The caller gives up its share. */
static __always_inline void
note_release(struct rwlock *l, vaddr_t pc)
{
	if (!lock_watched())
		return;
	if (atomic_load_relaxed(&l->state) & WAITERS)
		trace_lock_handover(l->class, (vaddr_t)l, pc);
	if (trace_watches(TRACE_LOCK_STAT))
		lock_stat_released(l, l->class, true);
}

/* Give up what adds `share` to the state, and wake who waits for that. */
static __always_inline void
release(struct rwlock *l, uint32_t share)
{
	uint32_t left = atomic_sub_fetch(&l->state, share);

	if (unlikely((left & (WAITERS | WAKING | READERS)) == WAITERS))
		wake_and_unlock(l, spin_lock_irq(&l->wait_lock));
}

static bool
trylock(struct rwlock *l, bool write, vaddr_t pc)
{
	if (!try_take(l, write, excludes(write) | WAITERS, 0))
		return false;
	lock_order_sleep_acquire(l, l->class, LOCK_TRY);
	if (trace_watches(TRACE_LOCK_STAT))
		lock_stat_acquired(l, l->class, true, pc, false, 0);
	return true;
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
	lock_order_sleep_release(l, l->class);
	if (unlikely(!(atomic_load_relaxed(&l->state) & READERS)))
		panic("rwlock %s %p: read_unlock without a reader (%#x)", lock_class_name(l->class),
		      (void *)l, l->state);
	note_release(l, CALLER_PC);
	release(l, READER);
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

/* The caller must be the writer. */
static void
check_writer(const struct rwlock *l, const char *what)
{
	struct thread *writer = READ_ONCE(l->writer);

	if (unlikely(!(atomic_load_relaxed(&l->state) & WRITER) || writer != current_thread()))
		panic("rwlock %s %p: %s by %s, written by %s", lock_class_name(l->class),
		      (const void *)l, what, current_thread() ? current_thread()->name : "nobody",
		      writer ? writer->name : "nobody");
}

void
write_unlock(struct rwlock *l)
{
	lock_order_sleep_release(l, l->class);
	check_writer(l, "write_unlock");
	note_release(l, CALLER_PC);
	WRITE_ONCE(l->writer, NULL);
	release(l, WRITER);
}

/* From writer to reader without letting another writer in between. */
void
write_downgrade(struct rwlock *l)
{
	check_writer(l, "write_downgrade");
	WRITE_ONCE(l->writer, NULL);
	if (atomic_add_fetch(&l->state, READER - WRITER) & WAITERS)
		wake_and_unlock(l, spin_lock_irq(&l->wait_lock));
}

bool
rwlock_is_held(const struct rwlock *l)
{
	return atomic_load_relaxed(&l->state) & (WRITER | READERS);
}

bool
rwlock_is_write_held(const struct rwlock *l)
{
	return (atomic_load_relaxed(&l->state) & WRITER) && READ_ONCE(l->writer) == current_thread();
}
