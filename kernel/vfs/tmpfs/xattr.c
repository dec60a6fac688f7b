/* SPDX-License-Identifier: MIT */
/*
 * xattr.c - extended attributes of tmpfs: trusted.*, security.* and the access control lists in system.*, as
 * Linux's; user.* is refused.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/posix_acl.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "tmpfs.h"

#define XATTR_CREATE  1
#define XATTR_REPLACE 2

static bool
starts_with(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool
supported(const char *name)
{
	return starts_with(name, "trusted.") || starts_with(name, "security.");
}

static bool
is_acl(const char *name)
{
	return strcmp(name, POSIX_ACL_ACCESS) == 0 || strcmp(name, POSIX_ACL_DEFAULT) == 0;
}

static bool
is_default(const char *name)
{
	return strcmp(name, POSIX_ACL_DEFAULT) == 0;
}

static struct tmpfs_xattr *
find(struct tmpfs_inode *t, const char *name)
{
	struct tmpfs_xattr *x;

	list_for_each(x, &t->xattrs, node)
		if (strcmp(x->name, name) == 0)
			return x;
	return NULL;
}

static void
drop(struct tmpfs_xattr *x)
{
	list_del(&x->node);
	kfree(x->name);
	kfree(x);
}

ssize_t
tmpfs_get_xattr(struct inode *i, const char *name, void *buf, size_t size)
{
	struct tmpfs_inode *t = tmpfs_inode_of(i);
	struct tmpfs_xattr *x;
	ssize_t n = -ENODATA;

	if (is_acl(name))
		return posix_acl_get_xattr(i, is_default(name), buf, size);
	if (!supported(name))
		return -EOPNOTSUPP;
	mutex_lock(&t->xattrs_lock);
	x = find(t, name);
	if (x) {
		n = (ssize_t)x->size;
		if (size && x->size > size)
			n = -ERANGE;
		else if (size)
			memcpy(buf, x->value, x->size);
	}
	mutex_unlock(&t->xattrs_lock);
	return n;
}

int
tmpfs_set_xattr(struct inode *i, const char *name, const void *buf, size_t size, int flags)
{
	struct tmpfs_inode *t = tmpfs_inode_of(i);
	struct tmpfs_xattr *x, *old;
	int error = 0;

	if (is_acl(name))
		return posix_acl_set_xattr(i, is_default(name), buf, size);
	if (!supported(name))
		return -EOPNOTSUPP;
	x = kmalloc(sizeof(*x) + size, 0);
	if (!x)
		return -ENOMEM;
	x->size = size;
	x->name = kstrdup(name);
	if (!x->name) {
		kfree(x);
		return -ENOMEM;
	}
	memcpy(x->value, buf, size);
	mutex_lock(&t->xattrs_lock);
	old = find(t, name);
	if (old && (flags & XATTR_CREATE))
		error = -EEXIST;
	else if (!old && (flags & XATTR_REPLACE))
		error = -ENODATA;
	if (!error) {
		list_add_tail(&t->xattrs, &x->node);
		if (old)
			drop(old);
	}
	mutex_unlock(&t->xattrs_lock);
	if (error) {
		kfree(x->name);
		kfree(x);
	} else {
		i->changed = inode_now();
	}
	return error;
}

/* One more name at buf + *at. 0 or -ERANGE. */
static int
list_one(const char *name, char *buf, size_t size, size_t *at)
{
	size_t n = strlen(name) + 1;

	if (size) {
		if (*at + n > size)
			return -ERANGE;
		memcpy(buf + *at, name, n);
	}
	*at += n;
	return 0;
}

ssize_t
tmpfs_list_xattr(struct inode *i, char *buf, size_t size)
{
	struct tmpfs_inode *t = tmpfs_inode_of(i);
	struct tmpfs_xattr *x;
	size_t at = 0;
	int error = 0;

	if (READ_ONCE(i->acl))
		error = list_one(POSIX_ACL_ACCESS, buf, size, &at);
	if (!error && READ_ONCE(i->default_acl))
		error = list_one(POSIX_ACL_DEFAULT, buf, size, &at);
	mutex_lock(&t->xattrs_lock);
	list_for_each(x, &t->xattrs, node)
		if (!error && (!starts_with(x->name, "trusted.") || capable(CAP_SYS_ADMIN)))
			error = list_one(x->name, buf, size, &at);
	mutex_unlock(&t->xattrs_lock);
	return error ? error : (ssize_t)at;
}

int
tmpfs_remove_xattr(struct inode *i, const char *name)
{
	struct tmpfs_inode *t = tmpfs_inode_of(i);
	struct tmpfs_xattr *x;

	if (is_acl(name))
		return posix_acl_set_xattr(i, is_default(name), NULL, 0);
	if (!supported(name))
		return -EOPNOTSUPP;
	mutex_lock(&t->xattrs_lock);
	x = find(t, name);
	if (x)
		drop(x);
	mutex_unlock(&t->xattrs_lock);
	if (x)
		i->changed = inode_now();
	return x ? 0 : -ENODATA;
}

void
tmpfs_free_xattrs(struct inode *i)
{
	struct tmpfs_xattr *x, *tmp;

	list_for_each_safe(x, tmp, &tmpfs_inode_of(i)->xattrs, node)
		drop(x);
}
