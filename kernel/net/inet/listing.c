/* SPDX-License-Identifier: MIT */
/*
 * listing.c - the sockets of a network as /proc/net and ss(8) show them: copies, taken one socket after the other.
 *
 * The port tables say which there are. They are walked with their lock held, which is a spinlock, and what is found gets a
 * reference; what each is doing is asked afterwards, under its own lock. A socket that nobody can reach by a port is
 * not there: one that is not bound, or a stream that is closed.
 *
 * Connections that their peers have not confirmed are no sockets yet. The network stack says which there are; those of a
 * listener that is there are shown with it.
 */
#include <tessera/inet.h>
#include <tessera/slab.h>

#include "../door/door.h"
#include "datagram.h"
#include "inet.h"
#include "raw.h"
#include "tcp.h"

/* What the tables say; `socket` has a reference, or is NULL: a connection that waits for late segments. */
struct found {
	struct inet_socket *socket;
	struct endpoint local, remote;
	uint64_t since;
	uid_t uid;
	bool only_v6;
};

/* Raw sockets, which have no ports: they stand in a list of their own. ports_lock held. */
static uint32_t
walk_raws(struct network *n, struct found *out, uint32_t max)
{
	struct raw_socket *r;
	uint32_t count = 0;

	list_for_each (r, &n->raws, watcher) {
		struct inet_socket *s = &r->datagram.inet;

		if (count == max)
			break;
		if (out && !ref_get_unless_zero(&s->socket.refs))
			continue;
		if (out)
			out[count] = (struct found){ .socket = s, .uid = s->port.uid };
		count++;
	}
	return count;
}

/* The same of those in one bucket. */
static uint32_t
walk_bucket(const struct list *bucket, struct found *out, uint32_t max)
{
	struct port_holder *h;
	uint32_t count = 0;

	list_for_each (h, bucket, node) {
		if (count == max)
			break;
		if (out && h->socket && !ref_get_unless_zero(&h->socket->socket.refs))
			continue;
		if (out)
			out[count] = (struct found){ h->socket, h->local, h->remote, h->waits_since, h->uid, h->only_v6 };
		count++;
	}
	return count;
}

/* Without `out` only counts. At most `max`. The lock is let go between buckets, for there may be tens of thousands. */
static uint32_t
walk(struct network *n, enum port_kind kind, struct found *out, uint32_t max)
{
	unsigned buckets = kind == PORT_KINDS ? 1 : PORT_BUCKETS;
	uint32_t count = 0;

	for (unsigned i = 0; i < buckets; i++) {
		struct found *to = out ? out + count : NULL;

		spin_lock(&n->ports_lock);
		count += kind == PORT_KINDS ? walk_raws(n, to, max)
					    : walk_bucket(&n->ports[kind].bucket[i], to, max - count);
		spin_unlock(&n->ports_lock);
	}
	return count;
}

static void
put(struct inet_socket *s)
{
	if (s->socket.type == SOCK_STREAM)
		tcp_put((struct tcp_socket *)s);
	else
		datagram_put((struct datagram_socket *)s);
}

static void
tell_stream(struct tcp_socket *t, struct inet_socket_info *out)
{
	out->state = (uint8_t)(t->held ? TCP_SYN_RECEIVED : t->state);
	if (t->released)
		out->inode = 0;
	if (t->state == TCP_LISTEN) {
		out->receive_queue = t->pending_count;
		out->send_queue = t->backlog;
	} else {
		/* The end of what comes counts as a byte. */
		out->receive_queue = (uint32_t)byte_ring_length(&t->ring) + t->end_received;
		out->send_queue = t->wire ? (uint32_t)byte_ring_length(&t->wire->out) : 0;
	}
}

static void
tell_datagrams(struct datagram_socket *d, struct inet_socket_info *out)
{
	out->state = READ_ONCE(d->inet.socket.state) == SOCKET_CONNECTED ? TCP_ESTABLISHED : TCP_CLOSED;
	out->receive_queue = READ_ONCE(d->queue.charged);
	out->drops = READ_ONCE(d->queue.drops);
}

