/* SPDX-License-Identifier: MIT */
/*
 * unix.c - AF_UNIX: birth and death of sockets, readiness. unix(7).
 *
 * A message goes straight into the queue of the socket that will receive it; a socket of its own holds
 * only what it has yet to receive. Senders are held back by the sum of their own messages that nobody
 * has read (`sent` against send_limit), datagram senders that the receiver is not connected to also by
 * the length of its queue.
 *
 *               bind, listen                       connect
 *   UNCONNECTED -------------> LISTENING           UNCONNECTED --> CONNECTED  (both ends of a stream)
 *
 * A connection's far end is made by connect: a socket without a file on the listener's `pending` list,
 * with the client as peer and the listener's name. accept gives it a file.
 *
 * Locks: read_lock (SOCKET_READ), then flight_lock (SOCKET_FLIGHT), then socket.lock (SOCKET), then
 * names_lock (LEAF). Two sockets' locks: socket_lock_two(), by address; and flight.c takes a listener's
 * and then, nested, a pending connection's, which nobody locks together with another. The locks of
 * two peers of a stream are never held at once: each side is changed in turn.
 *
 * References: the file has one, each peer pointer has one, each message has one to its sender, the
 * listener has one to each pending connection. Two peers refer to each other until one is released.
 */
#include <tessera/namespace.h>
#include <tessera/cpu.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/network.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/slab.h>

#include "unix.h"

static bool
is_connection_based(const struct unix_socket *u)
{
	return u->socket.type != SOCK_DGRAM;
}

/* Our peer's queue has become shorter. Its room_wait is locked. */
static bool
relay_room(struct waiter *w, uint32_t key)
{
	struct unix_socket *u = w->private;

	wake_poll(&u->socket.write_wait, POLLOUT | POLLWRNORM | POLLWRBAND);
	return false;
}

struct unix_socket *
unix_create_socket(int type)
{
	const struct socket_ops *ops = type == SOCK_STREAM  ? &unix_stream_ops
				       : type == SOCK_DGRAM ? &unix_datagram_ops
							    : &unix_packet_ops;
	struct unix_socket *u = kzalloc(sizeof(*u));

	if (!u)
		return NULL;
	socket_init(&u->socket, ops, AF_UNIX, type);
	mutex_init(&u->read_lock, LOCK_SOCKET_READ);
	list_init(&u->messages);
	list_init(&u->pending);
	list_init(&u->pending_node);
	list_init(&u->name_node);
	list_init(&u->flight_node);
	list_init(&u->work_node);
	u->backlog = (uint32_t)network_setting((struct network *)u->socket.net, SETTING_UNIX_QUEUE);
	wait_queue_init(&u->room_wait);
	waiter_init(&u->relay, NULL);
	u->relay.wake = relay_room;
	u->relay.private = u;
	unix_list_add(u);
	return u;
}

