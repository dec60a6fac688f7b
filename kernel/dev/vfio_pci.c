/* SPDX-License-Identifier: MIT */
/*
 * vfio_pci.c - vfio-pci: PCI devices given to programs.
 *
 * Bound to this driver a device has a group in /dev/vfio. While a program has it open it is switched on; its registers
 * are read, written and mapped, but for the table of its messages, which could make it interrupt as somebody else.
 * When the last file of it is closed it is no longer allowed to reach memory, its interrupts are off, and it is reset,
 * so that the next one gets it fresh, and nothing of the last one goes on.
 *
 * Mappings are of one object for all regions, by the offset in the file; it shows nothing while the device does not
 * answer: when memory is switched off in the command register, while it is reset, when it is closed for good.
 *
 * Locks: pci_lock, vfio_lock, vp->lock.
 */
#include <tessera/address_space.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/panic.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

#include "vfio_pci.h"

#define HOT_RESET_GROUPS_MAX 16u
#define ON_BUS_MAX           256u /* functions */

static struct pci_driver vfio_pci_driver;

static struct vfio_pci *
pci_of(struct vfio_device *d)
{
	return container_of(d, struct vfio_pci, base);
}

/* --- regions ------------------------------------------------------------------------------------- */

static bool
is_mappable(struct vfio_pci *vp, uint32_t region)
{
	const struct pci_resource *r;

	if (region >= PCI_BARS)
		return false;
	r = &vp->device->resource[region];
	return (r->flags & RESOURCE_MEMORY) && !(r->flags & RESOURCE_UNSET) &&
	       r->size >= PAGE_SIZE && IS_ALIGNED(r->start, PAGE_SIZE);
}

/* The pages of the region that hold the table of messages; an empty range: none. */
static void
hidden_pages(const struct vfio_pci *vp, uint32_t region, uint64_t *start, uint64_t *end)
{
	*start = *end = 0;
	if (region == vp->table_bar) {
		*start = ALIGN_DOWN(vp->table_start, PAGE_SIZE);
		*end = ALIGN_UP(vp->table_end, PAGE_SIZE);
	}
}

static int
memory_page(struct memory_object *o, uint64_t index, paddr_t *pa, unsigned int *prot)
{
	struct vfio_pci *vp = container_of(o, struct vfio_pci, memory);
	uint32_t region = (uint32_t)(index >> (VFIO_REGION_SHIFT - PAGE_SHIFT));
	uint64_t at = (index << PAGE_SHIFT) & (BIT(VFIO_REGION_SHIFT) - 1), start, end;

	if (!is_mappable(vp, region) || at >= vp->device->resource[region].size)
		return -EFAULT;
	hidden_pages(vp, region, &start, &end);
	if (at >= start && at < end)
		return -EFAULT;
	*pa = vp->device->resource[region].start + at;
	*prot = PTE_UNCACHED;
	return 0;
}

/* The last mapping of it has gone. */
static void
memory_release(struct memory_object *o)
{
	vfio_device_put(&container_of(o, struct vfio_pci, memory)->base);
}

static const struct memory_object_ops memory_ops = {
	.name = "vfio registers",
	.device_page = memory_page,
	.release = memory_release,
};

static int
vfio_pci_mmap(struct vfio_device *d, uint32_t region, uint64_t offset, size_t length, bool shared,
	      struct memory_object **out)
{
	struct vfio_pci *vp = pci_of(d);
	uint64_t size, start, end;

	if (!shared || !is_mappable(vp, region))
		return -EINVAL;
	size = ALIGN_UP(vp->device->resource[region].size, PAGE_SIZE);
	length = ALIGN_UP(length, PAGE_SIZE);
	hidden_pages(vp, region, &start, &end);
	if (offset >= size || length > size - offset || (offset < end && offset + length > start))
		return -EINVAL;
	object_get(&vp->memory);
	*out = &vp->memory;
	return 0;
}

static uint64_t
region_size(struct vfio_pci *vp, uint32_t region)
{
	struct pci_device *d = vp->device;

	if (region == VFIO_PCI_CONFIG)
		return d->config_size;
	if (region > VFIO_PCI_ROM || (d->resource[region].flags & RESOURCE_UNSET))
		return 0;
	return d->resource[region].size;
}

