/* SPDX-License-Identifier: MIT */
/*
 * tcp_listen.c - listeners, those who wait to be accepted there, and those who wait for room. listen(2), accept(2).
 *
 * A listener has room for backlog + 1 children. Who finds none waits at it in SYN_SENT, as one whose SYN is dropped
 * does, and is joined by the accept that makes room; after two minutes it gives up.
 *
 * With TCP_DEFER_ACCEPT a child is held until there is something to read of it, or for the seconds that the option
 * says. So many as the backlog says are; more are not, so that those who say nothing keep out nobody: as Linux does when it
 * answers with cookies.
 */
#include <tessera/async.h>
#include <tessera/errno.h>
#include <tessera/poll.h>
#include <tessera/string.h>

#include "../door/door.h"
#include "tcp.h"

/* --- listening ----------------------------------------------------------------------------------- */

int
tcp_listen(struct socket *s, uint32_t backlog)
{
	struct tcp_socket *t = tcp_of(s);
	struct inet_socket *i = &t->inet;
	struct network *n = network_of(s);
	int error = 0;

	mutex_lock(&s->lock);
	if (s->state == SOCKET_CONNECTED || s->state == SOCKET_CONNECTING ||
	    (t->state != TCP_LISTEN && (t->state != TCP_CLOSED || !tcp_is_free(t))))
		error = -EINVAL;
	else
		t->backlog = backlog;
	if (!error && t->state == TCP_LISTEN)
		tcp_wire_backlog(t);
	if (!error && t->state == TCP_CLOSED) {
		if (!i->port.local.port)
			error = port_take(n, &i->port, &(struct endpoint){ .address = i->local.address });
		if (!error)
			error = port_listen(n, &i->port);
		if (!error)
			i->local.port = i->port.local.port;
		if (!error && door_serves(n) && !ip_address_is_loopback(&i->local.address))
			error = tcp_wire_listen(t);
		if (error)
			port_unlisten(n, &i->port);
		if (!error) {
			t->state = TCP_LISTEN;
			s->state = SOCKET_LISTENING;
			WRITE_ONCE(s->shutdown, 0);
		}
	}
	mutex_unlock(&s->lock);
	return error;
}

/* The first of a queue of `l`, off it, with the queue's reference. */
static struct tcp_socket *
take_first(struct tcp_socket *l, struct list *queue)
{
	struct tcp_socket *t;

	mutex_lock(&l->inet.socket.lock);
	t = list_first(queue, struct tcp_socket, queue_node);
	if (t) {
		list_del_init(&t->queue_node);
		if (queue == &l->pending) {
			l->pending_count--;
			tcp_wire_backlog(l);
		}
	}
	mutex_unlock(&l->inet.socket.lock);
	return t;
}

/* --- joining two ends ---------------------------------------------------------------------------- */

static uint32_t
ring_limit(const struct tcp_socket *from, const struct tcp_socket *to)
{
	const struct socket *a = &from->inet.socket, *b = &to->inet.socket;
	uint32_t out = READ_ONCE(a->buffer_lock) & SOCKET_SEND_LOCKED ? READ_ONCE(a->send_limit) / 2 : TCP_BUFFER;
	uint32_t in = READ_ONCE(b->buffer_lock) & SOCKET_RECEIVE_LOCKED ? READ_ONCE(b->receive_limit) / 2 : TCP_BUFFER;

	return out + in;
}

void
tcp_fit_ring(struct tcp_socket *to, const struct tcp_socket *from)
{
	mutex_lock(&to->inet.socket.lock);
	if (to->peer == from)
		byte_ring_set_limit(&to->ring, ring_limit(from, to));
	mutex_unlock(&to->inet.socket.lock);
}

