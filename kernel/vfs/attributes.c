/* SPDX-License-Identifier: MIT */
/*
 * attributes.c - what an inode says about itself, and changing it: stat, chmod, chown, utimens,
 * truncate. The rules of who may change what are those of chmod(2), chown(2) and utimensat(2).
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/file_caps.h>
#include <tessera/inode.h>
#include <tessera/lease.h>
#include <tessera/namespace.h>
#include <tessera/posix_acl.h>
#include <tessera/process.h>
#include <tessera/notify.h>

#include "vfs.h"

/* Who changes it holds the inode's lock, we do not: half of it may be new already, as on Linux. */
static struct timespec64
time_of(const struct timespec64 *t)
{
	return (struct timespec64){ READ_ONCE(t->tv_sec), READ_ONCE(t->tv_nsec) };
}

void
inode_stat(struct inode *i, struct file_stat *st)
{
	enum stat_wish wish = st->wish;

	*st = (struct file_stat){
		.wish = wish,
		.device = i->fs->device,
		.inode = i->number,
		.mode = READ_ONCE(i->mode),
		.links = READ_ONCE(i->links),
		.uid = READ_ONCE(i->uid),
		.gid = READ_ONCE(i->gid),
		.rdev = i->rdev,
		.size = inode_size(i),
		.block_size = PAGE_SIZE,
		.blocks = i->object ? READ_ONCE(i->object->pages.count) * (PAGE_SIZE / 512) : 0,
		.accessed = time_of(&i->accessed),
		.modified = time_of(&i->modified),
		.changed = time_of(&i->changed),
		.born = i->born,
	};
}

static int
stat_inode(struct inode *i, const struct mount *m, struct file_stat *st, enum stat_wish wish)
{
	int error = 0;

	st->wish = wish;
	inode_stat(i, st);
	if (i->ops->get_attributes)
		error = i->ops->get_attributes(i, st);
	if (i->ops->has_flags) {
		st->attributes = READ_ONCE(i->attributes) & INODE_CHATTR;
		st->attributes_known = INODE_CHATTR;
	}
	st->mount_id = m ? m->id : 0;
	return error;
}

int
vfs_stat(const struct path *p, struct file_stat *st)
{
	return stat_inode(p->dentry->inode, p->mount, st, STAT_AS_USUAL);
}

int
vfs_stat_wish(const struct path *p, struct file_stat *st, enum stat_wish wish)
{
	return stat_inode(p->dentry->inode, p->mount, st, wish);
}

int
vfs_stat_file(struct file *f, struct file_stat *st)
{
	if (f->ops->stat)
		return f->ops->stat(f, st);
	if (!f->inode)
		return -EBADF;
	return stat_inode(f->inode, f->mount, st, STAT_AS_USUAL);
}

/* Who may make this change? 0 or -EPERM, -EACCES. */
int
permission_change(struct inode *i, const struct inode_change *c)
{
	const struct cred *cred = current_cred();
	bool owner = cred->fsuid == i->uid;
	bool now = (c->what & ATTR_ATIME_NOW) || (c->what & ATTR_MTIME_NOW);
	bool exact = ((c->what & ATTR_ATIME) && !(c->what & ATTR_ATIME_NOW)) ||
		     ((c->what & ATTR_MTIME) && !(c->what & ATTR_MTIME_NOW));

	if ((i->attributes & INODE_FROZEN) && (exact || (c->what & (ATTR_MODE | ATTR_UID | ATTR_GID))))
		return -EPERM;
	if ((i->attributes & INODE_IMMUTABLE) && now)
		return -EPERM;
	if ((c->what & ATTR_UID) && !(owner && c->uid == i->uid) && !inode_capable(i, CAP_CHOWN))
		return -EPERM;
	if ((c->what & ATTR_GID) &&
	    !(owner && (c->gid == i->gid || cred_in_group(cred, c->gid))) &&
	    !inode_capable(i, CAP_CHOWN))
		return -EPERM;
	if ((c->what & ATTR_MODE) && !inode_owner_or_capable(i))
		return -EPERM;
	if ((exact ||
		    (now && (c->what & (ATTR_ATIME | ATTR_MTIME)) != (ATTR_ATIME | ATTR_MTIME))) &&
		!inode_owner_or_capable(i))
		return -EPERM;
	if (now && !exact && !inode_owner_or_capable(i))
		return vfs_permission(i, MAY_WRITE);
	return 0;
}

static void
apply(struct inode *i, const struct inode_change *c)
{
	const struct cred *cred = current_cred();
	struct timespec64 now = inode_now();

	if (c->what & ATTR_UID)
		i->uid = c->uid;
	if (c->what & ATTR_GID)
		i->gid = c->gid;
	if (c->what & ATTR_MODE) {
		mode_t mode = (i->mode & S_IFMT) | (c->mode & 07777);

		if (!cred_in_group(cred, i->gid) && !inode_capable(i, CAP_FSETID))
			mode &= ~S_ISGID;
		i->mode = mode;
	} else if ((c->what & (ATTR_UID | ATTR_GID)) && !S_ISDIR(i->mode)) {
		i->mode &= ~S_ISUID;
		if (i->mode & 0010)
			i->mode &= ~S_ISGID;
	}
	if ((c->what & (ATTR_UID | ATTR_GID)) && !S_ISDIR(i->mode))
		inode_drop_caps_locked(i);
	if (c->what & ATTR_ATIME)
		i->accessed = c->what & ATTR_ATIME_NOW ? now : c->accessed;
	if (c->what & ATTR_MTIME)
		i->modified = c->what & ATTR_MTIME_NOW ? now : c->modified;
	i->changed = now;
}

