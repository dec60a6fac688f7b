/* SPDX-License-Identifier: MIT */
/*
 * latency.c - the longest times with interrupts off and with preemption off, for each CPU.
 *
 * A section begins where the first hook says "off" and ends where one says "on"; the two may be in
 * different functions or, across a switch, in different threads. At the beginning the time and the
 * callers are noted; at the end, if it was the longest so far, those and the callers there become the
 * CPU's record. The return to user mode and the idle loop's halt end a section: waiting for work is
 * not one. The few instructions of assembly at the edges of the kernel are not counted.
 *
 * Switched on while a section runs, its end finds no beginning and is ignored.
 *
 * All state is the CPU's own, written with interrupts off; readers on other CPUs may see a record while
 * it is being replaced (`writes` odd or changed) and look again. `busy` stops what the hooks call from
 * coming back here, and an NMI from tearing what it struck.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/config.h>
#include <tessera/cpu.h>
#include <tessera/latency.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/string.h>
#include <tessera/thread.h>
#include <tessera/trace.h>

#define DEPTH 6

enum kind { IRQS, PREEMPTION, KINDS };

struct section {
	uint64_t since; /* 0: none runs */
	vaddr_t begin[DEPTH];
	pid_t tid;
};

struct record {
	uint64_t ns, when; /* how long; when it ended */
	vaddr_t begin[DEPTH], end[DEPTH];
	pid_t began_in, tid; /* threads */
	char name[16];       /* of the latter */
};

/* [s] but for readers */
struct latency_cpu {
	bool busy;
	uint32_t writes; /* [a] odd: a record is being replaced */
	struct section section[KINDS];
	struct record longest[KINDS];
	uint64_t count[KINDS];
};

static struct latency_cpu cpu_state[MAX_CPUS];

/* Return addresses from our caller's caller on. The stack is in use up to its first frame. */
static __always_inline void
callers(vaddr_t pc[DEPTH])
{
	const vaddr_t *frame = __builtin_frame_address(0), *low = frame;
	unsigned int i = 0;

	while (i < DEPTH) {
		const vaddr_t *next = (const vaddr_t *)frame[0];

		pc[i++] = frame[1];
		if (next <= frame || (vaddr_t)next - (vaddr_t)low > KERNEL_STACK_SIZE)
			break;
		frame = next;
	}
	while (i < DEPTH)
		pc[i++] = 0;
}

/* In every hook, so that it sees its caller's frame. */
static __always_inline void
begin(enum kind kind, bool anew)
{
	uint64_t flags = arch_irq_save_quiet();
	struct cpu *c = this_cpu();
	struct latency_cpu *l = &cpu_state[c->id];
	struct section *s = &l->section[kind];

	if (!l->busy && (s->since == 0 || anew)) {
		l->busy = true;
		callers(s->begin);
		s->tid = c->current ? c->current->tid : 0;
		s->since = arch_clock_ns();
		l->busy = false;
	}
	arch_irq_restore_quiet(flags);
}

static __always_inline void
finish(enum kind kind)
{
	uint64_t flags = arch_irq_save_quiet();
	struct cpu *c = this_cpu();
	struct latency_cpu *l = &cpu_state[c->id];
	struct section *s = &l->section[kind];

	if (!l->busy && s->since) {
		uint64_t now, ns;

		l->busy = true;
		now = arch_clock_ns();
		ns = now - s->since;
		s->since = 0;
		l->count[kind]++;
		if (unlikely(ns > l->longest[kind].ns) && (int64_t)ns > 0) {
			struct record *r = &l->longest[kind];
			struct thread *t = c->current;

			atomic_add(&l->writes, 1);
			memcpy(r->begin, s->begin, sizeof(r->begin));
			callers(r->end);
			r->ns = ns;
			r->when = now;
			r->began_in = s->tid;
			r->tid = t ? t->tid : 0;
			memcpy(r->name, t ? t->name : "boot\0\0\0\0\0\0\0\0\0\0\0", sizeof(r->name));
			atomic_add(&l->writes, 1);
		}
		l->busy = false;
	}
	arch_irq_restore_quiet(flags);
}

