/* SPDX-License-Identifier: MIT */
/*
 * waiting.c - in-kernel tests of wait queues, deadlines, timers and continuations.
 */
#include <tessera/atomic.h>
#include <tessera/continuation.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/preempt.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/test.h>
#include <tessera/thread.h>
#include <tessera/wait.h>

/* --- wait queues ------------------------------------------------------------------------------- */

struct ping_pong {
	struct wait_queue queue[2];
	uint32_t turn;   /* [a] */
	uint32_t rounds; /* [a] */
};

#define PING_PONG_ROUNDS 2000u

static void
ping_pong_member(void *arg, uint32_t index)
{
	struct ping_pong *p = arg;

	for (uint32_t i = 0; i < PING_PONG_ROUNDS; i++) {
		wait_event(&p->queue[index], atomic_load(&p->turn) == index);
		atomic_add(&p->rounds, 1);
		atomic_store(&p->turn, 1 - index);
		wake_one(&p->queue[1 - index]);
	}
}

KTEST(wait_loses_no_wake_up)
{
	struct ping_pong p = { .turn = 0 };

	wait_queue_init(&p.queue[0]);
	wait_queue_init(&p.queue[1]);
	ktest_parallel(2, ping_pong_member, &p);
	kcheck_equal(p.rounds, 2 * PING_PONG_ROUNDS);
}

KTEST(wait_deadline_ends_a_wait)
{
	struct wait_queue q = WAIT_QUEUE_INIT(q);
	uint64_t start = clock_monotonic_ns(), took;

	kcheck_equal(wait_event_deadline(&q, false, WAIT_UNINTERRUPTIBLE,
					 deadline_after(20 * NSEC_PER_MSEC)), -ETIMEDOUT);
	took = clock_monotonic_ns() - start;
	kcheck(took >= 20 * NSEC_PER_MSEC);
	kcheck(took < 5 * NSEC_PER_SEC);
	/* Past already; and a condition that holds wins over a deadline that has passed. */
	kcheck_equal(wait_event_deadline(&q, false, WAIT_UNINTERRUPTIBLE, start), -ETIMEDOUT);
	kcheck_equal(wait_event_deadline(&q, true, WAIT_UNINTERRUPTIBLE, start), 0);
	kcheck(wait_queue_is_empty(&q));
}

/* Whoever waits without a queue does not wait for its waker either. */
struct ending {
	uint32_t ready, over; /* [a] */
};

static void
end_at_once(void *arg)
{
	struct ending *e = arg;

	wait_prepare(WAIT_UNINTERRUPTIBLE);
	atomic_store(&e->ready, 1u);
	for (uint32_t n = 0; n < 2000 && !atomic_load(&e->over); n++) /* who wakes may be behind us, on this CPU */
		arch_cpu_relax();
	wait_finish();
	thread_exit();
}

static void
wake_what_ends(void *arg, uint32_t index)
{
	for (uint32_t i = 0; i < 100; i++) {
		struct ending e = { 0 };
		struct thread *t = thread_create_kernel("ktest-ends", end_at_once, &e);

		if (!t)
			continue;
		thread_get(t);
		thread_start(t);
		while (!atomic_load(&e.ready))
			sched_yield_thread();
		atomic_store(&e.over, 1u);
		thread_wake(t);
		while (atomic_load(&t->state) != THREAD_DEAD)
			sched_yield_thread();
		thread_put(t);
	}
}

KTEST(wait_whom_one_wakes_may_have_ended)
{
	ktest_parallel(2, wake_what_ends, NULL);
}

struct exclusive {
	struct wait_queue queue;
	uint32_t tickets, waiting, served; /* [a] */
	uint32_t first;                    /* [I] tickets come when so many wait */
};

static bool
take_ticket(struct exclusive *e)
{
	uint32_t n = atomic_load(&e->tickets);

	while (n)
		if (atomic_cas(&e->tickets, &n, n - 1))
			return true;
	return false;
}

