/* SPDX-License-Identifier: MIT */
/*
 * send.c - frames that programs send through packet sockets.
 */
#include <tessera/errno.h>
#include <tessera/string.h>

#include "packet_ring.h"

int
packet_find_target(struct packet_socket *k, const struct socket_message *m, struct link_address *to,
		   struct interface_info *info)
{
	*to = (struct link_address){ .interface = (int32_t)READ_ONCE(k->interface),
				     .protocol = host_to_net16(READ_ONCE(k->protocol)) };
	if (m->address.length) {
		if (m->address.length < offsetof(struct link_address, address))
			return -EINVAL;
		memcpy(to, m->address.bytes, MIN((size_t)m->address.length, sizeof(*to)));
		if (m->address.length < offsetof(struct link_address, address) + to->length)
			return -EINVAL;
	}
	if (network_interface(packet_network(k), (uint32_t)to->interface, info))
		return -ENXIO;
	return info->flags & INTERFACE_UP ? 0 : -ENETDOWN;
}

/* The link's header before what a program wrote without. */
static int
push_header(struct packet *p, const struct link_address *to, const struct interface_info *info)
{
	uint8_t *header;

	if (info->kind == LINK_NONE)
		return 0;
	header = packet_push(p, ETHERNET_HEADER);
	memset(header, 0, ETHERNET_HEADER);
	memcpy(header, to->address, MIN(to->length, (uint8_t)6));
	memcpy(header + 6, info->address, 6);
	memcpy(header + 12, &to->protocol, sizeof(to->protocol));
	return 0;
}

static int
give_to_link(struct network *n, const struct interface_info *info, struct packet *p, deadline_t until)
{
	const struct link_ops *l = info->link;
	int error;

	if (!l || !l->send_frame)
		return -ENETDOWN;
	do
		error = l->send_frame(n, info->index, p);
	while (error == -EAGAIN && until && l->wait_for_room && l->wait_for_room(n, info->index, until) == 0);
	return error;
}

static uint32_t
header_of(const struct interface_info *info)
{
	return info->kind == LINK_NONE ? 0 : ETHERNET_HEADER;
}

int
packet_check_size(const struct packet_socket *k, size_t n, const struct interface_info *info)
{
	uint32_t header = k->socket.type == SOCK_RAW ? header_of(info) : 0;

	if (n > info->mtu + header)
		return -EMSGSIZE;
	return n < header || n == 0 ? -EINVAL : 0;
}

int
packet_transmit(struct packet_socket *k, const struct link_address *to, const struct interface_info *info,
		struct packet *p, deadline_t until)
{
	int error = k->socket.type == SOCK_DGRAM ? push_header(p, to, info) : 0;

	return error ? error : give_to_link(packet_network(k), info, p, until);
}

static ssize_t
send_message(struct packet_socket *k, struct socket_message *m)
{
	size_t n = m->data->count;
	struct interface_info info;
	struct link_address to;
	struct packet *p;
	int error = packet_find_target(k, m, &to, &info);

	if (!error)
		error = packet_check_size(k, n, &info);
	if (error)
		return error;
	p = packet_create_sendable(n);
	if (!p)
		return -ENOBUFS;
	if (iov_copy_from(p->data, m->data, n) != n)
		error = -EFAULT;
	else
		error = packet_transmit(k, &to, &info, p, socket_deadline(k->socket.send_timeout, m->flags));
	if (error) {
		packet_free(p);
		return error;
	}
	return (ssize_t)n;
}

/* With a ring to send from, what it holds is sent, whatever the message. */
ssize_t
packet_send(struct socket *s, struct socket_message *m)
{
	struct packet_socket *k = packet_of(s);
	struct packet_ring *r;
	ssize_t n;

	spin_lock(&k->ring_lock);
	r = k->send_ring;
	if (r)
		ref_get(&r->refs);
	spin_unlock(&k->ring_lock);
	if (!r)
		return send_message(k, m);
	n = ring_send(k, r, m);
	ring_put(r);
	return n;
}
