/* SPDX-License-Identifier: MIT */
/*
 * worker.c - who executes requests that could not be executed at once.
 *
 * A pool is the workers of one process for one ring. A worker that is about to do what may sleep for long first
 * sees to it that another one is idle: whatever a request waits for, and be it another request behind it in
 * the queue, somebody is there to do that. The number is bounded (WORKERS_MAX); past it requests wait.
 *
 * A pool ends when its ring is closed, or when its process ends or becomes another program. Its requests are
 * cancelled then, all but those being executed: these end by themselves, or with the thread that executes them.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/sched.h>
#include <tessera/slab.h>

#include "uring.h"

#define WORKERS_MAX 64u

/* All pools, so that the end of a process finds its own. */
static struct mutex pools_lock = MUTEX_INIT(pools_lock, URING_POOLS);

void
uring_pool_put(struct uring_pool *p)
{
	struct uring *u = p->ring;

	if (!ref_put(&p->refs))
		return;
	process_put(p->process);
	kfree(p);
	uring_put(u);
}

struct uring_pool *
uring_pool_find_locked(struct uring *u)
{
	struct process *self = current_process();
	struct uring_pool *p;

	assert_mutex_held(&u->lock);
	if (u->dead)
		return NULL;
	list_for_each (p, &u->pools, node)
		if (p->process == self)
			return p;
	p = kzalloc(sizeof(*p));
	if (!p)
		return NULL;
	ref_init(&p->refs);
	p->ring = u;
	uring_get(u);
	p->process = self;
	process_get(self);
	spin_init(&p->queue_lock, LOCK_LEAF);
	list_init(&p->queue);
	wait_queue_init(&p->wait);
	list_add_tail(&u->pools, &p->node);
	ref_get(&p->refs); /* of the process's list */
	mutex_lock(&pools_lock);
	list_add_tail(&self->uring_pools, &p->process_node);
	mutex_unlock(&pools_lock);
	return p;
}

void
uring_pool_end_locked(struct uring_pool *p)
{
	assert_mutex_held(&p->ring->lock);
	if (p->ended)
		return;
	list_del_init(&p->node);
	atomic_store(&p->ended, true);
	wake_all(&p->wait);
	mutex_lock(&pools_lock);
	list_del_init(&p->process_node);
	mutex_unlock(&pools_lock);
	uring_pool_put(p); /* the process's list; the ring's goes with the caller's next step */
	uring_pool_put(p);
}

/* --- work ------------------------------------------------------------------------------------- */

static bool
has_work(struct uring_pool *p)
{
	return !list_is_empty(&p->queue) || atomic_load(&p->ended);
}

/* The next request of the queue, which is locked by the ring's lock against being ended meanwhile. */
static struct uring_request *
take_locked(struct uring_pool *p)
{
	uint64_t flags = spin_lock_irq(&p->queue_lock);
	struct uring_request *q = list_first(&p->queue, struct uring_request, queue_node);

	if (q) {
		list_del_init(&q->queue_node);
		q->queued = false;
	}
	spin_unlock_irq(&p->queue_lock, flags);
	return q;
}

/* As whoever submitted it. */
static void
execute(struct uring_request *q)
{
	struct thread *t = current_thread();
	const struct cred *own = t->cred, *other = q->cred;
	struct process *p = t->process;

	cred_get((struct cred *)other);
	spin_lock(&p->lock);
	t->cred = other;
	spin_unlock(&p->lock);
	uring_issue(q, true);
	spin_lock(&p->lock);
	t->cred = own;
	spin_unlock(&p->lock);
	cred_put((struct cred *)other);
}

static void
work(struct uring_pool *p)
{
	struct uring *u = p->ring;
	struct list gone = LIST_INIT(gone);
	struct uring_request *q, *next = NULL;
	bool own = false;

	mutex_lock(&u->lock);
	q = take_locked(p);
	if (q && q->state == URING_STATE_ARMED) {
		uring_fired_locked(q, &gone, &next);
	} else if (q && q->state == URING_QUEUED) {
		q->state = URING_ISSUED;
		own = true;
	}
	if (own || next) {
		p->idle--;
		(void)uring_pool_staff_locked(p);
	}
	mutex_unlock(&u->lock);
	uring_requests_free(&gone);
	if (own)
		execute(q);
	if (next)
		execute(next);
	if (own || next) {
		mutex_lock(&u->lock);
		p->idle++;
		mutex_unlock(&u->lock);
	}
}

static void
worker_main(void *arg)
{
	struct uring_pool *p = arg;
	struct uring *u = p->ring;

	while (!atomic_load(&p->ended) && !signal_worker_must_end()) {
		(void)wait_event_interruptible(&p->wait, has_work(p));
		if (!list_is_empty(&p->queue))
			work(p);
	}
	mutex_lock(&u->lock);
	p->idle--;
	p->workers--;
	mutex_unlock(&u->lock);
	uring_pool_put(p);
	process_worker_exit();
}

int
uring_pool_staff_locked(struct uring_pool *p)
{
	int error;

	assert_mutex_held(&p->ring->lock);
	if (p->idle > 0)
		return 0;
	if (p->workers >= WORKERS_MAX)
		return 0; /* one of them will come to it */
	ref_get(&p->refs);
	error = process_add_worker("iou-wrk", worker_main, p);
	if (error) {
		(void)ref_put(&p->refs); /* not the last: the ring's list has one */
		return p->workers ? 0 : error;
	}
	p->workers++;
	p->idle++;
	return 0;
}

/* --- the end of a program --------------------------------------------------------------------- */

/* The first pool of `p`, with a reference to its ring and itself. */
static struct uring_pool *
first_pool(struct process *p)
{
	struct uring_pool *pool;

	mutex_lock(&pools_lock);
	pool = list_first(&p->uring_pools, struct uring_pool, process_node);
	if (pool)
		ref_get(&pool->refs);
	mutex_unlock(&pools_lock);
	return pool;
}

void
uring_process_end(struct process *p)
{
	struct uring_pool *pool;

	while ((pool = first_pool(p)) != NULL) {
		struct uring *u = pool->ring;
		struct list gone = LIST_INIT(gone);

		mutex_lock(&u->lock);
		uring_cancel_all_locked(u, pool, &gone);
		uring_pool_end_locked(pool);
		mutex_unlock(&u->lock);
		uring_requests_free(&gone);
		uring_pool_put(pool);
	}
}
