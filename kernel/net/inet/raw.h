/* SPDX-License-Identifier: MIT */
/*
 * raw.h - raw sockets inside: raw.c has their birth and what they receive, raw_send.c what they send, and their options.
 */
#ifndef TESSERA_NET_RAW_H
#define TESSERA_NET_RAW_H

#include "datagram.h"

/* [p] network's ports_lock  [a] atomic */
struct raw_socket {
	struct datagram_socket datagram; /* first */
	struct list watcher;           /* [p] network->raws */
	uint32_t filter[8];            /* [a] ICMP_FILTER (one word), ICMP6_FILTER: a bit for each type that is not wanted */
	int32_t checksum_at;           /* [a] IPV6_CHECKSUM: where it lies; negative: there is none */
};

static inline struct raw_socket *
raw_of(struct socket *s)
{
	return (struct raw_socket *)s;
}

ssize_t raw_send(struct socket *s, struct socket_message *m);

#endif
