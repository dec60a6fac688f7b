/* SPDX-License-Identifier: MIT */
/*
 * names.c - mkdir, rmdir, mknod, link, symlink, readlink, unlink, rename.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "linux.h"
#include "user_name.h"

long
linux_mkdirat(int dirfd, const char __user *uname, mode_t mode)
{
	char *name = user_name_get(uname);
	long error;

	if (IS_ERR(name))
		return PTR_ERR(name);
	error = vfs_mkdir(dirfd, name, mode);
	kfree(name);
	return error;
}

long
linux_mkdir(const char __user *name, mode_t mode)
{
	return linux_mkdirat(AT_FDCWD, name, mode);
}

long
linux_mknodat(int dirfd, const char __user *uname, mode_t mode, unsigned int device)
{
	char *name = user_name_get(uname);
	dev_t d = DEV((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
	long error;

	if (IS_ERR(name))
		return PTR_ERR(name);
	error = vfs_mknod(dirfd, name, mode, d);
	kfree(name);
	return error;
}

long
linux_mknod(const char __user *name, mode_t mode, unsigned int device)
{
	return linux_mknodat(AT_FDCWD, name, mode, device);
}

long
linux_unlinkat(int dirfd, const char __user *uname, int flags)
{
	char *name;
	long error;

	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	name = user_name_get(uname);
	if (IS_ERR(name))
		return PTR_ERR(name);
	error = vfs_unlink(dirfd, name, flags & AT_REMOVEDIR);
	kfree(name);
	return error;
}

long
linux_unlink(const char __user *name)
{
	return linux_unlinkat(AT_FDCWD, name, 0);
}

long
linux_rmdir(const char __user *name)
{
	return linux_unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}

/* Copy two names in. On success both are to be freed. */
static long
two_names(const char __user *ua, const char __user *ub, char **a, char **b)
{
	*a = user_name_get(ua);
	if (IS_ERR(*a))
		return PTR_ERR(*a);
	*b = user_name_get(ub);
	if (IS_ERR(*b)) {
		kfree(*a);
		return PTR_ERR(*b);
	}
	return 0;
}

long
linux_symlinkat(const char __user *utarget, int dirfd, const char __user *uname)
{
	char *target, *name;
	long error = two_names(utarget, uname, &target, &name);

	if (error)
		return error;
	error = vfs_symlink(target, dirfd, name);
	kfree(target);
	kfree(name);
	return error;
}

long
linux_symlink(const char __user *target, const char __user *name)
{
	return linux_symlinkat(target, AT_FDCWD, name);
}

long
linux_linkat(int olddir, const char __user *uold, int newdir, const char __user *unew, int flags)
{
	char *old, *new_name;
	long error;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	/* Whoever has no right to link by handle may not even say that he might. */
	if ((flags & AT_EMPTY_PATH) && !capable(CAP_DAC_READ_SEARCH))
		return -ENOENT;
	error = two_names(uold, unew, &old, &new_name);
	if (error)
		return error;
	error = vfs_link(olddir, old, newdir, new_name, flags);
	kfree(old);
	kfree(new_name);
	return error;
}

long
linux_link(const char __user *old, const char __user *new_name)
{
	return linux_linkat(AT_FDCWD, old, AT_FDCWD, new_name, 0);
}

long
linux_renameat2(int olddir, const char __user *uold, int newdir, const char __user *unew,
	unsigned int flags)
{
	char *old, *new_name;
	long error = two_names(uold, unew, &old, &new_name);

	if (error)
		return error;
	error = vfs_rename(olddir, old, newdir, new_name, flags);
	kfree(old);
	kfree(new_name);
	return error;
}

long
linux_renameat(int olddir, const char __user *old, int newdir, const char __user *new_name)
{
	return linux_renameat2(olddir, old, newdir, new_name, 0);
}

long
linux_rename(const char __user *old, const char __user *new_name)
{
	return linux_renameat2(AT_FDCWD, old, AT_FDCWD, new_name, 0);
}

/* The text of a magic link is what it would lead to. */
static ssize_t
link_text(struct inode *i, char *buf, size_t size)
{
	if (!S_ISLNK(i->mode) || !i->ops->readlink)
		return -EINVAL;
	return i->ops->readlink(i, buf, size);
}

long
linux_readlinkat(int dirfd, const char __user *uname, char __user *buf, int size)
{
	char *name, *text;
	struct path p;
	ssize_t n;

	if (size <= 0)
		return -EINVAL;
	name = user_name_get(uname);
	if (IS_ERR(name))
		return PTR_ERR(name);
	n = path_lookup(dirfd, name, LOOKUP_EMPTY, &p);
	if (n == 0 && !*name && dirfd == AT_FDCWD) {
		path_put(&p);
		n = -ENOENT;
	}
	if (n == 0) {
		text = kmalloc(PATH_MAX, 0);
		n = text ? link_text(p.dentry->inode, text, PATH_MAX) : -ENOMEM;
		if (n == -EINVAL && !*name && !S_ISLNK(p.dentry->inode->mode))
			n = -ENOENT;
		if (n > 0) {
			n = MIN(n, (ssize_t)size);
			if (copy_to_user(buf, text, (size_t)n))
				n = -EFAULT;
		}
		kfree(text);
		path_put(&p);
	}
	kfree(name);
	return n;
}

long
linux_readlink(const char __user *name, char __user *buf, int size)
{
	return linux_readlinkat(AT_FDCWD, name, buf, size);
}
