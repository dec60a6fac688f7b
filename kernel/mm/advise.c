/* SPDX-License-Identifier: MIT */
/*
 * advise.c - madvise: what a program tells us about a range.
 *
 * The numbers are Linux's, handed through by linux/memory.c; this file is where each is given a
 * meaning. Three kinds: those that change mappings (flags), those that drop pages, those that bring
 * pages in. A hole makes the call return -ENOMEM, but what is mapped is still treated.
 */
#include <tessera/backing.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/signal.h>

#include "advice.h"
#include "mm.h"

/* What the flag-changing advices do. */
static const struct {
	uint32_t set, clear;
	bool known;
} flag_advice[] = {
	[ADVICE_DONTFORK] = { MAPPING_DONTFORK, 0, true },
	[ADVICE_DOFORK] = { 0, MAPPING_DONTFORK, true },
	[ADVICE_HUGEPAGE] = { MAPPING_HUGE, MAPPING_NOHUGE, true },
	[ADVICE_NOHUGEPAGE] = { MAPPING_NOHUGE, MAPPING_HUGE, true },
	[ADVICE_DONTDUMP] = { MAPPING_DONTDUMP, 0, true },
	[ADVICE_DODUMP] = { 0, MAPPING_DONTDUMP, true },
	[ADVICE_WIPEONFORK] = { MAPPING_WIPEONFORK, 0, true },
	[ADVICE_KEEPONFORK] = { 0, MAPPING_WIPEONFORK, true },
	[ADVICE_NORMAL] = { 0, MAPPING_RANDOM | MAPPING_SEQUENTIAL, true },
	[ADVICE_RANDOM] = { MAPPING_RANDOM, MAPPING_SEQUENTIAL, true },
	[ADVICE_SEQUENTIAL] = { MAPPING_SEQUENTIAL, MAPPING_RANDOM, true },
};

static bool
changes_flags(int advice)
{
	return (size_t)advice < ARRAY_SIZE(flag_advice) && flag_advice[advice].known;
}

/* 0, or why this mapping cannot take the advice. */
static int
check(const struct mapping *m, int advice)
{
	switch (advice) {
	case ADVICE_DONTNEED:
	case ADVICE_COLD:
	case ADVICE_PAGEOUT:
		if ((m->flags & MAPPING_HUGETLB) && advice != ADVICE_DONTNEED)
			return -EINVAL;
		return m->flags & (MAPPING_LOCKED | MAPPING_DEVICE) ? -EINVAL : 0;
	case ADVICE_FREE:
		return m->object || (m->flags & (MAPPING_LOCKED | MAPPING_HUGETLB)) ? -EINVAL : 0;
	case ADVICE_REMOVE:
		if ((m->flags & MAPPING_LOCKED) || !m->object)
			return -EINVAL;
		if ((m->flags & (MAPPING_SHARED | MAPPING_WRITE)) != (MAPPING_SHARED | MAPPING_WRITE))
			return -EACCES;
		return m->flags & MAPPING_AS_GIVEN ? -EOPNOTSUPP : 0;
	case ADVICE_DOFORK:
		return m->flags & MAPPING_DEVICE ? -EINVAL : 0;
	case ADVICE_WIPEONFORK:
		return m->object || (m->flags & MAPPING_SHARED) ? -EINVAL : 0;
	case ADVICE_DODUMP:
		return m->flags & MAPPING_DEVICE ? -EINVAL : 0;
	default:
		return 0;
	}
}

