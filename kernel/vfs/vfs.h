/* SPDX-License-Identifier: MIT */
/*
 * vfs.h - what the files of this room share with each other.
 */
#ifndef TESSERA_VFS_VFS_H
#define TESSERA_VFS_VFS_H

#include <tessera/inode.h>
#include <tessera/lock.h>
#include <tessera/types.h>
#include <tessera/wait.h>

/* --- dentry.c */
extern struct spinlock dentry_lock; /* class DENTRY */
void dentry_cache_init(void);
/* The cached child `name`, with a reference; NULL: not cached (nothing is known). */
struct dentry *dentry_find(struct dentry *parent, const char *name, size_t length);
/* The same for readers (rcu.h), and without a reference: what is found counts only while names_same_since() the
 * count before. */
struct dentry *dentry_peek(const struct dentry *parent, const char *name, size_t length);
/* A reference on what was peeked at; false: it is dead. */
bool dentry_get_peeked(struct dentry *d);
/* Odd while a name or a parent changes, and another number afterwards. */
extern uint64_t names_changing; /* [a] */
static inline bool
names_same_since(uint64_t before)
{
	return !(before & 1) && atomic_load(&names_changing) == before;
}
/* Make `d` reachable. When another dentry of that name was faster: that one with a reference, and
 * our reference to `d` is dropped; else `d`. The directory's inode->lock is held. */
struct dentry *dentry_hash(struct dentry *d);
/* The same, of file systems where names change without us. ERR_PTR: -ELOOP, a directory would lie in itself; -ESTALE, not
 * now: it is being moved, or its names are. Our reference to `d` is dropped. */
struct dentry *dentry_adopt(struct dentry *d);
/* `d` gets the place and name of `to` (an unused negative name or one being replaced, which is
 * dropped). fs->rename_lock and both directories are held. */
void dentry_move(struct dentry *d, struct dentry *to);
void dentry_exchange(struct dentry *a, struct dentry *b);
/* A lone dentry outside any tree, for pipes and memfds. */
struct dentry *dentry_create_lone(struct filesystem *fs, struct inode *i, const char *name);
/* A directory of foreign_names that was found without a name: `d`, lone, is where it is until it is looked up. False: it has
 * a place by now. */
bool dentry_place_lone(struct dentry *d);
/* `d` is a directory that has been removed: none of its names is found any more. Unused ones are freed, the
 * others by their last user. */
void dentry_prune(struct dentry *d);
void dentry_purge_filesystem(struct filesystem *fs);
/*
 * How often names or mounts have changed places. A walk that must stay below its start compares: who
 * changes something calls tree_changes() before, under dentry_lock or mount_lock; who has read a parent
 * under the same lock and still finds the old number has read one of before.
 */
extern uint64_t tree_generation; /* [a] */
static inline void
tree_changes(void)
{
	atomic_add(&tree_generation, 1);
}
/* Is `d` at or below `ancestor`? fs->rename_lock is held, or the answer is a hint. */
bool dentry_is_below(struct dentry *d, struct dentry *ancestor);
struct dentry *dentry_parent(struct dentry *d); /* with a reference */

/* --- inode.c */
void inode_cache_init(void);
struct filesystem *filesystem_create(const struct filesystem_type *type);
/* It could not be made: nothing is in it, nobody has seen it. */
void filesystem_discard(struct filesystem *fs);
struct filesystem_type *filesystem_find(const char *name);
void filesystem_types(void (*fn)(void *ctx, const struct filesystem_type *t), void *ctx);
void inode_touch_accessed(struct inode *i, const struct mount *m);
uint64_t inode_size(const struct inode *i);

/* --- claims.c */
/* What is claimed on an inode, locks or leases: made on first use, kept until the inode goes. */
struct inode_claims {
	struct list held;          /* the claims; the lock of their family */
	struct wait_queue changed; /* who waits for one to go */
	uint64_t generation;       /* bumped at each change; the same lock */
};
/* *slot, of inode->locks or leases. NULL: no memory. */
struct inode_claims *inode_claims_get(struct inode_claims **slot);
/* Claims have changed: waiters look again. The family's lock is held. */
void inode_claims_changed(struct inode_claims *c);

/* --- mount.c */
extern struct rwlock mount_lock;       /* class MOUNT */
extern struct mount *root_mount;       /* [I] the first namespace's */
struct mount_namespace *current_mount_namespace(void); /* borrowed */
/* A copy of the tree at `top` for namespace `ns`, its root with a reference; each mount's `copy` says what it
 * became. `lock`: its owner has fewer rights. mount_lock is held for writing. NULL: no memory. */
struct mount *mount_tree_copy_locked(struct mount *top, struct mount_namespace *ns, bool lock);
void mount_tree_drop(struct mount *top); /* the tree's reference too */
bool mount_is_of_namespace(const struct mount *m); /* nsfs's own */
void nsfs_init(void);
struct mount *mount_create(
	struct filesystem *fs, struct dentry *root, uint32_t flags, const char *source);
struct mount *mount_create_internal(struct filesystem *fs);
static inline void
mount_get(struct mount *m)
{
	ref_get(&m->refs);
}
void mount_put(struct mount *m);
/* While something is mounted on p->dentry, step onto it. */
void mount_follow(struct path *p);
/* Step from the root of a mount to its mount point: false at the top. p's references change. */
bool mount_leave(struct path *p);
int mount_want_write(const struct mount *m);  /* 0 or -EROFS */
int mount_writer_add(struct mount *m);        /* a file open for writing more: 0 or -EROFS */
/* --- mount_new.c, mount_change.c */
/* A new or the single instance of a type, with a reference. */
int filesystem_instance(struct filesystem_type *type, const char *source, const char *options, bool readonly,
			struct filesystem **out);
