/* SPDX-License-Identifier: MIT */
/*
 * switch.S - from one kernel stack to another.
 *
 * What a switched-out thread has on top of its stack, from low addresses (struct switch_frame in
 * thread.c): r15 r14 r13 r12 rbx rbp, and the address it goes on at.
 */
	.text
	.balign	16
	.globl	thread_switch_stack
	.hidden	thread_switch_stack
	.type	thread_switch_stack, @function

/* struct thread *thread_switch_stack(uint64_t *save_rsp, uint64_t load_rsp, struct thread *prev) */
thread_switch_stack:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	movq	%rdx, %rax
	ret
	.size	thread_switch_stack, . - thread_switch_stack
