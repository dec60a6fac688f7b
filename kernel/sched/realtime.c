/* SPDX-License-Identifier: MIT */
/*
 * realtime.c - SCHED_FIFO and SCHED_RR: a list for each of Linux's 99 priorities under a bitmap.
 *
 * The highest non-empty list runs, first come first served; any thread here goes before any normal one.
 * A thread that is preempted by a higher priority goes back to the front of its list, one that yields
 * or has used up its round-robin slice to the end.
 *
 * Pure: no locks, no CPUs; the run queue's lock is the caller's.
 */
#include "run_queue.h"

void
rt_init(struct rt_queue *q)
{
	q->bitmap[0] = q->bitmap[1] = 0;
	for (uint32_t i = 0; i < RT_PRIORITIES; i++)
		list_init(&q->list[i]);
}

void
rt_link(struct rt_queue *q, struct thread *t, bool front)
{
	uint32_t priority = rt_priority(t);

	if (front)
		list_add(&q->list[priority], &t->run_list);
	else
		list_add_tail(&q->list[priority], &t->run_list);
	q->bitmap[priority / 64] |= BIT(priority % 64);
}

void
rt_unlink(struct rt_queue *q, struct thread *t)
{
	uint32_t priority = rt_priority(t);

	list_del_init(&t->run_list);
	if (list_is_empty(&q->list[priority]))
		q->bitmap[priority / 64] &= ~BIT(priority % 64);
}

uint32_t
rt_highest(const struct rt_queue *q)
{
	if (q->bitmap[1])
		return 127 - (uint32_t)__builtin_clzll(q->bitmap[1]);
	if (q->bitmap[0])
		return 63 - (uint32_t)__builtin_clzll(q->bitmap[0]);
	return 0;
}

struct thread *
rt_first(const struct rt_queue *q, uint32_t priority)
{
	return list_first(&q->list[priority], struct thread, run_list);
}
