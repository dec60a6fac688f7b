/* SPDX-License-Identifier: MIT */
/*
 * copy_on_write.c - writes to leaves that are there and read-only.
 *
 * In a private mapping: a page that nobody else refers to just becomes writable (no flush: a right
 * grew); otherwise it is copied, the leaf replaced, and the old translation flushed before the old
 * page is let go. In a shared one the page was clean, and fault_object.c makes it dirty.
 */
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/string.h>

#include "fault.h"
#include "huge_pool.h"
#include "mm.h"
#include "stats.h"

struct fault_counters fault_counts;

/*
 * Replace the leaf at `va`, which maps `pa` read-only, by a copy. page_table_lock is held on entry
 * and released on return. `from`: the page behind it, NULL for the zero frame.
 */
static int
copy_page(struct mapping *m, vaddr_t va, paddr_t pa, struct page *from)
{
	struct address_space *as = m->as;
	struct tlb_batch b;
	unsigned int prot;
	struct page *p;
	paddr_t now;

	if (from)
		page_get(page_head(from));
	spin_unlock(&as->page_table_lock);
	p = anonymous_page(from ? 0 : ALLOC_ZERO);
	if (p && from)
		memcpy(page_to_virt(p), page_to_virt(from), PAGE_SIZE);
	if (!p) {
		if (from)
			page_put(from);
		return -ENOMEM;
	}
	WRITE_ONCE(m->has_anon, true);
	tlb_batch_init(&b, as);
	spin_lock(&as->page_table_lock);
	if (!arch_page_table_lookup(&as->page_table, va, &now, &prot) || now != pa ||
	    (prot & (PTE_WRITE | PTE_HUGE))) {
		spin_unlock(&as->page_table_lock);
		page_put(p);
		if (from)
			page_put(from);
		return 0;
	}
	arch_page_table_unmap(&as->page_table, va, &now, &prot);
	/* The tables are there: this cannot fail. */
	(void)arch_page_table_map(&as->page_table, va, page_to_phys(p), mapping_prot(m) | TOUCHED);
	if (from) {
		--*mapping_rss(m, from);
		if (from->flags & PAGE_CACHED)
			atomic_sub(&from->mapcount, 1);
	}
	as->rss_anon++;
	if (leaf_was_used(as, prot))
		tlb_batch_add(&b, va, PAGE_SIZE, from);
	else
		tlb_batch_hold(&b, from);
	spin_unlock(&as->page_table_lock);
	tlb_batch_finish(&b);
	if (from)
		page_put(from);
	atomic_add_relaxed(&fault_counts.copied, 1);
	return 0;
}

int
fault_write_present(struct mapping *m, vaddr_t va, bool force, struct fault_after *after)
{
	struct address_space *as = m->as;
	uint32_t tries = 0;
	unsigned int prot;
	struct page *p, *head;
	paddr_t pa;

	spin_lock(&as->page_table_lock);
again:
	if (!arch_page_table_lookup(&as->page_table, va, &pa, &prot) || (prot & PTE_WRITE)) {
		/* Somebody mended it; a CPU may fault once more on what its TLB remembers. */
		if (this_cpu()->active == as)
			arch_tlb_flush_page(va);
		spin_unlock(&as->page_table_lock);
		return 0;
	}
	if (m->flags & MAPPING_SHARED) {
		if (!(prot & PTE_DEVICE))
			return fault_write_shared(m, va, pa, after);
		spin_unlock(&as->page_table_lock);
		return -EACCES;
	}
	if (prot & PTE_DEVICE) {
		if (pa == zero_frame)
			return copy_page(m, va, pa, NULL);
		spin_unlock(&as->page_table_lock);
		return -EACCES;
	}
	p = pfn_to_page(pa >> PAGE_SHIFT);
	head = page_head(p);
	if ((head->flags & PAGE_ANON) && atomic_load(&head->refcount) == 1) {
		/* Ours alone. With force the mapping stays read-only: being ours is all that is
		 * needed. */
		if (!force || (m->flags & MAPPING_WRITE)) {
			arch_page_table_protect(&as->page_table, va, mapping_prot(m));
			tlb_count_upgrade();
		}
		spin_unlock(&as->page_table_lock);
		return 0;
	}
	if ((prot & PTE_HUGE) && (m->flags & MAPPING_HUGETLB))
		return huge_pool_copy(m, va, head);
	if (prot & PTE_HUGE) {
		/* Shared after fork: copy 4 KiB of it, not 2 MiB. */
		if (leaf_split_locked(as, va) == 0 || fault_make_room(as, &tries) == 0)
			goto again;
		spin_unlock(&as->page_table_lock);
		return -ENOMEM;
	}
	return copy_page(m, va, pa, p);
}
