/* SPDX-License-Identifier: MIT */
/*
 * device_ring.h - the device's side of a split virtqueue (virtio_hw.h): what VDUSE hands to a daemon.
 *
 * The other side writes what it likes: each index, length and address is checked, and a chain that makes no sense
 * is an error of the ring, not of ours.
 */
#ifndef DRIVER_DEVICE_RING_H
#define DRIVER_DEVICE_RING_H

#include <stdbool.h>
#include <stddef.h>

#include "virtio_hw.h"

#define RING_BUFFERS_MAX 130

struct ring_buffer {
	void *addr;
	uint64_t ring_addr; /* as the ring names it */
	uint32_t size;
};

/* A request as it lies in the ring: `out` buffers to read, then `in` buffers to write. */
struct ring_chain {
	uint16_t head;
	unsigned out, in;
	struct ring_buffer buffers[RING_BUFFERS_MAX];
};

struct device_ring {
	unsigned index, size;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t avail_next; /* the next to take */
	uint16_t used_next;  /* what used->idx becomes */
	uint16_t used_told;  /* at the last publication */
	bool event_idx;
	bool broken; /* its indices make no sense: nothing is taken from it until it begins anew */
	/* The memory at the ring's address `addr`, all `size` bytes of it contiguous, or NULL. */
	void *(*translate)(void *owner, uint64_t addr, uint64_t size);
	void *owner;
};

/*
 * Begin or go on with a ring at these addresses, `avail_next` being the next to take. Returns 0 or -EFAULT.
 * The fields index, size, event_idx, translate and owner are set before.
 */
int device_ring_begin(struct device_ring *r, uint64_t desc, uint64_t avail, uint64_t used, uint16_t avail_next);
/*
 * Take the next request. 1: there is one; 0: none; -EINVAL: one that makes no sense, taken and already given
 * back unused.
 */
int device_ring_take(struct device_ring *r, struct ring_chain *c);
/* Give a request back, `written` bytes of it written; the other side sees it at device_ring_publish(). */
void device_ring_give(struct device_ring *r, uint16_t head, uint32_t written);
/* Returns true when the other side wants an interrupt. */
bool device_ring_publish(struct device_ring *r);
/* Is there a request to take? */
bool device_ring_has_request(const struct device_ring *r);
/* Ask to be told of the next request; true: there is one already. */
bool device_ring_listen(struct device_ring *r);

#endif
