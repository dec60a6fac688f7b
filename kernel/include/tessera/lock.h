/* SPDX-License-Identifier: MIT */
/*
 * lock.h - spinlocks, mutexes and sleeping reader-writer locks. All carry a class (lock_classes.h).
 *
 * A spinlock holds preemption off. A SPIN_IRQ class is taken with interrupts off too
 * (spin_lock_irq); a SPIN class never from an interrupt. With config_lock_check every acquire checks
 * the order, every release the owner, and assert_held() means something.
 *
 * A spinlock that is free, in a kernel that neither checks nor watches locks, is taken and given back in line, here.
 * All else is a call: sync/.
 */
#ifndef TESSERA_LOCK_H
#define TESSERA_LOCK_H

#include <tessera/atomic.h>
#include <tessera/list.h>
#include <tessera/lock_classes.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/trace_switch.h>
#include <tessera/types.h>

struct thread;

struct spinlock {
	uint16_t serving __aligned(8); /* [a] ticket lock: the one that holds it ... */
	uint16_t next;           /* [a] ... and the next to draw */
	uint16_t class;          /* [I] enum lock_class */
	uint16_t holder_cpu;     /* cpu id + 1 of the holder, 0: free; for reports */
};

#define SPINLOCK_INIT(c) { .class = LOCK_##c }
/* Boot CPU, once its features are known: how to wait for a lock. */
void spin_choose_policy(void);
void spin_init(struct spinlock *l, enum lock_class class);
bool spin_trylock(struct spinlock *l);

/* sync/spinlock.c: checked and watched. spin_wait: preemption is off, the lock was not free. */
void spin_lock_watched(struct spinlock *l);
void spin_lock_nested_watched(struct spinlock *l);
void spin_unlock_watched(struct spinlock *l);
uint64_t spin_lock_irq_watched(struct spinlock *l);
uint64_t spin_lock_irq_nested_watched(struct spinlock *l);
void spin_unlock_irq_watched(struct spinlock *l, uint64_t flags);
void spin_wait(struct spinlock *l);

/* Somebody looks at spinlocks: asked once for an acquisition and once for a release. */
static __always_inline bool
spin_watched(void)
{
	return config_lock_check || trace_watches(TRACE_LOCK_STAT | TRACE_LATENCY | TRACE_LOCK_EVENTS);
}

/* Draw the next ticket only if it is being served: both words at once, a carry out of next is lost. */
static __always_inline bool
spin_try(struct spinlock *l)
{
	uint32_t *words = (uint32_t *)(void *)l;
	uint32_t ticket = __atomic_load_n(words, __ATOMIC_RELAXED);

	return likely(ticket == (ticket << 16 | ticket >> 16)) && likely(atomic_cas(words, &ticket, ticket + (1u << 16)));
}

/* Preemption is off. */
static __always_inline void
spin_take(struct spinlock *l)
{
	if (unlikely(!spin_try(l)))
		spin_wait(l);
	WRITE_ONCE(l->holder_cpu, (uint16_t)(arch_cpu_id() + 1));
}

static __always_inline void
spin_release(struct spinlock *l)
{
	WRITE_ONCE(l->holder_cpu, 0);
	arch_release_inc16(&l->serving);
}

static __always_inline void
spin_lock(struct spinlock *l)
{
	if (spin_watched()) {
		spin_lock_watched(l);
		return;
	}
	arch_preempt_count_inc();
	spin_take(l);
}

static __always_inline void
spin_unlock(struct spinlock *l)
{
	if (spin_watched()) {
		spin_unlock_watched(l);
		return;
	}
	spin_release(l);
	if (arch_preempt_count_dec_and_should_resched())
		schedule_preempted();
}

/* A second lock of the class already held; the caller's comment says in which order. */
static __always_inline void
spin_lock_nested(struct spinlock *l)
{
	if (spin_watched()) {
		spin_lock_nested_watched(l);
		return;
	}
	arch_preempt_count_inc();
	spin_take(l);
}

/* Interrupts off too. Returns the flags for the unlock. */
static __always_inline uint64_t
spin_lock_irq(struct spinlock *l)
{
	uint64_t flags;

	if (spin_watched())
		return spin_lock_irq_watched(l);
	flags = arch_irq_save_quiet();
	arch_preempt_count_inc();
	spin_take(l);
	return flags;
}

static __always_inline uint64_t
spin_lock_irq_nested(struct spinlock *l)
{
	uint64_t flags;

	if (spin_watched())
		return spin_lock_irq_nested_watched(l);
	flags = arch_irq_save_quiet();
	arch_preempt_count_inc();
	spin_take(l);
	return flags;
}

