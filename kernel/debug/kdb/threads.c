/* SPDX-License-Identifier: MIT */
/*
 * threads.c - kdb's commands about who runs, who waits, and for what.
 */
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/cpu.h>
#include <tessera/debug.h>
#include <tessera/lock.h>
#include <tessera/sched.h>
#include <tessera/string.h>
#include <tessera/time.h>
#include <tessera/uaccess.h>
#include <tessera/wait.h>

#include "../describe.h"
#include "commands.h"

#define STACK_MAX 48u

struct thread_search {
	int64_t tid;
	const void *address;
	struct thread *found;
};

static void
search(void *ctx, struct thread *t)
{
	struct thread_search *s = ctx;

	if (t == s->address || (!s->address && t->tid == s->tid && (t->tid || !s->found)))
		s->found = t;
}

struct thread *
kdb_thread(const char *text)
{
	uint64_t n = kdb_number(text);
	struct thread_search s = { .tid = (int64_t)n };
	struct cpu *c;

	if (n >= USER_LIMIT)
		s.address = (const void *)n;
	thread_for_each_stopped(search, &s);
	for_each_cpu (c)
		if (c->idle == s.address)
			s.found = c->idle;
	if (!s.found)
		kdb_fail("no thread %s", text);
	return s.found;
}

/* --- ps ---------------------------------------------------------------------------------------------- */

/* What a thread does, in a few words: the CPU it runs on, the lock or the place it waits at. */
static void
activity(struct thread *t, char *out, size_t size)
{
	char place[64];

	if (t->on_cpu) {
		snprintf(out, size, "on CPU %u", t->cpu);
	} else if (t->state == THREAD_RUNNABLE) {
		snprintf(out, size, "queued on CPU %u", t->cpu);
	} else if (t->waiting_for_lock) {
		snprintf(out, size, "lock %p", t->waiting_for_lock);
	} else {
		describe_wait_place(t, place, sizeof(place));
		if (t->state == THREAD_SLEEPING && t->wait_queue)
			snprintf(out, size, "%s %p", place, (const void *)t->wait_queue);
		else
			snprintf(out, size, "%s", place);
	}
}

static void
since(const struct thread *t, char *out, size_t size)
{
	uint64_t ms = (clock_monotonic_ns() - t->sleep_start) / NSEC_PER_MSEC;

	if (t->on_cpu || t->state == THREAD_RUNNABLE || t->state == THREAD_NEW)
		snprintf(out, size, "-");
	else
		snprintf(out, size, "%lu.%03lu", ms / 1000, ms % 1000);
}

static void
ps_line(void *ctx, struct thread *t)
{
	char what[96], call[96], for_how_long[24];

	activity(t, what, sizeof(what));
	describe_call(t, call, sizeof(call));
	since(t, for_how_long, sizeof(for_how_long));
	kdb_print("%6d %6d %c %3u %10s %-15s %s%s%s\n", t->process ? t->process->pid : 0, t->tid,
		  describe_state(t), t->cpu, for_how_long, t->name, what, call[0] ? " in " : "", call);
}

static void
command_ps(int argc, char **argv)
{
	kdb_print("   pid    tid s cpu    since s name            what\n");
	thread_for_each_stopped(ps_line, NULL);
}

/* --- one thread ---------------------------------------------------------------------------------------- */

