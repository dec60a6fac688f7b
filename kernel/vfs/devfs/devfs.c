/* SPDX-License-Identifier: MIT */
/*
 * devfs.c - /dev: one instance of tmpfs in which the kernel makes the nodes of its character
 * devices, and the table that leads from a device number to operations.
 *
 * The table only grows and is searched under its lock; a driver may register before the file system
 * is there, the nodes are then made when it comes up.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
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
	mode_t mode;
	const struct file_ops *ops;
	int (*open)(struct inode *i, struct file *f);
};

static struct spinlock chrdevs_lock = SPINLOCK_INIT(INODE_CACHE);
static struct list chrdevs = LIST_INIT(chrdevs); /* chrdevs_lock */
static struct filesystem *devfs;                 /* [I] after devfs_init */

static int
make_node(const char *name, mode_t mode, dev_t device)
{
	struct inode *dir = devfs->root->inode;
	struct dentry *d;
	int error;

	write_lock(&dir->lock);
	d = lookup_child_locked(devfs->root, name, strlen(name));
	if (IS_ERR(d)) {
		error = (int)PTR_ERR(d);
	} else {
		if (d->inode)
			error = -EEXIST;
		else if (S_ISDIR(mode))
			error = dir->ops->mkdir(dir, d, mode);
		else
			error = dir->ops->mknod(dir, d, mode, device);
		dentry_put(d);
	}
	write_unlock(&dir->lock);
	return error;
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
chrdev_register(const char *name, dev_t device, mode_t mode, const struct file_ops *ops,
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
	c->mode = mode;
	c->ops = ops;
	c->open = open;
	spin_lock(&chrdevs_lock);
	list_for_each(other, &chrdevs, node)
		if (other->device == device) {
			spin_unlock(&chrdevs_lock);
			kfree((void *)c->name);
			kfree(c);
			return -EBUSY;
		}
	list_add_tail(&chrdevs, &c->node);
	spin_unlock(&chrdevs_lock);
	if (sysfs_add_device(device_parent(device), device_class(device), name, device, mode))
		pr_warn("sysfs: no memory for %s\n", name);
	return devfs ? make_node(name, S_IFCHR | mode, device) : 0;
}

int
chrdev_open(struct inode *i, struct file *f)
{
	struct chrdev *c, *found = NULL;

	spin_lock(&chrdevs_lock);
	list_for_each(c, &chrdevs, node)
		if (c->device == i->rdev) {
			found = c;
			break;
		}
	spin_unlock(&chrdevs_lock);
	/* An inode may know better than its number: a pseudo-terminal's. */
	if (!found && !(i->ops->open && i->file_ops))
		return -ENXIO;
	file_set_ops(f, i->ops->open && i->file_ops ? i->file_ops : found->ops);
	f->mode |= f->ops->seek ? FILE_SEEKABLE : FILE_STREAM;
	if (i->ops->open)
		return i->ops->open(i, f);
	return found->open ? found->open(i, f) : 0;
}

static int
devfs_mount(struct filesystem *fs, const char *source, const char *options)
{
	struct chrdev *c;
	int error = tmpfs_fill(fs, "mode=755");

	if (error)
		return error;
	devfs = fs;
	list_for_each(c, &chrdevs, node)
		make_node(c->name, S_IFCHR | c->mode, c->device);
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
