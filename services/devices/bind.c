/* SPDX-License-Identifier: MIT */
/* bind.c - give a device to VFIO by its files in /sys, and open it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "device.h"
#include "devices.h"
#include "log.h"

#define UNSAFE_FILE "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
#define LET_GO_MS   200 /* others wait for us meanwhile, and it is tried again */

bool without_iommu;

static int
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int error = fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return error;
}

/* Whom the device belongs to: the last part of the link, or "". */
static void
current_driver(const struct managed *m, char *name, size_t size)
{
	char path[96], target[256];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", m->address);
	n = readlink(path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	snprintf(name, size, "%s", strrchr(target, '/') ? strrchr(target, '/') + 1 : "");
}

static int
give_to_vfio(struct managed *m)
{
	char path[96], name[64];

	current_driver(m, name, sizeof(name));
	if (strcmp(name, "vfio-pci") == 0)
		return 0;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override", m->address);
	(void)write_file(path, "vfio-pci");
	if (name[0]) {
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver/unbind", m->address);
		(void)write_file(path, m->address);
	}
	(void)write_file("/sys/bus/pci/drivers_probe", m->address);
	current_driver(m, name, sizeof(name));
	return strcmp(name, "vfio-pci") == 0 ? 0 : -ENODEV;
}

/* The kernel tells by an eventfd when it wants the device back: somebody pulls it out. */
static void
listen_for_request(struct managed *m)
{
	struct {
		struct vfio_irq_set set;
		int32_t fd;
	} order = {
		.set = {
			.argsz = sizeof(order), .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_REQ_IRQ_INDEX, .count = 1,
		},
	};

	if (loop_watch_event(&m->request) < 0)
		return;
	memcpy(order.set.data, &m->request.fd, sizeof(int32_t));
	if (ioctl(m->device, VFIO_DEVICE_SET_IRQS, &order) < 0)
		log_info("%s: it cannot be asked back: %s", m->address, strerror(errno));
}

int
bind_device(struct managed *m)
{
	struct device d;
	int error;

	if (m->bound)
		return 0;
	error = m->platform ? 0 : give_to_vfio(m);
	if (error && without_iommu && write_file(UNSAFE_FILE, "Y") == 0)
		error = give_to_vfio(m);
	if (error) {
		log_error("%s: VFIO does not take it", m->address);
		return error;
	}
	error = device_open(&d, m->address, LET_GO_MS);
	if (error)
		return error;
	/* Only the descriptors are wanted. */
	m->device = d.fd;
	m->container = d.container;
	m->group = d.group;
	m->iommu = d.iommu;
	if (!m->iommu && !m->platform)
		log_info("%s: there is no IOMMU: %s is trusted with all memory", m->address, m->rule->driver);
	d.fd = d.container = d.group = -1;
	device_close(&d);
	m->bound = true;
	if (!m->platform)
		listen_for_request(m);
	return 0;
}

void
unbind_device(struct managed *m)
{
	if (!m->bound)
		return;
	loop_forget(&m->request);
	if (m->request.fd >= 0)
		close(m->request.fd);
	m->request.fd = -1;
	close(m->device);
	close(m->group);
	close(m->container);
	forget_lent(m);
	m->bound = false;
}
