/* SPDX-License-Identifier: MIT */
/*
 * steps.c - one instruction at a time, breakpoints, watchpoints.
 */
#include "tracee.h"

#define DEBUG(n) (USER(u_debugreg) + (n) * 8)

extern const char steps_begin[], steps_call[], steps_behind_call[], steps_popf[], steps_behind_popf[], steps_end[];

__attribute__((noinline, naked)) static void
stepped(void)
{
	__asm__("steps_begin:\n"
		"	int3\n"
		"	nop\n"
		"	nop\n"
		"steps_call:\n"
		"	movl $39, %eax\n"
		"	syscall\n"
		"steps_behind_call:\n"
		"	nop\n"
		"	pushfq\n"
		"steps_popf:\n"
		"	popfq\n"
		"steps_behind_popf:\n"
		"	nop\n"
		"steps_end:\n"
		"	ret\n");
}

static unsigned long
ip(pid_t pid)
{
	return tracee_peek_user(pid, USER(regs.rip));
}

/* At the instruction behind int3. */
static pid_t
at_steps(void)
{
	pid_t pid = tracee_running(stepped);

	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGTRAP);
	CHECK_EQ(ip(pid), A(steps_begin) + 1);
	return pid;
}

static int
step(pid_t pid)
{
	siginfo_t info;

	CHECK_OK(trace(PTRACE_SINGLESTEP, pid, 0, 0));
	tracee_expect(pid, SIGTRAP);
	CHECK_OK(trace(PTRACE_GETSIGINFO, pid, 0, A(&info)));
	return info.si_code;
}

TEST(a_step_is_one_instruction)
{
	pid_t pid = at_steps();

	CHECK_EQ(step(pid), TRAP_TRACE);
	CHECK_EQ(ip(pid), A(steps_begin) + 2);
	CHECK_EQ(tracee_peek_user(pid, DEBUG(6)) & 0x4000, 0x4000);
	/* The trap flag is the tracer's: nobody sees it. */
	CHECK_EQ(tracee_peek_user(pid, USER(regs.eflags)) & 0x100, 0);
	CHECK_EQ(step(pid), TRAP_TRACE);
	CHECK_EQ(ip(pid), A(steps_call));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 0);
}

TEST(a_step_over_a_call_ends_behind_it)
{
	pid_t pid = at_steps();

	step(pid), step(pid), step(pid);
	CHECK_EQ(step(pid), TRAP_BRKPT);
	CHECK_EQ(ip(pid), A(steps_behind_call));
	CHECK_EQ(tracee_peek_user(pid, USER(regs.rax)), pid);
	CHECK_EQ(step(pid), TRAP_TRACE);
	CHECK_EQ(ip(pid), A(steps_behind_call) + 1);
	tracee_end(pid);
}

TEST(a_step_leaves_no_trap_flag_on_the_tracees_stack)
{
	pid_t pid = at_steps();

	while (ip(pid) != A(steps_popf))
		step(pid);
	step(pid);
	CHECK_EQ(ip(pid), A(steps_behind_popf));
	step(pid);
	CHECK_EQ(ip(pid), A(steps_end));
	tracee_end(pid);
}

TEST(a_step_with_a_deadly_signal_is_the_end)
{
	pid_t pid = at_steps();

	CHECK_OK(trace(PTRACE_SINGLESTEP, pid, 0, SIGUSR1));
	CHECK_KILLED(pid, SIGUSR1);
}

static volatile int count;

static void
handler(int signo)
{
	count++;
}

static void
steps_with_handler(void)
{
	signal(SIGUSR1, handler);
	stepped();
	_exit(count);
}

TEST(a_step_into_a_handler_stops_at_its_first_instruction)
{
	pid_t pid = tracee_running(steps_with_handler);
	siginfo_t info;
	struct user_regs_struct r;
	unsigned long flags;

	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGTRAP);
	step(pid);
	CHECK_OK(trace(PTRACE_SINGLESTEP, pid, 0, SIGUSR1));
	tracee_expect(pid, SIGTRAP);
	CHECK_EQ(ip(pid), A(handler));
	CHECK_OK(trace(PTRACE_GETSIGINFO, pid, 0, A(&info)));
	CHECK_EQ(info.si_code, SIGTRAP);
	CHECK_OK(trace(PTRACE_GETREGS, pid, 0, A(&r)));
	CHECK_EQ(r.eflags & 0x100, 0);
	/* ... nor in the frame: uc_mcontext's flags stand behind 17 other registers. */
	CHECK_OK(trace(PTRACE_PEEKDATA, pid, r.rdx + 40 + 17 * 8, A(&flags)));
	CHECK_EQ(flags & 0x100, 0);
	CHECK_EQ(step(pid), TRAP_TRACE);
	CHECK(ip(pid) != A(handler));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 1);
}

