/* SPDX-License-Identifier: MIT */
/*
 * volume.c - a volume is opened and closed: the boot sector, the marks of use, FSInfo, the label.
 *
 * Which FAT it is: FAT32 where the boot sector gives the table's size in the field of FAT32's, else by the number of
 * clusters, as the specification says. (Small volumes of FAT32 that mkfs.fat makes on demand are FAT32 then.)
 *
 *   closed --fat_open()--> clean --fat_begin()--> marked --fat_close()--> closed, clean on the disk
 *
 * A volume that was marked when it was opened stays so: its disorder is not known to have ended.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "volume.h"

#define COMPLAINTS 20u /* lines; after that the log is full of it */

void
fat_log(struct fat *fs, const char *format, ...)
{
	char line[200];
	va_list ap;

	if (!fs->disk->log)
		return;
	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	fs->disk->log(line);
}

int
fat_damage(struct fat *fs, const char *format, ...)
{
	char line[160];
	va_list ap;

	if (fs->complaints++ < COMPLAINTS && fs->disk->log) {
		va_start(ap, format);
		vsnprintf(line, sizeof(line), format, ap);
		va_end(ap);
		fat_log(fs, "damaged: %s%s", line, fs->damaged ? "" : "; nothing is written any more");
	}
	fs->damaged = true;
	return -EIO;
}

/* --- the boot sector ------------------------------------------------------------------------------------- */

static bool
is_power_of_2(uint32_t n)
{
	return n && !(n & (n - 1));
}

static int
refuse(struct fat *fs, const char *why)
{
	fat_log(fs, "no FAT file system: %s", why);
	return -EINVAL;
}

/* Which of FAT32's tables count. */
static int
choose_tables(struct fat *fs, const struct fat_boot *b)
{
	uint32_t flags = fat_get16(b->big.flags);

	if (!(flags & FAT_ONE_TABLE))
		return 0;
	if ((flags & FAT_TABLE_MASK) >= b->tables)
		return refuse(fs, "the table that counts is none of its tables");
	fs->table_start += (flags & FAT_TABLE_MASK) * fs->table_step;
	fs->table_copies = 1;
	return 0;
}

/* Sectors to offsets. All arithmetic is in 64 bits, of numbers of 32. */
static int
lay_out(struct fat *fs, const struct fat_boot *b)
{
	uint32_t table16 = fat_get16(b->table_sectors16), sectors16 = fat_get16(b->sectors16);
	uint64_t table = table16 ? table16 : fat_get32(b->big.table_sectors);
	uint64_t sectors = sectors16 ? sectors16 : fat_get32(b->sectors32);
	uint64_t size = sectors * fs->sector_size, clusters, entries;

	fs->root_slots = table16 ? fat_get16(b->root_entries) : 0;
	fs->table_start = (uint64_t)fat_get16(b->reserved) * fs->sector_size;
	fs->table_step = table * fs->sector_size;
	fs->table_copies = b->tables;
	fs->root_start = fs->table_start + b->tables * fs->table_step;
	fs->data_start = fs->root_start +
		((uint64_t)fs->root_slots * FAT_SLOT_SIZE + fs->sector_size - 1) / fs->sector_size * fs->sector_size;
	if (size > fs->disk->size)
		return refuse(fs, "it is larger than what it lies on");
	if (table == 0 || fs->data_start >= size)
		return refuse(fs, "its parts do not fit");
	clusters = (size - fs->data_start) / fs->cluster_size;
	fs->bits = !table16 ? 32 : clusters < FAT12_CLUSTERS ? 12 : 16;
	if (fs->bits == 16 && clusters >= FAT16_CLUSTERS)
		return refuse(fs, "it has too many clusters");
	/* A table that is too small for all clusters leaves some without use. */
	entries = fs->table_step * 8 / fs->bits;
	if (entries <= FAT_FIRST)
		return refuse(fs, "its table is too small");
	if (clusters > entries - FAT_FIRST)
		clusters = entries - FAT_FIRST;
	if (clusters == 0 || clusters >= FAT32_CLUSTERS)
		return refuse(fs, "it has no clusters, or too many");
	if (fs->bits != 32 && fs->root_slots == 0)
		return refuse(fs, "it has no root directory");
	fs->clusters = (uint32_t)clusters;
	return fs->bits == 32 ? choose_tables(fs, b) : 0;
}

static int
read_boot_sector(struct fat *fs, struct fat_boot *b)
{
	int error;

	if (fs->disk->size < sizeof(*b))
		return refuse(fs, "it is smaller than a sector");
	error = fs->disk->read(fs->disk, 0, b, sizeof(*b));
	if (error)
		return error;
	fs->sector_size = fat_get16(b->sector_size);
	fs->cluster_size = fs->sector_size * b->cluster_sectors;
	if (b->mark[0] != 0x55 || b->mark[1] != 0xaa)
		return refuse(fs, "the boot sector has no mark");
	if (!is_power_of_2(fs->sector_size) || fs->sector_size < 512 || fs->sector_size > 4096)
		return refuse(fs, "its sectors have an impossible size");
	if (!is_power_of_2(b->cluster_sectors))
		return refuse(fs, "its clusters have an impossible size");
	if (fat_get16(b->reserved) == 0 || b->tables == 0)
		return refuse(fs, "it has no table");
	return lay_out(fs, b);
}

