/* SPDX-License-Identifier: MIT */
/*
 * descriptors.h - a CPU's GDT, TSS, IDT and the stacks of the faults that cannot trust the current one.
 */
#ifndef ARCH_DESCRIPTORS_H
#define ARCH_DESCRIPTORS_H

#include <tessera/cpu.h>

/*
 * Allocate what descriptors_init_cpu() needs for a CPU that is not the boot CPU. Called by the CPU
 * that starts it, where sleeping is allowed. Returns 0 or -ENOMEM.
 */
int descriptors_alloc_cpu(struct cpu *c);

/*
 * Build and load `c`'s GDT, TSS and the common IDT, and point GS at `c`. Runs on that CPU with
 * interrupts off, first of all: nothing per-CPU works before. The boot CPU needs no memory for it.
 */
void descriptors_init_cpu(struct cpu *c);

/* The stack that entries from user mode start on: `top` is 16-byte aligned. Interrupts off. */
/* While an NMI of this CPU is being handled at length: the next one uses the lower half of its stack. */
void descriptors_nest_nmi(struct cpu *c, bool nested);
void descriptors_set_stack(struct cpu *c, vaddr_t top);

#endif
