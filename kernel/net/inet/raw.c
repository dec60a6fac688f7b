/* SPDX-License-Identifier: MIT */
/*
 * raw.c - raw sockets: IP packets of one protocol, for the privileged. raw(7), RFC 3542.
 *
 * Each that matches gets a copy of what comes in, beside the protocol's own receiver; of IPv4 with the IP header, of IPv6
 * without. They stand in network->raws, which raw_count[protocol] spares who has nothing for them to look at.
 *
 * Locks: ports_lock of the network, for the list and for what who stands in it is bound and connected to.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "raw.h"

#define RECEIVERS_MAX 64u   /* of one packet */

static const struct socket_ops raw_ops;

int
raw_create(int family, int protocol, struct socket **out)
{
	struct network *n = current_network();
	struct raw_socket *r;

	if (!capable_in(n->ns.owner, CAP_NET_RAW))
		return -EPERM;
	r = datagram_create(sizeof(*r), &raw_ops, family, SOCK_RAW, protocol, PORT_KINDS);
	if (!r)
		return -ENOMEM;
	r->checksum_at = family == AF_INET6 && protocol == IPPROTO_ICMPV6 ? 2 : -1;
	r->datagram.inet.only_v6 = family == AF_INET6;
	r->datagram.inet.socket.options = SOCKET_REUSE_ADDRESS;
	r->datagram.inet.local.port = (uint16_t)protocol;
	r->datagram.inet.fixed_port = true;
	if (protocol == IPPROTO_RAW)
		r->datagram.inet.option[INET_HEADER_INCLUDED] = 1;
	spin_lock(&n->ports_lock);
	list_add_tail(&n->raws, &r->watcher);
	if (protocol != IPPROTO_RAW)
		atomic_add(&n->raw_count[protocol], 1);
	spin_unlock(&n->ports_lock);
	*out = &r->datagram.inet.socket;
	return 0;
}

static void
raw_release(struct socket *s)
{
	struct network *n = network_of(s);
	struct raw_socket *r = raw_of(s);

	spin_lock(&n->ports_lock);
	list_del_init(&r->watcher);
	if (s->protocol != IPPROTO_RAW)
		atomic_sub(&n->raw_count[s->protocol], 1);
	spin_unlock(&n->ports_lock);
	datagram_release(s);
}

static int
raw_bind(struct socket *s, const struct socket_address *a)
{
	struct inet_socket *i = inet_of(s);
	struct endpoint e;
	int error = inet_bind_address(i, a, &e);

	if (error)
		return error;
	mutex_lock(&s->lock);
	if (s->state != SOCKET_UNCONNECTED) {
		error = -EINVAL;
	} else {
		i->local.address = e.address;
		i->local.scope = e.scope;
		i->fixed_address = !ip_address_is_any(&e.address);
		port_connect(network_of(s), &i->port, &i->local, &i->remote);
	}
	mutex_unlock(&s->lock);
	return error;
}

/* --- receiving -------------------------------------------------------------------------------------- */

static bool
is_any_or(const struct ip_address *bound, const struct ip_address *a)
{
	return ip_address_is_any(bound) || ip_address_equal(bound, a);
}

/* Does a packet from `from` to `to`, both of version v6, concern r? ports_lock held. */
static bool
concerns(const struct raw_socket *r, bool v6, uint8_t protocol, uint32_t interface, const struct ip_address *from,
	 const struct ip_address *to)
{
	const struct inet_socket *i = &r->datagram.inet;
	const struct port_holder *at = &i->port;
	uint32_t device = READ_ONCE(i->device);

	return i->socket.protocol == protocol && (i->socket.family == AF_INET6) == v6 &&
	       is_any_or(&at->local.address, to) && is_any_or(&at->remote.address, from) && (!device || device == interface);
}

