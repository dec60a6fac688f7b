/* SPDX-License-Identifier: MIT */
/*
 * netlink_socket.h - what netlink.c, request.c and group.c share of a socket of AF_NETLINK.
 */
#ifndef TESSERA_NETLINK_SOCKET_H
#define TESSERA_NETLINK_SOCKET_H

#include "netlink.h"

extern struct spinlock netlink_table_lock;
extern struct list netlink_all;        /* [k] all sockets */

/* A dump that is not over. All of it: request_lock. */
struct netlink_dump {
	uint32_t told;                 /* messages that lie, or lay, in the socket's queue */
	bool privileged;               /* who asked was */
	struct nlmsghdr request;       /* with all that belongs to it behind */
};

/* [I] immutable  [k] netlink_table_lock  [a] atomic */
struct netlink_socket {
	struct socket socket;          /* first */
	struct packet_queue queue;
	struct list node;              /* [k] netlink_all, the older ones first */
	uint64_t number;               /* [I] the older, the smaller */
	struct netlink_dump *dump;     /* request_lock; NULL: there is none */
	uint32_t receive_max;          /* [a] the most bytes that a receive had room for */
	uint32_t port;                 /* [k] its number; 0: not bound */
	uint64_t groups;               /* [k] bit n: it listens to group n + 1 */
	uint32_t peer;                 /* [a] to whom it sends what names nobody; 0: the kernel */
	bool strict;                   /* [a] NETLINK_GET_STRICT_CHK */
	bool extended;                 /* [a] NETLINK_EXT_ACK */
	bool capped;                   /* [a] NETLINK_CAP_ACK: errors come without the request */
	bool packet_info;              /* [a] NETLINK_PKTINFO */
	bool broadcast_error;          /* [a] NETLINK_BROADCAST_ERROR; nothing else comes of it */
	bool no_enobufs;               /* [a] NETLINK_NO_ENOBUFS: it is not told that it has lost something */
	bool has_listened;             /* [k] to any group, ever */
};

const struct netlink_protocol *netlink_protocol_of(const struct netlink_socket *n);
void netlink_put_socket(struct netlink_socket *n);
/* Who has that number; NULL: nobody. netlink_table_lock held. */
struct netlink_socket *netlink_find_port(const struct namespace *net, int protocol, uint32_t port);

/* --- request.c --- */
/* All messages that one send carries: each is answered. */
void netlink_answer(struct netlink_socket *n, const char *data, size_t left);
/* Somebody has received: a dump goes on, if there is one and room for it. */
void netlink_go_on(struct netlink_socket *n);

/* --- group.c --- */
/* The socket has lost a message, and is told once. */
void netlink_overrun(struct netlink_socket *n);
/* From a program to another one. The bytes sent; -ECONNREFUSED, -EAGAIN, -ENOBUFS. */
ssize_t netlink_send_to_port(struct netlink_socket *n, uint32_t port, const char *data, size_t size);
/* To all programs that listen to the first of the groups. Who cannot be told is not waited for. 0, -ENOBUFS. */
ssize_t netlink_send_to_group(struct netlink_socket *n, uint32_t groups, const char *data, size_t size);

#endif
