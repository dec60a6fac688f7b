/* SPDX-License-Identifier: MIT */
/*
 * extras.c - what a file may know beside reading and writing: where data and holes are, room made beforehand, copies made
 * by the daemon, block numbers. What a daemon does not know is done without it, where that can be.
 */
#include <tessera/backing.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/process.h>

#include "fuse.h"

#define SEEK_SET  0
#define SEEK_END  2
#define SEEK_DATA 3

/* Without the daemon: all is data, and a hole is behind it. */
static loff_t
seek_without(const struct inode *i, loff_t offset, int whence)
{
	if (offset < 0 || (uint64_t)offset >= inode_size(i))
		return -ENXIO;
	return whence == SEEK_DATA ? offset : (loff_t)inode_size(i);
}

static loff_t
ask_seek(struct file *f, loff_t offset, int whence)
{
	struct fuse_file *ff = fuse_file_of(f);
	struct fuse_lseek_in in = { .fh = ff->fh, .offset = (uint64_t)offset, .whence = (uint32_t)whence };
	struct fuse_request *r;
	loff_t at = -ENOMEM;

	if (fuse_lacks(ff->conn, LACK_LSEEK))
		return -ENOSYS;
	r = fuse_file_request(ff, FUSE_LSEEK, &in, sizeof(in));
	if (r && fuse_request_wants(r, sizeof(struct fuse_lseek_out), false))
		at = fuse_request_call(r);
	if (at == 0) {
		at = (loff_t)((const struct fuse_lseek_out *)r->out)->offset;
		if (at < 0) {
			fuse_complain(ff->conn, "a position before the beginning", (uint64_t)at);
			at = -EINVAL;
		}
	}
	fuse_request_put(r);
	if (at == -ENOSYS)
		fuse_lacks_it(ff->conn, LACK_LSEEK);
	return at;
}

loff_t
fuse_seek(struct file *f, loff_t offset, int whence)
{
	struct inode *i = f->inode;
	int error;

	if (fuse_node_is_bad(i))
		return -EIO;
	if (whence >= SEEK_END) { /* these depend on the size */
		loff_t at = whence == SEEK_END ? -ENOSYS : ask_seek(f, offset, whence);

		if (at == -ENOSYS) {
			error = fuse_refresh(i, f, false);
			if (error)
				return error;
			at = whence == SEEK_END ? 0 : seek_without(i, offset, whence);
			if (whence == SEEK_END && __builtin_add_overflow((loff_t)inode_size(i), offset, &at))
				return -EINVAL;
		}
		if (at < 0)
			return whence == SEEK_END ? -EINVAL : at;
		f->position = at;
		return at;
	}
	if (whence != SEEK_SET && __builtin_add_overflow(f->position, offset, &offset))
		return -EINVAL;
	if (offset < 0)
		return -EINVAL;
	f->position = offset;
	return offset;
}

/* --- fallocate ---------------------------------------------------------------------------------------- */

static int
allocate_locked(struct file *f, int mode, uint64_t offset, uint64_t length)
{
	struct fuse_file *ff = fuse_file_of(f);
	struct memory_object *o = f->inode->object;
	struct fuse_fallocate_in in = { .fh = ff->fh, .offset = offset, .length = length, .mode = (uint32_t)mode };
	bool removes = mode & (FALLOC_PUNCH_HOLE | FALLOC_ZERO_RANGE), grows = !(mode & FALLOC_KEEP_SIZE);
	int error = removes ? object_sync(o, offset, offset + length) : 0;

	if (!error && grows && offset + length > inode_size(f->inode) && offset + length > file_size_limit()) {
		signal_send_thread(current_thread(), SIGXFSZ, NULL);
		error = -EFBIG;
	}
	if (!error)
		error = fuse_drop_set_ids(f->inode);
	if (!error)
		error = fuse_request_do(fuse_file_request(ff, FUSE_FALLOCATE, &in, sizeof(in)));
	if (error == -ENOSYS) {
		fuse_lacks_it(ff->conn, LACK_FALLOCATE);
		error = -EOPNOTSUPP;
	}
	if (error)
		return error;
	if (removes)
		object_punch(o, offset, offset + length);
	fuse_wrote(f->inode, grows ? offset + length : 0);
	fuse_node_stale(f->inode);
	return 0;
}

