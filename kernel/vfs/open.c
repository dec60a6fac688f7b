/* SPDX-License-Identifier: MIT */
/*
 * open.c - from a name to an open object.
 *
 * The order of checks decides which errno a program sees; it follows path_openat() and may_open()
 * as open(2) documents them: existence, kind, permission, then what the object itself says.
 */
#include <tessera/backing.h>
#include <tessera/block.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/lease.h>
#include <tessera/pipe.h>
#include <tessera/posix_acl.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/notify.h>

#include "vfs.h"

static const struct file_ops path_file_ops = {
	.name = "path",
};

static const struct file_ops new_file_ops = {
	.name = "opening",
};

/* O_RDONLY.. -> MAY_*. */
static int
access_mask(uint32_t flags)
{
	static const int mask[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE};
	int m = mask[flags & O_ACCMODE];

	return flags & O_TRUNC ? m | MAY_WRITE : m;
}

/* Is this an object that may be opened this way at all, by the caller? */
static int
may_open(const struct path *p, uint32_t *flags, bool created)
{
	struct inode *i = p->dentry->inode;
	int mask = access_mask(*flags), error;

	switch (i->mode & S_IFMT) {
	case S_IFLNK:
		return -ELOOP;
	case S_IFDIR:
		if (mask & MAY_WRITE)
			return -EISDIR;
		break;
	case S_IFCHR:
	case S_IFBLK:
		/* Who makes a file system in a namespace of its own makes no devices by that; devpts' are its own. */
		if ((READ_ONCE(p->mount->flags) & MOUNT_NODEV) ||
		    (p->mount->fs->user_ns != &init_user_namespace && !p->mount->fs->type->own_devices))
			return -EACCES;
		*flags &= ~O_TRUNC;
		break;
	case S_IFIFO:
	case S_IFSOCK:
		*flags &= ~O_TRUNC;
		break;
	case S_IFREG:
		if (mask & MAY_WRITE) {
			error = mount_want_write(p->mount);
			if (error)
				return error;
		}
		break;
	}
	if (!created) {
		error = vfs_permission(i, mask);
		if (error)
			return error;
	}
	if ((READ_ONCE(i->attributes) & INODE_APPEND) &&
	    (((*flags & O_ACCMODE) != O_RDONLY && !(*flags & O_APPEND)) || (*flags & O_TRUNC)))
		return -EPERM;
	if ((*flags & O_NOATIME) && !inode_owner_or_capable(i))
		return -EPERM;
	return 0;
}

/* The operations of an inode's kind. `flags`: as asked for. */
static int
open_kind(struct inode *i, struct file *f, uint32_t flags)
{
	switch (i->mode & S_IFMT) {
	case S_IFCHR:
		return chrdev_open(i, f);
	case S_IFIFO:
		return fifo_open(i, f);
	case S_IFBLK:
		return block_open_file(i, f, flags);
	case S_IFSOCK:
		return -ENXIO;
	default:
		if (!i->file_ops)
			return -ENXIO;
		if (i->object && i->object->store) {
			int error = cached_file_attach(f, i->object);

			if (error)
				return error;
		}
		file_set_ops(f, i->file_ops);
		f->mode |= FILE_SEEKABLE;
		return i->ops->open ? i->ops->open(i, f) : 0;
	}
}

static struct file *
new_object(uint32_t flags)
{
	return file_create(flags & O_PATH ? &path_file_ops : &new_file_ops, flags, NULL);
}

/*
 * Make `f`, from new_object(), the open object for `p`. Permission has been checked. Consumes f when it
 * fails, and nothing else is left.
 */