static unsigned
find(struct network *n, uint32_t interface, const struct ip_label *l, const struct ip_address *from,
     const struct ip_address *to, struct raw_socket **out)
{
	struct raw_socket *r;
	unsigned count = 0;

	spin_lock(&n->ports_lock);
	list_for_each (r, &n->raws, watcher)
		if (count < RECEIVERS_MAX && concerns(r, l->v6, l->protocol, interface, from, to) &&
		    ref_get_unless_zero(&r->datagram.inet.socket.refs))
			out[count++] = r;
	spin_unlock(&n->ports_lock);
	return count;
}

/* ICMP_FILTER, ICMP6_FILTER: the types that it does not want. */
static bool
is_filtered(const struct raw_socket *r, const struct ip_label *l, const uint8_t *inside, size_t size)
{
	if (l->protocol != (l->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return false;
	if (size == 0)
		return true;
	if (!l->v6)
		return inside[0] < 32 && (READ_ONCE(r->filter[0]) >> inside[0] & 1);
	return READ_ONCE(r->filter[inside[0] / 32]) >> inside[0] % 32 & 1;
}

/* IPV6_CHECKSUM: what is wrong does not arrive. */
static bool
is_right(const struct raw_socket *r, const struct ip_label *l, const uint8_t *inside, size_t size)
{
	if (!l->v6 || READ_ONCE(r->checksum_at) < 0)
		return true;
	return checksum_end(checksum_add(checksum_pseudo(l, size), inside, size)) == 0;
}

static void
receive(struct raw_socket *r, const struct packet *p, const struct ip_label *l)
{
	const uint8_t *inside = (const uint8_t *)p->data + l->header;
	struct socket *s = &r->datagram.inet.socket;
	size_t size = p->length - l->header;
	struct packet *copy;

	if (is_filtered(r, l, inside, size) || !is_right(r, l, inside, size))
		return;
	if (ip_address_is_multicast(&l->to) && !group_allows(&r->datagram.inet, p->info.interface, &l->to, &l->from))
		return;
	copy = packet_copy(p);
	if (!copy)
		return;
	if (l->v6)
		packet_pull(copy, l->header);
	if (!packet_queue_add(&r->datagram.queue, s, copy))
		packet_free(copy);
}

bool
raw_input(struct network *n, const struct packet *p, const struct ip_label *l)
{
	struct raw_socket *to[RECEIVERS_MAX];
	unsigned count = find(n, p->info.interface, l, &l->from, &l->to, to);

	for (unsigned i = 0; i < count; i++) {
		receive(to[i], p, l);
		datagram_put(&to[i]->datagram);
	}
	return count > 0;
}

void
raw_error(struct network *n, uint32_t interface, const struct ip_label *l, const void *packet, size_t size,
	  const struct socket_error *e, bool hard)
{
	struct raw_socket *to[RECEIVERS_MAX];
	unsigned count = find(n, interface, l, &l->to, &l->from, to);
	struct endpoint sent_to = { .address = l->to };

	for (unsigned i = 0; i < count; i++) {
		bool whole = !l->v6 && inet_number_get(&to[i]->datagram.inet.socket, INET_HEADER_INCLUDED);
		size_t skip = whole ? 0 : l->header;

		datagram_error(&to[i]->datagram, e, &sent_to, (const char *)packet + skip, size - skip, hard);
		datagram_put(&to[i]->datagram);
	}
}

static void
raw_dump(struct socket *s)
{
	pr_info("  raw: protocol %d, %u bytes in, %u dropped\n", s->protocol, datagram_of(s)->queue.charged,
		datagram_of(s)->queue.drops);
}

static const struct socket_ops raw_ops = {
	.bind = raw_bind,
	.connect = datagram_connect,
	.listen = datagram_no_listen,
	.accept = datagram_no_accept,
	.pair = datagram_no_pair,
	.name = inet_name,
	.shutdown = datagram_shutdown,
	.send = raw_send,
	.receive = datagram_receive,
	.poll = datagram_poll,
	.pending = datagram_pending,
	.peer_cred = inet_peer_cred,
	.set_peek_offset = datagram_set_peek_offset,
	.release = raw_release,
	.dump = raw_dump,
};
