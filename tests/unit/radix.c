/* SPDX-License-Identifier: MIT */
/* unit: kernel/lib/radix.c */
/*
 * radix.c - the sparse array against a plain table, at every distance between indexes.
 */
#include <stdlib.h>

#include <tessera/radix.h>

#include "unit.h"

#define SPAN 3000

static char marks[SPAN];

static void
agrees_with_a_table(void **state)
{
	/* strides that keep to one node, cross nodes, and reach the last index */
	static const uint64_t strides[] = { 1, 63, 64, 4097, 1ull << 40, UINT64_MAX / SPAN };

	(void)state;
	srandom(11);
	for (size_t s = 0; s < ARRAY_SIZE(strides); s++) {
		static bool in[SPAN], marked[RADIX_MARKS][SPAN];
		struct radix_tree t;
		uint64_t count = 0;

		radix_init(&t);
		for (int i = 0; i < SPAN; i++)
			in[i] = marked[0][i] = marked[1][i] = false;
		for (int step = 0; step < 8000; step++) {
			int k = (int)(random() % SPAN);
			uint64_t index = (uint64_t)k * strides[s];
			void *old = NULL;

			assert_ptr_equal(radix_get(&t, index), in[k] ? &marks[k] : NULL);
			if (random() & 1) {
				assert_int_equal(radix_set(&t, index, &marks[k], &old), 0);
				assert_ptr_equal(old, in[k] ? &marks[k] : NULL);
				count += !in[k];
				in[k] = true;
			} else {
				assert_ptr_equal(radix_remove(&t, index), in[k] ? &marks[k] : NULL);
				count -= in[k];
				in[k] = marked[0][k] = marked[1][k] = false;
			}
			if (in[k]) {
				unsigned int m = random() % RADIX_MARKS;

				marked[m][k] = random() & 1;
				(marked[m][k] ? radix_mark : radix_unmark)(&t, index, m);
			}
			assert_int_equal(t.count, count);
		}
		uint64_t at = 0;

		for (int k = 0; k < SPAN; k++) {
			if (!in[k])
				continue;
			assert_ptr_equal(radix_next(&t, &at), &marks[k]);
			assert_int_equal(at, (uint64_t)k * strides[s]);
			at++;
		}
		assert_null(radix_next(&t, &at));
		for (unsigned int m = 0; m < RADIX_MARKS; m++) {
			at = 0;
			for (int k = 0; k < SPAN; k++) {
				if (!marked[m][k])
					continue;
				assert_ptr_equal(radix_next_marked(&t, &at, m), &marks[k]);
				assert_int_equal(at, (uint64_t)k * strides[s]);
				at++;
			}
			assert_null(radix_next_marked(&t, &at, m));
		}
		for (int k = 0; k < SPAN; k++)
			radix_remove(&t, (uint64_t)k * strides[s]);
		assert_int_equal(unit_allocations, 0);
		assert_null(t.root);
		radix_destroy(&t);
	}
}

/* A tree that begins at a high index has the nodes on the way to it, and no others. */
static void
an_empty_tree_grows_no_chain(void **state)
{
	struct radix_tree t;

	(void)state;
	radix_init(&t);
	assert_int_equal(radix_set(&t, 64ul * 64 * 64, marks, NULL), 0);
	assert_int_equal(unit_allocations, 4);
	assert_ptr_equal(radix_remove(&t, 64ul * 64 * 64), marks);
	assert_int_equal(unit_allocations, 0);
}

static void
last_index_works(void **state)
{
	struct radix_tree t;
	uint64_t at = UINT64_MAX - 1;

	(void)state;
	radix_init(&t);
	assert_int_equal(radix_set(&t, UINT64_MAX, marks, NULL), 0);
	assert_ptr_equal(radix_get(&t, UINT64_MAX), marks);
	assert_null(radix_get(&t, 0));
	assert_ptr_equal(radix_next(&t, &at), marks);
	assert_true(at == UINT64_MAX);
	radix_destroy(&t);
	assert_int_equal(unit_allocations, 0);
}

/* Fail the Nth allocation for every N: the tree stays as it was, nothing leaks. */
static void
failed_allocations_change_nothing(void **state)
{
	(void)state;
	for (int nth = 1; nth < 30; nth++) {
		struct radix_tree t;
		int error;

		radix_init(&t);
		assert_int_equal(radix_set(&t, 5, &marks[5], NULL), 0);
		unit_fail_allocation = nth;
		error = radix_set(&t, 1ull << 50, &marks[6], NULL);
		unit_fail_allocation = 0;
		assert_ptr_equal(radix_get(&t, 5), &marks[5]);
		assert_ptr_equal(radix_get(&t, 1ull << 50), error ? NULL : &marks[6]);
		radix_remove(&t, 1ull << 50);
		radix_remove(&t, 5);
		assert_int_equal(unit_allocations, 0);
	}
}

static void
find_free_skips_what_is_taken(void **state)
{
	struct radix_tree t;
	uint64_t at;

	(void)state;
	radix_init(&t);
	for (uint64_t i = 0; i < 10; i++)
		radix_set(&t, i, marks, NULL);
	assert_true(radix_find_free(&t, 0, 20, &at));
	assert_int_equal(at, 10);
	assert_false(radix_find_free(&t, 3, 9, &at));
	radix_destroy(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_a_table),
		cmocka_unit_test(an_empty_tree_grows_no_chain),
		cmocka_unit_test(last_index_works),
		cmocka_unit_test(failed_allocations_change_nothing),
		cmocka_unit_test(find_free_skips_what_is_taken),
	};

	return cmocka_run_group_tests_name("radix", tests, NULL, NULL);
}
