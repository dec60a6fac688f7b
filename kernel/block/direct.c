/* SPDX-License-Identifier: MIT */
/*
 * direct.c - O_DIRECT: a program's memory goes to the disk and comes from it, the page cache stands aside.
 *
 * Memory is taken hold of piece by piece, a request's worth at a time. Addresses are multiples of 512, lengths and
 * positions of the logical block, as on Linux; anything else is EINVAL. What is cached of the range is written
 * back before, and forgotten around a write.
 *
 * A transfer that fits into one request need not be waited for (block_direct_begin): whoever completes the io
 * tells of its end. What may sleep then, pages of files to be marked and pages of the device to be forgotten, a
 * worker does first.
 */
#include <tessera/address_space.h>
#include <tessera/backing.h>
#include <tessera/continuation.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/iov.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "block.h"

#define ADDRESS_ALIGN 512u
#define PIECES_MAX    256u

/* One request's worth. */
struct direct {
	struct block_io io;
	struct file_transfer *told;  /* of the end of it; NULL: its maker waits */
	struct continuation late;
	uint64_t pos;
	uint32_t room, page_count;   /* pages that it may hold, and does */
	struct page **pages;         /* references; behind the segments */
	struct block_segment segments[];
};
/* For memory of `it`, as much as one request moves. NULL: no memory. */
static struct direct *
direct_create(struct block_device *b, const struct iov_iter *it, bool write, bool through)
{
	/* A piece more for each segment that does not begin with a page. */
	size_t most = it->count / PAGE_SIZE + 2 + (it->segment ? it->segments : 0);
	uint32_t room = (uint32_t)MIN(most, (size_t)PIECES_MAX);
	struct direct *d = kmalloc(sizeof(*d) + room * (sizeof(d->segments[0]) + sizeof(d->pages[0])), 0);

	if (!d)
		return NULL;
	d->io = (struct block_io){
		.device = b,
		.op = write ? BLOCK_WRITE : BLOCK_READ,
		.flags = through ? BLOCK_FUA : 0,
		.segments = d->segments,
	};
	d->told = NULL;
	d->room = room;
	d->page_count = 0;
	d->pages = (struct page **)(void *)&d->segments[room];
	return d;
}

static bool
is_aligned(const struct iov_iter *it, uint32_t block)
{
	size_t left = it->count, skip = it->segment_offset;

	if (!it->segment)
		return ((uintptr_t)it->kernel % ADDRESS_ALIGN) == 0 && left % block == 0;
	for (uint32_t i = 0; i < it->segments && left > 0; i++) {
		size_t n = MIN(it->segment[i].length - skip, left);

		if (((uintptr_t)it->segment[i].base + skip) % ADDRESS_ALIGN || n % block)
			return false;
		left -= n;
		skip = 0;
	}
	return true;
}

/* Add `n` bytes of `p`. */
static void
add(struct direct *d, struct page *p, uint32_t offset, uint32_t n)
{
	struct block_segment *last = d->io.count ? &d->segments[d->io.count - 1] : NULL;

	if (last && page_to_phys(last->page) + last->offset + last->length == page_to_phys(p) + offset)
		last->length += n;
	else
		d->segments[d->io.count++] = (struct block_segment){ p, offset, n };
	d->io.length += n;
}

/* Give back what is no whole block at the end. */
static void
trim(struct direct *d, struct iov_iter *it, uint32_t block)
{
	uint32_t over = (uint32_t)(d->io.length % block);

	iov_revert(it, over);
	d->io.length -= over;
	while (over > 0) {
		struct block_segment *last = &d->segments[d->io.count - 1];
		uint32_t n = MIN(over, last->length);

		last->length -= n;
		over -= n;
		d->io.count -= last->length == 0;
	}
}

/* The next memory of `it`, whole blocks, for `pos`: 0, or -EFAULT when there is none. */
static int
gather(struct direct *d, struct iov_iter *it, uint64_t pos)
{
	const struct block_limits *l = &d->io.device->disk->limits;
	struct process *process = current_process();
	uint32_t pieces = MIN(l->max_segments, d->room);
	bool write = d->io.op == BLOCK_WRITE;

	d->pos = d->io.offset = pos;
	d->io.count = d->page_count = 0;
	d->io.length = 0;
	while (it->count > 0 && d->io.length < l->max_bytes && d->page_count < d->room && d->io.count < pieces) {
		size_t room = l->max_bytes - d->io.length, n;
		uintptr_t address;
		struct page *p;

		if (it->segment) {
			char __user *at;

			n = iov_piece(it, room, &at);
			address = (uintptr_t)at;
			if (address_space_get_page(process->as, ALIGN_DOWN(address, PAGE_SIZE), !write, false, &p))
				break;
		} else {
			n = MIN(it->count, room);
			address = (uintptr_t)it->kernel;
			p = kernel_page(it->kernel); /* the caller keeps it while this takes */
		}
		n = MIN(n, PAGE_SIZE - address % PAGE_SIZE);
		if (it->segment)
			d->pages[d->page_count++] = p;
		add(d, p, (uint32_t)(address % PAGE_SIZE), (uint32_t)n);
		iov_advance(it, n);
	}
	trim(d, it, l->logical_block);
	return d->io.length ? 0 : -EFAULT;
}

