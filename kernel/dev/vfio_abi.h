/* SPDX-License-Identifier: MIT */
/*
 * vfio_abi.h - numbers and layouts of VFIO's interface, as linux/vfio.h has them, and the one extension of our own
 * (docs/vfio.md). "At least" are the sizes that a caller's argsz must cover.
 */
#ifndef TESSERA_DEV_VFIO_ABI_H
#define TESSERA_DEV_VFIO_ABI_H

#include <tessera/types.h>

#define VFIO_COMMAND(n) (0x3b64u + (n)) /* _IO(';', 100 + n) */

#define VFIO_GET_API_VERSION      VFIO_COMMAND(0)
#define VFIO_CHECK_EXTENSION      VFIO_COMMAND(1)
#define VFIO_SET_IOMMU            VFIO_COMMAND(2)
#define VFIO_GROUP_GET_STATUS     VFIO_COMMAND(3)
#define VFIO_GROUP_SET_CONTAINER  VFIO_COMMAND(4)
#define VFIO_GROUP_UNSET_CONTAINER VFIO_COMMAND(5)
#define VFIO_GROUP_GET_DEVICE_FD  VFIO_COMMAND(6)
#define VFIO_DEVICE_GET_INFO      VFIO_COMMAND(7)
#define VFIO_DEVICE_GET_REGION_INFO VFIO_COMMAND(8)
#define VFIO_DEVICE_GET_IRQ_INFO  VFIO_COMMAND(9)
#define VFIO_DEVICE_SET_IRQS      VFIO_COMMAND(10)
#define VFIO_DEVICE_RESET         VFIO_COMMAND(11)
#define VFIO_DEVICE_GET_PCI_HOT_RESET_INFO VFIO_COMMAND(12)
#define VFIO_DEVICE_PCI_HOT_RESET VFIO_COMMAND(13)
#define VFIO_IOMMU_GET_INFO       VFIO_COMMAND(12)
#define VFIO_IOMMU_MAP_DMA        VFIO_COMMAND(13)
#define VFIO_IOMMU_UNMAP_DMA      VFIO_COMMAND(14)
#define VFIO_DEVICE_IOEVENTFD     VFIO_COMMAND(16)
/* Ours: memory of the kernel's for devices without an IOMMU. */
#define VFIO_IOMMU_ALLOC_DMA      VFIO_COMMAND(64)

enum vfio_extension {
	VFIO_TYPE1 = 1, VFIO_DMA_COHERENT = 4, VFIO_TYPE1_V2 = 3, VFIO_NOIOMMU = 8, VFIO_UNMAP_ALL = 9,
	VFIO_ALLOC_DMA = 64, /* ours */
};

struct vfio_status {
	uint32_t argsz, flags;
};
#define VFIO_STATUS_VIABLE    1u
#define VFIO_STATUS_CONTAINED 2u

struct vfio_device_info {
	uint32_t argsz, flags, regions, irqs, caps;
};
#define VFIO_DEVICE_INFO_MIN 16u
#define VFIO_DEVICE_CAN_RESET 1u
#define VFIO_DEVICE_PCI       2u
#define VFIO_DEVICE_PLATFORM  4u

struct vfio_region_info {
	uint32_t argsz, flags, index, caps;
	uint64_t size, offset;
};
#define VFIO_REGION_READ  1u
#define VFIO_REGION_WRITE 2u
#define VFIO_REGION_MMAP  4u
#define VFIO_REGION_CAPS  8u

struct vfio_cap {
	uint16_t id, version;
	uint32_t next;
};
#define VFIO_CAP_SPARSE_MMAP 1u
struct vfio_sparse_mmap {
	struct vfio_cap head;
	uint32_t count, reserved;
	struct {
		uint64_t offset, size;
	} area[2];
};

