/* SPDX-License-Identifier: MIT */
/*
 * tcp_connect.c - connect. connect(2).
 *
 * Within this machine connect makes the far end itself, so that a connection is complete before anybody accepts it.
 *
 * A connect that may not wait says EINPROGRESS, however soon it is through: programs rely on that.
 */
#include <tessera/errno.h>

#include "../door/door.h"
#include "tcp.h"

/* Where `to` really is, and from where one goes there. */
static int
find_ends(struct inet_socket *s, struct endpoint *to, struct endpoint *from, bool *local)
{
	struct way w;
	int error;

	*from = (struct endpoint){ .address = s->local.address, .port = s->port.local.port, .scope = s->local.scope };
	error = inet_find_way(s, to, &from->address, &w);
	if (!error && (w.type == ROUTE_BROADCAST || w.type == ROUTE_MULTICAST))
		error = -ENETUNREACH;
	from->address = w.source;
	*local = w.local;
	return error;
}

/* From CLOSED to SYN_SENT: both endpoints are known, the port is taken. *here: to a socket of this machine. The lock is held. */
static int
begin(struct tcp_socket *t, struct endpoint *to, bool *here)
{
	struct inet_socket *s = &t->inet;
	struct network *n = network_of(&s->socket);
	struct endpoint from;
	int error = find_ends(s, to, &from, here);

	if (!error && !*here && !door_serves(n))
		error = -ENETUNREACH; /* nobody there has TCP towards the wire */
	if (error)
		return error;
	error = from.port ? port_connect(n, &s->port, &from, to) : port_take_flow(n, &s->port, &from, to);
	if (error)
		return error;
	s->local = s->port.local;
	s->remote = *to;
	WRITE_ONCE(s->socket.shutdown, 0);
	t->end_received = false;
	t->state = TCP_SYN_SENT;
	network_add(n, TCP_ACTIVE_OPENS, 1);
	if (*here)
		return 0;
	error = tcp_wire_connect(t);
	if (error)
		tcp_closed(t);
	return error;
}

/* Send the SYN, so to say. -ENOMEM. */
static int
knock(struct tcp_socket *t, const struct endpoint *to, const struct endpoint *from)
{
	struct network *n = network_of(&t->inet.socket);
	struct tcp_socket *child;
	struct inet_socket *l;

	if (endpoint_equal(to, from)) {
		tcp_meet_itself(t);
		return 0;
	}
	l = port_find_listener(n, to, from, NETWORK_LOOPBACK);
	if (!l) {
		tcp_was_reset(t);
		return 0;
	}
	child = tcp_create_child(l);
	if (child)
		tcp_meet(t, (struct tcp_socket *)l, child);
	tcp_put((struct tcp_socket *)l);
	return child ? 0 : -ENOMEM;
}

/* The connection is there, or came to nothing: what connect says of it. */
static int
outcome(struct tcp_socket *t)
{
	struct socket *s = &t->inet.socket;
	int error = 0;

	mutex_lock(&s->lock);
	if (t->state == TCP_CLOSED) {
		error = socket_take_error(s);
		if (!error)
			error = -ECONNABORTED;
		s->state = SOCKET_UNCONNECTED;
	} else {
		s->state = SOCKET_CONNECTED;
	}
	mutex_unlock(&s->lock);
	if (error)
		tcp_disconnect(t);
	return error;
}

/* `ongoing`: what to say when it is not through and the call may not wait. */
static int
wait_for_outcome(struct tcp_socket *t, int ongoing, deadline_t until)
{
	struct socket *s = &t->inet.socket;
	int error;

	if (until == 0 && (ongoing == -EINPROGRESS || READ_ONCE(t->state) == TCP_SYN_SENT))
		return ongoing;
	error = wait_event_deadline(&s->write_wait, READ_ONCE(t->state) != TCP_SYN_SENT, WAIT_INTERRUPTIBLE, until);
	if (error == -ETIMEDOUT)
		return ongoing;
	return error ? socket_wait_error(error, until) : outcome(t);
}

int
tcp_connect(struct socket *s, const struct socket_address *a, uint32_t flags)
{
	struct tcp_socket *t = tcp_of(s);
	deadline_t until = socket_deadline(s->send_timeout, flags);
	struct endpoint to, from;
	int error, ongoing = -EINPROGRESS;
	bool here = false;

	if (a->length < sizeof(a->family))
		return -EINVAL;
	if (a->family == AF_UNSPEC) {
		tcp_disconnect(t);
		return 0;
	}
	mutex_lock(&s->lock);
	if (s->state == SOCKET_CONNECTING) {
		ongoing = -EALREADY;
		error = 0;
	} else if (s->state == SOCKET_CONNECTED || t->state != TCP_CLOSED || !tcp_is_free(t)) {
		error = -EISCONN;
	} else {
		error = inet_address_get(&t->inet, a, &to);
		if (!error)
			error = begin(t, &to, &here);
		if (!error) {
			from = t->inet.local;
			s->state = SOCKET_CONNECTING;
		}
	}
	mutex_unlock(&s->lock);
	if (!error && here && ongoing == -EINPROGRESS) {
		error = knock(t, &to, &from);
		if (error)
			tcp_disconnect(t);
	}
	return error ? error : wait_for_outcome(t, ongoing, until);
}
