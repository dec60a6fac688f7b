/* SPDX-License-Identifier: MIT */
/*
 * report.c - what a panic tells beside its reason: where, who, how we got there, who else ran, and the state
 * of the machine. Bounded in length; each part is an attempt, so that a broken structure costs one part.
 */
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/bootinfo.h>
#include <tessera/cpu.h>
#include <tessera/debug.h>
#include <tessera/kdb.h>
#include <tessera/lock.h>
#include <tessera/page.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/sched.h>
#include <tessera/time.h>
#include <tessera/trace.h>

#include "describe.h"

#define STACK_MAX     32u
#define OTHERS_MAX    16u /* CPUs */
#define OTHERS_DEPTH  6u
#define TRACE_MAX     20u

extern const char kernel_version[], kernel_release[];

struct part {
	const struct trap_frame *frame;
	vaddr_t fp;
};

static void
print_who(void *arg)
{
	struct cpu *c = this_cpu();
	struct thread *t = c->current;

	pr_err("CPU %u of %u, thread %s (tid %d)%s, preempt count %u\n", c->id, cpu_count,
	       t ? t->name : "none", t ? t->tid : 0, c->irq_depth ? ", in an interrupt" : "",
	       c->preempt_count);
	if (t)
		describe_thread(t);
}

static void
print_registers(void *arg)
{
	struct part *p = arg;

	arch_frame_print(p->frame);
	if (!trap_from_user(p->frame))
		describe_code(arch_frame_pc(p->frame));
}

static void
print_stack(void *arg)
{
	struct part *p = arg;

	describe_stack(p->frame, p->fp, STACK_MAX);
}

static void
print_locks(void *arg)
{
	struct thread *t = current_thread();

	if (t)
		lock_held_print(t);
	lock_deadlocks_print();
}

static void
print_other_cpu(struct cpu *c)
{
	const struct trap_frame *f = arch_stopped_frame(c->id);
	struct thread *t = c->current;
	char stack[300] = "does not answer";

	if (f)
		describe_stack_short(f, 0, OTHERS_DEPTH, stack, sizeof(stack));
	pr_err("CPU %u: %s (tid %d): %s\n", c->id, t ? t->name : "none", t ? t->tid : 0, stack);
}

static void
print_others(void *arg)
{
	struct cpu *c;
	uint32_t shown = 0;

	for_each_cpu (c) {
		if (c == this_cpu() || !c->arch.online)
			continue;
		if (c->current == c->idle && cpu_count > OTHERS_MAX)
			continue;
		if (shown++ == OTHERS_MAX)
			break;
		print_other_cpu(c);
	}
}

static void
print_machine(void *arg)
{
	uint64_t now = arch_clock_ns();
	struct memory_stats s;

	pr_err("Tessera %s %s, booted by %s, up %lu.%03lu s\n", kernel_release, kernel_version,
	       bootinfo.protocol, now / NSEC_PER_SEC, now / NSEC_PER_MSEC % 1000);
	memory_stats(&s);
	pr_err("memory: %lu MiB, %lu MiB free; pages: kernel %lu, slab %lu, tables %lu, anonymous %lu, "
	       "cached %lu\n", s.total >> 8, s.free >> 8, s.kernel, s.slab, s.page_tables, s.anonymous,
	       s.cached);
}

static void
print_trace(void *arg)
{
	if (trace_recorded())
		trace_print_tail(TRACE_MAX);
}

static void
attempt(void (*fn)(void *), void *arg)
{
	const char *reason;

	if (!debug_try(fn, arg, &reason))
		pr_err("  (cannot be told: %s)\n", reason);
}

void
report_print(const struct trap_frame *f, vaddr_t fp)
{
	struct part part = { f, fp };

	attempt(print_who, NULL);
	if (f)
		attempt(print_registers, &part);
	attempt(print_stack, &part);
	attempt(print_locks, NULL);
	attempt(print_others, NULL);
	attempt(print_trace, NULL);
	attempt(print_machine, NULL);
}
