/* SPDX-License-Identifier: MIT */
/*
 * attributes.c - chmod, chown, utimes, umask, truncate, fallocate, fsync and their like.
 */
#include <tessera/backing.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/notify.h>
#include <tessera/namespace.h>
#include <tessera/process.h>

#include "linux.h"
#include "user_name.h"

static long
change_name(int dirfd, const char __user *uname, unsigned int lookup, struct inode_change *c)
{
	struct path p;
	long error;

	error = user_path_lookup(dirfd, uname, lookup, &p);
	if (error)
		return error;
	error = vfs_set_attributes(&p, c);
	path_put(&p);
	return error;
}

static long
change_handle(int fd, struct inode_change *c)
{
	int error = 0;
	struct file *f = handle_get(fd, RIGHT_SET_ATTR, &error);

	if (!f)
		return error;
	error = f->dentry ? vfs_set_attributes(&(struct path){ f->mount, f->dentry }, c) : -EPERM;
	file_put(f);
	return error;
}

long
linux_fchmodat(int dirfd, const char __user *name, mode_t mode)
{
	struct inode_change c = { .what = ATTR_MODE, .mode = mode & 07777 };

	return change_name(dirfd, name, LOOKUP_FOLLOW, &c);
}

long
linux_chmod(const char __user *name, mode_t mode)
{
	return linux_fchmodat(AT_FDCWD, name, mode);
}

long
linux_fchmod(int fd, mode_t mode)
{
	struct inode_change c = { .what = ATTR_MODE, .mode = mode & 07777 };

	return change_handle(fd, &c);
}

/* -1 keeps an id. -EINVAL: nobody's in the caller's namespace. */
static int
owner_change(uid_t uid, gid_t gid, struct inode_change *c)
{
	*c = (struct inode_change){
		.what = (uid == (uid_t)-1 ? 0 : ATTR_UID) | (gid == (gid_t)-1 ? 0 : ATTR_GID) |
			ATTR_CTIME,
		.uid = uid_from_user(uid),
		.gid = gid_from_user(gid),
	};
	if ((c->what & ATTR_UID) && c->uid == ID_INVALID)
		return -EINVAL;
	return (c->what & ATTR_GID) && c->gid == ID_INVALID ? -EINVAL : 0;
}

