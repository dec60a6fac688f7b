/* SPDX-License-Identifier: MIT */
/*
 * thread.c - the machine's half of a thread: its first stack, its switch, its user registers.
 *
 * A kernel stack, from high addresses:
 *
 *   stack_top ->  struct trap_frame     user registers; unused by kernel threads, but always there
 *                 ...                   calls
 *   arch.rsp  ->  struct switch_frame   while switched out
 *   stack     ->  lowest address, a guard page below
 *
 * A thread that never ran has a switch frame that "returns" to thread_begin or thread_begin_user
 * (entry.S), which call sched's schedule_finish() first.
 *
 * User segment registers. FS and GS bases are switched by the FSGSBASE instructions, or by MSR where
 * there are none; then user code cannot change them but through arch_prctl, so the value in arch_thread
 * is true also while the thread runs. Selectors are switched only where somebody uses one: 64-bit
 * programs have none.
 */
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/thread.h>
#include <tessera/uaccess.h>

#include "asm_offsets.h"
#include "descriptors.h"
#include "features.h"
#include "fpu.h"
#include "msr.h"
#include "tracee.h"
#include "traps.h"

struct switch_frame {
	uint64_t r15, r14, r13, r12, rbx, rbp;
	uint64_t rip;
};

struct thread *thread_switch_stack(uint64_t *save_rsp, uint64_t load_rsp, struct thread *prev);
void thread_begin(void);
void thread_begin_user(void);

struct trap_frame *
arch_user_frame(struct thread *t)
{
	return (struct trap_frame *)t->stack_top - 1;
}

/* A switch frame below the user frame, for a thread that never ran. */
static struct switch_frame *
first_frame(struct thread *t, void (*begin)(void))
{
	struct switch_frame *s = (struct switch_frame *)arch_user_frame(t) - 1;

	memset(s, 0, sizeof(*s));
	s->rip = (uint64_t)begin;
	t->arch.rsp = (uint64_t)s;
	return s;
}

void
arch_thread_init(struct thread *t, void (*fn)(void *), void *arg)
{
	struct switch_frame *s;

	t->arch = (struct arch_thread){ .fpu_cpu = UINT32_MAX };
	memset(arch_user_frame(t), 0, sizeof(struct trap_frame));
	arch_user_frame(t)->orig_rax = (uint64_t)-1;
	s = first_frame(t, thread_begin);
	s->rbx = (uint64_t)fn;
	s->r12 = (uint64_t)arg;
}

/* User GS base lies in the inactive one of the two while the kernel runs. Interrupts off. */
static __always_inline uint64_t
read_user_gs_base(void)
{
	uint64_t base;

	__asm__ volatile("swapgs; rdgsbase %0; swapgs" : "=r"(base)::"memory");
	return base;
}

static __always_inline void
write_user_gs_base(uint64_t base)
{
	__asm__ volatile("swapgs; wrgsbase %0; swapgs" ::"r"(base) : "memory");
}

