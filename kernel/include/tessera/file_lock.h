/* SPDX-License-Identifier: MIT */
/*
 * file_lock.h - advisory locks (fcntl, OFD, flock), leases on names of watchers: what must be told
 * when a handle or an open object goes away.
 */
#ifndef TESSERA_FILE_LOCK_H
#define TESSERA_FILE_LOCK_H

#include <tessera/types.h>

struct file;
struct handle_table;
struct inode;

#define FILE_LOCK_READ   0
#define FILE_LOCK_WRITE  1
#define FILE_LOCK_UNLOCK 2

/* A byte range [start, end] of a file, as fcntl's struct flock after arithmetic. */
struct file_lock_range {
	uint64_t start, end; /* end inclusive */
	int type;            /* FILE_LOCK_* */
	pid_t pid;           /* holder, as F_GETLK tells; -1 for open-file locks */
};

/* fcntl locks. `ofd`: owned by the open object, else by the caller's handle table. 0, -EAGAIN,
 * -EDEADLK, -ENOLCK, -ENOMEM, or -ERESTARTSYS when a signal ended the wait. */
int file_lock_set(struct file *f, const struct file_lock_range *r, bool ofd, bool wait);
/* What would stop `r`: r is overwritten by it, or its type becomes UNLOCK. 0, or an errno of who keeps the locks. */
int file_lock_test(struct file *f, struct file_lock_range *r, bool ofd);
/* flock(2). */
int file_flock(struct file *f, int type, bool wait);

/* A handle of `owner` on f was closed: the owner's POSIX locks on the file go. */
void file_locks_close(struct file *f, struct handle_table *owner);
/* The open object ends: its flock and OFD locks go. */
void file_locks_release(struct file *f);
/*
 * All locks of all files, each followed by who waits for it, as an array for the caller to kfree; *count: how
 * many. NULL: none, or no memory (*count is -ENOMEM then).
 */
struct file_lock_info {
	const char *kind;              /* as /proc/locks writes it: "POSIX ", "OFDLCK", "FLOCK " */
	const char *state;             /* of a lease; NULL: a lock */
	struct file_lock_range range;
	bool waits;
	dev_t device;
	ino_t inode;
};
struct file_lock_info *file_locks_list(long *count);

/* ipc/epoll.c: the open object ends, nobody watches it any more. */
void file_watchers_gone(struct file *f);

#endif
