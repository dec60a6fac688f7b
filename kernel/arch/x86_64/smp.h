/* SPDX-License-Identifier: MIT */
/*
 * smp.h - what the starting CPUs find: shared by smp_start.c and trampoline.S.
 */
#ifndef ARCH_X86_64_SMP_H
#define ARCH_X86_64_SMP_H

#define SLOT_APIC_ID 0
#define SLOT_STATE   4
#define SLOT_STACK   8
#define SLOT_SIZE    32

#define SLOT_WAITING 0
#define SLOT_CLAIMED 1 /* its CPU is on its way */
#define SLOT_GIVEN_UP 2

#ifndef __ASSEMBLER__
#include <tessera/types.h>

struct cpu;

/* [a] state; the rest is written before the CPU is woken. */
struct smp_slot {
	uint32_t apic_id;
	uint32_t state;
	vaddr_t stack_top;
	struct cpu *cpu;
	uint64_t tsc;          /* [a] the CPU's counter on arrival */
};

_Static_assert(offsetof(struct smp_slot, apic_id) == SLOT_APIC_ID, "trampoline.S");
_Static_assert(offsetof(struct smp_slot, state) == SLOT_STATE, "trampoline.S");
_Static_assert(offsetof(struct smp_slot, stack_top) == SLOT_STACK, "trampoline.S");
_Static_assert(sizeof(struct smp_slot) == SLOT_SIZE, "trampoline.S");

/* The words at the end of the trampoline, in its copy below 1 MiB. */
struct trampoline_data {
	uint64_t cr3;
	uint64_t high;      /* virtual address of smp_entry */
	uint64_t gdt_base;  /* offset of the word that is the descriptor table's base */
	uint32_t far_offset;
	uint16_t far_selector, unused;
};

extern struct smp_slot smp_slots[];
extern uint32_t smp_slot_count;
extern const char trampoline_start[], trampoline_data[], trampoline_end[];

void smp_entry(void);
void __noreturn smp_main(struct smp_slot *slot);
#endif

#endif
