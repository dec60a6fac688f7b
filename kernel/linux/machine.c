/* SPDX-License-Identifier: MIT */
/*
 * machine.c - calls about the machine under the programs: swap, quotas, modules, another kernel, ports.
 *
 * There are no disks, so nothing can be swapped to or has quotas; the calls find that out as they would on Linux,
 * step by step. What would put foreign code or ports into anybody's hands is refused to all, as on a Linux whose
 * kernel.modules_disabled and kernel.kexec_load_disabled are 1.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/tty.h>

#include "linux.h"
#include "user_name.h"

#define SWAP_FLAGS 0x7ffff

#define QUOTA_TYPES 3u
#define Q_SYNC      0x800001u

#define PORTS     65536ul
#define IOPL_MOST 3u

/* Whether `uname` can be opened to be swapped to; nothing that can is fit for it. */
static long
swap_file(const char __user *uname)
{
	char *name = user_name_get(uname);
	struct file *f;
	long error;

	if (IS_ERR(name))
		return PTR_ERR(name);
	error = vfs_open(AT_FDCWD, name, O_RDWR | O_LARGEFILE, 0, 0, &f);
	kfree(name);
	if (error)
		return error;
	file_put(f);
	return -EINVAL;
}

long
linux_swapon(const char __user *name, int flags)
{
	if (flags & ~SWAP_FLAGS)
		return -EINVAL;
	return capable(CAP_SYS_ADMIN) ? swap_file(name) : -EPERM;
}

long
linux_swapoff(const char __user *name)
{
	return capable(CAP_SYS_ADMIN) ? swap_file(name) : -EPERM;
}

long
linux_quotactl(unsigned int command, const char __user *special, int id, void __user *addr)
{
	struct path p;
	long error;

	if ((command & 0xff) >= QUOTA_TYPES)
		return -EINVAL;
	if (!special)
		return command >> 8 == Q_SYNC ? 0 : -ENODEV;
	error = user_path_lookup(AT_FDCWD, special, LOOKUP_FOLLOW, &p);
	if (error)
		return error;
	if (!S_ISBLK(p.dentry->inode->mode))
		error = -ENOTBLK;
	else
		error = (p.mount->flags & MOUNT_NODEV) ? -EACCES : -ENODEV;
	path_put(&p);
	return error;
}

long
linux_quotactl_fd(unsigned int fd, unsigned int command, int id, void __user *addr)
{
	int error = 0;
	struct file *f = handle_get((int)fd, RIGHT_NONE, &error);

	if (!f)
		return error;
	file_put(f);
	return (command & 0xff) >= QUOTA_TYPES ? -EINVAL : -ENOSYS;
}

long
linux_init_module(const void __user *image, unsigned long size, const char __user *arguments)
{
	return -EPERM;
}

long
linux_finit_module(int fd, const char __user *arguments, int flags)
{
	return -EPERM;
}

long
linux_delete_module(const char __user *name, unsigned int flags)
{
	return -EPERM;
}

long
linux_kexec_load(unsigned long entry, unsigned long count, const void __user *segments, unsigned long flags)
{
	return -EPERM;
}

long
linux_kexec_file_load(int kernel, int initrd, unsigned long length, const char __user *line, unsigned long flags)
{
	return -EPERM;
}

/* Nobody has a port or a level to give back, so giving back succeeds. */
long
linux_ioperm(unsigned long from, unsigned long count, int on)
{
	if (from + count <= from || from + count > PORTS)
		return -EINVAL;
	return on ? -EPERM : 0;
}

long
linux_iopl(unsigned int level)
{
	if (level > IOPL_MOST)
		return -EINVAL;
	return level > 0 ? -EPERM : 0;
}

long
linux_vhangup(void)
{
	if (!capable(CAP_SYS_TTY_CONFIG))
		return -EPERM;
	tty_hang_up_current();
	return 0;
}
