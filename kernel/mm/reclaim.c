/* SPDX-License-Identifier: MIT */
/*
 * reclaim.c - getting memory back before anybody has to die: frames that CPUs hold, clean cached pages,
 * unused names, empty slabs, kernel stacks kept for reuse. Cheapest first; stops when enough was found.
 */
#include <tessera/cpu.h>
#include <tessera/inode.h>
#include <tessera/preempt.h>

#include "mm.h"

static void
drain_here(void *unused)
{
	slab_shrink();
	frames_drain_local();
}

/* Call where sleeping is allowed. Frames freed, not counting those that only left a CPU's cache. */
uint64_t
reclaim(uint64_t frames)
{
	uint64_t got = page_cache_shrink(frames), drained;

	drained = frames_drain_local();
	if (got + drained >= frames)
		return got + drained;
	dentry_shrink(frames * (PAGE_SIZE / sizeof(struct dentry)));
	got += slab_shrink();
	if (got < frames)
		got += stack_shrink(0);
	frames_drain_local();
	return got;
}

/* Give back everything that is only kept for speed, on all CPUs: before counting frames for leaks. */
void
memory_trim(void)
{
	while (stack_shrink(0) > 0)
		;
	dentry_shrink(SIZE_MAX);
	preempt_disable();
	drain_here(NULL);
	arch_call_cpus(UINT64_MAX, drain_here, NULL);
	preempt_enable();
}
