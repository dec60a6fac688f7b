/* SPDX-License-Identifier: MIT */
/*
 * calls.c - stops at system calls: what they tell, what a tracer may change there.
 */
#include "tracee.h"

#include <linux/audit.h>
#include <poll.h>

struct syscall_info {
	uint8_t op, pad[3];
	uint32_t arch;
	uint64_t ip, sp;
	union {
		struct { uint64_t nr, args[6]; } entry;
		struct { int64_t value; uint8_t is_error; } exit;
	};
};

static void
calls(void)
{
	long a = syscall(SYS_getpgid, 0), b = syscall(SYS_close, 12345);

	(void)a;
	(void)b;
}

/* To the next system call stop. */
static void
next(pid_t pid, int code)
{
	CHECK_OK(trace(PTRACE_SYSCALL, pid, 0, 0));
	tracee_expect(pid, code);
}

TEST(a_call_stops_at_entry_and_exit)
{
	pid_t pid = tracee_running(calls);
	struct user_regs_struct r;

	next(pid, SIGTRAP);
	CHECK_OK(trace(PTRACE_GETREGS, pid, 0, A(&r)));
	/* The last of raise(): libc restores the mask; what is ours comes behind it. */
	while (r.orig_rax != SYS_getpgid) {
		next(pid, SIGTRAP);
		CHECK_OK(trace(PTRACE_GETREGS, pid, 0, A(&r)));
	}
	CHECK_EQ((long)r.rax, -ENOSYS);
	CHECK_EQ(r.rdi, 0);
	next(pid, SIGTRAP);
	CHECK_OK(trace(PTRACE_GETREGS, pid, 0, A(&r)));
	CHECK_EQ(r.orig_rax, SYS_getpgid);
	CHECK_EQ(r.rax, getpgid(pid));
	next(pid, SIGTRAP);
	CHECK_EQ(tracee_peek_user(pid, USER(regs.orig_rax)), SYS_close);
	next(pid, SIGTRAP);
	CHECK_EQ((long)tracee_peek_user(pid, USER(regs.rax)), -EBADF);
	tracee_end(pid);
}

static void
until_call(pid_t pid, long nr, int code)
{
	do
		next(pid, code);
	while ((long)tracee_peek_user(pid, USER(regs.orig_rax)) != nr);
}

TEST(sysgood_marks_the_stops_and_info_tells_which)
{
	pid_t pid = tracee_running(calls);
	struct syscall_info i;
	unsigned long message;
	siginfo_t info;

	CHECK_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
	CHECK_EQ(CHECK_OK(trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(i), A(&i))), 24);
	CHECK_EQ(i.op, 0);
	CHECK_EQ(i.arch, AUDIT_ARCH_X86_64);
	CHECK_EQ(i.ip, tracee_peek_user(pid, USER(regs.rip)));
	CHECK_EQ(i.sp, tracee_peek_user(pid, USER(regs.rsp)));
	until_call(pid, SYS_close, SIGTRAP | 0x80);
	CHECK_EQ(CHECK_OK(trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(i), A(&i))), 80);
	CHECK_EQ(i.op, 1);
	CHECK_EQ(i.entry.nr, SYS_close);
	CHECK_EQ(i.entry.args[0], 12345);
	CHECK_OK(trace(PTRACE_GETEVENTMSG, pid, 0, A(&message)));
	CHECK_EQ(message, 1);
	CHECK_OK(trace(PTRACE_GETSIGINFO, pid, 0, A(&info)));
	CHECK_EQ(info.si_signo, SIGTRAP);
	CHECK_EQ(info.si_code, SIGTRAP | 0x80);
	CHECK_EQ(info.si_pid, pid);
	next(pid, SIGTRAP | 0x80);
	CHECK_EQ(CHECK_OK(trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(i), A(&i))), 33);
	CHECK_EQ(i.op, 2);
	CHECK_EQ(i.exit.value, -EBADF);
	CHECK_EQ(i.exit.is_error, 1);
	CHECK_EQ(CHECK_OK(trace(PTRACE_GET_SYSCALL_INFO, pid, 1, A(&i))), 33);
	CHECK_ERRNO(trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(i), A(check_bad_address())), EFAULT);
	CHECK_OK(trace(PTRACE_GETEVENTMSG, pid, 0, A(&message)));
	CHECK_EQ(message, 2);
	tracee_end(pid);
}

static void
closes_and_tells(void)
{
	int fd = dup(0);
	long r = syscall(SYS_close, fd);
	int still = fcntl(fd, F_GETFD) >= 0;

	_exit((r == 7 ? 1 : 0) + still * 2 + (errno == EXDEV ? 4 : 0));
}

TEST(a_call_can_be_skipped_with_a_result)
{
	pid_t pid = tracee_running(closes_and_tells);

	until_call(pid, SYS_close, SIGTRAP);
	CHECK_OK(trace(PTRACE_POKEUSER, pid, USER(regs.orig_rax), -1ul));
	CHECK_OK(trace(PTRACE_POKEUSER, pid, USER(regs.rax), 7));
	next(pid, SIGTRAP);
	CHECK_EQ(tracee_peek_user(pid, USER(regs.rax)), 7);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 3);
}

