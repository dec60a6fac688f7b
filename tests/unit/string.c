/* SPDX-License-Identifier: MIT */
/* unit: */
/*
 * string.c - the kernel's memory and string functions under other names, beside the C library's.
 */
#define memcpy  k_memcpy
#define memmove k_memmove
#define memset  k_memset
#define memcmp  k_memcmp
#define memchr  k_memchr
#define strlen  k_strlen
#define strnlen k_strnlen
#define strcmp  k_strcmp
#define strncmp k_strncmp
#define strchr  k_strchr
#define strrchr k_strrchr
#define strstr  k_strstr
#include "../../kernel/lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr

#include "unit.h"

static void
copies_of_every_length_and_overlap(void **state)
{
	unsigned char a[96], b[96];

	(void)state;
	for (size_t n = 0; n < 40; n++) {
		for (size_t from = 0; from < 48; from += 5) {
			for (size_t to = 0; to < 48; to += 3) {
				for (size_t i = 0; i < sizeof(a); i++)
					a[i] = b[i] = (unsigned char)i;
				assert_ptr_equal(k_memmove(a + to, a + from, n), a + to);
				for (size_t i = 0; i < sizeof(a); i++) {
					size_t want = i >= to && i < to + n ? i - to + from : i;

					assert_int_equal(a[i], want);
				}
				k_memset(b + to, 0xa5, n);
				for (size_t i = 0; i < sizeof(b); i++)
					assert_int_equal(b[i], i >= to && i < to + n ? 0xa5 : i);
			}
		}
	}
}

static void
comparisons_and_searches(void **state)
{
	(void)state;
	assert_true(k_strcmp("abc", "abd") < 0);
	assert_true(k_strcmp("ab\xff", "ab") > 0);
	assert_int_equal(k_strcmp("", ""), 0);
	assert_int_equal(k_strncmp("abcx", "abcy", 3), 0);
	assert_true(k_memcmp("\x01\x80", "\x01\x7f", 2) > 0);
	assert_string_equal(k_strchr("hello", 'l'), "llo");
	assert_string_equal(k_strrchr("hello", 'l'), "lo");
	assert_null(k_strchr("hello", 'z'));
	assert_non_null(k_strchr("hello", 0));
	assert_string_equal(k_strstr("a needle here", "need"), "needle here");
	assert_null(k_strstr("abc", "abcd"));
	assert_string_equal(k_strstr("abc", ""), "abc");
	assert_int_equal(k_strnlen("abcdef", 3), 3);
	assert_null(k_memchr("abc", 'c', 2));
}

static void
string_copy_truncates_and_terminates(void **state)
{
	char out[4];

	(void)state;
	assert_int_equal(string_copy(out, "abcdef", sizeof(out)), 6);
	assert_string_equal(out, "abc");
	assert_int_equal(string_copy(out, "ab", sizeof(out)), 2);
	assert_string_equal(out, "ab");
}

static void
numbers_parse_with_their_limits(void **state)
{
	const char *end;
	uint64_t v;

	(void)state;
	assert_int_equal(parse_u64("0x1fG", &end, 0, &v), 0);
	assert_int_equal(v, 0x1f);
	assert_string_equal(end, "G");
	assert_int_equal(parse_u64("0755", NULL, 0, &v), 0);
	assert_int_equal(v, 0755);
	assert_int_equal(parse_u64("18446744073709551615", NULL, 10, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(parse_u64("18446744073709551616", NULL, 10, &v), -ERANGE);
	assert_int_equal(parse_u64("x", NULL, 0, &v), -EINVAL);
	assert_int_equal(parse_u64("", NULL, 0, &v), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_of_every_length_and_overlap),
		cmocka_unit_test(comparisons_and_searches),
		cmocka_unit_test(string_copy_truncates_and_terminates),
		cmocka_unit_test(numbers_parse_with_their_limits),
	};

	return cmocka_run_group_tests_name("string", tests, NULL, NULL);
}
