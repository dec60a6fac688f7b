/* SPDX-License-Identifier: MIT */
/*
 * ioctl.c - the commands that every open object knows; the rest is the object's.
 */
#include <tessera/async.h>
#include <tessera/block.h>
#include <tessera/errno.h>
#include <tessera/cred.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/namespace.h>
#include <tessera/poll.h>
#include <tessera/process.h>
#include <tessera/socket.h>
#include <tessera/tun.h>
#include <tessera/vduse.h>

#include "block.h"
#include "linux.h"
#include "socket.h"
#include "owner.h"
#include "tun.h"
#include "vduse.h"

#define FIONREAD  0x541bu
#define FIONBIO   0x5421u
#define FIOASYNC  0x5452u
#define FIONCLEX  0x5450u
#define FIOCLEX   0x5451u
#define FIOQSIZE  0x5460u
#define FIGETBSZ  2u
#define FIBMAP    1u

#define FS_IOC_FIEMAP 0xc020660bu
#define FICLONE       0x40049409u
#define FICLONERANGE  0x4020940du
#define FIDEDUPERANGE 0xc0189436u
#define FIFREEZE      0xc0045877u
#define FITHAW        0xc0045878u

#define FIOSETOWN  0x8901u
#define SIOCSPGRP  0x8902u
#define FIOGETOWN  0x8903u
#define SIOCGPGRP  0x8904u
#define SIOCATMARK 0x8905u
#define SIOCUNIXFILE 0x89e0u

#define TFD_IOC_SET_TICKS 0x40085400u

struct linux_clone_range {
	int64_t source;
	uint64_t source_offset, length, offset;
};

static long
set_flag(struct file *f, uint32_t flag, int __user *arg)
{
	int on, error = 0;
	uint32_t flags;

	if (get_user(on, arg))
		return -EFAULT;
	flags = on ? f->flags | flag : f->flags & ~flag;
	if (f->ops->set_flags)
		error = f->ops->set_flags(f, flags);
	if (error)
		return error;
	spin_lock(&f->lock);
	f->flags = on ? f->flags | flag : f->flags & ~flag;
	spin_unlock(&f->lock);
	return 0;
}

static long
set_async(int fd, struct file *f, int __user *arg)
{
	int on;

	if (get_user(on, arg))
		return -EFAULT;
	return !on == !(f->flags & O_ASYNC) ? 0 : file_async_set(f, fd, on);
}

/* Bytes in use, of what has any on a disk. */
static long
quota_size(struct file *f, loff_t __user *out)
{
	struct file_stat st;
	mode_t mode = f->inode->mode;
	long error;

	if (!S_ISREG(mode) && !S_ISDIR(mode) && !S_ISLNK(mode))
		return -ENOTTY;
	error = vfs_stat(&(struct path){ f->mount, f->dentry }, &st);
	return error ? error : put_user((loff_t)(st.blocks * 512), out);
}

static long
may_clone(const struct file *from, const struct file *to)
{
	if (S_ISDIR(from->inode->mode) || S_ISDIR(to->inode->mode))
		return -EISDIR;
	if (!S_ISREG(from->inode->mode) || !S_ISREG(to->inode->mode))
		return -EINVAL;
	if (!(from->mode & FILE_READ) || !(to->mode & FILE_WRITE) || (to->flags & O_APPEND))
		return -EBADF;
	return -EOPNOTSUPP;
}

/* Sharing blocks: no file system here does, and what is asked must still make sense. */
static long
clone_from(struct file *f, long source)
{
	int error = 0;
	struct file *from = handle_get((int)source, RIGHT_NONE, &error);
	long result;

	if (!from)
		return error;
	result = !from->inode || from->inode->fs != f->inode->fs ? -EXDEV : may_clone(from, f);
	file_put(from);
	return result;
}

static long
clone_range(struct file *f, const struct linux_clone_range __user *urange)
{
	struct linux_clone_range range;

	if (copy_from_user(&range, urange, sizeof(range)))
		return -EFAULT;
	return clone_from(f, (long)range.source);
}

/* What every file of a file system answers. False: it is for the object to say. */
static bool
any_file(struct file *f, unsigned int command, uintptr_t arg, long *result)
{
	switch (command) {
	case FIGETBSZ:
		*result = put_user((int)PAGE_SIZE, (int __user *)arg);
		return true;
	case FIOQSIZE:
		*result = quota_size(f, (loff_t __user *)arg);
		return true;
	case FS_IOC_FIEMAP:
	case FIDEDUPERANGE:
		*result = -EOPNOTSUPP;
		return true;
	case FICLONE:
		*result = clone_from(f, (long)arg);
		return true;
	case FICLONERANGE:
		*result = clone_range(f, (const void __user *)arg);
		return true;
	case FIFREEZE:
	case FITHAW:
		*result = !capable(CAP_SYS_ADMIN) ? -EPERM : command == FIFREEZE ? -EOPNOTSUPP : -EINVAL;
		return true;
	}
	return false;
}

