/* SPDX-License-Identifier: MIT */
/*
 * parameters.c - changing how a thread is scheduled: policy, priority, nice, affinity.
 *
 * A change takes the thread off its run queue's books, changes it, and puts it back, so that the books
 * (weights, lists by priority) never see a thread under two names. The running thread is on the books
 * but linked nowhere.
 *
 * Locks: thread->lock, then its run queue's.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/panic.h>

#include "run_queue.h"

struct change {
	uint64_t flags;
	struct run_queue *rq;
	bool queued, running;
};

/* Both locks held on return, `t` off the books. */
static void
change_begin(struct change *c, struct thread *t)
{
	c->flags = spin_lock_irq(&t->lock);
	c->rq = run_queue_lock_of(t);
	c->queued = t->queued;
	c->running = c->rq->current == t;
	if (!c->queued)
		return;
	run_queue_account(c->rq, sched_now());
	if (!c->running)
		run_queue_unlink(c->rq, t);
	run_queue_remove(c->rq, t);
}

static void
change_end(struct change *c, struct thread *t)
{
	bool resched = false;

	if (c->running)
		WRITE_ONCE(c->rq->priority, rt_priority(t));
	if (c->queued) {
		run_queue_add(c->rq, t);
		if (c->running) {
			t->slice_end = 0; /* a new slice under the new rules */
			resched = true;
		} else {
			run_queue_link(c->rq, t, false);
			resched = run_queue_should_preempt(c->rq, t);
		}
	}
	run_queue_unlock(c->rq);
	if (resched)
		sched_resched_cpu(c->rq->cpu);
	spin_unlock_irq(&t->lock, c->flags);
}

int
sched_set_policy(struct thread *t, int policy, int priority)
{
	bool reset = policy & SCHED_RESET_ON_FORK;
	struct change c;

	policy &= ~SCHED_RESET_ON_FORK;
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		if (priority < 1 || priority >= RT_PRIORITIES)
			return -EINVAL;
		break;
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
		if (priority != 0)
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	change_begin(&c, t);
	t->policy = (uint8_t)policy;
	t->rt_priority = (uint8_t)priority;
	t->reset_on_fork = reset;
	change_end(&c, t);
	return 0;
}

void
sched_set_nice(struct thread *t, int nice)
{
	struct change c;

	change_begin(&c, t);
	t->nice = (int8_t)MAX(-20, MIN(19, nice));
	change_end(&c, t);
}

void
sched_set_inherited(struct thread *t, int priority)
{
	struct change c;

	assert(priority >= 0 && priority < RT_PRIORITIES);
	change_begin(&c, t);
	t->inherited_priority = (uint8_t)priority;
	change_end(&c, t);
}

/*
 * A waiting thread is moved at once; a running one leaves at its next switch, which is asked for. When
 * the caller changes itself it has moved on return.
 */
int
sched_set_affinity(struct thread *t, struct cpu_mask mask)
{
	struct run_queue *rq;
	uint64_t flags;

	mask.bits &= atomic_load(&sched_online_mask);
	if (!mask.bits)
		return -EINVAL;
	flags = spin_lock_irq(&t->lock);
	rq = run_queue_lock_of(t);
	t->affinity = mask;
	if (!t->queued || (mask.bits & BIT(rq->cpu->id))) {
		run_queue_unlock(rq);
	} else if (rq->current == t) {
		run_queue_unlock(rq);
		sched_resched_cpu(rq->cpu);
	} else {
		/* It may be on its way off the CPU; that needs no lock of ours. */
		while (atomic_load(&t->on_cpu))
			arch_cpu_relax();
		run_queue_unlink(rq, t);
		run_queue_remove(rq, t);
		run_queue_unlock(rq);
		sched_place(t, false);
	}
	spin_unlock_irq(&t->lock, flags);
	return 0;
}

uint64_t
sched_rr_interval_ns(struct thread *t)
{
	uint64_t flags, slice = 0;
	struct run_queue *rq;

	flags = spin_lock_irq(&t->lock);
	rq = run_queue_lock_of(t);
	if (t->policy == SCHED_RR)
		slice = RR_SLICE;
	else if (t->policy != SCHED_FIFO)
		slice = fair_slice(&rq->fair, fair_weight(t));
	run_queue_unlock(rq);
	spin_unlock_irq(&t->lock, flags);
	return slice;
}

/* The child is not started yet and nobody else knows it. */
void
sched_fork(struct thread *child, struct thread *parent)
{
	uint64_t flags = spin_lock_irq(&parent->lock);

	child->policy = parent->policy;
	child->nice = parent->nice;
	child->rt_priority = parent->rt_priority;
	child->affinity = parent->affinity;
	atomic_store(&child->cpu, parent->cpu);
	child->burst_ns = parent->burst_ns;
	if (parent->reset_on_fork) {
		if (child->rt_priority)
			child->policy = SCHED_OTHER;
		child->rt_priority = 0;
		child->nice = (int8_t)MAX(child->nice, 0);
	}
	spin_unlock_irq(&parent->lock, flags);
	/* Half a slice behind: a fork bomb does not push others aside, a shell's child starts soon. */
	child->vruntime = FAIR_SLICE_MIN / 2;
}
