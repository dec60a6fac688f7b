/* SPDX-License-Identifier: MIT */
/*
 * locks.c - in-kernel tests of sync/: mutual exclusion on all CPUs, hand-off, fairness.
 *
 * Counters are plain on purpose: two threads inside at once lose an increment.
 */
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/lock.h>
#include <tessera/preempt.h>
#include <tessera/sched.h>
#include <tessera/test.h>
#include <tessera/thread.h>
#include <tessera/wait.h>

#define ROUNDS 20000u
#define CREW   (cpu_count + 2)

struct shared {
	struct spinlock spin;
	struct mutex mutex;
	struct rwlock rw;
	volatile uint64_t counter;
	volatile uint64_t twin;     /* equals counter whenever nobody is inside */
	uint32_t readers, writers;  /* [a] */
};

static void
spin_member(void *arg, uint32_t index)
{
	struct shared *s = arg;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		spin_lock(&s->spin);
		s->counter++;
		if (s->counter != ++s->twin)
			ktest_fail(__FILE__, __LINE__, "two CPUs inside one spinlock");
		spin_unlock(&s->spin);
	}
}

KTEST(spinlock_excludes)
{
	struct shared s = { .spin = SPINLOCK_INIT(FUTEX) };

	ktest_parallel(CREW, spin_member, &s);
	kcheck_equal(s.counter, (uint64_t)CREW * ROUNDS);
}

static void
spin_irq_member(void *arg, uint32_t index)
{
	struct shared *s = arg;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint64_t flags = spin_lock_irq(&s->spin);

		if (arch_irqs_enabled() || !spin_is_held(&s->spin))
			ktest_fail(__FILE__, __LINE__, "interrupts on inside spin_lock_irq");
		s->counter++;
		spin_unlock_irq(&s->spin, flags);
	}
	if (!arch_irqs_enabled())
		ktest_fail(__FILE__, __LINE__, "interrupts off after spin_unlock_irq");
}

KTEST(spinlock_irq_excludes)
{
	struct shared s = { .spin = SPINLOCK_INIT(DEVICE) };

	ktest_parallel(CREW, spin_irq_member, &s);
	kcheck_equal(s.counter, (uint64_t)CREW * ROUNDS);
}

static void
try_member(void *arg, uint32_t index)
{
	struct shared *s = arg;
	uint32_t got = 0;

	for (uint32_t tries = 0; got < ROUNDS / 10 && tries < 100 * ROUNDS; tries++) {
		if (!spin_trylock(&s->spin)) {
			arch_cpu_relax();
			continue;
		}
		s->counter++;
		got++;
		spin_unlock(&s->spin);
	}
	atomic_add(&s->writers, got);
}

KTEST(spin_trylock_excludes)
{
	struct shared s = { .spin = SPINLOCK_INIT(FUTEX) };

	ktest_parallel(CREW, try_member, &s);
	kcheck_equal(s.counter, s.writers);
	spin_lock(&s.spin);
	kcheck(arch_preempt_count() == 1);
	spin_unlock(&s.spin);
	kcheck(arch_preempt_count() == 0);
}

/* Tickets are 16 bits wide: nothing may happen where they wrap. */
KTEST(spinlock_tickets_wrap)
{
	struct spinlock l = SPINLOCK_INIT(FUTEX);

	for (uint32_t i = 0; i < 70000; i++) {
		spin_lock(&l);
		spin_unlock(&l);
		if (i % 1000 == 0) {
			kcheck(spin_trylock(&l));
			spin_unlock(&l);
		}
	}
	kcheck(!spin_is_held(&l));
}

static void
mutex_member(void *arg, uint32_t index)
{
	struct shared *s = arg;

	for (uint32_t i = 0; i < ROUNDS / 10; i++) {
		mutex_lock(&s->mutex);
		if (!mutex_is_held(&s->mutex))
			ktest_fail(__FILE__, __LINE__, "the owner is somebody else");
		s->counter++;
		/* Now and then be preempted inside: others must sleep, not spin. */
		if (i % 512 == 0)
			sched_yield_thread();
		if (s->counter != ++s->twin)
			ktest_fail(__FILE__, __LINE__, "two threads inside one mutex");
		mutex_unlock(&s->mutex);
	}
}

KTEST(mutex_excludes)
{
	struct shared s = { .counter = 0 };

	mutex_init(&s.mutex, LOCK_PIPE);
	ktest_parallel(CREW, mutex_member, &s);
	kcheck_equal(s.counter, (uint64_t)CREW * (ROUNDS / 10));
	kcheck_equal(s.mutex.state, 0);
	kcheck(!mutex_is_held(&s.mutex));
	kcheck(mutex_trylock(&s.mutex));
	kcheck(mutex_is_held(&s.mutex));
	mutex_unlock(&s.mutex);
}

