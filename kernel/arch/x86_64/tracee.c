/* SPDX-License-Identifier: MIT */
/*
 * tracee.c - another thread's registers, for who traces it: general, segment, FPU, debug; single steps.
 *
 * But for arch_tracee_sync() and what traps and switches call, each function wants a thread that is stopped
 * inside the kernel and off its CPU: its general registers then lie in its user frame, the others in
 * arch_thread and the FPU area, and the next switch to it loads them. What could not be loaded without a
 * fault inside the kernel is refused here.
 *
 * Debug registers. A thread that has any carries a struct arch_debug; a switch between two threads without
 * one does nothing. DR7 is loaded with the breakpoints that are enabled and 0 for everybody else. They are
 * breakpoints of user addresses only, but the kernel's own accesses to these, in copies, set them off as
 * well: trap_on_fault_stack() lets that pass, as Linux does.
 *
 * A step is the trap flag. `step_forced` says that it is the tracer's, not the program's own: then nobody
 * else sees it.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/thread.h>
#include <tessera/uaccess.h>

#include "asm_offsets.h"
#include "fpu.h"
#include "msr.h"
#include "tracee.h"

#define FLAG_NT  BIT(14)
/* What a tracer may change: CF PF AF ZF SF TF DF OF, NT, RF AC. */
#define FLAGS_SETTABLE (0xdd5ul | FLAG_NT | FLAG_RF | BIT(18))

enum {
	REGISTER_CS = 17,
	REGISTER_FLAGS = 18,
	REGISTER_SS = 20,
	REGISTER_FS_BASE = 21,
	REGISTER_GS_BASE = 22,
	REGISTER_DS = 23,
	REGISTER_ES = 24,
	REGISTER_FS = 25,
	REGISTER_GS = 26,
};
_Static_assert(offsetof(struct trap_frame, cs) == REGISTER_CS * 8, "struct user_regs_struct");
_Static_assert(offsetof(struct trap_frame, ss) == REGISTER_SS * 8, "struct user_regs_struct");

struct arch_debug {
	uint64_t address[4];
	uint64_t control; /* as the tracer wrote it */
};

#define DR7_RESERVED   0xffffffff0000fc00ul
#define DR7_ENABLE(n)  (3ul << (2 * (n)))
#define DR7_ENABLES    0xfful
#define DR6_INITIAL    0xffff0ff0ul
#define DR6_NUMBER     6
#define DR7_NUMBER     7
#define BREAK_EXECUTE  0u
#define BREAK_IO       2u

/* --- general registers ------------------------------------------------------------------------------ */

void
arch_tracee_sync(void)
{
	if (!current_thread()->arch.fpu)
		return; /* born in the kernel, never in user mode: it has none */
	(void)fpu_save_current();
	(void)arch_thread_fs_base(); /* brings all segment state up to date */
}

vaddr_t
arch_thread_ip(struct thread *t)
{
	return arch_user_frame(t)->rip;
}

static uint16_t *
selector_of(struct thread *t, unsigned int n)
{
	switch (n) {
	case REGISTER_DS:
		return &t->arch.ds;
	case REGISTER_ES:
		return &t->arch.es;
	case REGISTER_FS:
		return &t->arch.fs;
	default:
		return &t->arch.gs;
	}
}

uint64_t
arch_register_get(struct thread *t, unsigned int n)
{
	const uint64_t *frame = (const uint64_t *)arch_user_frame(t);

	switch (n) {
	case REGISTER_FLAGS:
		return t->arch.step_forced ? frame[n] & ~(uint64_t)FLAG_TF : frame[n];
	case REGISTER_FS_BASE:
		return t->arch.fs_base;
	case REGISTER_GS_BASE:
		return t->arch.gs_base;
	case REGISTER_DS:
	case REGISTER_ES:
	case REGISTER_FS:
	case REGISTER_GS:
		return *selector_of(t, n);
	default:
		return frame[n];
	}
}

