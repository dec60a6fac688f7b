/* SPDX-License-Identifier: MIT */
/*
 * acct.c - acct: process accounting on and off.
 */
#include <tessera/accounting.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/slab.h>

#include "linux.h"
#include "user_name.h"

long
linux_acct(const char __user *uname)
{
	struct file *f;
	char *name;
	long error;

	if (!capable(CAP_SYS_PACCT))
		return -EPERM;
	if (!uname) {
		accounting_set(NULL);
		return 0;
	}
	name = user_name_get(uname);
	if (IS_ERR(name))
		return PTR_ERR(name);
	error = vfs_open(AT_FDCWD, name, O_WRONLY | O_APPEND | O_LARGEFILE, 0, 0, &f);
	kfree(name);
	if (error)
		return error;
	if (!S_ISREG(f->inode->mode)) {
		file_put(f);
		return -EACCES;
	}
	if (!f->ops->write) {
		file_put(f);
		return -EIO;
	}
	accounting_set(f);
	return 0;
}
