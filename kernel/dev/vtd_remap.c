/* SPDX-License-Identifier: MIT */
/*
 * vtd_remap.c - Intel's interrupt remapping: which device may raise which interrupt.
 *
 * A message does not say which vector of which CPU it means, but which entry of a table; the entry says that, and from
 * which device it takes messages. So a device, whatever its driver has it write, raises its own interrupts and no
 * others: anything else is a fault, told as those of memory are. Lines have an entry as well: theirs is the name
 * under which firmware says that an I/O APIC sends.
 *
 *   63    32 31      24 23    16 15 12 11    8 7  5  4  3  2  1  0
 *   [destination][ 0 ][ vector ][ 0  ][ 0    ][ 0 ][level][0][0][0][present]
 *   [ 0         ][ 0 ][ 0 ][ 19..18: 1, check the source ][ 17..16: 0, all bits ][ 15..0 source ]
 *
 * One table serves all units. What changes later is the lower half alone, by one write: a message is not lost while its
 * interrupt moves.
 *
 * Lock: arch's, which calls this: entries are taken, given and set under it.
 */
#include <tessera/bootinfo.h>
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/string.h>

#include "vtd_unit.h"

#define ENTRIES      256u            /* a page */
#define OLD_FORMAT_SPINS 1000u
#define PRESENT      BIT(0)
#define LEVEL        BIT(4)
#define CHECK_SOURCE (1ull << 18)

static uint64_t *table;                /* [I] */
static uint64_t used[ENTRIES / 64];
static bool wide;                      /* [I] destinations have 32 bits */

static bool
is_used(uint32_t entry)
{
	return used[entry / 64] & BIT(entry % 64);
}

static void
set_used(uint32_t entry, bool yes)
{
	if (yes)
		used[entry / 64] |= BIT(entry % 64);
	else
		used[entry / 64] &= ~BIT(entry % 64);
}

/* All units see the entries as they are. */
static void
changed(uint32_t first, uint32_t count)
{
	vtd_publish(&table[2 * first], (size_t)count * 16);
	for (uint32_t i = 0; i < vtd_unit_count; i++)
		vtd_forget_interrupts(&vtd_units[i], first, count);
}

static int
take_from(uint16_t source, uint32_t count)
{
	for (uint32_t at = 0; at + count <= ENTRIES; at += count) {
		uint32_t n = 0;

		while (n < count && !is_used(at + n))
			n++;
		if (n < count)
			continue;
		for (n = 0; n < count; n++) {
			set_used(at + n, true);
			table[2 * (at + n) + 1] = CHECK_SOURCE | source;
		}
		return (int)at;
	}
	return -ENOSPC;
}

static int
remap_take(uint32_t requester, uint32_t count)
{
	return take_from((uint16_t)requester, count);
}

static int
remap_take_line(uint32_t ioapic)
{
	for (uint32_t i = 0; i < vtd_unit_count; i++)
		for (uint32_t n = 0; n < vtd_units[i].ioapic_count; n++) {
			const struct vtd_ioapic *io = &vtd_units[i].ioapics[n];

			if (io->id == ioapic)
				return take_from((uint16_t)(io->bus << 8 | io->devfn), 1);
		}
	return -ENODEV;
}

static void
remap_give(int entry, uint32_t count)
{
	for (uint32_t n = 0; n < count; n++) {
		WRITE_ONCE(table[2 * ((uint32_t)entry + n)], 0);
		table[2 * ((uint32_t)entry + n) + 1] = 0;
		set_used((uint32_t)entry + n, false);
	}
	changed((uint32_t)entry, count);
}

static void
remap_set(int entry, uint8_t vector, uint32_t apic_id, bool level)
{
	uint64_t to = wide ? apic_id : apic_id << 8;

	atomic_store_release(&table[2 * (uint32_t)entry], to << 32 | (uint64_t)vector << 16 | (level ? LEVEL : 0) | PRESENT);
	changed((uint32_t)entry, 1);
}

static struct arch_irq_remapper remapper = { .take = remap_take, .take_line = remap_take_line, .give = remap_give, .set = remap_set };

/* Messages in the old format, which name a CPU and a vector, are let through or not. */
static void
allow_old_format(struct vtd_unit *u, bool yes)
{
	uint32_t now = vtd_read32(u, VTD_STATUS) & ~(uint32_t)(VTD_COMMAND_ONE_SHOT | VTD_COMMAND_OLD_FORMAT);

	vtd_write32(u, VTD_COMMAND, now | (yes ? VTD_COMMAND_OLD_FORMAT : 0));
	/* QEMU's lets them through in any case, and never says so: it is not waited for until it does. */
	for (uint32_t i = 0; i < OLD_FORMAT_SPINS; i++)
		if (!(vtd_read32(u, VTD_STATUS) & VTD_COMMAND_OLD_FORMAT) == !yes)
			return;
}

static bool
can_remap(void)
{
	if (boot_flag("nointremap") || vtd_unit_count == 0)
		return false;
	for (uint32_t i = 0; i < vtd_unit_count; i++) {
		const struct vtd_unit *u = &vtd_units[i];

		if (!(u->ecap & VTD_ECAP_INTERRUPTS) || !u->queue || (wide && !(u->ecap & VTD_ECAP_WIDE)))
			return false;
	}
	return true;
}

void
vtd_remap_start(void)
{
	wide = arch_irq_has_wide_ids();
	if (!can_remap()) {
		pr_info("iommu: interrupts are not remapped: who drives a device can raise any\n");
		return;
	}
	table = vtd_new_table();
	if (!table)
		panic("no memory for the table of interrupts");
	remapper.wide = wide;
	for (uint32_t i = 0; i < vtd_unit_count; i++) {
		struct vtd_unit *u = &vtd_units[i];

		vtd_write64(u, VTD_INTERRUPT_TABLE, virt_to_phys(table) | (wide ? VTD_INTERRUPT_WIDE : 0) | VTD_INTERRUPT_256);
		vtd_command(u, VTD_COMMAND_SET_INTERRUPTS);
		vtd_forget_interrupts(u, 0, 0);
		/* Lines go on in the old format until each has its entry: an edge that is lost does not come again. */
		allow_old_format(u, true);
		vtd_command(u, VTD_COMMAND_REMAP);
		u->remaps = true;
	}
	arch_irq_remap(&remapper);
	for (uint32_t i = 0; i < vtd_unit_count; i++)
		allow_old_format(&vtd_units[i], false);
	pr_info("iommu: interrupts are remapped: a device raises its own\n");
}

void
vtd_remap_dump(void)
{
	for (uint32_t i = 0; table && i < ENTRIES; i++)
		if (table[2 * i] & PRESENT)
			pr_info("  interrupt %u: from %02lx:%02lx.%lu to vector %#lx of APIC %#lx%s\n", i,
				table[2 * i + 1] >> 8 & 0xff, table[2 * i + 1] >> 3 & 0x1f, table[2 * i + 1] & 7,
				table[2 * i] >> 16 & 0xff, table[2 * i] >> (wide ? 32 : 40),
				table[2 * i] & LEVEL ? ", level" : "");
}
