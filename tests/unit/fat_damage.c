/* SPDX-License-Identifier: MIT */
/*
 * fat_damage.c - the FAT library on a disk in memory: what is damaged is refused, and a driver that dies between any two
 * writes leaves a volume that is whole.
 */
/* unit: drivers/fs/fat/volume.c drivers/fs/fat/table.c drivers/fs/fat/check.c drivers/fs/fat/text.c drivers/fs/fat/alias.c */
/* unit: drivers/fs/fat/directory.c drivers/fs/fat/node.c drivers/fs/fat/file.c drivers/fs/fat/names.c drivers/fs/fat/time.c */
/* unit: drivers/fs/fat/label.c */
#include <stdio.h>

#include "fat_volume.h"

/* --- damage ------------------------------------------------------------------------------------------------- */

/* Three files, whose first clusters are told. Then the table is bent and the volume opened again. */
static struct fat *
bend(struct image *i, unsigned int bits, uint32_t from, uint32_t to, uint32_t *a, uint32_t *b)
{
	struct fat *fs = fresh(i, bits);
	struct fat_node *n;
	uint8_t *entry;

	make(fs, "a", 3000);
	make(fs, "b", 3000);
	make(fs, "whole", 3000);
	n = get(fs, "a");
	*a = n->first;
	fat_node_put(n, 1);
	n = get(fs, "b");
	*b = n->first;
	fat_node_put(n, 1);
	entry = i->bytes + fs->table_start + (bits == 32 ? 4 : 2) * (*a + from);
	assert_int_equal(fat_close(fs), 0);
	if (bits == 32)
		fat_put32(entry, *a + to);
	else
		fat_put16(entry, *a + to);
	assert_int_equal(fat_open(&i->disk, &fs), 0);
	return fs;
}

static void
circles_and_crossings(void **state)
{
	static const struct { uint32_t from, to; const char *what; } cases[] = {
		{ 0, 0, "itself" }, { 5, 0, "its beginning" }, { 5, 3, "its midst" }, { 3, 3, "itself in the midst" },
		{ 2, 6, "another's beginning" }, { 2, 8, "another's midst" }, { 2, 4000000, "nowhere" }, { 2, 40, "a free one" },
	};

	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		for (unsigned int bits = 16; bits <= 32; bits += 16) {
			struct image i;
			uint32_t a, b;
			struct fat *fs = bend(&i, bits, cases[k].from, bits == 16 ? cases[k].to & 0x3fff : cases[k].to, &a, &b);
			struct fat_node *n = get(fs, "a");
			char bytes[3000];

			assert_true(fs->damaged);
			assert_non_null(n);
			assert_int_equal(fat_read(n, 0, bytes, sizeof(bytes)), -EIO);
			assert_int_equal(fat_write(n, 0, "x", 1), -EROFS);
			fat_node_put(n, 1);
			check_file(fs, "whole", 3000);
			assert_int_equal(fat_unlink(fs->root, "whole"), -EROFS);
			i.writes = 0;
			assert_int_equal(fat_close(fs), 0);
			assert_int_equal(i.writes, 0);
			free(i.bytes);
		}
	}
}

static void
two_slots_of_one_file(void **state)
{
	struct image i;
	struct fat *fs = fresh(&i, 16);
	struct fat_node *n;
	uint64_t at;
	char byte;

	make(fs, "A", 1000);
	make(fs, "B", 1000);
	make(fs, "C", 1000);
	at = fs->root_start;
	assert_int_equal(fat_close(fs), 0);
	memcpy(i.bytes + at + 32 + 26, i.bytes + at + 26, 2);
	assert_int_equal(fat_open(&i.disk, &fs), 0);
	assert_true(fs->damaged);
	for (const char *name = "A\0B\0"; *name; name += 2) {
		n = get(fs, name);
		assert_int_equal(fat_read(n, 0, &byte, 1), -EIO);
		fat_node_put(n, 1);
	}
	check_file(fs, "C", 1000);
	assert_int_equal(fat_close(fs), 0);
	free(i.bytes);
}

static void
directories_in_a_circle(void **state)
{
	struct image i;
	struct fat *fs = fresh(&i, 32);
	struct fat_node *a, *b, *n;
	uint64_t at;

	assert_int_equal(fat_create(fs->root, "A", true, &a), 0);
	assert_int_equal(fat_create(a, "B", true, &b), 0);
	at = fat_dir_offset(a, b->slot);
	fat_put16(i.bytes + at + 26, a->first);
	fat_node_put(b, 1);
	fat_node_put(a, 1);
	assert_int_equal(fat_close(fs), 0);
	assert_int_equal(fat_open(&i.disk, &fs), 0);
	assert_true(fs->damaged);
	assert_int_equal(fat_lookup(fs->root, "A", &a), 0);
	assert_int_equal(fat_lookup(a, "B", &n), -EIO);
	fat_node_put(a, 1);
	assert_int_equal(fat_close(fs), 0);
	free(i.bytes);
}

/* --- death -------------------------------------------------------------------------------------------------- */

