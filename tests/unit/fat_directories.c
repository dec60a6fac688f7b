/* SPDX-License-Identifier: MIT */
/* fat_directories.c - the FAT library on a disk in memory: directories, and the volume as a whole: its mark of use, its label. */
/* unit: drivers/fs/fat/volume.c drivers/fs/fat/table.c drivers/fs/fat/check.c drivers/fs/fat/text.c drivers/fs/fat/alias.c */
/* unit: drivers/fs/fat/directory.c drivers/fs/fat/node.c drivers/fs/fat/file.c drivers/fs/fat/names.c drivers/fs/fat/time.c */
/* unit: drivers/fs/fat/label.c */
#include <stdio.h>

#include "fat_volume.h"

/* --- directories -------------------------------------------------------------------------------------------- */

static void
directories_grow(void **state)
{
	struct image i;
	struct fat *fs = fresh(&i, 32);
	struct fat_node *dir, *n;
	struct fat_entry e;
	char name[64];
	uint32_t slot = 0, count = 0;

	assert_int_equal(fat_create(fs->root, "folder", true, &dir), 0);
	for (int k = 0; k < 300; k++) {
		snprintf(name, sizeof(name), "%s %d", k % 2 ? "a name of some length" : "F", k);
		assert_int_equal(fat_create(k % 3 ? dir : fs->root, name, false, &n), 0);
		fat_node_put(n, 1);
	}
	assert_true(fs->root->length > 1 && dir->length > 10);
	while (fat_list(dir, &slot, &e) > 0)
		count++;
	assert_int_equal(count, 200);
	/* Room that removed names leave is used again. */
	slot = dir->slot_end;
	for (int k = 1; k < 300; k += k % 3 == 1 ? 1 : 2) {
		snprintf(name, sizeof(name), "%s %d", k % 2 ? "a name of some length" : "F", k);
		assert_int_equal(fat_unlink(dir, name), 0);
	}
	assert_true(fat_dir_is_empty(dir));
	for (int k = 0; k < 100; k++) {
		snprintf(name, sizeof(name), "another name of length %d", k);
		assert_int_equal(fat_create(dir, name, false, &n), 0);
		fat_node_put(n, 1);
	}
	assert_true(dir->slot_end <= slot);
	fat_node_put(dir, 1);
	finish(fs, &i);
}

static void
root_of_fixed_size_is_full(void **state)
{
	struct image i;
	struct fat *fs = fresh(&i, 12);
	struct fat_node *n;
	char name[16];
	int error = 0, made = 0;

	for (; !error; made += !error) {
		snprintf(name, sizeof(name), "F%d", made);
		error = fat_create(fs->root, name, false, &n);
		if (!error)
			fat_node_put(n, 1);
	}
	assert_int_equal(error, -ENOSPC);
	assert_int_equal(made, 64);
	assert_int_equal(fat_unlink(fs->root, "F5"), 0);
	assert_int_equal(fat_create(fs->root, "needs three slots", false, &n), -ENOSPC);
	assert_int_equal(fat_create(fs->root, "ONE", false, &n), 0);
	fat_node_put(n, 1);
	finish(fs, &i);
}

static void
renaming(void **state)
{
	struct image i;
	struct fat *fs = fresh(&i, 32);
	struct fat_node *a, *b, *c, *n;

	assert_int_equal(fat_create(fs->root, "a", true, &a), 0);
	assert_int_equal(fat_create(fs->root, "b", true, &b), 0);
	assert_int_equal(fat_create(a, "c", true, &c), 0);
	make(fs, "f", 1000);
	make(fs, "G", 2000);
	assert_int_equal(fat_rename(fs->root, "a", c, "x", 0), -EINVAL);
	assert_int_equal(fat_rename(a, "c", fs->root, "a", 0), -ENOTEMPTY);
	assert_int_equal(fat_rename(fs->root, "f", fs->root, "a", 0), -EISDIR);
	assert_int_equal(fat_rename(fs->root, "a", fs->root, "f", 0), -ENOTDIR);
	assert_int_equal(fat_rename(fs->root, "f", fs->root, "g", FAT_RENAME_KEEP), -EEXIST);
	assert_int_equal(fat_rename(fs->root, "nothing", fs->root, "g", 0), -ENOENT);
	assert_int_equal(fat_rename(fs->root, "f", fs->root, "F", 0), 0);
	/* Over another: that one's name stays as it is written. */
	assert_int_equal(fat_rename(fs->root, "f", fs->root, "g", 0), 0);
	check_file(fs, "G", 1000);
	assert_false(has(fs, "f"));
	/* Into another directory: it names its parent. */
	assert_int_equal(fat_rename(a, "c", b, "a longer name than before", 0), 0);
	assert_int_equal(fat_slot_cluster(fs, fat_dir_slot(c, 1)), b->first);
	assert_int_equal(fat_rename(b, "a longer name than before", fs->root, "c", 0), 0);
	assert_int_equal(fat_slot_cluster(fs, fat_dir_slot(c, 1)), 0);
	assert_ptr_equal(c->dir, fs->root);
	/* Two change places. */
	assert_int_equal(fat_create(b, "inner", true, &n), 0);
	assert_int_equal(fat_rename(fs->root, "G", b, "inner", FAT_RENAME_EXCHANGE), 0);
	assert_int_equal(fat_slot_cluster(fs, fat_dir_slot(n, 1)), 0);
	assert_ptr_equal(n->dir, fs->root);
	fat_node_put(n, 1);
	assert_int_equal(fat_lookup(b, "inner", &n), 0);
	assert_int_equal(n->size, 1000);
	fat_node_put(n, 1);
	fat_node_put(a, 1);
	fat_node_put(b, 1);
	fat_node_put(c, 1);
	finish(fs, &i);
}

