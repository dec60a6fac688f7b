/* SPDX-License-Identifier: MIT */
/*
 * power.c - the ways to stop: power off, reset, halt, and leaving an emulator with a status. Any
 * context; each way is tried in turn, the surest last.
 */
#include <tessera/arch.h>
#include <tessera/arch/port.h>
#include <tessera/bootinfo.h>
#include <tessera/kcsan.h>
#include <tessera/print.h>
#include <tessera/slab.h>

#include "acpi.h"
#include "msr.h"
#include "platform.h"

#define SCI_ENABLED      1            /* in PM1 control */
#define SLEEP_TYPE_SHIFT 10
#define SLEEP_ENABLE     (1u << 13)
#define REDUCED_SLEEP_ENABLE     (1u << 5) /* in the sleep control register */
#define REDUCED_SLEEP_TYPE_SHIFT 2

#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_BUSY    2
#define KEYBOARD_RESET   0xfe
#define RESET_CONTROL    0xcf9
#define DEBUG_EXIT_PORT  0xf4   /* QEMU's device isa-debug-exit */
#define BOCHS_STOP_PORT  0x8900 /* where Bochs listens for the word */

#define EMULATOR_STATUS_OFF 125 /* becomes 251 */

#define RESET_WAIT_NS 100000000ull
#define OFF_WAIT_NS   5000000000ull /* an emulator ends when its host's scheduler lets it */

static void *reset_memory __ro_after_init; /* where the reset register is, if it is in memory */
static void *sleep_memory __ro_after_init;

/* Registers in memory are mapped now: there may be no memory for it when they are needed. */
void
power_init(void)
{
	const struct acpi_info *a = &acpi_info;

	if (a->reset_supported && a->reset.space == ACPI_SPACE_MEMORY && a->reset.address)
		reset_memory = arch_map_device(a->reset.address, 1);
	if (a->reduced_hardware && a->sleep_control.space == ACPI_SPACE_MEMORY &&
	    a->sleep_control.address)
		sleep_memory = arch_map_device(a->sleep_control.address, 1);
}

static void
write_register(const struct acpi_register *r, void *memory, uint8_t value)
{
	if (r->space == ACPI_SPACE_PORT && r->address && r->address <= 0xffff)
		port_write8((uint16_t)r->address, value);
	else if (memory)
		*(volatile uint8_t *)memory = value;
}

/* Firmware hands the power registers over when asked through its port (ACPI 4.8.2.5). */
static void
enable_acpi(void)
{
	const struct acpi_info *a = &acpi_info;

	if (!a->smi_command || !a->acpi_enable || (port_read16(a->pm1a_control) & SCI_ENABLED))
		return;
	port_write8((uint16_t)a->smi_command, a->acpi_enable);
	for (int i = 0; i < 1000 && !(port_read16(a->pm1a_control) & SCI_ENABLED); i++)
		clock_spin_ns(1000000);
}

void __noreturn
arch_power_off(void)
{
	const struct acpi_info *a = &acpi_info;
	bool asked = true;

	if (config_kcsan)
		kcsan_summary();
	arch_irq_disable();
	arch_stop_other_cpus();
	serial_flush();
	if (a->reduced_hardware) {
		write_register(&a->sleep_control, sleep_memory,
			       (uint8_t)(REDUCED_SLEEP_ENABLE |
					 (a->has_s5 ? a->s5_type_a : 5) << REDUCED_SLEEP_TYPE_SHIFT));
	} else if (a->has_s5 && a->pm1a_control) {
		enable_acpi();
		port_write16(a->pm1a_control,
			     (uint16_t)(a->s5_type_a << SLEEP_TYPE_SHIFT | SLEEP_ENABLE));
		if (a->pm1b_control)
			port_write16(a->pm1b_control,
				     (uint16_t)(a->s5_type_b << SLEEP_TYPE_SHIFT | SLEEP_ENABLE));
	} else {
		asked = false;
	}
	if (asked)
		clock_spin_ns(OFF_WAIT_NS);
	pr_err("power: this machine cannot be switched off by software\n");
	/* An emulator still can end. */
	if (arch_is_guest())
		arch_exit_emulator(EMULATOR_STATUS_OFF);
	arch_halt();
}

void __noreturn
arch_reboot(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __packed no_idt = { 0, 0 };

	arch_irq_disable();
	arch_stop_other_cpus();
	if (acpi_info.reset_supported) {
		write_register(&acpi_info.reset, reset_memory, acpi_info.reset_value);
		clock_spin_ns(RESET_WAIT_NS);
	}
	for (int i = 0; i < 100000 && (port_read8(KEYBOARD_COMMAND) & KEYBOARD_BUSY); i++)
		arch_cpu_relax();
	port_write8(KEYBOARD_COMMAND, KEYBOARD_RESET);
	clock_spin_ns(RESET_WAIT_NS);
	port_write8(RESET_CONTROL, 0x02);
	port_write8(RESET_CONTROL, 0x06);
	clock_spin_ns(RESET_WAIT_NS);

	/* An exception that cannot be delivered resets the CPU. */
	__asm__ volatile("lidt %0; int3" ::"m"(no_idt));
	arch_halt();
}

void __noreturn
arch_halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt" ::: "memory");
}

void __noreturn
arch_exit_emulator(uint8_t status)
{
	static const char word[] = "Shutdown";

	serial_flush();
	port_write8(DEBUG_EXIT_PORT, status);
	for (size_t i = 0; i < sizeof(word) - 1; i++)
		port_write8(BOCHS_STOP_PORT, (uint8_t)word[i]);
	arch_halt();
}

void
arch_idle(void)
{
	if (latency_watched())
		latency_irqs_on();
	/* STI takes effect after the next instruction: no interrupt is lost between the two. */
	__asm__ volatile("sti; hlt" ::: "memory");
}
