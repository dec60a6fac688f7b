/* SPDX-License-Identifier: MIT */
/*
 * transfer.c - read and write: straight to the daemon, or by the pages that pages.c keeps.
 *
 * Straight: what the daemon asked for with FUSE_OPEN_DIRECT_IO, and O_DIRECT. The caller's bytes travel in buffers of the
 * requests, in pieces of max_read or max_write. Else reads come from the pages; writes go through to the daemon at once
 * and the pages are brought up to date, or stay in the pages where the daemon agreed to be written to later
 * (FUSE_WRITEBACK_CACHE).
 *
 * The inode's lock is held by writers.
 */
#include <tessera/address_space.h>
#include <tessera/backing.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/process.h>
#include <tessera/slab.h>

#include "fuse.h"

/* --- reading -------------------------------------------------------------------------------------------- */

static struct fuse_request *
read_request(struct fuse_file *ff, const struct file *f, uint64_t offset, size_t n)
{
	struct fuse_connection *c = ff->conn;
	struct fuse_read_in in = {
		.fh = ff->fh,
		.offset = offset,
		.size = (uint32_t)n,
		.read_flags = FUSE_READ_LOCKOWNER,
		.lock_owner = fuse_lock_owner(c, current_process()->handles),
		.flags = f->flags | O_LARGEFILE,
	};
	struct fuse_request *r = fuse_file_request(ff, FUSE_READ, &in, sizeof(in));

	if (r && !fuse_request_wants(r, n, true)) {
		fuse_request_put(r);
		return NULL;
	}
	return r;
}

/* One piece: bytes, or an errno. */
static ssize_t
read_piece(struct file *f, struct iov_iter *to, uint64_t offset, size_t n)
{
	struct fuse_file *ff = fuse_file_of(f);
	struct fuse_request *r = read_request(ff, f, offset, n);
	ssize_t got;
	int error;

	if (!r)
		return -ENOMEM;
	error = fuse_request_call(r);
	got = error ? error : (ssize_t)r->got;
	if (got > 0) {
		size_t copied = iov_copy_to(to, r->out, (size_t)got);

		if (copied != (size_t)got)
			got = copied ? (ssize_t)copied : -EFAULT;
	}
	fuse_request_put(r);
	return got;
}

static size_t
piece_max(const struct fuse_connection *c, uint32_t limit)
{
	return MIN((size_t)MAX(limit, (uint32_t)PAGE_SIZE), (size_t)c->max_pages * PAGE_SIZE);
}

ssize_t
fuse_direct_read(struct file *f, struct iov_iter *to, loff_t *pos)
{
	const struct fuse_connection *c = fuse_file_of(f)->conn;
	size_t max = piece_max(c, c->max_read);
	ssize_t done = 0, n = 0;

	while (to->count > 0) {
		size_t want = MIN(to->count, max);

		n = read_piece(f, to, (uint64_t)*pos, want);
		if (n <= 0)
			break;
		done += n;
		*pos += n;
		if ((size_t)n < want)
			break;
	}
	return done ? done : n;
}

bool
fuse_read_short(struct inode *i, uint64_t end, uint64_t version)
{
	struct fuse_node *n = fuse_node_of(i);
	bool cut;

	if (fuse_keeps_writes(i))
		return false;
	spin_lock(&n->lock);
	cut = n->attr_version <= version && end < READ_ONCE(i->object->size);
	if (cut)
		WRITE_ONCE(i->object->size, end);
	spin_unlock(&n->lock);
	return cut;
}

static bool
is_direct(const struct file *f)
{
	return (fuse_file_of(f)->open_flags & FUSE_OPEN_DIRECT_IO) || (f->flags & O_DIRECT);
}

static ssize_t
cached_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	const struct fuse_connection *c = fuse_file_of(f)->conn;
	struct memory_object *o = f->inode->object;
	ssize_t n;

	/* Up to the end: is that where we think? */
	if (fuse_has(c, FUSE_AUTO_INVAL_DATA) || (uint64_t)*pos + to->count > READ_ONCE(o->size)) {
		int error = fuse_refresh(f->inode, f, rw_flags & RW_NOWAIT);

		if (error)
			return error;
	}
	n = object_read(o, f, (uint64_t)*pos, READ_ONCE(o->size), to, rw_flags);
	if (n > 0)
		*pos += n;
	return n;
}

