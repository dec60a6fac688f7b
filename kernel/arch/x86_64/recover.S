/* SPDX-License-Identifier: MIT */
/*
 * recover.S - running something that may go wrong on a broken machine, and coming back from the middle of
 * it: what setjmp and longjmp are in C. And running on another stack.
 *
 * A mark is the stack pointer below the saved registers of arch_try()'s caller.
 */
	.text

/* bool arch_try(void (*fn)(void *), void *arg, uint64_t *mark): false when it came back by arch_try_abort() */
	.balign	16
	.globl	arch_try
	.hidden	arch_try
	.type	arch_try, @function
arch_try:
	pushq	%rbp
	movq	%rsp, %rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	subq	$8, %rsp
	movq	%rsp, (%rdx)
	movq	%rdi, %rax
	movq	%rsi, %rdi
	call	*%rax
	movl	$1, %eax
.Ltry_end:
	addq	$8, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
	.size	arch_try, . - arch_try

/* void arch_try_abort(uint64_t mark) */
	.balign	16
	.globl	arch_try_abort
	.hidden	arch_try_abort
	.type	arch_try_abort, @function
arch_try_abort:
	cld
	movq	%rdi, %rsp
	leaq	48(%rdi), %rbp
	xorl	%eax, %eax
	jmp	.Ltry_end
	.size	arch_try_abort, . - arch_try_abort

/* void arch_call_on_stack(void (*fn)(void *), void *arg, vaddr_t top) */
	.balign	16
	.globl	arch_call_on_stack
	.hidden	arch_call_on_stack
	.type	arch_call_on_stack, @function
arch_call_on_stack:
	pushq	%rbp
	movq	%rsp, %rbp
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsp
	andq	$-16, %rsp
	call	*%rax
	movq	%rbp, %rsp
	popq	%rbp
	ret
	.size	arch_call_on_stack, . - arch_call_on_stack
