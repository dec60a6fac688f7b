/* SPDX-License-Identifier: MIT */
/*
 * families.c - the address families there are.
 */
#include <tessera/socket.h>

const struct socket_family *const socket_families[AF_LIMIT] = {
	[AF_UNIX] = &unix_family,
	[AF_INET] = &inet_family,
	[AF_INET6] = &inet6_family,
	[AF_NETLINK] = &netlink_family,
	[AF_PACKET] = &packet_family,
};
