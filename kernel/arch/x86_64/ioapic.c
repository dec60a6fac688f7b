/* SPDX-License-Identifier: MIT */
/*
 * ioapic.c - the chips that turn device lines (numbered by "global system interrupt") into messages
 * to local APICs. Two registers in memory, an index and a window, reach a table of one 64-bit entry
 * per line (Intel 82093AA data sheet, 3.2).
 */
#include <tessera/arch.h>
#include <tessera/arch/port.h>
#include <tessera/print.h>

#include "acpi.h"
#include "apic.h"

#define IOAPIC_INDEX   (0x00 / 4)
#define IOAPIC_WINDOW  (0x10 / 4)
#define IOAPIC_VERSION 0x01
#define IOAPIC_ENTRY   0x10 /* + 2 * line */

#define ENTRY_ACTIVE_LOW BIT(13)
#define ENTRY_LEVEL      BIT(15)
#define ENTRY_MASKED     BIT(16)

struct ioapic {
	volatile uint32_t *registers; /* [I] */
	uint32_t id, gsi_base, lines; /* [I] */
};

static struct ioapic ioapics[ACPI_IOAPIC_MAX] __ro_after_init; /* registers behind it: irq_lock */
static uint32_t ioapic_count __ro_after_init;

static uint32_t
reg_read(struct ioapic *io, uint32_t reg)
{
	io->registers[IOAPIC_INDEX] = reg;
	return io->registers[IOAPIC_WINDOW];
}

static void
reg_write(struct ioapic *io, uint32_t reg, uint32_t value)
{
	io->registers[IOAPIC_INDEX] = reg;
	io->registers[IOAPIC_WINDOW] = value;
}

/* Masked first and last to be written, so that no half-written entry delivers. */
static void
entry_write(struct ioapic *io, uint32_t line, uint64_t entry)
{
	reg_write(io, IOAPIC_ENTRY + 2 * line, ENTRY_MASKED);
	reg_write(io, IOAPIC_ENTRY + 2 * line + 1, (uint32_t)(entry >> 32));
	reg_write(io, IOAPIC_ENTRY + 2 * line, (uint32_t)entry);
}

static struct ioapic *
find(uint32_t gsi)
{
	for (uint32_t i = 0; i < ioapic_count; i++)
		if (gsi >= ioapics[i].gsi_base && gsi - ioapics[i].gsi_base < ioapics[i].lines)
			return &ioapics[i];
	return NULL;
}

bool
ioapic_has(uint32_t gsi)
{
	return find(gsi) != NULL;
}

uint32_t
ioapic_lines(void)
{
	uint32_t n = 16; /* those of ISA, in any case */

	for (uint32_t i = 0; i < ioapic_count; i++)
		n = MAX(n, ioapics[i].gsi_base + ioapics[i].lines);
	return n;
}

uint32_t
ioapic_id(uint32_t gsi)
{
	const struct ioapic *io = find(gsi);

	return io ? io->id : UINT32_MAX;
}

uint32_t
ioapic_pin(uint32_t gsi)
{
	const struct ioapic *io = find(gsi);

	return io ? gsi - io->gsi_base : gsi;
}

/* The upper half of an entry says where to: a CPU, or (remappable: bit 48 of the entry) a number in a table. */
static uint32_t
to_cpu(uint32_t apic_id)
{
	return apic_id << 24;
}

static uint32_t
to_entry(uint32_t entry)
{
	return entry << 17 | BIT(16); /* below 32768: bit 15 of it, in the lower half, is 0 */
}

void
ioapic_route(uint32_t gsi, bool level, bool active_low, uint8_t vector, uint32_t apic_id, int entry)
{
	struct ioapic *io = find(gsi);
	uint64_t value = vector;

	value |= level ? ENTRY_LEVEL : 0;
	value |= active_low ? ENTRY_ACTIVE_LOW : 0;
	value |= (uint64_t)(entry >= 0 ? to_entry((uint32_t)entry) : to_cpu(apic_id)) << 32;
	entry_write(io, gsi - io->gsi_base, value);
}

static void
write_upper(uint32_t gsi, uint32_t value)
{
	struct ioapic *io = find(gsi);

	reg_write(io, IOAPIC_ENTRY + 2 * (gsi - io->gsi_base) + 1, value);
}

void
ioapic_aim(uint32_t gsi, uint32_t apic_id)
{
	write_upper(gsi, to_cpu(apic_id));
}

void
ioapic_remap(uint32_t gsi, uint32_t entry)
{
	write_upper(gsi, to_entry(entry));
}

void
ioapic_set_mask(uint32_t gsi, bool masked)
{
	struct ioapic *io = find(gsi);
	uint32_t line, low;

	if (!io)
		return;
	line = gsi - io->gsi_base;
	low = reg_read(io, IOAPIC_ENTRY + 2 * line);
	reg_write(io, IOAPIC_ENTRY + 2 * line, masked ? low | ENTRY_MASKED : low & ~(uint32_t)ENTRY_MASKED);
}

void
ioapic_init(void)
{
	for (uint32_t i = 0; i < acpi_info.ioapic_count; i++) {
		const struct acpi_ioapic *a = &acpi_info.ioapic[i];
		struct ioapic *io = &ioapics[ioapic_count];

		io->registers = arch_map_device(a->address, PAGE_SIZE);
		if (!io->registers) {
			pr_warn("ioapic: no memory to map the one at %#lx\n", a->address);
			continue;
		}
		io->id = a->id;
		io->gsi_base = a->gsi_base;
		io->lines = (reg_read(io, IOAPIC_VERSION) >> 16 & 0xff) + 1;
		for (uint32_t line = 0; line < io->lines; line++)
			entry_write(io, line, ENTRY_MASKED);
		ioapic_count++;
	}
}

/* 8259A: move its vectors away from the exceptions, then mask every line. */
#define PIC1 0x20
#define PIC2 0xa0

void
pic_disable(void)
{
	if (!acpi_info.has_pic)
		return;
	port_write8(PIC1, 0x11);                /* ICW1: edge, cascade, ICW4 follows */
	port_write8(PIC2, 0x11);
	port_write8(PIC1 + 1, VECTOR_PIC);      /* ICW2 */
	port_write8(PIC2 + 1, VECTOR_PIC + 8);
	port_write8(PIC1 + 1, 4);               /* ICW3 */
	port_write8(PIC2 + 1, 2);
	port_write8(PIC1 + 1, 1);               /* ICW4: 8086 */
	port_write8(PIC2 + 1, 1);
	port_write8(PIC1 + 1, 0xff);
	port_write8(PIC2 + 1, 0xff);
}
