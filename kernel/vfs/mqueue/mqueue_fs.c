/* SPDX-License-Identifier: MIT */
/*
 * mqueue_fs.c - the file system in which message queues have names: one instance for each namespace of IPC.
 *
 * It is one directory. A name is an entry with a reference to its inode; the inode's private pointer is the
 * queue, which goes with it. mq_open and mq_unlink work on the instance directly; who wants to see the names
 * mounts it, mostly on /dev/mqueue. The namespace refers to the instance, never the other way round.
 *
 * Entries are all in memory, and names of queues mostly new ones: dentries are not kept when nobody uses
 * them, or each name that was ever asked for in vain or removed would stay as a cached absence.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/mqueue.h>
#include <tessera/panic.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/sysv.h>

#include "../vfs.h"

#define MQUEUE_MAGIC 0x19800202u
#define FILE_SIZE    80 /* as Linux says, whatever a read gives */

/* A name. All [l] of the directory's inode. */
struct entry {
	struct list node;
	loff_t position;           /* for life, growing along the list */
	struct inode *inode;       /* a reference */
	uint16_t length;
	char name[];
};

/* fs->private */
struct instance {
	struct list entries;       /* the root inode's lock */
	loff_t next_position;      /* the root inode's lock */
	uint32_t queues;           /* [a] that live */
};

static struct mutex instance_lock = MUTEX_INIT(instance_lock, SLEEP_LEAF); /* ns->mqueue being set */

static struct instance *
instance_of(const struct inode *i)
{
	return i->fs->private;
}

/* --- names ------------------------------------------------------------------------------------ */

static struct entry *
find(struct inode *dir, const struct dentry *d)
{
	struct entry *e;

	list_for_each (e, &instance_of(dir)->entries, node)
		if (e->length == d->length && memcmp(e->name, d->name, d->length) == 0)
			return e;
	return NULL;
}

static int
mqueue_lookup(struct inode *dir, struct dentry *d)
{
	struct entry *e = find(dir, d);

	if (e) {
		inode_get(e->inode);
		dentry_attach(d, e->inode);
	}
	return 0;
}

static void
mqueue_evict(struct inode *i)
{
	mqueue_free(i->private);
	atomic_sub(&instance_of(i)->queues, 1);
}

static int
mqueue_file_open(struct inode *i, struct file *f)
{
	f->private = i->private;
	return 0;
}

static const struct inode_ops mqueue_inode_ops = {
	.name = "mqueue",
	.open = mqueue_file_open,
	.evict = mqueue_evict,
};

/* A new queue under d's name. The directory is locked for writing and may be written to. */
static int
make(struct inode *dir, struct dentry *d, mode_t mode, const struct mqueue_attributes *a)
{
	struct instance *fs = instance_of(dir);
	struct entry *e = kzalloc(sizeof(*e) + d->length);
	struct mqueue *q = NULL;
	struct inode *i;
	int error;

	if (!e)
		return -ENOMEM;
	if (atomic_add_fetch(&fs->queues, 1) >
		    atomic_load(&current_ipc_namespace()->mqueue_limits.queues_max) &&
	    !capable(CAP_SYS_RESOURCE)) {
		error = -ENOSPC;
		goto uncount;
	}
	error = mqueue_create(a, &q);
	if (error)
		goto uncount;
	i = inode_create(dir->fs, mode);
	error = -ENOMEM;
	if (!i)
		goto free_queue;
	inode_inherit(i, dir, mode);
	i->ops = &mqueue_inode_ops;
	i->file_ops = &mqueue_file_ops;
	i->private = q;
	i->size = FILE_SIZE;
	e->inode = i;
	e->length = d->length;
	memcpy(e->name, d->name, d->length);
	e->position = fs->next_position++;
	list_add_tail(&fs->entries, &e->node);
	dir->size += 20;
	inode_touch_modified(dir);
	inode_get(i);
	dentry_attach(d, i);
	return 0;

free_queue:
	mqueue_free(q);
uncount:
	atomic_sub(&fs->queues, 1);
	kfree(e);
	return error;
}

static int
mqueue_make(struct inode *dir, struct dentry *d, mode_t mode)
{
	return make(dir, d, mode, NULL);
}

static void
entry_remove(struct inode *dir, struct entry *e)
{
	e->inode->links = 0;
	e->inode->changed = inode_now();
	list_del(&e->node);
	dir->size -= 20;
	inode_put(e->inode);
	kfree(e);
}

static int
mqueue_remove(struct inode *dir, struct dentry *d)
{
	struct entry *e = find(dir, d);

	if (!e)
		return -ENOENT;
	entry_remove(dir, e);
	inode_touch_modified(dir);
	return 0;
}

static void
root_evict(struct inode *i)
{
	struct entry *e;

	while ((e = list_first(&instance_of(i)->entries, struct entry, node)) != NULL)
		entry_remove(i, e);
}

static const struct inode_ops root_ops = {
	.name = "mqueue",
	.lookup = mqueue_lookup,
	.create = mqueue_make,
	.unlink = mqueue_remove,
	.evict = root_evict,
};

static int
mqueue_readdir(struct file *f, struct dir_context *ctx)
{
	struct entry *e;

	if (!directory_emit_dots(f, ctx))
		return 0;
	list_for_each (e, &instance_of(f->inode)->entries, node) {
		if (e->position < ctx->position)
			continue;
		if (!ctx->emit(ctx, e->name, e->length, e->position + 1, e->inode->number, S_IFREG >> 12))
			return 0;
		ctx->position = e->position + 1;
	}
	return 0;
}

