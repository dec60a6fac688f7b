/* SPDX-License-Identifier: MIT */
/*
 * fair.c - normal threads: each gets the CPU in proportion to its weight.
 *
 * Every thread has a virtual run time that advances while it runs, the slower the heavier it is. The
 * thread that is furthest behind runs next. One step of nice changes the weight by a factor of 1.25,
 * so that two threads one step apart share a CPU about 55 : 45, whatever their level.
 *
 * While a thread is queued its vruntime is on the queue's scale; otherwise it is relative to the
 * queue's min_vruntime (its lag, signed), so that it means the same on whichever queue it joins next.
 * A sleeper's lag shrinks by the virtual time that has passed on its queue, but to no less than -FAIR_CREDIT: a
 * thread that sleeps much is served promptly, one that slept for an hour does not then own the CPU for an hour.
 * Virtual time passes slowly where many share the CPU: sleeping for a while gains what each of the others
 * has got meanwhile, not what all of them together have. A thread that comes back on another queue, whose
 * time does not compare, gains the time on the clock.
 *
 * Pure: no locks, no CPUs; the run queue's lock is the caller's. The unit test links this file.
 */
#include "run_queue.h"

#define NICE_MIN (-20)
#define NICE_MAX 19

static uint32_t nice_weight[NICE_MAX - NICE_MIN + 1]; /* [I] filled on first use, always alike */

/* 1024 * 1.25^-nice, rounded once at the end: powers are kept with 16 more bits. */
static void
fill_weights(void)
{
	uint64_t up = (uint64_t)WEIGHT_NICE_0 << 16, down = up;

	for (int n = 0; n <= NICE_MAX; n++) {
		nice_weight[n - NICE_MIN] = (uint32_t)((down + (1u << 15)) >> 16);
		down = down * 4 / 5;
	}
	for (int n = 0; n >= NICE_MIN; n--) {
		nice_weight[n - NICE_MIN] = (uint32_t)((up + (1u << 15)) >> 16);
		up = up * 5 / 4;
	}
}

uint32_t
fair_weight(const struct thread *t)
{
	if (unlikely(nice_weight[0] == 0))
		fill_weights();
	if (t->policy == SCHED_IDLE)
		return WEIGHT_IDLE;
	return nice_weight[t->nice - NICE_MIN];
}

uint64_t
fair_scale(uint64_t ns, uint32_t weight)
{
	return weight == WEIGHT_NICE_0 ? ns : ns * WEIGHT_NICE_0 / weight;
}

uint64_t
fair_slice(const struct fair_queue *q, uint32_t weight)
{
	uint64_t slice = FAIR_LATENCY;

	if (q->weight > weight)
		slice = FAIR_LATENCY * weight / q->weight;
	return MAX(slice, FAIR_SLICE_MIN);
}

static bool
before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

/* The queue's time follows whoever is furthest behind, and never goes back. */
static void
advance(struct fair_queue *q, const struct thread *running)
{
	uint64_t v;

	if (running && q->first)
		v = before(running->vruntime, q->first->vruntime) ? running->vruntime :
								     q->first->vruntime;
	else if (running)
		v = running->vruntime;
	else if (q->first)
		v = q->first->vruntime;
	else
		return;
	if (before(q->min_vruntime, v))
		q->min_vruntime = v;
}

void
fair_add(struct fair_queue *q, struct thread *t, uint64_t now)
{
	int64_t lag = (int64_t)t->vruntime;

	if (t->sleep_start) {
		uint64_t gained = t->sleep_queue == q ? q->min_vruntime - t->sleep_vruntime : now - t->sleep_start;

		lag -= (int64_t)MIN(gained, FAIR_LATENCY * 4 + FAIR_CREDIT);
		t->sleep_start = 0;
	}
	lag = MAX(lag, -(int64_t)FAIR_CREDIT);
	lag = MIN(lag, (int64_t)FAIR_LATENCY * 4);
	t->vruntime = q->min_vruntime + (uint64_t)lag;
	q->weight += fair_weight(t);
	q->count++;
}

/* The caller sets sleep_start again if `t` goes on elsewhere instead of sleeping. */
void
fair_remove(struct fair_queue *q, struct thread *t, uint64_t now)
{
	t->vruntime -= q->min_vruntime;
	t->sleep_start = now;
	t->sleep_queue = q;
	t->sleep_vruntime = q->min_vruntime;
	q->weight -= fair_weight(t);
	q->count--;
}

void
fair_link(struct fair_queue *q, struct thread *t)
{
	struct rb_node **link = &q->tree.root, *parent = NULL;
	bool first = true;

	while (*link) {
		parent = *link;
		if (before(t->vruntime, container_of(parent, struct thread, run_node)->vruntime)) {
			link = &parent->left;
		} else {
			link = &parent->right;
			first = false;
		}
	}
	rb_insert(&q->tree, &t->run_node, parent, link);
	if (first)
		q->first = t;
}

void
fair_unlink(struct fair_queue *q, struct thread *t)
{
	if (q->first == t)
		q->first = rb_entry(rb_next(&t->run_node), struct thread, run_node);
	rb_erase(&q->tree, &t->run_node);
}

void
fair_charge(struct fair_queue *q, struct thread *t, uint64_t ns)
{
	t->vruntime += fair_scale(ns, fair_weight(t));
	advance(q, t);
}

/*
 * Is `t` so far behind the running thread that it should not wait for the end of the slice? Batch and
 * idle threads wait; an idle-class thread makes way for anybody else at once.
 */
bool
fair_preempts(const struct thread *t, const struct thread *current)
{
	if (t->policy == SCHED_IDLE)
		return false;
	if (current->policy == SCHED_IDLE)
		return true;
	if (t->policy == SCHED_BATCH)
		return false;
	return before(t->vruntime + fair_scale(FAIR_WAKE_MARGIN, fair_weight(t)), current->vruntime);
}

/* Place `t`, which runs, just behind the thread that would come next. */
void
fair_yield(struct fair_queue *q, struct thread *t)
{
	if (q->first && !before(q->first->vruntime, t->vruntime))
		t->vruntime = q->first->vruntime + 1;
}
