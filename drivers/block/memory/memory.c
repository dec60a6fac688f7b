/* SPDX-License-Identifier: MIT */
/*
 * memory.c - a disk that is a file in memory: the smallest disk driver, and one that needs no device. It shows the
 * upper half by itself, and lets it be tested where there is nothing to drive.
 *
 * The file outlives the driver, as a disk does. Requests are answered in the order in which they come.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "driver.h"

#define DEPTH 128

struct memory_disk {
	struct block_driver block;
	uint8_t *bytes;
	struct block_request *queue[DEPTH];
	unsigned count;
};

static int
submit(struct block_driver *b, struct block_request *r)
{
	struct memory_disk *m = container_of(b, struct memory_disk, block);

	if (m->count == DEPTH)
		return -EAGAIN;
	m->queue[m->count++] = r;
	return 0;
}

static void
serve(struct memory_disk *m, struct block_request *r)
{
	uint8_t *at = m->bytes + r->sector * SECTOR_SIZE;

	if (r->op == BLOCK_WRITE_ZEROES || r->op == BLOCK_DISCARD)
		memset(at, 0, (size_t)r->sectors * SECTOR_SIZE);
	for (unsigned i = 0; i < r->segment_count; i++) {
		if (r->op == BLOCK_READ)
			memcpy(r->segments[i].addr, at, r->segments[i].size);
		else
			memcpy(at, r->segments[i].addr, r->segments[i].size);
		at += r->segments[i].size;
	}
	block_complete(r, 0);
}

static void
commit(struct block_driver *b, unsigned queue)
{
	struct memory_disk *m = container_of(b, struct memory_disk, block);

	for (unsigned i = 0; i < m->count; i++)
		serve(m, m->queue[i]);
	m->count = 0;
}

/* Nothing is ever late. */
static void
poll_none(struct block_driver *b)
{
}

static const struct block_ops ops = { .submit = submit, .commit = commit, .poll = poll_none };

static int
run(struct device *d, const struct driver_options *o)
{
	static struct memory_disk m;
	struct block_driver *disks[] = { &m.block };
	int fd = open(o->file, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < SECTOR_SIZE) {
		log_error("%s: %s", o->file, fd < 0 ? strerror(errno) : "too small for a disk");
		return DRIVER_EXIT_USAGE;
	}
	m.bytes = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (m.bytes == MAP_FAILED)
		return DRIVER_EXIT_DEVICE;
	m.block.ops = &ops;
	m.block.disk = (struct block_disk){
		.sectors = st.st_size / SECTOR_SIZE, .block_size = SECTOR_SIZE, .sectors_max = 1024,
		.segments_max = BLOCK_SEGMENTS_MAX, .queues = o->queues ? o->queues : 1, .depth = DEPTH, .write_cache = true,
		.discard_max = 1 << 20, .zeroes_max = 1 << 20, .id = "memory",
	};
	return block_serve(disks, 1, o);
}

int
main(int argc, char **argv)
{
	static const struct driver driver = {
		.name = "memory", .about = "A disk that is a file in memory, without a device (--file).", .run = run,
		.without_device = true,
	};

	return driver_main(&driver, argc, argv);
}
