/* SPDX-License-Identifier: MIT */
/*
 * fat.c - a FAT volume of any bytes: all of it is read, then written to; nothing outside of it is touched, every call comes
 * to an end, and what was whole stays whole.
 *
 * The first byte says how the volume comes about: 0: the other bytes are its beginning, and zeros the rest; else one of 12, 16 or 32 bits is made,
 * files are put on it, and the other bytes, four by four (a place of 24 bits and what lies there), are damage.
 */
/* fuzz: drivers/fs/fat/volume.c drivers/fs/fat/table.c drivers/fs/fat/check.c drivers/fs/fat/text.c drivers/fs/fat/alias.c */
/* fuzz: drivers/fs/fat/directory.c drivers/fs/fat/node.c drivers/fs/fat/file.c drivers/fs/fat/names.c drivers/fs/fat/time.c */
/* fuzz: drivers/fs/fat/label.c */
#include "parser.h"

#include "fat_image.h"

#define DEPTH   6
#define VISITS  300
#define STEPS   40

static uint32_t dice;
static unsigned int visits;

static uint32_t
draw(uint32_t n)
{
	dice = dice * 1664525u + 1013904223u;
	return (dice >> 8) % n;
}

/* Everything that a program could see of a directory and what is below it. */
static void
look(struct fat_node *dir, int depth)
{
	char name[FAT_NAME_BYTES], bytes[700];
	struct fat_node *n, *again;
	struct fat_entry e;
	uint32_t slot = 0, clusters;

	while (visits < VISITS && fat_list(dir, &slot, &e) > 0) {
		visits++;
		MUST(e.length > 0 && e.length <= FAT_NAME_UNITS && e.alias_length > 0 && e.alias_length <= 12);
		MUST(fat_name_to_utf8(e.name, e.length, name) < sizeof(name) && !strchr(name, '/'));
		if (fat_node_of(dir, &e, &n) != 0)
			continue;
		if (fat_lookup(dir, name, &again) == 0)
			fat_node_put(again, 1);
		(void)fat_clusters_of(n, &clusters);
		(void)fat_read(n, draw(2) ? 0 : draw(5000), bytes, sizeof(bytes));
		if (fat_is_directory(n) && depth < DEPTH)
			look(n, depth + 1);
		fat_node_put(n, 1);
	}
}

/* A name that is there, or one that is not. */
static void
any_name(struct fat_node *dir, char *out)
{
	struct fat_entry e;
	uint32_t slot = draw(40);

	if (draw(3) && fat_list(dir, &slot, &e) > 0)
		fat_name_to_utf8(e.name, e.length, out);
	else
		snprintf(out, FAT_NAME_BYTES, draw(2) ? "NAME%u" : "a longer name, and number %u", draw(8));
}

static struct fat_node *
any_directory(struct fat *fs)
{
	struct fat_node *dir = fs->root, *n;
	char name[FAT_NAME_BYTES];

	fat_node_hold(dir);
	while (draw(2)) {
		any_name(dir, name);
		if (fat_lookup(dir, name, &n) != 0)
			break;
		if (!fat_is_directory(n)) {
			fat_node_put(n, 1);
			break;
		}
		fat_node_put(dir, 1);
		dir = n;
	}
	return dir;
}

static void
change(struct fat *fs)
{
	struct fat_node *dir = any_directory(fs), *to = any_directory(fs), *n = NULL;
	char name[FAT_NAME_BYTES], other[FAT_NAME_BYTES], bytes[1500] = "x";

	any_name(dir, name);
	any_name(to, other);
	switch (draw(8)) {
	case 0:
	case 1:
		if (fat_create(dir, name, draw(3) == 0, &n) != 0)
			n = NULL;
		break;
	case 2: (void)fat_unlink(dir, name); break;
	case 3: (void)fat_rmdir(dir, name); break;
	case 4: (void)fat_rename(dir, name, to, other, draw(3)); break;
	case 5: (void)fat_set_label(fs, "LABEL"); break;
	default:
		if (fat_lookup(dir, name, &n) != 0)
			n = NULL;
	}
	if (n) {
		(void)fat_write(n, draw(3000), bytes, draw(sizeof(bytes)));
		if (draw(3) == 0)
			(void)fat_resize(n, draw(4000));
		fat_node_put(n, 1);
	}
	fat_node_put(dir, 1);
	fat_node_put(to, 1);
}

static void
use(struct image *i)
{
	struct fat *fs;
	uint32_t room;
	bool damaged;

	visits = 0;
	if (fat_open(&i->disk, &fs) != 0)
		return;
	MUST(fs->free <= fs->clusters);
	look(fs->root, 0);
	for (int step = 0; step < STEPS; step++)
		change(fs);
	(void)fat_sync(fs);
	MUST(fs->free <= fs->clusters);
	damaged = fs->damaged;
	room = fs->free;
	if (fat_close(fs) != 0 || damaged)
		return;
	/* It was in order, and so it is. */
	MUST(fat_open(&i->disk, &fs) == 0);
	MUST(!fs->damaged && fs->free == room);
	visits = 0;
	look(fs->root, 0);
	(void)fat_close(fs);
}

#define KINDS    9u
#define RAW_MOST (128u << 10)

/* Volumes with files on them, each made once. */
static struct { uint8_t *bytes; uint64_t size, used; } made[KINDS];

static void
make(unsigned int kind)
{
	static const unsigned int bits[] = { 12, 16, 32 };
	struct image i;
	struct fat *fs;

	image_format(&i, bits[kind % 3], kind % 3 == 1 ? 4200 : 200, 1);
	dice = kind;
	MUST(fat_open(&i.disk, &fs) == 0);
	for (int step = 0; step < 60; step++)
		change(fs);
	MUST(fat_close(fs) == 0);
	made[kind].bytes = i.bytes;
	made[kind].size = made[kind].used = i.disk.size;
	while (!i.bytes[made[kind].used - 1])
		made[kind].used--;
}

/* A copy of one of them. */
static void
take_one(struct image *i, unsigned int kind)
{
	if (!made[kind].bytes)
		make(kind);
	image_wrap(i, calloc(1, made[kind].size), made[kind].size);
	memcpy(i->bytes, made[kind].bytes, made[kind].used);
}

/* As large as its boot sector says, within reason. */
static void
take_raw(struct image *i, const uint8_t *data, size_t size)
{
	const struct fat_boot *b = (const struct fat_boot *)data;
	uint64_t all = size;

	if (size >= 40) {
		uint64_t sectors = fat_get16(b->sectors16) ? fat_get16(b->sectors16) : fat_get32(b->sectors32);

		all = sectors * fat_get16(b->sector_size);
		all = all < RAW_MOST ? all : RAW_MOST;
		all = all > size ? all : size;
	}
	image_wrap(i, calloc(1, all), all);
	memcpy(i->bytes, data, size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image i;

	if (size < 5)
		return 0;
	if (data[0] == 0) {
		take_raw(&i, data + 1, size - 1);
		dice = (uint32_t)size;
	} else {
		take_one(&i, data[0] % KINDS);
		for (size_t at = 1; at + 4 <= size; at += 4) {
			uint64_t place = data[at] | data[at + 1] << 8 | data[at + 2] << 16;

			i.bytes[place % made[data[0] % KINDS].used] = data[at + 3];
		}
		dice = data[size - 1];
	}
	use(&i);
	free(i.bytes);
	return 0;
}
