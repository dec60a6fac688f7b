/* SPDX-License-Identifier: MIT */
/*
 * balance.c - which CPU a thread runs on.
 *
 * A thread that wakes or begins goes to an idle CPU if its affinity allows one: the CPU it last ran on
 * before others, whose caches know it. Else it stays where it was unless the waker's CPU has clearly
 * less to do.
 *
 * But waking a CPU costs: an interrupt, the way out of halt, on a guest a wait for the hypervisor. When
 * the waker and the woken both run for less than that between their sleeps, and the waker is alone on
 * its CPU, the woken thread waits there for the waker to sleep: two ends of a pipe that pass one word to
 * and fro share a CPU. If the guess was wrong, the tick offers the thread to an idle CPU after 1 ms. And an
 * interrupt that finds its CPU idle has woken one already: who waited for it runs there.
 *
 * A CPU that becomes idle pulls a waiting thread from the next busy one. A busy CPU with
 * waiting threads looks from its tick whether somebody idles, or has far less to do.
 *
 * idle_mask has a bit per idle CPU. Whoever gives work to one clears its bit, so that two threads that
 * wake at once go to two CPUs; the idle loop sets it again.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/preempt.h>

#include "run_queue.h"

static uint64_t idle_mask; /* [a] */

void
balance_idle_begin(uint32_t cpu_id)
{
	if (!(atomic_load(&idle_mask) & BIT(cpu_id)))
		atomic_or(&idle_mask, BIT(cpu_id));
	memory_barrier();
}

void
balance_idle_end(uint32_t cpu_id)
{
	if (atomic_load(&idle_mask) & BIT(cpu_id))
		atomic_and(&idle_mask, ~BIT(cpu_id));
}

bool
balance_somebody_idle(uint32_t but_cpu)
{
	return atomic_load_relaxed(&idle_mask) & ~BIT(but_cpu);
}

static uint64_t
short_burst(void)
{
	return arch_is_guest() ? BURST_SHORT_GUEST : BURST_SHORT;
}

/* One long burst says little: the hypervisor may have stopped us in it. So none counts for more than 2. */
void
balance_note_burst(struct thread *t, uint64_t ns)
{
	t->burst_ns = (3 * t->burst_ns + MIN(ns, 2 * short_burst())) / 4;
}

/* Will the running thread sleep sooner than another CPU could run `t`? It is waking `t`. */
static bool
waker_makes_way(const struct thread *t)
{
	struct cpu *c = this_cpu();
	struct thread *waker = c->current;
	uint64_t limit = short_burst();

	return c->irq_depth == 0 && waker != c->rq->idle && READ_ONCE(c->rq->queued) == 1 &&
	       !is_rt(waker) && !is_rt(t) && waker->burst_ns < limit && t->burst_ns < limit &&
	       /* Its queue's lock is not held: it may be accounted for right now, and either value does. */
	       READ_ONCE(waker->sum_exec_ns) - waker->burst_start < 2 * limit;
}

static bool
claim(uint32_t cpu_id)
{
	return atomic_fetch_and(&idle_mask, ~BIT(cpu_id)) & BIT(cpu_id);
}

/* The first CPU of a mask that is not empty, looking from `from` upwards and round. */
static uint32_t
next_in(uint64_t mask, uint32_t from)
{
	uint64_t above = from < 64 ? mask & ~(BIT(from) - 1) : 0;

	return (uint32_t)__builtin_ctzll(above ? above : mask);
}

static uint32_t
load_of(uint32_t cpu_id)
{
	return READ_ONCE(cpu_rq(cpu_id)->queued);
}

static uint32_t
least_loaded(uint64_t allowed, uint32_t start)
{
	uint32_t best = next_in(allowed, start), cpu = best;

	for (uint64_t left = allowed & ~BIT(best); left; left &= ~BIT(cpu)) {
		cpu = next_in(left, cpu + 1);
		if (load_of(cpu) < load_of(best))
			best = cpu;
	}
	return best;
}

/* The priority that runs there: 0 for anything that a real-time thread preempts. The thread itself may end and
 * be freed while we look. */
static uint32_t
running_priority(uint32_t cpu_id)
{
	return READ_ONCE(cpu_rq(cpu_id)->priority);
}

