/* SPDX-License-Identifier: MIT */
/*
 * fault_anonymous.c - the first touch of private memory that has no object.
 *
 * A read maps the zero frame. A write gets a zeroed page, or 2 MiB where they fit, are empty and
 * memory is plentiful.
 *
 * Most writes get a small page, and those are served without as->lock, which every other thread of
 * the program would contend for. The numbers below are those of the protocol in address_space.c.
 */
#include <tessera/errno.h>

#include "fault.h"
#include "mm.h"
#include "stats.h"

int huge_page_mode = HUGE_ALWAYS;

struct page *
anonymous_page(unsigned int flags)
{
	struct page *p = page_alloc(0, ALLOC_USER | flags);

	if (likely(p)) {
		p->flags |= PAGE_ANON;
		frames_count(COUNT_ANONYMOUS, 1);
	}
	return p;
}

static bool
wants_huge(const struct mapping *m, vaddr_t base)
{
	if (base < m->start || base + HUGE_PAGE_SIZE > m->end || (m->flags & MAPPING_NOHUGE))
		return false;
	if (huge_page_mode == HUGE_NEVER ||
	    (huge_page_mode == HUGE_MADVISE && !(m->flags & MAPPING_HUGE)))
		return false;
	return frames_plentiful();
}

/* Put 2 MiB at `base`. -EAGAIN: small pages have to do. */
static int
fault_huge(struct mapping *m, vaddr_t base)
{
	struct address_space *as = m->as;
	vaddr_t end = base + HUGE_PAGE_SIZE;
	int error = -EAGAIN;
	struct page *p;
	bool empty;

	/* Look first: clearing 2 MiB for nothing, at every small fault, costs more than it can
	 * ever save. */
	spin_lock(&as->page_table_lock);
	empty = arch_page_table_next(&as->page_table, base, end) == end;
	spin_unlock(&as->page_table_lock);
	p = empty ? page_alloc(HUGE_PAGE_ORDER, ALLOC_NOWAIT | ALLOC_USER | ALLOC_ZERO) : NULL;
	if (!p)
		return -EAGAIN;
	page_make_compound(p);
	p->flags |= PAGE_ANON;
	frames_count(COUNT_ANONYMOUS, 1l << HUGE_PAGE_ORDER);
	frames_count(COUNT_HUGE, 1l << HUGE_PAGE_ORDER);
	spin_lock(&as->page_table_lock);
	if (arch_page_table_next(&as->page_table, base, end) == end) {
		error = arch_page_table_prepare(&as->page_table, base, true);
		if (error == 0)
			error = arch_page_table_map(&as->page_table, base, page_to_phys(p),
						    mapping_prot(m) | PTE_HUGE | TOUCHED);
	}
	if (error == 0) {
		as->rss_anon += 1ul << HUGE_PAGE_ORDER;
		as->huge_leaves++;
	}
	spin_unlock(&as->page_table_lock);
	if (error != 0) {
		page_put(p);
		return -EAGAIN;
	}
	atomic_add_relaxed(&fault_counts.huge, 1);
	return 0;
}

static int
fault_zero(struct mapping *m, vaddr_t va)
{
	struct address_space *as = m->as;
	uint32_t tries = 0;
	int error;

	spin_lock(&as->page_table_lock);
	do {
		error = arch_page_table_install(&as->page_table, va, zero_frame,
						(mapping_prot(m) & ~PTE_WRITE) | PTE_DEVICE);
	} while (unlikely(error == -ENOMEM) && fault_make_room(as, &tries) == 0);
	spin_unlock(&as->page_table_lock);
	return error == -EEXIST ? 0 : error;
}

int
fault_anonymous(struct mapping *m, vaddr_t va, bool write)
{
	vaddr_t base = ALIGN_DOWN(va, HUGE_PAGE_SIZE);
	struct page *p;
	int error;

	if (!write)
		return fault_zero(m, va);
	if (wants_huge(m, base)) {
		error = fault_huge(m, base);
		if (error != -EAGAIN)
			return error;
	}
	p = anonymous_page(ALLOC_ZERO);
	if (!p)
		return -ENOMEM;
	error = fault_install(m, va, p, mapping_prot(m) | TOUCHED, NULL, false);
	if (error != 0) {
		page_put(p);
		return error == -EAGAIN ? 0 : error;
	}
	return 0;
}

/*
 * The mapping of `va`, when a small anonymous page may be put there without asking further: NULL,
 * it may not. *changes is what to compare with later. page_table_lock is held.
 */
static struct mapping *
find_anonymous_locked(struct address_space *as, vaddr_t va, uint64_t *changes)
{
	struct mapping *m;

	assert_held(&as->page_table_lock);
	*changes = atomic_load(&as->changes); /* (4) */
	if (*changes & 1)
		return NULL;
	m = address_space_find(as, va);
	if (!m || m->start > va || m->object || !(m->flags & MAPPING_WRITE) || (m->flags & MAPPING_HUGETLB))
		return NULL;
	return wants_huge(m, ALIGN_DOWN(va, HUGE_PAGE_SIZE)) ? NULL : m;
}

int
fault_anonymous_unlocked(struct address_space *as, vaddr_t va)
{
	int error = -EAGAIN;
	struct mapping *m;
	uint64_t changes;
	struct page *p;

	spin_lock(&as->page_table_lock);
	m = find_anonymous_locked(as, va, &changes);
	spin_unlock(&as->page_table_lock);
	if (!m)
		return -EAGAIN;
	p = anonymous_page(ALLOC_ZERO);
	if (!p)
		return -ENOMEM;
	va = ALIGN_DOWN(va, PAGE_SIZE);
	spin_lock(&as->page_table_lock);
	if (likely(atomic_load(&as->changes) == changes)) { /* (5): `m` is as it was */
		error = arch_page_table_install(&as->page_table, va, page_to_phys(p), mapping_prot(m) | TOUCHED);
		as->rss_anon += error == 0;
	}
	spin_unlock(&as->page_table_lock);
	if (likely(error == 0))
		return 0;
	page_put(p);
	return error == -EEXIST ? 0 : -EAGAIN; /* room for a table is made under as->lock */
}
