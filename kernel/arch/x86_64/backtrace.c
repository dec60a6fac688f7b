/* SPDX-License-Identifier: MIT */
/*
 * backtrace.c - who called whom, and the registers, for reports.
 *
 * Every function keeps a frame pointer: rbp points to the caller's rbp, with the return address above
 * it. Entry from user mode sets rbp to 0, which ends the chain. Used while the machine is broken, so
 * each step is checked: a frame must be aligned, mapped, and above the one before.
 */
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/panic.h>
#include <tessera/print.h>

#include "asm_offsets.h"
#include "kernel_image.h"
#include "msr.h"

#define DEPTH_MAX 64

struct frame {
	vaddr_t caller;
	vaddr_t pc;
};

/* True when the 8 bytes at `va` can be read. */
static bool
readable(vaddr_t va)
{
	paddr_t pa;
	unsigned int prot;

	if (va >= (vaddr_t)kernel_start && va < (vaddr_t)kernel_end)
		return true;
	return va >= DIRECT_MAP_START && kernel_page_table.root != 0 &&
	       arch_page_table_lookup(&kernel_page_table, va, &pa, &prot) && (prot & PTE_READ);
}

void
arch_backtrace(vaddr_t rbp, bool (*fn)(void *ctx, vaddr_t pc), void *ctx)
{
	for (unsigned int depth = 0; depth < DEPTH_MAX; depth++) {
		const struct frame *f = (const struct frame *)rbp;

		if (!IS_ALIGNED(rbp, 8) || !readable(rbp) || !readable(rbp + 8))
			return;
		if (f->pc == 0 || !fn(ctx, f->pc) || f->caller <= rbp)
			return;
		rbp = f->caller;
	}
}

void
arch_frame_print(const struct trap_frame *f)
{
	char where[96];

	log_print(LOG_EMERG, "rip %04lx:%016lx %s", f->cs & 0xffff, f->rip,
		  trap_from_user(f) ? "(user)" : symbol_format(f->rip, where, sizeof(where)));
	log_print(LOG_EMERG, "rsp %04lx:%016lx rflags %08lx error/call %lx", f->ss & 0xffff, f->rsp,
		  f->rflags, f->orig_rax);
	log_print(LOG_EMERG, "rax %016lx rbx %016lx rcx %016lx rdx %016lx", f->rax, f->rbx, f->rcx,
		  f->rdx);
	log_print(LOG_EMERG, "rsi %016lx rdi %016lx rbp %016lx r8  %016lx", f->rsi, f->rdi, f->rbp,
		  f->r8);
	log_print(LOG_EMERG, "r9  %016lx r10 %016lx r11 %016lx r12 %016lx", f->r9, f->r10, f->r11,
		  f->r12);
	log_print(LOG_EMERG, "r13 %016lx r14 %016lx r15 %016lx", f->r13, f->r14, f->r15);
	log_print(LOG_EMERG, "cr0 %08lx cr2 %016lx cr3 %016lx cr4 %08lx", cr0_read(), cr2_read(),
		  cr3_read(), cr4_read());
}
