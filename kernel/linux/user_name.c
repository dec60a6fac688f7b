/* SPDX-License-Identifier: MIT */
/*
 * user_name.c - copying path names in.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

#include "user_name.h"

char *
user_name_get(const char __user *name)
{
	char *copy = kmalloc(PATH_MAX, 0);
	long n;

	if (!copy)
		return ERR_PTR(-ENOMEM);
	n = copy_string_from_user(copy, name, PATH_MAX);
	if (n >= 0)
		return copy;
	kfree(copy);
	return ERR_PTR(n);
}

char *
user_string_get(const char __user *u, size_t size)
{
	char *s = kmalloc(size, 0);
	long n;

	if (!s)
		return ERR_PTR(-ENOMEM);
	n = copy_string_from_user(s, u, size);
	if (n >= 0)
		return s;
	kfree(s);
	return ERR_PTR(n == -ENAMETOOLONG ? -EINVAL : n);
}

long
user_path_lookup(int dirfd, const char __user *uname, unsigned int flags, struct path *out)
{
	char *name = user_name_get(uname);
	long error;

	if (IS_ERR(name))
		return PTR_ERR(name);
	error = path_lookup(dirfd, name, flags, out);
	kfree(name);
	return error;
}
