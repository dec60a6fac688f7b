/* SPDX-License-Identifier: MIT */
/*
 * icmp.c - ICMP messages: echoes are answered, errors find who caused them. RFC 792, RFC 1122, RFC 4443; icmp(7).
 *
 *	0  type (1), code (1), checksum (2)
 *	4  of an echo: identifier (2), sequence number (2); of an error: a word of its type's
 *	8  of an echo: anything, to be sent back; of an error: the beginning of the packet that it is about
 *
 * Neighbours and groups (ND, IGMP, MLD) are the stack's business.
 */
#include <tessera/errno.h>
#include <tessera/string.h>

#include "../inet/inet.h"
#include "ip.h"

#define QUOTED_V4 548u   /* a message with its IP header has 576 bytes: RFC 1812, 4.3.2.3 */
#define QUOTED_V6 1232u  /* 1280: RFC 4443, 2.4 */

/* The message's checksum, which lies at its third byte, is made anew. `l`: of its packet. */
static void
sign(void *message, size_t n, const struct ip_label *l)
{
	uint32_t sum = l->v6 ? checksum_pseudo(l, n) : 0;
	uint16_t result;

	store_net16((char *)message + 2, 0);
	result = checksum_end(checksum_add(sum, message, n));
	memcpy((char *)message + 2, &result, sizeof(result));
}

/* Send `p`, an ICMP message, as an answer to what came with the label `l`. Takes p over. */
static void
answer(struct network *n, struct packet *p, const struct ip_label *l, uint32_t interface, uint8_t tos)
{
	struct ip_label own = { .from = l->to, .to = l->from, .v6 = l->v6, .ttl = (uint8_t)network_setting(n, SETTING_TTL), .tos = tos,
				.protocol = l->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP };
	bool near = ip_address_is_link_local(&own.to);
	struct way w;

	if (ip_address_is_multicast(&own.from))
		own.from = l->v6 ? (struct ip_address){ 0 } : ip_address_v4(0);
	if (find_way(n, &own.to, &own.from, near ? interface : 0, &w)) {
		network_add(n, l->v6 ? IP6_OUT_NO_ROUTES : IP_OUT_NO_ROUTES, 1);
		packet_free(p);
		return;
	}
	own.from = w.source;
	sign(p->data, p->length, &own);
	network_add(n, l->v6 ? ICMP6_OUT : ICMP_OUT, 1);
	ip_send(n, &w, &own, &(struct ip_manner){ 0 }, p);
}

/* --- errors of ours -------------------------------------------------------------------------------- */

