/* SPDX-License-Identifier: MIT */
/*
 * virtio_queue.c - the driver's side of a split virtqueue: 2.6.
 *
 * Which descriptors are free and which make a chain is known in `slots`, which is not the device's memory. A request
 * takes one descriptor for each buffer, or one for all that points to the table of its own among `indirect` (2.6.5.3). Who
 * writes what: the descriptors, avail and used_event are ours, used and avail_event the device's. The device's words are
 * checked: a head that we did not give is ignored.
 *
 * Two pairs of barriers decide who is told:
 *   1. we publish avail->idx, barrier, read avail_event;   the device writes avail_event, barrier, reads avail->idx
 *   2. we write used_event, barrier, read used->idx;       the device publishes used->idx, barrier, reads used_event
 * Without events it is avail->flags in place of used_event.
 */
#include <errno.h>
#include <stdlib.h>

#include <linux/vfio.h>

#include "log.h"
#include "virtio.h"

#define SMALL_TABLE 8u

static uint16_t *
used_event(struct virtio_queue *q)
{
	return &q->avail->ring[q->size];
}

static volatile uint16_t *
avail_event(struct virtio_queue *q)
{
	return (volatile uint16_t *)&q->used->ring[q->size];
}

/* Where the three parts lie in one piece of memory: 2.6. */
static int
make_rings(struct virtio_queue *q, struct dma *m)
{
	size_t desc = 16ul * q->size, avail = 6 + 2ul * q->size, used = 6 + 8ul * q->size;
	size_t used_at = (desc + avail + 63) & ~63ul;
	int error = dma_alloc(q->virtio->device, m, used_at + used);

	if (error)
		return error;
	q->desc = m->addr;
	q->avail = (void *)((char *)m->addr + desc);
	q->used = (void *)((char *)m->addr + used_at);
	q->slots = calloc(q->size, sizeof(*q->slots));
	if (!q->slots)
		return -ENOMEM;
	for (unsigned i = 0; i < q->size; i++)
		q->slots[i].next = i + 1;
	q->free_count = q->size;
	return 0;
}

unsigned
virtio_queue_most(struct virtio *v, unsigned index)
{
	write16(v->common, VIRTIO_QUEUE_SELECT, index);
	return read16(v->common, VIRTIO_QUEUE_SIZE);
}

/* Tell the device of the rings of the selected queue. */
static int
enable(struct virtio *v, struct virtio_queue *q, const struct virtio_ring *ring, int vector)
{
	volatile uint8_t *common = v->common;

	write16(common, VIRTIO_QUEUE_SIZE, ring->size);
	write64(common, VIRTIO_QUEUE_DESC, ring->desc);
	write64(common, VIRTIO_QUEUE_AVAIL, ring->avail);
	write64(common, VIRTIO_QUEUE_USED, ring->used);
	if (v->device->irq_index != VFIO_PCI_MSIX_IRQ_INDEX)
		vector = -1; /* the pin serves all queues: 4.1.5.3 */
	write16(common, VIRTIO_QUEUE_VECTOR, vector < 0 ? VIRTIO_NO_VECTOR : vector);
	if (vector >= 0 && read16(common, VIRTIO_QUEUE_VECTOR) != vector)
		return -ENOSPC; /* 4.1.5.1.2.1: the device had no room for the vector */
	q->doorbell = v->notify + (uint64_t)read16(common, VIRTIO_QUEUE_NOTIFY_OFFSET) * v->notify_scale;
	write16(common, VIRTIO_QUEUE_ENABLE, 1);
	return 0;
}

int
virtio_queue_lend(struct virtio *v, struct virtio_queue *q, unsigned index, const struct virtio_ring *ring, int vector)
{
	*q = (struct virtio_queue){ .virtio = v, .index = index, .vector = vector };
	write16(v->common, VIRTIO_QUEUE_SELECT, index);
	return enable(v, q, ring, vector);
}

int
virtio_queue_begin(struct virtio *v, struct virtio_queue *q, unsigned index, unsigned size, int vector, unsigned table_size)
{
	unsigned most = virtio_queue_most(v, index);
	struct dma m;
	int error;

	*q = (struct virtio_queue){ .virtio = v, .index = index, .vector = vector };
	if (most == 0) {
		log_error("the device has no queue %u", index);
		return -ENODEV;
	}
	/* 2.6: a power of two. */
	for (q->size = 1; q->size * 2 <= size && q->size * 2 <= most;)
		q->size *= 2;
	error = make_rings(q, &m);
	if (!error && table_size && virtio_has(v, VIRTIO_INDIRECT_DESC)) {
		/* Where several of the largest fit into the ring itself, only small ones use tables: memory costs time. */
		q->table_size = q->size >= 2 * table_size ? SMALL_TABLE : table_size;
		table_size = q->table_size;
		error = dma_alloc(v->device, &q->indirect, sizeof(struct vring_desc) * table_size * q->size);
	}
	if (error)
		return error;
	return enable(v, q, &(struct virtio_ring){
		.size = q->size, .desc = m.bus, .avail = m.bus + ((char *)q->avail - (char *)m.addr),
		.used = m.bus + ((char *)q->used - (char *)m.addr),
	}, vector);
}

