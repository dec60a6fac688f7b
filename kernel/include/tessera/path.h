/* SPDX-License-Identifier: MIT */
/*
 * path.h - a place in the tree: a name, and the mount through which it was reached.
 */
#ifndef TESSERA_PATH_H
#define TESSERA_PATH_H

#include <tessera/types.h>

struct dentry;
struct mount;

struct path {
	struct mount *mount;
	struct dentry *dentry;
};

static inline bool
path_equal(const struct path *a, const struct path *b)
{
	return a->mount == b->mount && a->dentry == b->dentry;
}

#endif
