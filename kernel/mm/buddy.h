/* SPDX-License-Identifier: MIT */
/*
 * buddy.h - blocks of 2^order frames that split and merge: the pure part of the frame allocator.
 */
#ifndef MM_BUDDY_H
#define MM_BUDDY_H

#include <tessera/bootinfo.h>
#include <tessera/page.h>

#define BOOT_RANGE_MAX (BOOT_MEMORY_MAX + 8)

/* All fields under the owner's lock. */
struct buddy {
	struct list free[MAX_ORDER + 1];   /* heads of free blocks, struct page.node */
	uint64_t blocks[MAX_ORDER + 1];    /* their numbers */
	uint64_t frames;                   /* free frames in all */
};

void buddy_init(struct buddy *b);
/* Put a block back, merging it with its buddy as long as that is free. */
void buddy_put(struct buddy *b, struct page *p, unsigned int order);
/* Take a block of exactly 1 << order frames, splitting a larger one. NULL: none. */
struct page *buddy_take(struct buddy *b, unsigned int order);
/* True when counts, flags and alignment of all free blocks agree; for tests and panics. */
bool buddy_check(const struct buddy *b);

#endif
