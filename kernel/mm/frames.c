/* SPDX-License-Identifier: MIT */
/*
 * frames.c - the frame allocator.
 *
 * Two zones, below and above 4 GiB, each a buddy allocator under its lock. In front of them every
 * CPU keeps a stack of single frames: most allocations and frees touch only that, with interrupts
 * off and no lock.
 *
 *   page_alloc:  CPU's stack -> zones -> another section online -> reclaim -> OOM killer
 *   page_free:   CPU's stack -> (full: half of it) -> zone
 *
 * The last frames_reserve frames go only to those who are on the way to give memory back
 * (ALLOC_RESERVE, a thread that the OOM killer chose); the lower half of it also to callers that
 * cannot wait, all but a quarter to processes that say that writing depends on them (PR_SET_IO_FLUSHER).
 *
 * A frame on a CPU's stack is PAGE_STACKED, not PAGE_FREE: it is put there without the zone's lock, while
 * another CPU that frees its buddy may look at it.
 *
 * A block in use carries PAGE_HEAD on its first frame and its order; freeing anything else is a
 * double or wild free and panics, in every build.
 *
 * Locks: a zone's lock (FRAMES) is a leaf. The stacks: interrupts off, this CPU.
 */
#include <tessera/bootinfo.h>
#include <tessera/cpu.h>
#include <tessera/memory_check.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/fault_inject.h>
#include <tessera/string.h>
#include <tessera/thread.h>
#include <tessera/trace.h>

#include "huge_pool.h"
#include "mm.h"
#include "page_cache.h"
#include "stats.h"

#define CACHE_MAX    62u
#define CACHE_BATCH  31u
#define LOW_LIMIT    (1ul << (32 - PAGE_SHIFT))
#define RETRIES_MAX  16u
#define WRITE_WAITS  50u /* moments for pages to be written, before somebody has to die */

struct zone {
	struct spinlock lock;   /* class FRAMES */
	struct buddy buddy;     /* lock */
	const char *name;       /* [I] */
};

/*
 * [i] this CPU, interrupts off  [a] atomic
 */
struct frame_cache {
	uint32_t count;                 /* [i] */
	struct page *pages[CACHE_MAX];  /* [i] */
	int64_t counts[COUNT_KINDS];    /* [a] */
} __aligned(64);

enum { ZONE_LOW, ZONE_HIGH, ZONE_COUNT };

static struct zone zones[ZONE_COUNT] = {
	[ZONE_LOW] = { .lock = SPINLOCK_INIT(FRAMES), .name = "below 4 GiB" },
	[ZONE_HIGH] = { .lock = SPINLOCK_INIT(FRAMES), .name = "above 4 GiB" },
};
static struct frame_cache boot_cache;
static struct frame_cache *caches[MAX_CPUS]; /* [I] once set */
static uint64_t total_frames;                /* [I] */
static bool ready;                           /* [I] after frames_init() */
uint64_t frames_reserve;

static struct zone *
zone_of(pfn_t pfn)
{
	return &zones[pfn < LOW_LIMIT ? ZONE_LOW : ZONE_HIGH];
}

/* --- counters --------------------------------------------------------------------------------- */

void
frames_count(enum frame_count kind, int64_t frames)
{
	struct frame_cache *c = this_cpu()->frame_cache;

	atomic_add_relaxed(&(c ? c : &boot_cache)->counts[kind], frames);
}

uint64_t
frames_free_online(void)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < ZONE_COUNT; i++)
		n += READ_ONCE(zones[i].buddy.frames);
	return n;
}

bool
frames_plentiful(void)
{
	return frames_free_online() + section_offline_frames() > total_frames / 4;
}

static uint64_t
sum_counts(enum frame_count kind)
{
	int64_t n = atomic_load_relaxed(&boot_cache.counts[kind]);

	for (uint32_t i = 0; i < MAX_CPUS; i++)
		if (caches[i] && caches[i] != &boot_cache)
			n += atomic_load_relaxed(&caches[i]->counts[kind]);
	return n > 0 ? (uint64_t)n : 0;
}

