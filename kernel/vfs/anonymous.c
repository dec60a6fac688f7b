/* SPDX-License-Identifier: MIT */
/*
 * anonymous.c - open objects that no name leads to: eventfd, epoll, pidfd and their like.
 *
 * All share one inode without a type; each type has one lone dentry whose name /proc/PID/fd shows.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/panic.h>
#include <tessera/pipe.h>
#include <tessera/print.h>
#include <tessera/slab.h>

#include "vfs.h"

static struct filesystem *anonymous; /* [I] */
static struct mount *anonymous_mount;
static struct inode *shared;         /* [I] */

static struct spinlock names_lock = SPINLOCK_INIT(INODE_CACHE);
static struct {
	const struct file_ops *ops;
	struct dentry *dentry;
} names[32];                         /* names_lock; entries never change once set */

static const struct inode_ops anonymous_inode_ops = {
	.name = "anonymous",
	.evict = fifo_inode_gone,
};

static struct filesystem_type anonymous_type = {
	.name = "anon_inodefs",
	.magic = 0x09041934,
	.no_device = true,
};

/* The dentry of a type, with a reference; NULL: no memory. */
static struct dentry *
dentry_of(const struct file_ops *ops)
{
	struct dentry *fresh;
	char text[64];

	spin_lock(&names_lock);
	for (size_t i = 0; i < ARRAY_SIZE(names) && names[i].ops; i++)
		if (names[i].ops == ops) {
			dentry_get(names[i].dentry);
			spin_unlock(&names_lock);
			return names[i].dentry;
		}
	spin_unlock(&names_lock);
	snprintf(text, sizeof(text), "anon_inode:[%s]", ops->name);
	inode_get(shared);
	fresh = dentry_create_lone(anonymous, shared, text);
	if (!fresh) {
		inode_put(shared);
		return NULL;
	}
	spin_lock(&names_lock);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].ops == ops)
			break; /* somebody was faster: ours is used this once */
		if (!names[i].ops) {
			names[i].ops = ops;
			names[i].dentry = fresh;
			dentry_get(fresh);
			break;
		}
	}
	spin_unlock(&names_lock);
	return fresh;
}

/* Takes over the caller's reference to `d`, which may be NULL: no memory. */
static struct file *
open_dentry(struct dentry *d, const struct file_ops *ops, uint32_t flags, void *private)
{
	struct file *f;

	if (!d)
		return NULL;
	f = file_create(ops, flags, private);
	if (!f) {
		dentry_put(d);
		return NULL;
	}
	f->dentry = d;
	f->inode = d->inode;
	inode_get(f->inode);
	f->mount = anonymous_mount;
	mount_get(anonymous_mount);
	f->mode |= FILE_STREAM;
	return f;
}

struct file *
anonymous_file_create(const struct file_ops *ops, uint32_t flags, void *private)
{
	return open_dentry(dentry_of(ops), ops, flags, private);
}

struct inode *
anonymous_inode_create(mode_t mode)
{
	struct inode *i = inode_create(anonymous, mode);

	if (i)
		i->ops = &anonymous_inode_ops;
	return i;
}

struct file *
anonymous_inode_open(struct inode *i, const char *name, const struct file_ops *ops, uint32_t flags,
		     void *private)
{
	struct dentry *d;

	inode_get(i);
	d = dentry_create_lone(anonymous, i, name);
	if (!d)
		inode_put(i);
	return open_dentry(d, ops, flags, private);
}

void
anonymous_init(void)
{
	anonymous = filesystem_create(&anonymous_type);
	/* Of sockets with a number of one digit netstat(8) says that they are nobody's. */
	if (anonymous)
		anonymous->next_inode = 1000;
	shared = anonymous ? inode_create(anonymous, 0600) : NULL;
	if (!shared)
		panic("no memory for anonymous files");
	shared->ops = &anonymous_inode_ops;
	inode_get(shared);
	anonymous->root = dentry_create_root(anonymous, shared);
	anonymous_mount = anonymous->root ? mount_create_internal(anonymous) : NULL;
	if (!anonymous_mount)
		panic("no memory for anonymous files");
}
