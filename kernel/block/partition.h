/* SPDX-License-Identifier: MIT */
/*
 * partition.h - reading partition tables. Pure: no state, no locks, all memory is the caller's; tested on the host.
 */
#ifndef TESSERA_BLOCK_PARTITION_H
#define TESSERA_BLOCK_PARTITION_H

#include <tessera/types.h>

#define BLOCK_PARTITIONS_MAX 255u

struct partition_reader {
	/* `n` bytes at `offset`, both of whole logical blocks, inside of the capacity: 0 or an errno. */
	int (*read)(struct partition_reader *r, uint64_t offset, void *buf, size_t n);
	/* A partition was found. Its range is as the table says: nothing is checked. */
	void (*found)(struct partition_reader *r, uint32_t number, uint64_t start, uint64_t length,
		      const char *uuid, const char *label);
	uint8_t *block;          /* space for one logical block */
	uint8_t *table;          /* and for a table */
	size_t table_size;
	uint32_t logical_block;
	uint64_t capacity;       /* bytes, whole logical blocks */
	const char *complaint;   /* what is wrong with the table, NULL: nothing */
};

/* 1: the table was there, 0: there is none of that kind, or an errno. */
int partition_read_gpt(struct partition_reader *r);
int partition_read_mbr(struct partition_reader *r);

#endif
