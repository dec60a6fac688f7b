/* SPDX-License-Identifier: MIT */
/*
 * slab.c - kernel objects of one size over blocks of frames.
 *
 * A slab is a block of frames cut into objects. Its free objects form a list, through their first
 * word or their note (<tessera/memory_check.h>), headed in page->private; page->index counts the objects that are in use. A slab is on its
 * cache's `partial` list when it has free objects and some in use, on `empty` when all are free, on
 * no list when it is full.
 *
 * Each CPU keeps a magazine per cache: a stack of free objects. Allocation and free touch only the
 * magazine, with interrupts off and no lock, unless it is empty or full; then half a magazine moves
 * between it and the slabs under the cache's lock. Magazines come from a cache that has none
 * itself.
 *
 *   free object:  in a slab's list  <--half a magazine-->  in a CPU's magazine  <-->  in use
 *
 * kmalloc() is a row of such caches up to 2 KiB and plain blocks of frames above.
 *
 * Locks: cache->lock (SLAB), never held while frames are allocated; cache_list_lock (LEAF) for the
 * list of caches, which only grows. Interrupts off: this CPU's magazines.
 */
#include <tessera/cpu.h>
#include <tessera/fault_inject.h>
#include <tessera/memory_check.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "mm.h"

#define MAGAZINE_MAX  30u
#define SLAB_ORDER_MAX 3u
#define EMPTY_KEEP    2u  /* empty slabs a cache holds on to */
#define KMALLOC_SLAB_MAX 2048u

struct magazine {
	uint32_t count;              /* [i] this CPU, interrupts off */
	void *objects[MAGAZINE_MAX]; /* [i] */
};

/*
 * [I] immutable  [c] lock  [i] the CPU whose it is, interrupts off
 */
struct slab_cache {
	struct object_shape shape;            /* [I] */
	uint16_t order;                       /* [I] of a slab */
	uint16_t magazine_size;               /* [I] 0: no magazines */
	struct spinlock lock;                 /* class SLAB */
	struct list partial, empty;           /* [c] struct page.node */
	uint32_t empty_count;                 /* [c] */
	uint64_t slabs;                       /* [c] */
	uint64_t quarantined;                 /* [a] free objects that KASAN holds back */
	uint64_t out; /* [c] objects not in a slab's list: in use or in magazines */
	struct magazine *magazines[MAX_CPUS]; /* [i] */
	struct slab_cache *next;              /* cache_list_lock */
};

#define QUARANTINE_MAX (4ul << 20) /* bytes, and at most a 64th of memory */

static struct spinlock cache_list_lock = SPINLOCK_INIT(LEAF);
static struct slab_cache *all_caches;       /* cache_list_lock; entries stay for ever */
static struct slab_cache cache_cache, magazine_cache;

static const uint16_t kmalloc_sizes[] = { 16,  32,  48,  64,  96,   128,  192, 256,
					  384, 512, 768, 1024, 1536, 2048 };
static const char *const kmalloc_names[] = {
	"kmalloc-16",  "kmalloc-32",  "kmalloc-48",  "kmalloc-64",  "kmalloc-96",
	"kmalloc-128", "kmalloc-192", "kmalloc-256", "kmalloc-384", "kmalloc-512",
	"kmalloc-768", "kmalloc-1024", "kmalloc-1536", "kmalloc-2048",
};
static struct slab_cache *kmalloc_caches[ARRAY_SIZE(kmalloc_sizes)]; /* [I] after slab_init() */
static uint8_t kmalloc_index[KMALLOC_SLAB_MAX / 16 + 1];             /* [I] by (size + 15) / 16 */

/* --- slabs ------------------------------------------------------------------------------------ */

static inline struct page *
slab_of(const void *object)
{
	return page_head(virt_to_page(object));
}

static void __noreturn __cold __noinline
bad_object(const struct slab_cache *c, const void *object, const char *what)
{
	struct page *p = virt_to_page(object);

	panic("slab %s: object %p: %s (frame %#lx, flags %#x)", c ? c->shape.name : "?", object, what,
	      page_to_pfn(p), p->flags);
}

