/* SPDX-License-Identifier: MIT */
/*
 * packet_ring.h - memory in which a packet socket and its program hand frames to each other without a call: PACKET_RX_RING
 * and PACKET_TX_RING of packet(7).
 *
 * A ring is a number of blocks. Versions 1 and 2, and what is sent in all three, cut each block into frames of one size:
 *
 *	header | struct link_address | gap | the frame's bytes          at each frame_size
 *
 * whose status says whose it is: the kernel's (0) or the program's. Version 3 receives into whole blocks:
 *
 *	struct ring_block | private bytes | frame, at any multiple of 8 | frame ...
 *
 * A block is the program's once it is full, or when it has had a frame for as long as the program said. When the next one
 * is still the program's, the ring is frozen: frames are dropped until it is given back.
 *
 * Both rings of a socket are mapped in one piece, first the one to receive into. The program may write anywhere at any
 * time: what matters to the kernel stands in its own structs, but for statuses and what is to be sent.
 */
#ifndef TESSERA_NET_PACKET_RING_H
#define TESSERA_NET_PACKET_RING_H

#include "packet_socket.h"

struct page;

/* Statuses. */
#define RING_KERNEL       0u
#define RING_USER         BIT(0)
#define RING_LOSING       BIT(2)     /* frames were dropped since somebody asked */
#define RING_TIMEOUT      BIT(5)     /* of a block: it is not full */
#define RING_CHECKSUM     BIT(7)     /* checksums inside are known to be right */
#define RING_AVAILABLE    0u
#define RING_SEND_REQUEST BIT(0)
#define RING_SENDING      BIT(1)
#define RING_WRONG_FORMAT BIT(2)

struct ring_header_1 {
	uint64_t status;
	uint32_t length, captured;
	uint16_t link, network;        /* where the headers are, from here */
	uint32_t seconds, microseconds, pad;
};
_Static_assert(sizeof(struct ring_header_1) == 32, "Linux's layout");

struct ring_header_2 {
	uint32_t status, length, captured;
	uint16_t link, network;
	uint32_t seconds, nanoseconds;
	uint16_t tag, tag_protocol;
	uint8_t pad[4];
};
_Static_assert(sizeof(struct ring_header_2) == 32, "Linux's layout");

struct ring_header_3 {
	uint32_t next;                 /* bytes to the next one of the block; 0: it is the last */
	uint32_t seconds, nanoseconds, captured, length, status;
	uint16_t link, network;
	uint32_t hash, tag;
	uint16_t tag_protocol;
	uint8_t pad[10];
};
_Static_assert(sizeof(struct ring_header_3) == 48, "Linux's layout");

struct ring_block {
	uint32_t version, private, status, frames;
	uint32_t first, used;          /* bytes from the block's beginning */
	uint64_t number;
	uint32_t opened_seconds, opened_nanoseconds, last_seconds, last_nanoseconds;
};
_Static_assert(sizeof(struct ring_block) == 48, "Linux's layout");

/* [I] immutable  [r] ring_lock of the socket */
struct packet_ring {
	struct refcount refs;          /* the socket, who sends from it, mappings */
	struct packet_ring_wish wish;  /* [I] */
	uint32_t per_block;            /* [I] frames */
	uint32_t head;                 /* [r] the next frame */
	/* Of version 3, received: */
	uint32_t block;                /* [r] that is being filled */
	uint32_t next, last;           /* [r] where the next frame goes in it, where the last one is */
	uint32_t frames;               /* [r] in it */
	uint64_t number;               /* [r] of the next block */
	bool frozen;                   /* [r] */
	uint32_t freezes;              /* [r] since they were asked for */
	uint32_t pages;                /* [I] */
	struct page *page[];           /* [I] */
};

uint32_t ring_header_size(enum packet_version v);
void ring_put(struct packet_ring *r);
/* At offset `at`, where nothing is that crosses a page: statuses. */
void *ring_at(const struct packet_ring *r, uint64_t at);
void ring_write(const struct packet_ring *r, uint64_t at, const void *from, size_t n);
void ring_read(const struct packet_ring *r, uint64_t at, void *to, size_t n);
uint64_t ring_frame_at(const struct packet_ring *r, uint32_t frame);
uint32_t ring_status(const struct packet_ring *r, enum packet_version v, uint32_t frame);
void ring_set_status(const struct packet_ring *r, enum packet_version v, uint32_t frame, uint32_t status);
static inline uint32_t
ring_after(const struct packet_ring *r, uint32_t frame)
{
	return frame + 1 < r->wish.frames ? frame + 1 : 0;
}

/* --- ring.c --- */
/* The socket is going. */
void rings_drop(struct packet_socket *k);
int packet_mmap(struct socket *s, uint64_t offset, size_t length, struct memory_object **out);
void packet_mapped(struct socket *s, bool more);
/* What poll tells of the rings, beside `events`. */
uint32_t rings_poll(struct packet_socket *k);
/* --- ring_receive.c --- */
/* The first block is opened. ring_lock held. */
void ring_begin(struct packet_socket *k, struct packet_ring *r);
/* Blocks that were never shown are not waited for any more: true if a reference to the socket is to be put. ring_lock held. */
bool ring_end(struct packet_socket *k);
void ring_retire(struct continuation *c);
/* The frame goes to the ring, if there is one and it has room. False: there is none. */
bool ring_give(struct packet_socket *k, const struct frame *f, uint32_t skip, uint32_t captured);
/* --- ring_send.c --- */
ssize_t ring_send(struct packet_socket *k, struct packet_ring *r, struct socket_message *m);

#endif
