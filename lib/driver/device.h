/* SPDX-License-Identifier: MIT */
/*
 * device.h - a PCI device, or one of the machine's old ones (ports and interrupt lines), in the hands of a process,
 * through VFIO (linux/vfio.h).
 *
 * A device is opened by its address (the group and container are opened on the way), or adopted from
 * descriptors that the device manager has opened: then the process needs no right to open anything.
 *
 * Memory that the device reaches comes from dma_alloc(), or is given to it by dma_map(). Each has an address
 * for us and one for the device, its bus address. Behind an IOMMU we choose bus addresses, from one counter;
 * what is not mapped, the device cannot reach.
 */
#ifndef DRIVER_DEVICE_H
#define DRIVER_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"

/* Bus addresses that we give out lie below; what is above is the manager's, and stays when a driver dies. */
#define DEVICE_BUS_END 0x80000000ull

#define DEVICE_BARS    6
#define DEVICE_VECTORS 64

/* A base address register's region. `base` is NULL when it is not there or cannot be mapped. */
struct region {
	volatile uint8_t *base;
	uint64_t size;
	uint64_t offset; /* in the device's descriptor */
};

struct device {
	char name[32]; /* the PCI address, or what the manager calls it */
	int fd, group, container;
	bool iommu;
	bool low;	   /* it reaches 4 GiB only: for the driver to say before it asks for memory */
	bool inherited;	   /* a predecessor's memory may be mapped still */
	bool platform; /* no PCI device: ranges of ports are its first regions, interrupt lines its kinds of interrupts */
	uint64_t next_bus; /* the next bus address to give out */
	struct region bars[DEVICE_BARS];
	struct region config;
	uint32_t irq_counts[5]; /* by VFIO_PCI_*_IRQ_INDEX */
	uint32_t irq_index;	/* the kind in use */
	unsigned vectors;
	struct vector {
		struct watch watch;
		void (*handler)(struct device *d, unsigned vector, void *argument);
		void *argument;
		struct device *device;
	} vector[DEVICE_VECTORS];
	uint8_t *arena;
	uint64_t arena_bus;
	size_t arena_left;
};

struct dma {
	void *addr;
	uint64_t bus;
	size_t size;
};

/*
 * Open the device at `address` ("0000:00:02.0"), which the kernel must have given to VFIO; where somebody has it, wait
 * `wait_ms` for him to let go. Returns 0 or a negative errno, with a line in the log. device_close() undoes it.
 */
int device_open(struct device *d, const char *address, unsigned wait_ms);
/* The same for a device whose descriptors came from elsewhere. They belong to `d` afterwards. */
int device_adopt(struct device *d, const char *name, int device_fd, int container_fd);
void device_close(struct device *d);

/* Configuration space (PCI 3.0, 6.1): `size` is 1, 2 or 4. A read that fails is all ones. */
uint32_t device_config_read(struct device *d, unsigned offset, unsigned size);
void device_config_write(struct device *d, unsigned offset, unsigned size, uint32_t value);
/* Where the next capability `id` behind `after` (0: the first) lies, or 0. PCI 3.0, 6.7. */
unsigned device_capability(struct device *d, uint8_t id, unsigned after);
/*
 * Let the device read and write memory, or stop it; its registers are there in any case. It is stopped when it is
 * opened. Adopted behind an IOMMU it may go on as a predecessor left it, within what that one had mapped: reset it first.
 */
void device_bus_master(struct device *d, bool on);
/* Reset it by the kernel, which may take 100 ms. -ENOTTY when it has no way. */
int device_reset(struct device *d);
/* The registers of BAR `bar`, at least `size` bytes; NULL with a line in the log. */
volatile uint8_t *device_registers(struct device *d, unsigned bar, size_t size);

/*
 * Have up to `wanted` interrupts: MSI-X, else MSI, else the pin. Returns how many there are, at least 1, or a
 * negative errno. The pin is opened again after its handler has run.
 */
int device_interrupts(struct device *d, unsigned wanted);
/* Who hears of vector `vector`; an index beyond those there are goes to the last one. Returns its number. */
unsigned device_on_interrupt(struct device *d, unsigned vector,
	void (*handler)(struct device *d, unsigned vector, void *argument), void *argument);

/*
 * Whoever writes to `eventfd` writes `value` to the register `at` of 16 bits, which is mapped; this process is not asked. A
 * negative errno where the kernel cannot.
 */
int device_doorbell(struct device *d, volatile uint8_t *at, uint16_t value, int eventfd);

/* A platform device's interrupt line `line`: `handler` is called for each edge. The vector's number, or an errno. */
int device_line(struct device *d, unsigned line, void (*handler)(struct device *d, unsigned vector, void *argument),
	void *argument);
/* Its ports: `offset` in range `range`. A read that fails is all ones. */
uint8_t device_port_read(struct device *d, unsigned range, unsigned offset);
void device_port_write(struct device *d, unsigned range, unsigned offset, uint8_t value);

/*
 * `size` bytes of zeroed memory, page-aligned, contiguous for the device; there is no free. Reset the device before: the
 * first memory that it is given takes the place of what a predecessor had mapped, which goes.
 */
int dma_alloc(struct device *d, struct dma *m, size_t size);
/* Let the device reach [addr, addr + size), whole pages. -EOPNOTSUPP: memory must come from dma_alloc(). */
int dma_map(struct device *d, void *addr, size_t size, uint64_t *bus);
void dma_unmap(struct device *d, uint64_t bus, size_t size);
/* The device has been reset: what a predecessor had mapped goes. Only who asks for no memory need say so. */
void dma_forget_predecessor(struct device *d);

static inline uint32_t
read32(const volatile uint8_t *base, size_t offset)
{
	return *(const volatile uint32_t *)(base + offset);
}

static inline void
write32(volatile uint8_t *base, size_t offset, uint32_t value)
{
	*(volatile uint32_t *)(base + offset) = value;
}

/* Two accesses of 32 bits: every device takes these. */
static inline uint64_t
read64(const volatile uint8_t *base, size_t offset)
{
	return read32(base, offset) | (uint64_t)read32(base, offset + 4) << 32;
}

static inline void
write64(volatile uint8_t *base, size_t offset, uint64_t value)
{
	write32(base, offset, value);
	write32(base, offset + 4, value >> 32);
}

static inline uint16_t
read16(const volatile uint8_t *base, size_t offset)
{
	return *(const volatile uint16_t *)(base + offset);
}

static inline void
write16(volatile uint8_t *base, size_t offset, uint16_t value)
{
	*(volatile uint16_t *)(base + offset) = value;
}

static inline uint8_t
read8(const volatile uint8_t *base, size_t offset)
{
	return base[offset];
}

static inline void
write8(volatile uint8_t *base, size_t offset, uint8_t value)
{
	base[offset] = value;
}

/* Nothing before it passes anything behind it, not even a store a load. */
static inline void
full_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
