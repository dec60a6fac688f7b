/* SPDX-License-Identifier: MIT */
/*
 * smp_start.c - wake the other CPUs, all at once.
 *
 *	(1) the boot CPU makes for each CPU of the MADT a slot: identity, struct cpu, stack
 *	(2) it sends INIT to all, waits, sends the start-up message to all
 *	(3) each CPU finds and claims its slot (trampoline.S), switches to the kernel's page table,
 *	    sets itself up, enters itself in cpus[] and goes on in the scheduler
 *	(4) who has not claimed after a while is sent the message once more; who still has not is given
 *	    up: its slot is taken back, so that it halts if it should wake later
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/bootinfo.h>
#include <tessera/config.h>
#include <tessera/cpu.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/time.h>
#include <tessera/tlb.h>

#include "acpi.h"
#include "apic.h"
#include "apic_timer.h"
#include "descriptors.h"
#include "features.h"
#include "fpu.h"
#include "kernel_image.h"
#include "msr.h"
#include "platform.h"
#include "smp.h"
#include "traps.h"

#define INIT_WAIT_NS    20000ull     /* CPUs since 2000 need 10 us; 10 ms before */
#define SECOND_WAKE_NS  1000000ull
#define GIVE_UP_NS      (10 * NSEC_PER_SEC) /* without any progress; translators are slow */

struct cpu *cpus[MAX_CPUS];
uint32_t cpu_count = 1;

struct smp_slot smp_slots[MAX_CPUS]; /* by cpu id; 0 is not used by a CPU */
uint32_t smp_slot_count;
static uint64_t tsc_before; /* [I] the boot CPU's counter when the others were woken */

/* --- on the waking CPU ------------------------------------------------------------------------- */

/* Enter this CPU in the tables that others read. */
static void
announce(struct cpu *c)
{
	uint32_t count = atomic_load(&cpu_count);

	atomic_store(&cpus[c->id], c);
	while (count < c->id + 1 && !atomic_cas(&cpu_count, &count, c->id + 1))
		;
	atomic_store(&c->arch.online, 1);
}

void __noreturn
smp_main(struct smp_slot *slot)
{
	struct cpu *c = slot->cpu;

	cr3_write(kernel_page_table.root);
	features_init_cpu();
	descriptors_init_cpu(c);
	syscall_init_cpu();
	fpu_init_cpu();
	tlb_init_cpu(c->id);
	lapic_init_cpu();
	apic_timer_init_cpu();
	atomic_store(&slot->tsc, arch_cycles());
	if (slot->tsc < tsc_before)
		clock_tsc_unreliable("a CPU woke before it was woken");
	announce(c);
	cpu_entry(c);
}

/* --- on the boot CPU --------------------------------------------------------------------------- */

/* Everything a CPU needs before its first instruction in C. False: no memory. */
static bool
prepare_slot(uint32_t id, const struct acpi_cpu *a)
{
	struct smp_slot *slot = &smp_slots[id];
	struct cpu *c = kzalloc(sizeof(*c));

	if (!c || descriptors_alloc_cpu(c) != 0)
		return false;
	c->self = c;
	c->id = id;
	c->arch.apic_id = a->apic_id;
	c->arch.acpi_id = a->acpi_id;
	if (cpu_prepare(c) != 0)
		return false;
	c->kernel_stack_top = c->idle->stack_top;
	slot->apic_id = a->apic_id;
	slot->cpu = c;
	slot->stack_top = c->idle->stack_top;
	return true;
}

static bool
prepare_slots(void)
{
	uint32_t self = lapic_id(), limit = lapic_is_x2apic() ? UINT32_MAX : 0xff;
	uint32_t id = 1;

	/* The boot CPU's own slot must match nobody. */
	smp_slots[0] = (struct smp_slot){ .apic_id = self, .state = SLOT_GIVEN_UP };
	for (uint32_t i = 0; i < acpi_info.cpu_count; i++) {
		const struct acpi_cpu *a = &acpi_info.cpu[i];

		if (a->apic_id == self)
			continue;
		if (id == MAX_CPUS || a->apic_id >= limit) {
			pr_warn("smp: CPU with APIC id %u is beyond what is supported\n", a->apic_id);
			continue;
		}
		if (!prepare_slot(id, a)) {
			pr_warn("smp: no memory for CPU %u\n", id);
			break;
		}
		id++;
	}
	smp_slot_count = id;
	return id > 1;
}

