/* SPDX-License-Identifier: MIT */
/*
 * file_caps.h - capabilities of program files: vfs/file_caps.c.
 */
#ifndef TESSERA_FILE_CAPS_H
#define TESSERA_FILE_CAPS_H

#include <tessera/namespace.h>
#include <tessera/types.h>

struct inode;

struct file_caps {
	uint64_t permitted, inheritable;
	uid_t root;                    /* they count where this is user 0, and below */
	bool effective;                /* what is permitted is in force at once */
};

/* 0, -ENODATA: it has none, -EOPNOTSUPP: it cannot. */
int inode_get_caps(struct inode *i, struct file_caps *out);
int inode_set_caps(struct inode *i, const struct file_caps *caps, int flags); /* as setxattr(2)'s flags */
void inode_drop_caps_locked(struct inode *i); /* i->lock is held for writing */
bool file_caps_count_in(const struct file_caps *caps, const struct user_namespace *ns);

#endif