static void
execs(void)
{
	execl("/proc/self/exe", "x", "--helper", "step_exits", NULL);
}

HELPER(step_exits)
{
	_exit(8);
}

TEST(a_step_over_exec_stops_in_the_new_program)
{
	pid_t pid = tracee_running(execs);

	CHECK_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, EVENT(PTRACE_EVENT_EXEC));
	CHECK_OK(trace(PTRACE_SINGLESTEP, pid, 0, 0));
	tracee_expect(pid, SIGTRAP);
	CHECK_EQ(step(pid), TRAP_TRACE);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 8);
}

TEST(a_step_at_a_call_stop_ends_behind_the_call)
{
	pid_t pid = at_steps();

	CHECK_OK(trace(PTRACE_SYSCALL, pid, 0, 0));
	tracee_expect(pid, SIGTRAP);
	CHECK_EQ(tracee_peek_user(pid, USER(regs.orig_rax)), SYS_getpid);
	CHECK_EQ(step(pid), TRAP_BRKPT);
	CHECK_EQ(ip(pid), A(steps_behind_call));
	tracee_end(pid);
}

TEST(many_steps)
{
	volatile unsigned long *word;
	pid_t pid = tracee_counter(&word);

	TIMEOUT(60);
	CHECK_OK(trace(PTRACE_SEIZE, pid, 0, 0));
	CHECK_OK(trace(PTRACE_INTERRUPT, pid, 0, 0));
	tracee_expect(pid, EVENT(PTRACE_EVENT_STOP));
	for (int i = 0; i < 2000; i++)
		step(pid);
	CHECK_OK(trace(PTRACE_DETACH, pid, 0, 0));
	kill(pid, SIGKILL);
	CHECK_KILLED(pid, SIGKILL);
}

/* --- debug registers --- */

static volatile struct {
	unsigned long first, second;
	unsigned char bytes[16];
} watched __attribute__((aligned(64)));

static void
writes(void)
{
	watched.first = 1;
	watched.second = watched.first + 1;
	watched.bytes[3] = 7;
	_exit(0);
}

#define ENABLE(n)           (1ul << (2 * (n)))
#define BREAK(n, rw, len)   ((unsigned long)((rw) | (len) << 2) << (16 + 4 * (n)))

TEST(debug_registers_are_checked)
{
	pid_t pid = tracee_stopped();

	CHECK_EQ(tracee_peek_user(pid, DEBUG(0)), 0);
	CHECK_EQ(tracee_peek_user(pid, DEBUG(6)), 0xffff0ff0);
	CHECK_EQ(tracee_peek_user(pid, DEBUG(7)), 0);
	CHECK_OK(trace(PTRACE_POKEUSER, pid, DEBUG(0), A(&watched.first)));
	CHECK_EQ(tracee_peek_user(pid, DEBUG(0)), A(&watched.first));
	CHECK_ERRNO(trace(PTRACE_POKEUSER, pid, DEBUG(1), 0xffffffff81000000ul), EINVAL);
	CHECK_ERRNO(trace(PTRACE_POKEUSER, pid, DEBUG(4), 0), EIO);
	CHECK_ERRNO(trace(PTRACE_POKEUSER, pid, DEBUG(5), 0), EIO);
	CHECK_EQ(tracee_peek_user(pid, DEBUG(4)), 0);
	/* Input and output, and execution of more than a byte, are none. */
	CHECK_ERRNO(trace(PTRACE_POKEUSER, pid, DEBUG(7), ENABLE(0) | BREAK(0, 2, 0)), EINVAL);
	CHECK_ERRNO(trace(PTRACE_POKEUSER, pid, DEBUG(7), ENABLE(0) | BREAK(0, 0, 3)), EINVAL);
	CHECK_OK(trace(PTRACE_POKEUSER, pid, DEBUG(0), A(&watched.first) + 1));
	CHECK_ERRNO(trace(PTRACE_POKEUSER, pid, DEBUG(7), ENABLE(0) | BREAK(0, 1, 3)), EINVAL);
	CHECK_OK(trace(PTRACE_POKEUSER, pid, DEBUG(7), ENABLE(0) | BREAK(0, 1, 0)));
	CHECK_EQ(tracee_peek_user(pid, DEBUG(7)), ENABLE(0) | BREAK(0, 1, 0));
	CHECK_OK(trace(PTRACE_POKEUSER, pid, DEBUG(6), 0));
	tracee_end(pid);
}

