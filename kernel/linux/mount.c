/* SPDX-License-Identifier: MIT */
/*
 * mount.c - mount, umount2, pivot_root, sysfs.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "linux.h"
#include "user_name.h"

#define MS_RDONLY      0x1ul
#define MS_NOSUID      0x2ul
#define MS_NODEV       0x4ul
#define MS_NOEXEC      0x8ul
#define MS_REMOUNT     0x20ul
#define MS_NOSYMFOLLOW 0x100ul
#define MS_NOATIME     0x400ul
#define MS_NODIRATIME  0x800ul
#define MS_BIND        0x1000ul
#define MS_MOVE        0x2000ul
#define MS_REC         0x4000ul
#define MS_SILENT      0x8000ul
#define MS_UNBINDABLE  0x20000ul
#define MS_PRIVATE     0x40000ul
#define MS_SLAVE       0x80000ul
#define MS_SHARED      0x100000ul
#define MS_RELATIME    0x200000ul
#define MS_STRICTATIME 0x1000000ul
#define MS_NOUSER      (1ul << 31)
#define MS_ATIME       (MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME)
#define ATIME_FLAGS    ((uint32_t)(MOUNT_NOATIME | MOUNT_NODIRATIME | MOUNT_RELATIME))
#define MS_MAGIC       0xc0ed0000ul
#define MS_MAGIC_MASK  0xffff0000ul
#define MS_PROPAGATION (MS_UNBINDABLE | MS_PRIVATE | MS_SLAVE | MS_SHARED)

static uint32_t
mount_flags(unsigned long flags)
{
	uint32_t m = 0;

	m |= flags & MS_RDONLY ? MOUNT_READONLY : 0;
	m |= flags & MS_NOSUID ? MOUNT_NOSUID : 0;
	m |= flags & MS_NODEV ? MOUNT_NODEV : 0;
	m |= flags & MS_NOEXEC ? MOUNT_NOEXEC : 0;
	m |= flags & MS_NOSYMFOLLOW ? MOUNT_NOSYMFOLLOW : 0;
	m |= flags & MS_NODIRATIME ? MOUNT_NODIRATIME : 0;
	if (flags & MS_STRICTATIME)
		return m;
	return m | (flags & MS_NOATIME ? MOUNT_NOATIME : MOUNT_RELATIME);
}

/* A string argument that may be absent. Up to a page for options. */
static long
optional(const char __user *u, char **out)
{
	*out = NULL;
	if (!u)
		return 0;
	*out = user_name_get(u);
	return IS_ERR(*out) ? PTR_ERR(*out) : 0;
}

static long
from_source(const char *source, const struct path *where, unsigned long flags)
{
	struct path from;
	long error;

	if (!source || !*source)
		return -EINVAL;
	error = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &from);
	if (error)
		return error;
	error = flags & MS_MOVE ? vfs_move_mount(&from, where)
				: vfs_bind(&from, where, flags & MS_REC);
	path_put(&from);
	return error;
}

/* Exactly one kind, and nothing else but MS_REC and MS_SILENT. */
static long
change_propagation(const struct path *where, unsigned long flags)
{
	bool recursive = flags & MS_REC;

	switch (flags & ~(MS_REC | MS_SILENT)) {
	case MS_SHARED:
		return vfs_change_propagation(where, MOUNT_SHARED, recursive);
	case MS_SLAVE:
		return vfs_change_propagation(where, MOUNT_SLAVE, recursive);
	case MS_PRIVATE:
		return vfs_change_propagation(where, MOUNT_PRIVATE, recursive);
	case MS_UNBINDABLE:
		return vfs_change_propagation(where, MOUNT_UNBINDABLE, recursive);
	}
	return -EINVAL;
}

