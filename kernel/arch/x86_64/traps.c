/* SPDX-License-Identifier: MIT */
/*
 * traps.c - exceptions and interrupts after entry.S has saved the registers.
 *
 * From user mode: the trap is the program's. What the hardware latched (CR2, DR6, the FPU's flags) is
 * read with interrupts still off; then they go on, the fault is mended or becomes the signal that
 * Linux would send, and the common way back is taken.
 *
 * From the kernel: an interrupt runs its handler, then maybe the scheduler (the kernel is preemptible
 * wherever the preempt count is 0). A fault is legitimate only at an instruction listed in the
 * exception table, that is, an access to user memory: it is mended by mm/ if the place may sleep, else
 * the instruction's fix-up is taken. Every other fault is a bug and a panic.
 *
 * The way back to user mode is a loop with interrupts off at its test: nothing can be asked of the
 * thread between the last test and the return.
 */
#include "traps.h"

#include <tessera/address_space.h>
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/config.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/sched.h>
#include <tessera/signal.h>
#include <tessera/thread.h>
#include <tessera/trace.h>
#include <tessera/uaccess.h>

#include "asm_offsets.h"
#include "features.h"
#include "msr.h"
#include "tracee.h"
#include "user_copy.h"

#define PF_PRESENT BIT(0)
#define PF_WRITE   BIT(1)
#define PF_USER    BIT(2)
#define PF_BAD     BIT(3) /* reserved bit set in an entry */
#define PF_FETCH   BIT(4)
#define PF_PKEY    BIT(5)

#define DR6_BREAKPOINTS 0xful
#define DR6_STEP        BIT(14)
#define DR6_INITIAL     0xffff0ff0ul

bool user_access_guarded;
bool user_copy_rep;

static const char *const trap_names[32] = {
	[TRAP_DIVIDE] = "divide error",
	[TRAP_DEBUG] = "debug trap",
	[TRAP_NMI] = "non-maskable interrupt",
	[TRAP_BREAKPOINT] = "breakpoint",
	[TRAP_OVERFLOW] = "overflow",
	[TRAP_BOUND] = "bound range",
	[TRAP_INVALID_OPCODE] = "invalid opcode",
	[TRAP_NO_FPU] = "FPU not available",
	[TRAP_DOUBLE_FAULT] = "double fault",
	[TRAP_INVALID_TSS] = "invalid TSS",
	[TRAP_NO_SEGMENT] = "segment not present",
	[TRAP_STACK_SEGMENT] = "stack segment fault",
	[TRAP_PROTECTION] = "general protection fault",
	[TRAP_PAGE_FAULT] = "page fault",
	[TRAP_X87] = "x87 exception",
	[TRAP_ALIGNMENT] = "alignment check",
	[TRAP_MACHINE_CHECK] = "machine check",
	[TRAP_SIMD] = "SIMD exception",
};

static const char *
trap_name(unsigned int vector)
{
	return vector < ARRAY_SIZE(trap_names) && trap_names[vector] ? trap_names[vector]
								      : "unknown trap";
}

void
user_copy_init(void)
{
	user_access_guarded = cpu_features.smap;
	user_copy_rep = cpu_features.erms && !cpu_features.tcg;
}

void
syscall_init_cpu(void)
{
	struct cpu *c = this_cpu();

	/* Intel's processors say so in 64-bit mode only: boot/entry.S cannot ask. */
	if (!(cpuid_read(0x80000001, 0).edx & BIT(11)))
		panic("this CPU has no SYSCALL instruction");
	/* SYSRET adds 16 and 8 to the high selector for code and stack; SYSCALL 0 and 8 to the low. */
	wrmsr(MSR_STAR, (uint64_t)(USER_CODE - 16) << 48 | (uint64_t)KERNEL_CODE << 32);
	wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
	wrmsr(MSR_CSTAR, 0);
	/* Everything that user code can set and the kernel must not inherit. */
	wrmsr(MSR_SFMASK, 0x47fd5 | RFLAGS_IF | RFLAGS_AC);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	if (cpu_features.rdtscp || cpu_features.rdpid)
		wrmsr(MSR_TSC_AUX, c->id);
}

