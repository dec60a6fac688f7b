/* SPDX-License-Identifier: MIT */
/*
 * user.c - how many threads each real user id runs, for RLIMIT_NPROC.
 *
 * The counts lie in a radix tree by uid, the number itself in the slot; a user with none has no slot.
 * All under process_tree_lock.
 */
#include <tessera/radix.h>

#include "proc.h"

static struct radix_tree counts; /* process_tree_lock */

uint64_t
user_count_locked(uid_t uid)
{
	assert_held(&process_tree_lock);
	return (uintptr_t)radix_get(&counts, uid);
}

/* Add n (or take it away). When a first slot cannot be allocated the user goes uncounted: a limit
 * that is a little lax beats a fork that fails. */
void
user_charge_locked(uid_t uid, int64_t n)
{
	int64_t now = (int64_t)user_count_locked(uid) + n;

	if (now > 0)
		(void)radix_set(&counts, uid, (void *)(uintptr_t)now, NULL);
	else
		(void)radix_remove(&counts, uid);
}
