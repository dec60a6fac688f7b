/* SPDX-License-Identifier: MIT */
/*
 * user_copy.S - every instruction of the kernel that may fault on purpose, and what to do then.
 *
 * Each such instruction has an entry in the exception table at the end: its address, and where to go
 * on when it faults and the fault cannot be mended. A kernel fault at any other address is a panic.
 * Entries are distances from themselves, so the table needs no relocation; they stand in the order of
 * the code, so the table is sorted and trap handling searches it by halves (traps.c).
 *
 * User memory may be touched only between user_begin and user_end, which set and clear AC where SMAP is
 * on (user_access_guarded). A fault leaves AC as it was in the saved flags, so the fix-up still has it.
 *
 * Copies return the exact number of bytes not copied. A wide move that faults may have been able to
 * move its first bytes; so the fix-up of every wide loop falls back to the byte loop from the place it
 * had reached, and only a fault of the byte loop ends the copy.
 *
 * From WIDE bytes on a copy is one REP MOVSQ: one instruction for eight bytes, and every processor moves
 * whole cache lines by it; its registers say exactly how far it came when it faults. Where the processor
 * is fast at REP MOVSB (user_copy_rep) that takes all of it; an emulator is not, whatever CPUID says. Shorter
 * copies go through registers, 32 bytes a turn: starting a string instruction costs more than they take.
 */
#define WIDE 128

	.macro	user_begin
	cmpb	$0, user_access_guarded(%rip)
	je	.Lbegin\@
	stac
.Lbegin\@:
	.endm

	.macro	user_end
	cmpb	$0, user_access_guarded(%rip)
	je	.Lend\@
	clac
.Lend\@:
	.endm

	/* `at` may fault: then go on at `to`. */
	.macro	on_fault at, to
	.pushsection .rodata.exception_table, "a", @progbits
	.balign	4
	.long	\at - .
	.long	\to - .
	.popsection
	.endm

	.macro	function name
	.balign	16
	.globl	\name
	.type	\name, @function
\name:
	.endm

	.section .rodata.exception_table, "a", @progbits
	.balign	4
	.globl	exception_table_start
	.hidden	exception_table_start
exception_table_start:

	.text

/*
 * The common body: rdi to, rsi from, rdx bytes; clobbers rax, rcx, r8-r11.
 * Returns in rax what was not copied.
 */
	.balign	16
	.type	copy_user_body, @function
copy_user_body:
	user_begin
	movq	%rdx, %rcx
	cmpq	$32, %rcx
	jb	.Lwords
	cmpb	$0, user_copy_rep(%rip)
	jne	.Lrep
	cmpq	$WIDE, %rcx
	jae	.Lwide
.Lblock:
1:	movq	(%rsi), %r8
2:	movq	8(%rsi), %r9
3:	movq	16(%rsi), %r10
4:	movq	24(%rsi), %r11
5:	movq	%r8, (%rdi)
6:	movq	%r9, 8(%rdi)
7:	movq	%r10, 16(%rdi)
8:	movq	%r11, 24(%rdi)
	addq	$32, %rsi
	addq	$32, %rdi
	subq	$32, %rcx
	cmpq	$32, %rcx
	jae	.Lblock
	testl	%ecx, %ecx
	jz	.Lcopied
	on_fault 1b, .Lbytes
	on_fault 2b, .Lbytes
	on_fault 3b, .Lbytes
	on_fault 4b, .Lbytes
	on_fault 5b, .Lbytes
	on_fault 6b, .Lbytes
	on_fault 7b, .Lbytes
	on_fault 8b, .Lbytes
/* Less than 32 bytes are left: each bit of the count is a move or none. */
.Lwords:
	testb	$16, %cl
	jz	.Ltail8
1:	movq	(%rsi), %r8
2:	movq	8(%rsi), %r9
3:	movq	%r8, (%rdi)
4:	movq	%r9, 8(%rdi)
	addq	$16, %rsi
	addq	$16, %rdi
	andl	$15, %ecx
	on_fault 1b, .Lbytes
	on_fault 2b, .Lbytes
	on_fault 3b, .Lbytes
	on_fault 4b, .Lbytes
.Ltail8:
	testb	$8, %cl
	jz	.Ltail4
1:	movq	(%rsi), %r8
2:	movq	%r8, (%rdi)
	addq	$8, %rsi
	addq	$8, %rdi
	andl	$7, %ecx
	jz	.Lcopied
	on_fault 1b, .Lbytes
	on_fault 2b, .Lbytes
.Ltail4:
	testb	$4, %cl
	jz	.Lbytes
1:	movl	(%rsi), %r8d
2:	movl	%r8d, (%rdi)
	addq	$4, %rsi
	addq	$4, %rdi
	andl	$3, %ecx
	on_fault 1b, .Lbytes
	on_fault 2b, .Lbytes
