/* SPDX-License-Identifier: MIT */
/*
 * vfio_legacy.c - what a PC has had since before PCI, for programs to drive: ranges of ports and interrupt lines, as
 * VFIO's platform devices.
 *
 * A device is a name, its ports, each range a region that is read and written, and its lines. It has a group of its
 * own, without DMA: an open device reaches its ports and nothing else. docs/decisions/ says why it is not ioperm(2).
 * A line of this kind is an edge and nobody else's: each interrupt signals the eventfd; it can be held back.
 *
 * Locks: pci_lock for lines, vfio_lock while it is opened and closed, l->lock; irq_lock for what the handler looks at.
 */
#include <tessera/arch.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/panic.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/sysfs.h>
#include <tessera/uaccess.h>

#include "line.h"
#include "pci.h"
#include "vfio.h"

#define RANGES_MAX 2u
#define LINES_MAX  2u

/* [I] */
struct legacy_kind {
	const char *name;
	struct {
		uint16_t port, size;
	} ranges[RANGES_MAX];
	uint32_t range_count;
	uint32_t lines[LINES_MAX];
	uint32_t line_count;
	bool (*is_there)(void);
};

static const struct legacy_kind kinds[] = {
	{ "i8042", { { 0x60, 1 }, { 0x64, 1 } }, 2, { 1, 12 }, 2, arch_has_i8042 },
};

/* [d] lock  [i] irq_lock */
struct legacy_line {
	struct line_user user;         /* [d] */
	struct legacy *device;         /* [I] */
	bool joined;                   /* [d] */
	bool masked;                   /* [d] */
	struct file *trigger;          /* [i] a reference; NULL: nobody is told */
};

struct legacy {
	struct vfio_device base;
	const struct legacy_kind *kind; /* [I] */
	struct mutex lock;             /* class VFIO_DEVICE */
	struct spinlock irq_lock;      /* class DEVICE */
	struct legacy_line lines[LINES_MAX];
};

static struct legacy *
legacy_of(struct vfio_device *d)
{
	return container_of(d, struct legacy, base);
}

/* --- interrupts ---------------------------------------------------------------------------------- */

static bool
line_interrupt(struct line_user *u)
{
	struct legacy_line *n = container_of(u, struct legacy_line, user);
	uint64_t flags = spin_lock_irq(&n->device->irq_lock);

	if (n->trigger)
		eventfd_signal(n->trigger, 1);
	spin_unlock_irq(&n->device->irq_lock, flags);
	return true;
}

static void
swap_trigger(struct legacy_line *n, struct file *f)
{
	uint64_t flags = spin_lock_irq(&n->device->irq_lock);
	struct file *old = n->trigger;

	n->trigger = f;
	spin_unlock_irq(&n->device->irq_lock, flags);
	if (old)
		file_put(old);
}

static void
line_off(struct legacy_line *n)
{
	if (n->joined)
		line_leave(&n->user);
	n->joined = n->masked = false;
	swap_trigger(n, NULL);
}

static long
set_trigger(struct legacy *l, uint32_t index, int fd)
{
	struct legacy_line *n = &l->lines[index];
	struct file *f;
	int error;

	if (fd < 0) {
		line_off(n);
		return 0;
	}
	f = vfio_eventfd(fd, RIGHT_WRITE, &error);
	if (!f)
		return error;
	swap_trigger(n, f);
	if (n->joined)
		return 0;
	n->user = (struct line_user){ .number = l->kind->lines[index], .alone = true, .interrupt = line_interrupt };
	string_copy(n->user.name, l->kind->name, sizeof(n->user.name));
	error = line_join(&n->user);
	if (error)
		swap_trigger(n, NULL);
	n->joined = !error;
	return error;
}

static long
set_mask(struct legacy_line *n, const struct vfio_irq_request *r, bool masked)
{
	if (!n->joined || r->count != 1)
		return -EINVAL;
	if (r->data == VFIO_IRQ_DATA_EVENTFD)
		return -ENOTTY;
	if (r->data == VFIO_IRQ_DATA_NONE || r->bools[0]) {
		line_set_mask(&n->user, masked);
		n->masked = masked;
	}
	return 0;
}

