/* SPDX-License-Identifier: MIT */
/*
 * connect.c - AF_UNIX connections: listen, connect, accept, socketpair, shutdown.
 *
 * connect makes the far end itself, so that a connection is complete, and can be written to, before
 * anybody accepts it. A listener's queue holds backlog + 1 of them.
 */
#include <tessera/cpu.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/poll.h>
#include <tessera/process.h>
#include <tessera/thread.h>

#include "unix.h"

int
unix_listen(struct socket *s, uint32_t backlog)
{
	struct unix_socket *u = unix_of(s);
	int error = 0;

	if (!atomic_load(&u->address))
		return -EINVAL;
	mutex_lock(&s->lock);
	if (s->state == SOCKET_CONNECTED) {
		error = -EINVAL;
	} else {
		u->backlog = backlog;
		s->state = SOCKET_LISTENING;
		unix_set_peer_cred(u); /* what clients will be told */
	}
	mutex_unlock(&s->lock);
	if (!error)
		wake_all(&u->room_wait);
	return error;
}

int
unix_pair(struct socket *a, struct socket *b)
{
	struct unix_socket *ua = unix_of(a), *ub = unix_of(b);

	unix_get(ua);
	ub->peer = ua;
	unix_get(ub);
	ua->peer = ub;
	unix_set_peer_cred(ua);
	unix_set_peer_cred(ub);
	a->state = b->state = SOCKET_CONNECTED;
	return 0;
}

#define LOOK_AGAIN 1 /* the listener's name may lead elsewhere, or there may be room now */

/* Sleep until `l` may have room, or stopped to listen. LOOK_AGAIN or an errno. */
static int
wait_for_listener(struct unix_socket *l, deadline_t *until)
{
	int error;

	if (*until == 0)
		return -EAGAIN;
	error = wait_event_deadline(&l->room_wait,
				    !unix_queue_is_full(l) || READ_ONCE(l->socket.state) != SOCKET_LISTENING ||
					    (READ_ONCE(l->socket.shutdown) & SHUTDOWN_RECEIVE),
				    WAIT_INTERRUPTIBLE, *until);
	if (error && error != -ETIMEDOUT)
		return socket_wait_error(error, *until);
	if (error)
		*until = 0;
	return LOOK_AGAIN;
}

/*
 * Make `u` and the new socket `e` two ends of a connection, and queue `e` at `l`. u and l are locked; e is
 * nobody else's yet. Takes over the caller's reference to `e`, which becomes the queue's.
 */
static void
join(struct unix_socket *l, struct unix_socket *u, struct unix_socket *e)
{
	unix_get(u);
	e->peer = u;
	e->socket.state = SOCKET_CONNECTED;
	unix_set_peer_cred(e);
	ref_get(&l->address->refs);
	e->address = l->address;

	unix_get(e);
	u->peer = e;
	u->socket.state = SOCKET_CONNECTED;
	cred_get(l->peer_cred);
	if (u->peer_cred)
		cred_put(u->peer_cred);
	u->peer_cred = l->peer_cred;
	u->peer_pid = l->peer_pid;

	list_add_tail(&l->pending, &e->pending_node);
	l->queue_length++;
}

/* 0: connected, and `e` is the listener's. -EAGAIN: its queue is full. LOOK_AGAIN: it is being released. */
static int
try_connect(struct unix_socket *l, struct unix_socket *u, struct unix_socket *e)
{
	int error = 0;

	socket_lock_two(&l->socket, &u->socket);
	if (l->dead)
		error = LOOK_AGAIN;
	else if (l->socket.state != SOCKET_LISTENING || (l->socket.shutdown & SHUTDOWN_RECEIVE))
		error = -ECONNREFUSED;
	else if (unix_queue_is_full(l))
		error = -EAGAIN;
	else if (u->socket.state != SOCKET_UNCONNECTED)
		error = u->socket.state == SOCKET_CONNECTED ? -EISCONN : -EINVAL;
	else
		join(l, u, e);
	socket_unlock_two(&l->socket, &u->socket);
	return error;
}

