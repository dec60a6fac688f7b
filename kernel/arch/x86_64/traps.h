/* SPDX-License-Identifier: MIT */
/*
 * traps.h - vectors and what handles them; the seam between trap entry and the interrupt controllers.
 */
#ifndef ARCH_TRAPS_H
#define ARCH_TRAPS_H

#include <tessera/types.h>

struct cpu;
struct trap_frame;

enum trap_vector {
	TRAP_DIVIDE = 0,
	TRAP_DEBUG = 1,
	TRAP_NMI = 2,
	TRAP_BREAKPOINT = 3,
	TRAP_OVERFLOW = 4,
	TRAP_BOUND = 5,
	TRAP_INVALID_OPCODE = 6,
	TRAP_NO_FPU = 7,
	TRAP_DOUBLE_FAULT = 8,
	TRAP_INVALID_TSS = 10,
	TRAP_NO_SEGMENT = 11,
	TRAP_STACK_SEGMENT = 12,
	TRAP_PROTECTION = 13,
	TRAP_PAGE_FAULT = 14,
	TRAP_X87 = 16,
	TRAP_ALIGNMENT = 17,
	TRAP_MACHINE_CHECK = 18,
	TRAP_SIMD = 19,
	TRAP_FIRST_INTERRUPT = 32,
};

/* entry.S */
#define TRAP_STUB_SIZE 16
extern const char trap_entry_stubs[];
void syscall_entry(void);

/* Boot CPU, once, before any descriptors_init_cpu(): fill the IDT. */
void traps_init(void);
/* This CPU: SYSCALL's registers, TSC_AUX. After descriptors_init_cpu() and features_init_cpu(). */
void syscall_init_cpu(void);

/* The interrupt controllers' side provides: vectors 32 .. 255, interrupts off, preemption off. */
void interrupt_dispatch(struct trap_frame *f, unsigned int vector);
/*
 * ... and a non-maskable interrupt. True: it was ours (the stop request of another CPU, or a button that
 * enters kdb). May come at any instruction: take no locks.
 */
bool nmi_dispatch(struct trap_frame *f);

/* Called by entry.S. */
void trap_user(struct trap_frame *f, unsigned int vector);
void trap_kernel(struct trap_frame *f, unsigned int vector);
void trap_on_fault_stack(struct trap_frame *f, unsigned int vector);
void trap_return_to_user(struct trap_frame *f);

#endif
