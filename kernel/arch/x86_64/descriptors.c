/* SPDX-License-Identifier: MIT */
/*
 * descriptors.c - segment, task-state and interrupt descriptor tables.
 *
 * GDT, the same on every CPU but for the last two entries:
 *
 *   index  selector  what
 *   1      0x08      kernel code            SYSCALL loads 0x08 and 0x10,
 *   2      0x10      kernel data
 *   4      0x23      (empty)                SYSRET loads 0x23 + 16 and 0x23 + 8:
 *   5      0x2b      user data              that is why data stands before code and
 *   6      0x33      user code              why index 4, Linux's 32-bit code, stays free
 *   8, 9   0x40      this CPU's TSS
 *   15     0x7b      limit = CPU number, as on Linux: user code reads it by LSL
 *
 * The TSS is used for its stacks only. RSP0 is where interrupts and exceptions from user mode start:
 * the running thread's kernel stack. Four vectors can come when the stack pointer or GS is not yet (or
 * no longer) the kernel's, so they switch to a stack of their own by IST: debug, NMI, double fault and
 * machine check. The topmost word of each such stack names the CPU, for entry.S to find it without
 * trusting GS, which user code may set to anything where FSGSBASE is on.
 */
#include "descriptors.h"

#include <tessera/arch/trap_frame.h>
#include <tessera/errno.h>
#include <tessera/page.h>
#include <tessera/string.h>

#include "asm_offsets.h"
#include "msr.h"
#include "traps.h"

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7]; /* ist[0] is IST 1 */
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_bitmap; /* beyond the limit: no port is allowed to user mode */
} __packed;

_Static_assert(sizeof(struct tss) == 104, "the hardware's layout");
_Static_assert(sizeof(struct tss) <= sizeof(((struct arch_cpu *)0)->tss), "room for the TSS");

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __packed;

struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t ist;
	uint8_t type; /* present, privilege, interrupt gate */
	uint16_t offset_middle;
	uint32_t offset_high;
	uint32_t reserved;
};

#define SEGMENT_KERNEL_CODE 0x00af9b000000ffffull
#define SEGMENT_KERNEL_DATA 0x00cf93000000ffffull
#define SEGMENT_USER_DATA   0x00cff3000000ffffull
#define SEGMENT_USER_CODE   0x00affb000000ffffull
#define SEGMENT_CPU_NUMBER  0x0040f10000000000ull /* data, read-only, privilege 3, byte limit */

#define GDT_TSS        (SEL_TSS >> 3)
#define GDT_CPU_NUMBER (SEL_CPU_NUMBER >> 3)

#define GATE_INTERRUPT 0x8e
#define GATE_USER      0x60 /* added: user mode may raise it by INT n */

#define FAULT_STACKS 4

static struct gate idt[256] __aligned(PAGE_SIZE); /* [I] after traps_init() */
static uint8_t boot_fault_stacks[FAULT_STACKS * FAULT_STACK_SIZE] __aligned(FAULT_STACK_SIZE);

static unsigned int
vector_stack(unsigned int vector)
{
	switch (vector) {
	case TRAP_DOUBLE_FAULT:
		return 1;
	case TRAP_NMI:
		return 2;
	case TRAP_MACHINE_CHECK:
		return 3;
	case TRAP_DEBUG:
		return 4;
	default:
		return 0;
	}
}

/* Fill the IDT. Boot CPU, once, before any descriptors_init_cpu(). */
void
traps_init(void)
{
	for (unsigned int v = 0; v < ARRAY_SIZE(idt); v++) {
		vaddr_t entry = (vaddr_t)trap_entry_stubs + v * TRAP_STUB_SIZE;
		bool user = v == TRAP_BREAKPOINT || v == TRAP_OVERFLOW;

		idt[v] = (struct gate){
			.offset_low = (uint16_t)entry,
			.selector = KERNEL_CODE,
			.ist = (uint8_t)vector_stack(v),
			.type = user ? GATE_INTERRUPT | GATE_USER : GATE_INTERRUPT,
			.offset_middle = (uint16_t)(entry >> 16),
			.offset_high = (uint32_t)(entry >> 32),
		};
	}
}

