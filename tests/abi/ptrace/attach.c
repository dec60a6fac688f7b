/* SPDX-License-Identifier: MIT */
/*
 * attach.c - becoming a tracer and ceasing to be one; who may.
 */
#include "tracee.h"

#include <pthread.h>

TEST(traceme_makes_the_parent_the_tracer)
{
	pid_t pid = tracee_stopped();
	char text[4096], want[64];

	check_read_file((snprintf(want, sizeof(want), "/proc/%d/status", pid), want), text, sizeof(text));
	CHECK(strstr(text, "State:\tt (tracing stop)\n"));
	snprintf(want, sizeof(want), "TracerPid:\t%d\n", getpid());
	CHECK(strstr(text, want));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 0);
}

TEST(traceme_works_once)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_OK(trace(PTRACE_TRACEME, 0, 0, 0));
		CHECK_ERRNO(trace(PTRACE_TRACEME, 0, 0, 0), EPERM);
		_exit(3);
	}
	CHECK_EXIT(pid, 3);
}

TEST(attach_stops_a_sleeper_with_sigstop)
{
	pid_t pid = tracee_sleeper();
	siginfo_t info;

	CHECK_OK(trace(PTRACE_ATTACH, pid, 0, 0));
	tracee_expect(pid, SIGSTOP);
	CHECK_OK(trace(PTRACE_GETSIGINFO, pid, 0, A(&info)));
	CHECK_EQ(info.si_signo, SIGSTOP);
	CHECK_EQ(tracee_peek_user(pid, USER(regs.orig_rax)), SYS_pause);
	CHECK_OK(trace(PTRACE_DETACH, pid, 0, 0));
	check_wait_asleep(pid, 0);
	tracee_end(pid);
}

TEST(attach_stops_one_that_runs_in_user_mode)
{
	volatile unsigned long *word;
	pid_t pid = tracee_counter(&word);
	unsigned long seen;

	CHECK_OK(trace(PTRACE_ATTACH, pid, 0, 0));
	tracee_expect(pid, SIGSTOP);
	seen = *word;
	check_sleep_ms(20);
	CHECK_EQ(*word, seen);
	CHECK_OK(trace(PTRACE_DETACH, pid, 0, 0));
	while (*word == seen)
		check_sleep_ms(1);
	tracee_end(pid);
}

TEST(attach_to_nobody_is_esrch)
{
	CHECK_ERRNO(trace(PTRACE_ATTACH, 0, 0, 0), ESRCH);
	CHECK_ERRNO(trace(PTRACE_ATTACH, -1, 0, 0), ESRCH);
	CHECK_ERRNO(trace(PTRACE_ATTACH, 0x7ffffff, 0, 0), ESRCH);
	CHECK_ERRNO(trace(PTRACE_SEIZE, 0x7ffffff, 0, 0), ESRCH);
}

