/* SPDX-License-Identifier: MIT */
/*
 * mount_handles.c - mounts by handles: open_tree, move_mount, mount_setattr.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/namespace.h>
#include <tessera/string.h>

#include "linux.h"
#include "mount_flags.h"
#include "user_name.h"

#define AT_RECURSIVE    0x8000u
#define OPEN_TREE_CLONE 1u

long
install_or_put(struct file *f, bool cloexec)
{
	long fd = handle_open(f, RIGHT_ALL, cloexec);

	if (fd < 0)
		file_put(f);
	return fd;
}

static unsigned int
lookup_of_at(unsigned int flags)
{
	return (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
}

long
linux_open_tree(int dirfd, const char __user *name, unsigned int flags)
{
	const unsigned int known = AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW |
				   OPEN_TREE_CLONE | O_CLOEXEC;
	struct path p;
	struct file *f;
	long error;

	if ((flags & ~known) || (flags & (AT_RECURSIVE | OPEN_TREE_CLONE)) == AT_RECURSIVE)
		return -EINVAL;
	if ((flags & OPEN_TREE_CLONE) && !mount_may_change())
		return -EPERM;
	error = user_path_lookup(dirfd, name, lookup_of_at(flags), &p);
	if (error)
		return error;
	error = flags & OPEN_TREE_CLONE ? vfs_open_copy(&p, flags & AT_RECURSIVE, &f) : vfs_open_path(&p, &f);
	path_put(&p);
	return error ? error : install_or_put(f, flags & O_CLOEXEC);
}

#define MOVE_F_SYMLINKS 1u
#define MOVE_F_EMPTY    4u
#define MOVE_T_SYMLINKS 0x10u
#define MOVE_T_EMPTY    0x40u
#define MOVE_SET_GROUP  0x100u
#define MOVE_KNOWN      0x177u

long
linux_move_mount(int from_dirfd, const char __user *from_name, int to_dirfd, const char __user *to_name,
		 unsigned int flags)
{
	struct path from, to;
	long error;

	if (!mount_may_change())
		return -EPERM;
	if (flags & ~MOVE_KNOWN)
		return -EINVAL;
	error = user_path_lookup(from_dirfd, from_name,
				 (flags & MOVE_F_SYMLINKS ? LOOKUP_FOLLOW : 0) | (flags & MOVE_F_EMPTY ? LOOKUP_EMPTY : 0), &from);
	if (error)
		return error;
	error = user_path_lookup(to_dirfd, to_name,
				 (flags & MOVE_T_SYMLINKS ? LOOKUP_FOLLOW : 0) | (flags & MOVE_T_EMPTY ? LOOKUP_EMPTY : 0), &to);
	if (!error) {
		error = flags & MOVE_SET_GROUP ? vfs_share_group(&from, &to) : vfs_move_mount(&from, &to);
		path_put(&to);
	}
	path_put(&from);
	return error;
}

/* --- mount_setattr ---------------------------------------------------------------------------- */

struct linux_mount_attr {
	uint64_t set, clear, propagation, user_ns;
};

_Static_assert(sizeof(struct linux_mount_attr) == 32, "struct mount_attr");

#define MS_UNBINDABLE 0x20000u
#define MS_PRIVATE    0x40000u
#define MS_SLAVE      0x80000u
#define MS_SHARED     0x100000u

/* What a later kernel's caller may know more must be zero. */
static long
copy_attr(struct linux_mount_attr *a, const void __user *u, size_t size)
{
	const char __user *tail = (const char __user *)u + sizeof(*a);
	char byte;

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < sizeof(*a))
		return -EINVAL;
	if (!mount_may_change())
		return -EPERM;
	for (size_t i = 0; i < size - sizeof(*a); i++) {
		if (copy_from_user(&byte, tail + i, 1))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return copy_from_user(a, u, sizeof(*a)) ? -EFAULT : 0;
}

static long
propagation(uint64_t what, struct mount_change *c)
{
	c->propagates = what != 0;
	switch (what) {
	case 0:
		return 0;
	case MS_SHARED:
		c->to = MOUNT_SHARED;
		return 0;
	case MS_SLAVE:
		c->to = MOUNT_SLAVE;
		return 0;
	case MS_PRIVATE:
		c->to = MOUNT_PRIVATE;
		return 0;
	case MS_UNBINDABLE:
		c->to = MOUNT_UNBINDABLE;
		return 0;
	}
	return -EINVAL;
}

/* Times of access are one value, which is set only together with clearing the whole. */
static long
access_times(const struct linux_mount_attr *a, struct mount_change *c)
{
	if (!(a->clear & ATTR_ACCESS))
		return a->set & ATTR_ACCESS ? -EINVAL : 0;
	if ((a->clear & ATTR_ACCESS) != ATTR_ACCESS)
		return -EINVAL;
	c->clear |= MOUNT_RELATIME | MOUNT_NOATIME;
	return mount_flags_access(a->set, &c->set);
}

/* To be mapped, a mount needs a user namespace that may be meant; no file system here can be shown so. */
static long
id_mapped(const struct linux_mount_attr *a)
{
	struct namespace *ns;
	struct file *f;
	long error = -EINVAL;
	int bad;

	if (!((a->set | a->clear) & ATTR_IDMAP))
		return 0;
	if ((a->clear & ATTR_IDMAP) || a->user_ns > INT32_MAX)
		return -EINVAL;
	f = handle_get((int)a->user_ns, 0, &bad);
	if (!f)
		return -EBADF;
	ns = nsfs_namespace(f);
	if (ns && ns->kind == NAMESPACE_USER &&
	    (user_namespace_of(ns) == &init_user_namespace || !capable_in(user_namespace_of(ns), CAP_SYS_ADMIN)))
		error = -EPERM;
	file_put(f);
	return error;
}

static long
decode(const struct linux_mount_attr *a, struct mount_change *c)
{
	long error = propagation(a->propagation, c);

	if (error)
		return error;
	if ((a->set | a->clear) & ~ATTR_KNOWN)
		return -EINVAL;
	c->set = mount_flags_of_attr(a->set);
	c->clear = mount_flags_of_attr(a->clear);
	error = access_times(a, c);
	return error ? error : id_mapped(a);
}

long
linux_mount_setattr(int dirfd, const char __user *name, unsigned int flags, const void __user *attr, size_t size)
{
	struct mount_change c = { .recursive = flags & AT_RECURSIVE };
	struct linux_mount_attr a;
	struct path p;
	long error;

	if (flags & ~(AT_EMPTY_PATH | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT))
		return -EINVAL;
	error = copy_attr(&a, attr, size);
	if (error)
		return error;
	if (!a.set && !a.clear && !a.propagation)
		return 0;
	error = decode(&a, &c);
	if (error)
		return error;
	error = user_path_lookup(dirfd, name, lookup_of_at(flags), &p);
	if (error)
		return error;
	error = vfs_change_mount(&p, &c);
	path_put(&p);
	return error;
}
