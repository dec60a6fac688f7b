/* SPDX-License-Identifier: MIT */
/*
 * scheduling.c - in-kernel tests of priorities, preemption, shares, affinity and balance.
 */
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/preempt.h>
#include <tessera/sched.h>
#include <tessera/test.h>
#include <tessera/thread.h>
#include <tessera/wait.h>

static struct cpu_mask
only(uint32_t cpu)
{
	return (struct cpu_mask){ BIT(cpu) };
}

static uint32_t
cpu_now(void)
{
	uint32_t id;

	preempt_disable();
	id = this_cpu()->id;
	preempt_enable();
	return id;
}

static void
spin_ns(uint64_t ns)
{
	uint64_t until = clock_monotonic_ns() + ns;

	while (clock_monotonic_ns() < until)
		arch_cpu_relax();
}

/* --- preemption ----------------------------------------------------------------------------------- */

struct preempt_test {
	uint32_t go, stop; /* [a] */
	uint64_t delay;    /* [a] of the woken thread, ns */
	uint64_t woken_at; /* [a] */
	struct wait_queue queue;
};

static void
preempt_member(void *arg, uint32_t index)
{
	struct preempt_test *p = arg;
	struct thread *t = current_thread();

	sched_set_affinity(t, only(0));
	if (index == 0) {
		/* Never leaves by itself: only the timer's interrupt can take the CPU away. */
		while (!atomic_load(&p->stop))
			arch_cpu_relax();
		return;
	}
	sched_set_policy(t, SCHED_FIFO, 50);
	ktest_sleep_ns(20 * NSEC_PER_MSEC);
	atomic_store(&p->stop, 1);
}

/* On one CPU: if the spinning thread were not preempted in the kernel, this would hang. */
KTEST(kernel_code_is_preempted)
{
	struct preempt_test p = { .stop = 0 };

	ktest_parallel(2, preempt_member, &p);
}

static void
fair_preempt_member(void *arg, uint32_t index)
{
	struct preempt_test *p = arg;

	sched_set_affinity(current_thread(), only(0));
	if (index < 2) {
		while (!atomic_load(&p->stop))
			arch_cpu_relax();
		return;
	}
	for (int i = 0; i < 5; i++)
		ktest_sleep_ns(5 * NSEC_PER_MSEC);
	atomic_store(&p->stop, 1);
}

KTEST(equal_threads_share_by_slices)
{
	struct preempt_test p = { .stop = 0 };

	ktest_parallel(3, fair_preempt_member, &p);
}

/* --- real-time priorities -------------------------------------------------------------------------- */

struct order_test {
	struct wait_queue queue;
	uint32_t go, place;      /* [a] */
	uint32_t ran_as[4];      /* index by member: when it ran */
};

static uint32_t
queued(struct wait_queue *q)
{
	uint64_t flags = spin_lock_irq(&q->lock);
	struct waiter *w;
	uint32_t n = 0;

	list_for_each(w, &q->waiters, node)
		n++;
	spin_unlock_irq(&q->lock, flags);
	return n;
}

static void
order_member(void *arg, uint32_t index)
{
	struct order_test *o = arg;
	struct thread *t = current_thread();
	/* Priorities 10, 30, 20 for members 1, 2, 3; member 0 wakes them, and keeps the CPU until it is gone. */
	static const int priority[4] = { 90, 10, 30, 20 };

	sched_set_affinity(t, only(0));
	sched_set_policy(t, SCHED_FIFO, priority[index]);
	if (index == 0) {
		while (queued(&o->queue) < 3)
			ktest_sleep_ns(NSEC_PER_MSEC);
		atomic_store(&o->go, 1);
		wake_all(&o->queue);
		return;
	}
	wait_event(&o->queue, atomic_load(&o->go));
	o->ran_as[index] = atomic_add_fetch(&o->place, 1);
}

KTEST(higher_priority_runs_first)
{
	struct order_test o = { .go = 0 };

	wait_queue_init(&o.queue);
	ktest_parallel(4, order_member, &o);
	kcheck_equal(o.ran_as[2], 1);
	kcheck_equal(o.ran_as[3], 2);
	kcheck_equal(o.ran_as[1], 3);
}

