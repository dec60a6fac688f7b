/* SPDX-License-Identifier: MIT */
/*
 * remap.c - mremap: growing, shrinking and moving mappings.
 *
 * A move makes a second mapping of the same kind, carries the leaves over (no page is copied, one
 * flush for all), and removes the first. The tables for the new place are made before the first
 * leaf moves, so that nothing can fail half-way.
 */
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/process.h>

#include "mm.h"

#define REMAP_MAYMOVE   1
#define REMAP_FIXED     2
#define REMAP_DONTUNMAP 4

#define LEAF_KEEPS (PTE_READ | PTE_WRITE | PTE_EXEC | PTE_USER | PTE_UNCACHED | PTE_WCOMBINE | \
		    PTE_DIRTY | PTE_ACCESSED | PTE_DEVICE | (0xfu << PTE_PKEY_SHIFT))

/* May a large leaf at `from` stay large at `to`? */
static bool
keeps_size(vaddr_t from, vaddr_t to)
{
	return ((from ^ to) & (HUGE_PAGE_SIZE - 1)) == 0;
}

/* Make the tables for what lies in [from, from + length). 0 or -ENOMEM. page_table_lock held. */
static int
prepare_tables(struct address_space *as, vaddr_t from, vaddr_t to, size_t length)
{
	struct page_table *pt = &as->page_table;
	vaddr_t end = from + length, va = from;

	while ((va = arch_page_table_next(pt, va, end)) < end) {
		unsigned int prot;
		paddr_t pa;
		int error;

		if (!arch_page_table_lookup(pt, va, &pa, &prot))
			break;
		if ((prot & PTE_HUGE) && !keeps_size(from, to)) {
			error = leaf_split_locked(as, va);
			if (error != 0)
				return error;
			continue;
		}
		error = arch_page_table_prepare(pt, to + (va - from), prot & PTE_HUGE);
		if (error == -EBUSY) {
			/* An empty table is in the way of a large leaf. */
			error = leaf_split_locked(as, va);
			if (error != 0)
				return error;
			continue;
		}
		if (error != 0)
			return error;
		va += prot & PTE_HUGE ? HUGE_PAGE_SIZE : PAGE_SIZE;
	}
	return 0;
}

static int
move_leaves(struct address_space *as, vaddr_t from, vaddr_t to, size_t length)
{
	struct page_table *pt = &as->page_table;
	vaddr_t end = from + length, va = from;
	struct tlb_batch b;
	int error;

	tlb_batch_init(&b, as);
	spin_lock(&as->page_table_lock);
	for (uint32_t i = 0; (error = prepare_tables(as, from, to, length)) == -ENOMEM && i < 3;
		i++) {
		spin_unlock(&as->page_table_lock);
		reclaim(64);
		spin_lock(&as->page_table_lock);
	}
	if (error != 0) {
		spin_unlock(&as->page_table_lock);
		return error;
	}
	while ((va = arch_page_table_next(pt, va, end)) < end) {
		unsigned int prot;
		size_t size;
		paddr_t pa;

		if (!arch_page_table_unmap(pt, va, &pa, &prot))
			break;
		size = prot & PTE_HUGE ? HUGE_PAGE_SIZE : PAGE_SIZE;
		error = arch_page_table_map(pt, to + (va - from), pa,
					    prot & (LEAF_KEEPS | PTE_HUGE));
		assert(error == 0);
		tlb_batch_add(&b, va, size, NULL);
		va += size;
	}
	spin_unlock(&as->page_table_lock);
	tlb_batch_finish(&b);
	return 0;
}

/*
 * Show [old, old + old_len), which is `m` whole, at [to, to + new_len). The old mapping goes,
 * unless `keep`; with old_len 0 (shared) it is only shown a second time.
 */
static long
move_mapping(struct mapping *m, vaddr_t old, size_t old_len, vaddr_t to, size_t new_len, bool keep,
	     struct list *doomed)
{
	struct address_space *as = m->as;
	struct mapping *n;
	int error;