static int
advise_flags(struct address_space *as, vaddr_t start, vaddr_t end, int advice)
{
	struct list doomed = LIST_INIT(doomed);
	int error = 0, hole = 0;
	struct mapping *m;

	address_space_change(as);
	m = address_space_find(as, start);
	/* A mapping that goes on beyond the range, and needed no change, is not passed: start
	 * tells. */
	while (m && start < end && m->start < end && error == 0) {
		vaddr_t low = MAX(m->start, start), high = MIN(m->end, end);
		uint32_t flags = (m->flags & ~flag_advice[advice].clear) | flag_advice[advice].set;

		if (low > start)
			hole = -ENOMEM;
		error = check(m, advice);
		if (error == 0 && cuts_huge(as, low, high))
			error = -EINVAL;
		if (error == 0 && flags != m->flags) {
			error = mappings_cut(as, low, high);
			if (error != 0)
				break;
			m = address_space_find(as, low);
			mapping_set_flags(m, flags);
			m = mapping_merge(m, &doomed);
		}
		start = high;
		if (m->end <= high)
			m = mapping_next(m);
	}
	if (error == 0 && start < end)
		hole = -ENOMEM;
	address_space_changed(as);
	mappings_free(&doomed);
	return error != 0 ? error : hole;
}

/* Drop the pages of [start, end), all in `m`; as->lock for reading, which keeps the mapping. */
static int
drop_pages(struct mapping *m, vaddr_t start, vaddr_t end)
{
	struct tlb_batch b;

	if (m->flags & MAPPING_HUGETLB) {
		start = ALIGN_UP(start, HUGE_PAGE_SIZE);
		end = ALIGN_DOWN(end, HUGE_PAGE_SIZE);
		if (start >= end)
			return 0;
	}
	/* Large leaves that cross the edges are cut first; if that fails the edge keeps its
	 * pages. */
	if (leaves_cut(m->as, start) != 0 || leaves_cut(m->as, end) != 0)
		return -ENOMEM;
	tlb_batch_init(&b, m->as);
	mapping_zap(m, start, end, &b);
	tlb_batch_finish(&b);
	return 0;
}

/* The advices that work on pages under the lock for reading. */
static int
advise_pages(struct address_space *as, vaddr_t start, vaddr_t end, int advice)
{
	struct address_space *resting = tlb_rest();
	int error = 0, hole = 0;
	struct mapping *m;

	read_lock(&as->lock);
	for (m = address_space_find(as, start); m && m->start < end && error == 0;
	     m = mapping_next(m)) {
		vaddr_t low = MAX(m->start, start), high = MIN(m->end, end);

		if (low > start)
			hole = -ENOMEM;
		start = high;
		error = check(m, advice);
		if (error == 0 && (advice == ADVICE_DONTNEED || advice == ADVICE_FREE))
			error = drop_pages(m, low, high);
	}
	read_unlock(&as->lock);
	if (resting)
		tlb_unrest(resting);
	if (error == 0 && start < end)
		hole = -ENOMEM;
	return error != 0 ? error : hole;
}

/* Punch holes into the objects; their locks stand below as->lock, so it is kept for reading. */
static int
advise_remove(struct address_space *as, vaddr_t start, vaddr_t end)
{
	int error = 0;

	while (start < end && error == 0) {
		struct memory_object *o;
		struct mapping *m;
		uint64_t first;
		vaddr_t high;

		read_lock(&as->lock);
		m = address_space_find(as, start);
		if (!m || m->start > start) {
			read_unlock(&as->lock);
			return -ENOMEM;
		}
		error = check(m, ADVICE_REMOVE);
		high = MIN(m->end, end);
		first = mapping_index(m, start);
		o = m->object;
		if (error == 0)
			object_get(o);
		read_unlock(&as->lock);
		if (error != 0)
			break;
		object_punch(o, first << PAGE_SHIFT, (first << PAGE_SHIFT) + (high - start));
		object_put(o);
		start = high;
	}
	return error;
}

/* Fault the range in, for reading or writing, without changing what it holds. */
static int
advise_populate(struct address_space *as, vaddr_t start, vaddr_t end, bool write)
{
	for (vaddr_t va = start; va < end; va += PAGE_SIZE) {
		struct mapping *m;
		struct page *p;
		int error = 0;

		if (signal_fatal_pending(current_thread()))
			return -EINTR;
		read_lock(&as->lock);
		m = address_space_find(as, va);
		if (!m || m->start > va)
			error = -ENOMEM;
		else if ((m->flags & MAPPING_DEVICE) || !(m->flags & (write ? MAPPING_WRITE : MAPPING_READ)))
			error = -EINVAL;
		read_unlock(&as->lock);
		if (error != 0)
			return error;
		error = address_space_get_page(as, va, write, false, &p);
		if (error != 0)
			return error == -ENOMEM ? -ENOMEM : -EFAULT;
		page_put(p);
	}
	return 0;
}

