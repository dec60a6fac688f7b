/* SPDX-License-Identifier: MIT */
/*
 * map.c - placing, making and removing mappings; the program break.
 *
 * Where no address is asked for, the highest gap below mmap_base that fits is taken, as Linux does.
 * The commons [COMMONS_START, COMMONS_END) is never chosen and hints into it are not followed; only
 * MAP_FIXED puts something there. Who asks for an address of 31 bits gets the lowest gap instead. A
 * mapping that grows down keeps STACK_GUARD_GAP free below it.
 *
 * Finding the gap walks the mappings from the top. So that a program with many of them does not
 * walk all each time, the space remembers (search_hint, hint_hole): between search_hint and the top
 * no gap is larger than hint_hole, hence a larger request may start at search_hint. Freed ranges
 * above the hint raise hint_hole.
 */
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/process.h>

#include "mm.h"

/* Where mappings go that ask for 31 bits of address. */
#define LOW_START 0x40000000ul
#define LOW_END   0x80000000ul

/* --- gaps ------------------------------------------------------------------------------------- */

/* Where the space that `m` claims begins. */
static vaddr_t
claim(const struct mapping *m)
{
	if (!(m->flags & MAPPING_GROWSDOWN))
		return m->start;
	return m->start > STACK_GUARD_GAP ? m->start - STACK_GUARD_GAP : 0;
}

/* The highest free `length` bytes in [low, high), 0: none. *largest grows to the largest gap
 * refused. */
static vaddr_t
search(struct address_space *as, vaddr_t low, vaddr_t high, size_t length, uint64_t *largest)
{
	struct mapping *next = address_space_find(as, high), *m;
	vaddr_t top = high;

	if (next)
		top = MIN(top, claim(next));
	m = next ? mapping_prev(next) : rb_entry(rb_last(&as->mappings), struct mapping, node);
	for (;;) {
		vaddr_t bottom = m ? MAX(m->end, low) : low;

		if (top > bottom) {
			if (top - bottom >= length)
				return top - length;
			*largest = MAX(*largest, top - bottom);
		}
		if (!m || m->end <= low)
			return 0;
		top = MIN(top, claim(m));
		m = mapping_prev(m);
	}
}

/* The lowest free `length` bytes in [low, high), 0: none. */
static vaddr_t
search_up(struct address_space *as, vaddr_t low, vaddr_t high, size_t length)
{
	struct mapping *m = address_space_find(as, low);

	for (; m; m = mapping_next(m)) {
		vaddr_t top = MIN(claim(m), high);

		if (low < top && top - low >= length)
			return low;
		low = MAX(low, m->end);
		if (low >= high)
			return 0;
	}
	return high - low >= length ? low : 0;
}

vaddr_t
find_gap(struct address_space *as, size_t length, vaddr_t below)
{
	uint64_t hole = 0;
	vaddr_t from = as->mmap_base, found;

	if (below != 0)
		return search(as, USER_MIN, below, length, &hole);
	if (as->hint_base == as->mmap_base && length > as->hint_hole) {
		from = as->search_hint;
		hole = as->hint_hole;
	}
	found = search(as, COMMONS_END, from, length, &hole);
	if (found) {
		as->search_hint = found;
		as->hint_hole = hole;
		as->hint_base = as->mmap_base;
		return found;
	}
	found = search(as, USER_MIN, COMMONS_START, length, &hole);
	return found ? found : search(as, as->mmap_base, USER_END, length, &hole);
}

void
gap_freed(struct address_space *as, vaddr_t start, vaddr_t end)
{
	struct mapping *next, *prev;

	if (end <= as->search_hint)
		return;
	next = address_space_find(as, start);
	prev = next ? mapping_prev(next) : rb_entry(rb_last(&as->mappings), struct mapping, node);
	start = prev ? prev->end : USER_MIN;
	end = next ? claim(next) : USER_END;
	if (end > start)
		as->hint_hole = MAX(as->hint_hole, end - start);
}

bool
gap_is_free(struct address_space *as, vaddr_t start, vaddr_t end)
{
	struct mapping *m = address_space_find(as, start);

	return !m || claim(m) >= end;
}

/* --- limits ----------------------------------------------------------------------------------- */

int
check_limits(struct address_space *as, uint64_t pages, uint32_t flags)
{
	if (as->total_pages + pages > task_limit(RLIMIT_AS) >> PAGE_SHIFT)
		return -ENOMEM;
	if ((flags & (MAPPING_WRITE | MAPPING_SHARED | MAPPING_GROWSDOWN)) == MAPPING_WRITE &&
	    as->data_pages + pages > task_limit(RLIMIT_DATA) >> PAGE_SHIFT)
		return -ENOMEM;
	return 0;
}

