/* SPDX-License-Identifier: MIT */
/*
 * object.c - memory objects: birth, death, truncation, writeback, and which mappings see them.
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
 * installs the leaf: either it sees (2) and starts over, or its leaf is there for (3) to find.
 *
 * Locks: o->lock for (1) to (4) as a whole; inside it mappings_lock, page_table_lock and
 * pages_lock, one after the other or nested in that order.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "mm.h"
#include "page_cache.h"

static struct slab_cache *object_cache; /* [I] */

/* Shared anonymous memory, memfd and tmpfs: memory is the only store. */
const struct memory_object_ops anonymous_object_ops = {
	.name = "anonymous",
};

void
object_cache_init(void)
{
	object_cache = slab_cache_create("memory_object", sizeof(struct memory_object), 0);
	if (!object_cache)
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

void
object_get(struct memory_object *o)
{
	ref_get(&o->refs);
}

void
object_put(struct memory_object *o)
{
	bool embedded = o->embedded;

	if (!ref_put(&o->refs))
		return;
	assert(list_is_empty(&o->mappings));
	page_cache_remove(o, 0, UINT64_MAX);
	radix_destroy(&o->pages);
	if (o->ops->release)
		o->ops->release(o);
	if (!embedded)
		slab_free(object_cache, o);
}

/* Zero [from, to) of page `index`, if the object has that page. */
static void
zero_part(struct memory_object *o, uint64_t index, size_t from, size_t to)
{
	struct page *p;

	if (from >= to)
		return;
	if (object_get_page(o, index, false, &p) != 0 || !p)
		return;
	memset((char *)page_to_virt(p) + from, 0, to - from);
	object_mark_dirty(o, p);
	page_put(p);
}

void
object_truncate(struct memory_object *o, uint64_t size)
{
	uint64_t first = DIV_ROUND_UP(size, PAGE_SIZE), old;

	mutex_lock(&o->lock);
	old = atomic_load_relaxed(&o->size);
	atomic_store(&o->size, size); /* (1) */
	if (size < old) {
		page_cache_remove(o, first, UINT64_MAX);           /* (2) (4) */
		object_unmap_range(o, first, UINT64_MAX, false);   /* (3) */
		if (size % PAGE_SIZE)
			zero_part(o, size / PAGE_SIZE, size % PAGE_SIZE, PAGE_SIZE);
	}
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

void
object_mark_dirty(struct memory_object *o, struct page *p)
{
	if (!o->ops->write_page || (p->flags & PAGE_DIRTY))
		return;
	if (!(atomic_fetch_or(&p->flags, (uint32_t)PAGE_DIRTY) & PAGE_DIRTY)) {
		atomic_add(&o->dirty, 1);
		frames_count(COUNT_DIRTY, 1);
	}
}

/*
 * Write one dirty page back: its leaves lose the right to write first, so that the next store
 * faults and marks it dirty again. `p` is referenced by the caller.
 */
int
object_write_back(struct memory_object *o, struct page *p)
{
	int error = 0;

	page_lock(p);
	if (p->object == o && (p->flags & PAGE_DIRTY)) {
		atomic_and(&p->flags, ~(uint32_t)PAGE_DIRTY);
		atomic_sub(&o->dirty, 1);
		frames_count(COUNT_DIRTY, -1);
		object_protect_range(o, p->index, p->index);
		error = o->ops->write_page(o, p);
		if (error != 0)
			object_mark_dirty(o, p);
	}
	page_unlock(p);
	return error;
}

int
object_sync(struct memory_object *o, uint64_t start, uint64_t end)
{
	uint64_t index = start / PAGE_SIZE, last = (end - 1) / PAGE_SIZE;
	int result = 0;

	if (!o->ops->write_page || end <= start)
		return 0;
	while (index <= last && atomic_load_relaxed(&o->dirty) > 0) {
		struct page *p;
		int error;

		spin_lock(&o->pages_lock);
		p = radix_next(&o->pages, &index);
		if (p)
			page_get(p);
		spin_unlock(&o->pages_lock);
		if (!p)
			break;
		error = index <= last ? object_write_back(o, p) : 0;
		if (error != 0 && result == 0)
			result = error;
		page_put(p);
		index++;
	}
	return result;
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
 * of it that shows them, and a batch; it does what fits into the batch under the page-table lock
 * and returns true when it has to be called again. The list may change while a batch is flushed; so
 * it is walked again from the start until nothing is left to do.
 */
static void
visit_mappings(struct memory_object *o, uint64_t first, uint64_t last,
	       bool (*act)(struct mapping *m, vaddr_t start, vaddr_t end, bool flag,
			   struct tlb_batch *b),
	       bool flag)
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
			if (b.flush || b.count > 0) { /* leaves that nobody used need no flush, but their pages wait */
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
static bool
unmap_some(struct mapping *m, vaddr_t start, vaddr_t end, bool keep_private, struct tlb_batch *b)
{
	bool more;

	spin_lock(&m->as->page_table_lock);
	more = mapping_zap_locked(m, &start, end, keep_private, b);
	spin_unlock(&m->as->page_table_lock);
	return more;
}

void
object_unmap_range(struct memory_object *o, uint64_t first, uint64_t last, bool keep_private)
{
	if (!list_is_empty(&o->mappings))
		visit_mappings(o, first, last, unmap_some, keep_private);
}

static bool
protect_some(struct mapping *m, vaddr_t start, vaddr_t end, bool flag, struct tlb_batch *b)
{
	struct page_table *pt = &m->as->page_table;

	if (!(m->flags & MAPPING_SHARED))
		return false;
	spin_lock(&m->as->page_table_lock);
	for (vaddr_t va = arch_page_table_next(pt, start, end); va < end;
	     va = arch_page_table_next(pt, va + PAGE_SIZE, end)) {
		unsigned int prot;
		paddr_t pa;

		if (arch_page_table_lookup(pt, va, &pa, &prot) && (prot & PTE_WRITE) &&
		    arch_page_table_protect(pt, va, prot & ~PTE_WRITE))
			tlb_batch_add(b, va, PAGE_SIZE, NULL);
	}
	spin_unlock(&m->as->page_table_lock);
	return false;
}

/* Take the right to write from every shared leaf of the pages. */
void
object_protect_range(struct memory_object *o, uint64_t first, uint64_t last)
{
	if (!list_is_empty(&o->mappings))
		visit_mappings(o, first, last, protect_some, false);
}
