/* SPDX-License-Identifier: MIT */
/*
 * address_space.c - in-kernel tests of address spaces that no program runs in: mapping,
 * copy-on-write, moving, protection, objects, and several CPUs faulting in one space.
 */
#include <tessera/address_space.h>
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/iov.h>
#include <tessera/memory_object.h>
#include <tessera/page.h>
#include <tessera/string.h>
#include <tessera/test.h>

#define RW (MAPPING_READ | MAPPING_WRITE | MAPPING_MAYREAD | MAPPING_MAYWRITE | MAPPING_MAYEXEC)

static long
map(struct address_space *as, vaddr_t addr, size_t length, uint32_t flags,
    struct memory_object *object)
{
	struct map_request r = {
		.addr = addr,
		.length = length,
		.flags = flags,
		.place = addr ? MAP_PLACE_FIXED : 0,
		.object = object,
	};

	return address_space_map(as, &r);
}

static void
poke(struct address_space *as, vaddr_t va, uint64_t value)
{
	if (address_space_access(as, va, &value, sizeof(value), true, false) != sizeof(value))
		ktest_fail(__FILE__, __LINE__, "cannot write at %#lx", va);
}

static uint64_t
peek(struct address_space *as, vaddr_t va)
{
	uint64_t value = 0xdead;

	if (address_space_access(as, va, &value, sizeof(value), false, false) != sizeof(value))
		ktest_fail(__FILE__, __LINE__, "cannot read at %#lx", va);
	return value;
}

KTEST(anonymous_memory_reads_zero_and_keeps_writes)
{
	struct address_space *as = address_space_create();
	long at;

	kcheck(as);
	at = map(as, 0, 64 * PAGE_SIZE, RW, NULL);
	kcheck(at > 0);
	kcheck_equal(peek(as, at + 5 * PAGE_SIZE), 0);
	kcheck_equal(address_space_resident(as), 0);
	for (uint32_t i = 0; i < 64; i++)
		poke(as, at + i * PAGE_SIZE, i + 1);
	for (uint32_t i = 0; i < 64; i++)
		kcheck_equal(peek(as, at + i * PAGE_SIZE), i + 1);
	kcheck_equal(address_space_resident(as), 64);
	kcheck_equal(address_space_unmap(as, at + 10 * PAGE_SIZE, 20 * PAGE_SIZE), 0);
	kcheck_equal(address_space_resident(as), 44);
	kcheck_equal(as->mapping_count, 2);
	kcheck_equal(peek(as, at + 30 * PAGE_SIZE), 31);
	address_space_put(as);
}

KTEST(fork_copies_on_write)
{
	struct address_space *as = address_space_create(), *child;
	long at;

	kcheck(as);
	at = map(as, 0, 32 * PAGE_SIZE, RW, NULL);
	for (uint32_t i = 0; i < 32; i++)
		poke(as, at + i * PAGE_SIZE, i);
	kcheck_equal(address_space_fork(as, 0, &child), 0);
	for (uint32_t i = 0; i < 32; i += 2)
		poke(as, at + i * PAGE_SIZE, 1000 + i);
	for (uint32_t i = 1; i < 32; i += 2)
		poke(child, at + i * PAGE_SIZE, 2000 + i);
	for (uint32_t i = 0; i < 32; i++) {
		kcheck_equal(peek(as, at + i * PAGE_SIZE), i % 2 ? i : 1000 + i);
		kcheck_equal(peek(child, at + i * PAGE_SIZE), i % 2 ? 2000 + i : i);
	}
	address_space_put(as);
	kcheck_equal(peek(child, at), 0);
	address_space_put(child);
}

