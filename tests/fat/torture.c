/* SPDX-License-Identifier: MIT */
/*
 * torture.c - torture [--seed N] [--steps N] [--big] [--plain] FOLDER | --image FILE: random operations, each compared with a model.
 *
 *   --big            files of up to a megabyte, not 40 KB
 *   --plain          names of ASCII only: for those who know no other
 *   --export FOLDER  in the end, copy all that the file system shows to there; with --steps 0 it may hold anything before
 *
 * The model is a tree of names and bytes in which names that differ in the case of letters are one. It foretells each result
 * but one: whether there is room. What fails for want of room must have changed nothing, or be a shorter write.
 * In the end everything is looked at once more, and left there for others to look at.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

#define HELD 6

static struct { struct file *file; void *handle; } held[HELD];
static const struct backend *fs;
static uint64_t step, refused;
static size_t most = 40000;
static uint8_t *buffer, *answer;

static void __attribute__((format(printf, 1, 2), noreturn))
fail(const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "torture: step %llu: ", (unsigned long long)step);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	exit(1);
}

/* The result must be what the model says, or that there is no room, if it could be. Returns whether it was done. */
static bool
judge(const char *what, const char *path, int got, int wanted, bool takes_room)
{
	if (got == -ENOSPC && takes_room && wanted == 0) {
		refused++;
		return false;
	}
	if (got != wanted)
		fail("%s %s: %s, not %s", what, path, strerror(-got), strerror(-wanted));
	return got == 0;
}

/* --- operations ----------------------------------------------------------------------------------------------- */

static void
do_create(void)
{
	struct file *dir = any(true), *f;
	bool directory = draw(4) == 0;
	char path[PATH];
	int wanted;

	if (dir->children == CHILDREN || dir->depth >= DEPTH - 1)
		return;
	f = target(dir, path);
	wanted = f ? -EEXIST : 0;
	if (!judge("create", path, fs->create(path, directory), wanted, true))
		return;
	f = calloc(1, sizeof(*f));
	memcpy(f->name, last(path), name_length(last(path)));
	f->directory = directory;
	f->refs = 1;
	attach(dir, f);
}

static void
do_remove(void)
{
	char path[PATH];
	struct file *dir = any(true), *f = target(dir, path);
	bool as_directory = draw(3) == 0;
	int wanted = 0, got;

	if (!f)
		wanted = -ENOENT;
	else if (as_directory)
		wanted = !f->directory ? -ENOTDIR : f->children ? -ENOTEMPTY : 0;
	else if (f->directory)
		wanted = -EISDIR;
	got = as_directory ? fs->rmdir(path) : fs->unlink(path);
	if (judge(as_directory ? "rmdir" : "unlink", path, got, wanted, false)) {
		detach(f);
		f->gone = true;
		put(f);
	}
}

static int
foretell_rename(struct file *a, struct file *b, struct file *to, bool swap)
{
	if (!a || (swap && !b))
		return -ENOENT;
	if (below(to, a))
		return -EINVAL;
	if (swap)
		return below(a->parent, b) ? -EINVAL : 0;
	if (!b || a == b)
		return 0;
	if (below(a->parent, b))
		return -ENOTEMPTY;
	if (a->directory)
		return !b->directory ? -ENOTDIR : b->children ? -ENOTEMPTY : 0;
	return b->directory ? -EISDIR : 0;
}

static void
do_rename(void)
{
	char from[PATH], to_path[PATH];
	struct file *to = any(true), *a = target(any(true), from), *b;
	bool swap = draw(6) == 0;
	int wanted;

	if (a && (to->depth + 1 + height(a) > DEPTH - 1 || to->children == CHILDREN))
		return;
	b = target(to, to_path);
	if (swap && b && a && a->parent->depth + 1 + height(b) > DEPTH - 1)
		return;
	wanted = foretell_rename(a, b, to, swap);
	if (!judge(swap ? "exchange" : "rename", from, fs->rename(from, to_path, swap), wanted, !b) || a == b)
		return;
	if (swap) {
		swap_files(a, b);
		return;
	}
	detach(a);
	if (b) {
		/* The name stays as it is written. */
		memcpy(a->name, b->name, sizeof(a->name));
		detach(b);
		b->gone = true;
		put(b);
	} else {
		memset(a->name, 0, sizeof(a->name));
		memcpy(a->name, last(to_path), name_length(last(to_path)));
	}
	attach(to, a);
	set_depths(a);
}

static void
note_write(struct file *f, const char *what, size_t offset, long done, size_t size)
{
	if (done == -ENOSPC) {
		refused++;
		return;
	}
	if (done < 0 || (size_t)done > size || (size && done == 0))
		fail("write %s: %ld", what, done);
	if (offset + (size_t)done > f->size)
		model_resize(f, offset + (size_t)done);
	memcpy(f->bytes + offset, buffer, (size_t)done);
}

static void
check_read(const struct file *f, const char *what, size_t offset, long done, size_t size)
{
	size_t wanted = offset >= f->size ? 0 : f->size - offset < size ? f->size - offset : size;

	if (done != (long)wanted)
		fail("read %s: %ld bytes, not %zu", what, done, wanted);
	if (wanted && memcmp(answer, f->bytes + offset, wanted) != 0)
		fail("read %s: other bytes at %zu, %zu", what, offset, wanted);
}

static size_t
fresh_bytes(void)
{
	size_t size = draw(8) ? draw(3000) : draw((uint32_t)most / 2);

	for (size_t i = 0; i < size; i++)
		buffer[i] = (uint8_t)draw(256);
	return size;
}