static void
command_thread(int argc, char **argv)
{
	struct thread *t = argc > 1 ? kdb_thread(argv[1]) : current_thread();
	char text[160];

	kdb_print("thread %p: tid %d, \"%s\", state %c%s, %u references\n", (void *)t, t->tid, t->name,
		  describe_state(t), t->on_cpu ? ", on a CPU" : "", ref_count(&t->refs));
	if (t->process) {
		describe_command_line(t->process, text, sizeof(text));
		kdb_print("  process %d (%p), %u threads: %s\n", t->process->pid, (void *)t->process,
			  t->process->thread_count, text);
		describe_call(t, text, sizeof(text));
		kdb_print("  system call: %s\n", text[0] ? text : "none");
	}
	kdb_print("  stack %p-%#lx, CPU %u, affinity %#lx, work %#x\n", t->stack, t->stack_top, t->cpu,
		  t->affinity.bits, t->work);
	kdb_print("  policy %u, nice %d, real-time priority %u (inherited %u), vruntime %lu\n", t->policy,
		  t->nice, t->rt_priority, t->inherited_priority, t->vruntime);
	kdb_print("  ran %lu us, switches: %lu voluntary, %lu not; faults: %lu minor, %lu major\n",
		  t->sum_exec_ns / NSEC_PER_USEC, t->voluntary_switches, t->involuntary_switches,
		  t->minor_faults, t->major_faults);
	since(t, text, sizeof(text));
	kdb_print("  off the run queue since %s s, wait queue %p", text, (const void *)t->wait_queue);
	if (t->sleep_timer.cpu)
		kdb_print(", until %ld ms from now",
			  ((int64_t)t->sleep_timer.when - (int64_t)clock_monotonic_ns()) /
				  (int64_t)NSEC_PER_MSEC);
	kdb_print("\n  signals: blocked %#lx, pending %#lx; waits for lock %p\n", t->signal_mask,
		  t->pending.set, t->waiting_for_lock);
	lock_held_print(t);
	describe_thread_stack(t, STACK_MAX);
}

static void
command_bt(int argc, char **argv)
{
	struct thread *t = current_thread();

	if (argc > 2 && !strcmp(argv[1], "cpu")) {
		uint64_t id = kdb_number(argv[2]);

		if (id >= cpu_count || !cpus[id])
			kdb_fail("no CPU %s", argv[2]);
		t = cpus[id]->current;
	} else if (argc > 1) {
		t = kdb_thread(argv[1]);
	}
	kdb_print("%s (tid %d)\n", t->name, t->tid);
	describe_thread_stack(t, STACK_MAX);
}

/* ctx: the state that is asked for, NULL: all. */
static void
bta_thread(void *ctx, struct thread *t)
{
	const char *state = ctx;

	if (state && describe_state(t) != *state)
		return;
	kdb_print("\n");
	ps_line(NULL, t);
	describe_thread_stack(t, STACK_MAX);
}

static void
command_bta(int argc, char **argv)
{
	thread_for_each_stopped(bta_thread, argc > 1 ? argv[1] : NULL);
}

/* --- CPUs ---------------------------------------------------------------------------------------------- */

static void
command_cpus(int argc, char **argv)
{
	struct cpu *c;

	for_each_cpu (c) {
		const struct trap_frame *f = describe_cpu_frame(c->id);
		struct thread *t = c->current;
		char stack[400] = "";

		kdb_print("CPU %u: %s (tid %d)%s, preempt count %u, interrupts nested %u%s%s\n", c->id,
			  t ? t->name : "none", t ? t->tid : 0, t == c->idle ? ", idle" : "",
			  c->preempt_count, c->irq_depth, c->need_resched ? ", wants to reschedule" : "",
			  !c->arch.online ? ", off" : c == this_cpu() ? ", this one" :
			  f ? "" : ", DOES NOT ANSWER");
		if (f || c == this_cpu())
			describe_stack_short(f, vantage.fp, 8, stack, sizeof(stack));
		if (f && !(f->rflags & RFLAGS_IF))
			kdb_print("  interrupts off\n");
		kdb_print("  %s\n", stack);
	}
}

static void
command_runq(int argc, char **argv)
{
	sched_dump();
}

static void
command_locks(int argc, char **argv)
{
	lock_dump();
}

static void
command_waitq(int argc, char **argv)
{
	if (argc < 2)
		kdb_fail("which wait queue? (an address: ps shows them)");
	wait_queue_dump((const struct wait_queue *)kdb_number(argv[1]));
}

const struct kdb_command kdb_thread_commands[] = {
	{ "ps", "", "all threads: state, CPU, since when, what for", command_ps },
	{ "threads", "", "the same", command_ps },
	{ "thread", "[TID|ADDR]", "one thread in full", command_thread },
	{ "bt", "[TID|ADDR|cpu N]", "the call stack of a thread, or of what a CPU runs", command_bt },
	{ "bta", "[STATE]", "the call stacks of all (R, S, D, T)", command_bta },
	{ "cpus", "", "what each CPU does", command_cpus },
	{ "runq", "", "run queues: who runs, who is next", command_runq },
	{ "locks", "", "who holds, who waits; deadlocks", command_locks },
	{ "waitq", "ADDR", "who waits on a wait queue", command_waitq },
	{ 0 },
};
