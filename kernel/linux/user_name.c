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

/* A copy in `size` bytes of memory; ERR_PTR: -EFAULT, -ENOMEM, -ENAMETOOLONG. */
static char *
copy_in(const char __user *u, size_t size)
{
	char *copy = kmalloc(size, 0);
	long n;

	if (!copy)
		return ERR_PTR(-ENOMEM);
	n = copy_string_from_user(copy, u, size);
	if (likely(n >= 0))
		return copy;
	kfree(copy);
	return ERR_PTR(n);
}

#define USUAL 128 /* most names fit, and a page for each would cost more than to copy a long one twice */

char *
user_name_get(const char __user *name)
{
	char *copy = copy_in(name, USUAL);

	return likely(copy != ERR_PTR(-ENAMETOOLONG)) ? copy : copy_in(name, PATH_MAX);
}

char *
user_string_get(const char __user *u, size_t size)
{
	char *s = copy_in(u, size);

	return s == ERR_PTR(-ENAMETOOLONG) ? ERR_PTR(-EINVAL) : s;
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