static void
spin(uint64_t ns)
{
	uint64_t until = clock_monotonic_ns() + ns;

	while (clock_monotonic_ns() < until)
		arch_cpu_relax();
}

/* Now and then one is slow between its ticket and its being awake: then it takes no other's wake-up with it. */
static void
exclusive_member(void *arg, uint32_t index)
{
	struct exclusive *e = arg;
	struct waiter w;

	waiter_init(&w, current_thread());
	w.exclusive = true;
	waiter_add(&e->queue, &w);
	atomic_add(&e->waiting, 1);
	for (;;) {
		wait_prepare(WAIT_UNINTERRUPTIBLE);
		if (take_ticket(e)) {
			if (index % 2)
				spin(50 * NSEC_PER_USEC);
			break;
		}
		(void)wait_sleep_exclusive(&w, WAIT_UNINTERRUPTIBLE, DEADLINE_NEVER);
	}
	wait_finish();
	waiter_remove(&w);
	atomic_add(&e->served, 1);
}

static void
exclusive_giver(void *arg, uint32_t index)
{
	struct exclusive *e = arg;

	if (index) {
		exclusive_member(e, index);
		return;
	}
	while (atomic_load(&e->waiting) < e->first)
		arch_cpu_relax();
	for (uint32_t i = 0; i < 5; i++) {
		atomic_add(&e->tickets, 1);
		wake_one(&e->queue);
		spin(i * 5 * NSEC_PER_USEC);
	}
}

/* Some take a ticket before they sleep, just as another one's wake-up finds them on the queue. */
KTEST(wake_one_wakes_one_each)
{
	for (int round = 0; round < 100; round++) {
		struct exclusive e = { .first = (uint32_t)round % 6 };

		wait_queue_init(&e.queue);
		ktest_parallel(6, exclusive_giver, &e);
		kcheck_equal(e.served, 5);
		kcheck(wait_queue_is_empty(&e.queue));
	}
}

/* --- timers ------------------------------------------------------------------------------------- */

struct test_timer {
	struct timer timer;
	uint64_t fired_at;  /* [a] */
	uint32_t fired;     /* [a] */
	uint32_t again;     /* re-arm that often */
	uint32_t order;     /* [a] when it fired among the others */
	uint32_t in_irq;
};

static uint32_t timer_order; /* [a] */

static void
timer_fired(struct timer *t)
{
	struct test_timer *tt = container_of(t, struct test_timer, timer);

	tt->in_irq = this_cpu()->irq_depth != 0 && !arch_irqs_enabled();
	tt->order = atomic_add_fetch(&timer_order, 1);
	if (tt->again) {
		tt->again--;
		timer_start(t, deadline_after(NSEC_PER_MSEC));
	}
	atomic_store(&tt->fired_at, clock_monotonic_ns());
	atomic_add(&tt->fired, 1);
}

/* Until it has fired `times` in all, however late a busy host lets its CPU run; but not for ever. */
static void
wait_fired(struct test_timer *tt, uint32_t times)
{
	deadline_t until = deadline_after(20 * NSEC_PER_SEC);

	while (atomic_load(&tt->fired) < times && clock_monotonic_ns() < until)
		ktest_sleep_ns(NSEC_PER_MSEC);
	kcheck_equal(atomic_load(&tt->fired), times);
}

KTEST(timer_fires_once_not_early)
{
	struct test_timer tt = { .fired = 0 };
	deadline_t when = deadline_after(10 * NSEC_PER_MSEC);

	timer_init(&tt.timer, timer_fired);
	timer_start(&tt.timer, when);
	wait_fired(&tt, 1);
	kcheck(tt.fired_at >= when);
	kcheck(tt.in_irq);
	kcheck(!timer_cancel(&tt.timer));
	ktest_sleep_ns(5 * NSEC_PER_MSEC);
	kcheck_equal(tt.fired, 1);
}