static int
unix_create(int type, int protocol, struct socket **out)
{
	struct unix_socket *u;

	if (protocol != 0 && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (type == SOCK_RAW)
		type = SOCK_DGRAM; /* as BSD */
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	u = unix_create_socket(type);
	if (!u)
		return -ENOMEM;
	*out = &u->socket;
	return 0;
}

const struct socket_family unix_family = {
	.name = "unix",
	.create = unix_create,
};

void
unix_put(struct unix_socket *u)
{
	if (!ref_put(&u->socket.refs))
		return;
	unix_list_remove(u);
	if (u->address)
		unix_address_put(u->address);
	if (u->peer_cred)
		cred_put(u->peer_cred);
	socket_filter_drop(&u->socket);
	namespace_put(u->socket.net);
	kfree(u);
}

struct unix_socket *
unix_peer_get(struct unix_socket *u)
{
	struct unix_socket *peer;

	mutex_lock(&u->socket.lock);
	peer = u->peer;
	if (peer)
		unix_get(peer);
	mutex_unlock(&u->socket.lock);
	return peer;
}

void
unix_set_peer_cred(struct unix_socket *u)
{
	struct cred *c = (struct cred *)current_cred();

	cred_get(c);
	if (u->peer_cred)
		cred_put(u->peer_cred);
	u->peer_cred = c;
	u->peer_pid = current_process()->pid;
}

static void
unix_peer_cred(struct socket *s, pid_t *pid, struct cred **cred)
{
	struct unix_socket *u = unix_of(s);

	mutex_lock(&s->lock);
	*pid = u->peer_pid;
	*cred = u->peer_cred;
	if (*cred)
		cred_get(*cred);
	mutex_unlock(&s->lock);
}

/* --- readiness ---------------------------------------------------------------------------------- */

/* Room for more is told once three quarters are free, so that a writer is not woken for each message. */
bool
unix_is_writable(const struct unix_socket *u)
{
	return READ_ONCE(u->socket.state) != SOCKET_LISTENING &&
	       atomic_load(&u->sent) * 4 <= READ_ONCE(u->socket.send_limit);
}

static uint32_t
receive_events(struct unix_socket *u)
{
	uint32_t shutdown = READ_ONCE(u->socket.shutdown), events = 0;

	if (READ_ONCE(u->socket.error))
		events |= POLLERR;
	if (shutdown == SHUTDOWN_BOTH)
		events |= POLLHUP;
	if (shutdown & SHUTDOWN_RECEIVE)
		events |= POLLRDHUP | POLLIN | POLLRDNORM;
	if (!list_is_empty(&u->messages) || !list_is_empty(&u->pending))
		events |= POLLIN | POLLRDNORM;
	if (READ_ONCE(u->urgent))
		events |= POLLPRI;
	if (is_connection_based(u) && READ_ONCE(u->socket.state) == SOCKET_UNCONNECTED)
		events |= POLLHUP;
	return events;
}

static uint32_t
unix_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct unix_socket *u = unix_of(s);

	poll_wait(pt, f, &s->read_wait);
	poll_wait(pt, f, &s->write_wait);
	return receive_events(u) | (unix_is_writable(u) ? POLLOUT | POLLWRNORM | POLLWRBAND : 0);
}

uint32_t
unix_datagram_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct unix_socket *u = unix_of(s), *peer;
	uint32_t events = unix_poll(s, f, pt);

	mutex_lock(&s->lock);
	peer = u->peer;
	/* the relay tells when that queue shrinks */
	if (peer && READ_ONCE(peer->peer) != u && unix_queue_is_full(peer))
		events &= ~(POLLOUT | POLLWRNORM | POLLWRBAND);
	mutex_unlock(&s->lock);
	return events;
}

static long
unix_pending(struct socket *s, bool out)
{
	struct unix_socket *u = unix_of(s);
	struct unix_message *m;
	long n = 0;

	if (out)
		return (long)atomic_load(&u->sent);
	if (READ_ONCE(s->state) == SOCKET_LISTENING)
		return -EINVAL;
	mutex_lock(&s->lock);
	list_for_each (m, &u->messages, node) {
		n += m->length - m->offset;
		if (!is_connection_based(u))
			break;
	}
	mutex_unlock(&s->lock);
	return n;
}

static void
unix_set_peek_offset(struct socket *s, int32_t offset)
{
	struct unix_socket *u = unix_of(s);

	mutex_lock(&u->read_lock);
	WRITE_ONCE(s->peek_offset, offset);
	mutex_unlock(&u->read_lock);
}

static bool
unix_at_mark(struct socket *s)
{
	struct unix_socket *u = unix_of(s);
	bool at;

	mutex_lock(&s->lock);
	at = u->urgent && list_first(&u->messages, struct unix_message, node) == u->urgent;
	mutex_unlock(&s->lock);
	return at;
}

static int
unix_bound_path(struct socket *s, struct path *out)
{
	struct unix_socket *u = unix_of(s);
	int error = -ENOENT;

	mutex_lock(&s->lock);
	if (u->path.dentry) {
		*out = u->path;
		path_get(out);
		error = 0;
	}
	mutex_unlock(&s->lock);
	return error;
}

/* --- the end ------------------------------------------------------------------------------------ */

