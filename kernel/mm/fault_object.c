/* SPDX-License-Identifier: MIT */
/*
 * fault_object.c - faults in what belongs to an object: files, shared memory, devices.
 *
 * A read maps the object's page, and those around it that are there. The first write to a page of a
 * private mapping takes a copy; of a shared one, the page itself. Pages of an object with a store
 * are mapped read-only while they are clean, so that the first write is seen: it marks the page
 * dirty under the page-table lock (writeback.c).
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/string.h>

#include "fault.h"
#include "mm.h"
#include "page_cache.h"

#define FAULT_AROUND 16u /* pages mapped around one that was read */

/* The page of a mapping's object, for a fault: 0; -EAGAIN: it is in `after`, to be waited for;
 * errors of the store. */
static int
find_page(struct mapping *m, vaddr_t va, struct fault_after *after, struct page **out)
{
	struct memory_object *o = m->object;
	uint64_t index = mapping_index(m, va);
	int error;

	if (likely(!o->store))
		return object_get_page(o, index, out);
	error = page_cache_find(o, m->file, index, 1,
				m->flags & MAPPING_RANDOM ? FIND_ALONE : m->flags & MAPPING_SEQUENTIAL ? 0 : FIND_AROUND,
				out);
	if (error == 0)
		readahead_read(m->file, index);
	if (error == -EAGAIN) {
		object_get(o);
		after->object = o;
		after->page = *out;
	}
	return error;
}

/* What read_page and charge_page say, as a fault says it: everything but lack of memory is
 * SIGBUS. */
static int
object_error(int error)
{
	return error == -ENOMEM || error == -EINTR || error == -EAGAIN ? error : -EIO;
}

/* A page of the store's is going to be written by a mapping: may it be? */
static int
may_dirty(struct memory_object *o, struct page *p)
{
	int error = o->store ? object_prepare_dirty(o) : 0;

	return error == 0 && o->ops->page_mkwrite ? o->ops->page_mkwrite(o, p) : error;
}

/* It was made dirty: who did goes no faster than the store, once as->lock is released. */
static void
slow_down(struct memory_object *o, struct fault_after *after)
{
	if (o->store && !after->object) {
		object_get(o);
		after->object = o;
	}
}

int
fault_device(struct mapping *m, vaddr_t va)
{
	struct address_space *as = m->as;
	unsigned int prot = 0;
	uint32_t tries = 0;
	paddr_t pa;
	int error = m->object->ops->device_page(m->object, mapping_index(m, va), &pa, &prot);

	if (error != 0)
		return object_error(error);
	prot = mapping_prot(m) | (prot & (PTE_UNCACHED | PTE_WCOMBINE)) | PTE_DEVICE;
	spin_lock(&as->page_table_lock);
	do {
		if (fault_is_beyond(m->object, mapping_index(m, va)))
			error = -EIO; /* hidden meanwhile */
		else
			error = arch_page_table_install(&as->page_table, va, pa, prot);
	} while (unlikely(error == -ENOMEM) && fault_make_room(as, &tries) == 0);
	spin_unlock(&as->page_table_lock);
	return error == -EEXIST ? 0 : error;
}

/* Is it still what the object shows, and shall not its first use begin to fetch more? */
static bool
may_map_early(const struct page *p)
{
	return (page_flags(p) & (PAGE_UPTODATE | PAGE_READAHEAD)) == PAGE_UPTODATE;
}

/*
 * After a read fault at `va`: map the valid pages that the object has around it, within the mapping
 * and within one page table. A failure costs nothing but a later fault.
 */
