/* SPDX-License-Identifier: MIT */
/*
 * virtio_blk.c - a virtio disk: VIRTIO 1.1, 5.2.
 *
 * Each queue has a slot for each descriptor: the header and the status byte of a request, in memory that the device
 * reaches, and whose request it is. A request takes one descriptor where the device knows indirect ones.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/vfio.h>

#include "driver.h"
#include "virtio.h"
#include "virtio_blk_hw.h"

#define QUEUE_SIZE 256

/* What the device reads and writes of a slot; 32 bytes so that none crosses a page. */
struct slot_memory {
	struct virtio_blk_header header;
	struct virtio_blk_range range; /* of a discard; 16 bytes whose end the status may not share */
};

struct slot {
	struct block_request *request;
	struct slot *next;
	uint16_t number;
};

struct queue {
	struct virtio_queue ring;
	int vector;
	struct slot *slots, *free;
	struct dma memory, status; /* slot_memory and a byte for each slot */
};

struct virtio_blk {
	struct virtio virtio;
	bool lent; /* the queues are the kernel's: the device serves them, and we only watch */
	struct block_driver block;
	struct queue queues[BLOCK_QUEUES_MAX];
};

static const uint32_t types[] = {
	[BLOCK_READ] = VIRTIO_BLK_IN,
	[BLOCK_WRITE] = VIRTIO_BLK_OUT,
	[BLOCK_FLUSH] = VIRTIO_BLK_DO_FLUSH,
	[BLOCK_DISCARD] = VIRTIO_BLK_DO_DISCARD,
	[BLOCK_WRITE_ZEROES] = VIRTIO_BLK_DO_WRITE_ZEROES,
};

static int
submit(struct block_driver *b, struct block_request *r)
{
	struct virtio_blk *v = container_of(b, struct virtio_blk, block);
	struct queue *q = &v->queues[r->queue];
	struct virtio_buffer buffers[BLOCK_SEGMENTS_MAX + 2];
	unsigned out = 1, in = 1, count = 0;
	struct slot *s = q->free;
	struct slot_memory *m;
	uint64_t bus;
	int error;

	if (!s)
		return -EAGAIN;
	m = (struct slot_memory *)q->memory.addr + s->number;
	bus = q->memory.bus + s->number * sizeof(*m);
	m->header = (struct virtio_blk_header){ .type = types[r->op], .sector = r->sector };
	buffers[count++] = (struct virtio_buffer){ .bus = bus, .size = sizeof(m->header) };
	if (r->op == BLOCK_DISCARD || r->op == BLOCK_WRITE_ZEROES) {
		m->header.sector = 0;
		m->range = (struct virtio_blk_range){
			.sector = r->sector, .num_sectors = r->sectors, .flags = r->may_unmap ? VIRTIO_BLK_UNMAP : 0,
		};
		buffers[count++] = (struct virtio_buffer){
			.bus = bus + offsetof(struct slot_memory, range), .size = sizeof(m->range),
		};
		out++;
	} else if (r->op != BLOCK_FLUSH) {
		for (unsigned i = 0; i < r->segment_count; i++)
			buffers[count++] = (struct virtio_buffer){ .bus = r->segments[i].bus, .size = r->segments[i].size };
		*(r->op == BLOCK_READ ? &in : &out) += r->segment_count;
	}
	((uint8_t *)q->status.addr)[s->number] = VIRTIO_BLK_IOERR;
	buffers[count] = (struct virtio_buffer){ .bus = q->status.bus + s->number, .size = 1 };
	error = virtio_queue_add(&q->ring, buffers, out, in, s);
	if (error)
		return error;
	q->free = s->next;
	s->request = r;
	return 0;
}

static void
commit(struct block_driver *b, unsigned queue)
{
	struct virtio_blk *v = container_of(b, struct virtio_blk, block);

	virtio_queue_kick(&v->queues[queue].ring);
}