int
check_lock_limit(struct address_space *as, uint64_t pages)
{
	if (as->locked_pages + pages <= task_limit(RLIMIT_MEMLOCK) >> PAGE_SHIFT ||
	    capable(CAP_IPC_LOCK))
		return 0;
	return -EAGAIN;
}

/* --- unmapping -------------------------------------------------------------------------------- */

/* Would a border at start or end cut a page of the huge pool? */
bool
cuts_huge(struct address_space *as, vaddr_t start, vaddr_t end)
{
	struct mapping *low = address_space_find(as, start),
		       *high = address_space_find(as, end - 1);

	return (low && low->start < start && (low->flags & MAPPING_HUGETLB) &&
		!IS_ALIGNED(start, HUGE_PAGE_SIZE)) ||
	       (high && high->start < end && end < high->end && (high->flags & MAPPING_HUGETLB) &&
		!IS_ALIGNED(end, HUGE_PAGE_SIZE));
}

int
unmap_locked(struct address_space *as, vaddr_t start, vaddr_t end, struct list *doomed)
{
	struct mapping *m, *next, *prev;
	struct tlb_batch b;

	assert_changing(as);
	m = address_space_find(as, start);
	if (!m || m->start >= end)
		return 0;
	if (cuts_huge(as, start, end))
		return -EINVAL;
	if (mappings_cut(as, start, end) != 0)
		return -ENOMEM;
	m = address_space_find(as, start);
	prev = mapping_prev(m);
	tlb_batch_init(&b, as);
	for (; m && m->start < end; m = next) {
		next = mapping_next(m);
		mapping_zap(m, m->start, m->end, &b);
		mapping_unlink(m, doomed);
	}
	spin_lock(&as->page_table_lock);
	b.tables = arch_page_table_prune(&as->page_table, start, end, prev ? prev->end : 0,
					 m ? m->start : USER_END);
	spin_unlock(&as->page_table_lock);
	if (b.tables)
		tlb_batch_add(&b, start, PAGE_SIZE, NULL);
	tlb_batch_finish(&b);
	gap_freed(as, start, end);
	return 0;
}

int
address_space_unmap(struct address_space *as, vaddr_t addr, size_t length)
{
	struct list doomed = LIST_INIT(doomed);
	struct address_space *resting;
	int error;

	if (!IS_ALIGNED(addr, PAGE_SIZE) || length == 0 || addr > USER_END ||
	    length > USER_END - addr)
		return -EINVAL;
	length = ALIGN_UP(length, PAGE_SIZE);
	resting = tlb_rest();
	address_space_change(as);
	error = unmap_locked(as, addr, addr + length, &doomed);
	address_space_changed(as);
	if (resting)
		tlb_unrest(resting);
	mappings_free(&doomed);
	return error;
}

/* --- mapping ---------------------------------------------------------------------------------- */

/* Pages of [start, end) that are mapped already. */
static uint64_t
mapped_pages(struct address_space *as, vaddr_t start, vaddr_t end)
{
	struct mapping *m = address_space_find(as, start);
	uint64_t pages = 0;

	for (; m && m->start < end; m = mapping_next(m))
		pages += (MIN(m->end, end) - MAX(m->start, start)) >> PAGE_SHIFT;
	return pages;
}

/* What fits instructions with 31 bits of address: at the hint, which may lie below, else from the
 * bottom up. */
static long
place_32bit(struct address_space *as, vaddr_t hint, size_t length)
{
	vaddr_t addr = hint != 0 ? MAX(ALIGN_DOWN(hint, PAGE_SIZE), USER_MIN) : 0;

	if (addr != 0 && length <= LOW_END && addr <= LOW_END - length &&
	    gap_is_free(as, addr, addr + length))
		return (long)addr;
	addr = search_up(as, LOW_START, LOW_END, length);
	return addr ? (long)addr : -ENOMEM;
}

