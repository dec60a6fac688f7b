/* SPDX-License-Identifier: MIT */
/*
 * start.c - the order in which the boot CPU brings the machine up: arch.h's five calls.
 */
#include <tessera/arch.h>
#include <tessera/bootinfo.h>
#include <tessera/cpu.h>
#include <tessera/slab.h>

#include "acpi.h"
#include "apic.h"
#include "apic_timer.h"
#include "descriptors.h"
#include "features.h"
#include "fpu.h"
#include "kernel_image.h"
#include "msr.h"
#include "platform.h"
#include "traps.h"
#include "user_copy.h"
#include "vdso.h"

static struct cpu boot_cpu;

void
arch_init_early(void)
{
	console_init_early();
	framebuffer_init(&bootinfo.framebuffer);
	features_detect();
	features_init_cpu();
	user_copy_init();
	cpus[0] = &boot_cpu;
	boot_cpu.self = &boot_cpu;
	boot_cpu.kernel_stack_top = (vaddr_t)boot_stack_top;
	traps_init();
	descriptors_init_cpu(&boot_cpu);
	syscall_init_cpu();
	fpu_init_cpu();
	boot_cpu.arch.online = 1;
}

void
arch_init_platform(void)
{
	fpu_init_areas();
	framebuffer_map();
	acpi_init();
	power_init();
	pic_disable();
	lapic_init();
	boot_cpu.arch.apic_id = lapic_id();
	ioapic_init();
	clock_init();
	vdso_init();
	apic_timer_init();
}

void
arch_init_late(void)
{
	memory_map_seal();
}

void *
arch_map_device(paddr_t start, size_t size)
{
	return region_map_phys(start, size, PTE_READ | PTE_WRITE | PTE_UNCACHED | PTE_DEVICE);
}

/* RDSEED is slower and may run dry; RDRAND is what it feeds. */
uint64_t
arch_random(bool *ok)
{
	uint64_t word = 0;
	bool got = false;

	if (cpu_features.rdrand)
		for (int i = 0; i < 16 && !got; i++)
			__asm__ volatile("rdrand %0" : "=r"(word), "=@ccc"(got)::"cc");
	else if (cpu_features.rdseed)
		for (int i = 0; i < 64 && !got; i++)
			__asm__ volatile("rdseed %0" : "=r"(word), "=@ccc"(got)::"cc");
	*ok = got;
	return got ? word : 0;
}
