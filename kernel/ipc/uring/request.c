/* SPDX-License-Identifier: MIT */
/*
 * request.c - the life of a request: submitted, executed, answered; chains, draining.
 *
 * The submitter tries each request at once, in the order given, without sleeping. What would sleep waits for the
 * file's readiness (armed.c; then a worker tries again) or goes to a worker straight away. A chain goes on where
 * its request before was answered.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/panic.h>
#include <tessera/process.h>
#include <tessera/slab.h>

#include "uring.h"

const struct uring_sqe *
uring_request_sqe(const struct uring_request *q)
{
	return &q->sqe;
}

struct uring *
uring_request_ring(const struct uring_request *q)
{
	return q->ring;
}

/* --- making and freeing ----------------------------------------------------------------------- */

static struct uring_request *
request_create(struct uring *u, struct uring_pool *pool, const struct uring_sqe *sqe)
{
	struct uring_request *q = kzalloc(sizeof(*q));

	if (!q)
		return NULL;
	list_init(&q->node);
	list_init(&q->queue_node);
	list_init(&q->drain_node);
	list_init(&q->hash_node);
	list_init(&q->count_node);
	q->ring = u;
	q->pool = pool;
	q->sqe = *sqe;
	q->cred = current_cred();
	cred_get((struct cred *)q->cred);
	timer_init(&q->timer, uring_timer_fired);
	return q;
}

void
uring_requests_free(struct list *gone)
{
	while (!list_is_empty(gone)) {
		struct uring_request *q = list_first(gone, struct uring_request, node);

		list_del(&q->node);
		if (q->file)
			file_put_late(q->file); /* a file of a ring may hold the next ring, and so on */
		cred_put((struct cred *)q->cred);
		kfree(q);
	}
}

struct file *
uring_request_file(struct uring_request *q, int *error)
{
	struct uring *u = q->ring;

	if (q->file)
		return q->file;
	*error = -EBADF;
	if (q->sqe.flags & SQE_FIXED_FILE) {
		mutex_lock(&u->lock);
		if ((uint32_t)q->sqe.fd < u->file_count && u->files[q->sqe.fd].file) {
			q->file = u->files[q->sqe.fd].file;
			q->rights = u->files[q->sqe.fd].rights;
			file_get(q->file);
		}
		mutex_unlock(&u->lock);
	} else {
		q->file = handle_get_rights(q->sqe.fd, &q->rights, error);
	}
	return q->file;
}

uint64_t
uring_request_rights(const struct uring_request *q)
{
	return q->rights;
}

bool
uring_request_has_waited(const struct uring_request *q)
{
	return q->waited;
}

/* --- queueing --------------------------------------------------------------------------------- */

void
uring_queue(struct uring_request *q)
{
	struct uring_pool *p = q->pool;
	uint64_t flags = spin_lock_irq(&p->queue_lock);

	if (!q->queued) {
		q->queued = true;
		list_add_tail(&p->queue, &q->queue_node);
	}
	spin_unlock_irq(&p->queue_lock, flags);
	wake_queue(&p->wait, 0, UINT32_MAX);
}

void
uring_unqueue(struct uring_request *q)
{
	uint64_t flags = spin_lock_irq(&q->pool->queue_lock);

	if (q->queued) {
		q->queued = false;
		list_del_init(&q->queue_node);
	}
	spin_unlock_irq(&q->pool->queue_lock, flags);
}

/* Nothing leads to it any more. */
void
uring_disarm(struct uring_request *q)
{
	for (uint32_t i = 0; i < q->entries; i++)
		waiter_remove(&q->entry[i].waiter);
	q->entries = 0;
	if (q->timed)
		(void)timer_cancel(&q->timer);
	q->timed = false;
	uring_unqueue(q);
}

void
uring_enlist_locked(struct uring_request *q)
{
	struct uring *u = q->ring;

	if (!list_is_empty(&q->node))
		return;
	list_add_tail(&u->requests, &q->node);
	list_add_tail(&u->by_data[hash_u64(q->sqe.user_data) & u->hash_mask], &q->hash_node);
}

