/* SPDX-License-Identifier: MIT */
/*
 * permission.c - may the caller, with its file-system ids and capabilities, do that?
 *
 * Order of checks and errors as in Linux: the mode bits of owner, group or others (exactly one
 * class counts), then capabilities. See path_resolution(7) and capabilities(7).
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/namespace.h>
#include <tessera/posix_acl.h>

#include "vfs.h"

/* The mode bits, and between owner and others the access control list, if there is one. */
static bool
mode_allows(const struct inode *i, const struct cred *c, int mask)
{
	mode_t mode = i->mode;
	int said;

	if (c->fsuid == i->uid)
		return (mask & ~(mode >> 6) & 7) == 0;
	said = READ_ONCE(i->acl) && (mode & 070) ? posix_acl_permission(i, mask) : -EAGAIN;
	if (said != -EAGAIN)
		return said == 0;
	if (cred_in_group(c, i->gid))
		mode >>= 3;
	return (mask & ~mode & 7) == 0;
}

int
permission_generic(const struct inode *i, int mask)
{
	const struct cred *c = current_cred();

	mask &= MAY_READ | MAY_WRITE | MAY_EXEC;
	if (mode_allows(i, c, mask))
		return 0;
	if (S_ISDIR(i->mode)) {
		if (!(mask & MAY_WRITE) && inode_capable(i, CAP_DAC_READ_SEARCH))
			return 0;
		return inode_capable(i, CAP_DAC_OVERRIDE) ? 0 : -EACCES;
	}
	if (mask == MAY_READ && inode_capable(i, CAP_DAC_READ_SEARCH))
		return 0;
	/* Nobody executes a file without any x bit. */
	if ((!(mask & MAY_EXEC) || (i->mode & 0111)) && inode_capable(i, CAP_DAC_OVERRIDE))
		return 0;
	return -EACCES;
}

bool
permission_search_at_once(const struct inode *i)
{
	mode_t mode = READ_ONCE(i->mode);

	if (!S_ISDIR(mode) || i->ops->permission)
		return false;
	if ((mode & 0111) == 0111 && !READ_ONCE(i->acl))
		return true;
	return (mode & 0100) && READ_ONCE(i->uid) == current_cred()->fsuid;
}

int
vfs_permission(struct inode *i, int mask)
{
	if ((mask & MAY_WRITE) && (READ_ONCE(i->attributes) & INODE_IMMUTABLE))
		return -EPERM;
	if (i->ops->permission)
		return i->ops->permission(i, mask);
	return permission_generic(i, mask);
}

bool
inode_owner_or_capable(const struct inode *i)
{
	const struct cred *c = current_cred();

	return c->fsuid == i->uid || inode_capable(i, CAP_FOWNER);
}

int
permission_create(struct inode *dir)
{
	const struct user_namespace *ns = dir->fs->user_ns;
	const struct cred *c = current_cred();

	if (dir->links == 0)
		return -ENOENT;
	/* What would have no owner there is not made. */
	if (id_map_out(ns, &ns->uids, c->fsuid) == ID_INVALID || id_map_out(ns, &ns->gids, c->fsgid) == ID_INVALID)
		return -EOVERFLOW;
	return vfs_permission(dir, MAY_WRITE | MAY_EXEC);
}

bool
permission_sticky(const struct inode *dir, const struct inode *i)
{
	const struct cred *c = current_cred();

	return (dir->mode & S_ISVTX) && c->fsuid != i->uid && c->fsuid != dir->uid &&
	       !inode_capable(i, CAP_FOWNER);
}

int
permission_delete(struct inode *dir, struct dentry *d, bool directory)
{
	int error = vfs_permission(dir, MAY_WRITE | MAY_EXEC);

	if (error)
		return error;
	if (dir->attributes & INODE_APPEND)
		return -EPERM;
	if (permission_sticky(dir, d->inode) || (READ_ONCE(d->inode->attributes) & INODE_FROZEN))
		return -EPERM;
	if (directory) {
		if (!S_ISDIR(d->inode->mode))
			return -ENOTDIR;
		if (d == d->fs->root)
			return -EBUSY;
	} else if (S_ISDIR(d->inode->mode)) {
		return -EISDIR;
	}
	return dir->links == 0 ? -ENOENT : 0;
}

/* System V group semantics: a setgid directory gives its group, and itself to directories. */
mode_t
inode_inherit(struct inode *i, const struct inode *dir, mode_t mode)
{
	const struct cred *c = current_cred();

	i->uid = c->fsuid;
	i->gid = c->fsgid;
	if (dir && (dir->mode & S_ISGID)) {
		i->gid = dir->gid;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
		else if ((mode & (S_ISGID | 0010)) == (S_ISGID | 0010) &&
			 !cred_in_group(c, i->gid) && !inode_capable(i, CAP_FSETID))
			mode &= ~S_ISGID;
	}
	i->mode = mode;
	return mode;
}
