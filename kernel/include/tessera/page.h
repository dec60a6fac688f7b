/* SPDX-License-Identifier: MIT */
/*
 * page.h - physical frames: struct page and the frame allocator.
 *
 * Every usable frame has a struct page in one virtual array, indexed by frame number. Memory comes
 * online in sections of 128 MiB: a section's part of the array is mapped, and its frames are given
 * to the buddy allocator, when the allocator first needs it (mm/section.c), so that boot does not
 * pay for memory nobody uses.
 *
 * A page is free (in the buddy lists or a CPU's cache), slab memory, a page table, cached (owned by a
 * memory object), or anonymous. `refcount` counts users: each page-table leaf that maps it, the
 * object that caches it, each temporary holder. The frame goes back when it reaches zero.
 */
#ifndef TESSERA_PAGE_H
#define TESSERA_PAGE_H

#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/list.h>
#include <tessera/types.h>

struct memory_object;

#define PAGE_FREE     BIT(0)  /* first of a free block of a zone; set and cleared under its lock only */
#define PAGE_SLAB     BIT(1)
#define PAGE_TABLE    BIT(2)
#define PAGE_RESERVED BIT(3)  /* firmware, kernel image: never freed */
#define PAGE_HEAD     BIT(4)  /* first of a block of 1 << order frames */
#define PAGE_TAIL     BIT(5)  /* inside a huge page: owner is `head` */
#define PAGE_DIRTY    BIT(6)  /* [a] newer than the backing store */
#define PAGE_UPTODATE BIT(7)  /* [a] contents valid */
#define PAGE_LOCKED   BIT(8)  /* [a] being filled: backing.h */
#define PAGE_CACHED   BIT(9)  /* owned by `object` at `index` */
#define PAGE_ANON     BIT(10) /* private anonymous memory */
#define PAGE_STACKED  BIT(11) /* free, on a CPU's stack: no zone's */
#define PAGE_KERNEL   BIT(12) /* plain kernel allocation */
#define PAGE_HUGETLB  BIT(14) /* belongs to the pool of huge pages */
#define PAGE_REFERENCED BIT(13) /* [a] used since eviction last looked */
#define PAGE_WRITEBACK BIT(15) /* [a] being written to the store: backing.h */
#define PAGE_READAHEAD BIT(16) /* [a] who reads it starts the next window */
#define PAGE_AHEAD     BIT(17) /* [a] fetched, not looked at yet */
#define PAGE_LISTED    BIT(18) /* on the list of mm/evict.c, whose lock is needed to change it */
#define PAGE_PINNED    BIT(19) /* [a] a device may use it, or did: fork leaves it to the parent */

struct page {
	uint32_t flags;                /* [a] */
	uint32_t refcount;             /* [a] */
	uint32_t mapcount;             /* [a] leaves that map it */
	uint16_t order;                /* of the block, when PAGE_HEAD or free */
	uint16_t cpu;                  /* of the cache that holds it */
	union {
		struct list node;      /* free lists, slab lists, writeback lists: owner's lock */
		struct {
			struct page *head;
			uint64_t tail_unused;
		};
	};
	union {
		struct memory_object *object; /* PAGE_CACHED */
		void *slab;                   /* PAGE_SLAB: struct slab_cache */
	};
	uint64_t index;                /* page number inside the object */
	uint64_t private;              /* the owner's: slab free list, page-table use count, a failed fill's errno ... */
	uint64_t watch;                /* who allocated and freed it: debug/sanitizers/check_frames.c */
};

_Static_assert(sizeof(struct page) == 64, "struct page is one cache line");

extern struct page *page_array; /* [I] page_array[pfn]; valid only where memory is online */

static inline struct page *
pfn_to_page(pfn_t pfn)
{
	return page_array + pfn;
}

static inline pfn_t
page_to_pfn(const struct page *p)
{
	return (pfn_t)(p - page_array);
}

static inline paddr_t
page_to_phys(const struct page *p)
{
	return page_to_pfn(p) << PAGE_SHIFT;
}

