/* SPDX-License-Identifier: MIT */
/*
 * names.c - making, removing and moving names.
 *
 * All hold the lock of the directories they change for writing, and that of the inode that loses a name: a
 * directory that is removed or replaced is empty, gets no more names, and is not mounted upon in the caller's mount
 * namespace; what other namespaces mounted on it is let go afterwards. rename takes fs->rename_lock first
 * when a directory may move, so that "is it below?" stays true, then locks two directories in the
 * order ancestor first, else by address.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/posix_acl.h>
#include <tessera/string.h>
#include <tessera/notify.h>

#include "vfs.h"

/*
 * Find the place of a new name. On success the parent's lock is held for writing and *d is its
 * negative dentry with a reference; end with create_end().
 */
static int
create_begin(int dirfd, const char *name, bool directory, struct last_name *w, struct dentry **d)
{
	int error = path_lookup_parent(dirfd, name, LOOKUP_CREATE, w);

	if (error)
		return error;
	if (w->kind != LAST_NORMAL) {
		last_name_put(w);
		return -EEXIST;
	}
	write_lock(&w->parent.dentry->inode->lock);
	*d = lookup_child_locked(w->parent.dentry, w->name, w->length);
	if (IS_ERR(*d))
		error = (int)PTR_ERR(*d);
	else if ((*d)->inode)
		error = -EEXIST;
	else if (w->slash && !directory)
		error = -ENOENT;
	else
		error = mount_want_write(w->parent.mount);
	if (!error)
		error = permission_create(w->parent.dentry->inode);
	if (!error)
		return 0;
	write_unlock(&w->parent.dentry->inode->lock);
	if (!IS_ERR(*d))
		dentry_put(*d);
	last_name_put(w);
	return error;
}

static int
create_end(struct last_name *w, struct dentry *d, int result)
{
	if (result == 0)
		notify_entry(w->parent.dentry->inode, NOTIFY_CREATE, d->name, d->inode);
	write_unlock(&w->parent.dentry->inode->lock);
	dentry_put(d);
	last_name_put(w);
	return result;
}

int
vfs_mkdir(int dirfd, const char *name, mode_t mode)
{
	struct last_name w;
	struct dentry *d;
	struct inode *dir;
	int error = create_begin(dirfd, name, true, &w, &d);

	if (error)
		return error;
	dir = w.parent.dentry->inode;
	mode = S_IFDIR | posix_acl_new_mode(dir, mode & (0777 | S_ISVTX));
	error = dir->ops->mkdir ? dir->ops->mkdir(dir, d, mode) : -EPERM;
	return create_end(&w, d, error);
}

int
vfs_mknod_path(int dirfd, const char *name, mode_t mode, dev_t rdev, struct path *made)
{
	struct last_name w;
	struct dentry *d;
	struct inode *dir;
	int error;

	if ((mode & S_IFMT) == 0)
		mode |= S_IFREG;
	if (S_ISDIR(mode))
		return -EPERM;
	if (!S_ISREG(mode) && !S_ISCHR(mode) && !S_ISBLK(mode) && !S_ISFIFO(mode) &&
		!S_ISSOCK(mode))
		return -EINVAL;
	error = create_begin(dirfd, name, false, &w, &d);
	if (error)
		return error;
	dir = w.parent.dentry->inode;
	mode = (mode & S_IFMT) | posix_acl_new_mode(dir, mode & 07777);
	/* The character device 0:0 is none: it stands for a name that is not there, where trees are laid on trees. */
	if ((S_ISCHR(mode) || S_ISBLK(mode)) && !(S_ISCHR(mode) && rdev == 0) && !capable(CAP_MKNOD))
		error = -EPERM;
	else if (S_ISREG(mode))
		error = dir->ops->create ? dir->ops->create(dir, d, mode) : -EACCES;
	else
		error = dir->ops->mknod ? dir->ops->mknod(dir, d, mode, rdev) : -EPERM;
	if (!error && made) {
		*made = (struct path){ w.parent.mount, d };
		path_get(made);
	}
	return create_end(&w, d, error);
}

int
vfs_mknod(int dirfd, const char *name, mode_t mode, dev_t rdev)
{
	return vfs_mknod_path(dirfd, name, mode, rdev, NULL);
}

int
vfs_symlink(const char *target, int dirfd, const char *name)
{
	struct last_name w;
	struct dentry *d;
	struct inode *dir;
	int error;

	if (!*target)
		return -ENOENT;
	error = create_begin(dirfd, name, false, &w, &d);
	if (error)
		return error;
	dir = w.parent.dentry->inode;
	error = dir->ops->symlink ? dir->ops->symlink(dir, d, target) : -EPERM;
	return create_end(&w, d, error);
}

