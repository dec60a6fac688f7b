/* SPDX-License-Identifier: MIT */
/*
 * acpi.h - what the kernel reads from the ACPI tables, once, at start-up.
 */
#ifndef ARCH_X86_64_ACPI_H
#define ARCH_X86_64_ACPI_H

#include <tessera/types.h>

#define ACPI_IOAPIC_MAX   8
#define ACPI_OVERRIDE_MAX 16
#define ACPI_CPU_MAX      256
#define ACPI_NMI_MAX      8
#define ACPI_MCFG_MAX     8

/* A register somewhere: the "generic address" of the ACPI specification, 5.2.3.2. */
struct acpi_register {
	uint8_t space;          /* 0 memory, 1 ports */
	uint8_t bits;
	uint64_t address;       /* 0: absent */
};
#define ACPI_SPACE_MEMORY 0
#define ACPI_SPACE_PORT   1

struct acpi_cpu {
	uint32_t apic_id, acpi_id;
};

struct acpi_ioapic {
	uint32_t id;
	paddr_t address;
	uint32_t gsi_base;
};

/* ISA interrupt `source` arrives at `gsi` with this polarity and trigger. */
struct acpi_override {
	uint8_t source;
	uint32_t gsi;
	bool active_low, level;
};

struct acpi_mcfg {
	paddr_t address;
	uint16_t segment;
	uint8_t bus_start, bus_end;
};

struct acpi_info {
	bool present;           /* tables were found */
	paddr_t lapic_address;
	bool has_pic;           /* two 8259s are wired up and must be silenced */
	struct acpi_cpu cpu[ACPI_CPU_MAX];
	uint32_t cpu_count;
	struct acpi_ioapic ioapic[ACPI_IOAPIC_MAX];
	uint32_t ioapic_count;
	struct acpi_override override[ACPI_OVERRIDE_MAX];
	uint32_t override_count;
	struct acpi_mcfg mcfg[ACPI_MCFG_MAX];
	uint32_t mcfg_count;

	paddr_t hpet;           /* 0: none */
	uint16_t sci;
	uint16_t pm_timer_port; /* 0: none */
	bool pm_timer_32bit;
	uint16_t pm1a_control, pm1b_control; /* ports, 0: none */
	uint32_t smi_command;
	uint8_t acpi_enable;
	bool has_s5;
	uint8_t s5_type_a, s5_type_b;
	bool reset_supported;
	struct acpi_register reset;
	uint8_t reset_value;
	uint8_t century_index;  /* in the CMOS clock, 0: none */
	bool reduced_hardware;
	bool no_i8042;          /* the FADT says that there is no keyboard controller of the PC's */
	paddr_t dmar;           /* the table that tells of DMA remapping, 0: none */
	struct acpi_register sleep_control; /* reduced hardware: the way to power off */
};

extern struct acpi_info acpi_info; /* [I] after acpi_init() */

/*
 * Read all tables. Needs the direct map. Tables with a wrong checksum, length or address are
 * skipped, each with a line in the log; without any, acpi_info describes one CPU and no IOAPIC.
 */
void acpi_init(void);

#endif
