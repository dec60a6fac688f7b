/* SPDX-License-Identifier: MIT */
/* acpi_tables.c - tables of any firmware: no counter leaves its array, no field is read past the end. */
/* fuzz: kernel/arch/x86_64/acpi_tables.c */
#include "parser.h"

#include "../../../kernel/arch/x86_64/acpi_tables.h"

static void
check_info(const struct acpi_info *a)
{
	MUST(a->cpu_count <= ACPI_CPU_MAX && a->ioapic_count <= ACPI_IOAPIC_MAX);
	MUST(a->override_count <= ACPI_OVERRIDE_MAX && a->mcfg_count <= ACPI_MCFG_MAX);
	for (uint32_t i = 0; i < a->mcfg_count; i++)
		MUST(a->mcfg[i].bus_start <= a->mcfg[i].bus_end);
}

static void
read_rsdp(const uint8_t *data, size_t size)
{
	uint8_t rsdp[36] = { 0 };
	bool wide;

	memcpy(rsdp, data, size < sizeof(rsdp) ? size : sizeof(rsdp));
	/* Make the sums right now and then: a fuzzer does not hit them. */
	if (size > 36 && data[36] & 1) {
		uint8_t sum = 0;

		for (int i = 0; i < 20; i++)
			sum = (uint8_t)(sum + (i == 8 ? 0 : rsdp[i]));
		rsdp[8] = (uint8_t)-sum;
	}
	acpi_read_rsdp(rsdp, &wide);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct acpi_info info;
	uint8_t *table;

	if (size < 1)
		return 0;
	table = input_copy(data + 1, size - 1);
	memset(&info, 0, sizeof(info));
	switch (data[0] % 7) {
	case 0:
		read_rsdp(table, size - 1);
		break;
	case 1:
		acpi_read_madt(&info, table, size - 1);
		break;
	case 2:
		acpi_read_hpet(&info, table, size - 1);
		break;
	case 3:
		acpi_read_mcfg(&info, table, size - 1);
		break;
	case 4:
		acpi_read_fadt(&info, table, size - 1);
		break;
	case 5:
		acpi_read_s5(&info, table, size - 1);
		break;
	default:
		acpi_checksum_ok(table, size - 1);
		break;
	}
	check_info(&info);
	free(table);
	return 0;
}
