/* SPDX-License-Identifier: MIT */
/*
 * icmp_error.c - ICMP messages about packets of ours: which errno they are, and whose.
 */
#include <tessera/errno.h>

#include "../inet/inet.h"
#include "ip.h"

struct meaning {
	uint8_t error;
	bool hard;         /* it makes no sense to try again: a socket with a peer is told in any case */
};

/* By code: RFC 1122, 3.2.2.1; RFC 1812, 5.2.7.1. */
static const struct meaning unreachable_v4[] = {
	{ ENETUNREACH, false }, { EHOSTUNREACH, false }, { ENOPROTOOPT, true }, { ECONNREFUSED, true },
	{ EMSGSIZE, false }, { EOPNOTSUPP, false }, { ENETUNREACH, true }, { EHOSTDOWN, true },
	{ ENONET, true }, { ENETUNREACH, true }, { EHOSTUNREACH, true }, { ENETUNREACH, false },
	{ EHOSTUNREACH, false }, { EHOSTUNREACH, true }, { EHOSTUNREACH, true }, { EHOSTUNREACH, true },
};
/* RFC 4443, 3.1 */
static const struct meaning unreachable_v6[] = {
	{ ENETUNREACH, false }, { EACCES, true }, { EHOSTUNREACH, false }, { EHOSTUNREACH, false },
	{ ECONNREFUSED, true }, { EACCES, true }, { EACCES, true },
};

static struct meaning
meaning_of(bool v6, uint8_t type, uint8_t code)
{
	if (type == (v6 ? ICMP6_TIME_EXCEEDED : ICMP_TIME_EXCEEDED))
		return (struct meaning){ EHOSTUNREACH, false };
	if (type == (v6 ? ICMP6_PARAMETER : ICMP_PARAMETER))
		return (struct meaning){ EPROTO, true };
	if (v6 && type == ICMP6_TOO_BIG)
		return (struct meaning){ EMSGSIZE, false };
	if (v6)
		return code < ARRAY_SIZE(unreachable_v6) ? unreachable_v6[code] : (struct meaning){ EPROTO, false };
	return code < ARRAY_SIZE(unreachable_v4) ? unreachable_v4[code] : (struct meaning){ EHOSTUNREACH, true };
}

/* What would have fitted, if that is what the message is about. */
static uint32_t
info_of(bool v6, const uint8_t *message, int error)
{
	if (error != EMSGSIZE)
		return 0;
	return v6 ? load_net32(message + 4) : load_net16(message + 6);
}

void
icmp_error_input(struct network *n, const struct packet *p, const struct ip_label *l)
{
	const uint8_t *message = (const uint8_t *)p->data + l->header, *quoted = message + ICMP_HEADER;
	size_t size = p->length - l->header - ICMP_HEADER;
	struct meaning m = meaning_of(l->v6, message[0], message[1]);
	struct socket_error e = { .origin = l->v6 ? ERROR_ICMP6 : ERROR_ICMP, .type = message[0], .code = message[1],
				  .error = m.error, .info = info_of(l->v6, message, m.error), .offender = p->info.from };
	uint32_t interface = p->info.interface;
	struct ip_label sent;

	if (!ip_parse(quoted, size, true, &sent) || sent.v6 != l->v6) {
		network_add(n, l->v6 ? ICMP6_IN_ERRORS : ICMP_IN_ERRORS, 1);
		return;
	}
	if (READ_ONCE(n->raw_count[sent.protocol]))
		raw_error(n, interface, &sent, quoted, size, &e, m.hard);
	quoted += sent.header;
	size -= sent.header;
	if (sent.protocol == IPPROTO_TCP && size >= TCP_QUOTED)
		tcp_error(n, &sent, quoted, &e);
	if (sent.protocol == IPPROTO_UDP && size >= UDP_HEADER)
		udp_error(n, interface, &sent, quoted, size, &e, m.hard);
	if (sent.protocol == (l->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) && size >= ICMP_HEADER)
		ping_error(n, interface, &sent, quoted, size, &e, m.hard);
}