/* Where to go on when the instruction at `pc` faults for good; 0: it was not expected to. */
static vaddr_t
exception_fixup(vaddr_t pc)
{
	const struct exception_entry *low = exception_table_start, *high = exception_table_end;

	while (low < high) {
		const struct exception_entry *e = low + (high - low) / 2;
		vaddr_t at = (vaddr_t)&e->instruction + (int64_t)e->instruction;

		if (at == pc)
			return (vaddr_t)&e->fixup + (int64_t)e->fixup;
		if (at < pc)
			low = e + 1;
		else
			high = e;
	}
	return 0;
}

static unsigned int
fault_access(uint64_t error)
{
	return (error & PF_WRITE ? FAULT_WRITE : 0) | (error & PF_FETCH ? FAULT_EXEC : 0) |
	       (error & PF_PRESENT ? FAULT_PRESENT : 0) | (error & PF_USER ? FAULT_USER : 0);
}

/* Would the thread's rights by `key` alone refuse the access? */
static bool
key_refuses(unsigned int key, uint64_t error)
{
	unsigned int refused = arch_key_count() ? arch_key_rights(key) : 0;

	return !(error & PF_FETCH) &&
	       (refused & (error & PF_WRITE ? KEY_NO_ACCESS | KEY_NO_WRITE : KEY_NO_ACCESS));
}

/* A page fault of user code, interrupts on. */
static void
user_page_fault(struct trap_frame *f, vaddr_t address, uint64_t error)
{
	unsigned int key;
	int result;

	if (error & PF_BAD)
		panic_with_frame(f, "page table of %s is corrupt: reserved bit set for %#lx",
				 current_thread()->name, address);
	/* Nothing about the page can mend that; and it comes before all that could be wrong with the page. */
	if (error & PF_PKEY) {
		thread_user_key_trap(f, address_space_key(current_process()->as, address), address,
				     TRAP_PAGE_FAULT);
		return;
	}
	/*
	 * The kernel's half looks unmapped, present or not. A page that is there, refused to user code that
	 * the processor gave the kernel's rights: SMAP, met by an emulator's far return. It would be refused
	 * each time.
	 */
	if (address >= USER_LIMIT)
		result = -EFAULT;
	else if ((error & PF_PRESENT) && !(error & PF_USER))
		result = -EACCES;
	else
		result = fault_handle(address, fault_access(error), true, f);
	switch (result) {
	case 0:
	case -EINTR:
	case -ENOMEM:
		return;
	case -EIO:
		thread_user_trap(f, SIGBUS, BUS_ADRERR, address, TRAP_PAGE_FAULT);
		return;
	case -EACCES:
		key = address_space_key(current_process()->as, address);
		if (key_refuses(key, error))
			thread_user_key_trap(f, key, address, TRAP_PAGE_FAULT);
		else
			thread_user_trap(f, SIGSEGV, SEGV_ACCERR, address, TRAP_PAGE_FAULT);
		return;
	default:
		thread_user_trap(f, SIGSEGV, SEGV_MAPERR, address, TRAP_PAGE_FAULT);
		return;
	}
}

/* Which FPE_* the flags (invalid, denormal, zero, overflow, underflow, precision) mean. */
static int
fpe_code(unsigned int flags)
{
	if (flags & 0x01)
		return FPE_FLTINV;
	if (flags & 0x04)
		return FPE_FLTDIV;
	if (flags & 0x08)
		return FPE_FLTOVF;
	if (flags & 0x12)
		return FPE_FLTUND;
	if (flags & 0x20)
		return FPE_FLTRES;
	return 0;
}

static int
x87_code(void)
{
	uint16_t status, control;

	__asm__ volatile("fnstsw %0" : "=m"(status));
	__asm__ volatile("fnstcw %0" : "=m"(control));
	return fpe_code(status & ~control);
}

static int
simd_code(void)
{
	uint32_t mxcsr;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	return fpe_code(mxcsr & ~(mxcsr >> 7));
}

/* Read and reset DR6: the processor only ever sets its bits. */
static uint64_t
debug_status(void)
{
	uint64_t dr6;

	__asm__ volatile("movq %%dr6, %0" : "=r"(dr6));
	__asm__ volatile("movq %0, %%dr6" ::"r"(DR6_INITIAL));
	return dr6 ^ DR6_INITIAL;
}

static int
debug_code(uint64_t dr6)
{
	if (dr6 & DR6_STEP)
		return TRAP_TRACE;
	return dr6 & DR6_BREAKPOINTS ? TRAP_HWBKPT : TRAP_BRKPT;
}

