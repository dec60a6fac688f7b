/* SPDX-License-Identifier: MIT */
/*
 * virtio.h - the driver's side of a virtio device on PCI, version 1 (virtio_hw.h names the specification).
 *
 * virtio_begin(), virtio_queue_begin() for each queue, virtio_go(). Then virtio_queue_add() puts buffers on a
 * queue, virtio_queue_kick() tells the device, virtio_queue_take() gives back what the device has used.
 */
#ifndef DRIVER_VIRTIO_H
#define DRIVER_VIRTIO_H

#include "device.h"
#include "virtio_hw.h"

/* A buffer, as the device sees it. */
struct virtio_buffer {
	uint64_t bus;
	uint32_t size;
};

struct virtio {
	struct device *device;
	volatile uint8_t *common, *notify, *isr, *config; /* config: the type's own */
	uint32_t notify_scale, config_size;
	uint64_t features; /* agreed upon */
};

/* Where the parts of a queue lie, as the device sees them. */
struct virtio_ring {
	uint64_t desc, avail, used;
	unsigned size;
};

/* What we know of a descriptor; the device could write to what it sees of it. */
struct virtio_slot {
	void *cookie;	/* of the chain that it begins; NULL: it begins none */
	uint16_t next;	/* among the free ones, or in the chain */
	uint16_t count; /* of descriptors in the chain that it begins */
};

struct virtio_queue {
	struct virtio *virtio;
	unsigned index, size, vector;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	volatile uint8_t *doorbell;
	uint16_t free_count;	/* descriptors */
	uint16_t free_head;
	uint16_t avail_next;	/* avail->idx as it will be told */
	uint16_t avail_told;	/* at the last kick */
	uint16_t used_next;	/* the next to look at */
	struct dma indirect;	/* a table of `table_size` for each descriptor; table_size 0: none */
	unsigned table_size;
	struct virtio_slot *slots;
};

/*
 * Reset the device, agree on features: all of `wanted` that it offers, and what the transport needs. Returns 0,
 * -ENODEV when it is no modern virtio device, -EPROTO when it refuses, -EPERM when it goes past the IOMMU that there is.
 */
int virtio_begin(struct virtio *v, struct device *d, uint64_t wanted);
/* Make the device silent: it forgets all. -ENODEV: it does not do so. */
int virtio_reset(struct virtio *v);
static inline bool
virtio_has(const struct virtio *v, unsigned bit)
{
	return v->features >> bit & 1;
}
unsigned virtio_queue_count(struct virtio *v);
/*
 * Set up queue `index` with at most `size` descriptors, its interrupt on `vector` (-1: none); `table_size` is how
 * many buffers one request may have when it takes only one descriptor (0: each buffer takes one).
 */
int virtio_queue_begin(struct virtio *v, struct virtio_queue *q, unsigned index, unsigned size, int vector,
	unsigned table_size);
/* The same with rings that lie elsewhere, at addresses that the device reaches; nobody here uses them. */
int virtio_queue_lend(struct virtio *v, struct virtio_queue *q, unsigned index, const struct virtio_ring *ring, int vector);
/* How many descriptors queue `index` may have. */
unsigned virtio_queue_most(struct virtio *v, unsigned index);
/* The device may begin. */
void virtio_go(struct virtio *v);
/* True when the device has given up and wants to be reset. */
bool virtio_is_broken(struct virtio *v);
/* The cause of the pin's interrupt; reading takes it back (4.1.4.5). */
uint8_t virtio_isr(struct virtio *v);

/*
 * Put a request on the queue: `out` buffers that the device reads, then `in` that it writes. -EAGAIN: no room.
 * The device may see it at once, and hears of it by virtio_queue_kick().
 */
int virtio_queue_add(struct virtio_queue *q, const struct virtio_buffer *buffers, unsigned out, unsigned in, void *cookie);
void virtio_queue_kick(struct virtio_queue *q);
/* The cookie of a request that the device is done with, and how much it wrote; NULL: none. */
void *virtio_queue_take(struct virtio_queue *q, uint32_t *written);
/* Ask for an interrupt at the next one used; true: one is there already, look again. */
bool virtio_queue_listen(struct virtio_queue *q);
/* Until then there need be none. */
void virtio_queue_quiet(struct virtio_queue *q);
/* Free what is ours of the queue, also of one that was never begun. The device has been reset. */
void virtio_queue_end(struct virtio_queue *q);

#endif
