/* SPDX-License-Identifier: MIT */
/*
 * armed.c - requests that wait: for a file to be ready, for a time, for so many answers.
 *
 * A waiter on the file's queues, or a timer, leads to an ARMED request and does nothing but queue it for a worker
 * (any context, interrupts off). The worker looks, under the ring's lock, what has become true: uring_fired_locked().
 * So whoever ends the request first has taken the waiters and the timer away before it is freed.
 *
 * A LINK_TIMEOUT guards the request before it in its chain: `guard` and `guarded` lead both ways until one of the
 * two is answered.
 */
#include <tessera/errno.h>
#include <tessera/process.h>

#include "uring.h"

/* --- waiting for a file ----------------------------------------------------------------------- */

static bool
poll_woken(struct waiter *w, uint32_t key)
{
	struct uring_poll_entry *e = w->private;
	struct uring_request *q = e->request;

	if (key && !(key & (q->events | POLL_ALWAYS)))
		return false;
	uring_queue(q);
	return true;
}

struct arming {
	struct poll_table table; /* first */
	struct uring_request *request;
};

static void
add_queue(struct poll_table *pt, struct file *f, struct wait_queue *w)
{
	struct uring_request *q = container_of(pt, struct arming, table)->request;
	struct uring_poll_entry *e;

	if (q->entries == POLL_QUEUES) {
		q->no_room = true;
		return;
	}
	e = &q->entry[q->entries++];
	e->request = q;
	waiter_init(&e->waiter, NULL);
	e->waiter.wake = poll_woken;
	e->waiter.private = e;
	waiter_add(w, &e->waiter);
}

int
uring_arm_poll(struct uring_request *q, uint32_t events)
{
	struct arming a = { .table = { .add = add_queue, .events = events | POLL_ALWAYS }, .request = q };
	struct uring *u = q->ring;
	uint32_t now;
	int error;

	mutex_lock(&u->lock);
	error = u->dead || q->stop || atomic_load(&q->pool->ended) ? -ECANCELED : uring_pool_staff_locked(q->pool);
	if (error)
		goto unlock;
	q->events = events;
	q->no_room = false;
	q->state = URING_STATE_ARMED;
	uring_enlist_locked(q);
	now = file_poll(q->file, &a.table) & (events | POLL_ALWAYS);
	error = q->no_room ? -ENOMEM : (int)now;
	if (error > 0 && q->multi) { /* tell, and go on */
		uring_post_locked(u, q->sqe.user_data, error, CQE_MORE);
		error = 0;
	}
	if (error) {
		uring_disarm(q);
		q->state = URING_ISSUED; /* listed still: who cancels it finds it */
	}
unlock:
	mutex_unlock(&u->lock);
	return error;
}

enum uring_verdict
uring_poll_add(struct uring_request *q, uint32_t events, bool multi, struct uring_answer *a)
{
	int error;

	if (!uring_request_file(q, &error)) {
		a->result = error;
		return URING_DONE;
	}
	q->polls = true;
	q->multi = multi;
	error = uring_arm_poll(q, events);
	if (error == 0)
		return URING_ARMED;
	a->result = error;
	return URING_DONE;
}

/* --- time ------------------------------------------------------------------------------------- */

void
uring_timer_fired(struct timer *t)
{
	struct uring_request *q = container_of(t, struct uring_request, timer);

	atomic_store(&q->expired, true);
	uring_queue(q);
}

enum uring_verdict
uring_timeout_add(struct uring_request *q, deadline_t until, uint32_t count, bool success)
{
	struct uring *u = q->ring;
	struct list gone = LIST_INIT(gone);
	int error;

	mutex_lock(&u->lock);
	error = u->dead || atomic_load(&q->pool->ended) ? -ECANCELED : uring_pool_staff_locked(q->pool);
	if (error) {
		uring_complete_locked(q, error, 0, &gone, NULL);
	} else {
		q->counts = count > 0;
		q->target = u->answers + count;
		q->success = success;
		q->state = URING_STATE_ARMED;
		uring_enlist_locked(q);
		if (q->counts)
			list_add_tail(&u->counting, &q->count_node);
		q->timed = until != DEADLINE_NEVER;
		if (q->timed)
			timer_start(&q->timer, until);
	}
	mutex_unlock(&u->lock);
	uring_requests_free(&gone);
	return URING_ARMED;
}

/* Timeouts that waited for so many answers. */
void
uring_timeouts_look_locked(struct uring *u, struct list *gone)
{
	struct uring_request *q, *tmp;

	list_for_each_safe (q, tmp, &u->counting, count_node) {
		if (q->state != URING_STATE_ARMED || u->answers < q->target)
			continue;
		uring_disarm(q);
		if (q->next)
			uring_make_work_locked(q->next);
		q->next = NULL;
		uring_answer_locked(q, 0, 0, gone);
	}
}

int
uring_timeout_update(struct uring_request *self, uint64_t user_data, deadline_t until)
{
	struct uring *u = self->ring;
	struct uring_request *q;
	int error = -ENOENT;

	mutex_lock(&u->lock);
	q = uring_find_locked(u, user_data, OP_TIMEOUT);
	if (!q)
		q = uring_find_locked(u, user_data, OP_LINK_TIMEOUT);
	if (q && q->state == URING_STATE_ARMED && !atomic_load(&q->expired)) {
		(void)timer_cancel(&q->timer);
		uring_unqueue(q);
		atomic_store(&q->expired, false);
		q->timed = true;
		timer_start(&q->timer, until);
		error = 0;
	}
	mutex_unlock(&u->lock);
	return error;
}

/* --- what woke an armed one ------------------------------------------------------------------- */

/* A LINK_TIMEOUT ran out: what it guards ends, now or when it would wait. */
static void
guard_expired_locked(struct uring_request *q, struct list *gone)
{
	struct uring_request *target = q->guarded, *n;

	q->guarded = NULL;
	if (target) {
		target->guard = NULL;
		if (target->state == URING_ISSUED) {
			target->stop = true;
			uring_answer_locked(q, -EALREADY, 0, gone);
			return;
		}
		n = q->next;
		q->next = NULL;
		while (n) {
			struct uring_request *after = n->next;

			n->next = NULL;
			uring_answer_locked(n, -ECANCELED, 0, gone);
			n = after;
		}
		uring_complete_locked(target, -ECANCELED, 0, gone, NULL);
	}
	uring_answer_locked(q, target ? -ETIME : -ECANCELED, 0, gone);
}

void
uring_fired_locked(struct uring_request *q, struct list *gone, struct uring_request **next)
{
	uint32_t events;

	if (q->sqe.opcode == OP_LINK_TIMEOUT) {
		guard_expired_locked(q, gone);
		return;
	}
	if (q->sqe.opcode == OP_TIMEOUT) {
		if (atomic_load(&q->expired))
			uring_complete_locked(q, -ETIME, 0, gone, next);
		return;
	}
	events = file_poll(q->file, NULL) & (q->events | POLL_ALWAYS);
	if (!events)
		return; /* somebody was faster; the waiters are still there */
	if (q->multi) {
		uring_post_locked(q->ring, q->sqe.user_data, (int32_t)events, CQE_MORE);
		return;
	}
	if (q->polls) {
		uring_complete_locked(q, (int32_t)events, 0, gone, next);
		return;
	}
	uring_disarm(q);
	q->state = URING_ISSUED;
	*next = q;
}
