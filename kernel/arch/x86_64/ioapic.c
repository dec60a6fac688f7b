/* SPDX-License-Identifier: MIT */
/*
 * ioapic.c - the chips that turn device lines (numbered by "global system interrupt") into messages
 * to local APICs. Two registers in memory, an index and a window, reach a table of one 64-bit entry
 * per line (Intel 82093AA data sheet, 3.2).
 */
#include <tessera/arch.h>
#include <tessera/arch/port.h>
#include <tessera/errno.h>
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
	uint32_t gsi_base, lines;     /* [I] */
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

int
ioapic_route(uint32_t gsi, bool level, bool active_low, uint8_t vector, uint32_t apic_id)
{
	struct ioapic *io = find(gsi);
	uint64_t entry = vector;

	if (!io || apic_id > 0xff)
		return -EINVAL;
	entry |= level ? ENTRY_LEVEL : 0;
	entry |= active_low ? ENTRY_ACTIVE_LOW : 0;
	entry |= (uint64_t)apic_id << 56;
	entry_write(io, gsi - io->gsi_base, entry);
	return 0;
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
