/* SPDX-License-Identifier: MIT */
/*
 * times.c - who used how much CPU time, and views of the run queues for /proc and for dumps.
 *
 * The sum of a thread's time is exact: every switch charges it. How it divides into user and system
 * time is sampled, because reading the clock twice in every system call would cost more than most
 * calls do: each tick counts for the side it hit. The sum is divided in proportion; a thread
 * without samples is taken to have run on one side only, a program's thread in user mode, a kernel
 * thread in the kernel, where that is exact. What was reported never goes back.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/debug.h>
#include <tessera/print.h>

#include "run_queue.h"

static uint64_t
share(uint64_t total, uint64_t part, uint64_t whole)
{
	return total / whole * part + total % whole * part / whole;
}

/*
 * Divide `total` as the samples say. *user_ns and *system_ns are what was reported last, and become what
 * is reported now: neither shrinks.
 */
static void
divide(uint64_t total, uint64_t user_ticks, uint64_t system_ticks, bool user_by_default,
       uint64_t *user_ns, uint64_t *system_ns)
{
	uint64_t ticks = user_ticks + system_ticks, user;

	total = MAX(total, *user_ns + *system_ns);
	if (ticks)
		user = share(total, user_ticks, ticks);
	else
		user = user_by_default ? total : 0;
	user = MAX(user, *user_ns);
	*system_ns = MAX(total - MIN(user, total), *system_ns);
	*user_ns = total - *system_ns;
}

void
thread_times(struct thread *t, uint64_t *user_ns, uint64_t *system_ns)
{
	uint64_t flags = spin_lock_irq(&t->lock);
	struct run_queue *rq = run_queue_lock_of(t);
	uint64_t total;

	if (rq->current == t)
		run_queue_account(rq, sched_now());
	total = t->sum_exec_ns;
	run_queue_unlock(rq);

	divide(total, t->user_ticks, t->system_ticks, t->process, &t->user_ns, &t->system_ns);
	*user_ns = t->user_ns;
	*system_ns = t->system_ns;
	spin_unlock_irq(&t->lock, flags);
}

uint64_t
cpu_idle_ns(uint32_t cpu_id)
{
	struct run_queue *rq = cpu_rq(cpu_id);
	uint64_t flags = spin_lock_irq(&rq->lock), ns;

	if (rq->current == rq->idle)
		run_queue_account(rq, sched_now());
	ns = rq->idle_ns;
	spin_unlock_irq(&rq->lock, flags);
	return ns;
}

/* Interrupts are charged to whom they interrupt: `irq` is 0. */
void
cpu_times(uint32_t cpu_id, uint64_t *user, uint64_t *system, uint64_t *idle, uint64_t *irq)
{
	struct run_queue *rq = cpu_rq(cpu_id);
	uint64_t flags = spin_lock_irq(&rq->lock), now = sched_now(), up;

	/* One look at the clock: what passes between two would be busy now and idle at the next call. */
	if (rq->current == rq->idle)
		run_queue_account(rq, now);
	*idle = rq->idle_ns;
	*irq = 0;
	up = now - rq->online_since;
	divide(up - MIN(*idle, up), rq->user_ticks, rq->system_ticks, false, &rq->user_ns, &rq->system_ns);
	*user = rq->user_ns;
	*system = rq->system_ns;
	spin_unlock_irq(&rq->lock, flags);
}

uint64_t
sched_context_switches(void)
{
	uint64_t n = 0;
	struct cpu *c;

	for_each_cpu (c)
		n += c->rq ? READ_ONCE(c->rq->switches) : 0;
	return n;
}

uint32_t
sched_runnable_count(void)
{
	uint32_t n = 0;
	struct cpu *c;

	for_each_cpu (c)
		n += c->rq ? READ_ONCE(c->rq->queued) : 0;
	return n;
}

void
sched_load_average(uint64_t load[3])
{
	struct cpu *c;

	load[0] = load[1] = load[2] = 0;
	for_each_cpu (c) {
		struct run_queue *rq = c->rq;
		uint64_t flags;

		if (!rq)
			continue;
		flags = spin_lock_irq(&rq->lock);
		load_update(&rq->load, rq->queued, sched_now());
		for (unsigned int i = 0; i < 3; i++)
			load[i] += rq->load.average[i];
		spin_unlock_irq(&rq->lock, flags);
	}
}

static const char *
state_name(enum thread_state s)
{
	static const char *const names[] = {
		[THREAD_NEW] = "new", [THREAD_RUNNABLE] = "runnable", [THREAD_SLEEPING] = "sleeping",
		[THREAD_STOPPED] = "stopped", [THREAD_DEAD] = "dead",
	};

	return s < ARRAY_SIZE(names) ? names[s] : "?";
}

static void
dump_thread(const char *what, const struct thread *t)
{
	pr_info("  %s %s tid %d %s policy %u nice %d rt %u vruntime %lu ran %lu us%s\n", what, t->name,
		t->tid, state_name(t->state), t->policy, t->nice, rt_priority(t), t->vruntime,
		t->sum_exec_ns / NSEC_PER_USEC, t->on_cpu ? " on cpu" : "");
}

void
sched_dump(void)
{
	struct cpu *c;

	for_each_cpu (c) {
		const struct run_queue *rq = c->rq;
		const struct thread *t;

		if (!rq)
			continue;
		pr_info("cpu %u: %u queued, %lu switches, %lu ticks, pulled %lu, pushed %lu, "
			"need_resched %u\n", c->id, rq->queued, rq->switches, rq->ticks, rq->pulled,
			rq->pushed, c->need_resched);
		dump_thread("runs", rq->current);
		for (uint32_t p = RT_PRIORITIES; p-- > 0; )
			list_for_each_checked (t, &rq->rt.list[p], run_list)
				dump_thread("waits", t);
		for (struct rb_node *n = rb_first(&rq->fair.tree); n; n = rb_next(n))
			dump_thread("waits", container_of(n, struct thread, run_node));
	}
}

uint64_t
cpu_counter_sum(size_t offset)
{
	uint64_t sum = 0;
	struct cpu *c;

	for_each_cpu(c)
		sum += READ_ONCE(*(uint64_t *)((char *)c + offset));
	return sum;
}