/* A new slab, not on any list yet, all objects in its own list. No lock held. */
static struct page *
slab_grow(struct slab_cache *c, unsigned int flags)
{
	struct page *p = page_alloc(c->order, flags & ~(unsigned int)ALLOC_ZERO);
	char *base;
	void *head = NULL;

	if (!p)
		return NULL;
	if (c->order > 0)
		page_make_compound(p);
	base = page_to_virt(p);
	memory_check_slab_new(&c->shape, base);
	for (uint32_t i = c->shape.per_slab; i-- > 0;) {
		void *o = base + (size_t)i * c->shape.stride + c->shape.lead;

		*memory_check_link(&c->shape, o) = head;
		head = o;
	}
	p->slab = c;
	p->private = (uint64_t)head;
	p->index = 0;
	p->flags |= PAGE_SLAB;
	frames_count(COUNT_SLAB, 1l << c->order);
	return p;
}

static void
slab_release(struct slab_cache *c, struct page *p)
{
	p->flags &= ~(uint32_t)PAGE_SLAB;
	p->slab = NULL;
	frames_count(COUNT_SLAB, -(1l << c->order));
	page_free(p, c->order);
}

/* Take one object out of the slabs; NULL: none is free. Lock held. */
static void *
slab_take(struct slab_cache *c)
{
	struct page *p = list_first(&c->partial, struct page, node);
	void *o;

	if (!p) {
		p = list_first(&c->empty, struct page, node);
		if (!p)
			return NULL;
		list_del(&p->node);
		list_add(&c->partial, &p->node);
		c->empty_count--;
	}
	o = (void *)p->private;
	p->private = (uint64_t)*memory_check_link(&c->shape, o);
	p->index++;
	c->out++;
	if (p->private == 0)
		list_del(&p->node);
	return o;
}

/* Put one back. A slab that became surplus is returned for the caller to release. Lock held. */
static struct page *
slab_give(struct slab_cache *c, void *object)
{
	struct page *p = slab_of(object);
	bool was_full = p->private == 0;

	*memory_check_link(&c->shape, object) = (void *)p->private;
	p->private = (uint64_t)object;
	p->index--;
	c->out--;
	if (p->index == 0) {
		if (!was_full)
			list_del(&p->node);
		if (c->empty_count >= EMPTY_KEEP) {
			c->slabs--;
			return p;
		}
		list_add(&c->empty, &p->node);
		c->empty_count++;
	} else if (was_full) {
		list_add(&c->partial, &p->node);
	}
	return NULL;
}

/* --- magazines -------------------------------------------------------------------------------- */

/* This CPU's magazine, made when first needed. Interrupts off. NULL: none. */
static struct magazine *
magazine_get(struct slab_cache *c)
{
	struct magazine **m = &c->magazines[this_cpu()->id];

	if (unlikely(!*m) && c->magazine_size > 0) {
		*m = slab_alloc(&magazine_cache, ALLOC_NOWAIT);
		if (*m)
			(*m)->count = 0;
	}
	return *m;
}

/* The slow half of slab_alloc(): fill the magazine half, or take one object. */
static __noinline void *
alloc_slow(struct slab_cache *c, unsigned int flags)
{
	for (;;) {
		uint64_t irq = spin_lock_irq(&c->lock);
		void *o = slab_take(c);

		if (o) {
			struct magazine *m = c->magazines[this_cpu()->id];

			while (m && m->count < c->magazine_size / 2u) {
				void *more = slab_take(c);

				if (!more)
					break;
				m->objects[m->count++] = more;
			}
			spin_unlock_irq(&c->lock, irq);
			return o;
		}
		spin_unlock_irq(&c->lock, irq);

		struct page *p = slab_grow(c, flags);

		if (!p)
			return NULL;
		irq = spin_lock_irq(&c->lock);
		list_add(&c->empty, &p->node);
		c->empty_count++;
		c->slabs++;
		spin_unlock_irq(&c->lock, irq);
	}
}

