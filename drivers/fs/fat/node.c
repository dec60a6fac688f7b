/* SPDX-License-Identifier: MIT */
/*
 * node.c - files that somebody knows: found by number and by place, counted, given back.
 *
 * A number is that of the place where the node was first met (its slot's position on the disk), so that it is the same
 * each time; a node that moved keeps its number, and another that comes to its old place meanwhile gets one that no
 * place has.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "volume.h"

#define ROOT_INO  1u
#define PLACE_INO 2u                    /* of the first slot */
#define FREE_INO  ((uint64_t)1 << 48)   /* from here on: no place has them */

/* --- hash tables ------------------------------------------------------------------------------------------ */

static size_t
ino_hash(const struct fat *fs, uint64_t ino)
{
	return (size_t)(ino * 0x9e3779b97f4a7c15u >> 20) & (fs->hash_size - 1);
}

static size_t
place_hash(const struct fat *fs, const struct fat_node *dir, uint32_t slot)
{
	return ino_hash(fs, (uint64_t)(uintptr_t)dir / 16 + slot);
}

static void
link_place(struct fat_node *n)
{
	size_t h;

	if (n->slot == FAT_GONE)
		return;
	h = place_hash(n->fs, n->dir, n->slot);
	n->next_place = n->fs->by_place[h];
	n->fs->by_place[h] = n;
}

static void
unlink_place(struct fat_node *n)
{
	struct fat_node **p;

	if (n->slot == FAT_GONE)
		return;
	for (p = &n->fs->by_place[place_hash(n->fs, n->dir, n->slot)]; *p != n; p = &(*p)->next_place)
		;
	*p = n->next_place;
}

static void
link_ino(struct fat_node *n)
{
	size_t h = ino_hash(n->fs, n->ino);

	n->next_ino = n->fs->by_ino[h];
	n->fs->by_ino[h] = n;
}

static void
unlink_ino(struct fat_node *n)
{
	struct fat_node **p;

	for (p = &n->fs->by_ino[ino_hash(n->fs, n->ino)]; *p != n; p = &(*p)->next_ino)
		;
	*p = n->next_ino;
}

/* Room for one more. */
static int
make_room(struct fat *fs)
{
	struct fat_node **ino, **place, **old = fs->by_ino;
	size_t was = fs->hash_size, size = was ? 2 * was : 64;

	if (fs->nodes < was)
		return 0;
	ino = calloc(size, sizeof(struct fat_node *));
	place = calloc(size, sizeof(struct fat_node *));
	if (!ino || !place) {
		free(ino);
		free(place);
		return was ? 0 : -ENOMEM;
	}
	free(fs->by_place);
	fs->by_ino = ino;
	fs->by_place = place;
	fs->hash_size = size;
	for (size_t i = 0; i < was; i++) {
		for (struct fat_node *n = old[i], *next; n; n = next) {
			next = n->next_ino;
			link_ino(n);
			link_place(n);
		}
	}
	free(old);
	return 0;
}

struct fat_node *
fat_node_find(struct fat *fs, uint64_t ino)
{
	struct fat_node *n = fs->by_ino[ino_hash(fs, ino)];

	while (n && n->ino != ino)
		n = n->next_ino;
	return n;
}

struct fat_node *
fat_node_at(struct fat_node *dir, uint32_t slot)
{
	struct fat_node *n = dir->fs->by_place[place_hash(dir->fs, dir, slot)];

	while (n && (n->dir != dir || n->slot != slot))
		n = n->next_place;
	return n;
}

/* --- birth -------------------------------------------------------------------------------------------------- */

static struct fat_node *
create(struct fat *fs, struct fat_node *dir, uint32_t slot)
{
	struct fat_node *n = make_room(fs) == 0 ? calloc(1, sizeof(*n)) : NULL;

	if (!n)
		return NULL;
	n->fs = fs;
	n->refs = 1;
	n->slot = slot;
	n->dir = dir;
	n->generation = ++fs->generation;
	n->ino = dir ? PLACE_INO + fat_dir_offset(dir, slot) / FAT_SLOT_SIZE : ROOT_INO;
	if (fat_node_find(fs, n->ino))
		n->ino = FREE_INO + n->generation;
	if (dir)
		dir->refs++;
	fs->nodes++;
	link_ino(n);
	link_place(n);
	return n;
}

