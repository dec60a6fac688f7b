/* SPDX-License-Identifier: MIT */
/*
 * neighbour.c - what happens to one device does not happen to another.
 *
 *	neighbour removed A B   B, behind the same conventional bridge, is taken away while A (edu) moves data
 *	neighbour greedy A B    A (NVMe, with a large table of messages) takes all it can get; B (edu) still gets one
 *	neighbour tables A      single pages, far apart, are mapped and unmapped: memory is there for others
 *	neighbour asked A       the driver is to let go of A, and hears of it though it listens late
 */
#include <sys/sysinfo.h>
#include <sys/wait.h>

#include "vfio.h"

#define EDU_DMA_FROM  0x80
#define EDU_DMA_TO    0x88
#define EDU_DMA_COUNT 0x90
#define EDU_DMA_START 0x98
#define EDU_BUFFER    0x40000u
#define IOVA          0x100000u
#define EVENT         (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)

static void
move(volatile char *edu, uint64_t bus, bool out)
{
	*(volatile uint64_t *)(edu + EDU_DMA_FROM) = out ? bus : EDU_BUFFER;
	*(volatile uint64_t *)(edu + EDU_DMA_TO) = out ? EDU_BUFFER : bus;
	*(volatile uint64_t *)(edu + EDU_DMA_COUNT) = 4000;
	*(volatile uint64_t *)(edu + EDU_DMA_START) = out ? 1 : 3;
	while (*(volatile uint64_t *)(edu + EDU_DMA_START) & 1)
		usleep(1000);
}

// From the first page through the device into the second.
static void
move_there_and_back(volatile char *edu, char *m, char what)
{
	memset(m, what, 4096);
	memset(m + 4096, 0, 4096);
	move(edu, IOVA, true);
	move(edu, IOVA + 4096, false);
	CHECK(memcmp(m, m + 4096, 4000) == 0);
}

static void
removed(struct held *h, const char *other)
{
	char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), path[128];
	struct vfio_iommu_type1_dma_map map = { .argsz = sizeof(map), .flags = 3, .vaddr = (uintptr_t)m, .iova = IOVA, .size = 8192 };
	struct vfio_region_info r = region(h->device, 0);
	volatile char *edu;

	set_config(h->device, 4, 2, config(h->device, 4, 2) | 6);
	edu = mmap(NULL, r.size, PROT_READ | PROT_WRITE, MAP_SHARED, h->device, (off_t)r.offset);
	CHECK(h->iommu && edu != MAP_FAILED && ioctl(h->container, VFIO_IOMMU_MAP_DMA, &map) == 0);
	if (failures)
		return;
	move_there_and_back(edu, m, 'a');
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/remove", other);
	CHECK(put(path, "1") == 0);
	move_there_and_back(edu, m, 'b');
	CHECK(put("/sys/bus/pci/rescan", "1") == 0);
	move_there_and_back(edu, m, 'c');
}

static void
greedy(struct held *h, const char *other)
{
	struct vfio_irq_info i = { .argsz = sizeof(i), .index = VFIO_PCI_MSIX_IRQ_INDEX };
	int fd = eventfd(0, EFD_NONBLOCK), none = -1;
	struct held b;
	uint32_t n = 0;

	CHECK(ioctl(h->device, VFIO_DEVICE_GET_IRQ_INFO, &i) == 0 && i.count >= 512);
	CHECK(irqs(h->device, VFIO_PCI_MSIX_IRQ_INDEX, EVENT, i.count - 1, 1, &none) == 0);
	while (n < i.count && irqs(h->device, VFIO_PCI_MSIX_IRQ_INDEX, EVENT, n, 1, &fd) == 0)
		n++;
	CHECK(n >= 32 && n < i.count);
	CHECK(hold(&b, other));
	if (b.device < 0)
		return;
	CHECK(irqs(b.device, VFIO_PCI_MSI_IRQ_INDEX, EVENT, 0, 1, &fd) == 0);
	// What it gave back it may have again.
	CHECK(irqs(h->device, VFIO_PCI_MSIX_IRQ_INDEX, EVENT, 0, 1, &none) == 0);
	CHECK(irqs(h->device, VFIO_PCI_MSIX_IRQ_INDEX, EVENT, i.count - 1, 1, &fd) == 0);
	let_go(&b);
}

// What was unmapped leaves no tables behind, which would be 32 MiB. (Linux keeps those of single pages.)
static void
tables(struct held *h)
{
	char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vfio_iommu_type1_dma_map map = { .argsz = sizeof(map), .flags = 3, .vaddr = (uintptr_t)m, .size = 4096 };
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap), .size = 4096 };
	struct sysinfo before, after;

	for (uint64_t n = 0; n < 8200; n++) {
		if (n == 8)
			sysinfo(&before);
		map.iova = unmap.iova = (4ull << 30) + (n << 21);
		CHECK(ioctl(h->container, VFIO_IOMMU_MAP_DMA, &map) == 0);
		CHECK(ioctl(h->container, VFIO_IOMMU_UNMAP_DMA, &unmap) == 0 && unmap.size == 4096);
	}
	sysinfo(&after);
	CHECK(after.freeram + (16 << 20) > before.freeram);
}

static void
asked(struct held *h, const char *name)
{
	int fd = eventfd(0, 0), status = 1;
	struct pollfd p = { fd, POLLIN, 0 };
	pid_t child = fork();

	if (child == 0) {
		let_go(h);
		_exit(put("/sys/bus/pci/drivers/vfio-pci/unbind", name) ? 1 : 0);
	}
	usleep(500000); // it asks, and nobody listens
	CHECK(irqs(h->device, VFIO_PCI_REQ_IRQ_INDEX, EVENT, 0, 1, &fd) == 0);
	CHECK(poll(&p, 1, 300000) == 1);
	let_go(h);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

int
main(int argc, char **argv)
{
	struct held h;

	if (argc < 3)
		return 2;
	if (!hold(&h, argv[2])) {
		printf("%s cannot be had: errno %d\n", argv[2], errno);
		return 1;
	}
	if (strcmp(argv[1], "removed") == 0)
		removed(&h, argv[3]);
	else if (strcmp(argv[1], "greedy") == 0)
		greedy(&h, argv[3]);
	else if (strcmp(argv[1], "tables") == 0)
		tables(&h);
	else
		asked(&h, argv[2]);
	printf("%s %s\n", failures ? "FAILED" : "ok", argv[1]);
	return failures != 0;
}
