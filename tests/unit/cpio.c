/* SPDX-License-Identifier: MIT */
/*
 * cpio.c - archives are read right, and damaged ones are read without harm.
 */
/* unit: kernel/lib/cpio.c */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tessera/cpio.h>
#include <tessera/errno.h>

#include "unit.h"

/* An archive under construction; its memory ends where the bytes end, so reading past them is seen. */
struct archive {
	uint8_t *bytes;
	size_t size;
};

static void
add(struct archive *a, const void *data, size_t n)
{
	a->bytes = realloc(a->bytes, a->size + n);
	memcpy(a->bytes + a->size, data, n);
	a->size += n;
}

static void
pad(struct archive *a)
{
	while (a->size % 4)
		add(a, "", 1);
}

static void
add_entry(struct archive *a, const char *name, size_t name_size, unsigned int mode, const char *data)
{
	char header[111], padded[256] = { 0 };

	snprintf(header, sizeof(header), "070701%08X%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 7u, mode, 1u, 2u,
		 3u, 4u, (unsigned int)strlen(data), 0u, 5u, 6u, 8u, (unsigned int)name_size, 0u);
	add(a, header, 110);
	memcpy(padded, name, strlen(name));
	add(a, padded, name_size);
	pad(a);
	add(a, data, strlen(data));
	pad(a);
}

static struct archive
sample(void)
{
	struct archive a = { 0 };

	add_entry(&a, "dir", 4, 040755, "");
	add_entry(&a, "dir/file", 30, 0100644, "hello");
	add_entry(&a, "TRAILER!!!", 11, 0, "");
	for (int i = 0; i < 100; i++)
		add(&a, "", 1);
	pad(&a);
	add_entry(&a, "second", 7, 0120777, "target");
	return a;
}

static void
reads_entries(void **state)
{
	struct archive a = sample();
	struct cpio_entry e;
	size_t offset = 0;

	assert_int_equal(cpio_next(a.bytes, a.size, &offset, &e), 1);
	assert_string_equal(e.name, "dir");
	assert_int_equal(e.mode, 040755);
	assert_int_equal(e.inode, 7);
	assert_int_equal(e.uid, 1);
	assert_int_equal(e.gid, 2);
	assert_int_equal(e.links, 3);
	assert_int_equal(e.time, 4);
	assert_int_equal(cpio_next(a.bytes, a.size, &offset, &e), 1);
	assert_string_equal(e.name, "dir/file");
	assert_int_equal(e.length, 8); /* padded with NULs */
	assert_int_equal(e.size, 5);
	assert_memory_equal(e.data, "hello", 5);
	assert_ptr_equal(e.data, a.bytes + e.data_offset);
	assert_false(e.trailer);
	assert_int_equal(cpio_next(a.bytes, a.size, &offset, &e), 1);
	assert_true(e.trailer);
	assert_int_equal(cpio_next(a.bytes, a.size, &offset, &e), 1);
	assert_string_equal(e.name, "second");
	assert_int_equal(cpio_next(a.bytes, a.size, &offset, &e), 0);
	assert_int_equal(cpio_next(a.bytes, a.size, &offset, &e), 0);
	free(a.bytes);
}

static void
read_all(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct cpio_entry e;
	size_t offset = 0;

	memcpy(copy, bytes, size);
	while (cpio_next(copy, size, &offset, &e) > 0) {
		volatile uint8_t sum = (uint8_t)strlen(e.name);

		for (size_t i = 0; i < e.size; i++)
			sum = (uint8_t)(sum + e.data[i]);
	}
	assert_true(offset <= size);
	free(copy);
}

static void
cut_anywhere(void **state)
{
	struct archive a = sample();

	for (size_t n = 0; n <= a.size; n++)
		read_all(a.bytes, n);
	free(a.bytes);
}

static void
every_byte_damaged(void **state)
{
	static const uint8_t values[] = { 0, 0xff, 'f', 'F', '0', 'x' };
	struct archive a = sample();

	for (size_t i = 0; i < a.size; i++)
		for (size_t v = 0; v < sizeof(values); v++) {
			uint8_t old = a.bytes[i];

			a.bytes[i] = values[v];
			read_all(a.bytes, a.size);
			a.bytes[i] = old;
		}
	free(a.bytes);
}

static void
nonsense_is_refused(void **state)
{
	struct cpio_entry e;
	size_t offset = 0;

	assert_int_equal(cpio_next((const uint8_t *)"", 0, &offset, &e), 0);
	assert_int_equal(cpio_next((const uint8_t *)"hello, this is no archive at all, however long it may "
						    "be: there is no magic number in front of it ...........",
				   100, &offset, &e),
			 -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_entries),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(every_byte_damaged),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
