/* SPDX-License-Identifier: MIT */
/*
 * names.c - files are found, made, removed and renamed.
 *
 * Who renames dies at any moment, and two slots may lead to the file then. So the old one is marked before (FAT_MOVING);
 * check.c, which finds both, removes that. Two that change places need two writes as well: for a moment both names are the
 * second file's, and whoever dies then leaves the first one's clusters to nobody.
 *
 * Names differ by more than the case of their letters, and a file answers to its short name too. Renaming to a name that
 * is the same but for case does nothing, and over another file keeps that one's name as it is written: both as on Linux.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "volume.h"

struct name {
	uint16_t units[FAT_NAME_UNITS];
	uint32_t length;
};

static int
find(struct fat_node *dir, const char *text, struct name *name, struct fat_entry *e)
{
	int error = fat_name_from_utf8(text, name->units, &name->length);

	if (error)
		return error;
	if (!fat_is_directory(dir))
		return -ENOTDIR;
	return fat_node_is_gone(dir) ? -ENOENT : fat_dir_find(dir, name->units, name->length, e);
}

int
fat_lookup(struct fat_node *dir, const char *name, struct fat_node **out)
{
	struct fat_entry e;
	struct name n;
	int error = find(dir, name, &n, &e);

	return error ? error : fat_node_of(dir, &e, out);
}

/* The directory has other names in it. */
static int
touch(struct fat_node *dir)
{
	dir->modified = fat_time_to_2s(fat_time_now(dir->fs));
	return fat_node_store(dir);
}

/* --- making ------------------------------------------------------------------------------------------------ */

static void
stamp(struct fat *fs, struct fat_slot *s)
{
	uint32_t date, time;

	fat_time_encode(fat_time_now(fs), &date, &time, &s->created_fine);
	fat_put16(s->created_date, date);
	fat_put16(s->created_time, time);
	fat_put16(s->modified_date, date);
	fat_put16(s->modified_time, time);
	fat_put16(s->accessed_date, date);
}

/* How a directory names its parent: the root is 0, also where it has a number (FAT, "FAT Directory Structure"). */
static uint32_t
parent_cluster(const struct fat_node *dir)
{
	return dir == dir->fs->root ? 0 : dir->first;
}

/* A new directory's one cluster. */
static int
make_dots(struct fat_node *dir, struct fat_slot *proto, uint32_t cluster)
{
	struct fat *fs = dir->fs;
	struct fat_slot *slots = calloc(1, fs->cluster_size);
	int error;

	if (!slots)
		return -ENOMEM;
	fat_slot_set_cluster(fs, proto, cluster);
	slots[0] = slots[1] = *proto;
	memcpy(slots[0].name, ".          ", 11);
	memcpy(slots[1].name, "..         ", 11);
	fat_slot_set_cluster(fs, &slots[1], parent_cluster(dir));
	error = fs->disk->write(fs->disk, fat_cluster_offset(fs, cluster), slots, fs->cluster_size);
	free(slots);
	return error;
}

static int
add(struct fat_node *dir, const struct name *name, struct fat_slot *proto, uint32_t *slot)
{
	struct fat *fs = dir->fs;
	uint32_t cluster = 0;
	int error = 0;

	if (proto->attributes & FAT_DIRECTORY) {
		error = fat_table_grow(fs, 0, 1, &cluster);
		if (error)
			return error;
		error = make_dots(dir, proto, cluster);
	}
	if (!error)
		error = fat_dir_add(dir, name->units, name->length, proto, slot);
	if (error && cluster) {
		fat_table_cut(fs, 0, &cluster, 1);
		(void)fat_table_flush(fs);
	}
	return error;
}

