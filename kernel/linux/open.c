/* SPDX-License-Identifier: MIT */
/*
 * open.c - open, openat, openat2, creat, close, close_range.
 */
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/process.h>
#include <tessera/slab.h>

#include "linux.h"
#include "open.h"
#include "open_flags.h"
#include "user_name.h"

struct linux_open_how {
	uint64_t flags, mode, resolve;
};

#define RESOLVE_NO_XDEV       0x01
#define RESOLVE_NO_MAGICLINKS 0x02
#define RESOLVE_NO_SYMLINKS   0x04
#define RESOLVE_BENEATH       0x08
#define RESOLVE_IN_ROOT       0x10
#define RESOLVE_CACHED        0x20

#define FASYNC      020000u
#define OPEN_FLAGS                                                                                 \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC |      \
	 O_DSYNC | FASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME |        \
	 O_CLOEXEC | O_PATH | O_TMPFILE)
#define PATH_FLAGS  (O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC)

uint32_t
open_flags_known(uint32_t flags)
{
	return (flags & OPEN_FLAGS) | (flags & O_PATH ? 0 : O_LARGEFILE);
}

int
open_flags_check(uint32_t *flags)
{
	if (*flags & O_PATH)
		*flags &= PATH_FLAGS;
	if ((*flags & (O_DIRECTORY | O_CREAT)) == (O_DIRECTORY | O_CREAT))
		return -EINVAL;
	if (((*flags & O_TMPFILE) == O_TMPFILE || (*flags & (O_TMPFILE & ~O_DIRECTORY))) &&
	    ((*flags & O_TMPFILE) != O_TMPFILE || !(*flags & O_ACCMODE) || (*flags & O_CREAT)))
		return -EINVAL;
	return 0;
}

/* Takes `name` over. */
static int
open_named(int dirfd, char *name, const struct open_request *r, struct file **out, uint64_t *rights)
{
	uint64_t removed = RIGHT_NONE;
	int error;

	if (dirfd >= 0 && *name != '/')
		removed = handle_rights_removed(current_process()->handles, dirfd);
	error = vfs_open(dirfd, name, r->flags, r->mode, r->lookup, out);
	kfree(name);
	if (!error)
		*rights = handle_rights_of(*out) & ~removed;
	return error;
}

int
open_file(int dirfd, const char __user *uname, struct open_request *r, struct file **out, uint64_t *rights)
{
	int error = open_flags_check(&r->flags);
	char *name;

	if (error)
		return error;
	name = user_name_get(uname);
	if (IS_ERR(name))
		return (int)PTR_ERR(name);
	return open_named(dirfd, name, r, out, rights);
}

static long
open_handle(int dirfd, const char __user *uname, struct open_request *r)
{
	struct handle_table *table = current_process()->handles;
	int error = open_flags_check(&r->flags), fd;
	uint64_t rights;
	struct file *f;
	char *name;

	if (error)
		return error;
	name = user_name_get(uname);
	if (IS_ERR(name))
		return PTR_ERR(name);
	fd = handle_reserve(table, 0,
		(uint32_t)MIN(
			process_limit(current_process(), RLIMIT_NOFILE), (uint64_t)INT32_MAX));
	if (fd < 0) {
		kfree(name);
		return fd;
	}
	error = open_named(dirfd, name, r, &f, &rights);
	if (error) {
		handle_unreserve(table, fd);
		return error;
	}
	handle_install(table, fd, f, rights, r->flags & O_CLOEXEC);
	return fd;
}

struct open_request
open_request_of(int flags, mode_t mode)
{
	/* Unknown bits were always ignored here. */
	return (struct open_request){
		.flags = open_flags_known((uint32_t)flags),
		.mode = mode & 07777,
	};
}

long
linux_openat(int dirfd, const char __user *name, int flags, mode_t mode)
{
	struct open_request r = open_request_of(flags, mode);

	return open_handle(dirfd, name, &r);
}

long
linux_open(const char __user *name, int flags, mode_t mode)
{
	return linux_openat(AT_FDCWD, name, flags, mode);
}

