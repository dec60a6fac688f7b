/* SPDX-License-Identifier: MIT */
/*
 * stored_pressure.c - in-kernel tests of page caches larger than the memory that is left: clean
 * pages make room at once, dirty ones after they were written, those that programs use by an
 * address last; nobody is killed for them.
 *
 * The machine's memory is taken away first but for a little. The store has no disk: page i holds i
 * in each word, and that is what it must be given.
 */
#include <tessera/address_space.h>
#include <tessera/backing.h>
#include <tessera/errno.h>
#include <tessera/iov.h>
#include <tessera/list.h>
#include <tessera/page.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/test.h>

#include "store.h"

#define LEFT_PAGES  (24ul << 20 >> PAGE_SHIFT)
#define CACHE_PAGES (2 * LEFT_PAGES)
#define WORDS       (PAGE_SIZE / sizeof(uint64_t))

#define USED_PAGES  256u /* the first of the object, which are mapped */

static struct {
	uint64_t again;   /* [a] pages of the first half of USED_PAGES that were read */
	uint64_t wrong;   /* [a] pages that were written with something else */
	uint64_t written; /* [a] */
	bool released;    /* [a] */
} seen;

static void
fill(uint64_t *page, uint64_t value)
{
	for (uint32_t i = 0; i < WORDS; i++)
		page[i] = value;
}

static void
synthetic_read(struct page_run *run)
{
	for (uint32_t i = 0; i < run->count; i++) {
		fill(page_to_virt(run->pages[i]), run->first + i);
		if (run->first + i < USED_PAGES / 2)
			atomic_add(&seen.again, 1);
	}
	page_run_complete_all(run, 0);
}

static void
synthetic_write(struct page_run *run)
{
	for (uint32_t i = 0; i < run->count; i++) {
		uint64_t *page = page_to_virt(run->pages[i]);

		if (page[0] != run->first + i || page[WORDS - 1] != run->first + i)
			atomic_add(&seen.wrong, 1);
	}
	atomic_add(&seen.written, run->count);
	page_run_complete_all(run, 0);
}

static void
synthetic_release(struct memory_object *o)
{
	atomic_store(&seen.released, true);
}

static const struct memory_object_ops synthetic_ops = {
	.name = "synthetic",
	.read_pages = synthetic_read,
	.write_pages = synthetic_write,
	.release = synthetic_release,
};

static ssize_t
move(struct memory_object *o, uint64_t index, void *buf, bool write)
{
	struct iov_iter it;

	iov_iter_kernel(&it, buf, PAGE_SIZE);
	return write ? object_write(o, NULL, index * PAGE_SIZE, &it)
		     : object_read(o, NULL, index * PAGE_SIZE, o->size, &it, 0);
}

static void
more_than_memory(struct memory_object *o, uint64_t *buf)
{
	for (uint64_t i = 0; i < CACHE_PAGES; i++) {
		kcheck_equal(move(o, i, buf, false), PAGE_SIZE);
		kcheck_equal(buf[WORDS / 2], i);
	}
	kcheck(o->pages.count > LEFT_PAGES / 2); /* it was made use of */
	for (uint64_t i = 0; i < CACHE_PAGES; i++) {
		fill(buf, i);
		kcheck_equal(move(o, i, buf, true), PAGE_SIZE);
	}
	kcheck_equal(object_sync(o, 0, UINT64_MAX), 0);
	kcheck_equal(seen.written, CACHE_PAGES);
	kcheck_equal(seen.wrong, 0);
}

/* Memory is taken away, and `use` gets an object larger than what is left. */
static void
with_little_memory(void (*use)(struct memory_object *o, uint64_t *buf))
{
	struct list hoarded = LIST_INIT(hoarded);
	struct backing *b = backing_create("synthetic", NULL);
	struct memory_object *o = b ? object_create_stored(&synthetic_ops, CACHE_PAGES * PAGE_SIZE, NULL, b) : NULL;
	uint64_t *buf = kmalloc(PAGE_SIZE, 0);

	kcheck(o && buf);
	memset(&seen, 0, sizeof(seen));
	memory_hoard(&hoarded, LEFT_PAGES);
	dirty_limits_changed();
	use(o, buf);
	memory_give_back(&hoarded);
	dirty_limits_changed();
	kfree(buf);
	object_put(o);
	while (!atomic_load(&seen.released))
		sched_yield_thread();
	backing_put(b);
}

KTEST(caches_larger_than_memory_make_room)
{
	with_little_memory(more_than_memory);
}

/* What a processor does to the leaves of [start, end) when a program reads there. How many there
 * are. */
static uint32_t
read_by_address(struct address_space *as, vaddr_t start, vaddr_t end)
{
	struct page_table *pt = &as->page_table;
	uint32_t there = 0;

	spin_lock(&as->page_table_lock);
	for (vaddr_t va = start; va < end; va += PAGE_SIZE) {
		unsigned int prot;
		paddr_t pa;

		if (!arch_page_table_unmap(pt, va, &pa, &prot))
			continue;
		there++;
		if (arch_page_table_map(pt, va, pa, prot | PTE_ACCESSED) != 0)
			ktest_fail(__FILE__, __LINE__, "a leaf that was there does not fit");
	}
	spin_unlock(&as->page_table_lock);
	return there;
}

/* Of the pages that are mapped the first half is read all the time, by address; then comes four
 * times the memory. */
static void
some_in_use(struct memory_object *o, uint64_t *buf)
{
	struct map_request r = { .length = USED_PAGES * PAGE_SIZE, .flags = MAPPING_READ | MAPPING_MAYREAD | MAPPING_SHARED,
				 .object = o };
	struct address_space *as = address_space_create();
	vaddr_t start, middle, end;

	kcheck(as);
	start = (vaddr_t)address_space_map(as, &r);
	middle = start + USED_PAGES / 2 * PAGE_SIZE;
	end = start + USED_PAGES * PAGE_SIZE;
	for (vaddr_t va = start; va < end; va += PAGE_SIZE) {
		struct page *p;

		kcheck_equal(address_space_get_page(as, va, false, false, &p), 0);
		page_put(p);
	}
	kcheck_equal(read_by_address(as, start, end), USED_PAGES);
	for (uint64_t i = 0; i < 2 * CACHE_PAGES; i++) {
		kcheck_equal(move(o, MAX(i % CACHE_PAGES, (uint64_t)USED_PAGES), buf, false), PAGE_SIZE);
		if (i % 64 == 0)
			kcheck_equal(read_by_address(as, start, middle), USED_PAGES / 2);
	}
	kcheck_equal(seen.again, USED_PAGES / 2);
	kcheck(read_by_address(as, middle, end) < USED_PAGES / 2);
	address_space_put(as);
}

KTEST(pages_in_use_by_address_are_evicted_last)
{
	with_little_memory(some_in_use);
}