.Lbytes:
	testq	%rcx, %rcx
	jz	.Lcopied
1:	movb	(%rsi), %al
2:	movb	%al, (%rdi)
	incq	%rsi
	incq	%rdi
	decq	%rcx
	jmp	.Lbytes
	on_fault 1b, .Lcopied
	on_fault 2b, .Lcopied
.Lwide:
	movl	%ecx, %r8d
	andl	$7, %r8d
	shrq	$3, %rcx
1:	rep movsq
	on_fault 1b, .Lwide_fault
	movl	%r8d, %ecx
	jmp	.Lbytes
.Lwide_fault:
	leaq	(%r8,%rcx,8), %rcx
	jmp	.Lbytes
.Lrep:
1:	rep movsb
	on_fault 1b, .Lcopied
.Lcopied:
	user_end
	movq	%rcx, %rax
	ret
	.size	copy_user_body, . - copy_user_body

/* size_t arch_copy_from_user(void *to, const void __user *from, size_t n) */
function arch_copy_from_user
	pushq	%rbp
	movq	%rsp, %rbp
	call	copy_user_body
	popq	%rbp
	ret
	.size	arch_copy_from_user, . - arch_copy_from_user

/* size_t arch_copy_to_user(void __user *to, const void *from, size_t n) */
function arch_copy_to_user
	pushq	%rbp
	movq	%rsp, %rbp
	call	copy_user_body
	popq	%rbp
	ret
	.size	arch_copy_to_user, . - arch_copy_to_user

/*
 * struct user_word arch_get_user_N(const void __user *p): N bytes in rax, 0 or -EFAULT in rdx.
 * int arch_put_user_N(void __user *p, uint64_t value): 0 or -EFAULT.
 */
	.macro	word_functions size, load, target, store, source
function arch_get_user_\size
	user_begin
1:	\load	(%rdi), \target
	on_fault 1b, .Lget_fault
	user_end
	xorl	%edx, %edx
	ret
	.size	arch_get_user_\size, . - arch_get_user_\size

function arch_put_user_\size
	user_begin
1:	\store	\source, (%rdi)
	on_fault 1b, .Lput_fault
	user_end
	xorl	%eax, %eax
	ret
	.size	arch_put_user_\size, . - arch_put_user_\size
	.endm

	word_functions 1, movzbl, %eax, movb, %sil
	word_functions 2, movzwl, %eax, movw, %si
	word_functions 4, movl, %eax, movl, %esi
	word_functions 8, movq, %rax, movq, %rsi

/* size_t arch_put_user_2_each(void __user *to, const void *from, size_t step, size_t count): not written */
function arch_put_user_2_each
	user_begin
	testq	%rcx, %rcx
	jz	.Leach_end
.Leach:
	movzwl	(%rsi), %eax
1:	movw	%ax, (%rdi)
	on_fault 1b, .Leach_end
	addq	%rdx, %rsi
	addq	%rdx, %rdi
	decq	%rcx
	jnz	.Leach
.Leach_end:
	user_end
	movq	%rcx, %rax
	ret
	.size	arch_put_user_2_each, . - arch_put_user_2_each

	.balign	16
.Lget_fault:
	user_end
	xorl	%eax, %eax
	movq	$-14, %rdx
	ret
.Lput_fault:
	user_end
	movl	$-14, %eax
	ret

/* size_t arch_clear_user(void __user *to, size_t n): bytes not cleared */
function arch_clear_user
	user_begin
	movl	%esi, %r8d
	andl	$7, %r8d
	movq	%rsi, %rcx
	shrq	$3, %rcx
	xorl	%eax, %eax
1:	rep stosq
	on_fault 1b, .Lclear_fault
	movl	%r8d, %ecx
	jmp	.Lclear_bytes
.Lclear_fault:
	leaq	(%r8,%rcx,8), %rcx
.Lclear_bytes:
	testq	%rcx, %rcx
	jz	.Lcleared
1:	movb	%al, (%rdi)
	incq	%rdi
	decq	%rcx
	jmp	.Lclear_bytes
	on_fault 1b, .Lcleared
.Lcleared:
	user_end
	movq	%rcx, %rax
	ret
	.size	arch_clear_user, . - arch_clear_user

/*
 * long arch_strncpy_from_user(char *to, const char __user *from, size_t n)
 * At most n bytes, the NUL among them; behind it up to 7 more may be copied. Returns the length without the NUL,
 * n when there was none, -EFAULT when the string runs into memory that cannot be read.
 */
function arch_strncpy_from_user
	user_begin
	xorl	%eax, %eax
	movabsq	$0x0101010101010101, %r8
	movabsq	$0x8080808080808080, %r9
