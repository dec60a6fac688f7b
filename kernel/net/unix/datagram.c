/* SPDX-License-Identifier: MIT */
/*
 * datagram.c - AF_UNIX datagrams and sequenced packets.
 *
 * A message is sent and received whole. A datagram socket may name a default receiver by connect; that
 * changes nothing for the receiver, unless it does the same: then the two are a pair that nobody else
 * can send to, and that is bounded by the senders' limits alone. Packets travel between the two ends of a
 * connection made as a stream's.
 *
 * A datagram socket's peer changes under its own lock; the peer's room_wait has our relay while we are
 * not its peer as well, so that who polls us learns when its queue shrinks.
 */
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/poll.h>
#include <tessera/thread.h>

#include "unix.h"

/* --- connecting --------------------------------------------------------------------------------- */

/* A receiver that is connected hears only its peer. */
static bool
may_send(const struct unix_socket *from, const struct unix_socket *to)
{
	const struct unix_socket *peer = READ_ONCE(to->peer);

	return !peer || peer == from;
}

/* u's lock held. Returns the old peer with its reference. Takes over the reference to `peer`. */
static struct unix_socket *
change_peer(struct unix_socket *u, struct unix_socket *peer)
{
	struct unix_socket *old = u->peer;

	waiter_remove(&u->relay);
	WRITE_ONCE(u->peer, peer);
	u->socket.state = peer ? SOCKET_CONNECTED : SOCKET_UNCONNECTED;
	if (peer)
		waiter_add(&peer->room_wait, &u->relay);
	return old;
}

/* What the old peer sent is lost, and it is told so if it still thinks that it is connected to us. */
static void
forget_peer(struct unix_socket *u, struct unix_socket *old)
{
	struct list lost = LIST_INIT(lost);
	bool any;

	mutex_lock(&u->read_lock);
	mutex_lock(&u->socket.lock);
	list_splice_tail(&lost, &u->messages);
	u->queue_length = 0;
	mutex_unlock(&u->socket.lock);
	mutex_unlock(&u->read_lock);
	any = !list_is_empty(&lost);
	unix_messages_free(&lost);
	if (any) {
		wake_all(&u->room_wait);
		mutex_lock(&old->socket.lock);
		any = !old->dead && old->peer == u;
		mutex_unlock(&old->socket.lock);
	}
	if (any) {
		atomic_store(&old->socket.error, ECONNRESET);
		wake_all(&old->socket.read_wait);
		wake_all(&old->socket.write_wait);
	}
}

static int
find_receiver(struct unix_socket *u, const struct socket_address *a, struct unix_socket **out)
{
	int error = unix_check_address(a);

	if (!error)
		error = unix_name_sender(u);
	if (error)
		return error;
	*out = unix_find(&u->socket, a);
	return IS_ERR(*out) ? (int)PTR_ERR(*out) : 0;
}

/* AF_UNSPEC dissolves the association. */
int
unix_datagram_connect(struct socket *s, const struct socket_address *a, uint32_t flags)
{
	struct unix_socket *u = unix_of(s), *to, *old = NULL;
	int error;

	if (a->length < sizeof(a->family))
		return -EINVAL;
	if (a->family == AF_UNSPEC) {
		mutex_lock(&s->lock);
		old = change_peer(u, NULL);
		mutex_unlock(&s->lock);
		if (old) {
			forget_peer(u, old);
			unix_put(old);
		}
		return 0;
	}
	for (;;) {
		error = find_receiver(u, a, &to);
		if (error)
			return error;
		socket_lock_two(&u->socket, &to->socket);
		if (!to->dead)
			break;
		socket_unlock_two(&u->socket, &to->socket);
		unix_put(to);
	}
	error = may_send(u, to) ? 0 : -EPERM;
	if (!error) {
		unix_get(to);
		old = change_peer(u, to);
	}
	socket_unlock_two(&u->socket, &to->socket);
	if (old) {
		if (old != to)
			forget_peer(u, old);
		unix_put(old);
	}
	unix_put(to);
	wake_all(&s->write_wait);
	return error;
}

/* --- sending ------------------------------------------------------------------------------------ */

#define LOOK_AGAIN 1 /* the receiver went, or its queue has changed */

