/* SPDX-License-Identifier: MIT */
/*
 * loopback.c - the interface "lo": what is sent by it comes in by it.
 *
 * Its frames have Ethernet's header, all addresses zero, as programs that look at them expect.
 */
#include <tessera/errno.h>
#include <tessera/string.h>

#include "ip.h"

void
loopback_count(struct network *n, uint32_t bytes)
{
	atomic_add_relaxed(&n->loop_packets, 1);
	atomic_add_relaxed(&n->loop_bytes, bytes);
}

/* A frame goes out, and comes in again. */
static void
show(struct network *n, uint32_t interface, const struct packet *frame)
{
	if (!network_taps(n))
		return;
	frame_seen(n, interface, frame->data, frame->length, FRAME_OUTGOING);
	frame_seen(n, interface, frame->data, frame->length, FRAME_HOST);
}

static int
loopback_send(struct network *n, uint32_t interface, const struct ip_address *next, struct packet *p)
{
	bool v6 = (uint8_t)p->data[0] >> 4 == 6;

	loopback_count(n, p->length);
	if (network_taps(n) && packet_headroom(p) >= ETHERNET_HEADER) {
		uint8_t *header = packet_push(p, ETHERNET_HEADER);

		memset(header, 0, ETHERNET_HEADER);
		store_net16(header + 12, v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
		show(n, interface, p);
		packet_pull(p, ETHERNET_HEADER);
	}
	ip_input(n, interface, p, IP_CHECKED);
	return 0;
}

static int
loopback_send_frame(struct network *n, uint32_t interface, struct packet *p)
{
	uint16_t type;

	show(n, interface, p);
	type = p->length < ETHERNET_HEADER ? 0 : load_net16(p->data + 12);
	if (p->length >= ETHERNET_HEADER)
		packet_pull(p, ETHERNET_HEADER);
	loopback_count(n, p->length);
	if (type != ETHERTYPE_IPV4 && type != ETHERTYPE_IPV6) {
		packet_free(p);
		return 0;
	}
	ip_input(n, interface, p, 0);
	return 0;
}

const struct link_ops loopback_ops = {
	.send = loopback_send,
	.send_frame = loopback_send_frame,
};
