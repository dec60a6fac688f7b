/* SPDX-License-Identifier: MIT */
/*
 * tmpfs.h - a file system in memory: the instance, its inodes, its directories.
 */
#ifndef TESSERA_VFS_TMPFS_TMPFS_H
#define TESSERA_VFS_TMPFS_TMPFS_H

#include <tessera/inode.h>
#include <tessera/rbtree.h>

#include "../vfs.h"

#define TMPFS_MAGIC      0x01021994u
#define RAMFS_MAGIC      0x858458f6u
#define TMPFS_ENTRY_SIZE 20 /* what an entry adds to a directory's size, as programs see it */

/* fs->private. [I] but where marked */
struct tmpfs {
	uint64_t max_pages, max_inodes; /* [a] remount changes them; 0: no limit */
	uint64_t pages, inodes;         /* [a] in use */
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/* options.c: what is asked for; the rest is as the caller has filled it in. */
struct tmpfs_options {
	uint64_t max_pages, max_inodes; /* 0: no limit */
	mode_t mode;
	uid_t uid;
	gid_t gid;
	bool size_given, inodes_given;
};
int tmpfs_options_parse(const char *text, struct tmpfs_options *o); /* -EINVAL, -ENOMEM; NULL: none */
int tmpfs_check_option(const char *key, const char *value);          /* filesystem_type.check_option */
uint64_t tmpfs_total_pages(void);                                    /* of the machine: what "50%" is of */

/* A name in a directory. All [l] of the directory. */
struct tmpfs_entry {
	struct rb_node by_position, by_name;
	struct inode *dir;         /* [I] borrowed: it holds us */
	struct list inode_node;    /* names_lock: in its inode's names */
	loff_t position;           /* for life; 2 and up, never reused in a directory */
	uint32_t hash;
	uint16_t length;
	struct inode *inode;       /* a reference */
	char name[];
};

struct tmpfs_xattr {
	struct list node;
	size_t size;
	char *name;
	uint8_t value[];
};

/* inode->private. [l] of the inode */
struct tmpfs_inode {
	struct rb_tree by_position, by_name; /* directories */
	loff_t next_position;
	struct inode *emptied_from;          /* dir.c: the way back up while a tree is freed */
	char *target;                        /* symlinks */
	struct list names;                   /* names_lock (dir.c): the entries that lead here */
	struct list xattrs;                  /* xattrs_lock */
	struct mutex xattrs_lock;            /* class SLEEP_LEAF */
};

static inline struct tmpfs *
tmpfs_of(const struct filesystem *fs)
{
	return fs->private;
}

static inline struct tmpfs_inode *
tmpfs_inode_of(const struct inode *i)
{
	return i->private;
}

/* dir.c */
extern const struct file_ops tmpfs_dir_file_ops;
struct tmpfs_entry *tmpfs_entry_find(struct inode *dir, const char *name, size_t length);
int tmpfs_entry_add(
	struct inode *dir, const struct dentry *d, struct inode *i); /* takes the reference */
void tmpfs_entry_remove(struct inode *dir, struct tmpfs_entry *e); /* drops the reference */
/* It leads to `i` from now on; the references stay the callers'. */
void tmpfs_entry_set(struct tmpfs_entry *e, struct inode *i);
bool tmpfs_dir_is_empty(const struct inode *dir);
void tmpfs_dir_free_tree(struct inode *root);

/* inode_ops.c */
extern const struct inode_ops tmpfs_dir_ops, tmpfs_file_ops, tmpfs_link_ops;
extern const struct memory_object_ops tmpfs_object_ops;

/* xattr.c */
ssize_t tmpfs_get_xattr(struct inode *i, const char *name, void *buf, size_t size);
int tmpfs_set_xattr(struct inode *i, const char *name, const void *buf, size_t size, int flags);
ssize_t tmpfs_list_xattr(struct inode *i, char *buf, size_t size);
int tmpfs_remove_xattr(struct inode *i, const char *name);
void tmpfs_free_xattrs(struct inode *i);

#endif
