/* SPDX-License-Identifier: MIT */
/*
 * partition_gpt.c - the GUID partition table (UEFI 2.10, chapter 5). Pure: reads by partition_reader, believes
 * nothing that its checksums and the disk's size do not bear out.
 *
 *	block 0       an MBR with an entry of type 0xee that begins at block 1
 *	block 1       header:  0 "EFI PART"     8 revision       12 size of the header   16 its CRC
 *	                      24 own block     32 the other's   40 first usable block   48 last usable block
 *	                      56 disk GUID     72 block of the table                    80 entries
 *	                      84 size of one   88 CRC of the table
 *	table         entries: 0 type GUID (zero: unused)  16 own GUID  32 first block  40 last block
 *	                      48 attributes    56 name, 36 times UTF-16
 *	last block    a second header, with a table of its own before it
 *
 * Where the first header or its table is damaged there are no partitions, as on Linux without "gpt": the
 * second copy may be older than the first. Repairing is for partitioning programs; the log says what is wrong.
 */
#include <tessera/crc32.h>
#include <tessera/print.h>
#include <tessera/string.h>

#include "partition.h"

#define HEADER_MIN   92u
#define ENTRY_SIZE   128u
#define NAME_UNITS   36u

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t
get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

struct header {
	uint64_t table;
	uint32_t entries;
};

static bool
is_protected(const uint8_t *sector)
{
	if (sector[510] != 0x55 || sector[511] != 0xaa)
		return false;
	for (const uint8_t *e = sector + 0x1be; e < sector + 0x1fe; e += 16)
		if (e[4] == 0xee && get32(e + 8) == 1)
			return true;
	return false;
}

/* What is wrong with the header in r->block, said to be block `at`: NULL, nothing. */
static const char *
check_header(struct partition_reader *r, uint64_t at, struct header *h)
{
	uint8_t *p = r->block;
	uint64_t last = r->capacity / r->logical_block - 1;
	uint32_t size = get32(p + 12), crc = get32(p + 16), found;

	if (memcmp(p, "EFI PART", 8) != 0)
		return "there is no header";
	if (size < HEADER_MIN || size > r->logical_block)
		return "the header's size is wrong";
	memset(p + 16, 0, 4);
	found = crc32(p, size);
	if (found != crc)
		return "the header's checksum is wrong";
	if (get64(p + 24) != at)
		return "the header belongs elsewhere";
	if (get64(p + 40) > get64(p + 48) || get64(p + 48) > last)
		return "the usable blocks are not on the disk";
	if (get32(p + 84) != ENTRY_SIZE)
		return "entries are not of 128 bytes";
	h->table = get64(p + 72);
	h->entries = get32(p + 80);
	if (h->entries == 0 || h->entries > r->table_size / ENTRY_SIZE)
		return "the number of entries is wrong";
	if (h->table > last || (uint64_t)h->entries * ENTRY_SIZE > (last + 1 - h->table) * r->logical_block)
		return "the table is not on the disk";
	return NULL;
}

static void
print_guid(char *out, size_t size, const uint8_t *g)
{
	snprintf(out, size, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", g[3], g[2], g[1],
		 g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]);
}

/* As far as it is ASCII; the rest becomes '!'. */
static void
print_name(char *out, const uint8_t *units)
{
	uint32_t i;

	for (i = 0; i < NAME_UNITS; i++) {
		uint32_t c = (uint32_t)units[i * 2] | (uint32_t)units[i * 2 + 1] << 8;

		if (c == 0)
			break;
		out[i] = c >= ' ' && c < 0x7f ? (char)c : '!';
	}
	out[i] = '\0';
}

static void
take_entry(struct partition_reader *r, uint32_t number, const uint8_t *e)
{
	static const uint8_t unused[16];
	uint64_t first = get64(e + 32), last = get64(e + 40), end = r->capacity / r->logical_block - 1;
	char uuid[40], name[NAME_UNITS + 1];

	if (memcmp(e, unused, sizeof(unused)) == 0)
		return;
	if (first > end || last > end || last < first) {
		r->complaint = "an entry's range is not on the disk";
		return;
	}
	print_guid(uuid, sizeof(uuid), e + 16);
	print_name(name, e + 56);
	r->found(r, number, first * r->logical_block, (last - first + 1) * r->logical_block, uuid, name);
}

int
partition_read_gpt(struct partition_reader *r)
{
	struct header h;
	uint32_t wanted;
	size_t bytes;
	int error;

	if (r->capacity < 3ull * r->logical_block)
		return 0;
	error = r->read(r, 0, r->block, r->logical_block);
	if (error)
		return error;
	if (!is_protected(r->block))
		return 0;
	error = r->read(r, r->logical_block, r->block, r->logical_block);
	if (error)
		return error;
	r->complaint = check_header(r, 1, &h);
	if (r->complaint)
		return 0;
	wanted = get32(r->block + 88);
	bytes = (size_t)h.entries * ENTRY_SIZE;
	error = r->read(r, h.table * r->logical_block, r->table, ALIGN_UP(bytes, (size_t)r->logical_block));
	if (error)
		return error;
	if (crc32(r->table, bytes) != wanted) {
		r->complaint = "the table's checksum is wrong";
		return 0;
	}
	for (uint32_t i = 0; i < h.entries && i < BLOCK_PARTITIONS_MAX; i++)
		take_entry(r, i + 1, r->table + i * ENTRY_SIZE);
	return 1;
}
