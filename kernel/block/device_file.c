/* SPDX-License-Identifier: MIT */
/*
 * device_file.c - what an open block special file does: read, write, map, sync, seek, allocate.
 */
#include <tessera/address_space.h>
#include <tessera/backing.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/iov.h>
#include <tessera/print.h>

#include "block.h"

#define FALLOC_KEEP_SIZE  0x01
#define FALLOC_PUNCH_HOLE 0x02
#define FALLOC_NO_HIDE_STALE 0x04
#define FALLOC_ZERO_RANGE 0x10

/* f->private: the device, a reference. f->flags lost O_EXCL on the way; f is the holder where it was asked for. */

static struct block_device *
device_of(const struct file *f)
{
	return f->private;
}

static ssize_t
device_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct block_device *b = device_of(f);
	uint64_t size = block_size(b), at = (uint64_t)*pos;
	size_t beyond;
	ssize_t n;

	if (at >= size || to->count == 0)
		return 0;
	beyond = to->count > size - at ? to->count - (size - at) : 0;
	if ((f->flags & O_DIRECT) && (rw_flags & RW_NOWAIT))
		return -EAGAIN;
	to->count -= beyond;
	n = f->flags & O_DIRECT ? block_direct(b, to, at, false, false)
				: object_read(b->object, f, at, size, to, rw_flags);
	to->count += beyond;
	if (n > 0)
		*pos += n;
	return n;
}

static ssize_t
device_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	bool through = (f->flags & O_DSYNC) || (rw_flags & (RW_DSYNC | RW_SYNC));
	struct block_device *b = device_of(f);
	uint64_t size = block_size(b), at = (uint64_t)*pos;
	size_t beyond;
	ssize_t n;
	int error;

	if (block_readonly(b))
		return -EPERM;
	if (from->count == 0)
		return 0;
	if (at >= size)
		return -ENOSPC;
	beyond = from->count > size - at ? from->count - (size - at) : 0;
	from->count -= beyond;
	n = f->flags & O_DIRECT ? block_direct(b, from, at, true, through) : object_write(b->object, f, at, from);
	from->count += beyond;
	if (n <= 0)
		return n;
	*pos += n;
	if (through && !(f->flags & O_DIRECT)) {
		error = cached_file_sync(f, at, at + (uint64_t)n);
		if (!error)
			error = block_flush(b);
		if (error)
			return error;
	}
	return n;
}

/* Past the page cache only, and only what lies inside of the device as a whole. */
static ssize_t
device_begin(struct file *f, struct iov_iter *it, loff_t pos, bool write, uint32_t rw_flags, struct file_transfer *t)
{
	bool through = (f->flags & O_DSYNC) || (rw_flags & (RW_DSYNC | RW_SYNC));
	struct block_device *b = device_of(f);
	uint64_t size = block_size(b), at = (uint64_t)pos;

	if (!(f->flags & O_DIRECT) || it->count == 0 || at >= size || it->count > size - at)
		return 0;
	if (write && block_readonly(b))
		return -EPERM;
	return block_direct_begin(b, it, at, write, write && through, t);
}

static loff_t
device_seek(struct file *f, loff_t offset, int whence)
{
	loff_t size = (loff_t)block_size(device_of(f)), base = 0;

	switch (whence) {
	case 1: /* SEEK_CUR */
		base = f->position;
		break;
	case 2: /* SEEK_END */
		base = size;
		break;
	case 3: /* SEEK_DATA, SEEK_HOLE: a disk does not know */
	case 4:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, offset, &offset) || offset < 0 || offset > size)
		return -EINVAL;
	f->position = offset;
	return offset;
}

static int
device_mmap(struct file *f, uint64_t offset, size_t length, uint32_t *flags, struct memory_object **out)
{
	struct block_device *b = device_of(f);

	if (block_readonly(b) && (*flags & MAPPING_SHARED) && (*flags & (MAPPING_WRITE | MAPPING_MAYWRITE)))
		return -EINVAL;
	block_device_get(b);
	*out = b->object;
	return 0;
}

static int
device_sync(struct file *f, bool data_only)
{
	return block_device_sync(device_of(f), f);
}

static int
device_fallocate(struct file *f, int mode, loff_t offset, loff_t length)
{
	struct block_device *b = device_of(f);
	uint64_t start = (uint64_t)offset, n = (uint64_t)length, size = block_size(b);
	uint32_t block = b->disk->limits.logical_block;

	if (mode & ~(FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE | FALLOC_NO_HIDE_STALE | FALLOC_ZERO_RANGE))
		return -EOPNOTSUPP;
	if (start >= size)
		return -EINVAL;
	if (n > size - start) {
		if (!(mode & FALLOC_KEEP_SIZE))
			return -EINVAL;
		n = size - start;
	}
	if ((start | n) & (block - 1))
		return -EINVAL;
	if (block_readonly(b))
		return -EPERM;
	switch (mode) {
	case FALLOC_ZERO_RANGE:
	case FALLOC_ZERO_RANGE | FALLOC_KEEP_SIZE:
		return block_zero(b, start, n, BLOCK_NOUNMAP, true);
	case FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE:
		return block_zero(b, start, n, 0, false);
	case FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE | FALLOC_NO_HIDE_STALE:
		return block_discard(b, start, n);
	}
	return -EOPNOTSUPP;
}

static void
device_release(struct file *f)
{
	struct block_device *b = device_of(f);

	if (b->holder == f)
		block_unclaim(b, f);
	block_device_close(b, f->flags);
	block_device_put(b);
}

static void
device_dump(struct file *f)
{
	struct block_device *b = device_of(f);

	pr_info("  %s\n", b->name);
	object_dump(b->object);
}

static const struct file_ops device_file_ops = {
	.name = "block",
	.read = device_read,
	.write = device_write,
	.begin = device_begin,
	.seek = device_seek,
	.mmap = device_mmap,
	.sync = device_sync,
	.fallocate = device_fallocate,
	.release = device_release,
	.dump = device_dump,
};

struct block_device *
file_block_device(const struct file *f)
{
	return f->ops == &device_file_ops ? f->private : NULL;
}

int
block_open_file(struct inode *i, struct file *f, uint32_t flags)
{
	struct block_device *b = block_device_find(i->rdev);
	int error;

	if (!b && loop_probe(i->rdev))
		b = block_device_find(i->rdev);
	if (!b)
		return -ENXIO;
	error = block_device_open(b, f->flags);
	if (error)
		goto put;
	if (flags & O_EXCL) {
		error = block_claim(b, f);
		if (error)
			goto close;
	}
	error = cached_file_attach(f, b->object);
	if (error)
		goto unclaim;
	f->private = b;
	file_set_ops(f, &device_file_ops);
	f->mode |= FILE_SEEKABLE;
	return 0;

unclaim:
	if (flags & O_EXCL)
		block_unclaim(b, f);
close:
	block_device_close(b, f->flags);
put:
	block_device_put(b);
	return error;
}
