/* SPDX-License-Identifier: MIT */
/*
 * nsfs.c - namespaces as files: what the links in /proc/PID/ns lead to, what setns(2) takes, what bind mounts keep.
 *
 * Each look-up makes an inode of its own with the namespace's number; it holds the namespace.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/fork.h>
#include <tessera/handle.h>
#include <tessera/namespace.h>
#include <tessera/panic.h>
#include <tessera/pid_namespace.h>
#include <tessera/print.h>
#include <tessera/uaccess.h>

#include "mount_tree.h"

#define NS_GET_USERNS    0xb701u
#define NS_GET_PARENT    0xb702u
#define NS_GET_NSTYPE    0xb703u
#define NS_GET_OWNER_UID 0xb704u

static struct filesystem *nsfs;  /* [I] */
static struct mount *nsfs_mount; /* [I] */

static struct filesystem_type nsfs_type = {
	.name = "nsfs",
	.magic = 0x6e736673,
	.no_device = true,
};

static struct namespace *
namespace_of(const struct inode *i)
{
	return i->private;
}

static void
nsfs_evict(struct inode *i)
{
	namespace_put(i->private);
}

static const struct inode_ops nsfs_inode_ops = {
	.name = "namespace",
	.evict = nsfs_evict,
};

/* A user namespace that the caller may learn of: its own or one below. -EPERM. */
static long
open_user(struct user_namespace *ns)
{
	if (!ns || !user_namespace_is_inside(ns, current_cred()->user_ns))
		return -EPERM;
	namespace_get(&ns->ns);
	return nsfs_open(&ns->ns);
}

/* Not out of the caller's own: -EPERM. */
static long
open_parent(struct pid_namespace *ns)
{
	if (!ns->parent || !pid_namespace_is_inside(&ns->parent->ns, &current_pid_namespace()->ns))
		return -EPERM;
	namespace_get(&ns->parent->ns);
	return nsfs_open(&ns->parent->ns);
}

static long
nsfs_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	struct namespace *ns = namespace_of(f->inode);

	switch (command) {
	case NS_GET_USERNS:
		return open_user(ns->owner);
	case NS_GET_PARENT:
		if (ns->kind == NAMESPACE_PID)
			return open_parent((struct pid_namespace *)ns);
		return ns->kind == NAMESPACE_USER ? open_user(ns->owner) : -EINVAL;
	case NS_GET_NSTYPE:
		return (long)namespace_types[ns->kind].flag;
	case NS_GET_OWNER_UID:
		if (ns->kind != NAMESPACE_USER)
			return -EINVAL;
		return put_user(uid_shown(user_namespace_of(ns)->creator), (uid_t __user *)arg);
	}
	return -ENOTTY;
}

static void
nsfs_dump(struct file *f)
{
	const struct namespace *ns = namespace_of(f->inode);

	pr_info("namespace %s:[%lu], references %u\n", namespace_types[ns->kind].name, ns->number,
		ref_count(&ns->refs));
}

static const struct file_ops nsfs_file_ops = {
	.name = "namespace",
	.ioctl = nsfs_ioctl,
	.dump = nsfs_dump,
};

int
nsfs_path(struct namespace *ns, struct path *out)
{
	struct inode *i = inode_create(nsfs, S_IFREG | 0444);
	struct dentry *d;
	char name[48];

	if (!i) {
		namespace_put(ns);
		return -ENOMEM;
	}
	i->ops = &nsfs_inode_ops;
	i->file_ops = &nsfs_file_ops;
	i->uid = i->gid = 0;
	i->number = ns->number;
	i->private = ns;
	snprintf(name, sizeof(name), "%s:[%lu]", namespace_types[ns->kind].name, ns->number);
	d = dentry_create_lone(nsfs, i, name);
	if (!d) {
		inode_put(i);
		return -ENOMEM;
	}
	*out = (struct path){ nsfs_mount, d };
	mount_get(nsfs_mount);
	return 0;
}

struct namespace *
nsfs_namespace(struct file *f)
{
	return f->ops == &nsfs_file_ops ? namespace_of(f->inode) : NULL;
}

long
nsfs_open(struct namespace *ns)
{
	struct path p;
	struct file *f;
	long fd = nsfs_path(ns, &p);

	if (fd)
		return fd;
	f = file_create(&nsfs_file_ops, O_RDONLY, NULL);
	if (!f) {
		path_put(&p);
		return -ENOMEM;
	}
	f->mount = p.mount;
	f->dentry = p.dentry;
	f->inode = p.dentry->inode;
	inode_get(f->inode);
	fd = handle_open(f, RIGHT_ALL, true);
	if (fd < 0)
		file_put(f);
	return fd;
}

bool
mount_is_of_namespace(const struct mount *m)
{
	return m == nsfs_mount;
}

bool
nsfs_is_mounts(const struct dentry *d, bool *would_loop)
{
	const struct namespace *ns;

	if (d->fs != nsfs || !d->inode || !d->inode->private)
		return false;
	ns = namespace_of(d->inode);
	if (ns->kind != NAMESPACE_MOUNT)
		return false;
	*would_loop = current_mount_namespace()->ns.number >= ns->number;
	return true;
}

void
nsfs_init(void)
{
	struct inode *root;

	nsfs = filesystem_create(&nsfs_type);
	root = nsfs ? inode_create(nsfs, S_IFDIR | 0555) : NULL;
	if (root)
		nsfs->root = dentry_create_root(nsfs, root);
	nsfs_mount = nsfs && nsfs->root ? mount_create_internal(nsfs) : NULL;
	if (!nsfs_mount)
		panic("no memory for nsfs");
}
