/* SPDX-License-Identifier: MIT */
/* tcp_keys.c - numbers that a stranger does not guess, and a checksum. */
#include <time.h>

#include "tcp.h"

uint32_t tcp_next_sequence;

static inline uint64_t
rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static inline void
mix(uint64_t v[4], unsigned times)
{
	while (times--) {
		v[0] += v[1];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[0] = rotate(v[0], 32);
		v[2] += v[3];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

uint64_t
keyed_hash(const void *data, size_t size)
{
	const uint8_t *at = data;
	uint64_t key[2], word, v[4];
	size_t left = size;

	memcpy(key, door.kernel->secret, sizeof(key));
	v[0] = key[0] ^ 0x736f6d6570736575ull;
	v[1] = key[1] ^ 0x646f72616e646f6dull;
	v[2] = key[0] ^ 0x6c7967656e657261ull;
	v[3] = key[1] ^ 0x7465646279746573ull;
	for (; left >= 8; left -= 8, at += 8) {
		memcpy(&word, at, 8);
		v[3] ^= word;
		mix(v, 2);
		v[0] ^= word;
	}
	word = (uint64_t)size << 56;
	for (size_t i = 0; i < left; i++)
		word |= (uint64_t)at[i] << 8 * i;
	v[3] ^= word;
	mix(v, 2);
	v[0] ^= word;
	v[2] ^= 0xff;
	mix(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t
tuple_hash(const struct netd_endpoint *local, const struct netd_endpoint *remote)
{
	struct {
		struct netd_address local, remote;
		uint16_t local_port, remote_port;
	} tuple = { local->address, remote->address, local->port, remote->port };

	return keyed_hash(&tuple, sizeof(tuple));
}

uint32_t
tcp_first_sequence(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote, uint16_t remote_port)
{
	struct netd_endpoint here = { .port = local_port }, there = { .port = remote_port };
	struct timespec now;

	if (tcp_next_sequence)
		return tcp_next_sequence;
	address_from_lwip(&here.address, local);
	address_from_lwip(&there.address, remote);
	clock_gettime(CLOCK_MONOTONIC, &now);
	return tuple_hash(&here, &there) + now.tv_sec * 250000ull + now.tv_nsec / 4000;
}

uint32_t
record_checksum(const struct netd_record *r)
{
	const uint8_t *at = (const uint8_t *)(&r->checksum + 1), *end = (const uint8_t *)(r + 1);
	uint32_t sum = ~0u;

	while (at < end) {
		sum ^= *at++;
		for (int i = 0; i < 8; i++)
			sum = sum >> 1 ^ (sum & 1 ? 0x82f63b78 : 0);
	}
	return ~sum;
}

void
address_to_lwip(ip_addr_t *to, const struct netd_address *from)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	memset(to, 0, sizeof(*to));
	if (!memcmp(from->bytes, mapped, 12)) {
		IP_SET_TYPE(to, IPADDR_TYPE_V4);
		memcpy(&ip_2_ip4(to)->addr, from->bytes + 12, 4);
		return;
	}
	IP_SET_TYPE(to, IPADDR_TYPE_V6);
	memcpy(ip_2_ip6(to)->addr, from->bytes, 16);
}

void
address_from_lwip(struct netd_address *to, const ip_addr_t *from)
{
	memset(to, 0, sizeof(*to));
	if (IP_IS_V4(from)) {
		to->bytes[10] = to->bytes[11] = 0xff;
		memcpy(to->bytes + 12, &ip_2_ip4(from)->addr, 4);
		return;
	}
	memcpy(to->bytes, ip_2_ip6(from)->addr, 16);
}

bool
address_is_link_local(const struct netd_address *a)
{
	return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}
