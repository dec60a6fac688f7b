/* SPDX-License-Identifier: MIT */
/*
 * diag_filter.c - the programs by which ss(8) says which sockets it wants to see. linux/inet_diag.h.
 *
 * An instruction tests something of the socket and then goes on `yes` or `no` bytes further, always forward. The socket
 * passes that arrives exactly at the end; who goes four bytes beyond it, does not.
 */
#include <tessera/errno.h>
#include <tessera/string.h>

#include "diag.h"

enum { NOP, JUMP, SOURCE_FROM, SOURCE_TO, PEER_FROM, PEER_TO, AUTO_BOUND, SOURCE_IS_IN, PEER_IS_IN, DEVICE_IS, MARK_IS,
       SOURCE_PORT_IS, PEER_PORT_IS, INSTRUCTIONS };

struct instruction {
	uint8_t code, yes;
	uint16_t no;   /* of a comparison with a port this is the second instruction's: the port */
};
_Static_assert(sizeof(struct instruction) == 4, "Linux's layout");

struct host_condition {
	uint8_t family, bits;
	int32_t port;  /* -1: any */
};
_Static_assert(sizeof(struct host_condition) == 8, "Linux's layout");

static size_t
address_size(uint8_t family)
{
	return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

/* How long the instruction at `at` is, of `left` bytes; 0: it is none. */
static size_t
length_of(const char *at, size_t left)
{
	const struct instruction *i = (const struct instruction *)at;
	const struct host_condition *c = (const struct host_condition *)(i + 1);

	if (left < sizeof(*i))
		return 0;
	switch (i->code) {
	case NOP:
	case JUMP:
	case AUTO_BOUND:
		return sizeof(*i);
	case SOURCE_FROM:
	case SOURCE_TO:
	case PEER_FROM:
	case PEER_TO:
	case SOURCE_PORT_IS:
	case PEER_PORT_IS:
	case DEVICE_IS:
		return left >= 2 * sizeof(*i) ? 2 * sizeof(*i) : 0;
	case MARK_IS:
		return left >= 3 * sizeof(*i) ? 3 * sizeof(*i) : 0;
	case SOURCE_IS_IN:
	case PEER_IS_IN:
		if (left < sizeof(*i) + sizeof(*c) || (c->family != AF_UNSPEC && !address_size(c->family)) ||
		    left < sizeof(*i) + sizeof(*c) + address_size(c->family) || c->bits > 8 * address_size(c->family))
			return 0;
		return sizeof(*i) + sizeof(*c) + address_size(c->family);
	default:
		return 0;
	}
}

int
diag_filter_check(const void *program, size_t size)
{
	const char *at = program;
	size_t left = size;

	while (left > 0) {
		const struct instruction *i = (const struct instruction *)at;
		size_t length = length_of(at, left);

		if (!length || i->yes < length || i->yes > left + 4 || (i->yes & 3))
			return -EINVAL;
		if (i->code != NOP && (i->no < length || i->no > left + 4 || (i->no & 3)))
			return -EINVAL;
		if (i->yes > left)
			return -EINVAL;
		at += i->yes;
		left -= i->yes;
	}
	return 0;
}

static bool
is_in(const struct instruction *i, const struct inet_socket_info *s)
{
	const struct host_condition *c = (const struct host_condition *)(i + 1);
	const struct endpoint *e = i->code == SOURCE_IS_IN ? &s->local : &s->remote;
	bool v4 = ip_address_is_v4(&e->address);
	struct ip_address wanted = { 0 };

	if (c->port != -1 && c->port != e->port)
		return false;
	if (c->family == AF_UNSPEC)
		return true;
	if (c->family == AF_INET ? !v4 : s->family != AF_INET6)
		return false;
	if (c->bits == 0)
		return true;
	if (c->family == AF_INET) {
		uint32_t word;

		memcpy(&word, c + 1, sizeof(word));
		wanted = ip_address_v4(word);
	} else {
		memcpy(wanted.bytes, c + 1, sizeof(wanted.bytes));
	}
	return ip_address_matches(&e->address, &wanted, c->bits + (c->family == AF_INET ? 96u : 0u));
}

static bool
holds(const struct instruction *i, const struct inet_socket_info *s)
{
	uint32_t operand[2];

	switch (i->code) {
	case JUMP:
		return false;
	case SOURCE_FROM:
		return s->local.port >= i[1].no;
	case SOURCE_TO:
		return s->local.port <= i[1].no;
	case PEER_FROM:
		return s->remote.port >= i[1].no;
	case PEER_TO:
		return s->remote.port <= i[1].no;
	case SOURCE_PORT_IS:
		return s->local.port == i[1].no;
	case PEER_PORT_IS:
		return s->remote.port == i[1].no;
	case AUTO_BOUND:
		return !s->fixed_port;
	case SOURCE_IS_IN:
	case PEER_IS_IN:
		return is_in(i, s);
	case DEVICE_IS:
		memcpy(operand, i + 1, sizeof(operand[0]));
		return s->interface == operand[0];
	case MARK_IS:
		memcpy(operand, i + 1, sizeof(operand));
		return (s->mark & operand[1]) == operand[0];
	default:
		return true;
	}
}

bool
diag_filter_run(const void *program, size_t size, const struct inet_socket_info *s)
{
	const char *at = program;
	size_t left = size;

	while (left > 0) {
		const struct instruction *i = (const struct instruction *)at;
		size_t step;

		if (!length_of(at, left))
			return false; /* a way that the check did not go leads into an operand */
		step = holds(i, s) ? i->yes : i->no;
		if (step == 0 || step > left)
			return false;
		at += step;
		left -= step;
	}
	return true;
}
