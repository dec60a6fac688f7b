/* SPDX-License-Identifier: MIT */
/*
 * directory.c - directories: slots of 32 bytes. A file has one with its short name and all else, and before it, in
 * reverse, those that hold a longer name.
 *
 *	40|02 "xt"           the last part of the name, marked
 *	01 "a long name.te"  the first; both with the checksum of
 *	ALONGN~1.TEX         the slot of the file
 *
 * A long name counts when all its slots are there in this order and have the right checksum; it is looked for backwards
 * from the file's slot, so that a reader who comes in the midst of one does not lose it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "volume.h"

#define LAST_NUMBER 9u /* of a short name before its checksum is put in too */

/* --- where slots lie ------------------------------------------------------------------------------------- */

/* The root of FAT12 and FAT16 lies before the clusters. */
static bool
is_fixed(const struct fat_node *dir)
{
	return dir == dir->fs->root && dir->fs->bits != 32;
}

uint64_t
fat_dir_offset(const struct fat_node *dir, uint32_t slot)
{
	const struct fat *fs = dir->fs;
	uint64_t at = (uint64_t)slot * FAT_SLOT_SIZE;

	if (is_fixed(dir))
		return fs->root_start + at;
	return fat_cluster_offset(fs, dir->chain[at / fs->cluster_size]) + at % fs->cluster_size;
}

int
fat_dir_write(struct fat_node *dir, uint32_t slot, uint32_t n)
{
	struct fat *fs = dir->fs;
	uint64_t at = (uint64_t)slot * FAT_SLOT_SIZE;

	if (is_fixed(dir))
		return fs->disk->write(fs->disk, fs->root_start + at, dir->slots + at, (size_t)n * FAT_SLOT_SIZE);
	return fat_chain_io(dir, at, dir->slots + at, (size_t)n * FAT_SLOT_SIZE, true);
}

static int
read_slots(struct fat_node *dir)
{
	struct fat *fs = dir->fs;
	size_t size;
	int error;

	if (is_fixed(dir)) {
		dir->slot_count = fs->root_slots;
	} else {
		error = fat_node_chain(dir);
		if (error)
			return error;
		if (dir->length == 0 || (uint64_t)dir->length * fs->cluster_size > FAT_DIRECTORY_SLOTS * FAT_SLOT_SIZE)
			return fat_damage(fs, "a directory of %u clusters", dir->length);
		dir->slot_count = dir->length * (fs->cluster_size / FAT_SLOT_SIZE);
	}
	size = (size_t)dir->slot_count * FAT_SLOT_SIZE;
	dir->slots = malloc(size);
	if (!dir->slots)
		return -ENOMEM;
	if (is_fixed(dir))
		return fs->disk->read(fs->disk, fs->root_start, dir->slots, size);
	return fat_chain_io(dir, 0, dir->slots, size, false);
}

int
fat_dir_load(struct fat_node *dir)
{
	int error;

	if (!fat_is_directory(dir))
		return -ENOTDIR;
	if (dir->slots)
		return 0;
	error = read_slots(dir);
	if (error) {
		free(dir->slots);
		dir->slots = NULL;
		return error;
	}
	dir->slot_end = 0;
	while (dir->slot_end < dir->slot_count && fat_dir_slot(dir, dir->slot_end)->name[0] != FAT_SLOT_END)
		dir->slot_end++;
	return 0;
}

/* --- slots read ---------------------------------------------------------------------------------------------- */

uint32_t
fat_slot_cluster(const struct fat *fs, const struct fat_slot *s)
{
	return fat_get16(s->cluster) | (fs->bits == 32 ? fat_get16(s->cluster_high) << 16 : 0);
}

void
fat_slot_set_cluster(const struct fat *fs, struct fat_slot *s, uint32_t cluster)
{
	fat_put16(s->cluster, cluster & 0xffff);
	if (fs->bits == 32)
		fat_put16(s->cluster_high, cluster >> 16);
}

static bool
is_long(const struct fat_slot *s)
{
	return (s->attributes & FAT_LONG_MASK) == FAT_LONG;
}

static bool
is_dots(const struct fat_slot *s)
{
	return memcmp(s->name, ".          ", 11) == 0 || memcmp(s->name, "..         ", 11) == 0;
}

static uint8_t *
long_unit(struct fat_long_slot *l, unsigned int i)
{
	return i < 5 ? l->name1 + 2 * i : i < 11 ? l->name2 + 2 * (i - 5) : l->name3 + 2 * (i - 11);
}

