/* SPDX-License-Identifier: MIT */
/*
 * residency.c - keeping pages in memory and asking whether they are: mlock, mincore, msync.
 *
 * Nothing is paged out that has no other copy, so a locked mapping means: its pages are brought in
 * at once (unless "on fault"), eviction of the object's pages skips none the program needs (an
 * evicted clean page comes back by a fault), and the amount is held against RLIMIT_MEMLOCK.
 */
#include <tessera/backing.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/process.h>

#include "mm.h"
#include "page_cache.h"

/* Pages of [start, end) that are locked already. */
static uint64_t
locked_in(struct address_space *as, vaddr_t start, vaddr_t end)
{
	struct mapping *m = address_space_find(as, start);
	uint64_t pages = 0;

	for (; m && m->start < end; m = mapping_next(m))
		if (m->flags & MAPPING_LOCKED)
			pages += (MIN(m->end, end) - MAX(m->start, start)) >> PAGE_SHIFT;
	return pages;
}

static int
set_locked(struct address_space *as, vaddr_t start, vaddr_t end, bool lock, struct list *doomed)
{
	struct mapping *m = address_space_find(as, start);

	while (start < end) {
		vaddr_t high;
		uint32_t flags;

		if (!m || m->start > start)
			return -ENOMEM;
		high = MIN(m->end, end);
		flags = lock ? m->flags | MAPPING_LOCKED : m->flags & ~(uint32_t)MAPPING_LOCKED;
		if (flags != m->flags && !(m->flags & (MAPPING_DEVICE | MAPPING_HUGETLB))) {
			if (mappings_cut(as, start, high) != 0)
				return -ENOMEM;
			m = address_space_find(as, start);
			mapping_set_flags(m, flags);
			m = mapping_merge(m, doomed);
		}
		start = high;
		if (m->end <= high)
			m = mapping_next(m);
	}
	return 0;
}

/* A failed populate as mlock tells it. */
static int
lock_error(int error)
{
	if (error == -EIO || error == -EFAULT || error == -EACCES)
		return -ENOMEM;
	return error == -ENOMEM ? -EAGAIN : error;
}

int
address_space_lock_range(
	struct address_space *as, vaddr_t addr, size_t len, bool lock, bool onfault)
{
	struct list doomed = LIST_INIT(doomed);
	vaddr_t start = ALIGN_DOWN(addr, PAGE_SIZE);
	vaddr_t end = start + ALIGN_UP(len + (addr - start), PAGE_SIZE);
	int error = 0;

	if (lock && task_limit(RLIMIT_MEMLOCK) == 0 && !capable(CAP_IPC_LOCK))
		return -EPERM;
	if (end < start)
		return -EINVAL;
	if (len == 0 || end == start) /* a length that rounds up to nothing is nothing */
		return 0;
	address_space_change(as);
	if (lock) {
		uint64_t pages = (end - start) >> PAGE_SHIFT;

		pages -= MIN(pages, locked_in(as, start, end));
		if (check_lock_limit(as, pages) != 0)
			error = -ENOMEM;
	}
	if (error == 0)
		error = set_locked(as, start, end, lock, &doomed);
	address_space_changed(as);
	mappings_free(&doomed);
	if (error == 0 && lock && !onfault)
		error = lock_error(address_space_populate(as, start, end));
	return error;
}

/* mlockall and munlockall. `now`: what is mapped; `future`: what will be. */
int
address_space_lock_all(struct address_space *as, bool now, bool future, bool onfault)
{
	struct list doomed = LIST_INIT(doomed);
	struct mapping *m;

	if ((now || future) && task_limit(RLIMIT_MEMLOCK) == 0 && !capable(CAP_IPC_LOCK))
		return -EPERM;
	address_space_change(as);
	if (now && as->total_pages > task_limit(RLIMIT_MEMLOCK) >> PAGE_SHIFT &&
	    !capable(CAP_IPC_LOCK)) {
		address_space_changed(as);
		return -ENOMEM;
	}
	as->mlock_future = future ? MAPPING_LOCKED : 0;
	as->mlock_onfault = future && onfault;
	if (now || !future) {
		for (m = rb_entry(rb_first(&as->mappings), struct mapping, node); m;
		     m = mapping_next(m)) {
			uint32_t flags = m->flags & ~(uint32_t)MAPPING_LOCKED;

			if (m->flags & (MAPPING_DEVICE | MAPPING_HUGETLB))
				continue;
			mapping_set_flags(m, now ? flags | MAPPING_LOCKED : flags);
			m = mapping_merge(m, &doomed);
		}
	}
	address_space_changed(as);
	mappings_free(&doomed);
	if (now && !onfault) {
		vaddr_t va = 0;

		/* Mapping by mapping, because there are holes; what cannot be brought in stays
		 * out. */
		for (;;) {
			vaddr_t start, end;

			read_lock(&as->lock);
			m = address_space_find(as, va);
			start = m ? m->start : 0;
			end = m ? m->end : 0;
			read_unlock(&as->lock);
			if (!m)
				break;
			(void)address_space_populate(as, MAX(start, va), end);
			va = end;
		}
	}
	return 0;
}

int
address_space_mincore(struct address_space *as, vaddr_t page, bool *resident)
{
	struct mapping *m;
	unsigned int prot;
	paddr_t pa;
	int error = 0;

	read_lock(&as->lock);
	m = address_space_find(as, page);
	if (!m || m->start > page) {
		error = -ENOMEM;
		goto unlock;
	}
	spin_lock(&as->page_table_lock);
	*resident = arch_page_table_lookup(&as->page_table, page, &pa, &prot);
	spin_unlock(&as->page_table_lock);
	if (!*resident && m->object && !m->object->ops->device_page &&
	    !(m->flags & MAPPING_HUGETLB)) {
		struct page *p;

		page_cache_peek(m->object, mapping_index(m, page), &p, 1);
		*resident = p != NULL;
		if (p)
			page_put(p);
	}
unlock:
	read_unlock(&as->lock);
	return error;
}

int
address_space_sync(struct address_space *as, vaddr_t addr, size_t len, bool wait, bool invalidate)
{
	vaddr_t end = addr + ALIGN_UP(len, PAGE_SIZE);
	int error = 0, hole = 0;

	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (end < addr)
		return -ENOMEM; /* but a length that rounds up to nothing is nothing */
	while (addr < end && error == 0) {
		struct file *f = NULL;
		struct mapping *m;
		vaddr_t high;

		read_lock(&as->lock);
		m = address_space_find(as, addr);
		if (!m || m->start >= end) {
			read_unlock(&as->lock);
			return -ENOMEM;
		}
		if (m->start > addr) {
			hole = -ENOMEM;
		}
		high = MIN(m->end, end);
		if (invalidate && (m->flags & MAPPING_LOCKED))
			error = -EBUSY;
		if (wait && m->object && m->object->store && m->file && (m->flags & MAPPING_SHARED)) {
			f = m->file;
			file_get(f);
		}
		read_unlock(&as->lock);
		/* The whole file, by its own fsync: the store has to be told that it shall last. */
		if (f) {
			if (error == 0 && f->ops->sync)
				error = f->ops->sync(f, true);
			file_put(f);
		}
		addr = high;
	}
	return error != 0 ? error : hole;
}