static void
reap(struct queue *q)
{
	struct slot *s;

	do {
		while ((s = virtio_queue_take(&q->ring, NULL))) {
			uint8_t status = ((uint8_t *)q->status.addr)[s->number];

			s->next = q->free;
			q->free = s;
			block_complete(s->request, status == VIRTIO_BLK_OK ? 0 : status == VIRTIO_BLK_UNSUPP ? -EOPNOTSUPP : -EIO);
		}
	} while (virtio_queue_listen(&q->ring));
}

static void
interrupt(struct device *d, unsigned vector, void *argument)
{
	struct virtio_blk *v = argument;

	(void)virtio_isr(&v->virtio);
	for (unsigned i = 0; !v->lent && i < v->block.disk.queues; i++)
		if (v->queues[i].ring.vector == vector)
			reap(&v->queues[i]);
}

static void
poll_all(struct block_driver *b)
{
	struct virtio_blk *v = container_of(b, struct virtio_blk, block);

	for (unsigned i = 0; !v->lent && i < b->disk.queues; i++)
		reap(&v->queues[i]);
	if (virtio_is_broken(&v->virtio)) {
		log_error("the device asks for a reset");
		exit(DRIVER_EXIT_DEVICE);
	}
}

static int
queue_begin(struct virtio_blk *v, unsigned index)
{
	struct queue *q = &v->queues[index];
	int error = virtio_queue_begin(&v->virtio, &q->ring, index, QUEUE_SIZE, q->vector, v->block.disk.segments_max + 2);

	if (error)
		return error;
	q->slots = calloc(q->ring.size, sizeof(*q->slots));
	if (!q->slots || dma_alloc(v->virtio.device, &q->memory, q->ring.size * sizeof(struct slot_memory)) < 0 ||
		dma_alloc(v->virtio.device, &q->status, q->ring.size) < 0)
		return -ENOMEM;
	for (unsigned i = 0; i < q->ring.size; i++) {
		q->slots[i].number = i;
		q->slots[i].next = q->free;
		q->free = &q->slots[i];
	}
	return 0;
}

static void
go(struct block_driver *b)
{
	struct virtio_blk *v = container_of(b, struct virtio_blk, block);

	for (unsigned i = 0; !v->lent && i < b->disk.queues; i++)
		if (queue_begin(v, i) < 0)
			exit(DRIVER_EXIT_DEVICE);
	virtio_go(&v->virtio);
}

static int
can_lend(struct block_driver *b, unsigned queue, unsigned size)
{
	struct virtio_blk *v = container_of(b, struct virtio_blk, block);

	if (v->virtio.device->irq_index != VFIO_PCI_MSIX_IRQ_INDEX || virtio_queue_most(&v->virtio, queue) < size)
		return -EOPNOTSUPP;
	return v->virtio.device->vector[v->queues[queue].vector].watch.fd;
}

static void
give_ring(struct block_driver *b, unsigned queue, const struct virtio_ring *ring)
{
	struct virtio_blk *v = container_of(b, struct virtio_blk, block);
	struct queue *q = &v->queues[queue];

	v->lent = true;
	loop_forget(&v->virtio.device->vector[q->vector].watch);
	if (virtio_queue_lend(&v->virtio, &q->ring, queue, ring, q->vector) < 0)
		exit(DRIVER_EXIT_DEVICE);
}

/* What came before the kick rings by itself is not told again. */
static void
give_doorbell(struct block_driver *b, unsigned queue, int kick)
{
	struct virtio_blk *v = container_of(b, struct virtio_blk, block);
	struct virtio_queue *q = &v->queues[queue].ring;

	if (device_doorbell(v->virtio.device, q->doorbell, queue, kick) < 0) {
		log_error("queue %u: its doorbell cannot be rung by others", queue);
		exit(DRIVER_EXIT_DEVICE);
	}
	write16(q->doorbell, 0, queue);
}

static const struct lending_ops lending = { .can = can_lend, .give_ring = give_ring, .give_doorbell = give_doorbell };
static const struct block_ops ops = {
	.go = go, .lending = &lending, .submit = submit, .commit = commit, .poll = poll_all,
};

