/* SPDX-License-Identifier: MIT */
/* library.c - the file system under torture is an image, by the library of drivers/fs/fat alone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../drivers/fs/fat/fuse.h"
#include "torture.h"

static const char *image;
static struct fat_disk *disk;
static struct fat *fs;

static void
say(const char *line)
{
	fprintf(stderr, "fat: %s\n", line);
}

int
library_start(const char *path)
{
	int error = fat_image_open(path, false, say, &disk);

	image = path;
	if (!error) {
		error = fat_open(disk, &fs);
		if (error)
			fat_image_close(disk);
	}
	return error;
}

int
library_end(void)
{
	int error = fat_close(fs);

	fat_image_close(disk);
	return error;
}

static int
again(void)
{
	int error = library_end();

	return error ? error : library_start(image);
}

/* The node of a path, held, without its last name if `last` is not NULL: *last points to that. */
static int
walk(const char *path, const char **last, struct fat_node **out)
{
	struct fat_node *n = fs->root, *next;
	char name[NAME_ROOM];
	int error;

	fat_node_hold(n);
	while (*path == '/')
		path++;
	while (*path) {
		size_t length = strcspn(path, "/");

		if (last && !path[length]) {
			*last = path;
			break;
		}
		snprintf(name, sizeof(name), "%.*s", (int)length, path);
		error = fat_lookup(n, name, &next);
		fat_node_put(n, 1);
		if (error)
			return error;
		n = next;
		path += length;
		while (*path == '/')
			path++;
	}
	*out = n;
	return 0;
}

static int
make(const char *path, bool directory)
{
	struct fat_node *dir, *n;
	const char *name = "";
	int error = walk(path, &name, &dir);

	if (error)
		return error;
	error = fat_create(dir, name, directory, &n);
	if (!error)
		fat_node_put(n, 1);
	fat_node_put(dir, 1);
	return error;
}

static int
drop(const char *path, int (*how)(struct fat_node *, const char *))
{
	struct fat_node *dir;
	const char *name = "";
	int error = walk(path, &name, &dir);

	if (error)
		return error;
	error = how(dir, name);
	fat_node_put(dir, 1);
	return error;
}

static int
take_away(const char *path)
{
	return drop(path, fat_unlink);
}

static int
take_folder(const char *path)
{
	return drop(path, fat_rmdir);
}

static int
move(const char *from, const char *to, bool exchange)
{
	struct fat_node *a, *b;
	const char *name = "", *new_name = "";
	int error = walk(from, &name, &a);

	if (error)
		return error;
	error = walk(to, &new_name, &b);
	if (!error) {
		error = fat_rename(a, name, b, new_name, exchange ? FAT_RENAME_EXCHANGE : 0);
		fat_node_put(b, 1);
	}
	fat_node_put(a, 1);
	return error;
}

static long
read_at(const char *path, uint64_t offset, void *to, size_t n)
{
	struct fat_node *f;
	long done = walk(path, NULL, &f);

	if (done)
		return done;
	done = fat_read(f, offset, to, n);
	fat_node_put(f, 1);
	return done;
}

static long
write_at(const char *path, uint64_t offset, const void *from, size_t n)
{
	struct fat_node *f;
	long done = walk(path, NULL, &f);

	if (done)
		return done;
	done = fat_write(f, offset, from, n);
	fat_node_put(f, 1);
	return done;
}

static int
resize(const char *path, uint64_t size)
{
	struct fat_node *f;
	int error = walk(path, NULL, &f);

	if (error)
		return error;
	error = fat_resize(f, size);
	fat_node_put(f, 1);
	return error;
}

static int
look(const char *path, bool *directory, uint64_t *size)
{
	struct fat_node *f;
	int error = walk(path, NULL, &f);

	if (error)
		return error;
	*directory = fat_is_directory(f);
	*size = f->size;
	fat_node_put(f, 1);
	return 0;
}

static int
hold(const char *path, void **held)
{
	struct fat_node *f;
	int error = walk(path, NULL, &f);

	*held = f;
	return error ? error : fat_node_open(f);
}

static long
held_read(void *held, uint64_t offset, void *to, size_t n)
{
	return fat_read(held, offset, to, n);
}

static long
held_write(void *held, uint64_t offset, const void *from, size_t n)
{
	return fat_write(held, offset, from, n);
}

static void
release(void *held)
{
	fat_node_close(held);
	fat_node_put(held, 1);
}

static int
list(const char *path, unsigned int i, struct listing *out)
{
	static struct fat_entry e;
	static uint32_t slot;
	struct fat_node *dir, *n;
	int found = walk(path, NULL, &dir);

	if (found)
		return found;
	if (i == 0)
		slot = 0;
	found = fat_list(dir, &slot, &e);
	if (found > 0) {
		fat_name_to_utf8(e.name, e.length, out->name);
		found = fat_node_of(dir, &e, &n) ? : 1;
		if (found > 0) {
			out->directory = fat_is_directory(n);
			out->size = n->size;
			fat_node_put(n, 1);
		}
	}
	fat_node_put(dir, 1);
	return found;
}

const struct backend library_backend = {
	.create = make,
	.unlink = take_away,
	.rmdir = take_folder,
	.rename = move,
	.read = read_at,
	.write = write_at,
	.resize = resize,
	.stat = look,
	.hold = hold,
	.held_read = held_read,
	.held_write = held_write,
	.release = release,
	.list = list,
	.again = again,
};
