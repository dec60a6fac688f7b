/* SPDX-License-Identifier: MIT */
/*
 * inotify.c - inotify_init, inotify_init1, inotify_add_watch, inotify_rm_watch.
 */
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/notify.h>
#include <tessera/slab.h>

#include "linux.h"
#include "user_name.h"

#define IN_ONLYDIR     0x01000000u
#define IN_DONT_FOLLOW 0x02000000u

#define KNOWN_BITS                                                                                  \
	(INOTIFY_EVENTS | NOTIFY_UNMOUNT | NOTIFY_OVERFLOW | INOTIFY_IGNORED | IN_ONLYDIR | IN_DONT_FOLLOW | \
	 INOTIFY_EXCL_UNLINK | INOTIFY_MASK_CREATE | INOTIFY_MASK_ADD | NOTIFY_DIR | INOTIFY_ONESHOT)

long
linux_inotify_init1(int flags)
{
	struct file *f;
	int fd;

	if ((uint32_t)flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	f = inotify_create((uint32_t)flags & O_NONBLOCK);
	if (IS_ERR(f))
		return PTR_ERR(f);
	fd = handle_open(f, handle_rights_of(f), (uint32_t)flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

long
linux_inotify_init(void)
{
	return linux_inotify_init1(0);
}

static long
add_watch(struct file *f, const char *name, uint32_t mask)
{
	struct path p;
	long r = path_lookup(AT_FDCWD, name,
			     (mask & IN_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW) |
				     (mask & IN_ONLYDIR ? LOOKUP_DIRECTORY : 0),
			     &p);

	if (r)
		return r;
	r = vfs_permission(p.dentry->inode, MAY_READ);
	if (!r)
		r = inotify_add(f, p.dentry->inode, mask);
	path_put(&p);
	return r;
}

long
linux_inotify_add_watch(int fd, const char __user *uname, uint32_t mask)
{
	int error = 0;
	uint64_t rights;
	struct file *f;
	char *name;
	long r;

	if (!(mask & KNOWN_BITS))
		return -EINVAL;
	f = handle_get_rights(fd, &rights, &error);
	if (!f)
		return error;
	r = -EINVAL;
	if (!((mask & INOTIFY_MASK_ADD) && (mask & INOTIFY_MASK_CREATE)) && file_is_inotify(f))
		r = handle_need(f, rights, RIGHT_READ);
	if (r)
		goto put;
	name = user_name_get(uname);
	r = IS_ERR(name) ? PTR_ERR(name) : add_watch(f, name, mask);
	if (!IS_ERR(name))
		kfree(name);
put:
	file_put(f);
	return r;
}

long
linux_inotify_rm_watch(int fd, int number)
{
	int error = 0;
	uint64_t rights;
	struct file *f = handle_get_rights(fd, &rights, &error);
	long r;

	if (!f)
		return error;
	r = file_is_inotify(f) ? handle_need(f, rights, RIGHT_READ) : -EINVAL;
	if (!r)
		r = inotify_remove(f, number);
	file_put(f);
	return r;
}