/* slab_alloc() of `size` bytes, for whoever has asked fault_inject() already. */
static __always_inline void *
take_object(struct slab_cache *c, size_t size, unsigned int flags)
{
	uint64_t irq = arch_irq_save();
	struct magazine *m = c->magazines[this_cpu()->id];
	void *o = NULL;

	if (likely(m && m->count > 0))
		o = m->objects[--m->count];
	arch_irq_restore(irq);
	if (unlikely(!o)) {
		o = alloc_slow(c, flags);
		if (!o)
			return NULL;
	}
	memory_check_object_alloc(&c->shape, o, size);
	if (flags & ALLOC_ZERO)
		memset(o, 0, size);
	return o;
}

void *
slab_alloc(struct slab_cache *c, unsigned int flags)
{
	return fault_inject(__builtin_return_address(0)) ? NULL
							: take_object(c, c->shape.object, flags);
}

static __noinline void
free_slow(struct slab_cache *c, struct magazine *m, void *object)
{
	struct page *surplus[MAGAZINE_MAX + 1];
	uint32_t n = 0;
	struct page *p;

	spin_lock(&c->lock);
	p = slab_give(c, object);
	if (p)
		surplus[n++] = p;
	while (m && m->count > c->magazine_size / 2u) {
		p = slab_give(c, m->objects[--m->count]);
		if (p)
			surplus[n++] = p;
	}
	spin_unlock(&c->lock);
	while (n > 0)
		slab_release(c, surplus[--n]);
}

/* A free object goes where the next allocation may find it. */
static inline void
give_back(struct slab_cache *c, void *object)
{
	struct magazine *m;
	uint64_t irq = arch_irq_save();

	m = magazine_get(c);
	if (likely(m && m->count < c->magazine_size)) {
		if (unlikely(m->count > 0 && m->objects[m->count - 1] == object))
			bad_object(c, object, "freed twice");
		m->objects[m->count++] = object;
	} else {
		free_slow(c, m, object);
	}
	arch_irq_restore(irq);
}

/* A chain that leaves KASAN's quarantine. */
static void
give_back_chain(void *object)
{
	while (object) {
		struct slab_cache *c = slab_of(object)->slab;
		void *next = *memory_check_link(&c->shape, object);

		atomic_sub(&c->quarantined, 1);
		give_back(c, object);
		object = next;
	}
}

void
slab_drain_quarantine(void)
{
	if (config_kasan)
		give_back_chain(kasan_quarantine_take());
}

void
slab_free(struct slab_cache *c, void *object)
{
	struct page *p = slab_of(object);

	if (unlikely(!(p->flags & PAGE_SLAB) || p->slab != c))
		bad_object(c, object,
			p->flags & (PAGE_FREE | PAGE_STACKED) ? "freed already, its frame too"
					     : "not of this cache");
	memory_check_object_free(&c->shape, object);
	if (!config_kasan) {
		give_back(c, object);
		return;
	}
	atomic_add(&c->quarantined, 1);
	give_back_chain(kasan_quarantine_put(&c->shape, object));
}

/* Give this CPU's magazines and all empty slabs back. Returns frames freed. */
uint64_t
slab_shrink(void)
{
	uint64_t frames = 0;

	slab_drain_quarantine();
	for (struct slab_cache *c = READ_ONCE(all_caches); c; c = READ_ONCE(c->next)) {
		struct list doomed = LIST_INIT(doomed);
		uint64_t irq = spin_lock_irq(&c->lock);
		struct magazine *m = c->magazines[this_cpu()->id];

		while (m && m->count > 0) {
			struct page *p = slab_give(c, m->objects[--m->count]);

			if (p)
				list_add(&doomed, &p->node);
		}
		list_splice_tail(&doomed, &c->empty);
		c->slabs -= c->empty_count;
		c->empty_count = 0;
		spin_unlock_irq(&c->lock, irq);
		while (!list_is_empty(&doomed)) {
			struct page *p = list_first(&doomed, struct page, node);

			list_del(&p->node);
			slab_release(c, p);
			frames += 1ul << c->order;
		}
	}
	return frames;
}

