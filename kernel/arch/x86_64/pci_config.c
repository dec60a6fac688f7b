/* SPDX-License-Identifier: MIT */
/*
 * pci_config.c - reaching PCI configuration space: by memory (ECAM), where ACPI's table MCFG says that a segment's
 * registers lie there, else by the two ports of PCI 3.0, 3.2.2.3, for the first 256 bytes of segment 0.
 *
 * A bus has 1 MiB of registers, mapped when the bus is opened. A table that is wrong is found out by the first device
 * of segment 0, which both ways show on such machines.
 */
#include <tessera/arch.h>
#include <tessera/arch/port.h>
#include <tessera/bootinfo.h>
#include <tessera/lock.h>
#include <tessera/print.h>
#include <tessera/slab.h>

#include "acpi.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA    0xcfc
#define BUS_SIZE     (1ul << 20)
#define BUSES        256u

/* [I] after arch_pci_init(); buses: written while a bus is opened, which callers do one at a time */
struct ecam {
	paddr_t base;                  /* of bus 0 */
	uint16_t segment;
	uint8_t first, last;
	volatile uint8_t **buses;      /* [a] each NULL: not opened */
};

static struct ecam ecams[ACPI_MCFG_MAX];
static uint32_t ecam_count;
static bool have_ports;
static struct spinlock port_lock = SPINLOCK_INIT(LEAF); /* the pair of ports */

static struct ecam *
ecam_of(uint16_t segment, uint8_t bus)
{
	for (uint32_t i = 0; i < ecam_count; i++)
		if (ecams[i].segment == segment && bus >= ecams[i].first && bus <= ecams[i].last)
			return &ecams[i];
	return NULL;
}

static volatile uint8_t *
registers_of(uint16_t segment, uint8_t bus)
{
	struct ecam *e = ecam_of(segment, bus);

	return e ? atomic_load(&e->buses[bus]) : NULL;
}

static uint32_t
port_address(uint8_t bus, uint8_t devfn, uint32_t offset)
{
	return 0x80000000u | (uint32_t)bus << 16 | (uint32_t)devfn << 8 | (offset & 0xfc);
}

static uint32_t
port_read(uint8_t bus, uint8_t devfn, uint32_t offset, uint32_t size)
{
	uint16_t port = (uint16_t)(PORT_DATA + (offset & 3));
	uint64_t flags = spin_lock_irq(&port_lock);
	uint32_t value;

	port_write32(PORT_ADDRESS, port_address(bus, devfn, offset));
	value = size == 1 ? port_read8(port) : size == 2 ? port_read16(port) : port_read32(port);
	spin_unlock_irq(&port_lock, flags);
	return value;
}

static void
port_write(uint8_t bus, uint8_t devfn, uint32_t offset, uint32_t size, uint32_t value)
{
	uint16_t port = (uint16_t)(PORT_DATA + (offset & 3));
	uint64_t flags = spin_lock_irq(&port_lock);

	port_write32(PORT_ADDRESS, port_address(bus, devfn, offset));
	if (size == 1)
		port_write8(port, (uint8_t)value);
	else if (size == 2)
		port_write16(port, (uint16_t)value);
	else
		port_write32(port, value);
	spin_unlock_irq(&port_lock, flags);
}

static uint32_t
ones(uint32_t size)
{
	return size == 4 ? UINT32_MAX : (1u << 8 * size) - 1;
}

uint32_t
arch_pci_read(uint16_t segment, uint8_t bus, uint8_t devfn, uint32_t offset, uint32_t size)
{
	volatile uint8_t *p = registers_of(segment, bus);

	if (p && offset < PAGE_SIZE) {
		p += (uint32_t)devfn << 12 | offset;
		return size == 1 ? *p : size == 2 ? *(volatile uint16_t *)p : *(volatile uint32_t *)p;
	}
	return have_ports && segment == 0 && offset < 256 ? port_read(bus, devfn, offset, size) : ones(size);
}

void
arch_pci_write(uint16_t segment, uint8_t bus, uint8_t devfn, uint32_t offset, uint32_t size, uint32_t value)
{
	volatile uint8_t *p = registers_of(segment, bus);

	if (p && offset < PAGE_SIZE) {
		p += (uint32_t)devfn << 12 | offset;
		if (size == 1)
			*p = (uint8_t)value;
		else if (size == 2)
			*(volatile uint16_t *)p = (uint16_t)value;
		else
			*(volatile uint32_t *)p = value;
	} else if (have_ports && segment == 0 && offset < 256) {
		port_write(bus, devfn, offset, size, value);
	}
}