/* An error must not answer an error, nor what was for many, nor nobody: RFC 1122, 3.2.2; RFC 4443, 2.4 (e). */
static bool
may_be_refused(const struct packet *p, const struct ip_label *l)
{
	const uint8_t *inside = (const uint8_t *)p->data + l->header;

	if (ip_address_is_multicast(&l->to) || ip_address_is_broadcast(&l->to) || ip_address_is_any(&l->from))
		return false;
	if (l->protocol != (l->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return true;
	if (p->length == l->header)
		return false;
	return l->v6 ? inside[0] >= ICMP6_ECHO : inside[0] == ICMP_ECHO;
}

void
icmp_refuse(struct network *n, const struct packet *p, const struct ip_label *l, uint8_t type, uint8_t code)
{
	size_t quoted = MIN((size_t)p->length, (size_t)(l->v6 ? QUOTED_V6 : QUOTED_V4));
	struct packet *own;

	if (!may_be_refused(p, l) || !icmp_limit_admits(n, p, l, type))
		return;
	own = packet_create_sendable(ICMP_HEADER + quoted);
	if (!own)
		return;
	memset(own->data, 0, ICMP_HEADER);
	own->data[0] = (char)type;
	own->data[1] = (char)code;
	if (l->v6 && type == ICMP6_PARAMETER) /* where the unknown number is: what leads to the last header */
		store_net32(own->data + 4, 6);
	memcpy(own->data + ICMP_HEADER, p->data, quoted);
	network_add(n, l->v6 ? ICMP6_OUT_UNREACHABLE : ICMP_OUT_UNREACHABLE, 1);
	answer(n, own, l, p->info.interface, l->v6 ? 0 : 0xc0);
}

/* --- what comes in ---------------------------------------------------------------------------------- */

/* Takes `p` over. */
static void
answer_echo(struct network *n, struct packet *p, const struct ip_label *l, uint32_t flags)
{
	struct packet *own = p;

	if ((flags & IP_TO_MANY) || ip_address_is_broadcast(&l->to) || (!l->v6 && ip_address_is_multicast(&l->to))) {
		packet_free(p);
		return;
	}
	packet_pull(p, l->header);
	if (packet_headroom(p) < PACKET_HEADROOM) {
		own = packet_copy(p);
		packet_free(p);
	}
	if (!own)
		return;
	own->data[0] = (char)(l->v6 ? ICMP6_ECHO_REPLY : ICMP_ECHO_REPLY);
	network_add(n, l->v6 ? ICMP6_OUT_ECHO_REPLIES : ICMP_OUT_ECHO_REPLIES, 1);
	answer(n, own, l, own->info.interface, l->tos);
}

static bool
is_error(const struct ip_label *l, uint8_t type)
{
	if (l->v6)
		return type >= ICMP6_UNREACHABLE && type <= ICMP6_PARAMETER;
	return type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER;
}

static bool
is_whole(const struct packet *p, const struct ip_label *l)
{
	size_t n = p->length - l->header;

	return checksum_end(checksum_add(l->v6 ? checksum_pseudo(l, n) : 0, p->data + l->header, n)) == 0;
}

static void
count_type(struct network *n, bool v6, uint8_t type)
{
	if (type == (v6 ? ICMP6_ECHO : ICMP_ECHO))
		network_add(n, v6 ? ICMP6_IN_ECHOS : ICMP_IN_ECHOS, 1);
	else if (type == (v6 ? ICMP6_ECHO_REPLY : ICMP_ECHO_REPLY))
		network_add(n, v6 ? ICMP6_IN_ECHO_REPLIES : ICMP_IN_ECHO_REPLIES, 1);
	else if (type == (v6 ? ICMP6_UNREACHABLE : ICMP_UNREACHABLE))
		network_add(n, v6 ? ICMP6_IN_UNREACHABLE : ICMP_IN_UNREACHABLE, 1);
	else if (type == (v6 ? ICMP6_TIME_EXCEEDED : ICMP_TIME_EXCEEDED))
		network_add(n, v6 ? ICMP6_IN_TIME_EXCEEDED : ICMP_IN_TIME_EXCEEDED, 1);
}

void
icmp_input(struct network *n, struct packet *p, const struct ip_label *l, uint32_t flags)
{
	uint8_t type;

	network_add(n, l->v6 ? ICMP6_IN : ICMP_IN, 1);
	if (p->length < l->header + ICMP_HEADER) {
		network_add(n, l->v6 ? ICMP6_IN_ERRORS : ICMP_IN_ERRORS, 1);
		packet_free(p);
		return;
	}
	if (!is_whole(p, l)) {
		network_add(n, l->v6 ? ICMP6_IN_CHECKSUM_ERRORS : ICMP_IN_CHECKSUM_ERRORS, 1);
		network_add(n, l->v6 ? ICMP6_IN_ERRORS : ICMP_IN_ERRORS, 1);
		packet_free(p);
		return;
	}
	type = (uint8_t)p->data[l->header];
	count_type(n, l->v6, type);
	if (type == (l->v6 ? ICMP6_ECHO : ICMP_ECHO)) {
		answer_echo(n, p, l, flags);
	} else if (type == (l->v6 ? ICMP6_ECHO_REPLY : ICMP_ECHO_REPLY)) {
		ping_input(n, p, l);
	} else {
		if (is_error(l, type))
			icmp_error_input(n, p, l);
		packet_free(p);
	}
}
