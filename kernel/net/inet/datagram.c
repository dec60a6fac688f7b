/* SPDX-License-Identifier: MIT */
/*
 * datagram.c - what sockets of whole messages have in common: birth, connect, the way out, receiving. udp(7), ip(7).
 */
#include <tessera/errno.h>
#include <tessera/poll.h>
#include <tessera/slab.h>

#include "datagram.h"

void *
datagram_create(size_t size, const struct socket_ops *ops, int family, int type, int protocol, enum port_kind kind)
{
	struct datagram_socket *d = kzalloc(size);

	if (!d)
		return NULL;
	inet_socket_init(&d->inet, ops, family, type, protocol, kind);
	packet_queue_init(&d->queue);
	packet_queue_init(&d->errors);
	mutex_init(&d->send_lock, LOCK_SOCKET_SEND);
	return d;
}

void
datagram_put(struct datagram_socket *d)
{
	if (!ref_put(&d->inet.socket.refs))
		return;
	packet_queue_drop(&d->queue);
	packet_queue_drop(&d->errors);
	if (d->corked)
		packet_free(d->corked);
	kfree(d->corked_path);
	inet_socket_destroy(&d->inet);
	kfree(d);
}

/* The peer is forgotten, and what bind did not name. */
static void
dissolve(struct datagram_socket *d)
{
	struct inet_socket *i = &d->inet;
	struct network *n = network_of(&i->socket);

	mutex_lock(&i->socket.lock);
	i->remote = (struct endpoint){ .address = inet_any(i) };
	i->socket.state = SOCKET_UNCONNECTED;
	if (!i->fixed_address)
		i->local.address = inet_any(i);
	if (!i->fixed_port) {
		port_release(n, &i->port);
		i->local.port = 0;
	} else {
		port_connect(n, &i->port, &i->local, &i->remote);
	}
	mutex_unlock(&i->socket.lock);
}

int
datagram_connect(struct socket *s, const struct socket_address *a, uint32_t flags)
{
	struct datagram_socket *d = datagram_of(s);
	struct inet_socket *i = &d->inet;
	struct endpoint to, from;
	struct way w;
	int error;

	if (a->length < sizeof(a->family))
		return -EINVAL;
	if (a->family == AF_UNSPEC) {
		dissolve(d);
		return 0;
	}
	error = inet_address_get(i, a, &to);
	if (error)
		return error;
	mutex_lock(&s->lock);
	from = i->local;
	error = datagram_find_way(i, &to, &from.address, 0, &w);
	if (!error)
		error = datagram_have_port(i);
	if (!error) {
		from.port = i->port.local.port;
		port_connect(network_of(s), &i->port, &from, &to);
		i->local = from;
		i->remote = to;
		s->state = SOCKET_CONNECTED;
	}
	mutex_unlock(&s->lock);
	return error;
}

int
datagram_shutdown(struct socket *s, uint32_t how)
{
	bool connected;

	mutex_lock(&s->lock);
	connected = s->state == SOCKET_CONNECTED;
	WRITE_ONCE(s->shutdown, s->shutdown | how);
	mutex_unlock(&s->lock);
	wake_all(&s->read_wait);
	wake_all(&s->write_wait);
	return connected ? 0 : -ENOTCONN;
}

ssize_t
datagram_receive(struct socket *s, struct socket_message *m)
{
	struct datagram_socket *d = datagram_of(s);
	struct packet_info info;
	ssize_t n;

	if (m->flags & MSG_ERRQUEUE)
		return datagram_receive_error(s, m);
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	n = packet_queue_receive(&d->queue, s, m, &info);
	if (n < 0)
		return n;
	inet_address_put(&d->inet, &info.from, &m->address);
	m->packet = (struct socket_packet){ .to = info.to, .interface = info.interface, .ttl = info.ttl, .tos = info.tos,
					    .flow = info.flow };
	return n;
}

uint32_t
datagram_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct datagram_socket *d = datagram_of(s);
	uint32_t shutdown = READ_ONCE(s->shutdown), events = POLLOUT | POLLWRNORM | POLLWRBAND;

	poll_wait(pt, f, &s->read_wait);
	poll_wait(pt, f, &s->write_wait);
	if (READ_ONCE(s->error) || !packet_queue_is_empty(&d->errors))
		events |= POLLERR | (READ_ONCE(s->options) & SOCKET_ERROR_QUEUE_EVENT ? POLLPRI : 0);
	if (shutdown & SHUTDOWN_RECEIVE)
		events |= POLLRDHUP | POLLIN | POLLRDNORM;
	if (shutdown == SHUTDOWN_BOTH)
		events |= POLLHUP;
	if (!packet_queue_is_empty(&d->queue))
		events |= POLLIN | POLLRDNORM;
	return events;
}

long
datagram_pending(struct socket *s, bool out)
{
	return out ? 0 : (long)packet_queue_next(&datagram_of(s)->queue);
}

void
datagram_set_peek_offset(struct socket *s, int32_t offset)
{
	struct datagram_socket *d = datagram_of(s);

	mutex_lock(&d->queue.read_lock);
	WRITE_ONCE(s->peek_offset, offset);
	mutex_unlock(&d->queue.read_lock);
}

void
datagram_release(struct socket *s)
{
	struct datagram_socket *d = datagram_of(s);

	port_release(network_of(s), &d->inet.port);
	packet_queue_drop(&d->queue);
	packet_queue_drop(&d->errors);
	datagram_put(d);
}

int
datagram_no_listen(struct socket *s, uint32_t backlog)
{
	return -EOPNOTSUPP;
}

int
datagram_no_accept(struct socket *s, uint32_t flags, struct socket **out)
{
	return -EOPNOTSUPP;
}

int
datagram_no_pair(struct socket *a, struct socket *b)
{
	return -EOPNOTSUPP;
}