static __always_inline void
spin_unlock_irq(struct spinlock *l, uint64_t flags)
{
	if (spin_watched()) {
		spin_unlock_irq_watched(l, flags);
		return;
	}
	spin_release(l);
	arch_irq_restore_quiet(flags);
	if (arch_preempt_count_dec_and_should_resched())
		schedule_preempted();
}

bool spin_is_held(const struct spinlock *l); /* by this CPU */
#define assert_held(l) assert(spin_is_held(l))

struct mutex {
	struct spinlock wait_lock;  /* class LEAF */
	uint32_t state;             /* [a] 0 free; bits of mutex.c */
	uint16_t class;             /* [I] */
	uint16_t owner_cpu;         /* [a] where the holder took it */
	struct thread *owner;       /* [a] the holder writes it */
	struct list waiters;        /* wait_lock; in the order of arrival */
};

#define MUTEX_INIT(m, c)                                                                           \
	{ .wait_lock = SPINLOCK_INIT(LEAF), .class = LOCK_##c, .waiters = LIST_INIT((m).waiters) }
/* A thread takes a mutex, sleeping until it is its own, and gives it back itself. _nested: a second of the class,
 * in the order that the class's line states. trylock never sleeps.
 *
 * An unlock may still look at the lock when the next holder has it already. So who frees what a lock lies in knows
 * that no unlock is under way, mostly because each holder has a reference of its own until after it. The same goes
 * for the locks for many readers. */
void mutex_init(struct mutex *m, enum lock_class class);
void mutex_lock(struct mutex *m);
void mutex_lock_nested(struct mutex *m);
bool mutex_trylock(struct mutex *m);
int mutex_lock_killable(struct mutex *m); /* 0 or -EINTR when a fatal signal came */
int mutex_lock_interruptible(struct mutex *m); /* 0 or -EINTR when any signal came */
void mutex_unlock(struct mutex *m);
bool mutex_is_held(const struct mutex *m); /* by this thread */
#define assert_mutex_held(m) assert(mutex_is_held(m))

/* Many readers or one writer; writers are not starved. Sleeps. */
struct rwlock {
	struct spinlock wait_lock;  /* class LEAF */
	uint32_t state;             /* [a] 0 free; bits of rwlock.c, and readers above them */
	uint16_t class;             /* [I] */
	uint16_t writer_cpu;        /* [a] where the writer took it */
	struct thread *writer;      /* [a] the writer writes it */
	struct list waiters;        /* wait_lock; in the order of arrival */
};

/* As a mutex's. A reader may not read the same lock again: a writer may wait between. */
void rwlock_init(struct rwlock *l, enum lock_class class);
void read_lock(struct rwlock *l);
bool read_trylock(struct rwlock *l);
void read_unlock(struct rwlock *l);
void write_lock(struct rwlock *l);
void write_lock_nested(struct rwlock *l);
bool write_trylock(struct rwlock *l);
void write_unlock(struct rwlock *l);
void write_downgrade(struct rwlock *l);
bool rwlock_is_held(const struct rwlock *l);       /* by anyone, either way */
bool rwlock_is_write_held(const struct rwlock *l); /* by this thread */

/* sync/lock_order.c: the locks a thread (or, in an interrupt, a CPU) holds. */
#define LOCK_HELD_MAX 24
#define LOCK_TRACE 4
struct lock_held {
	struct {
		const void *lock;
		vaddr_t pc[LOCK_TRACE];   /* who took it, and who called that; 0 ends it */
		uint16_t class;
	} entry[LOCK_HELD_MAX];
	uint32_t count;
};
/* Panic, naming the lock and where it was taken, when the caller may not sleep: a spinlock is held,
 * preemption or interrupts are off, or this is an interrupt. */
void lock_check_sleep(void);
const char *lock_class_name(uint32_t class);
/* Print what `t` holds; takes no locks. */
void lock_held_print(const struct thread *t);
void lock_list_print(const struct lock_held *h);

/* thread->waiting_kind: what thread->waiting_for_lock is. */
enum lock_wait_kind { LOCK_WAIT_NONE, LOCK_WAIT_MUTEX, LOCK_WAIT_READ, LOCK_WAIT_WRITE, LOCK_WAIT_SPIN };
/* sync/lock_dump.c, for a stopped machine: all waits, holders and circles; the circles alone. */
void lock_dump(void);
void lock_deadlocks_print(void);

#endif