KTEST(timer_fires_while_the_cpu_spins)
{
	struct test_timer tt = { .fired = 0 };
	deadline_t when = deadline_after(5 * NSEC_PER_MSEC);

	timer_init(&tt.timer, timer_fired);
	preempt_disable();
	timer_start(&tt.timer, when);
	while (!atomic_load(&tt.fired) && clock_monotonic_ns() < when + 5 * NSEC_PER_SEC)
		arch_cpu_relax();
	preempt_enable();
	kcheck_equal(tt.fired, 1);
}

KTEST(timers_fire_in_order)
{
	static struct test_timer tt[8];
	uint64_t start = clock_monotonic_ns();

	preempt_disable(); /* all on one CPU */
	atomic_store(&timer_order, 0);
	for (uint32_t i = 0; i < 8; i++) {
		tt[i] = (struct test_timer){ .fired = 0 };
		timer_init(&tt[i].timer, timer_fired);
		/* 3 0 5 2 7 4 1 6 */
		timer_start(&tt[i].timer, start + (10 + (i * 5 + 3) % 8) * NSEC_PER_MSEC);
	}
	preempt_enable();
	for (uint32_t i = 0; i < 8; i++)
		wait_fired(&tt[i], 1);
	for (uint32_t i = 0; i < 8; i++) {
		kcheck(!timer_cancel(&tt[i].timer));
		kcheck_equal(tt[i].order, (i * 5 + 3) % 8 + 1);
	}
}

KTEST(timer_cancel_takes_it_back)
{
	struct test_timer tt = { .fired = 0 };

	timer_init(&tt.timer, timer_fired);
	kcheck(!timer_cancel(&tt.timer));
	timer_start(&tt.timer, deadline_after(3600 * NSEC_PER_SEC));
	kcheck(timer_cancel(&tt.timer));
	timer_start(&tt.timer, deadline_after(3600 * NSEC_PER_SEC));
	timer_start(&tt.timer, deadline_after(2 * NSEC_PER_MSEC)); /* re-arm: earlier */
	wait_fired(&tt, 1);
	tt.again = 3;
	timer_start(&tt.timer, deadline_after(NSEC_PER_MSEC));
	wait_fired(&tt, 5);
	ktest_sleep_ns(10 * NSEC_PER_MSEC);
	kcheck(!timer_cancel(&tt.timer));
	kcheck_equal(tt.fired, 5);
}

/* Cancel on one CPU while it fires on another, very often: it must be over when cancel returns. */
struct cancel_race {
	struct timer timer;
	uint32_t inside;  /* [a] */
	uint32_t fired;   /* [a] */
};

static void
race_fired(struct timer *t)
{
	struct cancel_race *r = container_of(t, struct cancel_race, timer);

	atomic_store(&r->inside, 1);
	for (int i = 0; i < 50; i++)
		arch_cpu_relax();
	atomic_add(&r->fired, 1);
	atomic_store(&r->inside, 0);
}

static void
cancel_member(void *arg, uint32_t index)
{
	for (uint32_t i = 0; i < 200; i++) {
		struct cancel_race r = { .fired = 0 };
		deadline_t when = deadline_after(100 * NSEC_PER_USEC);

		timer_init(&r.timer, race_fired);
		timer_start(&r.timer, when);
		sched_yield_thread(); /* perhaps to another CPU */
		while (clock_monotonic_ns() < when)
			arch_cpu_relax();
		timer_cancel(&r.timer);
		if (atomic_load(&r.inside))
			ktest_fail(__FILE__, __LINE__, "the callback still runs after timer_cancel");
	}
}

KTEST(timer_cancel_waits_for_the_callback)
{
	ktest_parallel(cpu_count + 1, cancel_member, NULL);
}

KTEST(clock_is_monotonic_across_cpus)
{
	static uint64_t last; /* [a] */
	struct cpu_mask all = current_thread()->affinity;

	atomic_store(&last, 0);
	for (uint32_t round = 0; round < 3; round++)
		for (uint32_t cpu = 0; cpu < cpu_count; cpu++) {
			uint64_t now;

			kcheck_equal(sched_set_affinity(current_thread(),
							(struct cpu_mask){ BIT(cpu) }), 0);
			now = clock_monotonic_ns();
			kcheck(now >= last);
			last = now;
		}
	sched_set_affinity(current_thread(), all);
	kcheck(clock_realtime_ns() > 1600000000 * NSEC_PER_SEC);
}

