/* SPDX-License-Identifier: MIT */
/*
 * vfio.c - failing allocations below VFIO: groups, containers, devices, memory for them, their interrupts. The device
 * is a USB controller behind an IOMMU, which tests/test_torture.py puts there.
 */
#include "fail_nth.h"

#include <linux/vfio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#define DEVICE  "0000:00:07.0"
#define FOLDER  "/sys/bus/pci/devices/" DEVICE "/"
#define DRIVER  "/sys/bus/pci/drivers/vfio-pci/"
#define IOVA    0x100000ul
#define MAPPED  (16 * 4096ul)
#define MESSAGES 3 /* of those that it has */

/* Registers of a USB controller (xHCI 1.1, 5.4): where it finds its table of contexts. */
#define CONTEXTS 0x70

struct driver {
	int container, group, device;
};

static bool taking_on_trial; /* one scenario is about it, the others come after it */

#define TAKING(expr) (taking_on_trial ? OK(expr) : CHECK_OK(expr))

static void
text_to(const char *path, const char *text)
{
	int fd = CHECK_OK(open(path, O_WRONLY | O_CLOEXEC));

	CHECK_EQ(TAKING(write(fd, text, strlen(text))), (ssize_t)strlen(text));
	close(fd);
}

/* What an earlier run has left bound, because it failed, is unbound. */
static void
bind_device(void)
{
	if (access(FOLDER "iommu_group", F_OK) != 0 || access(DRIVER, F_OK) != 0)
		SKIP("no " DEVICE " behind an IOMMU, or no VFIO");
	if (access(FOLDER "driver", F_OK) == 0)
		check_write_file(FOLDER "driver/unbind", DEVICE, strlen(DEVICE));
	text_to(FOLDER "driver_override", "vfio-pci");
	text_to(DRIVER "bind", DEVICE);
	CHECK_OK(access(FOLDER "driver", F_OK));
}

static void
unbind_device(void)
{
	text_to(DRIVER "unbind", DEVICE);
	text_to(FOLDER "driver_override", "\n");
}

static struct driver
take_device(void)
{
	char path[64], to[256] = "";
	struct driver d;

	CHECK(readlink(FOLDER "iommu_group", to, sizeof(to) - 1) > 0);
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(to, '/') + 1);
	d.container = TAKING(open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC));
	d.group = TAKING(open(path, O_RDWR | O_CLOEXEC));
	TAKING(ioctl(d.group, VFIO_GROUP_SET_CONTAINER, &d.container));
	TAKING(ioctl(d.container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	d.device = TAKING(ioctl(d.group, VFIO_GROUP_GET_DEVICE_FD, DEVICE));
	return d;
}

static void
let_go(const struct driver *d)
{
	MUST(close(d->device));
	MUST(close(d->group));
	MUST(close(d->container));
}

SCENARIO(vfio_groups)
{
	struct driver d;

	taking_on_trial = true;
	bind_device();
	d = take_device();
	let_go(&d);
	unbind_device();
}

SCENARIO(vfio_mappings)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map), .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE, .iova = IOVA, .size = MAPPED,
	};
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap), .iova = IOVA, .size = MAPPED };
	struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };
	struct driver d;
	char *memory;

	bind_device();
	d = take_device();
	memory = OK(mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	map.vaddr = (uintptr_t)memory;
	OK(ioctl(d.container, VFIO_IOMMU_GET_INFO, &info));
	OK(ioctl(d.container, VFIO_IOMMU_MAP_DMA, &map));
	map.iova = 1ul << 38; /* far away: tables of their own */
	OK(ioctl(d.container, VFIO_IOMMU_MAP_DMA, &map));
	OK(ioctl(d.container, VFIO_IOMMU_UNMAP_DMA, &unmap));
	CHECK_EQ(unmap.size, MAPPED);
	MUST(munmap(memory, MAPPED)); /* pinned still, by the second */
	let_go(&d);
	unbind_device();
}

static void
set_irqs(int device, uint32_t index, uint32_t flags, uint32_t count, const int *fds)
{
	struct {
		struct vfio_irq_set set;
		int fds[MESSAGES];
	} o = { .set = { .argsz = sizeof(o.set), .flags = flags, .index = index, .count = count } };

	if (flags & VFIO_IRQ_SET_DATA_EVENTFD) {
		memcpy(o.fds, fds, count * sizeof(*fds));
		o.set.argsz += (uint32_t)(count * sizeof(*fds));
	}
	OK(ioctl(device, VFIO_DEVICE_SET_IRQS, &o));
}

SCENARIO(vfio_interrupts)
{
	const uint32_t events = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	const uint32_t by_hand = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER;
	struct driver d;
	int fds[MESSAGES];
	uint64_t n;

	bind_device();
	d = take_device();
	for (int i = 0; i < MESSAGES; i++)
		fds[i] = CHECK_OK(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	for (uint32_t index = VFIO_PCI_INTX_IRQ_INDEX; index <= VFIO_PCI_MSIX_IRQ_INDEX; index++) {
		set_irqs(d.device, index, events, index == VFIO_PCI_INTX_IRQ_INDEX ? 1 : MESSAGES, fds);
		if (index == VFIO_PCI_INTX_IRQ_INDEX)
			set_irqs(d.device, index, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, 1, fds + 1);
		set_irqs(d.device, index, by_hand, 1, NULL);
		CHECK_EQ(read(fds[0], &n, 8), 8);
		set_irqs(d.device, index, by_hand, 0, NULL); /* off */
	}
	for (int i = 0; i < MESSAGES; i++)
		close(fds[i]);
	let_go(&d);
	unbind_device();
}

SCENARIO(vfio_doorbells)
{
	struct vfio_region_info r = { .argsz = sizeof(r), .index = VFIO_PCI_BAR0_REGION_INDEX };
	struct vfio_device_ioeventfd order = { .argsz = sizeof(order), .flags = VFIO_DEVICE_IOEVENTFD_32, .data = 0x1000 };
	off_t command = ((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40) + 4;
	uint16_t memory_on = 2;
	volatile uint32_t *registers;
	struct driver d;

	bind_device();
	d = take_device();
	CHECK_EQ(OK(pwrite(d.device, &memory_on, sizeof(memory_on), command)), 2);
	CHECK_OK(ioctl(d.device, VFIO_DEVICE_GET_REGION_INFO, &r));
	registers = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, d.device, (off_t)r.offset));
	order.offset = r.offset + CONTEXTS;
	order.fd = CHECK_OK(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	OK(ioctl(d.device, VFIO_DEVICE_IOEVENTFD, &order));
	registers[CONTEXTS / 4] = 0;
	CHECK_EQ(OK(write(order.fd, &(uint64_t){ 1 }, 8)), 8);
	while (registers[CONTEXTS / 4] != 0x1000) /* Linux has somebody do it */
		sched_yield();
	close(order.fd);
	MUST(munmap((void *)registers, 4096));
	let_go(&d);
	unbind_device();
}
