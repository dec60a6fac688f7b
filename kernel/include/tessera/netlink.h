/* SPDX-License-Identifier: MIT */
/*
 * netlink.h - which sockets of AF_NETLINK there are; notes that one of them will get.
 */
#ifndef TESSERA_NETLINK_SOCKETS_H
#define TESSERA_NETLINK_SOCKETS_H

#include <tessera/types.h>

struct file;
struct netlink_note;
struct network;

struct netlink_socket_info {
	int protocol;
	uint32_t port;                 /* 0: not bound */
	uint64_t groups;
	uint32_t queued, drops;        /* bytes, messages */
	uint32_t references;
	uint64_t inode;
};

/* Copies of all of a network, to be kvfree'd; *count of them. NULL: no memory. */
struct netlink_socket_info *netlink_sockets(struct network *n, uint32_t *count);

/* A message that is to come to a netlink socket some time: n bytes, which the caller fills in. `f`: the socket, which lives on
 * until then. -ENOTSOCK, -EINVAL: of another family, -ENOMEM. */
int netlink_note_create(struct file *f, size_t n, struct netlink_note **out);
void *netlink_note_bytes(struct netlink_note *note);
/* Now it comes; the note is no more. Nothing is waited for: what finds no room is lost. */
void netlink_note_send(struct netlink_note *note);
void netlink_note_drop(struct netlink_note *note);

#endif