void
uring_delist_locked(struct uring_request *q)
{
	if (!list_is_empty(&q->node))
		list_del_init(&q->node);
	list_del_init(&q->hash_node);
	list_del_init(&q->count_node);
}

void
uring_make_work_locked(struct uring_request *q)
{
	q->state = URING_QUEUED;
	uring_enlist_locked(q);
	uring_queue(q);
}

/* --- answering -------------------------------------------------------------------------------- */

/* Post, and onto `gone`. */
void
uring_answer_locked(struct uring_request *q, int32_t result, uint32_t flags, struct list *gone)
{
	struct uring *u = q->ring;

	uring_disarm(q);
	list_del_init(&q->drain_node);
	uring_delist_locked(q);
	if (!q->silent && (!(q->sqe.flags & SQE_SKIP_SUCCESS) || result < 0))
		uring_post_locked(u, q->sqe.user_data, result, flags);
	if (q->sqe.opcode != OP_TIMEOUT)
		u->answers++;
	u->inflight--;
	list_add_tail(gone, &q->node);
}

static bool
failed(const struct uring_request *q, int32_t result)
{
	if (q->sqe.opcode == OP_TIMEOUT && result == -ETIME)
		return !q->success;
	return result < 0 || uring_is_short(&q->sqe, result);
}

/* The next of the chain, if there is one and it may go on. The others are cancelled. */
static struct uring_request *
follow_locked(struct uring_request *q, int32_t result, struct list *gone)
{
	struct uring_request *n = q->next;
	bool over = q->ring->dead || atomic_load(&q->pool->ended);

	q->next = NULL;
	if (!n || (!over && (!failed(q, result) || (q->sqe.flags & SQE_HARDLINK))))
		return n;
	while (n) {
		struct uring_request *after = n->next;

		n->next = NULL;
		n->silent = q->sqe.flags & SQE_SKIP_SUCCESS;
		uring_answer_locked(n, -ECANCELED, 0, gone);
		n = after;
	}
	return NULL;
}

/* Those that waited for all before them, as far as that is so now. */
static void
drained_go_on_locked(struct uring *u)
{
	struct uring_request *q;

	while ((q = list_first(&u->drained, struct uring_request, drain_node)) != NULL) {
		uint32_t chain = 0;

		if ((q->sqe.flags & SQE_DRAIN) && u->inflight > 0)
			return;
		list_del_init(&q->drain_node);
		for (struct uring_request *n = q; n; n = n->next)
			chain++;
		u->inflight += chain;
		uring_make_work_locked(q);
		if (q->sqe.flags & SQE_DRAIN)
			return;
	}
}

void
uring_complete_locked(struct uring_request *q, int32_t result, uint32_t flags, struct list *gone,
		      struct uring_request **next)
{
	struct uring *u = q->ring;
	struct uring_request *guard = q->guard, *n;

	assert_mutex_held(&u->lock);
	if (q->guarded)
		q->guarded->guard = NULL;
	if (guard) { /* the next link is what follows the guard */
		q->next = guard->next;
		guard->next = NULL;
		guard->guarded = NULL;
	}
	n = follow_locked(q, result, gone);
	uring_answer_locked(q, result, flags, gone);
	if (guard) /* it was in time */
		uring_answer_locked(guard, -ECANCELED, 0, gone);
	uring_timeouts_look_locked(u, gone);
	if (n && next)
		*next = n;
	else if (n)
		uring_make_work_locked(n);
	drained_go_on_locked(u);
}

static struct uring_request *
complete(struct uring_request *q, int32_t result, uint32_t flags)
{
	struct list gone = LIST_INIT(gone);
	struct uring_request *next = NULL;
	struct uring *u = q->ring;

	mutex_lock(&u->lock);
	uring_complete_locked(q, result, flags, &gone, &next);
	mutex_unlock(&u->lock);
	uring_requests_free(&gone);
	return next;
}

