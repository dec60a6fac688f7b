/* SPDX-License-Identifier: MIT */
/*
 * block.c - requests on their way between a source and the driver: copies where the device does not reach or does
 * not like the data as it lies, those that wait for room, and a watchdog.
 *
 * The watchdog ends the process when a request has been with the driver for HANG_TICKS ticks: the device hangs, and a
 * new instance resets it. The requests stay in the ring, and the kernel gives them to the new one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "block.h"
#include "driver.h"
#include "log.h"

#define BOUNCES_MAX 16
#define SECTORS_MAX 1024 /* of a request */

/* A piece of memory that the device reaches, of the largest request's size; and where the data belongs. */
struct bounce {
	struct dma memory;
	struct bounce *next;
	unsigned original_count;
	struct block_segment original[BLOCK_SEGMENTS_MAX];
};

/* A free bounce buffer, or NULL. They are made when they are wanted first. */
static struct bounce *
bounce_get(struct block_driver *b)
{
	struct bounce *n = b->bounces;

	if (n) {
		b->bounces = n->next;
		return n;
	}
	if (b->bounce_count == BOUNCES_MAX)
		return NULL;
	n = calloc(1, sizeof(*n));
	if (!n || dma_alloc(b->device, &n->memory, (size_t)b->disk.sectors_max * SECTOR_SIZE) < 0) {
		free(n);
		return NULL;
	}
	b->bounce_count++;
	return n;
}

static bool
fits_device(const struct block_driver *b, const struct block_request *r)
{
	uint32_t align = b->disk.segment_align;

	if (!r->reachable || r->segment_count > b->disk.segments_max)
		return false;
	if (align <= 1)
		return true;
	for (unsigned i = 0; i < r->segment_count; i++) {
		const struct block_segment *s = &r->segments[i];

		if ((i > 0 && s->bus % align) || (i + 1 < r->segment_count && (s->bus + s->size) % align) || s->bus % 4)
			return false;
	}
	return true;
}

static void
copy(struct block_request *r, bool out)
{
	uint8_t *at = r->bounce->memory.addr;

	for (unsigned i = 0; i < r->bounce->original_count; i++) {
		const struct block_segment *s = &r->bounce->original[i];

		if (out)
			memcpy(at, s->addr, s->size);
		else
			memcpy(s->addr, at, s->size);
		at += s->size;
	}
}

/* Let `r` use a copy of its data. False: no buffer is free. */
static bool
use_copy(struct block_driver *b, struct block_request *r)
{
	r->bounce = bounce_get(b);
	if (!r->bounce)
		return false;
	memcpy(r->bounce->original, r->segments, sizeof(r->segments[0]) * r->segment_count);
	r->bounce->original_count = r->segment_count;
	r->segment_count = 1;
	r->segments[0] = (struct block_segment){
		.addr = r->bounce->memory.addr, .bus = r->bounce->memory.bus, .size = r->sectors * SECTOR_SIZE,
	};
	if (r->op == BLOCK_WRITE)
		copy(r, true);
	return true;
}

/* 0: the driver has it, or it has ended; -EAGAIN: no room. */
static int
try_start(struct block_driver *b, struct block_request *r)
{
	bool data = r->op == BLOCK_READ || r->op == BLOCK_WRITE;
	int error;

	if (data && !r->bounce && !fits_device(b, r) && !use_copy(b, r))
		return -EAGAIN;
	r->began = b->ticks;
	r->older = b->youngest;
	r->younger = NULL;
	*(b->youngest ? &b->youngest->younger : &b->oldest) = r;
	b->youngest = r;
	b->to_commit[r->queue] = true;
	b->in_flight++;
	error = b->ops->submit(b, r);
	if (error == 0)
		return 0;
	if (error != -EAGAIN) {
		block_complete(r, error);
		return 0;
	}
	b->youngest = r->older;
	*(b->youngest ? &b->youngest->younger : &b->oldest) = NULL;
	b->in_flight--;
	return -EAGAIN;
}

void
block_start(struct block_driver *b, struct block_request *r)
{
	r->driver = b;
	r->bounce = NULL;
	r->next = NULL;
	if (b->waiting || try_start(b, r) == -EAGAIN) {
		*b->waiting_end = r;
		b->waiting_end = &r->next;
	}
}

