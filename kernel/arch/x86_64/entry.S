/* SPDX-License-Identifier: MIT */
/*
 * entry.S - every way into the kernel and back: interrupts, exceptions, system calls, new threads.
 *
 * All build a struct trap_frame. From user mode it lies at the very top of the thread's kernel
 * stack, so that arch_user_frame() is a subtraction; the frame's address is then 8 modulo 16, and a
 * call needs 8 bytes of padding below it.
 *
 * GS: in user mode GS base is the user's and MSR_KERNEL_GS_BASE the struct cpu; in the kernel the
 * other way round. The pair is swapped once on entry from user mode and once before return to it.
 * The saved CS says where an entry came from, but for the few instructions at either edge; what can
 * strike there (debug trap, NMI, double fault, machine check) comes on a stack of its own, takes
 * the CPU from that stack's top word, and writes GS base outright instead of swapping (trap_fault_stack).
 *
 * Interrupts are off at every entry (interrupt gates, SFMASK) and at every exit. SFMASK clears the
 * direction, alignment-check, trap and nested-task flags; gates do not clear the first two, so the
 * trap path does.
 */
#include "asm_offsets.h"

#define MSR_GS_BASE_NUMBER 0xc0000101

	.text

/* The general registers below a frame's rdi, which is on the stack already. */
.macro push_registers
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%rax
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
.endm

.macro pop_registers
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
.endm

/* Clear AC, so that a supervisor access to user memory faults again. CLAC exists only with SMAP. */
.macro clear_ac
	cmpb	$0, user_access_guarded(%rip)
	je	.Lno_clac\@
	clac
.Lno_clac\@:
.endm

/*
 * 256 stubs of 16 bytes. Each makes the stack alike (error code, then rdi), puts its vector in edi
 * and goes on. Interrupts have -1 in the error code's place: what orig_rax says when no system call
 * is being made.
 */
	.balign	16
	.globl	trap_entry_stubs
	.hidden	trap_entry_stubs
	.type	trap_entry_stubs, @function
trap_entry_stubs:
	.set	vector, 0
	.rept	256
	.balign	16
	.if	vector >= 32
	pushq	$-1
	.elseif	vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
	/* the processor pushed an error code */
	.else
	pushq	$0
	.endif
	pushq	%rdi
	movl	$vector, %edi
	.if	vector == 1 || vector == 2 || vector == 8 || vector == 18
	jmp	trap_fault_stack
	.else
	jmp	trap_common
	.endif
	.set	vector, vector + 1
	.endr
	.size	trap_entry_stubs, . - trap_entry_stubs

	.balign	16
	.type	trap_common, @function
trap_common:
	cld
	clear_ac
	testb	$3, 24(%rsp)
	jz	trap_from_kernel
	swapgs
trap_from_user:
	push_registers
	xorl	%ebp, %ebp
	movl	%edi, %esi
	movq	%rsp, %rdi
	subq	$8, %rsp
	call	trap_user
	addq	$8, %rsp
	jmp	return_by_iret

trap_from_kernel:
	push_registers
	movl	%edi, %esi
	movq	%rsp, %rdi
	subq	$8, %rsp
	call	trap_kernel
	addq	$8, %rsp
	pop_registers
	addq	$8, %rsp
	iretq
	.size	trap_common, . - trap_common

/*
 * The vectors on stacks of their own. A debug trap from user mode may end in a signal, so it moves to
 * the thread's stack and becomes an ordinary trap; the rest is handled here and never sleeps.
 */
	.balign	16
	.type	trap_fault_stack, @function
trap_fault_stack:
	cld
	clear_ac
	testb	$3, 24(%rsp)
	jz	1f
	cmpl	$1, %edi
	jne	1f
	swapgs
	movq	%rsp, %rdi
	movq	%gs:OFF_CPU_KERNEL_STACK_TOP, %rsp
	pushq	48(%rdi)
	pushq	40(%rdi)
	pushq	32(%rdi)
	pushq	24(%rdi)
	pushq	16(%rdi)
	pushq	8(%rdi)
	pushq	0(%rdi)
	movl	$1, %edi
	jmp	trap_from_user

1:	push_registers
	movl	%edi, %r12d
	/* r13: the CPU, from the top word of this stack; r14: the GS base to put back */
	movq	%rsp, %rax
	orq	$(FAULT_STACK_SIZE - 1), %rax
	movq	-7(%rax), %r13
	movl	$MSR_GS_BASE_NUMBER, %ecx
	rdmsr
	shlq	$32, %rdx
	orq	%rdx, %rax
	movq	%rax, %r14
	movq	%r13, %rax
	movq	%r13, %rdx
	shrq	$32, %rdx
	wrmsr
	movq	%rsp, %rdi
	movl	%r12d, %esi
	subq	$8, %rsp
	call	trap_on_fault_stack
	addq	$8, %rsp
	movl	$MSR_GS_BASE_NUMBER, %ecx
	movq	%r14, %rax
	movq	%r14, %rdx
	shrq	$32, %rdx
	wrmsr
	pop_registers
	addq	$8, %rsp
	iretq
	.size	trap_fault_stack, . - trap_fault_stack

