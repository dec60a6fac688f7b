/* SPDX-License-Identifier: MIT */
/*
 * fcntl.c - dup, dup2, dup3, fcntl, flock.
 */
#include <tessera/async.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/file_lock.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/lease.h>
#include <tessera/notify.h>
#include <tessera/pid_namespace.h>
#include <tessera/pipe.h>
#include <tessera/process.h>
#include <tessera/signal.h>
#include <tessera/slab.h>

#include "linux.h"
#include "owner.h"

#define F_DUPFD         0
#define F_GETFD         1
#define F_SETFD         2
#define F_GETFL         3
#define F_SETFL         4
#define F_GETLK         5
#define F_SETLK         6
#define F_SETLKW        7
#define F_SETOWN        8
#define F_GETOWN        9
#define F_SETSIG        10
#define F_GETSIG        11
#define F_SETOWN_EX     15
#define F_GETOWN_EX     16
#define F_GETOWNER_UIDS 17
#define F_OFD_GETLK     36
#define F_OFD_SETLK     37
#define F_OFD_SETLKW    38
#define F_SETLEASE      1024
#define F_NOTIFY        1026
#define F_GETLEASE      1025
#define F_DUPFD_CLOEXEC 1030
#define F_SETPIPE_SZ    1031
#define F_GETPIPE_SZ    1032
#define F_ADD_SEALS     1033
#define F_GET_SEALS     1034
#define F_GET_RW_HINT   1035
#define F_SET_RW_HINT   1036
#define FD_CLOEXEC      1

struct linux_flock {
	int16_t type, whence;
	int32_t pad0;
	int64_t start, length;
	int32_t pid, pad1;
};

struct linux_owner {
	int32_t type, pid;
};

static uint32_t
fd_limit(void)
{
	return (uint32_t)MIN(process_limit(current_process(), RLIMIT_NOFILE), (uint64_t)INT32_MAX);
}

/* A duplicate at the lowest free number from `min` on. */
static long
duplicate(int fd, unsigned long min, bool cloexec)
{
	if (min >= fd_limit())
		return -EINVAL;
	return handle_dup(current_process()->handles, fd, (int)min, cloexec, fd_limit());
}

long
linux_dup(int fd)
{
	return handle_dup(current_process()->handles, fd, 0, false, fd_limit());
}

long
linux_dup3(int fd, int newfd, int flags)
{
	if (flags & ~(int)O_CLOEXEC)
		return -EINVAL;
	if (fd == newfd)
		return -EINVAL;
	return handle_dup_to(
		current_process()->handles, fd, newfd, flags & (int)O_CLOEXEC, fd_limit());
}

long
linux_dup2(int fd, int newfd)
{
	return handle_dup_to(current_process()->handles, fd, newfd, false, fd_limit());
}

#define SETTABLE (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

static long
set_flags(int fd, struct file *f, uint32_t flags)
{
	int error = 0;

	if (((flags ^ f->flags) & O_APPEND) && f->inode && (READ_ONCE(f->inode->attributes) & INODE_APPEND))
		return -EPERM;
	if ((flags & O_NOATIME) && !(f->flags & O_NOATIME) && f->inode &&
	    current_cred()->fsuid != f->inode->uid && !capable(CAP_FOWNER))
		return -EPERM;
	if ((flags & O_DIRECT) && !(f->flags & O_DIRECT) && f->inode && S_ISREG(f->inode->mode) && !f->ops->direct)
		return -EINVAL;
	if (f->ops->set_flags)
		error = f->ops->set_flags(f, flags);
	if (!error && ((flags ^ f->flags) & O_ASYNC))
		error = file_async_set(f, fd, flags & O_ASYNC);
	if (error && error != -ENOTTY)
		return error;
	spin_lock(&f->lock);
	f->flags = (f->flags & ~SETTABLE) | (flags & SETTABLE);
	spin_unlock(&f->lock);
	return 0;
}

