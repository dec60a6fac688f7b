/* SPDX-License-Identifier: MIT */
/*
 * leaves.c - what page tables hold for a mapping: counting, removing, splitting, protecting.
 *
 * A leaf is one of
 *   - the zero frame, read-only, PTE_DEVICE: not counted, no reference;
 *   - a device frame, PTE_DEVICE: likewise;
 *   - a page of the mapping's object: a reference, a mapcount, counted in rss_file or rss_shared;
 *   - an anonymous page (PAGE_ANON), ours or shared after fork: a reference, counted in rss_anon;
 *   - 2 MiB of anonymous memory: one reference on the head, 512 pages in rss_anon.
 *
 * When a large leaf is split and nobody else refers to the block, the block becomes 512 single
 * pages, so that each can be freed alone. When it is shared, every small leaf holds a reference to
 * the head instead, and the block lives until the last is gone.
 *
 * Lock: page_table_lock, for all of it.
 */
#include <tessera/errno.h>
#include <tessera/string.h>

#include "mm.h"

#define LEAVES 16u /* taken at once, on the stack: zapping is at the end of long call chains */

paddr_t zero_frame;

void
leaves_init(void)
{
	struct page *p = page_alloc(0, ALLOC_ZERO);

	if (!p)
		panic("no memory for the zero page");
	p->flags |= PAGE_KERNEL | PAGE_UPTODATE;
	zero_frame = page_to_phys(p);
}

unsigned int
mapping_prot(const struct mapping *m)
{
	unsigned int prot = PTE_USER | (unsigned int)m->key << PTE_PKEY_SHIFT;

	if (m->flags & (MAPPING_READ | MAPPING_WRITE | MAPPING_EXEC))
		prot |= PTE_READ;
	if (m->flags & MAPPING_WRITE)
		prot |= PTE_WRITE;
	if (m->flags & MAPPING_EXEC)
		prot |= PTE_EXEC;
	return prot;
}

uint64_t *
mapping_rss(struct mapping *m, const struct page *p)
{
	if (p->flags & PAGE_TAIL)
		p = p->head;
	if ((p->flags & PAGE_ANON) || !m->object)
		return &m->as->rss_anon;
	return m->object->store ? &m->as->rss_file : &m->as->rss_shared;
}

int
leaf_split_locked(struct address_space *as, vaddr_t va)
{
	unsigned int prot;
	struct page *p;
	paddr_t pa;
	int error;

	assert_held(&as->page_table_lock);
	if (!arch_page_table_lookup(&as->page_table, va, &pa, &prot) || !(prot & PTE_HUGE))
		return 0;
	error = arch_page_table_split(&as->page_table, va);
	if (error != 0)
		return error;
	as->huge_leaves--;
	p = pfn_to_page(pa >> PAGE_SHIFT);
	if (atomic_load(&p->refcount) == 1)
		page_break_block(p);
	else
		atomic_add(&p->refcount, (1u << HUGE_PAGE_ORDER) - 1);
	return 0;
}

int
leaves_cut(struct address_space *as, vaddr_t va)
{
	int error = 0;

	if (IS_ALIGNED(va, HUGE_PAGE_SIZE) || READ_ONCE(as->huge_leaves) == 0)
		return 0;
	for (uint32_t i = 0; i < 3; i++) {
		spin_lock(&as->page_table_lock);
		error = leaf_split_locked(as, va);
		spin_unlock(&as->page_table_lock);
		if (error != -ENOMEM || reclaim(16) == 0)
			break;
	}
	return error;
}

/* The counters forget a leaf that was taken out. Returns its page, NULL when it has none to put. */
static struct page *
forget(struct mapping *m, const struct page_table_leaf *l)
{
	struct page *p;

	if (l->prot & PTE_HUGE)
		m->as->huge_leaves--;
	if (l->prot & PTE_DEVICE)
		return NULL;
	p = pfn_to_page(l->pa >> PAGE_SHIFT);
	*mapping_rss(m, p) -= l->prot & PTE_HUGE ? 1ul << HUGE_PAGE_ORDER : 1;
	if (p->flags & PAGE_CACHED)
		atomic_sub(&p->mapcount, 1);
	return p;
}

