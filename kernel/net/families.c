/* SPDX-License-Identifier: MIT */
/*
 * families.c - the address families there are.
 */
#include <tessera/socket.h>

const struct socket_family *const socket_families[AF_LIMIT] = {
	[AF_UNIX] = &unix_family,
};