long
linux_creat(const char __user *name, mode_t mode)
{
	return linux_openat(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* The bytes of a bigger struct than ours must be zero: then the program asks nothing we do not
 * know. */
static int
check_tail(const char __user *tail, size_t n)
{
	while (n > 0) {
		char chunk[64];
		size_t part = MIN(n, sizeof(chunk));

		if (copy_from_user(chunk, tail, part))
			return -EFAULT;
		for (size_t i = 0; i < part; i++)
			if (chunk[i])
				return -E2BIG;
		tail += part;
		n -= part;
	}
	return 0;
}

int
open_request_read(const struct linux_open_how __user *uhow, size_t size, struct open_request *r)
{
	struct linux_open_how how;
	unsigned int lookup = 0;
	int error;

	if (size < sizeof(how))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	error = check_tail((const char __user *)uhow + sizeof(how), size - sizeof(how));
	if (error)
		return error;
	if (copy_from_user(&how, uhow, sizeof(how)))
		return -EFAULT;
	if ((how.flags & ~(uint64_t)OPEN_FLAGS) || (how.resolve & ~0x3full))
		return -EINVAL;
	if ((how.resolve & RESOLVE_BENEATH) && (how.resolve & RESOLVE_IN_ROOT))
		return -EINVAL;
	if (how.flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) {
		if (how.mode & ~07777ull)
			return -EINVAL;
	} else if (how.mode) {
		return -EINVAL;
	}
	if ((how.flags & (O_DIRECTORY | O_CREAT)) == (O_DIRECTORY | O_CREAT))
		return -EINVAL;
	if ((how.flags & O_PATH) && (how.flags & ~(uint64_t)PATH_FLAGS))
		return -EINVAL;
	if (how.resolve & RESOLVE_CACHED) {
		if (how.flags & (O_TRUNC | O_CREAT | (O_TMPFILE & ~O_DIRECTORY)))
			return -EAGAIN;
	}
	lookup |= how.resolve & RESOLVE_NO_XDEV ? LOOKUP_NO_XDEV : 0;
	lookup |= how.resolve & RESOLVE_NO_MAGICLINKS ? LOOKUP_NO_MAGICLINKS : 0;
	lookup |= how.resolve & RESOLVE_NO_SYMLINKS ? LOOKUP_NO_SYMLINKS : 0;
	lookup |= how.resolve & RESOLVE_BENEATH ? LOOKUP_BENEATH : 0;
	lookup |= how.resolve & RESOLVE_IN_ROOT ? LOOKUP_IN_ROOT : 0;
	if (!(how.flags & O_PATH))
		how.flags |= O_LARGEFILE;
	*r = (struct open_request){ (uint32_t)how.flags, (mode_t)how.mode, lookup };
	return 0;
}

long
linux_openat2(
	int dirfd, const char __user *name, const struct linux_open_how __user *uhow, size_t size)
{
	struct open_request r;
	int error = open_request_read(uhow, size, &r);

	return error ? error : open_handle(dirfd, name, &r);
}

long
linux_close(int fd)
{
	return handle_close(current_process()->handles, fd);
}

#define CLOSE_RANGE_UNSHARE 2u
#define CLOSE_RANGE_CLOEXEC 4u

/* A table of its own for the caller's process, when it shares one. */
static int
unshare_handles(void)
{
	struct process *p = current_process();
	struct handle_table *mine, *old = p->handles;

	if (!handle_table_is_shared(old))
		return 0;
	mine = handle_table_copy(old);
	if (!mine)
		return -ENOMEM;
	spin_lock(&p->lock);
	p->handles = mine;
	spin_unlock(&p->lock);
	handle_table_leave(old);
	return 0;
}

long
linux_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	int error;

	if ((flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) || first > last)
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE) {
		error = unshare_handles();
		if (error)
			return error;
	}
	return handle_close_range(
		current_process()->handles, first, last, flags & CLOSE_RANGE_CLOEXEC);
}