/* What can be mapped of the region that the table of messages is in, as a capability behind the info. */
static uint32_t
sparse_areas(struct vfio_pci *vp, uint32_t region, struct vfio_sparse_mmap *s)
{
	uint64_t start, end, size = region_size(vp, region);
	uint32_t n = 0;

	*s = (struct vfio_sparse_mmap){ .head = { VFIO_CAP_SPARSE_MMAP, 1, 0 } };
	hidden_pages(vp, region, &start, &end);
	if (start > 0)
		s->area[n++].size = start;
	if (end < size) {
		s->area[n].offset = end;
		s->area[n++].size = size - end;
	}
	s->count = n;
	return (uint32_t)(sizeof(*s) - sizeof(s->area) + n * sizeof(s->area[0]));
}

static long
get_region_info(struct vfio_pci *vp, struct vfio_region_info __user *arg)
{
	struct vfio_region_info info;
	struct vfio_sparse_mmap sparse;
	uint32_t room, n;

	if (copy_from_user(&info, arg, sizeof(info)))
		return -EFAULT;
	room = info.argsz;
	if (room < sizeof(info) || info.index >= VFIO_PCI_REGIONS || info.index == VFIO_PCI_VGA)
		return -EINVAL;
	info.flags = 0;
	info.caps = 0;
	info.offset = (uint64_t)info.index << VFIO_REGION_SHIFT;
	info.size = region_size(vp, info.index);
	if (info.size)
		info.flags = info.index == VFIO_PCI_ROM ? VFIO_REGION_READ : VFIO_REGION_READ | VFIO_REGION_WRITE;
	if (info.size && is_mappable(vp, info.index)) {
		info.flags |= VFIO_REGION_MMAP;
		if (info.index == vp->table_bar) {
			n = sparse_areas(vp, info.index, &sparse);
			info.flags |= VFIO_REGION_CAPS;
			info.argsz = (uint32_t)sizeof(info) + n;
			if (room >= info.argsz) {
				info.caps = sizeof(info);
				if (copy_to_user((char __user *)arg + sizeof(info), &sparse, n))
					return -EFAULT;
			}
		}
	}
	return copy_to_user(arg, &info, sizeof(info));
}

/* --- reading and writing --------------------------------------------------------------------------- */

uint8_t *
vfio_map_bar(struct vfio_pci *vp, uint32_t region)
{
	const struct pci_resource *r = &vp->device->resource[region];

	if (!vp->bar_map[region])
		vp->bar_map[region] = arch_map_device(r->start, r->size);
	return vp->bar_map[region];
}

static void
move_unit(volatile uint8_t *reg, uint8_t *p, size_t size, bool write)
{
	uint32_t v = 0;

	if (write) {
		memcpy(&v, p, size);
		if (size == 1)
			*reg = (uint8_t)v;
		else if (size == 2)
			*(volatile uint16_t *)reg = (uint16_t)v;
		else
			*(volatile uint32_t *)reg = v;
	} else {
		v = size == 1 ? *reg : size == 2 ? *(volatile uint16_t *)reg : *(volatile uint32_t *)reg;
		memcpy(p, &v, size);
	}
}

/* In units as large as the place allows; the table of messages reads as ones, and is not written. */
static ssize_t
bar_access(struct vfio_pci *vp, uint32_t region, uint64_t at, uint8_t *buf, size_t n, bool write)
{
	const struct pci_resource *r = &vp->device->resource[region];
	bool ports = r->flags & RESOURCE_IO;
	uint8_t *map = NULL;

	if (ports ? !vfio_ports_are_on(vp) : !vfio_memory_is_on(vp))
		return -EIO;
	if (!ports) {
		map = vfio_map_bar(vp, region);
		if (!map)
			return -ENOMEM;
	}
	for (size_t done = 0, size; done < n; done += size) {
		uint64_t where = at + done;

		size = (where & 1) || n - done < 2 ? 1 : (where & 2) || n - done < 4 ? 2 : 4;
		if (region == vp->table_bar && where < vp->table_end && where + size > vp->table_start) {
			if (!write)
				memset(buf + done, 0xff, size);
		} else if (ports) {
			pci_port_access((uint16_t)(r->start + where), buf + done, size, write);
		} else {
			move_unit(map + where, buf + done, size, write);
		}
	}
	return (ssize_t)n;
}

