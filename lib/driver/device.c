/* SPDX-License-Identifier: MIT */
/* device.c - open a device through VFIO, map its registers, reach its configuration space. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "device.h"
#include "log.h"
#include "pci_hw.h"

/* The first bus address: beyond what a device may take for no address at all. */
#define FIRST_BUS 0x100000

/* One of the areas of a region that may be mapped goes over the reserved range. */
static int
map_area(struct device *d, struct region *r, uint64_t offset, uint64_t size)
{
	void *at = mmap((void *)(r->base + offset), size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, d->fd,
		r->offset + offset);

	return at == MAP_FAILED ? -errno : 0;
}

/* Map what may be mapped of a region, at one range of addresses. What it has besides faults when it is touched. */
static int
map_region(struct device *d, struct region *r, const struct vfio_region_info *info)
{
	const struct vfio_info_cap_header *cap = NULL;
	void *range = mmap(NULL, r->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int error = 0;

	if (range == MAP_FAILED)
		return -errno;
	r->base = range;
	for (uint32_t at = info->flags & VFIO_REGION_INFO_FLAG_CAPS ? info->cap_offset : 0; at; at = cap->next) {
		cap = (const void *)((const char *)info + at);
		if (cap->id == VFIO_REGION_INFO_CAP_SPARSE_MMAP) {
			const struct vfio_region_info_cap_sparse_mmap *sparse = (const void *)cap;

			for (uint32_t i = 0; i < sparse->nr_areas && !error; i++)
				error = map_area(d, r, sparse->areas[i].offset, sparse->areas[i].size);
			return error;
		}
	}
	return map_area(d, r, 0, r->size);
}

static int
find_region(struct device *d, uint32_t index, struct region *r)
{
	char room[512] = { 0 };
	struct vfio_region_info *info = (void *)room;

	info->argsz = sizeof(room);
	info->index = index;
	if (ioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, info) < 0)
		return -errno;
	r->size = info->size;
	r->offset = info->offset;
	if (r->size == 0 || !(info->flags & VFIO_REGION_INFO_FLAG_MMAP))
		return 0;
	return map_region(d, r, info);
}

/* The device's descriptor is open: learn what there is. */
static int
learn(struct device *d)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	if (ioctl(d->fd, VFIO_DEVICE_GET_INFO, &info) < 0)
		return -errno;
	d->platform = info.flags & VFIO_DEVICE_FLAGS_PLATFORM;
	for (uint32_t i = 0; i <= VFIO_PCI_CONFIG_REGION_INDEX && i < info.num_regions; i++) {
		struct region none = { 0 };
		struct region *r = i < DEVICE_BARS ? &d->bars[i] :
				   i == VFIO_PCI_CONFIG_REGION_INDEX ? &d->config : &none;
		int error = find_region(d, i, r);

		if (error)
			return error;
	}
	for (uint32_t i = 0; i < 5 && i < info.num_irqs; i++) {
		struct vfio_irq_info irq = { .argsz = sizeof(irq), .index = i };

		if (ioctl(d->fd, VFIO_DEVICE_GET_IRQ_INFO, &irq) == 0)
			d->irq_counts[i] = irq.count;
	}
	return 0;
}

static void
begin(struct device *d, const char *name)
{
	memset(d, 0, sizeof(*d));
	snprintf(d->name, sizeof(d->name), "%s", name);
	d->fd = d->group = d->container = -1;
	d->next_bus = FIRST_BUS;
}

/* The number of the group of the device at `address`, or a negative errno. */
static int
group_of(const char *address)
{
	char path[128], target[256];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", address);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0) {
		snprintf(path, sizeof(path), "/sys/bus/platform/devices/%s/iommu_group", address);
		n = readlink(path, target, sizeof(target) - 1);
	}
	if (n < 0)
		return -errno;
	target[n] = '\0';
	return atoi(strrchr(target, '/') ? strrchr(target, '/') + 1 : target);
}

