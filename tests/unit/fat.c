/* SPDX-License-Identifier: MIT */
/* fat.c - the FAT library on a disk in memory: names, times, the table, files and the room they take. */
/* unit: drivers/fs/fat/volume.c drivers/fs/fat/table.c drivers/fs/fat/check.c drivers/fs/fat/text.c drivers/fs/fat/alias.c */
/* unit: drivers/fs/fat/directory.c drivers/fs/fat/node.c drivers/fs/fat/file.c drivers/fs/fat/names.c drivers/fs/fat/time.c */
/* unit: drivers/fs/fat/label.c */
#include <stdio.h>

#include "fat_volume.h"

/* --- names -------------------------------------------------------------------------------------------------- */

static void
utf8_and_back(void **state)
{
	static const char *const good[] = { "a", "ünï", "中文", "😀.x", "a b", "\xed\xa0\x80", "\xed\xb0\x80 alone", "x\xed\xa0\x80" };
	static const char *const bad[] = { "\x80", "\xc0\xaf", "\xe0\x80\x80", "\xf4\x90\x80\x80", "\xff", "a\xc3", "\xed\xa0\x80\xed\xb0\x80" };
	uint16_t units[FAT_NAME_UNITS];
	char text[FAT_NAME_BYTES], longest[FAT_NAME_UNITS + 3];
	uint32_t n;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(fat_name_from_utf8(good[i], units, &n), 0);
		assert_int_equal(fat_name_to_utf8(units, n, text), strlen(good[i]));
		assert_string_equal(text, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(fat_name_from_utf8(bad[i], units, &n), -EINVAL);
	assert_int_equal(fat_name_from_utf8("a.b...", units, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(fat_name_from_utf8("...", units, &n), -ENOENT);
	memset(longest, 'x', sizeof(longest));
	longest[FAT_NAME_UNITS] = longest[FAT_NAME_UNITS + 1] = '.';
	longest[FAT_NAME_UNITS + 2] = '\0';
	assert_int_equal(fat_name_from_utf8(longest, units, &n), 0);
	assert_int_equal(n, FAT_NAME_UNITS);
	longest[FAT_NAME_UNITS] = 'x';
	assert_int_equal(fat_name_from_utf8(longest, units, &n), -ENAMETOOLONG);
}

static void
bad_names_are_not_made(void **state)
{
	static const char *const bad[] = { "a*", "a?b", "a:b", "\"", "<", ">", "|", "\\", "a\tb", "blank ", "\xed\xa0\x80" };
	struct image i;
	struct fat *fs = fresh(&i, 16);
	struct fat_node *n;

	for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
		assert_int_equal(fat_create(fs->root, bad[k], false, &n), -EINVAL);
	assert_int_equal(i.writes, 0);
	finish(fs, &i);
}

static void
case_of_letters_is_no_difference(void **state)
{
	static const char *const pairs[][2] = {
		{ "Hello.Txt", "hELLO.tXT" }, { "straße", "STRAßE" }, { "Äpfel", "äPFEL" }, { "ωμέγα", "ΩΜΈΓΑ" }, { "ЖЁ", "жё" },
		{ "ÿ", "Ÿ" }, { "ĳ", "Ĳ" },
	};
	struct image i;
	struct fat *fs = fresh(&i, 12);
	struct fat_node *n;

	for (size_t k = 0; k < sizeof(pairs) / sizeof(pairs[0]); k++) {
		make(fs, pairs[k][0], 10 + k);
		check_file(fs, pairs[k][1], 10 + k);
		assert_int_equal(fat_create(fs->root, pairs[k][1], false, &n), -EEXIST);
	}
	assert_false(has(fs, "apfel"));
	finish(fs, &i);
}

static void
short_names(void **state)
{
	static const struct { const char *name, *alias; bool whole, exact; } cases[] = {
		{ "README.TXT", "README  TXT", true, true },   { "A", "A          ", true, true },
		{ "readme.txt", "README  TXT", false, true },  { "ReadMe", "README     ", false, true },
		{ "a long name.text", "ALONGNAMTEX", false, false }, { ".profile", "PROFILE    ", false, false },
		{ "a.b.c", "AB      C  ", false, false },      { "a+b=c", "A_B_C      ", false, false },
		{ "ünï", "_N_        ", false, false },        { "A B", "AB         ", false, false },
		{ "123456789", "12345678   ", false, false },  { "A.JPEG", "A       JPE", false, false },
		{ "X{}$#&'@!%-_", "X{}$#&'@   ", false, false }, { "T~1.C", "T~1     C  ", true, true },
	};
	uint16_t units[FAT_NAME_UNITS];
	uint8_t alias[12] = { 0 };
	uint32_t n;
	bool exact;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(fat_name_from_utf8(cases[i].name, units, &n), 0);
		assert_int_equal(fat_name_alias(units, n, alias, &exact), cases[i].whole);
		assert_string_equal((char *)alias, cases[i].alias);
		assert_int_equal(exact, cases[i].exact);
	}
	fat_name_number((const uint8_t *)"ALONGNAMTEX", 0, 1, alias);
	assert_string_equal((char *)alias, "ALONGN~1TEX");
	fat_name_number((const uint8_t *)"AB      C  ", 0, 9, alias);
	assert_string_equal((char *)alias, "AB~9    C  ");
	fat_name_number((const uint8_t *)"ALONGNAMTEX", 0x1beef, 1, alias);
	assert_string_equal((char *)alias, "ALBEEF~1TEX");
	assert_int_equal(fat_name_checksum((const uint8_t *)"ALONGN~1TEX"), 0xbd);
}

/* Names alike get numbers, and from the tenth on a number of their own; each is found by both names. */
static void
names_alike(void **state)
{
	struct image i;
	struct fat *fs = fresh(&i, 32);
	struct fat_entry e;
	char name[40], alias[40];
	uint32_t slot = 0;

	for (int k = 1; k <= 60; k++) {
		snprintf(name, sizeof(name), "alike in the beginning %d", k);
		make(fs, name, (size_t)k);
	}
	for (int k = 1; k <= 60; k++) {
		assert_int_equal(fat_list(fs->root, &slot, &e), 1);
		fat_name_to_utf8(e.name, e.length, name);
		fat_name_to_utf8(e.alias, e.alias_length, alias);
		if (k <= 9) {
			char wanted[16];

			snprintf(wanted, sizeof(wanted), "ALIKEI~%d", k);
			assert_string_equal(alias, wanted);
		}
		check_file(fs, name, (size_t)k);
		check_file(fs, alias, (size_t)k);
	}
	assert_int_equal(fat_list(fs->root, &slot, &e), 0);
	finish(fs, &i);
}

/* Slots of a long name that is not whole, or another's: the file has its short one. */
static void
broken_long_name(void **state)
{
	struct image i;
	struct fat *fs = fresh(&i, 16);
	struct fat_slot *s;

	make(fs, "a rather long name of three slots.txt", 5);
	s = fat_dir_slot(fs->root, 1);
	assert_int_equal(s->attributes, FAT_LONG);
	((struct fat_long_slot *)s)->checksum ^= 1;
	assert_true(has(fs, "ARATHE~1.TXT"));
	assert_false(has(fs, "a rather long name of three slots.txt"));
	((struct fat_long_slot *)s)->checksum ^= 1;
	assert_true(has(fs, "a rather long name of three slots.txt"));
	((struct fat_long_slot *)s)->order = 3;
	assert_false(has(fs, "a rather long name of three slots.txt"));
	finish(fs, &i);
}

/* --- times -------------------------------------------------------------------------------------------------- */

static void
times(void **state)
{
	static const int64_t seconds[] = { 315532800, 951782399, 951782400, 951868800, 1700000001, 4107542399, 4354819199 };
	struct fat_time t;
	uint32_t date, time;
	uint8_t fine;

	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		fat_time_encode((struct fat_time){ seconds[i], 129999999 }, &date, &time, &fine);
		t = fat_time_decode(date, time, fine);
		assert_int_equal(t.seconds, seconds[i]);
		assert_int_equal(t.nanoseconds, 120000000);
		assert_int_equal(fat_time_decode(date, time, 0).seconds, seconds[i] & ~1ll);
	}
	/* 2000-02-29 12:34:56 */
	assert_int_equal(fat_time_decode(20 << 9 | 2 << 5 | 29, 12 << 11 | 34 << 5 | 28, 0).seconds, 951827696);
	assert_int_equal(fat_time_decode(0, 0, 0).seconds, 315532800);
	for (int64_t day = 0; day < 128 * 365 + 31; day++) {
		fat_time_encode((struct fat_time){ 315532800 + day * 86400, 0 }, &date, &time, &fine);
		assert_int_equal(fat_time_decode(date, 0, 0).seconds, 315532800 + day * 86400);
	}
	/* Before and after what there is. */
	fat_time_encode((struct fat_time){ 0, 5 }, &date, &time, &fine);
	assert_int_equal(fat_time_decode(date, time, fine).seconds, 315532800);
	fat_time_encode((struct fat_time){ 1ll << 40, 0 }, &date, &time, &fine);
	assert_int_equal(fat_time_decode(date, time, fine).seconds, 4354819199);
}

static void
times_of_files(void **state)
{
	struct fat_time t = { 1000000001, 999999999 };
	struct image i;
	struct fat *fs = fresh(&i, 16);
	struct fat_node *n;

	make(fs, "a", 1);
	n = get(fs, "a");
	assert_int_equal(n->modified.seconds, 1700000000);
	assert_int_equal(n->created.seconds, 1700000001);
	assert_int_equal(n->created.nanoseconds, 570000000);
	assert_int_equal(fat_set_times(n, &t, &t), 0);
	fat_node_put(n, 1);
	n = get(fs, "a");
	assert_int_equal(n->modified.seconds, 1000000000);
	assert_int_equal(n->accessed.seconds, 1000000000 / 86400 * 86400);
	assert_int_equal(n->created.seconds, 1700000001);
	fat_node_put(n, 1);
	finish(fs, &i);
}

/* --- the table ---------------------------------------------------------------------------------------------- */

static void
chains_of_all_widths(void **state)
{
	for (size_t w = 0; w < 3; w++) {
		struct image i;
		struct fat *fs = fresh(&i, widths[w]);
		uint32_t room = fs->free, n = fs->free < 1000 ? fs->free : 1000, length, *chain, *all = calloc(n, sizeof(*all));

		assert_int_equal(fat_table_grow(fs, 0, n, all), 0);
		assert_int_equal(fs->free, room - n);
		assert_int_equal(fat_table_chain(fs, all[0], n, &chain, &length), 0);
		assert_int_equal(length, n);
		assert_memory_equal(chain, all, n * sizeof(*all));
		/* Copies are the same, and hold it. */
		assert_memory_equal(i.bytes + fs->table_start, fs->table, fs->table_bytes);
		assert_memory_equal(i.bytes + fs->table_start + fs->table_step, fs->table, fs->table_bytes);
		fat_table_cut(fs, all[9], all + 10, n - 10);
		assert_int_equal(fs->free, room - 10);
		fat_table_cut(fs, 0, all, 10);
		assert_int_equal(fs->free, room);
		assert_int_equal(fat_table_flush(fs), 0);
		for (uint32_t k = 0; k < n; k++)
			assert_int_equal(fat_table_get(fs, all[k]), FAT_FREE);
		assert_int_equal(fat_table_grow(fs, 0, room + 1, all), -ENOSPC);
		free(chain);
		free(all);
		finish(fs, &i);
	}
}

static void
upper_bits_are_kept(void **state)
{
	struct image i;
	struct fat *fs;
	uint32_t c;
	uint8_t *entry;

	image_format(&i, 32, 3000, 1);
	entry = i.bytes + 8 * 512 + 4 * 50;
	fat_put32(entry, 0xa0000000);
	assert_int_equal(fat_open(&i.disk, &fs), 0);
	fs->next = 50;
	assert_int_equal(fat_table_grow(fs, 0, 1, &c), 0);
	assert_int_equal(c, 50);
	assert_int_equal(fat_get32(entry), 0xafffffff);
	fat_table_cut(fs, 0, &c, 1);
	assert_int_equal(fat_table_flush(fs), 0);
	assert_int_equal(fat_get32(entry), 0xa0000000);
	finish(fs, &i);
}

/* --- files -------------------------------------------------------------------------------------------------- */

static void
gaps_are_zeros(void **state)
{
	struct image i;
	struct fat *fs = fresh(&i, 12);
	struct fat_node *n;
	char bytes[3000];

	memset(i.bytes + fs->data_start, 0xee, i.disk.size - fs->data_start);
	make(fs, "f", 700);
	n = get(fs, "f");
	assert_int_equal(fat_resize(n, 100), 0);
	assert_int_equal(fat_write(n, 2500, "x", 1), 1);
	assert_int_equal(fat_read(n, 0, bytes, sizeof(bytes)), 2501);
	for (int k = 100; k < 2500; k++)
		assert_int_equal(bytes[k], 0);
	assert_int_equal(bytes[2500], 'x');
	assert_int_equal(fat_resize(n, 2600), 0);
	assert_int_equal(fat_read(n, 2501, bytes, 200), 99);
	for (int k = 0; k < 99; k++)
		assert_int_equal(bytes[k], 0);
	assert_int_equal(fat_write(n, UINT32_MAX, "x", 1), -EFBIG);
	assert_int_equal(fat_resize(n, 1ull << 32), -EFBIG);
	assert_int_equal(n->size, 2600);
	fat_node_put(n, 1);
	finish(fs, &i);
}

static void
no_room(void **state)
{
	struct image i;
	struct fat *fs = fresh(&i, 12);
	struct fat_node *n, *other;
	uint32_t room = fs->free;
	char *bytes = calloc(1, 2000 * 512);

	assert_int_equal(fat_create(fs->root, "all", false, &n), 0);
	/* As much as there is; then nothing, and nothing has changed. */
	assert_int_equal(fat_write(n, 0, bytes, 2000 * 512), (ssize_t)room * 512);
	assert_int_equal(fs->free, 0);
	assert_int_equal(fat_write(n, (uint64_t)room * 512, bytes, 1), -ENOSPC);
	assert_int_equal(fat_resize(n, (uint64_t)room * 512 + 1), -ENOSPC);
	assert_int_equal(fat_create(fs->root, "folder", true, &other), -ENOSPC);
	assert_false(has(fs, "folder"));
	assert_int_equal(fat_create(fs->root, "empty", false, &other), 0);
	assert_int_equal(fat_write(other, 0, "x", 1), -ENOSPC);
	assert_int_equal(other->first, 0);
	fat_node_put(other, 1);
	assert_int_equal(fat_resize(n, 0), 0);
	assert_int_equal(fs->free, room);
	fat_node_put(n, 1);
	free(bytes);
	finish(fs, &i);
}

static void
removed_but_open(void **state)
{
	struct image i;
	struct fat *fs = fresh(&i, 16);
	uint32_t room = fs->free;
	struct fat_node *n, *dir;
	struct fat_entry e;
	uint32_t slot;
	char byte;

	make(fs, "f", 5000);
	n = get(fs, "f");
	assert_int_equal(fat_node_open(n), 0);
	assert_int_equal(fat_unlink(fs->root, "f"), 0);
	assert_false(has(fs, "f"));
	make(fs, "f", 3000);
	assert_int_equal(fat_read(n, 4999, &byte, 1), 1);
	assert_int_equal(byte, (char)(4999 * 7 + 5000));
	assert_int_equal(fat_write(n, 6000, "x", 1), 1);
	fat_node_close(n);
	assert_int_equal(fat_node_open(n), -ESTALE);
	assert_int_equal(n->size, 0);
	fat_node_put(n, 1);
	check_file(fs, "f", 3000);
	assert_int_equal(fat_unlink(fs->root, "f"), 0);
	assert_int_equal(fs->free, room);
	/* Known is not open: the room is there at once. */
	assert_int_equal(fat_create(fs->root, "d", true, &dir), 0);
	assert_int_equal(fat_rmdir(fs->root, "d"), 0);
	assert_int_equal(fs->free, room);
	assert_int_equal(fat_create(dir, "x", false, &n), -ENOENT);
	slot = 0;
	assert_int_equal(fat_list(dir, &slot, &e), 0);
	fat_node_put(dir, 1);
	assert_int_equal(fs->free, room);
	finish(fs, &i);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_and_back),
		cmocka_unit_test(bad_names_are_not_made),
		cmocka_unit_test(case_of_letters_is_no_difference),
		cmocka_unit_test(short_names),
		cmocka_unit_test(names_alike),
		cmocka_unit_test(broken_long_name),
		cmocka_unit_test(times),
		cmocka_unit_test(times_of_files),
		cmocka_unit_test(chains_of_all_widths),
		cmocka_unit_test(upper_bits_are_kept),
		cmocka_unit_test(gaps_are_zeros),
		cmocka_unit_test(no_room),
		cmocka_unit_test(removed_but_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
