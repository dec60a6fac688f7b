/* SPDX-License-Identifier: MIT */
/*
 * acpi_tables.c - read single ACPI tables. Offsets are those of the ACPI specification 6.4, chapter
 * 5.2; the HPET table is IA-PC HPET 1.0a, 3.2.4; MCFG is PCI Firmware 3.2, 4.1.2.
 */
#include <tessera/string.h>

#include "acpi_tables.h"

/* Little-endian words at any alignment, 0 past the end. */
static uint64_t
field(const void *table, size_t size, size_t at, size_t width)
{
	uint64_t v = 0;

	if (at > size || width > size - at)
		return 0;
	memcpy(&v, (const char *)table + at, width);
	return v;
}

bool
acpi_checksum_ok(const void *p, size_t size)
{
	const uint8_t *byte = p;
	uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + byte[i]);
	return sum == 0;
}

#define RSDP_SIZE_1 20
#define RSDP_SIZE_2 36

paddr_t
acpi_read_rsdp(const void *p, bool *wide)
{
	paddr_t xsdt = 0;

	if (memcmp(p, "RSD PTR ", 8) || !acpi_checksum_ok(p, RSDP_SIZE_1))
		return 0;
	if (field(p, RSDP_SIZE_1, 15, 1) >= 2 && acpi_checksum_ok(p, RSDP_SIZE_2))
		xsdt = field(p, RSDP_SIZE_2, 24, 8);
	*wide = xsdt != 0;
	return xsdt ? xsdt : field(p, RSDP_SIZE_1, 16, 4);
}

enum madt_entry {
	MADT_CPU = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_LAPIC_ADDRESS = 5,
	MADT_CPU_X2APIC = 9,
};

#define MADT_ENTRIES     44
#define MADT_FLAG_PIC    1
#define CPU_FLAG_ENABLED 1

static void
add_cpu(struct acpi_info *a, uint32_t apic_id, uint32_t acpi_id, uint32_t flags)
{
	if (!(flags & CPU_FLAG_ENABLED) || a->cpu_count == ACPI_CPU_MAX)
		return;
	for (uint32_t i = 0; i < a->cpu_count; i++)
		if (a->cpu[i].apic_id == apic_id)
			return;
	a->cpu[a->cpu_count++] = (struct acpi_cpu){ .apic_id = apic_id, .acpi_id = acpi_id };
}

static void
add_override(struct acpi_info *a, const uint8_t *e, size_t length)
{
	uint16_t flags = (uint16_t)field(e, length, 8, 2);

	if (field(e, length, 2, 1) != 0 || e[3] > 15 || a->override_count == ACPI_OVERRIDE_MAX)
		return;
	a->override[a->override_count++] = (struct acpi_override){
		.source = e[3],
		.gsi = (uint32_t)field(e, length, 4, 4),
		.active_low = (flags & 3) == 3,
		.level = (flags >> 2 & 3) == 3,
	};
}

void
acpi_read_madt(struct acpi_info *a, const void *table, size_t size)
{
	size_t at = MADT_ENTRIES, length;

	a->lapic_address = field(table, size, 36, 4);
	a->has_pic = field(table, size, 40, 4) & MADT_FLAG_PIC;
	for (; at + 2 <= size; at += length) {
		const uint8_t *e = (const uint8_t *)table + at;

		length = e[1];
		if (length < 2 || length > size - at)
			return;
		if (e[0] == MADT_CPU && length >= 8 && e[3] != 0xff) {
			add_cpu(a, e[3], e[2], (uint32_t)field(e, length, 4, 4));
		} else if (e[0] == MADT_CPU_X2APIC && length >= 16) {
			add_cpu(a, (uint32_t)field(e, length, 4, 4), (uint32_t)field(e, length, 12, 4),
				(uint32_t)field(e, length, 8, 4));
		} else if (e[0] == MADT_IOAPIC && length >= 12 && a->ioapic_count < ACPI_IOAPIC_MAX) {
			a->ioapic[a->ioapic_count++] = (struct acpi_ioapic){
				.id = e[2],
				.address = field(e, length, 4, 4),
				.gsi_base = (uint32_t)field(e, length, 8, 4),
			};
		} else if (e[0] == MADT_OVERRIDE && length >= 10) {
			add_override(a, e, length);
		} else if (e[0] == MADT_LAPIC_ADDRESS && length >= 12) {
			a->lapic_address = field(e, length, 4, 8);
		}
	}
}

static struct acpi_register
read_register(const void *table, size_t size, size_t at)
{
	return (struct acpi_register){
		.space = (uint8_t)field(table, size, at, 1),
		.bits = (uint8_t)field(table, size, at + 1, 1),
		.address = field(table, size, at + 4, 8),
	};
}

void
acpi_read_hpet(struct acpi_info *a, const void *table, size_t size)
{
	struct acpi_register r = read_register(table, size, 40);

	if (r.space == ACPI_SPACE_MEMORY)
		a->hpet = r.address;
}