/* A group has one owner at a time: wait for one that lets go of it, `wait_ms` at most. */
static int
open_group(const char *path, unsigned wait_ms)
{
	static const struct timespec little = { .tv_nsec = 1000000 };
	struct timespec begun, now;
	int fd, error;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	for (;;) {
		fd = open(path, O_RDWR | O_CLOEXEC);
		error = errno;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (fd >= 0 || error != EBUSY ||
			(now.tv_sec - begun.tv_sec) * 1000 + (now.tv_nsec - begun.tv_nsec) / 1000000 >= (long)wait_ms)
			break;
		nanosleep(&little, NULL);
	}
	errno = error;
	return fd;
}

/* Open the group, and join it to the container with the kind of IOMMU that there is. */
static int
join_group(struct device *d, int number, unsigned wait_ms)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/%d", number);
	d->iommu = true;
	d->group = open_group(path, wait_ms);
	if (d->group < 0 && errno == ENOENT) {
		snprintf(path, sizeof(path), "/dev/vfio/noiommu-%d", number);
		d->iommu = false;
		d->group = open_group(path, wait_ms);
	}
	if (d->group < 0 || ioctl(d->group, VFIO_GROUP_GET_STATUS, &status) < 0)
		return -errno;
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return -EBUSY; /* a driver of the kernel holds a device of the group */
	if (ioctl(d->group, VFIO_GROUP_SET_CONTAINER, &d->container) < 0)
		return -errno;
	if (d->iommu && ioctl(d->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) == 0)
		return 0;
	if (d->iommu && errno != ENODEV)
		return -errno;
	d->iommu = false; /* there is none, or the device reaches no memory at all */
	return ioctl(d->container, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU) < 0 ? -errno : 0;
}

int
device_open(struct device *d, const char *address, unsigned wait_ms)
{
	int error, number = group_of(address);

	begin(d, address);
	d->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (d->container < 0)
		error = -errno;
	else
		error = number < 0 ? number : join_group(d, number, wait_ms);
	if (!error) {
		d->fd = ioctl(d->group, VFIO_GROUP_GET_DEVICE_FD, d->name);
		error = d->fd < 0 ? -errno : learn(d);
	}
	if (!error)
		device_bus_master(d, false);
	if (error) {
		log_error("cannot open %s through VFIO: %s", address, strerror(-error));
		device_close(d);
	}
	return error;
}

/*
 * Of a predecessor: the interrupts go nowhere, and without an IOMMU the device begins no access to memory. With one it
 * reaches what the predecessor had mapped, and that stays until the driver has reset the device: it may go on, and is
 * not switched off and on again, which takes an emulator long.
 */
