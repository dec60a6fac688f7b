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

struct file;
struct memory_object;
struct sysfs_attribute;
struct sysfs_node;

/* A file of bytes that are somewhere, no text: a device's registers. All run with the tree locked for reading. */
struct sysfs_bytes {
	uint64_t (*size)(void *object, uint32_t index);
	/* At most a page, inside of the size. Bytes moved or an errno. Empty: -EIO. */
	ssize_t (*read)(struct file *f, void *object, uint32_t index, void *buf, size_t n, uint64_t at);
	ssize_t (*write)(struct file *f, void *object, uint32_t index, const void *buf, size_t n, uint64_t at);
	/* As file_ops.mmap. Empty: -ENODEV. */
	int (*mmap)(struct file *f, void *object, uint32_t index, uint64_t offset, size_t length, uint32_t *flags,
		    struct memory_object **out);
};

/*
 * One file. show and store may sleep; they run with the tree locked for reading, so they must not add or remove
 * nodes. A table ends with an attribute without a name.
 */
struct sysfs_attribute {
	const char *name;
	mode_t mode; /* permissions */
	int (*show)(struct text *t, void *object);                      /* 0 or an errno */
	ssize_t (*store)(void *object, char *data, size_t n);           /* NUL-terminated; bytes used or an errno */
	/* In place of store, of what adds and removes nodes: runs without the lock. `hold` keeps the object alive for
	 * it, with the lock held, `drop` ends that; both may be empty where objects stay. */
	ssize_t (*change)(void *object, char *data, size_t n);
	void (*hold)(void *object), (*drop)(void *object);
	const struct sysfs_bytes *bytes;                                /* in place of all these; gets `index` */
	uint32_t index;
	bool (*visible)(void *object, uint32_t index);                  /* false: there is no such file. Empty: true */
};

/*
 * Add a directory; `parent` NULL: in the root. NULL: no memory, or the name is taken; all calls here take a NULL
 * parent node from a failed call before and fail too, but for the root.
 */
struct sysfs_node *sysfs_add_directory(struct sysfs_node *parent, const char *name, void *object);
/* The directory at a path such as "class/tty", made with all that lead there where missing. */
struct sysfs_node *sysfs_make_path(const char *path);
/* At most SYSFS_TABLES for one directory. -ENOMEM, -EEXIST, -ENOSPC. */
#define SYSFS_TABLES 4
int sysfs_add_attributes(struct sysfs_node *dir, const struct sysfs_attribute *table);
/* A link `name` in `dir` to the directory `target`; it goes when either does. */
int sysfs_add_link(struct sysfs_node *dir, const char *name, struct sysfs_node *target);
/* Take the link `name` in `dir` away, if there is one. */
void sysfs_remove_link(struct sysfs_node *dir, const char *name);
/* Take the node and all below it away, and the links that lead there. */
void sysfs_remove(struct sysfs_node *n);

/*
 * A device that programs open by number: its directory below `parent` (a path; the class and the name are added, of
 * the name what stands behind the last slash), and the links that lead to it from class/ and dev/char. All that is
 * taken away again by its number.
 */
int sysfs_add_device(const char *parent, const char *class, const char *name, dev_t device, mode_t mode);
void sysfs_remove_device(dev_t device);
/* A decimal number up to `high`, maybe followed by white space; n or -EINVAL. */
ssize_t sysfs_parse_number(const char *data, size_t n, uint64_t high, uint64_t *out);

/* How many nodes there are; the tree to the log, no locks. */
uint64_t sysfs_count(void);
void sysfs_dump(void);

#endif
