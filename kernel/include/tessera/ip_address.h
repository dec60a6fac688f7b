/* SPDX-License-Identifier: MIT */
/*
 * ip_address.h - addresses of the Internet protocols, both versions in one shape.
 *
 * An address has 128 bits in the order of the wire. IPv4's a.b.c.d is ::ffff:a.b.c.d (RFC 4291, 2.5.5.2), so that
 * a socket of AF_INET6 that speaks both needs no second table: IPv4's "any" is ::ffff:0.0.0.0, and :: is any of both.
 */
#ifndef TESSERA_IP_ADDRESS_H
#define TESSERA_IP_ADDRESS_H

#include <tessera/types.h>

struct ip_address {
	union {
		uint8_t bytes[16];
		uint32_t words[4];
		uint64_t halves[2];
	};
};

/* One end of a flow. */
struct endpoint {
	struct ip_address address;
	uint16_t port;          /* as numbers are kept here; 0: none, or any */
	uint32_t scope;         /* the interface that a link-local address of IPv6 is of; 0: not said */
};

static inline uint16_t
net_to_host16(uint16_t n)
{
	return __builtin_bswap16(n);
}

static inline uint32_t
net_to_host32(uint32_t n)
{
	return __builtin_bswap32(n);
}

#define host_to_net16(n) net_to_host16(n)
#define host_to_net32(n) net_to_host32(n)

#define IP_MAPPED_WORD 0xffff0000u /* words[2] of IPv4's: 00 00 ff ff on the wire */

/* From an IPv4 address in the order of the wire. */
static inline struct ip_address
ip_address_v4(uint32_t net)
{
	return (struct ip_address){ .words = { 0, 0, IP_MAPPED_WORD, net } };
}

static inline bool
ip_address_is_v4(const struct ip_address *a)
{
	return a->halves[0] == 0 && a->words[2] == IP_MAPPED_WORD;
}

static inline bool
ip_address_equal(const struct ip_address *a, const struct ip_address *b)
{
	return a->halves[0] == b->halves[0] && a->halves[1] == b->halves[1];
}

/* The same place, whatever interface leads there. */
static inline bool
endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && ip_address_equal(&a->address, &b->address);
}

/* ::, or 0.0.0.0. */
static inline bool
ip_address_is_any(const struct ip_address *a)
{
	return a->halves[0] == 0 && (a->halves[1] == 0 || (a->words[2] == IP_MAPPED_WORD && a->words[3] == 0));
}

/* :: itself, which stands for addresses of both versions. */
static inline bool
ip_address_is_any_v6(const struct ip_address *a)
{
	return (a->halves[0] | a->halves[1]) == 0;
}

static inline bool
ip_address_is_loopback(const struct ip_address *a)
{
	if (ip_address_is_v4(a))
		return a->bytes[12] == 127;
	return a->halves[0] == 0 && a->halves[1] == __builtin_bswap64(1);
}

static inline bool
ip_address_is_multicast(const struct ip_address *a)
{
	return ip_address_is_v4(a) ? (a->bytes[12] & 0xf0) == 0xe0 : a->bytes[0] == 0xff;
}

static inline bool
ip_address_is_link_local(const struct ip_address *a)
{
	return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

/* 255.255.255.255 */
static inline bool
ip_address_is_broadcast(const struct ip_address *a)
{
	return ip_address_is_v4(a) && a->words[3] == UINT32_MAX;
}

/* The first `bits` bits agree; IPv4's 32 are the last of the 128. */
bool ip_address_matches(const struct ip_address *a, const struct ip_address *b, unsigned bits);

#endif