void
tcp_inherit(struct tcp_socket *child, const struct tcp_socket *l)
{
	struct socket *s = &child->inet.socket;
	const struct socket *from = &l->inet.socket;

	s->options = READ_ONCE(from->options);
	s->send_limit = READ_ONCE(from->send_limit);
	s->receive_limit = READ_ONCE(from->receive_limit);
	s->buffer_lock = READ_ONCE(from->buffer_lock);
	s->low_water = READ_ONCE(from->low_water);
	s->priority = READ_ONCE(from->priority);
	s->linger = READ_ONCE(from->linger);
	s->mark = READ_ONCE(from->mark);
	s->send_timeout = READ_ONCE(from->send_timeout);
	s->receive_timeout = READ_ONCE(from->receive_timeout);
	child->inet.device = READ_ONCE(l->inet.device);
	child->inet.only_v6 = READ_ONCE(l->inet.only_v6);
	memcpy(child->inet.option, l->inet.option, sizeof(child->inet.option));
	memcpy(child->option, l->option, sizeof(child->option));
	child->option[TCP_OPTION_DEFER_ACCEPT] = 0;
}

/*
 * The complete `child` is to be accepted at `l`, or held by it. Both locks are held. Takes over a reference to the child.
 * True: somebody may accept it now.
 */
static bool
enqueue(struct tcp_socket *l, struct tcp_socket *child)
{
	int32_t seconds = READ_ONCE(l->option[TCP_OPTION_DEFER_ACCEPT]);

	if (seconds == 0 || l->deferred_count >= l->backlog) {
		list_add_tail(&l->pending, &child->queue_node);
		l->pending_count++;
		tcp_wire_backlog(l);
		return true;
	}
	tcp_get(l);
	child->listener = l;
	list_add_tail(&l->deferred, &child->queue_node);
	l->deferred_count++;
	atomic_store(&child->held, true);
	tcp_get(child);
	continuation_run_when(&child->give_up, NULL, deadline_after((uint64_t)seconds * NSEC_PER_SEC));
	return false;
}

/*
 * `t` is on no queue of `l` any more, and has its reference to it. Both locks are held. True: its time does not run any more,
 * before it may wait once more; the reference is the caller's.
 */
static bool
dequeue(struct tcp_socket *l, struct tcp_socket *t)
{
	list_del_init(&t->queue_node);
	t->listener = NULL;
	if (t->held)
		l->deferred_count--;
	atomic_store(&t->held, false);
	return continuation_cancel(&t->give_up);
}

/*
 * Make `t`, in SYN_SENT, and the fresh `child` two ends of a connection, and queue the child at `l`. The locks of l and t are
 * held; the child is nobody else's yet. Takes over the caller's reference to the child, which becomes the queue's. True:
 * the child may be accepted.
 */
static bool
join(struct tcp_socket *l, struct tcp_socket *t, struct tcp_socket *child)
{
	struct network *n = network_of(&t->inet.socket);
	bool told;

	tcp_inherit(child, l);
	child->inet.local = t->inet.remote;
	child->inet.remote = t->inet.local;
	port_take_accepted(n, &child->inet.port, &l->inet.port, &child->inet.local, &child->inet.remote);
	byte_ring_init(&child->ring, ring_limit(t, child));
	byte_ring_init(&t->ring, ring_limit(child, t));
	tcp_get(t);
	child->peer = t;
	child->state = TCP_ESTABLISHED;
	child->inet.socket.state = SOCKET_CONNECTED;
	network_add(n, TCP_PASSIVE_OPENS, 1);

	/* Before `t` can send: what it sends finds the child held, or accepted. */
	tcp_get(child);
	told = enqueue(l, child);
	t->peer = child;
	t->state = TCP_ESTABLISHED;
	return told;
}

static void
tell_of_child(struct tcp_socket *l)
{
	wake_poll_one(&l->inet.socket.read_wait, POLLIN | POLLRDNORM);
	async_tell(&l->inet.socket.async, ASYNC_IN);
}

static void
tell_of_connection(struct tcp_socket *t)
{
	wake_poll(&t->inet.socket.write_wait, POLLOUT | POLLWRNORM);
	async_tell(&t->inet.socket.async, ASYNC_OUT);
}

static bool
is_full(const struct tcp_socket *l)
{
	return l->pending_count > l->backlog;
}

