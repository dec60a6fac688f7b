/* SPDX-License-Identifier: MIT */
/*
 * check.c - all directories are read once when a volume is opened: no two slots may lead to one cluster, and none
 * into the midst of a chain.
 *
 * fat_table_load() found the clusters that two chains go on at; this marks the clusters that two slots begin at. What is
 * found is crossed from then on: nothing is read through it, and the volume is read-only. Each directory is read once,
 * because its first cluster is claimed once: directories in a circle come to an end.
 */
#include <errno.h>
#include <stdlib.h>

#include "volume.h"

struct check {
	struct fat *fs;
	uint8_t *claimed;        /* a bit for each cluster: a slot leads to it */
	uint32_t *waiting;       /* first clusters of directories to read */
	uint32_t count, room;
};

static int
wait_for(struct check *k, uint32_t cluster)
{
	if (k->count == k->room) {
		uint32_t room = k->room ? 2 * k->room : 64;
		uint32_t *more = realloc(k->waiting, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		k->waiting = more;
		k->room = room;
	}
	k->waiting[k->count++] = cluster;
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

static int
look_through(struct check *k, struct fat_node *dir)
{
	struct fat_entry e;
	uint32_t slot = 0;
	int found;

	while ((found = fat_list(dir, &slot, &e)) > 0) {
		uint32_t c = fat_slot_cluster(k->fs, fat_dir_slot(dir, e.slot));
		bool directory = e.attributes & FAT_DIRECTORY;
		int error;

		if (c == 0 && !directory)
			continue;
		if (claim(k, c) && directory) {
			error = wait_for(k, c);
			if (error)
				return error;
		}
	}
	return found;
}

/* One that waits. What cannot be read was told of where it was found. */
static int
look_at(struct check *k, uint32_t first)
{
	struct fat_node dir = { .fs = k->fs, .attributes = FAT_DIRECTORY, .first = first, .slot = FAT_GONE };
	int error = look_through(k, &dir);

	free(dir.chain);
	free(dir.slots);
	return error == -ENOMEM ? error : 0;
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
	while (!error && k.count)
		error = look_at(&k, k.waiting[--k.count]);
	free(k.claimed);
	free(k.waiting);
	return error;
}
