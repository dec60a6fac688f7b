/* SPDX-License-Identifier: MIT */
/*
 * devfs.c - /dev: one instance of tmpfs in which the kernel makes and removes the nodes of its devices, and
 * the table that leads from the number of a character device to operations.
 *
 * The table of numbers is searched under its lock; what is found stays when the entry goes, for operations are
 * constant. A node may be asked for before the file system is there: it is on the list of nodes, and is made when it
 * comes up. What programs do to a node, or make beside it, is their business: a node that has another number by now is
 * not removed.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/notify.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/sysfs.h>

#include "devfs.h"

struct chrdev {
	struct list node;
	const char *name;
	dev_t device;
	uint32_t count; /* of minors from there on */
	const struct file_ops *ops;
	int (*open)(struct inode *i, struct file *f);
};

struct device_node {
	struct list node;
	char *name;     /* below /dev, with folders */
	mode_t mode;
	dev_t device;
};

static struct spinlock chrdevs_lock = SPINLOCK_INIT(INODE_CACHE);
static struct list chrdevs = LIST_INIT(chrdevs); /* chrdevs_lock */
static struct filesystem *devfs;                 /* [I] after devfs_init */

static struct list nodes = LIST_INIT(nodes);     /* chrdevs_lock: struct device_node */

/* The last name of `path` in its folder below /dev, which is made: references in both. */
static int
walk(const char *path, struct dentry **dir, const char **last)
{
	struct dentry *at = devfs->root;
	const char *slash;

	dentry_get(at);
	while ((slash = strchr(path, '/')) != NULL) {
		struct inode *i = at->inode;
		struct dentry *d;
		int error = 0;

		write_lock(&i->lock);
		d = lookup_child_locked(at, path, (size_t)(slash - path));
		if (IS_ERR(d))
			error = (int)PTR_ERR(d);
		else if (!d->inode)
			error = i->ops->mkdir(i, d, S_IFDIR | 0755);
		else if (!S_ISDIR(d->inode->mode))
			error = -ENOTDIR;
		write_unlock(&i->lock);
		dentry_put(at);
		if (error) {
			if (!IS_ERR(d))
				dentry_put(d);
			return error;
		}
		at = d;
		path = slash + 1;
	}
	*dir = at;
	*last = path;
	return 0;
}

static int
make_node(const char *path, mode_t mode, dev_t device)
{
	struct dentry *folder, *d;
	struct inode *dir;
	const char *name;
	int error = walk(path, &folder, &name);

	if (error)
		return error;
	dir = folder->inode;
	write_lock(&dir->lock);
	d = lookup_child_locked(folder, name, strlen(name));
	if (IS_ERR(d)) {
		error = (int)PTR_ERR(d);
	} else {
		if (d->inode)
			error = -EEXIST;
		else if (S_ISDIR(mode))
			error = dir->ops->mkdir(dir, d, mode);
		else
			error = dir->ops->mknod(dir, d, mode, device);
		if (!error) { /* whoever's call it was that made the device */
			d->inode->uid = 0;
			d->inode->gid = 0;
			notify_entry(dir, NOTIFY_CREATE, d->name, d->inode);
		}
		dentry_put(d);
	}
	write_unlock(&dir->lock);
	dentry_put(folder);
	return error;
}

static void
unmake_node(const struct device_node *n)
{
	struct dentry *folder, *d;
	const char *name;
	struct inode *dir;
	bool gone = false;

	if (walk(n->name, &folder, &name))
		return;
	dir = folder->inode;
	write_lock(&dir->lock);
	d = lookup_child_locked(folder, name, strlen(name));
	if (!IS_ERR(d)) {
		if (d->inode && (d->inode->mode & S_IFMT) == (n->mode & S_IFMT) && d->inode->rdev == n->device) {
			write_lock_nested(&d->inode->lock); /* an entry below its directory */
			gone = dir->ops->unlink(dir, d) == 0;
			if (gone)
				dentry_drop(d);
			write_unlock(&d->inode->lock);
			if (gone)
				notify_entry(dir, NOTIFY_DELETE, d->name, d->inode);
		}
	}
	write_unlock(&dir->lock);
	if (!IS_ERR(d)) {
		if (gone)
			mount_leave_name(d);
		dentry_put(d);
	}
	dentry_put(folder);
}

/* The first entry of the device that is called so; it leaves the list. */
static struct device_node *
take_entry(const char *name, dev_t device)
{
	struct device_node *n, *found = NULL;

	spin_lock(&chrdevs_lock);
	list_for_each(n, &nodes, node)
		if (n->device == device && strcmp(n->name, name) == 0) {
			found = n;
			list_del(&n->node);
			break;
		}
	spin_unlock(&chrdevs_lock);
	return found;
}

static void
free_entry(struct device_node *n)
{
	kfree(n->name);
	kfree(n);
}

int
devfs_add(const char *name, mode_t mode, dev_t device)
{
	struct device_node *n = kzalloc(sizeof(*n));
	int error;

	if (!n)
		return -ENOMEM;
	n->name = kstrdup(name);
	if (!n->name) {
		kfree(n);
		return -ENOMEM;
	}
	n->mode = mode;
	n->device = device;
	spin_lock(&chrdevs_lock);
	list_add_tail(&nodes, &n->node);
	spin_unlock(&chrdevs_lock);
	error = devfs ? make_node(name, mode, device) : 0;
	if (error) {
		n = take_entry(name, device);
		if (n)
			free_entry(n);
	}
	return error;
}

