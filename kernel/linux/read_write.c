/* SPDX-License-Identifier: MIT */
/*
 * read_write.c - read, write and their vector and positioned forms, lseek.
 */
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/iov.h>
#include <tessera/process.h>

#include "linux.h"

static bool
has_operation(const struct file *f, bool write)
{
	return write ? f->ops->write != NULL : f->ops->read != NULL;
}

/* A broken pipe's writer gets SIGPIPE from the pipe itself; here only lengths and handles. */
static long
transfer(int fd, char __user *buf, size_t count, bool write)
{
	struct handle_loan l;
	struct iov_iter it;
	struct iovec one;
	int error;
	ssize_t n = -EFAULT;

	if (!handle_borrow(fd, write ? RIGHT_WRITE : RIGHT_READ, &l, &error))
		return error;
	if (likely(user_range_ok(buf, count))) { /* counts past SSIZE_MAX are not */
		iov_iter_user(&it, &one, buf, MIN(count, RW_MAX));
		n = write ? file_write(l.file, &it, NULL) : file_read(l.file, &it, NULL);
	} else if (!has_operation(l.file, write)) {
		n = -EINVAL;
	}
	handle_return(&l);
	return n;
}

long
linux_read(int fd, char __user *buf, size_t count)
{
	return transfer(fd, buf, count, false);
}

long
linux_write(int fd, const char __user *buf, size_t count)
{
	return transfer(fd, __force_user(char __user *, buf), count, true);
}

static long
transfer_at(int fd, char __user *buf, size_t count, loff_t pos, bool write)
{
	struct handle_loan l;
	struct iov_iter it;
	struct iovec one;
	int error;
	ssize_t n;

	if (pos < 0)
		return -EINVAL;
	if (!handle_borrow(fd, RIGHT_NONE, &l, &error))
		return error;
	n = -ESPIPE;
	if (l.file->mode & FILE_SEEKABLE)
		n = handle_need(l.file, l.rights, write ? RIGHT_WRITE : RIGHT_READ);
	if (n == 0 && !user_range_ok(buf, count))
		n = -EFAULT;
	if (n == 0) {
		iov_iter_user(&it, &one, buf, MIN(count, RW_MAX));
		n = write ? file_write(l.file, &it, &pos) : file_read(l.file, &it, &pos);
	}
	handle_return(&l);
	return n;
}

long
linux_pread64(int fd, char __user *buf, size_t count, loff_t pos)
{
	return transfer_at(fd, buf, count, pos, false);
}

long
linux_pwrite64(int fd, const char __user *buf, size_t count, loff_t pos)
{
	return transfer_at(fd, __force_user(char __user *, buf), count, pos, true);
}

#define VECTOR_FAST 8

/* What is left of a vector's transfer when its segments are known. Nothing is asked of flags when nothing is to
 * be moved. */
static ssize_t
move_vector(struct file *f, uint64_t rights, struct iov_iter *it, loff_t *at, int flags, bool write)
{
	int error = handle_need(f, rights, write ? RIGHT_WRITE : RIGHT_READ);

	if (error)
		return error;
	if (!has_operation(f, write))
		return -EINVAL;
	if (it->count == 0)
		return 0;
	/* RWF_NOWAIT: no object can promise not to wait. */
	if (flags & ~(int)(RW_HIPRI | RW_DSYNC | RW_SYNC | RW_APPEND))
		return -EOPNOTSUPP;
	return write ? file_write_flags(f, it, at, (uint32_t)flags) : file_read_flags(f, it, at, (uint32_t)flags);
}

/* `at`: position, or NULL for the file's own. The vector is read before the access mode is looked at. */
static long
transfer_vector(int fd, const struct iovec __user *vec, unsigned long segments, loff_t *at,
	int flags, bool write)
{
	struct iovec fast[VECTOR_FAST], *v;
	struct iov_iter it;
	int error = 0;
	uint64_t rights;
	struct file *f = handle_get_rights(fd, &rights, &error);
	ssize_t n;

	if (!f)
		return error;
	n = -ESPIPE;
	if (at && !(f->mode & FILE_SEEKABLE))
		goto out;
	n = iov_import(vec, segments, fast, &v);
	if (n < 0)
		goto out;
	iov_iter_segments(&it, v, (uint32_t)segments, MIN((size_t)n, RW_MAX));
	n = move_vector(f, rights, &it, at, flags, write);
	iov_import_free(fast, v);
out:
	file_put(f);
	return n;
}

long
linux_readv(int fd, const struct iovec __user *vec, unsigned long segments)
{
	return transfer_vector(fd, vec, segments, NULL, 0, false);
}

long
linux_writev(int fd, const struct iovec __user *vec, unsigned long segments)
{
	return transfer_vector(fd, vec, segments, NULL, 0, true);
}

/* On 64-bit machines the low half holds it all. */
long
linux_preadv(int fd, const struct iovec __user *vec, unsigned long segments, unsigned long pos_low,
	     unsigned long pos_high)
{
	loff_t pos = (loff_t)pos_low;

	return pos < 0 ? -EINVAL : transfer_vector(fd, vec, segments, &pos, 0, false);
}

long
linux_pwritev(int fd, const struct iovec __user *vec, unsigned long segments, unsigned long pos_low,
	      unsigned long pos_high)
{
	loff_t pos = (loff_t)pos_low;

	return pos < 0 ? -EINVAL : transfer_vector(fd, vec, segments, &pos, 0, true);
}

long
linux_preadv2(int fd, const struct iovec __user *vec, unsigned long segments, unsigned long pos_low,
	      unsigned long pos_high, int flags)
{
	loff_t pos = (loff_t)pos_low;

	if (pos < -1)
		return -EINVAL;
	return transfer_vector(fd, vec, segments, pos == -1 ? NULL : &pos, flags, false);
}

long
linux_pwritev2(int fd, const struct iovec __user *vec, unsigned long segments,
	unsigned long pos_low, unsigned long pos_high, int flags)
{
	loff_t pos = (loff_t)pos_low;

	if (pos < -1)
		return -EINVAL;
	return transfer_vector(fd, vec, segments, pos == -1 ? NULL : &pos, flags, true);
}

long
linux_lseek(int fd, loff_t offset, unsigned int whence)
{
	struct handle_loan l;
	int error;
	loff_t at;

	if (!handle_borrow(fd, RIGHT_NONE, &l, &error))
		return error;
	if (whence > 4)
		at = -EINVAL;
	else if ((l.file->mode & FILE_SEEKABLE) && !(l.rights & RIGHT_SEEK))
		at = -EPERM;
	else
		at = file_seek(l.file, offset, (int)whence);
	handle_return(&l);
	return at;
}
