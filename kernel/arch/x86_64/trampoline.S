/* SPDX-License-Identifier: MIT */
/*
 * trampoline.S - a CPU's way from real mode, where the start-up message wakes it, to the kernel.
 *
 * The first part is copied to a page below 1 MiB (smp_start.c) and runs there; CS:0 is its first
 * byte. Its last words are filled in by smp_start.c. Each CPU then finds the slot with its APIC id,
 * claims it, and goes on in C on that slot's stack.
 */
#include "smp.h"

	.section .rodata.trampoline, "a"
	.balign 16
	.globl trampoline_start, trampoline_data, trampoline_end
	.hidden trampoline_start, trampoline_data, trampoline_end
	.code16
trampoline_start:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	lgdtl (trampoline_gdtr - trampoline_start)
	movl $0x20, %eax                        /* PAE */
	movl %eax, %cr4
	movl (trampoline_cr3 - trampoline_start), %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx                  /* EFER: LME, NXE */
	rdmsr
	orl $0x900, %eax
	wrmsr
	movl $0x80010033, %eax                  /* PG, WP, NE, ET, MP, PE; caches on */
	movl %eax, %cr0
	ljmpl *(trampoline_far - trampoline_start)

	.code64
trampoline_long:
	movq trampoline_high(%rip), %rax
	jmp *%rax

	.balign 16
trampoline_gdt:
	.quad 0
	.quad 0x00af9b000000ffff                /* 0x08: code, 64-bit */
trampoline_gdtr:
	.word 15
	.long trampoline_gdt - trampoline_start /* + where the copy lies */
	.balign 8
	/* struct trampoline_data in smp.h */
trampoline_data:
trampoline_cr3:
	.quad 0
trampoline_high:
	.quad 0
trampoline_gdt_base:
	.quad trampoline_gdtr - trampoline_start + 2
trampoline_far:
	.long trampoline_long - trampoline_start /* + where the copy lies */
	.word 0x08
	.word 0
trampoline_end:

	.text
	.code64
	.globl smp_entry
	.hidden smp_entry
	.type smp_entry, @function
smp_entry:
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss

	/* This CPU's APIC id, all 32 bits of it where CPUID has them. */
	xorl %eax, %eax
	cpuid
	cmpl $0xb, %eax
	jb 1f
	movl $0xb, %eax
	xorl %ecx, %ecx
	cpuid
	testl %ebx, %ebx
	jnz 2f
1:	movl $1, %eax
	cpuid
	movl %ebx, %edx
	shrl $24, %edx

2:	leaq smp_slots(%rip), %rdi
	movl smp_slot_count(%rip), %ecx
3:	testl %ecx, %ecx
	jz 5f
	cmpl %edx, SLOT_APIC_ID(%rdi)
	je 4f
	addq $SLOT_SIZE, %rdi
	decl %ecx
	jmp 3b
4:	movl $SLOT_WAITING, %eax
	movl $SLOT_CLAIMED, %ecx
	lock cmpxchgl %ecx, SLOT_STATE(%rdi)
	jne 5f
	movq SLOT_STACK(%rdi), %rsp
	xorl %ebp, %ebp
	call smp_main
	/* Not awaited, or no longer. */
5:	cli
	hlt
	jmp 5b
	.size smp_entry, . - smp_entry
