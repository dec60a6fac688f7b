/* SPDX-License-Identifier: MIT */
/*
 * msg.c - System V message queues.
 *
 * A message goes straight to the oldest receiver that waits for its kind, else to the end of the queue if that
 * has room, else its sender waits. Receivers and senders sleep on stack entries and are ended as semaphores'
 * waiters are (sem.c, (1) to (4)): off the list and told under the queue's lock, which the sleeper takes once
 * more before it looks.
 *
 * A receiver is told a message that is its own, or an errno; -EAGAIN means: look at the queue again, its owner
 * or limits have changed. A sender is only told to try again, in turn: each message taken out wakes those at
 * the front who fit in.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "sysv.h"

/* [l] the head's lock */
struct msg_queue {
	struct ipc_object ipc;
	int64_t sent, received, changed; /* [l] */
	uint64_t bytes, count, bytes_max; /* [l] */
	pid_t last_sender, last_receiver; /* [l] */
	struct list messages;            /* [l] struct message, oldest first */
	struct list receivers;           /* [l] struct receiver, oldest first */
	struct list senders;             /* [l] struct sender, oldest first */
};

enum match { MATCH_ANY, MATCH_EQUAL, MATCH_OTHER, MATCH_UP_TO, MATCH_NUMBER };

struct receiver {
	struct list node;                /* [l] */
	struct thread *thread;
	enum match match;
	int64_t type;
	size_t size;                     /* largest that it takes */
	struct message *result;          /* [a] NULL: waits */
};

struct sender {
	struct list node;                /* [l] */
	struct thread *thread;
	size_t size;
	int result;                      /* [a] 1: waits */
};

static struct msg_queue *
queue_of(struct ipc_object *o)
{
	return container_of(o, struct msg_queue, ipc);
}

struct message *
message_alloc(size_t size)
{
	struct message *m = kmalloc(sizeof(*m) + size, 0);

	if (m) {
		m->size = size;
		list_init(&m->node);
	}
	return m;
}

void
message_free(struct message *m)
{
	kfree(m);
}

/* --- sleeping --------------------------------------------------------------------------------- */

static void
receiver_end(struct receiver *r, struct message *result)
{
	struct thread *t = r->thread;

	list_del_init(&r->node);
	atomic_store(&r->result, result);
	thread_wake(t);
}

static void
receivers_end(struct msg_queue *q, int error)
{
	struct receiver *r, *next;

	list_for_each_safe (r, next, &q->receivers, node)
		receiver_end(r, ERR_PTR(error));
}

static void
sender_end(struct sender *s, int result)
{
	struct thread *t = s->thread;

	list_del_init(&s->node);
	atomic_store(&s->result, result);
	thread_wake(t);
}

static bool
fits(const struct msg_queue *q, size_t size)
{
	return size + q->bytes <= q->bytes_max && 1 + q->count <= q->bytes_max;
}

/* There may be room: those who fit, from the front, try again. */
static void
senders_wake(struct msg_queue *q)
{
	uint64_t bytes = 0, count = 0;
	struct sender *s, *next;

	list_for_each_safe (s, next, &q->senders, node) {
		if (s->size + q->bytes + bytes > q->bytes_max || 1 + q->count + count > q->bytes_max)
			break;
		bytes += s->size;
		count++;
		sender_end(s, 0);
	}
}

/* Queue locked before and after; 0, or -ERESTARTNOHAND: a signal. */
static int
sender_wait(struct msg_queue *q, struct sender *s)
{
	int error = 0, result;

	atomic_store(&s->result, 1);
	list_add_tail(&q->senders, &s->node);
	mutex_unlock(&q->ipc.lock);
	while (error == 0) {
		wait_prepare(WAIT_INTERRUPTIBLE);
		if (atomic_load(&s->result) != 1) {
			wait_finish();
			break;
		}
		error = wait_sleep(WAIT_INTERRUPTIBLE, DEADLINE_NEVER);
	}
	mutex_lock(&q->ipc.lock);
	result = atomic_load(&s->result);
	if (result != 1)
		return result;
	list_del_init(&s->node);
	return -ERESTARTNOHAND;
}

static struct message *
receiver_wait(struct msg_queue *q, struct receiver *r)
{
	struct message *m;
	int error = 0;

	atomic_store(&r->result, NULL);
	list_add_tail(&q->receivers, &r->node);
	mutex_unlock(&q->ipc.lock);
	while (error == 0) {
		wait_prepare(WAIT_INTERRUPTIBLE);
		if (atomic_load(&r->result)) {
			wait_finish();
			break;
		}
		error = wait_sleep(WAIT_INTERRUPTIBLE, DEADLINE_NEVER);
	}
	mutex_lock(&q->ipc.lock);
	m = atomic_load(&r->result);
	if (m)
		return m;
	list_del_init(&r->node);
	return ERR_PTR(-ERESTARTNOHAND);
}

