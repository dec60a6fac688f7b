/* SPDX-License-Identifier: MIT */
/*
 * label.c - the volume's name: a slot of the root directory with the attribute FAT_LABEL, and a copy in the boot sector
 * (FAT, "Boot Sector and BPB", BS_VolLab).
 */
#include <errno.h>
#include <string.h>

#include "volume.h"

#define LABEL 11u

/* The slot that has it, or dir->slot_end. */
static uint32_t
find(struct fat_node *root)
{
	uint32_t i;

	for (i = 0; i < root->slot_end; i++) {
		const struct fat_slot *s = fat_dir_slot(root, i);

		if (s->name[0] != FAT_SLOT_FREE && s->attributes & FAT_LABEL && (s->attributes & FAT_LONG_MASK) != FAT_LONG)
			break;
	}
	return i;
}

int
fat_label(struct fat *fs, char *out)
{
	uint16_t text[LABEL];
	uint32_t slot, n = LABEL;
	const uint8_t *name;

	*out = '\0';
	slot = find(fs->root);
	if (slot == fs->root->slot_end)
		return 0;
	name = fat_dir_slot(fs->root, slot)->name;
	while (n && name[n - 1] == ' ')
		n--;
	for (uint32_t i = 0; i < n; i++)
		text[i] = fat_name_from_oem(i == 0 && name[i] == FAT_SLOT_E5 ? 0xe5 : name[i]);
	fat_name_to_utf8(text, n, out);
	return 0;
}

static int
parse(const char *text, uint8_t *out)
{
	uint16_t units[FAT_NAME_UNITS];
	uint32_t n = 0;
	int error = *text ? fat_name_from_utf8(text, units, &n) : 0;

	if (error || n > LABEL)
		return -EINVAL;
	memset(out, ' ', LABEL);
	for (uint32_t i = 0; i < n; i++) {
		uint16_t u = units[i] >= 'a' && units[i] <= 'z' ? units[i] - 32 : units[i];

		out[i] = fat_name_to_oem(u);
		if (out[i] < 0x20 || strchr("\"*+,./:;<=>?[\\]|", out[i]) || (i == 0 && out[i] == ' '))
			return -EINVAL;
	}
	if (out[0] == FAT_SLOT_FREE)
		out[0] = FAT_SLOT_E5;
	return 0;
}

/* In the boot sector, and in its copy. */
static int
store_copies(struct fat *fs, const uint8_t *label)
{
	struct fat_disk *disk = fs->disk;
	struct fat_boot b;
	size_t at = fs->bits == 32 ? offsetof(struct fat_boot, big.label) : offsetof(struct fat_boot, small.label);
	uint32_t copy;
	int error = disk->read(disk, 0, &b, sizeof(b));

	if (error || (fs->bits == 32 ? b.big.signature : b.small.signature) != FAT_EXTENDED)
		return error;
	error = disk->write(disk, at, label, LABEL);
	copy = fs->bits == 32 ? fat_get16(b.big.backup) : 0;
	if (!error && copy && copy < fat_get16(b.reserved))
		error = disk->write(disk, (uint64_t)copy * fs->sector_size + at, label, LABEL);
	return error;
}

int
fat_set_label(struct fat *fs, const char *text)
{
	static const uint8_t none[] = "NO NAME    ";
	struct fat_node *root = fs->root;
	uint8_t label[LABEL];
	struct fat_slot *s;
	uint32_t slot, date, time;
	uint8_t fine;
	int error = parse(text, label);

	if (!error)
		error = fat_begin(fs);
	if (error)
		return error;
	slot = find(root);
	if (!*text) {
		if (slot < root->slot_end) {
			fat_dir_slot(root, slot)->name[0] = FAT_SLOT_FREE;
			error = fat_dir_write(root, slot, 1);
		}
		return error ? error : store_copies(fs, none);
	}
	if (slot == root->slot_end) {
		error = fat_dir_room(root, 1, &slot);
		if (error)
			return error;
	}
	s = fat_dir_slot(root, slot);
	memset(s, 0, sizeof(*s));
	memcpy(s->name, label, LABEL);
	s->attributes = FAT_LABEL;
	fat_time_encode(fat_time_now(fs), &date, &time, &fine);
	fat_put16(s->modified_date, date);
	fat_put16(s->modified_time, time);
	error = fat_dir_use(root, slot, 1);
	return error ? error : store_copies(fs, label);
}