int
tcp_queue_child(struct tcp_socket *l, struct tcp_socket *child)
{
	bool told = false;
	int error = 0;

	mutex_lock(&l->inet.socket.lock);
	mutex_lock_nested(&child->inet.socket.lock);
	if (l->state != TCP_LISTEN)
		error = -ECONNREFUSED;
	else if (is_full(l))
		error = -EAGAIN;
	if (!error) {
		port_take_accepted(network_of(&l->inet.socket), &child->inet.port, &l->inet.port, &child->inet.local,
				   &child->inet.remote);
		child->state = TCP_ESTABLISHED;
		child->inet.socket.state = SOCKET_CONNECTED;
		network_add(network_of(&l->inet.socket), TCP_PASSIVE_OPENS, 1);
		told = enqueue(l, child);
	}
	mutex_unlock(&child->inet.socket.lock);
	mutex_unlock(&l->inet.socket.lock);
	if (told)
		tell_of_child(l);
	return error;
}

/* --- waiting for room at a listener --------------------------------------------------------------- */

/*
 * Does `t`, whose lock is held, want somebody of this machine, and waits at no listener? Another thread may have disconnected it,
 * or connected it anew and elsewhere, since it began.
 */
static bool
is_knocking(const struct tcp_socket *t)
{
	return t->state == TCP_SYN_SENT && tcp_is_free(t);
}

/* The first of a queue of `l`, with a reference of the caller's; NULL. */
static struct tcp_socket *
first_of(struct tcp_socket *l, struct list *queue)
{
	struct tcp_socket *t;

	mutex_lock(&l->inet.socket.lock);
	t = list_first(queue, struct tcp_socket, queue_node);
	if (t)
		tcp_get(t);
	mutex_unlock(&l->inet.socket.lock);
	return t;
}

/* If there is room at `l`, the one that has waited longest is joined. False: that waits no more, and another one may. */
static bool
admit_one(struct tcp_socket *l)
{
	struct tcp_socket *t = first_of(l, &l->waiting), *child = t ? tcp_create_child(&l->inet) : NULL;
	bool room, waits, told = false, cancelled = false, joined = false;

	if (!child) {
		if (t)
			tcp_put(t);
		return true;
	}
	socket_lock_two(&l->inet.socket, &t->inet.socket);
	room = l->state == TCP_LISTEN && !is_full(l);
	waits = t->listener == l && !t->held;
	if (room && waits) {
		cancelled = dequeue(l, t);
		joined = is_knocking(t); /* it is not where it is being disconnected */
		if (joined)
			told = join(l, t, child);
	}
	socket_unlock_two(&l->inet.socket, &t->inet.socket);
	if (!joined)
		tcp_put(child);
	if (told)
		tell_of_child(l);
	if (joined)
		tell_of_connection(t);
	if (room && waits) {
		tcp_put(l); /* t's reference to its listener */
		tcp_put(t); /* the queue's */
	}
	if (cancelled)
		tcp_put(t);
	tcp_put(t);
	return joined || !room;
}

/* The listener at which `t` waits, or is held, with a reference; NULL: none. */
static struct tcp_socket *
listener_of(struct tcp_socket *t)
{
	struct tcp_socket *l;

	mutex_lock(&t->inet.socket.lock);
	l = t->listener;
	if (l)
		tcp_get(l);
	mutex_unlock(&t->inet.socket.lock);
	return l;
}

void
tcp_stop_waiting(struct tcp_socket *t)
{
	struct tcp_socket *l = listener_of(t);
	bool waited, cancelled = false;

	if (!l)
		return;
	socket_lock_two(&l->inet.socket, &t->inet.socket);
	waited = t->listener == l;
	if (waited)
		cancelled = dequeue(l, t);
	socket_unlock_two(&l->inet.socket, &t->inet.socket);
	if (waited) {
		if (cancelled)
			tcp_put(t);
		tcp_put(t); /* the queue's */
		tcp_put(l);
	}
	tcp_put(l);
}

void
tcp_admit_held(struct tcp_socket *t)
{
	struct tcp_socket *l = READ_ONCE(t->held) ? listener_of(t) : NULL;
	bool held, cancelled = false;

	if (!l)
		return;
	socket_lock_two(&l->inet.socket, &t->inet.socket);
	held = t->listener == l && t->held;
	if (held) {
		cancelled = dequeue(l, t);
		list_add_tail(&l->pending, &t->queue_node); /* beyond the backlog, if need be */
		l->pending_count++;
		tcp_wire_backlog(l);
	}
	socket_unlock_two(&l->inet.socket, &t->inet.socket);
	if (held) {
		tell_of_child(l);
		if (cancelled)
			tcp_put(t);
		tcp_put(l);
	}
	tcp_put(l);
}

