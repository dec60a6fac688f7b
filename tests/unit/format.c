/* SPDX-License-Identifier: MIT */
/* unit: */
/*
 * format.c - the kernel's formatting against the C library's.
 */
#define snprintf  kernel_snprintf
#define vsnprintf kernel_vsnprintf
#include "../../kernel/lib/format.c"
#undef snprintf
#undef vsnprintf

#include <stdio.h>
#include <string.h>

#include "unit.h"

#define SAME(...)                                                                                  \
	do {                                                                                       \
		char ours[128], theirs[128];                                                       \
		int n = kernel_snprintf(ours, sizeof(ours), __VA_ARGS__);                          \
		int m = snprintf(theirs, sizeof(theirs), __VA_ARGS__);                             \
		assert_string_equal(ours, theirs);                                                 \
		assert_int_equal(n, m);                                                            \
	} while (0)

#pragma GCC diagnostic ignored "-Wformat"

static void
integers_as_the_c_library(void **state)
{
	static const long values[] = { 0, 1, -1, 7, 42, -123456, 0x7fffffff, -0x80000000l,
				       0x7fffffffffffffff, (long)0x8000000000000000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		long v = values[i];

		SAME("%ld|%5ld|%-5ld|%05ld|%+ld|% ld|%.8ld|%12.5ld|%-12.5ld|", v, v, v, v, v, v, v, v, v);
		SAME("%lx|%#lx|%#20lX|%-#20lx|%020lx|%lo|%#lo|%lu", v, v, v, v, v, v, v, v);
		SAME("%d %u %x %hd %hu %hhd %hhx %zu %jd", (int)v, (int)v, (int)v, (int)v, (int)v, (int)v,
		     (int)v, (size_t)v, (intmax_t)v);
		SAME("%*d|%-*d|%.*d", 9, (int)v, 9, (int)v, 4, (int)v);
	}
	SAME("%.0d|%5.0d|%#x", 0, 0, 0);
}

static void
text_as_the_c_library(void **state)
{
	(void)state;
	SAME("%s|%10s|%-10s|%.2s|%10.3s|", "hello", "hello", "hello", "hello", "hello");
	SAME("%c|%3c|%-3c|%%", 'a', 'b', 'c');
	SAME("%p", (void *)0x1234);
}

static void
truncation_counts_and_terminates(void **state)
{
	char buf[6] = "xxxxx";

	(void)state;
	assert_int_equal(kernel_snprintf(buf, 4, "%s", "hello"), 5);
	assert_string_equal(buf, "hel");
	assert_int_equal(scnprintf(buf, 4, "%s", "hello"), 3);
	assert_int_equal(kernel_snprintf(buf, 0, "%d", 1234), 4);
	assert_string_equal(buf, "hel");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_as_the_c_library),
		cmocka_unit_test(text_as_the_c_library),
		cmocka_unit_test(truncation_counts_and_terminates),
	};

	return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