void
devfs_remove(const char *name, dev_t device)
{
	struct device_node *n = take_entry(name, device);

	if (!n)
		return;
	if (devfs)
		unmake_node(n);
	free_entry(n);
}

/* Where /sys shows a device: by its major number, as Linux has them. */
static const char *
device_class(dev_t device)
{
	switch (DEV_MAJOR(device)) {
	case 1:
		return "mem";
	case 4:
	case 5:
		return "tty";
	case MAJOR_VFIO:
		return "vfio";
	default:
		return "misc";
	}
}

static const char *
device_parent(dev_t device)
{
	return DEV_MAJOR(device) == 4 ? "devices/platform/serial8250" : "devices/virtual";
}

int
chrdev_register_range(const char *name, dev_t device, uint32_t count, const struct file_ops *ops,
		      int (*open)(struct inode *i, struct file *f))
{
	struct chrdev *c = kzalloc(sizeof(*c)), *other;

	if (!c)
		return -ENOMEM;
	c->name = kstrdup(name);
	if (!c->name) {
		kfree(c);
		return -ENOMEM;
	}
	c->device = device;
	c->count = count;
	c->ops = ops;
	c->open = open;
	spin_lock(&chrdevs_lock);
	list_for_each(other, &chrdevs, node)
		if (other->device < device + count && device < other->device + other->count) {
			spin_unlock(&chrdevs_lock);
			kfree((void *)c->name);
			kfree(c);
			return -EBUSY;
		}
	list_add_tail(&chrdevs, &c->node);
	spin_unlock(&chrdevs_lock);
	return 0;
}

int
chrdev_register(const char *name, dev_t device, mode_t mode, const struct file_ops *ops,
		int (*open)(struct inode *i, struct file *f))
{
	int error = chrdev_register_range(name, device, 1, ops, open);

	if (error)
		return error;
	if (sysfs_add_device(device_parent(device), device_class(device), name, device, mode))
		pr_warn("sysfs: no memory for %s\n", name);
	error = devfs_add(name, S_IFCHR | mode, device);
	if (error) /* else its number would be taken for good */
		chrdev_unregister(device);
	return error;
}

void
chrdev_unregister(dev_t device)
{
	struct chrdev *c, *found = NULL;

	spin_lock(&chrdevs_lock);
	list_for_each(c, &chrdevs, node)
		if (c->device == device) {
			found = c;
			list_del(&c->node);
			break;
		}
	spin_unlock(&chrdevs_lock);
	if (!found)
		return;
	sysfs_remove_device(device);
	devfs_remove(found->name, device);
	kfree((void *)found->name);
	kfree(found);
}

int
chrdev_open(struct inode *i, struct file *f)
{
	int (*open)(struct inode *i, struct file *f) = NULL;
	const struct file_ops *ops = NULL;
	struct chrdev *c;

	spin_lock(&chrdevs_lock);
	list_for_each(c, &chrdevs, node)
		if (i->rdev >= c->device && i->rdev < c->device + c->count) {
			ops = c->ops;
			open = c->open;
			break;
		}
	spin_unlock(&chrdevs_lock);
	/* An inode may know better than its number: a pseudo-terminal's. */
	if (!ops && !(i->ops->open && i->file_ops))
		return -ENXIO;
	file_set_ops(f, i->ops->open && i->file_ops ? i->file_ops : ops);
	f->mode |= f->ops->seek ? FILE_SEEKABLE : FILE_STREAM;
	if (i->ops->open)
		return i->ops->open(i, f);
	return open ? open(i, f) : 0;
}

static int
devfs_mount(struct filesystem *fs, const char *source, const char *options)
{
	struct device_node *n;
	int error = tmpfs_fill(fs, "mode=755");

	if (error)
		return error;
	devfs = fs;
	list_for_each(n, &nodes, node)
		make_node(n->name, n->mode, n->device);
	make_node("pts", S_IFDIR | 0755, 0);
	make_node("shm", S_IFDIR | 01777, 0);
	return 0;
}

/* Any option of tmpfs may be named; the one instance keeps its own. */
static int
devfs_remount(struct filesystem *fs, const char *options)
{
	return tmpfs_remount(fs, options);
}

static struct filesystem_type devfs_type = {
	.name = "devtmpfs",
	.late_options = true,
	.magic = 0x01021994,
	.no_device = true,
	.single = true,
	.mount = devfs_mount,
	.unmount = tmpfs_unmount,
	.statfs = tmpfs_statfs,
	.name_of = tmpfs_name_of,
	.remount = devfs_remount,
	.show_options = tmpfs_show_options,
};

void
devfs_init(void)
{
	filesystem_register(&devfs_type);
	memory_devices_init();
	kmsg_init();
}

/* Before process 1: it is started with /dev/console. A /dev that cannot be mounted is not fatal. */
int
devfs_mount_early(void)
{
	struct path dev;
	int error = vfs_mkdir(AT_FDCWD, "/dev", 0755);

	if (error && error != -EEXIST)
		return error;
	error = path_lookup(AT_FDCWD, "/dev", LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &dev);
	if (error)
		return error;
	error = vfs_mount("devtmpfs", &dev, "devtmpfs", MOUNT_NOSUID | MOUNT_RELATIME, false, NULL);
	path_put(&dev);
	return error;
}