/* An exception of user code: interrupts off on entry, on when it returns. */
static void
user_exception(struct trap_frame *f, unsigned int vector)
{
	struct arch_thread *at = &current_thread()->arch;
	uint64_t error = f->orig_rax, cr2, why;
	int code;

	f->orig_rax = (uint64_t)-1; /* no system call: a signal must not try to restart one */
	at->trap_no = (uint8_t)vector;
	at->error_code = (uint32_t)error;

	switch (vector) {
	case TRAP_PAGE_FAULT:
		cr2 = cr2_read();
		at->fault_address = cr2;
		arch_irq_enable();
		user_page_fault(f, cr2, error);
		return;
	case TRAP_DIVIDE:
		arch_irq_enable();
		thread_user_trap(f, SIGFPE, FPE_INTDIV, f->rip, (int)vector);
		return;
	case TRAP_DEBUG:
		why = debug_status();
		code = debug_code(why);
		arch_irq_enable();
		debug_note(f, why);
		thread_user_trap(f, SIGTRAP, code, f->rip, (int)vector);
		return;
	case TRAP_BREAKPOINT:
		arch_irq_enable();
		thread_user_trap(f, SIGTRAP, SI_KERNEL, 0, (int)vector);
		return;
	case TRAP_INVALID_OPCODE:
		arch_irq_enable();
		thread_user_trap(f, SIGILL, ILL_ILLOPN, f->rip, (int)vector);
		return;
	case TRAP_NO_SEGMENT:
	case TRAP_STACK_SEGMENT:
		arch_irq_enable();
		thread_user_trap(f, SIGBUS, SI_KERNEL, 0, (int)vector);
		return;
	case TRAP_X87:
	case TRAP_SIMD:
		code = vector == TRAP_X87 ? x87_code() : simd_code();
		arch_irq_enable();
		/* None pending: the exception was raised and then masked; Linux lets it pass. */
		if (code)
			thread_user_trap(f, SIGFPE, code, f->rip, (int)vector);
		return;
	case TRAP_ALIGNMENT:
		arch_irq_enable();
		thread_user_trap(f, SIGBUS, BUS_ADRALN, 0, (int)vector);
		return;
	case TRAP_OVERFLOW:
	case TRAP_BOUND:
	case TRAP_INVALID_TSS:
	case TRAP_PROTECTION:
		arch_irq_enable();
		thread_user_trap(f, SIGSEGV, SI_KERNEL, 0, (int)vector);
		return;
	default:
		panic_with_frame(f, "%s (vector %u) from user mode in %s", trap_name(vector), vector,
				 current_thread()->name);
	}
}

static void
interrupt(struct trap_frame *f, unsigned int vector)
{
	struct cpu *c = this_cpu();
	const struct trap_frame *outer = c->arch.interrupted;

	preempt_disable();
	c->irq_depth++;
	c->arch.interrupted = f;
	trace_irq_enter(vector, f->rip);
	interrupt_dispatch(f, vector);
	trace_irq_exit(vector);
	c->arch.interrupted = outer;
	c->irq_depth--;
	preempt_enable_no_resched();
}

/*
 * The last thing before user mode; also the end of a system call that found something to do.
 * Returns with interrupts off and nothing left to do.
 */
void
trap_return_to_user(struct trap_frame *f)
{
	struct thread *t = current_thread();

	for (;;) {
		arch_irq_disable();
		if (likely(!READ_ONCE(t->work) && !READ_ONCE(this_cpu()->need_resched))) {
			if (likely(f->rip < BIT(47)))
				break;
			/* IRET would fault on it inside the kernel: fault here, as the fetch would. */
			arch_irq_enable();
			t->arch.trap_no = TRAP_PROTECTION;
			t->arch.error_code = 0;
			thread_user_trap(f, SIGSEGV, SI_KERNEL, 0, TRAP_PROTECTION);
			continue;
		}
		arch_irq_enable();
		if (READ_ONCE(this_cpu()->need_resched))
			schedule_preempted();
		if (READ_ONCE(t->work))
			thread_return_to_user(f);
	}
	if (latency_watched())
		latency_irqs_on();
}

void
trap_user(struct trap_frame *f, unsigned int vector)
{
	if (latency_watched())
		latency_trap();
	if (vector >= TRAP_FIRST_INTERRUPT)
		interrupt(f, vector);
	else
		user_exception(f, vector);
	trap_return_to_user(f);
}

