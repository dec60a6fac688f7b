/* SPDX-License-Identifier: MIT */
/*
 * acpi_tables.c - ACPI tables are read right, and tables of garbage are read without harm; the CMOS
 * clock's cells become the right second.
 */
/* unit: kernel/arch/x86_64/acpi_tables.c kernel/arch/x86_64/cmos.c */
#include <stdlib.h>
#include <string.h>

#include <tessera/arch.h>

#include "../../kernel/arch/x86_64/acpi_tables.h"
#include "../../kernel/arch/x86_64/cmos.h"
#include "unit.h"

struct acpi_info acpi_info; /* cmos.c */

static void
madt(void **state)
{
	static const uint8_t entries[] = {
		0, 8, 0, 0, 1, 0, 0, 0,                    /* CPU, APIC id 0 */
		0, 8, 1, 2, 1, 0, 0, 0,                    /* CPU, APIC id 2 */
		0, 8, 2, 4, 0, 0, 0, 0,                    /* disabled */
		9, 16, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0,       /* APIC id 2 again */
		9, 16, 0, 0, 0, 3, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0,       /* APIC id 0x300 */
		1, 12, 7, 0, 0, 0, 0xc0, 0xfe, 24, 0, 0, 0,            /* IOAPIC */
		2, 10, 0, 0, 2, 0, 0, 0, 0, 0,                         /* ISA 0 -> GSI 2 */
		2, 10, 0, 9, 9, 0, 0, 0, 0x0f, 0,                      /* ISA 9, level, low */
		2, 10, 0, 77, 9, 0, 0, 0, 0, 0,                        /* no such ISA line */
		5, 12, 0, 0, 0, 0, 0xe0, 0xfe, 1, 0, 0, 0,             /* local APIC elsewhere */
		0, 0, 0, 0,                                            /* length 0: end of sense */
	};
	uint8_t *table = calloc(1, 44 + sizeof(entries));
	struct acpi_info a = { 0 };

	table[36 + 4] = 1;
	memcpy(table + 44, entries, sizeof(entries));
	acpi_read_madt(&a, table, 44 + sizeof(entries));
	assert_int_equal(a.cpu_count, 3);
	assert_int_equal(a.cpu[1].apic_id, 2);
	assert_int_equal(a.cpu[2].apic_id, 0x300);
	assert_int_equal(a.ioapic_count, 1);
	assert_int_equal(a.ioapic[0].address, 0xfec00000);
	assert_int_equal(a.ioapic[0].gsi_base, 24);
	assert_int_equal(a.override_count, 2);
	assert_int_equal(a.override[0].gsi, 2);
	assert_false(a.override[0].level);
	assert_true(a.override[1].level);
	assert_true(a.override[1].active_low);
	assert_int_equal(a.lapic_address, 0x1fee00000);
	assert_true(a.has_pic);
	free(table);
}

static void
s5(void **state)
{
	static const uint8_t aml[] = { 0x10, 0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 0x05, 0x01, 0, 0 };
	static const uint8_t root[] = { 0x08, '\\', '_', 'S', '5', '_', 0x12, 0x46, 0x00, 0x02, 0x00, 0x0b, 3, 0 };
	uint8_t table[ACPI_HEADER_SIZE + sizeof(aml)] = { 0 };
	struct acpi_info a = { 0 };

	memcpy(table + ACPI_HEADER_SIZE, aml, sizeof(aml));
	acpi_read_s5(&a, table, sizeof(table));
	assert_true(a.has_s5);
	assert_int_equal(a.s5_type_a, 5);
	assert_int_equal(a.s5_type_b, 1);

	a = (struct acpi_info){ 0 };
	memcpy(table + ACPI_HEADER_SIZE, root, sizeof(root));
	acpi_read_s5(&a, table, sizeof(table));
	assert_true(a.has_s5);
	assert_int_equal(a.s5_type_a, 0);
	assert_int_equal(a.s5_type_b, 3);
}

static void
rsdp(void **state)
{
	uint8_t p[36] = "RSD PTR ";
	bool wide = true;
	uint8_t sum = 0;

	assert_int_equal(acpi_read_rsdp(p, &wide), 0);
	p[17] = 0x34;
	for (int i = 0; i < 20; i++)
		sum = (uint8_t)(sum + p[i]);
	p[8] = (uint8_t)-sum;
	assert_int_equal(acpi_read_rsdp(p, &wide), 0x3400);
	assert_false(wide);
}

/* Every reader on random bytes of every length up to a table's size. ASan watches the edges. */
static void
garbage(void **state)
{
	srand(7);
	for (int round = 0; round < 4000; round++) {
		size_t size = (size_t)rand() % 300 + ACPI_HEADER_SIZE;
		uint8_t *table = malloc(size);
		struct acpi_info a = { 0 };

		for (size_t i = 0; i < size; i++)
			table[i] = (uint8_t)(rand() % 4 ? rand() % 18 : rand());
		if (round % 2 && size > 60)
			memcpy(table + size - 1 - (size_t)rand() % 14 - 5, "\b_S5_\x12", 6);
		acpi_read_madt(&a, table, size);
		acpi_read_fadt(&a, table, size);
		acpi_read_hpet(&a, table, size);
		acpi_read_mcfg(&a, table, size);
		acpi_read_s5(&a, table, size);
		free(table);
	}
}

static void
clock_cells(void **state)
{
	struct cmos_time bcd = { 0x59, 0x58, 0x23, 0x29, 0x02, 0x24, 0x20, 0x02 };
	struct cmos_time binary12 = { 1, 2, 0x80 | 12, 1, 3, 0, 0, 0x04 };
	struct cmos_time odd = { 0x61, 0, 0, 1, 1, 0x24, 0x20, 0x02 };

	assert_int_equal(cmos_to_seconds(&bcd), 1709251139);     /* 2024-02-29 23:58:59 */
	assert_int_equal(cmos_to_seconds(&binary12), 951912121); /* 2000-03-01 12:02:01 */
	assert_int_equal(cmos_to_seconds(&odd), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(madt), cmocka_unit_test(s5), cmocka_unit_test(rsdp),
		cmocka_unit_test(garbage), cmocka_unit_test(clock_cells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