int
fat_create(struct fat_node *dir, const char *text, bool directory, struct fat_node **out)
{
	struct fat_slot proto = { .attributes = directory ? FAT_DIRECTORY : FAT_ARCHIVE };
	struct fat_entry e;
	struct name name;
	int error = find(dir, text, &name, &e);

	if (error != -ENOENT || fat_node_is_gone(dir) || name.length == 0)
		return error ? error : -EEXIST;
	if (!fat_name_is_good(name.units, name.length))
		return -EINVAL;
	error = fat_begin(dir->fs);
	if (error)
		return error;
	stamp(dir->fs, &proto);
	error = add(dir, &name, &proto, &e.slot);
	if (!error)
		error = touch(dir);
	return error ? error : fat_node_of(dir, &e, out);
}

/* --- removing ---------------------------------------------------------------------------------------------- */

/* May n be removed as what it is taken for? */
static int
may_remove(struct fat_node *n, bool directory)
{
	if (!directory)
		return fat_is_directory(n) ? -EISDIR : 0;
	if (!fat_is_directory(n))
		return -ENOTDIR;
	if (fat_dir_load(n))
		return -EIO;
	return fat_dir_is_empty(n) ? 0 : -ENOTEMPTY;
}

static int
remove_name(struct fat_node *dir, const char *text, bool directory)
{
	struct fat_entry e;
	struct fat_node *n;
	struct name name;
	int error = find(dir, text, &name, &e);

	if (!error)
		error = fat_node_of(dir, &e, &n);
	if (error)
		return error;
	error = may_remove(n, directory);
	if (!error)
		error = fat_begin(dir->fs);
	if (!error)
		error = fat_dir_remove(dir, &e);
	if (!error) {
		error = touch(dir);
		fat_node_remove(n);
	}
	fat_node_put(n, 1);
	return error;
}

int
fat_unlink(struct fat_node *dir, const char *name)
{
	return remove_name(dir, name, false);
}

int
fat_rmdir(struct fat_node *dir, const char *name)
{
	return remove_name(dir, name, true);
}

/* --- renaming ---------------------------------------------------------------------------------------------- */

/* A directory that has moved names its new parent. */
static int
mend_dots(struct fat_node *n)
{
	struct fat_slot *s;
	int error = fat_is_directory(n) ? fat_dir_load(n) : -ENOTDIR;

	if (error)
		return error == -ENOTDIR ? 0 : error;
	s = fat_dir_slot(n, 1);
	if (n->slot_end < 2 || memcmp(s->name, "..         ", 11) != 0)
		return fat_damage(n->fs, "a directory does not name its parent");
	fat_slot_set_cluster(n->fs, s, parent_cluster(n->dir));
	return fat_dir_write(n, 1, 1);
}

static bool
is_below(const struct fat_node *n, const struct fat_node *top)
{
	for (; n; n = n->dir)
		if (n == top)
			return true;
	return false;
}

/* What a slot says besides its name. */
static void
swap_contents(struct fat_slot *a, struct fat_slot *b)
{
	struct fat_slot old_a = *a, old_b = *b;

	*a = old_b;
	memcpy(a->name, old_a.name, sizeof(a->name));
	a->lower = old_a.lower;
	*b = old_a;
	memcpy(b->name, old_b.name, sizeof(b->name));
	b->lower = old_b.lower;
}

/* One side of a renaming. */
struct side {
	struct fat_node *dir, *node;
	struct fat_entry entry;
	struct name name;
};

/* The slot says that what it leads to is being moved, or not any more. */
static int
mark(const struct side *s, bool moving)
{
	struct fat_slot *slot = fat_dir_slot(s->dir, s->entry.slot);

	slot->lower = (uint8_t)(moving ? slot->lower | FAT_MOVING : slot->lower & ~FAT_MOVING);
	return fat_dir_write(s->dir, s->entry.slot, 1);
}

static int
exchange(struct side *a, struct side *b)
{
	int error = mark(a, true);

	if (error)
		return error;
	swap_contents(fat_dir_slot(a->dir, a->entry.slot), fat_dir_slot(b->dir, b->entry.slot));
	error = fat_dir_write(a->dir, a->entry.slot, 1);
	if (!error)
		error = fat_dir_write(b->dir, b->entry.slot, 1);
	if (!error)
		error = mark(a, false);
	fat_node_move(a->node, b->dir, FAT_GONE);
	fat_node_move(b->node, a->dir, a->entry.slot);
	fat_node_move(a->node, b->dir, b->entry.slot);
	if (!error && a->dir != b->dir)
		error = mend_dots(a->node);
	if (!error && a->dir != b->dir)
		error = mend_dots(b->node);
	return error;
}