/* --- the volume --------------------------------------------------------------------------------------------- */

static void
marks_of_use(void **state)
{
	for (size_t w = 0; w < 3; w++) {
		struct image i;
		struct fat *fs = fresh(&i, widths[w]);
		const struct fat_boot *b = (const struct fat_boot *)i.bytes;
		const uint8_t *mark = widths[w] == 32 ? &b->big.state : &b->small.state;
		const uint8_t *table = i.bytes + fs->table_start;
		const struct fat_info_sector *info = (const struct fat_info_sector *)(i.bytes + 512);
		uint32_t left;

		assert_int_equal(i.writes, 0);
		make(fs, "f", 600);
		left = fs->free;
		assert_int_equal(*mark, FAT_IN_USE);
		if (widths[w] == 16)
			assert_int_equal(fat_get16(table + 2) & FAT16_CLEAN, 0);
		if (widths[w] == 32)
			assert_int_equal(fat_get32(table + 4) & FAT32_CLEAN, 0);
		assert_int_equal(fat_close(fs), 0);
		assert_int_equal(*mark, 0);
		if (widths[w] == 16)
			assert_int_equal(fat_get16(table + 2), 0xffff);
		if (widths[w] == 32) {
			assert_int_equal(fat_get32(table + 4), 0x0fffffff);
			assert_int_equal(fat_get32(info->free), left);
			assert_true(fat_get32(info->next) >= 4);
		}
		/* One that was not unmounted stays marked. */
		*(uint8_t *)mark = FAT_IN_USE;
		assert_int_equal(fat_open(&i.disk, &fs), 0);
		make(fs, "g", 1);
		finish(fs, &i);
	}
}

static void
labels(void **state)
{
	for (size_t w = 0; w < 3; w++) {
		struct image i;
		struct fat *fs = fresh(&i, widths[w]);
		const struct fat_boot *b = (const struct fat_boot *)i.bytes;
		char label[FAT_LABEL_BYTES];

		assert_int_equal(fat_label(fs, label), 0);
		assert_string_equal(label, "");
		make(fs, "before", 1);
		assert_int_equal(fat_set_label(fs, "My Disk"), 0);
		assert_int_equal(fat_label(fs, label), 0);
		assert_string_equal(label, "MY DISK");
		assert_memory_equal(widths[w] == 32 ? b->big.label : b->small.label, "MY DISK    ", 11);
		assert_int_equal(fat_set_label(fs, "twelve bytes"), -EINVAL);
		assert_int_equal(fat_set_label(fs, "a/b"), -EINVAL);
		/* It is no file, and keeps no directory from being empty. */
		assert_false(has(fs, "MY DISK"));
		assert_int_equal(fat_set_label(fs, "Øre"), -EINVAL);
		assert_int_equal(fat_set_label(fs, "É"), 0);
		assert_int_equal(fat_label(fs, label), 0);
		assert_string_equal(label, "É");
		assert_int_equal(fat_set_label(fs, ""), 0);
		assert_int_equal(fat_label(fs, label), 0);
		assert_string_equal(label, "");
		finish(fs, &i);
	}
}

static void
impossible_boot_sectors(void **state)
{
	static const struct { size_t at; uint8_t value; } wrong[] = {
		{ 510, 0 }, { 11, 1 }, { 12, 0 }, { 12, 0x20 }, { 13, 0 }, { 13, 3 }, { 14, 0 }, { 16, 0 }, { 17, 0 }, { 22, 0 },
		{ 34, 0xff }, { 23, 0xff },
	};
	struct image i;
	struct fat *fs;

	image_format(&i, 16, 9000, 1);
	for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++) {
		uint8_t old = i.bytes[wrong[k].at];

		i.bytes[wrong[k].at] = wrong[k].value;
		assert_int_equal(fat_open(&i.disk, &fs), -EINVAL);
		i.bytes[wrong[k].at] = old;
	}
	assert_int_equal(fat_open(&i.disk, &fs), 0);
	finish(fs, &i);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(directories_grow),
		cmocka_unit_test(root_of_fixed_size_is_full),
		cmocka_unit_test(renaming),
		cmocka_unit_test(marks_of_use),
		cmocka_unit_test(labels),
		cmocka_unit_test(impossible_boot_sectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