/* Who sleeps for the lock gets it even if others come by all the time. */
static void
greedy_member(void *arg, uint32_t index)
{
	struct shared *s = arg;

	if (index == 0) {
		ktest_sleep_ns(5 * NSEC_PER_MSEC);
		for (uint32_t i = 0; i < 20; i++) {
			mutex_lock(&s->mutex);
			mutex_unlock(&s->mutex);
		}
		atomic_store(&s->writers, 1);
		return;
	}
	while (!atomic_load(&s->writers)) {
		mutex_lock(&s->mutex);
		s->counter++;
		mutex_unlock(&s->mutex);
	}
}

KTEST(mutex_starves_nobody)
{
	struct shared s = { .counter = 0 };

	mutex_init(&s.mutex, LOCK_PIPE);
	ktest_parallel(3, greedy_member, &s);
	kcheck_equal(s.mutex.state, 0);
}

static void
rw_member(void *arg, uint32_t index)
{
	struct shared *s = arg;

	for (uint32_t i = 0; i < ROUNDS / 20; i++) {
		if (i % 8 == index % 8) {
			write_lock(&s->rw);
			if (atomic_load(&s->readers) || atomic_add_fetch(&s->writers, 1) != 1)
				ktest_fail(__FILE__, __LINE__, "a writer is not alone");
			s->counter++;
			if (i % 128 == 0)
				sched_yield_thread();
			atomic_sub(&s->writers, 1);
			write_unlock(&s->rw);
		} else {
			read_lock(&s->rw);
			atomic_add(&s->readers, 1);
			if (atomic_load(&s->writers))
				ktest_fail(__FILE__, __LINE__, "a reader beside a writer");
			if (i % 64 == 0)
				sched_yield_thread();
			atomic_sub(&s->readers, 1);
			read_unlock(&s->rw);
		}
	}
}

KTEST(rwlock_excludes)
{
	struct shared s = { .counter = 0 };

	rwlock_init(&s.rw, LOCK_INODE);
	ktest_parallel(CREW, rw_member, &s);
	kcheck_equal(s.counter, (uint64_t)CREW * (ROUNDS / 20) / 8);
	kcheck(!rwlock_is_held(&s.rw));
}

/* Nobody leaves before all are in. */
static void
reader_member(void *arg, uint32_t index)
{
	struct shared *s = arg;
	deadline_t until = deadline_after(10 * NSEC_PER_SEC);

	read_lock(&s->rw);
	atomic_add(&s->readers, 1);
	while (atomic_load(&s->readers) < 3 && clock_monotonic_ns() < until)
		ktest_sleep_ns(NSEC_PER_MSEC);
	if (atomic_load(&s->readers) < 3)
		ktest_fail(__FILE__, __LINE__, "readers keep each other out");
	read_unlock(&s->rw);
}

KTEST(rwlock_admits_readers_together)
{
	struct shared s = { .counter = 0 };

	rwlock_init(&s.rw, LOCK_INODE);
	ktest_parallel(3, reader_member, &s);
}

KTEST(rwlock_downgrade_keeps_writers_out)
{
	struct rwlock l;

	rwlock_init(&l, LOCK_INODE);
	write_lock(&l);
	kcheck(rwlock_is_write_held(&l));
	write_downgrade(&l);
	kcheck(rwlock_is_held(&l));
	kcheck(!rwlock_is_write_held(&l));
	kcheck(!write_trylock(&l));
	read_unlock(&l);
	kcheck(write_trylock(&l));
	kcheck(!read_trylock(&l));
	write_unlock(&l);
}

struct starve {
	struct rwlock rw;
	uint32_t stop; /* [a] */
};

static void
starve_member(void *arg, uint32_t index)
{
	struct starve *s = arg;

	if (index == 0) {
		ktest_sleep_ns(5 * NSEC_PER_MSEC);
		write_lock(&s->rw);
		write_unlock(&s->rw);
		atomic_store(&s->stop, 1);
		return;
	}
	while (!atomic_load(&s->stop)) {
		read_lock(&s->rw);
		sched_yield_thread();
		read_unlock(&s->rw);
	}
}

KTEST(rwlock_readers_do_not_starve_writer)
{
	struct starve s = { .stop = 0 };

	rwlock_init(&s.rw, LOCK_INODE);
	ktest_parallel(4, starve_member, &s);
}

KTEST(preempt_count_balances)
{
	struct spinlock a = SPINLOCK_INIT(FUTEX), b = SPINLOCK_INIT(DEVICE);
	uint64_t flags;

	spin_lock(&a);
	flags = spin_lock_irq(&b);
	kcheck_equal(arch_preempt_count(), 2);
	spin_unlock_irq(&b, flags);
	kcheck(arch_irqs_enabled());
	spin_unlock(&a);
	kcheck(preemptible());
	kcheck_equal(current_thread()->held.count, 0);
}