static long
trigger(struct legacy *l, uint32_t index, const struct vfio_irq_request *r)
{
	struct legacy_line *n = &l->lines[index];
	uint64_t flags;

	if (r->data == VFIO_IRQ_DATA_NONE && r->count == 0) {
		line_off(n);
		return 0;
	}
	if (r->count != 1)
		return -EINVAL;
	if (r->data == VFIO_IRQ_DATA_EVENTFD)
		return set_trigger(l, index, r->fds[0]);
	if (!n->joined)
		return -EINVAL;
	flags = spin_lock_irq(&l->irq_lock);
	if (n->trigger && (r->data == VFIO_IRQ_DATA_NONE || r->bools[0]))
		eventfd_signal(n->trigger, 1);
	spin_unlock_irq(&l->irq_lock, flags);
	return 0;
}

static long
set_irqs(struct legacy *l, const void __user *arg)
{
	static const uint32_t counts[LINES_MAX] = { 1, 1 };
	struct vfio_irq_request r;
	struct vfio_irq_set set;
	void *buf;
	long error = vfio_irq_decode(arg, counts, l->kind->line_count, &set, &r, &buf);

	if (error)
		return error;
	mutex_lock(&pci_lock); /* lines */
	mutex_lock(&l->lock);
	switch (set.flags & VFIO_IRQ_ACTION) {
	case VFIO_IRQ_TRIGGER:
		error = trigger(l, set.index, &r);
		break;
	case VFIO_IRQ_MASK:
	case VFIO_IRQ_UNMASK:
		error = set_mask(&l->lines[set.index], &r, set.flags & VFIO_IRQ_MASK);
		break;
	default:
		error = -ENOTTY;
	}
	mutex_unlock(&l->lock);
	mutex_unlock(&pci_lock);
	kfree(buf);
	return error;
}

/* --- calls --------------------------------------------------------------------------------------- */

static long
get_info(struct legacy *l, struct vfio_device_info __user *arg)
{
	struct vfio_device_info info = { 0 };

	if (get_user(info.argsz, &arg->argsz))
		return -EFAULT;
	if (info.argsz < VFIO_DEVICE_INFO_MIN)
		return -EINVAL;
	info.flags = VFIO_DEVICE_PLATFORM;
	info.regions = l->kind->range_count;
	info.irqs = l->kind->line_count;
	return copy_to_user(arg, &info, MIN((size_t)info.argsz, sizeof(info)));
}

static long
get_region_info(struct legacy *l, struct vfio_region_info __user *arg)
{
	struct vfio_region_info info;

	if (copy_from_user(&info, arg, sizeof(info)))
		return -EFAULT;
	if (info.argsz < sizeof(info) || info.index >= l->kind->range_count)
		return -EINVAL;
	info.flags = VFIO_REGION_READ | VFIO_REGION_WRITE;
	info.caps = 0;
	info.size = l->kind->ranges[info.index].size;
	info.offset = (uint64_t)info.index << VFIO_REGION_SHIFT;
	return copy_to_user(arg, &info, sizeof(info));
}

static long
get_irq_info(struct legacy *l, struct vfio_irq_info __user *arg)
{
	struct vfio_irq_info info;

	if (copy_from_user(&info, arg, sizeof(info)))
		return -EFAULT;
	if (info.argsz < sizeof(info) || info.index >= l->kind->line_count)
		return -EINVAL;
	info.flags = VFIO_IRQ_EVENTFD | VFIO_IRQ_MASKABLE;
	info.count = 1;
	return copy_to_user(arg, &info, sizeof(info));
}

static long
legacy_ioctl(struct vfio_device *d, unsigned int command, void __user *arg)
{
	struct legacy *l = legacy_of(d);

	switch (command) {
	case VFIO_DEVICE_GET_INFO:
		return get_info(l, arg);
	case VFIO_DEVICE_GET_REGION_INFO:
		return get_region_info(l, arg);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return get_irq_info(l, arg);
	case VFIO_DEVICE_SET_IRQS:
		return set_irqs(l, arg);
	case VFIO_DEVICE_RESET:
		return -EINVAL;
	default:
		return -ENOTTY;
	}
}

