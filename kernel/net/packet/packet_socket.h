/* SPDX-License-Identifier: MIT */
/*
 * packet_socket.h - sockets of AF_PACKET inside: packet.c has their birth and options, receive.c and send.c their frames,
 * ring*.c the memory that they may share with their program.
 */
#ifndef TESSERA_NET_PACKET_SOCKET_H
#define TESSERA_NET_PACKET_SOCKET_H

#include <tessera/continuation.h>
#include <tessera/ip.h>
#include <tessera/network.h>
#include <tessera/packet.h>
#include <tessera/packet_socket.h>
#include <tessera/socket.h>

#include "../network.h"

#define ETHERNET_HEADER 14u
#define FRAME_MAX       65600u /* with its header */
#define MEMBERSHIPS_MAX 20u

/* Protocols that are not Ethernet's: Linux's ETH_P_*. */
#define PROTOCOL_ALL    0x0003u
#define PROTOCOL_802_2  0x0004u
#define PROTOCOL_IPV4   0x0800u
#define PROTOCOL_IPV6   0x86ddu

/* struct sockaddr_ll of packet(7) */
struct link_address {
	uint16_t family;
	uint16_t protocol;             /* in the order of the wire */
	int32_t interface;
	uint16_t kind;                 /* ARPHRD_* */
	uint8_t type;                  /* enum frame_direction */
	uint8_t length;
	uint8_t address[8];
};
_Static_assert(sizeof(struct link_address) == 20, "Linux's layout");

struct link_membership {
	uint32_t interface;
	uint16_t type;                 /* PACKET_MR_* */
	uint16_t length;
	uint8_t address[8];
	uint32_t count;                /* 0: the slot is free */
};

struct packet_ring;

/* One that comes in or goes out. */
struct frame {
	const uint8_t *data;
	uint32_t size;
	uint32_t header;               /* of the link */
	struct interface_info interface;
	uint16_t protocol;
	enum frame_direction direction;
};

/* [I] immutable  [l] socket.lock  [w] network's watchers_lock  [r] ring_lock  [a] atomic */
struct packet_socket {
	struct socket socket;          /* first */
	struct packet_queue queue;     /* its own words say */
	struct list watcher;           /* [w] network->taps; empty: it wants no frames */
	uint16_t protocol;             /* [w] as numbers are kept here; 0: none */
	uint32_t interface;            /* [w] 0: all */
	uint32_t received;             /* [a] for PACKET_STATISTICS, as the queue's drops are */
	uint32_t drops_told;           /* [a] */
	struct spinlock ring_lock;     /* class PACKETS, with no other of it */
	struct packet_ring *receive_ring, *send_ring; /* [r] references; NULL: none */
	enum packet_version version;   /* [r] as all of the rings is */
	uint32_t reserve;              /* [r] bytes before each frame that is received into a ring */
	uint32_t ring_drops;           /* [a] since they were asked for */
	uint32_t mappings;             /* [a] of rings */
	struct continuation retire;    /* of version 3: a block is shown that is not full */
	bool armed;                    /* [r] it waits or begins, and has a reference to the socket */
	int32_t option[PACKET_OPTIONS]; /* [a] as set */
	struct link_membership membership[MEMBERSHIPS_MAX]; /* [l] */
};

static inline struct packet_socket *
packet_of(struct socket *s)
{
	return (struct packet_socket *)s;
}

static inline struct network *
packet_network(const struct packet_socket *k)
{
	return (struct network *)k->socket.net;
}

void packet_put(struct packet_socket *k);
/* --- send.c --- */
ssize_t packet_send(struct socket *s, struct socket_message *m);
/* Where a message goes: as it says, or as the socket is bound. -EINVAL, -ENXIO, -ENETDOWN. */
int packet_find_target(struct packet_socket *k, const struct socket_message *m, struct link_address *to,
		       struct interface_info *info);
/* Does a message of n bytes fit there? 0, -EMSGSIZE, -EINVAL. */
int packet_check_size(const struct packet_socket *k, size_t n, const struct interface_info *info);
/* What a program wrote goes out, with a header if it has none. On success p is taken over. */
int packet_transmit(struct packet_socket *k, const struct link_address *to, const struct interface_info *info,
		    struct packet *p, deadline_t until);
/* --- receive.c --- */
struct link_address packet_sender(const struct frame *f);
ssize_t packet_receive(struct socket *s, struct socket_message *m);

#endif
