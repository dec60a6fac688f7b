/* SPDX-License-Identifier: MIT */
/*
 * block.h - what the files of this room share.
 */
#ifndef TESSERA_BLOCK_BLOCK_H
#define TESSERA_BLOCK_BLOCK_H

#include <tessera/block.h>

struct file_transfer;
struct iov_iter;

/* --- disk.c */
extern struct mutex block_table_lock; /* class BLOCK_TABLE */
extern struct list block_disks;       /* block_table_lock: struct block_disk.table_node */
/* A device of `d` and its nodes. d->lock is held. -EBUSY, -ENOMEM. */
int block_device_add(struct block_disk *d, uint32_t number, uint64_t start, uint64_t length,
		     const char *uuid, const char *label, bool readonly);
/* Its names go, what is cached goes, the disk's reference is dropped. d->lock is held. */
void block_device_remove(struct block_device *b);
/* Write what is dirty of all of its devices, whoever is killed. d->lock is held. */
void block_sync_locked(struct block_disk *d);
struct block_device *block_device_number(struct block_disk *d, uint32_t number); /* d->lock is held; borrowed */

/* --- cache.c */
extern const struct memory_object_ops block_object_ops;

/* --- direct.c: bytes moved past the page cache, or an errno when none was */
ssize_t block_direct(struct block_device *b, struct iov_iter *it, uint64_t pos, bool write, bool through);
/* As file_ops' begin: an errno, 0 when it takes more than one request, or FILE_UNDER_WAY. */
ssize_t block_direct_begin(struct block_device *b, struct iov_iter *it, uint64_t pos, bool write, bool through,
			   struct file_transfer *t);

/* --- sysfs.c. d->lock is held */
int block_sysfs_add(struct block_device *b);
void block_sysfs_remove(struct block_device *b);

/* --- request.c */
void block_statistics_snapshot(struct block_device *b, struct block_statistics *out);

/* --- partitions.c: nobody has one open: away with them. -EBUSY. d->lock is held. */
int block_remove_partitions_locked(struct block_disk *d);

#endif