TEST(a_watchpoint_stops_behind_the_write)
{
	pid_t pid = tracee_running(writes);
	unsigned long value;
	siginfo_t info;

	CHECK_OK(trace(PTRACE_POKEUSER, pid, DEBUG(0), A(&watched.second)));
	CHECK_OK(trace(PTRACE_POKEUSER, pid, DEBUG(1), A(&watched.bytes[3])));
	CHECK_OK(trace(PTRACE_POKEUSER, pid, DEBUG(7),
		       ENABLE(0) | BREAK(0, 1, 2) | ENABLE(1) | BREAK(1, 1, 0)));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGTRAP);
	CHECK_OK(trace(PTRACE_GETSIGINFO, pid, 0, A(&info)));
	CHECK_EQ(info.si_code, TRAP_HWBKPT);
	CHECK_EQ(tracee_peek_user(pid, DEBUG(6)) & 0xf, 1);
	CHECK_OK(trace(PTRACE_PEEKDATA, pid, A(&watched.second), A(&value)));
	CHECK_EQ(value, 2);
	CHECK_OK(trace(PTRACE_POKEUSER, pid, DEBUG(6), 0));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGTRAP);
	CHECK_EQ(tracee_peek_user(pid, DEBUG(6)) & 0xf, 2);
	CHECK_OK(trace(PTRACE_POKEUSER, pid, DEBUG(7), 0));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 0);
}

TEST(a_hardware_breakpoint_stops_before_the_instruction)
{
	pid_t pid = tracee_running(stepped);
	siginfo_t info;

	CHECK_OK(trace(PTRACE_POKEUSER, pid, DEBUG(3), A(steps_behind_call)));
	CHECK_OK(trace(PTRACE_POKEUSER, pid, DEBUG(7), ENABLE(3)));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGTRAP);
	CHECK_EQ(ip(pid), A(steps_begin) + 1); /* the int3 */
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGTRAP);
	CHECK_EQ(ip(pid), A(steps_behind_call));
	CHECK_OK(trace(PTRACE_GETSIGINFO, pid, 0, A(&info)));
	CHECK_EQ(info.si_code, TRAP_HWBKPT);
	/* Going on does not stop there again. */
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 0);
}

static int tube[2];

static void
reads_into_watched(void)
{
	(void)!read(tube[0], (void *)&watched.first, 8);
	watched.first = 3;
	_exit(0);
}

TEST(the_kernels_own_writes_set_no_watchpoint_off)
{
	pid_t pid;
	unsigned long value;

	CHECK_OK(pipe(tube));
	check_write_all(tube[1], "abcdefgh", 8);
	pid = tracee_running(reads_into_watched);
	CHECK_OK(trace(PTRACE_POKEUSER, pid, DEBUG(0), A(&watched.first)));
	CHECK_OK(trace(PTRACE_POKEUSER, pid, DEBUG(7), ENABLE(0) | BREAK(0, 1, 2)));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGTRAP);
	CHECK_OK(trace(PTRACE_PEEKDATA, pid, A(&watched.first), A(&value)));
	CHECK_EQ(value, 3);
	tracee_end(pid);
}

static void
forks_and_writes(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		writes();
	waitpid(pid, &status, 0);
	_exit(WIFEXITED(status) ? 0 : 1);
}

TEST(children_and_new_programs_have_no_breakpoints)
{
	pid_t pid = tracee_running(forks_and_writes);

	CHECK_OK(trace(PTRACE_POKEUSER, pid, DEBUG(0), A(&watched.first)));
	CHECK_OK(trace(PTRACE_POKEUSER, pid, DEBUG(7), ENABLE(0) | BREAK(0, 1, 2)));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGCHLD);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 0);
	pid = tracee_running(execs);
	CHECK_OK(trace(PTRACE_POKEUSER, pid, DEBUG(0), A(&watched.first)));
	CHECK_OK(trace(PTRACE_POKEUSER, pid, DEBUG(7), ENABLE(0) | BREAK(0, 1, 2)));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGTRAP);
	CHECK_EQ(tracee_peek_user(pid, DEBUG(7)), 0);
	CHECK_EQ(tracee_peek_user(pid, DEBUG(0)), 0);
	tracee_end(pid);
}