/* Takes no locks: the numbers are each true, their sum only nearly. */
void
memory_stats(struct memory_stats *out)
{
	uint64_t held = READ_ONCE(boot_cache.count);

	for (uint32_t i = 0; i < MAX_CPUS; i++)
		if (caches[i] && caches[i] != &boot_cache)
			held += READ_ONCE(caches[i]->count);
	out->total = total_frames;
	out->free = frames_free_online() + held + section_offline_frames();
	out->slab = sum_counts(COUNT_SLAB);
	out->page_tables = sum_counts(COUNT_PAGE_TABLES);
	out->anonymous = sum_counts(COUNT_ANONYMOUS);
	out->cached = sum_counts(COUNT_CACHED);
	out->shared = sum_counts(COUNT_SHARED);
	out->huge = sum_counts(COUNT_HUGE);
	out->array = section_array_frames();
	held = out->free + out->slab + out->page_tables + out->anonymous + out->cached;
	out->kernel = out->total > held ? out->total - held : 0;
}

void
memory_dump(void)
{
	struct writeback_stats w;
	struct memory_stats s;

	memory_stats(&s);
	writeback_stats(&w);
	pr_info("memory: %lu frames, %lu free (%lu offline), reserve %lu\n", s.total, s.free,
		section_offline_frames(), frames_reserve);
	pr_info("  kernel %lu, slab %lu, page tables %lu, anonymous %lu (huge %lu), cached %lu "
		"(shared %lu, dirty %lu, being written %lu)\n",
		s.kernel, s.slab, s.page_tables, s.anonymous, s.huge, s.cached, s.shared, w.dirty,
		w.writeback);
	for (unsigned int i = 0; i < ZONE_COUNT; i++) {
		const struct buddy *b = &zones[i].buddy;

		pr_info("  %s: %lu free; blocks of 2^k frames: %lu %lu %lu %lu %lu %lu %lu %lu %lu "
			"%lu %lu\n",
			zones[i].name, b->frames, b->blocks[0], b->blocks[1], b->blocks[2],
			b->blocks[3], b->blocks[4], b->blocks[5], b->blocks[6], b->blocks[7],
			b->blocks[8], b->blocks[9], b->blocks[10]);
	}
	backing_dump_all();
}

void
page_dump(pfn_t pfn)
{
	static const char *const flags[] = {
		"free", "slab", "table", "reserved", "head", "tail", "dirty", "uptodate", "locked", "cached",
		"anonymous", "stacked", "kernel", "referenced", "hugetlb", "writeback", "readahead", "ahead", "listed",
	};
	const struct page *p = phys_to_page(pfn << PAGE_SHIFT);
	char text[160] = "";
	size_t n = 0;

	if (!p) {
		pr_info("frame %#lx is not memory, or not online yet\n", pfn);
		return;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++)
		if ((p->flags & BIT(i)) && flags[i])
			n += (size_t)scnprintf(text + n, sizeof(text) - n, " %s", flags[i]);
	pr_info("frame %#lx (physical %#lx): struct page %p, flags %#x%s\n", pfn, pfn << PAGE_SHIFT,
		(const void *)p, p->flags, text);
	pr_info("  %u references, mapped %u times, order %u, index %#lx, private %#lx\n", p->refcount,
		p->mapcount, p->order, p->index, p->private);
	if (p->flags & PAGE_TAIL)
		pr_info("  inside the block at frame %#lx\n", page_to_pfn(p->head));
	if (p->flags & PAGE_CACHED)
		pr_info("  of memory object %p\n", (void *)p->object);
}

/* --- the zones -------------------------------------------------------------------------------- */

void
frames_add_block(pfn_t pfn, unsigned int order)
{
	struct zone *z = zone_of(pfn);
	uint64_t flags = spin_lock_irq(&z->lock);

	buddy_put(&z->buddy, pfn_to_page(pfn), order);
	spin_unlock_irq(&z->lock, flags);
}

/* A block from the zones, high memory first: what must lie low has no other place. */
static struct page *
take_block(unsigned int order, unsigned int flags)
{
	for (int i = flags & ALLOC_LOW ? ZONE_LOW : ZONE_HIGH; i >= 0; i--) {
		struct zone *z = &zones[i];
		struct page *p;
		uint64_t irq;

		if (READ_ONCE(z->buddy.frames) < (1ul << order))
			continue;
		irq = spin_lock_irq(&z->lock);
		p = buddy_take(&z->buddy, order);
		spin_unlock_irq(&z->lock, irq);
		if (p)
			return p;
	}
	return NULL;
}

