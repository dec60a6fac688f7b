/* SPDX-License-Identifier: MIT */
/*
 * receive.c - frames that come in and go out are shown to packet sockets.
 */
#include <tessera/bpf.h>
#include <tessera/errno.h>
#include <tessera/string.h>
#include <tessera/time.h>

#include "packet_ring.h"

#define RECEIVERS_MAX 64u /* of one frame */
#define LEAST_LENGTH  0x600u /* a "type" below is a length: IEEE 802.3 */

/* False: it is too short to be one. */
static bool
look_at(struct frame *f)
{
	if (f->interface.kind == LINK_NONE) {
		f->protocol = f->size && f->data[0] >> 4 == 6 ? PROTOCOL_IPV6 : PROTOCOL_IPV4;
		return f->size > 0;
	}
	if (f->size < ETHERNET_HEADER)
		return false;
	f->header = ETHERNET_HEADER;
	f->protocol = (uint16_t)(f->data[12] << 8 | f->data[13]);
	if (f->protocol < LEAST_LENGTH)
		f->protocol = PROTOCOL_802_2;
	return true;
}

/* watchers_lock held. Who wants one protocol sees what comes in only. */
static bool
wants(const struct packet_socket *k, const struct frame *f)
{
	bool out = f->direction == FRAME_OUTGOING;

	if (k->interface && k->interface != f->interface.index)
		return false;
	if (out && READ_ONCE(k->option[PACKET_NO_OUTGOING]))
		return false;
	return k->protocol == PROTOCOL_ALL || (k->protocol == f->protocol && !out);
}

struct link_address
packet_sender(const struct frame *f)
{
	struct link_address from = { .family = AF_PACKET, .protocol = host_to_net16(f->protocol),
				     .interface = (int32_t)f->interface.index, .kind = f->interface.kind,
				     .type = (uint8_t)f->direction };

	if (f->header) {
		from.length = 6;
		memcpy(from.address, f->data + 6, 6);
	}
	return from;
}

static void
label(struct packet *p, const struct packet_socket *k, const struct frame *f)
{
	struct socket_frame *to = &p->info.frame;

	p->info.interface = f->interface.index;
	*to = (struct socket_frame){ .protocol = f->protocol, .kind = f->interface.kind, .type = (uint8_t)f->direction };
	to->length = f->size - (k->socket.type == SOCK_DGRAM ? f->header : 0);
	to->network = (uint16_t)(k->socket.type == SOCK_DGRAM ? 0 : f->header);
	if (f->header) {
		to->address_length = 6;
		memcpy(to->address, f->data + 6, 6);
	}
}

static void
give(struct packet_socket *k, const struct frame *f)
{
	uint32_t skip = k->socket.type == SOCK_DGRAM ? f->header : 0, size = f->size - skip;
	struct bpf_frame frame = {
		.link = f->header ? f->data : NULL, .link_size = f->size, .network = f->data + f->header,
		.network_size = f->size - f->header, .protocol = f->protocol, .kind = f->interface.kind,
		.interface = f->interface.index, .type = (uint8_t)f->direction,
	};
	struct packet *p;

	if (READ_ONCE(k->socket.filter))
		size = MIN(size, socket_filter_run(&k->socket, f->data + skip, size, &frame));
	if (size == 0 || ring_give(k, f, skip, size))
		return;
	p = packet_create(size);
	if (!p)
		return;
	memcpy(p->data, f->data + skip, size);
	label(p, k, f);
	if (packet_queue_put(&k->queue, &k->socket, p)) {
		atomic_add(&k->received, 1);
		packet_queue_tell(&k->socket);
	} else {
		packet_free(p);
	}
}

void
frame_seen(struct network *n, uint32_t interface, const void *data, size_t size, enum frame_direction d)
{
	struct frame f = { .data = data, .size = (uint32_t)size, .direction = d };
	struct packet_socket *to[RECEIVERS_MAX], *k;
	unsigned count = 0;

	if (!network_taps(n) || size > FRAME_MAX || network_interface(n, interface, &f.interface) || !look_at(&f))
		return;
	spin_lock(&n->watchers_lock);
	list_for_each (k, &n->taps, watcher)
		if (count < RECEIVERS_MAX && wants(k, &f) && ref_get_unless_zero(&k->socket.refs))
			to[count++] = k;
	spin_unlock(&n->watchers_lock);
	for (unsigned i = 0; i < count; i++) {
		give(to[i], &f);
		packet_put(to[i]);
	}
}

ssize_t
packet_receive(struct socket *s, struct socket_message *m)
{
	struct packet_socket *k = packet_of(s);
	struct packet_info info;
	struct link_address from;
	ssize_t n;

	if (m->flags & MSG_ERRQUEUE)
		return -EAGAIN;
	if (m->flags & MSG_OOB)
		return -EINVAL;
	n = packet_queue_receive(&k->queue, s, m, &info);
	if (n < 0)
		return n;
	from = (struct link_address){ .family = AF_PACKET, .protocol = host_to_net16(info.frame.protocol),
				      .interface = (int32_t)info.interface, .kind = info.frame.kind, .type = info.frame.type,
				      .length = info.frame.address_length };
	memcpy(from.address, info.frame.address, sizeof(from.address));
	memcpy(m->address.bytes, &from, sizeof(from));
	m->address.length = sizeof(from);
	m->packet = (struct socket_packet){ .frame = info.frame, .ttl = -1 };
	return n;
}