/* Sleep until `to` has room, cannot receive any more, or the deadline. */
static int
wait_for_receiver(struct unix_socket *to, deadline_t *until)
{
	int error;

	if (*until == 0)
		return -EAGAIN;
	error = wait_event_deadline(&to->room_wait,
				    !unix_queue_is_full(to) || READ_ONCE(to->dead) ||
					    (READ_ONCE(to->socket.shutdown) & SHUTDOWN_RECEIVE),
				    WAIT_INTERRUPTIBLE, *until);
	if (error && error != -ETIMEDOUT)
		return socket_wait_error(error, *until);
	if (error)
		*until = 0;
	return LOOK_AGAIN;
}

/* 0: queued, the message is the receiver's. -EAGAIN: its queue is full. LOOK_AGAIN: it is dead. */
static int
deliver(struct unix_socket *u, struct unix_socket *to, struct unix_message *msg)
{
	int error = 0;

	mutex_lock(&to->socket.lock);
	if (!may_send(u, to))
		error = -EPERM;
	else if (to->dead)
		error = LOOK_AGAIN;
	else if (to->socket.shutdown & SHUTDOWN_RECEIVE)
		error = -EPIPE;
	else if (to != u && READ_ONCE(to->peer) != u && unix_queue_is_full(to))
		error = -EAGAIN;
	else
		unix_message_queue(to, msg);
	mutex_unlock(&to->socket.lock);
	if (!error) {
		wake_poll(&to->socket.read_wait, POLLIN | POLLRDNORM);
		async_tell(&to->socket.async, ASYNC_IN);
	}
	return error;
}

/* `to` is dead. What the sender is told, or LOOK_AGAIN when the address was given with the message. */
static int
receiver_gone(struct unix_socket *u, struct unix_socket *to)
{
	struct unix_socket *old = NULL;

	if (u->socket.type == SOCK_SEQPACKET)
		return -EPIPE;
	mutex_lock(&u->socket.lock);
	if (u->peer == to)
		old = change_peer(u, NULL);
	mutex_unlock(&u->socket.lock);
	if (!old)
		return LOOK_AGAIN;
	forget_peer(u, old);
	unix_put(old);
	return -ECONNREFUSED;
}

/* To the socket that `a` names, or to the peer. -ECONNRESET: the peer went while we waited. */
static int
post(struct unix_socket *u, const struct socket_address *a, struct unix_message *msg, deadline_t until)
{
	int error;

	do {
		struct unix_socket *to = a->length ? unix_find(&u->socket, a) : unix_peer_get(u);

		if (IS_ERR(to))
			return (int)PTR_ERR(to);
		if (!to)
			return -ECONNRESET;
		error = deliver(u, to, msg);
		if (error == LOOK_AGAIN)
			error = receiver_gone(u, to);
		else if (error == -EAGAIN)
			error = wait_for_receiver(to, &until);
		unix_put(to);
	} while (error == LOOK_AGAIN);
	return error;
}

ssize_t
unix_datagram_send(struct socket *s, struct socket_message *m)
{
	struct unix_socket *u = unix_of(s);
	deadline_t until = socket_deadline(s->send_timeout, m->flags);
	size_t n = m->data->count;
	struct unix_message *msg;
	int error = 0;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->address.length)
		error = unix_check_address(&m->address);
	else if (!READ_ONCE(u->peer))
		error = -ENOTCONN;
	if (!error)
		error = unix_name_sender(u);
	if (error)
		return error;
	if (n > READ_ONCE(s->send_limit) - 32)
		return -EMSGSIZE;
	msg = unix_message_create(u, n, until);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	error = unix_message_load(msg, m);
	if (!error && iov_copy_from(msg->data, m->data, n) != n)
		error = -EFAULT;
	if (!error)
		error = post(u, &m->address, msg, until);
	if (!error)
		return (ssize_t)n;
	unix_message_free(msg);
	return error;
}

int
unix_packet_check_send(struct socket *s)
{
	int error = socket_take_error(s);

	if (error)
		return error;
	return READ_ONCE(s->state) == SOCKET_CONNECTED ? 0 : -ENOTCONN;
}

/* An address given with a packet is not looked at. */
ssize_t
unix_packet_send(struct socket *s, struct socket_message *m)
{
	int error = unix_packet_check_send(s);

	if (error)
		return error;
	m->address.length = 0;
	return unix_datagram_send(s, m);
}

