/* SPDX-License-Identifier: MIT */
/*
 * asm_offsets.h - the numbers that assembly and C must agree on, written once for both.
 *
 * Assembly cannot ask the compiler for offsets; so they are stated here as constants, and the C half
 * of this header, which every C file of this folder may include, refuses to compile when one is wrong.
 */
#ifndef ARCH_ASM_OFFSETS_H
#define ARCH_ASM_OFFSETS_H

/* struct cpu */
#define OFF_CPU_CURRENT          8
#define OFF_CPU_PREEMPT_COUNT    16
#define OFF_CPU_NEED_RESCHED     20
#define OFF_CPU_KERNEL_STACK_TOP 32
#define OFF_CPU_USER_RSP         40

/* struct thread */
#define OFF_THREAD_WORK           0
#define OFF_THREAD_SYSCALL_NUMBER 8

/* struct trap_frame */
#define OFF_TF_RBP      32
#define OFF_TF_R11      48
#define OFF_TF_R10      56
#define OFF_TF_R9       64
#define OFF_TF_R8       72
#define OFF_TF_RAX      80
#define OFF_TF_RCX      88
#define OFF_TF_RDX      96
#define OFF_TF_RSI      104
#define OFF_TF_RDI      112
#define OFF_TF_ORIG_RAX 120
#define OFF_TF_RIP      128
#define OFF_TF_CS       136
#define OFF_TF_RFLAGS   144
#define OFF_TF_RSP      152
#define OFF_TF_SS       160
#define SIZE_TRAP_FRAME 168

/* Selectors, as in <tessera/arch/trap_frame.h>; the user's carry privilege level 3. */
#define SEL_KERNEL_CODE 0x08
#define SEL_KERNEL_DATA 0x10
#define SEL_USER_DATA   0x2b
#define SEL_USER_CODE   0x33
#define SEL_TSS         0x40
#define SEL_CPU_NUMBER  0x7b /* its limit is the CPU's number: the vDSO's getcpu reads it by LSL */

/*
 * Each stack of the interrupt stack table is so large and so aligned; its topmost word is the
 * struct cpu it belongs to (descriptors.c).
 */
#define FAULT_STACK_SIZE 8192

#define FLAG_TF 0x100
#define FLAG_RF 0x10000

#ifndef __ASSEMBLER__

#include <tessera/arch/trap_frame.h>
#include <tessera/cpu.h>
#include <tessera/thread.h>

#define SAME(name, type, field) _Static_assert(name == offsetof(type, field), #name)
SAME(OFF_CPU_CURRENT, struct cpu, current);
SAME(OFF_CPU_PREEMPT_COUNT, struct cpu, preempt_count);
SAME(OFF_CPU_NEED_RESCHED, struct cpu, need_resched);
SAME(OFF_CPU_KERNEL_STACK_TOP, struct cpu, kernel_stack_top);
SAME(OFF_CPU_USER_RSP, struct cpu, user_rsp_scratch);
SAME(CPU_SELF, struct cpu, self);
SAME(CPU_CURRENT, struct cpu, current);
SAME(CPU_PREEMPT_COUNT, struct cpu, preempt_count);
SAME(CPU_NEED_RESCHED, struct cpu, need_resched);
SAME(CPU_ID, struct cpu, id);
SAME(CPU_IRQ_DEPTH, struct cpu, irq_depth);
SAME(OFF_THREAD_WORK, struct thread, work);
SAME(OFF_THREAD_SYSCALL_NUMBER, struct thread, syscall_number);
SAME(OFF_TF_RBP, struct trap_frame, rbp);
SAME(OFF_TF_R11, struct trap_frame, r11);
SAME(OFF_TF_R10, struct trap_frame, r10);
SAME(OFF_TF_R9, struct trap_frame, r9);
SAME(OFF_TF_R8, struct trap_frame, r8);
SAME(OFF_TF_RAX, struct trap_frame, rax);
SAME(OFF_TF_RCX, struct trap_frame, rcx);
SAME(OFF_TF_RDX, struct trap_frame, rdx);
SAME(OFF_TF_RSI, struct trap_frame, rsi);
SAME(OFF_TF_RDI, struct trap_frame, rdi);
SAME(OFF_TF_ORIG_RAX, struct trap_frame, orig_rax);
SAME(OFF_TF_RIP, struct trap_frame, rip);
SAME(OFF_TF_CS, struct trap_frame, cs);
SAME(OFF_TF_RFLAGS, struct trap_frame, rflags);
SAME(OFF_TF_RSP, struct trap_frame, rsp);
SAME(OFF_TF_SS, struct trap_frame, ss);
#undef SAME
_Static_assert(SIZE_TRAP_FRAME == sizeof(struct trap_frame), "SIZE_TRAP_FRAME");
_Static_assert(sizeof(((struct thread *)0)->work) == 4, "thread->work is tested as 32 bits");
_Static_assert(SEL_KERNEL_CODE == KERNEL_CODE && SEL_KERNEL_DATA == KERNEL_DATA &&
	       SEL_USER_CODE == USER_CODE && SEL_USER_DATA == USER_DATA, "selectors");

#endif
#endif