#define AT_SYMLINK_FOLLOW 0x400
#define AT_EMPTY_PATH     0x1000

/*
 * Unless protected_hardlinks is off: a name for another's file is only given to who could read
 * and write it anyway, and never for one that gives its owner's rights.
 */
static bool
may_link(struct inode *i)
{
	if (!READ_ONCE(vfs_protection.hardlinks) || inode_owner_or_capable(i))
		return true;
	if (!S_ISREG(i->mode) || (i->mode & S_ISUID) ||
		(i->mode & (S_ISGID | 0010)) == (S_ISGID | 0010))
		return false;
	return vfs_permission(i, MAY_READ | MAY_WRITE) == 0;
}

int
vfs_link(int olddir, const char *old, int newdir, const char *new_name, int flags)
{
	unsigned int lookup = flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0;
	struct last_name w;
	struct path from;
	struct dentry *d;
	struct inode *dir, *i;
	int error;

	if (flags & AT_EMPTY_PATH) {
		lookup |= LOOKUP_EMPTY;
	}
	error = path_lookup(olddir, old, lookup, &from);
	if (error)
		return error;
	error = create_begin(newdir, new_name, false, &w, &d);
	if (error)
		goto put_from;
	dir = w.parent.dentry->inode;
	i = from.dentry->inode;
	if (from.mount != w.parent.mount || i->fs != dir->fs)
		error = -EXDEV;
	else if (S_ISDIR(i->mode) || !dir->ops->link || !may_link(i) || (READ_ONCE(i->attributes) & INODE_FROZEN))
		error = -EPERM;
	else {
		write_lock_nested(&i->lock); /* a file below a directory */
		if (i->links == 0 && !(i->attributes & INODE_LINKABLE))
			error = -ENOENT;
		else
			error = dir->ops->link(dir, d, i);
		write_unlock(&i->lock);
	}
	if (error == 0)
		notify_inode(i, NOTIFY_ATTRIB);
	error = create_end(&w, d, error);
put_from:
	path_put(&from);
	return error;
}

/* What the last component must be for a removal. */
static int
removal_kind(const struct last_name *w, bool directory)
{
	if (directory) {
		if (w->kind == LAST_DOT)
			return -EINVAL;
		if (w->kind == LAST_DOTDOT)
			return -ENOTEMPTY;
		return w->kind == LAST_NONE ? -EBUSY : 0;
	}
	return w->kind == LAST_NORMAL ? 0 : -EISDIR;
}

/* Is a name mounted upon, where the caller sees it? mount_lock comes before the directories' locks. */
struct mounted_name {
	struct dentry *d;  /* reference; NULL: not asked yet */
	bool here;
	uint64_t attaches; /* mount_attaches when it was asked */
	bool again;        /* ask with mounted_ask(), without the directories' locks, and begin again */
};

/*
 * May a mount on `d` stay in the way? The lock of its inode, without which nothing is mounted on it, is held.
 * 0 or -EBUSY; with m->again that only says that it is not known.
 */
static int
mounted_check(struct mounted_name *m, const struct dentry *d)
{
	if (!READ_ONCE(d->mounted))
		return 0;
	m->again = m->d != d || m->attaches != atomic_load(&mount_attaches);
	return m->again || m->here ? -EBUSY : 0;
}

/* Takes over the reference. */
static void
mounted_ask(struct mounted_name *m, struct dentry *d)
{
	if (m->d)
		dentry_put(m->d);
	m->d = d;
	m->again = false;
	m->attaches = atomic_load(&mount_attaches);
	m->here = mount_is_here(d);
}

/* `gone`: the name is: whatever is mounted on it goes as well. */
static void
mounted_end(struct mounted_name *m, bool gone)
{
	if (!m->d)
		return;
	if (gone)
		mount_leave_name(m->d);
	dentry_put(m->d);
}