static int
open_object(const struct path *p, uint32_t flags, struct file *f, struct file **out)
{
	struct inode *i = p->dentry->inode;
	int error = 0;

	f->flags = flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC);
	if (flags & O_PATH)
		f->flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW;
	f->inode = i;
	inode_get(i);
	f->mount = p->mount;
	f->dentry = p->dentry;
	path_get(p);
	if (flags & O_PATH) {
		*out = f;
		return 0;
	}
	if ((f->mode & FILE_WRITE) && S_ISREG(i->mode)) {
		atomic_add(&i->writers, 1);
		if (atomic_load(&i->deny_write) > 0)
			error = -ETXTBSY;
		if (!error)
			error = mount_writer_add(p->mount);
		if (!error)
			f->mode |= FILE_WRITER;
	} else if (S_ISREG(i->mode)) {
		atomic_add(&i->readers, 1);
		f->mode |= FILE_READER;
	}
	if (!error && S_ISREG(i->mode))
		error = lease_break(i, f->mode & FILE_WRITE, !(flags & O_NONBLOCK));
	if ((flags & O_TRUNC) && S_ISREG(i->mode))
		f->mode |= FILE_TRUNCATE;
	if (!error) {
		file_system_error_begin(f);
		error = open_kind(i, f, flags);
	}
	if (!error && (flags & O_DIRECT) && !S_ISBLK(i->mode) && !f->ops->direct)
		error = -EINVAL; /* its bytes do not move past the page cache */
	f->mode |= FILE_NAMED;
	f->flags &= ~O_NOCTTY; /* a terminal's open looks at it, F_GETFL does not show it */
	if (error) {
		f->mode &= ~FILE_NAMED;
		file_set_ops(f, f->mode & FILE_OPENED ? i->file_ops : &new_file_ops);
		file_put(f);
		return error;
	}
	*out = f;
	return 0;
}

int
vfs_open_path(const struct path *p, struct file **out)
{
	struct file *f = new_object(O_PATH);

	return f ? open_object(p, O_PATH, f, out) : -ENFILE;
}

/* Permission, the object, truncation. Consumes f when it fails. */
static int
open_found(const struct path *p, uint32_t flags, bool created, struct file *f, struct file **out)
{
	int error = flags & O_PATH ? 0 : may_open(p, &flags, created);

	if (error) {
		if (f->mode & FILE_OPENED)
			file_set_ops(f, p->dentry->inode->file_ops);
		file_put(f);
		return error;
	}
	error = open_object(p, flags, f, out);
	if (error || (flags & O_PATH))
		return error;
	error = notify_permit(*out, NOTIFY_OPEN_PERM);
	if (error) {
		(*out)->mode &= ~FILE_NAMED; /* it was not opened, so it is not closed either */
		file_put(*out);
		return error;
	}
	if (((*out)->mode & FILE_TRUNCATE) && !created) {
		/* A read-only O_TRUNC truncates too, and must keep execution away for the moment.
		 */
		if (!((*out)->mode & FILE_WRITE))
			error = vfs_truncate_path(p, 0);
		else
			error = vfs_truncate_file(*out, 0);
	}
	(*out)->mode &= ~FILE_TRUNCATE;
	if (error)
		file_put(*out);
	else
		notify_path(p, NOTIFY_OPEN);
	return error;
}

int
vfs_open_exec(const struct path *p, struct file **out)
{
	struct file *f = new_object(O_RDONLY);
	int error = f ? open_object(p, O_RDONLY, f, out) : -ENFILE;

	if (error)
		return error;
	error = notify_permit(*out, NOTIFY_OPEN_EXEC_PERM | NOTIFY_OPEN_PERM);
	if (error) {
		(*out)->mode &= ~FILE_NAMED;
		file_put(*out);
		return error;
	}
	notify_path(p, NOTIFY_OPEN | NOTIFY_OPEN_EXEC);
	return 0;
}

int
vfs_open_unwatched(const struct path *p, uint32_t flags, struct file **out)
{
	struct file *f = new_object(flags);
	int error = f ? open_object(p, flags, f, out) : -ENFILE;

	if (!error) {
		(*out)->mode &= ~FILE_NAMED;
		(*out)->flags |= O_UNWATCHED;
	}
	return error;
}

int
vfs_open_child(const struct path *dir, const char *name, uint32_t flags, struct file **out)
{
	struct path p = { dir->mount, lookup_child(dir->dentry, name, strlen(name)) };
	struct file *f;
	int error;

	if (IS_ERR(p.dentry))
		return (int)PTR_ERR(p.dentry);
	f = p.dentry->inode ? new_object(flags) : NULL;
	if (f)
		error = open_object(&p, flags, f, out);
	else
		error = p.dentry->inode ? -ENFILE : -ENOENT;
	dentry_put(p.dentry);
	return error;
}

