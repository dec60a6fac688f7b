/* SPDX-License-Identifier: MIT */
/*
 * ip.h - between sockets and links, inside: what goes out gets its header, what comes in finds its sockets.
 *
 * No function here is called with a socket's lock held: what a packet leads to may come back to the same socket.
 */
#ifndef TESSERA_NET_IP_H
#define TESSERA_NET_IP_H

#include <tessera/ip.h>
#include <tessera/network.h>
#include <tessera/packet.h>

#include "../network.h"
#include "header.h"

#define ETHERNET_HEADER  14u
#define ETHERTYPE_IPV4   0x0800u
#define ETHERTYPE_IPV6   0x86ddu

/* --- output.c --- */
struct ip_manner {
	const uint8_t *options;        /* of IPv4: `options_size` bytes, a multiple of 4 */
	uint8_t options_size;
	bool loop;                     /* what is for many comes to sockets of this machine, too */
	deadline_t until;              /* a link without room is waited for so long; 0: not at all */
};

/*
 * What is in `p` goes by `w`, behind the header that `l` says; its length and id are filled in. Takes p over. -EMSGSIZE: it
 * may not be cut; -ENETDOWN, or what the link says; -EINTR.
 */
int ip_send(struct network *n, const struct way *w, struct ip_label *l, const struct ip_manner *m, struct packet *p);
/* A whole packet, whose header is complete. The same. */
int ip_send_whole(struct network *n, const struct way *w, const struct ip_label *l, const struct ip_manner *m,
		  struct packet *p);

/* --- loopback.c --- */
/* A packet of so many bytes went by loopback, if only in effect. */
void loopback_count(struct network *n, uint32_t bytes);

/* --- icmp.c, icmp_error.c, icmp_limit.c --- */
/* ICMP's message lies behind the header of `p`. Take p over. */
void icmp_input(struct network *n, struct packet *p, const struct ip_label *l, uint32_t flags);
/* Tell who sent `p`, a whole packet, that it cannot be delivered; unless that is not to be told. p is the caller's. */
void icmp_refuse(struct network *n, const struct packet *p, const struct ip_label *l, uint8_t type, uint8_t code);
/* May an error of this type answer `p` now? If so, it counts as sent. No lock held. */
bool icmp_limit_admits(struct network *n, const struct packet *p, const struct ip_label *l, uint8_t type);
/* An ICMP message that is about a packet of ours, which is quoted behind its header. p is the caller's. */
void icmp_error_input(struct network *n, const struct packet *p, const struct ip_label *l);

/* --- of sockets: ../inet ------------------------------------------------------------------------------ */

/* A whole packet of UDP. Takes p over. */
void udp_input(struct network *n, struct packet *p, const struct ip_label *l, uint32_t flags);
/* An answer to an echo, of IPv4 or IPv6: its ICMP message begins behind the header. Takes p over. */
void ping_input(struct network *n, struct packet *p, const struct ip_label *l);
/* Copies of a whole packet for raw sockets. False: none of them wanted one. */
bool raw_input(struct network *n, const struct packet *p, const struct ip_label *l);
/*
 * What was sent with the header `l` did not arrive, as `e` says; `inside` are the `n` bytes behind its header that are known.
 * `hard`: it will not do so if it is tried again.
 */
void udp_error(struct network *n, uint32_t interface, const struct ip_label *l, const void *inside, size_t size,
	       const struct socket_error *e, bool hard);
/* The first TCP_QUOTED bytes are known. */
void tcp_error(struct network *n, const struct ip_label *l, const void *inside, const struct socket_error *e);
void ping_error(struct network *n, uint32_t interface, const struct ip_label *l, const void *inside, size_t size,
		const struct socket_error *e, bool hard);
void raw_error(struct network *n, uint32_t interface, const struct ip_label *l, const void *packet, size_t size,
	       const struct socket_error *e, bool hard);
/* Has anybody joined that group on the interface? */
bool group_is_joined(struct network *n, uint32_t interface, const struct ip_address *group);

#endif
