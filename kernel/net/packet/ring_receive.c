/* SPDX-License-Identifier: MIT */
/*
 * ring_receive.c - frames that go to a ring that a program has mapped. The theory is in packet_ring.h.
 *
 * All is done with ring_lock held, also the copying: so a status is told when its bytes are there, and in order.
 */
#include <tessera/string.h>
#include <tessera/time.h>

#include "packet_ring.h"

#define ALIGNMENT    16u
#define LINK_ROOM    16u        /* kept for the link's header, however short it is */
#define BLOCK_ALIGN  8u
#define OFFSET_LIMIT 65535u

/* One frame on its way into a ring: where its parts are, from its header on. */
struct placed {
	const struct frame *f;
	const uint8_t *data;
	uint32_t length, captured;
	uint32_t link, network;
	uint32_t status;
	uint64_t time;
};

/* Where a block's frames begin. */
static uint32_t
frames_begin(const struct packet_ring *r)
{
	return (uint32_t)(sizeof(struct ring_block) + ALIGN_UP(r->wish.private, BLOCK_ALIGN));
}

/* --- one frame ------------------------------------------------------------------------------------------ */

/* How much of it a place of `room` bytes takes. */
static void
cut(struct placed *p, uint32_t room)
{
	p->captured = p->link < room ? MIN(p->captured, room - p->link) : 0;
}

/* False: it has no place at all. */
static bool
place(const struct packet_socket *k, struct placed *p)
{
	uint32_t header = (uint32_t)ALIGN_UP(ring_header_size(k->version), ALIGNMENT) + (uint32_t)sizeof(struct link_address);
	uint32_t link = k->socket.type == SOCK_RAW ? p->f->header : 0;
	uint64_t network = ALIGN_UP((uint64_t)header + MAX(link, LINK_ROOM), ALIGNMENT) + k->reserve;

	if (k->socket.type == SOCK_DGRAM)
		network = ALIGN_UP((uint64_t)header, ALIGNMENT) + LINK_ROOM + k->reserve;
	p->network = (uint32_t)network;
	p->link = p->network - link;
	return network <= OFFSET_LIMIT;
}

/* All but the status of versions 1 and 2. */
static void
write_header(const struct packet_socket *k, const struct packet_ring *r, uint64_t at, const struct placed *p)
{
	uint32_t seconds = (uint32_t)(p->time / NSEC_PER_SEC), nanoseconds = (uint32_t)(p->time % NSEC_PER_SEC);
	struct ring_header_1 one = { .length = p->length, .captured = p->captured, .link = (uint16_t)p->link,
				     .network = (uint16_t)p->network, .seconds = seconds, .microseconds = nanoseconds / 1000 };
	struct ring_header_2 two = { .length = p->length, .captured = p->captured, .link = (uint16_t)p->link,
				     .network = (uint16_t)p->network, .seconds = seconds, .nanoseconds = nanoseconds };
	struct ring_header_3 three = { .next = (uint32_t)ALIGN_UP(p->link + p->captured, BLOCK_ALIGN), .length = p->length,
				       .captured = p->captured, .link = (uint16_t)p->link, .network = (uint16_t)p->network,
				       .seconds = seconds, .nanoseconds = nanoseconds, .status = p->status };

	if (k->version == PACKET_VERSION_1)
		ring_write(r, at, &one, sizeof(one));
	else if (k->version == PACKET_VERSION_2)
		ring_write(r, at, &two, sizeof(two));
	else
		ring_write(r, at, &three, sizeof(three));
}

static void
write_frame(const struct packet_socket *k, const struct packet_ring *r, uint64_t at, const struct placed *p)
{
	struct link_address from = packet_sender(p->f);

	write_header(k, r, at, p);
	ring_write(r, at + ALIGN_UP(ring_header_size(k->version), ALIGNMENT), &from, sizeof(from));
	ring_write(r, at + p->link, p->data, p->captured);
}

/* --- versions 1 and 2 ------------------------------------------------------------------------------------- */

static bool
fill_frame(struct packet_socket *k, struct packet_ring *r, struct placed *p)
{
	uint32_t frame = r->head;

	if (ring_status(r, k->version, frame) != RING_KERNEL)
		return false;
	cut(p, r->wish.frame_size);
	write_frame(k, r, ring_frame_at(r, frame), p);
	r->head = ring_after(r, frame);
	ring_set_status(r, k->version, frame, p->status | (READ_ONCE(k->ring_drops) ? RING_LOSING : 0));
	return true;
}

/* --- version 3 ------------------------------------------------------------------------------------------ */

static uint64_t
block_at(const struct packet_ring *r)
{
	return (uint64_t)r->block * r->wish.block_size;
}

static bool
block_is_taken(const struct packet_ring *r)
{
	return atomic_load(&((struct ring_block *)ring_at(r, block_at(r)))->status) & RING_USER;
}

