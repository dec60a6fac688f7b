/* SPDX-License-Identifier: MIT */
/*
 * tcp.c - stream sockets: birth and death, and what befalls both ends of a connection. The theory is in tcp.h.
 */
#include <tessera/async.h>
#include <tessera/errno.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/slab.h>

#include "tcp.h"

struct tcp_socket *
tcp_create_socket(int family)
{
	struct tcp_socket *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	inet_socket_init(&t->inet, &tcp_ops, family, SOCK_STREAM, IPPROTO_TCP, PORTS_TCP);
	mutex_init(&t->read_lock, LOCK_SOCKET_READ);
	mutex_init(&t->send_lock, LOCK_SOCKET_SEND);
	list_init(&t->pending);
	list_init(&t->waiting);
	list_init(&t->deferred);
	list_init(&t->queue_node);
	t->state = TCP_CLOSED;
	tcp_options_init(t);
	tcp_connect_init(t);
	return t;
}

struct tcp_socket *
tcp_create_child(const struct inet_socket *l)
{
	struct tcp_socket *t = tcp_create_socket(l->socket.family);

	if (t)
		socket_set_network(&t->inet.socket, l->socket.net);
	return t;
}

int
tcp_create(int family, struct socket **out)
{
	struct tcp_socket *t = tcp_create_socket(family);

	if (!t)
		return -ENOMEM;
	*out = &t->inet.socket;
	return 0;
}

void
tcp_put(struct tcp_socket *t)
{
	if (!ref_put(&t->inet.socket.refs))
		return;
	byte_ring_destroy(&t->ring);
	if (t->wire)
		tcp_wire_put(t->wire); /* it is over: else it would have a reference */
	inet_socket_destroy(&t->inet);
	kfree(t->refusal);
	kfree(t);
}

struct tcp_socket *
tcp_peer_get(struct tcp_socket *t)
{
	struct tcp_socket *peer;

	mutex_lock(&t->inet.socket.lock);
	peer = t->peer;
	if (peer)
		tcp_get(peer);
	mutex_unlock(&t->inet.socket.lock);
	return peer;
}

void
tcp_wake(struct tcp_socket *t)
{
	wake_all(&t->inet.socket.read_wait);
	wake_all(&t->inet.socket.write_wait);
}

/* `t` is no flow any more; a port that bind did not name goes. Its lock is held. */
void
tcp_closed(struct tcp_socket *t)
{
	struct inet_socket *s = &t->inet;

	assert_mutex_held(&s->socket.lock);
	t->state = TCP_CLOSED;
	s->remote = (struct endpoint){ .address = inet_any(s) };
	if (!s->fixed_port)
		port_release(network_of(&s->socket), &s->port); /* s->local still tells it, as on Linux */
	else
		port_disconnect(network_of(&s->socket), &s->port, &s->local.address);
}

void
tcp_count_broken(struct tcp_socket *t)
{
	struct network *n = network_of(&t->inet.socket);

	assert_mutex_held(&t->inet.socket.lock);
	if (t->state == TCP_SYN_SENT)
		network_add(n, TCP_ATTEMPT_FAILS, 1);
	else if (t->state == TCP_ESTABLISHED || t->state == TCP_CLOSE_WAIT)
		network_add(n, TCP_ESTABLISHED_RESETS, 1);
}

void
tcp_was_reset(struct tcp_socket *t)
{
	struct socket *s = &t->inet.socket;
	int error;

	mutex_lock(&s->lock);
	if (t->state == TCP_CLOSED || t->state == TCP_LISTEN) {
		mutex_unlock(&s->lock);
		return;
	}
	error = t->state == TCP_SYN_SENT ? ECONNREFUSED : t->state == TCP_CLOSE_WAIT ? EPIPE : ECONNRESET;
	atomic_store(&s->error, error);
	WRITE_ONCE(s->shutdown, SHUTDOWN_BOTH);
	tcp_count_broken(t);
	tcp_closed(t);
	mutex_unlock(&s->lock);
	wake_poll(&s->read_wait, POLLIN | POLLRDNORM | POLLERR | POLLHUP | POLLRDHUP);
	wake_poll(&s->write_wait, POLLOUT | POLLWRNORM | POLLERR | POLLHUP);
	async_tell(&s->async, ASYNC_HUP);
	if (READ_ONCE(t->held)) /* nobody ever hears of it */
		tcp_disconnect(t);
}

