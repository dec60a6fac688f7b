/* SPDX-License-Identifier: MIT */
/*
 * file_handle.c - finding a file again by a number instead of a name: name_to_handle_at(2).
 *
 * A key is an instance's generation and an inode's number. Neither is ever given twice while the machine
 * runs, so a key finds its file or nothing. The way back from the inode to a path is the file system's to
 * know (filesystem_type.name_of): one name and its directory. From there we climb to the root, and go down
 * again by look-ups, so that the dentries are the ones that everybody else has.
 *
 * Names may change under us: who finds another file than the one looked for starts again. A file that is
 * open but has no name any more is found, too; it gets a lone dentry, as an O_TMPFILE has.
 *
 * Save: nothing is kept here; a key stays good across a move if devices and inode numbers do.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "vfs.h"

#define ATTEMPTS 32 /* against renames in the way */

static uint32_t
generation_of(const struct filesystem *fs)
{
	return DEV_MINOR(fs->device);
}

int
vfs_inode_key(const struct inode *i, struct file_key *key)
{
	if (!i->fs->type->name_of)
		return -EOPNOTSUPP;
	key->own = false;
	key->generation = generation_of(i->fs);
	key->inode = i->number;
	return 0;
}

int
vfs_file_key(const struct path *p, struct file_key *key)
{
	const struct inode *i = p->dentry->inode;

	if (i->fs->type->key_of) {
		i->fs->type->key_of(i, key);
		key->own = true;
		return 0;
	}
	return vfs_inode_key(p->dentry->inode, key);
}

void
filesystem_id(const struct filesystem *fs, int32_t id[2])
{
	id[0] = fs->type->name_of ? (int32_t)fs->type->magic : 0;
	id[1] = fs->type->name_of ? (int32_t)generation_of(fs) : 0;
}

/* The living inode of this number, with a reference; NULL: none. One pass over the instance's inodes. */
static struct inode *
find_inode(struct filesystem *fs, ino_t number)
{
	struct inode *i, *found = NULL;

	spin_lock(&fs->inodes_lock);
	list_for_each(i, &fs->inodes, fs_node)
		if (i->number == number && ref_get_unless_zero(&i->refs)) {
			found = i;
			break;
		}
	spin_unlock(&fs->inodes_lock);
	return found;
}

/*
 * What lies directly below the directory `top` on the way to `i`: its name. -ENOENT: there is no way, or one
 * of the names went meanwhile.
 */
static int
name_below(struct inode *top, struct inode *i, char *name)
{
	struct inode *at = i, *dir;
	int error;

	inode_get(at);
	for (;;) {
		error = at->fs->type->name_of(at, &dir, name);
		inode_put(at);
		if (error)
			return error;
		if (dir == top)
			break;
		at = dir;
	}
	inode_put(dir);
	return 0;
}

/* Down from the root to `i`, whose dentry is given with a reference. NULL: a name changed; ERR_PTR. */
static struct dentry *
descend(struct filesystem *fs, struct inode *i, char *name)
{
	struct dentry *d = fs->root, *child;

	dentry_get(d);
	while (d->inode != i) {
		if (name_below(d->inode, i, name)) {
			dentry_put(d);
			return NULL;
		}
		child = lookup_child(d, name, strlen(name));
		dentry_put(d);
		if (IS_ERR(child))
			return PTR_ERR(child) == -ENOENT ? NULL : child;
		if (!child->inode || (child->inode != i && !S_ISDIR(child->inode->mode))) {
			dentry_put(child);
			return NULL;
		}
		d = child;
	}
	return d;
}

static bool
has_name(struct inode *i, char *name)
{
	struct inode *dir;

	if (i->fs->type->name_of(i, &dir, name))
		return false;
	inode_put(dir);
	return true;
}

/* A dentry for what has no name. */
static struct dentry *
lone_dentry(struct filesystem *fs, struct inode *i)
{
	char shown[24];
	struct dentry *d;

	snprintf(shown, sizeof(shown), "#%lu", i->number);
	d = dentry_create(fs->root, shown, strlen(shown));
	if (!d)
		return ERR_PTR(-ENOMEM);
	inode_get(i);
	dentry_attach(d, i);
	return d;
}

/* A place for `i`, whose reference is taken over: its name where it is a directory that has one, else none. */
static struct dentry *
place_of(struct filesystem *fs, struct inode *i)
{
	struct dentry *d;

	for (;;) {
		d = i == fs->root->inode ? fs->root : NULL;
		if (d)
			dentry_get(d);
		else
			d = S_ISDIR(i->mode) ? inode_alias(i) : NULL;
		if (!d)
			d = lone_dentry(fs, i);
		if (IS_ERR(d) || !S_ISDIR(i->mode) || d == fs->root || i->alias == d || dentry_place_lone(d))
			break;
		dentry_put(d);
	}
	inode_put(i);
	return d;
}

static int
find_own_key(const struct path *at, const struct file_key *key, struct path *out)
{
	struct filesystem *fs = at->mount->fs;
	struct inode *i = fs->type->find_key && fs->root ? fs->type->find_key(fs, key) : ERR_PTR(-ESTALE);
	struct dentry *d;

	if (IS_ERR(i))
		return (int)PTR_ERR(i);
	d = place_of(fs, i);
	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	mount_get(at->mount);
	*out = (struct path){ at->mount, d };
	return 0;
}

int
vfs_find_key(const struct path *at, const struct file_key *key, struct path *out)
{
	struct filesystem *fs = at->mount->fs;
	struct dentry *d = NULL;
	struct inode *i;
	char *name;

	if (key->own)
		return find_own_key(at, key, out);
	if (!fs->type->name_of || !fs->root || key->generation != generation_of(fs))
		return -ESTALE;
	name = kmalloc(NAME_MAX + 1, 0);
	if (!name)
		return -ENOMEM;
	i = find_inode(fs, key->inode);
	if (!i) {
		kfree(name);
		return -ESTALE;
	}
	for (unsigned int n = 0; !d && n < ATTEMPTS; n++)
		d = i == fs->root->inode || has_name(i, name) ? descend(fs, i, name) : lone_dentry(fs, i);
	inode_put(i);
	kfree(name);
	if (!d)
		return -ESTALE;
	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	mount_get(at->mount);
	*out = (struct path){ at->mount, d };
	return 0;
}
