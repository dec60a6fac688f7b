/* SPDX-License-Identifier: MIT */
/* door_frames.c - the rings of frames: records as abi/netd.h lays them out. */
#include "door.h"
#include "log.h"

struct door door;

#define ALIGN 16u
#define ROUND(n) (((n) + ALIGN - 1) & ~(ALIGN - 1))

static uint64_t tail;	 /* of the frames out: behind the record that is looked at */
static bool tail_known;
static uint64_t seen; /* up to here they may be looked at */

void
door_frames_see(void)
{
	seen = door_get64(&door.kernel->frames_out_head);
}

const struct netd_frame *
door_frame_next(void)
{
	uint64_t head = seen, at = door.netd->frames_out_tail;

	while (head - at >= sizeof(struct netd_frame)) {
		uint32_t offset = at % NETD_FRAME_RING;
		const struct netd_frame *f = (const struct netd_frame *)(door.frames_out + offset);
		uint64_t size;

		if (NETD_FRAME_RING - offset < sizeof(*f)) {
			at += NETD_FRAME_RING - offset;
			door_put64(&door.netd->frames_out_tail, at);
			continue;
		}
		size = ROUND(sizeof(*f) + (uint64_t)f->length);
		if (head - at > NETD_FRAME_RING || size > NETD_FRAME_RING - offset || size > head - at) {
			/* Only we write that tail: a predecessor has lost its mind. What there is, is lost. */
			log_error("a frame of the kernel's of %u bytes lies at %u: all are dropped", f->length, offset);
			door_put64(&door.netd->frames_out_tail, head);
			return NULL;
		}
		if (f->kind != NETD_FRAME_SKIP) {
			tail = at + size;
			tail_known = true;
			return f;
		}
		at += size;
		door_put64(&door.netd->frames_out_tail, at);
	}
	return NULL;
}

void
door_frame_done(void)
{
	if (!tail_known)
		return;
	tail_known = false;
	door_put64(&door.netd->frames_out_tail, tail);
	/* The kernel looks when half is free. */
	if (__atomic_load_n(&door.netd->wants_room, __ATOMIC_SEQ_CST) &&
		door_get64(&door.kernel->frames_out_head) - tail < NETD_FRAME_RING / 2)
		door.changed = true;
}

bool
door_frame_send(enum netd_frame_kind kind, uint32_t flags, uint32_t interface, const struct netd_address *next,
	const struct iovec *parts, unsigned count)
{
	uint64_t used = door.frames_in_head - door_get64(&door.kernel->frames_in_tail), size, skip = 0;
	uint32_t length = 0, offset = door.frames_in_head % NETD_FRAME_RING;
	struct netd_frame *f;
	uint8_t *to;

	for (unsigned i = 0; i < count; i++)
		length += parts[i].iov_len;
	size = ROUND(sizeof(*f) + (uint64_t)length);
	if (size > NETD_FRAME_RING - offset)
		skip = NETD_FRAME_RING - offset;
	if (length > NETD_FRAME_MAX || used > NETD_FRAME_RING || size + skip > NETD_FRAME_RING - used)
		return false;
	if (skip) {
		f = (struct netd_frame *)(door.frames_in + offset);
		if (skip >= sizeof(*f))
			*f = (struct netd_frame){ .length = skip - sizeof(*f), .kind = NETD_FRAME_SKIP };
		door.frames_in_head += skip;
		offset = 0;
	}
	f = (struct netd_frame *)(door.frames_in + offset);
	*f = (struct netd_frame){ .length = length, .kind = kind, .flags = flags, .interface = interface };
	if (next)
		f->next = *next;
	to = (uint8_t *)(f + 1);
	for (unsigned i = 0; i < count; i++) {
		memcpy(to, parts[i].iov_base, parts[i].iov_len);
		to += parts[i].iov_len;
	}
	door.frames_in_head += size;
	door_put64(&door.netd->frames_in_head, door.frames_in_head);
	door.changed = true;
	return true;
}
