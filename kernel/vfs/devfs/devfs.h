/* SPDX-License-Identifier: MIT */
/*
 * devfs.h - what the files of devfs share.
 */
#ifndef TESSERA_VFS_DEVFS_DEVFS_H
#define TESSERA_VFS_DEVFS_DEVFS_H

#include "../vfs.h"

#define MAJOR_MEMORY 1

void memory_devices_init(void);
void kmsg_init(void); /* kmsg.c */

#endif