/* Make `d`, a negative child of w->parent whose lock is held for writing. */
static int
create_locked(struct last_name *w, struct dentry *d, mode_t mode, uint32_t flags, struct file *f)
{
	struct inode *dir = w->parent.dentry->inode;
	int error = mount_want_write(w->parent.mount);

	if (!error)
		error = permission_create(dir);
	if (!error && !dir->ops->create)
		error = -EACCES;
	mode = S_IFREG | posix_acl_new_mode(dir, mode & 07777);
	if (!error && dir->ops->create_open)
		error = dir->ops->create_open(dir, d, mode, flags, f);
	else if (!error)
		error = dir->ops->create(dir, d, mode);
	if (!error)
		notify_entry(dir, NOTIFY_CREATE, d->name, d->inode);
	return error;
}

/* Debian's kernel's settings; its sysctl(8) makes the last two 1 and 2. */
struct vfs_protection vfs_protection = { .symlinks = 1, .hardlinks = 1 };

/*
 * O_CREAT found that `i` is there already. In a sticky directory that others may write to they may have
 * put it there for the caller to fall into: protected_fifos, protected_regular.
 */
static int
may_open_existing(const struct inode *dir, const struct inode *i)
{
	int fifos = READ_ONCE(vfs_protection.fifos), regular = READ_ONCE(vfs_protection.regular);

	if ((S_ISFIFO(i->mode) && !fifos) || (S_ISREG(i->mode) && !regular))
		return 0;
	if (!(dir->mode & S_ISVTX) || i->uid == dir->uid || i->uid == current_cred()->fsuid)
		return 0;
	if (dir->mode & 0002)
		return -EACCES;
	if ((dir->mode & 0020) &&
	    ((S_ISFIFO(i->mode) && fifos >= 2) || (S_ISREG(i->mode) && regular >= 2)))
		return -EACCES;
	return 0;
}

/*
 * The last component for O_CREAT: found, or made. *out gets references, *created says which.
 */
static int
find_or_create(struct last_name *w, uint32_t flags, mode_t mode, struct file *f, struct path *out, bool *created)
{
	struct inode *dir = w->parent.dentry->inode;
	struct dentry *d;
	int error = 0;

	*created = false;
	if (w->kind != LAST_NORMAL || w->slash)
		return -EISDIR;
	d = lookup_child(w->parent.dentry, w->name, w->length);
	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	if (!d->inode) {
		dentry_put(d);
		write_lock(&dir->lock);
		d = lookup_child_locked(w->parent.dentry, w->name, w->length);
		if (IS_ERR(d))
			error = (int)PTR_ERR(d);
		else if (!d->inode) {
			error = create_locked(w, d, mode, flags, f);
			*created = !error;
		}
		write_unlock(&dir->lock);
		if (error) {
			if (!IS_ERR(d))
				dentry_put(d);
			return error;
		}
	}
	if ((flags & O_EXCL) && !*created) {
		dentry_put(d);
		return -EEXIST;
	}
	out->dentry = d;
	out->mount = w->parent.mount;
	mount_get(out->mount);
	mount_follow(out);
	return 0;
}

/* O_TMPFILE: a file without a name in the directory `dir`. */
static int
open_tmpfile_in(const struct path *dir, uint32_t flags, mode_t mode, struct file **out)
{
	struct path p;
	struct inode *i, *d = dir->dentry->inode;
	struct file *f;
	char shown[24]; /* in /proc/PID/fd */
	int error = mount_want_write(dir->mount);

	if (!error)
		error = vfs_permission(d, MAY_WRITE | MAY_EXEC);
	if (!error && !d->ops->tmpfile && !d->ops->tmpfile_open)
		error = -EOPNOTSUPP;
	if (error)
		return error;
	f = new_object(flags & ~O_EXCL);
	if (!f)
		return -ENFILE;
	mode = S_IFREG | posix_acl_new_mode(d, mode & 07777);
	write_lock(&d->lock);
	error = d->ops->tmpfile_open ? d->ops->tmpfile_open(d, mode, flags, f, &i) : d->ops->tmpfile(d, mode, &i);
	write_unlock(&d->lock);
	if (error) {
		file_put(f);
		return error;
	}
	if (!(flags & O_EXCL))
		i->attributes |= INODE_LINKABLE;
	p.mount = dir->mount;
	snprintf(shown, sizeof(shown), "#%lu", i->number);
	p.dentry = dentry_create(dir->dentry, shown, strlen(shown));
	if (!p.dentry) {
		if (f->mode & FILE_OPENED)
			file_set_ops(f, i->file_ops);
		file_put(f);
		inode_put(i);
		return -ENOMEM;
	}
	dentry_attach(p.dentry, i);
	error = open_object(&p, flags & ~O_EXCL, f, out);
	dentry_put(p.dentry);
	return error;
}

