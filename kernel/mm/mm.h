/* SPDX-License-Identifier: MIT */
/*
 * mm.h - what the files of this room share among themselves. Nobody outside kernel/mm/ includes it.
 */
#ifndef MM_MM_H
#define MM_MM_H

#include <tessera/address_space.h>
#include <tessera/config.h>
#include <tessera/layout.h>
#include <tessera/lock.h>
#include <tessera/memory_object.h>
#include <tessera/page.h>
#include <tessera/panic.h>
#include <tessera/tlb.h>

#include "buddy.h"

/* --- frames_boot.c: memory before the allocator ------------------------------------------------ */

struct frame_range {
	pfn_t start, end; /* end exclusive */
};

/* [I] after the first boot_frame_alloc(): sorted, disjoint. */
struct boot_ranges {
	uint32_t count;
	struct frame_range range[BOOT_RANGE_MAX];
};
extern struct boot_ranges boot_ram;  /* frames that get a struct page */
extern struct boot_ranges boot_free; /* those of them that may be allocated */
void boot_ranges_init(void);
/* The frames of boot_free below this one were given out by boot_frame_alloc(). */
pfn_t boot_frames_cursor(void);

/* --- section.c: bringing memory online ---------------------------------------------------------- */

#define SECTION_SHIFT  27
#define SECTION_FRAMES (1ul << (SECTION_SHIFT - PAGE_SHIFT))
#define SECTION_MAX    8192u /* 1 TiB */

void section_init(void);
/* Bring the next offline section online. False: none is left (or none can be now). */
bool section_online_next(void);
/* Bring the section that holds `pfn` online. False: not memory. */
bool section_online_for(pfn_t pfn);
bool section_is_online(pfn_t pfn);
uint64_t section_offline_frames(void);
/* This CPU is bringing a section online: page-table frames come from section_carve(). */
bool section_is_carving(void);
paddr_t section_carve(void);

/* --- frames.c ------------------------------------------------------------------------------------ */

enum frame_count {
	COUNT_SLAB,
	COUNT_PAGE_TABLES,
	COUNT_ANONYMOUS,
	COUNT_CACHED,
	COUNT_SHARED,
	COUNT_DIRTY,
	COUNT_HUGE,
	COUNT_KINDS
};
/* Add to a counter of memory_stats(). Any context. */
void frames_count(enum frame_count kind, int64_t frames);
/* Give a naturally aligned block of fresh memory to its zone. */
void frames_add_block(pfn_t pfn, unsigned int order);
uint64_t frames_free_online(void);
/* Return what this CPU's cache holds to the zones. */
uint64_t frames_drain_local(void);
/* Turn a huge or other block, whose only reference is ours, into 1 << order single pages with one
 * reference each. */
void page_break_block(struct page *p);
/* Make a block's frames know their head, so that page_put works on any of them. */
void page_make_compound(struct page *p);
/* Between these, on this CPU, with preemption off: frame_free() collects instead of freeing. */
void frames_capture_begin(struct list *to);
void frames_capture_end(void);
void frames_free_captured(struct list *from);
extern uint64_t frames_reserve; /* [I] frames kept for ALLOC_RESERVE */

static inline struct page *
page_head(struct page *p)
{
	return unlikely(p->flags & PAGE_TAIL) ? p->head : p;
}

/* --- reclaim.c ------------------------------------------------------------------------------------ */

/* Try to free `frames`; returns how many were. May sleep. */
uint64_t reclaim(uint64_t frames);

uint64_t slab_shrink(void);          /* slab.c: give empty slabs back; frames freed */
uint64_t stack_shrink(uint32_t keep); /* region.c: drop cached kernel stacks beyond `keep` */
uint64_t page_cache_shrink(uint64_t frames); /* page_cache.c */

/* --- region.c -------------------------------------------------------------------------------------- */

extern struct spinlock kernel_table_lock; /* class KERNEL_TABLE: kernel_page_table */

#endif
