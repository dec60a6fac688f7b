/* SPDX-License-Identifier: MIT */
/* partitions.c - partition tables of any bytes: nothing outside of the disk is read, and reading comes to an end. */
/* fuzz: kernel/block/partition_mbr.c kernel/block/partition_gpt.c kernel/lib/crc32.c */
#include "parser.h"

#include <errno.h>

#include <tessera/crc32.h>

#include "../../../kernel/block/partition.h"

#define TABLE_SIZE (32u << 10)

static const uint8_t *disk;
static unsigned int reads;

static int
read_disk(struct partition_reader *r, uint64_t offset, void *buf, size_t n)
{
	MUST(offset % r->logical_block == 0 && n % r->logical_block == 0);
	MUST(offset <= r->capacity && n <= r->capacity - offset);
	MUST(n <= r->logical_block || n <= TABLE_SIZE);
	MUST(++reads < 1000);
	memcpy(buf, disk + offset, n);
	return reads % 97 == 0 ? -EIO : 0;
}

static void
found(struct partition_reader *r, uint32_t number, uint64_t start, uint64_t length, const char *uuid,
      const char *label)
{
	MUST(number >= 1 && number <= BLOCK_PARTITIONS_MAX);
	MUST(strlen(uuid) < 40 && strlen(label) < 80);
	MUST(start + length >= start);
}

/* Checksums that are right, so that what they protect is reached. */
static void
mend(uint8_t *bytes, size_t size, uint32_t block)
{
	uint8_t *header = bytes + block;
	uint64_t table;
	uint32_t entries, length, sum;

	if (size < 3u * block)
		return;
	memcpy(&table, header + 72, 8);
	memcpy(&entries, header + 80, 4);
	memcpy(&length, header + 12, 4);
	if (table < size / block && entries <= (size - table * block) / 128) {
		sum = crc32(bytes + table * block, (size_t)entries * 128);
		memcpy(header + 88, &sum, 4);
	}
	if (length <= block) {
		memset(header + 16, 0, 4);
		sum = crc32(header, length);
		memcpy(header + 16, &sum, 4);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t block = size && data[0] & 1 ? 4096 : 512;
	uint8_t *bytes, *one, *table = malloc(TABLE_SIZE);
	struct partition_reader r = { .read = read_disk, .found = found, .table_size = TABLE_SIZE, .logical_block = block };

	size = size ? (size - 1) / block * block : 0;
	bytes = input_copy(data + 1, size);
	one = malloc(block);
	if (size >= block) {
		mend(bytes, size, block);
		disk = bytes;
		r.block = one;
		r.table = table;
		r.capacity = size;
		reads = 0;
		if (partition_read_gpt(&r) == 0)
			partition_read_mbr(&r);
	}
	free(table);
	free(one);
	free(bytes);
	return 0;
}