static long reset_device(struct vfio_pci *vp);

static ssize_t
vfio_pci_access(struct vfio_device *d, uint32_t region, uint64_t at, void *buf, size_t n, bool write)
{
	struct vfio_pci *vp = pci_of(d);
	uint64_t size;
	bool reset = false;
	ssize_t done;

	if (region >= VFIO_PCI_REGIONS)
		return -EINVAL;
	size = region_size(vp, region);
	if (at >= size)
		return region == VFIO_PCI_CONFIG ? -EFAULT : -EINVAL;
	if (region != VFIO_PCI_CONFIG)
		n = MIN(n, (size_t)(size - at));
	mutex_lock(&vp->lock);
	if (region == VFIO_PCI_CONFIG)
		done = vfio_config_access(vp, at, buf, n, write, &reset);
	else if (region == VFIO_PCI_ROM)
		done = write ? -EINVAL : pci_rom_read(vp->device, buf, n, at);
	else
		done = bar_access(vp, region, at, buf, n, write);
	mutex_unlock(&vp->lock);
	if (reset)
		reset_device(vp);
	return done;
}

/* --- reset --------------------------------------------------------------------------------------- */

/* Nothing of it is seen meanwhile. pci_lock and vp->lock are held. */
static void
reset_begin(struct vfio_pci *vp)
{
	vfio_ioeventfds_hold(vp);
	device_object_hide(&vp->memory);
}

static void
reset_end(struct vfio_pci *vp)
{
	vfio_pci_irqs_reset(vp);
	vfio_config_forget(vp);
	vfio_intx_hide(vp, false);
	if (vfio_memory_is_on(vp))
		device_object_show(&vp->memory);
	vfio_ioeventfds_resume(vp);
}

static long
reset_device(struct vfio_pci *vp)
{
	long error;

	mutex_lock(&pci_lock);
	mutex_lock(&vp->lock);
	if (vp->resets) {
		reset_begin(vp);
		error = pci_reset_locked(vp->device);
		reset_end(vp);
	} else {
		error = -EINVAL;
	}
	mutex_unlock(&vp->lock);
	mutex_unlock(&pci_lock);
	return error;
}

/* How many devices are reset with it, ON_BUS_MAX at most: `all`. -ENODEV, -EPERM. */
static long
list_dependent(struct vfio_pci *vp, struct vfio_dependent *all)
{
	struct pci_device *d;
	long n = 0;

	mutex_lock(&pci_lock);
	if (vp->device->removed || !pci_can_reset_bus_locked(vp->device->bus)) {
		n = -ENODEV;
		goto unlock;
	}
	list_for_each (d, &vp->device->bus->devices, node) {
		if (!d->group) {
			n = -EPERM; /* it is nobody's to give */
			break;
		}
		all[n++] = (struct vfio_dependent){ d->group->id, d->segment, d->bus_number, d->devfn };
	}
unlock:
	mutex_unlock(&pci_lock);
	return n;
}

/* The bridge's reset: all devices behind it, which the caller shows to have by their groups. */
static long
get_hot_reset_info(struct vfio_pci *vp, struct vfio_hot_reset_info __user *arg)
{
	struct vfio_dependent *all = kzalloc(ON_BUS_MAX * sizeof(*all));
	struct vfio_hot_reset_info info;
	uint32_t room;
	long n;

	if (!all)
		return -ENOMEM;
	n = -EFAULT;
	if (copy_from_user(&info, arg, sizeof(info)))
		goto out;
	n = -EINVAL;
	if (info.argsz < sizeof(info))
		goto out;
	room = (info.argsz - (uint32_t)sizeof(info)) / (uint32_t)sizeof(*all);
	n = list_dependent(vp, all);
	if (n < 0)
		goto out;
	info.flags = 0;
	info.count = (uint32_t)n;
	if (copy_to_user(arg, &info, sizeof(info)) ||
	    copy_to_user((char __user *)arg + sizeof(info), all, MIN(info.count, room) * sizeof(*all)))
		n = -EFAULT;
	else
		n = info.count > room ? -ENOSPC : 0;
out:
	kfree(all);
	return n;
}