/* Fill `desc` from its index `at` on: by the chain of the free ones, or one after the other in a table (slots NULL). */
static uint16_t
fill(struct vring_desc *desc, uint16_t at, const struct virtio_buffer *buffers, unsigned out, unsigned in,
	const struct virtio_slot *slots)
{
	uint16_t last = at;

	for (unsigned i = 0; i < out + in; i++) {
		desc[at].addr = buffers[i].bus;
		desc[at].len = buffers[i].size;
		desc[at].flags = (i < out ? 0 : VRING_DESC_WRITE) | VRING_DESC_NEXT;
		last = at;
		at = slots ? slots[at].next : at + 1;
		desc[last].next = at;
	}
	desc[last].flags &= ~VRING_DESC_NEXT;
	return at;
}

int
virtio_queue_add(struct virtio_queue *q, const struct virtio_buffer *buffers, unsigned out, unsigned in, void *cookie)
{
	unsigned count = out + in;
	bool table = count > 1 && count <= q->table_size;
	uint16_t head = q->free_head;

	if (q->free_count < (table ? 1 : count))
		return -EAGAIN;
	if (table) {
		size_t offset = sizeof(struct vring_desc) * q->table_size * head;

		fill((void *)((char *)q->indirect.addr + offset), 0, buffers, out, in, NULL);
		q->free_head = q->slots[head].next;
		q->desc[head].addr = q->indirect.bus + offset;
		q->desc[head].len = sizeof(struct vring_desc) * count;
		q->desc[head].flags = VRING_DESC_INDIRECT;
		count = 1;
	} else {
		q->free_head = fill(q->desc, head, buffers, out, in, q->slots);
	}
	q->free_count -= count;
	q->slots[head].cookie = cookie;
	q->slots[head].count = count;
	q->avail->ring[q->avail_next++ % q->size] = head;
	__atomic_store_n(&q->avail->idx, q->avail_next, __ATOMIC_RELEASE);
	return 0;
}

void
virtio_queue_kick(struct virtio_queue *q)
{
	uint16_t old = q->avail_told;
	bool wanted;

	if (old == q->avail_next)
		return;
	q->avail_told = q->avail_next;
	full_barrier(); /* pair 1 */
	if (virtio_has(q->virtio, VIRTIO_EVENT_IDX))
		wanted = vring_need_event(*avail_event(q), q->avail_next, old);
	else
		wanted = !(*(volatile uint16_t *)&q->used->flags & VRING_USED_NO_NOTIFY);
	if (wanted)
		write16(q->doorbell, 0, q->index);
}

/* The chain that began with `head` is free again. */
static void
free_chain(struct virtio_queue *q, uint16_t head)
{
	uint16_t last = head;

	for (unsigned i = 1; i < q->slots[head].count; i++)
		last = q->slots[last].next;
	q->slots[last].next = q->free_head;
	q->free_head = head;
	q->free_count += q->slots[head].count;
}

void *
virtio_queue_take(struct virtio_queue *q, uint32_t *written)
{
	while (__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) != q->used_next) {
		struct vring_used_elem element = q->used->ring[q->used_next++ % q->size];
		void *cookie = element.id < q->size ? q->slots[element.id].cookie : NULL;

		if (!cookie) {
			log_error("queue %u: the device gives back %u, which it was not given", q->index, element.id);
			continue;
		}
		q->slots[element.id].cookie = NULL;
		free_chain(q, element.id);
		if (written)
			*written = element.len;
		return cookie;
	}
	return NULL;
}

bool
virtio_queue_listen(struct virtio_queue *q)
{
	if (virtio_has(q->virtio, VIRTIO_EVENT_IDX)) {
		*(volatile uint16_t *)used_event(q) = q->used_next;
	} else {
		*(volatile uint16_t *)&q->avail->flags = 0;
	}
	full_barrier(); /* pair 2 */
	return __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) != q->used_next;
}

void
virtio_queue_quiet(struct virtio_queue *q)
{
	/* With events: the one that was asked for has passed, or comes once; the next is as far away as indices turn over. */
	if (!virtio_has(q->virtio, VIRTIO_EVENT_IDX))
		*(volatile uint16_t *)&q->avail->flags = VRING_AVAIL_NO_INTERRUPT;
}

void
virtio_queue_end(struct virtio_queue *q)
{
	free(q->slots);
	q->slots = NULL;
}
