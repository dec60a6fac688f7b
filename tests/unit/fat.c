/* SPDX-License-Identifier: MIT */
/*
 * fat.c - the FAT library on a disk in memory: names, times, chains, directories, room; what is damaged is refused, and a
 * driver that dies between any two writes leaves a volume that is whole.
 */
/* unit: drivers/fs/fat/volume.c drivers/fs/fat/table.c drivers/fs/fat/check.c drivers/fs/fat/text.c drivers/fs/fat/alias.c */
/* unit: drivers/fs/fat/directory.c drivers/fs/fat/node.c drivers/fs/fat/file.c drivers/fs/fat/names.c drivers/fs/fat/time.c */
/* unit: drivers/fs/fat/label.c */
#include <stdio.h>

#include "fat_image.h"
#include "unit.h"

static const unsigned int widths[] = { 12, 16, 32 };

/* A volume of each width; cluster by cluster a sector. */
static struct fat *
fresh(struct image *i, unsigned int bits)
{
	struct fat *fs;

	image_format(i, bits, bits == 16 ? 9000 : bits == 12 ? 2000 : 3000, 1);
	assert_int_equal(fat_open(&i->disk, &fs), 0);
	assert_int_equal(fs->bits, bits);
	return fs;
}

static void
finish(struct fat *fs, struct image *i)
{
	assert_false(fs->damaged);
	assert_int_equal(fat_close(fs), 0);
	free(i->bytes);
}

static void
make(struct fat *fs, const char *name, size_t size)
{
	struct fat_node *n;
	char *bytes = malloc(size + 1);

	for (size_t at = 0; at < size; at++)
		bytes[at] = (char)(at * 7 + size);
	assert_int_equal(fat_create(fs->root, name, false, &n), 0);
	assert_int_equal(fat_write(n, 0, bytes, size), size);
	fat_node_put(n, 1);
	free(bytes);
}

static struct fat_node *
get(struct fat *fs, const char *name)
{
	struct fat_node *n;

	return fat_lookup(fs->root, name, &n) == 0 ? n : NULL;
}

static bool
has(struct fat *fs, const char *name)
{
	struct fat_node *n = get(fs, name);

	if (n)
		fat_node_put(n, 1);
	return n;
}

/* The file is there and holds what make() put into it. */
static void
check_file(struct fat *fs, const char *name, size_t size)
{
	struct fat_node *n = get(fs, name);
	char *bytes = malloc(size + 1);

	assert_non_null(n);
	assert_int_equal(fat_read(n, 0, bytes, size + 1), size);
	for (size_t at = 0; at < size; at++)
		assert_int_equal(bytes[at], (char)(at * 7 + size));
	fat_node_put(n, 1);
	free(bytes);
}

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
		cmocka_unit_test(directories_grow),
		cmocka_unit_test(root_of_fixed_size_is_full),
		cmocka_unit_test(renaming),
		cmocka_unit_test(marks_of_use),
		cmocka_unit_test(labels),
		cmocka_unit_test(impossible_boot_sectors),
		cmocka_unit_test(circles_and_crossings),
		cmocka_unit_test(two_slots_of_one_file),
		cmocka_unit_test(directories_in_a_circle),
		cmocka_unit_test(dies_after_any_write),
		cmocka_unit_test(dies_while_renaming),
		cmocka_unit_test(every_byte_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
