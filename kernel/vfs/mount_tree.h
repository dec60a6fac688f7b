/* SPDX-License-Identifier: MIT */
/*
 * mount_tree.h - what the files about mounts share: mount_lock is held for writing in all that is _locked and changes
 * something.
 */
#ifndef TESSERA_VFS_MOUNT_TREE_H
#define TESSERA_VFS_MOUNT_TREE_H

#include <tessera/inode.h>
#include <tessera/namespace.h>

#include "vfs.h"

#define RESTRICTIONS (MOUNT_READONLY | MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC)
#define ACCESS_TIMES (MOUNT_NOATIME | MOUNT_NODIRATIME | MOUNT_RELATIME)

/* --- mount.c */
struct mount *mount_find_locked(struct mount *parent, struct dentry *at); /* the one on (parent, at), or NULL */
/* The next mount of the tree below `top` in pre-order, or NULL. */
struct mount *mount_next_locked(struct mount *m, struct mount *top);

/* --- mount_tree.c */
/* What becomes of groups and of what need not be copied, when a tree is copied. */
#define COPY_SHARED          BIT(0) /* each copy is in a peer group: of its own, if its original is in none */
#define COPY_SLAVE           BIT(1) /* each copy is a slave of its original's group */
#define COPY_SHARED_TO_SLAVE BIT(2) /* ... of those that are in one */
#define COPY_UNBINDABLE      BIT(3) /* these too */
#define COPY_NAMESPACES      BIT(4) /* mounts of files of mount namespaces too */
#define COPY_REMEMBER        BIT(5) /* mount->copy */

/* Trees attached nowhere are of this one. */
extern struct mount_namespace detached_mounts;
static inline bool
mount_is_live(const struct mount *m)
{
	return m->ns && m->ns != &detached_mounts;
}
/* The tree at `top` is in the tree of `ns` from now on. */
void mount_set_namespace_locked(struct mount *top, struct mount_namespace *ns);
void mount_changed_locked(struct mount_namespace *ns); /* tell who polls */
/* Attach m at `where`; the tree takes over a reference to m. */
void mount_attach_locked(struct mount *m, const struct path *where);
/* Take m out of the tree; *old gets what it held. The tree's reference becomes the caller's. */
void mount_detach_locked(struct mount *m, struct path *old);
/* Half of that: its place in the parent's list and its parent go; nothing is put, `mountpoint` stays to be. */
void mount_unlink_locked(struct mount *m);
/* The part of a tree that shows `root` of `from`. ERR_PTR(-ENOMEM), -EINVAL (unbindable), -EPERM (it would show what a
 * locked mount hides). To be given back by mount_discard_locked(). */
struct mount *mount_copy_locked(struct mount *from, struct dentry *root, uint32_t how);
struct mount *mount_copy_alone_locked(struct mount *from, struct dentry *root); /* without what is mounted on it */
void mount_discard_locked(struct mount *top, struct list *dead);
/*
 * Unmount the tree at `top`, and with `propagate` what hangs at the same place elsewhere. All go to `dead`, for
 * mount_put_all() without the lock. `how`: UNMOUNT_* below.
 */
#define TREE_PROPAGATE BIT(0)
#define TREE_CONNECTED BIT(1) /* it stays one tree as long as somebody is in it */
#define TREE_APART     BIT(2) /* all are on their own, also those that are locked */
void mount_unmount_locked(struct mount *top, uint32_t how, struct list *dead);
void mount_put_all(struct list *dead);
/* What its mounts restrict they will always restrict, and all but the first stay where they are. */
void mount_lock_tree_locked(struct mount *top);
/* Would a copy of what `from` shows without the mounts on it show what a locked mount hides? */
bool mount_hides_locked(struct mount *from, struct dentry *root);

/* --- mount_groups.c */
int mount_share_locked(struct mount *m); /* into a group of its own unless it is in one: -ENOMEM */
void mount_join_locked(struct mount *m, struct peer_group *g);
void mount_set_master_locked(struct mount *m, struct peer_group *master);
void mount_propagation_locked(struct mount *m, enum mount_propagation to);
/*
 * Attach `m`, at the same places where the mount of `top` propagates to, copies of it, and with `old` take it away
 * from where it is first: mount_detach_locked(). -ENOENT: the name is gone. -ENOSPC: too many mounts. -ENOMEM.
 */
int mount_attach_tree_locked(struct mount *m, const struct path *top, struct path *old, struct list *dead);
/* fn() for each mount that hangs elsewhere at the place of `m`. */
void mount_gather_locked(struct mount *m, void (*fn)(void *ctx, struct mount *other), void *ctx);
/* For mountinfo. 0: none. */
struct mount_groups {
	uint32_t shared, master, from;
};
void mount_groups_of(const struct mount *m, const struct path *root, struct mount_groups *out);
void mount_groups_dump(const struct mount *m);

/* --- mount_change.c */
/*
 * Step onto whatever has been mounted on `where` meanwhile, as later mounts go on top, and take mount_lock
 * for writing. -EINVAL: that mount is not in the caller's tree. If it is in none, what were mounted there would
 * never be found again nor freed.
 */
int mount_lock_top_of(const struct path *where, struct path *out);
bool mount_reaches_locked(const struct path *p, const struct path *top);

/* --- nsfs.c */
/* Is this a file of a mount namespace, and of one not made before the caller's? */
bool nsfs_is_mounts(const struct dentry *d, bool *would_loop);

#endif