static void
set_flags(struct thread *t, uint64_t value)
{
	struct trap_frame *f = arch_user_frame(t);

	if (value & FLAG_TF)
		t->arch.step_forced = false;
	else if (t->arch.step_forced)
		value |= FLAG_TF;
	f->rflags = (f->rflags & ~FLAGS_SETTABLE) | (value & FLAGS_SETTABLE);
}

int
arch_register_set(struct thread *t, unsigned int n, uint64_t value)
{
	uint64_t *frame = (uint64_t *)arch_user_frame(t);

	atomic_or(&t->work, WORK_FRAME);
	switch (n) {
	case REGISTER_CS:
		return value == USER_CODE ? 0 : -EIO;
	case REGISTER_SS:
		return value == USER_DATA ? 0 : -EIO;
	case REGISTER_FLAGS:
		set_flags(t, value);
		return 0;
	case REGISTER_FS_BASE:
	case REGISTER_GS_BASE:
		if (value >= USER_LIMIT)
			return -EIO;
		*(n == REGISTER_FS_BASE ? &t->arch.fs_base : &t->arch.gs_base) = value;
		return 0;
	case REGISTER_DS:
	case REGISTER_ES:
	case REGISTER_FS:
	case REGISTER_GS:
		/* Null, or the one data segment there is: loading another would fault. */
		if (value > 3 && value != USER_DATA)
			return -EIO;
		*selector_of(t, n) = (uint16_t)value;
		return 0;
	default:
		frame[n] = value;
		return 0;
	}
}

/* --- FPU ------------------------------------------------------------------------------------------------ */

size_t
arch_fpu_size(bool extended)
{
	return extended ? fpu_area_size : sizeof(struct fpu_legacy);
}

void
arch_fpu_get(struct thread *t, void *to, bool extended)
{
	const struct fpu_area *a = t->arch.fpu;
	struct fpu_legacy *l = to;

	if (a)
		memcpy(to, a, arch_fpu_size(extended));
	else
		memset(to, 0, arch_fpu_size(extended));
	memset(l->software, 0, sizeof(l->software));
	/* Where debuggers look for the components that the machine has. */
	if (extended)
		memcpy(l->software, &fpu_mask, sizeof(fpu_mask));
}

int
arch_fpu_set(struct thread *t, const void *from, bool extended)
{
	int error = t->arch.fpu ? fpu_area_set(t->arch.fpu, from, extended) : -EIO;

	if (!error) {
		t->arch.fpu_cpu = UINT32_MAX; /* no CPU's registers have it any more */
		t->arch.fpu_in_memory = false;
	}
	return error;
}

/* --- steps ------------------------------------------------------------------------------------------------ */

bool
arch_sets_trap_flag(const uint8_t *code, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		switch (code[i]) {
		case 0x9d: /* POPF */
		case 0xcf: /* IRET */
			return true;
		case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: case 0x66: case 0x67:
		case 0xf0: case 0xf2: case 0xf3:
			continue;
		default:
			if ((code[i] & 0xf0) == 0x40) /* REX */
				continue;
			return false;
		}
	}
	return false;
}

void
arch_step_enable(struct thread *t, bool program_sets_it)
{
	struct trap_frame *f = arch_user_frame(t);
	bool was = f->rflags & FLAG_TF;

	f->rflags |= FLAG_TF;
	if (program_sets_it)
		t->arch.step_forced = false;
	else if (!was)
		t->arch.step_forced = true;
}

void
arch_step_disable(struct thread *t)
{
	if (t->arch.step_forced)
		arch_user_frame(t)->rflags &= ~(uint64_t)FLAG_TF;
	t->arch.step_forced = false;
}

/* --- debug registers ------------------------------------------------------------------------------------ */