/* --- sending ---------------------------------------------------------------------------------- */

static bool
matches(const struct message *m, enum match match, int64_t type)
{
	switch (match) {
	case MATCH_ANY:
	case MATCH_NUMBER:
		return true;
	case MATCH_UP_TO:
		return m->type <= type;
	case MATCH_EQUAL:
		return m->type == type;
	case MATCH_OTHER:
		return m->type != type;
	}
	return false;
}

/* Give it to the oldest who waits for such a one. Those for whom it is too long are told. */
static bool
hand_over(struct msg_queue *q, struct message *m)
{
	struct receiver *r, *next;

	list_for_each_safe (r, next, &q->receivers, node) {
		if (!matches(m, r->match, r->type))
			continue;
		if (r->size < m->size) {
			receiver_end(r, ERR_PTR(-E2BIG));
			continue;
		}
		q->last_receiver = r->thread->process->pid;
		q->received = ipc_now();
		receiver_end(r, m);
		return true;
	}
	return false;
}

int
msg_send(int id, struct message *m, uint32_t flags)
{
	struct sender s = { .thread = current_thread(), .size = m->size };
	int error;
	struct ipc_object *o = ipc_find(IPC_MSG, id, &error);
	struct msg_queue *q;

	if (!o)
		return error;
	q = queue_of(o);
	mutex_lock(&o->lock);
	for (;;) {
		error = ipc_permits(o, 0222) ? 0 : -EACCES;
		if (error == 0 && o->deleted)
			error = -EIDRM;
		if (error || fits(q, m->size))
			break;
		error = flags & IPC_NOWAIT ? -EAGAIN : sender_wait(q, &s);
		if (error)
			break;
	}
	if (error == 0) {
		q->last_sender = current_process()->pid;
		q->sent = ipc_now();
		if (!hand_over(q, m)) {
			list_add_tail(&q->messages, &m->node);
			q->bytes += m->size;
			q->count++;
			atomic_add(&o->ns->msg_bytes, m->size);
			atomic_add(&o->ns->msg_headers, 1);
		}
	}
	ipc_unlock_put(o);
	return error;
}

/* --- receiving -------------------------------------------------------------------------------- */

static enum match
match_of(int64_t *type, uint32_t flags)
{
	if (flags & MSG_COPY)
		return MATCH_NUMBER;
	if (*type == 0)
		return MATCH_ANY;
	if (*type < 0) {
		*type = *type == INT64_MIN ? INT64_MAX : -*type;
		return MATCH_UP_TO;
	}
	return flags & MSG_EXCEPT ? MATCH_OTHER : MATCH_EQUAL;
}

static struct message *
find_message(struct msg_queue *q, enum match match, int64_t type)
{
	struct message *m, *found = NULL;
	int64_t number = 0;

	list_for_each (m, &q->messages, node) {
		if (match == MATCH_NUMBER) {
			if (number++ == type)
				return m;
			continue;
		}
		if (!matches(m, match, type))
			continue;
		found = m;
		if (match != MATCH_UP_TO || m->type == 1)
			break;
		type = m->type - 1; /* a lower one, if there is one */
	}
	return found;
}

static void
take_out(struct msg_queue *q, struct message *m)
{
	list_del_init(&m->node);
	q->bytes -= m->size;
	q->count--;
	q->received = ipc_now();
	q->last_receiver = current_process()->pid;
	atomic_sub(&q->ipc.ns->msg_bytes, m->size);
	atomic_sub(&q->ipc.ns->msg_headers, 1);
	senders_wake(q);
}

/* MSG_COPY: the message stays. */
static struct message *
duplicate(const struct message *m, size_t size)
{
	struct message *copy;

	if (m->size > size)
		return ERR_PTR(-EINVAL);
	copy = message_alloc(m->size);
	if (!copy)
		return ERR_PTR(-ENOMEM);
	copy->type = m->type;
	memcpy(copy->data, m->data, m->size);
	return copy;
}

/* One look at the queue, which is locked: a message, an errno, or NULL: sleep. */
static struct message *
receive_now(struct msg_queue *q, enum match match, int64_t type, size_t size, uint32_t flags)
{
	struct message *m;

	if (!ipc_permits(&q->ipc, 0444))
		return ERR_PTR(-EACCES);
	if (q->ipc.deleted)
		return ERR_PTR(-EIDRM);
	m = find_message(q, match, type);
	if (!m)
		return flags & IPC_NOWAIT ? ERR_PTR(-ENOMSG) : NULL;
	if (size < m->size && !(flags & MSG_NOERROR))
		return ERR_PTR(-E2BIG);
	if (flags & MSG_COPY)
		return duplicate(m, size);
	take_out(q, m);
	return m;
}

