/* SPDX-License-Identifier: MIT */
/*
 * arch/trap_frame.h - x86-64: the registers saved at the top of the kernel stack on every entry.
 */
#ifndef TESSERA_ARCH_TRAP_FRAME_H
#define TESSERA_ARCH_TRAP_FRAME_H

#include <tessera/types.h>

/* The order of Linux's struct pt_regs (and user_regs_struct), so that ptrace can copy it out. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, rbp, rbx;
	uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t orig_rax; /* system call number, or -1; error code while a trap is being handled */
	uint64_t rip, cs, rflags, rsp, ss;
};

#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define USER_DATA   0x2b
#define USER_CODE   0x33

static inline bool
trap_from_user(const struct trap_frame *f)
{
	return (f->cs & 3) == 3;
}

#endif
