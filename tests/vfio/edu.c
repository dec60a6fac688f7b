/* SPDX-License-Identifier: MIT */
/*
 * edu.c - QEMU's teaching device, driven through VFIO: registers, both kinds of interrupts, its DMA engine, inside and
 * outside of what was mapped for it. The same program runs on Debian's Linux.
 *
 *	edu 0000:00:05.0 [TEST..]
 */
#include <linux/pci_regs.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "vfio.h"

#define EDU_ID        0x00
#define EDU_INVERT    0x04
#define EDU_FACTORIAL 0x08
#define EDU_STATUS    0x20
#define EDU_IRQ       0x24
#define EDU_RAISE     0x60
#define EDU_ACK       0x64
#define EDU_DMA_FROM  0x80
#define EDU_DMA_TO    0x88
#define EDU_DMA_COUNT 0x90
#define EDU_DMA_START 0x98
#define EDU_BUFFER    0x40000u

#define IOVA 0x100000u // the engine sees 28 bits
#define MOST 4000u      // what it moves at once is less than a page: QEMU ends when told to fill its buffer

#define EVENT (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)
#define NONE  (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER)

static const char *name;
static struct held h;
static volatile uint32_t *edu;

static void
set64(uint32_t at, uint64_t v)
{
	*(volatile uint64_t *)((volatile char *)edu + at) = v;
}

static uint64_t
get64(uint32_t at)
{
	return *(volatile uint64_t *)((volatile char *)edu + at);
}

static void
begin(void)
{
	struct vfio_region_info r;

	if (!hold(&h, name)) {
		printf("%s cannot be had: errno %d\n", name, errno);
		exit(1);
	}
	set_config(h.device, 4, 2, config(h.device, 4, 2) | 6);
	r = region(h.device, 0);
	edu = mmap(NULL, r.size, PROT_READ | PROT_WRITE, MAP_SHARED, h.device, (off_t)r.offset);
	CHECK(edu != MAP_FAILED);
}

static void
end(void)
{
	munmap((void *)edu, 1 << 20);
	let_go(&h);
}

static void
registers(void)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct vfio_region_info r = region(h.device, 0);
	uint32_t v;

	CHECK(ioctl(h.device, VFIO_DEVICE_GET_INFO, &info) == 0);
	CHECK((info.flags & VFIO_DEVICE_FLAGS_PCI) && info.num_regions == VFIO_PCI_NUM_REGIONS);
	CHECK(info.num_irqs == VFIO_PCI_NUM_IRQS);
	CHECK(r.size == 1 << 20 && (r.flags & 7) == 7);
	CHECK(region(h.device, 1).size == 0);
	CHECK(region(h.device, VFIO_PCI_CONFIG_REGION_INDEX).size == 256);
	CHECK(edu[EDU_ID / 4] == 0x010000ed);
	edu[EDU_INVERT / 4] = 0x12345678;
	CHECK(edu[EDU_INVERT / 4] == ~0x12345678u);
	CHECK(pread(h.device, &v, 4, (off_t)r.offset + EDU_INVERT) == 4 && v == ~0x12345678u);
	v = 5;
	CHECK(pwrite(h.device, &v, 4, (off_t)r.offset + EDU_FACTORIAL) == 4);
	while (edu[EDU_STATUS / 4] & 1)
		;
	CHECK(edu[EDU_FACTORIAL / 4] == 120);
	FAILS(pread(h.device, &v, 4, (off_t)r.offset + (1 << 20)), EINVAL);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, h.device, (off_t)r.offset) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, 2 << 20, PROT_READ, MAP_SHARED, h.device, (off_t)r.offset) == MAP_FAILED && errno == EINVAL);
}