/*
 * Page tables that hold the trampoline at its physical address and the kernel's half, all below
 * 4 GiB, as CR3 has 32 bits until long mode is on.
 */
static void
prepare_trampoline(void)
{
	paddr_t base = boot_trampoline.start;
	char *code = phys_to_virt(base);
	uint64_t *top = phys_to_virt(base + PAGE_SIZE);
	uint64_t *upper = phys_to_virt(base + 2 * PAGE_SIZE);
	uint64_t *directory = phys_to_virt(base + 3 * PAGE_SIZE);
	const uint64_t *kernel = phys_to_virt(kernel_page_table.root);
	struct trampoline_data *d = (void *)(code + (trampoline_data - trampoline_start));
	struct { uint32_t base; } __packed *pseudo; /* where the operand of LGDT happens to lie */

	memset(code, 0, TRAMPOLINE_SIZE);
	memcpy(code, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	pseudo = (void *)(code + d->gdt_base);
	pseudo->base += (uint32_t)base;
	d->far_offset += (uint32_t)base;
	d->cr3 = base + PAGE_SIZE;
	d->high = (uint64_t)smp_entry;

	top[0] = (base + 2 * PAGE_SIZE) | X86_PTE_PRESENT | X86_PTE_WRITE;
	upper[0] = (base + 3 * PAGE_SIZE) | X86_PTE_PRESENT | X86_PTE_WRITE;
	directory[0] = X86_PTE_PRESENT | X86_PTE_WRITE | X86_PTE_LARGE;
	memcpy(top + 256, kernel + 256, 256 * sizeof(*top));
}

static void
wake_unclaimed(void)
{
	for (uint32_t id = 1; id < smp_slot_count; id++)
		if (atomic_load(&smp_slots[id].state) == SLOT_WAITING)
			lapic_send_startup(smp_slots[id].apic_id, (uint8_t)(boot_trampoline.start >> 12));
}

static uint32_t
count_online(void)
{
	uint32_t n = 0;

	for (uint32_t id = 1; id < smp_slot_count; id++)
		n += atomic_load(&smp_slots[id].cpu->arch.online) != 0;
	return n;
}

/* Until all are there, or nothing has happened for long. */
static void
wait_online(void)
{
	uint64_t start = arch_clock_ns(), last = start;
	uint32_t seen = 0, now;
	bool second = false;

	while ((now = count_online()) != smp_slot_count - 1) {
		uint64_t ns = arch_clock_ns();

		if (now != seen) {
			seen = now;
			last = ns;
		}
		if (!second && ns - start > SECOND_WAKE_NS) {
			wake_unclaimed();
			second = true;
		}
		if (ns - last > GIVE_UP_NS)
			return;
		arch_cpu_relax();
	}
}

static void
give_up_missing(void)
{
	for (uint32_t id = 1; id < smp_slot_count; id++) {
		uint32_t waiting = SLOT_WAITING;

		if (atomic_cas(&smp_slots[id].state, &waiting, SLOT_GIVEN_UP))
			pr_err("smp: CPU %u (APIC id %u) did not start\n", id, smp_slots[id].apic_id);
		else if (smp_slots[id].tsc > arch_cycles())
			clock_tsc_unreliable("a CPU is ahead of the boot CPU");
	}
}

void
arch_start_cpus(void)
{
	uint64_t start = arch_clock_ns();

	if (boot_flag("nosmp") || acpi_info.cpu_count < 2)
		return;
	if (!boot_trampoline.start) {
		pr_warn("smp: no memory below 1 MiB: one CPU\n");
		return;
	}
	if (!prepare_slots())
		return;
	prepare_trampoline();
	tsc_before = arch_cycles();
	for (uint32_t id = 1; id < smp_slot_count; id++)
		lapic_send_init(smp_slots[id].apic_id);
	clock_spin_ns(INIT_WAIT_NS);
	wake_unclaimed();
	wait_online();
	give_up_missing();
	if (cpu_count == acpi_info.cpu_count && count_online() == cpu_count - 1 &&
	    acpi_info.cpu_count < ACPI_CPU_MAX)
		smp_call_all_run();
	pr_info("smp: %u CPUs, %lu us\n", cpu_count, (arch_clock_ns() - start) / 1000);
}