TEST(attach_to_oneself_is_eperm)
{
	CHECK_ERRNO(trace(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
	CHECK_ERRNO(trace(PTRACE_SEIZE, getpid(), 0, 0), EPERM);
}

TEST(attach_twice_is_eperm)
{
	pid_t pid = tracee_stopped(), other;

	CHECK_ERRNO(trace(PTRACE_ATTACH, pid, 0, 0), EPERM);
	CHECK_ERRNO(trace(PTRACE_SEIZE, pid, 0, 0), EPERM);
	other = check_fork();
	if (other == 0) {
		CHECK_ERRNO(trace(PTRACE_ATTACH, pid, 0, 0), EPERM);
		_exit(0);
	}
	CHECK_EXIT(other, 0);
	tracee_end(pid);
}

TEST(attach_to_a_zombie_is_eperm)
{
	pid_t pid = check_fork();
	siginfo_t info;

	if (pid == 0)
		_exit(0);
	CHECK_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	CHECK_ERRNO(trace(PTRACE_ATTACH, pid, 0, 0), EPERM);
	CHECK_EXIT(pid, 0);
}

TEST(attach_to_a_stopped_process_stops_it_for_the_tracer)
{
	pid_t pid = tracee_sleeper();
	int status;

	kill(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_OK(trace(PTRACE_ATTACH, pid, 0, 0));
	/* Its group stop became a stop for us before the call returned. */
	CHECK_EQ(CHECK_OK(waitpid(pid, &status, WNOHANG)), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGSTOP);
	CHECK_OK(trace(PTRACE_DETACH, pid, 0, 0));
	tracee_end(pid);
}

TEST(others_programs_may_not_be_attached_to)
{
	pid_t victim = tracee_sleeper(), pid = check_fork();

	if (pid == 0) {
		check_drop_root();
		CHECK_ERRNO(trace(PTRACE_ATTACH, victim, 0, 0), EPERM);
		CHECK_ERRNO(trace(PTRACE_SEIZE, victim, 0, 0), EPERM);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	tracee_end(victim);
}

TEST(the_same_user_may_attach_unless_not_dumpable)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		pid_t victim;
		int ready[2];
		char c;

		check_drop_root();
		prctl(PR_SET_DUMPABLE, 1);
		CHECK_OK(pipe(ready));
		victim = check_fork();
		if (victim == 0) {
			prctl(PR_SET_DUMPABLE, 0);
			check_write_all(ready[1], "x", 1);
			for (;;)
				pause();
		}
		check_read_all(ready[0], &c, 1);
		CHECK_ERRNO(trace(PTRACE_ATTACH, victim, 0, 0), EPERM);
		kill(victim, SIGKILL);
		CHECK_KILLED(victim, SIGKILL);
		victim = tracee_sleeper();
		CHECK_OK(trace(PTRACE_ATTACH, victim, 0, 0));
		tracee_expect(victim, SIGSTOP);
		tracee_end(victim);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(requests_of_a_stranger_are_esrch)
{
	pid_t pid = tracee_stopped(), other = check_fork();

	if (other == 0) {
		unsigned long word;

		CHECK_ERRNO(trace(PTRACE_PEEKDATA, pid, A(&word), A(&word)), ESRCH);
		CHECK_ERRNO(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
		CHECK_ERRNO(trace(PTRACE_DETACH, pid, 0, 0), ESRCH);
		CHECK_ERRNO(trace(PTRACE_KILL, pid, 0, 0), ESRCH);
		_exit(0);
	}
	CHECK_EXIT(other, 0);
	tracee_end(pid);
}

TEST(requests_to_one_that_runs_are_esrch)
{
	volatile unsigned long *word;
	pid_t pid = tracee_counter(&word);
	unsigned long value;

	CHECK_OK(trace(PTRACE_SEIZE, pid, 0, 0));
	CHECK_ERRNO(trace(PTRACE_PEEKDATA, pid, A(word), A(&value)), ESRCH);
	CHECK_ERRNO(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK_ERRNO(trace(PTRACE_DETACH, pid, 0, 0), ESRCH);
	CHECK_ERRNO(trace(PTRACE_SETOPTIONS, pid, 0, 0), ESRCH);
	CHECK_ERRNO(trace(0x1234, pid, 0, 0), ESRCH);
	tracee_end(pid);
}

TEST(unknown_requests_are_eio)
{
	pid_t pid = tracee_stopped();

	CHECK_ERRNO(trace(0x1234, pid, 0, 0), EIO);
	CHECK_ERRNO(trace(10, pid, 0, 0), EIO);
	CHECK_ERRNO(trace(-1, pid, 0, 0), EIO);
	tracee_end(pid);
}

static void *
other_thread_asks(void *arg)
{
	pid_t pid = *(pid_t *)arg;

	CHECK_ERRNO(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
	return NULL;
}

TEST(only_the_tracing_thread_may_ask)
{
	pid_t pid = tracee_stopped();
	pthread_t thread;

	CHECK_RETURNS(pthread_create(&thread, NULL, other_thread_asks, &pid), 0);
	CHECK_RETURNS(pthread_join(thread, NULL), 0);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 0);
}

static void *
other_thread_waits(void *arg)
{
	pid_t pid = *(pid_t *)arg;
	int status;

	CHECK_ERRNO(waitpid(pid, &status, __WALL | __WNOTHREAD), ECHILD);
	CHECK_EQ(CHECK_OK(waitpid(pid, &status, __WALL)), pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	return NULL;
}

/* A tracee that is no child of ours: the child of a child. */
static pid_t
grandchild(void)
{
	pid_t pid, child;
	int out[2];

	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 0));
	CHECK_OK(pipe(out));
	child = check_fork();
	if (child == 0) {
		pid = check_fork();
		if (pid == 0)
			for (;;)
				pause();
		check_write_all(out[1], &pid, sizeof(pid));
		for (;;)
			pause();
	}
	check_read_all(out[0], &pid, sizeof(pid));
	check_wait_asleep(pid, 0);
	return pid;
}

TEST(any_thread_may_wait_for_a_tracee)
{
	pid_t pid = grandchild();
	pthread_t thread;

	CHECK_ERRNO(waitpid(pid, NULL, WNOHANG), ECHILD);
	CHECK_OK(trace(PTRACE_ATTACH, pid, 0, 0));
	CHECK_RETURNS(pthread_create(&thread, NULL, other_thread_waits, &pid), 0);
	CHECK_RETURNS(pthread_join(thread, NULL), 0);
	CHECK_OK(trace(PTRACE_DETACH, pid, 0, 0));
	CHECK_ERRNO(waitpid(pid, NULL, WNOHANG), ECHILD);
}

TEST(the_tracer_learns_of_a_strangers_end_before_its_parent)
{
	int to[2], from[2], status;
	pid_t middle, pid;
	char c;

	CHECK_OK(pipe(to));
	CHECK_OK(pipe(from));
	middle = check_fork();
	if (middle == 0) {
		pid = check_fork();
		if (pid == 0)
			for (;;)
				pause();
		check_wait_asleep(pid, 0);
		check_write_all(from[1], &pid, sizeof(pid));
		check_read_all(to[0], &c, 1);
		/* Dead by now, but not for us. */
		CHECK_EQ(CHECK_OK(waitpid(pid, &status, WNOHANG)), 0);
		check_write_all(from[1], "x", 1);
		CHECK_KILLED(pid, SIGKILL);
		_exit(0);
	}
	check_read_all(from[0], &pid, sizeof(pid));
	CHECK_OK(trace(PTRACE_SEIZE, pid, 0, 0));
	kill(pid, SIGKILL);
	while (waitid(P_PID, pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT) != 0)
		;
	check_write_all(to[1], "x", 1);
	check_read_all(from[0], &c, 1);
	status = tracee_wait(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_EXIT(middle, 0);
}

TEST(detach_may_deliver_a_signal)
{
	pid_t pid = tracee_stopped();

	CHECK_ERRNO(trace(PTRACE_DETACH, pid, 0, 65), EIO);
	CHECK_OK(trace(PTRACE_DETACH, pid, 0, SIGTERM));
	CHECK_KILLED(pid, SIGTERM);
}

TEST(detach_leaves_a_process_without_tracer)
{
	pid_t pid = tracee_sleeper();
	char path[64], text[4096];

	CHECK_OK(trace(PTRACE_ATTACH, pid, 0, 0));
	tracee_expect(pid, SIGSTOP);
	CHECK_OK(trace(PTRACE_DETACH, pid, 0, 0));
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	check_read_file(path, text, sizeof(text));
	CHECK(strstr(text, "TracerPid:\t0\n"));
	CHECK_ERRNO(trace(PTRACE_DETACH, pid, 0, 0), ESRCH);
	tracee_end(pid);
}

TEST(a_tracer_that_ends_lets_its_tracees_go)
{
	volatile unsigned long *word;
	pid_t pid = tracee_counter(&word), tracer = check_fork();
	unsigned long seen;

	if (tracer == 0) {
		CHECK_OK(trace(PTRACE_ATTACH, pid, 0, 0));
		tracee_expect(pid, SIGSTOP);
		_exit(0);
	}
	CHECK_EXIT(tracer, 0);
	seen = *word;
	while (*word == seen)
		check_sleep_ms(1);
	tracee_end(pid);
}

TEST(a_tracing_thread_that_ends_lets_its_tracees_go)
{
	volatile unsigned long *word;
	pid_t pid = tracee_counter(&word), tracer = check_fork();

	if (tracer == 0) {
		CHECK_OK(trace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL));
		_exit(0);
	}
	CHECK_EXIT(tracer, 0);
	CHECK_KILLED(pid, SIGKILL);
}

TEST(a_killed_tracer_with_exitkill_takes_its_tracees_along)
{
	pid_t pid = tracee_sleeper(), tracer;
	int ready[2];
	char c;

	CHECK_OK(pipe(ready));
	tracer = check_fork();
	if (tracer == 0) {
		CHECK_OK(trace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL));
		CHECK_OK(trace(PTRACE_INTERRUPT, pid, 0, 0));
		tracee_expect(pid, EVENT(PTRACE_EVENT_STOP));
		check_write_all(ready[1], "x", 1);
		for (;;)
			pause();
	}
	check_read_all(ready[0], &c, 1);
	kill(tracer, SIGKILL);
	CHECK_KILLED(tracer, SIGKILL);
	CHECK_KILLED(pid, SIGKILL);
}

TEST(a_process_may_not_offer_itself_to_a_weaker_parent)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		pid_t child = check_fork();

		if (child == 0) {
			check_sleep_ms(1);
			for (;;) {
				/* Until the parent has dropped its rights. */
				char text[4096], path[64];

				snprintf(path, sizeof(path), "/proc/%d/status", getppid());
				check_read_file(path, text, sizeof(text));
				if (strstr(text, "Uid:\t65534\t65534"))
					break;
				check_sleep_ms(1);
			}
			CHECK_ERRNO(trace(PTRACE_TRACEME, 0, 0, 0), EPERM);
			_exit(0);
		}
		check_drop_root();
		CHECK_EXIT(child, 0);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(kill_ends_a_tracee)
{
	pid_t pid = tracee_stopped();

	CHECK_OK(trace(PTRACE_KILL, pid, 0, 0));
	CHECK_KILLED(pid, SIGKILL);
	pid = tracee_sleeper();
	CHECK_OK(trace(PTRACE_SEIZE, pid, 0, 0));
	CHECK_OK(trace(PTRACE_KILL, pid, 0, 0));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(seize_checks_its_arguments)
{
	pid_t pid = tracee_sleeper();

	CHECK_ERRNO(trace(PTRACE_SEIZE, pid, 1, 0), EIO);
	CHECK_ERRNO(trace(PTRACE_SEIZE, pid, 0, 1ul << 30), EIO);
	CHECK_OK(trace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD));
	CHECK_EQ(CHECK_OK(waitpid(pid, NULL, WNOHANG)), 0);
	tracee_end(pid);
}

TEST(yama_asks_nothing)
{
	char text[64] = "";

	check_read_file("/proc/sys/kernel/yama/ptrace_scope", text, sizeof(text));
	CHECK_STR(text, "0\n");
	CHECK_OK(prctl(0x59616d61 /* PR_SET_PTRACER */, 0, 0, 0, 0));
	CHECK_OK(prctl(0x59616d61, -1ul, 0, 0, 0));
	CHECK_OK(prctl(0x59616d61, getppid(), 0, 0, 0));
	CHECK_ERRNO(prctl(0x59616d61, 0x7fffff0, 0, 0, 0), EINVAL);
}