static void
many_things(struct fat *fs)
{
	struct fat_node *d, *n;
	char bytes[2000] = "bytes";

	if (fat_create(fs->root, "a directory of some name", true, &d) != 0)
		return;
	for (int k = 0; k < 12; k++) {
		char name[40];

		snprintf(name, sizeof(name), "file number %d of a few", k);
		if (fat_create(d, name, false, &n) == 0) {
			(void)fat_write(n, 0, bytes, sizeof(bytes));
			(void)fat_write(n, 5000, bytes, 700);
			(void)fat_resize(n, 1234);
			fat_node_put(n, 1);
		}
		if (k % 3 == 0)
			(void)fat_unlink(d, name);
	}
	for (int k = 0; k < 24; k++) { /* a slot each: the directory is full to its last one */
		char name[8];

		snprintf(name, sizeof(name), "F%d", k);
		if (fat_create(d, name, false, &n) == 0)
			fat_node_put(n, 1);
	}
	if (fat_create(d, "inner", true, &n) == 0)
		fat_node_put(n, 1);
	(void)fat_rename(d, "file number 1 of a few", fs->root, "by another name in another directory", 0);
	(void)fat_rename(d, "file number 2 of a few", d, "file number 4 of a few", 0);
	(void)fat_rename(d, "file number 5 of a few", d, "file number 7 of a few", FAT_RENAME_EXCHANGE);
	(void)fat_rename(d, "inner", fs->root, "outer", 0);
	(void)fat_rename(fs->root, "outer", d, "inner", 0);
	(void)fat_rmdir(d, "inner");
	fat_node_put(d, 1);
}

/* After each number of writes the driver is gone: what is there is whole, but for clusters that belong to nobody. */
static void
dies_after_any_write(void **state)
{
	for (size_t w = 0; w < 3; w++) {
		struct image i;
		struct fat *fs = fresh(&i, widths[w]);
		long all;

		many_things(fs);
		all = i.writes;
		finish(fs, &i);
		for (long left = 0; left < all; left++) {
			fs = fresh(&i, widths[w]);
			i.writes_left = left;
			many_things(fs);
			(void)fat_close(fs);
			i.writes_left = -1;
			assert_int_equal(fat_open(&i.disk, &fs), 0);
			assert_false(fs->damaged);
			assert_true(left == 0 || fs->was_dirty);
			many_things(fs);
			finish(fs, &i);
		}
	}
}

static size_t
size_of(struct fat *fs, const char *name)
{
	struct fat_node *n = get(fs, name);
	size_t size = n ? n->size : 0;

	if (n)
		fat_node_put(n, 1);
	return size;
}

/* A file over another, as editors save: the new name is always one's or the other's, and what is renamed is never lost. */
static void
dies_while_renaming(void **state)
{
	for (size_t w = 0; w < 3; w++) {
		long left = 0;
		bool done = false;

		for (; !done; left++) {
			struct image i;
			struct fat *fs = fresh(&i, widths[w]);
			bool renamed;

			make(fs, "saved", 3000);
			make(fs, "a new one, to be saved", 2000);
			i.writes_left = left;
			done = fat_rename(fs->root, "a new one, to be saved", fs->root, "saved", 0) == 0;
			(void)fat_close(fs);
			i.writes_left = -1;
			assert_int_equal(fat_open(&i.disk, &fs), 0);
			assert_false(fs->damaged);
			renamed = size_of(fs, "saved") == 2000;
			check_file(fs, "saved", renamed ? 2000 : 3000);
			if (!renamed)
				check_file(fs, "a new one, to be saved", 2000);
			assert_true(renamed || !done);
			assert_true(has(fs, "a new one, to be saved") == !renamed);
			/* Nothing that is marked is left behind. */
			assert_int_equal(fat_rename(fs->root, "saved", fs->root, "B", 0), 0);
			finish(fs, &i);
		}
		assert_true(left > 3);
	}
}

/* --- nonsense ----------------------------------------------------------------------------------------------- */

static void
walk(struct fat_node *dir, int depth)
{
	struct fat_entry e;
	struct fat_node *n;
	char bytes[600];
	uint32_t slot = 0;

	while (fat_list(dir, &slot, &e) > 0) {
		if (fat_node_of(dir, &e, &n) != 0)
			continue;
		(void)fat_read(n, 0, bytes, sizeof(bytes));
		if (fat_is_directory(n) && depth < 8)
			walk(n, depth + 1);
		fat_node_put(n, 1);
	}
}

static void
every_byte_damaged(void **state)
{
	static const uint8_t values[] = { 0, 0xff, 0x01, 0x0f, 0x10, 0xe5, '/' };
	struct image i;
	struct fat *fs;
	size_t used;

	image_format(&i, 12, 100, 1);
	assert_int_equal(fat_open(&i.disk, &fs), 0);
	many_things(fs);
	make(fs, "f", 2000);
	used = (size_t)fs->data_start + 4096;
	assert_int_equal(fat_close(fs), 0);
	for (size_t at = 0; at < used; at++) {
		for (size_t v = 0; v < sizeof(values); v++) {
			uint8_t *before = malloc(i.disk.size);

			memcpy(before, i.bytes, i.disk.size);
			i.bytes[at] = values[v];
			if (fat_open(&i.disk, &fs) == 0) {
				walk(fs->root, 0);
				if (at % 7 == 0)
					many_things(fs);
				(void)fat_close(fs);
			}
			memcpy(i.bytes, before, i.disk.size);
			free(before);
		}
	}
	free(i.bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(circles_and_crossings),
		cmocka_unit_test(two_slots_of_one_file),
		cmocka_unit_test(directories_in_a_circle),
		cmocka_unit_test(dies_after_any_write),
		cmocka_unit_test(dies_while_renaming),
		cmocka_unit_test(every_byte_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
