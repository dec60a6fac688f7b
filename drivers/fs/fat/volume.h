/* SPDX-License-Identifier: MIT */
/* volume.h - what the parts of the FAT library use of each other. */
#ifndef FAT_VOLUME_H
#define FAT_VOLUME_H

#include "fat.h"

/* --- volume.c */

/* Before anything is changed: -EROFS, or the volume is marked as in use. */
int fat_begin(struct fat *fs);
/* Something on the disk makes no sense: a line in the log, and the volume is read-only from now on. Returns -EIO. */
int fat_damage(struct fat *fs, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fat_log(struct fat *fs, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline bool
fat_is_cluster(const struct fat *fs, uint32_t c)
{
	return c >= FAT_FIRST && c - FAT_FIRST < fs->clusters;
}

static inline uint64_t
fat_cluster_offset(const struct fat *fs, uint32_t c)
{
	return fs->data_start + (uint64_t)(c - FAT_FIRST) * fs->cluster_size;
}

static inline bool
fat_bit(const uint8_t *bits, uint32_t n)
{
	return bits[n / 8] >> n % 8 & 1;
}

static inline void
fat_bit_set(uint8_t *bits, uint32_t n, bool value)
{
	if (value)
		bits[n / 8] |= (uint8_t)(1u << n % 8);
	else
		bits[n / 8] &= (uint8_t)~(1u << n % 8);
}

/* --- table.c: numbers of the table, made alike for all its widths */

#define FAT_FREE 0u
#define FAT_BAD  0x0ffffff7u
#define FAT_END  0x0fffffffu /* and all that is not less than fffffff8 there */

int fat_table_load(struct fat *fs);
uint32_t fat_table_get(const struct fat *fs, uint32_t c);
/* Write what changed to all copies. */
int fat_table_flush(struct fat *fs);
/* The two bits of the volume's state in entry 1. */
void fat_table_mark(struct fat *fs, bool clean);
/* Add n clusters behind `last` (0: a new chain), and store their numbers. -ENOSPC changes nothing. */
int fat_table_grow(struct fat *fs, uint32_t last, uint32_t n, uint32_t *out);
/* The chain that ends with `last` goes on at c. */
int fat_table_link(struct fat *fs, uint32_t last, uint32_t c);
/* Free n clusters of a chain; the one before them, unless it is 0, becomes its end. */
void fat_table_cut(struct fat *fs, uint32_t last, const uint32_t *clusters, uint32_t n);
/*
 * The clusters of the chain that begins at `first`: *out and its *length, which the caller frees. -EIO for a chain that
 * leaves the table, meets a free, bad or crossed cluster, or has more than `most`.
 */
int fat_table_chain(struct fat *fs, uint32_t first, uint32_t most, uint32_t **out, uint32_t *length);

/* --- check.c */

int fat_check(struct fat *fs);

/* --- name.c: names are UTF-16, lengths in its units */

/* Without dots at the end. -EINVAL, -ENAMETOOLONG, -ENOENT when nothing is left. */
int fat_name_from_utf8(const char *text, uint16_t *out, uint32_t *length);
/* May a file be made with that name? */
bool fat_name_is_good(const uint16_t *name, uint32_t length);
bool fat_name_same(const uint16_t *a, uint32_t a_length, const uint16_t *b, uint32_t b_length);
uint8_t fat_name_checksum(const uint8_t *alias);
/* A slot's short name as it is shown. Returns the length, 0 for what cannot be shown. */
uint32_t fat_name_from_alias(const uint8_t *alias, uint8_t lower, uint16_t *out);
/*
 * The short name of a long one, without a number. Returns true when it says all: the file needs no long name.
 * *exact: no letter but its case was lost, so that it may do without a number.
 */
bool fat_name_alias(const uint16_t *name, uint32_t length, uint8_t *alias, bool *exact);
/* Put "~number" behind what there is room for, and the name's checksum before it if that is not 0. */
void fat_name_number(const uint8_t *alias, uint32_t hash, unsigned int number, uint8_t *out);
uint16_t fat_name_from_oem(uint8_t byte);
uint8_t fat_name_to_oem(uint16_t unit); /* 0: there is none */

/* --- time.c */

struct fat_time fat_time_now(struct fat *fs);
struct fat_time fat_time_decode(uint32_t date, uint32_t time, uint8_t fine);
/* As the nearest earlier time that the format has. */
void fat_time_encode(struct fat_time t, uint32_t *date, uint32_t *time, uint8_t *fine);
struct fat_time fat_time_to_2s(struct fat_time t);
struct fat_time fat_time_to_day(struct fat_time t);

/* --- directory.c */

int fat_dir_load(struct fat_node *dir);
/* All slots from *slot on; as fat_list(), but of bytes. */
int fat_dir_next(struct fat *fs, const uint8_t *slots, uint32_t count, uint32_t *slot, struct fat_entry *out);
int fat_dir_find(struct fat_node *dir, const uint16_t *name, uint32_t length, struct fat_entry *out);
bool fat_dir_is_empty(struct fat_node *dir);
/* Put `proto` under this name, which is not there; *out is its slot. */
int fat_dir_add(struct fat_node *dir, const uint16_t *name, uint32_t length, const struct fat_slot *proto, uint32_t *out);
int fat_dir_remove(struct fat_node *dir, const struct fat_entry *e);
/* The first of n slots in a row that are free; the directory may grow. -ENOSPC. */
int fat_dir_room(struct fat_node *dir, uint32_t n, uint32_t *out);
/* They were filled: write them. */
int fat_dir_use(struct fat_node *dir, uint32_t slot, uint32_t n);
/* Bring the disk to what slots[slot], n of them, are. */
int fat_dir_write(struct fat_node *dir, uint32_t slot, uint32_t n);
uint64_t fat_dir_offset(const struct fat_node *dir, uint32_t slot);
static inline struct fat_slot *
fat_dir_slot(const struct fat_node *dir, uint32_t slot)
{
	return (struct fat_slot *)(dir->slots + (size_t)slot * FAT_SLOT_SIZE);
}
uint32_t fat_slot_cluster(const struct fat *fs, const struct fat_slot *s);
void fat_slot_set_cluster(const struct fat *fs, struct fat_slot *s, uint32_t cluster);

/* --- node.c */

struct fat_node *fat_node_root(struct fat *fs);
/* The node of what lies there, if somebody knows it; no reference. */
struct fat_node *fat_node_at(struct fat_node *dir, uint32_t slot);
/* It lies there from now on. */
void fat_node_move(struct fat_node *n, struct fat_node *dir, uint32_t slot);
/* It lies nowhere, as its slot is free or another's. */
void fat_node_remove(struct fat_node *n);
static inline bool
fat_node_is_gone(const struct fat_node *n)
{
	return n->slot == FAT_GONE && n != n->fs->root;
}
/* The slot gets what the node holds. */
int fat_node_store(struct fat_node *n);
/* Read the chain. */
int fat_node_chain(struct fat_node *n);
/* Have that many clusters at least. The caller stores the node, as the first may be new. */
int fat_node_grow(struct fat_node *n, uint32_t clusters);
/* The same by one, which is zeros before the chain leads to it: what was in it is never seen there. */
int fat_node_grow_zero(struct fat_node *n);
void fat_nodes_forget(struct fat *fs);

/* --- file.c */

/* Of the bytes of a chain, which has as many. */
int fat_chain_io(struct fat_node *n, uint64_t offset, void *bytes, size_t size, bool write);
/* Bytes [from, to) of the chain. */
int fat_zero(struct fat_node *n, uint64_t from, uint64_t to);

#endif
