/* SPDX-License-Identifier: MIT */
/*
 * packet.c - AF_PACKET: sockets of link frames, for the privileged. packet(7).
 *
 * A socket says which protocol and interface it wants frames of, and stands in network->taps then. SOCK_RAW has frames
 * with their link's header, SOCK_DGRAM without.
 *
 * Locks: socket->lock, then watchers_lock of the network, or ring_lock.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "packet_ring.h"

static const struct socket_ops packet_ops;

/* Links are told whether frames are wanted. */
static void
tell_links(struct network *n)
{
	uint32_t count;
	struct interface_info *all = network_interfaces(n, &count);

	for (uint32_t i = 0; i < count; i++)
		if (all[i].link && all[i].link->taps_changed)
			all[i].link->taps_changed(n);
	kvfree(all);
}

/* From now on it wants frames of that protocol and interface. */
static void
want(struct packet_socket *k, uint16_t protocol, uint32_t interface)
{
	struct network *n = packet_network(k);
	bool was, is;

	spin_lock(&n->watchers_lock);
	was = !list_is_empty(&k->watcher);
	is = protocol != 0;
	k->protocol = protocol;
	k->interface = interface;
	if (is && !was)
		list_add_tail(&n->taps, &k->watcher);
	if (was && !is)
		list_del_init(&k->watcher);
	WRITE_ONCE(n->tap_count, n->tap_count + (uint32_t)is - (uint32_t)was);
	spin_unlock(&n->watchers_lock);
	if (is != was)
		tell_links(n);
}

static int
create(int type, int protocol, struct socket **out)
{
	struct packet_socket *k;

	if (!capable_in(current_namespaces()->of[NAMESPACE_NET]->owner, CAP_NET_RAW))
		return -EPERM;
	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	k = kzalloc(sizeof(*k));
	if (!k)
		return -ENOBUFS;
	socket_init(&k->socket, &packet_ops, AF_PACKET, type);
	k->socket.protocol = protocol;
	packet_queue_init(&k->queue);
	list_init(&k->watcher);
	spin_init(&k->ring_lock, LOCK_PACKETS);
	continuation_init(&k->retire, ring_retire);
	want(k, net_to_host16((uint16_t)protocol), 0);
	*out = &k->socket;
	return 0;
}

const struct socket_family packet_family = { .name = "packet", .create = create };

void
packet_put(struct packet_socket *k)
{
	if (!ref_put(&k->socket.refs))
		return;
	packet_queue_drop(&k->queue);
	socket_filter_drop(&k->socket);
	namespace_put(k->socket.net);
	kfree(k);
}

static void
packet_release(struct socket *s)
{
	want(packet_of(s), 0, 0);
	rings_drop(packet_of(s));
	packet_put(packet_of(s));
}

static int
packet_bind(struct socket *s, const struct socket_address *a)
{
	struct packet_socket *k = packet_of(s);
	struct interface_info info = { .flags = INTERFACE_UP };
	struct link_address l;
	int error = 0;

	if (a->length < sizeof(l))
		return -EINVAL;
	memcpy(&l, a->bytes, sizeof(l));
	if (l.family != AF_PACKET)
		return -EINVAL;
	if (l.interface)
		error = network_interface(packet_network(k), (uint32_t)l.interface, &info);
	if (error)
		return error;
	mutex_lock(&s->lock);
	want(k, l.protocol ? net_to_host16(l.protocol) : READ_ONCE(k->protocol), (uint32_t)l.interface);
	mutex_unlock(&s->lock);
	if (!(info.flags & INTERFACE_UP))
		atomic_store(&s->error, ENETDOWN);
	return 0;
}

static int
packet_name(struct socket *s, bool peer, struct socket_address *out)
{
	struct packet_socket *k = packet_of(s);
	struct link_address l = { .family = AF_PACKET, .protocol = host_to_net16(READ_ONCE(k->protocol)),
				  .interface = (int32_t)READ_ONCE(k->interface) };
	struct interface_info info;

	if (peer)
		return -EOPNOTSUPP;
	if (network_interface(packet_network(k), (uint32_t)l.interface, &info) == 0) {
		l.kind = info.kind;
		l.length = (uint8_t)MIN(info.address_length, (uint8_t)sizeof(l.address));
		memcpy(l.address, info.address, l.length);
	}
	memcpy(out->bytes, &l, sizeof(l));
	out->length = (uint32_t)offsetof(struct link_address, address) + l.length;
	return 0;
}