/* Which block of its disk a block of the file is. */
static long
block_number(struct inode *i, int __user *arg)
{
	uint64_t block;
	int n, error;

	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (!i->ops->bmap)
		return -EINVAL;
	if (get_user(n, arg))
		return -EFAULT;
	if (n < 0)
		return -EINVAL;
	error = i->ops->bmap(i, (uint64_t)n, PAGE_SIZE, &block);
	if (!error && block > INT32_MAX)
		error = -ERANGE;
	if (put_user(error ? 0 : (int)block, arg))
		return -EFAULT;
	return error;
}

static long
regular_file(struct file *f, unsigned int command, uintptr_t arg)
{
	switch (command) {
	case FIONREAD:
		return put_user((int)((loff_t)f->inode->object->size - f->position), (int __user *)arg);
	case FIBMAP:
		return block_number(f->inode, (int __user *)arg);
	}
	return f->ops->own_ioctl ? f->ops->ioctl(f, command, arg) : -ENOTTY;
}

/* A handle of what the socket is bound to, as if opened with O_PATH; by now it may have another name, or none. */
static long
open_bound(struct socket *s)
{
	struct path p;
	struct file *bound;
	int error = -EPERM, fd;

	if (capable_in(s->net->owner, CAP_NET_ADMIN))
		error = s->ops->bound_path(s, &p);
	if (error)
		return error;
	error = vfs_open_path(&p, &bound);
	path_put(&p);
	if (error)
		return error;
	fd = handle_open(bound, RIGHT_ALL, true);
	if (fd < 0)
		file_put(bound);
	return fd;
}

static long
socket_command(struct file *f, unsigned int command, uintptr_t arg)
{
	struct socket *s = file_socket(f);
	long result;
	int n;

	switch (command) {
	case FIOSETOWN:
	case SIOCSPGRP:
		if (get_user(n, (int __user *)arg))
			return -EFAULT;
		return file_owner_set(f, n);
	case FIOGETOWN:
	case SIOCGPGRP:
		return put_user((int)file_owner_get(f), (int __user *)arg);
	case SIOCATMARK:
		if (!s->ops->at_mark)
			return -EOPNOTSUPP;
		return put_user((int)s->ops->at_mark(s), (int __user *)arg);
	case SIOCUNIXFILE:
		return s->ops->bound_path ? open_bound(s) : -ENOTTY;
	}
	result = socket_network_command(s, command, arg);
	return result == -ENOTTY ? f->ops->ioctl(f, command, arg) : result;
}

/* Make the program believe that a timer expired so often: for who restores a saved one. */
static long
set_ticks(struct file *f, const uint64_t __user *arg)
{
	uint64_t n;

	if (get_user(n, arg))
		return -EFAULT;
	if (n == 0)
		return -EINVAL;
	timerfd_set_expirations(f, n);
	return 0;
}

static long
object_command(struct file *f, unsigned int command, uintptr_t arg)
{
	long result;

	if (f->inode && (any_file(f, command, arg, &result) ||
			 (!f->ops->own_ioctl && inode_flags_command(f, command, arg, &result))))
		return result;
	if (f->inode && S_ISREG(f->inode->mode) && f->inode->object)
		return regular_file(f, command, arg);
	if (command == TFD_IOC_SET_TICKS && file_is_timerfd(f))
		return set_ticks(f, (const uint64_t __user *)arg);
	if (file_block_device(f))
		return block_command(f, command, arg);
	if (file_is_loop_control(f))
		return loop_control_command(command, arg);
	if (file_tun(f))
		return tun_command(file_tun(f), command, arg);
	if (file_vduse(f))
		return vduse_command(file_vduse(f), command, arg);
	if (file_is_vduse_control(f))
		return vduse_control_command(command, arg);
	if (file_socket(f))
		return socket_command(f, command, arg);
	return f->ops->ioctl ? f->ops->ioctl(f, command, arg) : -ENOTTY;
}

long
linux_ioctl(int fd, unsigned int command, uintptr_t arg)
{
	int error = 0;
	uint64_t rights;
	struct file *f = handle_get_rights(fd, &rights, &error);
	long result = -EPERM;

	if (!f)
		return error;
	switch (command) {
	case FIOCLEX:
	case FIONCLEX:
		result = handle_set_cloexec(current_process()->handles, fd, command == FIOCLEX);
		break;
	case FIONBIO:
		if (rights & RIGHT_SET_FLAGS)
			result = set_flag(f, O_NONBLOCK, (int __user *)arg);
		break;
	case FIOASYNC:
		if (rights & RIGHT_SET_FLAGS)
			result = set_async(fd, f, (int __user *)arg);
		break;
	default:
		if (rights & RIGHT_CONTROL)
			result = object_command(f, command, arg);
	}
	file_put(f);
	return result;
}