static void
tell(const struct found *f, struct inet_socket_info *out)
{
	struct inet_socket *s = f->socket;
	struct socket *socket = &s->socket;

	*out = (struct inet_socket_info){ .family = socket->family, .uid = f->uid, .only_v6 = f->only_v6,
					  .interface = READ_ONCE(s->device), .mark = READ_ONCE(socket->mark) };
	mutex_lock(&socket->lock);
	out->local = s->local;
	out->remote = s->remote;
	out->fixed_port = s->fixed_port;
	out->only_v6 |= !ip_address_is_any(&s->local.address) && !ip_address_is_v4(&s->local.address);
	out->tos = (uint8_t)READ_ONCE(s->option[socket->family == AF_INET6 ? INET6_CLASS : INET_TOS]);
	out->inode = READ_ONCE(socket->file) ? socket->inode : 0;
	out->cookie = (uint64_t)socket->inode;
	out->references = ref_count(&socket->refs) - 1;
	out->shutdown = (uint8_t)READ_ONCE(socket->shutdown);
	out->receive_limit = READ_ONCE(socket->receive_limit);
	out->send_limit = READ_ONCE(socket->send_limit);
	if (socket->type == SOCK_RAW)
		out->local.port = (uint16_t)socket->protocol; /* as Linux has it */
	if (socket->type == SOCK_STREAM)
		tell_stream((struct tcp_socket *)s, out);
	else
		tell_datagrams((struct datagram_socket *)s, out);
	mutex_unlock(&socket->lock);
}

static void
tell_waiting(const struct found *f, struct inet_socket_info *out)
{
	uint64_t over = clock_monotonic_ns() - f->since;

	*out = (struct inet_socket_info){ .family = ip_address_is_v4(&f->local.address) ? AF_INET : AF_INET6,
					  .state = TCP_TIME_WAIT, .local = f->local, .remote = f->remote,
					  .references = 1 };
	out->ends_in = over < TCP_TIME_WAIT_NS ? TCP_TIME_WAIT_NS - over : 0;
}

/* Whose it is that the stack has in that place, with a reference; NULL: nobody's, or it is handed over, and a socket. */
static struct inet_socket *
half_open_listener(struct network *n, uint32_t index, struct endpoint *local, struct endpoint *remote)
{
	struct inet_socket *there;
	uint32_t interface;

	if (!half_open_get(index, local, remote, &interface))
		return NULL;
	there = port_find_flow(n, PORTS_TCP, local, remote);
	if (!there)
		return port_find_listener(n, local, remote, interface);
	tcp_put((struct tcp_socket *)there);
	return NULL;
}

/* Those that the stack has not handed over, at most `max`. Without `out` only counts. */
static uint32_t
tell_half_open(struct network *n, struct inet_socket_info *out, uint32_t max)
{
	struct endpoint local, remote;
	uint32_t count = 0;

	for (uint32_t i = 0; i < NETD_HALF_OPEN && count < max && door_serves(n); i++) {
		struct inet_socket *l = half_open_listener(n, i, &local, &remote);

		if (!l)
			continue;
		if (out)
			out[count] = (struct inet_socket_info){ .family = l->socket.family, .state = TCP_SYN_RECEIVED,
								.local = local, .remote = remote, .uid = l->port.uid,
								.interface = READ_ONCE(l->device) };
		count++;
		tcp_put((struct tcp_socket *)l);
	}
	return count;
}

/* PORT_KINDS: the raw ones. False: no such protocol. */
static bool
port_kind_of(int protocol, enum port_kind *out)
{
	switch (protocol) {
	case IPPROTO_TCP:
		*out = PORTS_TCP;
		return true;
	case IPPROTO_UDP:
		*out = PORTS_UDP;
		return true;
	case IPPROTO_ICMP:
		*out = PORTS_PING;
		return true;
	case IPPROTO_RAW:
		*out = PORT_KINDS;
		return true;
	default:
		return false;
	}
}

struct inet_socket_info *
inet_sockets(struct network *n, int protocol, uint32_t *count)
{
	enum port_kind kind;
	uint32_t max, found, half = 0;
	struct inet_socket_info *all;
	struct found *f;

	*count = 0;
	if (!port_kind_of(protocol, &kind))
		return NULL;
	max = walk(n, kind, NULL, UINT32_MAX) + 16; /* some may come meanwhile */
	if (kind == PORTS_TCP)
		half = tell_half_open(n, NULL, UINT32_MAX);
	f = kvmalloc(max * sizeof(*f));
	all = kvmalloc((max + half) * sizeof(*all));
	found = f && all ? walk(n, kind, f, max) : 0;
	for (uint32_t i = 0; i < found; i++) {
		struct inet_socket_info *to = &all[*count];

		if (f[i].socket) {
			tell(&f[i], to);
			if (protocol == IPPROTO_TCP)
				tcp_report(&f[i].socket->socket, &to->report);
			put(f[i].socket);
		} else {
			tell_waiting(&f[i], to);
		}
		if (protocol != IPPROTO_TCP || to->state != TCP_CLOSED)
			++*count;
	}
	if (f && all && half)
		*count += tell_half_open(n, all + *count, half);
	if (!f) {
		kvfree(all);
		all = NULL;
	}
	kvfree(f);
	return all;
}
