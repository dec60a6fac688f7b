/* SPDX-License-Identifier: MIT */
/*
 * acpi.c - find the ACPI tables in physical memory and have them read (acpi_tables.c).
 *
 * Firmware puts tables anywhere in memory, also in ranges that the map calls reserved and that the
 * direct map therefore leaves out; so each is mapped for the time of its reading.
 */
#include <tessera/arch.h>
#include <tessera/bootinfo.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "acpi_tables.h"

#define BIOS_AREA_START 0xe0000ul
#define BIOS_AREA_END   0x100000ul
#define EBDA_POINTER    0x40eul
#define PHYSICAL_END    (1ul << 46)
#define DEFAULT_LAPIC   0xfee00000ul

struct acpi_info acpi_info __ro_after_init;

/* Make physical memory readable. Memory below 1 MiB is in the direct map. */
static const void *
map(paddr_t start, size_t size)
{
	if (start < BIOS_AREA_END && size <= BIOS_AREA_END - start)
		return phys_to_virt(start);
	if (!start || start >= PHYSICAL_END || size > PHYSICAL_END - start)
		return NULL;
	return region_map_phys(start, size, PTE_READ);
}

static void
unmap(paddr_t start, const void *p)
{
	if (p && p != phys_to_virt(start))
		region_unmap((void *)p);
}

/*
 * Map the table at `start`, whole, if its length and checksum are right. NULL otherwise; `why` says
 * in the log which pointer led there.
 */
static const struct acpi_header *
map_table(paddr_t start, const char *why)
{
	const struct acpi_header *h = map(start, sizeof(*h));
	uint32_t length;

	if (!h) {
		pr_warn("acpi: %s points to %#lx, where no table can be\n", why, start);
		return NULL;
	}
	length = h->length;
	unmap(start, h);
	if (length < sizeof(*h) || length > ACPI_TABLE_MAX) {
		pr_warn("acpi: table at %#lx has length %u\n", start, length);
		return NULL;
	}
	h = map(start, length);
	if (h && !acpi_checksum_ok(h, length)) {
		pr_warn("acpi: table %.4s at %#lx has a wrong checksum\n", h->signature, start);
		unmap(start, h);
		return NULL;
	}
	return h;
}

static void
read_aml(paddr_t start, const char *why)
{
	const struct acpi_header *h = map_table(start, why);

	if (!h)
		return;
	acpi_read_s5(&acpi_info, h, h->length);
	unmap(start, h);
}

/* The tables of which there is one; a second that says so is somebody's mistake, and the first one counts. */
enum single_table { TABLE_MADT, TABLE_FADT, TABLE_HPET, TABLE_MCFG, TABLE_DMAR, SINGLE_TABLES };

static bool
is_first(const struct acpi_header *h, const char *signature, enum single_table which)
{
	static bool seen[SINGLE_TABLES]; /* the boot CPU */

	if (memcmp(h->signature, signature, sizeof(h->signature)))
		return false;
	if (seen[which]) {
		pr_warn("acpi: a second table %.4s is left out\n", signature);
		return false;
	}
	return seen[which] = true;
}

static void
read_table(paddr_t start)
{
	struct acpi_info *a = &acpi_info;
	const struct acpi_header *h = map_table(start, "the root table");
	paddr_t dsdt = 0;

	if (!h)
		return;
	pr_debug("acpi: %.4s at %#lx, %u bytes, revision %u\n", h->signature, start, h->length,
		 h->revision);
	if (is_first(h, "APIC", TABLE_MADT))
		acpi_read_madt(a, h, h->length);
	else if (is_first(h, "FACP", TABLE_FADT))
		dsdt = acpi_read_fadt(a, h, h->length);
	else if (is_first(h, "HPET", TABLE_HPET))
		acpi_read_hpet(a, h, h->length);
	else if (is_first(h, "MCFG", TABLE_MCFG))
		acpi_read_mcfg(a, h, h->length);
	else if (is_first(h, "DMAR", TABLE_DMAR))
		a->dmar = start;
	else if (!memcmp(h->signature, "SSDT", 4))
		acpi_read_s5(a, h, h->length);
	unmap(start, h);
	if (dsdt)
		read_aml(dsdt, "the FADT");
}