	if ((m->flags & MAPPING_ACCOUNT) && commit_charge(new_len >> PAGE_SHIFT) != 0)
		return -ENOMEM;
	n = mapping_alloc(as);
	error = -ENOMEM;
	if (!n)
		goto uncharge;
	n->start = to;
	n->end = to + new_len;
	n->flags = m->flags & ~(uint32_t)MAPPING_HEAP;
	n->key = m->key;
	n->policy = m->policy;
	n->has_anon = m->has_anon;
	n->object = m->object;
	n->object_page = m->object ? mapping_index(m, old) : to >> PAGE_SHIFT;
	if (n->object)
		object_get(n->object);
	mapping_set_file(n, m->file);
	/* On the object's list before a leaf is there: truncation must find every leaf. */
	mapping_link(n);
	error = old_len > 0 ? move_leaves(as, old, to, MIN(old_len, new_len)) : 0;
	if (error != 0) {
		mapping_unlink(n, doomed); /* gives the charge back too */
		return error;
	}
	if (keep) {
		mapping_set_flags(m, m->flags & ~(uint32_t)MAPPING_LOCKED);
	} else if (old_len > 0) {
		unmap_locked(as, old, old + old_len, doomed);
	}
	mapping_merge(n, doomed);
	return (long)to;

uncharge:
	if (m->flags & MAPPING_ACCOUNT)
		commit_release(new_len >> PAGE_SHIFT);
	return error;
}

/* May `m` be resized from old_len to new_len at `old`? The errors of mremap(2), in Linux's
 * order. */
static int
check_resize(struct mapping *m, vaddr_t old, size_t old_len, size_t new_len, int flags)
{
	uint64_t more = new_len > old_len ? (new_len - old_len) >> PAGE_SHIFT : 0;

	if (old_len == 0 && !(m->flags & MAPPING_SHARED))
		return -EINVAL;
	if ((flags & REMAP_DONTUNMAP) && (m->flags & (MAPPING_DEVICE | MAPPING_AS_GIVEN)))
		return -EINVAL;
	if (old_len > m->end - old)
		return -EFAULT;
	if (new_len == old_len)
		return 0;
	if (m->flags & (MAPPING_DEVICE | MAPPING_AS_GIVEN))
		return -EFAULT;
	if ((m->flags & MAPPING_LOCKED) && check_lock_limit(m->as, more) != 0)
		return -EAGAIN;
	return check_limits(m->as, more, m->flags);
}

/* MREMAP_FIXED and MREMAP_DONTUNMAP: to a given place, or a copy of the shell. */
static long
remap_to(struct address_space *as, vaddr_t old, size_t old_len, size_t new_len, int flags,
	 vaddr_t to, struct list *doomed)
{
	struct mapping *m;
	int error;

	if (!IS_ALIGNED(to, PAGE_SIZE) || new_len > USER_END || to > USER_END - new_len)
		return -EINVAL;
	if (old + old_len > to && to + new_len > old)
		return -EINVAL;
	if (as->mapping_count + 2 >= (uint32_t)max_map_count - 3)
		return -ENOMEM;
	if (flags & REMAP_FIXED) {
		if (to < USER_MIN && !capable(CAP_SYS_RAWIO))
			return -EPERM;
		error = unmap_locked(as, to, to + new_len, doomed);
		if (error != 0)
			return error;
	}
	if (old_len > new_len) {
		error = unmap_locked(as, old + new_len, old + old_len, doomed);
		if (error != 0)
			return error;
		old_len = new_len;
	}
	m = address_space_find(as, old);
	if (!m || m->start > old)
		return -EFAULT;
	error = check_resize(m, old, old_len, new_len, flags);
	if (error != 0)
		return error;
	if ((flags & REMAP_DONTUNMAP) && check_limits(as, new_len >> PAGE_SHIFT, m->flags) != 0)
		return -ENOMEM;
	if (!(flags & REMAP_FIXED)) {
		if (to == 0 || to < USER_MIN || !gap_is_free(as, to, to + new_len) ||
		    (address_space_find(as, to) && address_space_find(as, to)->start <= to))
			to = find_gap(as, new_len, 0);
		if (to == 0)
			return -ENOMEM;
	}
	if (old_len > 0) {
		if (mappings_cut(as, old, old + old_len) != 0)
			return -ENOMEM;
		m = address_space_find(as, old);
	}
	return move_mapping(m, old, old_len, to, new_len, flags & REMAP_DONTUNMAP, doomed);
}