void
acpi_read_mcfg(struct acpi_info *a, const void *table, size_t size)
{
	for (size_t at = 44; at + 16 <= size && a->mcfg_count < ACPI_MCFG_MAX; at += 16) {
		struct acpi_mcfg m = {
			.address = field(table, size, at, 8),
			.segment = (uint16_t)field(table, size, at + 8, 2),
			.bus_start = (uint8_t)field(table, size, at + 10, 1),
			.bus_end = (uint8_t)field(table, size, at + 11, 1),
		};

		if (m.address && m.bus_start <= m.bus_end)
			a->mcfg[a->mcfg_count++] = m;
	}
}

#define FADT_FLAG_TIMER_32 BIT(8)
#define FADT_FLAG_RESET    BIT(10)
#define FADT_FLAG_REDUCED  BIT(20)
#define FADT_BOOT_I8042    BIT(1)

/* A port that is given as a 32-bit number, and in later revisions as a register too. */
static uint16_t
read_port(const void *table, size_t size, size_t old_at, size_t new_at)
{
	struct acpi_register r = read_register(table, size, new_at);

	if (r.address && r.space == ACPI_SPACE_PORT && r.address <= 0xffff)
		return (uint16_t)r.address;
	return (uint16_t)field(table, size, old_at, 4);
}

paddr_t
acpi_read_fadt(struct acpi_info *a, const void *table, size_t size)
{
	uint32_t flags = (uint32_t)field(table, size, 112, 4);
	paddr_t dsdt = field(table, size, 140, 8);

	a->sci = (uint16_t)field(table, size, 46, 2);
	a->smi_command = (uint32_t)field(table, size, 48, 4);
	a->acpi_enable = (uint8_t)field(table, size, 52, 1);
	a->pm1a_control = read_port(table, size, 64, 172);
	a->pm1b_control = read_port(table, size, 68, 184);
	a->pm_timer_port = read_port(table, size, 76, 208);
	a->pm_timer_32bit = flags & FADT_FLAG_TIMER_32;
	a->century_index = (uint8_t)field(table, size, 108, 1);
	a->reset_supported = flags & FADT_FLAG_RESET;
	a->reset = read_register(table, size, 116);
	a->reset_value = (uint8_t)field(table, size, 128, 1);
	a->reduced_hardware = flags & FADT_FLAG_REDUCED;
	/* IAPC_BOOT_ARCH, from revision 2 on */
	a->no_i8042 = a->reduced_hardware ||
		      (size > 110 && ((const uint8_t *)table)[8] >= 2 && !(field(table, size, 109, 2) & FADT_BOOT_I8042));
	if (a->reduced_hardware)
		a->sleep_control = read_register(table, size, 244);
	return dsdt ? dsdt : field(table, size, 40, 4);
}

enum aml_op {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_WORD = 0x0b,
	AML_DWORD = 0x0c,
	AML_PACKAGE = 0x12,
	AML_ROOT = '\\',
};

/* One integer constant of a package at *at. False when it is none. */
static bool
aml_integer(const uint8_t *aml, size_t size, size_t *at, uint8_t *value)
{
	size_t width;

	if (*at >= size)
		return false;
	switch (aml[*at]) {
	case AML_ZERO:
	case AML_ONE:
		*value = aml[(*at)++];
		return true;
	case AML_BYTE:
		width = 1;
		break;
	case AML_WORD:
		width = 2;
		break;
	case AML_DWORD:
		width = 4;
		break;
	default:
		return false;
	}
	if (width >= size - *at)
		return false;
	*value = aml[*at + 1];
	*at += 1 + width;
	return true;
}

/* The package behind "_S5_" at `i`, if that is what it is. */
static bool
read_s5_at(struct acpi_info *a, const uint8_t *aml, size_t size, size_t i)
{
	size_t at = i + 4;
	uint8_t type_a, type_b;

	if (aml[at] != AML_PACKAGE)
		return false;
	if (aml[i - 1] != AML_NAME && !(aml[i - 1] == AML_ROOT && aml[i - 2] == AML_NAME))
		return false;
	at++;
	at += 1 + (aml[at] >> 6); /* length: 1 to 4 bytes */
	at++;                     /* number of elements */
	if (!aml_integer(aml, size, &at, &type_a))
		return false;
	if (!aml_integer(aml, size, &at, &type_b))
		type_b = type_a;
	a->s5_type_a = type_a & 7;
	a->s5_type_b = type_b & 7;
	return true;
}

/*
 * Name (\_S5, Package () { type for PM1a, type for PM1b, ... }) is always written with constants,
 * so that finding its bytes needs no AML interpreter. A '5' is rare, and is looked for first.
 */
void
acpi_read_s5(struct acpi_info *a, const void *table, size_t size)
{
	const uint8_t *aml = table;

	if (a->has_s5)
		return;
	for (size_t i = ACPI_HEADER_SIZE + 1; i + 7 <= size; i++)
		if (aml[i + 2] == '5' && !memcmp(aml + i, "_S5_", 4) && read_s5_at(a, aml, size, i)) {
			a->has_s5 = true;
			return;
		}
}
