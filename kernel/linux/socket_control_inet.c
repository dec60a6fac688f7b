/* SPDX-License-Identifier: MIT */
/*
 * socket_control_inet.c - control messages of the Internet's families: what a datagram's header says. ip(7), ipv6(7),
 * udp(7), RFC 3542.
 */
#include <tessera/errno.h>
#include <tessera/inet.h>
#include <tessera/string.h>

#include "socket.h"

#define IP_TOS          1
#define IP_TTL          2
#define IP_PKTINFO      8
#define IP_RECVERR      11
#define IPV6_RECVERR    25
#define IP_ORIGDSTADDR  20
#define IPV6_PKTINFO    50
#define IPV6_HOPLIMIT   52
#define IPV6_TCLASS     67
#define IPV6_ORIGDSTADDR 74
#define UDP_SEGMENT     103

struct linux_in_pktinfo {
	int32_t interface;
	uint32_t source;        /* received: the address of ours that it came to */
	uint32_t to;
};
_Static_assert(sizeof(struct linux_in_pktinfo) == 12, "Linux's layout");

struct linux_in6_pktinfo {
	uint8_t address[16];
	uint32_t interface;
};
_Static_assert(sizeof(struct linux_in6_pktinfo) == 20, "Linux's layout");

/* --- of a sender ----------------------------------------------------------------------------------- */

static int
parse_packet_info(const void *data, size_t size, struct socket_packet *p)
{
	struct linux_in_pktinfo i;

	if (size != sizeof(i))
		return -EINVAL;
	memcpy(&i, data, sizeof(i));
	p->has_info = true;
	p->interface = (uint32_t)i.interface;
	p->to.address = ip_address_v4(i.source);
	return 0;
}

static int
parse_packet_info6(const void *data, size_t size, struct socket_packet *p)
{
	struct linux_in6_pktinfo i;

	if (size < sizeof(i))
		return -EINVAL;
	memcpy(&i, data, sizeof(i));
	p->has_info = true;
	p->interface = i.interface;
	memcpy(p->to.address.bytes, i.address, sizeof(i.address));
	return 0;
}

/* A number from `low` to 255, in four bytes or, where that will do, in one. */
static int
parse_number(const void *data, size_t size, int low, bool byte_will_do, int16_t *out, bool *has)
{
	int n;

	if (size == sizeof(n))
		memcpy(&n, data, sizeof(n));
	else if (size == 1 && byte_will_do)
		n = *(const uint8_t *)data;
	else
		return -EINVAL;
	if (n < low || n > 255)
		return -EINVAL;
	*out = (int16_t)n;
	*has = n >= 0;
	return 0;
}

int
inet_control_parse(struct socket *s, int level, int type, const void *data, size_t size, struct socket_message *m)
{
	struct socket_packet *p = &m->packet;

	if (level == IPPROTO_IP && type == IP_PKTINFO)
		return parse_packet_info(data, size, p);
	if (level == IPPROTO_IP && type == IP_TTL)
		return parse_number(data, size, 1, false, &p->ttl, &p->has_ttl);
	if (level == IPPROTO_IP && type == IP_TOS)
		return parse_number(data, size, 0, true, &p->tos, &p->has_tos);
	if (level == IPPROTO_IPV6 && type == IPV6_PKTINFO && s->family == AF_INET6)
		return parse_packet_info6(data, size, p);
	if (level == IPPROTO_IPV6 && type == IPV6_HOPLIMIT && s->family == AF_INET6)
		return parse_number(data, size, -1, false, &p->ttl, &p->has_ttl);
	if (level == IPPROTO_IPV6 && type == IPV6_TCLASS && s->family == AF_INET6)
		return parse_number(data, size, -1, false, &p->tos, &p->has_tos);
	if (level == IPPROTO_UDP && type == UDP_SEGMENT && s->protocol == IPPROTO_UDP) {
		if (size != sizeof(p->segment))
			return -EINVAL;
		memcpy(&p->segment, data, sizeof(p->segment));
		return 0;
	}
	return level == IPPROTO_IP || level == IPPROTO_IPV6 || level == IPPROTO_UDP ? -EINVAL : 0;
}

