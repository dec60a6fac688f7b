/* SPDX-License-Identifier: MIT */
/*
 * object.c - memory objects: birth, death, truncation, and which mappings see them.
 *
 * A page belongs to its object from insertion (page_cache.c) to removal. Removal is always in this
 * order, which faults rely on:
 *
 *	(1) o->size shrinks (truncation only)
 *	(2) the page leaves o->pages; page->object becomes NULL
 *	(3) every leaf that maps it is taken away, each under its space's page_table_lock
 *	(4) the object's reference is dropped
 *
 * A fault looks the page up, takes the page-table lock and checks page->object again before it
 * installs the leaf: either it sees (2) and starts over, or its leaf is there for (3) to find. A
 * page of an object with a store may stay in the tree because it is being written; then (2) is that
 * it is no more up to date.
 *
 * Locks: o->lock for (1) to (4) as a whole; inside it mappings_lock, page_table_lock and
 * pages_lock, one after the other or nested in that order.
 */
#include <tessera/backing.h>
#include <tessera/continuation.h>
#include <tessera/errno.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "mm.h"
#include "page_cache.h"

static struct slab_cache *object_cache; /* [I] */
static struct slab_cache *stored_cache; /* [I] */

/* One with a store, in one piece. */
struct stored_object {
	struct memory_object object;
	struct object_store store;
};

/* Shared anonymous memory, memfd and tmpfs: memory is the only store. */
const struct memory_object_ops anonymous_object_ops = {
	.name = "anonymous",
};

void
object_cache_init(void)
{
	object_cache = slab_cache_create("memory_object", sizeof(struct memory_object), 0);
	stored_cache = slab_cache_create("stored_object", sizeof(struct stored_object), 0);
	if (!object_cache || !stored_cache)
		panic("no memory for memory objects");
}

void
object_init(struct memory_object *o, const struct memory_object_ops *ops, uint64_t size)
{
	*o = (struct memory_object){ .ops = ops, .size = size, .embedded = true };
	ref_init(&o->refs);
	mutex_init(&o->lock, LOCK_OBJECT);
	spin_init(&o->pages_lock, LOCK_PAGES);
	spin_init(&o->mappings_lock, LOCK_MAPPINGS);
	radix_init(&o->pages);
	list_init(&o->mappings);
}

struct memory_object *
object_create(const struct memory_object_ops *ops, uint64_t size, void *private)
{
	struct memory_object *o = slab_alloc(object_cache, 0);

	if (!o)
		return NULL;
	object_init(o, ops, size);
	o->private = private;
	o->embedded = false;
	return o;
}

struct memory_object *
object_create_stored(const struct memory_object_ops *ops, uint64_t size, void *private, struct backing *backing)
{
	struct stored_object *so = slab_alloc(stored_cache, ALLOC_ZERO);

	if (!so)
		return NULL;
	object_init(&so->object, ops, size);
	so->object.private = private;
	so->object.embedded = false;
	so->object.store = &so->store;
	so->store.object = &so->object;
	so->store.backing = backing;
	backing_get(backing);
	list_init(&so->store.node);
	wait_queue_init(&so->store.idle);
	return &so->object;
}

void
object_get(struct memory_object *o)
{
	ref_get(&o->refs);
}

/* The last reference is gone. */
static void
destroy(struct memory_object *o)
{
	struct backing *b = o->store ? o->store->backing : NULL;
	bool embedded = o->embedded;

	assert(list_is_empty(&o->mappings));
	page_cache_remove(o, 0, UINT64_MAX);
	radix_destroy(&o->pages);
	if (o->ops->release)
		o->ops->release(o);
	if (b) {
		slab_free(stored_cache, container_of(o, struct stored_object, object));
		backing_put(b);
	} else if (!embedded) {
		slab_free(object_cache, o);
	}
}

void
object_put(struct memory_object *o)
{
	if (ref_put(&o->refs))
		destroy(o);
}

static struct spinlock late_lock = SPINLOCK_INIT(LEAF);
static struct list late = LIST_INIT(late); /* late_lock: objects to destroy, by their empty list of mappings */
static struct continuation late_work;      /* late_lock: initialised with the first */

