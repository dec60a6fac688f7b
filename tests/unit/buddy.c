/* SPDX-License-Identifier: MIT */
/*
 * buddy.c - the buddy allocators of frames and of kernel virtual addresses: splitting, merging, no
 * block handed out twice, everything back in one piece at the end.
 */
/* unit: kernel/mm/buddy.c kernel/mm/region_space.c kernel/lib/rbtree.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../kernel/mm/buddy.h"
#include "../../kernel/mm/region_space.h"
#include <tessera/panic.h>

#define FRAMES 4096u

struct page *page_array;
vaddr_t direct_map_base;

void
panic(const char *format, ...)
{
	fail_msg("panic: %s", format);
	abort();
}

static uint32_t seed = 12345;

static uint32_t
next_random(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

static int
make_frames(void **unused)
{
	page_array = calloc(FRAMES, sizeof(struct page));
	return page_array ? 0 : -1;
}

static int
free_frames(void **unused)
{
	free(page_array);
	return 0;
}

static void
test_blocks_merge_back(void **unused)
{
	struct buddy b;
	struct page *p[FRAMES];

	memset(page_array, 0, FRAMES * sizeof(struct page));
	buddy_init(&b);
	for (uint32_t i = 0; i < FRAMES; i++)
		buddy_put(&b, &page_array[i], 0);
	assert_int_equal(b.blocks[MAX_ORDER], FRAMES >> MAX_ORDER);
	for (uint32_t i = 0; i < FRAMES; i++) {
		p[i] = buddy_take(&b, 0);
		assert_non_null(p[i]);
		assert_int_equal(p[i]->mapcount, 0);
		p[i]->mapcount = 1;
	}
	assert_null(buddy_take(&b, 0));
	assert_int_equal(b.frames, 0);
	for (uint32_t i = 0; i < FRAMES; i++)
		buddy_put(&b, p[i], 0);
	assert_int_equal(b.blocks[MAX_ORDER], FRAMES >> MAX_ORDER);
	assert_true(buddy_check(&b));
}

static void
test_reserved_frames_never_merge(void **unused)
{
	struct buddy b;

	memset(page_array, 0, FRAMES * sizeof(struct page));
	buddy_init(&b);
	page_array[5].flags = PAGE_RESERVED;
	for (uint32_t i = 0; i < 8; i++)
		if (i != 5)
			buddy_put(&b, &page_array[i], 0);
	assert_int_equal(b.blocks[0], 1);
	assert_int_equal(b.blocks[1], 1);
	assert_int_equal(b.blocks[2], 1);
	assert_null(buddy_take(&b, 3));
	assert_true(buddy_check(&b));
}

/* A CPU's stack of free frames: marked without the zone's lock, so never in a way that looks mergeable. */
static void
test_frames_on_a_stack_never_merge(void **unused)
{
	struct buddy b;

	memset(page_array, 0, FRAMES * sizeof(struct page));
	buddy_init(&b);
	page_array[1].flags = PAGE_STACKED;
	buddy_put(&b, &page_array[0], 0);
	assert_int_equal(b.blocks[0], 1);
	assert_int_equal(page_array[1].flags, PAGE_STACKED);
	buddy_put(&b, &page_array[1], 0);
	assert_int_equal(b.blocks[0], 0);
	assert_int_equal(b.blocks[1], 1);
	assert_true(buddy_check(&b));
}

static void
test_random_orders(void **unused)
{
	struct {
		struct page *p;
		unsigned int order;
	} held[512];
	uint8_t used[FRAMES] = { 0 };
	uint32_t n = 0;
	struct buddy b;

	memset(page_array, 0, FRAMES * sizeof(struct page));
	buddy_init(&b);
	for (uint32_t i = 0; i < FRAMES; i += 1u << MAX_ORDER)
		buddy_put(&b, &page_array[i], MAX_ORDER);
	for (uint32_t round = 0; round < 20000; round++) {
		if (n < 512 && next_random() % 2) {
			unsigned int order = next_random() % (MAX_ORDER + 1);
			struct page *p = buddy_take(&b, order);

			if (!p)
				continue;
			assert_int_equal((p - page_array) & ((1u << order) - 1), 0);
			for (uint32_t i = 0; i < 1u << order; i++) {
				assert_int_equal(used[p - page_array + i], 0);
				used[p - page_array + i] = 1;
			}
			held[n].p = p;
			held[n++].order = order;
		} else if (n > 0) {
			uint32_t i = next_random() % n;

			memset(&used[held[i].p - page_array], 0, 1u << held[i].order);
			buddy_put(&b, held[i].p, held[i].order);
			held[i] = held[--n];
		}
		if (round % 1000 == 0)
			assert_true(buddy_check(&b));
	}
	while (n > 0) {
		n--;
		buddy_put(&b, held[n].p, held[n].order);
	}
	assert_int_equal(b.frames, FRAMES);
	assert_int_equal(b.blocks[MAX_ORDER], FRAMES >> MAX_ORDER);
}

static void
test_regions_split_and_merge(void **unused)
{
	struct region nodes[4096];
	struct region *held[256];
	struct region_space s;
	uint32_t n = 0;
	vaddr_t base = 0xffff900000000000ul;

	region_space_init(&s, base, 20, &nodes[0]);
	assert_null(region_space_alloc(&s, 3)); /* no spare nodes */
	for (uint32_t i = 1; i < 4096; i++)
		region_space_give_spare(&s, &nodes[i]);
	for (uint32_t round = 0; round < 20000; round++) {
		if (n < 256 && next_random() % 2) {
			struct region *r = region_space_alloc(&s, next_random() % 14);

			if (!r)
				continue;
			assert_int_equal(r->start & ((PAGE_SIZE << r->order) - 1), 0);
			for (uint32_t i = 0; i < n; i++)
				assert_true(held[i]->start + (PAGE_SIZE << held[i]->order) <=
						    r->start ||
					    r->start + (PAGE_SIZE << r->order) <= held[i]->start);
			assert_ptr_equal(
				region_space_find(&s, r->start + (PAGE_SIZE << r->order) - 1), r);
			held[n++] = r;
		} else if (n > 0) {
			uint32_t i = next_random() % n;
			vaddr_t start = held[i]->start;

			region_space_free(&s, held[i]);
			assert_null(region_space_find(&s, start));
			held[i] = held[--n];
		}
	}
	while (n > 0)
		region_space_free(&s, held[--n]);
	assert_int_equal(s.used_pages, 0);
	assert_false(list_is_empty(&s.free[20]));
	assert_int_equal(s.spare_count, 4095);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_merge_back),
		cmocka_unit_test(test_reserved_frames_never_merge),
		cmocka_unit_test(test_frames_on_a_stack_never_merge),
		cmocka_unit_test(test_random_orders),
		cmocka_unit_test(test_regions_split_and_merge),
	};

	return cmocka_run_group_tests(tests, make_frames, free_frames);
}