/* Is its group among those that are shown? A file of one that was given up is not, whatever its number. */
static bool
is_shown(const struct vfio_pci *vp, struct file **files, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (files[i] && vfio_group_of(files[i]) == vp->base.group)
			return true;
	return false;
}

static long
reset_bus(struct vfio_pci *vp, struct file **files, uint32_t n)
{
	struct pci_bus *b = vp->device->bus;
	struct pci_device *d;
	long error = 0;

	if (vp->device->removed || !pci_can_reset_bus_locked(b))
		return -ENODEV;
	list_for_each (d, &b->devices, node)
		if (d->driver != &vfio_pci_driver || !is_shown(d->driver_data, files, n))
			return -EINVAL;
	list_for_each (d, &b->devices, node) {
		struct vfio_pci *other = d->driver_data;

		if (other->base.files == 0)
			continue;
		mutex_lock(&other->lock);
		reset_begin(other);
		mutex_unlock(&other->lock);
	}
	error = pci_reset_bus_locked(b);
	list_for_each (d, &b->devices, node) {
		struct vfio_pci *other = d->driver_data;

		if (other->base.files == 0)
			continue;
		mutex_lock(&other->lock);
		reset_end(other);
		mutex_unlock(&other->lock);
	}
	return error;
}

static long
hot_reset(struct vfio_pci *vp, const void __user *arg)
{
	struct file *files[HOT_RESET_GROUPS_MAX] = { NULL };
	struct vfio_hot_reset r;
	int fd, failed = 0;
	long error = 0;
	uint32_t n = 0;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	if (r.argsz < sizeof(r) || r.flags || r.count == 0 || r.count > HOT_RESET_GROUPS_MAX)
		return -EINVAL;
	for (; n < r.count && !error; n++) {
		if (get_user(fd, (const int32_t __user *)((const char __user *)arg + sizeof(r)) + n)) {
			error = -EFAULT;
			break;
		}
		files[n] = handle_get(fd, RIGHT_CONTROL, &failed);
		if (!files[n])
			error = -EBADF;
		else if (!vfio_group_of(files[n]))
			error = -EINVAL;
	}
	if (!error) {
		mutex_lock(&pci_lock);
		mutex_lock(&vfio_lock);
		error = reset_bus(vp, files, r.count);
		mutex_unlock(&vfio_lock);
		mutex_unlock(&pci_lock);
	}
	for (uint32_t i = 0; i < r.count; i++)
		if (files[i])
			file_put(files[i]);
	return error;
}

/* --- the device's calls ---------------------------------------------------------------------------- */

static long
get_info(struct vfio_pci *vp, struct vfio_device_info __user *arg)
{
	struct vfio_device_info info = { 0 };

	if (get_user(info.argsz, &arg->argsz))
		return -EFAULT;
	if (info.argsz < VFIO_DEVICE_INFO_MIN)
		return -EINVAL;
	info.flags = VFIO_DEVICE_PCI | (vp->resets ? VFIO_DEVICE_CAN_RESET : 0);
	info.regions = VFIO_PCI_REGIONS;
	info.irqs = VFIO_PCI_IRQS;
	return copy_to_user(arg, &info, MIN((size_t)info.argsz, sizeof(info)));
}

static long
get_irq_info(struct vfio_pci *vp, struct vfio_irq_info __user *arg)
{
	uint32_t counts[VFIO_PCI_IRQS];
	struct vfio_irq_info info;

	if (copy_from_user(&info, arg, sizeof(info)))
		return -EFAULT;
	if (info.argsz < sizeof(info) || info.index >= VFIO_PCI_IRQS ||
	    (info.index == VFIO_PCI_ERR && !vp->device->cap_express))
		return -EINVAL;
	vfio_pci_irq_counts(vp, counts);
	info.count = counts[info.index];
	info.flags = VFIO_IRQ_EVENTFD;
	info.flags |= info.index == VFIO_PCI_INTX ? VFIO_IRQ_MASKABLE | VFIO_IRQ_AUTOMASKED : VFIO_IRQ_NORESIZE;
	return copy_to_user(arg, &info, sizeof(info));
}

