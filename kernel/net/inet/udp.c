/* SPDX-License-Identifier: MIT */
/*
 * udp.c - sockets of UDP. RFC 768; udp(7).
 *
 * To an address of this machine a datagram goes straight into the queue of its receiver, without any header. One that finds
 * none is refused, as by ICMP's port unreachable. When somebody looks at packets, they are built and go by loopback.
 */
#include <tessera/errno.h>
#include <tessera/inet.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "datagram.h"

#define RECEIVERS_MAX 64u /* of one datagram that is for many */
#define SEGMENTS_MAX  128u /* of one message that is cut: Linux's UDP_MAX_SEGMENTS */

static const struct socket_ops udp_ops;

int
udp_create(int family, struct socket **out)
{
	struct datagram_socket *d = datagram_create(sizeof(*d), &udp_ops, family, SOCK_DGRAM, IPPROTO_UDP, PORTS_UDP);

	if (!d)
		return -ENOMEM;
	*out = &d->inet.socket;
	return 0;
}

/* --- to receivers ---------------------------------------------------------------------------------- */

/* `p` has its payload at `data`, and room for UDP's header before. Takes it over. */
static void
queue(struct network *n, struct inet_socket *to, struct packet *p)
{
	bool v6 = !ip_address_is_v4(&p->info.to.address);

	if (READ_ONCE(to->socket.filter)) { /* which sees UDP's header */
		packet_push(p, UDP_HEADER);
		udp_build(p->data, NULL, p->info.from.port, p->info.to.port, p->length, false);
		packet_pull(p, UDP_HEADER);
		p->header = UDP_HEADER;
	}
	if (packet_queue_add(&((struct datagram_socket *)to)->queue, &to->socket, p)) {
		network_add(n, v6 ? UDP6_IN : UDP_IN, 1);
		return;
	}
	network_add(n, v6 ? UDP6_RECEIVE_BUFFER_ERRORS : UDP_RECEIVE_BUFFER_ERRORS, 1);
	network_add(n, v6 ? UDP6_IN_ERRORS : UDP_IN_ERRORS, 1);
	packet_free(p);
}

/* Takes `p` over. */
static void
deliver_to_all(struct network *n, struct packet *p)
{
	struct inet_socket *to[RECEIVERS_MAX];
	unsigned count = 0;

	if (group_is_joined(n, p->info.interface, &p->info.to.address))
		count = port_find_receivers(n, PORTS_UDP, &p->info.to, &p->info.from, p->info.interface, to, RECEIVERS_MAX);
	for (unsigned i = 0; i < count; i++) {
		struct packet *copy = group_allows(to[i], p->info.interface, &p->info.to.address, &p->info.from.address)
					      ? packet_copy(p) : NULL;

		if (copy)
			queue(n, to[i], copy);
		datagram_put((struct datagram_socket *)to[i]);
	}
	packet_free(p);
}

static bool
is_for_many(const struct packet *p, uint32_t flags)
{
	const struct ip_address *to = &p->info.to.address;

	return (flags & IP_TO_MANY) || ip_address_is_multicast(to) || ip_address_is_broadcast(to);
}

/* Takes `p` over, unless nobody is there for it: false. */
static bool
deliver(struct network *n, struct packet *p, uint32_t flags)
{
	struct inet_socket *to;

	if (is_for_many(p, flags)) {
		deliver_to_all(n, p);
		return true;
	}
	to = port_find_receiver(n, PORTS_UDP, &p->info.to, &p->info.from, p->info.interface);
	if (!to) {
		network_add(n, ip_address_is_v4(&p->info.to.address) ? UDP_NO_PORTS : UDP6_NO_PORTS, 1);
		return false;
	}
	queue(n, to, p);
	datagram_put((struct datagram_socket *)to);
	return true;
}

static void
count_bad(struct network *n, bool v6, bool wrong_sum)
{
	network_add(n, v6 ? UDP6_IN_ERRORS : UDP_IN_ERRORS, 1);
	if (wrong_sum)
		network_add(n, v6 ? UDP6_CHECKSUM_ERRORS : UDP_CHECKSUM_ERRORS, 1);
}

void
udp_input(struct network *n, struct packet *p, const struct ip_label *l, uint32_t flags)
{
	uint32_t whole = p->length;
	bool wrong_sum;
	size_t size;

	size = udp_parse(p->data + l->header, p->length - l->header, l, flags & IP_CHECKED, &p->info.from.port,
			 &p->info.to.port, &wrong_sum);
	if (size == 0) {
		count_bad(n, l->v6, wrong_sum);
		packet_free(p);
		return;
	}
	p->length = (uint32_t)(l->header + size);
	packet_pull(p, l->header + UDP_HEADER);
	if (deliver(n, p, flags))
		return;
	packet_push(p, l->header + UDP_HEADER);
	p->length = whole;
	icmp_refuse(n, p, l, l->v6 ? ICMP6_UNREACHABLE : ICMP_UNREACHABLE, l->v6 ? 4 : 3);
	packet_free(p);
}

