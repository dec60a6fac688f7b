/* SPDX-License-Identifier: MIT */
/*
 * torture.h - random operations on a FAT file system, compared with a model of it.
 *
 * The file system is behind a table of functions: the library over an image, or a directory of whatever is mounted there,
 * Linux's own vfat among it. Both kinds see the same operations for the same seed.
 */
#ifndef TORTURE_H
#define TORTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_ROOM 800

struct listing {
	char name[NAME_ROOM];
	bool directory;
	uint64_t size;
};

/* Paths begin with a slash, at the root of the file system. All return 0 (or a number) or a negative errno. */
struct backend {
	int (*create)(const char *path, bool directory);
	int (*unlink)(const char *path);
	int (*rmdir)(const char *path);
	int (*rename)(const char *from, const char *to, bool exchange);
	long (*read)(const char *path, uint64_t offset, void *to, size_t n);
	long (*write)(const char *path, uint64_t offset, const void *from, size_t n);
	int (*resize)(const char *path, uint64_t size);
	int (*stat)(const char *path, bool *directory, uint64_t *size);
	/* A file that is open while other things happen. */
	int (*hold)(const char *path, void **held);
	long (*held_read)(void *held, uint64_t offset, void *to, size_t n);
	long (*held_write)(void *held, uint64_t offset, const void *from, size_t n);
	void (*release)(void *held);
	/* The i-th entry: 1, 0 at the end. The listing begins at 0 and is asked in order. */
	int (*list)(const char *path, unsigned int i, struct listing *out);
	/* Away and there again. */
	int (*again)(void);
};

/* Everything as the file system shows it, which is not asked what the model thinks of it. */
void export_tree(const struct backend *fs, const char *from, const char *to);

extern const struct backend posix_backend, library_backend;
void posix_start(const char *folder);
/* 0 or -errno. */
int library_start(const char *image);
int library_end(void);

#endif