/* The page of the stack is each one's own from the start: no fault, and nobody's flush. */
KTEST(fork_copies_the_stack_at_once)
{
	struct address_space *as = address_space_create(), *child;
	struct page *ours, *theirs;
	long at;

	kcheck(as);
	at = map(as, 0, 3 * PAGE_SIZE, RW, NULL);
	for (uint32_t i = 0; i < 3; i++)
		poke(as, at + i * PAGE_SIZE, i + 1);
	kcheck_equal(address_space_fork(as, at + PAGE_SIZE + 100, &child), 0);
	kcheck_equal(address_space_resident(child), 3);
	for (uint32_t i = 0; i < 3; i++)
		kcheck_equal(peek(child, at + i * PAGE_SIZE), i + 1);
	kcheck_equal(address_space_get_page(as, at + PAGE_SIZE, false, false, &ours), 0);
	kcheck_equal(address_space_get_page(child, at + PAGE_SIZE, false, false, &theirs), 0);
	kcheck(ours != theirs);
	poke(as, at + PAGE_SIZE, 8);
	poke(child, at + PAGE_SIZE, 9);
	kcheck(atomic_load(&ours->refcount) == 2 && atomic_load(&theirs->refcount) == 2);
	page_put(ours);
	page_put(theirs);
	kcheck_equal(peek(as, at + PAGE_SIZE), 8);
	kcheck_equal(peek(child, at + PAGE_SIZE), 9);
	poke(as, at, 7);
	kcheck_equal(peek(child, at), 1);
	address_space_put(child);
	/* A page that a fork before has left shared is shared on. */
	kcheck_equal(address_space_fork(as, 0, &child), 0);
	poke(as, at, 5);
	address_space_put(child);
	kcheck_equal(address_space_fork(as, at + 2 * PAGE_SIZE, &child), 0);
	kcheck_equal(peek(child, at + 2 * PAGE_SIZE), 3);
	poke(as, at + 2 * PAGE_SIZE, 4);
	kcheck_equal(peek(child, at + 2 * PAGE_SIZE), 3);
	address_space_put(child);
	address_space_put(as);
}

KTEST(huge_pages_split_and_survive_fork)
{
	struct address_space *as = address_space_create(), *child;
	vaddr_t at = 0x400000000;

	kcheck(as);
	kcheck_equal(map(as, at, 4 * HUGE_PAGE_SIZE, RW, NULL), (long)at);
	for (uint32_t i = 0; i < 4; i++)
		poke(as, at + i * HUGE_PAGE_SIZE + 5 * PAGE_SIZE, i + 7);
	kcheck(as->huge_leaves == 4 || as->huge_leaves == 0); /* 0: memory is not plentiful */
	kcheck_equal(address_space_fork(as, 0, &child), 0);
	/* Alone again in the first, shared and split in the second. */
	poke(as, at + HUGE_PAGE_SIZE + 5 * PAGE_SIZE, 99);
	poke(child, at + 2 * HUGE_PAGE_SIZE + 6 * PAGE_SIZE, 98);
	kcheck_equal(peek(child, at + HUGE_PAGE_SIZE + 5 * PAGE_SIZE), 8);
	kcheck_equal(peek(as, at + 2 * HUGE_PAGE_SIZE + 6 * PAGE_SIZE), 0);
	kcheck_equal(peek(child, at + 2 * HUGE_PAGE_SIZE + 5 * PAGE_SIZE), 9);
	address_space_put(child);
	kcheck_equal(address_space_unmap(as, at + PAGE_SIZE, 3 * PAGE_SIZE), 0);
	kcheck_equal(peek(as, at + 5 * PAGE_SIZE), 7);
	kcheck_equal(address_space_protect(as, at + 3 * HUGE_PAGE_SIZE + PAGE_SIZE, PAGE_SIZE,
					   MAPPING_READ, -1), 0);
	kcheck_equal(peek(as, at + 3 * HUGE_PAGE_SIZE + 5 * PAGE_SIZE), 10);
	/* An odd place: large leaves must be cut to move. */
	kcheck_equal(address_space_remap(as, at + HUGE_PAGE_SIZE, HUGE_PAGE_SIZE, HUGE_PAGE_SIZE, 3,
					 0x500001000), 0x500001000);
	kcheck_equal(peek(as, 0x500001000 + 5 * PAGE_SIZE), 99);
	address_space_put(as);
}

