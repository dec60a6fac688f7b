/* SPDX-License-Identifier: MIT */
/*
 * region.c - the kernel's own virtual memory: vmalloc, kernel stacks, devices and other frames.
 *
 * Every region is a power of two of pages, of which the first and at least the last stay unmapped:
 * whoever runs off either end of a stack or an array faults at once.
 *
 *	| guard | page 0 ... page n - 1 | guard ... |
 *
 * Stacks are mapped once and then kept: kernel_stack_free() only puts them on a list, in any
 * context, and kernel_stack_alloc() takes from there. What is beyond STACKS_KEPT is unmapped, with
 * one flush for all, by a later alloc or when memory is short. So thread creation maps nothing and
 * thread death flushes nothing.
 *
 * KASAN's shadow of a block comes and goes with it; it is closed but for what is mapped, and a stack
 * that is kept is closed but for its link.
 *
 * Locks: region_lock (REGION) for the space and the stacks kept; kernel_table_lock (KERNEL_TABLE)
 * for the page table. Neither is held while frames are allocated, but for table frames.
 */
#include <tessera/arch.h>
#include <tessera/config.h>
#include <tessera/errno.h>
#include <tessera/fault_inject.h>
#include <tessera/kasan.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "mm.h"
#include "region_space.h"

#define STACK_PAGES  (KERNEL_STACK_SIZE / PAGE_SIZE)
#define STACKS_KEPT  32u
#define STACKS_BATCH 16u
#define KVMALLOC_BLOCK (4 * PAGE_SIZE)
#define SPARES_MIN   (REGION_ORDERS + 4)

enum region_kind { REGION_VMALLOC, REGION_STACK, REGION_PHYS };

/* A stack that waits to be used again holds this at its lowest address. */
struct free_stack {
	struct free_stack *next;
};

struct spinlock kernel_table_lock = SPINLOCK_INIT(KERNEL_TABLE);
static struct spinlock region_lock = SPINLOCK_INIT(REGION);
static struct region_space space;         /* region_lock */
static struct region root;                /* region_lock */
static struct free_stack *free_stacks;    /* region_lock */
static uint32_t free_stack_count;         /* region_lock */
static uint64_t stacks_in_use;            /* [a] */
static struct slab_cache *region_cache;   /* [I] */

/* Nodes for the splits that one allocation may need. No lock held. */
static bool
refill_spares(void)
{
	while (READ_ONCE(space.spare_count) < SPARES_MIN) {
		struct region *r = slab_alloc(region_cache, 0);
		uint64_t flags;

		if (!r)
			return false;
		flags = spin_lock_irq(&region_lock);
		region_space_give_spare(&space, r);
		spin_unlock_irq(&region_lock, flags);
	}
	return true;
}

static void
unreserve(struct region *r)
{
	uint64_t flags;

	if (config_kasan)
		kasan_region_remove(r->start, PAGE_SIZE << r->order);
	flags = spin_lock_irq(&region_lock);
	region_space_free(&space, r);
	spin_unlock_irq(&region_lock, flags);
}

/* Addresses for `pages` mapped pages and their guards. */
static struct region *
reserve(uint64_t pages, enum region_kind kind)
{
	uint32_t order = 0;
	struct region *r;
	uint64_t flags;

	while (1ul << order < pages + 2)
		order++;
	if (order >= REGION_ORDERS || !refill_spares())
		return NULL;
	flags = spin_lock_irq(&region_lock);
	r = region_space_alloc(&space, order);
	if (r) {
		r->kind = kind;
		r->pages = pages;
	}
	spin_unlock_irq(&region_lock, flags);
	if (config_kasan && r && kasan_region_add(r->start, PAGE_SIZE << order) != 0) {
		flags = spin_lock_irq(&region_lock);
		region_space_free(&space, r);
		spin_unlock_irq(&region_lock, flags);
		return NULL;
	}
	return r;
}

static vaddr_t
first_page(const struct region *r)
{
	return r->start + PAGE_SIZE;
}

static int
map_page(vaddr_t va, paddr_t pa, unsigned int prot)
{
	for (;;) {
		uint64_t flags = spin_lock_irq(&kernel_table_lock);
		int e = arch_page_table_prepare(&kernel_page_table, va, false);

		if (e == 0)
			e = arch_page_table_map(&kernel_page_table, va, pa, prot);
		spin_unlock_irq(&kernel_table_lock, flags);
		/* A table frame was wanted and memory online was gone: now there may be more. */
		if (e != -ENOMEM || !section_online_next())
			return e;
	}
}

/*
 * Take the leaves of [start, start + pages) away. With `frames` their pages go to that list, to be
 * freed after the flush that the caller owes.
 */
