/* SPDX-License-Identifier: MIT */
/*
 * packet_socket.h - what programs may ask of a packet socket beyond what all sockets have: packet(7).
 */
#ifndef TESSERA_PACKET_SOCKET_H
#define TESSERA_PACKET_SOCKET_H

#include <tessera/socket.h>

/* Options that are a number, 0 at birth. */
enum packet_option {
	PACKET_TELL_AUXDATA, PACKET_TELL_ORIGIN, PACKET_NO_OUTGOING, PACKET_TIME_SOURCE, PACKET_FLAGS_LOSS,
	PACKET_NO_QUEUE, PACKET_SENDS_AT_OFFSET,
	PACKET_OPTIONS,
};

/* One of them becomes `value`, which is not checked; and what it is. */
void packet_option_set(struct socket *s, enum packet_option option, int value);
int packet_option_get(struct socket *s, enum packet_option option);

/* PACKET_ADD_MEMBERSHIP, PACKET_DROP_MEMBERSHIP. -ENODEV, -EINVAL, -ENOBUFS. One that it does not have
 * may be dropped. */
int packet_membership(struct socket *s, bool add, uint32_t interface, uint16_t type, const void *address, uint16_t length);
/* PACKET_STATISTICS: frames that came, and those of them that found no room, since this was asked last. */
void packet_statistics(struct socket *s, uint32_t *frames, uint32_t *drops);

/* --- rings: memory shared with the program (net/packet/packet_ring.h) ------------------------------------- */

enum packet_version { PACKET_VERSION_1, PACKET_VERSION_2, PACKET_VERSION_3, PACKET_VERSIONS };

/* What a ring is to be: bytes, numbers of. */
struct packet_ring_wish {
	uint32_t block_size, blocks, frame_size, frames;
	/* Of version 3: a block is shown after so many ms, as it is; bytes of each block that are the program's. */
	uint32_t timeout, private;
	uint32_t features;
};

/* A ring to send from, or to receive into, replaces none; `blocks` 0: there is none any more. -EBUSY: it is mapped, or there
 * is one; -EINVAL, -ENOMEM. */
int packet_ring_set(struct socket *s, bool send, const struct packet_ring_wish *w);
/* -EBUSY: there are rings. -EINVAL. */
int packet_version_set(struct socket *s, uint32_t version);
int packet_reserve_set(struct socket *s, uint32_t bytes);
bool packet_has_rings(struct socket *s);
enum packet_version packet_version(struct socket *s);
uint32_t packet_reserve(struct socket *s);
/* Bytes of a frame's header of that version; -EINVAL. */
int packet_header_size(uint32_t version);
/* How often all blocks were full, since it was asked last. */
uint32_t packet_freezes(struct socket *s);

#endif