/* struct flock to a range with inclusive end. */
static int
range_in(struct file *f, const struct linux_flock *l, struct file_lock_range *r)
{
	int64_t base = 0, start, end = INT64_MAX;

	if (l->type < 0 || l->type > 2)
		return -EINVAL;
	switch (l->whence) {
	case 0:
		break;
	case 1:
		base = f->position;
		break;
	case 2:
		base = f->inode->object ? (int64_t)f->inode->object->size : (int64_t)f->inode->size;
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, l->start, &start))
		return -EOVERFLOW;
	if (start < 0)
		return -EINVAL;
	if (l->length > 0) {
		if (__builtin_add_overflow(start, l->length - 1, &end))
			return -EOVERFLOW;
	} else if (l->length < 0) {
		end = start - 1;
		if (start + l->length < 0)
			return -EINVAL;
		start += l->length;
	}
	*r = (struct file_lock_range){
		.start = (uint64_t)start, .end = (uint64_t)end, .type = l->type};
	return 0;
}

static long
record_lock(struct file *f, unsigned int command, struct linux_flock __user *ul)
{
	bool ofd = command >= F_OFD_GETLK;
	bool test = command == F_GETLK || command == F_OFD_GETLK;
	struct file_lock_range r;
	struct linux_flock l;
	int error;

	if (copy_from_user(&l, ul, sizeof(l)))
		return -EFAULT;
	if (!f->inode)
		return -EINVAL;
	if (test && l.type != FILE_LOCK_READ && l.type != FILE_LOCK_WRITE)
		return -EINVAL;
	if (test && ofd && l.pid != 0)
		return -EINVAL;
	error = range_in(f, &l, &r);
	if (error)
		return error;
	if (!test) {
		if ((r.type == FILE_LOCK_READ && !(f->mode & FILE_READ)) ||
		    (r.type == FILE_LOCK_WRITE && !(f->mode & FILE_WRITE)))
			return -EBADF;
		if (ofd && l.pid != 0)
			return -EINVAL;
		return file_lock_set(f, &r, ofd, command == F_SETLKW || command == F_OFD_SETLKW);
	}
	error = file_lock_test(f, &r, ofd);
	if (error)
		return error;
	l.type = (int16_t)r.type;
	if (r.type != FILE_LOCK_UNLOCK) {
		l.whence = 0;
		l.start = (int64_t)r.start;
		l.length = r.end == INT64_MAX ? 0 : (int64_t)(r.end - r.start + 1);
		l.pid = pid_shown(r.pid);
	}
	return copy_to_user(ul, &l, sizeof(l));
}

#define OWNER_TID  0
#define OWNER_PID  1
#define OWNER_PGRP 2

/* pid 0 forgets the owner. */
static long
set_owner(struct file *f, int type, pid_t pid)
{
	struct pid_owner *fresh = kzalloc(sizeof(*fresh)), *old;

	if (!fresh)
		return -ENOMEM;
	if (pid && type != OWNER_PGRP) {
		struct thread *t = thread_find(pid);

		if (!t) {
			kfree(fresh);
			return -ESRCH;
		}
		thread_put(t);
	}
	fresh->type = type;
	fresh->pid = pid_given(pid);
	fresh->uid = current_cred()->uid;
	fresh->euid = current_cred()->euid;
	spin_lock(&f->lock);
	old = f->owner;
	if (old)
		fresh->signo = old->signo;
	f->owner = fresh;
	spin_unlock(&f->lock);
	kfree(old);
	return 0;
}

static struct pid_owner
get_owner(struct file *f)
{
	struct pid_owner o = { .type = OWNER_PID };

	spin_lock(&f->lock);
	if (f->owner)
		o = *f->owner;
	spin_unlock(&f->lock);
	return o;
}

long
file_owner_set(struct file *f, int who)
{
	if (who == INT32_MIN)
		return -EINVAL;
	return who < 0 ? set_owner(f, OWNER_PGRP, -who) : set_owner(f, OWNER_PID, who);
}

long
file_owner_get(struct file *f)
{
	struct pid_owner o = get_owner(f);

	return o.type == OWNER_PGRP ? -pid_shown(o.pid) : pid_shown(o.pid);
}

static long
set_signal(struct file *f, unsigned long signo)
{
	long error = 0;

	if (signo > SIGNAL_COUNT)
		return -EINVAL;
	if (!f->owner)
		error = set_owner(f, OWNER_PID, 0);
	if (error)
		return error;
	spin_lock(&f->lock);
	f->owner->signo = (int)signo;
	spin_unlock(&f->lock);
	return 0;
}