/* One that is the space's alone is cut; then what is referred to outlives the rest. */
KTEST(a_part_of_a_huge_page_is_kept_alone)
{
	struct address_space *as = address_space_create(), *child;
	vaddr_t at = 0x400000000;
	struct page *p;

	kcheck(as);
	kcheck_equal(map(as, at, HUGE_PAGE_SIZE, RW, NULL), (long)at);
	poke(as, at + 5 * PAGE_SIZE, 7);
	if (as->huge_leaves == 1) {
		kcheck_equal(address_space_fork(as, 0, &child), 0);
		address_space_split_block(as, at + 5 * PAGE_SIZE);
		kcheck_equal(as->huge_leaves, 1);
		address_space_put(child);
	}
	address_space_split_block(as, at + 5 * PAGE_SIZE);
	address_space_split_block(as, at + HUGE_PAGE_SIZE); /* nothing is there */
	kcheck_equal(as->huge_leaves, 0);
	kcheck_equal(address_space_get_page(as, at + 5 * PAGE_SIZE, false, false, &p), 0);
	kcheck(page_head(p) == p);
	address_space_put(as);
	kcheck_equal(atomic_load(&p->refcount), 1);
	kcheck_equal(*(uint64_t *)page_to_virt(p), 7);
	page_put(p);
}

KTEST(neighbours_merge_and_split)
{
	struct address_space *as = address_space_create();
	vaddr_t at = 0x10000000;

	kcheck(as);
	for (uint32_t i = 0; i < 16; i++)
		kcheck_equal(map(as, at + i * PAGE_SIZE, PAGE_SIZE, RW, NULL),
			(long)(at + i * PAGE_SIZE));
	kcheck_equal(as->mapping_count, 1);
	kcheck_equal(
		address_space_protect(as, at + 4 * PAGE_SIZE, 4 * PAGE_SIZE, MAPPING_READ, -1), 0);
	kcheck_equal(as->mapping_count, 3);
	kcheck_equal(address_space_protect(as, at + 4 * PAGE_SIZE, 4 * PAGE_SIZE,
					   MAPPING_READ | MAPPING_WRITE, -1), 0);
	kcheck_equal(as->mapping_count, 1);
	kcheck_equal(
		address_space_protect(as, at + 8 * PAGE_SIZE, 16 * PAGE_SIZE, MAPPING_READ, -1),
		-ENOMEM);
	kcheck_equal(as->mapping_count, 2);
	kcheck_equal(as->total_pages, 16);
	kcheck_equal(address_space_unmap(as, at, 16 * PAGE_SIZE), 0);
	kcheck_equal(as->mapping_count, 0);
	kcheck_equal(as->total_pages, 0);
	kcheck_equal(as->committed, 0);
	address_space_put(as);
}