/* --- for a receiver -------------------------------------------------------------------------------- */

static bool
wants(struct socket *s, enum inet_option option)
{
	return inet_number_get(s, option) > 0;
}

static void
put_v4(struct socket *s, struct control_out *out, const struct socket_packet *p)
{
	struct linux_in_pktinfo i = { (int32_t)p->interface, p->to.address.words[3], p->to.address.words[3] };
	int ttl = p->ttl;
	uint8_t tos = (uint8_t)p->tos;

	if (wants(s, INET_PACKET_INFO))
		socket_control_put(out, IPPROTO_IP, IP_PKTINFO, &i, sizeof(i));
	if (wants(s, INET_RECEIVE_TTL))
		socket_control_put(out, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	if (wants(s, INET_RECEIVE_TOS))
		socket_control_put(out, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
	if (wants(s, INET_RECEIVE_DESTINATION)) {
		struct socket_address a;

		inet_destination(s, &p->to, &a);
		socket_control_put(out, IPPROTO_IP, IP_ORIGDSTADDR, a.bytes, a.length);
	}
}

static void
put_v6(struct socket *s, struct control_out *out, const struct socket_packet *p)
{
	struct linux_in6_pktinfo i = { .interface = p->interface };
	int hops = p->ttl, traffic_class = p->tos;

	memcpy(i.address, p->to.address.bytes, sizeof(i.address));
	if (wants(s, INET6_PACKET_INFO))
		socket_control_put(out, IPPROTO_IPV6, IPV6_PKTINFO, &i, sizeof(i));
	if (wants(s, INET6_RECEIVE_HOPS))
		socket_control_put(out, IPPROTO_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops));
	if (wants(s, INET6_RECEIVE_CLASS))
		socket_control_put(out, IPPROTO_IPV6, IPV6_TCLASS, &traffic_class, sizeof(traffic_class));
	if (wants(s, INET6_RECEIVE_DESTINATION)) {
		struct socket_address a;

		inet_destination(s, &p->to, &a);
		socket_control_put(out, IPPROTO_IPV6, IPV6_ORIGDSTADDR, a.bytes, a.length);
	}
}

/* struct sock_extended_err, and the address of who says so. */
struct linux_extended_error {
	uint32_t error;
	uint8_t origin, type, code, pad;
	uint32_t info, data;
	uint8_t offender[28];
};
_Static_assert(sizeof(struct linux_extended_error) == 44, "Linux's layout");

#define OFFENDER_V4 16u
#define OFFENDER_V6 28u

static void
put_error(struct socket *s, struct control_out *out, const struct socket_error *e)
{
	struct linux_extended_error x = { .error = (uint32_t)e->error, .origin = e->origin, .type = e->type,
					  .code = e->code, .info = e->info };
	bool v6 = s->family == AF_INET6;
	struct socket_address a;

	if (e->origin != ERROR_LOCAL) {
		inet_destination(s, &e->offender, &a);
		memcpy(x.offender, a.bytes, a.length);
	}
	socket_control_put(out, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVERR : IP_RECVERR, &x,
			   offsetof(struct linux_extended_error, offender) + (v6 ? OFFENDER_V6 : OFFENDER_V4));
}

void
inet_control_put(struct socket *s, struct control_out *out, const struct socket_message *m)
{
	const struct socket_packet *p = &m->packet;

	if (p->error.origin != ERROR_NONE) {
		put_error(s, out, &p->error);
		return;
	}

	if (s->type == SOCK_STREAM || p->ttl < 0)
		return;
	if (s->family == AF_INET6)
		put_v6(s, out, p);
	if (ip_address_is_v4(&p->to.address))
		put_v4(s, out, p);
}