static long
mount_at(const char *source, const struct path *where, const char *type, unsigned long flags,
	 const char *options)
{
	uint32_t fresh = mount_flags(flags);

	if ((flags & MS_REMOUNT) && !(flags & MS_ATIME)) /* not named: they stay */
		fresh = (fresh & ~ATIME_FLAGS) | (READ_ONCE(where->mount->flags) & ATIME_FLAGS);
	if ((flags & (MS_REMOUNT | MS_BIND)) == (MS_REMOUNT | MS_BIND))
		return vfs_remount_bind(where, fresh);
	if (flags & MS_REMOUNT)
		return vfs_remount(where, fresh, flags & MS_RDONLY, options);
	if (flags & MS_BIND)
		return from_source(source, where, flags & ~MS_MOVE);
	if (flags & MS_PROPAGATION)
		return change_propagation(where, flags);
	if (flags & MS_MOVE)
		return from_source(source, where, flags);
	if (!type)
		return -EINVAL;
	return vfs_mount(source, where, type, fresh, flags & MS_RDONLY, options);
}

long
linux_mount(const char __user *usource, const char __user *uwhere, const char __user *utype,
	    unsigned long flags, const void __user *data)
{
	char *source = NULL, *type = NULL, *options = NULL;
	struct path where;
	long error;

	if ((flags & MS_MAGIC_MASK) == MS_MAGIC)
		flags &= ~MS_MAGIC_MASK;
	error = optional(utype, &type);
	if (error)
		return error;
	error = optional(usource, &source);
	if (error)
		goto free_type;
	error = optional(data, &options);
	if (error)
		goto free_source;
	error = user_path_lookup(AT_FDCWD, uwhere, LOOKUP_FOLLOW, &where);
	if (error)
		goto free_options;
	if (flags & MS_NOUSER)
		error = -EINVAL;
	else
		error = mount_may_change() ? mount_at(source, &where, type, flags, options) : -EPERM;
	path_put(&where);
free_options:
	kfree(options);
free_source:
	kfree(source);
free_type:
	kfree(type);
	return error;
}

#define UMOUNT_NOFOLLOW 8
#define UMOUNT_KNOWN    15

long
linux_umount2(const char __user *uname, int flags)
{
	struct path p;
	long error;

	if (flags & ~UMOUNT_KNOWN)
		return -EINVAL;
	error = user_path_lookup(AT_FDCWD, uname, flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW, &p);
	if (error)
		return error;
	return vfs_unmount(&p, flags & ~UMOUNT_NOFOLLOW);
}

long
linux_pivot_root(const char __user *unew, const char __user *uold)
{
	char *new_name = user_name_get(unew), *old_name;
	struct path new_root, old;
	long error;

	if (IS_ERR(new_name))
		return PTR_ERR(new_name);
	old_name = user_name_get(uold);
	if (IS_ERR(old_name)) {
		kfree(new_name);
		return PTR_ERR(old_name);
	}
	error = mount_may_change() ? 0 : -EPERM;
	if (!error)
		error = path_lookup(
			AT_FDCWD, new_name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &new_root);
	if (error)
		goto out;
	error = path_lookup(AT_FDCWD, old_name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &old);
	if (!error) {
		error = vfs_pivot_root(&new_root, &old);
		path_put(&old);
	}
	path_put(&new_root);
out:
	kfree(new_name);
	kfree(old_name);
	return error;
}

/* sysfs(2), which is older than the file system of that name: places and names of file system types. */
enum { TYPE_PLACE = 1, TYPE_NAME, TYPE_COUNT };

static long
type_place(const char __user *uname)
{
	char *name = user_name_get(uname);
	long place;

	if (IS_ERR(name))
		return PTR_ERR(name);
	place = *name ? filesystem_type_place(name) : -ENOENT;
	kfree(name);
	return place;
}

long
linux_sysfs(int option, unsigned long a1, unsigned long a2)
{
	const char *name;

	switch (option) {
	case TYPE_PLACE:
		return type_place((const char __user *)a1);
	case TYPE_NAME:
		name = filesystem_type_at((unsigned int)a1);
		return name ? copy_to_user((void __user *)a2, name, strlen(name) + 1) : -EINVAL;
	case TYPE_COUNT:
		return filesystem_type_count();
	}
	return -EINVAL;
}
