/* SPDX-License-Identifier: MIT */
/*
 * i8042.c - the PC's keyboard controller through VFIO: two ports, two lines, nothing else.
 */
#include "vfio.h"

#define OFFSET(region) ((off_t)(region) << 40)

static int device;

static uint8_t
in(int region)
{
	uint8_t v = 0;

	CHECK(pread(device, &v, 1, OFFSET(region)) == 1);
	return v;
}

static void
out(int region, uint8_t v)
{
	CHECK(pwrite(device, &v, 1, OFFSET(region)) == 1);
}

static uint8_t
answer(void)
{
	for (int i = 0; i < 100000 && !(in(1) & 1); i++)
		;
	return in(0);
}

int
main(void)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int container = open("/dev/vfio/vfio", O_RDWR), group, number, line = eventfd(0, EFD_NONBLOCK);
	char to[256];
	uint8_t b[4];
	ssize_t n = readlink("/sys/bus/platform/devices/i8042/iommu_group", to, sizeof(to) - 1);

	if (n < 0)
		return 1;
	to[n] = '\0';
	number = atoi(strrchr(to, '/') + 1);
	group = open_group(number);
	CHECK(group >= 0);
	CHECK(ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) == 0);
	FAILS(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU), ENODEV);
	CHECK(ioctl(container, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU) == 0);
	device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, "i8042");
	CHECK(device >= 0);
	CHECK(ioctl(device, VFIO_DEVICE_GET_INFO, &info) == 0 && (info.flags & VFIO_DEVICE_FLAGS_PLATFORM));
	CHECK(info.num_regions == 2 && info.num_irqs == 2);
	while (in(1) & 1)
		in(0);
	out(1, 0xaa); // the controller tests itself
	CHECK(answer() == 0x55);
	out(1, 0x60); // interrupts of the keyboard
	out(0, 0x01);
	CHECK(irqs(device, 0, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 0, 1, &line) == 0);
	for (int i = 0; i < 10; i++) {
		out(0, 0xee); // the keyboard echoes
		CHECK(waited(line) >= 1);
		CHECK(answer() == 0xee);
	}
	CHECK(irqs(device, 0, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 0, 1, NULL) == 0);
	CHECK(irqs(device, 0, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, 0, 1, NULL) == 0);
	FAILS(pread(device, b, 2, OFFSET(0)), EINVAL); // the next port is not ours
	FAILS(pread(device, b, 1, OFFSET(0) + 1), EINVAL);
	FAILS(pread(device, b, 1, OFFSET(2)), EINVAL);
	FAILS(ioctl(container, VFIO_IOMMU_MAP_DMA, b), ENOTTY);
	FAILS(irqs(device, 2, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 0, 0, NULL), EINVAL);
	puts(failures ? "FAILED i8042" : "ok i8042");
	return failures != 0;
}