/* Eight bytes at a time while they fit: in (w - 01..) & ~w & 80.. the lowest bit that is set tells the first NUL. */
.Lstring_word:
	leaq	8(%rax), %r10
	cmpq	%rdx, %r10
	ja	.Lstring
1:	movq	(%rsi,%rax), %rcx
	on_fault 1b, .Lstring
	movq	%rcx, %r11
	movq	%rcx, (%rdi,%rax)
	notq	%r11
	subq	%r8, %rcx
	andq	%r9, %r11
	andq	%r11, %rcx
	jnz	.Lstring_last
	movq	%r10, %rax
	jmp	.Lstring_word
.Lstring_last:
	bsfq	%rcx, %rcx
	shrl	$3, %ecx
	addq	%rcx, %rax
	jmp	.Lstring_end
/* The rest of a short buffer, or up to what cannot be read. */
.Lstring:
	cmpq	%rdx, %rax
	jae	.Lstring_end
1:	movb	(%rsi,%rax), %cl
	movb	%cl, (%rdi,%rax)
	testb	%cl, %cl
	jz	.Lstring_end
	incq	%rax
	jmp	.Lstring
	on_fault 1b, .Lstring_fault
.Lstring_fault:
	movq	$-14, %rax
.Lstring_end:
	user_end
	ret
	.size	arch_strncpy_from_user, . - arch_strncpy_from_user

/*
 * int arch_user_cmpxchg32(uint32_t __user *p, uint32_t old, uint32_t new_value, uint32_t *seen)
 * 0 with the value that was there in *seen, or -EFAULT.
 */
function arch_user_cmpxchg32
	user_begin
	movl	%esi, %eax
1:	lock cmpxchgl %edx, (%rdi)
	on_fault 1b, .Lcmpxchg_fault
	user_end
	movl	%eax, (%rcx)
	xorl	%eax, %eax
	ret
.Lcmpxchg_fault:
	user_end
	movl	$-14, %eax
	ret
	.size	arch_user_cmpxchg32, . - arch_user_cmpxchg32

/* int fpu_xrstor_checked(const void *area, uint64_t mask): 0, or -EFAULT when the image is malformed */
function fpu_xrstor_checked
	movl	%esi, %eax
	movq	%rsi, %rdx
	shrq	$32, %rdx
1:	xrstor64 (%rdi)
	on_fault 1b, .Lxrstor_fault
	xorl	%eax, %eax
	ret
.Lxrstor_fault:
	movl	$-14, %eax
	ret
	.size	fpu_xrstor_checked, . - fpu_xrstor_checked

/*
 * int fpu_xsave_user(void __user *area, uint64_t mask)
 * int fpu_xrstor_user(const void __user *area, uint64_t mask)
 * Between the registers and a program's memory: 0, or -EFAULT, having stored or loaded some.
 */
function fpu_xsave_user
	movl	%esi, %eax
	movq	%rsi, %rdx
	shrq	$32, %rdx
	user_begin
1:	xsave64	(%rdi)
	on_fault 1b, .Lfpu_user_fault
	user_end
	xorl	%eax, %eax
	ret
	.size	fpu_xsave_user, . - fpu_xsave_user

function fpu_xrstor_user
	movl	%esi, %eax
	movq	%rsi, %rdx
	shrq	$32, %rdx
	user_begin
1:	xrstor64 (%rdi)
	on_fault 1b, .Lfpu_user_fault
	user_end
	xorl	%eax, %eax
	ret
.Lfpu_user_fault:
	user_end
	movl	$-14, %eax
	ret
	.size	fpu_xrstor_user, . - fpu_xrstor_user

/* int fpu_fxrstor_checked(const void *area): the same without XSAVE */
function fpu_fxrstor_checked
1:	fxrstor64 (%rdi)
	on_fault 1b, .Lfxrstor_fault
	xorl	%eax, %eax
	ret
.Lfxrstor_fault:
	movl	$-14, %eax
	ret
	.size	fpu_fxrstor_checked, . - fpu_fxrstor_checked

/* int msr_read_checked(uint32_t msr, uint64_t *value): 0, or -EFAULT when there is no such register */
function msr_read_checked
	movl	%edi, %ecx
1:	rdmsr
	on_fault 1b, .Lrdmsr_fault
	shlq	$32, %rdx
	orq	%rdx, %rax
	movq	%rax, (%rsi)
	xorl	%eax, %eax
	ret
.Lrdmsr_fault:
	movl	$-14, %eax
	ret
	.size	msr_read_checked, . - msr_read_checked

	.section .rodata.exception_table, "a", @progbits
	.globl	exception_table_end
	.hidden	exception_table_end
exception_table_end:
