/* SPDX-License-Identifier: MIT */
/*
 * xattr.c - extended attributes by name, by name without following a link, and by handle.
 *
 * user.* belongs to files and directories, trusted.* to CAP_SYS_ADMIN, security.* and system.* to
 * the file system: xattr(7).
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/namespace.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/notify.h>

#include "file_caps.h"
#include "linux.h"
#include "user_name.h"

#define XATTR_NAME_MAX 255
#define XATTR_SIZE_MAX 65536
#define XATTR_FLAGS    3

/* The object of a call: a name (with or without the last link followed) or a handle. */
struct where {
	int fd;
	bool by_handle;
	const char __user *name;
	unsigned int lookup;
};

#define BY_NAME(n) ((struct where){ .name = (n), .lookup = LOOKUP_FOLLOW })
#define BY_LINK(n) ((struct where){ .name = (n) })
#define BY_HANDLE(n) ((struct where){ .by_handle = true, .fd = (n) })

/*
 * The place in the tree that a call means. -EOPNOTSUPP: a handle of something that has no place
 * there, such as an eventfd, and so no attributes.
 */
static long
find(struct where w, uint64_t rights, struct path *out)
{
	int error = 0;
	struct file *f;

	if (!w.by_handle)
		return user_path_lookup(AT_FDCWD, w.name, w.lookup, out);
	f = handle_get(w.fd, rights, &error);
	if (!f)
		return error;
	*out = (struct path){ f->mount, f->dentry };
	if (out->dentry)
		path_get(out);
	else
		error = -EOPNOTSUPP;
	file_put(f);
	return error;
}

static long
name_in(char *name, const char __user *uname)
{
	long n = copy_string_from_user(name, uname, XATTR_NAME_MAX + 1);

	if (n == 0 || n == -ENAMETOOLONG)
		return -ERANGE;
	return n < 0 ? n : 0;
}

static bool
starts_with(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* May the caller touch this attribute of `i`? */
static long
allowed(struct inode *i, const char *name, int mask)
{
	if ((mask & MAY_WRITE) && (READ_ONCE(i->attributes) & INODE_FROZEN))
		return -EPERM;
	if (strcmp(name, XATTR_CAPS) == 0) /* setting them asks for its own right */
		return 0;
	if (starts_with(name, "security.") && (mask & MAY_WRITE))
		return capable_in(i->fs->user_ns, CAP_SYS_ADMIN) ? 0 : -EPERM;
	if (starts_with(name, "security.") || starts_with(name, "system."))
		return 0;
	if (starts_with(name, "trusted.")) {
		if (capable(CAP_SYS_ADMIN))
			return 0;
		return mask & MAY_WRITE ? -EPERM : -ENODATA;
	}
	if (starts_with(name, "user.") && !S_ISREG(i->mode) && !S_ISDIR(i->mode))
		return mask & MAY_WRITE ? -EPERM : -ENODATA;
	/* Who may only put files into /tmp does not label /tmp. */
	if (starts_with(name, "user.") && S_ISDIR(i->mode) && (i->mode & S_ISVTX) && (mask & MAY_WRITE) &&
	    current_cred()->fsuid != i->uid && !inode_capable(i, CAP_FOWNER))
		return -EPERM;
	return vfs_permission(i, mask);
}

static long
put_value(struct inode *i, const char *name, const void *value, size_t size, int flags)
{
	if (!i->ops->set_xattr)
		return -EOPNOTSUPP;
	if (strcmp(name, XATTR_CAPS) == 0)
		return file_caps_set(i, value, size, flags);
	return i->ops->set_xattr(i, name, value, size, flags);
}

static long
get_value(struct inode *i, const char *name, void *value, size_t size)
{
	if (!i->ops->get_xattr)
		return -EOPNOTSUPP;
	if (strcmp(name, XATTR_CAPS) == 0)
		return file_caps_get(i, value, size);
	return i->ops->get_xattr(i, name, value, size);
}

/* The name and, for the caller to free, the value that are to be set. */
static long
value_in(char *name, const char __user *uname, void **value, const void __user *uvalue, size_t size,
	 int flags)
{
	long error;

	if (flags & ~XATTR_FLAGS)
		return -EINVAL;
	error = name_in(name, uname);
	if (error)
		return error;
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	*value = kmalloc(MAX(size, 1ul), 0);
	if (!*value)
		return -ENOMEM;
	return size ? copy_from_user(*value, uvalue, size) : 0;
}

static long
set(struct where w, const char __user *uname, const void __user *uvalue, size_t size, int flags)
{
	char name[XATTR_NAME_MAX + 1];
	void *value = NULL;
	struct inode *i;
	struct path p;
	long error = find(w, RIGHT_SET_ATTR, &p);

	if (error)
		return error;
	i = p.dentry->inode;
	if (mount_is_readonly(p.mount))
		error = -EROFS;
	if (!error)
		error = value_in(name, uname, &value, uvalue, size, flags);
	if (!error)
		error = allowed(i, name, MAY_WRITE);
	if (!error)
		error = put_value(i, name, value, size, flags);
	if (!error)
		notify_dentry(p.dentry, NOTIFY_ATTRIB);
	kfree(value);
	path_put(&p);
	return error;
}

static long
get(struct where w, const char __user *uname, void __user *uvalue, size_t size)
{
	char name[XATTR_NAME_MAX + 1];
	struct inode *i;
	struct path p;
	void *value;
	long n = find(w, RIGHT_STAT, &p);

	if (n)
		return n;
	i = p.dentry->inode;
	size = MIN(size, (size_t)XATTR_SIZE_MAX);
	value = kmalloc(MAX(size, 1ul), 0);
	n = value ? name_in(name, uname) : -ENOMEM;
	if (!n)
		n = allowed(i, name, MAY_READ);
	if (!n)
		n = get_value(i, name, value, size);
	if (n > 0 && size && copy_to_user(uvalue, value, (size_t)n))
		n = -EFAULT;
	kfree(value);
	path_put(&p);
	return n;
}

static long
list(struct where w, char __user *ulist, size_t size)
{
	struct inode *i;
	struct path p;
	char *buf;
	long n = find(w, RIGHT_STAT, &p);

	if (n)
		return n;
	i = p.dentry->inode;
	size = MIN(size, (size_t)XATTR_SIZE_MAX);
	buf = kmalloc(MAX(size, 1ul), 0);
	if (!buf)
		n = -ENOMEM;
	else if (i->ops->list_xattr)
		n = i->ops->list_xattr(i, buf, size);
	if (n > 0 && size && copy_to_user(ulist, buf, (size_t)n))
		n = -EFAULT;
	kfree(buf);
	path_put(&p);
	return n;
}

static long
drop(struct where w, const char __user *uname)
{
	char name[XATTR_NAME_MAX + 1];
	struct inode *i;
	struct path p;
	long error = find(w, RIGHT_SET_ATTR, &p);

	if (error)
		return error;
	i = p.dentry->inode;
	if (mount_is_readonly(p.mount))
		error = -EROFS;
	if (!error)
		error = name_in(name, uname);
	if (!error)
		error = allowed(i, name, MAY_WRITE);
	if (!error && strcmp(name, XATTR_CAPS) == 0 && !inode_capable(i, CAP_SETFCAP))
		error = -EPERM;
	if (!error)
		error = i->ops->remove_xattr ? i->ops->remove_xattr(i, name) : -EOPNOTSUPP;
	if (!error)
		notify_dentry(p.dentry, NOTIFY_ATTRIB);
	path_put(&p);
	return error;
}

long
linux_setxattr(const char __user *path, const char __user *name, const void __user *value,
	size_t size, int flags)
{
	return set(BY_NAME(path), name, value, size, flags);
}

long
linux_lsetxattr(const char __user *path, const char __user *name, const void __user *value,
	size_t size, int flags)
{
	return set(BY_LINK(path), name, value, size, flags);
}

long
linux_fsetxattr(int fd, const char __user *name, const void __user *value, size_t size, int flags)
{
	return set(BY_HANDLE(fd), name, value, size, flags);
}

long
linux_getxattr(const char __user *path, const char __user *name, void __user *value, size_t size)
{
	return get(BY_NAME(path), name, value, size);
}

long
linux_lgetxattr(const char __user *path, const char __user *name, void __user *value, size_t size)
{
	return get(BY_LINK(path), name, value, size);
}

long
linux_fgetxattr(int fd, const char __user *name, void __user *value, size_t size)
{
	return get(BY_HANDLE(fd), name, value, size);
}

long
linux_listxattr(const char __user *path, char __user *names, size_t size)
{
	return list(BY_NAME(path), names, size);
}

long
linux_llistxattr(const char __user *path, char __user *names, size_t size)
{
	return list(BY_LINK(path), names, size);
}

long
linux_flistxattr(int fd, char __user *names, size_t size)
{
	return list(BY_HANDLE(fd), names, size);
}

long
linux_removexattr(const char __user *path, const char __user *name)
{
	return drop(BY_NAME(path), name);
}

long
linux_lremovexattr(const char __user *path, const char __user *name)
{
	return drop(BY_LINK(path), name);
}

long
linux_fremovexattr(int fd, const char __user *name)
{
	return drop(BY_HANDLE(fd), name);
}