/* One access, as large as what is read or written; never past the range. */
static ssize_t
legacy_access(struct vfio_device *d, uint32_t region, uint64_t at, void *buf, size_t n, bool write)
{
	struct legacy *l = legacy_of(d);

	if (region >= l->kind->range_count || at >= l->kind->ranges[region].size ||
	    n > l->kind->ranges[region].size - at)
		return -EINVAL;
	return pci_port_access((uint16_t)(l->kind->ranges[region].port + at), buf, n, write);
}

static int
legacy_open(struct vfio_device *d)
{
	return 0;
}

static void
legacy_close(struct vfio_device *d)
{
	struct legacy *l = legacy_of(d);

	mutex_lock(&l->lock);
	for (uint32_t i = 0; i < l->kind->line_count; i++)
		line_off(&l->lines[i]);
	mutex_unlock(&l->lock);
}

static void
legacy_free(struct vfio_device *d)
{
	kfree(legacy_of(d));
}

static void
legacy_dump(struct vfio_device *d)
{
	struct legacy *l = legacy_of(d);

	for (uint32_t i = 0; i < l->kind->line_count; i++)
		pr_info("    line %u%s%s", l->kind->lines[i], l->lines[i].joined ? ", used" : "",
			l->lines[i].masked ? ", masked" : "");
}

static const struct vfio_device_ops legacy_ops = {
	.open = legacy_open,
	.close = legacy_close,
	.free = legacy_free,
	.ioctl = legacy_ioctl,
	.access = legacy_access,
	.dump = legacy_dump,
};

/* --- start --------------------------------------------------------------------------------------- */

static int
show_modalias(struct text *t, void *object)
{
	const struct legacy *l = object;

	text_print(t, "platform:%s\n", l->kind->name);
	return 0;
}

static int
show_uevent(struct text *t, void *object)
{
	text_print(t, "MODALIAS=");
	return show_modalias(t, object);
}

static const struct sysfs_attribute attributes[] = {
	{ "modalias", 0444, .show = show_modalias },
	{ "uevent", 0444, .show = show_uevent },
	{ 0 },
};

/* As the other buses show their devices, with the group that it is had by. */
static int
show(struct legacy *l, uint32_t group)
{
	struct sysfs_node *dir = sysfs_add_directory(sysfs_make_path("devices/platform"), l->kind->name, l);
	char path[48];
	int error = sysfs_add_attributes(dir, attributes);

	snprintf(path, sizeof(path), "kernel/iommu_groups/%u", group);
	if (!error)
		error = sysfs_add_link(dir, "iommu_group", sysfs_make_path(path));
	snprintf(path, sizeof(path), "kernel/iommu_groups/%u/devices", group);
	if (!error)
		error = sysfs_add_link(sysfs_make_path(path), l->kind->name, dir);
	if (!error)
		error = sysfs_add_link(dir, "subsystem", sysfs_make_path("bus/platform"));
	return error ? error : sysfs_add_link(sysfs_make_path("bus/platform/devices"), l->kind->name, dir);
}

static int
add(const struct legacy_kind *kind)
{
	struct legacy *l = kzalloc(sizeof(*l));
	uint32_t group;
	int error;

	if (!l)
		return -ENOMEM;
	l->kind = kind;
	mutex_init(&l->lock, LOCK_VFIO_DEVICE);
	spin_init(&l->irq_lock, LOCK_DEVICE);
	for (uint32_t i = 0; i < kind->line_count; i++)
		l->lines[i].device = l;
	mutex_lock(&pci_lock);
	group = iommu_new_group_id();
	error = vfio_add(&l->base, kind->name, &legacy_ops, GROUP_NO_DMA, NULL, group);
	mutex_unlock(&pci_lock);
	if (error) {
		kfree(l);
		return error;
	}
	return show(l, group);
}

void
vfio_legacy_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].is_there() && add(&kinds[i]))
			pr_warn("vfio: no memory for %s\n", kinds[i].name);
}
