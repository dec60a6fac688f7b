/* SPDX-License-Identifier: MIT */
/*
 * directory.c - reading directories: what is the same for all file systems.
 *
 * A position is a number that stays with an entry for its life, so that a listing in several calls
 * misses nothing and repeats nothing while other names come and go.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/notify.h>

#include "vfs.h"

ssize_t
directory_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	return -EISDIR;
}

loff_t
seek_without_end(struct file *f, loff_t offset, int whence)
{
	if (whence == 1)
		offset += f->position;
	else if (whence != 0)
		return -EINVAL;
	if (offset < 0)
		return -EINVAL;
	f->position = offset;
	return offset;
}

int
directory_sync(struct file *f, bool data_only)
{
	return 0;
}

bool
directory_emit_dots(struct file *f, struct dir_context *ctx)
{
	struct dentry *parent;
	ino_t number;

	if (ctx->position == 0) {
		if (!ctx->emit(ctx, ".", 1, 1, f->inode->number, S_IFDIR >> 12))
			return false;
		ctx->position = 1;
	}
	if (ctx->position == 1) {
		parent = dentry_parent(f->dentry);
		number = parent->inode->number;
		dentry_put(parent);
		if (!ctx->emit(ctx, "..", 2, 2, number, S_IFDIR >> 12))
			return false;
		ctx->position = 2;
	}
	return true;
}

int
vfs_readdir(struct file *f, struct dir_context *ctx)
{
	int error;

	if (!f->ops->readdir)
		return -ENOTDIR;
	error = notify_permit(f, NOTIFY_ACCESS_PERM);
	if (error)
		return error;
	mutex_lock(&f->position_lock);
	read_lock(&f->inode->lock);
	if (f->inode->links == 0) {
		error = -ENOENT;
	} else {
		ctx->position = f->position;
		error = f->ops->readdir(f, ctx);
		f->position = ctx->position;
	}
	read_unlock(&f->inode->lock);
	mutex_unlock(&f->position_lock);
	if (!error)
		notify_file(f, NOTIFY_ACCESS);
	file_touch_accessed(f);
	return error;
}