static long
owner_command(struct file *f, unsigned int command, uintptr_t arg)
{
	struct pid_owner o = get_owner(f);
	struct linux_owner ex;
	uid_t uids[2] = { o.uid, o.euid };

	switch (command) {
	case F_SETOWN:
		return file_owner_set(f, (int)arg);
	case F_GETOWN:
		return file_owner_get(f);
	case F_SETSIG:
		return set_signal(f, arg);
	case F_GETSIG:
		return o.signo;
	case F_GETOWNER_UIDS:
		return copy_to_user((void __user *)arg, uids, sizeof(uids));
	case F_SETOWN_EX:
		if (copy_from_user(&ex, (void __user *)arg, sizeof(ex)))
			return -EFAULT;
		if (ex.type < OWNER_TID || ex.type > OWNER_PGRP)
			return -EINVAL;
		return set_owner(f, ex.type, ex.pid);
	default:
		ex = (struct linux_owner){ o.type, pid_shown(o.pid) };
		return copy_to_user((void __user *)arg, &ex, sizeof(ex));
	}
}

#define SEAL_ALL (SEAL_SEAL | SEAL_SHRINK | SEAL_GROW | SEAL_WRITE | SEAL_FUTURE_WRITE)

static long
add_seals(struct file *f, unsigned int seals)
{
	struct inode *i = f->inode;
	long error = 0;

	if (!(f->mode & FILE_WRITE))
		return -EPERM;
	if (seals & ~SEAL_ALL)
		return -EINVAL;
	if (!i || !S_ISREG(i->mode) || !i->object || i->object->ops->page_mkwrite)
		return -EINVAL;
	write_lock(&i->lock);
	if (i->seals & SEAL_SEAL)
		error = -EPERM;
	else if ((seals & SEAL_WRITE) && !(i->seals & SEAL_WRITE) &&
		 atomic_load(&i->object->writable_mappings) > 0)
		error = -EBUSY;
	else
		i->seals |= seals;
	write_unlock(&i->lock);
	return error;
}

/* What an O_PATH handle allows too. True: *result is the answer. */
static bool
handle_command(int fd, struct file *f, unsigned int command, uintptr_t arg, long *result)
{
	struct handle_table *t = current_process()->handles;

	switch (command) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		*result = duplicate(fd, (unsigned int)arg, command == F_DUPFD_CLOEXEC);
		return true;
	case F_GETFD:
		*result = handle_get_cloexec(t, fd) > 0 ? FD_CLOEXEC : 0;
		return true;
	case F_SETFD:
		*result = handle_set_cloexec(t, fd, arg & FD_CLOEXEC);
		return true;
	case F_GETFL:
		*result = READ_ONCE(f->flags);
		return true;
	}
	return false;
}

#define WRITE_HINT_MAX 5

/* How long what is written may live: kept for who asks, of no use to file systems in memory. */
static long
write_hint(struct file *f, bool set, uint64_t __user *u)
{
	uint64_t hint;

	if (!f->inode)
		return -EINVAL;
	if (!set)
		return put_user((uint64_t)READ_ONCE(f->inode->write_hint), u);
	if (get_user(hint, u))
		return -EFAULT;
	if (hint > WRITE_HINT_MAX)
		return -EINVAL;
	WRITE_ONCE(f->inode->write_hint, (uint8_t)hint);
	return 0;
}

#define DN_MULTISHOT 0x80000000u

static long
directory_notify(struct file *f, int fd, uint32_t asked)
{
	static const uint32_t events[] = {
		NOTIFY_ACCESS,                   /* DN_ACCESS 1 */
		NOTIFY_MODIFY,                   /* DN_MODIFY 2 */
		NOTIFY_CREATE | NOTIFY_MOVED_TO, /* DN_CREATE 4 */
		NOTIFY_DELETE | NOTIFY_MOVED_FROM, /* DN_DELETE 8 */
		NOTIFY_RENAME,                   /* DN_RENAME 16 */
		NOTIFY_ATTRIB,                   /* DN_ATTRIB 32 */
	};
	uint32_t wanted = 0;

	if (!READ_ONCE(dnotify_enable))
		return -EINVAL;
	if (!(asked & ~DN_MULTISHOT)) {
		dnotify_closed(f, current_process()->handles);
		return 0;
	}
	for (size_t n = 0; n < ARRAY_SIZE(events); n++)
		if (asked & BIT(n))
			wanted |= events[n];
	return dnotify_set(f, fd, wanted, asked & DN_MULTISHOT);
}

