/* SPDX-License-Identifier: MIT */
/*
 * ip_in.c - packets come in: RFC 791, RFC 8200. Segments of TCP go to lwIP, the rest of what is for us to the kernel.
 *
 * Everything in a packet is a stranger's: each length is checked against what there is before it is used.
 */
#include <lwip/ip.h>
#include <lwip/prot/ip4.h>

#include "tcp.h"

#define IP6_HEADER	 40
#define PROTO_HOPS	 0
#define PROTO_ROUTING	 43
#define PROTO_FRAGMENT	 44
#define PROTO_ICMP6	 58
#define PROTO_OPTIONS	 60
#define ND_FIRST	 133 /* router solicitation */
#define ND_LAST		 136 /* neighbour advertisement */

static void
give_to_kernel(const struct interface *i, const uint8_t *packet, uint32_t length, uint32_t flags, bool to_many)
{
	struct iovec part = { .iov_base = (void *)packet, .iov_len = length };
	uint32_t frame_flags = (flags & NIC_CHECKSUM_GOOD ? NETD_FRAME_CHECKED : 0) | (to_many ? NETD_FRAME_TO_MANY : 0);

	/* Without room it is lost, as datagrams are. */
	door_frame_send(NETD_FRAME_RECEIVED, frame_flags, i->index, NULL, &part, 1);
}

/* Raw sockets may want to see segments of TCP, which nobody else gets. */
static void
show_segment(const struct interface *i, const uint8_t *packet, uint32_t length)
{
	struct iovec part = { .iov_base = (void *)packet, .iov_len = length };

	if (__atomic_load_n(&door.kernel->taps, __ATOMIC_RELAXED) & NETD_TAP_TCP)
		door_frame_send(NETD_FRAME_TCP_SEEN, 0, i->index, NULL, &part, 1);
}

/* A segment by itself: what held its frame, or a copy. */
static struct pbuf *
segment_of(struct pbuf **held, const uint8_t *segment, uint32_t length)
{
	struct pbuf *p;

	if (held) {
		p = *held;
		*held = NULL;
		pbuf_remove_header(p, segment - (const uint8_t *)p->payload);
		pbuf_realloc(p, length);
		return p;
	}
	p = pbuf_alloc(PBUF_RAW, length, PBUF_RAM);
	if (p)
		memcpy(p->payload, segment, length);
	return p;
}

static void
segment_in(struct interface *i, const struct netd_address *from, const struct netd_address *to, const uint8_t *segment,
	uint32_t length, uint32_t flags, struct pbuf **held)
{
	struct pbuf *p;

	if (length < TCP_HLEN || length > 0xffff)
		return;
	if (!(flags & NIC_CHECKSUM_GOOD) &&
		ip_fold(ip_sum(ip_pseudo_sum(from, to, IP_PROTO_TCP, length), segment, length)) != 0xffff)
		return;
	p = segment_of(held, segment, length);
	if (!p)
		return;
	ip_data.current_netif = ip_data.current_input_netif = &i->netif;
	address_to_lwip(&ip_data.current_iphdr_src, from);
	address_to_lwip(&ip_data.current_iphdr_dest, to);
	tcp_receive_segment(p, i);
}

void
ip4_receive(struct interface *i, const uint8_t *packet, uint32_t length, uint32_t flags, struct pbuf **held)
{
	uint32_t header, whole;
	struct netd_address from, to;
	struct fragment f;
	bool group;

	if (length < IP_HLEN || packet[0] >> 4 != 4)
		return;
	header = (packet[0] & 15) * 4u;
	whole = get16(packet + 2);
	if (header < IP_HLEN || whole < header || whole > length || ip_fold(ip_sum(0, packet, header)) != 0xffff)
		return;
	length = whole;
	from = address_v4(packet + 12);
	to = address_v4(packet + 16);
	if (address_is_group(&from) || ip_is_broadcast(i, &from) || packet[12] == 127 || packet[16] == 127)
		return;
	group = address_is_group(&to) ? ip_group_joined(i, &to) : ip_is_broadcast(i, &to);
	if (!group && !ip_is_ours(&to))
		return;
	if (get16(packet + 6) & (IP_MF | IP_OFFMASK)) {
		f = (struct fragment){
			.header = packet, .header_length = header, .offset = (get16(packet + 6) & IP_OFFMASK) * 8u,
			.more = get16(packet + 6) & IP_MF, .data = packet + header, .length = length - header,
		};
		memcpy(f.key, packet + 12, 8);
		memcpy(f.key + 8, packet + 4, 2);
		f.key[10] = packet[9];
		packet = fragment_add(&f, &length);
		if (!packet)
			return;
		header = (packet[0] & 15) * 4u;
		flags &= ~NIC_CHECKSUM_GOOD;
		held = NULL;
	}
	if (packet[9] == IP_PROTO_TCP) {
		show_segment(i, packet, length);
		if (!group && !(flags & LINK_TO_MANY))
			segment_in(i, &from, &to, packet + header, length - header, flags, held);
		return;
	}
	if (packet[9] == IP_PROTO_IGMP)
		groups_receive(i, packet + header, length - header, false);
	give_to_kernel(i, packet, length, flags, group);
}