static void
read_state(struct fat *fs, const struct fat_boot *b)
{
	bool big = fs->bits == 32;
	uint32_t info = fat_get16(b->big.info);
	uint8_t state = big ? b->big.state : b->small.state;

	fs->serial = fat_get32(big ? b->big.serial : b->small.serial);
	if (big && info && info < fat_get16(b->reserved))
		fs->info_start = (uint64_t)info * fs->sector_size;
	fs->was_dirty = state & FAT_IN_USE;
}

/* --- FSInfo ----------------------------------------------------------------------------------------------- */

static bool
is_info(const struct fat_info_sector *i)
{
	return fat_get32(i->lead) == FAT_INFO_LEAD && fat_get32(i->mark) == FAT_INFO_MARK &&
		fat_get32(i->trail) == FAT_INFO_TRAIL;
}

/* How many clusters are free is known from the table itself; the hint where to look is good to have. */
static int
read_info(struct fat *fs)
{
	struct fat_info_sector i;
	int error;

	if (!fs->info_start)
		return 0;
	error = fs->disk->read(fs->disk, fs->info_start, &i, sizeof(i));
	if (error)
		return error;
	if (!is_info(&i)) {
		fat_log(fs, "no FSInfo where the boot sector says");
		fs->info_start = 0;
		return 0;
	}
	if (fat_is_cluster(fs, fat_get32(i.next)))
		fs->next = fat_get32(i.next);
	if (fat_get32(i.free) != UINT32_MAX && fat_get32(i.free) != fs->free && !fs->was_dirty)
		fat_log(fs, "FSInfo says %u clusters are free, the table %u", fat_get32(i.free), fs->free);
	return 0;
}

static int
write_info(struct fat *fs)
{
	struct fat_info_sector i;
	int error;

	if (!fs->info_start)
		return 0;
	error = fs->disk->read(fs->disk, fs->info_start, &i, sizeof(i));
	if (error)
		return error;
	fat_put32(i.free, fs->free);
	fat_put32(i.next, fs->next);
	return fs->disk->write(fs->disk, fs->info_start, &i, sizeof(i));
}

/* --- marks ------------------------------------------------------------------------------------------------ */

/* In the boot sector, where Linux and fsck.fat look, and in the table, where the specification has it. */
static int
write_marks(struct fat *fs, bool clean)
{
	size_t at = fs->bits == 32 ? offsetof(struct fat_boot, big.state) : offsetof(struct fat_boot, small.state);
	uint8_t state;
	int error = fs->disk->read(fs->disk, at, &state, 1);

	if (error)
		return error;
	state = (uint8_t)(clean ? state & ~FAT_IN_USE : state | FAT_IN_USE);
	error = fs->disk->write(fs->disk, at, &state, 1);
	if (error)
		return error;
	fat_table_mark(fs, clean);
	return fat_table_flush(fs);
}

bool
fat_writable(const struct fat *fs)
{
	return !fs->disk->read_only && !fs->damaged;
}

int
fat_begin(struct fat *fs)
{
	int error;

	if (!fat_writable(fs))
		return -EROFS;
	if (fs->marked)
		return 0;
	error = fs->was_dirty ? 0 : write_marks(fs, false);
	if (!error)
		fs->marked = true;
	return error;
}

int
fat_sync(struct fat *fs)
{
	int error = 0;

	if (fs->marked && fat_writable(fs)) {
		error = fat_table_flush(fs);
		if (!error)
			error = write_info(fs);
	}
	if (!error && !fs->disk->read_only)
		error = fs->disk->flush(fs->disk);
	return error;
}

/* --- opened and closed -------------------------------------------------------------------------------------- */

static void
release(struct fat *fs)
{
	fat_nodes_forget(fs);
	free(fs->by_ino);
	free(fs->by_place);
	free(fs->table);
	free(fs->table_dirty);
	free(fs->linked);
	free(fs->crossed);
	free(fs);
}

static int
read_all(struct fat *fs)
{
	struct fat_boot b;
	int error = read_boot_sector(fs, &b);

	if (error)
		return error;
	read_state(fs, &b);
	fs->next = FAT_FIRST;
	error = fat_table_load(fs);
	if (!error)
		error = read_info(fs);
	if (error)
		return error;
	fs->root = fat_node_root(fs);
	if (!fs->root)
		return -ENOMEM;
	if (fs->bits == 32)
		fs->root->first = fat_get32(b.big.root);
	error = fat_dir_load(fs->root);
	return error ? error : fat_check(fs);
}

int
fat_open(struct fat_disk *disk, struct fat **out)
{
	struct fat *fs = calloc(1, sizeof(*fs));
	int error;

	if (!fs)
		return -ENOMEM;
	fs->disk = disk;
	error = read_all(fs);
	if (error) {
		release(fs);
		return error;
	}
	if (fs->was_dirty)
		fat_log(fs, "the volume was not unmounted: it is as it was left, fsck.fat would know more");
	*out = fs;
	return 0;
}

int
fat_close(struct fat *fs)
{
	int error;

	/* Files that were removed while they were open free their clusters here. */
	fat_nodes_forget(fs);
	error = fat_sync(fs);
	if (!error && fs->marked && fat_writable(fs) && !fs->was_dirty)
		error = write_marks(fs, true);
	if (!error && !fs->disk->read_only)
		error = fs->disk->flush(fs->disk);
	release(fs);
	return error;
}

void
fat_space(const struct fat *fs, struct fat_space *out)
{
	out->block_size = fs->cluster_size;
	out->blocks = fs->clusters;
	out->free = fs->free;
}
