/* SPDX-License-Identifier: MIT */
/*
 * lapic.c - the interrupt controller inside each CPU: as registers in memory (xAPIC) or as MSRs
 * (x2APIC, Intel SDM volume 3, chapter 11). All CPUs run in the mode that the boot CPU chose.
 *
 * In xAPIC mode a message to another CPU takes two writes, between which no interrupt handler may
 * send one of its own: the senders here turn interrupts off.
 */
#include <tessera/arch.h>
#include <tessera/cpu.h>
#include <tessera/panic.h>
#include <tessera/print.h>

#include "acpi.h"
#include "apic.h"
#include "features.h"
#include "lapic_hw.h"
#include "msr.h"
#include "platform.h"

static volatile uint32_t *registers __ro_after_init; /* xAPIC */
static bool x2apic __ro_after_init;

#define DELIVERY_SPINS 1000000

uint32_t
lapic_read(uint32_t reg)
{
	if (x2apic)
		return (uint32_t)rdmsr(MSR_X2APIC + (reg >> 4));
	return registers[reg / 4];
}

void
lapic_write(uint32_t reg, uint32_t value)
{
	if (x2apic)
		wrmsr(MSR_X2APIC + (reg >> 4), value);
	else
		registers[reg / 4] = value;
}

uint32_t
lapic_id(void)
{
	if (cpu_features.max_leaf >= 0xb && cpuid_read(0xb, 0).ebx)
		return cpuid_read(0xb, 0).edx;
	return cpuid_read(1, 0).ebx >> 24;
}

bool
lapic_is_x2apic(void)
{
	return x2apic;
}

void
lapic_init(void)
{
	paddr_t address = acpi_info.lapic_address;

	/* Firmware that already switched cannot be followed back without losing the APIC's state. */
	x2apic = cpu_features.x2apic || (rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC);
	if (!x2apic) {
		registers = arch_map_device(address, PAGE_SIZE);
		if (!registers)
			panic("lapic: no memory to map the registers at %#lx", address);
	}
	lapic_init_cpu();
	pr_info("apic: %s, boot CPU %u\n", x2apic ? "x2APIC" : "xAPIC", lapic_id());
}

void
lapic_init_cpu(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;

	wrmsr(MSR_APIC_BASE, base);
	if (x2apic)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2APIC);

	lapic_write(LAPIC_TASK_PRIORITY, 0);
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
	lapic_write(LAPIC_LVT_LINT1, LVT_NMI);
	lapic_write(LAPIC_LVT_ERROR, VECTOR_ERROR);
	if ((lapic_read(LAPIC_VERSION) >> 16 & 0xff) >= 4)
		lapic_write(LAPIC_LVT_PERFORMANCE, LVT_MASKED);
	lapic_write(LAPIC_ERROR_STATUS, 0);
	lapic_write(LAPIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	lapic_eoi();
}

void
lapic_eoi(void)
{
	lapic_write(LAPIC_EOI, 0);
}

static void
wait_delivered(void)
{
	for (uint32_t i = 0; i < DELIVERY_SPINS && (lapic_read(LAPIC_COMMAND_LOW) & COMMAND_PENDING); i++)
		arch_cpu_relax();
}

static void
send(uint32_t apic_id, uint32_t command)
{
	uint64_t flags;

	if (x2apic) {
		/* Unlike the write to memory, the MSR write orders nothing before it. */
		__asm__ volatile("mfence; lfence" ::: "memory");
		wrmsr(MSR_X2APIC + (LAPIC_COMMAND_LOW >> 4), (uint64_t)apic_id << 32 | command);
		return;
	}
	flags = arch_irq_save();
	/* A hypervisor delivers within the write, and is entered by each access: none is made for nothing. */
	if (!arch_is_guest())
		wait_delivered();
	if (!(command & COMMAND_OTHERS))
		lapic_write(LAPIC_COMMAND_HIGH, apic_id << 24);
	lapic_write(LAPIC_COMMAND_LOW, command);
	arch_irq_restore(flags);
}

void
lapic_send(uint32_t apic_id, uint8_t vector)
{
	send(apic_id, COMMAND_FIXED | vector);
}

/* One message to every CPU of the machine but this one, started or not. */
void
lapic_send_others(uint8_t vector)
{
	send(0, COMMAND_FIXED | COMMAND_OTHERS | vector);
}

void
lapic_send_nmi(uint32_t apic_id)
{
	send(apic_id, COMMAND_NMI);
}

void
lapic_send_init(uint32_t apic_id)
{
	send(apic_id, COMMAND_INIT | COMMAND_ASSERT);
}

void
lapic_send_startup(uint32_t apic_id, uint8_t page)
{
	send(apic_id, COMMAND_STARTUP | page);
}