static void
load_tables(struct cpu *c)
{
	struct table_pointer gdtr = { sizeof(c->arch.gdt) - 1, (uint64_t)c->arch.gdt };
	struct table_pointer idtr = { sizeof(idt) - 1, (uint64_t)idt };

	__asm__ volatile("lgdt %0" ::"m"(gdtr));
	/* Reload CS by a far return, and the data segments with null, which 64-bit mode allows; the
	 * stack segment must be writable data for IRET to come back to it. */
	__asm__ volatile("pushq %0\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovw %w1, %%ss\n\t"
			 "xorl %%eax, %%eax\n\t"
			 "movw %%ax, %%ds\n\t"
			 "movw %%ax, %%es\n\t"
			 "movw %%ax, %%fs\n\t"
			 "movw %%ax, %%gs"
			 :
			 : "i"(KERNEL_CODE), "r"(KERNEL_DATA)
			 : "rax", "memory");
	__asm__ volatile("lidt %0" ::"m"(idtr));
	__asm__ volatile("lldt %w0" ::"r"(0));
}

int
descriptors_alloc_cpu(struct cpu *c)
{
	unsigned int order = 0;
	struct page *p;

	while ((PAGE_SIZE << order) < sizeof(boot_fault_stacks))
		order++;
	p = page_alloc(order, ALLOC_ZERO);
	if (!p)
		return -ENOMEM;
	c->arch.fault_stacks = page_to_virt(p);
	return 0;
}

void
descriptors_init_cpu(struct cpu *c)
{
	struct tss *tss = (struct tss *)c->arch.tss;
	uint64_t *gdt = c->arch.gdt;
	uint64_t base = (uint64_t)tss;

	if (!c->arch.fault_stacks)
		c->arch.fault_stacks = boot_fault_stacks;
	memset(tss, 0, sizeof(*tss));
	for (unsigned int i = 0; i < FAULT_STACKS; i++) {
		vaddr_t end = (vaddr_t)c->arch.fault_stacks + (i + 1) * FAULT_STACK_SIZE;

		((struct cpu **)end)[-1] = c;
		tss->ist[i] = end - 16;
	}
	tss->rsp[0] = c->kernel_stack_top;
	tss->io_bitmap = sizeof(*tss);

	memset(gdt, 0, sizeof(c->arch.gdt));
	gdt[KERNEL_CODE >> 3] = SEGMENT_KERNEL_CODE;
	gdt[KERNEL_DATA >> 3] = SEGMENT_KERNEL_DATA;
	gdt[USER_DATA >> 3] = SEGMENT_USER_DATA;
	gdt[USER_CODE >> 3] = SEGMENT_USER_CODE;
	gdt[GDT_TSS] = (sizeof(*tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
		       (base >> 24 & 0xff) << 56;
	gdt[GDT_TSS + 1] = base >> 32;
	gdt[GDT_CPU_NUMBER] = SEGMENT_CPU_NUMBER | c->id;

	c->self = c;
	load_tables(c);
	wrmsr(MSR_GS_BASE, (uint64_t)c);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	wrmsr(MSR_FS_BASE, 0);
	__asm__ volatile("ltr %w0" ::"r"(SEL_TSS));
}

void
descriptors_nest_nmi(struct cpu *c, bool nested)
{
	struct tss *tss = (struct tss *)c->arch.tss;
	unsigned int ist = vector_stack(TRAP_NMI);
	vaddr_t end = (vaddr_t)c->arch.fault_stacks + ist * FAULT_STACK_SIZE;

	tss->ist[ist - 1] = end - 16 - (nested ? FAULT_STACK_SIZE / 2 : 0);
}

void
descriptors_set_stack(struct cpu *c, vaddr_t top)
{
	c->kernel_stack_top = top;
	((struct tss *)c->arch.tss)->rsp[0] = top;
}