static inline void *
page_to_virt(const struct page *p)
{
	return phys_to_virt(page_to_phys(p));
}

/* Direct-map addresses only. */
static inline struct page *
virt_to_page(const void *v)
{
	return pfn_to_page(virt_to_phys(v) >> PAGE_SHIFT);
}

/* The page of a physical address, NULL when it is not online memory (device, hole). */
struct page *phys_to_page(paddr_t pa);
/* Move *pfn on to the next frame that has a struct page, if it has none. False: there is none above. */
bool frames_next_online(pfn_t *pfn);

#define MAX_ORDER 10 /* largest block: 4 MiB */

/* How an allocation may behave. */
#define ALLOC_ZERO    BIT(0)  /* cleared */
#define ALLOC_NOWAIT  BIT(1)  /* no reclaim, no OOM killer: any context */
#define ALLOC_USER    BIT(2)  /* user memory: charged to user pages */
#define ALLOC_LOW     BIT(3)  /* below 4 GiB */
#define ALLOC_RESERVE BIT(4)  /* may use the reserve: the way out of memory shortage */
#define ALLOC_TRY     BIT(5)  /* a wish: one attempt at reclaim, nobody is killed for it */

/*
 * Allocate 1 << order frames, contiguous and naturally aligned; refcount 1 on the first.
 * Returns NULL when memory is gone (after reclaim and, for up to 8 frames, the OOM killer). Without
 * ALLOC_NOWAIT it may sleep in reclaim: no spinlock held.
 */
struct page *page_alloc(unsigned int order, unsigned int flags);
void page_free(struct page *p, unsigned int order); /* refcount must be 1 (ours) or 0 */

/* debug/misuse.c */
void __noreturn __cold page_refcount_broken(const struct page *p, uint32_t count);

static inline void
page_get(struct page *p)
{
	uint32_t was = __atomic_fetch_add(&p->refcount, 1, __ATOMIC_RELAXED);

	if (config_misuse_check && unlikely(was == 0))
		page_refcount_broken(p, was);
}

/* Whose reference count is that of `p`: the first page of its huge page. */
static inline struct page *
page_head(struct page *p)
{
	return unlikely(READ_ONCE(p->flags) & PAGE_TAIL) ? p->head : p;
}

/* Drop one reference; frees the block at zero. */
void page_put(struct page *p);

/* One kernel frame by physical address, for page tables: zeroed when asked. 0: none. */
paddr_t frame_alloc(unsigned int flags);
void frame_free(paddr_t frame);


/* Counters, in frames. */
struct memory_stats {
	uint64_t total;      /* usable RAM the firmware reported */
	uint64_t free;       /* free and offline-but-usable */
	uint64_t kernel, slab, page_tables, anonymous, cached, shared, huge;
	uint64_t array;      /* of the kernel's: what describes memory, more as more of it is first needed */
};
void memory_stats(struct memory_stats *out);
void page_dump(pfn_t pfn); /* one frame to the log; takes no locks */
void memory_dump(void); /* zones and counters to the log; takes no locks */

/* Who gets huge pages unasked for: all, who asked by madvise, nobody. */
enum { HUGE_ALWAYS, HUGE_MADVISE, HUGE_NEVER };
extern int huge_page_mode; /* [a] HUGE_* */

/* The pool behind MAP_HUGETLB (vm.nr_hugepages), in pages of 2 MiB. */
struct huge_pool_stats {
	uint64_t target, total, free;
};
void huge_pool_stats(struct huge_pool_stats *out);
void huge_pool_set(uint64_t pages); /* as near as memory and use allow; may sleep */

void frames_init(void);                       /* from bootinfo, after arch_init_memory() */
void frames_init_cpu(struct cpu *c);          /* the CPU's cache */
/* Give the pages of a boot-time range (the initramfs) to the allocator one by one. */
void frames_release_boot_range(paddr_t start, paddr_t end);
/* The page of a boot-time range, refcount 1, ours to give away: initramfs pages become tmpfs's. */
struct page *frames_claim_boot_page(paddr_t pa);

#endif
