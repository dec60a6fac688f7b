/* SPDX-License-Identifier: MIT */
/*
 * posix_acl.h - access control lists of files: acl(5). An inode has up to two: `acl`, which refines its mode, and,
 * being a directory, `default_acl`, which what is made in it begins with. Lists never change once an inode has
 * them; they are exchanged, under inode->lock held for writing.
 */
#ifndef TESSERA_POSIX_ACL_H
#define TESSERA_POSIX_ACL_H

#include <tessera/types.h>

struct inode;
struct posix_acl;

void posix_acl_put(struct posix_acl *a); /* NULL is nothing to put */
/*
 * What i's list says to the caller, who is not the owner, about `mask` (MAY_*): 0 or -EACCES. -EAGAIN: there is no
 * list, the mode decides.
 */
int posix_acl_permission(const struct inode *i, int mask);
/* The permission bits of what is made in `dir` with `mode`: less the umask, unless a list takes its place. */
mode_t posix_acl_new_mode(const struct inode *dir, mode_t mode);
/* `i`, new in `dir` (whose lock is held), gets its lists and by them its mode. 0 or -ENOMEM. */
int posix_acl_inherit(struct inode *i, const struct inode *dir);
/* i->lock is held for writing: i's list for its new mode, *out, to be set by posix_acl_replace. 0 or -ENOMEM. */
int posix_acl_chmod(const struct inode *i, mode_t mode, struct posix_acl **out);
void posix_acl_replace(struct inode *i, struct posix_acl *a);

/* The extended attributes that stand for the lists. */
#define POSIX_ACL_ACCESS  "system.posix_acl_access"
#define POSIX_ACL_DEFAULT "system.posix_acl_default"
/* Value or length (size 0): -ENODATA, -ERANGE, -EOPNOTSUPP (a link). */
ssize_t posix_acl_get_xattr(const struct inode *i, bool of_default, void *buf, size_t size);
/* The list in `value`, which somebody else keeps, is checked here from now on. Nonsense is none. */
void posix_acl_keep(struct inode *i, const void *value, size_t size);
/* NULL takes the list away. -EPERM, -EACCES, -EINVAL, -EOPNOTSUPP, -ENOMEM. */
int posix_acl_set_xattr(struct inode *i, bool of_default, const void *value, size_t size);

#endif