int
fuse_fallocate(struct file *f, int mode, loff_t offset, loff_t length)
{
	struct inode *i = f->inode;
	int error;

	if (fuse_node_is_bad(i))
		return -EIO;
	if ((mode & ~(FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE | FALLOC_ZERO_RANGE)) ||
	    fuse_lacks(fuse_of(i), LACK_FALLOCATE))
		return -EOPNOTSUPP;
	write_lock(&i->lock);
	error = allocate_locked(f, mode, (uint64_t)offset, (uint64_t)length);
	write_unlock(&i->lock);
	return error;
}

/* --- copies ------------------------------------------------------------------------------------------- */

static ssize_t
ask_copy(struct file *in, loff_t in_pos, struct file *out, loff_t out_pos, size_t length)
{
	struct fuse_file *from = fuse_file_of(in), *to = fuse_file_of(out);
	struct fuse_copy_range_in args = {
		.fh_in = from->fh, .offset_in = (uint64_t)in_pos, .node_out = to->node, .fh_out = to->fh,
		.offset_out = (uint64_t)out_pos, .length = length,
	};
	struct fuse_request *r = fuse_file_request(from, FUSE_COPY_FILE_RANGE, &args, sizeof(args));
	ssize_t n = -ENOMEM;

	if (r) {
		fuse_file_get(to);
		r->other = to;
	}
	if (r && fuse_request_wants(r, sizeof(struct fuse_write_out), false))
		n = fuse_request_call(r);
	if (n == 0) {
		n = (ssize_t)((const struct fuse_write_out *)r->out)->size;
		if ((size_t)n > length) {
			fuse_complain(from->conn, "copied more than was asked for", (uint64_t)n);
			n = -EIO;
		}
	}
	fuse_request_put(r);
	return n;
}

ssize_t
fuse_copy_range(struct file *in, loff_t in_pos, struct file *out, loff_t out_pos, size_t length)
{
	struct fuse_connection *c = fuse_of(in->inode);
	struct memory_object *o = out->inode->object;
	ssize_t n;

	if (fuse_lacks(c, LACK_COPY_RANGE))
		return -EOPNOTSUPP;
	n = object_sync(in->inode->object, (uint64_t)in_pos, (uint64_t)in_pos + length);
	if (n)
		return n;
	write_lock(&out->inode->lock);
	n = object_sync(o, (uint64_t)out_pos, (uint64_t)out_pos + length);
	if (!n)
		n = fuse_drop_set_ids(out->inode);
	if (!n)
		n = ask_copy(in, in_pos, out, out_pos, length);
	if (n == -ENOSYS) {
		fuse_lacks_it(c, LACK_COPY_RANGE);
		n = -EOPNOTSUPP;
	}
	if (n > 0) {
		object_invalidate(o, (uint64_t)out_pos, (uint64_t)(out_pos + n), true);
		fuse_wrote(out->inode, (uint64_t)(out_pos + n));
	}
	write_unlock(&out->inode->lock);
	return n;
}

/* --- blocks ------------------------------------------------------------------------------------------- */

int
fuse_bmap(struct inode *i, uint64_t block, uint32_t block_size, uint64_t *out)
{
	struct fuse_connection *c = fuse_of(i);
	struct fuse_bmap_in in = { .block = block, .block_size = block_size };
	struct fuse_request *r;
	int error = -ENOMEM;

	*out = 0;
	if (!c->destroy || fuse_lacks(c, LACK_BMAP)) /* there is no device that blocks could be of */
		return 0;
	r = fuse_request_make(c, FUSE_BMAP, fuse_node_of(i)->id, &in, sizeof(in), NULL, NULL);
	if (r && fuse_request_wants(r, sizeof(struct fuse_bmap_out), false))
		error = fuse_request_call(r);
	if (!error)
		*out = ((const struct fuse_bmap_out *)r->out)->block;
	fuse_request_put(r);
	if (error == -ENOSYS) {
		fuse_lacks_it(c, LACK_BMAP);
		error = 0;
	}
	return error;
}
