/* SPDX-License-Identifier: MIT */
/*
 * table.c - the file allocation table: one number for each cluster, 12, 16 or 28 bits wide.
 *
 * The table is in memory as it is on the disk; sectors that differ are noted and written to all copies by
 * fat_table_flush(). Numbers that mean something are the same for all widths outside of this file: those of FAT12 and
 * FAT16 from ff7 and fff7 on become those of FAT32. The upper four bits of an entry of FAT32 are kept as they are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "volume.h"

static uint32_t
widen(uint32_t v, uint32_t bad)
{
	return v >= bad ? v - bad + FAT_BAD : v;
}

uint32_t
fat_table_get(const struct fat *fs, uint32_t c)
{
	const uint8_t *p;

	switch (fs->bits) {
	case 12:
		p = fs->table + c + c / 2;
		return widen(c & 1 ? fat_get16(p) >> 4 : fat_get16(p) & 0xfff, 0xff7);
	case 16:
		return widen(fat_get16(fs->table + 2 * (size_t)c), 0xfff7);
	}
	return fat_get32(fs->table + 4 * (size_t)c) & 0x0fffffff;
}

static void
touch(struct fat *fs, size_t offset)
{
	uint32_t sector = (uint32_t)(offset / fs->sector_size);

	fat_bit_set(fs->table_dirty, sector, true);
	if (fs->dirty_low == fs->dirty_high) {
		fs->dirty_low = sector;
		fs->dirty_high = sector + 1;
	} else if (sector < fs->dirty_low) {
		fs->dirty_low = sector;
	} else if (sector >= fs->dirty_high) {
		fs->dirty_high = sector + 1;
	}
}

static void
put(struct fat *fs, uint32_t c, uint32_t v)
{
	size_t at = fs->bits == 12 ? c + c / 2 : (size_t)c * fs->bits / 8;
	uint8_t *p = fs->table + at;

	switch (fs->bits) {
	case 12:
		v &= 0xfff;
		fat_put16(p, c & 1 ? (fat_get16(p) & 0xf) | v << 4 : (fat_get16(p) & 0xf000) | v);
		touch(fs, at + 1);
		break;
	case 16:
		fat_put16(p, v & 0xffff);
		break;
	case 32:
		fat_put32(p, (fat_get32(p) & 0xf0000000) | (v & 0x0fffffff));
		break;
	}
	touch(fs, at);
}

/* Change an entry, and who follows whom. */
static void
set(struct fat *fs, uint32_t c, uint32_t v)
{
	uint32_t old = fat_table_get(fs, c);

	if (fat_is_cluster(fs, old))
		fat_bit_set(fs->linked, old, false);
	if (fat_is_cluster(fs, v))
		fat_bit_set(fs->linked, v, true);
	put(fs, c, v);
}

void
fat_table_mark(struct fat *fs, bool clean)
{
	uint32_t bit = fs->bits == 32 ? FAT32_CLEAN : FAT16_CLEAN, v;

	if (fs->bits == 12)
		return;
	v = fs->bits == 32 ? fat_get32(fs->table + 4) : fat_get16(fs->table + 2);
	put(fs, 1, clean ? v | bit : v & ~bit);
}

/* --- to the disk and from there ----------------------------------------------------------------------------- */

/* A run of dirty sectors, to each copy. */
static int
flush_run(struct fat *fs, uint32_t from, uint32_t to)
{
	size_t at = (size_t)from * fs->sector_size, n = (size_t)(to - from) * fs->sector_size;

	for (unsigned int copy = 0; copy < fs->table_copies; copy++) {
		int error = fs->disk->write(fs->disk, fs->table_start + copy * fs->table_step + at, fs->table + at, n);

		if (error)
			return error;
	}
	for (uint32_t s = from; s < to; s++)
		fat_bit_set(fs->table_dirty, s, false);
	return 0;
}

int
fat_table_flush(struct fat *fs)
{
	for (uint32_t s = fs->dirty_low; s < fs->dirty_high; s++) {
		uint32_t end = s;
		int error;

		while (end < fs->dirty_high && fat_bit(fs->table_dirty, end))
			end++;
		if (end == s)
			continue;
		error = flush_run(fs, s, end);
		if (error)
			return error;
		s = end - 1;
	}
	fs->dirty_low = fs->dirty_high = 0;
	return 0;
}

/* Note that some cluster is followed by c. */
static void
survey_link(struct fat *fs, uint32_t c)
{
	if (fat_bit(fs->linked, c)) {
		fat_bit_set(fs->crossed, c, true);
		(void)fat_damage(fs, "two chains go on at cluster %u", c);
	}
	fat_bit_set(fs->linked, c, true);
}