void
udp_error(struct network *n, uint32_t interface, const struct ip_label *l, const void *inside, size_t size,
	  const struct socket_error *e, bool hard)
{
	struct endpoint from = { .address = l->from, .port = load_net16(inside) };
	struct endpoint to = { .address = l->to, .port = load_net16((const char *)inside + 2) };
	struct inet_socket *s = port_find_receiver(n, PORTS_UDP, &from, &to, interface);

	if (!s)
		return;
	datagram_error((struct datagram_socket *)s, e, &to, (const char *)inside + UDP_HEADER, size - UDP_HEADER, hard);
	datagram_put((struct datagram_socket *)s);
}

/* --- sending -------------------------------------------------------------------------------------- */

/* Of this machine, and nobody looks at packets: it goes from socket to socket without a header. */
static bool
is_short(struct network *n, const struct datagram_path *path)
{
	if (path->way.link != &loopback_ops || path->label.length > path->way.mtu)
		return false;
	return !network_taps(n) && !READ_ONCE(n->raw_count[IPPROTO_UDP]) &&
	       !READ_ONCE(n->raw_count[path->label.v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP]);
}

/* Takes `p` over. */
static void
send_short(struct datagram_socket *d, const struct datagram_path *path, struct packet *p)
{
	struct socket_error e = { .origin = ERROR_ICMP, .type = ICMP_UNREACHABLE, .code = 3, .error = ECONNREFUSED,
				  .offender = { .address = path->to.address } };

	loopback_count(network_of(&d->inet.socket), path->label.length);
	p->info.from = path->from;
	p->info.to = path->to;
	p->info.interface = NETWORK_LOOPBACK;
	p->info.ttl = path->label.ttl;
	p->info.tos = path->label.tos;
	p->info.flow = path->label.flow;
	if (deliver(network_of(&d->inet.socket), p, path->way.type == ROUTE_BROADCAST ? IP_TO_MANY : 0))
		return;
	if (path->label.v6) {
		e.origin = ERROR_ICMP6;
		e.type = ICMP6_UNREACHABLE;
		e.code = 4;
	}
	datagram_error(d, &e, &path->to, p->data, p->length, true);
	packet_free(p);
}

/* One datagram, whose payload is in `p`. Takes it over. */
static int
send_one(struct datagram_socket *d, const struct datagram_path *path, struct packet *p, deadline_t until)
{
	struct network *n = network_of(&d->inet.socket);
	struct datagram_path own = *path; /* each has its own length */
	struct ip_label *l = &own.label;

	network_add(n, l->v6 ? UDP6_OUT : UDP_OUT, 1);
	l->length = p->length + UDP_HEADER + (l->v6 ? IP6_HEADER : IP4_HEADER);
	if (is_short(n, &own)) {
		send_short(d, &own, p);
		return 0;
	}
	packet_push(p, UDP_HEADER);
	udp_build(p->data, l, path->from.port, path->to.port, p->length,
		  l->v6 || !(READ_ONCE(d->inet.socket.options) & SOCKET_NO_CHECKSUM));
	return datagram_send(d, &own, p, until);
}

/* The datagrams of `segment` bytes each that the message is to be cut into, or the one that it is. */
static ssize_t
send_now(struct datagram_socket *d, struct socket_message *m, const struct datagram_path *path)
{
	size_t n = m->data->count, segment = m->packet.segment ? m->packet.segment : READ_ONCE(d->segment), left = n;
	deadline_t until = socket_deadline(d->inet.socket.send_timeout, m->flags);
	int error;

	if (segment && n > segment * SEGMENTS_MAX)
		return -EINVAL;
	do {
		size_t piece = segment ? MIN(left, segment) : left;
		struct packet *p = packet_create_sendable(piece);

		if (!p)
			return -ENOBUFS;
		if (iov_copy_from(p->data, m->data, piece) != piece) {
			packet_free(p);
			return -EFAULT;
		}
		error = send_one(d, path, p, until);
		left -= piece;
	} while (left > 0 && !error);
	return error ? error : (ssize_t)n;
}

