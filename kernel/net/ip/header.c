/* SPDX-License-Identifier: MIT */
/*
 * header.c - the headers of IP and UDP: see header.h.
 *
 *	IPv4   0  version << 4 | words of the header      IPv6   0  version << 28 | class << 20 | flow label
 *	       1  type of service                                4  length of what follows (2)
 *	       2  length of the packet (2)                       6  next header (1), hop limit (1)
 *	       4  identification (2)                             8  source (16)
 *	       6  flags << 13 | offset of a fragment (2)        24  destination (16)
 *	       8  time to live (1), protocol (1)
 *	      10  checksum (2)                            UDP    0  source port (2), destination port (2)
 *	      12  source (4), destination (4)                    4  length (2), checksum (2)
 *	      20  options
 */
#include <tessera/string.h>

#include "header.h"

#define PROTOCOL_HOPOPTS  0
#define PROTOCOL_UDP      17
#define PROTOCOL_ROUTING  43
#define PROTOCOL_FRAGMENT 44
#define PROTOCOL_DSTOPTS  60
#define EXTENSIONS_MAX    8

#define FRAGMENT_MASK 0x3fffu /* more are to come, and the offset */

uint32_t
checksum_add(uint32_t sum, const void *data, size_t n)
{
	const uint8_t *b = data;
	uint64_t wide = sum;

	for (; n >= 8; n -= 8, b += 8) {
		uint64_t word;

		__builtin_memcpy(&word, b, sizeof(word));
		wide += word;
		wide += wide < word; /* what is carried out of the sum goes in at its other end */
	}
	wide = (wide & UINT32_MAX) + (wide >> 32);
	if (n & 4) {
		uint32_t word;

		__builtin_memcpy(&word, b, sizeof(word));
		wide += word;
		b += 4;
	}
	if (n & 2) {
		uint16_t half;

		__builtin_memcpy(&half, b, sizeof(half));
		wide += half;
		b += 2;
	}
	if (n & 1)
		wide += *b;
	wide = (wide & UINT32_MAX) + (wide >> 32);
	return (uint32_t)((wide & UINT32_MAX) + (wide >> 32));
}

uint16_t
checksum_end(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint16_t
checksum_end_never_0(uint32_t sum)
{
	uint16_t end = checksum_end(sum);

	return end ? end : 0xffff;
}

uint32_t
checksum_pseudo(const struct ip_label *l, size_t n)
{
	unsigned skip = l->v6 ? 0 : 12;
	uint8_t tail[8] = { [7] = l->protocol };
	uint32_t sum;

	store_net32(tail, (uint32_t)n);
	sum = checksum_add(0, l->from.bytes + skip, 16 - skip);
	sum = checksum_add(sum, l->to.bytes + skip, 16 - skip);
	return checksum_add(sum, tail, sizeof(tail));
}

/* --- IPv4 ------------------------------------------------------------------------------------------- */

static struct ip_address
v4_at(const uint8_t *b)
{
	struct ip_address a = { .bytes = { [10] = 0xff, [11] = 0xff } };

	memcpy(a.bytes + 12, b, 4);
	return a;
}

static bool
parse_v4(const uint8_t *b, size_t n, bool quoted, struct ip_label *out)
{
	size_t header;

	if (n < IP4_HEADER)
		return false;
	header = (b[0] & 0xfu) * 4;
	out->length = load_net16(b + 2);
	if (header < IP4_HEADER || header > n || out->length < header || (out->length > n && !quoted))
		return false;
	if (!quoted && checksum_end(checksum_add(0, b, header)) != 0)
		return false;
	out->header = (uint16_t)header;
	out->tos = b[1];
	out->id = load_net16(b + 4);
	out->dont_fragment = load_net16(b + 6) & IP_DONT_FRAGMENT;
	out->is_fragment = load_net16(b + 6) & FRAGMENT_MASK;
	out->ttl = b[8];
	out->protocol = b[9];
	out->from = v4_at(b + 12);
	out->to = v4_at(b + 16);
	return true;
}

void
ip4_build(void *at, const struct ip_label *l, const void *options)
{
	uint8_t *b = at;
	uint16_t sum;

	memset(b, 0, IP4_HEADER);
	b[0] = (uint8_t)(0x40 | l->header / 4);
	b[1] = l->tos;
	store_net16(b + 2, (uint16_t)l->length);
	store_net16(b + 4, l->id);
	store_net16(b + 6, l->dont_fragment ? IP_DONT_FRAGMENT : 0);
	b[8] = l->ttl;
	b[9] = l->protocol;
	memcpy(b + 12, l->from.bytes + 12, 4);
	memcpy(b + 16, l->to.bytes + 12, 4);
	if (l->header > IP4_HEADER)
		memcpy(b + IP4_HEADER, options, l->header - IP4_HEADER);
	sum = checksum_end(checksum_add(0, b, l->header));
	memcpy(b + 10, &sum, sizeof(sum));
}

/* --- IPv6 ------------------------------------------------------------------------------------------- */

/* Pass over extension headers. False: they are not all there. */
static bool
skip_extensions(const uint8_t *b, size_t n, struct ip_label *out)
{
	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		size_t at = out->header, size;

		switch (out->protocol) {
		case PROTOCOL_HOPOPTS:
		case PROTOCOL_ROUTING:
		case PROTOCOL_DSTOPTS:
			if (n - at < 8)
				return false;
			size = (b[at + 1] + 1u) * 8;
			break;
		case PROTOCOL_FRAGMENT:
			if (n - at < 8)
				return false;
			size = 8;
			out->is_fragment |= (load_net16(b + at + 2) & 0xfff9u) != 0;
			break;
		default:
			return true;
		}
		if (size > n - at)
			return false;
		out->protocol = b[at];
		out->header = (uint16_t)(at + size);
	}
	return true;
}