static size_t
leaf_size(const struct page_table_leaf *l)
{
	return l->prot & PTE_HUGE ? HUGE_PAGE_SIZE : PAGE_SIZE;
}

/* `l` was taken out: its page goes with the batch, which flushes if a TLB may know the leaf. True: it is full. */
static bool
batch_leaf(struct mapping *m, const struct page_table_leaf *l, struct tlb_batch *b)
{
	struct page *p = forget(m, l);

	if (!leaf_was_used(m->as, l->prot))
		return tlb_batch_hold(b, p);
	return tlb_batch_add(b, l->va, leaf_size(l), p);
}

/* As mapping_zap_locked, of pages that are not the program's own. */
static bool
zap_shared(struct mapping *m, vaddr_t *start, vaddr_t end, struct tlb_batch *b)
{
	struct page_table *pt = &m->as->page_table;

	while ((*start = arch_page_table_next(pt, *start, end)) < end) {
		struct page_table_leaf l = { .va = *start };

		if (!arch_page_table_lookup(pt, l.va, &l.pa, &l.prot))
			break;
		*start += leaf_size(&l);
		if (!(l.prot & PTE_DEVICE) &&
		    (page_head(pfn_to_page(l.pa >> PAGE_SHIFT))->flags & PAGE_ANON))
			continue;
		arch_page_table_unmap(pt, l.va, &l.pa, &l.prot);
		if (batch_leaf(m, &l, b))
			return true;
	}
	*start = end;
	return false;
}

/* Before leaves go: so the counters' largest values are known without a look at each that comes. */
static void
note_peak(struct address_space *as)
{
	uint64_t now = as->rss_anon + as->rss_file + as->rss_shared;

	if (now > as->peak_rss)
		WRITE_ONCE(as->peak_rss, now);
}

bool
mapping_zap_locked(struct mapping *m, vaddr_t *start, vaddr_t end, bool keep_private,
		   struct tlb_batch *b)
{
	struct page_table_leaf leaf[LEAVES];

	assert_held(&m->as->page_table_lock);
	note_peak(m->as);
	if (keep_private)
		return zap_shared(m, start, end, b);
	for (;;) {
		unsigned int max = b ? MIN(LEAVES, TLB_BATCH_PAGES - b->count) : LEAVES;
		unsigned int n = arch_page_table_take(&m->as->page_table, start, end, leaf, max);
		bool full = false;

		for (unsigned int i = 0; i < n; i++) {
			struct page *p;

			if (b)
				full = batch_leaf(m, &leaf[i], b);
			else if ((p = forget(m, &leaf[i])) != NULL)
				page_put(p);
		}
		if (n < max) {
			*start = end;
			return false;
		}
		if (full)
			return true;
	}
}

void
mapping_zap(struct mapping *m, vaddr_t start, vaddr_t end, struct tlb_batch *b)
{
	bool more;

	do {
		spin_lock(&m->as->page_table_lock);
		more = mapping_zap_locked(m, &start, end, false, b);
		spin_unlock(&m->as->page_table_lock);
		if (more)
			tlb_batch_finish(b);
	} while (more);
}

void
mapping_reprotect(struct mapping *m, vaddr_t start, vaddr_t end, struct tlb_batch *b)
{
	struct page_table *pt = &m->as->page_table;
	unsigned int base = mapping_prot(m);
	vaddr_t va = start;

	spin_lock(&m->as->page_table_lock);
	while ((va = arch_page_table_next(pt, va, end)) < end) {
		unsigned int prot, want = base;
		size_t size = PAGE_SIZE;
		paddr_t pa;

		if (!arch_page_table_lookup(pt, va, &pa, &prot))
			break;
		if (prot & PTE_HUGE)
			size = HUGE_PAGE_SIZE;
		/* What could not be written before may be shared or clean: its first write must
		 * fault. */
		if (!(prot & PTE_WRITE))
			want &= ~PTE_WRITE;
		want |= prot & (PTE_UNCACHED | PTE_WCOMBINE);
		if (leaf_protect_locked(m->as, va, want))
			tlb_batch_add(b, va, size, NULL);
		else
			tlb_count_upgrade();
		va += size;
	}
	spin_unlock(&m->as->page_table_lock);
}