/* Grow `m`, which ends at old + old_len, where it is. False: no room. */
static bool
grow_in_place(struct mapping *m, size_t more, struct list *doomed, long *error)
{
	struct address_space *as = m->as;
	struct mapping *next = mapping_next(m);
	uint64_t pages = more >> PAGE_SHIFT;
	uint32_t flags = m->flags;

	*error = 0;
	if (more > USER_END - m->end || (next && next->start < m->end + more))
		return false;
	if ((flags & MAPPING_ACCOUNT) && commit_charge(pages) != 0) {
		*error = -ENOMEM;
		return true;
	}
	/* Take it out of the counters, change, and put it back. */
	mapping_set_flags(m, 0);
	as->total_pages += pages;
	as->peak_total = MAX(as->peak_total, as->total_pages);
	mapping_set_range(m, m->start, m->end + more);
	mapping_set_flags(m, flags);
	mapping_merge(m, doomed);
	return true;
}

static long
remap_locked(struct address_space *as, vaddr_t old, size_t old_len, size_t new_len, int flags,
	     vaddr_t to, struct list *doomed)
{
	struct mapping *m = address_space_find(as, old);
	long error;

	if (!m || m->start > old)
		return -EFAULT;
	if (m->flags & MAPPING_HUGETLB)
		return -EINVAL;
	if (flags & (REMAP_FIXED | REMAP_DONTUNMAP))
		return remap_to(as, old, old_len, new_len, flags, to, doomed);
	if (old_len >= new_len && old_len > 0) {
		error = old_len > new_len ? unmap_locked(as, old + new_len, old + old_len, doomed)
					  : 0;
		return error != 0 ? error : (long)old;
	}
	error = check_resize(m, old, old_len, new_len, flags);
	if (error != 0)
		return error;
	if (old_len > 0 && old + old_len == m->end &&
	    grow_in_place(m, new_len - old_len, doomed, &error))
		return error != 0 ? error : (long)old;
	if (!(flags & REMAP_MAYMOVE))
		return -ENOMEM;
	to = find_gap(as, new_len, 0);
	if (to == 0)
		return -ENOMEM;
	if (old_len > 0) {
		if (mappings_cut(as, old, old + old_len) != 0)
			return -ENOMEM;
		m = address_space_find(as, old);
	}
	return move_mapping(m, old, old_len, to, new_len, false, doomed);
}

long
address_space_remap(struct address_space *as, vaddr_t old, size_t old_len, size_t new_len,
	int flags, vaddr_t new_addr)
{
	struct list doomed = LIST_INIT(doomed);
	bool locked = false;
	struct mapping *m;
	long result;

	if (flags & ~(REMAP_MAYMOVE | REMAP_FIXED | REMAP_DONTUNMAP))
		return -EINVAL;
	if ((flags & (REMAP_FIXED | REMAP_DONTUNMAP)) && !(flags & REMAP_MAYMOVE))
		return -EINVAL;
	if ((flags & REMAP_DONTUNMAP) && old_len != new_len)
		return -EINVAL;
	if (!IS_ALIGNED(old, PAGE_SIZE))
		return -EINVAL;
	old_len = ALIGN_UP(old_len, PAGE_SIZE);
	new_len = ALIGN_UP(new_len, PAGE_SIZE);
	if (new_len == 0 || old + old_len < old)
		return -EINVAL;
	address_space_change(as);
	result = remap_locked(as, old, old_len, new_len, flags, new_addr, &doomed);
	if (result >= 0) {
		m = address_space_find(as, (vaddr_t)result);
		locked = m && (m->flags & MAPPING_LOCKED) && !as->mlock_onfault && new_len > old_len;
	}
	address_space_changed(as);
	mappings_free(&doomed);
	if (locked)
		address_space_populate(as, (vaddr_t)result + old_len, (vaddr_t)result + new_len);
	return result;
}