static void
configuration(void)
{
	uint32_t bar;

	CHECK(config(h.device, 0, 4) == 0x11e81234);
	set_config(h.device, 0, 4, 0);
	CHECK(config(h.device, 0, 4) == 0x11e81234);
	bar = config(h.device, 0x10, 4);
	set_config(h.device, 0x10, 4, 0xffffffff);
	CHECK(config(h.device, 0x10, 4) == 0xfff00000);
	set_config(h.device, 0x10, 4, 0x40000000);
	CHECK(config(h.device, 0x10, 4) == 0x40000000);
	CHECK(edu[EDU_ID / 4] == 0x010000ed); // where it answers did not change
	set_config(h.device, 0x10, 4, bar);
	set_config(h.device, 0x3c, 1, 77);
	CHECK(config(h.device, 0x3c, 1) == 77);
	CHECK((config(h.device, 0x34, 1) & 0xff) == 0x40);
	// Memory switched off: nothing is seen, nothing faults in the kernel.
	set_config(h.device, 4, 2, config(h.device, 4, 2) & ~2u);
	CHECK(!(config(h.device, 4, 2) & 2));
	if (fork() == 0) {
		(void)edu[0];
		_exit(0);
	}
	int status;
	wait(&status);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	FAILS(pread(h.device, &bar, 4, 0), EIO);
	set_config(h.device, 4, 2, config(h.device, 4, 2) | 2);
	CHECK(edu[EDU_ID / 4] == 0x010000ed);
	FAILS(pread(h.device, &bar, 4, ((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40) + 256), EFAULT);
}

static void
line(void)
{
	int fd = eventfd(0, EFD_NONBLOCK), again = eventfd(0, EFD_NONBLOCK);
	struct vfio_irq_info i = { .argsz = sizeof(i), .index = VFIO_PCI_INTX_IRQ_INDEX };

	CHECK(ioctl(h.device, VFIO_DEVICE_GET_IRQ_INFO, &i) == 0 && i.count == 1);
	CHECK(i.flags == (VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED));
	CHECK(irqs(h.device, VFIO_PCI_INTX_IRQ_INDEX, EVENT, 0, 1, &fd) == 0);
	for (int n = 0; n < 20; n++) {
		edu[EDU_RAISE / 4] = 1;
		CHECK(waited(fd) == 1);
		CHECK(edu[EDU_IRQ / 4] == 1);
		CHECK(told(fd) == 0); // masked by itself
		if (n & 1) {
			edu[EDU_ACK / 4] = 1;
			CHECK(irqs(h.device, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, 0, 1,
				   NULL) == 0);
			CHECK(told(fd) == 0);
		} else { // let through too early: it comes again
			CHECK(irqs(h.device, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, 0, 1,
				   NULL) == 0);
			CHECK(waited(fd) == 1);
			edu[EDU_ACK / 4] = 1;
			CHECK(irqs(h.device, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, 0, 1,
				   NULL) == 0);
		}
	}
	CHECK(irqs(h.device, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, 0, 1, &again) ==
	      0);
	for (int n = 0; n < 5; n++) {
		uint64_t one = 1;

		edu[EDU_RAISE / 4] = 1;
		CHECK(waited(fd) == 1);
		edu[EDU_ACK / 4] = 1;
		CHECK(write(again, &one, 8) == 8);
	}
	// Two let it through at every moment.
	for (int n = 0; n < 2; n++)
		if (fork() == 0) {
			for (uint64_t one = 1, left = 5000; left > 0; left--)
				(void)!write(again, &one, 8);
			_exit(0);
		}
	while (waitpid(-1, NULL, WNOHANG) >= 0) {
		edu[EDU_RAISE / 4] = 1;
		CHECK(waited(fd) >= 1);
		edu[EDU_ACK / 4] = 1;
		(void)!write(again, &(uint64_t){ 1 }, 8);
	}
	usleep(100000); // what was let through before it was acknowledged is told once more
	told(fd);
	CHECK(irqs(h.device, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 0, 1, NULL) == 0);
	edu[EDU_RAISE / 4] = 1;
	usleep(1000);
	CHECK(told(fd) == 0);
	CHECK(irqs(h.device, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, 0, 1, NULL) == 0);
	CHECK(waited(fd) == 1);
	edu[EDU_ACK / 4] = 1;
	CHECK(irqs(h.device, VFIO_PCI_INTX_IRQ_INDEX, NONE, 0, 1, NULL) == 0); // by hand
	CHECK(told(fd) == 1);
	FAILS(irqs(h.device, VFIO_PCI_MSI_IRQ_INDEX, EVENT, 0, 1, &fd), EINVAL); // one kind at a time
	CHECK(irqs(h.device, VFIO_PCI_INTX_IRQ_INDEX, NONE, 0, 0, NULL) == 0);
	FAILS(irqs(h.device, VFIO_PCI_INTX_IRQ_INDEX, NONE, 0, 1, NULL), EINVAL);
	close(fd);
	close(again);
}

static void
message(void)
{
	int fd = eventfd(0, EFD_NONBLOCK), other = eventfd(0, EFD_NONBLOCK), gone = -1;
	struct vfio_irq_info i = { .argsz = sizeof(i), .index = VFIO_PCI_MSI_IRQ_INDEX };

	CHECK(ioctl(h.device, VFIO_DEVICE_GET_IRQ_INFO, &i) == 0 && i.count == 1);
	CHECK(irqs(h.device, VFIO_PCI_MSI_IRQ_INDEX, EVENT, 0, 1, &fd) == 0);
	for (int n = 0; n < 50; n++) {
		edu[EDU_RAISE / 4] = 2;
		CHECK(waited(fd) == 1);
		edu[EDU_ACK / 4] = 2;
	}
	CHECK(irqs(h.device, VFIO_PCI_MSI_IRQ_INDEX, EVENT, 0, 1, &other) == 0);
	edu[EDU_RAISE / 4] = 2;
	CHECK(waited(other) == 1 && told(fd) == 0);
	edu[EDU_ACK / 4] = 2;
	CHECK(irqs(h.device, VFIO_PCI_MSI_IRQ_INDEX, NONE, 0, 1, NULL) == 0);
	CHECK(told(other) == 1);
	CHECK(irqs(h.device, VFIO_PCI_MSI_IRQ_INDEX, VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER, 0, 1,
		   (int32_t[]){ 0 }) == 0);
	CHECK(told(other) == 0);
	CHECK(irqs(h.device, VFIO_PCI_MSI_IRQ_INDEX, EVENT, 0, 1, &gone) == 0);
	FAILS(irqs(h.device, VFIO_PCI_MSI_IRQ_INDEX, EVENT, 0, 2, (int32_t[]){ fd, fd }), EINVAL);
	FAILS(irqs(h.device, VFIO_PCI_MSI_IRQ_INDEX, EVENT, 1, 1, &fd), EINVAL);
	FAILS(irqs(h.device, VFIO_PCI_MSI_IRQ_INDEX, EVENT, 0, 1, &h.container), EINVAL);
	FAILS(irqs(h.device, VFIO_PCI_MSI_IRQ_INDEX, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 0, 1, NULL), ENOTTY);
	FAILS(irqs(h.device, VFIO_PCI_MSIX_IRQ_INDEX, EVENT, 0, 1, &fd), EINVAL);
	FAILS(irqs(h.device, 17, NONE, 0, 0, NULL), EINVAL);
	CHECK(irqs(h.device, VFIO_PCI_MSI_IRQ_INDEX, NONE, 0, 0, NULL) == 0);
	close(fd);
	close(other);
}

static int
ring(int32_t fd, uint32_t size, uint64_t offset, uint64_t data)
{
	struct vfio_device_ioeventfd order = { .argsz = sizeof(order), .flags = size, .offset = offset, .data = data, .fd = fd };

	return ioctl(h.device, VFIO_DEVICE_IOEVENTFD, &order);
}

// Who writes to an eventfd writes to a register; the count is gone then.
static void
doorbell(void)
{
	uint64_t at = region(h.device, 0).offset + EDU_INVERT, one = 1;
	int fd = eventfd(0, EFD_NONBLOCK), early = eventfd(7, EFD_NONBLOCK);

	edu[EDU_INVERT / 4] = 0;
	CHECK(ring(fd, 4, at, 0x12345678) == 0);
	CHECK(edu[EDU_INVERT / 4] == ~0u);
	CHECK(write(fd, &one, sizeof(one)) == sizeof(one));
	CHECK(edu[EDU_INVERT / 4] == ~0x12345678u);
	FAILS(read(fd, &one, sizeof(one)), EAGAIN);
	CHECK(ring(early, 4, at, 0x77) == 0); // what was written before counts
	CHECK(edu[EDU_INVERT / 4] == ~0x77u);
	FAILS(ring(fd, 4, at, 0x12345678), EEXIST);
	CHECK(ring(-1, 4, at, 0x12345678) == 0);
	FAILS(ring(-1, 4, at, 0x12345678), ENODEV);
	CHECK(write(fd, &one, sizeof(one)) == sizeof(one));
	CHECK(edu[EDU_INVERT / 4] == ~0x77u);
	CHECK(read(fd, &one, sizeof(one)) == sizeof(one) && one == 1);
	// Registers that are switched off are not written to.
	off_t order = ((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40) + PCI_COMMAND;
	uint16_t on, off;
	CHECK(ring(fd, 4, at, 0x99) == 0);
	CHECK(pread(h.device, &on, 2, order) == 2 && (on & PCI_COMMAND_MEMORY));
	off = on & ~PCI_COMMAND_MEMORY;
	CHECK(pwrite(h.device, &off, 2, order) == 2);
	CHECK(write(fd, &one, sizeof(one)) == sizeof(one));
	CHECK(pwrite(h.device, &on, 2, order) == 2);
	CHECK(edu[EDU_INVERT / 4] == ~0x77u);
	CHECK(write(fd, &one, sizeof(one)) == sizeof(one));
	CHECK(edu[EDU_INVERT / 4] == ~0x99u);
	CHECK(ring(-1, 4, at, 0x99) == 0);
	FAILS(ring(fd, 0, at, 0), EINVAL);
	FAILS(ring(fd, 3, at, 0), EINVAL);
	FAILS(ring(fd, 16, at, 0), EINVAL);
	FAILS(ring(-2, 4, at, 0), EINVAL);
	FAILS(ring(fd, 4, region(h.device, 0).offset + (1 << 20), 0), EINVAL);
	FAILS(ring(fd, 4, region(h.device, VFIO_PCI_CONFIG_REGION_INDEX).offset, 0), EINVAL);
	FAILS(ring(h.container, 4, at, 1), EINVAL);
	FAILS(ring(999, 4, at, 1), EBADF);
	close(fd);
	close(early); // it stays registered, and goes with the device
}

// Have the engine move n bytes; `out`: from memory into the device.
static void
move(uint64_t bus, uint32_t n, bool out)
{
	set64(EDU_DMA_FROM, out ? bus : EDU_BUFFER);
	set64(EDU_DMA_TO, out ? EDU_BUFFER : bus);
	set64(EDU_DMA_COUNT, n);
	set64(EDU_DMA_START, out ? 1 : 3);
	while (get64(EDU_DMA_START) & 1)
		usleep(1000);
}

static int
map(void *at, uint64_t iova, size_t size, uint32_t flags)
{
	struct vfio_iommu_type1_dma_map m = {
		.argsz = sizeof(m), .flags = flags, .vaddr = (uintptr_t)at, .iova = iova, .size = size,
	};

	return ioctl(h.container, VFIO_IOMMU_MAP_DMA, &m);
}

static long
unmap(uint64_t iova, size_t size, uint32_t flags)
{
	struct vfio_iommu_type1_dma_unmap u = { .argsz = sizeof(u), .flags = flags, .iova = iova, .size = size };

	return ioctl(h.container, VFIO_IOMMU_UNMAP_DMA, &u) ? -1 : (long)u.size;
}

#define RW (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

static void
transfers(void)
{
	char *m = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(map(m, IOVA, 1 << 16, RW) == 0);
	memset(m, 'x', 4096);
	snprintf(m, 4096, "from memory into the device");
	move(IOVA, MOST, true);
	for (int i = 1; i < 16; i++)
		move(IOVA + (unsigned)i * 4096, MOST, false);
	for (int i = 1; i < 16; i++)
		CHECK(memcmp(m, m + i * 4096, MOST) == 0);
	// Across a fork the pages stay the parent's: what it writes afterwards the device reads.
	pid_t child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	snprintf(m, 4096, "written after the fork");
	move(IOVA, MOST, true);
	memset(m + 4096, 0, 4096);
	move(IOVA + 4096, MOST, false);
	CHECK(strcmp(m + 4096, "written after the fork") == 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	// Unmapped from the program, not from the device: the pages are still there for it.
	CHECK(unmap(IOVA, 1 << 16, 0) == 1 << 16);
	munmap(m, 1 << 16);
}

static void
outside(void)
{
	char *m = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(m, 'm', 3 * 4096);
	CHECK(map(m, IOVA, 4096, RW) == 0);
	CHECK(map(m + 4096, IOVA + 4096, 4096, VFIO_DMA_MAP_FLAG_READ) == 0);
	move(IOVA, MOST, true);
	memset(m, 0, 3 * 4096);
	move(IOVA + 4096, MOST, false); // may only be read
	CHECK(m[4096] == 0 && m[4096 + MOST - 1] == 0);
	move(IOVA + 8192, MOST, false); // is not mapped
	move(0x7000000, 64, true);
	CHECK(unmap(IOVA, 4096, 0) == 4096);
	move(IOVA, MOST, false); // is not mapped any more
	CHECK(m[0] == 0 && m[MOST - 1] == 0);
	CHECK(unmap(0, 0, VFIO_DMA_UNMAP_FLAG_ALL) == 4096);
	munmap(m, 3 * 4096);
}

#define LARGE (2u << 20)

// What the device reads at `bus` is what `at` says, and what it writes there is seen.
static bool
reaches(uint64_t bus, char *at)
{
	char said[32];

	snprintf(said, sizeof(said), "bus address %#lx", bus);
	strcpy(at, said);
	move(bus, MOST, true);
	memset(at, 0, 4096);
	move(bus, MOST, false);
	return strcmp(at, said) == 0;
}

// Memory of large pages may be mapped by large entries. Small ones take their place and make way again.
static void
large(void)
{
	char *all = mmap(NULL, 4 * LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *m = (char *)(((uintptr_t)all + LARGE - 1) & -(uintptr_t)LARGE);
	static const uint32_t places[] = { 0, 4096, LARGE - 4096, LARGE, 2 * LARGE - 4096 };

	CHECK(put("/sys/kernel/mm/transparent_hugepage/enabled", "madvise") == 0);
	madvise(m, 2 * LARGE, MADV_HUGEPAGE);
	for (int round = 0; round < 2; round++) {
		memset(m, 'm', 3 * LARGE);
		CHECK(map(m, 2 * LARGE, 2 * LARGE + 4096, RW) == 0);
		for (int i = 0; i < 5; i++)
			CHECK(reaches(2 * LARGE + places[i], m + places[i]));
		CHECK(reaches(4 * LARGE, m + 2 * LARGE)); // behind it, by itself
		CHECK(unmap(2 * LARGE, 2 * LARGE + 4096, 0) == 2 * LARGE + 4096);
		strcpy(m + 4096, "kept");
		move(2 * LARGE + 4096, MOST, false); // is not mapped any more
		CHECK(strcmp(m + 4096, "kept") == 0);
		// One small page within, and not the one that was there.
		CHECK(map(m + 8192, 2 * LARGE + 4096, 4096, RW) == 0);
		CHECK(reaches(2 * LARGE + 4096, m + 8192));
		CHECK(strcmp(m + 4096, "kept") == 0);
		CHECK(unmap(2 * LARGE + 4096, 4096, 0) == 4096);
		// Large pages, where no large entry fits.
		CHECK(map(m + 4096, 2 * LARGE, 2 * LARGE - 4096, RW) == 0);
		CHECK(reaches(2 * LARGE, m + 4096) && reaches(3 * LARGE, m + LARGE + 4096));
		CHECK(unmap(0, 0, VFIO_DMA_UNMAP_FLAG_ALL) == 2 * LARGE - 4096);
	}
	munmap(all, 4 * LARGE);
}

static void
mappings(void)
{
	char *m = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *r = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rlimit limit = { 64 << 10, 64 << 10 };
	struct {
		struct vfio_iommu_type1_info info;
		char caps[256];
	} i = { .info.argsz = sizeof(i) };

	CHECK(ioctl(h.container, VFIO_IOMMU_GET_INFO, &i) == 0);
	CHECK((i.info.flags & VFIO_IOMMU_INFO_PGSIZES) && (i.info.iova_pgsizes & 4096));
	CHECK((i.info.flags & VFIO_IOMMU_INFO_CAPS) && i.info.cap_offset);
	CHECK(map(m, IOVA, 1 << 20, RW) == 0);
	FAILS(map(m, IOVA, 4096, RW), EEXIST);
	FAILS(map(m, IOVA - 4096, 8192, RW), EEXIST);
	FAILS(map(m, IOVA + (1 << 20), 0, RW), EINVAL);
	FAILS(map(m, IOVA + (1 << 20) + 1, 4096, RW), EINVAL);
	FAILS(map(m + 1, IOVA + (1 << 20), 4096, RW), EINVAL);
	FAILS(map(m, IOVA + (1 << 20), 4096, 0), EINVAL);
	FAILS(map(m, IOVA + (1 << 20), 4096, 0x80), EINVAL);
	FAILS(map(m, 0xfee00000, 4096, RW), EINVAL);
	FAILS(map(m, 1ull << 60, 4096, RW), EINVAL);
	FAILS(map(m, UINT64_MAX - 4095, 8192, RW), EINVAL);
	FAILS(map((void *)0x1000, IOVA + (1 << 20), 4096, RW), EFAULT);
	FAILS(map(r, IOVA + (1 << 20), 4096, RW), EFAULT);
	FAILS(unmap(IOVA, 4096, 0), EINVAL); // would cut
	FAILS(unmap(IOVA + 4096, 1 << 20, 0), EINVAL);
	FAILS(unmap(IOVA, 0, 0), EINVAL);
	FAILS(unmap(IOVA, 4096, VFIO_DMA_UNMAP_FLAG_ALL), EINVAL);
	CHECK(unmap(0x5000000, 4096, 0) == 0);
	CHECK(unmap(0, 1ull << 28, 0) == 1 << 20);
	for (int n = 0; n < 16; n++)
		CHECK(map(m + n * 4096, IOVA + (uint64_t)n * 8192, 4096, RW) == 0);
	CHECK(unmap(IOVA, 8 * 8192, 0) == 8 * 4096);
	CHECK(unmap(0, 0, VFIO_DMA_UNMAP_FLAG_ALL) == 8 * 4096);
	fflush(stdout);
	if (fork() == 0) { // who may not lock as much
		failures = 0;
		setrlimit(RLIMIT_MEMLOCK, &limit);
		if (setuid(65534))
			_exit(9);
		FAILS(map(m, IOVA, 1 << 20, RW), ENOMEM);
		CHECK(map(m, IOVA, 32 << 10, RW) == 0);
		FAILS(map(m + (32 << 10), IOVA + (32 << 10), 64 << 10, RW), ENOMEM);
		fflush(stdout);
		_exit(failures != 0);
	}
	int status;
	wait(&status);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(unmap(0, 0, VFIO_DMA_UNMAP_FLAG_ALL) == 32 << 10);
	munmap(m, 1 << 20);
	munmap(r, 4096);
}

// What a process had ends with it, even in the midst of a transfer; the next one finds the device quiet.
static void
killed(void)
{
	end();
	for (int n = 0; n < 5; n++) {
		int ready[2], status;
		char c;

		CHECK(pipe(ready) == 0);
		fflush(stdout);
		if (fork() == 0) {
			int fd = eventfd(0, 0);

			begin();
			char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			irqs(h.device, VFIO_PCI_MSI_IRQ_INDEX, EVENT, 0, 1, &fd);
			if (h.iommu)
				map(m, IOVA, 4096, RW);
			set64(EDU_DMA_FROM, EDU_BUFFER);
			set64(EDU_DMA_TO, IOVA);
			set64(EDU_DMA_COUNT, MOST);
			set64(EDU_DMA_START, h.iommu ? 3 : 0);
			(void)!write(ready[1], "", 1);
			pause();
			_exit(0);
		}
		pid_t child;
		CHECK(read(ready[0], &c, 1) == 1);
		close(ready[0]);
		close(ready[1]);
		// The one child there is.
		child = -1;
		FILE *f = fopen("/proc/thread-self/children", "r");
		if (f) {
			(void)!fscanf(f, "%d", &child);
			fclose(f);
		}
		CHECK(child > 0);
		kill(child, SIGKILL);
		CHECK(waitpid(child, &status, 0) == child);
		begin();
		CHECK(edu[EDU_ID / 4] == 0x010000ed);
		end();
	}
	begin();
}

static void
groups(void)
{
	struct vfio_group_status s = { .argsz = sizeof(s) };
	int other;

	FAILS(open_group(h.number), EBUSY);
	CHECK(ioctl(h.group, VFIO_GROUP_GET_STATUS, &s) == 0 && s.flags == 3);
	FAILS(ioctl(h.group, VFIO_GROUP_GET_DEVICE_FD, "0000:17:00.0"), ENODEV);
	FAILS(ioctl(h.group, VFIO_GROUP_UNSET_CONTAINER), EBUSY);
	FAILS(ioctl(h.group, VFIO_GROUP_SET_CONTAINER, &h.container), EINVAL);
	CHECK(ioctl(h.container, VFIO_GET_API_VERSION) == VFIO_API_VERSION);
	FAILS(ioctl(h.container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU), EINVAL);
	other = ioctl(h.group, VFIO_GROUP_GET_DEVICE_FD, name);
	CHECK(other >= 0);
	close(other);
	CHECK(edu[EDU_ID / 4] == 0x010000ed); // still open
	other = open("/dev/vfio/vfio", O_RDWR);
	FAILS(ioctl(other, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU), EINVAL);
	FAILS(ioctl(other, VFIO_IOMMU_MAP_DMA, NULL), EINVAL);
	close(other);
	FAILS(ioctl(h.device, VFIO_DEVICE_RESET), EINVAL); // it knows no way
	// A mapping outlives the file, and shows nothing when the device is closed.
	close(h.device);
	if (fork() == 0) {
		(void)edu[0];
		_exit(0);
	}
	int status;
	wait(&status);
	CHECK(WIFEXITED(status) || WTERMSIG(status) == SIGBUS);
	close(h.group);
	close(h.container);
	munmap((void *)edu, 1 << 20);
	begin();
}

static const struct {
	const char *name;
	void (*run)(void);
	bool iommu;
} tests[] = {
	{ "registers", registers, false }, { "configuration", configuration, false }, { "line", line, false },
	{ "message", message, false },     { "doorbell", doorbell, false },           { "groups", groups, false },
	{ "mappings", mappings, true },    { "transfers", transfers, true },          { "outside", outside, true },
	{ "large", large, true },          { "killed", killed, false },
};

int
main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	name = argv[1];
	begin();
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		bool wanted = argc == 2;

		for (int a = 2; a < argc; a++)
			wanted |= strcmp(argv[a], tests[i].name) == 0;
		if (!wanted || (tests[i].iommu && !h.iommu))
			continue;
		int before = failures;
		tests[i].run();
		printf("%s %s\n", failures == before ? "ok" : "FAILED", tests[i].name);
		fflush(stdout);
	}
	end();
	return failures != 0;
}
