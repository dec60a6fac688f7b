/* SPDX-License-Identifier: MIT */
/*
 * overcommit.c - how much memory may be promised: vm.overcommit_memory and its friends.
 *
 *   0  refuse only what can never be had: more than all memory at once
 *   1  never refuse
 *   2  refuse what would take the sum of all promises over overcommit_ratio percent of memory
 */
#include <tessera/errno.h>

#include "mm.h"

int overcommit_mode;
int overcommit_ratio = 50;

static uint64_t committed; /* [a] pages */

static uint64_t
total_pages(void)
{
	struct memory_stats s;

	memory_stats(&s);
	return s.total;
}

int
commit_charge(uint64_t pages)
{
	uint64_t now = atomic_add_fetch(&committed, pages);

	if (overcommit_mode == 1)
		return 0;
	if (overcommit_mode == 0 && (pages < 1024 || pages <= total_pages()))
		return 0;
	if (overcommit_mode == 2 && now <= commit_limit_pages())
		return 0;
	commit_release(pages);
	return -ENOMEM;
}

void
commit_release(uint64_t pages)
{
	atomic_sub(&committed, pages);
}

uint64_t
committed_pages(void)
{
	return atomic_load_relaxed(&committed);
}

uint64_t
commit_limit_pages(void)
{
	return total_pages() * (uint64_t)overcommit_ratio / 100;
}
