/* SPDX-License-Identifier: MIT */
/*
 * page_table.c - page tables: what is mapped is found, nothing else is; dirty and accessed bits survive;
 * every table frame comes back, and prune detaches exactly the empty ones.
 */
/* unit: kernel/arch/x86_64/page_table.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tessera/arch.h>
#include <tessera/errno.h>
#include <tessera/page.h>
#include <tessera/panic.h>

#define FRAMES 2048u
#define RW     (PTE_READ | PTE_WRITE | PTE_USER)

struct page *page_array;
vaddr_t direct_map_base;

static void *memory;
static bool used[FRAMES];
static unsigned int frames_used, frames_allowed = FRAMES;
static struct page_table table;

paddr_t
frame_alloc(unsigned int flags)
{
	if (frames_used == frames_allowed)
		return 0;
	for (unsigned int i = 1; i < FRAMES; i++) {
		if (used[i])
			continue;
		used[i] = true;
		frames_used++;
		memset((char *)memory + i * PAGE_SIZE, flags & ALLOC_ZERO ? 0 : 0xa5, PAGE_SIZE);
		return (paddr_t)i * PAGE_SIZE;
	}
	return 0;
}

void
frame_free(paddr_t frame)
{
	assert_true(used[frame / PAGE_SIZE]);
	used[frame / PAGE_SIZE] = false;
	frames_used--;
}

size_t
arch_copy_from_user(void *to, const void *from, size_t n)
{
	memcpy(to, from, n);
	return 0;
}

void
panic(const char *format, ...)
{
	fprintf(stderr, "panic: %s\n", format);
	abort();
}

static int
setup(void **unused)
{
	memory = aligned_alloc(PAGE_SIZE, FRAMES * PAGE_SIZE);
	page_array = calloc(FRAMES, sizeof(struct page));
	direct_map_base = (vaddr_t)memory;
	kernel_page_table.root = frame_alloc(ALLOC_ZERO);
	for (unsigned int i = 256; i < 512; i++)
		((uint64_t *)phys_to_virt(kernel_page_table.root))[i] = frame_alloc(ALLOC_ZERO) | 3;
	return arch_page_table_init(&table);
}

static int
teardown(void **unused)
{
	arch_page_table_destroy(&table);
	assert_int_equal(frames_used, 257);
	memset(used, 0, sizeof(used));
	frames_used = 0;
	free(memory);
	free(page_array);
	return 0;
}

static void
map(vaddr_t va, paddr_t pa, unsigned int prot)
{
	assert_int_equal(arch_page_table_prepare(&table, va, prot & PTE_HUGE), 0);
	assert_int_equal(arch_page_table_map(&table, va, pa, prot), 0);
}

static void
unmap(vaddr_t va, paddr_t expected)
{
	unsigned int prot;
	paddr_t pa;

	assert_true(arch_page_table_unmap(&table, va, &pa, &prot));
	assert_int_equal(pa, expected);
}

static void
test_leaf_reads_back(void **unused)
{
	unsigned int prot;
	paddr_t pa;

	assert_false(arch_page_table_lookup(&table, 0x1000, &pa, &prot));
	map(0x1000, 0x123456789000, PTE_READ | PTE_EXEC | PTE_USER | PTE_DEVICE | 5u << PTE_PKEY_SHIFT);
	assert_true(arch_page_table_lookup(&table, 0x1abc, &pa, &prot));
	assert_int_equal(pa, 0x123456789000);
	assert_int_equal(prot, PTE_READ | PTE_EXEC | PTE_USER | PTE_DEVICE | 5u << PTE_PKEY_SHIFT);
	unmap(0x1000, 0x123456789000);
	map(0x40000000, 0x600000, RW | PTE_HUGE | PTE_DIRTY);
	assert_true(arch_page_table_lookup(&table, 0x401fffff, &pa, &prot));
	assert_int_equal(pa, 0x600000);
	assert_int_equal(prot, RW | PTE_HUGE | PTE_DIRTY);
	unmap(0x40000000, 0x600000);
	assert_int_equal(arch_page_table_frames(&table), 1 + 3 + 1);
}

static void
test_no_access_is_remembered(void **unused)
{
	unsigned int prot;
	paddr_t pa;

	map(0x7000, 0x9000, RW | PTE_DIRTY | PTE_ACCESSED);
	assert_true(arch_page_table_protect(&table, 0x7000, PTE_USER));
	assert_true(arch_page_table_lookup(&table, 0x7000, &pa, &prot));
	assert_int_equal(pa, 0x9000);
	assert_int_equal(prot, PTE_USER | PTE_DIRTY | PTE_ACCESSED);
	assert_int_equal(arch_page_table_next(&table, 0, 0x10000), 0x7000);
	assert_false(arch_page_table_protect(&table, 0x7000, RW)); /* growing needs no flush */
	unmap(0x7000, 0x9000);
	assert_false(arch_page_table_lookup(&table, 0x7000, &pa, &prot));
}