/* Times alone that a read or a write would have set are told as such. */
static uint32_t
change_event(const struct inode_change *c)
{
	return c->what == ATTR_ATIME   ? NOTIFY_ACCESS
	       : c->what == ATTR_MTIME ? NOTIFY_MODIFY
				       : NOTIFY_ATTRIB;
}

/* i->lock is held for writing. *list: to be its access control list then. */
static int
change(struct inode *i, const struct inode_change *c, struct posix_acl **list)
{
	int error = permission_change(i, c);

	if (!error && i->ops->set_attributes)
		error = i->ops->set_attributes(i, c);
	if (!error && (c->what & ATTR_MODE))
		error = posix_acl_chmod(i, c->mode, list);
	if (!error)
		apply(i, c);
	return error;
}

int
vfs_set_attributes(const struct path *p, struct inode_change *c)
{
	struct inode *i = p->dentry->inode;
	int error = mount_want_write(p->mount);
	struct posix_acl *list = NULL;

	if (error)
		return error;
	if (c->what & ATTR_ATIME_NOW)
		c->what |= ATTR_ATIME;
	if (c->what & ATTR_MTIME_NOW)
		c->what |= ATTR_MTIME;
	write_lock(&i->lock);
	if (i->ops->change)
		error = i->ops->change(i, c);
	else
		error = change(i, c, &list);
	if (list)
		posix_acl_replace(i, list);
	write_unlock(&i->lock);
	if (!error)
		notify_dentry(p->dentry, change_event(c));
	return error;
}

int
vfs_set_inode_flags(struct file *f, uint32_t flags, bool known)
{
	struct inode *i = f->inode;
	int error = mount_want_write(f->mount);

	if (error)
		return error;
	write_lock(&i->lock);
	if (!inode_owner_or_capable(i))
		error = -EPERM;
	else if (((flags ^ i->attributes) & INODE_FROZEN) && !capable(CAP_LINUX_IMMUTABLE))
		error = -EPERM;
	else if (!known)
		error = -EOPNOTSUPP;
	if (!error) {
		i->attributes = (i->attributes & ~INODE_CHATTR) | flags;
		i->changed = inode_now();
	}
	write_unlock(&i->lock);
	return error;
}

void
inode_drop_set_ids(struct inode *i)
{
	inode_drop_caps_locked(i);
	if (!S_ISREG(i->mode) || !(i->mode & (S_ISUID | S_ISGID)) || inode_capable(i, CAP_FSETID))
		return;
	i->mode &= ~S_ISUID;
	if (i->mode & 0010)
		i->mode &= ~S_ISGID;
}

int
vfs_truncate(struct inode *i, loff_t size)
{
	uint64_t old;
	int error = 0;

	if (size < 0)
		return -EINVAL;
	if (i->ops->truncate)
		return i->ops->truncate(i, NULL, (uint64_t)size);
	if (!i->object)
		return 0; /* its text is made when it is read: nothing to cut */
	write_lock(&i->lock);
	old = inode_size(i);
	if ((uint64_t)size > old) {
		if ((uint64_t)size > file_size_limit()) {
			signal_send_thread(current_thread(), SIGXFSZ, NULL);
			error = -EFBIG;
		} else if (i->seals & SEAL_GROW) {
			error = -EPERM;
		}
	} else if ((uint64_t)size < old && (i->seals & SEAL_SHRINK)) {
		error = -EPERM;
	}
	if (!error) {
		object_truncate(i->object, (uint64_t)size);
		inode_drop_set_ids(i);
		inode_touch_modified(i);
	}
	write_unlock(&i->lock);
	return error;
}

int
vfs_truncate_file(struct file *f, loff_t size)
{
	int error;

	if (size < 0)
		return -EINVAL;
	if (!(f->mode & FILE_WRITE))
		return -EINVAL;
	if (f->inode && (READ_ONCE(f->inode->attributes) & INODE_APPEND))
		return -EPERM;
	if (f->ops->truncate) {
		error = f->ops->truncate(f, size);
		goto told;
	}
	if (!f->inode || !S_ISREG(f->inode->mode))
		return -EINVAL;
	if (mount_want_write(f->mount))
		return -EROFS;
	error = vfs_truncate(f->inode, size);
told:
	if (!error)
		notify_dentry(f->dentry, NOTIFY_MODIFY);
	return error;
}

int
vfs_truncate_path(const struct path *p, loff_t size)
{
	struct inode *i = p->dentry->inode;
	int error;

	if (S_ISDIR(i->mode))
		return -EISDIR;
	if (!S_ISREG(i->mode))
		return -EINVAL;
	error = mount_want_write(p->mount);
	if (!error)
		error = vfs_permission(i, MAY_WRITE);
	if (!error && (READ_ONCE(i->attributes) & INODE_APPEND))
		error = -EPERM;
	if (error)
		return error;
	atomic_add(&i->writers, 1);
	error = atomic_load(&i->deny_write) > 0 ? -ETXTBSY : lease_break(i, true, true);
	if (!error)
		error = vfs_truncate(i, size);
	atomic_sub(&i->writers, 1);
	if (!error)
		notify_dentry(p->dentry, NOTIFY_MODIFY);
	return error;
}