static long
set_irqs(struct vfio_pci *vp, const void __user *arg)
{
	uint32_t counts[VFIO_PCI_IRQS];
	struct vfio_irq_request r;
	struct vfio_irq_set set;
	void *buf;
	long error;

	vfio_pci_irq_counts(vp, counts);
	error = vfio_irq_decode(arg, counts, VFIO_PCI_IRQS, &set, &r, &buf);
	if (error)
		return error;
	mutex_lock(&pci_lock); /* lines are shared */
	mutex_lock(&vp->lock);
	error = vfio_pci_set_irqs(vp, &set, &r);
	mutex_unlock(&vp->lock);
	mutex_unlock(&pci_lock);
	kfree(buf);
	return error;
}

static long
ioeventfd(struct vfio_pci *vp, const void __user *arg)
{
	struct vfio_ioeventfd_order o;
	long error;

	if (copy_from_user(&o, arg, VFIO_IOEVENTFD_MIN))
		return -EFAULT;
	mutex_lock(&vp->lock);
	error = vfio_ioeventfd_request(vp, &o);
	mutex_unlock(&vp->lock);
	return error;
}

static long
vfio_pci_ioctl(struct vfio_device *d, unsigned int command, void __user *arg)
{
	struct vfio_pci *vp = pci_of(d);

	switch (command) {
	case VFIO_DEVICE_GET_INFO:
		return get_info(vp, arg);
	case VFIO_DEVICE_GET_REGION_INFO:
		return get_region_info(vp, arg);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return get_irq_info(vp, arg);
	case VFIO_DEVICE_SET_IRQS:
		return set_irqs(vp, arg);
	case VFIO_DEVICE_RESET:
		return reset_device(vp);
	case VFIO_DEVICE_GET_PCI_HOT_RESET_INFO:
		return get_hot_reset_info(vp, arg);
	case VFIO_DEVICE_PCI_HOT_RESET:
		return hot_reset(vp, arg);
	case VFIO_DEVICE_IOEVENTFD:
		return ioeventfd(vp, arg);
	default:
		return -ENOTTY;
	}
}

/* --- opened and closed ----------------------------------------------------------------------------- */

static void
find_table(struct vfio_pci *vp)
{
	struct pci_msix x;

	vp->table_bar = VFIO_PCI_REGIONS;
	if (!pci_msix_table(vp->device, &x))
		return;
	vp->table_bar = x.bar;
	vp->table_start = x.start;
	vp->table_end = x.end;
}

static int
vfio_pci_open(struct vfio_device *d)
{
	struct vfio_pci *vp = pci_of(d);
	int error;

	mutex_lock(&vp->lock);
	error = pci_enable_locked(vp->device);
	if (error)
		goto unlock;
	pci_set_command(vp->device, 0, PCI_COMMAND_MASTER);
	vp->resets = pci_reset_locked(vp->device) == 0;
	pci_save(vp->device, &vp->saved);
	vp->mode = VFIO_PCI_IRQS;
	vp->intx_hidden = vp->intx_masked = false;
	find_table(vp);
	error = vfio_config_create(vp);
	if (error) {
		pci_disable_locked(vp->device);
		goto unlock;
	}
	if (vp->device->no_intx_works)
		pci_set_command(vp->device, 0, PCI_COMMAND_NO_INTX);
	if (vfio_memory_is_on(vp))
		device_object_show(&vp->memory);
unlock:
	mutex_unlock(&vp->lock);
	return error;
}

/* Quiet first: no transfers, no interrupts, nothing mapped. Then as it was. */
static void
vfio_pci_close(struct vfio_device *d)
{
	struct vfio_pci *vp = pci_of(d);
	uint64_t flags;

	mutex_lock(&vp->lock);
	flags = spin_lock_irq(&vp->irq_lock); /* the line's bit is set by interrupts meanwhile */
	pci_set_command(vp->device, 0, PCI_COMMAND_MASTER);
	spin_unlock_irq(&vp->irq_lock, flags);
	vfio_pci_irqs_off(vp);
	vfio_ioeventfds_off(vp);
	device_object_hide(&vp->memory);
	for (uint32_t i = 0; i < PCI_RESOURCES; i++) {
		if (vp->bar_map[i])
			region_unmap(vp->bar_map[i]);
		vp->bar_map[i] = NULL;
	}
	/* It is there: who takes it away waits for this. */
	if (vp->resets && pci_reset_locked(vp->device))
		pr_warn("vfio %s: cannot be reset\n", vp->base.name);
	pci_restore(vp->device, &vp->saved);
	pci_disable_locked(vp->device);
	vfio_config_free(vp);
	mutex_unlock(&vp->lock);
}

