/* SPDX-License-Identifier: MIT */
/*
 * sysfs.h - /sys: what the kernel has found, as a tree of directories that rooms add to and take from.
 *
 * A node is a directory that stands for an object, or a link to one. The files in a directory are tables of
 * attributes, which are given the object. Who owns an object adds its directory when the object is there and
 * removes it before the object goes: when sysfs_remove() returns, no attribute of it runs any more, and
 * files that are still open answer ENODEV.
 *
 * Nodes stay valid from sysfs_add to sysfs_remove; nobody else keeps pointers to them.
 */
#ifndef TESSERA_SYSFS_H
#define TESSERA_SYSFS_H

#include <tessera/text.h>
#include <tessera/types.h>

struct sysfs_node;

/*
 * One file. show and store may sleep; they run with the tree locked for reading, so they must not add or remove
 * nodes. A table ends with an attribute without a name.
 */
struct sysfs_attribute {
	const char *name;
	mode_t mode; /* permissions */
	int (*show)(struct text *t, void *object);                      /* 0 or an errno */
	ssize_t (*store)(void *object, char *data, size_t n);           /* NUL-terminated; bytes used or an errno */
};

/*
 * Add a directory; `parent` NULL: in the root. NULL: no memory, or the name is taken; all calls here take a NULL
 * parent node from a failed call before and fail too, but for the root.
 */
struct sysfs_node *sysfs_add_directory(struct sysfs_node *parent, const char *name, void *object);
/* The directory at a path such as "class/tty", made with all that lead there where missing. */
struct sysfs_node *sysfs_make_path(const char *path);
/* At most SYSFS_TABLES for one directory. -ENOMEM, -EEXIST, -ENOSPC. */
#define SYSFS_TABLES 3
int sysfs_add_attributes(struct sysfs_node *dir, const struct sysfs_attribute *table);
/* A link `name` in `dir` to the directory `target`; it goes when either does. */
int sysfs_add_link(struct sysfs_node *dir, const char *name, struct sysfs_node *target);
/* Take the node and all below it away, and the links that lead there. */
void sysfs_remove(struct sysfs_node *n);

/*
 * A device that programs open by number: its directory below `parent` (a path; the class and the name are added),
 * and the links that lead to it from class/ and dev/char.
 */
int sysfs_add_device(const char *parent, const char *class, const char *name, dev_t device, mode_t mode);

/* How many nodes there are; the tree to the log, no locks. */
uint64_t sysfs_count(void);
void sysfs_dump(void);

#endif