/* The peer's end: it can neither send nor receive more, and learns when we left something unread. */
static void
hang_up(struct unix_socket *peer, bool reset)
{
	mutex_lock(&peer->socket.lock);
	peer->socket.shutdown = SHUTDOWN_BOTH;
	if (reset)
		atomic_store(&peer->socket.error, ECONNRESET);
	mutex_unlock(&peer->socket.lock);
	wake_all(&peer->socket.read_wait);
	wake_all(&peer->socket.write_wait);
	async_tell(&peer->socket.async, ASYNC_HUP);
}

/* `embryo`: never accepted. Its pending list is empty then, so this goes one deep. */
static void
release(struct unix_socket *u, bool embryo)
{
	struct list messages = LIST_INIT(messages), pending = LIST_INIT(pending);
	struct unix_socket *peer, *e, *tmp;
	struct path path;

	unix_name_remove(u);
	mutex_lock(&u->socket.lock);
	u->dead = true;
	u->socket.shutdown = SHUTDOWN_BOTH;
	u->socket.state = SOCKET_UNCONNECTED;
	peer = u->peer;
	u->peer = NULL;
	path = u->path;
	u->path = (struct path){ 0 }; /* it may be shown for as long as somebody has what it sent */
	waiter_remove(&u->relay);
	list_splice_tail(&messages, &u->messages);
	u->urgent = NULL;
	list_splice_tail(&pending, &u->pending);
	u->queue_length = 0;
	mutex_unlock(&u->socket.lock);
	wake_all(&u->room_wait);
	wake_all(&u->socket.write_wait);

	if (peer) {
		if (is_connection_based(u))
			hang_up(peer, embryo || !list_is_empty(&messages));
		unix_put(peer);
	}
	list_for_each_safe (e, tmp, &pending, pending_node) {
		list_del_init(&e->pending_node);
		release(e, true);
	}
	unix_messages_free(&messages);
	if (path.dentry)
		path_put(&path);
	unix_put(u);
}

void
unix_release(struct socket *s)
{
	release(unix_of(s), false);
	unix_flight_collect();
}

static void
unix_dump(struct socket *s)
{
	struct unix_socket *u = unix_of(s);

	pr_info("  unix: %u queued of %u, %lu bytes sent, peer %p, in flight %u, name %s%s\n", u->queue_length,
		u->backlog, u->sent, u->peer, u->in_flight, u->address && !u->address->name.path[0] ? "@" : "",
		u->address ? u->address->name.path + !u->address->name.path[0] : "(none)");
}

static int
no_listen(struct socket *s, uint32_t backlog)
{
	return -EOPNOTSUPP;
}

static int
no_accept(struct socket *s, uint32_t flags, struct socket **out)
{
	return -EOPNOTSUPP;
}

#define COMMON_OPS                                                                                 \
	.bind = unix_bind, .pair = unix_pair, .name = unix_name, .shutdown = unix_shutdown,        \
	.pending = unix_pending, .peer_cred = unix_peer_cred, .release = unix_release,             \
	.set_peek_offset = unix_set_peek_offset, .bound_path = unix_bound_path, .dump = unix_dump

const struct socket_ops unix_stream_ops = {
	COMMON_OPS,
	.connect = unix_stream_connect,
	.listen = unix_listen,
	.accept = unix_accept,
	.send = unix_stream_send,
	.receive = unix_stream_receive,
	.poll = unix_poll,
	.at_mark = unix_at_mark,
};

const struct socket_ops unix_packet_ops = {
	COMMON_OPS,
	.connect = unix_stream_connect,
	.listen = unix_listen,
	.accept = unix_accept,
	.check_send = unix_packet_check_send,
	.send = unix_packet_send,
	.receive = unix_packet_receive,
	.poll = unix_datagram_poll,
};

const struct socket_ops unix_datagram_ops = {
	COMMON_OPS,
	.connect = unix_datagram_connect,
	.listen = no_listen,
	.accept = no_accept,
	.send = unix_datagram_send,
	.receive = unix_datagram_receive,
	.poll = unix_datagram_poll,
};