long
linux_fchownat(int dirfd, const char __user *name, uid_t uid, gid_t gid, int flags)
{
	struct inode_change c;

	if (owner_change(uid, gid, &c) || (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
		return -EINVAL;
	return change_name(dirfd, name,
			   (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
				   (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0),
			   &c);
}

long
linux_chown(const char __user *name, uid_t uid, gid_t gid)
{
	return linux_fchownat(AT_FDCWD, name, uid, gid, 0);
}

long
linux_lchown(const char __user *name, uid_t uid, gid_t gid)
{
	return linux_fchownat(AT_FDCWD, name, uid, gid, AT_SYMLINK_NOFOLLOW);
}

long
linux_fchown(int fd, uid_t uid, gid_t gid)
{
	struct inode_change c;

	return owner_change(uid, gid, &c) ? -EINVAL : change_handle(fd, &c);
}

#define UTIME_NOW  ((1l << 30) - 1)
#define UTIME_OMIT ((1l << 30) - 2)

/* One of the two times: which bits it sets. False: out of range. */
static bool
one_time(const struct timespec64 *t, uint32_t set, uint32_t now, uint32_t *what)
{
	if (t->tv_nsec == UTIME_OMIT)
		return true;
	*what |= set;
	if (t->tv_nsec == UTIME_NOW) {
		*what |= now;
		return true;
	}
	return t->tv_nsec >= 0 && t->tv_nsec < (int64_t)NSEC_PER_SEC;
}

/* times NULL: both now. uname NULL: the handle itself. */
static long
set_times(int dirfd, const char __user *uname, const struct timespec64 *times, int flags)
{
	struct inode_change c = {.what = ATTR_ATIME | ATTR_MTIME | ATTR_ATIME_NOW | ATTR_MTIME_NOW};

	if (times) {
		c.what = 0;
		if (!one_time(&times[0], ATTR_ATIME, ATTR_ATIME_NOW, &c.what) ||
		    !one_time(&times[1], ATTR_MTIME, ATTR_MTIME_NOW, &c.what))
			return -EINVAL;
		if (!c.what)
			return 0;
		c.accessed = times[0];
		c.modified = times[1];
	}
	if (!uname && dirfd != AT_FDCWD)
		return flags ? -EINVAL : change_handle(dirfd, &c);
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return change_name(dirfd, uname,
			   (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
				   (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0),
			   &c);
}

long
linux_utimensat(int dirfd, const char __user *name, struct timespec64 __user *utimes, int flags)
{
	struct timespec64 times[2];

	if (utimes && copy_from_user(times, utimes, sizeof(times)))
		return -EFAULT;
	return set_times(dirfd, name, utimes ? times : NULL, flags);
}

long
linux_futimesat(int dirfd, const char __user *name, struct linux_timeval __user *utimes)
{
	struct linux_timeval tv[2];
	struct timespec64 times[2];

	if (!utimes)
		return set_times(dirfd, name, NULL, 0);
	if (copy_from_user(tv, utimes, sizeof(tv)))
		return -EFAULT;
	for (int i = 0; i < 2; i++) {
		if (tv[i].tv_usec < 0 || tv[i].tv_usec >= 1000000)
			return -EINVAL;
		times[i] = (struct timespec64){ tv[i].tv_sec, tv[i].tv_usec * 1000 };
	}
	return set_times(dirfd, name, times, 0);
}

long
linux_utimes(const char __user *name, struct linux_timeval __user *times)
{
	return linux_futimesat(AT_FDCWD, name, times);
}

long
linux_utime(const char __user *name, int64_t __user *utimes)
{
	struct timespec64 times[2] = { 0 };
	int64_t seconds[2];

	if (!utimes)
		return set_times(AT_FDCWD, name, NULL, 0);
	if (copy_from_user(seconds, utimes, sizeof(seconds)))
		return -EFAULT;
	times[0].tv_sec = seconds[0];
	times[1].tv_sec = seconds[1];
	return set_times(AT_FDCWD, name, times, 0);
}

long
linux_umask(mode_t mask)
{
	return fs_context_set_umask(mask);
}

long
linux_truncate(const char __user *uname, loff_t size)
{
	struct path p;
	long error;

	if (size < 0)
		return -EINVAL;
	error = user_path_lookup(AT_FDCWD, uname, LOOKUP_FOLLOW, &p);
	if (error)
		return error;
	error = vfs_truncate_path(&p, size);
	path_put(&p);
	return error;
}

long
linux_ftruncate(int fd, loff_t size)
{
	int error = 0;
	struct file *f;

	if (size < 0)
		return -EINVAL;
	f = handle_get(fd, RIGHT_TRUNCATE, &error);
	if (!f)
		return error;
	error = vfs_truncate_file(f, size);
	file_put(f);
	return error;
}

#define FALLOC_KEEP_SIZE  1
#define FALLOC_PUNCH_HOLE 2
#define FALLOC_COLLAPSE   8
#define FALLOC_ZERO       16
#define FALLOC_INSERT     32
#define FALLOC_UNSHARE    64
#define FALLOC_KNOWN      0x7f

/* The range and the mode are judged before the handle's access. */
static long
allocate(struct file *f, uint64_t rights, int mode, loff_t offset, loff_t length)
{
	if (offset < 0 || length <= 0)
		return -EINVAL;
	if (mode & ~FALLOC_KNOWN)
		return -EOPNOTSUPP;
	if ((mode & (FALLOC_PUNCH_HOLE | FALLOC_ZERO)) == (FALLOC_PUNCH_HOLE | FALLOC_ZERO))
		return -EOPNOTSUPP;
	if ((mode & FALLOC_PUNCH_HOLE) && !(mode & FALLOC_KEEP_SIZE))
		return -EOPNOTSUPP;
	/* Those that move what lies behind stand alone. */
	if (((mode & FALLOC_COLLAPSE) && mode != FALLOC_COLLAPSE) ||
	    ((mode & FALLOC_INSERT) && mode != FALLOC_INSERT) ||
	    ((mode & FALLOC_UNSHARE) && (mode & ~(FALLOC_UNSHARE | FALLOC_KEEP_SIZE))))
		return -EINVAL;
	if (handle_need(f, rights, RIGHT_WRITE))
		return handle_need(f, rights, RIGHT_WRITE);
	if (f->inode && S_ISFIFO(f->inode->mode))
		return -ESPIPE;
	if (f->inode && S_ISDIR(f->inode->mode))
		return -EISDIR;
	if (!f->inode || (!S_ISREG(f->inode->mode) && !S_ISBLK(f->inode->mode)))
		return -ENODEV;
	if (length > INT64_MAX - offset)
		return -EFBIG;
	return f->ops->fallocate ? f->ops->fallocate(f, mode, offset, length) : -EOPNOTSUPP;
}

long
linux_fallocate(int fd, int mode, loff_t offset, loff_t length)
{
	int error = 0;
	uint64_t rights;
	struct file *f = handle_get_rights(fd, &rights, &error);
	long result;

	if (!f)
		return error;
	result = allocate(f, rights, mode, offset, length);
	if (!result)
		notify_file(f, NOTIFY_MODIFY);
	file_put(f);
	return result;
}

static long
sync_handle(int fd, bool data_only)
{
	int error = 0;
	struct file *f = handle_get(fd, RIGHT_SYNC, &error);

	if (!f)
		return error;
	error = f->ops->sync ? f->ops->sync(f, data_only) : -EINVAL;
	file_put(f);
	return error;
}

long
linux_fsync(int fd)
{
	return sync_handle(fd, false);
}

long
linux_fdatasync(int fd)
{
	return sync_handle(fd, true);
}

/* Errors of writing are for those who ask for one file or file system. */
long
linux_sync(void)
{
	return backing_sync_all();
}

long
linux_syncfs(int fd)
{
	int error = 0, told;
	struct file *f = handle_get(fd, RIGHT_SYNC, &error);

	if (!f)
		return error;
	if (f->inode && f->inode->fs->backing)
		error = backing_sync(f->inode->fs->backing, true);
	told = file_system_error(f);
	file_put(f);
	return error ? error : told;
}

#define SYNC_FILE_RANGE_WAIT_BEFORE 1u
#define SYNC_FILE_RANGE_WRITE       2u
#define SYNC_FILE_RANGE_WAIT_AFTER  4u
#define SYNC_FILE_RANGE_ALL         7u

static int
sync_range(struct file *f, struct memory_object *o, uint64_t start, uint64_t end, unsigned int flags)
{
	int error = 0;

	if (flags & SYNC_FILE_RANGE_WAIT_BEFORE) {
		error = object_write_wait(o, start, end);
		if (!error)
			error = cached_file_error(f);
	}
	if (!error && (flags & SYNC_FILE_RANGE_WRITE))
		error = object_write_start(o, start, end, flags == SYNC_FILE_RANGE_ALL);
	if (!error && (flags & SYNC_FILE_RANGE_WAIT_AFTER)) {
		error = object_write_wait(o, start, end);
		if (!error)
			error = cached_file_error(f);
	}
	return error;
}

/* Have they contents that a cache may have pages of? */
static bool
is_cacheable(const struct file *f)
{
	return f->inode && !(f->mode & FILE_STREAM) && (S_ISREG(f->inode->mode) || S_ISBLK(f->inode->mode));
}

long
linux_sync_file_range(int fd, loff_t offset, loff_t length, unsigned int flags)
{
	int error = 0;
	struct file *f = handle_get(fd, RIGHT_SYNC, &error);

	if (!f)
		return error;
	if ((flags & ~SYNC_FILE_RANGE_ALL) || offset < 0 || length < 0 || offset > INT64_MAX - length)
		error = -EINVAL;
	else if ((f->mode & FILE_STREAM) || (f->inode && S_ISCHR(f->inode->mode)))
		error = -ESPIPE;
	else if (is_cacheable(f) && cached_file_object(f))
		error = sync_range(f, cached_file_object(f), (uint64_t)offset,
				   length ? (uint64_t)(offset + length) : UINT64_MAX, flags);
	file_put(f);
	return error;
}

enum { ADVICE_NORMAL, ADVICE_RANDOM, ADVICE_SEQUENTIAL, ADVICE_WILLNEED, ADVICE_DONTNEED, ADVICE_NOREUSE, ADVICES };

/* Pages that the range only touches may be wanted for the rest of them: they are kept when it is not. */
static void
file_advise(struct file *f, struct memory_object *o, uint64_t start, uint64_t end, int advice)
{
	switch (advice) {
	case ADVICE_NORMAL:
		cached_file_advise(f, READAHEAD_NORMAL);
		break;
	case ADVICE_RANDOM:
		cached_file_advise(f, READAHEAD_RANDOM);
		break;
	case ADVICE_SEQUENTIAL:
		cached_file_advise(f, READAHEAD_SEQUENTIAL);
		break;
	case ADVICE_WILLNEED:
		object_readahead(o, f, start / PAGE_SIZE, DIV_ROUND_UP(end, PAGE_SIZE) - start / PAGE_SIZE);
		break;
	case ADVICE_DONTNEED:
		(void)object_write_start(o, start, end, false);
		if (end < READ_ONCE(o->size))
			end = ALIGN_DOWN(end, PAGE_SIZE);
		(void)object_invalidate(o, ALIGN_UP(start, PAGE_SIZE), end, false);
		break;
	}
}

long
linux_fadvise64(int fd, loff_t offset, loff_t length, int advice)
{
	int error = 0;
	struct file *f = handle_get(fd, RIGHT_NONE, &error);
	uint64_t start = (uint64_t)offset, end = start + (uint64_t)length;

	if (!f)
		return error;
	if (f->inode && S_ISFIFO(f->inode->mode))
		error = -ESPIPE;
	else if (length < 0 || advice < 0 || advice >= ADVICES)
		error = -EINVAL;
	else if (is_cacheable(f) && cached_file_object(f) && offset >= 0)
		file_advise(f, cached_file_object(f), start, length && end <= INT64_MAX ? end : INT64_MAX, advice);
	file_put(f);
	return error;
}

long
linux_readahead(int fd, loff_t offset, size_t count)
{
	int error = 0;
	struct file *f = handle_get(fd, RIGHT_READ, &error);

	if (!f)
		return error;
	if (!is_cacheable(f) || (ssize_t)count < 0)
		error = -EINVAL;
	else if (cached_file_object(f) && offset >= 0)
		object_readahead(cached_file_object(f), f, (uint64_t)offset / PAGE_SIZE,
				 DIV_ROUND_UP((uint64_t)offset % PAGE_SIZE + count, PAGE_SIZE));
	file_put(f);
	return error;
}