/* --- executing -------------------------------------------------------------------------------- */

static bool
wants_again(int32_t result)
{
	return result == -ERESTARTSYS || result == -ERESTARTNOINTR || result == -ERESTARTNOHAND ||
	       result == -ERESTART_RESTARTBLOCK;
}

/* To a worker, or answered when there can be none. Returns what follows then. */
static struct uring_request *
give_to_worker(struct uring_request *q)
{
	struct list gone = LIST_INIT(gone);
	struct uring_request *next = NULL;
	struct uring *u = q->ring;
	int error;

	mutex_lock(&u->lock);
	error = u->dead || atomic_load(&q->pool->ended) ? -ECANCELED : uring_pool_staff_locked(q->pool);
	if (error)
		uring_complete_locked(q, error, 0, &gone, &next);
	else
		uring_make_work_locked(q);
	mutex_unlock(&u->lock);
	uring_requests_free(&gone);
	return next;
}

/* The LINK_TIMEOUT that stands behind `q` starts to run. */
static void
start_guard(struct uring_request *q)
{
	struct uring_request *g = q->next;
	struct uring_answer a;

	if (!g || g->sqe.opcode != OP_LINK_TIMEOUT)
		return;
	mutex_lock(&q->ring->lock);
	q->next = NULL;
	q->guard = g;
	g->guarded = q;
	mutex_unlock(&q->ring->lock);
	if (uring_execute(g, false, &a) == URING_DONE) { /* its arguments are wrong */
		mutex_lock(&q->ring->lock);
		if (q->guard == g) {
			struct list gone = LIST_INIT(gone);

			q->guard = NULL;
			g->guarded = NULL;
			q->next = g->next;
			g->next = NULL;
			uring_answer_locked(g, a.result, 0, &gone);
			mutex_unlock(&q->ring->lock);
			uring_requests_free(&gone);
			return;
		}
		mutex_unlock(&q->ring->lock);
	}
}

/* One step; returns what is to be issued next. */
static struct uring_request *
issue_one(struct uring_request *q, bool may_sleep)
{
	struct uring_answer a = { 0 };
	enum uring_verdict v;
	int events;

	if (current_thread()->worker && (atomic_load(&current_thread()->work) & WORK_EXIT))
		return complete(q, -ECANCELED, 0);
	start_guard(q);
	for (;;) {
		v = uring_execute(q, may_sleep, &a);
		if (v == URING_DONE && wants_again(a.result)) {
			if (may_sleep && current_thread()->worker && !signal_worker_must_end())
				continue;
			a.result = -EINTR;
		}
		if (v == URING_WAIT) {
			uring_give_back(q);
			q->waited = true;
			events = uring_arm_poll(q, a.events);
			if (events > 0)
				continue; /* ready by now */
			if (events == 0)
				return NULL;
			a.result = events;
			v = URING_DONE;
		}
		break;
	}
	if (v == URING_DONE)
		return complete(q, a.result, a.flags);
	return v == URING_WORKER ? give_to_worker(q) : NULL;
}

void
uring_issue(struct uring_request *q, bool may_sleep)
{
	while (q)
		q = issue_one(q, may_sleep);
}

/* --- submitting ------------------------------------------------------------------------------- */

/* A whole chain begins, or waits for its turn. */
static void
start(struct uring_request *q)
{
	struct uring *u = q->ring;
	uint32_t chain = 0;
	bool wait;

	mutex_lock(&u->lock);
	wait = !list_is_empty(&u->drained) || ((q->sqe.flags & SQE_DRAIN) && u->inflight > 0);
	if (wait && uring_pool_staff_locked(q->pool) != 0)
		wait = false;
	for (struct uring_request *n = q; n; n = n->next)
		chain++;
	if (wait) {
		q->state = URING_DRAINED;
		list_add_tail(&u->drained, &q->drain_node);
		uring_enlist_locked(q);
	} else {
		u->inflight += chain;
	}
	mutex_unlock(&u->lock);
	if (!wait)
		uring_issue(q, false);
}