struct share_test {
	uint64_t ran[4];      /* ns */
	struct thread *thread[4]; /* [a] */
	uint32_t stop, ready; /* [a] */
	int policy, priority;
	int nice[4];
};

static void
share_member(void *arg, uint32_t index)
{
	struct share_test *s = arg;
	struct thread *t = current_thread();
	uint64_t user, system, begin_user, begin;

	sched_set_nice(t, s->nice[index]);
	sched_set_affinity(t, only(0));
	atomic_store(&s->thread[index], t);
	atomic_add(&s->ready, 1);
	thread_times(t, &begin_user, &begin);
	while (!atomic_load(&s->stop))
		arch_cpu_relax();
	thread_times(t, &user, &system);
	s->ran[index] = system - begin;
}

struct share_judge {
	struct share_test *s;
	uint32_t members;
	uint64_t ns;
};

static void
share_or_judge(void *arg, uint32_t index)
{
	struct share_judge *j = arg;

	if (index < j->members) {
		share_member(j->s, index);
		return;
	}
	sched_set_policy(current_thread(), SCHED_FIFO, 99);
	while (atomic_load(&j->s->ready) < j->members)
		ktest_sleep_ns(NSEC_PER_MSEC);
	/* Only now: a real-time thread that spins would keep the others from getting ready. */
	for (uint32_t i = 0; i < j->members; i++)
		sched_set_policy(j->s->thread[i], j->s->policy, j->s->priority);
	ktest_sleep_ns(j->ns);
	atomic_store(&j->s->stop, 1);
}

/* nice 0 against nice 5 is 1024 : 335, about three to one. */
KTEST(nice_divides_the_cpu)
{
	struct share_test s = { .nice = { 0, 5 } };
	struct share_judge j = { &s, 2, 400 * NSEC_PER_MSEC };

	ktest_parallel(3, share_or_judge, &j);
	kcheck(s.ran[0] > s.ran[1] * 2);
	kcheck(s.ran[0] < s.ran[1] * 5);
}

KTEST(equal_nice_gets_equal_time)
{
	struct share_test s = { .nice = { 0, 0, 0 } };
	struct share_judge j = { &s, 3, 300 * NSEC_PER_MSEC };

	ktest_parallel(4, share_or_judge, &j);
	for (int i = 0; i < 3; i++) {
		kcheck(s.ran[i] > 50 * NSEC_PER_MSEC);
		kcheck(s.ran[i] < 200 * NSEC_PER_MSEC);
	}
}

KTEST(round_robin_takes_turns)
{
	struct share_test s = { .policy = SCHED_RR, .priority = 20 };
	struct share_judge j = { &s, 2, 650 * NSEC_PER_MSEC };

	ktest_parallel(3, share_or_judge, &j);
	kcheck(s.ran[0] > 150 * NSEC_PER_MSEC);
	kcheck(s.ran[1] > 150 * NSEC_PER_MSEC);
}

KTEST(policies_check_their_arguments)
{
	struct thread *t = current_thread();

	kcheck_equal(sched_set_policy(t, SCHED_FIFO, 0), -EINVAL);
	kcheck_equal(sched_set_policy(t, SCHED_FIFO, 100), -EINVAL);
	kcheck_equal(sched_set_policy(t, SCHED_OTHER, 1), -EINVAL);
	kcheck_equal(sched_set_policy(t, 17, 0), -EINVAL);
	kcheck_equal(sched_set_affinity(t, (struct cpu_mask){ 0 }), -EINVAL);
	if (cpu_count < MAX_CPUS)
		kcheck_equal(sched_set_affinity(t, only(cpu_count)), -EINVAL);
	kcheck_equal(sched_set_policy(t, SCHED_BATCH, 0), 0);
	kcheck_equal(sched_set_policy(t, SCHED_OTHER, 0), 0);
}

/* --- affinity and balance ------------------------------------------------------------------------- */

