/* SPDX-License-Identifier: MIT */
/*
 * cache.c - a device's page cache: runs of pages filled from the disk and written back to it.
 *
 * A run becomes one io. The last page of a device may reach over its end: what lies there is zeroes, and stays in
 * memory. Where there is no memory for an io the run goes page by page, each waited for: writing back is how memory
 * becomes free.
 */
#include <tessera/backing.h>
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "block.h"

struct run_io {
	struct block_io io;
	struct page_run *run;
	struct block_segment segments[];
};

static void
run_done(struct block_io *io)
{
	struct run_io *r = container_of(io, struct run_io, io);
	struct page_run *run = r->run;
	int error = io->error;

	kfree(r);
	page_run_complete_all(run, error);
}

static void
one_by_one(struct block_device *b, struct page_run *run, uint32_t bytes)
{
	uint32_t count = run->count;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = i * (uint32_t)PAGE_SIZE, n = at < bytes ? MIN((uint32_t)PAGE_SIZE, bytes - at) : 0;
		struct block_segment s = { run->pages[i], 0, n };
		struct block_io io = {
			.device = b,
			.op = run->write ? BLOCK_WRITE : BLOCK_READ,
			.offset = (run->first + i) * PAGE_SIZE,
			.length = n,
			.segments = &s,
			.count = 1,
		};

		page_run_complete(run, i, 1, n ? block_submit_wait(&io) : 0); /* the last takes the run along */
	}
}

static void
transfer(struct page_run *run)
{
	struct block_device *b = run->object->private;
	uint32_t bytes = ALIGN_DOWN(run->bytes, b->disk->limits.logical_block), left = bytes;
	struct run_io *r;

	if (!run->write)
		page_run_zero(run, bytes);
	if (bytes == 0) {
		page_run_complete_all(run, 0);
		return;
	}
	r = kmalloc(sizeof(*r) + run->count * sizeof(r->segments[0]), ALLOC_NOWAIT);
	if (!r) {
		one_by_one(b, run, bytes);
		return;
	}
	r->run = run;
	r->io = (struct block_io){
		.device = b,
		.op = run->write ? BLOCK_WRITE : BLOCK_READ,
		.offset = run->first * PAGE_SIZE,
		.length = bytes,
		.segments = r->segments,
		.done = run_done,
	};
	for (uint32_t i = 0; left > 0; i++) {
		struct block_segment *last = r->io.count ? &r->segments[r->io.count - 1] : NULL;
		uint32_t n = MIN((uint32_t)PAGE_SIZE, left);

		if (last && page_to_phys(last->page) + last->length == page_to_phys(run->pages[i]))
			last->length += n;
		else
			r->segments[r->io.count++] = (struct block_segment){ run->pages[i], 0, n };
		left -= n;
	}
	block_submit(&r->io, NULL);
}

static void
release(struct memory_object *o)
{
	struct block_device *b = o->private;
	struct block_disk *d = b->disk;

	if (b->number)
		block_device_put(d->whole);
	kfree(b);
	block_disk_put(d);
}

const struct memory_object_ops block_object_ops = {
	.name = "block",
	.read_pages = transfer,
	.write_pages = transfer,
	.release = release,
};

int
block_device_sync(struct block_device *b, struct file *f)
{
	int error = f ? cached_file_sync(f, 0, UINT64_MAX) : object_sync(b->object, 0, UINT64_MAX), flushed = 0;

	if (!block_readonly(b))
		flushed = block_flush(b);
	return error ? error : flushed == -EOPNOTSUPP ? 0 : flushed;
}