/* Count what is free; find clusters that more than one is followed by, and those that none should be followed by. */
static void
survey(struct fat *fs)
{
	uint32_t end = fs->clusters + FAT_FIRST;

	for (uint32_t c = FAT_FIRST; c < end; c++) {
		uint32_t v = fat_table_get(fs, c);

		if (v == FAT_FREE)
			fs->free++;
		else if (fat_is_cluster(fs, v))
			survey_link(fs, v);
		else if (v < FAT_BAD)
			(void)fat_damage(fs, "cluster %u is followed by %u", c, v);
	}
	for (uint32_t c = FAT_FIRST; fs->free < fs->clusters && c < end; c++) {
		uint32_t v = fat_bit(fs->linked, c) ? fat_table_get(fs, c) : FAT_END;

		if (v == FAT_FREE || v == FAT_BAD)
			(void)fat_damage(fs, "a chain goes on at cluster %u, which is %s", c, v == FAT_FREE ? "free" : "bad");
	}
}

int
fat_table_load(struct fat *fs)
{
	uint64_t entries = (uint64_t)fs->clusters + FAT_FIRST;
	size_t sectors;

	/* Of the table, what has a meaning; a whole number of sectors, and no more than it has. */
	sectors = (size_t)(((entries * fs->bits + 7) / 8 + fs->sector_size - 1) / fs->sector_size);
	fs->table_bytes = sectors * fs->sector_size;
	fs->table = malloc(fs->table_bytes + 1);
	fs->table_dirty = calloc(1, sectors / 8 + 1);
	fs->linked = calloc(1, (size_t)(entries / 8) + 1);
	fs->crossed = calloc(1, (size_t)(entries / 8) + 1);
	if (!fs->table || !fs->table_dirty || !fs->linked || !fs->crossed)
		return -ENOMEM;
	if (fs->disk->read(fs->disk, fs->table_start, fs->table, fs->table_bytes))
		return -EIO;
	survey(fs);
	return 0;
}

/* --- chains ------------------------------------------------------------------------------------------------- */

/* The next free cluster from fs->next on; there is one. */
static uint32_t
find_free(struct fat *fs)
{
	uint32_t c = fs->next;

	for (uint32_t n = 0; n < fs->clusters; n++, c++) {
		if (!fat_is_cluster(fs, c))
			c = FAT_FIRST;
		if (fat_table_get(fs, c) == FAT_FREE)
			return c;
	}
	return 0;
}

int
fat_table_grow(struct fat *fs, uint32_t last, uint32_t n, uint32_t *out)
{
	if (n > fs->free)
		return -ENOSPC;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t c = find_free(fs);

		if (!c)
			return fat_damage(fs, "%u clusters are not where they were counted", fs->free);
		set(fs, c, FAT_END);
		if (last)
			set(fs, last, c);
		fs->next = c + 1 - FAT_FIRST < fs->clusters ? c + 1 : FAT_FIRST;
		fs->free--;
		last = *out++ = c;
	}
	return fat_table_flush(fs);
}

int
fat_table_link(struct fat *fs, uint32_t last, uint32_t c)
{
	set(fs, last, c);
	return fat_table_flush(fs);
}

void
fat_table_cut(struct fat *fs, uint32_t last, const uint32_t *clusters, uint32_t n)
{
	if (last)
		set(fs, last, FAT_END);
	for (uint32_t i = 0; i < n; i++)
		set(fs, clusters[i], FAT_FREE);
	fs->free += n;
}

static int
follow(struct fat *fs, uint32_t first, uint32_t most, uint32_t **out, uint32_t *length)
{
	uint32_t room = 0, n = 0, *chain = NULL;

	for (uint32_t c = first; c < FAT_BAD + 1; c = fat_table_get(fs, c)) {
		if (!fat_is_cluster(fs, c) || fat_bit(fs->crossed, c) || fat_table_get(fs, c) == FAT_FREE || n == most) {
			free(chain);
			return fat_damage(fs, "the chain from cluster %u breaks at %u", first, c);
		}
		if (n == room) {
			uint32_t *more = realloc(chain, (room = room ? 2 * room : 8) * sizeof(*chain));

			if (!more) {
				free(chain);
				return -ENOMEM;
			}
			chain = more;
		}
		chain[n++] = c;
	}
	*out = chain;
	*length = n;
	return 0;
}

int
fat_table_chain(struct fat *fs, uint32_t first, uint32_t most, uint32_t **out, uint32_t *length)
{
	/* What nothing leads to but its slot, and meets nothing crossed, cannot come back to itself. */
	if (!fat_is_cluster(fs, first) || fat_bit(fs->linked, first))
		return fat_damage(fs, "no chain begins at cluster %u", first);
	return follow(fs, first, most, out, length);
}
