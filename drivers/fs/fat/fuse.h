/* SPDX-License-Identifier: MIT */
/* fuse.h - what the program over libfuse shares. */
#ifndef FAT_FUSE_H
#define FAT_FUSE_H

#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>

#include "fat.h"

/* A mount: whose all files are, and what nobody may do. [I] all of it. */
struct fat_mount {
	struct fat *fs;
	unsigned int uid, gid;
	unsigned int file_mask, dir_mask; /* bits of the mode that are never set */
};

extern const struct fuse_lowlevel_ops fat_operations;

/* image.c: a file or a block device as a disk. `log` may be NULL. 0 or -errno. */
int fat_image_open(const char *path, bool read_only, void (*log)(const char *line), struct fat_disk **out);
void fat_image_close(struct fat_disk *disk);

#endif
