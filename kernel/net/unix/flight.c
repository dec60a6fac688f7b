/* SPDX-License-Identifier: MIT */
/*
 * flight.c - sockets that travel in messages, and those of them that nobody can ever receive.
 *
 * A file in a message is held by the message. If it is a socket, its queue may hold messages that carry
 * files in turn, even itself: such a knot keeps itself alive when the last handle is closed. It is
 * found by counting, whenever a socket is released while any is in flight; so a knot alone waits for the
 * next socket to go, as on Linux:
 *
 *   1. Candidates are the sockets in flight to which nothing but messages refers: their files have as many
 *      references as there are messages that carry them.
 *   2. For each, count how many of those messages lie in queues of candidates (`inside`).
 *   3. A candidate with a message elsewhere can be reached, and so can what its queue holds, and so on.
 *   4. The messages in the queues of the rest are dropped, which closes them.
 *
 * Why the counts hold still: whoever takes files out of a message, or copies the references of one, does it
 * under flight_lock, which is held throughout. A message between unix_flight_begin() and its queue lies in
 * no candidate's queue, so its files count as reachable. A candidate cannot be received from meanwhile:
 * that takes a handle or a call in progress, and each has a reference.
 *
 * Locks: flight_lock (SOCKET_FLIGHT), then a candidate's socket.lock, then, nested, that of a connection
 * pending at it.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/list.h>
#include <tessera/process.h>
#include <tessera/slab.h>

#include "unix.h"

/* How many files a user has in messages. */
struct flying_user {
	struct list node;
	uid_t uid;
	uint64_t files;
};

static struct mutex flight_lock = MUTEX_INIT(flight_lock, SOCKET_FLIGHT);
static struct list flying = LIST_INIT(flying); /* flight_lock: struct unix_socket.flight_node */
static struct list users = LIST_INIT(users);   /* flight_lock */

static struct unix_socket *
unix_socket_of(struct file *f)
{
	struct socket *s = file_socket(f);

	return s && s->family == AF_UNIX ? unix_of(s) : NULL;
}

static struct flying_user *
find_user(uid_t uid)
{
	struct flying_user *user;

	list_for_each (user, &users, node)
		if (user->uid == uid)
			return user;
	return NULL;
}

/* Count n files of a user. 0, -ETOOMANYREFS, -ENOMEM. flight_lock held. */
static int
charge_user(uid_t uid, uint32_t n)
{
	struct flying_user *user = find_user(uid);

	if (!user) {
		user = kzalloc(sizeof(*user));
		if (!user)
			return -ENOMEM;
		user->uid = uid;
		list_add(&users, &user->node);
	}
	if (user->files > process_limit(current_process(), RLIMIT_NOFILE) && !capable(CAP_SYS_RESOURCE) &&
	    !capable(CAP_SYS_ADMIN))
		return -ETOOMANYREFS;
	user->files += n;
	return 0;
}

static void
uncharge_user(uid_t uid, uint32_t n)
{
	struct flying_user *user = find_user(uid);

	user->files -= n;
	if (user->files == 0) {
		list_del(&user->node);
		kfree(user);
	}
}

int
unix_flight_begin(struct socket_rights *r)
{
	int error;

	mutex_lock(&flight_lock);
	error = charge_user(r->sender, r->count);
	for (uint32_t i = 0; !error && i < r->count; i++) {
		struct unix_socket *u = unix_socket_of(r->entry[i].file);

		if (u && u->in_flight++ == 0)
			list_add_tail(&flying, &u->flight_node);
	}
	mutex_unlock(&flight_lock);
	return error;
}

void
unix_flight_end(struct socket_rights *r)
{
	mutex_lock(&flight_lock);
	uncharge_user(r->sender, r->count);
	for (uint32_t i = 0; i < r->count; i++) {
		struct unix_socket *u = unix_socket_of(r->entry[i].file);

		if (u && --u->in_flight == 0)
			list_del_init(&u->flight_node);
	}
	mutex_unlock(&flight_lock);
}

struct socket_rights *
unix_flight_copy(const struct socket_rights *r)
{
	struct socket_rights *copy = kmemdup(r, sizeof(*r));

	if (!copy)
		return NULL;
	mutex_lock(&flight_lock);
	for (uint32_t i = 0; i < copy->count; i++)
		file_get(copy->entry[i].file);
	mutex_unlock(&flight_lock);
	return copy;
}

/* --- the search --------------------------------------------------------------------------------- */

static void
each_socket_in(struct list *messages, void (*fn)(struct unix_socket *carried, void *ctx), void *ctx)
{
	struct unix_message *m;

	list_for_each (m, messages, node)
		for (uint32_t i = 0; m->rights && i < m->rights->count; i++) {
			struct unix_socket *carried = unix_socket_of(m->rights->entry[i].file);

			if (carried && carried->candidate)
				fn(carried, ctx);
		}
}

/* Call fn for each candidate in a message that waits at `u`, or at a connection pending at `u`. */
static void
each_socket_at(struct unix_socket *u, void (*fn)(struct unix_socket *carried, void *ctx), void *ctx)
{
	struct unix_socket *e;

	mutex_lock(&u->socket.lock);
	each_socket_in(&u->messages, fn, ctx);
	list_for_each (e, &u->pending, pending_node) {
		mutex_lock_nested(&e->socket.lock);
		each_socket_in(&e->messages, fn, ctx);
		mutex_unlock(&e->socket.lock);
	}
	mutex_unlock(&u->socket.lock);
}

static void
count_inside(struct unix_socket *carried, void *ctx)
{
	carried->inside++;
}

/* It can be received: no candidate any more, and its own queue is yet to be looked at. */
static void
reach(struct unix_socket *carried, void *ctx)
{
	struct list *work = ctx;

	carried->candidate = false;
	list_add_tail(work, &carried->work_node);
}

static void
take_messages(struct unix_socket *u, struct list *out)
{
	struct unix_socket *e;

	mutex_lock(&u->socket.lock);
	list_splice_tail(out, &u->messages);
	u->urgent = NULL;
	if (list_is_empty(&u->pending))
		u->queue_length = 0;
	list_for_each (e, &u->pending, pending_node) {
		mutex_lock_nested(&e->socket.lock);
		list_splice_tail(out, &e->messages);
		e->urgent = NULL;
		e->queue_length = 0;
		mutex_unlock(&e->socket.lock);
	}
	mutex_unlock(&u->socket.lock);
}

/* Steps 1 to 3: what is a candidate afterwards is garbage. */
static void
mark(void)
{
	struct list work = LIST_INIT(work);
	struct unix_socket *u;

	list_for_each (u, &flying, flight_node) {
		u->candidate = ref_count(&u->socket.file->refs) == u->in_flight;
		u->inside = 0;
	}
	list_for_each (u, &flying, flight_node)
		if (u->candidate)
			each_socket_at(u, count_inside, NULL);
	list_for_each (u, &flying, flight_node)
		if (u->candidate && u->inside < u->in_flight)
			reach(u, &work);
	while ((u = list_first(&work, struct unix_socket, work_node)) != NULL) {
		list_del_init(&u->work_node);
		each_socket_at(u, reach, &work);
	}
}

void
unix_flight_collect(void)
{
	struct list garbage = LIST_INIT(garbage);
	struct unix_socket *u;

	if (list_is_empty(&flying))
		return;
	mutex_lock(&flight_lock);
	mark();
	list_for_each (u, &flying, flight_node)
		if (u->candidate)
			take_messages(u, &garbage);
	mutex_unlock(&flight_lock);
	unix_messages_free(&garbage);
}
