/* SPDX-License-Identifier: MIT */
/*
 * inode_ops.c - operations on the names and files of tmpfs. The vfs holds the directories' locks
 * and has checked permissions and shapes.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/pipe.h>
#include <tessera/posix_acl.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "tmpfs.h"

/* Count `n` of a limited thing in or out. */
static int
charge(uint64_t *used, uint64_t limit, int64_t n)
{
	uint64_t now = atomic_add_fetch(used, (uint64_t)n);

	if (n > 0 && limit && now > limit) {
		atomic_sub(used, (uint64_t)n);
		return -ENOSPC;
	}
	return 0;
}

static int
charge_page(struct memory_object *o, int pages)
{
	struct tmpfs *t = o->private;

	return charge(&t->pages, READ_ONCE(t->max_pages), pages);
}

const struct memory_object_ops tmpfs_object_ops = {
	.name = "tmpfs",
	.charge_page = charge_page,
};

struct inode *
tmpfs_inode_create(struct filesystem *fs, struct inode *dir, mode_t mode, dev_t rdev)
{
	struct tmpfs *t = tmpfs_of(fs);
	struct tmpfs_inode *ti;
	struct inode *i;
	int error;

	if (charge(&t->inodes, READ_ONCE(t->max_inodes), 1))
		return NULL;
	ti = kzalloc(sizeof(*ti));
	i = ti ? inode_create(fs, mode) : NULL;
	if (!i) {
		kfree(ti);
		charge(&t->inodes, 0, -1);
		return NULL;
	}
	list_init(&ti->names);
	list_init(&ti->xattrs);
	mutex_init(&ti->xattrs_lock, LOCK_SLEEP_LEAF);
	ti->next_position = 2;
	i->private = ti;
	inode_inherit(i, dir, mode);
	error = posix_acl_inherit(i, dir);
	i->rdev = rdev;
	i->attributes = dir ? dir->attributes & INODE_INHERITED : 0;
	i->ops = &tmpfs_file_ops;
	if (S_ISDIR(mode)) {
		i->ops = &tmpfs_dir_ops;
		i->file_ops = &tmpfs_dir_file_ops;
		i->links = 2;
		i->size = 2 * TMPFS_ENTRY_SIZE;
	} else if (S_ISREG(mode)) {
		i->file_ops = &regular_file_ops;
		i->object = object_create(&tmpfs_object_ops, 0, t);
		i->seals = SEAL_SEAL;
		if (i->object)
			i->object->inode = i;
		else
			error = -ENOMEM;
	} else if (S_ISLNK(mode)) {
		i->ops = &tmpfs_link_ops;
	}
	if (error) {
		inode_put(i);
		return NULL;
	}
	return i;
}

static void
tmpfs_evict(struct inode *i)
{
	struct tmpfs_inode *ti = tmpfs_inode_of(i);

	if (S_ISDIR(i->mode))
		tmpfs_dir_free_tree(i);
	if (S_ISFIFO(i->mode))
		fifo_inode_gone(i);
	tmpfs_free_xattrs(i);
	kfree(ti->target);
	kfree(ti);
	charge(&tmpfs_of(i->fs)->inodes, 0, -1);
}

static int
tmpfs_lookup(struct inode *dir, struct dentry *d)
{
	struct tmpfs_entry *e = tmpfs_entry_find(dir, d->name, d->length);

	if (e) {
		inode_get(e->inode);
		dentry_attach(d, e->inode);
	}
	return 0;
}

/* Enter the new inode `i` (one reference, ours, used up) in the directory under d's name. */
static int
enter(struct inode *dir, struct dentry *d, struct inode *i)
{
	int error = tmpfs_entry_add(dir, d, i);

	if (error) {
		i->links = 0;
		inode_put(i);
		return error;
	}
	inode_get(i);
	dentry_attach(d, i);
	inode_touch_modified(dir);
	return 0;
}

static int
tmpfs_mknod(struct inode *dir, struct dentry *d, mode_t mode, dev_t rdev)
{
	struct inode *i = tmpfs_inode_create(dir->fs, dir, mode, rdev);

	return i ? enter(dir, d, i) : -ENOSPC;
}

static int
tmpfs_create(struct inode *dir, struct dentry *d, mode_t mode)
{
	return tmpfs_mknod(dir, d, mode, 0);
}

static int
tmpfs_mkdir(struct inode *dir, struct dentry *d, mode_t mode)
{
	int error = tmpfs_mknod(dir, d, mode, 0);

	if (!error)
		dir->links++;
	return error;
}

static int
tmpfs_symlink(struct inode *dir, struct dentry *d, const char *target)
{
	struct inode *i = tmpfs_inode_create(dir->fs, dir, S_IFLNK | 0777, 0);

	if (!i)
		return -ENOSPC;
	tmpfs_inode_of(i)->target = kstrdup(target);
	if (!tmpfs_inode_of(i)->target) {
		inode_put(i);
		return -ENOMEM;
	}
	i->size = strlen(target);
	return enter(dir, d, i);
}

/* Each name counts against nr_inodes, not only the first. */
static void
name_removed(struct inode *i)
{
	if (i->links > 1 && !S_ISDIR(i->mode))
		charge(&tmpfs_of(i->fs)->inodes, 0, -1);
}

