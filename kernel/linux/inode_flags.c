/* SPDX-License-Identifier: MIT */
/*
 * inode_flags.c - what lsattr(1) shows and chattr(1) sets, in the old form (ioctl_iflags(2)) and in XFS's.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inode.h>

#include "linux.h"

#define FS_IOC_GETFLAGS   0x80086601u /* the sizes in the numbers say long; it is an int */
#define FS_IOC_SETFLAGS   0x40086602u
#define FS_IOC_FSGETXATTR 0x801c581fu
#define FS_IOC_FSSETXATTR 0x401c5820u

struct linux_fsxattr {
	uint32_t flags, extent_size, extents, project, cow_extent_size;
	uint8_t reserved[8];
};

/* Each of ours as FS_*_FL and as FS_XFLAG_*. */
static const struct {
	uint32_t ours, iflag, xflag;
} names[] = {
	{ INODE_IMMUTABLE, 0x10, 0x08 },
	{ INODE_APPEND, 0x20, 0x10 },
	{ INODE_NODUMP, 0x40, 0x80 },
	{ INODE_NOATIME, 0x80, 0x40 },
};


static uint32_t
shown(uint32_t ours, bool xflags)
{
	uint32_t out = 0;

	for (size_t n = 0; n < ARRAY_SIZE(names); n++)
		if (ours & names[n].ours)
			out |= xflags ? names[n].xflag : names[n].iflag;
	return out;
}

/* The reverse; what is left of `flags` is in *unknown. */
static uint32_t
parsed(uint32_t flags, bool xflags, uint32_t *unknown)
{
	uint32_t ours = 0;

	for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
		uint32_t bit = xflags ? names[n].xflag : names[n].iflag;

		if (flags & bit)
			ours |= names[n].ours;
		flags &= ~bit;
	}
	*unknown = flags;
	return ours;
}

static long
set(struct file *f, uint32_t flags, bool xflags, bool more)
{
	uint32_t unknown, ours = parsed(flags, xflags, &unknown);

	return vfs_set_inode_flags(f, ours, !unknown && !more);
}

static long
set_old(struct file *f, const uint32_t __user *arg)
{
	uint32_t flags;

	return get_user(flags, arg) ? -EFAULT : set(f, flags, false, false);
}

static long
set_extended(struct file *f, const struct linux_fsxattr __user *arg)
{
	struct linux_fsxattr x;

	if (copy_from_user(&x, arg, sizeof(x)))
		return -EFAULT;
	return set(f, x.flags, true, x.extent_size || x.project || x.cow_extent_size);
}

bool
inode_flags_command(struct file *f, unsigned int command, uintptr_t arg, long *result)
{
	struct inode *i = f->inode;
	struct linux_fsxattr x = { 0 };

	switch (command) {
	case FS_IOC_GETFLAGS:
	case FS_IOC_SETFLAGS:
	case FS_IOC_FSGETXATTR:
	case FS_IOC_FSSETXATTR:
		break;
	default:
		return false;
	}
	if (!i->ops->has_flags || !(S_ISREG(i->mode) || S_ISDIR(i->mode))) {
		*result = -ENOTTY;
		return true;
	}
	switch (command) {
	case FS_IOC_GETFLAGS:
		*result = put_user(shown(READ_ONCE(i->attributes), false), (uint32_t __user *)arg);
		break;
	case FS_IOC_SETFLAGS:
		*result = set_old(f, (const uint32_t __user *)arg);
		break;
	case FS_IOC_FSGETXATTR:
		x.flags = shown(READ_ONCE(i->attributes), true);
		*result = copy_to_user((void __user *)arg, &x, sizeof(x));
		break;
	default:
		*result = set_extended(f, (const struct linux_fsxattr __user *)arg);
	}
	return true;
}