static __always_inline uint64_t
read_fs_base(void)
{
	uint64_t base;

	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

static __always_inline void
write_fs_base(uint64_t base)
{
	__asm__ volatile("wrfsbase %0" ::"r"(base) : "memory");
}

/* Copy the user segment state from the registers to `at`. Interrupts off. */
static void
segments_save(struct arch_thread *at)
{
	__asm__ volatile("movw %%ds, %0" : "=m"(at->ds));
	__asm__ volatile("movw %%es, %0" : "=m"(at->es));
	__asm__ volatile("movw %%fs, %0" : "=m"(at->fs));
	__asm__ volatile("movw %%gs, %0" : "=m"(at->gs));
	if (cpu_features.fsgsbase) {
		at->fs_base = read_fs_base();
		at->gs_base = read_user_gs_base();
	}
}

/* The other way. Loading a selector changes the base, so bases come last. Interrupts off. */
static void
segments_load(const struct arch_thread *at)
{
	uint16_t ds, es, fs, gs;

	__asm__ volatile("movw %%ds, %0" : "=r"(ds));
	__asm__ volatile("movw %%es, %0" : "=r"(es));
	__asm__ volatile("movw %%fs, %0" : "=r"(fs));
	__asm__ volatile("movw %%gs, %0" : "=r"(gs));
	if (unlikely(ds | es | fs | gs | at->ds | at->es | at->fs | at->gs)) {
		__asm__ volatile("movw %0, %%ds" ::"r"(at->ds));
		__asm__ volatile("movw %0, %%es" ::"r"(at->es));
		__asm__ volatile("movw %0, %%fs" ::"r"(at->fs));
		__asm__ volatile("swapgs; movw %0, %%gs; swapgs" ::"r"(at->gs) : "memory");
	}
	if (cpu_features.fsgsbase) {
		write_fs_base(at->fs_base);
		write_user_gs_base(at->gs_base);
	} else {
		wrmsr(MSR_FS_BASE, at->fs_base);
		wrmsr(MSR_KERNEL_GS_BASE, at->gs_base);
	}
}

/* Bring the calling thread's arch_thread up to date with the registers. */
static void
segments_sync(struct thread *t)
{
	uint64_t flags = arch_irq_save();

	segments_save(&t->arch);
	arch_irq_restore(flags);
}

int
arch_thread_fork(struct thread *t, vaddr_t stack, bool set_tls, vaddr_t tls)
{
	struct thread *parent = current_thread();
	struct trap_frame *f = arch_user_frame(t);
	struct fpu_area *area = fpu_area_alloc();

	if (!area)
		return -ENOMEM;
	memcpy(area, fpu_save_current(), fpu_area_size);
	segments_sync(parent);
	t->arch = (struct arch_thread){
		.fs_base = set_tls ? tls : parent->arch.fs_base,
		.gs_base = parent->arch.gs_base,
		.ds = parent->arch.ds,
		.es = parent->arch.es,
		.fs = parent->arch.fs,
		.gs = parent->arch.gs,
		.no_tsc = parent->arch.no_tsc,
		.fpu = area,
		.fpu_size = fpu_area_size,
		.fpu_cpu = UINT32_MAX,
	};
	*f = *arch_user_frame(parent);
	f->rax = 0;
	if (parent->arch.step_forced)
		f->rflags &= ~(uint64_t)FLAG_TF; /* a step of the parent's tracer */
	if (stack)
		f->rsp = stack;
	first_frame(t, thread_begin_user);
	return 0;
}

void
arch_thread_free(struct thread *t)
{
	fpu_area_free(t->arch.fpu);
	t->arch.fpu = NULL;
	kfree(t->arch.debug);
	t->arch.debug = NULL;
}

static void
tsc_switch(bool readable)
{
	cr4_write(readable ? cr4_read() & ~CR4_TSD : cr4_read() | CR4_TSD);
}

bool
arch_thread_tsc(void)
{
	return !current_thread()->arch.no_tsc;
}

void
arch_thread_set_tsc(bool readable)
{
	uint64_t flags = arch_irq_save();

	current_thread()->arch.no_tsc = !readable;
	tsc_switch(readable);
	arch_irq_restore(flags);
}

struct thread *
arch_thread_switch(struct thread *prev, struct thread *next)
{
	struct cpu *c = this_cpu();

	if (prev->arch.fpu)
		segments_save(&prev->arch);
	fpu_switch(c, prev, next);
	if (next->arch.fpu)
		segments_load(&next->arch);
	if (unlikely(prev->arch.debug || next->arch.debug))
		debug_switch(next);
	if (unlikely(prev->arch.no_tsc != next->arch.no_tsc))
		tsc_switch(!next->arch.no_tsc);
	descriptors_set_stack(c, next->stack_top);
	WRITE_ONCE(c->current, next); /* lock_worth_spinning() looks from afar */
	return thread_switch_stack(&prev->arch.rsp, next->arch.rsp, prev);
}

void
arch_thread_exec(struct trap_frame *f, vaddr_t ip, vaddr_t sp)
{
	struct thread *t = current_thread();
	uint64_t flags;

	if (!t->arch.fpu) {
		/* A kernel thread becomes the first program: there is nobody to report to. */
		t->arch.fpu = fpu_area_alloc();
		if (!t->arch.fpu)
			panic("no memory for the FPU area of %s", t->name);
		t->arch.fpu_size = fpu_area_size;
	}
	fpu_reset_current();
	debug_drop_current();
	*f = (struct trap_frame){
		.orig_rax = f->orig_rax, /* a tracer sees which call this is the end of */
		.rip = ip,
		.cs = USER_CODE,
		.rflags = RFLAGS_IF,
		.rsp = sp,
		.ss = USER_DATA,
	};
	atomic_or(&t->work, WORK_FRAME);
	flags = arch_irq_save();
	t->arch.fs_base = t->arch.gs_base = 0;
	t->arch.ds = t->arch.es = t->arch.fs = t->arch.gs = 0;
	segments_load(&t->arch);
	arch_irq_restore(flags);
}

vaddr_t
arch_thread_frame_pointer(struct thread *t)
{
	return ((struct switch_frame *)t->arch.rsp)->rbp;
}

vaddr_t
arch_thread_fs_base(void)
{
	segments_sync(current_thread());
	return current_thread()->arch.fs_base;
}

vaddr_t
arch_thread_gs_base(void)
{
	segments_sync(current_thread());
	return current_thread()->arch.gs_base;
}

/* Set one base of the calling thread; its selector becomes null, as on Linux. */
static int
set_base(bool gs, vaddr_t base)
{
	struct thread *t = current_thread();
	uint64_t flags;

	if (base >= USER_LIMIT)
		return -EPERM;
	flags = arch_irq_save();
	segments_save(&t->arch);
	if (gs) {
		t->arch.gs = 0;
		t->arch.gs_base = base;
	} else {
		t->arch.fs = 0;
		t->arch.fs_base = base;
	}
	segments_load(&t->arch);
	arch_irq_restore(flags);
	return 0;
}

int
arch_thread_set_fs_base(vaddr_t base)
{
	return set_base(false, base);
}

int
arch_thread_set_gs_base(vaddr_t base)
{
	return set_base(true, base);
}
