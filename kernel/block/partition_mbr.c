/* SPDX-License-Identifier: MIT */
/*
 * partition_mbr.c - the partition table of PCs: four entries in the first sector, and a chain of further ones in
 * an extended partition. Pure: reads by partition_reader, believes nothing.
 *
 *	offset  0x1b8  disk signature, 32 bits
 *	        0x1be  four entries of 16 bytes: boot flag (0 or 0x80), 3 bytes CHS, type, 3 bytes CHS,
 *	               first sector, sectors (32 bits each, counted in logical blocks)
 *	        0x1fe  0x55 0xaa
 *
 * Numbers 1 to 4 are the entries; 5 and up are the chain's, in its order. Of an extended partition itself only the
 * first two sectors show, enough for a boot loader.
 */
#include <tessera/string.h>
#include <tessera/print.h>

#include "partition.h"

#define ENTRIES      4u
#define ENTRY_OFFSET 0x1be
#define CHAIN_MAX    100u
#define TYPE_GPT     0xee

struct entry {
	uint8_t boot, type;
	uint64_t start, length; /* logical blocks */
};

static uint32_t
word(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static struct entry
entry_at(const uint8_t *sector, uint32_t i)
{
	const uint8_t *p = sector + ENTRY_OFFSET + i * 16;

	return (struct entry){ .boot = p[0], .type = p[4], .start = word(p + 8), .length = word(p + 12) };
}

static bool
has_magic(const uint8_t *sector)
{
	return sector[510] == 0x55 && sector[511] == 0xaa;
}

static bool
is_extended(uint8_t type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

static void
found(struct partition_reader *r, uint32_t number, uint64_t start, uint64_t blocks, uint32_t signature)
{
	char uuid[16];

	snprintf(uuid, sizeof(uuid), "%08x-%02x", signature, number);
	r->found(r, number, start * r->logical_block, blocks * r->logical_block, uuid, "");
}

/*
 * The logical partitions in the extended one at `first`, which has `blocks`. Each link is a sector like the first one of
 * the disk: up to two partitions that count from the link, and the next link, which counts from `first`.
 */
static int
read_chain(struct partition_reader *r, uint64_t first, uint64_t blocks, uint32_t signature)
{
	uint64_t at = first, room = blocks;
	uint32_t number = ENTRIES + 1;

	for (uint32_t links = 0; links < CHAIN_MAX && number <= BLOCK_PARTITIONS_MAX; links++) {
		bool next = false;
		int error;

		if ((at + 1) * r->logical_block > r->capacity) {
			r->complaint = "the chain of logical partitions leaves the disk";
			return 1;
		}
		error = r->read(r, at * r->logical_block, r->block, r->logical_block);
		if (error)
			return error;
		if (!has_magic(r->block)) {
			r->complaint = "a link of the chain of logical partitions is none";
			return 1;
		}
		for (uint32_t i = 0; i < ENTRIES && number <= BLOCK_PARTITIONS_MAX; i++) {
			struct entry e = entry_at(r->block, i);

			if (e.length == 0 || is_extended(e.type))
				continue;
			/* What stands third and fourth is often rubbish. */
			if (i >= 2 && (e.start + e.length > room || at + e.start < first ||
				       at + e.start + e.length > first + blocks))
				continue;
			found(r, number++, at + e.start, e.length, signature);
		}
		for (uint32_t i = 0; i < ENTRIES && !next; i++) {
			struct entry e = entry_at(r->block, i);

			if (e.length == 0 || !is_extended(e.type))
				continue;
			at = first + e.start;
			room = e.length;
			next = true;
		}
		if (!next)
			return 1;
	}
	r->complaint = "the chain of logical partitions does not end";
	return 1;
}

int
partition_read_mbr(struct partition_reader *r)
{
	struct entry entries[ENTRIES];
	uint32_t signature;
	int error = r->read(r, 0, r->block, r->logical_block);

	if (error)
		return error;
	if (!has_magic(r->block))
		return 0;
	for (uint32_t i = 0; i < ENTRIES; i++) {
		entries[i] = entry_at(r->block, i);
		if (entries[i].boot & 0x7f) /* a boot sector's code, say */
			return 0;
		if (entries[i].type == TYPE_GPT)
			return 0;
	}
	signature = word(r->block + 0x1b8);
	for (uint32_t i = 0; i < ENTRIES; i++) {
		struct entry *e = &entries[i];
		uint64_t shown = MAX(1024 / r->logical_block, 1u);

		if (e->length == 0)
			continue;
		if (!is_extended(e->type)) {
			found(r, i + 1, e->start, e->length, signature);
			continue;
		}
		found(r, i + 1, e->start, MIN(e->length, shown), signature);
		error = read_chain(r, e->start, e->length, signature);
		if (error < 0)
			return error;
	}
	return 1;
}