static void
fault_around(struct mapping *m, vaddr_t va, unsigned int prot)
{
	struct address_space *as = m->as;
	struct memory_object *o = m->object;
	vaddr_t low = MAX(ALIGN_DOWN(va, FAULT_AROUND * PAGE_SIZE), m->start);
	vaddr_t high =
		MIN(ALIGN_DOWN(va, FAULT_AROUND * PAGE_SIZE) + FAULT_AROUND * PAGE_SIZE, m->end);
	uint32_t n = (uint32_t)((high - low) >> PAGE_SHIFT);
	struct page *pages[FAULT_AROUND], *fit[FAULT_AROUND];
	uint64_t mapped, size, *rss, first = mapping_index(m, low);
	bool stored;

	page_cache_peek(o, first, pages, n);
	spin_lock(&as->page_table_lock);
	size = atomic_load_relaxed(&o->size);
	stored = o->store;
	for (uint32_t i = 0; i < n; i++)
		fit[i] = pages[i] && READ_ONCE(pages[i]->object) == o && (first + i) << PAGE_SHIFT < size &&
					 (!stored || may_map_early(pages[i])) ? pages[i] : NULL;
	mapped = arch_page_table_fill(&as->page_table, low, fit, n, prot);
	rss = mapped ? mapping_rss(m, pages[__builtin_ctzll(mapped)]) : NULL;
	for (uint32_t i = 0; i < n; i++)
		if (mapped & BIT(i)) {
			atomic_add_relaxed(&pages[i]->mapcount, 1);
			++*rss;
		}
	spin_unlock(&as->page_table_lock);
	for (uint32_t i = 0; i < n; i++)
		if (pages[i] && !(mapped & BIT(i)))
			page_put(pages[i]);
}

int
fault_object_read(struct mapping *m, vaddr_t va, struct fault_after *after)
{
	struct memory_object *o = m->object;
	unsigned int prot = mapping_prot(m);
	struct page *p;
	int error = find_page(m, va, after, &p);

	if (error != 0)
		return object_error(error);
	if (!(m->flags & MAPPING_SHARED) || o->store) /* the first write to a clean page is to be seen */
		prot &= ~PTE_WRITE;
	error = fault_install(m, va, p, prot, o, false);
	if (error != 0) {
		page_put(p);
		return error == -EAGAIN ? 0 : error;
	}
	fault_around(m, va, prot);
	return 0;
}

int
fault_object_copy(struct mapping *m, vaddr_t va, struct fault_after *after)
{
	struct page *from, *p;
	int error = find_page(m, va, after, &from);

	if (error != 0)
		return object_error(error);
	p = anonymous_page(0);
	if (!p) {
		page_put(from);
		return -ENOMEM;
	}
	memcpy(page_to_virt(p), page_to_virt(from), PAGE_SIZE);
	page_put(from);
	WRITE_ONCE(m->has_anon, true);
	error = fault_install(m, va, p, mapping_prot(m) | TOUCHED, NULL, false);
	if (error != 0) {
		page_put(p);
		return error == -EAGAIN ? 0 : error;
	}
	return 0;
}

int
fault_object_write(struct mapping *m, vaddr_t va, struct fault_after *after)
{
	struct memory_object *o = m->object;
	struct page *p;
	int error = find_page(m, va, after, &p);

	if (error != 0)
		return object_error(error);
	if (o->inode)
		inode_touch_modified(o->inode); /* before the store hears of it, who may tell these times at once */
	error = may_dirty(o, p);
	if (error != 0) {
		page_put(p);
		return object_error(error);
	}
	error = fault_install(m, va, p, mapping_prot(m) | TOUCHED, o, o->store != NULL);
	if (error != 0) {
		page_put(p);
		return error == -EAGAIN ? 0 : error;
	}
	slow_down(o, after);
	return 0;
}

/* The first write to a clean page of a shared mapping. */
int
fault_write_shared(struct mapping *m, vaddr_t va, paddr_t pa, struct fault_after *after)
{
	struct address_space *as = m->as;
	struct memory_object *o = m->object;
	struct page *p = pfn_to_page(pa >> PAGE_SHIFT);
	unsigned int prot;
	paddr_t now;
	int error;

	assert_held(&as->page_table_lock);
	page_get(p);
	spin_unlock(&as->page_table_lock);
	if (o->store && o->inode)
		inode_touch_modified(o->inode); /* as above */
	error = may_dirty(o, p);
	if (error == 0) {
		spin_lock(&as->page_table_lock);
		/* A page that was dropped meanwhile: its leaf is about to be taken away. */
		if (arch_page_table_lookup(&as->page_table, va, &now, &prot) && now == pa &&
		    object_mark_dirty(o, p)) {
			slow_down(o, after);
			arch_page_table_protect(&as->page_table, va, mapping_prot(m));
			tlb_count_upgrade();
		}
		spin_unlock(&as->page_table_lock);
	}
	page_put(p);
	return error == 0 ? 0 : object_error(error);
}
