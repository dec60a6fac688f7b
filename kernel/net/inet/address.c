/* SPDX-License-Identifier: MIT */
/*
 * address.c - addresses as programs write them: struct sockaddr_in of ip(7), struct sockaddr_in6 of ipv6(7).
 */
#include <tessera/errno.h>
#include <tessera/string.h>

#include "inet.h"

struct sockaddr_in {
	uint16_t family;
	uint16_t port;          /* in the order of the wire, as are addresses */
	uint32_t address;
	uint8_t zero[8];        /* of any value, and not always there */
};
_Static_assert(sizeof(struct sockaddr_in) == 16, "Linux's layout");

struct sockaddr_in6 {
	uint16_t family;
	uint16_t port;
	uint32_t flow;
	uint8_t address[16];
	uint32_t scope;
};
_Static_assert(sizeof(struct sockaddr_in6) == 28, "Linux's layout");

#define SOCKADDR_IN6_OLD 24u /* without the scope: RFC 2133 */

bool
ip_address_matches(const struct ip_address *a, const struct ip_address *b, unsigned bits)
{
	for (unsigned i = 0; i < 2 && bits > 0; i++) {
		unsigned n = MIN(bits, 64u);
		uint64_t differ = __builtin_bswap64(a->halves[i] ^ b->halves[i]);

		if (differ >> (64 - n))
			return false;
		bits -= n;
	}
	return true;
}

struct ip_address
inet_any(const struct inet_socket *s)
{
	return s->socket.family == AF_INET ? ip_address_v4(0) : (struct ip_address){ 0 };
}

static int
get_v4(const struct socket_address *a, struct endpoint *out)
{
	struct sockaddr_in in;

	if (a->length < sizeof(in))
		return -EINVAL;
	memcpy(&in, a->bytes, sizeof(in));
	if (in.family != AF_INET)
		return -EAFNOSUPPORT;
	*out = (struct endpoint){ ip_address_v4(in.address), net_to_host16(in.port), 0 };
	return 0;
}

int
inet_address_get(const struct inet_socket *s, const struct socket_address *a, struct endpoint *out)
{
	struct sockaddr_in6 in6 = { 0 };

	if (s->socket.family == AF_INET)
		return get_v4(a, out);
	if (a->length < SOCKADDR_IN6_OLD)
		return -EINVAL;
	if (a->family != AF_INET6)
		return -EAFNOSUPPORT;
	memcpy(&in6, a->bytes, MIN(a->length, (uint32_t)sizeof(in6)));
	*out = (struct endpoint){ .port = net_to_host16(in6.port) };
	memcpy(out->address.bytes, in6.address, sizeof(in6.address));
	if (ip_address_is_link_local(&out->address))
		out->scope = in6.scope;
	return 0;
}

void
inet_address_put(const struct inet_socket *s, const struct endpoint *e, struct socket_address *out)
{
	struct sockaddr_in6 in6 = { .family = AF_INET6, .port = host_to_net16(e->port), .scope = e->scope };
	struct sockaddr_in in = { AF_INET, host_to_net16(e->port), e->address.words[3], { 0 } };

	if (s->socket.family == AF_INET) {
		memcpy(out->bytes, &in, sizeof(in));
		out->length = sizeof(in);
		return;
	}
	memcpy(in6.address, e->address.bytes, sizeof(in6.address));
	memcpy(out->bytes, &in6, sizeof(in6));
	out->length = sizeof(in6);
}
