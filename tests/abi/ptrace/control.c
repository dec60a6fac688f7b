/* SPDX-License-Identifier: MIT */
/*
 * control.c - signals under a tracer, job control, PTRACE_SEIZE and its ways to stop.
 */
#include "tracee.h"

static volatile sig_atomic_t handled;
static volatile int code_seen;

static void
handler(int signo, siginfo_t *info, void *context)
{
	handled = signo;
	code_seen = info->si_code;
}

static void
handles_usr1_and_2(void)
{
	struct sigaction a = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	sigaction(SIGUSR1, &a, NULL);
	sigaction(SIGUSR2, &a, NULL);
	raise(SIGUSR1);
	_exit(handled);
}

TEST(a_signal_may_be_dropped)
{
	pid_t pid = tracee_running(handles_usr1_and_2);

	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGUSR1);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 0);
}

TEST(a_signal_may_become_another)
{
	pid_t pid = tracee_running(handles_usr1_and_2);

	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGUSR1);
	CHECK_ERRNO(trace(PTRACE_CONT, pid, 0, 65), EIO);
	CHECK_ERRNO(trace(PTRACE_CONT, pid, 0, -1ul), EIO);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, SIGUSR2));
	CHECK_EXIT(pid, SIGUSR2);
}

static void
tells_the_code(void)
{
	struct sigaction a = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	sigaction(SIGUSR1, &a, NULL);
	raise(SIGUSR1);
	_exit(code_seen == -77 ? 1 : code_seen == SI_USER ? 2 : 3);
}

TEST(a_changed_siginfo_reaches_the_handler)
{
	pid_t pid = tracee_running(tells_the_code);
	siginfo_t info;

	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGUSR1);
	CHECK_OK(trace(PTRACE_GETSIGINFO, pid, 0, A(&info)));
	info.si_code = -77;
	CHECK_OK(trace(PTRACE_SETSIGINFO, pid, 0, A(&info)));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, SIGUSR1));
	CHECK_EXIT(pid, 1);
}

static void
raises_ignored(void)
{
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	raise(SIGWINCH);
}

TEST(ignored_signals_are_shown_too)
{
	pid_t pid = tracee_running(raises_ignored);

	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGUSR1);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, SIGUSR1));
	tracee_expect(pid, SIGWINCH);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, SIGWINCH));
	CHECK_EXIT(pid, 0);
}

TEST(a_deadly_signal_is_shown_before_it_kills)
{
	pid_t pid = tracee_sleeper();

	CHECK_OK(trace(PTRACE_SEIZE, pid, 0, 0));
	kill(pid, SIGTERM);
	tracee_expect(pid, SIGTERM);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	check_wait_asleep(pid, 0);
	kill(pid, SIGTERM);
	tracee_expect(pid, SIGTERM);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, SIGTERM));
	CHECK_KILLED(pid, SIGTERM);
}

TEST(sigkill_is_never_shown)
{
	pid_t pid = tracee_stopped();

	kill(pid, SIGKILL);
	CHECK_KILLED(pid, SIGKILL);
	pid = tracee_stopped();
	CHECK_OK(trace(PTRACE_CONT, pid, 0, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(signals_wait_while_a_tracee_is_stopped)
{
	pid_t pid = tracee_stopped();

	kill(pid, SIGUSR2);
	kill(pid, SIGUSR1);
	CHECK_EQ(CHECK_OK(waitpid(pid, NULL, WNOHANG)), 0);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGUSR1);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGUSR2);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 0);
}

TEST(each_stop_is_told_once_and_may_be_looked_at)
{
	pid_t pid = tracee_sleeper();
	siginfo_t info = { 0 };

	CHECK_OK(trace(PTRACE_ATTACH, pid, 0, 0));
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT));
	CHECK_EQ(info.si_code, CLD_TRAPPED);
	CHECK_EQ(info.si_status, SIGSTOP);
	CHECK_EQ(info.si_pid, pid);
	/* A tracee's stops are told even to who asks for ends only. */
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED));
	CHECK_EQ(info.si_code, CLD_TRAPPED);
	CHECK_EQ(CHECK_OK(waitpid(pid, NULL, WNOHANG)), 0);
	tracee_end(pid);
}

static volatile siginfo_t chld;