/* Fill the CPU's stack half. Interrupts off. */
static void
refill(struct frame_cache *c)
{
	for (int i = ZONE_HIGH; i >= 0 && c->count < CACHE_BATCH; i--) {
		struct zone *z = &zones[i];

		if (READ_ONCE(z->buddy.frames) == 0)
			continue;
		spin_lock(&z->lock);
		while (c->count < CACHE_BATCH) {
			struct page *p = buddy_take(&z->buddy, 0);

			if (!p)
				break;
			p->flags = PAGE_STACKED;
			c->pages[c->count++] = p;
		}
		spin_unlock(&z->lock);
	}
}

static uint64_t
drain(struct frame_cache *c, uint32_t keep)
{
	uint64_t n = 0;

	while (c->count > keep) {
		struct page *p = c->pages[--c->count];
		struct zone *z = zone_of(page_to_pfn(p));

		spin_lock(&z->lock);
		buddy_put(&z->buddy, p, 0);
		spin_unlock(&z->lock);
		n++;
	}
	return n;
}

uint64_t
frames_drain_local(void)
{
	uint64_t flags = arch_irq_save();
	struct frame_cache *c = this_cpu()->frame_cache;
	uint64_t n = c ? drain(c, 0) : 0;

	arch_irq_restore(flags);
	return n;
}

/* --- allocation ------------------------------------------------------------------------------- */

static bool
may_use_reserve(unsigned int flags)
{
	struct thread *t;

	if (flags & ALLOC_RESERVE)
		return true;
	t = current_thread();
	return t && atomic_load_relaxed(&t->memory_reserve);
}

/* Would this allocation leave the reserve alone? */
static bool
above_reserve(unsigned int order, unsigned int flags)
{
	struct thread *t = current_thread();
	uint64_t floor = flags & ALLOC_NOWAIT ? frames_reserve / 2 : frames_reserve;

	if (t && t->process && READ_ONCE(t->process->io_flusher))
		floor = frames_reserve / 4;

	return frames_free_online() >= floor + (1ul << order) || may_use_reserve(flags);
}

static struct page *
take(unsigned int order, unsigned int flags)
{
	struct page *p;

	/* Somebody who holds the kernel's table lock is mapping something; a section needs that
	 * lock. */
	while (frames_free_online() < frames_reserve + (1ul << order) &&
	       section_offline_frames() > 0 && !spin_is_held(&kernel_table_lock) &&
	       !section_is_carving())
		if (!section_online_next())
			break;
	if (!above_reserve(order, flags))
		return NULL;
	p = take_block(order, flags);
	while (!p && section_offline_frames() > 0 && !spin_is_held(&kernel_table_lock) &&
	       !section_is_carving()) {
		if (!section_online_next())
			break;
		p = take_block(order, flags);
	}
	return p;
}

static inline struct page *
prepare(struct page *p, unsigned int order, unsigned int flags)
{
	p->flags = PAGE_HEAD;
	p->refcount = 1;
	p->mapcount = 0;
	p->order = (uint16_t)order;
	p->object = NULL;
	p->private = 0;
	if (flags & ALLOC_ZERO)
		memset(page_to_virt(p), 0, PAGE_SIZE << order);
	return p;
}

/*
 * Memory is short: reclaim, and if that gives nothing, kill, for the kernel's own needs as well: a
 * small program's fork() shall not fail because of a large one. Large blocks are a wish, not a
 * need: no process dies for contiguity.
 */
static __noinline struct page *
alloc_slow(unsigned int order, unsigned int flags)
{
	struct thread *t = current_thread();
	struct page *p = take(order, flags);
	unsigned int waits = 0;

	if (p || (flags & ALLOC_NOWAIT) || !preemptible() || t->reclaiming)
		return p;
	for (unsigned int i = 0; i < RETRIES_MAX + waits; i++) {
		uint64_t got;

		t->reclaiming = true; /* what reclaim frees may allocate a little: that stack ends here */
		got = reclaim((1ul << order) + CACHE_BATCH);
		t->reclaiming = false;
		p = take(order, flags);
		if (p)
			return p;
		if (got > 0)
			continue;
		if (flags & ALLOC_TRY)
			return NULL;
		if (order <= 3 && waits++ < WRITE_WAITS && writeback_wait_memory())
			continue;
		if (order > 3)
			return NULL;
		if (order > 0) {
			/* Memory is there, in pieces. Kept slabs and stacks lie between them; if that is not
			 * it, killing one after the other would go on until nobody is left. */
			(void)slab_shrink();
			(void)stack_shrink(0);
			(void)frames_drain_local();
			p = take(order, flags);
			if (p || frames_free_online() > frames_reserve + total_frames / 16)
				return p;
		}
		if (!oom_kill(flags & ALLOC_USER ? "a page of user memory" : "kernel memory"))
			return NULL;
		p = take(order, flags);
		if (p)
			return p;
	}
	return NULL;
}

