/* SPDX-License-Identifier: MIT */
/*
 * header.h - IP packets taken apart and put together: RFC 791, RFC 8200; the headers of UDP and ICMP inside.
 *
 * Pure code, also built on the host for tests: nothing but the bytes that are given is looked at, whatever they say.
 */
#ifndef TESSERA_NET_IP_HEADER_H
#define TESSERA_NET_IP_HEADER_H

#include <tessera/ip_address.h>

#define IP4_HEADER     20u
#define IP4_HEADER_MAX 60u
#define IP6_HEADER     40u
#define UDP_HEADER     8u
#define ICMP_HEADER    8u
#define TCP_QUOTED     8u      /* of a segment: its ports and its sequence number */
#define IP_PACKET_MAX  65535u

#define IP_DONT_FRAGMENT 0x4000u

enum { ICMP_ECHO_REPLY = 0, ICMP_UNREACHABLE = 3, ICMP_SOURCE_QUENCH = 4, ICMP_ECHO = 8, ICMP_TIME_EXCEEDED = 11,
       ICMP_PARAMETER = 12 };
enum { ICMP6_UNREACHABLE = 1, ICMP6_TOO_BIG = 2, ICMP6_TIME_EXCEEDED = 3, ICMP6_PARAMETER = 4, ICMP6_ECHO = 128,
       ICMP6_ECHO_REPLY = 129 };

/* What an IP header says. */
struct ip_label {
	struct ip_address from, to;
	bool v6;
	uint8_t protocol, ttl, tos;
	bool dont_fragment, is_fragment; /* is_fragment: not a whole packet */
	uint32_t flow;                 /* IPv6's, in the order of the wire */
	uint16_t id;                   /* IPv4's, to make one */
	uint16_t header;               /* where what is inside begins: behind options, and IPv6's extension headers */
	uint32_t length;               /* of the whole packet */
};

/* The sum of RFC 1071 over n bytes, to go on with, and what it comes to in the end. */
uint32_t checksum_add(uint32_t sum, const void *data, size_t n);
uint16_t checksum_end(uint32_t sum);
/* The same where 0 would say that there is none: of both ways to write that, the other one. */
uint16_t checksum_end_never_0(uint32_t sum);
/* The sum over a pseudo header, for `n` bytes of that protocol. */
uint32_t checksum_pseudo(const struct ip_label *l, size_t n);

/*
 * Take a packet's header apart. False: it is none, or not as long as it says, or its checksum is wrong. `quoted`: it is the
 * beginning of a packet in an ICMP message: it need not be whole, and its header's checksum does not matter.
 */
bool ip_parse(const void *packet, size_t n, bool quoted, struct ip_label *out);
/* Write the header of l->length bytes that begin at `at`; its checksum is filled in. `options` of IPv4: to l->header. */
void ip4_build(void *at, const struct ip_label *l, const void *options);
void ip6_build(void *at, const struct ip_label *l);

/* UDP's header in front of a payload that makes `n` bytes with it; ports as numbers are kept. `sum`: or no checksum. */
void udp_build(void *at, const struct ip_label *l, uint16_t from, uint16_t to, size_t n, bool sum);
/* Is that UDP in `n` bytes? Its true length, with the header; 0: no, or its checksum is wrong (*wrong_sum). */
size_t udp_parse(const void *at, size_t n, const struct ip_label *l, bool checked, uint16_t *from, uint16_t *to,
		 bool *wrong_sum);

static inline uint16_t
load_net16(const void *at)
{
	const uint8_t *b = at;

	return (uint16_t)(b[0] << 8 | b[1]);
}

static inline void
store_net16(void *at, uint16_t n)
{
	uint8_t *b = at;

	b[0] = (uint8_t)(n >> 8);
	b[1] = (uint8_t)n;
}

static inline uint32_t
load_net32(const void *at)
{
	return (uint32_t)load_net16(at) << 16 | load_net16((const uint8_t *)at + 2);
}

static inline void
store_net32(void *at, uint32_t n)
{
	store_net16(at, (uint16_t)(n >> 16));
	store_net16((uint8_t *)at + 2, (uint16_t)n);
}

#endif