static ssize_t
file_read_op(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct memory_object *o = f->inode->object;
	ssize_t n;

	if (fuse_node_is_bad(f->inode))
		return -EIO;
	if (to->count == 0)
		return 0;
	if (is_direct(f) && (rw_flags & RW_NOWAIT))
		return -EAGAIN;
	if (is_direct(f)) {
		n = object_sync(o, (uint64_t)*pos, (uint64_t)*pos + to->count);
		if (!n)
			n = fuse_direct_read(f, to, pos);
	} else {
		n = cached_read(f, to, pos, rw_flags);
	}
	if (!(f->flags & O_NOATIME))
		WRITE_ONCE(fuse_node_of(f->inode)->stale_times, true);
	return n;
}

/* --- writing -------------------------------------------------------------------------------------------- */

static struct fuse_request *
write_request(struct fuse_file *ff, const struct file *f, uint64_t offset, size_t n)
{
	struct fuse_connection *c = ff->conn;
	struct fuse_write_in in = {
		.fh = ff->fh,
		.offset = offset,
		.size = (uint32_t)n,
		.write_flags = FUSE_WRITE_LOCKOWNER,
		.lock_owner = fuse_lock_owner(c, current_process()->handles),
		.flags = f->flags | O_LARGEFILE,
	};

	if (fuse_has(c, FUSE_HANDLE_KILLPRIV_V2) && !capable(CAP_FSETID))
		in.write_flags |= FUSE_WRITE_KILL_SUIDGID;
	return fuse_file_request(ff, FUSE_WRITE, &in, sizeof(in));
}

/* One piece from `from`: bytes that the daemon took, or an errno. `keep`: the pages there are to show it. */
static ssize_t
write_piece(struct file *f, struct iov_iter *from, uint64_t offset, size_t n, bool keep)
{
	struct fuse_file *ff = fuse_file_of(f);
	struct fuse_request *r = write_request(ff, f, offset, n);
	const struct fuse_write_out *out;
	ssize_t took = -ENOMEM;

	if (!r || !fuse_request_wants(r, sizeof(*out), false))
		goto put;
	r->data = kvmalloc(n);
	if (!r->data)
		goto put;
	r->data_size = iov_copy_from(r->data, from, n);
	took = -EFAULT;
	if (r->data_size == 0)
		goto put;
	((struct fuse_write_in *)r->args)->size = (uint32_t)r->data_size;
	took = fuse_request_call(r);
	if (took == 0) {
		out = r->out;
		took = out->size > r->data_size ? -EIO : (ssize_t)out->size;
		if (took < 0)
			fuse_complain(ff->conn, "wrote more than there was", out->size);
	}
	if (took > 0 && keep)
		object_update(f->inode->object, offset, r->data, (size_t)took);
	if (took >= 0 && (size_t)took < r->data_size)
		iov_revert(from, r->data_size - (size_t)took);
	else if (took < 0)
		iov_revert(from, r->data_size);
put:
	fuse_request_put(r);
	return took;
}

static ssize_t
write_through(struct file *f, struct iov_iter *from, loff_t *pos, bool keep)
{
	const struct fuse_connection *c = fuse_file_of(f)->conn;
	size_t max = piece_max(c, c->max_write);
	ssize_t done = 0, n = 0;

	while (from->count > 0) {
		size_t want = MIN(from->count, max);

		n = write_piece(f, from, (uint64_t)*pos, want, keep);
		if (n == 0 && keep)
			n = -EIO; /* it was to be in the cache then */
		if (n <= 0)
			break;
		done += n;
		*pos += n;
		if ((size_t)n < want)
			break;
	}
	return done ? done : n;
}

ssize_t
fuse_direct_write(struct file *f, struct iov_iter *from, loff_t *pos)
{
	return write_through(f, from, pos, false);
}

void
fuse_wrote(struct inode *i, uint64_t end)
{
	struct fuse_connection *c = fuse_of(i);
	struct fuse_node *n = fuse_node_of(i);
	uint64_t version = fuse_change_begin(c);

	spin_lock(&n->lock);
	n->attr_version = version;
	n->stale_times = true;
	if (end > READ_ONCE(i->object->size))
		WRITE_ONCE(i->object->size, end);
	spin_unlock(&n->lock);
}

