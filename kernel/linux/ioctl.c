/* SPDX-License-Identifier: MIT */
/*
 * ioctl.c - the commands that every open object knows; the rest is the object's.
 */
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/process.h>

#include "linux.h"

#define FIONREAD  0x541bu
#define FIONBIO   0x5421u
#define FIOASYNC  0x5452u
#define FIONCLEX  0x5450u
#define FIOCLEX   0x5451u
#define FIOQSIZE  0x5460u
#define FIGETBSZ  2u
#define FASYNC    020000u

static long
set_flag(struct file *f, uint32_t flag, int __user *arg)
{
	int on, error = 0;
	uint32_t flags;

	if (get_user(on, arg))
		return -EFAULT;
	flags = on ? f->flags | flag : f->flags & ~flag;
	if (f->ops->set_flags)
		error = f->ops->set_flags(f, flags);
	if (error)
		return error;
	spin_lock(&f->lock);
	f->flags = on ? f->flags | flag : f->flags & ~flag;
	spin_unlock(&f->lock);
	return 0;
}

long
linux_ioctl(int fd, unsigned int command, uintptr_t arg)
{
	int error = 0;
	uint64_t rights;
	struct file *f = handle_get_rights(fd, &rights, &error);
	long result = -EPERM;

	if (!f)
		return error;
	switch (command) {
	case FIOCLEX:
	case FIONCLEX:
		result = handle_set_cloexec(current_process()->handles, fd, command == FIOCLEX);
		break;
	case FIONBIO:
		if (rights & RIGHT_SET_FLAGS)
			result = set_flag(f, O_NONBLOCK, (int __user *)arg);
		break;
	case FIOASYNC:
		if (rights & RIGHT_SET_FLAGS)
			result = set_flag(f, FASYNC, (int __user *)arg);
		break;
	default:
		if (!(rights & RIGHT_CONTROL))
			break;
		if (f->inode && S_ISREG(f->inode->mode) && f->inode->object) {
			int left = (int)((loff_t)f->inode->object->size - f->position);

			result = command == FIONREAD   ? put_user(left, (int __user *)arg)
				 : command == FIGETBSZ ? put_user((int)PAGE_SIZE, (int __user *)arg)
						       : -ENOTTY;
		} else {
			result = f->ops->ioctl ? f->ops->ioctl(f, command, arg) : -ENOTTY;
		}
	}
	file_put(f);
	return result;
}