/* Where the request goes; negative: errno. */
static long
place(struct address_space *as, const struct map_request *r, size_t length)
{
	vaddr_t addr = r->addr;

	if (length > USER_END)
		return -ENOMEM;
	if (r->place & (MAP_PLACE_FIXED | MAP_PLACE_NOREPLACE)) {
		if (!IS_ALIGNED(addr, r->flags & MAPPING_HUGETLB ? HUGE_PAGE_SIZE : PAGE_SIZE))
			return -EINVAL;
		if (addr > USER_END - length)
			return -ENOMEM;
		if ((r->place & MAP_PLACE_NOREPLACE) && mapped_pages(as, addr, addr + length) > 0)
			return -EEXIST;
		return (long)addr;
	}
	if (r->place & MAP_PLACE_32BIT)
		return place_32bit(as, addr, length);
	addr = r->flags & MAPPING_HUGETLB ? ALIGN_UP(addr, HUGE_PAGE_SIZE)
					  : ALIGN_DOWN(addr, PAGE_SIZE);
	if (addr != 0 && addr < USER_MIN)
		addr = USER_MIN;
	if (addr != 0 && addr <= USER_END - length && gap_is_free(as, addr, addr + length) &&
	    (addr + length <= COMMONS_START || addr >= COMMONS_END))
		return (long)addr;
	if (r->flags & MAPPING_HUGETLB) {
		addr = find_gap(as, length + HUGE_PAGE_SIZE - PAGE_SIZE, 0);
		return addr ? (long)ALIGN_UP(addr, HUGE_PAGE_SIZE) : -ENOMEM;
	}
	addr = find_gap(as, length, 0);
	return addr ? (long)addr : -ENOMEM;
}

/* Does the mapping promise memory that may have to be found later? */
static bool
is_accounted(uint32_t flags)
{
	if (flags & MAPPING_ACCOUNT)
		return true;
	if ((flags & MAPPING_NORESERVE) && overcommit_mode != 2)
		return false;
	return (flags & (MAPPING_WRITE | MAPPING_SHARED)) == MAPPING_WRITE &&
	       !(flags & (MAPPING_DEVICE | MAPPING_HUGETLB));
}

static long
map_locked(struct address_space *as, const struct map_request *r, size_t length,
	   struct list *doomed)
{
	uint64_t pages = length >> PAGE_SHIFT;
	uint32_t flags = r->flags | as->mlock_future;
	struct mapping *m;
	long addr;
	int error;

	if (as->mapping_count > (uint32_t)max_map_count)
		return -ENOMEM;
	addr = place(as, r, length);
	if (addr < 0)
		return addr;
	if ((flags & MAPPING_LOCKED) && check_lock_limit(as, pages) != 0)
		return -EAGAIN;
	error = check_limits(as, pages, flags);
	if (error != 0 && (r->place & MAP_PLACE_FIXED)) {
		uint64_t replaced = mapped_pages(as, (vaddr_t)addr, (vaddr_t)addr + length);

		error = check_limits(as, pages - replaced, flags);
	}
	if (error != 0)
		return error;
	if (is_accounted(flags)) {
		flags |= MAPPING_ACCOUNT;
		error = commit_charge(pages);
		if (error != 0)
			return error;
	}
	error = -ENOMEM;
	m = mapping_alloc(as);
	if (!m)
		goto uncharge;
	if (r->place & MAP_PLACE_FIXED) {
		error = unmap_locked(as, (vaddr_t)addr, (vaddr_t)addr + length, doomed);
		if (error != 0)
			goto free_mapping;
	}
	m->start = (vaddr_t)addr;
	m->end = (vaddr_t)addr + length;
	m->flags = flags;
	m->key = key_for(as, flags, 0, 0);
	m->object = r->object;
	m->object_page = r->object ? r->offset >> PAGE_SHIFT : m->start >> PAGE_SHIFT;
	if (m->object)
		object_get(m->object);
	mapping_set_file(m, r->file);
	mapping_link(m);
	mapping_merge(m, doomed);
	return addr;

free_mapping:
	list_add_tail(doomed, &m->object_node);
uncharge:
	if (flags & MAPPING_ACCOUNT)
		commit_release(pages);
	return error;
}