static void
unmap_pages(vaddr_t start, uint64_t pages, struct list *frames)
{
	uint64_t flags = spin_lock_irq(&kernel_table_lock);

	for (uint64_t i = 0; i < pages; i++) {
		unsigned int prot;
		paddr_t pa;

		if (arch_page_table_unmap(&kernel_page_table, start + i * PAGE_SIZE, &pa, &prot) &&
		    frames)
			list_add_tail(frames, &pfn_to_page(pa >> PAGE_SHIFT)->node);
	}
	spin_unlock_irq(&kernel_table_lock, flags);
}

static bool
fill(struct region *r)
{
	vaddr_t start = first_page(r);
	struct list frames = LIST_INIT(frames);
	uint64_t i;

	for (i = 0; i < r->pages; i++) {
		struct page *p = page_alloc(0, ALLOC_ZERO);

		if (!p)
			break;
		p->flags |= PAGE_KERNEL;
		if (map_page(start + i * PAGE_SIZE, page_to_phys(p),
			     PTE_READ | PTE_WRITE | PTE_GLOBAL) != 0) {
			page_free(p, 0);
			break;
		}
	}
	if (i == r->pages)
		return true;
	unmap_pages(start, i, &frames);
	tlb_flush_kernel(start, start + i * PAGE_SIZE);
	frames_free_list(&frames);
	return false;
}

static struct region *
find(const void *p, enum region_kind kind)
{
	uint64_t flags = spin_lock_irq(&region_lock);
	struct region *r = region_space_find(&space, (vaddr_t)p);

	spin_unlock_irq(&region_lock, flags);
	if (!r || r->kind != kind || first_page(r) != ALIGN_DOWN((vaddr_t)p, PAGE_SIZE))
		panic("%p is not the start of a kernel region of kind %u", p, kind);
	return r;
}

const char *
region_describe(const void *p, vaddr_t *start, vaddr_t *end)
{
	static const char *const names[] = {
		[REGION_VMALLOC] = "vmalloc region",
		[REGION_STACK] = "kernel stack",
		[REGION_PHYS] = "mapping of frames",
	};
	uint64_t flags = spin_lock_irq(&region_lock);
	const struct region *r = region_space_find(&space, (vaddr_t)p);

	spin_unlock_irq(&region_lock, flags);
	if (!r)
		return NULL;
	*start = first_page(r);
	*end = *start + r->pages * PAGE_SIZE;
	return names[r->kind];
}

void *
vmalloc(size_t size)
{
	struct region *r;

	if (fault_inject(__builtin_return_address(0)))
		return NULL;
	r = reserve(DIV_ROUND_UP(MAX(size, (size_t)1), PAGE_SIZE), REGION_VMALLOC);
	if (!r)
		return NULL;
	if (!fill(r)) {
		unreserve(r);
		return NULL;
	}
	if (config_kasan)
		kasan_unpoison((void *)first_page(r), size);
	return (void *)first_page(r);
}

static void
release(struct region *r)
{
	struct list frames = LIST_INIT(frames);
	vaddr_t start = first_page(r), end = start + r->pages * PAGE_SIZE;

	unmap_pages(start, r->pages, r->kind == REGION_PHYS ? NULL : &frames);
	tlb_flush_kernel(start, end);
	frames_free_list(&frames);
	unreserve(r);
}

void
vfree(void *p)
{
	if (p)
		release(find(p, REGION_VMALLOC));
}

void *
kvmalloc(size_t size)
{
	void *p = size <= KVMALLOC_BLOCK ? kmalloc(size, size > PAGE_SIZE ? ALLOC_NOWAIT : 0) : NULL;

	return p ? p : vmalloc(size);
}

struct page *
kernel_page(const void *at)
{
	unsigned int prot;
	uint64_t flags;
	bool there;
	paddr_t pa;

	if ((vaddr_t)at - region_base >= REGION_SIZE)
		return virt_to_page(at);
	flags = spin_lock_irq(&kernel_table_lock);
	there = arch_page_table_lookup(&kernel_page_table, ALIGN_DOWN((vaddr_t)at, PAGE_SIZE), &pa, &prot);
	spin_unlock_irq(&kernel_table_lock, flags);
	assert(there);
	return phys_to_page(pa);
}

void
kvfree(void *p)
{
	if ((vaddr_t)p - region_base < REGION_SIZE)
		vfree(p);
	else
		kfree(p);
}

