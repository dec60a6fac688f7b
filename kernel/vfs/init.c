/* SPDX-License-Identifier: MIT */
/*
 * init.c - bringing the room up: caches, built-in file systems, the root.
 */
#include <tessera/inode.h>
#include <tessera/mqueue.h>

#include "vfs.h"

void
vfs_init(void)
{
	rwlock_init(&mount_lock, LOCK_MOUNT);
	dentry_cache_init();
	inode_cache_init();
	tmpfs_init();
	anonymous_init();
	sysfs_init();
	devfs_init();
	procfs_init();
	mqueue_fs_init();
	nsfs_init();
	fuse_init();
}