/* Where the packet's own header begins behind IPv6's extensions, and what it is; 0: nowhere. */
static uint32_t
skip_extensions(const uint8_t *packet, uint32_t length, uint8_t *protocol, uint32_t *fragment)
{
	uint32_t at = IP6_HEADER;

	*protocol = packet[6];
	*fragment = 0;
	while (*protocol == PROTO_HOPS || *protocol == PROTO_OPTIONS || *protocol == PROTO_ROUTING ||
		*protocol == PROTO_FRAGMENT) {
		if (length - at < 8)
			return 0;
		if (*protocol == PROTO_FRAGMENT) {
			*fragment = at;
			return at;
		}
		/* A source route that is not at its end would have us forward it. */
		if (*protocol == PROTO_ROUTING && packet[at + 3])
			return 0;
		*protocol = packet[at];
		if (length - at < (packet[at + 1] + 1) * 8u)
			return 0;
		at += (packet[at + 1] + 1) * 8u;
	}
	return at;
}

void
ip6_receive(struct interface *i, const uint8_t *packet, uint32_t length, uint32_t flags, struct pbuf **held)
{
	uint32_t whole, at, fragment;
	struct netd_address from, to;
	uint8_t protocol;
	struct fragment f;
	bool group;

	if (length < IP6_HEADER || packet[0] >> 4 != 6)
		return;
	whole = IP6_HEADER + get16(packet + 4);
	if (whole > length)
		return;
	length = whole;
	from = address_v6(packet + 8);
	to = address_v6(packet + 24);
	if (address_is_group(&from) || address_is_v4(&from) || address_is_v4(&to))
		return;
	group = address_is_group(&to) && ip_group_joined(i, &to);
	if (!group && !ip_is_ours(&to))
		return;
	at = skip_extensions(packet, length, &protocol, &fragment);
	if (!at)
		return;
	if (fragment) {
		f = (struct fragment){
			.header = packet, .header_length = fragment, .offset = get16(packet + at + 2) & 0xfff8u,
			.more = packet[at + 3] & 1, .data = packet + at + 8, .length = length - at - 8,
		};
		memcpy(f.key, packet + 8, 32);
		memcpy(f.key + 32, packet + at + 4, 4);
		f.key[36] = 6;
		packet = fragment_add(&f, &length);
		if (!packet)
			return;
		at = skip_extensions(packet, length, &protocol, &fragment);
		if (!at || fragment)
			return;
		flags &= ~NIC_CHECKSUM_GOOD;
		held = NULL;
	}
	if (protocol == IP_PROTO_TCP) {
		show_segment(i, packet, length);
		if (!group && !(flags & LINK_TO_MANY))
			segment_in(i, &from, &to, packet + at, length - at, flags, held);
		return;
	}
	if (protocol == PROTO_ICMP6 && length > at &&
		ip_fold(ip_sum(ip_pseudo_sum(&from, &to, PROTO_ICMP6, length - at), packet + at, length - at)) != 0xffff)
		return;
	if (protocol == PROTO_ICMP6 && length > at && packet[at] >= ND_FIRST && packet[at] <= ND_LAST) {
		/* From a neighbour, not from behind a router: RFC 4861, 7.1. */
		if (packet[7] == 255)
			nd_receive(i, packet, packet + at, length - at);
		return;
	}
	if (protocol == PROTO_ICMP6)
		groups_receive(i, packet + at, length - at, true);
	give_to_kernel(i, packet, length, flags, group);
}
