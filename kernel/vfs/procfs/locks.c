/* SPDX-License-Identifier: MIT */
/*
 * locks.c - /proc/locks: who holds which locks of files, and who waits for them.
 */
#include <tessera/file_lock.h>
#include <tessera/inode.h>
#include <tessera/slab.h>

#include "files.h"

static void
print_lock(struct text *t, long number, const struct file_lock_info *l)
{
	text_print(t, "%ld: %s%s ADVISORY  %s %d %02x:%02x:%lu %lu ", number, l->waits ? "-> " : "", l->kind,
		   l->range.type == FILE_LOCK_WRITE ? "WRITE" : "READ", l->range.pid, DEV_MAJOR(l->device),
		   DEV_MINOR(l->device), l->inode, l->range.start);
	if (l->range.end >= INT64_MAX)
		text_print(t, "EOF\n");
	else
		text_print(t, "%lu\n", l->range.end);
}

int
show_locks(struct text *t, struct target *at)
{
	long count, number = 0;
	struct file_lock_info *all = file_locks_list(&count);

	for (long i = 0; i < count; i++) {
		number += !all[i].waits;
		print_lock(t, number, &all[i]);
	}
	kfree(all);
	return count < 0 ? (int)count : 0;
}