/* Of somebody else's user namespace one mounts what cannot harm others: -EPERM ... */
int filesystem_may_mount(const struct filesystem_type *type);
/* ... and what all see the same of only if nothing of it is hidden from one already: -EPERM. */
int mount_may_reveal(const struct filesystem *fs, uint32_t *flags);
/* `readonly` NULL: as it is. -EBUSY: files are open for writing; -EINVAL. */
int filesystem_reconfigure(struct filesystem *fs, const bool *readonly, const char *options);
int mount_graft(struct mount *m, const struct path *where); /* takes over a reference, if it succeeds */
/* All of `ns` as seen from `root`. */
void mounts_visit(struct mount_namespace *ns, const struct path *root,
	void (*fn)(void *ctx, struct mount *m, const char *where), void *ctx);

/* --- fs_context.c */
/* Everybody whose root or working directory is `from` gets `to` instead. */
void fs_context_move_all(const struct path *from, const struct path *to);

/* --- path_walk.c */
/*
 * A walk that stopped before the last component, for calls that make, remove or open names.
 * `name` points into the caller's string or into `link`.
 */
struct last_name {
	struct path parent;         /* references: the directory reached */
	struct path root;           /* references: what ".." and "/" stop at; NULL until it is asked for */
	const char *name;
	size_t length;
	enum last_kind { LAST_NORMAL, LAST_DOT, LAST_DOTDOT, LAST_NONE } kind;
	bool slash;                 /* trailing slashes followed */
	char *link;                 /* owned: body of the last symlink followed */
	uint64_t generation;        /* tree_generation when the walk began */
	unsigned int flags, links;  /* LOOKUP_*; symlinks followed up to here */
};
int path_lookup_parent(int dirfd, const char *name, unsigned int flags, struct last_name *out);
void last_name_put(struct last_name *l);
/* The last component itself, links not followed, mounts followed. -ENOENT when it is absent. */
int last_name_find(struct last_name *l, struct path *out);
/* `p` is the symlink found there: follow it up to its own last component. `p` is put. */
int last_name_follow(struct last_name *l, struct path *p);
/* The cached or looked-up child, maybe negative; the parent directory's lock is held either way. -ENOENT in a
 * directory that has been removed: it gets no names. */
struct dentry *lookup_child_locked(struct dentry *parent, const char *name, size_t length);
/* The same, taking the directory's lock when the name is not cached. ERR_PTR on error. */
struct dentry *lookup_child(struct dentry *parent, const char *name, size_t length);

/* --- permission.c */
/* May the caller make this change (chmod, chown, utimens)? 0, -EPERM, -EACCES. */
int permission_change(struct inode *i, const struct inode_change *c);
int permission_generic(const struct inode *i, int mask); /* mode bits and capabilities */
/* A directory that the caller may search, by its mode bits alone; false: ask vfs_permission(). For readers too. */
bool permission_search_at_once(const struct inode *i);
bool inode_owner_or_capable(const struct inode *i);
int permission_create(struct inode *dir);                       /* add a name */
int permission_delete(struct inode *dir, struct dentry *d, bool directory); /* remove one */
bool permission_sticky(const struct inode *dir, const struct inode *i);
/* mode and group of a new file in `dir`: umask has been applied. */
mode_t inode_inherit(struct inode *i, const struct inode *dir, mode_t mode);

/* --- attributes.c, regular.c */
void inode_stat(struct inode *i, struct file_stat *st);
/* Size change; f: the open file or NULL. i->lock is free. */
int vfs_truncate(struct inode *i, loff_t size);
uint64_t file_size_limit(void);
extern const struct file_ops regular_file_ops; /* contents in i->object */
/* Writing takes file capabilities away, and by one without CAP_FSETID set-id bits. i->lock is held for writing. */
void inode_drop_set_ids(struct inode *i);

/* --- devfs/ */
int chrdev_open(struct inode *i, struct file *f);

/* --- directory.c: what directories of all file systems share */
ssize_t directory_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags);
/* file_ops.seek where there is no end to seek from: directories, texts that are made when read. */
loff_t seek_without_end(struct file *f, loff_t offset, int whence);
int directory_sync(struct file *f, bool data_only);
/* Emit "." and "..": false: full. Positions 0 and 1; entries start at 2. */
bool directory_emit_dots(struct file *f, struct dir_context *ctx);

/* --- file systems */
void tmpfs_init(void);
void devfs_init(void);
int devfs_mount_early(void);
void procfs_init(void);
void sysfs_init(void);
void anonymous_init(void);
void fuse_init(void);

/* tmpfs/, for devfs and memfd: make fs->root. `options` as mount(2)'s. */
int tmpfs_fill(struct filesystem *fs, const char *options);
void tmpfs_unmount(struct filesystem *fs);
int tmpfs_name_of(struct inode *i, struct inode **dir, char *name);
int tmpfs_statfs(struct filesystem *fs, struct fs_stat *st);
int tmpfs_remount(struct filesystem *fs, const char *options);
void tmpfs_show_options(struct filesystem *fs, char *out, size_t size);
struct inode *tmpfs_inode_create(struct filesystem *fs, struct inode *dir, mode_t mode, dev_t rdev);

/* mount_tree.c: how often something was mounted anywhere */
extern uint64_t mount_attaches; /* [a] */
/* Is something mounted on `d` in the caller's mount namespace? */
bool mount_is_here(const struct dentry *d);
/* `d` is no name any more: whatever is mounted on it, in any namespace, is let go. No lock is held. */
void mount_leave_name(struct dentry *d);

#endif
