/* SPDX-License-Identifier: MIT */
/*
 * vfio_group.c - groups of devices and the files of devices.
 *
 * A group is there while a driver has given a device of it to VFIO. Its node in /dev decides by its owner and mode who
 * may have its devices: root, until root says otherwise. An open group, and each open device, is a capability: it can
 * be passed on, and whoever has it needs no name any more.
 *
 * Locks: pci_lock, vfio_lock; a device's own below.
 */
#include <tessera/address_space.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/panic.h>
#include <tessera/pci.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/sysfs.h>
#include <tessera/uaccess.h>

#include "line.h"
#include "pci.h"
#include "vfio.h"

struct mutex vfio_lock = MUTEX_INIT(vfio_lock, VFIO);
static struct list groups = LIST_INIT(groups); /* [V] */
bool vfio_unsafe;

#define ASK_AGAIN_NS (10 * NSEC_PER_SEC) /* as Linux does */

static const struct file_ops group_ops, device_ops;

/* --- references ---------------------------------------------------------------------------------- */

void
vfio_group_get(struct vfio_group *g)
{
	ref_get(&g->refs);
}

void
vfio_group_put(struct vfio_group *g)
{
	if (!ref_put(&g->refs))
		return;
	assert(list_is_empty(&g->devices) && !g->container);
	kfree(g);
}

void
vfio_device_get(struct vfio_device *d)
{
	ref_get(&d->refs);
}

void
vfio_device_put(struct vfio_device *d)
{
	struct vfio_group *g = d->group;

	if (!ref_put(&d->refs))
		return;
	d->ops->free(d);
	vfio_group_put(g);
}

/* --- groups come and go ---------------------------------------------------------------------------- */

static struct vfio_group *
find_group(uint32_t id)
{
	struct vfio_group *g;

	list_for_each (g, &groups, node)
		if (g->id == id)
			return g;
	return NULL;
}

/* The open file finds its group by the number of the node. */
static int
group_open(struct inode *i, struct file *f)
{
	struct vfio_group *g;
	int error = 0;

	mutex_lock(&vfio_lock);
	g = find_group(DEV_MINOR(i->rdev));
	if (!g)
		error = -ENODEV;
	else if (g->kind == GROUP_NOIOMMU && !capable(CAP_SYS_RAWIO))
		error = -EPERM;
	else if (g->opened || g->container)
		error = -EBUSY;
	if (!error) {
		g->opened = true;
		vfio_group_get(g);
		f->private = g;
	}
	mutex_unlock(&vfio_lock);
	return error;
}

static struct vfio_group *
create_group(uint32_t id, enum vfio_group_kind kind, struct iommu_group *iommu)
{
	struct vfio_group *g = kzalloc(sizeof(*g));
	char name[32];

	if (!g)
		return NULL;
	ref_init(&g->refs);
	list_init(&g->devices);
	g->id = id;
	g->kind = kind;
	g->iommu = iommu;
	snprintf(name, sizeof(name), kind == GROUP_NOIOMMU ? "vfio/noiommu-%u" : "vfio/%u", id);
	if (chrdev_register(name, DEV(MAJOR_VFIO, id), 0600, &group_ops, group_open)) {
		kfree(g);
		return NULL;
	}
	g->registered = true;
	list_add_tail(&groups, &g->node);
	return g;
}

int
vfio_add(struct vfio_device *d, const char *name, const struct vfio_device_ops *ops, enum vfio_group_kind kind,
	 struct iommu_group *iommu, uint32_t id)
{
	struct vfio_group *g;

	ref_init(&d->refs);
	wait_queue_init(&d->closed);
	d->ops = ops;
	snprintf(d->name, sizeof(d->name), "%s", name);
	mutex_lock(&vfio_lock);
	g = find_group(id);
	if (g)
		vfio_group_get(g);
	else
		g = create_group(id, kind, iommu); /* with the reference for the device */
	if (g) {
		d->group = g;
		list_add_tail(&g->devices, &d->node);
	}
	mutex_unlock(&vfio_lock);
	return g ? 0 : -ENOMEM;
}

