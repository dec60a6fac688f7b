/* SPDX-License-Identifier: MIT */
/*
 * dispatch.c - from a system call's number and registers to its handler.
 *
 * calls.h is read three times: for the prototypes (linux.h), for a thunk per call that turns
 * registers into typed arguments, and for the table of thunks and names. A wrong number or type of
 * arguments therefore does not compile.
 */
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/config.h>
#include <tessera/cpu.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/ptrace.h>
#include <tessera/seccomp.h>
#include <tessera/syscall.h>
#include <tessera/test.h>
#include <tessera/trace.h>
#include <tessera/user_dispatch.h>

#include "linux.h"

#undef CALL0
#undef CALL1
#undef CALL2
#undef CALL3
#undef CALL4
#undef CALL5
#undef CALL6

/* A thunk takes the six argument registers in the order of the calling convention. */
typedef long (*thunk_t)(const struct trap_frame *f);

#define A1(t) ((t)f->rdi)
#define A2(t) ((t)f->rsi)
#define A3(t) ((t)f->rdx)
#define A4(t) ((t)f->r10)
#define A5(t) ((t)f->r8)
#define A6(t) ((t)f->r9)
#define THUNK(name, ...)                                                                           \
	static long thunk_##name(const struct trap_frame *f)                                       \
	{                                                                                          \
		return linux_##name(__VA_ARGS__);                                                  \
	}
#define CALL0(nr, name) THUNK(name)
#define CALL1(nr, name, t1, a1) THUNK(name, A1(t1))
#define CALL2(nr, name, t1, a1, t2, a2) THUNK(name, A1(t1), A2(t2))
#define CALL3(nr, name, t1, a1, t2, a2, t3, a3) THUNK(name, A1(t1), A2(t2), A3(t3))
#define CALL4(nr, name, t1, a1, t2, a2, t3, a3, t4, a4)                                            \
	THUNK(name, A1(t1), A2(t2), A3(t3), A4(t4))
#define CALL5(nr, name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5)                                    \
	THUNK(name, A1(t1), A2(t2), A3(t3), A4(t4), A5(t5))
#define CALL6(nr, name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6)                            \
	THUNK(name, A1(t1), A2(t2), A3(t3), A4(t4), A5(t5), A6(t6))
#include "calls.h"
#undef CALL0
#undef CALL1
#undef CALL2
#undef CALL3
#undef CALL4
#undef CALL5
#undef CALL6

_Static_assert(CPU_CALLS == CALL_MAX + 1, "one counter per call, and one");

#define CALL0(nr, name, ...) [nr] = thunk_##name,
#define CALL1 CALL0
#define CALL2 CALL0
#define CALL3 CALL0
#define CALL4 CALL0
#define CALL5 CALL0
#define CALL6 CALL0
static const thunk_t thunks[CALL_MAX] = {
#include "calls.h"
};
#undef CALL0
#undef CALL1
#undef CALL2
#undef CALL3
#undef CALL4
#undef CALL5
#undef CALL6

struct call {
	const char *name;
	uint8_t arguments;
};

#define CALL0(nr, name, ...) [nr] = { #name, 0 },
#define CALL1(nr, name, ...) [nr] = { #name, 1 },
#define CALL2(nr, name, ...) [nr] = { #name, 2 },
#define CALL3(nr, name, ...) [nr] = { #name, 3 },
#define CALL4(nr, name, ...) [nr] = { #name, 4 },
#define CALL5(nr, name, ...) [nr] = { #name, 5 },
#define CALL6(nr, name, ...) [nr] = { #name, 6 },
static const struct call calls[CALL_MAX] = {
#include "calls.h"
};

const char *
syscall_name(unsigned int nr)
{
	return nr < CALL_MAX ? calls[nr].name : NULL;
}

unsigned int
syscall_arguments(unsigned int nr)
{
	return nr < CALL_MAX ? calls[nr].arguments : 0;
}

/* Tell once per program: a missing call explains a failure, a flood of lines would hide it. */
static long
unknown_call(uint32_t nr)
{
	struct thread *t = current_thread();
	struct process *p = t->process;

	if (!READ_ONCE(p->no_unknown_call_log)) {
		WRITE_ONCE(p->no_unknown_call_log, true);
		pr_info("%s[%d]: system call %u is not known\n", t->name, p->pid, nr);
	}
	return -ENOSYS;
}

/*
 * The program itself, a tracer, then filters look at the call first, and may change it. False: it is not made,
 * *result is its.
 */
static bool
enter_slowly(struct thread *t, struct trap_frame *f, long *result)
{
	uint32_t work = READ_ONCE(t->call_work);

	if ((work & CALL_WORK_DISPATCH) && !user_dispatch_enter(f, result))
		return false;
	if ((work & CALL_WORK_PTRACE) && !ptrace_syscall_enter(f)) {
		*result = (long)f->rax;
		return false;
	}
	return !(work & CALL_WORK_SECCOMP) || seccomp_enter(f, result);
}

/* Run it; unknown: say so. */
static long
execute(const struct trap_frame *f, uint32_t nr)
{
	if (nr >= CALL_MAX || !thunks[nr]) {
		cpu_count_one(CPU_COUNTER(call[CALL_MAX]));
		return unknown_call(nr);
	}
	cpu_count_one(CPU_COUNTER(call) + nr * sizeof(uint64_t));
	return thunks[nr](f);
}

/* The same for who is looked at: by itself, a tracer, filters, traces or checks. */
static __noinline long
execute_watched(struct thread *t, struct trap_frame *f)
{
	uint32_t nr = (uint32_t)f->orig_rax;
	long result;

	t->syscall_number = (uint64_t)(int32_t)nr;
	if (unlikely(READ_ONCE(t->call_work))) {
		if (!enter_slowly(t, f, &result))
			return result;
		nr = (uint32_t)f->orig_rax;
		t->syscall_number = (uint64_t)(int32_t)nr;
	}
	if (config_kcov)
		planted_look(f);
	trace_syscall_enter(nr, f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9);
	result = execute(f, nr);
	trace_syscall_exit(nr, result);
	if (config_misuse_check && unlikely(t->waiters))
		waiters_left(t, "ends a system call");
	return result;
}

/*
 * Run the call that `f` asks for. Interrupts on, nothing held. Returns its value or a negative
 * errno; the ERESTART* ones are resolved on the way back to user mode. The entry code notes that the call has
 * ended (thread->syscall_number).
 */
long
syscall_dispatch(struct trap_frame *f)
{
	struct thread *t = current_thread();
	uint32_t nr = (uint32_t)f->orig_rax; /* Linux's ABI: the upper half of rax says nothing */

	if (config_kcov || config_misuse_check || trace_watches(1u << TRACE_CLASS_SYSCALL) ||
	    unlikely(READ_ONCE(t->call_work)) || unlikely(nr >= CALL_MAX) || unlikely(!thunks[nr]))
		return execute_watched(t, f);
	t->syscall_number = nr;
	cpu_count_one(CPU_COUNTER(call) + nr * sizeof(uint64_t));
	return thunks[nr](f);
}