struct page *
page_alloc(unsigned int order, unsigned int flags)
{
	struct page *p = NULL;

	if (fault_inject(__builtin_return_address(0)))
		return NULL;
	if (likely(order == 0 && !(flags & ALLOC_LOW))) {
		uint64_t irq = arch_irq_save();
		struct frame_cache *c = this_cpu()->frame_cache;

		if (likely(c)) {
			if (c->count == 0 && above_reserve(CACHE_BATCH > 1 ? 5 : 0, 0))
				refill(c);
			if (c->count > 0)
				p = c->pages[--c->count];
		}
		arch_irq_restore(irq);
	}
	if (unlikely(!p)) {
		if (order > MAX_ORDER)
			return NULL;
		p = alloc_slow(order, flags);
		if (!p) {
			cpu_count_one(CPU_COUNTER(allocs_failed));
			return NULL;
		}
	}
	memory_check_frames_alloc(p, order);
	cpu_count_one(CPU_COUNTER(page_allocs));
	trace_page_alloc(page_to_pfn(p), order);
	return prepare(p, order, flags);
}

static void __noreturn __cold __noinline
bad_free(struct page *p, unsigned int order)
{
	panic("freeing frame %#lx order %u: flags %#x, refcount %u, its order %u%s", page_to_pfn(p),
		order, p->flags, p->refcount, p->order,
		p->flags & (PAGE_FREE | PAGE_STACKED) ? " (free already)"
		: p->flags & PAGE_RESERVED ? " (reserved)"
					   : "");
}

void
page_free(struct page *p, unsigned int order)
{
	if (unlikely(!(p->flags & PAGE_HEAD) || p->order != order || p->refcount > 1 ||
		     (p->flags & (PAGE_FREE | PAGE_STACKED | PAGE_RESERVED | PAGE_TAIL))))
		bad_free(p, order);
	cpu_count_one(CPU_COUNTER(page_frees));
	trace_page_free(page_to_pfn(p), order);
	if ((p->flags & (PAGE_ANON | PAGE_HUGETLB)) == PAGE_ANON) {
		frames_count(COUNT_ANONYMOUS, -(int64_t)(1ul << order));
		if (order == HUGE_PAGE_ORDER)
			frames_count(COUNT_HUGE, -(int64_t)(1ul << order));
	}
	p->refcount = 0;
	if (unlikely(p->flags & PAGE_HUGETLB) && huge_pool_take_back(p))
		return;
	memory_check_frames_free(p, order);
	if (likely(order == 0)) {
		uint64_t irq = arch_irq_save();
		struct frame_cache *c = this_cpu()->frame_cache;

		if (likely(c)) {
			if (c->count == CACHE_MAX)
				drain(c, CACHE_BATCH);
			p->flags = PAGE_STACKED;
			c->pages[c->count++] = p;
			arch_irq_restore(irq);
			return;
		}
		arch_irq_restore(irq);
	} else {
		for (uint64_t i = 1; i < 1ul << order; i++) {
			if (!(p[i].flags & PAGE_TAIL))
				break;
			p[i].flags = 0;
		}
	}
	frames_add_block(page_to_pfn(p), order);
}

void
page_put(struct page *p)
{
	uint32_t left;

	p = page_head(p);
	left = atomic_sub_fetch(&p->refcount, 1);
	if (left == 0)
		page_free(p, p->order);
	else if (unlikely(left == UINT32_MAX))
		bad_free(p, p->order);
}

void
page_make_compound(struct page *p)
{
	for (uint64_t i = 1; i < 1ul << p->order; i++) {
		p[i].flags = PAGE_TAIL;
		p[i].head = p;
		p[i].refcount = 0;
		p[i].mapcount = 0;
	}
}

