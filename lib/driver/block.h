/* SPDX-License-Identifier: MIT */
/*
 * block.h - a disk's upper half: requests come from the kernel by VDUSE, or from a test, and go to the driver.
 *
 * The driver fills in a struct block_driver and calls block_serve(). From then on submit() brings it requests, and it
 * answers each by block_complete(), in any order. Each piece of a request's data lies in memory that the
 * device reaches: the kernel's own pages, or, where these are not mapped for the device or do not fit its rules, a
 * copy which this file makes.
 *
 * States of a request:
 *
 *   free --source--> new --submit--> with the driver --block_complete--> done by the source --> free
 *                      \--no room--> waiting for room, tried again after each completion
 */
#ifndef DRIVER_BLOCK_H
#define DRIVER_BLOCK_H

#include "device.h"

#define SECTOR_SIZE	   512
#define BLOCK_SEGMENTS_MAX 128
#define BLOCK_QUEUES_MAX   16

/* The watch over a device that may hang: the kernel waits for half as long again. */
#define TICK_MS	   1000
#define SLOW_TICKS 2  /* without an answer: the manager is told that we wait */
#define HANG_TICKS 20 /* the process ends */

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD, BLOCK_WRITE_ZEROES };

struct block_segment {
	void *addr;
	uint64_t bus;
	uint32_t size;
};

struct block_request {
	enum block_op op;
	uint64_t sector;    /* not for a flush */
	uint32_t sectors;
	bool may_unmap;	    /* BLOCK_WRITE_ZEROES: deallocating will do */
	unsigned queue;
	unsigned segment_count;
	struct block_segment segments[BLOCK_SEGMENTS_MAX];
	unsigned tag; /* the driver's */

	/* The source's: how it hears of the end. `error` is 0 or a negative errno. */
	void (*done)(struct block_request *r, int error);
	void *source;
	uint16_t head;
	uint32_t written_on_success;
	uint8_t *status;

	/* block.c's */
	struct block_driver *driver;
	struct block_request *next;
	bool reachable; /* each segment has its bus address */
	struct bounce *bounce;
	uint64_t began; /* ticks of the watchdog */
	struct block_request *younger, *older;
};

/* What the driver says of its disk. Zero is the default of all that is not a size. */
struct block_disk {
	uint32_t unit;		/* which of its device's: a namespace, a port; the same whatever others are there */
	uint64_t sectors;
	uint32_t block_size;	/* what can be written at once: 512 or a power of two above */
	uint32_t sectors_max;	/* of one read or write */
	uint32_t segments_max;	/* of one request, up to BLOCK_SEGMENTS_MAX */
	uint32_t segment_align; /* between two segments lies a multiple of this; 0 or 1: anything */
	unsigned queues, depth;
	bool read_only, write_cache;
	uint32_t discard_max, zeroes_max; /* sectors; 0: cannot */
	char id[21];
};

struct virtio_ring;

/* Of a disk whose device can serve the kernel's rings by itself: called in this order, for each queue. */
struct lending_ops {
	/* Can it serve a ring of `size` as its queue? The descriptor of the queue's interrupts, or a negative errno. */
	int (*can)(struct block_driver *b, unsigned queue, unsigned size);
	/* There it lies. Then go() follows. */
	void (*give_ring)(struct block_driver *b, unsigned queue, const struct virtio_ring *ring);
	/* Who writes to the eventfd `kick` rings the queue's doorbell from now on. */
	void (*give_doorbell)(struct block_driver *b, unsigned queue, int kick);
};

struct block_ops {
	/* Begin: the first request may follow. May be empty. A failure ends the process. */
	void (*go)(struct block_driver *b);
	const struct lending_ops *lending; /* NULL: it cannot */
	/* Begin `r`: 0, -EAGAIN (no room; it comes again), or another negative errno, which ends it. */
	int (*submit)(struct block_driver *b, struct block_request *r);
	/* Tell the device of all submitted on this queue since the last time. */
	void (*commit)(struct block_driver *b, unsigned queue);
	/* Complete what has ended, as far as memory says so: true, something had. Empty: only interrupts tell. */
	bool (*look)(struct block_driver *b);
	/* Look for completions whose interrupt is late; for the watchdog. */
	void (*poll)(struct block_driver *b);
};

struct block_driver {
	const struct block_ops *ops;
	struct device *device;
	struct block_disk disk;
	uint64_t features; /* a virtio disk's, agreed upon */
	/* block.c's */
	unsigned in_flight;
	bool to_commit[BLOCK_QUEUES_MAX];
	struct block_request *waiting, **waiting_end;
	struct block_request *oldest, *youngest;
	struct bounce *bounces;
	unsigned bounce_count;
	uint64_t ticks;
	struct watch watchdog;
	struct batch_hook hook;
	void (*idle)(struct block_driver *b); /* the source's: called when nothing is in flight */
	void (*slow)(struct block_driver *b); /* the source's: the device takes its time; NULL: it does not care */
	void *source;
};

/* For the driver: `r` has ended. */
void block_complete(struct block_request *r, int error);

/* For sources. */
void block_begin(struct block_driver *b);
/* Begin a request; r->done() may be called at once. */
void block_start(struct block_driver *b, struct block_request *r);
/* Retry what waits, and commit. Runs after each batch by itself. */
void block_push(struct block_driver *b);

/*
 * Serve the kernel through VDUSE until told to stop, or test. A driver has one disk or several, all on the same
 * device; one that makes no sense is left out. Returns the process's status.
 */
struct driver_options;
int block_serve(struct block_driver **disks, unsigned count, const struct driver_options *o);
int block_serve_vduse(struct block_driver **disks, unsigned count, const struct driver_options *o);
/* Read and write by ourselves, with checksums. */
int block_serve_test(struct block_driver **disks, unsigned count, const struct driver_options *o);

#endif