void *
region_map_phys(paddr_t start, size_t size, unsigned int prot)
{
	paddr_t first = ALIGN_DOWN(start, PAGE_SIZE);
	uint64_t pages = DIV_ROUND_UP(start + size - first, PAGE_SIZE);
	struct region *r = reserve(pages, REGION_PHYS);

	if (!r)
		return NULL;
	for (uint64_t i = 0; i < pages; i++) {
		if (map_page(first_page(r) + i * PAGE_SIZE, first + i * PAGE_SIZE,
			     prot | PTE_GLOBAL | PTE_DEVICE) != 0) {
			release(r);
			return NULL;
		}
	}
	if (config_kasan)
		kasan_unpoison((void *)first_page(r), pages * PAGE_SIZE);
	return (void *)(first_page(r) + (start - first));
}

void
region_unmap(void *p)
{
	release(find(p, REGION_PHYS));
}

/* --- kernel stacks ---------------------------------------------------------------------------- */

static void *
pop_stack(uint32_t keep)
{
	struct free_stack *s = NULL;
	uint64_t flags = spin_lock_irq(&region_lock);

	if (free_stack_count > keep) {
		s = free_stacks;
		free_stacks = s->next;
		free_stack_count--;
	}
	spin_unlock_irq(&region_lock, flags);
	return s;
}

/* Unmap stacks beyond `keep`, one flush for a batch of them. Returns frames freed. */
uint64_t
stack_shrink(uint32_t keep)
{
	uint64_t frames = 0;

	for (;;) {
		struct list pages = LIST_INIT(pages);
		struct region *r[STACKS_BATCH];
		uint32_t n = 0;

		while (n < STACKS_BATCH) {
			void *s = pop_stack(keep);

			if (!s)
				break;
			r[n] = find(s, REGION_STACK);
			unmap_pages(first_page(r[n]), STACK_PAGES, &pages);
			n++;
		}
		if (n == 0)
			return frames;
		tlb_flush_kernel(region_base, region_base + REGION_SIZE);
		frames_free_list(&pages);
		for (uint32_t i = 0; i < n; i++)
			unreserve(r[i]);
		frames += (uint64_t)n * STACK_PAGES;
	}
}

void *
kernel_stack_alloc(void)
{
	struct region *r;
	void *s;

	if (fault_inject(__builtin_return_address(0)))
		return NULL;
	s = pop_stack(0);
	if (s) {
		if (READ_ONCE(free_stack_count) > STACKS_KEPT + STACKS_BATCH && preemptible())
			stack_shrink(STACKS_KEPT);
		atomic_add(&stacks_in_use, 1);
		if (config_kasan)
			kasan_unpoison(s, KERNEL_STACK_SIZE);
		return s;
	}
	r = reserve(STACK_PAGES, REGION_STACK);
	if (!r)
		return NULL;
	if (!fill(r)) {
		unreserve(r);
		return NULL;
	}
	atomic_add(&stacks_in_use, 1);
	if (config_kasan)
		kasan_unpoison((void *)first_page(r), KERNEL_STACK_SIZE);
	return (void *)first_page(r);
}

/* Any context: the stack is only put aside. */
void
kernel_stack_free(void *base)
{
	struct free_stack *s = base;
	uint64_t flags;

	atomic_sub(&stacks_in_use, 1);
	if (config_kasan) {
		kasan_poison(base, KERNEL_STACK_SIZE, KASAN_STACK_FREED);
		kasan_unpoison(base, sizeof(*s));
	}
	flags = spin_lock_irq(&region_lock);
	s->next = free_stacks;
	free_stacks = s;
	free_stack_count++;
	spin_unlock_irq(&region_lock, flags);
}

/* Merging regions leaves more spare nodes than the next splits need. */
static void
drop_spares(void)
{
	for (;;) {
		uint64_t flags = spin_lock_irq(&region_lock);
		struct region *r = region_space_take_spare(&space, SPARES_MIN);

		spin_unlock_irq(&region_lock, flags);
		if (!r)
			return;
		slab_free(region_cache, r);
	}
}

void
regions_settle(void)
{
	(void)stack_shrink(0);
	(void)refill_spares();
	drop_spares();
}

uint64_t
kernel_stacks_kept(void)
{
	return (uint64_t)READ_ONCE(free_stack_count) * STACK_PAGES;
}

void
region_init(void)
{
	uint32_t order = 0;
	void *touch;

	while (PAGE_SIZE << order < REGION_SIZE)
		order++;
	region_cache = slab_cache_create("region", sizeof(struct region), 0);
	if (!region_cache)
		panic("no memory for kernel regions");
	region_space_init(&space, region_base, order, &root);
	/* One mapping makes the top-level entry that all later page tables copy. */
	touch = kernel_stack_alloc();
	if (!touch)
		panic("no memory for the first kernel stack");
	kernel_stack_free(touch);
}
