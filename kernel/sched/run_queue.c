/* SPDX-License-Identifier: MIT */
/*
 * run_queue.c - one CPU's run queue: who is on it, who of them runs next, and until when.
 *
 * Real-time threads go before fair ones, which go before the idle thread. Everything here is about one
 * queue and is done under its lock; which queue a thread belongs to is balance.c's business, and the
 * switch itself is sched.c's.
 *
 * Locks: rq->lock (RUN_QUEUE), below thread->lock. Two queues in the order of their CPUs' numbers.
 */
#include <tessera/atomic.h>
#include <tessera/panic.h>
#include <tessera/trace.h>

#include "run_queue.h"

void
run_queue_init(struct run_queue *rq, struct cpu *c)
{
	spin_init(&rq->lock, LOCK_RUN_QUEUE);
	rq->cpu = c;
	rt_init(&rq->rt);
	list_init(&rq->dead);
	continuation_init(&rq->reaper, thread_reap);
	rq->tick_at = DEADLINE_NEVER;
	timer_init(&rq->slice_timer, sched_tick);
}

struct run_queue *
run_queue_lock_of(struct thread *t)
{
	for (;;) {
		uint32_t cpu = atomic_load(&t->cpu);
		struct run_queue *rq = cpu_rq(cpu);

		spin_lock(&rq->lock);
		if (likely(t->cpu == cpu))
			return rq;
		spin_unlock(&rq->lock);
	}
}

void
run_queue_unlock(struct run_queue *rq)
{
	spin_unlock(&rq->lock);
}

void
run_queue_lock_both(struct run_queue *a, struct run_queue *b)
{
	bool a_first = a->cpu->id < b->cpu->id;

	spin_lock(a_first ? &a->lock : &b->lock);
	spin_lock_nested(a_first ? &b->lock : &a->lock);
}

void
run_queue_unlock_both(struct run_queue *a, struct run_queue *b)
{
	spin_unlock(&a->lock);
	spin_unlock(&b->lock);
}

void
run_queue_add(struct run_queue *rq, struct thread *t)
{
	uint64_t now = sched_now();

	assert_held(&rq->lock);
	assert(!t->queued);
	load_update(&rq->load, rq->queued, now);
	if (!is_rt(t))
		fair_add(&rq->fair, t, now);
	t->queued = true;
	if (t->cpu != rq->cpu->id) {
		cpu_count_one(CPU_COUNTER(migrations));
		trace_sched_migrate(t->tid, t->cpu, rq->cpu->id);
	}
	atomic_store(&t->cpu, rq->cpu->id);
	WRITE_ONCE(rq->queued, rq->queued + 1);
}

void
run_queue_remove(struct run_queue *rq, struct thread *t)
{
	uint64_t now = sched_now();

	assert_held(&rq->lock);
	assert(t->queued && t->cpu == rq->cpu->id);
	load_update(&rq->load, rq->queued, now);
	if (!is_rt(t))
		fair_remove(&rq->fair, t, now);
	t->queued = false;
	WRITE_ONCE(rq->queued, rq->queued - 1);
}

void
run_queue_link(struct run_queue *rq, struct thread *t, bool front)
{
	if (is_rt(t))
		rt_link(&rq->rt, t, front);
	else
		fair_link(&rq->fair, t);
}

void
run_queue_unlink(struct run_queue *rq, struct thread *t)
{
	if (is_rt(t))
		rt_unlink(&rq->rt, t);
	else
		fair_unlink(&rq->fair, t);
}

void
run_queue_account(struct run_queue *rq, uint64_t now)
{
	struct thread *t = rq->current;
	uint64_t ran = now - t->run_start;

	if ((int64_t)ran <= 0)
		return;
	t->run_start = now;
	t->sum_exec_ns += ran;
	if (t == rq->idle)
		rq->idle_ns += ran;
	else if (t->queued && !is_rt(t))
		fair_charge(&rq->fair, t, ran);
}

