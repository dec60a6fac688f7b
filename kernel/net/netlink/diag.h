/* SPDX-License-Identifier: MIT */
/*
 * diag.h - what the files of NETLINK_SOCK_DIAG share. sock_diag(7), linux/inet_diag.h.
 */
#ifndef TESSERA_NET_DIAG_H
#define TESSERA_NET_DIAG_H

#include <tessera/inet.h>

#include "netlink.h"

#define SOCK_DIAG_BY_FAMILY 20u

struct inet_diag_sockid {
	uint16_t source_port, peer_port;       /* in the order of the wire, as the addresses are */
	uint32_t source[4], peer[4];
	uint32_t interface;
	uint32_t cookie[2];
};
_Static_assert(sizeof(struct inet_diag_sockid) == 48, "Linux's layout");

/* --- diag_filter.c: a small program says which sockets are meant --- */
/* Is it one? -EINVAL. */
int diag_filter_check(const void *program, size_t size);
/* Does it let the socket pass? `program` was checked. */
bool diag_filter_run(const void *program, size_t size, const struct inet_socket_info *s);

/* --- diag_inet.c, diag_unix.c: requests, as netlink_protocol.request --- */
int diag_inet_request(const struct netlink_request *r, bool dump, struct netlink_out *o);
int diag_unix_request(const struct netlink_request *r, bool dump, struct netlink_out *o);
int diag_netlink_request(const struct netlink_request *r, bool dump, struct netlink_out *o);

#endif