static void
child_handler(int signo, siginfo_t *info, void *context)
{
	chld = *info;
}

TEST(the_tracer_gets_sigchld_for_a_stop)
{
	struct sigaction a = { .sa_sigaction = child_handler, .sa_flags = SA_SIGINFO };
	pid_t pid = tracee_sleeper();

	CHECK_OK(sigaction(SIGCHLD, &a, NULL));
	CHECK_OK(trace(PTRACE_SEIZE, pid, 0, 0));
	kill(pid, SIGUSR1);
	while (chld.si_signo == 0)
		check_sleep_ms(1);
	CHECK_EQ(chld.si_code, CLD_TRAPPED);
	CHECK_EQ(chld.si_status, SIGUSR1);
	CHECK_EQ(chld.si_pid, pid);
	tracee_end(pid);
}

TEST(a_stop_signal_let_through_stops_the_group)
{
	pid_t pid = tracee_sleeper();
	siginfo_t info;

	CHECK_OK(trace(PTRACE_ATTACH, pid, 0, 0));
	tracee_expect(pid, SIGSTOP);
	CHECK_OK(trace(PTRACE_GETSIGINFO, pid, 0, A(&info)));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, SIGSTOP));
	tracee_expect(pid, SIGSTOP);
	/* A group stop has no siginfo: that is how to tell. */
	CHECK_ERRNO(trace(PTRACE_GETSIGINFO, pid, 0, A(&info)), EINVAL);
	CHECK_ERRNO(trace(PTRACE_SETSIGINFO, pid, 0, A(&info)), EINVAL);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	check_wait_asleep(pid, 0);
	tracee_end(pid);
}

TEST(detached_from_a_group_stop_it_stays_stopped)
{
	pid_t pid = tracee_sleeper();
	int status;

	CHECK_OK(trace(PTRACE_ATTACH, pid, 0, 0));
	tracee_expect(pid, SIGSTOP);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, SIGSTOP));
	tracee_expect(pid, SIGSTOP);
	CHECK_OK(trace(PTRACE_DETACH, pid, 0, 0));
	CHECK_EQ(CHECK_OK(waitpid(pid, &status, WUNTRACED)), pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	kill(pid, SIGCONT);
	CHECK_EQ(CHECK_OK(waitpid(pid, &status, WCONTINUED)), pid);
	CHECK(WIFCONTINUED(status));
	check_wait_asleep(pid, 0);
	tracee_end(pid);
}

TEST(interrupt_and_listen_want_a_seized_tracee)
{
	pid_t pid = tracee_stopped();

	CHECK_ERRNO(trace(PTRACE_INTERRUPT, pid, 0, 0), EIO);
	CHECK_ERRNO(trace(PTRACE_LISTEN, pid, 0, 0), EIO);
	tracee_end(pid);
}

TEST(interrupt_stops_without_a_signal)
{
	pid_t pid = tracee_sleeper();
	siginfo_t info;

	CHECK_OK(trace(PTRACE_SEIZE, pid, 0, 0));
	CHECK_OK(trace(PTRACE_INTERRUPT, pid, 0, 0));
	tracee_expect(pid, EVENT(PTRACE_EVENT_STOP));
	CHECK_OK(trace(PTRACE_GETSIGINFO, pid, 0, A(&info)));
	CHECK_EQ(info.si_code, EVENT(PTRACE_EVENT_STOP));
	CHECK_EQ(info.si_signo, SIGTRAP);
	CHECK_EQ((long)tracee_peek_user(pid, USER(regs.rax)), -514 /* ERESTARTNOHAND: pause */);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	check_wait_asleep(pid, 0);
	tracee_end(pid);
}

TEST(interrupt_stops_one_that_computes)
{
	volatile unsigned long *word;
	pid_t pid = tracee_counter(&word);

	CHECK_OK(trace(PTRACE_SEIZE, pid, 0, 0));
	for (int i = 0; i < 20; i++) {
		CHECK_OK(trace(PTRACE_INTERRUPT, pid, 0, 0));
		tracee_expect(pid, EVENT(PTRACE_EVENT_STOP));
		CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	}
	tracee_end(pid);
}