int
vfio_remove(struct vfio_device *d)
{
	struct vfio_group *g = d->group;
	struct vfio_space *left = NULL;
	int error = 0;

	mutex_lock(&vfio_lock);
	if (d->files) {
		error = -EBUSY;
	} else {
		d->gone = true;
		list_del(&d->node);
		if (list_is_empty(&g->devices)) {
			/* Who has it open keeps an empty group; in its container its devices reach nothing. */
			if (g->container)
				left = vfio_container_leave(g->container, g);
			g->registered = false;
			list_del(&g->node);
			chrdev_unregister(DEV(MAJOR_VFIO, g->id));
		}
	}
	mutex_unlock(&vfio_lock);
	vfio_space_put_late(left); /* pci_lock is held */
	if (!error)
		vfio_device_put(d);
	return error;
}

static bool
is_closed(struct vfio_device *d)
{
	return READ_ONCE(d->files) == 0;
}

/* Who has it is asked again and again: it may not have listened yet when it was asked first. */
int
vfio_wait_closed(struct vfio_device *d)
{
	int error;

	pr_info("vfio %s: wanted back, waiting for its user\n", d->name);
	do {
		if (d->ops->request)
			d->ops->request(d);
		error = wait_event_deadline(&d->closed, is_closed(d), WAIT_INTERRUPTIBLE, deadline_after(ASK_AGAIN_NS));
	} while (error == -ETIMEDOUT);
	return error;
}

/* --- a device's file ------------------------------------------------------------------------------- */

static struct vfio_device *
device_of(struct file *f)
{
	return f->private;
}

static long
device_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	struct vfio_device *d = device_of(f);

	return d->ops->ioctl(d, command, __force_user(void __user *, arg));
}

static ssize_t
device_move(struct file *f, struct iov_iter *it, loff_t *pos, bool write)
{
	struct vfio_device *d = device_of(f);
	uint32_t region = (uint32_t)((uint64_t)*pos >> VFIO_REGION_SHIFT);
	uint64_t at = (uint64_t)*pos & (BIT(VFIO_REGION_SHIFT) - 1);
	size_t n = MIN(it->count, (size_t)PAGE_SIZE);
	void *buf;
	ssize_t done;

	if (n == 0)
		return 0;
	buf = kzalloc(PAGE_SIZE);
	if (!buf)
		return -ENOMEM;
	done = write && iov_copy_from(buf, it, n) < n ? -EFAULT : d->ops->access(d, region, at, buf, n, write);
	if (done > 0 && !write && iov_copy_to(it, buf, (size_t)done) < (size_t)done)
		done = -EFAULT;
	if (done > 0)
		*pos += done;
	kfree(buf);
	return done;
}

static ssize_t
device_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	return device_move(f, to, pos, false);
}

static ssize_t
device_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	return device_move(f, from, pos, true);
}

static int
device_mmap(struct file *f, uint64_t offset, size_t length, uint32_t *flags, struct memory_object **out)
{
	struct vfio_device *d = device_of(f);

	return d->ops->mmap ? d->ops->mmap(d, (uint32_t)(offset >> VFIO_REGION_SHIFT),
					   offset & (BIT(VFIO_REGION_SHIFT) - 1), length, *flags & MAPPING_SHARED, out)
			    : -EINVAL;
}

/*
 * One file of it is closed; after the last one it is quiet and reaches nothing. What the file held is let go while the
 * locks are held, so that who waited for it, and then takes pci_lock, finds nobody else with a reference. The driver's own
 * keeps the device and its group until then.
 */
static void
close_device(struct vfio_device *d)
{
	struct vfio_group *g = d->group;
	struct vfio_space *left = NULL;

	mutex_lock(&pci_lock);
	mutex_lock(&vfio_lock);
	if (d->files == 1)
		d->ops->close(d);
	if (--g->open_devices == 0 && !g->opened && g->container)
		left = vfio_container_leave(g->container, g);
	WRITE_ONCE(d->files, d->files - 1);
	wake_all(&d->closed);
	vfio_group_put(g);
	vfio_device_put(d);
	mutex_unlock(&vfio_lock);
	mutex_unlock(&pci_lock);
	vfio_space_put(left);
}

