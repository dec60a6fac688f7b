/* SPDX-License-Identifier: MIT */
/*
 * dma.c - memory that the device reaches.
 *
 * What drivers allocate is cut from pieces of ARENA_SIZE, so that the IOMMU gets few orders. Memory that
 * was mapped stays so until the container is closed, which happens when the process ends, however it ends: the
 * device then reaches nothing.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/vfio.h>

#include "device.h"
#include "log.h"

/*
 * Tessera's one extension (docs/vfio.md): without an IOMMU, memory comes from the container with its bus address,
 * and mmap() of the container reaches it at the offset that is told.
 */
struct vfio_tessera_dma_alloc {
	uint32_t argsz, flags;
	uint64_t size, bus, offset;
};

#define VFIO_TESSERA_ALLOC_DMA _IO(VFIO_TYPE, VFIO_BASE + 64)
#define ALLOC_BELOW_4_GIB      1u

#define PAGE_SIZE  4096ull
#define ARENA_SIZE (128ull << 10)

void
dma_forget_predecessor(struct device *d)
{
	struct vfio_iommu_type1_dma_unmap all = { .argsz = sizeof(all), .size = DEVICE_BUS_END };

	if (!d->inherited)
		return;
	d->inherited = false;
	(void)ioctl(d->container, VFIO_IOMMU_UNMAP_DMA, &all); /* an error says that there was nothing */
}

int
dma_map(struct device *d, void *addr, size_t size, uint64_t *bus)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)addr,
		.size = size,
	};

	if (!d->iommu)
		return -EOPNOTSUPP;
	dma_forget_predecessor(d);
	/* From one counter: none is used twice. */
	if (size > DEVICE_BUS_END - d->next_bus)
		return -ENOSPC;
	map.iova = d->next_bus;
	if (ioctl(d->container, VFIO_IOMMU_MAP_DMA, &map) < 0)
		return -errno;
	d->next_bus += size;
	*bus = map.iova;
	return 0;
}

void
dma_unmap(struct device *d, uint64_t bus, size_t size)
{
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap), .iova = bus, .size = size };

	if (ioctl(d->container, VFIO_IOMMU_UNMAP_DMA, &unmap) < 0)
		log_error("bus address 0x%llx cannot be unmapped: %s", (unsigned long long)bus, strerror(errno));
}

static int
new_memory_of_kernel(struct device *d, size_t size, void **addr, uint64_t *bus)
{
	struct vfio_tessera_dma_alloc alloc = {
		.argsz = sizeof(alloc), .flags = d->low ? ALLOC_BELOW_4_GIB : 0, .size = size,
	};

	if (ioctl(d->container, VFIO_TESSERA_ALLOC_DMA, &alloc) < 0)
		return -errno;
	*addr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, d->container, alloc.offset);
	if (*addr == MAP_FAILED)
		return -errno;
	*bus = alloc.bus;
	return 0;
}

/* Memory of `size` bytes, contiguous for the device. */
static int
new_memory(struct device *d, size_t size, void **addr, uint64_t *bus)
{
	int error;

	if (!d->iommu)
		return new_memory_of_kernel(d, size, addr, bus);
	*addr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (*addr == MAP_FAILED)
		return -errno;
	error = dma_map(d, *addr, size, bus);
	if (error)
		munmap(*addr, size);
	return error;
}

int
dma_alloc(struct device *d, struct dma *m, size_t size)
{
	void *addr;
	uint64_t bus = 0;
	int error;

	m->size = size = (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	if (size > d->arena_left) {
		size_t piece = size > ARENA_SIZE ? size : ARENA_SIZE;

		error = new_memory(d, piece, &addr, &bus);
		if (error) {
			log_error("no memory of %zu bytes for the device: %s", piece, strerror(-error));
			return error;
		}
		d->arena = addr;
		d->arena_bus = bus;
		d->arena_left = piece;
	}
	m->addr = d->arena;
	m->bus = d->arena_bus;
	d->arena += size;
	d->arena_bus += size;
	d->arena_left -= size;
	return 0;
}
