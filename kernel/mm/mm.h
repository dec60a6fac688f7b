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

/* --- frames_boot.c: memory before the allocator ----------------------------------------------- */

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

/* --- section.c: bringing memory online -------------------------------------------------------- */

#define SECTION_SHIFT  24
#define SECTION_FRAMES (1ul << (SECTION_SHIFT - PAGE_SHIFT))
#define SECTION_MAX    65536u /* 1 TiB */

void section_init(void);
/* Bring the next offline section online. False: none is left (or none can be now). */
bool section_online_next(void);
/* Bring the section that holds `pfn` online. False: not memory. */
bool section_online_for(pfn_t pfn);
bool section_is_online(pfn_t pfn);
uint64_t section_offline_frames(void);
uint64_t section_array_frames(void); /* what describes memory that is online; grows, and never shrinks */
/* This CPU is bringing a section online: page-table frames come from section_carve(). */
bool section_is_carving(void);
paddr_t section_carve(void);

/* --- frames.c --------------------------------------------------------------------------------- */

enum frame_count {
	COUNT_SLAB,
	COUNT_PAGE_TABLES,
	COUNT_ANONYMOUS,
	COUNT_CACHED,
	COUNT_SHARED,
	COUNT_HUGE,
	COUNT_KINDS
};
/* Add to a counter of memory_stats(). Any context. */
void frames_count(enum frame_count kind, int64_t frames);
/* Give a naturally aligned block of fresh memory to its zone. */
void frames_add_block(pfn_t pfn, unsigned int order);
uint64_t frames_free_online(void);
/* More than a quarter of memory is free: large pages may be spent. */
bool frames_plentiful(void);
/* Return what this CPU's cache holds to the zones. */
uint64_t frames_drain_local(void);
/* Turn a huge or other block, whose only reference is ours, into 1 << order single pages with one
 * reference each. */
void page_break_block(struct page *p);
/* Make a block's frames know their head, so that page_put works on any of them. */
void page_make_compound(struct page *p);
/* Free single frames that are linked by their node. */
void frames_free_list(struct list *from);
extern uint64_t frames_reserve; /* [I] frames kept for ALLOC_RESERVE */

/* --- reclaim.c -------------------------------------------------------------------------------- */

/* Try to free `frames`; returns how many were. May sleep. */
uint64_t reclaim(uint64_t frames);

uint64_t slab_shrink(void);          /* slab.c: give empty slabs back; frames freed */
uint64_t stack_shrink(uint32_t keep); /* region.c: drop cached kernel stacks beyond `keep` */
uint64_t page_cache_shrink(uint64_t frames); /* page_cache.c */

/* --- region.c --------------------------------------------------------------------------------- */

extern struct spinlock kernel_table_lock; /* class KERNEL_TABLE: kernel_page_table */

/* --- address_space.c: the tree ---------------------------------------------------------------- */

struct mapping *mapping_alloc(struct address_space *as);
/*
 * Between these two `as` is *being changed*: as->lock is held for writing, as->changes is odd, and
 * nobody else reads the tree or a mapping, not even a fault without as->lock. The protocol:
 * address_space.c. Sleeps. The nested one takes a second space, which nobody else knows yet: a
 * fork's child.
 */
void address_space_change(struct address_space *as);
void address_space_change_nested(struct address_space *as);
void address_space_changed(struct address_space *as);

static inline void
assert_changing(const struct address_space *as)
{
	assert(rwlock_is_write_held(&as->lock) && (as->changes & 1));
}

/* Those that follow, up to mappings_cut(), need the space to be being changed, but for
 * mappings_free(). */

/* Insert into the tree and the object's list, and count. References were taken. */
void mapping_link(struct mapping *m);
/* The reverse; the mapping goes to `doomed`, for mappings_free() when as->lock is released:
 * dropping a file may sleep on locks that stand above it. */
void mapping_unlink(struct mapping *m, struct list *doomed);
void mappings_free(struct list *doomed);
/* `m`, new and without a file, is a mapping of `f` (NULL: of none). Takes a reference. */
void mapping_set_file(struct mapping *m, struct file *f);
/* Cut `m` at `addr` (inside it): `m` keeps the lower part; the upper is returned. Large leaves
 * are cut too. NULL: -ENOMEM. */
struct mapping *mapping_split(struct mapping *m, vaddr_t addr);
/* Join with equal neighbours; returns the mapping that now holds m's range. */
struct mapping *mapping_merge(struct mapping *m, struct list *doomed);
struct mapping *mapping_prev(struct mapping *m);
void mapping_set_range(struct mapping *m, vaddr_t start, vaddr_t end);
/* Change flags (with the counters that depend on them). */
void mapping_set_flags(struct mapping *m, uint32_t flags);
/* Cut so that mapping edges lie at start and end where mappings cross them. 0 or -ENOMEM. */
int mappings_cut(struct address_space *as, vaddr_t start, vaddr_t end);
uint64_t task_limit(int which); /* of the calling process; RLIM_INFINITY for kernel threads */

static inline uint64_t
mapping_pages(const struct mapping *m)
{
	return (m->end - m->start) >> PAGE_SHIFT;
}