void __noinline
latency_irqs_off(void)
{
	begin(IRQS, false);
}

void __noinline
latency_irqs_on(void)
{
	finish(IRQS);
}

void __noinline
latency_preempt_off(void)
{
	if (arch_preempt_count() == 1)
		begin(PREEMPTION, false);
}

void __noinline
latency_preempt_on(void)
{
	if (arch_preempt_count() == 1)
		finish(PREEMPTION);
}

void __noinline
latency_trap(void)
{
	begin(IRQS, true);
}

/* --- switches ------------------------------------------------------------------------------------- */

static void
forget_sections(void)
{
	struct latency_cpu *l = &cpu_state[this_cpu()->id];

	for (unsigned int k = 0; k < KINDS; k++)
		l->section[k].since = 0;
}

static void
forget(void *records_too)
{
	struct latency_cpu *l = &cpu_state[this_cpu()->id];

	forget_sections();
	if (records_too) {
		atomic_add(&l->writes, 1);
		memset(l->longest, 0, sizeof(l->longest));
		memset(l->count, 0, sizeof(l->count));
		atomic_add(&l->writes, 1);
	}
}

static void
forget_everywhere(bool records_too)
{
	uint64_t flags;

	preempt_disable();
	if (cpu_count > 1)
		arch_call_cpus(~0ull, forget, records_too ? cpu_state : NULL);
	flags = arch_irq_save();
	forget(records_too ? cpu_state : NULL);
	arch_irq_restore(flags);
	preempt_enable();
}

void
latency_enable(bool on)
{
	if (on == latency_enabled())
		return;
	atomic_and(&trace_on, ~TRACE_LATENCY);
	/* Sections that began while it was on last, and have ended unseen. */
	forget_everywhere(false);
	if (on)
		atomic_or(&trace_on, TRACE_LATENCY);
}

bool
latency_enabled(void)
{
	return latency_watched();
}

void
latency_reset(void)
{
	forget_everywhere(true);
}

/* --- report --------------------------------------------------------------------------------------- */

static void
print_stack(void (*print)(void *, const char *, ...), void *ctx, const char *what, const vaddr_t *pc)
{
	char where[80];

	for (unsigned int i = 0; i < DEPTH && pc[i]; i++)
		print(ctx, "  %-6s %s\n", i ? "" : what, symbol_format(pc[i] - 1, where, sizeof(where)));
}

/* A copy of the record as it was at one moment; as it is, if its CPU was stopped while writing it. */
static void
read_record(const struct latency_cpu *l, unsigned int kind, struct record *out)
{
	uint32_t before, tries = 1000;

	do {
		before = atomic_load(&l->writes);
		memcpy(out, &l->longest[kind], sizeof(*out));
		memory_barrier();
	} while (((before & 1) || before != atomic_load(&l->writes)) && --tries);
}

void
latency_print(void (*print)(void *ctx, const char *format, ...), void *ctx)
{
	static const char *const names[KINDS] = { "interrupts off", "preemption off" };
	struct cpu *c;

	print(ctx, "%s\n", latency_enabled() ? "on" : "off");
	for_each_cpu(c) {
		const struct latency_cpu *l = &cpu_state[c->id];

		for (unsigned int k = 0; k < KINDS; k++) {
			struct record r;

			read_record(l, k, &r);
			print(ctx, "cpu %u, %s: longest %lu.%03lu us of %lu times\n", c->id, names[k],
			      r.ns / 1000, r.ns % 1000, READ_ONCE(l->count[k]));
			if (!r.ns)
				continue;
			print(ctx, "  ended at %lu.%06lu s in %s (tid %d), begun in tid %d\n",
			      r.when / NSEC_PER_SEC, r.when / 1000 % 1000000, r.name, r.tid, r.began_in);
			print_stack(print, ctx, "from", r.begin);
			print_stack(print, ctx, "to", r.end);
		}
	}
}