static void
destroy_late(struct continuation *c)
{
	for (;;) {
		uint64_t flags = spin_lock_irq(&late_lock);
		struct memory_object *o = list_first(&late, struct memory_object, mappings);

		if (o)
			list_del_init(&o->mappings);
		spin_unlock_irq(&late_lock, flags);
		if (!o)
			return;
		destroy(o);
	}
}

void
object_put_late(struct memory_object *o)
{
	uint64_t flags;

	if (!ref_put(&o->refs))
		return;
	assert(list_is_empty(&o->mappings));
	flags = spin_lock_irq(&late_lock);
	if (!late_work.fn)
		continuation_init(&late_work, destroy_late);
	list_add_tail(&late, &o->mappings);
	spin_unlock_irq(&late_lock, flags);
	continuation_run(&late_work);
}

void
object_inode_gone(struct memory_object *o)
{
	spin_lock(&o->pages_lock);
	o->inode = NULL;
	o->store->orphan = true;
	spin_unlock(&o->pages_lock);
}

void
object_dump(const struct memory_object *o)
{
	const struct object_store *s = o->store;

	pr_info("object %p (%s): size %#lx, %lu pages, %u references\n", (const void *)o, o->ops->name, o->size,
		o->pages.count, o->refs.count);
	if (s)
		pr_info("  of %s: %lu dirty, %lu being written, held by %u, %s%s\n", s->backing->name, s->dirty,
			s->writeback, s->holds, s->listed ? "listed" : "unlisted",
			s->errors.value ? ", has had errors" : "");
}

/* --- truncation ------------------------------------------------------------------------------- */

/*
 * Zero [from, to) of page `index`, if the object has that page. With a store that is only what
 * memory shows: the store was told itself. A page that is being filled may get what was there
 * before: it is dropped.
 */
static void
zero_part(struct memory_object *o, uint64_t index, size_t from, size_t to)
{
	struct page *p;

	if (from >= to || page_cache_remove_unfilled(o, index))
		return;
	p = page_cache_look_up(o, index);
	if (!p)
		return;
	memset((char *)page_to_virt(p) + from, 0, to - from);
	page_put(p);
}

/* o->lock is held. */
static void
drop_from(struct memory_object *o, uint64_t size)
{
	uint64_t first = DIV_ROUND_UP(size, PAGE_SIZE);

	page_cache_remove(o, first, UINT64_MAX);           /* (2) (4) */
	object_unmap_range(o, first, UINT64_MAX, false);   /* (3) */
	if (size % PAGE_SIZE)
		zero_part(o, size / PAGE_SIZE, size % PAGE_SIZE, PAGE_SIZE);
}

void
object_truncate(struct memory_object *o, uint64_t size)
{
	uint64_t old;

	mutex_lock(&o->lock);
	old = atomic_load_relaxed(&o->size);
	atomic_store(&o->size, size); /* (1) */
	if (size < old)
		drop_from(o, size);
	mutex_unlock(&o->lock);
}

void
object_drop_behind(struct memory_object *o)
{
	mutex_lock(&o->lock);
	drop_from(o, atomic_load(&o->size));
	mutex_unlock(&o->lock);
}

void
object_punch(struct memory_object *o, uint64_t start, uint64_t end)
{
	uint64_t first = DIV_ROUND_UP(start, PAGE_SIZE), last = end / PAGE_SIZE;

	mutex_lock(&o->lock);
	if (first < last) {
		page_cache_remove(o, first, last - 1);
		object_unmap_range(o, first, last - 1, true);
	}
	if (start / PAGE_SIZE == end / PAGE_SIZE) {
		zero_part(o, start / PAGE_SIZE, start % PAGE_SIZE, end % PAGE_SIZE);
	} else {
		if (start % PAGE_SIZE)
			zero_part(o, start / PAGE_SIZE, start % PAGE_SIZE, PAGE_SIZE);
		zero_part(o, end / PAGE_SIZE, 0, end % PAGE_SIZE);
	}
	mutex_unlock(&o->lock);
}