/*
 * SYSCALL. The processor put the return address in rcx and the flags in r11, and changed nothing of
 * the stack.
 */
	.balign	16
	.globl	syscall_entry
	.hidden	syscall_entry
	.type	syscall_entry, @function
syscall_entry:
	swapgs
	movq	%rsp, %gs:OFF_CPU_USER_RSP
	movq	%gs:OFF_CPU_KERNEL_STACK_TOP, %rsp
	pushq	$SEL_USER_DATA
	pushq	%gs:OFF_CPU_USER_RSP
	pushq	%r11
	pushq	$SEL_USER_CODE
	pushq	%rcx
	pushq	%rax
	pushq	%rdi
	push_registers
	xorl	%ebp, %ebp
	sti
	movq	%rsp, %rdi
	subq	$8, %rsp
	call	syscall_dispatch
	cli
	.size	syscall_entry, . - syscall_entry

/*
 * The way out, apart from the instruction that the call returns to: that is the entry's, as call stacks show.
 * rax: what the call answers; rbx and r12 to r15 are the program's again, as C keeps them.
 *
 * SYSRET takes rip from rcx, flags from r11 and fixed segments. The frame says nothing else: whoever writes into
 * the frame of a call (rt_sigreturn, exec, a tracer) sets WORK_FRAME, which leads to IRET; and no program has
 * other segments. Its rip cannot fault here either: the last page below the hole in the addresses is never mapped,
 * and a rip from elsewhere comes with WORK_FRAME. RF and TF are better served by IRET.
 */
	.type	syscall_return, @function
syscall_return:
	movq	%gs:OFF_CPU_CURRENT, %rdx
	movq	$-1, OFF_THREAD_SYSCALL_NUMBER(%rdx)
	movl	OFF_THREAD_WORK(%rdx), %edx
	orl	%gs:OFF_CPU_NEED_RESCHED, %edx
	jnz	1f
	movq	(8 + OFF_TF_RFLAGS)(%rsp), %r11
	testl	$(FLAG_TF | FLAG_RF), %r11d
	jnz	1f
	movq	(8 + OFF_TF_RIP)(%rsp), %rcx
	movq	(8 + OFF_TF_RBP)(%rsp), %rbp
	movq	(8 + OFF_TF_R10)(%rsp), %r10
	movq	(8 + OFF_TF_R9)(%rsp), %r9
	movq	(8 + OFF_TF_R8)(%rsp), %r8
	movq	(8 + OFF_TF_RDX)(%rsp), %rdx
	movq	(8 + OFF_TF_RSI)(%rsp), %rsi
	movq	(8 + OFF_TF_RDI)(%rsp), %rdi
	movq	(8 + OFF_TF_RSP)(%rsp), %rsp
	swapgs
	sysretq

1:	addq	$8, %rsp
	movq	%rax, OFF_TF_RAX(%rsp)
	jmp	return_with_work
	.size	syscall_return, . - syscall_return

	.type	return_by_iret, @function
return_by_iret:
	pop_registers
	addq	$8, %rsp
	swapgs
	iretq
	.size	return_by_iret, . - return_by_iret

	.type	return_with_work, @function
return_with_work:
	movq	%rsp, %rdi
	subq	$8, %rsp
	call	trap_return_to_user
	addq	$8, %rsp
	jmp	return_by_iret
	.size	return_with_work, . - return_with_work

/*
 * Where a thread made by arch_thread_init() begins: the switch "returns" here with who ran before in
 * rax, and fn and its argument in rbx and r12.
 */
	.balign	16
	.globl	thread_begin
	.hidden	thread_begin
	.type	thread_begin, @function
thread_begin:
	xorl	%ebp, %ebp
	movq	%rax, %rdi
	subq	$8, %rsp
	call	schedule_finish
	movq	%r12, %rdi
	call	*%rbx
	ud2
	.size	thread_begin, . - thread_begin

/* Where a forked thread begins: its user frame is what rsp points to. */
	.balign	16
	.globl	thread_begin_user
	.hidden	thread_begin_user
	.type	thread_begin_user, @function
thread_begin_user:
	xorl	%ebp, %ebp
	movq	%rax, %rdi
	subq	$8, %rsp
	call	schedule_finish
	addq	$8, %rsp
	jmp	return_with_work
	.size	thread_begin_user, . - thread_begin_user

/* void arch_enter_user(struct trap_frame *f): drop this kernel stack and return to user mode by `f`. */
	.balign	16
	.globl	arch_enter_user
	.hidden	arch_enter_user
	.type	arch_enter_user, @function
arch_enter_user:
	movq	%rdi, %rsp
	xorl	%ebp, %ebp
	jmp	return_with_work
	.size	arch_enter_user, . - arch_enter_user