struct message *
msg_receive(int id, size_t size, int64_t type, uint32_t flags)
{
	enum match match = match_of(&type, flags);
	struct receiver r = {
		.thread = current_thread(), .match = match, .type = type,
		.size = flags & MSG_NOERROR ? SIZE_MAX : size,
	};
	int error;
	struct ipc_object *o = ipc_find(IPC_MSG, id, &error);
	struct message *m;

	if (!o)
		return ERR_PTR(error);
	mutex_lock(&o->lock);
	do {
		m = receive_now(queue_of(o), match, type, size, flags);
		if (!m)
			m = receiver_wait(queue_of(o), &r);
	} while (m == ERR_PTR(-EAGAIN));
	ipc_unlock_put(o);
	return m;
}

/* --- queues ----------------------------------------------------------------------------------- */

static int
queue_create(struct ipc_namespace *ns, const struct ipc_request *r, struct ipc_object **out)
{
	struct msg_queue *q = kzalloc(sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->changed = ipc_now();
	q->bytes_max = atomic_load(&ns->msg_bytes_max);
	list_init(&q->messages);
	list_init(&q->receivers);
	list_init(&q->senders);
	*out = &q->ipc;
	return 0;
}

static uint32_t
queue_limit(const struct ipc_namespace *ns)
{
	return atomic_load(&ns->msg_count_max);
}

static int
queue_may_change(struct ipc_object *o, const struct ipc_change *c)
{
	bool more = c->bytes_max > atomic_load(&o->ns->msg_bytes_max);

	return more && !capable(CAP_SYS_RESOURCE) ? -EPERM : 0;
}

/* Who waits may not be allowed to any more, or may have room now. */
static void
queue_changed(struct ipc_object *o, const struct ipc_change *c)
{
	struct msg_queue *q = queue_of(o);
	struct sender *s, *next;

	q->bytes_max = c->bytes_max;
	q->changed = ipc_now();
	receivers_end(q, -EAGAIN);
	list_for_each_safe (s, next, &q->senders, node)
		sender_end(s, 0);
}

static void
queue_removed(struct ipc_object *o)
{
	struct msg_queue *q = queue_of(o);
	struct sender *s, *next;

	receivers_end(q, -EIDRM);
	list_for_each_safe (s, next, &q->senders, node)
		sender_end(s, 0); /* finds it removed */
	atomic_sub(&o->ns->msg_bytes, q->bytes);
	atomic_sub(&o->ns->msg_headers, q->count);
}

static void
queue_free(struct ipc_object *o)
{
	struct msg_queue *q = queue_of(o);
	struct message *m, *next;

	list_for_each_safe (m, next, &q->messages, node)
		message_free(m);
	kfree(q);
}

static void
queue_dump(const struct ipc_object *o)
{
	const struct msg_queue *q = container_of(o, const struct msg_queue, ipc);
	const struct receiver *r;
	const struct sender *s;

	pr_info("  %lu messages, %lu of %lu bytes\n", q->count, q->bytes, q->bytes_max);
	list_for_each (r, &q->receivers, node)
		pr_info("  receives: tid %d\n", r->thread->tid);
	list_for_each (s, &q->senders, node)
		pr_info("  sends: tid %d, %lu bytes\n", s->thread->tid, s->size);
}

const struct ipc_kind_ops msg_kind = {
	.name = "msg",
	.create = queue_create,
	.limit = queue_limit,
	.change = queue_may_change,
	.changed = queue_changed,
	.removed = queue_removed,
	.free = queue_free,
	.dump = queue_dump,
};

int
msg_get(int32_t key, uint32_t flags)
{
	struct ipc_request r = { .key = key, .flags = flags };

	return ipc_get(IPC_MSG, &r);
}

int
msg_status(int name, enum ipc_naming by, struct msg_status *out)
{
	int error;
	struct ipc_object *o = ipc_find_named_locked(IPC_MSG, name, by, &error);
	struct msg_queue *q;

	if (!o)
		return error;
	q = queue_of(o);
	*out = (struct msg_status){
		.sent = q->sent, .received = q->received, .changed = q->changed, .bytes = q->bytes,
		.count = q->count, .bytes_max = q->bytes_max, .last_sender = q->last_sender,
		.last_receiver = q->last_receiver,
	};
	ipc_status_fill(o, &out->ipc);
	ipc_unlock_put(o);
	return 0;
}