/* --- continuations ------------------------------------------------------------------------------- */

struct test_continuation {
	struct continuation c;
	struct wait_queue *done;
	uint32_t runs;        /* [a] */
	uint32_t repost;      /* [a] run that often again */
	uint32_t preemptible; /* it may sleep */
};

static void
continuation_ran(struct continuation *c)
{
	struct test_continuation *tc = container_of(c, struct test_continuation, c);

	tc->preemptible = preemptible();
	if (tc->repost) {
		tc->repost--;
		continuation_run(c);
	}
	atomic_add(&tc->runs, 1);
	wake_all(tc->done);
}

KTEST(continuation_runs_and_reposts)
{
	static struct wait_queue done = WAIT_QUEUE_INIT(done);
	static struct test_continuation tc;

	tc = (struct test_continuation){ .done = &done, .repost = 9 };
	continuation_init(&tc.c, continuation_ran);
	kcheck(continuation_run(&tc.c));
	wait_event(&done, atomic_load(&tc.runs) == 10);
	kcheck(tc.preemptible);
	kcheck(!continuation_cancel(&tc.c));
}

/* Who settles finds that all have run, and what they queued, on whatever CPU. */
KTEST(continuations_settle_on_all_cpus)
{
	static struct wait_queue done = WAIT_QUEUE_INIT(done);
	static struct test_continuation tc[8];
	struct cpu_mask all = current_thread()->affinity;
	uint32_t n = MIN(cpu_count, (uint32_t)ARRAY_SIZE(tc));

	for (uint32_t i = 0; i < n; i++) {
		sched_set_affinity(current_thread(), (struct cpu_mask){ BIT(i) });
		tc[i] = (struct test_continuation){ .done = &done, .repost = 3 };
		continuation_init(&tc[i].c, continuation_ran);
		kcheck(continuation_run(&tc[i].c));
	}
	sched_set_affinity(current_thread(), all);
	continuations_settle();
	for (uint32_t i = 0; i < n; i++)
		kcheck_equal(atomic_load(&tc[i].runs), 4);
}

KTEST(continuation_waits_for_its_time)
{
	static struct wait_queue done = WAIT_QUEUE_INIT(done);
	static struct test_continuation tc;
	uint64_t start = clock_monotonic_ns();

	tc = (struct test_continuation){ .done = &done };
	continuation_init(&tc.c, continuation_ran);
	continuation_run_when(&tc.c, NULL, start + 10 * NSEC_PER_MSEC);
	wait_event(&done, atomic_load(&tc.runs) == 1);
	kcheck(clock_monotonic_ns() - start >= 10 * NSEC_PER_MSEC);

	continuation_run_when(&tc.c, NULL, deadline_after(3600 * NSEC_PER_SEC));
	kcheck(continuation_cancel(&tc.c));
	ktest_sleep_ns(10 * NSEC_PER_MSEC);
	kcheck_equal(tc.runs, 1);
}

KTEST(continuation_waits_for_its_queue)
{
	static struct wait_queue done = WAIT_QUEUE_INIT(done), event = WAIT_QUEUE_INIT(event);
	static struct test_continuation tc;

	tc = (struct test_continuation){ .done = &done };
	continuation_init(&tc.c, continuation_ran);
	continuation_run_when(&tc.c, &event, deadline_after(3600 * NSEC_PER_SEC));
	ktest_sleep_ns(2 * NSEC_PER_MSEC);
	kcheck_equal(tc.runs, 0);
	wake_all(&event);
	wait_event(&done, atomic_load(&tc.runs) == 1);
	kcheck(wait_queue_is_empty(&event));
	kcheck(!tc.c.timer.cpu);
}