/* `filled`: the disk wrote into the pages. */
static void
let_go(struct direct *d, bool filled)
{
	for (uint32_t i = 0; i < d->page_count; i++) {
		if (filled)
			page_written(d->pages[i]);
		page_put(d->pages[i]);
	}
	d->page_count = 0;
}

/* Before a transfer at [pos, end): what is cached is on the disk, and a write leaves nothing behind. */
static int
settle_cache(struct block_device *b, uint64_t pos, uint64_t end, bool write)
{
	int error;

	if (READ_ONCE(b->object->pages.count) == 0)
		return 0;
	error = object_sync(b->object, pos, end);
	if (!error && write)
		object_invalidate(b->object, pos, end, true);
	return error;
}

/* What was read into the cache while we wrote is older than what we wrote. */
static void
forget_cached(struct block_device *b, uint64_t pos, uint64_t end)
{
	if (READ_ONCE(b->object->pages.count) != 0)
		object_invalidate(b->object, pos, end, true);
}

ssize_t
block_direct(struct block_device *b, struct iov_iter *it, uint64_t pos, bool write, bool through)
{
	uint32_t block = b->disk->limits.logical_block;
	struct direct *d;
	ssize_t done = 0;
	int error;

	if (pos % block || !is_aligned(it, block))
		return -EINVAL;
	error = settle_cache(b, pos, pos + it->count, write);
	if (error)
		return error;
	d = direct_create(b, it, write, through);
	if (!d)
		return -ENOMEM;
	while (it->count > 0 && !error) {
		uint64_t moved;

		error = gather(d, it, pos + (uint64_t)done);
		moved = d->io.length;
		if (!error && write)
			current_thread()->disk.written += moved;
		if (!error)
			error = block_submit_wait(&d->io);
		let_go(d, !write && !error);
		if (!error)
			done += (ssize_t)moved;
		else
			iov_revert(it, moved);
		if (done && signal_fatal_pending(current_thread()))
			break;
	}
	kfree(d);
	if (write && done)
		forget_cached(b, pos, pos + (uint64_t)done);
	return done ? done : error;
}

/* --- without waiting ----------------------------------------------------------------------------- */

static void
tell(struct direct *d)
{
	struct file_transfer *t = d->told;
	ssize_t n = d->io.error ? d->io.error : (ssize_t)d->io.length;

	let_go(d, d->io.op == BLOCK_READ && !d->io.error);
	kfree(d);
	t->done(t, n);
}

static void
tell_late(struct continuation *c)
{
	struct direct *d = container_of(c, struct direct, late);

	if (d->io.op == BLOCK_WRITE)
		forget_cached(d->io.device, d->pos, d->pos + d->io.length);
	tell(d);
}

static bool
has_file_pages(const struct direct *d)
{
	for (uint32_t i = 0; i < d->page_count; i++)
		if (READ_ONCE(d->pages[i]->flags) & PAGE_CACHED)
			return true;
	return false;
}

static void
direct_done(struct block_io *io)
{
	struct direct *d = container_of(io, struct direct, io);
	bool late = io->op == BLOCK_WRITE ? READ_ONCE(io->device->object->pages.count) != 0 : has_file_pages(d);

	if (!late)
		tell(d);
	else
		continuation_run(&d->late);
}

ssize_t
block_direct_begin(struct block_device *b, struct iov_iter *it, uint64_t pos, bool write, bool through,
		   struct file_transfer *t)
{
	uint32_t block = b->disk->limits.logical_block;
	uint64_t count = it->count;
	struct direct *d;
	int error;

	assert(it->segment); /* nobody keeps the kernel's memory until it is over */
	if (pos % block || !is_aligned(it, block))
		return -EINVAL;
	error = settle_cache(b, pos, pos + count, write);
	if (error)
		return error;
	d = direct_create(b, it, write, through);
	if (!d)
		return -ENOMEM;
	(void)gather(d, it, pos);
	if (d->io.length < count) { /* more than one request, or memory that is not there */
		iov_revert(it, d->io.length);
		let_go(d, false);
		kfree(d);
		return 0;
	}
	continuation_init(&d->late, tell_late);
	d->told = t;
	d->io.done = direct_done;
	if (write)
		current_thread()->disk.written += count;
	block_submit(&d->io, t->plug);
	return FILE_UNDER_WAY;
}