static void
test_protect_tells_when_to_flush(void **unused)
{
	map(0x7000, 0x9000, PTE_READ | PTE_USER | PTE_ACCESSED);
	assert_false(arch_page_table_protect(&table, 0x7000, RW));
	assert_false(arch_page_table_protect(&table, 0x7000, RW | PTE_EXEC));
	assert_true(arch_page_table_protect(&table, 0x7000, RW));
	assert_true(arch_page_table_protect(&table, 0x7000, PTE_READ | PTE_USER));
	assert_true(arch_page_table_protect(&table, 0x7000, PTE_READ | PTE_USER | 1u << PTE_PKEY_SHIFT));
	unmap(0x7000, 0x9000);
}

/* No TLB holds what has no accessed bit. */
static void
test_protect_of_what_was_never_used_needs_no_flush(void **unused)
{
	map(0x7000, 0x9000, RW);
	assert_false(arch_page_table_protect(&table, 0x7000, PTE_READ | PTE_USER));
	assert_false(arch_page_table_protect(&table, 0x7000, PTE_USER));
	unmap(0x7000, 0x9000);
}

static void
test_share_forgets_use_when_asked(void **unused)
{
	struct page_table_leaf leaf;
	unsigned int prot;
	vaddr_t va = 0x7000;
	paddr_t pa;

	map(0x7000, 0x9000, RW | PTE_ACCESSED);
	assert_int_equal(arch_page_table_share(&table, &va, 0x8000, &leaf, 1, true), 1);
	assert_int_equal(leaf.prot, RW | PTE_ACCESSED); /* what it had: it may be in a TLB */
	assert_true(arch_page_table_lookup(&table, 0x7000, &pa, &prot));
	assert_int_equal(prot, PTE_READ | PTE_USER);
	unmap(0x7000, 0x9000);
}

static void
test_harvest_clears_what_was_asked(void **unused)
{
	unsigned int prot;
	paddr_t pa;

	map(0x7000, 0x9000, RW | PTE_DIRTY | PTE_ACCESSED);
	assert_int_equal(arch_page_table_harvest(&table, 0x7000, PTE_ACCESSED), PTE_ACCESSED);
	assert_int_equal(arch_page_table_harvest(&table, 0x7000, PTE_ACCESSED), 0);
	assert_true(arch_page_table_lookup(&table, 0x7000, &pa, &prot));
	assert_int_equal(prot, RW | PTE_DIRTY);
	unmap(0x7000, 0x9000);
}

/* Prune where nothing but the range itself is known to be empty. */
static struct page *
prune(vaddr_t start, vaddr_t end)
{
	return arch_page_table_prune(&table, start, end, start, end);
}

static void
test_split_keeps_frames_and_bits(void **unused)
{
	unsigned int prot;
	paddr_t pa;

	map(0x200000, 0x800000, RW | PTE_HUGE | PTE_DIRTY);
	frames_allowed = frames_used;
	assert_int_equal(arch_page_table_split(&table, 0x200000), -ENOMEM);
	frames_allowed = FRAMES;
	assert_int_equal(arch_page_table_split(&table, 0x2ff000), 0);
	for (vaddr_t va = 0x200000; va < 0x400000; va += PAGE_SIZE) {
		assert_true(arch_page_table_lookup(&table, va, &pa, &prot));
		assert_int_equal(pa, va + 0x600000);
		assert_int_equal(prot, RW | PTE_DIRTY);
	}
	for (vaddr_t va = 0x200000; va < 0x400000; va += PAGE_SIZE)
		unmap(va, va + 0x600000);
	assert_int_equal(arch_page_table_prepare(&table, 0x200000, true), -EBUSY);
	arch_page_table_release(prune(0x200000, 0x400000));
	assert_int_equal(arch_page_table_prepare(&table, 0x200000, true), 0);
}

static void
test_prune_takes_empty_tables_only(void **unused)
{
	unsigned int before;
	struct page *chain;

	map(0x10000000000, 0x1000, RW);
	map(0x10000200000, 0x2000, RW);
	before = frames_used;
	assert_null(prune(0, 1ul << 47));
	unmap(0x10000200000, 0x2000);
	assert_null(prune(0x10000200000, 0x10000300000)); /* half of it */
	chain = prune(0x10000200000, 0x10000400000);
	assert_non_null(chain);
	assert_int_equal(frames_used, before); /* detached, not freed */
	arch_page_table_release(chain);
	assert_int_equal(frames_used, before - 1);
	unmap(0x10000000000, 0x1000);
	arch_page_table_release(prune(0, 1ul << 47));
	assert_int_equal(arch_page_table_frames(&table), 1);
}

static void
test_prepare_fails_cleanly(void **unused)
{
	for (unsigned int room = 0; room < 3; room++) {
		frames_allowed = frames_used + room;
		assert_int_equal(arch_page_table_prepare(&table, 0x20000000000, false), -ENOMEM);
		frames_allowed = FRAMES;
		arch_page_table_release(prune(0, 1ul << 47));
		assert_int_equal(arch_page_table_frames(&table), 1);
	}
}