static long
object_command(int fd, struct file *f, unsigned int command, uintptr_t arg)
{
	switch (command) {
	case F_SETFL:
		return set_flags(fd, f, (uint32_t)arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return record_lock(f, command, (struct linux_flock __user *)arg);
	case F_SETOWN:
	case F_GETOWN:
	case F_SETSIG:
	case F_GETSIG:
	case F_SETOWN_EX:
	case F_GETOWN_EX:
	case F_GETOWNER_UIDS:
		return owner_command(f, command, arg);
	case F_SETPIPE_SZ:
		return file_pipe(f) ? pipe_set_size(file_pipe(f), arg) : -EBADF;
	case F_GETPIPE_SZ:
		return file_pipe(f) ? pipe_size(file_pipe(f)) : -EBADF;
	case F_ADD_SEALS:
		return add_seals(f, (unsigned int)arg);
	case F_GET_SEALS:
		if (!f->inode || !S_ISREG(f->inode->mode) || !f->inode->object)
			return -EINVAL;
		return f->inode->seals;
	case F_GET_RW_HINT:
	case F_SET_RW_HINT:
		return write_hint(f, command == F_SET_RW_HINT, (uint64_t __user *)arg);
	case F_SETLEASE:
		return lease_set(f, fd, (int)arg);
	case F_GETLEASE:
		return lease_get(f);
	case F_NOTIFY:
		return directory_notify(f, fd, (uint32_t)arg);
	default:
		return -EINVAL;
	}
}

static uint64_t
right_for(unsigned int command)
{
	switch (command) {
	case F_SETFL:
		return RIGHT_SET_FLAGS;
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return RIGHT_LOCK;
	default:
		return RIGHT_NONE;
	}
}

/* Another thread may close the handle while we wait for a lock: then its close found nothing to drop. */
static bool
still_open(int fd, const struct file *f)
{
	struct file *now = handle_table_get(current_process()->handles, fd, NULL);

	if (now)
		file_put(now);
	return now == f;
}

long
linux_fcntl(int fd, unsigned int command, uintptr_t arg)
{
	uint64_t rights;
	struct file *f = handle_table_get(current_process()->handles, fd, &rights);
	long result;

	if (!f)
		return -EBADF;
	if (!handle_command(fd, f, command, arg, &result)) {
		if (f->mode & FILE_PATH)
			result = -EBADF;
		else if (right_for(command) & ~rights)
			result = -EPERM;
		else
			result = object_command(fd, f, command, arg);
	}
	if (result == 0 && (command == F_SETLK || command == F_SETLKW) && !still_open(fd, f)) {
		file_locks_close(f, current_process()->handles);
		result = -EBADF;
	}
	file_put(f);
	return result;
}

#define LOCK_SH 1u
#define LOCK_EX 2u
#define LOCK_NB 4u
#define LOCK_UN 8u
#define LOCK_MAND 32u

long
linux_flock(int fd, unsigned int command)
{
	int error = 0, type;
	struct file *f;

	if (command & LOCK_MAND)
		return 0; /* mandatory locks are gone from Linux, the call is not */
	switch (command & ~LOCK_NB) {
	case LOCK_SH:
		type = FILE_LOCK_READ;
		break;
	case LOCK_EX:
		type = FILE_LOCK_WRITE;
		break;
	case LOCK_UN:
		type = FILE_LOCK_UNLOCK;
		break;
	default:
		return -EINVAL;
	}
	f = handle_get(fd, RIGHT_LOCK, &error);
	if (!f)
		return error;
	if (!f->inode || (type != FILE_LOCK_UNLOCK && !(f->mode & (FILE_READ | FILE_WRITE))))
		error = -EBADF;
	else
		error = file_flock(f, type, !(command & LOCK_NB));
	file_put(f);
	return error;
}
