/* SPDX-License-Identifier: MIT */
/*
 * frames.c - the two rings of frames between the kernel and the stack: packets of IP for all but TCP, and frames as
 * packet sockets, TUN and TAP know them. abi/netd.h has the form of a record.
 *
 * Of the ring to the kernel nothing is believed: a record is copied out whole before it is looked at, and its length
 * bounded by what the ring says there is.
 */
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/ip.h>
#include <tessera/packet.h>
#include <tessera/poll.h>
#include <tessera/string.h>
#include <tessera/tun.h>

#include "door.h"

#define RECORD     16u /* records begin at multiples of it */
#define RING_PAGES (NETD_FRAME_RING / PAGE_SIZE)

/* [I] once there_are_rings */
static char *out_page[RING_PAGES], *in_page[RING_PAGES];
static bool there_are_rings; /* [a] */

int
frames_ready(void)
{
	if (!door_pages(out_page, RING_PAGES, NETD_MAP_FRAMES_OUT) || !door_pages(in_page, RING_PAGES, NETD_MAP_FRAMES_IN))
		return -ENOMEM;
	atomic_store_release(&there_are_rings, true);
	return 0;
}

static size_t
record_size(size_t n)
{
	return ALIGN_UP(sizeof(struct netd_frame) + n, RECORD);
}

/* --- to the stack ---------------------------------------------------------------------------------------- */

static void
put(uint64_t at, const void *from, size_t n)
{
	const char *bytes = from;

	while (n > 0) {
		uint64_t place = at % NETD_FRAME_RING;
		size_t piece = MIN(n, PAGE_SIZE - place % PAGE_SIZE);

		memcpy(out_page[place / PAGE_SIZE] + place % PAGE_SIZE, bytes, piece);
		bytes += piece;
		at += piece;
		n -= piece;
	}
}

/* Bytes that the stack has yet to take. What it says of that is its own affair: too much is none at all. */
static uint64_t
bytes_held(void)
{
	uint64_t held = atomic_load(&door.kernel->frames_out_head) - atomic_load(&door.netd->frames_out_tail);

	return MIN(held, (uint64_t)NETD_FRAME_RING);
}

bool
frames_are_waiting(void)
{
	return atomic_load(&door.kernel->frames_out_head) != atomic_load(&door.netd->frames_out_tail);
}

/* With what is left before the ring's end, should the record not fit there. */
bool
frames_have_room(size_t n)
{
	if (bytes_held() + 2 * record_size(n) <= NETD_FRAME_RING)
		return true;
	/* Said before it is looked at again. */
	atomic_store(&door.netd->wants_room, 1ul);
	return bytes_held() + 2 * record_size(n) <= NETD_FRAME_RING;
}

int
frame_out(enum netd_frame_kind kind, uint32_t flags, uint32_t interface, const struct ip_address *next,
	  const void *bytes, size_t n)
{
	struct netd_frame f = { .length = (uint32_t)n, .kind = (uint16_t)kind, .flags = (uint16_t)flags, .interface = interface };
	uint64_t head, to_end;

	if (n > NETD_FRAME_MAX)
		return -EMSGSIZE;
	if (!atomic_load(&there_are_rings))
		return -EAGAIN;
	if (next)
		memcpy(f.next.bytes, next->bytes, sizeof(f.next.bytes));
	spin_lock(&door.out_lock);
	if (!frames_have_room(n)) {
		spin_unlock(&door.out_lock);
		return -EAGAIN;
	}
	head = door.kernel->frames_out_head;
	to_end = NETD_FRAME_RING - head % NETD_FRAME_RING;
	if (to_end < record_size(n)) {
		struct netd_frame skip = { .kind = NETD_FRAME_SKIP };

		skip.length = (uint32_t)(to_end - sizeof(skip));
		if (to_end >= sizeof(skip))
			put(head, &skip, sizeof(skip));
		head += to_end;
	}
	put(head, &f, sizeof(f));
	put(head + sizeof(f), bytes, n);
	atomic_store(&door.kernel->frames_out_head, head + record_size(n));
	spin_unlock(&door.out_lock);
	door_wake();
	return 0;
}