KTEST(truncation_takes_pages_from_mappings)
{
	struct memory_object *o = object_create(&anonymous_object_ops, 16 * PAGE_SIZE, NULL);
	struct address_space *as = address_space_create();
	uint64_t value = 42;
	struct page *p;
	long shared, private;

	kcheck(o && as);
	shared = map(as, 0, 16 * PAGE_SIZE, RW | MAPPING_SHARED, o);
	private = map(as, 0, 16 * PAGE_SIZE, RW, o);
	kcheck(shared > 0 && private > 0);
	for (uint32_t i = 0; i < 16; i++)
		poke(as, shared + i * PAGE_SIZE, i + 1);
	kcheck_equal(peek(as, private + 3 * PAGE_SIZE), 4);
	poke(as, shared + 3 * PAGE_SIZE, 40);
	kcheck_equal(peek(as, private + 3 * PAGE_SIZE), 40);
	poke(as, private + 3 * PAGE_SIZE, 50);
	kcheck_equal(peek(as, shared + 3 * PAGE_SIZE), 40);
	object_truncate(o, 2 * PAGE_SIZE + 100);
	kcheck_equal(address_space_get_page(as, shared + 3 * PAGE_SIZE, false, false, &p), -EIO);
	kcheck_equal(address_space_get_page(as, private + 3 * PAGE_SIZE, false, false, &p), -EIO);
	kcheck_equal(peek(as, shared + 2 * PAGE_SIZE), 3);
	kcheck_equal(o->pages.count, 3);
	object_truncate(o, 16 * PAGE_SIZE);
	kcheck_equal(peek(as, shared + 3 * PAGE_SIZE), 0);

	struct iov_iter it;

	iov_iter_kernel(&it, &value, sizeof(value));
	kcheck_equal(object_write(o, NULL, 5 * PAGE_SIZE, &it), sizeof(value));
	kcheck_equal(peek(as, private + 5 * PAGE_SIZE), 42);
	object_put(o);
	address_space_put(as);
}

KTEST(remap_moves_contents)
{
	struct address_space *as = address_space_create();
	long at, to;

	kcheck(as);
	at = map(as, 0, 8 * PAGE_SIZE, RW, NULL);
	for (uint32_t i = 0; i < 8; i++)
		poke(as, at + i * PAGE_SIZE, i + 1);
	kcheck(map(as, at + 8 * PAGE_SIZE, PAGE_SIZE, RW | MAPPING_NORESERVE, NULL) > 0);
	kcheck_equal(address_space_remap(as, at, 8 * PAGE_SIZE, 16 * PAGE_SIZE, 0, 0), -ENOMEM);
	to = address_space_remap(as, at, 8 * PAGE_SIZE, 16 * PAGE_SIZE, 1, 0);
	kcheck(to > 0 && to != at);
	for (uint32_t i = 0; i < 8; i++)
		kcheck_equal(peek(as, to + i * PAGE_SIZE), i + 1);
	kcheck_equal(peek(as, to + 9 * PAGE_SIZE), 0);
	kcheck_equal(address_space_remap(as, at, PAGE_SIZE, PAGE_SIZE, 1, 0), -EFAULT);
	address_space_put(as);
}

struct storm {
	struct address_space *as;
	vaddr_t at;
};

#define STORM_PAGES 256

static void
storm_member(void *arg, uint32_t index)
{
	struct storm *s = arg;
	uint32_t random = index + 1;

	for (uint32_t i = 0; i < 2000; i++) {
		vaddr_t va;
		uint64_t old;

		random = random * 1664525 + 1013904223;
		va = s->at + (random >> 8) % STORM_PAGES * PAGE_SIZE;
		if ((random >> 4) % 64 == 0) {
			if (address_space_advise(s->as, va, PAGE_SIZE, 4) != 0)
				ktest_fail(__FILE__, __LINE__, "madvise failed");
		} else if ((random >> 4) % 64 == 1) {
			if (map(s->as, va, PAGE_SIZE, RW, NULL) != (long)va)
				ktest_fail(__FILE__, __LINE__, "mmap failed");
		} else {
			if (address_space_access(s->as, va + index * 8, &old, 8, false, false) != 8)
				ktest_fail(__FILE__, __LINE__, "read failed");
			old = va + index;
			if (address_space_access(s->as, va + index * 8, &old, 8, true, false) != 8)
				ktest_fail(__FILE__, __LINE__, "write failed");
		}
	}
}

KTEST(faults_race_with_unmapping)
{
	struct storm s = { .as = address_space_create() };

	kcheck(s.as);
	s.at = (vaddr_t)map(s.as, 0x600000000, STORM_PAGES * PAGE_SIZE, RW, NULL);
	ktest_parallel(cpu_count + 1, storm_member, &s);
	kcheck(address_space_resident(s.as) <= STORM_PAGES);
	address_space_put(s.as);
}