static void
device_release(struct file *f)
{
	close_device(device_of(f));
}

static void
device_dump(struct file *f)
{
	struct vfio_device *d = device_of(f);

	pr_info("vfio device %s of group %u", d->name, d->group->id);
	d->ops->dump(d);
}

static const char *
cannot_move(struct file *f)
{
	return "it holds a device of this machine";
}

static const struct file_ops device_ops = {
	.name = "vfio-device",
	.no_splice_read = true,
	.no_splice_write = true,
	.read = device_read,
	.write = device_write,
	.ioctl = device_ioctl,
	.mmap = device_mmap,
	.release = device_release,
	.dump = device_dump,
	.can_save = cannot_move,
};

/* --- a group's file -------------------------------------------------------------------------------- */

struct vfio_group *
vfio_group_of(struct file *f)
{
	return f->ops == &group_ops ? f->private : NULL;
}

static long
set_container(struct vfio_group *g, int __user *arg)
{
	struct vfio_container *c;
	struct file *f;
	int fd, error;

	if (get_user(fd, arg))
		return -EFAULT;
	if (fd < 0)
		return -EINVAL;
	f = handle_get(fd, RIGHT_CONTROL, &error);
	if (!f)
		return error;
	c = vfio_container_of(f);
	file_put(f);
	if (!c)
		return -EINVAL;
	mutex_lock(&pci_lock);
	mutex_lock(&vfio_lock);
	if (g->container)
		error = -EINVAL;
	else if (g->kind == GROUP_NOIOMMU && !capable(CAP_SYS_RAWIO))
		error = -EPERM;
	else if (!g->registered)
		error = -ENODEV;
	else
		error = vfio_container_join(c, g);
	mutex_unlock(&vfio_lock);
	mutex_unlock(&pci_lock);
	vfio_container_put(c);
	return error;
}

static long
unset_container(struct vfio_group *g)
{
	struct vfio_space *left = NULL;
	int error = 0;

	mutex_lock(&pci_lock);
	mutex_lock(&vfio_lock);
	if (!g->container)
		error = -EINVAL;
	else if (g->open_devices)
		error = -EBUSY;
	else
		left = vfio_container_leave(g->container, g);
	mutex_unlock(&vfio_lock);
	mutex_unlock(&pci_lock);
	vfio_space_put(left);
	return error;
}

static long
get_status(struct vfio_group *g, void __user *arg)
{
	struct vfio_status s;

	if (copy_from_user(&s, arg, sizeof(s)))
		return -EFAULT;
	if (s.argsz < sizeof(s))
		return -EINVAL;
	mutex_lock(&vfio_lock);
	s.flags = (g->registered ? VFIO_STATUS_VIABLE : 0) | (g->container ? VFIO_STATUS_CONTAINED : 0);
	mutex_unlock(&vfio_lock);
	return copy_to_user(arg, &s, sizeof(s));
}

static struct vfio_device *
find_device(struct vfio_group *g, const char *name)
{
	struct vfio_device *d;

	list_for_each (d, &g->devices, node)
		if (!strcmp(d->name, name))
			return d;
	return NULL;
}

static int
open_device_locked(struct vfio_group *g, const char *name, struct vfio_device **out)
{
	struct vfio_device *d;
	int error = 0;

	if (!g->container || !vfio_container_is_ready(g->container))
		return -EINVAL;
	if (g->kind == GROUP_NOIOMMU && !capable(CAP_SYS_RAWIO))
		return -EPERM;
	d = find_device(g, name);
	if (!d)
		return -ENODEV;
	if (d->files == 0)
		error = d->ops->open(d);
	if (error)
		return error;
	WRITE_ONCE(d->files, d->files + 1);
	g->open_devices++;
	vfio_device_get(d);
	vfio_group_get(g);
	*out = d;
	return 0;
}