KTEST(affinity_moves_the_running_thread)
{
	struct thread *t = current_thread();
	struct cpu_mask all = t->affinity;

	for (uint32_t round = 0; round < 5; round++)
		for (uint32_t cpu = 0; cpu < cpu_count; cpu++) {
			kcheck_equal(sched_set_affinity(t, only(cpu)), 0);
			kcheck_equal(cpu_now(), cpu);
		}
	kcheck_equal(sched_set_affinity(t, all), 0);
}

struct move_test {
	struct thread *spinner; /* [a] */
	uint32_t stop;          /* [a] */
	uint32_t bad;           /* [a] */
};

static void
move_member(void *arg, uint32_t index)
{
	struct move_test *m = arg;

	if (index == 0) {
		atomic_store(&m->spinner, current_thread());
		while (!atomic_load(&m->stop))
			arch_cpu_relax();
		return;
	}
	while (!atomic_load(&m->spinner))
		ktest_sleep_ns(NSEC_PER_MSEC);
	for (uint32_t i = 0; i < 3 * cpu_count; i++) {
		uint32_t cpu = i % cpu_count;
		deadline_t until = deadline_after(5 * NSEC_PER_SEC);

		sched_set_affinity(m->spinner, only(cpu));
		while (atomic_load(&m->spinner->cpu) != cpu && clock_monotonic_ns() < until)
			ktest_sleep_ns(NSEC_PER_MSEC / 10);
		if (m->spinner->cpu != cpu)
			atomic_add(&m->bad, 1);
	}
	atomic_store(&m->stop, 1);
}

KTEST(affinity_moves_another_thread)
{
	struct move_test m = { .stop = 0 };

	ktest_parallel(2, move_member, &m);
	kcheck_equal(m.bad, 0);
}

struct spread_test {
	uint64_t cpus_seen; /* [a] */
	uint32_t members;
};

static uint32_t
count_bits(uint64_t mask)
{
	uint32_t n = 0;

	for (; mask; mask &= mask - 1)
		n++;
	return n;
}

static void
spread_member(void *arg, uint32_t index)
{
	struct spread_test *s = arg;
	deadline_t until = deadline_after(20 * NSEC_PER_SEC);

	/* Nobody leaves before as many CPUs were seen, so none has reason to run two for long. */
	while (clock_monotonic_ns() < until) {
		atomic_or(&s->cpus_seen, BIT(cpu_now()));
		if (count_bits(atomic_load(&s->cpus_seen)) >= s->members)
			break;
	}
}

/* Threads begun on one CPU: the idle ones take them. More than 8 that spin would choke an emulator. */
KTEST(threads_spread_over_idle_cpus)
{
	struct spread_test s = { .members = MIN(cpu_count, 8u) };

	ktest_parallel(s.members, spread_member, &s);
	kcheck(count_bits(s.cpus_seen) >= s.members);
}

/* Threads that come and go very often: stacks and structs are freed behind their back. */
static void
nothing(void *arg, uint32_t index)
{
}

KTEST(threads_come_and_go)
{
	for (int i = 0; i < 100; i++)
		ktest_parallel(4, nothing, NULL);
}

/* All CPUs wake and put to sleep the same threads. */
struct storm {
	struct wait_queue queue;
	uint32_t counter; /* [a] */
	uint32_t stop;    /* [a] */
};

static void
storm_member(void *arg, uint32_t index)
{
	struct storm *s = arg;

	for (int i = 0; i < 300; i++) {
		uint32_t seen = atomic_load(&s->counter);

		atomic_add(&s->counter, 1);
		wake_all(&s->queue);
		if (i % 3 == 0)
			(void)wait_event_deadline(&s->queue, atomic_load(&s->counter) > seen + 2,
						  WAIT_UNINTERRUPTIBLE, deadline_after(NSEC_PER_MSEC));
	}
}

KTEST(wake_up_storm)
{
	struct storm s = { .counter = 0 };

	wait_queue_init(&s.queue);
	ktest_parallel(2 * cpu_count + 2, storm_member, &s);
	kcheck_equal(s.counter, 300 * (2 * cpu_count + 2));
}

KTEST(idle_time_is_counted)
{
	uint64_t before = cpu_idle_ns(cpu_count - 1), after;

	ktest_sleep_ns(50 * NSEC_PER_MSEC);
	after = cpu_idle_ns(cpu_count - 1);
	kcheck(after > before);
}