/* Units of one slot, up to the NUL. Returns false when the name has more than it may. */
static bool
take_units(const struct fat_long_slot *slot, struct fat_entry *e, bool *ended)
{
	struct fat_long_slot l = *slot;

	for (unsigned int i = 0; i < FAT_LONG_UNITS && !*ended; i++) {
		uint16_t u = (uint16_t)fat_get16(long_unit(&l, i));

		if (u == 0) {
			*ended = true;
			break;
		}
		if (e->length == FAT_NAME_UNITS || u == '/')
			return false;
		e->name[e->length++] = u;
	}
	return true;
}

/* The long name before slot e->slot, if it is whole. */
static void
read_long(const uint8_t *slots, struct fat_entry *e)
{
	const struct fat_slot *s = (const struct fat_slot *)(slots + (size_t)e->slot * FAT_SLOT_SIZE);
	uint8_t sum = fat_name_checksum(s->name);
	bool ended = false;

	e->length = 0;
	for (uint32_t n = 1; n <= FAT_LONG_SLOTS && n <= e->slot; n++) {
		const struct fat_long_slot *l = (const struct fat_long_slot *)(s - n);

		if (!is_long(s - n) || (l->order & ~FAT_LONG_LAST) != n || l->checksum != sum || ended ||
		    !take_units(l, e, &ended))
			break;
		if (l->order & FAT_LONG_LAST) {
			bool dots = e->length <= 2 && e->name[0] == '.' && (e->length == 1 || e->name[1] == '.');

			if (e->length == 0 || dots)
				break;
			e->longs = n;
			return;
		}
	}
	e->length = 0;
}

int
fat_dir_next(struct fat *fs, const uint8_t *slots, uint32_t count, uint32_t *slot, struct fat_entry *e)
{
	for (; *slot < count; ++*slot) {
		const struct fat_slot *s = (const struct fat_slot *)(slots + (size_t)*slot * FAT_SLOT_SIZE);

		if (s->name[0] == FAT_SLOT_END)
			return 0;
		if (s->name[0] == FAT_SLOT_FREE || is_long(s) || s->attributes & FAT_LABEL || is_dots(s))
			continue;
		e->slot = *slot;
		e->longs = 0;
		e->attributes = s->attributes;
		e->alias_length = fat_name_from_alias(s->name, 0, e->alias);
		if (e->alias_length == 0) {
			(void)fat_damage(fs, "slot %u of a directory has no name", *slot);
			continue;
		}
		read_long(slots, e);
		if (e->length == 0)
			e->length = fat_name_from_alias(s->name, s->lower, e->name);
		++*slot;
		return 1;
	}
	return 0;
}

int
fat_list(struct fat_node *dir, uint32_t *slot, struct fat_entry *out)
{
	int error = fat_dir_load(dir);

	return error ? error : fat_dir_next(dir->fs, dir->slots, dir->slot_end, slot, out);
}

int
fat_dir_find(struct fat_node *dir, const uint16_t *name, uint32_t length, struct fat_entry *out)
{
	uint32_t slot = 0;
	int found;

	while ((found = fat_list(dir, &slot, out)) > 0)
		if (fat_name_same(name, length, out->name, out->length) ||
		    fat_name_same(name, length, out->alias, out->alias_length))
			return 0;
	return found < 0 ? found : -ENOENT;
}

bool
fat_dir_is_empty(struct fat_node *dir)
{
	struct fat_entry e;
	uint32_t slot = 0;

	return fat_list(dir, &slot, &e) == 0;
}

/* --- slots written ------------------------------------------------------------------------------------------- */

static bool
alias_is_taken(const struct fat_node *dir, const uint8_t *alias)
{
	for (uint32_t i = 0; i < dir->slot_end; i++) {
		const struct fat_slot *s = fat_dir_slot(dir, i);

		if (!is_long(s) && !(s->attributes & FAT_LABEL) && memcmp(s->name, alias, 11) == 0)
			return true;
	}
	return false;
}