/* Two minutes are over; or who is held has been for so long as the listener wants. */
static void
give_up(struct continuation *c)
{
	struct tcp_socket *t = container_of(c, struct tcp_socket, give_up);
	struct socket *s = &t->inet.socket;
	bool waits;

	tcp_admit_held(t);
	tcp_stop_waiting(t);
	mutex_lock(&s->lock);
	waits = is_knocking(t);
	if (waits) {
		atomic_store(&s->error, ETIMEDOUT);
		tcp_closed(t);
	}
	mutex_unlock(&s->lock);
	if (waits)
		tcp_wake(t);
	tcp_put(t);
}

void
tcp_connect_init(struct tcp_socket *t)
{
	continuation_init(&t->give_up, give_up);
}

void
tcp_listen_end(struct tcp_socket *l)
{
	struct socket *s = &l->inet.socket;
	struct tcp_socket *t;

	mutex_lock(&s->lock);
	if (l->state != TCP_LISTEN) {
		mutex_unlock(&s->lock);
		return;
	}
	tcp_wire_listen_end(l);
	tcp_closed(l);
	s->state = SOCKET_UNCONNECTED;
	mutex_unlock(&s->lock);
	port_unlisten(network_of(s), &l->inet.port);
	while ((t = first_of(l, &l->waiting)) != NULL) {
		tcp_stop_waiting(t);
		tcp_was_reset(t);
		tcp_put(t);
	}
	while ((t = first_of(l, &l->deferred)) != NULL) {
		tcp_disconnect(t);
		tcp_put(t);
	}
	while ((t = take_first(l, &l->pending)) != NULL) {
		tcp_disconnect(t);
		tcp_put(t);
	}
	tcp_wake(l);
}

void
tcp_meet(struct tcp_socket *t, struct tcp_socket *l, struct tcp_socket *child)
{
	bool listens, joined = false, waits = false, told = false;

	socket_lock_two(&l->inet.socket, &t->inet.socket);
	listens = l->state == TCP_LISTEN;
	if (listens && is_knocking(t)) {
		joined = !is_full(l);
		waits = !joined;
	}
	if (joined) {
		told = join(l, t, child);
	} else if (waits) {
		tcp_get(l);
		t->listener = l;
		tcp_get(t);
		list_add_tail(&l->waiting, &t->queue_node);
		tcp_get(t);
		continuation_run_when(&t->give_up, NULL, deadline_after(TCP_CONNECT_NS));
	}
	socket_unlock_two(&l->inet.socket, &t->inet.socket);
	if (!joined)
		tcp_put(child);
	if (told)
		tell_of_child(l);
	if (joined)
		tell_of_connection(t);
	else if (!listens)
		tcp_was_reset(t);
}

void
tcp_meet_itself(struct tcp_socket *t)
{
	mutex_lock(&t->inet.socket.lock);
	if (is_knocking(t)) {
		byte_ring_init(&t->ring, ring_limit(t, t));
		tcp_get(t);
		t->peer = t;
		t->state = TCP_ESTABLISHED;
	}
	mutex_unlock(&t->inet.socket.lock);
	tell_of_connection(t);
}

/* --- accepting ------------------------------------------------------------------------------------ */

int
tcp_accept(struct socket *s, uint32_t flags, struct socket **out)
{
	struct tcp_socket *t = tcp_of(s), *child;
	deadline_t until = socket_deadline(s->receive_timeout, flags);
	int error;

	for (;;) {
		if (READ_ONCE(t->state) != TCP_LISTEN)
			return -EINVAL;
		child = take_first(t, &t->pending);
		if (child)
			break;
		if (until == 0)
			return -EAGAIN;
		/* tell_of_child() wakes one: a child is one's. */
		error = wait_event_exclusive(&s->read_wait,
					     !list_is_empty(&t->pending) || READ_ONCE(t->state) != TCP_LISTEN,
					     WAIT_INTERRUPTIBLE, until);
		if (error == -ETIMEDOUT)
			until = 0;
		else if (error)
			return socket_wait_error(error, until);
	}
	while (!list_is_empty(&t->waiting) && !admit_one(t))
		;
	*out = &child->inet.socket;
	return 0;
}
