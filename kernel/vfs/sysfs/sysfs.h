/* SPDX-License-Identifier: MIT */
/*
 * sysfs.h - what the files of sysfs share.
 */
#ifndef TESSERA_VFS_SYSFS_SYSFS_H
#define TESSERA_VFS_SYSFS_SYSFS_H

#include <tessera/atomic.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/sysfs.h>

/*
 * [I] immutable  [S] sysfs_lock
 * A node has a reference from its parent, from each inode made of it, and, as the target of a link, from the link.
 */
struct sysfs_node {
	struct refcount refs;
	uint64_t id;                /* [I] grows: its place in a listing, and its inode number */
	char *name;                 /* [I] "" for the root */
	struct sysfs_node *parent;  /* [S] a reference; NULL: the root, or removed */
	struct list sibling;        /* [S] in parent->children, by id */
	struct list children;       /* [S] */
	uint32_t directories;       /* [S] children that are not links */
	bool removed;               /* [S] */
	void *object;               /* [I] what the attributes are about */
	const struct sysfs_attribute *tables[SYSFS_TABLES]; /* [S] */
	struct sysfs_node *target;  /* [S] a link's: a reference; NULL: a directory */
};

extern struct rwlock sysfs_lock; /* class SYSFS */
extern struct sysfs_node sysfs_root;

void sysfs_node_put(struct sysfs_node *n);
static inline void
sysfs_node_get(struct sysfs_node *n)
{
	ref_get(&n->refs);
}
struct sysfs_node *sysfs_find_locked(struct sysfs_node *dir, const char *name, size_t length);
/* The attribute of that name; *where: its number among all of the directory. */
const struct sysfs_attribute *sysfs_find_attribute_locked(struct sysfs_node *dir, const char *name,
							  size_t length, uint32_t *where);
/* The way from the directory that holds the link to its target, as "../../a/b". Length or -ENAMETOOLONG. */
ssize_t sysfs_link_text_locked(struct sysfs_node *link, char *buf, size_t size);

static inline bool
sysfs_is_visible(const struct sysfs_node *n, const struct sysfs_attribute *a)
{
	return !a->visible || a->visible(n->object, a->index);
}

/* What the machine is made of: processors.c, memory.c, machine.c */
void sysfs_add_processors(void);
void sysfs_add_memory(void);
void sysfs_add_machine(void);

#endif