/*
 * WILLNEED and PAGEOUT: what the mapping shows of its object is fetched, or given up as far as nobody else has it. What
 * may have to sleep is done without as->lock.
 */
static int
advise_stored(struct address_space *as, vaddr_t start, vaddr_t end, int advice)
{
	int error = advise_pages(as, start, end, advice);

	while (start < end && (error == 0 || error == -ENOMEM)) {
		struct memory_object *o = NULL;
		struct file *f = NULL;
		struct mapping *m;
		uint64_t first = 0;
		vaddr_t high = end;

		read_lock(&as->lock);
		m = address_space_find(as, start);
		if (m && m->start < end) {
			start = MAX(start, m->start);
			high = MIN(end, m->end);
			if (m->object && m->object->store) {
				o = m->object;
				object_get(o);
				f = m->file;
				if (f)
					file_get(f);
				first = mapping_index(m, start);
				if (advice == ADVICE_PAGEOUT && !m->has_anon)
					(void)drop_pages(m, start, high);
			}
		}
		read_unlock(&as->lock);
		if (o && advice == ADVICE_WILLNEED)
			object_readahead(o, f, first, (high - start) >> PAGE_SHIFT);
		if (o && advice == ADVICE_PAGEOUT)
			(void)object_invalidate(o, first << PAGE_SHIFT, (first << PAGE_SHIFT) + (high - start), false);
		if (f)
			file_put(f);
		if (o)
			object_put(o);
		start = high;
	}
	return error;
}

/* Only the holes matter. */
static int
advise_nothing(struct address_space *as, vaddr_t start, vaddr_t end)
{
	return advise_pages(as, start, end, ADVICE_NORMAL);
}

/* Huge pages are made when memory is touched, or not: nothing that is there becomes one. */
static int
advise_collapse(struct address_space *as, vaddr_t start, vaddr_t end)
{
	struct mapping *m;
	bool any;

	read_lock(&as->lock);
	m = address_space_find(as, start);
	any = m && m->start < end;
	read_unlock(&as->lock);
	return any ? -EINVAL : -ENOMEM;
}

int
address_space_advise(struct address_space *as, vaddr_t addr, size_t length, int advice)
{
	vaddr_t end = addr + ALIGN_UP(length, PAGE_SIZE);

	if (advice < 0 || (advice > ADVICE_LAST_LOW && advice < ADVICE_FREE) ||
	    advice > ADVICE_COLLAPSE)
		return -EINVAL;
	if (!IS_ALIGNED(addr, PAGE_SIZE) || end < addr || (length > 0 && end == addr))
		return -EINVAL;
	if (end == addr)
		return 0;
	if (changes_flags(advice))
		return advise_flags(as, addr, end, advice);
	switch (advice) {
	case ADVICE_DONTNEED:
	case ADVICE_FREE:
	case ADVICE_COLD:
		return advise_pages(as, addr, end, advice);
	case ADVICE_WILLNEED:
	case ADVICE_PAGEOUT:
		return advise_stored(as, addr, end, advice);
	case ADVICE_DONTNEED_LOCKED:
		return advise_pages(as, addr, end, ADVICE_DONTNEED);
	case ADVICE_COLLAPSE:
		return advise_collapse(as, addr, end);
	case ADVICE_REMOVE:
		return advise_remove(as, addr, end);
	case ADVICE_POPULATE_READ:
	case ADVICE_POPULATE_WRITE:
		return advise_populate(as, addr, end, advice == ADVICE_POPULATE_WRITE);
	default:
		return advise_nothing(as, addr, end);
	}
}