long
address_space_map(struct address_space *as, const struct map_request *r)
{
	struct list doomed = LIST_INIT(doomed);
	struct address_space *resting;
	size_t length =
		ALIGN_UP(r->length, r->flags & MAPPING_HUGETLB ? HUGE_PAGE_SIZE : PAGE_SIZE);
	bool populate;
	long addr;

	if (r->length == 0)
		return -EINVAL;
	if (length == 0 || !IS_ALIGNED(r->offset, PAGE_SIZE))
		return length == 0 ? -ENOMEM : -EINVAL;
	resting = tlb_rest();
	address_space_change(as);
	addr = map_locked(as, r, length, &doomed);
	populate =
		(r->place & MAP_PLACE_POPULATE) || (r->flags & MAPPING_LOCKED) ||
		(as->mlock_future && !as->mlock_onfault);
	if ((r->flags & MAPPING_HUGETLB) &&
	    (r->flags & (MAPPING_READ | MAPPING_WRITE | MAPPING_EXEC)))
		populate = true;
	address_space_changed(as);
	if (resting)
		tlb_unrest(resting);
	mappings_free(&doomed);
	if (addr >= 0 && populate) {
		int error = address_space_populate(as, (vaddr_t)addr, (vaddr_t)addr + length);

		/* Pages of the pool are promised by the mapping: all now, or none. */
		if (error != 0 && (r->flags & MAPPING_HUGETLB)) {
			address_space_unmap(as, (vaddr_t)addr, length);
			return -ENOMEM;
		}
	}
	return addr;
}

/* The mappings from `m` on, all of one object and with the same rights, reach `end` without a hole. */
static bool
alike_until(struct mapping *m, vaddr_t end)
{
	for (struct mapping *next; m->end < end; m = next) {
		next = mapping_next(m);
		if (!next || next->start != m->end || next->object != m->object || next->file != m->file ||
		    next->flags != m->flags)
			return false;
	}
	return true;
}

int
address_space_remap_pages(struct address_space *as, vaddr_t start, size_t length, uint64_t page)
{
	struct list doomed = LIST_INIT(doomed);
	struct map_request r = { .addr = start, .length = length, .offset = page << PAGE_SHIFT,
				 .place = MAP_PLACE_FIXED };
	struct mapping *m;
	long error = -EINVAL;

	address_space_change(as);
	m = address_space_find(as, start);
	if (m && m->start <= start && (m->flags & MAPPING_SHARED) &&
	    !(m->flags & (MAPPING_HUGETLB | MAPPING_AS_GIVEN)) && m->object && (!m->file || (m->file->mode & FILE_WRITE)) &&
	    alike_until(m, start + length)) {
		r.flags = m->flags;
		r.object = m->object;
		r.file = m->file;
		object_get(r.object);
		if (r.file)
			file_get(r.file);
		error = map_locked(as, &r, length, &doomed);
	}
	address_space_changed(as);
	mappings_free(&doomed);
	if (r.object)
		object_put(r.object);
	if (r.file)
		file_put(r.file);
	if (error < 0)
		return (int)error;
	(void)address_space_populate(as, start, start + length); /* what fails now is tried again on touch */
	return 0;
}

/* --- the program break ------------------------------------------------------------------------ */

/* `as` is being changed. 0 or an errno, which brk(2) never tells. */
static int
set_break(struct address_space *as, vaddr_t brk, struct list *doomed)
{
	vaddr_t old_end = ALIGN_UP(as->brk, PAGE_SIZE), end = ALIGN_UP(brk, PAGE_SIZE);
	uint64_t limit = task_limit(RLIMIT_DATA);
	struct map_request r = {
		.addr = old_end,
		.length = end - old_end,
		.flags = MAPPING_READ | MAPPING_WRITE | MAPPING_MAYREAD | MAPPING_MAYWRITE |
			 MAPPING_MAYEXEC | MAPPING_HEAP,
		.place = MAP_PLACE_NOREPLACE,
	};
	long error;

	if (brk < as->brk_start || brk > USER_END)
		return -EINVAL;
	if (limit != RLIM_INFINITY &&
	    (brk - as->brk_start) + (as->data_end - as->data_start) > limit)
		return -ENOMEM;
	if (end < old_end)
		error = unmap_locked(as, end, old_end, doomed);
	else if (end > old_end && !gap_is_free(as, old_end, end + PAGE_SIZE))
		error = -ENOMEM;
	else
		error = end > old_end ? map_locked(as, &r, end - old_end, doomed) : 0;
	if (error < 0)
		return (int)error;
	as->brk = brk;
	return 0;
}

long
address_space_brk(struct address_space *as, vaddr_t brk)
{
	struct list doomed = LIST_INIT(doomed);
	struct address_space *resting = tlb_rest();
	vaddr_t old, now;
	bool populate;

	address_space_change(as);
	old = as->brk;
	(void)set_break(as, brk, &doomed);
	now = as->brk;
	populate = as->mlock_future && !as->mlock_onfault && now > old;
	address_space_changed(as);
	if (resting)
		tlb_unrest(resting);
	mappings_free(&doomed);
	if (populate)
		address_space_populate(as, ALIGN_UP(old, PAGE_SIZE), ALIGN_UP(now, PAGE_SIZE));
	return (long)now;
}