static int
open_tmpfile(int dirfd, const char *name, uint32_t flags, mode_t mode, unsigned int lookup,
	     struct file **out)
{
	struct path dir;
	int error = path_lookup(dirfd, name, lookup | (flags & O_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | LOOKUP_DIRECTORY | LOOKUP_CREATE, &dir);

	if (error)
		return error;
	error = open_tmpfile_in(&dir, flags, mode, out);
	path_put(&dir);
	return error;
}

int
vfs_open_found(const struct path *p, uint32_t flags, struct file **out)
{
	mode_t mode = p->dentry->inode->mode;
	struct file *f;

	if (S_ISLNK(mode) && !(flags & O_PATH))
		return -ELOOP;
	if ((flags & O_DIRECTORY) && !S_ISDIR(mode))
		return -ENOTDIR;
	if ((flags & O_TMPFILE) == O_TMPFILE && !(flags & O_PATH))
		return open_tmpfile_in(p, flags, 0, out);
	if (flags & O_PATH)
		flags &= ~(O_CREAT | O_EXCL | O_TRUNC);
	if ((flags & O_CREAT) && (flags & O_EXCL))
		return -EEXIST;
	if ((flags & O_CREAT) && S_ISDIR(mode))
		return -EISDIR;
	f = new_object(flags);
	return f ? open_found(p, flags, false, f, out) : -ENFILE;
}


int
vfs_open(int dirfd, const char *name, uint32_t flags, mode_t mode, unsigned int lookup,
	struct file **out)
{
	struct last_name w;
	struct file *f, *opened = NULL;
	struct path p;
	bool created = false;
	int error;

	if ((flags & O_TMPFILE) == O_TMPFILE && !(flags & O_PATH))
		return open_tmpfile(dirfd, name, flags, mode, lookup, out);
	if (flags & O_PATH)
		flags &= ~(O_CREAT | O_EXCL | O_TRUNC);
	if (flags & O_CREAT)
		lookup |= LOOKUP_CREATE;
	/* First, so that no file is made that then cannot be opened. */
	f = new_object(flags);
	if (!f)
		return -ENFILE;
	error = path_lookup_parent(dirfd, name, lookup, &w);
	if (error)
		goto put_object;
	for (;;) {
		error = flags & O_CREAT ? find_or_create(&w, flags, mode, f, &p, &created)
					: last_name_find(&w, &p);
		if (error)
			goto put_name;
		if (!S_ISLNK(p.dentry->inode->mode) || w.kind != LAST_NORMAL ||
		    ((flags & O_NOFOLLOW) && !w.slash))
			break;
		error = last_name_follow(&w, &p);
		if (error)
			goto put_name;
		/* A magic link led straight to an object: it exists. */
		if (w.kind == LAST_NONE && (flags & O_CREAT)) {
			error = last_name_find(&w, &p);
			if (error)
				goto put_name;
			break;
		}
	}
	if ((flags & O_CREAT) && S_ISDIR(p.dentry->inode->mode))
		error = -EISDIR;
	else if (((flags & O_DIRECTORY) || w.slash) && !S_ISDIR(p.dentry->inode->mode))
		error = -ENOTDIR;
	else if ((flags & O_CREAT) && !created && w.kind == LAST_NORMAL)
		error = may_open_existing(w.parent.dentry->inode, p.dentry->inode);
	if (!error)
		opened = f;
	if (opened) {
		f = NULL;
		error = open_found(&p, flags, created, opened, out);
	}
	if (f && (f->mode & FILE_OPENED))
		file_set_ops(f, p.dentry->inode->file_ops);
	path_put(&p);
put_name:
	last_name_put(&w);
put_object:
	if (f)
		file_put(f);
	return error;
}
