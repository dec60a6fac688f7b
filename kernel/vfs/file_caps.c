/* SPDX-License-Identifier: MIT */
/*
 * file_caps.c - capabilities that a program file gives to who runs it: capabilities(7), "File capabilities".
 *
 * They are kept with the file's extended attributes, under the name by which programs see them, as a struct file_caps;
 * how programs write them down is linux/'s. They say which user is root where they count: in that user's namespace and
 * those below. Whoever writes to the file or gives it away takes them off.
 *
 * inode->has_caps, under inode->lock, says whether it is worth looking.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/file_caps.h>

#include "vfs.h"

#define NAME "security.capability"

int
inode_get_caps(struct inode *i, struct file_caps *out)
{
	ssize_t n;

	if (!i->ops->get_xattr)
		return -EOPNOTSUPP;
	n = i->ops->get_xattr(i, NAME, out, sizeof(*out));
	if (n < 0)
		return (int)n;
	return n == sizeof(*out) ? 0 : -EINVAL;
}

int
inode_set_caps(struct inode *i, const struct file_caps *caps, int flags)
{
	int error = -EOPNOTSUPP;

	write_lock(&i->lock);
	if (i->ops->set_xattr)
		error = i->ops->set_xattr(i, NAME, caps, sizeof(*caps), flags);
	if (!error)
		i->has_caps = true;
	write_unlock(&i->lock);
	return error;
}

void
inode_drop_caps_locked(struct inode *i)
{
	if (!i->has_caps)
		return;
	i->has_caps = false;
	(void)i->ops->remove_xattr(i, NAME);
}

bool
file_caps_count_in(const struct file_caps *caps, const struct user_namespace *ns)
{
	for (;; ns = ns->ns.owner) {
		if (id_map_out(ns, &ns->uids, caps->root) == 0)
			return true;
		if (!ns->ns.owner)
			return false;
	}
}
