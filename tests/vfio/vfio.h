/* SPDX-License-Identifier: MIT */
/*
 * vfio.h - what the VFIO tests share: taking a device, and saying what held and what did not.
 */
#ifndef TESSERA_TESTS_VFIO_VFIO_H
#define TESSERA_TESTS_VFIO_VFIO_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/vfio.h>

static int failures;

#define CHECK(what)                                                                                \
	do {                                                                                       \
		errno = 0;                                                                         \
		if (!(what)) {                                                                     \
			printf("%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #what, errno); \
			failures++;                                                                \
		}                                                                                  \
	} while (0)

/* The call fails with that errno. */
#define FAILS(call, error)                                                                         \
	do {                                                                                       \
		errno = 0;                                                                         \
		long r_ = (long)(call);                                                            \
		if (r_ >= 0 || errno != (error)) {                                                 \
			printf("%s:%d: %s gave %ld, errno %d, not %d\n", __FILE__, __LINE__, #call, r_, errno, error); \
			failures++;                                                                \
		}                                                                                  \
	} while (0)

static inline int
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}

/* Have vfio-pci take it; its group's number, or -1. */
static inline int
take(const char *name)
{
	char path[128], to[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override", name);
	if (put(path, "vfio-pci"))
		return -1;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", name);
	if (access(path, F_OK) && put("/sys/bus/pci/drivers/vfio-pci/bind", name))
		return -1;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", name);
	n = readlink(path, to, sizeof(to) - 1);
	if (n < 0)
		return -1;
	to[n] = '\0';
	return atoi(strrchr(to, '/') + 1);
}

static inline int
open_group(int number)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/vfio/%d", number);
	fd = open(path, O_RDWR);
	if (fd < 0 && errno == ENOENT) {
		snprintf(path, sizeof(path), "/dev/vfio/noiommu-%d", number);
		fd = open(path, O_RDWR);
	}
	return fd;
}

struct held {
	int container, group, device, number;
	bool iommu;
};

static inline bool
hold(struct held *h, const char *name)
{
	h->number = take(name);
	h->container = open("/dev/vfio/vfio", O_RDWR);
	h->group = h->number < 0 ? -1 : open_group(h->number);
	h->device = -1;
	if (h->group < 0 || h->container < 0 || ioctl(h->group, VFIO_GROUP_SET_CONTAINER, &h->container))
		return false;
	h->iommu = ioctl(h->container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) == 1 &&
		   ioctl(h->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) == 0;
	if (!h->iommu && ioctl(h->container, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU))
		return false;
	h->device = ioctl(h->group, VFIO_GROUP_GET_DEVICE_FD, name);
	return h->device >= 0;
}

static inline void
let_go(struct held *h)
{
	close(h->device);
	close(h->group);
	close(h->container);
}

static inline struct vfio_region_info
region(int device, uint32_t index)
{
	struct vfio_region_info r = { .argsz = sizeof(r), .index = index };

	CHECK(ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &r) == 0);
	return r;
}

static inline uint32_t
config(int device, uint32_t at, uint32_t size)
{
	uint64_t base = (uint64_t)VFIO_PCI_CONFIG_REGION_INDEX << 40;
	uint32_t v = 0;

	CHECK(pread(device, &v, size, (off_t)(base + at)) == (ssize_t)size);
	return v;
}

static inline void
set_config(int device, uint32_t at, uint32_t size, uint32_t v)
{
	uint64_t base = (uint64_t)VFIO_PCI_CONFIG_REGION_INDEX << 40;

	CHECK(pwrite(device, &v, size, (off_t)(base + at)) == (ssize_t)size);
}

/* VFIO_DEVICE_SET_IRQS with up to eight words behind it. */
static inline int
irqs(int device, uint32_t index, uint32_t flags, uint32_t start, uint32_t count, const int32_t *data)
{
	struct {
		struct vfio_irq_set set;
		int32_t data[8];
	} o = { .set = { .argsz = sizeof(o.set), .flags = flags, .index = index, .start = start, .count = count } };

	if (data && (flags & VFIO_IRQ_SET_DATA_EVENTFD)) {
		o.set.argsz += count * 4;
		memcpy(o.data, data, count * 4);
	} else if (data) {
		o.set.argsz += count;
		memcpy(o.data, data, count);
	}
	return ioctl(device, VFIO_DEVICE_SET_IRQS, &o);
}

/* The eventfd's count; 0: none came within a minute. */
static inline uint64_t
waited(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	uint64_t n = 0;

	if (poll(&p, 1, 60000) == 1)
		(void)!read(fd, &n, sizeof(n));
	return n;
}

static inline uint64_t
told(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	uint64_t n = 0;

	if (poll(&p, 1, 0) == 1)
		(void)!read(fd, &n, sizeof(n));
	return n;
}

#endif
