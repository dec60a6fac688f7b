/* SPDX-License-Identifier: MIT */
/*
 * input.c - IP packets that came in by a link find their sockets.
 *
 * What they say is not believed: a packet is taken apart by header.c, and what does not hold together is dropped
 * and counted. A chain of answers is short: an error answers no error, and an echo's answer is answered by nobody.
 */
#include <tessera/socket.h>

#include "../inet/inet.h"
#include "ip.h"

/* Addresses that may not come from a wire: RFC 1122, 3.2.1.3; RFC 4291, 2.5.3. */
static bool
is_martian(const struct ip_label *l, uint32_t interface)
{
	if (ip_address_is_multicast(&l->from) || ip_address_is_broadcast(&l->from))
		return true;
	return interface != NETWORK_LOOPBACK && (ip_address_is_loopback(&l->from) || ip_address_is_loopback(&l->to));
}

/* What came is noted where sockets look for it. */
static void
label_packet(struct packet *p, uint32_t interface, const struct ip_label *l)
{
	p->info.from = (struct endpoint){ .address = l->from };
	p->info.to = (struct endpoint){ .address = l->to };
	if (ip_address_is_link_local(&l->from))
		p->info.from.scope = interface;
	if (ip_address_is_link_local(&l->to))
		p->info.to.scope = interface;
	p->info.interface = interface;
	p->info.ttl = l->ttl;
	p->info.tos = l->tos;
	p->info.flow = l->flow;
}

/* False: it is none that may go on. */
static bool
check(struct network *n, uint32_t interface, struct packet *p, struct ip_label *l)
{
	bool v6 = p->length && (uint8_t)p->data[0] >> 4 == 6;

	network_add(n, v6 ? IP6_IN : IP_IN, 1);
	if (!ip_parse(p->data, p->length, false, l)) {
		network_add(n, v6 ? IP6_IN_HEADER_ERRORS : IP_IN_HEADER_ERRORS, 1);
		return false;
	}
	if (l->is_fragment) { /* the stack puts them together */
		network_add(n, v6 ? IP6_IN_DISCARDS : IP_IN_DISCARDS, 1);
		return false;
	}
	if (is_martian(l, interface)) {
		network_add(n, v6 ? IP6_IN_ADDRESS_ERRORS : IP_IN_ADDRESS_ERRORS, 1);
		return false;
	}
	p->length = l->length;
	label_packet(p, interface, l);
	return true;
}

/* Nobody here knows the protocol: RFC 792; RFC 4443, 3.4. */
static void
refuse_protocol(struct network *n, struct packet *p, const struct ip_label *l, uint32_t flags)
{
	network_add(n, l->v6 ? IP6_IN_UNKNOWN : IP_IN_UNKNOWN, 1);
	if (!(flags & IP_TO_MANY))
		icmp_refuse(n, p, l, l->v6 ? ICMP6_PARAMETER : ICMP_UNREACHABLE, l->v6 ? 1 : 2);
	packet_free(p);
}

void
ip_input(struct network *n, uint32_t interface, struct packet *p, uint32_t flags)
{
	struct ip_label l;
	bool heard = false;

	if (!check(n, interface, p, &l)) {
		packet_free(p);
		return;
	}
	if (READ_ONCE(n->raw_count[l.protocol]))
		heard = raw_input(n, p, &l);
	network_add(n, l.v6 ? IP6_IN_DELIVERS : IP_IN_DELIVERS, 1);
	if (l.protocol == IPPROTO_UDP)
		udp_input(n, p, &l, flags);
	else if (l.protocol == (l.v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		icmp_input(n, p, &l, flags);
	else if (heard || l.protocol == IPPROTO_TCP)
		packet_free(p);
	else
		refuse_protocol(n, p, &l, flags);
}

void
ip_input_tcp_seen(struct network *n, uint32_t interface, struct packet *p)
{
	struct ip_label l;

	if (check(n, interface, p, &l) && l.protocol == IPPROTO_TCP)
		raw_input(n, p, &l);
	packet_free(p);
}