static void
vfio_pci_request(struct vfio_device *d)
{
	struct vfio_pci *vp = pci_of(d);

	mutex_lock(&vp->lock);
	if (vp->request)
		eventfd_signal(vp->request, 1);
	mutex_unlock(&vp->lock);
}

static void
vfio_pci_free(struct vfio_device *d)
{
	struct vfio_pci *vp = pci_of(d);

	pci_device_put(vp->device);
	kfree(vp);
}

static void
vfio_pci_dump(struct vfio_device *d)
{
	static const char *const modes[] = { "line", "MSI", "MSI-X", "?", "?", "none" };
	struct vfio_pci *vp = pci_of(d);

	pr_info("    interrupts %s, %u vectors%s%s%s", modes[MIN(vp->mode, 5u)], vp->vector_count,
		vp->intx_masked ? ", masked" : "", vp->intx_hidden ? ", hidden" : "", vp->resets ? ", resets" : "");
}

static const struct vfio_device_ops vfio_pci_ops = {
	.open = vfio_pci_open,
	.close = vfio_pci_close,
	.free = vfio_pci_free,
	.ioctl = vfio_pci_ioctl,
	.access = vfio_pci_access,
	.mmap = vfio_pci_mmap,
	.request = vfio_pci_request,
	.dump = vfio_pci_dump,
};

/* --- the driver ---------------------------------------------------------------------------------- */

static int
probe(struct pci_driver *driver, struct pci_device *d)
{
	struct vfio_pci *vp;
	int error;

	if (!d->group) {
		if (!READ_ONCE(vfio_unsafe))
			return -EINVAL;
		error = iommu_make_up_group(d);
		if (error)
			return error;
	}
	vp = kzalloc(sizeof(*vp));
	if (!vp) {
		error = -ENOMEM;
		goto drop_group;
	}
	mutex_init(&vp->lock, LOCK_VFIO_DEVICE);
	spin_init(&vp->irq_lock, LOCK_DEVICE);
	list_init(&vp->ioeventfds);
	vp->device = d;
	vp->mode = VFIO_PCI_IRQS;
	vp->table_bar = VFIO_PCI_REGIONS;
	object_init(&vp->memory, &memory_ops, 0);
	error = vfio_add(&vp->base, d->name, &vfio_pci_ops, d->group->made_up ? GROUP_NOIOMMU : GROUP_IOMMU, d->group,
			 d->group->id);
	if (error) {
		kfree(vp);
		goto drop_group;
	}
	vfio_device_get(&vp->base); /* the object's */
	pci_device_get(d);
	d->driver_data = vp;
	return 0;

drop_group:
	iommu_drop_made_up_group(d);
	return error;
}

static int
remove_device(struct pci_driver *driver, struct pci_device *d)
{
	struct vfio_pci *vp = d->driver_data;
	int error;

	vfio_device_get(&vp->base);
	error = vfio_remove(&vp->base);
	if (!error) {
		d->driver_data = NULL;
		object_put(&vp->memory);
		iommu_drop_made_up_group(d);
	}
	vfio_device_put(&vp->base);
	return error;
}

static int
release(struct pci_driver *driver, struct pci_device *d)
{
	struct vfio_pci *vp;
	int error;

	mutex_lock(&pci_lock);
	vp = d->driver == driver ? d->driver_data : NULL;
	if (vp)
		vfio_device_get(&vp->base);
	mutex_unlock(&pci_lock);
	if (!vp)
		return 0;
	error = vfio_wait_closed(&vp->base);
	vfio_device_put(&vp->base);
	return error;
}

static struct pci_driver vfio_pci_driver = {
	.name = "vfio-pci",
	.probe = probe,
	.remove = remove_device,
	.release = release,
};

void
vfio_pci_init(void)
{
	pci_driver_register(&vfio_pci_driver);
}
