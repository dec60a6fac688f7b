/* SPDX-License-Identifier: MIT */
/*
 * datagram.h - sockets of the Internet protocols that send and receive whole messages: UDP, echoes (ping), raw IP.
 *
 * All find their way by datagram_find_path(), send by datagram_send(), and receive from a packet_queue. What could not be
 * delivered comes to a second queue, for who asked for it (IP_RECVERR), and as socket->error.
 *
 * Locks: send_lock, then socket->lock; the queue's read_lock, then the queue's own.
 */
#ifndef TESSERA_NET_DATAGRAM_H
#define TESSERA_NET_DATAGRAM_H

#include <tessera/packet.h>

#include "../ip/ip.h"
#include "inet.h"

#define DATAGRAM_MAX 65507u        /* what IPv4's length leaves to UDP */

/* [I] immutable  [l] socket.lock  [w] send_lock  [a] atomic */
struct datagram_socket {
	struct inet_socket inet;       /* first */
	struct packet_queue queue;     /* its own words say */
	struct packet_queue errors;    /* the same: each packet has what is known of one that did not arrive */
	struct mutex send_lock;        /* class SOCKET_SEND: who puts a datagram together out of several calls */
	struct packet *corked;         /* [w] what was said with MSG_MORE so far; NULL: nothing */
	struct datagram_path *corked_path; /* [w] how it is to go */
	bool cork;                     /* [a] UDP_CORK */
	uint16_t segment;              /* [a] UDP_SEGMENT; 0: none */
};

/* How a datagram goes. */
struct datagram_path {
	struct endpoint to, from;
	struct way way;
	struct ip_label label;         /* but for what depends on its length */
	uint8_t discover;              /* IP_PMTUDISC_*; */
	bool loop;                     /* of what is for many */
};

static inline struct datagram_socket *
datagram_of(struct socket *s)
{
	return (struct datagram_socket *)s;
}

/* --- datagram.c --- */
/* `size`: of the struct that begins with a struct datagram_socket. NULL: no memory. */
void *datagram_create(size_t size, const struct socket_ops *ops, int family, int type, int protocol, enum port_kind kind);
void datagram_put(struct datagram_socket *d);
int datagram_connect(struct socket *s, const struct socket_address *a, uint32_t flags);
int datagram_shutdown(struct socket *s, uint32_t how);
ssize_t datagram_receive(struct socket *s, struct socket_message *m);
uint32_t datagram_poll(struct socket *s, struct file *f, struct poll_table *pt);
long datagram_pending(struct socket *s, bool out);
void datagram_set_peek_offset(struct socket *s, int32_t offset);
void datagram_release(struct socket *s);
int datagram_no_listen(struct socket *s, uint32_t backlog);
int datagram_no_accept(struct socket *s, uint32_t flags, struct socket **out);
int datagram_no_pair(struct socket *a, struct socket *b);

/* --- datagram_send.c --- */
/* Where `to` really is, and which address of ours goes there. `interface` 0: as the socket or the routes say. socket->lock
 * held. -EACCES: it is for all on a link. */
int datagram_find_way(struct inet_socket *i, struct endpoint *to, struct ip_address *from, uint32_t interface,
		      struct way *w);
/* The port that it sends from, taken if it has none. socket->lock held. */
int datagram_have_port(struct inet_socket *i);
/* How a message goes: as it says, or to the peer; and from where, its port taken if need be. -EDESTADDRREQ, -EINVAL,
 * -ENETUNREACH, -EACCES ... */
int datagram_find_path(struct datagram_socket *d, const struct socket_message *m, struct datagram_path *path);
/* May one send now? -EPIPE, with its signal; the pending error; -EOPNOTSUPP. */
int datagram_check_send(struct socket *s, const struct socket_message *m);
/* What is behind the IP header goes. Takes p over. -EMSGSIZE, as ip_send(). */
int datagram_send(struct datagram_socket *d, struct datagram_path *path, struct packet *p, deadline_t until);

/* --- errors.c --- */
/* What was sent to `to` did not arrive; `data` is what is known of it. */
void datagram_error(struct datagram_socket *d, const struct socket_error *e, const struct endpoint *to, const void *data,
		    size_t n, bool hard);
/* recv with MSG_ERRQUEUE. -EAGAIN. */
ssize_t datagram_receive_error(struct socket *s, struct socket_message *m);

/* --- udp.c, ping.c, raw.c --- */
int udp_create(int family, struct socket **out);
int ping_create(int family, struct socket **out); /* -EACCES: network_ping_groups() */
int raw_create(int family, int protocol, struct socket **out); /* -EPERM */

#endif