/* --- receiving ---------------------------------------------------------------------------------- */

/* The queue is empty. 0: sleep; 1: nothing will come; or an errno. */
static int
at_the_end(const struct socket *s, deadline_t until)
{
	bool ended = s->shutdown & SHUTDOWN_RECEIVE;

	if (until == 0)
		return ended && s->type == SOCK_SEQPACKET ? 1 : -EAGAIN;
	return ended ? 1 : 0;
}

/* The message that a receive begins with, or NULL. u's and read_lock held. */
static struct unix_message *
find_message(struct unix_socket *u, struct socket_look *l)
{
	struct unix_message *m;

	list_for_each (m, &u->messages, node)
		if (socket_look_finds(l, &u->socket, m->length, &m->peeked))
			return m;
	return NULL;
}

/*
 * Take the oldest message off the queue, or when peeking look at one. NULL: *end is the pending error or as
 * of at_the_end(), which is asked under the lock: the peer may write and close at any other time.
 */
static struct unix_message *
take_message(struct unix_socket *u, struct socket_look *l, deadline_t until, int *end)
{
	struct unix_message *m;

	mutex_lock(&u->socket.lock);
	*end = socket_take_error(&u->socket);
	m = *end ? NULL : find_message(u, l);
	l->arrivals = u->arrivals;
	if (m && !l->peek) {
		list_del_init(&m->node);
		u->queue_length--;
	}
	if (!m && *end == 0)
		*end = at_the_end(&u->socket, until);
	mutex_unlock(&u->socket.lock);
	return m;
}

/* With read_lock held on success. NULL: *end says what the call returns. */
static struct unix_message *
wait_for_message(struct unix_socket *u, uint32_t flags, struct socket_look *l, ssize_t *end)
{
	struct socket *s = &u->socket;
	deadline_t until = socket_deadline(s->receive_timeout, flags);
	struct unix_message *msg;
	int error;

	for (;;) {
		mutex_lock(&u->read_lock);
		*l = socket_look_begin(s, flags);
		msg = take_message(u, l, until, &error);
		if (msg)
			return msg;
		mutex_unlock(&u->read_lock);
		if (error) {
			*end = MIN(error, 0);
			return NULL;
		}
		error = wait_event_deadline(&s->read_wait,
					    READ_ONCE(u->arrivals) != l->arrivals || READ_ONCE(s->error) ||
						    (READ_ONCE(s->shutdown) & SHUTDOWN_RECEIVE),
					    WAIT_INTERRUPTIBLE, until);
		if (error == -ETIMEDOUT) {
			until = 0;
		} else if (error) {
			*end = socket_wait_error(error, until);
			return NULL;
		}
	}
}

ssize_t
unix_datagram_receive(struct socket *s, struct socket_message *m)
{
	struct unix_socket *u = unix_of(s);
	struct unix_message *msg;
	struct socket_look l;
	ssize_t end = 0;
	size_t n;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	msg = wait_for_message(u, m->flags, &l, &end);
	if (!msg)
		return end;
	if (!(m->flags & MSG_PEEK))
		wake_poll(&u->room_wait, POLLOUT | POLLWRNORM | POLLWRBAND);
	unix_tell_sender(msg->from, &m->address);
	unix_message_credentials(msg, m);
	m->time = msg->time ? msg->time : clock_realtime_ns(); /* asked for after it came */
	n = msg->length - l.skip;
	if (m->data->count < n) {
		n = m->data->count;
		m->result |= MSG_TRUNC;
	}
	end = m->flags & MSG_TRUNC ? (ssize_t)(msg->length - l.skip) : (ssize_t)n;
	if (iov_copy_to(m->data, msg->data + l.skip, n) != n)
		end = -EFAULT;
	else if (unix_message_unload(msg, m))
		end = -ENOMEM;
	socket_peek_moves(s, l.peek ? n : msg->length, l.peek);
	mutex_unlock(&u->read_lock);
	if (!l.peek)
		unix_message_free(msg);
	return end;
}

ssize_t
unix_packet_receive(struct socket *s, struct socket_message *m)
{
	if (READ_ONCE(s->state) != SOCKET_CONNECTED)
		return -ENOTCONN;
	return unix_datagram_receive(s, m);
}