void
block_complete(struct block_request *r, int error)
{
	struct block_driver *b = r->driver;

	*(r->older ? &r->older->younger : &b->oldest) = r->younger;
	*(r->younger ? &r->younger->older : &b->youngest) = r->older;
	b->in_flight--;
	if (r->bounce) {
		if (r->op == BLOCK_READ && !error)
			copy(r, false);
		r->bounce->next = b->bounces;
		b->bounces = r->bounce;
		r->bounce = NULL;
	}
	r->done(r, error);
}

void
block_push(struct block_driver *b)
{
	struct block_request *r;

	/* Out of the list first: what ends at once may bring another request. */
	while ((r = b->waiting)) {
		b->waiting = r->next;
		if (!b->waiting)
			b->waiting_end = &b->waiting;
		if (try_start(b, r) == 0)
			continue;
		r->next = b->waiting;
		b->waiting = r;
		if (!r->next)
			b->waiting_end = &r->next;
		break;
	}
	for (unsigned q = 0; q < b->disk.queues; q++) {
		if (b->to_commit[q]) {
			b->to_commit[q] = false;
			b->ops->commit(b, q);
		}
	}
	if (b->in_flight == 0 && !b->waiting && b->idle)
		b->idle(b);
}

static void
after_batch(struct batch_hook *h)
{
	block_push(container_of(h, struct block_driver, hook));
}

static void
tick(struct watch *w)
{
	struct block_driver *b = container_of(w, struct block_driver, watchdog);

	b->ticks++;
	if (!b->oldest || b->ticks - b->oldest->began < SLOW_TICKS)
		return;
	b->ops->poll(b);
	if (b->slow)
		b->slow(b);
	if (b->oldest && b->ticks - b->oldest->began > HANG_TICKS) {
		log_error("the device does not answer request at sector %llu: giving up",
			(unsigned long long)b->oldest->sector);
		_exit(DRIVER_EXIT_DEVICE);
	}
}

void
block_begin(struct block_driver *b)
{
	b->waiting = NULL;
	b->waiting_end = &b->waiting;
	b->hook.run = after_batch;
	loop_add_hook(&b->hook);
	b->watchdog.ready = tick;
	if (loop_watch_timer(&b->watchdog, TICK_MS) < 0)
		log_error("no watchdog: there is no timer");
}

/* Keep what the driver says of its disk within what this file can do, and begin. */
static int
prepare(struct block_driver *b)
{
	struct block_disk *disk = &b->disk;

	if (disk->sectors == 0 || disk->queues == 0 || disk->queues > BLOCK_QUEUES_MAX || disk->block_size < SECTOR_SIZE ||
		disk->segments_max == 0 || disk->sectors_max < disk->block_size / SECTOR_SIZE) {
		log_error("%s: the disk makes no sense: %llu sectors, blocks of %u, %u queues, requests of %u segments and %u sectors",
			disk->id, (unsigned long long)disk->sectors, disk->block_size, disk->queues, disk->segments_max,
			disk->sectors_max);
		return -EINVAL;
	}
	if (disk->segments_max > BLOCK_SEGMENTS_MAX)
		disk->segments_max = BLOCK_SEGMENTS_MAX;
	if (disk->sectors_max > SECTORS_MAX)
		disk->sectors_max = SECTORS_MAX;
	log_info("%s: %llu sectors, blocks of %u, %u queues of %u%s", disk->id, (unsigned long long)disk->sectors,
		disk->block_size, disk->queues, disk->depth, disk->read_only ? ", read-only" : "");
	block_begin(b);
	return 0;
}

int
block_serve(struct block_driver **disks, unsigned count, const struct driver_options *o)
{
	unsigned good = 0;

	for (unsigned i = 0; i < count; i++)
		if (prepare(disks[i]) == 0)
			disks[good++] = disks[i];
	count = good;
	if (count == 0)
		return DRIVER_EXIT_DEVICE;
	return o->test ? block_serve_test(disks, count, o) : block_serve_vduse(disks, count, o);
}