static const struct file_ops root_file_ops = {
	.name = "directory",
	.read = directory_read,
	.seek = seek_without_end,
	.readdir = mqueue_readdir,
	.sync = directory_sync,
};

/* --- instances -------------------------------------------------------------------------------- */

static int
fill(struct filesystem *fs)
{
	struct instance *in = kzalloc(sizeof(*in));
	struct inode *root;

	if (!in)
		return -ENOMEM;
	list_init(&in->entries);
	in->next_position = 2;
	fs->private = in;
	root = inode_create(fs, S_IFDIR | S_ISVTX | 0777);
	if (!root)
		goto free_instance;
	root->uid = root->gid = 0;
	root->ops = &root_ops;
	root->file_ops = &root_file_ops;
	root->links = 2;
	root->size = 40;
	fs->root = dentry_create_root(fs, root);
	if (fs->root)
		return 0;
	inode_put(root);
free_instance:
	kfree(in);
	return -ENOMEM;
}

static void
mqueue_unmount(struct filesystem *fs)
{
	kfree(fs->private);
}

static int
mqueue_statfs(struct filesystem *fs, struct fs_stat *st)
{
	st->block_size = PAGE_SIZE;
	st->name_max = NAME_MAX;
	return 0;
}

static int mqueue_instance(struct filesystem **out);

static struct filesystem_type mqueue_type = {
	.name = "mqueue",
	.magic = MQUEUE_MAGIC,
	.no_device = true,
	.no_cache = true,
	.instance = mqueue_instance,
	.unmount = mqueue_unmount,
	.statfs = mqueue_statfs,
};

static struct mount *
instance_create(void)
{
	struct filesystem *fs = filesystem_create(&mqueue_type);
	struct mount *m;

	if (!fs)
		return NULL;
	if (fill(fs)) {
		filesystem_discard(fs);
		return NULL;
	}
	m = mount_create_internal(fs);
	filesystem_put(fs);
	return m;
}

/* The internal mount of the caller's namespace, made when it is first needed; borrowed. NULL: no memory. */
static struct mount *
own_mount(void)
{
	struct ipc_namespace *ns = current_ipc_namespace();
	struct mount *m = atomic_load(&ns->mqueue), *fresh;

	if (m)
		return m;
	fresh = instance_create();
	if (!fresh)
		return NULL;
	mutex_lock(&instance_lock);
	m = atomic_load(&ns->mqueue);
	if (!m)
		atomic_store(&ns->mqueue, fresh);
	mutex_unlock(&instance_lock);
	if (!m)
		return fresh;
	mount_put(fresh);
	return m;
}

static int
mqueue_instance(struct filesystem **out)
{
	struct mount *m = own_mount();

	if (!m)
		return -ENOMEM;
	*out = m->fs;
	ref_get(&m->fs->refs);
	return 0;
}

void
mqueue_namespace_end(struct ipc_namespace *ns)
{
	if (ns->mqueue)
		mount_put(ns->mqueue);
}

void
mqueue_fs_init(void)
{
	filesystem_register(&mqueue_type);
}

/* --- mq_open, mq_unlink ----------------------------------------------------------------------- */

static int
check_name(const char *name)
{
	if (!*name)
		return -ENOENT;
	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EACCES;
	return 0;
}

static int
find_or_make(struct inode *dir, struct dentry *d, uint32_t flags, mode_t mode,
	     const struct mqueue_attributes *a)
{
	static const int mask[] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE };
	int error;

	if (!d->inode) {
		if (!(flags & O_CREAT))
			return -ENOENT;
		error = permission_create(dir);
		return error ? error : make(dir, d, S_IFREG | (mode & 07777 & ~fs_context_umask()), a);
	}
	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if ((flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	return vfs_permission(d->inode, mask[flags & O_ACCMODE]);
}

int
mqueue_open(const char *name, uint32_t flags, mode_t mode, const struct mqueue_attributes *a,
	    struct file **out)
{
	struct mount *m = own_mount();
	int error = m ? check_name(name) : -ENOMEM;
	struct inode *dir;
	struct dentry *d;
	struct file *f;

	if (error)
		return error;
	dir = m->fs->root->inode;
	write_lock(&dir->lock);
	d = lookup_child_locked(m->fs->root, name, strlen(name));
	error = IS_ERR(d) ? (int)PTR_ERR(d) : find_or_make(dir, d, flags, mode, a);
	write_unlock(&dir->lock);
	if (IS_ERR(d))
		return error;
	if (error)
		goto put_dentry;
	error = -ENFILE;
	f = file_create(&mqueue_file_ops, flags & (O_ACCMODE | O_NONBLOCK), d->inode->private);
	if (!f)
		goto put_dentry;
	f->inode = d->inode;
	inode_get(f->inode);
	f->dentry = d;
	f->mount = m;
	mount_get(m);
	f->mode |= FILE_SEEKABLE;
	*out = f;
	return 0;

put_dentry:
	dentry_put(d);
	return error;
}

int
mqueue_unlink(const char *name)
{
	struct mount *m = own_mount();
	int error = m ? check_name(name) : -ENOMEM;
	struct inode *dir;
	struct dentry *d;

	if (error)
		return error;
	dir = m->fs->root->inode;
	write_lock(&dir->lock);
	d = lookup_child_locked(m->fs->root, name, strlen(name));
	error = IS_ERR(d) ? (int)PTR_ERR(d) : d->inode ? 0 : -ENOENT;
	if (error == 0)
		error = permission_delete(dir, d, false);
	if (error == 0)
		error = mqueue_remove(dir, d);
	if (error == 0)
		dentry_drop(d);
	write_unlock(&dir->lock);
	if (!IS_ERR(d))
		dentry_put(d);
	return error;
}
