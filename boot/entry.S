/* SPDX-License-Identifier: MIT */
/*
 * entry.S - the first instructions: from a loader's 32-bit protected mode to 64-bit C.
 *
 * PVH (EBX: struct hvm_start_info) and Multiboot2 (EAX: magic, EBX: information) hand over flat
 * 32-bit segments, paging off, interrupts off, no stack. Nothing here knows where in physical memory
 * it lies: every address is taken relative to a label whose address a call has pushed.
 *
 *	1. find the load address; stack; check for long mode, NX, and what every such CPU has had
 *	2. boot tables: the first 4 GiB at 0
 *	3. PAE, NXE, long mode, paging; 64-bit code segment
 *	4. boot_prepare(): slide, relocation, the kernel's mapping, the first 4 GiB at the base of the direct
 *	   map; still at physical addresses
 *	5. jump to the kernel's own addresses: boot_main()
 *
 * Limine enters in 64-bit mode at the kernel's addresses: limine_entry, at the end.
 */
#include "boot_layout.h"

/* CPUID leaf 1, EDX: FPU, TSC, MSR, PAE, CX8, CMOV, FXSR, SSE, SSE2: compilers take them for granted. */
#define BASELINE 0x07008171

	.section .text.boot, "ax"
	.code32

	.globl pvh_entry
	.hidden pvh_entry
pvh_entry:
	movl $BOOT_PROTOCOL_PVH, %edi
	jmp find_load_address

	.globl multiboot2_entry
	.hidden multiboot2_entry
multiboot2_entry:
	movl $BOOT_PROTOCOL_MULTIBOOT2, %edi
	cmpl $MULTIBOOT2_LOADER_MAGIC, %eax
	je find_load_address
1:	hlt
	jmp 1b

	/* EDI: protocol, EBX: its information. */
find_load_address:
	cli
	cld
	movl %ebx, %esi
	/* The only memory known to be ours to write is the information: borrow its second word. */
	movl 4(%esi), %ebp
	leal 8(%esi), %esp
	call base
base:
	popl %ebx
	movl %ebp, 4(%esi)
	leal (boot_stack_top - base)(%ebx), %esp

	rdtsc
	pushl %edx                              /* entry cycles, read as 64 bits in step 4 */
	pushl %eax

	/* CPUID has its extended leaves on every CPU that has long mode; it clobbers EBX. */
	movl %ebx, %ebp
	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	jb no_long_mode
	movl $0x80000001, %eax
	cpuid
	btl $29, %edx                           /* long mode */
	jnc no_long_mode
	btl $20, %edx                           /* NX */
	jnc no_long_mode
	movl $1, %eax
	cpuid
	andl $BASELINE, %edx
	cmpl $BASELINE, %edx
	jne no_long_mode
	movl %ebp, %ebx

	/* Four directories of 2 MiB pages: the first 4 GiB. */
	leal (boot_directories - base)(%ebx), %edx
	xorl %ecx, %ecx
1:	movl %ecx, %eax
	shll $21, %eax
	orl $PTE_LEAF, %eax
	movl %eax, (%edx, %ecx, 8)
	incl %ecx
	cmpl $2048, %ecx
	jne 1b

	leal (boot_pdpt_low - base)(%ebx), %ecx
	orl $PTE_TABLE, %edx
	movl %edx, (%ecx)
	addl $4096, %edx
	movl %edx, 8(%ecx)
	addl $4096, %edx
	movl %edx, 16(%ecx)
	addl $4096, %edx
	movl %edx, 24(%ecx)

	leal (boot_pml4 - base)(%ebx), %edx
	orl $PTE_TABLE, %ecx
	movl %ecx, (%edx)
	leal (boot_pdpt_high - base)(%ebx), %ecx
	orl $PTE_TABLE, %ecx
	movl %ecx, 511 * 8(%edx)
	leal (boot_directories_kernel - base)(%ebx), %eax
	orl $PTE_TABLE, %eax
	andl $~0xfff, %ecx
	movl %eax, 510 * 8(%ecx)                /* 0xffffffff80000000, 2 GiB */
	addl $4096, %eax
	movl %eax, 511 * 8(%ecx)

	movl %edx, %cr3
	movl %cr4, %eax
	orl $0x20, %eax                         /* PAE */
	movl %eax, %cr4
	movl $0xc0000080, %ecx                  /* EFER: LME, NXE */
	rdmsr
	orl $0x900, %eax
	wrmsr
	movl %cr0, %eax
	orl $0x80010001, %eax                   /* PG, WP, PE */
	movl %eax, %cr0

	/* A descriptor table on the stack: its address is known only now. */
	pushl $0x00af9b00                       /* 0x08: code, 64-bit */
	pushl $0x0000ffff
	pushl $0
	pushl $0
	movl %esp, %eax
	pushl %eax
	pushw $15
	lgdt (%esp)
	leal 6(%esp), %esp
	pushl $0x08
	leal (long_mode - base)(%ebx), %eax
	pushl %eax
	lretl

	/* Say so on the first serial port, and stop. */
no_long_mode:
	leal (no_long_mode_text - base)(%ebp), %esi
2:	lodsb
	testb %al, %al
	jz 4f
	movb %al, %ah
	movw $0x3fd, %dx
3:	inb %dx, %al
	testb $0x20, %al
	jz 3b
	movb %ah, %al
	movw $0x3f8, %dx
	outb %al, %dx
	jmp 2b
4:	movb $0x7e, %al                         /* QEMU's debug exit, if there is one */
	outb %al, $0xf4
5:	hlt
	jmp 5b
no_long_mode_text:
	.asciz "PANIC: tessera: this CPU lacks one of 64-bit mode, NX, CMOV, FXSR, SSE2; all are needed\r\n"

	.code64
long_mode:
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	/* The upper halves are undefined after the switch. */
	movl %esp, %esp
	movl %edi, %edi
	movl %esi, %esi
	addq $16, %rsp                          /* the descriptors are loaded and not needed again */
	popq %rdx
	andq $~15, %rsp
	xorl %ebp, %ebp
	call boot_prepare                       /* (protocol, information, cycles) -> offset */
	leaq high(%rip), %rcx
	addq %rax, %rcx
	leaq boot_stack_top(%rip), %rsp
	addq %rax, %rsp
	jmp *%rcx
high:
	xorl %ebp, %ebp
	call boot_main
1:	hlt
	jmp 1b

	/* Limine: the kernel's addresses, the loader's tables and stack, interrupts off. */
	.globl limine_entry
limine_entry:
	cld
	rdtsc
	shlq $32, %rdx
	orq %rax, %rdx
	movq %rdx, %rdi
	leaq boot_stack_top(%rip), %rsp
	xorl %ebp, %ebp
	call limine_prepare
	jmp high

	.section .bss.boot_tables, "aw", @nobits
	.balign 4096
	.globl boot_pml4, boot_pdpt_low, boot_pdpt_direct, boot_directories, boot_directories_kernel
	.hidden boot_pml4, boot_pdpt_low, boot_pdpt_direct, boot_directories, boot_directories_kernel
boot_pml4:
	.skip 4096
boot_pdpt_low:
	.skip 4096
boot_pdpt_direct:
	.skip 4096
boot_pdpt_high:
	.skip 4096
boot_directories_kernel:
	.skip 2 * 4096
boot_directories:
	.skip 4 * 4096