int
unix_stream_connect(struct socket *s, const struct socket_address *a, uint32_t flags)
{
	struct unix_socket *u = unix_of(s), *l, *e;
	deadline_t until = socket_deadline(s->send_timeout, flags);
	int error = unix_check_address(a);

	if (!error)
		error = unix_name_sender(u);
	if (error)
		return error;
	e = unix_create_socket(s->type);
	if (!e)
		return -ENOMEM;
	socket_set_network(&e->socket, s->net);
	do {
		l = unix_find(s, a);
		if (IS_ERR(l)) {
			error = (int)PTR_ERR(l);
			break;
		}
		error = try_connect(l, u, e);
		if (!error) {
			wake_poll_one(&l->socket.read_wait, POLLIN | POLLRDNORM);
			async_tell(&l->socket.async, ASYNC_IN);
		} else if (error == -EAGAIN)
			error = wait_for_listener(l, &until);
		unix_put(l);
	} while (error == LOOK_AGAIN);
	if (error)
		unix_put(e);
	return error;
}

/* The oldest pending connection, off the queue; NULL: none. */
static struct unix_socket *
take_pending(struct unix_socket *u)
{
	struct unix_socket *e;

	mutex_lock(&u->socket.lock);
	e = list_first(&u->pending, struct unix_socket, pending_node);
	if (e) {
		list_del_init(&e->pending_node);
		u->queue_length--;
	}
	mutex_unlock(&u->socket.lock);
	return e;
}

int
unix_accept(struct socket *s, uint32_t flags, struct socket **out)
{
	struct unix_socket *u = unix_of(s), *e;
	deadline_t until = socket_deadline(s->receive_timeout, flags);
	bool ended;
	int error;

	if (READ_ONCE(s->state) != SOCKET_LISTENING)
		return -EINVAL;
	for (;;) {
		error = socket_take_error(s);
		if (error)
			return error;
		ended = READ_ONCE(s->shutdown) & SHUTDOWN_RECEIVE; /* what came before the end is taken first */
		e = take_pending(u);
		if (e)
			break;
		if (until == 0)
			return -EAGAIN;
		if (ended)
			return -EINVAL;
		/* A connection wakes one, since it is one's. */
		error = wait_event_exclusive(&s->read_wait,
					     !list_is_empty(&u->pending) || READ_ONCE(s->error) ||
						     (READ_ONCE(s->shutdown) & SHUTDOWN_RECEIVE),
					     WAIT_INTERRUPTIBLE, until);
		if (error == -ETIMEDOUT)
			until = 0;
		else if (error)
			return socket_wait_error(error, until);
	}
	wake_all(&u->room_wait);
	atomic_or(&e->socket.options,
		  READ_ONCE(s->options) & (uint32_t)(SOCKET_PASS_CREDENTIALS | SOCKET_PASS_SECURITY));
	*out = &e->socket;
	return 0;
}

static void
add_shutdown(struct unix_socket *u, uint32_t how)
{
	mutex_lock(&u->socket.lock);
	u->socket.shutdown |= how;
	mutex_unlock(&u->socket.lock);
	wake_all(&u->socket.read_wait);
	wake_all(&u->socket.write_wait);
	wake_all(&u->room_wait);
}

/* What one end of a connection no longer sends the other no longer receives, and the reverse. */
int
unix_shutdown(struct socket *s, uint32_t how)
{
	struct unix_socket *u = unix_of(s), *peer = unix_peer_get(u);
	uint32_t mirrored = 0;

	add_shutdown(u, how);
	if (!peer)
		return 0;
	if (how & SHUTDOWN_RECEIVE)
		mirrored |= SHUTDOWN_SEND;
	if (how & SHUTDOWN_SEND)
		mirrored |= SHUTDOWN_RECEIVE;
	if (s->type != SOCK_DGRAM)
		add_shutdown(peer, mirrored);
	if (s->type != SOCK_DGRAM && mirrored == SHUTDOWN_BOTH)
		async_tell(&peer->socket.async, ASYNC_HUP);
	else if (s->type != SOCK_DGRAM && (mirrored & SHUTDOWN_RECEIVE))
		async_tell(&peer->socket.async, ASYNC_IN);
	unix_put(peer);
	return 0;
}
