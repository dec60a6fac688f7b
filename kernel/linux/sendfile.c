/* SPDX-License-Identifier: MIT */
/*
 * sendfile.c - moving bytes between open objects without a program's buffer: sendfile,
 * copy_file_range.
 *
 * Both copy through a page of the kernel's. The source's position moves only by what the
 * destination took, so a short write loses nothing.
 */
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/pipe.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/socket.h>

#include "linux.h"

/*
 * Copy up to `count` bytes from in at *in_pos to out at *out_pos (NULL: out's own position),
 * advancing both. Bytes moved, or an errno when none was.
 */
static ssize_t
copy_between(struct file *in, loff_t *in_pos, struct file *out, loff_t *out_pos, size_t count)
{
	size_t done = 0, chunk = MIN(count, 16 * PAGE_SIZE);
	char *buf = kmalloc(MAX(chunk, 1ul), 0);
	ssize_t n = 0;

	if (!buf)
		return -ENOMEM;
	while (done < count) {
		struct iov_iter it;
		loff_t at = *in_pos;
		ssize_t got;

		iov_iter_kernel(&it, buf, MIN(count - done, chunk));
		got = n = file_read(in, &it, &at);
		if (n <= 0)
			break;
		iov_iter_kernel(&it, buf, (size_t)got);
		n = file_write(out, &it, out_pos);
		if (n <= 0)
			break;
		*in_pos += n;
		done += (size_t)n;
		if (n < got || signal_pending(current_thread()))
			break;
	}
	kfree(buf);
	return done ? (ssize_t)done : n;
}

/* From `*given` (NULL: the source's own position), which moves by what was sent. */
static long
send(struct file *in, struct file *out, loff_t *given, size_t count)
{
	loff_t pos;
	ssize_t n;

	if (given)
		return copy_between(in, given, out, NULL, MIN(count, RW_MAX));
	mutex_lock(&in->position_lock);
	pos = in->position;
	mutex_unlock(&in->position_lock);
	n = copy_between(in, &pos, out, NULL, MIN(count, RW_MAX));
	mutex_lock(&in->position_lock);
	in->position = pos;
	mutex_unlock(&in->position_lock);
	return n;
}

/*
 * 1: send, 0: there is nothing to send, or an errno. The source is a regular file: what else could be read
 * might be lost when the other side takes less. It is asked for only when something is to be read.
 */
static long
check_send(struct file *in, struct file *out, size_t count)
{
	if (!file_pipe(out) && ((out->flags & O_APPEND) || !(in->mode & FILE_SEEKABLE)))
		return -EINVAL;
	if (count == 0)
		return 0;
	if (!in->inode || !S_ISREG(in->inode->mode) || !(in->mode & FILE_SEEKABLE))
		return -EINVAL;
	if (in->ops->no_splice_read || out->ops->no_splice_write)
		return -EINVAL;
	if (file_pipe(out) || file_socket(out))
		return 1;
	/* Of no type are objects that take whole messages or numbers only. */
	return out->inode && (out->inode->mode & S_IFMT) ? 1 : -EINVAL;
}

static long
send_handles(int out_fd, int in_fd, loff_t *given, size_t count)
{
	int error = 0;
	struct file *in, *out;
	long n;

	in = handle_get(in_fd, RIGHT_READ, &error);
	if (!in)
		return error;
	n = -ESPIPE;
	if (given && !(in->mode & FILE_SEEKABLE))
		goto put_in;
	n = -EINVAL;
	if ((ssize_t)count < 0 || (given && *given < 0))
		goto put_in;
	out = handle_get(out_fd, RIGHT_WRITE, &error);
	n = error;
	if (!out)
		goto put_in;
	n = check_send(in, out, count);
	if (n > 0)
		n = send(in, out, given, count);
	file_put(out);
put_in:
	file_put(in);
	return n;
}