#define KERNEL_FAULT_TRIES 50

/*
 * A page fault inside the kernel. True when the instruction may run again or f->rip now points at its
 * fix-up.
 */
static bool
kernel_page_fault(struct trap_frame *f, vaddr_t address, uint64_t error)
{
	vaddr_t fixup = exception_fixup(f->rip);

	if (config_kasan && (error & PF_WRITE) && arch_shadow_mend(address))
		return true;
	if (!fixup || (error & PF_BAD))
		return false;
	if (address < USER_LIMIT && !(error & PF_PKEY) && (f->rflags & RFLAGS_IF) && arch_preempt_count() == 0 &&
	    current_thread()->process && !current_thread()->pagefault_disabled) {
		int result, tries = 0;

		arch_irq_enable();
		/*
		 * No memory is no fault of the program's: those who are being killed give theirs back soon. But
		 * one of them may want a lock that we hold, so not for ever.
		 */
		do
			result = fault_handle(address, fault_access(error), false, f);
		while (unlikely(result == -ENOMEM) && !signal_fatal_pending(current_thread()) &&
		       ++tries < KERNEL_FAULT_TRIES);
		arch_irq_disable();
		if (result == 0)
			return true;
	}
	f->rip = fixup;
	return true;
}

static void
kernel_trap(struct trap_frame *f, unsigned int vector)
{
	vaddr_t fixup;

	if (likely(vector >= TRAP_FIRST_INTERRUPT)) {
		interrupt(f, vector);
		if ((f->rflags & RFLAGS_IF) && arch_preempt_count() == 0 &&
		    READ_ONCE(this_cpu()->need_resched))
			schedule_interrupted();
		return;
	}
	if (vector == TRAP_PAGE_FAULT) {
		vaddr_t address = cr2_read();
		uint64_t error = f->orig_rax;

		if (kernel_page_fault(f, address, error))
			return;
		panic_with_frame(f, "kernel %s %#lx: %s", error & PF_WRITE ? "wrote to" :
				 error & PF_FETCH ? "jumped to" : "read", address,
				 !(error & PF_PRESENT) ? "not mapped" :
				 address < USER_LIMIT ? "user memory outside a checked copy" :
				 "not allowed");
	}
	fixup = vector == TRAP_PROTECTION ? exception_fixup(f->rip) : 0;
	if (fixup) {
		f->rip = fixup;
		return;
	}
	panic_with_frame(f, "%s (vector %u, error %#lx) in the kernel", trap_name(vector), vector,
			 f->orig_rax);
}

void
trap_kernel(struct trap_frame *f, unsigned int vector)
{
	if (latency_watched() && (f->rflags & RFLAGS_IF))
		latency_trap();
	kernel_trap(f, vector);
	if (latency_watched() && (f->rflags & RFLAGS_IF))
		latency_irqs_on();
}

/* True when `address` lies in the guard page below the running thread's kernel stack. */
static bool
hit_stack_guard(vaddr_t address)
{
	struct thread *t = current_thread();
	vaddr_t low;

	if (!t)
		return false;
	low = (vaddr_t)t->stack;
	return address < low && low - address <= PAGE_SIZE;
}

/*
 * Debug trap, NMI, double fault and machine check: on a stack of their own, possibly between any two
 * instructions of entry and exit. Interrupts stay off, nothing sleeps or preempts.
 */
void
trap_on_fault_stack(struct trap_frame *f, unsigned int vector)
{
	switch (vector) {
	case TRAP_NMI:
		if (!nmi_dispatch(f))
			pr_warn("non-maskable interrupt that nobody sent");
		return;
	case TRAP_DEBUG:
		/* A step flag that slipped through an entry, or the kernel touched what a tracer watches. */
		debug_status();
		f->rflags &= ~(uint64_t)FLAG_TF;
		return;
	case TRAP_DOUBLE_FAULT:
		if (hit_stack_guard(f->rsp) || hit_stack_guard(cr2_read()))
			panic_with_frame(f, "kernel stack overflow in thread %d (%s), stack %#lx-%#lx",
					 current_thread()->tid, current_thread()->name,
					 (vaddr_t)current_thread()->stack,
					 current_thread()->stack_top);
		panic_with_frame(f, "double fault, rsp %#lx, cr2 %#lx", f->rsp, cr2_read());
	default:
		panic_with_frame(f, "%s", trap_name(vector));
	}
}