/* The target's slot stays, with its name, and is the source's from now on. */
static int
replace(struct side *a, struct side *b)
{
	struct fat_slot *to = fat_dir_slot(b->dir, b->entry.slot), old = *to;
	int error = may_remove(b->node, fat_is_directory(a->node));

	if (!error)
		error = mark(a, true);
	if (error)
		return error;
	*to = *fat_dir_slot(a->dir, a->entry.slot);
	memcpy(to->name, old.name, sizeof(to->name));
	to->lower = (uint8_t)(old.lower & ~FAT_MOVING);
	error = fat_dir_write(b->dir, b->entry.slot, 1);
	if (!error)
		error = fat_dir_remove(a->dir, &a->entry);
	fat_node_remove(b->node);
	fat_node_move(a->node, b->dir, b->entry.slot);
	return error;
}

static int
rename_to_new(struct side *a, struct side *b)
{
	struct fat_slot proto = *fat_dir_slot(a->dir, a->entry.slot);
	uint32_t slot;
	int error;

	if (!fat_name_is_good(b->name.units, b->name.length))
		return -EINVAL;
	error = mark(a, true);
	if (error)
		return error;
	error = fat_dir_add(b->dir, b->name.units, b->name.length, &proto, &slot);
	if (error) {
		(void)mark(a, false);
		return error;
	}
	error = fat_dir_remove(a->dir, &a->entry);
	fat_node_move(a->node, b->dir, slot);
	return error;
}

/* All that may be asked before anything changes; b->node is NULL when nothing has the new name. */
static int
may_rename(const struct side *a, const struct side *b, unsigned int flags)
{
	if (flags & FAT_RENAME_KEEP && b->node)
		return -EEXIST;
	if (flags & FAT_RENAME_EXCHANGE && !b->node)
		return -ENOENT;
	if (fat_node_is_gone(b->dir))
		return -ENOENT;
	if (is_below(b->dir, a->node))
		return -EINVAL;
	if (b->node && is_below(a->dir, b->node))
		return flags & FAT_RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	return 0;
}

static int
rename_sides(struct side *a, struct side *b, unsigned int flags)
{
	int error = may_rename(a, b, flags);

	if (error || a->node == b->node)
		return error;
	error = fat_begin(a->dir->fs);
	if (error)
		return error;
	if (flags & FAT_RENAME_EXCHANGE) {
		error = exchange(a, b);
	} else {
		error = b->node ? replace(a, b) : rename_to_new(a, b);
		if (!error && a->dir != b->dir)
			error = mend_dots(a->node);
	}
	if (!error)
		error = touch(a->dir);
	if (!error && a->dir != b->dir)
		error = touch(b->dir);
	return error;
}

static int
find_side(struct side *s, const char *text)
{
	int error = find(s->dir, text, &s->name, &s->entry);

	return error ? error : fat_node_of(s->dir, &s->entry, &s->node);
}

int
fat_rename(struct fat_node *from, const char *name, struct fat_node *to, const char *new_name, unsigned int flags)
{
	struct side *a = calloc(2, sizeof(*a)), *b = a + 1;
	int error = -ENOMEM;

	if (!a)
		return error;
	a->dir = from;
	b->dir = to;
	error = find_side(a, name);
	if (!error) {
		error = find_side(b, new_name);
		if (error == -ENOENT && b->name.length)
			error = 0;
	}
	if (!error)
		error = rename_sides(a, b, flags);
	if (b->node)
		fat_node_put(b->node, 1);
	if (a->node)
		fat_node_put(a->node, 1);
	free(a);
	return error;
}