struct fat_node *
fat_node_root(struct fat *fs)
{
	struct fat_node *n = create(fs, NULL, FAT_GONE);

	if (n) {
		n->attributes = FAT_DIRECTORY;
		n->created = n->modified = n->accessed = fat_time_decode(0, 0, 0);
	}
	return n;
}

static void
take_slot(struct fat_node *n, const struct fat_slot *s)
{
	n->attributes = s->attributes;
	n->first = fat_slot_cluster(n->fs, s);
	n->size = fat_is_directory(n) ? 0 : fat_get32(s->size);
	n->created = fat_time_decode(fat_get16(s->created_date), fat_get16(s->created_time), s->created_fine);
	n->modified = fat_time_decode(fat_get16(s->modified_date), fat_get16(s->modified_time), 0);
	n->accessed = fat_time_decode(fat_get16(s->accessed_date), 0, 0);
}

int
fat_node_of(struct fat_node *dir, const struct fat_entry *e, struct fat_node **out)
{
	struct fat_node *n = fat_node_at(dir, e->slot);
	const struct fat_slot *s = fat_dir_slot(dir, e->slot);

	if (n) {
		n->refs++;
	} else {
		if (s->attributes & FAT_DIRECTORY && fat_slot_cluster(dir->fs, s) == 0)
			return fat_damage(dir->fs, "a directory without clusters");
		n = create(dir->fs, dir, e->slot);
		if (!n)
			return -ENOMEM;
		take_slot(n, s);
	}
	*out = n;
	return 0;
}

uint64_t
fat_entry_ino(const struct fat_node *dir, const struct fat_entry *e)
{
	const struct fat_node *n = fat_node_at((struct fat_node *)dir, e->slot);

	return n ? n->ino : PLACE_INO + fat_dir_offset(dir, e->slot) / FAT_SLOT_SIZE;
}

/* --- life --------------------------------------------------------------------------------------------------- */

void
fat_node_move(struct fat_node *n, struct fat_node *dir, uint32_t slot)
{
	struct fat_node *old = n->dir;

	unlink_place(n);
	n->dir = dir;
	n->slot = slot;
	if (dir)
		dir->refs++;
	link_place(n);
	if (old)
		fat_node_put(old, 1);
}

int
fat_node_store(struct fat_node *n)
{
	uint32_t date, time;
	struct fat_slot *s;
	uint8_t fine;

	if (n->slot == FAT_GONE)
		return 0;
	s = fat_dir_slot(n->dir, n->slot);
	s->attributes = n->attributes;
	fat_slot_set_cluster(n->fs, s, n->first);
	fat_put32(s->size, n->size);
	fat_time_encode(n->created, &date, &time, &s->created_fine);
	fat_put16(s->created_date, date);
	fat_put16(s->created_time, time);
	fat_time_encode(n->modified, &date, &time, &fine);
	fat_put16(s->modified_date, date);
	fat_put16(s->modified_time, time);
	fat_time_encode(n->accessed, &date, &time, &fine);
	fat_put16(s->accessed_date, date);
	return fat_dir_write(n->dir, n->slot, 1);
}

int
fat_node_chain(struct fat_node *n)
{
	int error;

	if (n->chained)
		return 0;
	if (n->first) {
		error = fat_table_chain(n->fs, n->first, n->fs->clusters, &n->chain, &n->length);
		if (error)
			return error;
		n->room = n->length;
	}
	if ((uint64_t)n->length * n->fs->cluster_size < n->size) {
		free(n->chain);
		n->chain = NULL;
		n->length = n->room = 0;
		return fat_damage(n->fs, "a file of %u bytes has too few clusters", n->size);
	}
	n->chained = true;
	return 0;
}