/* How many of `count` bytes may be written at `pos`: an errno if none. */
static ssize_t
within_limit(uint64_t pos, size_t count)
{
	uint64_t limit = file_size_limit();

	if (limit == UINT64_MAX || pos + count <= limit)
		return (ssize_t)count;
	if (pos >= limit) {
		signal_send_thread(current_thread(), SIGXFSZ, NULL);
		return -EFBIG;
	}
	return (ssize_t)(limit - pos);
}

/* What stays in memory of a write, to be written back. Partial pages are read first; so the file must be readable. */
static ssize_t
write_back_later(struct file *f, struct iov_iter *from, loff_t *pos)
{
	struct inode *i = f->inode;
	ssize_t n = object_write(i->object, f, (uint64_t)*pos, from);

	if (n > 0) {
		*pos += n;
		inode_touch_modified(i);
		WRITE_ONCE(fuse_node_of(i)->times_ours, true);
	}
	return n;
}

static ssize_t
write_direct(struct file *f, struct iov_iter *from, loff_t *pos)
{
	struct memory_object *o = f->inode->object;
	uint64_t start = (uint64_t)*pos;
	ssize_t n = object_sync(o, start, start + from->count);

	if (!n)
		n = write_through(f, from, pos, false);
	if (n > 0)
		object_invalidate(o, start, start + (uint64_t)n, true);
	return n;
}

/* i->lock is held for writing. */
static ssize_t
write_locked(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	struct inode *i = f->inode;
	bool later = fuse_keeps_writes(i) && !is_direct(f);
	int error = later ? fuse_refresh(i, f, false) : 0;
	size_t wanted = from->count;
	ssize_t n;

	if (error)
		return error;
	if ((f->flags & O_APPEND) || (rw_flags & RW_APPEND))
		*pos = (loff_t)inode_size(i);
	n = within_limit((uint64_t)*pos, wanted);
	if (n < 0)
		return n;
	error = fuse_drop_set_ids(i);
	if (error)
		return error;
	from->count = (size_t)n;
	if (later) {
		n = write_back_later(f, from, pos);
	} else {
		n = is_direct(f) ? write_direct(f, from, pos) : write_through(f, from, pos, true);
		if (n > 0)
			fuse_wrote(i, (uint64_t)*pos);
	}
	from->count = wanted - (size_t)MAX(n, (ssize_t)0);
	return n;
}

static ssize_t
file_write_op(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	struct inode *i = f->inode;
	ssize_t n;

	if (fuse_node_is_bad(i))
		return -EIO;
	if (from->count == 0)
		return 0;
	write_lock(&i->lock);
	n = write_locked(f, from, pos, rw_flags);
	write_unlock(&i->lock);
	return n;
}

static int
file_truncate_op(struct file *f, loff_t size)
{
	int error = mount_want_write(f->mount);

	return error ? error : fuse_truncate(f->inode, f, (uint64_t)size);
}

/* A daemon that wants every read itself shows no page to two programs. */
static int
file_mmap_op(struct file *f, uint64_t offset, size_t length, uint32_t *flags, struct memory_object **out)
{
	struct memory_object *o = f->inode->object;

	if (fuse_node_is_bad(f->inode))
		return -EIO;
	if (fuse_file_of(f)->open_flags & FUSE_OPEN_DIRECT_IO) {
		if ((*flags & MAPPING_SHARED) && (*flags & MAPPING_MAYWRITE))
			return -ENODEV;
		object_drop_clean(o, 0, UINT64_MAX);
	}
	return regular_file_ops.mmap(f, offset, length, flags, out);
}

const struct file_ops fuse_file_ops = {
	.name = "fuse file",
	.read = file_read_op,
	.write = file_write_op,
	.seek = fuse_seek,
	.poll = fuse_poll,
	.ioctl = fuse_ioctl,
	.own_ioctl = true,
	.direct = true,
	.mmap = file_mmap_op,
	.sync = fuse_sync,
	.truncate = file_truncate_op,
	.fallocate = fuse_fallocate,
	.copy_range = fuse_copy_range,
	.lock = fuse_lock,
	.flush = fuse_flush,
	.release = fuse_release,
	.dump = fuse_file_dump,
};