static uint32_t
choose_for_rt(const struct thread *t, uint64_t allowed, uint32_t last)
{
	uint32_t best = (allowed & BIT(last)) ? last : next_in(allowed, last), cpu = best;

	if (running_priority(best) < rt_priority(t))
		return best;
	for (uint64_t left = allowed & ~BIT(best); left; left &= ~BIT(cpu)) {
		cpu = next_in(left, cpu + 1);
		if (running_priority(cpu) < running_priority(best))
			best = cpu;
	}
	return best;
}

uint32_t
balance_choose_cpu(struct thread *t, bool is_new)
{
	uint64_t online = atomic_load(&sched_online_mask), allowed = t->affinity.bits & online, idle;
	uint32_t last = t->cpu, here = this_cpu()->id;

	if (!allowed)
		allowed = online;
	if (!(allowed & (allowed - 1)))
		return (uint32_t)__builtin_ctzll(allowed);
	if (config_preempt_random && preempt_random_on && t->roams) {
		t->roams = false;
		return next_in(allowed, (here + 1 + (uint32_t)t->involuntary_switches) % cpu_count);
	}
	if ((allowed & BIT(here)) && (waker_makes_way(t) || (this_cpu()->irq_depth > 0 && claim(here))))
		return here;
	if (!is_new && (allowed & BIT(last)) && claim(last))
		return last;
	while ((idle = atomic_load(&idle_mask) & allowed) != 0) {
		uint32_t cpu = next_in(idle, is_new ? here + 1 : last + 1);

		if (claim(cpu))
			return cpu;
	}
	if (is_rt(t))
		return choose_for_rt(t, allowed, last);
	if (is_new || !(allowed & BIT(last)))
		return least_loaded(allowed, here);
	if ((allowed & BIT(here)) && load_of(last) > load_of(here) + 1)
		return here;
	return last;
}

/* Take one waiting thread from `from`. False: none may come. Interrupts off, no queue's lock held. */
static bool
pull_from(struct run_queue *rq, struct run_queue *from)
{
	struct thread *t;

	run_queue_lock_both(rq, from);
	t = run_queue_find_movable(from, rq->cpu->id);
	if (t) {
		run_queue_account(rq, sched_now());
		run_queue_unlink(from, t);
		run_queue_remove(from, t);
		run_queue_add(rq, t);
		run_queue_link(rq, t, false);
		rq->pulled++;
		from->pushed++;
		if (run_queue_should_preempt(rq, t))
			sched_resched_cpu(rq->cpu);
	}
	run_queue_unlock_both(rq, from);
	return t != NULL;
}

bool
balance_pull(struct run_queue *rq)
{
	uint32_t self = rq->cpu->id;
	bool pulled = false;

	for (uint32_t i = 1; i < cpu_count && !pulled; i++) {
		struct cpu *c = cpus[(self + i) % cpu_count];
		struct run_queue *from = c ? c->rq : NULL;
		uint64_t flags;

		if (!from || from == rq || READ_ONCE(from->queued) < 2)
			continue;
		flags = arch_irq_save();
		pulled = pull_from(rq, from);
		arch_irq_restore(flags);
	}
	return pulled;
}

/* Wake an idle CPU that could take one of our waiting threads: it pulls by itself. */
static bool
offer(struct run_queue *rq)
{
	uint64_t idle = atomic_load(&idle_mask) & ~BIT(rq->cpu->id);
	bool found = false;

	spin_lock(&rq->lock);
	for (; idle && !found; idle &= idle - 1)
		if (run_queue_find_movable(rq, (uint32_t)__builtin_ctzll(idle))) {
			found = true;
			break;
		}
	spin_unlock(&rq->lock);
	if (found)
		sched_resched_cpu(cpus[__builtin_ctzll(idle)]);
	return found;
}

/* In the tick: interrupts off. */
void
balance_tick(struct run_queue *rq, uint64_t now)
{
	uint32_t self = rq->cpu->id, busiest = self;

	/* A hint: the others change it under the lock. */
	if (READ_ONCE(rq->queued) > 1 && balance_somebody_idle(self) && offer(rq))
		return;
	if (now < rq->next_balance)
		return;
	rq->next_balance = now + BALANCE_PERIOD;
	for (uint32_t i = 0; i < cpu_count; i++)
		if (cpus[i] && cpus[i]->rq && load_of(i) > load_of(busiest))
			busiest = i;
	if (load_of(busiest) >= load_of(self) + 2)
		pull_from(rq, cpu_rq(busiest));
}