static bool
parse_v6(const uint8_t *b, size_t n, bool quoted, struct ip_label *out)
{
	if (n < IP6_HEADER)
		return false;
	out->v6 = true;
	out->length = IP6_HEADER + load_net16(b + 4);
	if (out->length > n && !quoted)
		return false;
	out->tos = (uint8_t)(b[0] << 4 | b[1] >> 4);
	memcpy(&out->flow, b, sizeof(out->flow));
	out->flow &= host_to_net32(0xfffff);
	out->protocol = b[6];
	out->ttl = b[7];
	memcpy(out->from.bytes, b + 8, 16);
	memcpy(out->to.bytes, b + 24, 16);
	out->header = IP6_HEADER;
	/* Addresses of IPv4 have no business on the wire in that form: RFC 4291, 2.5.5.2, and here they would be taken for it. */
	if (ip_address_is_v4(&out->from) || ip_address_is_v4(&out->to))
		return false;
	return skip_extensions(b, out->length < n ? out->length : n, out);
}

void
ip6_build(void *at, const struct ip_label *l)
{
	uint8_t *b = at;

	store_net32(b, 6u << 28 | (uint32_t)l->tos << 20 | (net_to_host32(l->flow) & 0xfffff));
	store_net16(b + 4, (uint16_t)(l->length - IP6_HEADER));
	b[6] = l->protocol;
	b[7] = l->ttl;
	memcpy(b + 8, l->from.bytes, 16);
	memcpy(b + 24, l->to.bytes, 16);
}

bool
ip_parse(const void *packet, size_t n, bool quoted, struct ip_label *out)
{
	const uint8_t *b = packet;

	*out = (struct ip_label){ 0 };
	if (n == 0)
		return false;
	if (b[0] >> 4 == 4)
		return parse_v4(b, n, quoted, out);
	return b[0] >> 4 == 6 && parse_v6(b, n, quoted, out);
}

/* --- UDP -------------------------------------------------------------------------------------------- */

void
udp_build(void *at, const struct ip_label *l, uint16_t from, uint16_t to, size_t n, bool sum)
{
	uint8_t *b = at;
	uint16_t result;

	store_net16(b, from);
	store_net16(b + 2, to);
	store_net16(b + 4, (uint16_t)n);
	store_net16(b + 6, 0);
	if (!sum)
		return;
	result = checksum_end_never_0(checksum_add(checksum_pseudo(l, n), b, n));
	memcpy(b + 6, &result, sizeof(result));
}

size_t
udp_parse(const void *at, size_t n, const struct ip_label *l, bool checked, uint16_t *from, uint16_t *to,
	  bool *wrong_sum)
{
	const uint8_t *b = at;
	size_t length;

	*wrong_sum = false;
	if (n < UDP_HEADER)
		return 0;
	length = load_net16(b + 4);
	if (length < UDP_HEADER || length > n)
		return 0;
	*from = load_net16(b);
	*to = load_net16(b + 2);
	if (checked)
		return length;
	if (load_net16(b + 6) == 0)
		*wrong_sum = l->v6; /* RFC 8200, 8.1: there must be one */
	else
		*wrong_sum = checksum_end(checksum_add(checksum_pseudo(l, length), b, length)) != 0;
	return *wrong_sum ? 0 : length;
}