static int
unlink_locked(struct last_name *w, struct dentry *d, bool directory, struct mounted_name *mounted)
{
	struct inode *dir = w->parent.dentry->inode;
	int error;

	if (!d->inode)
		return -ENOENT;
	if (!directory && w->slash)
		return S_ISDIR(d->inode->mode) ? -EISDIR : -ENOTDIR;
	error = permission_delete(dir, d, directory);
	if (error)
		return error;
	if (!(directory ? dir->ops->rmdir : dir->ops->unlink))
		return -EPERM;
	write_lock_nested(&d->inode->lock); /* an entry below its directory; nothing is mounted on it now */
	error = mounted_check(mounted, d);
	if (!error)
		error = directory ? dir->ops->rmdir(dir, d) : dir->ops->unlink(dir, d);
	if (!error)
		dentry_drop(d);
	write_unlock(&d->inode->lock);
	if (!error) {
		if (!directory)
			notify_inode(d->inode, NOTIFY_ATTRIB);
		if (d->inode->links == 0 && ref_count(&d->refs) == 1)
			notify_inode_removed(d->inode, NOTIFY_DELETE_SELF);
		notify_entry(dir, NOTIFY_DELETE, d->name, d->inode);
		if (directory)
			dentry_prune(d);
	}
	return error;
}

int
vfs_unlink(int dirfd, const char *name, bool directory)
{
	struct mounted_name mounted = { 0 };
	struct last_name w;
	struct dentry *d;
	struct inode *dir;
	int error = path_lookup_parent(dirfd, name, LOOKUP_REMOVE, &w);

	if (error)
		return error;
	error = removal_kind(&w, directory);
	if (!error)
		error = mount_want_write(w.parent.mount); /* told of names that are not there, too */
	if (error)
		goto put_name;
	dir = w.parent.dentry->inode;
again:
	write_lock(&dir->lock);
	d = lookup_child_locked(w.parent.dentry, w.name, w.length);
	if (IS_ERR(d))
		error = (int)PTR_ERR(d);
	else
		error = unlink_locked(&w, d, directory, &mounted);
	write_unlock(&dir->lock);
	if (mounted.again) {
		mounted_ask(&mounted, d);
		goto again;
	}
	mounted_end(&mounted, !error && mounted.d == d);
	if (!IS_ERR(d))
		dentry_put(d);
put_name:
	last_name_put(&w);
	return error;
}

/* --- rename ----------------------------------------------------------------------------------- */

struct renaming {
	struct last_name from, to;
	struct dentry *old, *new_dentry;
	struct mounted_name old_mounted, new_mounted;
	unsigned int flags;
};

static void
lock_parents(struct renaming *r)
{
	struct dentry *a = r->from.parent.dentry, *b = r->to.parent.dentry;

	if (a == b) {
		write_lock(&a->inode->lock);
		return;
	}
	mutex_lock(&a->fs->rename_lock);
	if (dentry_is_below(a, b) || (!dentry_is_below(b, a) && b < a)) {
		struct dentry *t = a;

		a = b;
		b = t;
	}
	write_lock(&a->inode->lock);
	write_lock_nested(&b->inode->lock);
}

static void
unlock_parents(struct renaming *r)
{
	struct dentry *a = r->from.parent.dentry, *b = r->to.parent.dentry;

	write_unlock(&b->inode->lock);
	if (a == b)
		return;
	write_unlock(&a->inode->lock);
	mutex_unlock(&a->fs->rename_lock);
}

/* Names, kinds and loops: what does not depend on the caller's rights. Parents are locked. */
static int
rename_shape(struct renaming *r)
{
	struct inode *i = r->old->inode, *over;

	if (!i)
		return -ENOENT;
	over = r->new_dentry->inode;
	if ((r->flags & RENAME_NOREPLACE) && over)
		return -EEXIST;
	if (r->flags & RENAME_EXCHANGE) {
		if (!over)
			return -ENOENT;
		if (!S_ISDIR(over->mode) && r->to.slash)
			return -ENOTDIR;
	}
	if (!S_ISDIR(i->mode)) {
		if (r->from.slash || (!(r->flags & RENAME_EXCHANGE) && r->to.slash))
			return -ENOTDIR;
	}
	if (dentry_is_below(r->to.parent.dentry, r->old))
		return -EINVAL;
	if (over && dentry_is_below(r->from.parent.dentry, r->new_dentry))
		return r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	return 0;
}

static int
rename_allowed(struct renaming *r)
{
	struct inode *dir = r->from.parent.dentry->inode, *to_dir = r->to.parent.dentry->inode;
	struct inode *i = r->old->inode, *over = r->new_dentry->inode;
	bool directory = S_ISDIR(i->mode);
	int error = permission_delete(dir, r->old, directory);

	if (error)
		return error;
	if (!over)
		error = permission_create(to_dir);
	else if (r->flags & RENAME_EXCHANGE)
		error = permission_delete(to_dir, r->new_dentry, S_ISDIR(over->mode));
	else
		error = permission_delete(to_dir, r->new_dentry, directory);
	if (error)
		return error;
	if (dir != to_dir) { /* ".." changes */
		if (directory)
			error = vfs_permission(i, MAY_WRITE);
		if (!error && (r->flags & RENAME_EXCHANGE) && S_ISDIR(over->mode))
			error = vfs_permission(over, MAY_WRITE);
	}
	return error;
}