/* --- from the stack -------------------------------------------------------------------------------------- */

static void
get(uint64_t at, void *to, size_t n)
{
	char *bytes = to;

	while (n > 0) {
		uint64_t place = at % NETD_FRAME_RING;
		size_t piece = MIN(n, PAGE_SIZE - place % PAGE_SIZE);

		memcpy(bytes, in_page[place / PAGE_SIZE] + place % PAGE_SIZE, piece);
		bytes += piece;
		at += piece;
		n -= piece;
	}
}

static void
hand_on(const struct netd_frame *f, struct packet *p)
{
	uint32_t flags = 0, direction = NETD_FRAME_FOR(f->flags);

	/* What is said within the machine is believed more, and does not come from there. */
	if (f->interface == NETWORK_LOOPBACK) {
		packet_free(p);
		return;
	}
	if (f->flags & NETD_FRAME_CHECKED)
		flags |= IP_CHECKED;
	if (f->flags & NETD_FRAME_TO_MANY)
		flags |= IP_TO_MANY;
	switch (f->kind) {
	case NETD_FRAME_RECEIVED:
		ip_input(&init_network, f->interface, p, flags);
		break;
	case NETD_FRAME_TCP_SEEN:
		ip_input_tcp_seen(&init_network, f->interface, p);
		break;
	case NETD_FRAME_SEEN:
	case NETD_FRAME_SEEN_OUT:
		if (f->kind == NETD_FRAME_SEEN_OUT || direction > FRAME_OUTGOING)
			direction = f->kind == NETD_FRAME_SEEN_OUT ? FRAME_OUTGOING : FRAME_HOST;
		frame_seen(&init_network, f->interface, p->data, p->length, (enum frame_direction)direction);
		packet_free(p);
		break;
	case NETD_FRAME_TO_READ:
		tun_send(f->interface, p);
		break;
	default:
		packet_free(p);
	}
}

/* One record at `at`, of which at most `there` bytes are. Its size, or 0: nonsense. */
static uint64_t
look_at(uint64_t at, uint64_t there)
{
	uint64_t to_end = NETD_FRAME_RING - at % NETD_FRAME_RING, size;
	struct netd_frame f;
	struct packet *p;

	if (to_end < sizeof(f))
		return to_end <= there ? to_end : 0;
	if (there < sizeof(f))
		return 0;
	get(at, &f, sizeof(f));
	size = record_size(f.length);
	if (f.kind == NETD_FRAME_SKIP)
		return size == to_end && size <= there ? size : 0;
	if (f.length > NETD_FRAME_MAX || size > there || size > to_end)
		return 0;
	p = packet_create(f.length);
	if (!p)
		return size; /* as if it had been lost */
	get(at + sizeof(f), p->data, f.length);
	hand_on(&f, p);
	return size;
}

void
frames_look(void)
{
	uint64_t tail = door.kernel->frames_in_tail, head = atomic_load(&door.netd->frames_in_head);

	assert_mutex_held(&door.kick_lock);
	if (head - tail > NETD_FRAME_RING || head % RECORD) {
		door_nonsense("frames to the kernel", head);
		return;
	}
	while (tail != head) {
		uint64_t size = look_at(tail, head - tail);

		if (size == 0) {
			door_nonsense("a frame to the kernel", tail);
			return;
		}
		tail += size;
		atomic_store(&door.kernel->frames_in_tail, tail);
	}
	if (atomic_load(&door.netd->wants_room) && bytes_held() < NETD_FRAME_RING / 2) {
		atomic_store(&door.netd->wants_room, 0ul);
		wake_poll(&door.frame_room, POLLOUT | POLLWRNORM);
	}
}

void
frames_take_stock(void)
{
	frames_look();
	/* Behind nonsense nobody knows where the next record is. */
	atomic_store(&door.netd->frames_in_head, door.kernel->frames_in_tail);
}