static void
test_next_finds_every_leaf_in_order(void **unused)
{
	static const vaddr_t where[] = { 0x1000, 0x5000, 0x1ff000, 0x200000, 0x600000, 0x3ffff000,
		0x40000000, 0x7fffffe000, 0x8000000000, 0x7ffffffff000 };
	vaddr_t va = 0;

	for (size_t i = 0; i < ARRAY_SIZE(where); i++)
		map(where[i], 0x1000, where[i] == 0x600000 ? RW | PTE_HUGE : RW);
	for (size_t i = 0; i < ARRAY_SIZE(where); i++) {
		va = arch_page_table_next(&table, va, 1ul << 47);
		assert_int_equal(va, where[i]);
		va += where[i] == 0x600000 ? HUGE_PAGE_SIZE : PAGE_SIZE;
	}
	assert_int_equal(arch_page_table_next(&table, va, 1ul << 47), 1ul << 47);
	assert_int_equal(arch_page_table_next(&table, 0x601000, 0x800000), 0x601000);
	assert_int_equal(arch_page_table_next(&table, 0x6000, 0x1ff000), 0x1ff000);
	for (size_t i = 0; i < ARRAY_SIZE(where); i++)
		unmap(where[i], 0x1000);
}

/* Neighbours are mapped where nothing is, told by a bit each, and counted, so that their table goes with the last. */
static void
test_fill(void **unused)
{
	struct page *pages[5] = { page_array + 3, NULL, page_array + 5, page_array + 6, page_array + 7 };
	unsigned int prot;
	vaddr_t va = 0x7000;
	paddr_t pa;

	assert_int_equal(arch_page_table_fill(&table, va, pages, 5, RW), 0); /* no table */
	map(va + 3 * PAGE_SIZE, 0x9000, RW);
	assert_int_equal(arch_page_table_fill(&table, va, pages, 5, RW), 0b10101);
	assert_true(arch_page_table_lookup(&table, va + 2 * PAGE_SIZE, &pa, &prot));
	assert_int_equal(pa, 5 * PAGE_SIZE);
	assert_int_equal(prot, RW);
	assert_false(arch_page_table_lookup(&table, va + PAGE_SIZE, &pa, &prot));
	unmap(va, 3 * PAGE_SIZE);
	unmap(va + 2 * PAGE_SIZE, 5 * PAGE_SIZE);
	unmap(va + 3 * PAGE_SIZE, 0x9000);
	assert_null(arch_page_table_prune(&table, va, va + PAGE_SIZE, 0, BIT(47)));
	unmap(va + 4 * PAGE_SIZE, 7 * PAGE_SIZE);
	arch_page_table_release(arch_page_table_prune(&table, va, va + PAGE_SIZE, 0, BIT(47)));
	assert_int_equal(arch_page_table_frames(&table), 1);
}

/* What a protection says comes back, whatever its bits, with and without access. */
static void
test_protections_read_back(void **unused)
{
	static const unsigned int access[] = { 0, PTE_READ, PTE_READ | PTE_WRITE, PTE_READ | PTE_EXEC,
					       PTE_READ | PTE_WRITE | PTE_EXEC };
	static const unsigned int other[] = { 0, PTE_USER, PTE_GLOBAL, PTE_UNCACHED, PTE_WCOMBINE, PTE_DIRTY,
					      PTE_ACCESSED, PTE_DEVICE, 15u << PTE_PKEY_SHIFT };

	for (unsigned int i = 0; i < sizeof(access) / sizeof(access[0]); i++)
		for (unsigned int k = 0; k < sizeof(other) / sizeof(other[0]); k++) {
			unsigned int prot;
			paddr_t pa;

			map(0x5000, 0x6000, access[i] | other[k]);
			assert_true(arch_page_table_lookup(&table, 0x5000, &pa, &prot));
			assert_int_equal(pa, 0x6000);
			assert_int_equal(prot, access[i] | other[k]);
			unmap(0x5000, 0x6000);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_leaf_reads_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_access_is_remembered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_protect_tells_when_to_flush, setup, teardown),
		cmocka_unit_test_setup_teardown(test_protect_of_what_was_never_used_needs_no_flush, setup, teardown),
		cmocka_unit_test_setup_teardown(test_share_forgets_use_when_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_harvest_clears_what_was_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_split_keeps_frames_and_bits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prune_takes_empty_tables_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prepare_fails_cleanly, setup, teardown),
		cmocka_unit_test_setup_teardown(test_next_finds_every_leaf_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fill, setup, teardown),
		cmocka_unit_test_setup_teardown(test_protections_read_back, setup, teardown),
	};

	return cmocka_run_group_tests_name("page_table", tests, NULL, NULL);
}