uint64_t
arch_debug_get(struct thread *t, unsigned int n)
{
	const struct arch_debug *d = t->arch.debug;

	if (n == DR6_NUMBER)
		return t->arch.debug_status ^ DR6_INITIAL;
	if (!d)
		return 0;
	return n < 4 ? d->address[n] : n == DR7_NUMBER ? d->control : 0;
}

/* Breakpoint n as `control` has it, at its address. 0 or -EINVAL. */
static int
check_breakpoint(const struct arch_debug *d, uint64_t control, unsigned int n)
{
	static const uint64_t alignment[] = { 0, 1, 7, 3 }; /* of 1, 2, 8, 4 bytes */
	unsigned int kind = control >> (16 + 4 * n) & 3, size = control >> (18 + 4 * n) & 3;

	if (!(control & DR7_ENABLE(n)))
		return 0;
	if (kind == BREAK_IO || (kind == BREAK_EXECUTE && size != 0))
		return -EINVAL;
	return d->address[n] & alignment[size] ? -EINVAL : 0;
}

static int
set_control(struct arch_debug *d, uint64_t control)
{
	control &= ~DR7_RESERVED;
	for (unsigned int n = 0; n < 4; n++)
		if (check_breakpoint(d, control, n))
			return -EINVAL;
	d->control = control;
	return 0;
}

int
arch_debug_set(struct thread *t, unsigned int n, uint64_t value)
{
	struct arch_debug *d = t->arch.debug;
	uint64_t was;

	if (n == DR6_NUMBER) {
		t->arch.debug_status = value ^ DR6_INITIAL;
		return 0;
	}
	if (n == 4 || n == 5)
		return -EIO;
	if (!d) {
		d = kzalloc(sizeof(*d));
		if (!d)
			return -ENOMEM;
		t->arch.debug = d;
	}
	if (n == DR7_NUMBER)
		return set_control(d, value);
	if (value >= USER_LIMIT)
		return -EINVAL;
	was = d->address[n];
	d->address[n] = value;
	if (check_breakpoint(d, d->control, n)) {
		d->address[n] = was;
		return -EINVAL;
	}
	return 0;
}

/* Interrupts off. A kernel thread's have none either: nothing of the program's runs until the next switch. */
void
debug_switch(const struct thread *next)
{
	const struct arch_debug *d = next->arch.debug;

	__asm__ volatile("movq %0, %%dr7" ::"r"(0ul));
	if (!d || !(d->control & DR7_ENABLES))
		return;
	__asm__ volatile("movq %0, %%dr0" ::"r"(d->address[0]));
	__asm__ volatile("movq %0, %%dr1" ::"r"(d->address[1]));
	__asm__ volatile("movq %0, %%dr2" ::"r"(d->address[2]));
	__asm__ volatile("movq %0, %%dr3" ::"r"(d->address[3]));
	__asm__ volatile("movq %0, %%dr7" ::"r"(d->control));
}

void
debug_note(struct trap_frame *f, uint64_t status)
{
	struct thread *t = current_thread();
	const struct arch_debug *d = t->arch.debug;

	t->arch.debug_status = status & (BIT(14) | 0xf);
	/* An instruction that was to be stopped at runs when the thread goes on, instead of stopping again. */
	for (unsigned int n = 0; d && n < 4; n++)
		if ((status & BIT(n)) && (d->control & DR7_ENABLE(n)) &&
		    (d->control >> (16 + 4 * n) & 3) == BREAK_EXECUTE)
			f->rflags |= FLAG_RF;
}

void
debug_drop_current(void)
{
	struct thread *t = current_thread();
	void *d = t->arch.debug;
	uint64_t flags;

	t->arch.debug_status = 0;
	t->arch.step_forced = false;
	if (!d)
		return;
	flags = arch_irq_save();
	t->arch.debug = NULL;
	__asm__ volatile("movq %0, %%dr7" ::"r"(0ul));
	arch_irq_restore(flags);
	kfree(d);
}