/* --- caches ----------------------------------------------------------------------------------- */

static void
cache_setup(struct slab_cache *c, const char *name, size_t size, size_t align, bool magazines)
{
	uint32_t stride;
	uint64_t irq;

	memory_check_shape(&c->shape, name, size, align);
	stride = c->shape.stride;
	/* The smallest block that wastes under an eighth and holds eight objects, if there is
	 * one. */
	while (c->order < SLAB_ORDER_MAX &&
	       ((PAGE_SIZE << c->order) / stride < 8 ||
		(PAGE_SIZE << c->order) % stride > (PAGE_SIZE << c->order) / 8))
		c->order++;
	c->shape.per_slab = (uint32_t)((PAGE_SIZE << c->order) / stride);
	assert(c->shape.per_slab > 0);
	if (magazines)
		c->magazine_size = stride <= 256 ? MAGAZINE_MAX : stride <= 1024 ? 16 : 8;
	spin_init(&c->lock, LOCK_SLAB);
	list_init(&c->partial);
	list_init(&c->empty);
	irq = spin_lock_irq(&cache_list_lock);
	c->next = all_caches;
	WRITE_ONCE(all_caches, c);
	spin_unlock_irq(&cache_list_lock, irq);
}

struct slab_cache *
slab_cache_create(const char *name, size_t size, size_t align)
{
	struct slab_cache *c = slab_alloc(&cache_cache, ALLOC_ZERO);

	if (c)
		cache_setup(c, name, size, align, true);
	return c;
}

void
slab_for_each(void (*fn)(void *ctx, const char *name, size_t size, uint64_t used, uint64_t total,
			 uint64_t pages), void *ctx)
{
	for (struct slab_cache *c = READ_ONCE(all_caches); c; c = READ_ONCE(c->next)) {
		uint64_t irq = spin_lock_irq(&c->lock);
		uint64_t used = c->out, slabs = c->slabs;

		for (uint32_t i = 0; i < MAX_CPUS; i++)
			if (c->magazines[i])
				used -= MIN(used, (uint64_t)READ_ONCE(c->magazines[i]->count));
		spin_unlock_irq(&c->lock, irq);
		used -= MIN(used, atomic_load(&c->quarantined));
		fn(ctx, c->shape.name, c->shape.stride, used, slabs * c->shape.per_slab,
		   slabs << c->order);
	}
}

void
slab_dump(void)
{
	uint32_t caches = 0;

	pr_info("%-20s %8s %10s %8s %6s\n", "cache", "size", "in use", "slabs", "pages");
	for (const struct slab_cache *c = all_caches; c && caches < 1000; c = c->next, caches++) {
		uint64_t used = c->out;

		for (uint32_t i = 0; i < MAX_CPUS; i++)
			if (c->magazines[i])
				used -= MIN(used, (uint64_t)c->magazines[i]->count);
		pr_info("%-20s %8u %10lu %8lu %6lu\n", c->shape.name, c->shape.stride, used, c->slabs,
			c->slabs << c->order);
	}
}

void
slab_init(void)
{
	struct memory_stats m;
	uint32_t k = 0;

	memory_stats(&m);
	if (config_kasan)
		kasan_quarantine_init(MIN(QUARANTINE_MAX, m.total * PAGE_SIZE / 64));
	cache_setup(&cache_cache, "slab_cache", sizeof(struct slab_cache), 64, false);
	cache_setup(&magazine_cache, "magazine", sizeof(struct magazine), 16, false);
	for (uint32_t i = 0; i < ARRAY_SIZE(kmalloc_sizes); i++) {
		kmalloc_caches[i] = slab_cache_create(kmalloc_names[i], kmalloc_sizes[i],
						      kmalloc_sizes[i] % 64 == 0 ? 64 : 16);
		if (!kmalloc_caches[i])
			panic("no memory for the cache %s", kmalloc_names[i]);
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(kmalloc_index); i++) {
		while (i * 16 > kmalloc_sizes[k])
			k++;
		kmalloc_index[i] = (uint8_t)k;
	}
}