bool
arch_pci_is_extended(uint16_t segment, uint8_t bus)
{
	return registers_of(segment, bus) != NULL;
}

bool
arch_pci_open_bus(uint16_t segment, uint8_t bus)
{
	struct ecam *e = ecam_of(segment, bus);
	void *p;

	if (e && !e->buses[bus]) {
		p = region_map_phys(e->base + bus * BUS_SIZE, BUS_SIZE,
				    PTE_READ | PTE_WRITE | PTE_UNCACHED | PTE_DEVICE);
		if (p)
			atomic_store_release(&e->buses[bus], p);
		else
			pr_warn("pci: no memory to map the registers of bus %04x:%02x\n", segment, bus);
	}
	return (e && e->buses[bus]) || (have_ports && segment == 0);
}

bool
arch_pci_segment(uint32_t index, uint16_t *segment, uint8_t *first_bus)
{
	if (index == 0 && (have_ports || ecam_of(0, 0))) {
		*segment = 0;
		*first_bus = 0;
		return true;
	}
	index -= have_ports || ecam_of(0, 0);
	for (uint32_t i = 0; i < ecam_count; i++)
		if ((ecams[i].segment || ecams[i].first) && index-- == 0) {
			*segment = ecams[i].segment;
			*first_bus = ecams[i].first;
			return true;
		}
	return false;
}

static bool
overlaps(paddr_t start, paddr_t end, paddr_t other, paddr_t other_end)
{
	return start < other_end && other < end;
}

bool
arch_pci_range_is_free(paddr_t start, paddr_t end)
{
	for (uint32_t i = 0; i < bootinfo.memory_count; i++)
		if (overlaps(start, end, bootinfo.memory[i].start, bootinfo.memory[i].end))
			return false;
	for (uint32_t i = 0; i < ecam_count; i++)
		if (overlaps(start, end, ecams[i].base + ecams[i].first * BUS_SIZE,
			     ecams[i].base + (ecams[i].last + 1ul) * BUS_SIZE))
			return false;
	return !overlaps(start, end, 0xfec00000ul, 1ul << 32); /* interrupt controllers, timers, firmware */
}

/* The ports answer on every PC; that address is no other machine's. */
static bool
ports_answer(void)
{
	uint64_t flags = spin_lock_irq(&port_lock);
	uint32_t old = port_read32(PORT_ADDRESS);
	bool there;

	port_write32(PORT_ADDRESS, 0x80000000u);
	there = port_read32(PORT_ADDRESS) == 0x80000000u;
	port_write32(PORT_ADDRESS, old);
	spin_unlock_irq(&port_lock, flags);
	return there;
}

static void
ecam_add(const struct acpi_mcfg *m)
{
	struct ecam *e = &ecams[ecam_count];

	e->buses = kzalloc(BUSES * sizeof(*e->buses));
	if (!e->buses)
		return;
	e->base = m->address;
	e->segment = m->segment;
	e->first = m->bus_start;
	e->last = m->bus_end;
	ecam_count++;
}

void
arch_pci_init(void)
{
	have_ports = ports_answer();
	if (!boot_flag("noecam"))
		for (uint32_t i = 0; i < acpi_info.mcfg_count; i++)
			ecam_add(&acpi_info.mcfg[i]);
	if (have_ports && ecam_of(0, 0) && arch_pci_open_bus(0, 0) &&
	    arch_pci_read(0, 0, 0, 0, 4) != port_read(0, 0, 0, 4)) {
		pr_warn("pci: the registers at %#lx are not what the ports show: not used\n", ecam_of(0, 0)->base);
		ecam_count = 0;
	}
}

#define CACHE_LINE 64ul

void
arch_flush_cache(const void *p, size_t n)
{
	uintptr_t end = (uintptr_t)p + n;

	for (uintptr_t at = ALIGN_DOWN((uintptr_t)p, CACHE_LINE); at < end; at += CACHE_LINE)
		__asm__ volatile("clflush (%0)" ::"r"(at) : "memory");
	__asm__ volatile("mfence" ::: "memory");
}
