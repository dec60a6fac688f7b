/* SPDX-License-Identifier: MIT */
/*
 * loop.h - loop devices: a file, or a part of it, as a disk.
 *
 *	           configure                 clear, autoclear
 *	UNBOUND ----------------> BOUND ----------------------> UNBOUND
 *	   |  remove
 *	   v
 *	DELETING: the disk is no more
 *
 * A bound device has a worker, a kernel thread that does its requests one after the other with the backing file's
 * own operations: what file_ops can read and write can be a disk. A request's memory lies in the direct map,
 * so each segment is one kernel buffer.
 *
 * Locks: loops_lock (LOOP_TABLE): which there are; then disk->lock; then loop->lock (LOOP): the binding; then
 * chain_lock (LOOP_CHAIN): that they form no ring. Who changes the binding freezes the disk, which may take as long as
 * the file's daemon likes: never with loops_lock or chain_lock held. The worker reads it while it has a request, and
 * takes none of the four.
 *
 * loop.c: which there are; loop_binding.c: which file each shows, and how; loop_worker.c: its requests.
 */
#ifndef TESSERA_BLOCK_LOOP_H
#define TESSERA_BLOCK_LOOP_H

#include <tessera/lock.h>
#include <tessera/wait.h>

#include "block.h"

#define LOOP_MAJOR 7u

struct sysfs_node;

enum loop_state { LOOP_UNBOUND, LOOP_BOUND, LOOP_DELETING };

/* [I]  [l] lock; changed only while the disk is frozen, so the worker reads it too  [q] queue_lock  [T] loops_lock */
struct loop {
	struct block_disk *disk;     /* [I] */
	int number;                  /* [I] */
	struct list node;            /* [T] */
	struct mutex lock;           /* class LOOP */
	enum loop_state state;       /* [l] */
	struct file *file;           /* [l] a reference; NULL: unbound. Changed with queue_lock (and chain_lock) held, too */
	uint64_t offset, size_limit; /* [l] bytes */
	uint32_t flags;              /* [l] LOOP_* */
	char name[LOOP_NAME], crypt_name[LOOP_NAME]; /* [l] what programs call it */
	uint64_t init[2];            /* [l] */
	char *path;                  /* [l] of the file when it was bound */
	struct sysfs_node *node_dir; /* [l] the folder "loop" */
	struct spinlock queue_lock;  /* class LEAF */
	struct list queue;           /* [q] struct block_io.node */
	struct wait_queue work;      /* the worker waits here, and who waits for its end */
	bool stop;                   /* [q] */
	bool running;                /* [q] there is a worker */
};

static inline struct loop *
loop_of(const struct block_device *b)
{
	return b->disk->private;
}

/* --- loop_worker.c --- */
/* It begins to do requests; it has done all that were given to it. loop->lock held. -ENOMEM. */
int loop_start_worker(struct loop *lo);
void loop_stop_worker(struct loop *lo);
void loop_submit(struct block_disk *d, struct block_io *io); /* block_disk_ops.submit */

/* --- loop_binding.c --- */
void loop_closed(struct block_disk *d); /* block_disk_ops.closed: the last one has let go of it */

#endif
