/* SPDX-License-Identifier: MIT */
/*
 * user_name.h - path names given by programs.
 */
#ifndef TESSERA_LINUX_USER_NAME_H
#define TESSERA_LINUX_USER_NAME_H

#include <tessera/types.h>

struct path;

/* A kernel copy: kfree it. ERR_PTR of -EFAULT, -ENAMETOOLONG, -ENOMEM. The empty name is fine. */
char *user_name_get(const char __user *name);
/* A string of at most `size` bytes with its NUL: kfree it. ERR_PTR of -EINVAL (longer), -EFAULT, -ENOMEM. */
char *user_string_get(const char __user *u, size_t size);
/* path_lookup() of such a name. 0 with references in *out, or as both say. */
long user_path_lookup(int dirfd, const char __user *name, unsigned int flags, struct path *out);

/* AT_* flags, Linux's values. */
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_REMOVEDIR        0x200
#define AT_EACCESS          0x200
#define AT_SYMLINK_FOLLOW   0x400
#define AT_NO_AUTOMOUNT     0x800
#define AT_EMPTY_PATH       0x1000
#define AT_STATX_SYNC_TYPE  0x6000

#endif