/* The root table is an array of 32-bit (RSDT) or 64-bit (XSDT) physical addresses. */
static void
read_root(paddr_t start, bool wide)
{
	const struct acpi_header *h = map_table(start, "the RSDP");
	size_t width = wide ? 8 : 4;

	if (!h)
		return;
	acpi_info.present = true;
	for (size_t at = sizeof(*h); at + width <= h->length; at += width) {
		paddr_t table = 0;

		memcpy(&table, (const char *)h + at, width);
		if (table)
			read_table(table);
	}
	unmap(start, h);
}

static paddr_t
search_range(paddr_t start, paddr_t end)
{
	bool wide;

	for (paddr_t at = start; at < end; at += 16)
		if (acpi_read_rsdp(phys_to_virt(at), &wide))
			return at;
	return 0;
}

/* ACPI 5.2.5.1: the first KiB of the extended BIOS data area, then the BIOS area. */
static paddr_t
search_rsdp(void)
{
	uint16_t segment;
	paddr_t ebda, found = 0;

	memcpy(&segment, phys_to_virt(EBDA_POINTER), sizeof(segment));
	ebda = (paddr_t)segment << 4;
	if (ebda >= 0x80000 && ebda < 0xa0000)
		found = search_range(ebda, MIN(ebda + 1024, 0xa0000ul));
	return found ? found : search_range(BIOS_AREA_START, BIOS_AREA_END);
}

/* bootinfo.rsdp may be our own copy inside the image, or anywhere in memory. */
static paddr_t
read_rsdp_at(paddr_t rsdp, bool *wide)
{
	const void *p;
	paddr_t root;

	if (rsdp >= bootinfo.kernel_start && rsdp < bootinfo.kernel_end)
		return acpi_read_rsdp(phys_to_virt(rsdp), wide);
	p = map(rsdp, 36);
	root = p ? acpi_read_rsdp(p, wide) : 0;
	unmap(rsdp, p);
	return root;
}

void
acpi_init(void)
{
	struct acpi_info *a = &acpi_info;
	paddr_t rsdp = bootinfo.rsdp, root = 0;
	bool wide = false;

	a->lapic_address = DEFAULT_LAPIC;
	a->has_pic = true;
	if (boot_flag("noacpi")) {
		pr_info("acpi: turned off by argument\n");
		return;
	}
	if (rsdp)
		root = read_rsdp_at(rsdp, &wide);
	if (!root && (rsdp = search_rsdp()) != 0)
		root = read_rsdp_at(rsdp, &wide);
	if (!root) {
		pr_warn("acpi: no tables found; one CPU, no power management\n");
		return;
	}
	read_root(root, wide);
	if (!a->lapic_address)
		a->lapic_address = DEFAULT_LAPIC;
	pr_info("acpi: %s at %#lx; %u CPUs, %u IOAPICs%s%s%s\n", wide ? "XSDT" : "RSDT", root,
		a->cpu_count, a->ioapic_count, a->hpet ? ", HPET" : "",
		a->pm_timer_port ? ", PM timer" : "", a->has_s5 ? ", power off" : "");
}

const void *
arch_acpi_table(const char *signature, size_t *size)
{
	const struct acpi_header *h;

	if (memcmp(signature, "DMAR", 4) || !acpi_info.dmar)
		return NULL;
	h = map_table(acpi_info.dmar, "the root table");
	if (h)
		*size = h->length;
	return h;
}

bool
arch_has_i8042(void)
{
	return acpi_info.present && !acpi_info.no_i8042;
}
