/* SPDX-License-Identifier: MIT */
/*
 * reclaim.c - getting memory back before anybody has to die: frames that CPUs hold, clean cached
 * pages, unused names, empty slabs, kernel stacks kept for reuse. Cheapest first; stops when enough
 * was found.
 */
#include <tessera/cpu.h>
#include <tessera/inode.h>
#include <tessera/rcu.h>

#include "mm.h"

/* Call where sleeping is allowed. Frames freed, not counting those that only left a CPU's cache. */
uint64_t
reclaim(uint64_t frames)
{
	uint64_t got = page_cache_shrink(frames), drained;

	cpu_count_one(CPU_COUNTER(reclaims));
	drained = frames_drain_local();
	if (got + drained >= frames) {
		cpu_count_one(CPU_COUNTER(reclaimed));
		return got + drained;
	}
	dentry_shrink(frames * (PAGE_SIZE / sizeof(struct dentry)));
	rcu_reclaim();
	got += slab_shrink();
	if (got < frames)
		got += stack_shrink(0);
	frames_drain_local();
	if (got)
		cpu_count_one(CPU_COUNTER(reclaimed));
	return got;
}