/* The current thread may go on: which of it and the waiting ones is to run? */
static struct thread *
pick_against_current(struct run_queue *rq, struct thread *current, uint32_t highest, uint64_t now)
{
	struct thread *first = rq->fair.first;

	if (is_rt(current)) {
		bool expired = current->policy == SCHED_RR && now >= current->slice_end;

		if (highest > rt_priority(current))
			return rt_first(&rq->rt, highest);
		if (highest == rt_priority(current) && (expired || rq->yielded))
			return rt_first(&rq->rt, highest);
		if (expired)
			current->slice_end = now + RR_SLICE;
		return current;
	}
	if (highest)
		return rt_first(&rq->rt, highest);
	if (!first)
		return current;
	if (rq->yielded) {
		fair_yield(&rq->fair, current);
		return first;
	}
	if (now < current->slice_end)
		return fair_preempts(first, current) ? first : current;
	return (int64_t)(first->vruntime - current->vruntime) < 0 ? first : current;
}

static void
begin_slice(struct run_queue *rq, struct thread *t, uint64_t now)
{
	if (is_rt(t))
		t->slice_end = now + RR_SLICE;
	else
		t->slice_end = now + fair_slice(&rq->fair, fair_weight(t));
}

struct thread *
run_queue_pick(struct run_queue *rq, uint64_t now)
{
	struct thread *current = rq->current, *next;
	uint32_t highest = rt_highest(&rq->rt);

	assert_held(&rq->lock);
	if (current->queued) {
		next = pick_against_current(rq, current, highest, now);
		if (next == current) {
			if (!is_rt(current) && now >= current->slice_end)
				begin_slice(rq, current, now);
			return current;
		}
		/* A real-time thread that was merely preempted keeps its turn. */
		run_queue_link(rq, current, is_rt(current) && !rq->yielded &&
					    (current->policy == SCHED_FIFO || now < current->slice_end));
	} else if (highest) {
		next = rt_first(&rq->rt, highest);
	} else if (rq->fair.first) {
		next = rq->fair.first;
	} else {
		return rq->idle;
	}
	run_queue_unlink(rq, next);
	/* What is left of a preempted round-robin slice is used up first. */
	if (!is_rt(next) || next->policy != SCHED_RR || now >= next->slice_end ||
	    next->slice_end > now + RR_SLICE)
		begin_slice(rq, next, now);
	return next;
}

bool
run_queue_should_preempt(struct run_queue *rq, struct thread *t)
{
	struct thread *current = rq->current;

	if (current == rq->idle)
		return true;
	if (is_rt(t) || is_rt(current)) {
		if (rt_priority(t) != rt_priority(current))
			return rt_priority(t) > rt_priority(current);
		return current->policy == SCHED_RR && rq->tick_at > current->slice_end;
	}
	if (fair_preempts(t, current))
		return true;
	/* It ran alone until now, perhaps without a tick. */
	return rq->tick_at > current->slice_end;
}

deadline_t
run_queue_tick(const struct run_queue *rq, uint64_t now)
{
	const struct thread *t = rq->current;
	deadline_t when = DEADLINE_NEVER;

	if (t == rq->idle)
		return DEADLINE_NEVER;
	if (is_rt(t)) {
		if (t->policy == SCHED_RR && !list_is_empty(&rq->rt.list[rt_priority(t)]))
			when = t->slice_end;
	} else if (rq->queued > 1) {
		when = t->slice_end;
	}
	if (rq->queued > 1 && balance_somebody_idle(rq->cpu->id))
		when = MIN(when, now + OFFER_PERIOD);
	if (t->process)
		when = MIN(when, now + SAMPLE_PERIOD);
	return when;
}

static bool
may_move(const struct thread *t, uint32_t cpu_id)
{
	return (t->affinity.bits & BIT(cpu_id)) && !atomic_load(&t->on_cpu);
}

struct thread *
run_queue_find_movable(struct run_queue *rq, uint32_t cpu_id)
{
	struct thread *t;

	assert_held(&rq->lock);
	for (uint32_t p = rt_highest(&rq->rt); p > 0; p--)
		list_for_each (t, &rq->rt.list[p], run_list)
			if (may_move(t, cpu_id))
				return t;
	for (struct rb_node *n = rb_first(&rq->fair.tree); n; n = rb_next(n)) {
		t = container_of(n, struct thread, run_node);
		if (may_move(t, cpu_id))
			return t;
	}
	return NULL;
}