static void
open_block(struct packet_ring *r)
{
	uint64_t now = clock_realtime_ns();
	struct ring_block b = { .version = PACKET_VERSION_3, .private = sizeof(b), .first = frames_begin(r),
				.used = frames_begin(r), .number = ++r->number,
				.opened_seconds = (uint32_t)(now / NSEC_PER_SEC),
				.opened_nanoseconds = (uint32_t)(now % NSEC_PER_SEC) };

	ring_write(r, block_at(r), &b, sizeof(b));
	r->next = r->last = frames_begin(r);
	r->frames = 0;
	r->frozen = false;
}

/* The block is the program's, and the next one is looked at. False: that is the program's still. */
static bool
show_block(struct packet_socket *k, struct packet_ring *r, uint32_t status)
{
	struct ring_block *b = ring_at(r, block_at(r));
	struct ring_header_3 last;
	uint64_t at = block_at(r) + r->last;

	ring_read(r, at, &last, sizeof(last));
	last.next = 0;
	ring_write(r, at, &last, sizeof(last));
	b->last_seconds = last.seconds;
	b->last_nanoseconds = last.nanoseconds;
	b->frames = r->frames;
	b->used = r->next;
	atomic_store_release(&b->status, RING_USER | status | (READ_ONCE(k->ring_drops) ? RING_LOSING : 0));
	r->block = r->block + 1 < r->wish.blocks ? r->block + 1 : 0;
	if (block_is_taken(r)) {
		r->frozen = true;
		r->freezes++;
		return false;
	}
	open_block(r);
	return true;
}

static void
arm(struct packet_socket *k, struct packet_ring *r)
{
	if (k->armed)
		return;
	k->armed = true;
	ref_get(&k->socket.refs);
	continuation_run_when(&k->retire, NULL, deadline_after((uint64_t)r->wish.timeout * NSEC_PER_MSEC));
}

/* False: there is no room. *shown: a block has become the program's. */
static bool
fill_block(struct packet_socket *k, struct packet_ring *r, struct placed *p, bool *shown)
{
	uint32_t size;

	p->link = MIN(p->link, r->wish.block_size - frames_begin(r));
	cut(p, r->wish.block_size - frames_begin(r));
	size = (uint32_t)ALIGN_UP(p->link + p->captured, BLOCK_ALIGN);
	if (r->frozen) {
		if (block_is_taken(r))
			return false;
		open_block(r);
	}
	if (r->frames && r->next + size >= r->wish.block_size) {
		*shown = true;
		if (!show_block(k, r, 0))
			return false;
	}
	write_frame(k, r, block_at(r) + r->next, p);
	r->last = r->next;
	r->next += size;
	r->frames++;
	arm(k, r);
	return true;
}

void
ring_begin(struct packet_socket *k, struct packet_ring *r)
{
	if (k->version == PACKET_VERSION_3)
		open_block(r);
}

bool
ring_end(struct packet_socket *k)
{
	if (!k->armed || !continuation_cancel(&k->retire))
		return false; /* if it begins just now, it finds nothing to do, or the next ring */
	k->armed = false;
	return true;
}

void
ring_retire(struct continuation *c)
{
	struct packet_socket *k = container_of(c, struct packet_socket, retire);
	struct packet_ring *r;
	bool shown = false;

	spin_lock(&k->ring_lock);
	r = k->receive_ring;
	k->armed = false;
	shown = r && !r->frozen && r->frames;
	if (shown)
		show_block(k, r, RING_TIMEOUT);
	spin_unlock(&k->ring_lock);
	if (shown)
		packet_queue_tell(&k->socket);
	packet_put(k);
}

/* --- both ----------------------------------------------------------------------------------------------- */

bool
ring_give(struct packet_socket *k, const struct frame *f, uint32_t skip, uint32_t captured)
{
	struct placed p = { .f = f, .data = f->data + skip, .length = f->size - skip, .captured = captured,
			    .status = RING_USER | (f->direction == FRAME_OUTGOING ? 0 : RING_CHECKSUM) };
	struct packet_ring *r;
	bool taken, tell = true;

	if (!READ_ONCE(k->receive_ring))
		return false;
	p.time = clock_realtime_ns();
	spin_lock(&k->ring_lock);
	r = k->receive_ring;
	if (!r) {
		spin_unlock(&k->ring_lock);
		return false;
	}
	taken = place(k, &p);
	if (k->version == PACKET_VERSION_3) {
		tell = false;
		taken = taken && fill_block(k, r, &p, &tell);
	} else {
		taken = taken && fill_frame(k, r, &p);
	}
	spin_unlock(&k->ring_lock);
	atomic_add(taken ? &k->received : &k->ring_drops, 1);
	if (tell || !taken)
		packet_queue_tell(&k->socket);
	return true;
}