static long
get_device(struct vfio_group *g, const char __user *uname)
{
	struct vfio_device *d = NULL;
	char name[32];
	struct file *f;
	long n = copy_string_from_user(name, uname, sizeof(name));
	int error;

	if (n < 0)
		return n == -ENAMETOOLONG ? -ENODEV : n;
	mutex_lock(&pci_lock);
	mutex_lock(&vfio_lock);
	error = open_device_locked(g, name, &d);
	mutex_unlock(&vfio_lock);
	mutex_unlock(&pci_lock);
	if (error)
		return error;
	f = anonymous_file_create(&device_ops, O_RDWR, d);
	if (!f) {
		close_device(d); /* nothing was given out */
		return -ENOMEM;
	}
	f->mode |= FILE_SEEKABLE;
	n = handle_open(f, RIGHT_ALL, true);
	if (n < 0)
		file_put(f);
	return n;
}

static long
group_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	struct vfio_group *g = f->private;
	void __user *p = __force_user(void __user *, arg);

	switch (command) {
	case VFIO_GROUP_GET_STATUS:
		return get_status(g, p);
	case VFIO_GROUP_SET_CONTAINER:
		return set_container(g, p);
	case VFIO_GROUP_UNSET_CONTAINER:
		return unset_container(g);
	case VFIO_GROUP_GET_DEVICE_FD:
		return get_device(g, p);
	default:
		return -ENOTTY;
	}
}

static void
group_release(struct file *f)
{
	struct vfio_group *g = f->private;
	struct vfio_space *left = NULL;

	if (!g)
		return; /* it could not be opened */
	mutex_lock(&pci_lock);
	mutex_lock(&vfio_lock);
	g->opened = false;
	if (g->container && !g->open_devices)
		left = vfio_container_leave(g->container, g);
	mutex_unlock(&vfio_lock);
	mutex_unlock(&pci_lock);
	vfio_space_put(left);
	vfio_group_put(g);
}

static void
group_dump(struct file *f)
{
	struct vfio_group *g = f->private;

	if (g)
		pr_info("vfio group %u, %u devices open, container %p", g->id, g->open_devices, g->container);
}

static const struct file_ops group_ops = {
	.name = "vfio-group",
	.no_splice_read = true,
	.no_splice_write = true,
	.ioctl = group_ioctl,
	.release = group_release,
	.dump = group_dump,
	.can_save = cannot_move,
};

/* --- start --------------------------------------------------------------------------------------- */

static int
show_unsafe(struct text *t, void *object)
{
	text_print(t, "%c\n", READ_ONCE(vfio_unsafe) ? 'Y' : 'N');
	return 0;
}

static ssize_t
store_unsafe(void *object, char *data, size_t n)
{
	bool on = data[0] == 'Y' || data[0] == 'y' || data[0] == '1';

	if (!on && data[0] != 'N' && data[0] != 'n' && data[0] != '0')
		return -EINVAL;
	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (on && !READ_ONCE(vfio_unsafe))
		pr_warn("vfio: devices may be given out without an IOMMU: who has one has the machine\n");
	WRITE_ONCE(vfio_unsafe, on);
	return (ssize_t)n;
}

static const struct sysfs_attribute parameters[] = {
	{ "enable_unsafe_noiommu_mode", 0644, .show = show_unsafe, .store = store_unsafe },
	{ 0 },
};

void
vfio_init(void)
{
	if (sysfs_add_attributes(sysfs_make_path("module/vfio/parameters"), parameters))
		pr_warn("vfio: no memory for its parameters\n");
	vfio_container_init();
	vfio_pci_init();
	vfio_legacy_init();
}

void
vfio_dump(void)
{
	const struct vfio_group *g;
	struct vfio_device *d;

	list_for_each (g, &groups, node) {
		pr_info("group %u%s refs %u%s, %u devices open\n", g->id,
			g->kind == GROUP_IOMMU ? "" : g->kind == GROUP_NOIOMMU ? ", no IOMMU" : ", no DMA",
			ref_count(&g->refs), g->opened ? ", open" : "", g->open_devices);
		if (g->container)
			vfio_container_dump(g->container);
		list_for_each (d, &g->devices, node) {
			pr_info("  device %s refs %u files %u", d->name, ref_count(&d->refs), d->files);
			d->ops->dump(d);
		}
	}
	line_dump();
}
