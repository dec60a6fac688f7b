/* SPDX-License-Identifier: MIT */
/*
 * lease.h - leases on files: who holds one is told before another opens the file, and may put its house in order.
 */
#ifndef TESSERA_LEASE_H
#define TESSERA_LEASE_H

#include <tessera/file_lock.h>
#include <tessera/inode.h>

extern int lease_break_seconds; /* [a] /proc/sys/fs/lease-break-time */
extern int leases_enabled;      /* [a] /proc/sys/fs/leases-enable */

/* fcntl. `type`: FILE_LOCK_*; `fd`: what si_fd will say. -EACCES, -EINVAL, -EAGAIN, -ENOMEM. */
int lease_set(struct file *f, int fd, int type);
int lease_get(const struct file *f); /* FILE_LOCK_*: what it has, or what it is to become */
/*
 * Somebody is about to open `i` (for writing), and has counted itself among its readers or writers: leases that do
 * not allow that are broken. 0; -EAGAIN: `wait` is not wanted; -ERESTARTSYS.
 */
int lease_break_slow(struct inode *i, bool write, bool wait);
void lease_file_gone(struct file *f);
/* For /proc/locks: as many as fit; how many there are. */
long leases_list(struct file_lock_info *out, long room);

static inline int
lease_break(struct inode *i, bool write, bool wait)
{
	return likely(!atomic_load(&i->leases)) ? 0 : lease_break_slow(i, write, wait);
}

#endif