/* Memory for a chain of that many. */
static int
extend_chain(struct fat_node *n, uint32_t clusters)
{
	uint32_t room = clusters + clusters / 4 + 4;
	uint32_t *chain;

	if (clusters <= n->room)
		return 0;
	chain = realloc(n->chain, room * sizeof(*chain));
	if (!chain)
		return -ENOMEM;
	n->chain = chain;
	n->room = room;
	return 0;
}

int
fat_node_grow_zero(struct fat_node *n)
{
	struct fat *fs = n->fs;
	uint8_t *zeros;
	uint32_t c;
	int error = fat_node_chain(n);

	if (!error)
		error = extend_chain(n, n->length + 1);
	if (error)
		return error;
	zeros = calloc(1, fs->cluster_size);
	if (!zeros)
		return -ENOMEM;
	error = fat_table_grow(fs, 0, 1, &c);
	if (error)
		goto out;
	error = fs->disk->write(fs->disk, fat_cluster_offset(fs, c), zeros, fs->cluster_size);
	if (!error && n->length)
		error = fat_table_link(fs, n->chain[n->length - 1], c);
	if (error) {
		fat_table_cut(fs, n->length ? n->chain[n->length - 1] : 0, &c, 1);
		goto out;
	}
	n->chain[n->length++] = c;
	n->first = n->chain[0];
out:
	free(zeros);
	return error;
}

int
fat_node_grow(struct fat_node *n, uint32_t clusters)
{
	int error = fat_node_chain(n);

	if (error || clusters <= n->length)
		return error;
	if (clusters - n->length > n->fs->free)
		return -ENOSPC;
	error = extend_chain(n, clusters);
	if (error)
		return error;
	error = fat_table_grow(n->fs, n->length ? n->chain[n->length - 1] : 0, clusters - n->length, n->chain + n->length);
	if (error)
		return error;
	n->length = clusters;
	n->first = n->chain[0];
	return 0;
}

int
fat_clusters_of(struct fat_node *n, uint32_t *out)
{
	int error = fat_node_chain(n);

	*out = n->length;
	return error;
}

/* --- death -------------------------------------------------------------------------------------------------- */

/* What nobody can name or has open any more leaves its clusters, and is empty. */
static void
free_clusters(struct fat_node *n)
{
	if (!fat_node_is_gone(n) || !n->first || fat_begin(n->fs) != 0 || fat_node_chain(n) != 0)
		return;
	fat_table_cut(n->fs, 0, n->chain, n->length);
	(void)fat_table_flush(n->fs);
	n->first = n->length = n->size = n->slot_end = 0;
}

void
fat_node_remove(struct fat_node *n)
{
	fat_node_move(n, NULL, FAT_GONE);
	if (!n->opens)
		free_clusters(n);
}

int
fat_node_open(struct fat_node *n)
{
	if (fat_node_is_gone(n) && !n->opens)
		return -ESTALE;
	n->opens++;
	return 0;
}

void
fat_node_close(struct fat_node *n)
{
	if (--n->opens == 0)
		free_clusters(n);
}

static void
release(struct fat_node *n)
{
	free(n->chain);
	free(n->slots);
	free(n);
}

void
fat_node_hold(struct fat_node *n)
{
	n->refs++;
}

void
fat_node_put(struct fat_node *n, uint64_t refs)
{
	while (n) {
		struct fat_node *dir = n->dir;

		n->refs = refs < n->refs ? n->refs - (uint32_t)refs : 0;
		if (n->refs || n == n->fs->root)
			return;
		free_clusters(n);
		unlink_place(n);
		unlink_ino(n);
		n->fs->nodes--;
		release(n);
		n = dir;
		refs = 1;
	}
}

void
fat_nodes_forget(struct fat *fs)
{
	for (size_t i = 0; i < fs->hash_size; i++)
		for (struct fat_node *n = fs->by_ino[i]; n; n = n->next_ino)
			free_clusters(n);
	for (size_t i = 0; i < fs->hash_size; i++) {
		for (struct fat_node *n = fs->by_ino[i], *next; n; n = next) {
			next = n->next_ino;
			release(n);
		}
		fs->by_ino[i] = fs->by_place[i] = NULL;
	}
	fs->root = NULL;
	fs->nodes = 0;
}
