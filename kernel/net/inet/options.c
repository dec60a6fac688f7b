/* SPDX-License-Identifier: MIT */
/*
 * options.c - options of sockets of both versions that are a number: what each may be, and is at birth. ip(7), ipv6(7).
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inet.h>

#include "inet.h"

#define NOT_SET (-1)       /* the system's value counts */
#define ECN_BITS 3         /* of a type of service: a stream's are its own business */

/* low > high: on and off, where all numbers but 0 are on. */
static const struct limits {
	int32_t low, high, at_birth;
	bool capability;           /* CAP_NET_ADMIN or CAP_NET_RAW is needed to switch it on */
} limits[INET_OPTIONS] = {
	[INET_TOS] = { 0, 255, 0, false },
	[INET_TTL] = { NOT_SET, 255, NOT_SET, false },
	[INET_MIN_TTL] = { 0, 255, 0, false },
	[INET_MTU_DISCOVER] = { 0, 5, 1, false },
	[INET_MULTICAST_TTL] = { NOT_SET, 255, 1, false },
	[INET_MULTICAST_LOOP] = { 1, 0, 1, false },
	[INET_MULTICAST_ALL] = { 0, 1, 1, false },
	[INET_PACKET_INFO] = { 1, 0, 0, false },
	[INET_RECEIVE_TTL] = { 1, 0, 0, false },
	[INET_RECEIVE_TOS] = { 1, 0, 0, false },
	[INET_RECEIVE_OPTIONS] = { 1, 0, 0, false },
	[INET_RECEIVE_DESTINATION] = { 1, 0, 0, false },
	[INET_RECEIVE_ERRORS] = { 1, 0, 0, false },
	[INET_RECEIVE_FRAGMENT_SIZE] = { 0, 1, 0, false },
	[INET_HEADER_INCLUDED] = { 1, 0, 0, false },
	[INET_FREE_BIND] = { 1, 0, 0, false },
	[INET_TRANSPARENT] = { 1, 0, 0, true },
	[INET_BIND_LATE] = { 1, 0, 0, false },
	[INET_CHECKSUM] = { 1, 0, 0, false },
	[INET6_CLASS] = { NOT_SET, 255, 0, false },
	[INET6_HOPS] = { NOT_SET, 255, NOT_SET, false },
	[INET6_MIN_HOPS] = { 0, 255, 0, false },
	[INET6_MTU_DISCOVER] = { 0, 5, 1, false },
	[INET6_MULTICAST_HOPS] = { NOT_SET, 255, 1, false },
	[INET6_MULTICAST_LOOP] = { 0, 1, 1, false },
	[INET6_MULTICAST_ALL] = { 1, 0, 1, false },
	[INET6_PACKET_INFO] = { 1, 0, 0, false },
	[INET6_RECEIVE_HOPS] = { 1, 0, 0, false },
	[INET6_RECEIVE_CLASS] = { 1, 0, 0, false },
	[INET6_RECEIVE_ERRORS] = { 1, 0, 0, false },
	[INET6_RECEIVE_DESTINATION] = { 1, 0, 0, false },
	[INET6_DONT_FRAGMENT] = { 1, 0, 0, false },
	[INET6_AUTO_FLOW_LABEL] = { 1, 0, 1, false },
	[INET6_FREE_BIND] = { 1, 0, 0, false },
	[INET6_TRANSPARENT] = { 1, 0, 0, true },
};

void
inet_options_init(struct inet_socket *s)
{
	for (int i = 0; i < INET_OPTIONS; i++)
		s->option[i] = limits[i].at_birth;
}

int
inet_number_set(struct socket *s, enum inet_option option, int value)
{
	const struct limits *l = &limits[option];
	struct inet_socket *i = inet_of(s);

	if (l->capability && value && !capable_in(s->net->owner, CAP_NET_ADMIN) && !capable_in(s->net->owner, CAP_NET_RAW))
		return -EPERM;
	if (l->low > l->high)
		value = value != 0;
	else if (option == INET_TOS)
		value &= 255;
	else if (value < l->low || value > l->high || (option == INET_TTL && value == 0))
		return -EINVAL;
	if (option == INET_TOS && s->type == SOCK_STREAM)
		value = (value & ~ECN_BITS) | (READ_ONCE(i->option[INET_TOS]) & ECN_BITS);
	if (option == INET6_CLASS && value == NOT_SET)
		value = 0;
	if (option == INET_MULTICAST_TTL && value == NOT_SET)
		value = 1;
	WRITE_ONCE(i->option[option], value);
	return 0;
}

int
inet_number_get(struct socket *s, enum inet_option option)
{
	int value = READ_ONCE(inet_of(s)->option[option]);

	if (value == NOT_SET && (option == INET_TTL || option == INET6_HOPS))
		return network_setting(network_of(s), SETTING_TTL);
	return value == NOT_SET && option == INET6_MULTICAST_HOPS ? 1 : value;
}