/* --- readiness ----------------------------------------------------------------------------------- */

static uint32_t
stream_events(struct tcp_socket *t)
{
	struct socket *s = &t->inet.socket;
	uint32_t events = 0;
	size_t wanted = READ_ONCE(s->low_water), length = byte_ring_length(&t->ring);

	if (tcp_has_urgent(t)) {
		events |= POLLPRI;
		if (tcp_at_urgent(t) && !(READ_ONCE(s->options) & SOCKET_OOB_INLINE))
			wanted++; /* that byte is none for reads */
	}
	if (length >= wanted)
		events |= POLLIN | POLLRDNORM;
	if ((s->shutdown & SHUTDOWN_SEND) || tcp_has_room(t))
		events |= POLLOUT | POLLWRNORM;
	return events;
}

uint32_t
tcp_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct tcp_socket *t = tcp_of(s);
	uint32_t events = 0;

	poll_wait(pt, f, &s->read_wait);
	poll_wait(pt, f, &s->write_wait);
	mutex_lock(&s->lock);
	if (t->state == TCP_LISTEN) {
		if (!list_is_empty(&t->pending))
			events = POLLIN | POLLRDNORM;
		mutex_unlock(&s->lock);
		return events;
	}
	if (s->shutdown == SHUTDOWN_BOTH || t->state == TCP_CLOSED)
		events |= POLLHUP;
	if (s->shutdown & SHUTDOWN_RECEIVE)
		events |= POLLIN | POLLRDNORM | POLLRDHUP;
	if (t->state != TCP_SYN_SENT)
		events |= stream_events(t);
	if (READ_ONCE(s->error) || t->refusal)
		events |= POLLERR;
	mutex_unlock(&s->lock);
	return events;
}

/* What is sent within this machine is received at once, and acknowledged. */
long
tcp_pending(struct socket *s, bool out)
{
	struct tcp_socket *t = tcp_of(s);
	long n;

	mutex_lock(&s->lock);
	if (t->state == TCP_LISTEN)
		n = -EINVAL;
	else if (out)
		n = t->wire ? (long)byte_ring_length(&t->wire->out) : 0;
	else
		n = (long)byte_ring_length(&t->ring);
	if (n > 0 && !out && tcp_has_urgent(t) && tcp_at_urgent(t) && !(READ_ONCE(s->options) & SOCKET_OOB_INLINE))
		n--;
	mutex_unlock(&s->lock);
	return n;
}

static void
tcp_dump(struct socket *s)
{
	struct tcp_socket *t = tcp_of(s);

	pr_info("  tcp: state %u, ports %u and %u, %lu bytes in, peer %p, %u to be accepted\n", t->state, t->inet.local.port,
		t->inet.remote.port, t->ring.head - t->ring.tail, (void *)t->peer, t->pending_count);
}

static int
no_pair(struct socket *a, struct socket *b)
{
	return -EOPNOTSUPP;
}

const struct socket_ops tcp_ops = {
	.bind = inet_bind,
	.connect = tcp_connect,
	.listen = tcp_listen,
	.accept = tcp_accept,
	.pair = no_pair,
	.name = inet_name,
	.shutdown = tcp_shutdown,
	.send = tcp_send,
	.receive = tcp_receive,
	.poll = tcp_poll,
	.pending = tcp_pending,
	.peer_cred = inet_peer_cred,
	.at_mark = tcp_at_mark,
	.options_changed = tcp_options_changed,
	.release = tcp_release,
	.dump = tcp_dump,
};