/* A field of the configuration, or 0 when the device has less. 4.1.3.1: each by its own width, 64 bits by halves. */
static uint32_t
field32(const struct virtio *t, size_t offset)
{
	return offset + sizeof(uint32_t) <= t->config_size ? read32(t->config, offset) : 0;
}

static uint16_t
field16(const struct virtio *t, size_t offset)
{
	return offset + sizeof(uint16_t) <= t->config_size ? read16(t->config, offset) : 0;
}

#define FIELD32(t, name) field32(t, offsetof(struct virtio_blk_config, name))

/* 5.2.4: what the device says of its disk. Only what is used: reading a register takes an emulator long. */
static void
read_disk(struct virtio_blk *v, const struct driver_options *o)
{
	const struct virtio *t = &v->virtio;
	struct block_disk *disk = &v->block.disk;
	uint32_t segments = virtio_has(t, VIRTIO_BLK_SEG_MAX) ? FIELD32(t, seg_max) : UINT32_MAX;
	unsigned left = o->queues ? o->queues : 4;

	disk->sectors = (uint64_t)field32(t, offsetof(struct virtio_blk_config, capacity) + 4) << 32 | FIELD32(t, capacity);
	disk->block_size = virtio_has(t, VIRTIO_BLK_BLK_SIZE) ? FIELD32(t, blk_size) : SECTOR_SIZE;
	disk->segments_max = segments < 126 ? segments : 126;
	disk->sectors_max = UINT32_MAX;
	disk->depth = QUEUE_SIZE;
	disk->read_only = virtio_has(t, VIRTIO_BLK_RO);
	disk->write_cache = virtio_has(t, VIRTIO_BLK_FLUSH);
	disk->discard_max = virtio_has(t, VIRTIO_BLK_DISCARD) ? FIELD32(t, max_discard_sectors) : 0;
	disk->zeroes_max = virtio_has(t, VIRTIO_BLK_WRITE_ZEROES) ? FIELD32(t, max_write_zeroes_sectors) : 0;
	disk->queues = virtio_has(t, VIRTIO_BLK_MQ) ? field16(t, offsetof(struct virtio_blk_config, num_queues)) : 1;
	disk->queues = disk->queues < left ? disk->queues : left;
	disk->queues = disk->queues < BLOCK_QUEUES_MAX ? disk->queues : BLOCK_QUEUES_MAX;
	snprintf(disk->id, sizeof(disk->id), "virtio-blk");
}

static int
run(struct device *d, const struct driver_options *o)
{
	static struct virtio_blk v;
	struct block_driver *disks[] = { &v.block };
	int vectors;

	if (virtio_begin(&v.virtio, d,
		    1ull << VIRTIO_INDIRECT_DESC | 1ull << VIRTIO_EVENT_IDX | 1ull << VIRTIO_BLK_SEG_MAX | 1ull << VIRTIO_BLK_RO |
			    1ull << VIRTIO_BLK_BLK_SIZE | 1ull << VIRTIO_BLK_FLUSH | 1ull << VIRTIO_BLK_MQ |
			    1ull << VIRTIO_BLK_DISCARD | 1ull << VIRTIO_BLK_WRITE_ZEROES) < 0 || !v.virtio.config)
		return DRIVER_EXIT_DEVICE;
	v.block.device = d;
	v.block.ops = &ops;
	v.block.features = v.virtio.features;
	read_disk(&v, o);
	vectors = device_interrupts(d, v.block.disk.queues);
	for (unsigned i = 0; i < v.block.disk.queues && vectors > 0; i++)
		v.queues[i].vector = device_on_interrupt(d, i, interrupt, &v);
	if (vectors < 0)
		return DRIVER_EXIT_DEVICE;
	return block_serve(disks, 1, o);
}

int
main(int argc, char **argv)
{
	static const struct driver driver = { .name = "virtio_blk", .about = "Driver of virtio disks (VIRTIO 1.1, 5.2).", .run = run };

	return driver_main(&driver, argc, argv);
}