/* More of a datagram that is put together: MSG_MORE, UDP_CORK. send_lock held. */
static int
add_to_corked(struct datagram_socket *d, struct socket_message *m)
{
	size_t had = d->corked ? d->corked->length : 0, n = m->data->count;
	struct packet *p = packet_create_sendable(had + n);

	if (!p)
		return -ENOBUFS;
	if (iov_copy_from(p->data + had, m->data, n) != n) {
		packet_free(p);
		return -EFAULT;
	}
	if (d->corked) {
		memcpy(p->data, d->corked->data, had);
		packet_free(d->corked);
	}
	d->corked = p;
	return 0;
}

/* The first part says how it goes. send_lock held. */
static int
begin_corked(struct datagram_socket *d, struct socket_message *m)
{
	int error;

	if (!d->corked_path)
		d->corked_path = kmalloc(sizeof(*d->corked_path), 0);
	if (!d->corked_path)
		return -ENOBUFS;
	error = datagram_find_path(d, m, d->corked_path);
	return error ? error : add_to_corked(d, m);
}

static int
add_part(struct datagram_socket *d, struct socket_message *m)
{
	if ((d->corked ? d->corked->length : 0) + m->data->count > DATAGRAM_MAX)
		return -EMSGSIZE;
	return d->corked ? add_to_corked(d, m) : begin_corked(d, m);
}

/* A part that cannot be added takes the others with it. */
static ssize_t
send_in_parts(struct datagram_socket *d, struct socket_message *m)
{
	bool more = (m->flags & MSG_MORE) || READ_ONCE(d->cork);
	deadline_t until = socket_deadline(d->inet.socket.send_timeout, m->flags);
	size_t n = m->data->count;
	struct packet *whole = NULL;
	struct datagram_path path;
	int error;

	mutex_lock(&d->send_lock);
	error = add_part(d, m);
	if (error && d->corked) {
		packet_free(d->corked);
		d->corked = NULL;
	}
	if (!error && !more) {
		whole = d->corked;
		path = *d->corked_path;
		d->corked = NULL;
	}
	mutex_unlock(&d->send_lock);
	if (whole)
		error = send_one(d, &path, whole, until);
	return error ? error : (ssize_t)n;
}

static ssize_t
udp_send(struct socket *s, struct socket_message *m)
{
	struct datagram_socket *d = datagram_of(s);
	struct datagram_path path;
	int error;

	if (m->data->count > 65535)
		return -EMSGSIZE;
	error = datagram_check_send(s, m);
	if (error)
		return error;
	if ((m->flags & MSG_MORE) || READ_ONCE(d->cork) || READ_ONCE(d->corked))
		return send_in_parts(d, m);
	error = datagram_find_path(d, m, &path);
	if (error)
		return error;
	if (m->data->count > DATAGRAM_MAX + (path.label.v6 ? 20 : 0))
		return -EMSGSIZE;
	return send_now(d, m, &path);
}

int
udp_cork_set(struct socket *s, bool on)
{
	struct datagram_socket *d = datagram_of(s);
	struct packet *whole = NULL;
	struct datagram_path path;

	mutex_lock(&d->send_lock);
	WRITE_ONCE(d->cork, on);
	if (!on && d->corked) {
		whole = d->corked;
		path = *d->corked_path;
		d->corked = NULL;
	}
	mutex_unlock(&d->send_lock);
	return whole ? send_one(d, &path, whole, 0) : 0;
}

int
udp_segment_set(struct socket *s, int bytes)
{
	if (bytes < 0 || bytes > (int)UINT16_MAX)
		return -EINVAL;
	WRITE_ONCE(datagram_of(s)->segment, (uint16_t)bytes);
	return 0;
}

void
udp_options_get(struct socket *s, bool *cork, int *segment)
{
	*cork = READ_ONCE(datagram_of(s)->cork);
	*segment = READ_ONCE(datagram_of(s)->segment);
}

static void
udp_dump(struct socket *s)
{
	struct datagram_socket *d = datagram_of(s);

	pr_info("  udp: ports %u and %u, %u bytes in, %u dropped\n", d->inet.local.port, d->inet.remote.port,
		d->queue.charged, d->queue.drops);
}

static const struct socket_ops udp_ops = {
	.bind = inet_bind,
	.connect = datagram_connect,
	.listen = datagram_no_listen,
	.accept = datagram_no_accept,
	.pair = datagram_no_pair,
	.name = inet_name,
	.shutdown = datagram_shutdown,
	.send = udp_send,
	.receive = datagram_receive,
	.poll = datagram_poll,
	.pending = datagram_pending,
	.peer_cred = inet_peer_cred,
	.set_peek_offset = datagram_set_peek_offset,
	.release = datagram_release,
	.dump = udp_dump,
};