static inline uint64_t
mapping_index(const struct mapping *m, vaddr_t va)
{
	return m->object_page + ((va - m->start) >> PAGE_SHIFT);
}

/* --- leaves.c: page-table leaves of mappings -------------------------------------------------- */

extern paddr_t
	zero_frame; /* [I] what untouched anonymous memory reads as; its leaves are PTE_DEVICE */

/* The protection that mapping `m` gives its leaves. */
unsigned int mapping_prot(const struct mapping *m);
/* A page of the program's own, counted as anonymous until it is freed; contents undefined without
 * ALLOC_ZERO in `flags`. NULL: no memory. May sleep. */
struct page *anonymous_page(unsigned int flags);
uint64_t *mapping_rss(struct mapping *m, const struct page *p); /* which counter `p` belongs to */
/* May a TLB hold what a leaf with these bits said, which was just taken out? page_table_lock
 * held. */
static inline bool
leaf_was_used(const struct address_space *as, unsigned int prot)
{
	return (prot & PTE_READ) && ((prot & PTE_ACCESSED) || as->unflushed > 0);
}

/* arch_page_table_protect(), whose answer is of the accessed bit: true, a flush is needed.
 * page_table_lock held. */
static inline bool
leaf_protect_locked(struct address_space *as, vaddr_t va, unsigned int prot)
{
	return arch_page_table_protect(&as->page_table, va, prot) || as->unflushed > 0;
}

/* Make `va` the border of leaves: a large leaf around it is split. 0 or -ENOMEM. Locks inside. */
int leaves_cut(struct address_space *as, vaddr_t va);
/* Split the large leaf at `va`. page_table_lock held. 0 or -ENOMEM. */
int leaf_split_locked(struct address_space *as, vaddr_t va);
/*
 * Remove the leaves of `m` in [*start, end), gathering pages in `b`, until done or the batch is
 * full; *start tells how far it came. page_table_lock held. True: call again after the flush. With
 * `b` NULL (not with keep_private) pages are put at once: the space is dead and no CPU has it
 * loaded.
 */
bool mapping_zap_locked(struct mapping *m, vaddr_t *start, vaddr_t end, bool keep_private,
			struct tlb_batch *b);
/* All of [start, end) of `m`; locks inside, flushes through `b` (finished by the caller). */
void mapping_zap(struct mapping *m, vaddr_t start, vaddr_t end, struct tlb_batch *b);
/* Bring the leaves of [start, end) to the protection of `m`, never granting a write that must
 * fault. */
void mapping_reprotect(struct mapping *m, vaddr_t start, vaddr_t end, struct tlb_batch *b);
void leaves_init(void);

/* --- map.c ------------------------------------------------------------------------------------ */

bool cuts_huge(struct address_space *as, vaddr_t start, vaddr_t end);
/* Unmap [start, end) of a space that is being changed. 0 or -ENOMEM, -EINVAL (then nothing was
 * unmapped). */
int unmap_locked(struct address_space *as, vaddr_t start, vaddr_t end, struct list *doomed);
/* A free range of `length` bytes, highest first; 0: none. */
vaddr_t find_gap(struct address_space *as, size_t length, vaddr_t below);
/* [start, end) has just become free. */
void gap_freed(struct address_space *as, vaddr_t start, vaddr_t end);
bool gap_is_free(struct address_space *as, vaddr_t start, vaddr_t end);
/* May the space grow by `pages` with these flags? 0, -ENOMEM. */
int check_limits(struct address_space *as, uint64_t pages, uint32_t flags);
/* May `pages` more be locked? 0 or -EAGAIN. */
int check_lock_limit(struct address_space *as, uint64_t pages);

/* --- protection_keys.c; the space is being changed -------------------------------------------------- */

bool key_is_given(const struct address_space *as, int key);
/* The key of a mapping that gets the rights of `flags` and had those of `before` with `key`. */
uint8_t key_for(struct address_space *as, uint32_t flags, uint32_t before, uint8_t key);

/* --- access.c --------------------------------------------------------------------------------- */

/* address_space_get_page(), and the page has the flags `mark` before anybody can share it. */
int address_space_mark_page(struct address_space *as, vaddr_t addr, bool write, bool force, uint32_t mark,
			    struct page **out);

/* --- fault.c ---------------------------------------------------------------------------------- */

#define STACK_GUARD_GAP (256 * PAGE_SIZE)
/* What a fault leaves to be done when as->lock is released, by fault_finish(). All NULL:
 * nothing. */
struct fault_after {
	struct memory_object *object; /* a reference */
	struct page *page;            /* a reference: wait for its store, then fault again; NULL: slow down */
};
/* Let `m` serve an access at `va`; as->lock held. Errors as fault_handle(); -EAGAIN: a page is to
 * be waited for. */
int mapping_fault(struct mapping *m, vaddr_t va, unsigned int access, bool force, struct fault_after *after);
/* as->lock is not held. The fault's `error`, or -EAGAIN: begin again; -EIO, -ENOMEM, -EINTR: there
 * is no page. */
int fault_finish(struct fault_after *after, int error);
/* Fault [start, end) in as an ordinary access would; as->lock taken inside. Stops at errors. */
int address_space_populate(struct address_space *as, vaddr_t start, vaddr_t end);

#endif
