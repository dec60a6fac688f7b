/* SPDX-License-Identifier: MIT */
/*
 * fs_config.c - fsopen, fspick, fsconfig, fsmount.
 */
#include <tessera/errno.h>
#include <tessera/fs_config.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "linux.h"
#include "mount_flags.h"
#include "user_name.h"

#define FSOPEN_CLOEXEC 1u

#define FSPICK_CLOEXEC          1u
#define FSPICK_SYMLINK_NOFOLLOW 2u
#define FSPICK_EMPTY_PATH       8u
#define FSPICK_KNOWN            15u

#define FSMOUNT_CLOEXEC 1u

#define KEY_SIZE  256
#define BLOB_SIZE (1 << 20)

enum {
	SET_FLAG,
	SET_STRING,
	SET_BINARY,
	SET_PATH,
	SET_PATH_EMPTY,
	SET_FD,
	CMD_CREATE,
	CMD_RECONFIGURE,
};

uint32_t
mount_flags_of_attr(uint64_t attr)
{
	return (attr & ATTR_RDONLY ? MOUNT_READONLY : 0) | (attr & ATTR_NOSUID ? MOUNT_NOSUID : 0) |
	       (attr & ATTR_NODEV ? MOUNT_NODEV : 0) | (attr & ATTR_NOEXEC ? MOUNT_NOEXEC : 0) |
	       (attr & ATTR_NODIRATIME ? MOUNT_NODIRATIME : 0) | (attr & ATTR_NOSYMFOLLOW ? MOUNT_NOSYMFOLLOW : 0);
}

long
mount_flags_access(uint64_t attr, uint32_t *flags)
{
	switch (attr & ATTR_ACCESS) {
	case 0:
		*flags |= MOUNT_RELATIME;
		return 0;
	case ATTR_NOATIME:
		*flags |= MOUNT_NOATIME;
		return 0;
	case ATTR_STRICTATIME:
		return 0;
	}
	return -EINVAL;
}

long
linux_fsopen(const char __user *utype, unsigned int flags)
{
	struct file *f;
	char *type;
	long error;

	if (!mount_may_change())
		return -EPERM;
	if (flags & ~FSOPEN_CLOEXEC)
		return -EINVAL;
	type = user_string_get(utype, PAGE_SIZE);
	if (IS_ERR(type))
		return PTR_ERR(type);
	error = fs_config_open(type, &f);
	kfree(type);
	return error ? error : install_or_put(f, flags & FSOPEN_CLOEXEC);
}

long
linux_fspick(int dirfd, const char __user *uname, unsigned int flags)
{
	unsigned int lookup = flags & FSPICK_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct path p;
	struct file *f;
	long error;

	if (!mount_may_change())
		return -EPERM;
	if (flags & ~FSPICK_KNOWN)
		return -EINVAL;
	error = user_path_lookup(dirfd, uname, lookup | (flags & FSPICK_EMPTY_PATH ? LOOKUP_EMPTY : 0), &p);
	if (error)
		return error;
	error = fs_config_pick(&p, &f);
	path_put(&p);
	return error ? error : install_or_put(f, flags & FSPICK_CLOEXEC);
}

/* Which arguments a command takes. */
static long
check_arguments(unsigned int command, const void __user *key, const void __user *value, int aux)
{
	bool good;

	switch (command) {
	case SET_FLAG:
		good = key && !value && !aux;
		break;
	case SET_STRING:
		good = key && value && !aux;
		break;
	case SET_BINARY:
		good = key && value && aux > 0 && aux <= BLOB_SIZE;
		break;
	case SET_PATH:
	case SET_PATH_EMPTY:
		good = key && value && (aux == AT_FDCWD || aux >= 0);
		break;
	case SET_FD:
		good = key && !value && aux >= 0;
		break;
	case CMD_CREATE:
	case CMD_RECONFIGURE:
		good = !key && !value && !aux;
		break;
	default:
		return -EOPNOTSUPP;
	}
	return good ? 0 : -EINVAL;
}

/* Values that no file system here takes are looked at as far as their own errors go. */
static long
look_at_value(unsigned int command, const char __user *value, int aux)
{
	struct file *f;
	char *name;
	int error = 0;

	switch (command) {
	case SET_BINARY:
		name = kmalloc((size_t)aux, 0);
		if (!name)
			return -ENOMEM;
		error = copy_from_user(name, value, (size_t)aux) ? -EFAULT : 0;
		kfree(name);
		return error;
	case SET_FD:
		f = handle_get(aux, 0, &error);
		if (!f)
			return -EBADF;
		file_put(f);
		return 0;
	default:
		name = user_name_get(value);
		if (IS_ERR(name))
			return PTR_ERR(name);
		error = command == SET_PATH && !*name ? -ENOENT : 0;
		kfree(name);
		return error;
	}
}

static long
set(struct file *f, unsigned int command, const char __user *ukey, const char __user *uvalue, int aux)
{
	char *key = user_string_get(ukey, KEY_SIZE), *value;
	long error;

	if (IS_ERR(key))
		return PTR_ERR(key);
	if (command == SET_FLAG) {
		error = fs_config_set(f, key, NULL, FS_CONFIG_FLAG);
	} else if (command == SET_STRING) {
		value = user_string_get(uvalue, KEY_SIZE);
		error = IS_ERR(value) ? PTR_ERR(value) : fs_config_set(f, key, value, FS_CONFIG_STRING);
		if (!IS_ERR(value))
			kfree(value);
	} else {
		error = look_at_value(command, uvalue, aux);
		if (!error)
			error = fs_config_set(f, key, "", FS_CONFIG_OTHER);
	}
	kfree(key);
	return error;
}

long
linux_fsconfig(int fd, unsigned int command, const char __user *key, const void __user *value, int aux)
{
	struct file *f;
	long error;
	int bad;

	if (fd < 0)
		return -EINVAL;
	error = check_arguments(command, key, value, aux);
	if (error)
		return error;
	f = handle_get(fd, RIGHT_CONTROL, &bad);
	if (!f)
		return bad;
	if (!file_is_fs_config(f))
		error = -EINVAL;
	else if (command == CMD_CREATE)
		error = fs_config_make(f);
	else if (command == CMD_RECONFIGURE)
		error = fs_config_change(f);
	else
		error = set(f, command, key, value, aux);
	file_put(f);
	return error;
}

long
linux_fsmount(int fd, unsigned int flags, unsigned int attr)
{
	uint32_t mount_flags = mount_flags_of_attr(attr);
	struct file *f, *mounted;
	long error;
	int bad;

	if (!mount_may_change())
		return -EPERM;
	if ((flags & ~FSMOUNT_CLOEXEC) || (attr & ~ATTR_PLAIN))
		return -EINVAL;
	error = mount_flags_access(attr, &mount_flags);
	if (error)
		return error;
	f = handle_get(fd, RIGHT_CONTROL, &bad);
	if (!f)
		return bad;
	error = file_is_fs_config(f) ? fs_config_mount(f, mount_flags, &mounted) : -EINVAL;
	file_put(f);
	return error ? error : install_or_put(mounted, flags & FSMOUNT_CLOEXEC);
}
