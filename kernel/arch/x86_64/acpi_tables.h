/* SPDX-License-Identifier: MIT */
/*
 * acpi_tables.h - pure readers of single ACPI tables; acpi.c finds the tables in memory.
 *
 * Each takes a whole table whose checksum holds, with its length, and believes no field: an entry that
 * leaves the table ends the reading, a value out of range is left out.
 */
#ifndef ARCH_X86_64_ACPI_TABLES_H
#define ARCH_X86_64_ACPI_TABLES_H

#include "acpi.h"

#define ACPI_HEADER_SIZE 36
#define ACPI_TABLE_MAX   (8u << 20)

/* The common head of all tables; unaligned fields, read in place. */
struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision, creator, creator_revision;
} __packed;

bool acpi_checksum_ok(const void *p, size_t size);
/* Reads the RSDP at `p` (20 or 36 bytes are readable by revision). Address of XSDT or RSDT, 0: bad. */
paddr_t acpi_read_rsdp(const void *p, bool *wide);
void acpi_read_madt(struct acpi_info *a, const void *table, size_t size);
void acpi_read_hpet(struct acpi_info *a, const void *table, size_t size);
void acpi_read_mcfg(struct acpi_info *a, const void *table, size_t size);
/* Returns the DSDT's address, 0: none. */
paddr_t acpi_read_fadt(struct acpi_info *a, const void *table, size_t size);
/* Look for the package \_S5 in AML (DSDT or SSDT). */
void acpi_read_s5(struct acpi_info *a, const void *table, size_t size);

#endif
