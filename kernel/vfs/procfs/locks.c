/* SPDX-License-Identifier: MIT */
/*
 * locks.c - /proc/locks: who holds which locks of files, and who waits for them.
 */
#include <tessera/errno.h>
#include <tessera/file_lock.h>
#include <tessera/inode.h>
#include <tessera/lease.h>
#include <tessera/slab.h>

#include "files.h"

static void
print_lock(struct text *t, long number, const struct file_lock_info *l)
{
	text_print(t, "%ld: %s%s %-9s %s %d %02x:%02x:%lu %lu ", number, l->waits ? "-> " : "", l->kind,
		   l->state ? l->state : "ADVISORY",
		   l->range.type == FILE_LOCK_WRITE ? "WRITE" : "READ", l->range.pid, DEV_MAJOR(l->device),
		   DEV_MINOR(l->device), l->inode, l->range.start);
	if (l->range.end >= INT64_MAX)
		text_print(t, "EOF\n");
	else
		text_print(t, "%lu\n", l->range.end);
}

#define LEASES_SHOWN 64

static void
print_leases(struct text *t, long number, struct file_lock_info *room)
{
	long n = MIN(leases_list(room, LEASES_SHOWN), (long)LEASES_SHOWN);

	for (long i = 0; i < n; i++)
		print_lock(t, ++number, &room[i]);
}

int
show_locks(struct text *t, struct target *at)
{
	struct file_lock_info *leases;
	long count, number = 0;
	struct file_lock_info *all = file_locks_list(&count);

	for (long i = 0; i < count; i++) {
		number += !all[i].waits;
		print_lock(t, number, &all[i]);
	}
	kfree(all);
	leases = kmalloc(LEASES_SHOWN * sizeof(*leases), 0);
	if (!leases)
		return -ENOMEM;
	print_leases(t, number, leases);
	kfree(leases);
	return count < 0 ? (int)count : 0;
}