static int
tmpfs_link(struct inode *dir, struct dentry *d, struct inode *target)
{
	struct tmpfs *t = tmpfs_of(dir->fs);
	int error = target->links ? charge(&t->inodes, READ_ONCE(t->max_inodes), 1) : 0;

	if (error)
		return error;
	inode_get(target);
	error = tmpfs_entry_add(dir, d, target);
	if (error) {
		if (target->links)
			charge(&t->inodes, 0, -1);
		inode_put(target);
		return error;
	}
	target->links++;
	target->changed = inode_now();
	inode_get(target);
	dentry_attach(d, target);
	inode_touch_modified(dir);
	return 0;
}

static int
tmpfs_unlink(struct inode *dir, struct dentry *d)
{
	struct tmpfs_entry *e = tmpfs_entry_find(dir, d->name, d->length);

	if (!e)
		return -ENOENT;
	name_removed(d->inode);
	d->inode->links--;
	d->inode->changed = inode_now();
	tmpfs_entry_remove(dir, e);
	inode_touch_modified(dir);
	return 0;
}

static int
tmpfs_rmdir(struct inode *dir, struct dentry *d)
{
	if (!tmpfs_dir_is_empty(d->inode))
		return -ENOTEMPTY;
	d->inode->links = 1; /* unlink takes the last */
	dir->links--;
	return tmpfs_unlink(dir, d);
}

/* Both names exist: their inodes change places. */
static void
exchange(struct inode *from_dir, struct tmpfs_entry *from, struct inode *to_dir,
	struct tmpfs_entry *to)
{
	struct inode *i = from->inode;
	int change = S_ISDIR(to->inode->mode) - S_ISDIR(i->mode);

	tmpfs_entry_set(from, to->inode);
	tmpfs_entry_set(to, i);
	from_dir->links += (uint32_t)change;
	to_dir->links -= (uint32_t)change;
}

static int
tmpfs_rename(struct inode *from_dir, struct dentry *from, struct inode *to_dir, struct dentry *to,
	     unsigned int flags)
{
	struct tmpfs_entry *e = tmpfs_entry_find(from_dir, from->name, from->length);
	struct tmpfs_entry *over = tmpfs_entry_find(to_dir, to->name, to->length);
	struct inode *i = from->inode;
	struct inode *whiteout = NULL;
	bool directory = S_ISDIR(i->mode);
	int error;

	if (!e)
		return -ENOENT;
	if (flags & RENAME_EXCHANGE) {
		if (!over)
			return -ENOENT;
		exchange(from_dir, e, to_dir, over);
		to->inode->changed = inode_now();
		goto touch;
	}
	if (over && directory && !tmpfs_dir_is_empty(over->inode))
		return -ENOTEMPTY;
	if (flags & RENAME_WHITEOUT) {
		whiteout = tmpfs_inode_create(from_dir->fs, from_dir, S_IFCHR, 0);
		if (!whiteout)
			return -ENOSPC;
	}
	if (over) {
		struct inode *old = over->inode;

		inode_get(i);
		tmpfs_entry_set(over, i);
		name_removed(old);
		old->links = directory ? 0 : old->links - 1;
		old->changed = inode_now();
		inode_put(old); /* never the last: `to` has one */
		if (directory)
			from_dir->links--;
	} else {
		inode_get(i);
		error = tmpfs_entry_add(to_dir, to, i);
		if (error) {
			inode_put(i);
			if (whiteout)
				inode_put(whiteout);
			return error;
		}
		if (directory) {
			from_dir->links--;
			to_dir->links++;
		}
	}
	if (whiteout) {
		tmpfs_entry_set(e, whiteout);
		inode_put(i); /* the entry's; `from` has one */
	} else {
		tmpfs_entry_remove(from_dir, e);
	}
touch:
	i->changed = inode_now();
	inode_touch_modified(from_dir);
	inode_touch_modified(to_dir);
	return 0;
}

static int
tmpfs_tmpfile(struct inode *dir, mode_t mode, struct inode **out)
{
	struct inode *i = tmpfs_inode_create(dir->fs, dir, mode, 0);

	if (!i)
		return -ENOSPC;
	i->links = 0;
	*out = i;
	return 0;
}

static ssize_t
tmpfs_readlink(struct inode *i, char *buf, size_t size)
{
	size_t n = MIN((size_t)i->size, size);

	memcpy(buf, tmpfs_inode_of(i)->target, n);
	return (ssize_t)n;
}

const struct inode_ops tmpfs_dir_ops = {
	.name = "tmpfs directory",
	.has_flags = true,
	.lookup = tmpfs_lookup,
	.create = tmpfs_create,
	.mknod = tmpfs_mknod,
	.mkdir = tmpfs_mkdir,
	.symlink = tmpfs_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_rmdir,
	.rename = tmpfs_rename,
	.tmpfile = tmpfs_tmpfile,
	.get_xattr = tmpfs_get_xattr,
	.set_xattr = tmpfs_set_xattr,
	.list_xattr = tmpfs_list_xattr,
	.remove_xattr = tmpfs_remove_xattr,
	.evict = tmpfs_evict,
};

const struct inode_ops tmpfs_file_ops = {
	.name = "tmpfs file",
	.has_flags = true,
	.get_xattr = tmpfs_get_xattr,
	.set_xattr = tmpfs_set_xattr,
	.list_xattr = tmpfs_list_xattr,
	.remove_xattr = tmpfs_remove_xattr,
	.evict = tmpfs_evict,
};

const struct inode_ops tmpfs_link_ops = {
	.name = "tmpfs symlink",
	.readlink = tmpfs_readlink,
	.get_xattr = tmpfs_get_xattr,
	.set_xattr = tmpfs_set_xattr,
	.list_xattr = tmpfs_list_xattr,
	.remove_xattr = tmpfs_remove_xattr,
	.evict = tmpfs_evict,
};
