/* SPDX-License-Identifier: MIT */
/* fat_volume.h - fresh FAT volumes in memory, and files on them whose bytes are known. */
#ifndef TEST_FAT_VOLUME_H
#define TEST_FAT_VOLUME_H

#include "fat_image.h"
#include "unit.h"

static const unsigned int widths[] = { 12, 16, 32 };

/* A volume of each width; cluster by cluster a sector. */
static inline struct fat *
fresh(struct image *i, unsigned int bits)
{
	struct fat *fs;

	image_format(i, bits, bits == 16 ? 9000 : bits == 12 ? 2000 : 3000, 1);
	assert_int_equal(fat_open(&i->disk, &fs), 0);
	assert_int_equal(fs->bits, bits);
	return fs;
}

static inline void
finish(struct fat *fs, struct image *i)
{
	assert_false(fs->damaged);
	assert_int_equal(fat_close(fs), 0);
	free(i->bytes);
}

static inline void
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

static inline struct fat_node *
get(struct fat *fs, const char *name)
{
	struct fat_node *n;

	return fat_lookup(fs->root, name, &n) == 0 ? n : NULL;
}

static inline bool
has(struct fat *fs, const char *name)
{
	struct fat_node *n = get(fs, name);

	if (n)
		fat_node_put(n, 1);
	return n;
}

/* The file is there and holds what make() put into it. */
static inline void
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

#endif