/* Magazines are made when a CPU first frees something: nothing to prepare. */
void
slab_init_cpu(struct cpu *c)
{
	assert(c->id < MAX_CPUS);
}

/* --- general sizes ---------------------------------------------------------------------------- */

/* `site`: whom to name as the one who asked. */
static __always_inline void *
kmalloc_at(size_t size, unsigned int flags, const void *site)
{
	unsigned int order = 0;
	struct page *p;

	if (fault_inject(site))
		return NULL;
	if (likely(size <= KMALLOC_SLAB_MAX))
		return take_object(kmalloc_caches[kmalloc_index[(size + 15) / 16]], size, flags);
	if (size > PAGE_SIZE << MAX_ORDER)
		return NULL;
	while (PAGE_SIZE << order < size)
		order++;
	p = page_alloc(order, flags);
	if (!p)
		return NULL;
	p->flags |= PAGE_KERNEL;
	memory_check_block_alloc(p, size);
	return page_to_virt(p);
}

void *
kmalloc(size_t size, unsigned int flags)
{
	return kmalloc_at(size, flags, __builtin_return_address(0));
}

void *
kzalloc(size_t size)
{
	return kmalloc_at(size, ALLOC_ZERO, __builtin_return_address(0));
}

void
kfree(void *p)
{
	struct page *page;

	if (!p)
		return;
	page = slab_of(p);
	if (likely(page->flags & PAGE_SLAB)) {
		slab_free(page->slab, p);
		return;
	}
	if (unlikely(!(page->flags & PAGE_KERNEL) || page_to_virt(page) != p))
		bad_object(NULL, p, "kfree of what kmalloc did not give");
	memory_check_block_free(page);
	page_free(page, page->order);
}

/* How large the object at `p` may become where it is. */
static size_t
usable_size(const void *p)
{
	struct page *page = slab_of(p);

	return page->flags & PAGE_SLAB ? ((struct slab_cache *)page->slab)->shape.object
				       : PAGE_SIZE << page->order;
}

/* How many bytes of it the owner may have written. */
static size_t
used_size(const void *p)
{
	struct page *page = slab_of(p);

	if (!config_object_notes)
		return usable_size(p);
	return page->flags & PAGE_SLAB ? check_object_size(&((struct slab_cache *)page->slab)->shape, p)
				       : page->private;
}

static void
resize(void *p, size_t size)
{
	struct page *page = slab_of(p);

	if (page->flags & PAGE_SLAB)
		memory_check_object_resize(&((struct slab_cache *)page->slab)->shape, p, size);
	else
		memory_check_block_resize(page, size);
}

const struct object_shape *
slab_shape(const struct page *p)
{
	return p->flags & PAGE_SLAB ? &((struct slab_cache *)p->slab)->shape : NULL;
}

void *
krealloc(void *p, size_t size, unsigned int flags)
{
	size_t old;
	void *n;

	if (!p)
		return kmalloc_at(size, flags, __builtin_return_address(0));
	old = usable_size(p);
	if (size <= old && size > old / 4) {
		resize(p, size);
		return p;
	}
	n = kmalloc_at(size, flags, __builtin_return_address(0));
	if (!n)
		return NULL;
	memcpy(n, p, MIN(used_size(p), size));
	kfree(p);
	return n;
}

static __always_inline void *
kmemdup_at(const void *p, size_t size, const void *site)
{
	void *n = kmalloc_at(size, 0, site);

	if (n)
		memcpy(n, p, size);
	return n;
}

char *
kstrdup(const char *s)
{
	return kmemdup_at(s, strlen(s) + 1, __builtin_return_address(0));
}

void *
kmemdup(const void *p, size_t size)
{
	return kmemdup_at(p, size, __builtin_return_address(0));
}