/* --- options ---------------------------------------------------------------------------------------- */

void
packet_option_set(struct socket *s, enum packet_option option, int value)
{
	WRITE_ONCE(packet_of(s)->option[option], value);
}

int
packet_option_get(struct socket *s, enum packet_option option)
{
	return READ_ONCE(packet_of(s)->option[option]);
}

static bool
is_like(const struct link_membership *a, const struct link_membership *b)
{
	return a->interface == b->interface && a->type == b->type && a->length == b->length &&
	       memcmp(a->address, b->address, a->length) == 0;
}

/* socket->lock held. */
static int
change_membership(struct packet_socket *k, bool add, const struct link_membership *like)
{
	struct link_membership *free = NULL;

	for (unsigned i = 0; i < MEMBERSHIPS_MAX; i++) {
		struct link_membership *m = &k->membership[i];

		if (m->count && is_like(m, like)) {
			m->count += add ? 1u : -1u;
			return 0;
		}
		if (!m->count)
			free = m;
	}
	if (!add)
		return 0;
	if (!free)
		return -ENOBUFS;
	*free = *like;
	free->count = 1;
	return 0;
}

int
packet_membership(struct socket *s, bool add, uint32_t interface, uint16_t type, const void *address, uint16_t length)
{
	struct link_membership like = { .interface = interface, .type = type, .length = length };
	struct interface_info info;
	int error;

	if (length > sizeof(like.address))
		return -EINVAL;
	memcpy(like.address, address, length);
	if (add && network_interface(packet_network(packet_of(s)), interface, &info))
		return -ENODEV;
	mutex_lock(&s->lock);
	error = change_membership(packet_of(s), add, &like);
	mutex_unlock(&s->lock);
	return error;
}

void
packet_statistics(struct socket *s, uint32_t *frames, uint32_t *drops)
{
	struct packet_socket *k = packet_of(s);
	uint32_t now = READ_ONCE(k->queue.drops);

	*drops = now - atomic_exchange(&k->drops_told, now) + atomic_exchange(&k->ring_drops, 0);
	*frames = atomic_exchange(&k->received, 0) + *drops;
}

/* --- what all sockets do ---------------------------------------------------------------------------- */

static int
no_connect(struct socket *s, const struct socket_address *a, uint32_t flags)
{
	return -EOPNOTSUPP;
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

static int
no_pair(struct socket *a, struct socket *b)
{
	return -EOPNOTSUPP;
}

static int
no_shutdown(struct socket *s, uint32_t how)
{
	return -EOPNOTSUPP;
}

static uint32_t
packet_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	uint32_t events = POLLOUT | POLLWRNORM | POLLWRBAND;

	poll_wait(pt, f, &s->read_wait);
	if (READ_ONCE(s->error))
		events |= POLLERR;
	if (!packet_queue_is_empty(&packet_of(s)->queue))
		events |= POLLIN | POLLRDNORM;
	return events | rings_poll(packet_of(s));
}

static long
packet_pending(struct socket *s, bool out)
{
	return out ? 0 : (long)packet_queue_next(&packet_of(s)->queue);
}

static void
packet_peer_cred(struct socket *s, pid_t *pid, struct cred **cred)
{
	*pid = 0;
	*cred = NULL;
}

static void
packet_dump(struct socket *s)
{
	struct packet_socket *k = packet_of(s);

	pr_info("  packet: protocol %x, interface %u, %u bytes in, %u dropped\n", k->protocol, k->interface, k->queue.charged,
		k->queue.drops);
}

static const struct socket_ops packet_ops = {
	.bind = packet_bind,
	.connect = no_connect,
	.listen = no_listen,
	.accept = no_accept,
	.pair = no_pair,
	.name = packet_name,
	.shutdown = no_shutdown,
	.send = packet_send,
	.receive = packet_receive,
	.poll = packet_poll,
	.pending = packet_pending,
	.mmap = packet_mmap,
	.mapped = packet_mapped,
	.peer_cred = packet_peer_cred,
	.release = packet_release,
	.dump = packet_dump,
};