TEST(a_call_can_become_another)
{
	pid_t pid = tracee_running(closes_and_tells);

	until_call(pid, SYS_close, SIGTRAP);
	CHECK_OK(trace(PTRACE_POKEUSER, pid, USER(regs.orig_rax), SYS_getpid));
	next(pid, SIGTRAP);
	CHECK_EQ(tracee_peek_user(pid, USER(regs.rax)), pid);
	CHECK_OK(trace(PTRACE_POKEUSER, pid, USER(regs.rax), 7));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 3);
}

TEST(an_unknown_call_is_stopped_at_too)
{
	pid_t pid = tracee_running(closes_and_tells);

	until_call(pid, SYS_close, SIGTRAP);
	CHECK_OK(trace(PTRACE_POKEUSER, pid, USER(regs.orig_rax), 100000));
	next(pid, SIGTRAP);
	CHECK_EQ((long)tracee_peek_user(pid, USER(regs.rax)), -ENOSYS);
	tracee_end(pid);
}

TEST(sysemu_makes_no_call)
{
	pid_t pid = tracee_running(closes_and_tells);

	until_call(pid, SYS_dup, SIGTRAP);
	next(pid, SIGTRAP);
	CHECK_OK(trace(31 /* SYSEMU */, pid, 0, 0));
	tracee_expect(pid, SIGTRAP);
	CHECK_EQ(tracee_peek_user(pid, USER(regs.orig_rax)), SYS_close);
	CHECK_OK(trace(PTRACE_POKEUSER, pid, USER(regs.rax), 7));
	next(pid, SIGTRAP); /* the exit of the call that was not made */
	CHECK_EQ(tracee_peek_user(pid, USER(regs.orig_rax)), SYS_close);
	CHECK_EQ(tracee_peek_user(pid, USER(regs.rax)), 7);
	next(pid, SIGTRAP);
	CHECK_EQ(tracee_peek_user(pid, USER(regs.orig_rax)), SYS_fcntl);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 3);
}

TEST(a_signal_sent_from_a_call_stop_arrives)
{
	pid_t pid = tracee_running(calls);

	until_call(pid, SYS_close, SIGTRAP);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, SIGUSR1));
	tracee_expect(pid, SIGUSR1);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, SIGUSR1));
	CHECK_KILLED(pid, SIGUSR1);
}

static void
sleeps_long(void)
{
	struct timespec t = { 0, 300000000 };

	_exit(nanosleep(&t, NULL) == 0 ? 5 : errno);
}

TEST(a_sleep_goes_on_behind_a_stop)
{
	pid_t pid = tracee_running(sleeps_long);

	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	check_wait_asleep(pid, 0);
	kill(pid, SIGUSR1);
	tracee_expect(pid, SIGUSR1);
	CHECK_EQ((long)tracee_peek_user(pid, USER(regs.rax)), -516 /* ERESTART_RESTARTBLOCK */);
	CHECK_OK(trace(PTRACE_SYSCALL, pid, 0, 0)); /* the signal is dropped */
	tracee_expect(pid, SIGTRAP);
	CHECK_EQ(tracee_peek_user(pid, USER(regs.orig_rax)), SYS_restart_syscall);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 5);
}

static int pipe_of[2];

static void
reads_a_pipe(void)
{
	char c = 0;

	_exit(read(pipe_of[0], &c, 1) == 1 ? c : 99);
}

TEST(a_read_starts_again_behind_a_stop)
{
	pid_t pid;

	CHECK_OK(pipe(pipe_of));
	pid = tracee_running(reads_a_pipe);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	check_wait_asleep(pid, 0);
	kill(pid, SIGUSR1);
	tracee_expect(pid, SIGUSR1);
	CHECK_EQ((long)tracee_peek_user(pid, USER(regs.rax)), -512 /* ERESTARTSYS */);
	CHECK_EQ(tracee_peek_user(pid, USER(regs.orig_rax)), SYS_read);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	check_wait_asleep(pid, 0);
	check_write_all(pipe_of[1], "\7", 1);
	CHECK_EXIT(pid, 7);
}

TEST(without_a_call_number_nothing_starts_again)
{
	pid_t pid;

	CHECK_OK(pipe(pipe_of));
	pid = tracee_running(reads_a_pipe);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	check_wait_asleep(pid, 0);
	kill(pid, SIGUSR1);
	tracee_expect(pid, SIGUSR1);
	CHECK_OK(trace(PTRACE_POKEUSER, pid, USER(regs.orig_rax), -1ul));
	CHECK_OK(trace(PTRACE_POKEUSER, pid, USER(regs.rax), -1ul));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 99);
}

TEST(the_syscall_file_tells_of_a_stopped_call)
{
	pid_t pid = tracee_running(calls);
	char path[64], text[256] = "";

	until_call(pid, SYS_close, SIGTRAP);
	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	check_read_file(path, text, sizeof(text));
	CHECK(!strncmp(text, "3 0x3039 ", 9));
	tracee_end(pid);
}

TEST(a_tracee_killed_at_entry_makes_no_call)
{
	pid_t pid;
	char c;

	CHECK_OK(pipe2(pipe_of, O_NONBLOCK));
	pid = check_fork();
	if (pid == 0) {
		CHECK_OK(trace(PTRACE_TRACEME, 0, 0, 0));
		raise(SIGSTOP);
		(void)!write(pipe_of[1], "x", 1);
		_exit(0);
	}
	tracee_expect(pid, SIGSTOP);
	until_call(pid, SYS_write, SIGTRAP);
	kill(pid, SIGKILL);
	CHECK_KILLED(pid, SIGKILL);
	CHECK_ERRNO(read(pipe_of[0], &c, 1), EAGAIN);
}
