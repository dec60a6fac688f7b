/* SPDX-License-Identifier: MIT */
/*
 * regular.c - regular files whose contents are a memory object: read, write, mmap, allocate.
 *
 * Reads take no inode lock; a write holds it so that appends and size changes are atomic with each
 * other.
 */
#include <tessera/address_space.h>
#include <tessera/backing.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/print.h>
#include <tessera/process.h>

#include "vfs.h"

static ssize_t
regular_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct inode *i = f->inode;
	ssize_t n;

	if (to->count == 0)
		return 0;
	n = object_read(i->object, f, (uint64_t)*pos, READ_ONCE(i->object->size), to, rw_flags);
	if (n > 0)
		*pos += n;
	file_touch_accessed(f);
	return n;
}

/* RLIMIT_FSIZE of the caller. The kernel itself, filling the root file system, has none. */
uint64_t
file_size_limit(void)
{
	struct process *p = current_process();

	return p ? process_limit(p, RLIMIT_FSIZE) : RLIM_INFINITY;
}

/* How many of `count` bytes at `pos` the limits allow: 0 .. count, or an errno. i->lock is held. */
static ssize_t
write_limit(struct inode *i, uint64_t pos, size_t count)
{
	uint64_t limit = file_size_limit();

	if (limit != RLIM_INFINITY) {
		if (pos >= limit) {
			signal_send_thread(current_thread(), SIGXFSZ, NULL);
			return -EFBIG;
		}
		count = MIN(count, limit - pos);
	}
	if (i->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE))
		return -EPERM;
	if ((i->seals & SEAL_GROW) && pos + count > inode_size(i)) {
		/* Pages are judged one by one: those that end inside the size are written. */
		uint64_t whole = ALIGN_DOWN(inode_size(i), PAGE_SIZE);

		return whole > pos ? (ssize_t)(whole - pos) : -EPERM;
	}
	return (ssize_t)count;
}

static ssize_t
regular_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	struct inode *i = f->inode;
	size_t wanted = from->count;
	ssize_t n;

	if (wanted == 0)
		return 0;
	write_lock(&i->lock);
	if ((f->flags & O_APPEND) || (rw_flags & RW_APPEND))
		*pos = (loff_t)inode_size(i);
	n = write_limit(i, (uint64_t)*pos, wanted);
	if (n < 0)
		goto out;
	from->count = (size_t)n;
	inode_drop_set_ids(i);
	n = object_write(i->object, f, (uint64_t)*pos, from);
	from->count = wanted - (size_t)MAX(n, (ssize_t)0);
	if (n > 0) {
		*pos += n;
		if ((uint64_t)*pos > i->object->size)
			WRITE_ONCE(i->object->size, (uint64_t)*pos);
	}
	inode_touch_modified(i);
out:
	write_unlock(&i->lock);
	return n;
}

static int
regular_mmap(
	struct file *f, uint64_t offset, size_t length, uint32_t *flags, struct memory_object **out)
{
	struct inode *i = f->inode;
	bool shared = *flags & MAPPING_SHARED;

	if (f->mount && (READ_ONCE(f->mount->flags) & MOUNT_NOEXEC)) {
		if (*flags & MAPPING_EXEC)
			return -EPERM;
		*flags &= ~(uint32_t)MAPPING_MAYEXEC;
	}
	if (shared && (i->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE))) {
		if (*flags & MAPPING_WRITE)
			return -EPERM;
		*flags &= ~(uint32_t)MAPPING_MAYWRITE;
	}
	file_touch_accessed(f);
	object_get(i->object);
	*out = i->object;
	return 0;
}

static int
regular_sync(struct file *f, bool data_only)
{
	return cached_file_sync(f, 0, UINT64_MAX);
}

static int
regular_truncate(struct file *f, loff_t size)
{
	int error = mount_want_write(f->mount);

	return error ? error : vfs_truncate(f->inode, size);
}

#define FALLOC_KEEP_SIZE  1
#define FALLOC_PUNCH_HOLE 2
#define FALLOC_ZERO_RANGE 16

/* Has the file system room for what [start, end) lacks? Told before anything is taken. */
static bool
has_room(struct inode *i, uint64_t start, uint64_t end)
{
	uint64_t first = start >> PAGE_SHIFT, wanted = DIV_ROUND_UP(end, PAGE_SIZE) - first, there;
	struct fs_stat st = { 0 };

	if (!i->fs->type->statfs || i->fs->type->statfs(i->fs, &st) || st.blocks == 0)
		return true;
	there = i->object->pages.count; /* at most these it has already */
	return wanted <= there || (wanted - there) * PAGE_SIZE <= st.free * st.block_size;
}

/* Make every page of [start, end) exist. On failure the new ones go again beyond the size. */
static int
populate(struct memory_object *o, uint64_t start, uint64_t end)
{
	for (uint64_t index = start >> PAGE_SHIFT; index << PAGE_SHIFT < end; index++) {
		struct page *p;
		int error = object_get_page(o, index, &p);

		if (error)
			return error;
		page_put(p);
		if (signal_pending(current_thread()))
			return -EINTR;
	}
	return 0;
}

static int
regular_fallocate(struct file *f, int mode, loff_t offset, loff_t length)
{
	struct inode *i = f->inode;
	uint64_t end = (uint64_t)offset + (uint64_t)length;
	int error = 0;

	if (mode & ~(FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if ((mode & FALLOC_PUNCH_HOLE) && !(mode & FALLOC_KEEP_SIZE))
		return -EOPNOTSUPP;
	write_lock(&i->lock);
	if ((i->attributes & INODE_IMMUTABLE) ||
	    ((i->attributes & INODE_APPEND) && (mode & ~FALLOC_KEEP_SIZE))) {
		error = -EPERM;
	} else if (mode & FALLOC_PUNCH_HOLE) {
		if (i->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE))
			error = -EPERM;
		else
			object_punch(i->object, (uint64_t)offset, end);
	} else if (end > inode_size(i) && end > file_size_limit()) { /* even where the size is kept */
		signal_send_thread(current_thread(), SIGXFSZ, NULL);
		error = -EFBIG;
	} else if ((i->seals & SEAL_GROW) && end > inode_size(i)) {
		error = -EPERM;
	} else if (!has_room(i, (uint64_t)offset, end)) {
		error = -ENOSPC;
	} else {
		error = populate(i->object, (uint64_t)offset, end);
		if (!error && !(mode & FALLOC_KEEP_SIZE) && end > inode_size(i))
			WRITE_ONCE(i->object->size, end);
	}
	if (!error)
		inode_touch_modified(i);
	write_unlock(&i->lock);
	return error;
}

static void
regular_dump(struct file *f)
{
	pr_info("  inode %lu mode %o size %lu pages %lu\n", f->inode->number, f->inode->mode,
		inode_size(f->inode), f->inode->object ? f->inode->object->pages.count : 0);
}

const struct file_ops regular_file_ops = {
	.name = "file",
	.read = regular_read,
	.write = regular_write,
	.mmap = regular_mmap,
	.sync = regular_sync,
	.truncate = regular_truncate,
	.fallocate = regular_fallocate,
	.dump = regular_dump,
};