/* What interrupts an idle CPU is a timer that somebody started there, and nobody did. */
KTEST(idle_cpus_take_no_ticks)
{
	uint64_t before[MAX_CPUS], ticks = 0;
	struct thread *t = current_thread();
	struct cpu_mask all = t->affinity;

	sched_set_affinity(t, only(0));
	ktest_sleep_ns(50 * NSEC_PER_MSEC); /* what others have begun comes to its end */
	for (uint32_t cpu = 1; cpu < cpu_count; cpu++)
		before[cpu] = timer_interrupt_count(cpu);
	ktest_sleep_ns(500 * NSEC_PER_MSEC);
	for (uint32_t cpu = 1; cpu < cpu_count; cpu++)
		ticks += timer_interrupt_count(cpu) - before[cpu];
	sched_set_affinity(t, all);
	kcheck(ticks <= cpu_count);
}

/* --- a wake-up while the thread is sent away ------------------------------------------------------ */

#define LEAVE_ROUNDS 150

struct leave_test {
	uint32_t stop, work, done; /* [a] */
	struct wait_queue queue;
};

/* About to sleep, and told again and again to go to another CPU: it does as soon as it has been woken. */
static bool
leave_until_work(struct leave_test *l, uint32_t seen)
{
	for (int i = 0; i < 50 && READ_ONCE(current_thread()->state) != THREAD_RUNNABLE; i++)
		sched_yield_here(true);
	return atomic_load(&l->work) != seen || atomic_load(&l->stop);
}

static void
leave_member(void *arg, uint32_t index)
{
	struct leave_test *l = arg;

	if (index == 0) {
		while (!atomic_load(&l->stop)) {
			uint32_t seen = atomic_load(&l->work);

			atomic_store(&l->done, seen);
			wait_event(&l->queue, leave_until_work(l, seen));
		}
		return;
	}
	for (uint32_t i = 0; i < LEAVE_ROUNDS; i++) {
		while (atomic_load(&l->done) != i)
			arch_cpu_relax();
		for (uint32_t n = i % 64; n > 0; n--)
			arch_cpu_relax();
		atomic_add(&l->work, 1);
		wake_all(&l->queue);
	}
	atomic_store(&l->stop, 1);
	wake_all(&l->queue);
}

/* A waker and the CPU that the thread has to leave both find it off the queue: one of them places it. */
KTEST(woken_while_sent_away)
{
	struct leave_test l = { .stop = 0 };

	if (cpu_count == 1)
		return;
	wait_queue_init(&l.queue);
	ktest_parallel(2, leave_member, &l);
}

/* --- timers ------------------------------------------------------------------------------------------- */

struct restart_test {
	uint32_t in, started, out; /* [a] */
	struct timer timer;
};

static void
restart_fired(struct timer *timer)
{
	struct restart_test *r = container_of(timer, struct restart_test, timer);

	atomic_store(&r->in, 1);
	while (!atomic_load(&r->started))
		arch_cpu_relax();
	spin_ns(5 * NSEC_PER_MSEC);
	atomic_store(&r->out, 1);
}

static void
restart_member(void *arg, uint32_t index)
{
	struct restart_test *r = arg;

	sched_set_affinity(current_thread(), only(index));
	if (index == 0) {
		timer_start(&r->timer, deadline_after(NSEC_PER_MSEC));
		return;
	}
	while (!atomic_load(&r->in))
		arch_cpu_relax();
	timer_start(&r->timer, deadline_after(3600 * NSEC_PER_SEC));
	atomic_store(&r->started, 1);
	kcheck(timer_cancel(&r->timer));
	kcheck(atomic_load(&r->out));
}

/* Started anew on one CPU while its callback runs on another: a cancel still waits for the callback. */
KTEST(timer_started_while_it_runs_elsewhere)
{
	struct restart_test r = { .in = 0 };

	if (cpu_count == 1)
		return;
	timer_init(&r.timer, restart_fired);
	ktest_parallel(2, restart_member, &r);
}