struct vfio_irq_info {
	uint32_t argsz, flags, index, count;
};
#define VFIO_IRQ_EVENTFD    1u
#define VFIO_IRQ_MASKABLE   2u
#define VFIO_IRQ_AUTOMASKED 4u
#define VFIO_IRQ_NORESIZE   8u

struct vfio_irq_set {
	uint32_t argsz, flags, index, start, count;
};
#define VFIO_IRQ_DATA_NONE    1u
#define VFIO_IRQ_DATA_BOOL    2u
#define VFIO_IRQ_DATA_EVENTFD 4u
#define VFIO_IRQ_DATA         7u
#define VFIO_IRQ_MASK         8u
#define VFIO_IRQ_UNMASK       16u
#define VFIO_IRQ_TRIGGER      32u
#define VFIO_IRQ_ACTION       56u

enum vfio_pci_region {
	VFIO_PCI_BAR0, VFIO_PCI_ROM = 6, VFIO_PCI_CONFIG, VFIO_PCI_VGA, VFIO_PCI_REGIONS,
};
enum vfio_pci_irq { VFIO_PCI_INTX, VFIO_PCI_MSI, VFIO_PCI_MSIX, VFIO_PCI_ERR, VFIO_PCI_REQ, VFIO_PCI_IRQS };

struct vfio_hot_reset_info {
	uint32_t argsz, flags, count;
};
struct vfio_dependent {
	uint32_t group;
	uint16_t segment;
	uint8_t bus, devfn;
};
struct vfio_hot_reset {
	uint32_t argsz, flags, count;
};

struct vfio_ioeventfd_order {
	uint32_t argsz, flags;         /* flags: the size of the write */
	uint64_t offset, data;
	int32_t fd;                    /* -1: no longer */
	uint32_t reserved;
};
#define VFIO_IOEVENTFD_MIN   28u
#define VFIO_IOEVENTFD_SIZES 15u

struct vfio_iommu_info {
	uint32_t argsz, flags;
	uint64_t page_sizes;
	uint32_t caps, pad;
};
#define VFIO_IOMMU_INFO_MIN 16u
#define VFIO_IOMMU_PAGE_SIZES 1u
#define VFIO_IOMMU_CAPS       2u
#define VFIO_CAP_IOVA_RANGES  1u
#define VFIO_CAP_DMA_AVAILABLE 3u
struct vfio_iova_ranges {
	struct vfio_cap head;
	uint32_t count, reserved;
	struct {
		uint64_t start, end;
	} range[2];
};
struct vfio_dma_available {
	struct vfio_cap head;
	uint32_t available, pad;
};

struct vfio_dma_map {
	uint32_t argsz, flags;
	uint64_t vaddr, iova, size;
};
#define VFIO_DMA_READ  1u
#define VFIO_DMA_WRITE 2u

struct vfio_dma_unmap {
	uint32_t argsz, flags;
	uint64_t iova, size;
};
#define VFIO_DMA_UNMAP_ALL 2u

/* In: argsz, flags, size. Out: where a device reaches it, where mmap(2) of the container does. */
struct vfio_dma_alloc {
	uint32_t argsz, flags;
	uint64_t size, bus, offset;
};
#define VFIO_DMA_ALLOC_LOW 1u /* below 4 GiB */

_Static_assert(sizeof(struct vfio_device_info) == 20 && sizeof(struct vfio_region_info) == 32 &&
	       sizeof(struct vfio_irq_info) == 16 && sizeof(struct vfio_irq_set) == 20 &&
	       sizeof(struct vfio_dependent) == 8 && sizeof(struct vfio_hot_reset_info) == 12 &&
	       sizeof(struct vfio_iommu_info) == 24 && sizeof(struct vfio_dma_map) == 32 &&
	       sizeof(struct vfio_dma_unmap) == 24 && sizeof(struct vfio_dma_alloc) == 32 &&
	       sizeof(struct vfio_sparse_mmap) == 48 && sizeof(struct vfio_iova_ranges) == 48, "linux/vfio.h");

#endif
