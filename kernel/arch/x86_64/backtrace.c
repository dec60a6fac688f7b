/* SPDX-License-Identifier: MIT */
/*
 * backtrace.c - who called whom, and the registers, for reports.
 *
 * Every function keeps a frame pointer: rbp points to the caller's rbp, with the return address above
 * it. Entry from user mode sets rbp to 0, which ends the chain. An interrupt or trap leaves the registers
 * of what it interrupted right above the first function's frame: the walk goes on with them, so that
 * the interrupted function itself is not missed. Used while the machine is broken, so each step is checked:
 * a frame must be aligned, readable, and above the one before on the same stack.
 */
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/uaccess.h>

#include "asm_offsets.h"
#include "kernel_image.h"
#include "msr.h"
#include "traps.h"

void thread_begin(void); /* entry.S */

#define DEPTH_MAX 64
/* entry.S pads the stack by 8 bytes below the registers before each call: frame, padding, registers. */
#define ENTRY_FRAME 24

struct frame {
	vaddr_t caller;
	vaddr_t pc;
};

/* Is `pc` a return address in entry.S, of a call that was made with the saved registers above it? */
static bool
is_entry(vaddr_t pc)
{
	return pc > (vaddr_t)trap_entry_stubs && pc <= (vaddr_t)thread_begin;
}

void
arch_stack_walk(vaddr_t rbp, bool (*fn)(void *ctx, const struct stack_step *s), void *ctx)
{
	vaddr_t low = rbp;

	for (unsigned int depth = 0; depth < DEPTH_MAX; depth++) {
		const struct trap_frame *saved = (const struct trap_frame *)(rbp + ENTRY_FRAME);
		struct stack_step step = { 0 };
		struct trap_frame regs;
		struct frame f;

		if (!IS_ALIGNED(rbp, 8) || rbp < direct_map_base || rbp < low ||
		    !arch_probe_read(&f, (const void *)rbp, sizeof(f)) || f.pc == 0)
			return;
		step.pc = f.pc;
		if (!fn(ctx, &step))
			return;
		low = rbp + 1;
		rbp = f.caller;
		if (!is_entry(f.pc))
			continue;
		/* Another function was at work, maybe on another stack. */
		if (!arch_probe_read(&regs, saved, sizeof(regs)))
			return;
		step = (struct stack_step){ regs.rip, true, saved };
		if (!fn(ctx, &step) || trap_from_user(&regs))
			return;
		low = rbp = regs.rbp;
	}
}

vaddr_t
arch_frame_pc(const struct trap_frame *f)
{
	return f->rip;
}

vaddr_t
arch_frame_sp(const struct trap_frame *f)
{
	return f->rsp;
}

vaddr_t
arch_frame_fp(const struct trap_frame *f)
{
	return f->rbp;
}

uint64_t
arch_frame_argument(const struct trap_frame *f, unsigned int n)
{
	const uint64_t values[] = { f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9 };

	return n < ARRAY_SIZE(values) ? values[n] : 0;
}

const struct trap_frame *
arch_interrupted_frame(void)
{
	return this_cpu()->arch.interrupted;
}

bool
arch_peek_user(vaddr_t va, uint64_t *out)
{
	struct page_table pt = { .root = cr3_read() & ~(paddr_t)(PAGE_SIZE - 1) & ~BIT(63) };
	unsigned int prot;
	paddr_t pa;

	/* Tables are freed after every CPU that has them loaded took an interrupt: not while we look. */
	if (!IS_ALIGNED(va, 8) || va >= USER_LIMIT || !arch_page_table_lookup(&pt, va, &pa, &prot) ||
	    !(prot & PTE_READ) || !(prot & PTE_USER) || (prot & PTE_DEVICE))
		return false;
	pa += va & ((prot & PTE_HUGE ? HUGE_PAGE_SIZE : PAGE_SIZE) - 1);
	*out = *(const uint64_t *)phys_to_virt(pa);
	return true;
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