long
linux_sendfile(int out_fd, int in_fd, loff_t __user *uoffset, size_t count)
{
	loff_t pos;
	long n;

	if (!uoffset)
		return send_handles(out_fd, in_fd, NULL, count);
	if (get_user(pos, uoffset))
		return -EFAULT;
	n = send_handles(out_fd, in_fd, &pos, count);
	return put_user(pos, uoffset) ? -EFAULT : n;
}

static long
check_copy_range(struct file *in, loff_t in_pos, struct file *out, loff_t out_pos, size_t count)
{
	if ((in->inode && S_ISDIR(in->inode->mode)) || (out->inode && S_ISDIR(out->inode->mode)))
		return -EISDIR;
	if (!in->inode || !out->inode || !S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
		return -EINVAL;
	if (!(in->mode & FILE_READ) || !(out->mode & FILE_WRITE) || (out->flags & O_APPEND))
		return -EBADF;
	if (in->inode->fs != out->inode->fs)
		return -EXDEV;
	if (READ_ONCE(out->inode->attributes) & INODE_IMMUTABLE)
		return -EPERM;
	if ((uint64_t)in_pos + count < (uint64_t)in_pos || (uint64_t)out_pos + count < (uint64_t)out_pos)
		return -EOVERFLOW;
	if (in_pos < 0 || out_pos < 0)
		return -EINVAL;
	if (in->inode == out->inode && out_pos + (loff_t)count > in_pos &&
		out_pos < in_pos + (loff_t)count)
		return -EINVAL;
	return 0;
}

/* A position given, or the file's own. */
static int
range_position(struct file *f, loff_t __user *u, loff_t *pos)
{
	if (u)
		return get_user(*pos, u);
	mutex_lock(&f->position_lock);
	*pos = f->position;
	mutex_unlock(&f->position_lock);
	return 0;
}

static int
store_position(struct file *f, loff_t __user *u, loff_t pos)
{
	if (u)
		return put_user(pos, u);
	mutex_lock(&f->position_lock);
	f->position = pos;
	mutex_unlock(&f->position_lock);
	return 0;
}

/* By the file system itself, where it can. */
static ssize_t
copy_inside(struct file *in, loff_t *in_pos, struct file *out, loff_t *out_pos, size_t count)
{
	ssize_t n = -EOPNOTSUPP;

	if (count && in->ops->copy_range && in->ops == out->ops)
		n = in->ops->copy_range(in, *in_pos, out, *out_pos, count);
	if (n == -EOPNOTSUPP || n == -EXDEV)
		return copy_between(in, in_pos, out, out_pos, count);
	if (n > 0) {
		*in_pos += n;
		*out_pos += n;
	}
	return n;
}

static long
copy_range(struct file *in, loff_t __user *uin, struct file *out, loff_t __user *uout, size_t count)
{
	loff_t in_pos, out_pos;
	long n;

	if (range_position(in, uin, &in_pos) || range_position(out, uout, &out_pos))
		return -EFAULT;
	count = MIN(count, RW_MAX);
	n = check_copy_range(in, in_pos, out, out_pos, count);
	if (n)
		return n;
	n = copy_inside(in, &in_pos, out, &out_pos, count);
	if (n > 0 && (store_position(in, uin, in_pos) || store_position(out, uout, out_pos)))
		return -EFAULT;
	return n;
}

long
linux_copy_file_range(int in_fd, loff_t __user *uin, int out_fd, loff_t __user *uout, size_t count,
		      unsigned int flags)
{
	uint64_t in_rights, out_rights;
	int error = 0;
	struct file *in, *out;
	long n;

	in = handle_get_rights(in_fd, &in_rights, &error);
	if (!in)
		return error;
	out = handle_get_rights(out_fd, &out_rights, &error);
	if (!out) {
		file_put(in);
		return error;
	}
	if (flags)
		n = -EINVAL;
	else if (((in->mode & FILE_READ) && !(in_rights & RIGHT_READ)) ||
		 ((out->mode & FILE_WRITE) && !(out_rights & RIGHT_WRITE)))
		n = -EPERM;
	else
		n = copy_range(in, uin, out, uout, count);
	file_put(out);
	file_put(in);
	return n;
}