/* A short name that the directory does not have. Returns how many slots the long one takes. */
static uint32_t
choose_alias(const struct fat_node *dir, const uint16_t *name, uint32_t length, uint8_t *out)
{
	uint8_t alias[11];
	uint32_t hash = 0;
	bool exact, whole = fat_name_alias(name, length, alias, &exact);

	memcpy(out, alias, 11);
	if (whole)
		return 0;
	for (uint32_t i = 0; i < length; i++)
		hash = hash * 31 + name[i];
	if (!exact || alias_is_taken(dir, alias)) {
		unsigned int number = 1;

		fat_name_number(alias, 0, number, out);
		/* A directory has fewer slots than there are names of the second kind. */
		while (alias_is_taken(dir, out)) {
			if (++number > LAST_NUMBER)
				hash = hash % 0xffff + 1;
			fat_name_number(alias, number > LAST_NUMBER ? hash : 0, number > LAST_NUMBER ? 1 : number, out);
		}
	}
	return (length + FAT_LONG_UNITS - 1) / FAT_LONG_UNITS;
}

/* One more cluster of slots, as if never used. */
static int
grow(struct fat_node *dir)
{
	struct fat *fs = dir->fs;
	uint32_t more = fs->cluster_size / FAT_SLOT_SIZE;
	size_t old = (size_t)dir->slot_count * FAT_SLOT_SIZE;
	uint8_t *slots;
	int error;

	if (is_fixed(dir) || dir->slot_count + more > FAT_DIRECTORY_SLOTS)
		return -ENOSPC;
	slots = realloc(dir->slots, old + fs->cluster_size);
	if (!slots)
		return -ENOMEM;
	dir->slots = slots;
	memset(slots + old, 0, fs->cluster_size);
	error = fat_node_grow_zero(dir);
	if (!error)
		dir->slot_count += more;
	return error;
}

int
fat_dir_room(struct fat_node *dir, uint32_t n, uint32_t *out)
{
	uint32_t run = 0;

	for (uint32_t i = 0; i < dir->slot_end; i++) {
		run = fat_dir_slot(dir, i)->name[0] == FAT_SLOT_FREE ? run + 1 : 0;
		if (run == n) {
			*out = i + 1 - n;
			return 0;
		}
	}
	*out = dir->slot_end - run;
	while (dir->slot_count - *out < n) {
		int error = grow(dir);

		if (error)
			return error;
	}
	return 0;
}

int
fat_dir_use(struct fat_node *dir, uint32_t slot, uint32_t n)
{
	if (slot + n > dir->slot_end) {
		dir->slot_end = slot + n;
		/* What was never used begins here, whatever lies there. */
		if (dir->slot_end < dir->slot_count && fat_dir_slot(dir, dir->slot_end)->name[0] != FAT_SLOT_END) {
			fat_dir_slot(dir, dir->slot_end)->name[0] = FAT_SLOT_END;
			n++;
		}
	}
	return fat_dir_write(dir, slot, n);
}

static void
put_long(struct fat_node *dir, uint32_t slot, uint32_t n, const uint16_t *name, uint32_t length, uint8_t sum)
{
	for (uint32_t part = 0; part < n; part++) {
		struct fat_long_slot *l = (struct fat_long_slot *)fat_dir_slot(dir, slot + n - 1 - part);

		memset(l, 0, sizeof(*l));
		l->order = (uint8_t)(part + 1 + (part + 1 == n ? FAT_LONG_LAST : 0));
		l->attributes = FAT_LONG;
		l->checksum = sum;
		/* A NUL behind the last unit if there is room, and ffff behind that. */
		for (unsigned int i = 0; i < FAT_LONG_UNITS; i++) {
			uint32_t at = part * FAT_LONG_UNITS + i;

			fat_put16(long_unit(l, i), at < length ? name[at] : at == length ? 0 : 0xffff);
		}
	}
}

int
fat_dir_add(struct fat_node *dir, const uint16_t *name, uint32_t length, const struct fat_slot *proto, uint32_t *out)
{
	uint8_t alias[11];
	uint32_t longs, slot;
	struct fat_slot *s;
	int error = fat_dir_load(dir);

	if (error)
		return error;
	longs = choose_alias(dir, name, length, alias);
	error = fat_dir_room(dir, longs + 1, &slot);
	if (error)
		return error;
	put_long(dir, slot, longs, name, length, fat_name_checksum(alias));
	s = fat_dir_slot(dir, slot + longs);
	*s = *proto;
	memcpy(s->name, alias, sizeof(s->name));
	s->lower = 0;
	*out = slot + longs;
	return fat_dir_use(dir, slot, longs + 1);
}

int
fat_dir_remove(struct fat_node *dir, const struct fat_entry *e)
{
	for (uint32_t i = e->slot - e->longs; i <= e->slot; i++)
		fat_dir_slot(dir, i)->name[0] = FAT_SLOT_FREE;
	return fat_dir_write(dir, e->slot - e->longs, e->longs + 1);
}
