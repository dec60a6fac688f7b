/* SPDX-License-Identifier: MIT */
/*
 * check.c - all directories are read once when a volume is opened: no two slots may lead to one cluster, and none
 * into the midst of a chain.
 *
 * fat_table_load() found the clusters that two chains go on at; this marks the clusters that two slots begin at. What is
 * found is crossed from then on: nothing is read through it, and the volume is read-only. Each directory is read once,
 * because its first cluster is claimed once: directories in a circle come to an end.
 *
 * A slot that a renaming had marked when it was interrupted comes last. Where another leads to its file by then, it is
 * removed, else nothing had been moved yet.
 */
#include <errno.h>
#include <stdlib.h>

#include "volume.h"

#define NO_SLOT UINT32_MAX

/* A directory to be read, or one slot of it that is marked. `first` 0: the root. */
struct place {
	uint32_t first, slot;
};

struct places {
	struct place *at;
	uint32_t count, room;
};

struct check {
	struct fat *fs;
	uint8_t *claimed;        /* a bit for each cluster: a slot leads to it */
	struct places waiting, marked;
};

static int
wait_for(struct places *p, uint32_t first, uint32_t slot)
{
	if (p->count == p->room) {
		uint32_t room = p->room ? 2 * p->room : 64;
		struct place *more = realloc(p->at, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		p->at = more;
		p->room = room;
	}
	p->at[p->count++] = (struct place){ first, slot };
	return 0;
}

/* A slot leads to c. Returns whether it may be followed. */
static bool
claim(struct check *k, uint32_t c)
{
	struct fat *fs = k->fs;

	if (!fat_is_cluster(fs, c)) {
		(void)fat_damage(fs, "a slot leads to cluster %u, which there is not", c);
		return false;
	}
	if (fat_bit(k->claimed, c) || fat_bit(fs->linked, c) || fat_bit(fs->crossed, c)) {
		fat_bit_set(fs->crossed, c, true);
		(void)fat_damage(fs, "cluster %u belongs to two files", c);
		return false;
	}
	fat_bit_set(k->claimed, c, true);
	if (fat_table_get(fs, c) == FAT_FREE || fat_table_get(fs, c) == FAT_BAD) {
		(void)fat_damage(fs, "a file begins at cluster %u, which is free or bad", c);
		return false;
	}
	return true;
}

/* Claim what a slot leads to; a directory is read later. */
static int
follow(struct check *k, uint32_t cluster, bool directory)
{
	return claim(k, cluster) && directory ? wait_for(&k->waiting, cluster, NO_SLOT) : 0;
}

static int
look_through(struct check *k, struct fat_node *dir)
{
	struct fat_entry e;
	uint32_t slot = 0;
	int found, error = 0;

	while (!error && (found = fat_list(dir, &slot, &e)) > 0) {
		const struct fat_slot *s = fat_dir_slot(dir, e.slot);
		uint32_t c = fat_slot_cluster(k->fs, s);
		bool directory = e.attributes & FAT_DIRECTORY;

		if (c == 0 && !directory)
			continue;
		if (s->lower & FAT_MOVING && k->fs->was_dirty)
			error = wait_for(&k->marked, dir == k->fs->root ? 0 : dir->first, e.slot);
		else
			error = follow(k, c, directory);
	}
	return error ? error : found;
}

static int
end_move(struct check *k, struct fat_node *dir, uint32_t slot)
{
	struct fat_entry e;
	struct fat_slot *s;
	uint32_t c;

	if (fat_list(dir, &slot, &e) <= 0)
		return 0;
	s = fat_dir_slot(dir, e.slot);
	c = fat_slot_cluster(k->fs, s);
	if (fat_is_cluster(k->fs, c) && fat_bit(k->claimed, c) && !fat_bit(k->fs->crossed, c)) {
		fat_log(k->fs, "a file that was being renamed has its new name");
		return fat_writable(k->fs) ? fat_dir_remove(dir, &e) : 0;
	}
	s->lower = (uint8_t)(s->lower & ~FAT_MOVING);
	if (fat_writable(k->fs) && fat_dir_write(dir, e.slot, 1) < 0)
		return -EIO;
	return follow(k, c, e.attributes & FAT_DIRECTORY);
}

/* A place that waits. What cannot be read was told of where it was found. */
static int
look_at(struct check *k, struct place p)
{
	struct fat_node other = { .fs = k->fs, .attributes = FAT_DIRECTORY, .first = p.first, .slot = FAT_GONE };
	struct fat_node *dir = p.first ? &other : k->fs->root;
	int error = p.slot == NO_SLOT ? look_through(k, dir) : end_move(k, dir, p.slot);

	free(other.chain);
	free(other.slots);
	return error == -ENOMEM ? error : 0;
}

/* All that waits, and last those that are marked; behind them there may be directories again. */
static int
look_at_all(struct check *k)
{
	int error = 0;

	while (!error && (k->waiting.count || k->marked.count)) {
		struct places *p = k->waiting.count ? &k->waiting : &k->marked;

		error = look_at(k, p->at[--p->count]);
	}
	return error;
}

int
fat_check(struct fat *fs)
{
	struct check k = { .fs = fs, .claimed = calloc(1, ((size_t)fs->clusters + FAT_FIRST) / 8 + 1) };
	int error = k.claimed ? 0 : -ENOMEM;

	if (!error && fs->bits == 32)
		(void)claim(&k, fs->root->first);
	if (!error)
		error = look_through(&k, fs->root);
	if (!error)
		error = look_at_all(&k);
	free(k.claimed);
	free(k.waiting.at);
	free(k.marked.at);
	return error;
}