/* The names are still the old ones. */
static void
tell_moved(struct renaming *r)
{
	struct inode *dir = r->from.parent.dentry->inode, *to_dir = r->to.parent.dentry->inode;
	struct inode *over = r->new_dentry->inode;
	bool exchange = r->flags & RENAME_EXCHANGE;

	notify_moved(&(struct notify_move){ .i = r->old->inode, .over = exchange ? NULL : over, .dir = dir,
					    .new_dir = to_dir, .name = r->old->name, .new_name = r->new_dentry->name });
	if (exchange)
		notify_moved(&(struct notify_move){ .i = over, .dir = to_dir, .new_dir = dir,
						    .name = r->new_dentry->name, .new_name = r->old->name });
}

/* The file system has done it: tell, and move the cached names. */
static void
moved(struct renaming *r)
{
	struct inode *over = r->new_dentry->inode;

	tell_moved(r);
	if (r->flags & RENAME_EXCHANGE) {
		dentry_exchange(r->old, r->new_dentry);
		return;
	}
	if (over && S_ISDIR(over->mode))
		dentry_prune(r->new_dentry);
	dentry_move(r->old, r->new_dentry);
}

static int
rename_locked(struct renaming *r)
{
	struct inode *dir = r->from.parent.dentry->inode, *to_dir = r->to.parent.dentry->inode;
	struct inode *over;
	int error = rename_shape(r);

	if (error)
		return error;
	over = r->new_dentry->inode;
	if (over == r->old->inode) /* two names of one file: nothing to do */
		return 0;
	error = rename_allowed(r);
	if (error)
		return error;
	if (!dir->ops->rename)
		return -EPERM;
	/* A directory that is replaced is empty and not mounted upon, and stays so. */
	if (over)
		write_lock_nested(&over->lock);
	error = mounted_check(&r->old_mounted, r->old);
	if (!error)
		error = mounted_check(&r->new_mounted, r->new_dentry);
	if (!error)
		error = dir->ops->rename(dir, r->old, to_dir, r->new_dentry, r->flags);
	if (!error)
		moved(r);
	if (over)
		write_unlock(&over->lock);
	return error;
}

int
vfs_rename(int olddir, const char *old, int newdir, const char *new_name, unsigned int flags)
{
	struct renaming r = { .flags = flags };
	bool replaced = false;
	int error;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if ((flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) && (flags & RENAME_EXCHANGE))
		return -EINVAL;
	error = path_lookup_parent(olddir, old, LOOKUP_REMOVE, &r.from);
	if (error)
		return error;
	error = path_lookup_parent(newdir, new_name, LOOKUP_CREATE, &r.to);
	if (error)
		goto put_from;
	error = -EXDEV;
	if (r.from.parent.mount != r.to.parent.mount)
		goto put_to;
	error = -EBUSY;
	if (r.from.kind != LAST_NORMAL)
		goto put_to;
	if (flags & RENAME_NOREPLACE)
		error = -EEXIST;
	if (r.to.kind != LAST_NORMAL)
		goto put_to;
	error = mount_want_write(r.from.parent.mount);
	if (error)
		goto put_to;
again:
	lock_parents(&r);
	r.old = lookup_child_locked(r.from.parent.dentry, r.from.name, r.from.length);
	if (IS_ERR(r.old)) {
		error = (int)PTR_ERR(r.old);
		goto unlock;
	}
	error = -ENOENT;
	if (!r.old->inode)
		goto put_old;
	r.new_dentry = lookup_child_locked(r.to.parent.dentry, r.to.name, r.to.length);
	if (IS_ERR(r.new_dentry)) {
		error = (int)PTR_ERR(r.new_dentry);
		goto put_old;
	}
	error = rename_locked(&r);
	if (r.old_mounted.again || r.new_mounted.again) {
		unlock_parents(&r);
		mounted_ask(&r.old_mounted, r.old);
		mounted_ask(&r.new_mounted, r.new_dentry);
		goto again;
	}
	replaced = !error && r.new_dentry->inode != r.old->inode && !(flags & RENAME_EXCHANGE);
	dentry_put(r.new_dentry);
put_old:
	dentry_put(r.old);
unlock:
	unlock_parents(&r);
	mounted_end(&r.old_mounted, false);
	mounted_end(&r.new_mounted, replaced);
put_to:
	last_name_put(&r.to);
put_from:
	last_name_put(&r.from);
	return error;
}
