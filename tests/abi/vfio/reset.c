/* SPDX-License-Identifier: MIT */
/* VFIO_DEVICE_GET_PCI_HOT_RESET_INFO and VFIO_DEVICE_PCI_HOT_RESET: what is behind a port is reset together. */
#include "device.h"

struct hot_info {
	struct vfio_pci_hot_reset_info info;
	struct vfio_pci_dependent_device devices[8];
};

struct hot_reset {
	struct vfio_pci_hot_reset reset;
	int groups[8];
};

static int
hot_info(int device, struct hot_info *h, unsigned room)
{
	memset(h, 0x5a, sizeof(*h));
	h->info.argsz = (unsigned)sizeof(h->info) + room * (unsigned)sizeof(h->devices[0]);
	h->info.flags = 0;
	h->info.count = 0;
	return ioctl(device, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, h);
}

static int
hot_reset(int device, unsigned n, int group, int other)
{
	struct hot_reset r = { .reset = { .argsz = sizeof(r), .count = n }, .groups = { group, other } };

	return ioctl(device, VFIO_DEVICE_PCI_HOT_RESET, &r);
}

TEST(vfio_hot_reset_info_names_all_behind_the_port)
{
	struct taken t;
	struct hot_info h;

	device_bind(BESIDE);
	t = device_take(BEHIND);
	CHECK_OK(hot_info(t.device, &h, 8));
	CHECK_EQ(h.info.count, 2);
	for (int i = 0; i < 2; i++)
		CHECK(h.devices[i].group_id == (unsigned)t.number && h.devices[i].segment == 0 && h.devices[i].bus == 1 &&
		      h.devices[i].devfn == i);
	CHECK_EQ(h.devices[2].segment, 0x5a5a);
	CHECK_OK(hot_info(t.device, &h, 2));
	CHECK_ERRNO(hot_info(t.device, &h, 1), ENOSPC);
	CHECK_EQ(h.info.count, 2);
	CHECK_ERRNO(hot_info(t.device, &h, 0), ENOSPC);
	CHECK_EQ(h.info.count, 2);
	h.info.argsz = 8;
	CHECK_ERRNO(ioctl(t.device, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &h), EINVAL);
	CHECK_ERRNO(ioctl(t.device, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, (void *)8), EFAULT);
	t = device_take(NVME);
	CHECK_ERRNO(hot_info(t.device, &h, 8), ENODEV); /* no port leads to it */
	CHECK_ERRNO(hot_reset(t.device, 1, t.group, 0), ENODEV);
}

TEST(vfio_hot_reset_resets_all_behind_the_port)
{
	struct nvme one, other;
	int fds[QUEUES], beside;
	struct taken t;

	device_bind(BESIDE);
	t = device_take(BEHIND);
	beside = device_open(&t, BESIDE);
	eventfds(fds, QUEUES);
	CHECK_EQ(irqs_set(t.device, MSIX, EVENTS, 0, QUEUES, fds), 0);
	nvme_start(&one, &t, t.device);
	CHECK_OK(ioctl(t.container, VFIO_IOMMU_UNMAP_DMA,
		       &(struct vfio_iommu_type1_dma_unmap){ .argsz = sizeof(struct vfio_iommu_type1_dma_unmap), .iova = 0x100000,
							     .size = 2 * QUEUES * 4096 }));
	eventfds(fds, QUEUES);
	CHECK_EQ(irqs_set(beside, MSIX, EVENTS, 0, QUEUES, fds), 0);
	nvme_start(&other, &t, beside);
	CHECK((one.registers[NVME_STATUS / 4] & 1) && (other.registers[NVME_STATUS / 4] & 1));
	CHECK_OK(hot_reset(t.device, 1, t.group, 0));
	/* The program switches them on again, as after any reset; its mappings show them as they are now. */
	config_write(t.device, 4, 2, 6);
	config_write(beside, 4, 2, 6);
	CHECK_EQ(one.registers[NVME_STATUS / 4] & 1, 0);
	CHECK_EQ(other.registers[NVME_STATUS / 4] & 1, 0);
	CHECK_EQ(other.registers[NVME_CONFIG / 4], 0);
	/* The kernel's part, its messages, is put back. */
	CHECK_OK(ioctl(t.container, VFIO_IOMMU_UNMAP_DMA,
		       &(struct vfio_iommu_type1_dma_unmap){ .argsz = sizeof(struct vfio_iommu_type1_dma_unmap), .iova = 0x100000,
							     .size = 2 * QUEUES * 4096 }));
	nvme_start(&other, &t, beside);
	CHECK(event_wait(fds[0]) > 0);
	for (int q = 1; q < QUEUES; q++)
		CHECK_EQ(event_now(fds[q]), 0);
	for (int q = 1; q < QUEUES; q++) {
		nvme_raise(&other, q);
		CHECK_EQ(event_wait(fds[q]), 1);
	}
}

TEST(vfio_hot_reset_wants_all_groups)
{
	struct hot_reset r = { .reset = { .argsz = sizeof(r), .count = 1 } };
	struct taken t, apart;

	device_bind(BESIDE);
	t = device_take(BEHIND);
	apart = device_take(NVME);
	CHECK_ERRNO(hot_reset(t.device, 0, t.group, 0), EINVAL);
	CHECK_ERRNO(hot_reset(t.device, 1, apart.group, 0), EINVAL);
	CHECK_ERRNO(hot_reset(t.device, 1, t.device, 0), EINVAL);
	CHECK_ERRNO(hot_reset(t.device, 1, -1, 0), EBADF);
	CHECK_ERRNO(hot_reset(t.device, 1000, t.group, 0), EINVAL);
	r.reset.flags = 1;
	r.groups[0] = t.group;
	CHECK_ERRNO(ioctl(t.device, VFIO_DEVICE_PCI_HOT_RESET, &r), EINVAL);
	r.reset.flags = 0;
	r.reset.argsz = 8;
	CHECK_ERRNO(ioctl(t.device, VFIO_DEVICE_PCI_HOT_RESET, &r), EINVAL);
	CHECK_ERRNO(ioctl(t.device, VFIO_DEVICE_PCI_HOT_RESET, (void *)8), EFAULT);
	CHECK_OK(hot_reset(t.device, 1, t.group, 0));
}
