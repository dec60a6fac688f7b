/* SPDX-License-Identifier: MIT */
/*
 * frame.h - what frame.c, the tree, text.c, its files, and instance.c, its mounts, share.
 */
#ifndef TESSERA_VFS_PROCFS_FRAME_H
#define TESSERA_VFS_PROCFS_FRAME_H

#include "procfs.h"

/* inode->private. [I] */
struct node {
	const struct entry *entry;
	pid_t pid;       /* 0: not about a process */
	pid_t tid;       /* 0: the process as a whole */
	uint64_t start;  /* its start time: a pid may be used again */
	int fd;
	vaddr_t address;
};

/* Is it /proc/PID itself? */
static inline bool
is_process_top(const struct node *n)
{
	return n->entry == process_list.each;
}

static inline const struct node *
node_of(const struct inode *i)
{
	return i->private;
}

/* frame.c: the directory at the top; NULL: no memory */
struct inode *procfs_root_create(struct filesystem *fs);
/* access.c: operations of all that is no directory, and those that directories share with it */
extern const struct inode_ops procfs_file_ops, procfs_setting_ops, procfs_link_ops, procfs_jump_ops;
int procfs_dir_permission(struct inode *i, int mask);
int procfs_set_attributes(struct inode *i, const struct inode_change *c);
void procfs_evict(struct inode *i);
/* 0, or -EACCES: what the file says of `at` is hidden from the caller (ENTRY_INSPECT). */
int may_inspect(struct inode *i, struct target *at);

/* target.c: what `n` is about, with references, for target_put(). -ESRCH: gone. `at->ns` is not set. */
int target_of(const struct node *n, struct target *at);
/* Does the instance show p to the caller, where it hides with `from` or more? */
bool process_is_shown(const struct target *at, struct process *p, enum proc_hiding from);

/* text.c: inode_ops.open of every file, and the operations of those that are text */
int proc_file_open(struct inode *i, struct file *f);
extern const struct file_ops proc_text_ops;
extern const struct file_ops proc_process_text_ops; /* below /proc/PID: nothing can be spliced, as on Linux */

#endif
