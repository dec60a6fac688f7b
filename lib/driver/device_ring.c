/* SPDX-License-Identifier: MIT */
/*
 * device_ring.c - the device's side of a split virtqueue: 2.6.
 *
 * The barriers are the partners of those in virtio_queue.c, which is the other side of the same protocol.
 */
#include <errno.h>

#include "device.h"
#include "device_ring.h"
#include "log.h"

static uint16_t
used_event(struct device_ring *r)
{
	return *(volatile uint16_t *)&r->avail->ring[r->size];
}

static volatile uint16_t *
avail_event(struct device_ring *r)
{
	return (volatile uint16_t *)&r->used->ring[r->size];
}

int
device_ring_begin(struct device_ring *r, uint64_t desc, uint64_t avail, uint64_t used, uint16_t avail_next)
{
	r->desc = r->translate(r->owner, desc, 16ul * r->size);
	r->avail = r->translate(r->owner, avail, 6 + 2ul * r->size);
	r->used = r->translate(r->owner, used, 6 + 8ul * r->size);
	if (!r->desc || !r->avail || !r->used || (desc | used) & 3 || avail & 1)
		return -EFAULT;
	r->broken = false;
	r->avail_next = avail_next;
	r->used_next = r->used_told = r->used->idx;
	return 0;
}

/* Append what one descriptor points to. False: it points nowhere, or there are too many. */
static bool
append(struct device_ring *r, struct ring_chain *c, const struct vring_desc *d)
{
	struct ring_buffer *b = &c->buffers[c->out + c->in];

	if (c->out + c->in == RING_BUFFERS_MAX || d->len == 0)
		return false;
	if (d->flags & VRING_DESC_WRITE)
		c->in++;
	else if (c->in)
		return false; /* 2.6.4.2: what the device writes comes behind what it reads */
	else
		c->out++;
	b->ring_addr = d->addr;
	b->size = d->len;
	b->addr = r->translate(r->owner, d->addr, d->len);
	return b->addr != NULL;
}

/* Follow a chain from `at` in a table of `count` descriptors, each copied before it is looked at. */
static bool
follow(struct device_ring *r, struct ring_chain *c, const struct vring_desc *table, unsigned count, uint16_t at, bool inner)
{
	for (unsigned left = count; left; left--) {
		struct vring_desc d;

		if (at >= count)
			return false;
		d = *(const volatile struct vring_desc *)&table[at];
		if (d.flags & VRING_DESC_INDIRECT) {
			const struct vring_desc *indirect = inner || d.flags & VRING_DESC_NEXT || d.len % sizeof(d) ? NULL :
				r->translate(r->owner, d.addr, d.len);

			return indirect && follow(r, c, indirect, d.len / sizeof(d), 0, true);
		}
		if (!append(r, c, &d))
			return false;
		if (!(d.flags & VRING_DESC_NEXT))
			return true;
		at = d.next;
	}
	return false; /* a circle */
}

int
device_ring_take(struct device_ring *r, struct ring_chain *c)
{
	uint16_t there = __atomic_load_n(&r->avail->idx, __ATOMIC_ACQUIRE) - r->avail_next;

	if (there == 0 || r->broken)
		return 0;
	if (there > r->size) {
		r->broken = true;
		log_error("queue %u: %u requests in a ring of %u", r->index, there, r->size);
		return 0;
	}
	c->head = *(volatile uint16_t *)&r->avail->ring[r->avail_next++ % r->size];
	c->out = c->in = 0;
	if (c->head < r->size && follow(r, c, r->desc, r->size, c->head, false))
		return 1;
	log_error("queue %u: request %u makes no sense", r->index, c->head);
	device_ring_give(r, c->head, 0);
	return -EINVAL;
}

void
device_ring_give(struct device_ring *r, uint16_t head, uint32_t written)
{
	struct vring_used_elem *e = &r->used->ring[r->used_next++ % r->size];

	e->id = head;
	e->len = written;
}

bool
device_ring_publish(struct device_ring *r)
{
	uint16_t old = r->used_told;

	if (old == r->used_next)
		return false;
	__atomic_store_n(&r->used->idx, r->used_next, __ATOMIC_RELEASE);
	r->used_told = r->used_next;
	full_barrier(); /* pair 2 */
	if (r->event_idx)
		return vring_need_event(used_event(r), r->used_next, old);
	return !(*(volatile uint16_t *)&r->avail->flags & VRING_AVAIL_NO_INTERRUPT);
}

bool
device_ring_has_request(const struct device_ring *r)
{
	return !r->broken && __atomic_load_n(&r->avail->idx, __ATOMIC_ACQUIRE) != r->avail_next;
}

bool
device_ring_listen(struct device_ring *r)
{
	if (r->event_idx && !r->broken) {
		*avail_event(r) = r->avail_next;
		full_barrier(); /* pair 1 */
	}
	return device_ring_has_request(r);
}
