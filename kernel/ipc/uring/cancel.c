/* SPDX-License-Identifier: MIT */
/*
 * cancel.c - finding requests, and ending them before their time.
 *
 * Requests are found by their user data through a table, so that each of very many is cancelled in little time.
 *
 * One that is being executed is told to stop: it ends when it would wait again. For one that is answered again and
 * again that is as good as cancelled; for others their result may come all the same, and -EALREADY is the answer.
 */
#include <tessera/errno.h>

#include "uring.h"

struct uring_request *
uring_find_locked(struct uring *u, uint64_t user_data, int opcode)
{
	struct uring_request *q;

	list_for_each (q, &u->by_data[hash_u64(user_data) & u->hash_mask], hash_node)
		if (q->sqe.user_data == user_data && q->sqe.opcode == opcode)
			return q;
	return NULL;
}

static bool
matches(const struct uring_request *q, const struct uring_match *m)
{
	if (m->only >= 0 && q->sqe.opcode != m->only)
		return false;
	if (m->never >= 0 && q->sqe.opcode == m->never)
		return false;
	if (m->file)
		return q->file == m->file;
	return m->any || q->sqe.user_data == m->user_data;
}

static void
cancel_locked(struct uring_request *q, struct list *gone)
{
	if (q->state == URING_DRAINED) {
		for (struct uring_request *n = q; n; n = n->next)
			q->ring->inflight++; /* it had not begun */
	}
	uring_complete_locked(q, -ECANCELED, 0, gone, NULL);
}

/* q, which is being executed, is to end. Will it do so by an answer of its own? */
static bool
stop_locked(struct uring_request *q)
{
	bool first = !q->stop;

	q->stop = true;
	return first && q->repeats;
}

/* The first that matches, when the user data decide; *issued: ... which is being executed. */
static struct uring_request *
find_one_locked(struct uring_request *self, const struct uring_match *m, bool *issued)
{
	struct uring *u = self->ring;
	struct uring_request *q;

	list_for_each (q, &u->by_data[hash_u64(m->user_data) & u->hash_mask], hash_node) {
		if (q == self || q->guarded || !matches(q, m))
			continue;
		*issued = q->state == URING_ISSUED;
		return q;
	}
	return NULL;
}

/* What the walk over all requests is to end. */
struct sweep {
	const struct uring_request *self; /* not this one; NULL: any */
	const struct uring_match *match;  /* NULL: all */
	const struct uring_pool *pool;    /* NULL: of any */
	bool first;                       /* only the first */
	bool issued;                      /* out: one of them is being executed */
};

static bool
is_swept(const struct uring_request *q, const struct sweep *s)
{
	if (q == s->self || (s->pool && q->pool != s->pool))
		return false;
	return !s->match || (!q->guarded && matches(q, s->match));
}

/* Each request is looked at once, though ending one may end others or set others going. How many were ended. */
static int
sweep_locked(struct uring *u, struct sweep *s, struct list *gone)
{
	struct list todo = LIST_INIT(todo);
	int count = 0;

	list_splice_tail(&todo, &u->requests);
	while (!list_is_empty(&todo)) {
		struct uring_request *q = list_first(&todo, struct uring_request, node);

		list_del(&q->node);
		list_add_tail(&u->requests, &q->node);
		if ((s->first && count) || !is_swept(q, s))
			continue;
		if (q->state == URING_ISSUED) {
			s->issued = true;
			if (s->match && stop_locked(q))
				count++;
			continue;
		}
		if (!s->match)
			q->sqe.flags &= (uint8_t)~SQE_HARDLINK; /* nothing follows */
		cancel_locked(q, gone);
		count++;
	}
	return count;
}

int
uring_cancel(struct uring_request *self, const struct uring_match *m)
{
	struct sweep s = { .self = self, .match = m, .first = !m->all };
	struct uring *u = self->ring;
	struct list gone = LIST_INIT(gone);
	struct uring_request *q;
	int count;

	mutex_lock(&u->lock);
	if (m->all || m->any || m->file) {
		count = sweep_locked(u, &s, &gone);
	} else {
		q = find_one_locked(self, m, &s.issued);
		count = q && (!s.issued || stop_locked(q));
		if (q && !s.issued)
			cancel_locked(q, &gone);
	}
	mutex_unlock(&u->lock);
	uring_requests_free(&gone);
	if (count)
		return m->all ? count : 0;
	return s.issued ? -EALREADY : -ENOENT;
}

void
uring_cancel_all_locked(struct uring *u, struct uring_pool *pool, struct list *gone)
{
	struct sweep s = { .pool = pool };

	/* What ends may set others going, which stand behind. */
	while (sweep_locked(u, &s, gone) > 0)
		;
}