bool
object_next_data(struct memory_object *o, uint64_t *index)
{
	bool found;

	spin_lock(&o->pages_lock);
	found = radix_next(&o->pages, index) != NULL;
	spin_unlock(&o->pages_lock);
	return found;
}

bool
object_next_hole(struct memory_object *o, uint64_t *index)
{
	bool found;

	spin_lock(&o->pages_lock);
	found = radix_find_free(&o->pages, *index, UINT64_MAX >> PAGE_SHIFT, index);
	spin_unlock(&o->pages_lock);
	return found;
}

/* --- the mappings of an object ---------------------------------------------------------------- */

/*
 * Visit the leaves of object pages [first, last] in every mapping. `act` gets a mapping, the part
 * of it that shows them, and a batch; it does what fits into the batch under the page-table lock,
 * and leaves the batch empty when it finds nothing to do. The list may change while a batch is
 * finished; so it is walked again from the start until every batch stays empty.
 */
static void
visit_mappings(struct memory_object *o, uint64_t first, uint64_t last,
	       void (*act)(struct mapping *m, vaddr_t start, vaddr_t end, bool flag, struct tlb_batch *b), bool flag)
{
	for (;;) {
		struct address_space *as = NULL;
		struct tlb_batch b;
		struct mapping *m;

		spin_lock(&o->mappings_lock);
		list_for_each(m, &o->mappings, object_node) {
			uint64_t pages = (m->end - m->start) >> PAGE_SHIFT;
			uint64_t low = MAX(first, m->object_page);
			uint64_t high = MIN(last, m->object_page + pages - 1);

			if (low > high)
				continue;
			tlb_batch_init(&b, m->as);
			act(m, m->start + ((low - m->object_page) << PAGE_SHIFT),
			    m->start + ((high - m->object_page + 1) << PAGE_SHIFT), flag, &b);
			if (!tlb_batch_is_empty(&b)) {
				as = m->as;
				ref_get(&as->lazy);
				break;
			}
		}
		spin_unlock(&o->mappings_lock);
		if (!as)
			return;
		tlb_batch_finish(&b);
		address_space_put_lazy(as);
	}
}

/* Remove leaves until the batch is full. */
static void
unmap_some(struct mapping *m, vaddr_t start, vaddr_t end, bool keep_private, struct tlb_batch *b)
{
	spin_lock(&m->as->page_table_lock);
	(void)mapping_zap_locked(m, &start, end, keep_private, b);
	spin_unlock(&m->as->page_table_lock);
}

void
object_unmap_range(struct memory_object *o, uint64_t first, uint64_t last, bool keep_private)
{
	if (!list_is_empty(&o->mappings))
		visit_mappings(o, first, last, unmap_some, keep_private);
}

/* Faults look at the size again under the page-table lock, as with truncation: (1) it is 0, (2)
 * leaves go. */
void
device_object_hide(struct memory_object *o)
{
	atomic_store(&o->size, 0);
	object_unmap_range(o, 0, UINT64_MAX, false);
}

void
device_object_show(struct memory_object *o)
{
	atomic_store(&o->size, UINT64_MAX);
}

static void
protect_some(struct mapping *m, vaddr_t start, vaddr_t end, bool flag, struct tlb_batch *b)
{
	struct page_table *pt = &m->as->page_table;

	if (!(m->flags & MAPPING_SHARED))
		return;
	spin_lock(&m->as->page_table_lock);
	for (vaddr_t va = arch_page_table_next(pt, start, end); va < end;
	     va = arch_page_table_next(pt, va + PAGE_SIZE, end)) {
		unsigned int prot;
		paddr_t pa;

		if (arch_page_table_lookup(pt, va, &pa, &prot) && (prot & PTE_WRITE) &&
		    leaf_protect_locked(m->as, va, prot & ~PTE_WRITE))
			tlb_batch_add(b, va, PAGE_SIZE, NULL);
	}
	spin_unlock(&m->as->page_table_lock);
}

/* Take the right to write from every shared leaf of the pages. */
void
object_protect_range(struct memory_object *o, uint64_t first, uint64_t last)
{
	if (!list_is_empty(&o->mappings))
		visit_mappings(o, first, last, protect_some, false);
}