void
page_break_block(struct page *p)
{
	unsigned int order = p->order;
	uint32_t flags =
		p->flags & (PAGE_HEAD | PAGE_ANON | PAGE_UPTODATE | PAGE_DIRTY | PAGE_KERNEL);

	assert(p->refcount == 1);
	if ((flags & PAGE_ANON) && order == HUGE_PAGE_ORDER)
		frames_count(COUNT_HUGE, -(int64_t)(1ul << order));
	for (uint64_t i = 0; i < 1ul << order; i++) {
		p[i].refcount = 1;
		p[i].mapcount = p->mapcount;
		p[i].order = 0;
		p[i].object = NULL;
		p[i].private = 0;
		atomic_store_release(&p[i].flags, flags);
	}
}

/* --- frames by address: page tables ----------------------------------------------------------- */

paddr_t
frame_alloc(unsigned int flags)
{
	struct page *p;

	if (unlikely(!ready))
		return section_is_carving() ? section_carve() : boot_frame_alloc();
	if (unlikely(section_is_carving()))
		return section_carve();
	if (fault_inject(__builtin_return_address(0)))
		return 0;
	p = page_alloc(0, flags);
	if (!p)
		return 0;
	p->flags |= PAGE_TABLE;
	frames_count(COUNT_PAGE_TABLES, 1);
	return page_to_phys(p);
}

void
frame_free(paddr_t frame)
{
	struct page *p = pfn_to_page(frame >> PAGE_SHIFT);

	/* Taken before the allocator stood: not ours to give out again. */
	if (p->flags & PAGE_RESERVED)
		return;
	if (p->flags & PAGE_TABLE) {
		p->flags &= ~(uint32_t)PAGE_TABLE;
		frames_count(COUNT_PAGE_TABLES, -1);
	}
	page_free(p, 0);
}

void
frames_free_list(struct list *from)
{
	while (!list_is_empty(from)) {
		struct page *p = list_first(from, struct page, node);

		list_del(&p->node);
		page_free(p, 0);
	}
}

/* --- boot ------------------------------------------------------------------------------------- */

struct page *
frames_claim_boot_page(paddr_t pa)
{
	pfn_t pfn = pa >> PAGE_SHIFT;
	struct page *p;

	if (!section_online_for(pfn))
		panic("boot frame %#lx is not memory", pfn);
	p = pfn_to_page(pfn);
	if (p->flags != PAGE_RESERVED)
		panic("boot frame %#lx claimed twice: flags %#x", pfn, p->flags);
	return prepare(p, 0, 0);
}

void
frames_release_boot_range(paddr_t start, paddr_t end)
{
	start = ALIGN_UP(start, PAGE_SIZE);
	for (; start + PAGE_SIZE <= end; start += PAGE_SIZE) {
		if (section_online_for(start >> PAGE_SHIFT) &&
		    pfn_to_page(start >> PAGE_SHIFT)->flags == PAGE_RESERVED)
			page_free(frames_claim_boot_page(start), 0);
	}
}

void
frames_init_cpu(struct cpu *c)
{
	struct frame_cache *cache = &boot_cache;

	if (c->id != 0) {
		unsigned int order = 0;
		struct page *p = page_alloc(order, ALLOC_ZERO);

		_Static_assert(
			sizeof(struct frame_cache) <= PAGE_SIZE / 2, "two would share a page");
		if (!p)
			return; /* it works without: every allocation goes to the zones */
		p->flags |= PAGE_KERNEL;
		cache = page_to_virt(p);
	}
	caches[c->id] = cache;
	c->frame_cache = cache;
}

void
frames_init(void)
{
	for (unsigned int i = 0; i < ZONE_COUNT; i++)
		buddy_init(&zones[i].buddy);
	section_init();
	for (uint32_t i = 0; i < boot_ram.count; i++)
		total_frames += boot_ram.range[i].end - boot_ram.range[i].start;
	/* As Linux: large pages cost too much where there is little. */
	if (total_frames < (512ul << (20 - PAGE_SHIFT)))
		huge_page_mode = HUGE_NEVER;
	frames_reserve = MAX(16ul, MIN(1024ul, total_frames / 128));
	while (frames_free_online() <= frames_reserve && section_online_next())
		;
	if (frames_free_online() <= frames_reserve)
		panic("too little memory: %lu KiB in all, %lu KiB free after the kernel's own",
		      total_frames * 4, frames_free_online() * 4);
	ready = true;
	frames_init_cpu(this_cpu());
	pr_info("memory: %lu MiB, %lu MiB of it online\n", total_frames >> 8,
		(total_frames - section_offline_frames()) >> 8);
}
