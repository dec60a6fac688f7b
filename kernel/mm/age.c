/* SPDX-License-Identifier: MIT */
/*
 * age.c - has a program used a mapped page of an object? What the processors' accessed bits tell
 * reclaim.
 *
 * A page's leaves are found by its object's mappings. The bits are cleared, so that the next look
 * tells what happened since; and what may still be in a TLB is flushed, because a processor that
 * knows the leaf sets no bit. A flush costs more than the look, so it is made for the pages around,
 * too: those of them that were used are marked PAGE_REFERENCED, which has the same meaning to
 * reclaim. Pages that were fetched together lie together on its list.
 *
 * Between clearing and flushing the bits say less than they should; as->unflushed tells that to all
 * who take leaves out.
 *
 * A mapping that had bits set goes to the end of its object's list, so that after the flush, for
 * which the list's lock is let go, the walk comes to others first. It ends after FLUSHES at most: a
 * page that so many use is in use.
 *
 * Locks: mappings_lock, page_table_lock.
 */
#include "mm.h"
#include "page_cache.h"

#define AROUND  16u /* pages, aligned */
#define FLUSHES 4u

/* The leaves of `m` in [start, end). True: `page` was used by one of them. `b` is empty when no bit
 * was set. */
static bool
age_leaves(struct mapping *m, vaddr_t start, vaddr_t end, struct page *page, struct tlb_batch *b)
{
	struct page_table *pt = &m->as->page_table;
	bool used = false;

	spin_lock(&m->as->page_table_lock);
	for (vaddr_t va = arch_page_table_next(pt, start, end); va < end;
	     va = arch_page_table_next(pt, va + PAGE_SIZE, end)) {
		unsigned int prot;
		struct page *p;
		paddr_t pa;

		if (!arch_page_table_lookup(pt, va, &pa, &prot) || (prot & (PTE_DEVICE | PTE_HUGE)) ||
		    !(prot & PTE_ACCESSED))
			continue;
		p = pfn_to_page(pa >> PAGE_SHIFT);
		if (!(page_flags(p) & PAGE_CACHED) || READ_ONCE(p->object) != m->object)
			continue; /* the mapping's own copy, or about to be taken away */
		arch_page_table_harvest(pt, va, PTE_ACCESSED);
		tlb_batch_add(b, va, PAGE_SIZE, NULL);
		if (p == page)
			used = true;
		else
			atomic_or(&p->flags, (uint32_t)PAGE_REFERENCED);
	}
	if (!tlb_batch_is_empty(b))
		m->as->unflushed++;
	spin_unlock(&m->as->page_table_lock);
	return used;
}

/* The part of `m` that shows pages [first, last]; false: none. */
static bool
part_of(const struct mapping *m, uint64_t first, uint64_t last, vaddr_t *start, vaddr_t *end)
{
	uint64_t low = MAX(first, m->object_page), high = MIN(last, m->object_page + mapping_pages(m) - 1);

	*start = m->start + ((low - m->object_page) << PAGE_SHIFT);
	*end = m->start + ((high - m->object_page + 1) << PAGE_SHIFT);
	return low <= high;
}

/* Look until bits were cleared. The space to flush, with a lazy reference, and its batch; NULL:
 * there were none. */
static struct address_space *
age_some(struct memory_object *o, struct page *page, struct tlb_batch *b, bool *used)
{
	uint64_t first = page->index - page->index % AROUND;
	struct address_space *as = NULL;
	struct mapping *m;
	vaddr_t start, end;

	spin_lock(&o->mappings_lock);
	list_for_each(m, &o->mappings, object_node) {
		if (!part_of(m, first, first + AROUND - 1, &start, &end))
			continue;
		tlb_batch_init(b, m->as);
		*used |= age_leaves(m, start, end, page, b);
		if (tlb_batch_is_empty(b))
			continue;
		as = m->as;
		ref_get(&as->lazy);
		list_del(&m->object_node);
		list_add_tail(&o->mappings, &m->object_node);
		break;
	}
	spin_unlock(&o->mappings_lock);
	return as;
}

bool
object_age(struct memory_object *o, struct page *page)
{
	bool used = false;

	for (uint32_t i = 0; i < FLUSHES; i++) {
		struct tlb_batch b;
		struct address_space *as = age_some(o, page, &b, &used);

		if (!as)
			return used;
		tlb_batch_finish(&b);
		spin_lock(&as->page_table_lock);
		as->unflushed--;
		spin_unlock(&as->page_table_lock);
		address_space_put_lazy(as);
	}
	return true;
}