static void
take_over(struct device *d)
{
	if (!d->iommu || !(device_config_read(d, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY))
		device_bus_master(d, false);
	for (uint32_t index = VFIO_PCI_INTX_IRQ_INDEX; index <= VFIO_PCI_MSIX_IRQ_INDEX; index++) {
		struct vfio_irq_set none = {
			.argsz = sizeof(none),
			.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = index,
		};

		(void)ioctl(d->fd, VFIO_DEVICE_SET_IRQS, &none); /* an error says that there were none */
	}
	d->inherited = d->iommu;
}

int
device_adopt(struct device *d, const char *name, int device_fd, int container_fd)
{
	int error;

	begin(d, name);
	d->fd = device_fd;
	d->container = container_fd;
	/* A container without an IOMMU has no type 1. */
	d->iommu = ioctl(d->container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) > 0;
	error = learn(d);
	if (!error)
		take_over(d);
	if (error) {
		log_error("cannot use %s: %s", name, strerror(-error));
		device_close(d);
	}
	return error;
}

void
device_close(struct device *d)
{
	for (unsigned i = 0; i < DEVICE_BARS; i++)
		if (d->bars[i].base)
			munmap((void *)d->bars[i].base, d->bars[i].size);
	for (unsigned i = 0; i < d->vectors; i++) {
		loop_forget(&d->vector[i].watch);
		close(d->vector[i].watch.fd);
	}
	if (d->fd >= 0)
		close(d->fd);
	if (d->group >= 0)
		close(d->group);
	if (d->container >= 0)
		close(d->container);
	begin(d, "");
}

uint32_t
device_config_read(struct device *d, unsigned offset, unsigned size)
{
	uint32_t value = 0;

	if (pread(d->fd, &value, size, d->config.offset + offset) != (ssize_t)size)
		return UINT32_MAX >> (32 - 8 * size);
	return value;
}

void
device_config_write(struct device *d, unsigned offset, unsigned size, uint32_t value)
{
	if (pwrite(d->fd, &value, size, d->config.offset + offset) != (ssize_t)size)
		log_error("configuration space at 0x%x cannot be written: %s", offset, strerror(errno));
}

unsigned
device_capability(struct device *d, uint8_t id, unsigned after)
{
	unsigned at = after ? device_config_read(d, after + 1, 1) : device_config_read(d, PCI_CAPABILITIES, 1);

	if (!after && !(device_config_read(d, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES))
		return 0;
	/* A list that runs in a circle ends by the count of what fits. */
	for (unsigned left = 48; left && (at & ~3u) >= 0x40; left--) {
		unsigned both; /* what it is, and where the next one lies */

		at &= ~3u;
		both = device_config_read(d, at, 2);
		if ((both & 0xff) == id)
			return at;
		at = both >> 8;
	}
	return 0;
}

void
device_bus_master(struct device *d, bool on)
{
	uint32_t command, wanted;

	if (d->platform)
		return;
	command = device_config_read(d, PCI_COMMAND, 2);
	wanted = (command & ~PCI_COMMAND_MASTER) | PCI_COMMAND_MEMORY | (on ? PCI_COMMAND_MASTER : 0);
	if (wanted != command)
		device_config_write(d, PCI_COMMAND, 2, wanted);
}

uint8_t
device_port_read(struct device *d, unsigned range, unsigned offset)
{
	uint8_t value = 0xff;

	(void)!pread(d->fd, &value, 1, d->bars[range].offset + offset);
	return value;
}

void
device_port_write(struct device *d, unsigned range, unsigned offset, uint8_t value)
{
	if (pwrite(d->fd, &value, 1, d->bars[range].offset + offset) != 1)
		log_error("a port cannot be written: %s", strerror(errno));
}

int
device_reset(struct device *d)
{
	return ioctl(d->fd, VFIO_DEVICE_RESET) < 0 ? -errno : 0;
}

int
device_doorbell(struct device *d, volatile uint8_t *at, uint16_t value, int eventfd)
{
	struct vfio_device_ioeventfd order = {
		.argsz = sizeof(order), .flags = VFIO_DEVICE_IOEVENTFD_16, .data = value, .fd = eventfd,
	};
	const struct region *r = d->bars;

	while (r < d->bars + DEVICE_BARS && (!r->base || at < r->base || at >= r->base + r->size))
		r++;
	if (r == d->bars + DEVICE_BARS)
		return -EINVAL;
	order.offset = r->offset + (at - r->base);
	if (ioctl(d->fd, VFIO_DEVICE_IOEVENTFD, &order) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	/* A predecessor's, of an eventfd that nobody writes to any more. */
	order.fd = -1;
	(void)ioctl(d->fd, VFIO_DEVICE_IOEVENTFD, &order);
	order.fd = eventfd;
	return ioctl(d->fd, VFIO_DEVICE_IOEVENTFD, &order) < 0 ? -errno : 0;
}

volatile uint8_t *
device_registers(struct device *d, unsigned bar, size_t size)
{
	if (bar < DEVICE_BARS && d->bars[bar].base && d->bars[bar].size >= size)
		return d->bars[bar].base;
	log_error("region %u is missing, or smaller than %zu bytes", bar, size);
	return NULL;
}