static size_t
any_offset(const struct file *f)
{
	return draw(3) == 0 ? f->size : draw(10) ? draw((uint32_t)f->size + 1) : draw((uint32_t)most / 2);
}

static void
do_contents(void)
{
	struct file *f = any(false);
	char path[PATH];
	size_t offset, size;

	path_of(f, path);
	if (f->directory)
		return;
	offset = any_offset(f);
	switch (draw(4)) {
	case 0:
		size = draw(3) ? draw((uint32_t)f->size + 2000) : 0;
		if (size <= most && judge("resize", path, fs->resize(path, size), 0, size > f->size))
			model_resize(f, size);
		break;
	case 1:
		size = draw((uint32_t)most);
		check_read(f, path, offset, fs->read(path, offset, answer, size), size);
		break;
	default:
		size = fresh_bytes();
		if (size)
			note_write(f, path, offset, fs->write(path, offset, buffer, size), size);
	}
}

static void
release(unsigned int i)
{
	fs->release(held[i].handle);
	put(held[i].file);
	held[i].file = NULL;
}

/* Files that stay open, also when they are removed. */
static void
do_held(void)
{
	unsigned int i = draw(HELD);
	struct file *f = held[i].file;
	char path[PATH];
	size_t offset, size;

	if (!f) {
		f = any(false);
		path_of(f, path);
		if (f->directory)
			return;
		judge("open", path, fs->hold(path, &held[i].handle), 0, false);
		held[i].file = f;
		f->refs++;
		return;
	}
	if (draw(4) == 0) {
		release(i);
		return;
	}
	offset = any_offset(f);
	if (draw(2)) {
		size = fresh_bytes();
		if (size)
			note_write(f, "open file", offset, fs->held_write(held[i].handle, offset, buffer, size), size);
	} else {
		check_read(f, "open file", offset, fs->held_read(held[i].handle, offset, answer, most), most);
	}
}

static void
do_stat(void)
{
	char path[PATH];
	struct file *f = target(any(true), path);
	uint64_t size = 0;
	bool directory = false;

	if (judge("stat", path, fs->stat(path, &directory, &size), f ? 0 : -ENOENT, false) &&
	    (directory != f->directory || (!directory && size != f->size)))
		fail("stat %s: another file", path);
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

static void
check_tree(struct file *dir, bool bytes)
{
	unsigned int i = 0;
	struct listing l;
	char path[PATH];
	int found;

	path_of(dir, path);
	while ((found = fs->list(*path ? path : "/", i, &l)) > 0) {
		struct file *f = child_of(dir, l.name);

		if (!f || strcmp(f->name, l.name) != 0)
			fail("%s: %s is there, not %s", path, l.name, f ? f->name : "nothing");
		if (f->directory != l.directory || (!f->directory && f->size != l.size))
			fail("%s: %s has %llu bytes, not %zu", path, l.name, (unsigned long long)l.size, f->size);
		i++;
	}
	if (found < 0 || i != dir->children)
		fail("%s: %u names, not %u (%s)", path, i, dir->children, strerror(-found));
	for (i = 0; i < dir->children; i++) {
		struct file *f = dir->child[i];

		path_of(f, path);
		if (f->directory)
			check_tree(f, bytes);
		else if (bytes)
			check_read(f, path, 0, fs->read(path, 0, answer, most), most);
	}
}

static void
look_again(void)
{
	for (unsigned int i = 0; i < HELD; i++)
		if (held[i].file)
			release(i);
	if (fs->again() != 0)
		fail("cannot be mounted again");
	check_tree(&root, true);
}

static void
one_step(void)
{
	switch (draw(16)) {
	case 0:
	case 1:
	case 2: do_create(); break;
	case 3:
	case 4: do_remove(); break;
	case 5:
	case 6: do_rename(); break;
	case 7: do_stat(); break;
	case 8:
	case 9:
	case 10: do_held(); break;
	default: do_contents();
	}
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' }, { "steps", required_argument, NULL, 'n' },
		{ "big", no_argument, NULL, 'b' }, { "plain", no_argument, NULL, 'p' },
		{ "image", no_argument, NULL, 'i' }, { "export", required_argument, NULL, 'e' }, { NULL, 0, NULL, 0 },
	};
	uint64_t steps = 2000;
	const char *export = NULL;
	bool image = false;
	int error, option;

	fs = &posix_backend;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 's': draw_from(strtoull(optarg, NULL, 10)); break;
		case 'n': steps = strtoull(optarg, NULL, 10); break;
		case 'b': most = 1u << 20; break;
		case 'p': plain_names = true; break;
		case 'e': export = optarg; break;
		case 'i': image = true; break;
		default: return 2;
		}
	}
	if (optind != argc - 1) {
		fprintf(stderr, "usage: torture [--seed N] [--steps N] [--big] [--plain] [--export FOLDER] FOLDER | --image FILE\n");
		return 2;
	}
	argv += optind - 1;
	buffer = malloc(most);
	answer = malloc(most);
	if (image) {
		fs = &library_backend;
		error = library_start(argv[1]);
		if (error)
			fail("%s: %s", argv[1], strerror(-error));
	} else {
		posix_start(argv[1]);
	}
	/* Longer files than `most` cannot come to be: a write begins at most at half of it, and is as long at most. */
	for (step = 1; step <= steps; step++) {
		one_step();
		if (step % 500 == 0)
			look_again();
		else if (step % 50 == 0)
			check_tree(&root, false);
	}
	if (steps)
		look_again();
	if (export)
		export_tree(fs, "", export);
	printf("%llu steps, %llu refused for want of room\n", (unsigned long long)steps, (unsigned long long)refused);
	if (image && (error = library_end()))
		fail("end: %s", strerror(-error));
	return 0;
}