TEST(a_seized_group_stop_is_an_event)
{
	pid_t pid = tracee_sleeper();
	siginfo_t info;

	CHECK_OK(trace(PTRACE_SEIZE, pid, 0, 0));
	kill(pid, SIGSTOP);
	tracee_expect(pid, SIGSTOP);
	CHECK_OK(trace(PTRACE_GETSIGINFO, pid, 0, A(&info)));
	CHECK_ERRNO(trace(PTRACE_LISTEN, pid, 0, 0), EIO);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, SIGSTOP));
	tracee_expect(pid, SIGSTOP | PTRACE_EVENT_STOP << 8);
	CHECK_OK(trace(PTRACE_GETSIGINFO, pid, 0, A(&info)));
	CHECK_EQ(info.si_signo, SIGSTOP);
	CHECK_EQ(info.si_code, SIGSTOP | PTRACE_EVENT_STOP << 8);
	tracee_end(pid);
}

TEST(listen_waits_for_sigcont)
{
	pid_t pid = tracee_sleeper();
	int status;

	CHECK_OK(trace(PTRACE_SEIZE, pid, 0, 0));
	kill(pid, SIGTSTP);
	tracee_expect(pid, SIGTSTP);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, SIGSTOP));
	tracee_expect(pid, SIGSTOP | PTRACE_EVENT_STOP << 8);
	CHECK_OK(trace(PTRACE_LISTEN, pid, 0, 0));
	CHECK_ERRNO(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK_ERRNO(trace(PTRACE_GETSIGINFO, pid, 0, A(&(siginfo_t){ 0 })), ESRCH);
	CHECK_EQ(CHECK_OK(waitpid(pid, &status, WNOHANG)), 0);
	kill(pid, SIGCONT);
	tracee_expect(pid, EVENT(PTRACE_EVENT_STOP));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGCONT);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, SIGCONT));
	check_wait_asleep(pid, 0);
	tracee_end(pid);
}

TEST(interrupt_ends_listening)
{
	pid_t pid = tracee_sleeper();

	CHECK_OK(trace(PTRACE_SEIZE, pid, 0, 0));
	kill(pid, SIGSTOP);
	tracee_expect(pid, SIGSTOP);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, SIGSTOP));
	tracee_expect(pid, SIGSTOP | PTRACE_EVENT_STOP << 8);
	CHECK_OK(trace(PTRACE_LISTEN, pid, 0, 0));
	CHECK_OK(trace(PTRACE_INTERRUPT, pid, 0, 0));
	tracee_expect(pid, SIGSTOP | PTRACE_EVENT_STOP << 8);
	tracee_end(pid);
}

TEST(seizing_a_stopped_process_tells_of_the_stop)
{
	pid_t pid = tracee_sleeper();
	int status;

	kill(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_OK(trace(PTRACE_SEIZE, pid, 0, 0));
	tracee_expect(pid, SIGSTOP | PTRACE_EVENT_STOP << 8);
	kill(pid, SIGCONT);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, EVENT(PTRACE_EVENT_STOP));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGCONT);
	tracee_end(pid);
}

TEST(a_stopped_tracee_is_not_the_parents_stopped_child)
{
	int to[2];
	pid_t middle, pid;

	CHECK_OK(pipe(to));
	middle = check_fork();
	if (middle == 0) {
		pid = check_fork();
		if (pid == 0)
			for (;;)
				pause();
		check_wait_asleep(pid, 0);
		check_write_all(to[1], &pid, sizeof(pid));
		for (;;)
			CHECK_EQ(waitpid(pid, NULL, WUNTRACED | WNOHANG), 0);
	}
	check_read_all(to[0], &pid, sizeof(pid));
	CHECK_OK(trace(PTRACE_ATTACH, pid, 0, 0));
	tracee_expect(pid, SIGSTOP);
	check_sleep_ms(20);
	kill(middle, SIGKILL);
	CHECK_KILLED(middle, SIGKILL);
}

static void
blocks_trap_and_breaks(void)
{
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	__asm__ volatile("int3");
	_exit(11);
}

TEST(a_breakpoint_with_sigtrap_blocked_is_shown)
{
	pid_t pid = tracee_running(blocks_trap_and_breaks);
	siginfo_t info;

	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGTRAP);
	CHECK_OK(trace(PTRACE_GETSIGINFO, pid, 0, A(&info)));
	CHECK_EQ(info.si_code, SI_KERNEL);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 11);
}
