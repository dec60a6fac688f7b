/* SPDX-License-Identifier: MIT */
/* fat_image.h - a disk in memory for tests of drivers/fs/fat, and a FAT file system on it, made by the specification. */
#ifndef FAT_IMAGE_H
#define FAT_IMAGE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../../drivers/fs/fat/volume.h"

struct image {
	struct fat_disk disk;
	uint8_t *bytes;
	long writes;             /* that were made */
	long writes_left;        /* < 0: as many as you like; then none succeeds any more */
	unsigned int lines;      /* of the log */
};

static inline struct image *
image_of(struct fat_disk *disk)
{
	return (struct image *)((char *)disk - offsetof(struct image, disk));
}

static inline int
image_read(struct fat_disk *disk, uint64_t offset, void *to, size_t n)
{
	if (offset > disk->size || n > disk->size - offset)
		return -EIO;
	memcpy(to, image_of(disk)->bytes + offset, n);
	return 0;
}

static inline int
image_write(struct fat_disk *disk, uint64_t offset, const void *from, size_t n)
{
	struct image *i = image_of(disk);

	if (offset > disk->size || n > disk->size - offset)
		abort();
	if (i->writes_left == 0)
		return -EIO;
	i->writes_left -= i->writes_left > 0;
	i->writes++;
	memcpy(i->bytes + offset, from, n);
	return 0;
}

static inline int
image_flush(struct fat_disk *disk)
{
	return 0;
}

static inline int64_t
image_now(uint32_t *nanoseconds)
{
	*nanoseconds = 570000000;
	return 1700000001; /* 2023-11-14 22:13:21 */
}

static inline void
image_wrap(struct image *i, uint8_t *bytes, uint64_t size)
{
	memset(i, 0, sizeof(*i));
	i->disk = (struct fat_disk){ .read = image_read, .write = image_write, .flush = image_flush, .size = size,
				     .now = image_now };
	i->bytes = bytes;
	i->writes_left = -1;
}

/* An empty volume with sectors of 512 bytes and two tables. The caller frees i->bytes. */
static inline void
image_format(struct image *i, unsigned int bits, uint32_t sectors, uint32_t cluster_sectors)
{
	uint32_t reserved = bits == 32 ? 8 : 1, root = bits == 32 ? 0 : 64;
	uint32_t table = ((sectors / cluster_sectors + 2) * bits + 8 * 512 - 1) / (8 * 512);
	struct fat_boot *b;
	size_t data;

	image_wrap(i, calloc(sectors, 512), (uint64_t)sectors * 512);
	b = (struct fat_boot *)i->bytes;
	fat_put16(b->sector_size, 512);
	b->cluster_sectors = (uint8_t)cluster_sectors;
	fat_put16(b->reserved, reserved);
	b->tables = 2;
	fat_put16(b->root_entries, root);
	fat_put32(b->sectors32, sectors);
	b->media = 0xf8;
	b->mark[0] = 0x55;
	b->mark[1] = 0xaa;
	if (bits == 32) {
		struct fat_info_sector *info = (struct fat_info_sector *)(i->bytes + 512);

		fat_put32(b->big.table_sectors, table);
		fat_put32(b->big.root, 2);
		fat_put16(b->big.info, 1);
		fat_put16(b->big.backup, 6);
		b->big.signature = FAT_EXTENDED;
		fat_put32(info->lead, FAT_INFO_LEAD);
		fat_put32(info->mark, FAT_INFO_MARK);
		fat_put32(info->trail, FAT_INFO_TRAIL);
		fat_put32(info->free, UINT32_MAX);
		fat_put32(info->next, UINT32_MAX);
	} else {
		fat_put16(b->table_sectors16, table);
		b->small.signature = FAT_EXTENDED;
	}
	for (unsigned int copy = 0; copy < 2; copy++) {
		uint8_t *t = i->bytes + (reserved + copy * table) * 512;

		memcpy(t, bits == 12 ? "\xf8\xff\xff" : "\xf8\xff\xff\xff", bits == 12 ? 3 : 4);
		if (bits == 32)
			memcpy(t, "\xf8\xff\xff\x0f\xff\xff\xff\x0f\xff\xff\xff\x0f", 12);
	}
	if (bits == 32)
		memcpy(i->bytes + 6 * 512, i->bytes, 512);
	/* Clusters hold what somebody has left there; the root directory is empty. */
	data = (reserved + 2 * table) * 512ul + (bits == 32 ? cluster_sectors * 512ul : root * 32ul);
	memset(i->bytes + data, 'A', i->disk.size - data);
}

#endif
