/* SPDX-License-Identifier: MIT */
/*
 * reading.c - in-kernel tests of readers without locks: what they see stays until they have left.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/rcu.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/test.h>
#include <tessera/thread.h>

#define ALIVE 0xa11fe5eedull
#define FREED 0xdeadull

struct watched {
	uint64_t state;
	struct rcu_head rcu;
};

static uint64_t freed; /* [a] */

/* The memory stays, so that a reader who comes too late sees that it was freed. */
static void
mark_freed(struct rcu_head *h)
{
	atomic_store(&container_of(h, struct watched, rcu)->state, FREED);
	atomic_add(&freed, 1);
}

KTEST(rcu_frees_what_nobody_reads)
{
	static struct watched w;
	uint64_t before = atomic_load(&freed);

	w.state = ALIVE;
	rcu_free(&w.rcu, mark_freed);
	rcu_barrier();
	kcheck_equal(atomic_load(&freed), before + 1);
	kcheck_equal(atomic_load(&w.state), FREED);
}

/* By itself, some time later. */
KTEST(rcu_frees_without_being_asked)
{
	static struct watched w;
	uint64_t before = atomic_load(&freed);

	w.state = ALIVE;
	rcu_free(&w.rcu, mark_freed);
	while (atomic_load(&freed) == before)
		ktest_sleep_ns(NSEC_PER_MSEC);
	kcheck_equal(atomic_load(&w.state), FREED);
}

KTEST(rcu_waits_for_a_reader)
{
	static struct watched w;
	uint64_t before = atomic_load(&freed), seen;

	w.state = ALIVE;
	rcu_read_lock();
	rcu_read_lock();
	rcu_free(&w.rcu, mark_freed);
	rcu_read_unlock();
	for (int i = 0; i < 10; i++)
		rcu_reclaim();
	seen = atomic_load(&w.state);
	rcu_read_unlock();
	kcheck_equal(seen, ALIVE);
	rcu_barrier();
	kcheck_equal(atomic_load(&freed), before + 1);
}

struct preempted {
	struct watched w;
	uint32_t inside, go_on; /* [a] */
};

static struct preempted preempted;

static void
free_slowly(struct rcu_head *h)
{
	atomic_store(&preempted.inside, 1);
	while (!atomic_load(&preempted.go_on))
		arch_cpu_relax();
	mark_freed(h);
}

/* The second, in real time, preempts the first, who frees, and waits for all that is being freed. */
static void
preempted_member(void *arg, uint32_t index)
{
	struct cpu_mask all = current_thread()->affinity;

	sched_set_affinity(current_thread(), (struct cpu_mask){ BIT(0) });
	if (index == 0) {
		rcu_free(&preempted.w.rcu, free_slowly);
		while (!atomic_load(&preempted.inside))
			rcu_reclaim();
	} else {
		sched_set_policy(current_thread(), SCHED_FIFO, 50);
		while (!atomic_load(&preempted.inside))
			ktest_sleep_ns(NSEC_PER_MSEC / 10);
		atomic_store(&preempted.go_on, 1);
		rcu_barrier();
		kcheck_equal(atomic_load(&preempted.w.state), FREED);
		sched_set_policy(current_thread(), SCHED_OTHER, 0);
	}
	sched_set_affinity(current_thread(), all);
}

KTEST(rcu_barrier_lets_those_run_who_free)
{
	preempted = (struct preempted){ .w.state = ALIVE };
	ktest_parallel(2, preempted_member, NULL);
}

#define SLOTS  8u
#define ROUNDS 3000u

struct storm {
	struct watched *slots[SLOTS]; /* [a] */
	struct watched *all;          /* SLOTS + one for each replacement */
	uint64_t next;                /* [a] of `all` */
	uint64_t size, seen_freed;    /* [a] */
};

/* The first replaces, the others read; whoever sees FREED in its section has seen too much. */
static void
storm_member(void *arg, uint32_t index)
{
	struct storm *s = arg;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		if (index == 0) {
			struct watched *fresh = &s->all[s->next++], *old;

			fresh->state = ALIVE;
			old = atomic_exchange(&s->slots[i % SLOTS], fresh);
			rcu_free(&old->rcu, mark_freed);
			continue;
		}
		rcu_read_lock();
		for (uint32_t k = 0; k < SLOTS; k++) {
			struct watched *w = atomic_load(&s->slots[k]);

			for (int again = 0; again < 20; again++)
				if (atomic_load(&w->state) != ALIVE)
					atomic_add(&s->seen_freed, 1);
		}
		rcu_read_unlock();
	}
}

KTEST(rcu_storm)
{
	struct storm s = { .size = SLOTS + ROUNDS };
	uint64_t before = atomic_load(&freed);

	s.all = vmalloc(s.size * sizeof(*s.all));
	kcheck(s.all != NULL);
	for (s.next = 0; s.next < SLOTS; s.next++) {
		s.all[s.next].state = ALIVE;
		s.slots[s.next] = &s.all[s.next];
	}
	ktest_parallel(MAX(cpu_count, 2u), storm_member, &s);
	kcheck_equal(s.seen_freed, 0);
	rcu_barrier();
	kcheck_equal(atomic_load(&freed), before + ROUNDS);
	vfree(s.all);
}