/* A whole chain, one of which was refused, is answered and not begun. */
static void
refuse(struct uring_request *head)
{
	struct uring *u = head->ring;
	struct list gone = LIST_INIT(gone);
	struct uring_request *next;

	mutex_lock(&u->lock);
	for (struct uring_request *q = head; q; q = next) {
		next = q->next;
		q->next = NULL;
		q->silent = q != head && (head->sqe.flags & SQE_SKIP_SUCCESS);
		u->inflight++;
		uring_answer_locked(q, q->refused ? q->refused : -ECANCELED, 0, &gone);
	}
	uring_timeouts_look_locked(u, &gone);
	drained_go_on_locked(u);
	mutex_unlock(&u->lock);
	uring_requests_free(&gone);
}

/* The next submission, copied: the program may write on. False: none is there. */
static bool
take_sqe(struct uring *u, struct uring_sqe *out, bool *bad)
{
	struct uring_header *h = uring_header(u);
	uint32_t index;

	assert_mutex_held(&u->submit_lock);
	if (u->sq_head == atomic_load(&h->sq_tail))
		return false;
	index = READ_ONCE(*uring_array_slot(u, u->sq_head));
	*bad = index >= u->sq_entries;
	if (*bad)
		atomic_add(&h->sq_dropped, 1);
	else
		uring_read_sqe(u, index, out);
	WRITE_ONCE(u->sq_head, u->sq_head + 1);
	atomic_store_release(&h->sq_head, u->sq_head);
	return true;
}

static struct uring_pool *
submit_begin(struct uring *u, int *error)
{
	struct uring_pool *pool = NULL;

	mutex_lock(&u->lock);
	if (u->flags & URING_DISABLED) {
		*error = -EBADFD;
	} else if ((u->flags & URING_SINGLE_ISSUER) && u->issuer &&
		   u->issuer != current_thread()->tid) {
		*error = -EEXIST;
	} else {
		u->issuer = current_thread()->tid;
		pool = uring_pool_find_locked(u);
		*error = pool ? 0 : -EAGAIN;
	}
	mutex_unlock(&u->lock);
	return pool;
}

long
uring_submit(struct uring *u, uint32_t count)
{
	struct uring_request *head = NULL, *tail = NULL, *q;
	struct uring_pool *pool;
	struct uring_sqe sqe;
	uint32_t taken = 0;
	bool bad = false, linked, refused = false, all = u->flags & URING_SUBMIT_ALL;
	int error = 0;

	count = MIN(count, u->sq_entries); /* a tail far off: not for ever */
	mutex_lock(&u->submit_lock);
	pool = submit_begin(u, &error);
	if (!pool) {
		mutex_unlock(&u->submit_lock);
		return error;
	}
	for (; taken < count && take_sqe(u, &sqe, &bad); taken++) {
		if (bad)
			continue;
		q = request_create(u, pool, &sqe);
		if (!q) {
			error = -EAGAIN;
			break;
		}
		q->refused = uring_check(&sqe);
		if (sqe.opcode == OP_LINK_TIMEOUT && (!tail || tail->sqe.opcode == OP_LINK_TIMEOUT))
			q->refused = -EINVAL; /* there is nothing that it could guard */
		refused |= q->refused != 0;
		linked = sqe.flags & (SQE_LINK | SQE_HARDLINK);
		if (tail)
			tail->next = q;
		else
			head = q;
		tail = q;
		if (linked)
			continue;
		all |= !q->refused;
		if (refused)
			refuse(head);
		else
			start(head);
		head = tail = NULL;
		refused = false;
		if (!all) { /* what stands behind a wrong one is left for the next time */
			taken++;
			break;
		}
		all = u->flags & URING_SUBMIT_ALL;
	}
	if (head && refused)
		refuse(head);
	else if (head) /* the chain ends with the submission */
		start(head);
	mutex_unlock(&u->submit_lock);
	return taken ? (long)taken : error;
}
