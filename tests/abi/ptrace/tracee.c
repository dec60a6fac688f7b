/* SPDX-License-Identifier: MIT */
/*
 * tracee.c - helpers of the ptrace cases.
 */
#include "tracee.h"

pid_t
tracee_running(void (*body)(void))
{
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_OK(trace(PTRACE_TRACEME, 0, 0, 0));
		raise(SIGSTOP);
		body();
		_exit(0);
	}
	tracee_expect(pid, SIGSTOP);
	return pid;
}

static void
nothing(void)
{
}

pid_t
tracee_stopped(void)
{
	return tracee_running(nothing);
}

pid_t
tracee_sleeper(void)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		for (;;)
			pause();
	}
	check_wait_asleep(pid, 0);
	return pid;
}

pid_t
tracee_counter(volatile unsigned long **word)
{
	volatile unsigned long *w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	CHECK(w != MAP_FAILED);
	pid = check_fork();
	if (pid == 0)
		for (;;)
			++*w;
	while (*w == 0)
		check_sleep_ms(1);
	*word = w;
	return pid;
}

int
tracee_wait(pid_t pid)
{
	int status;

	CHECK_EQ(CHECK_OK(waitpid(pid, &status, __WALL)), pid);
	return status;
}

void
tracee_expect(pid_t pid, int code)
{
	int status = tracee_wait(pid);

	if (!WIFSTOPPED(status) || status >> 8 != code)
		FAIL("tracee %d has status %#x, want a stop with %#x", pid, status, code);
}

void
tracee_end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	while (waitpid(pid, &status, __WALL) == pid && !WIFSIGNALED(status) && !WIFEXITED(status))
		(void)trace(PTRACE_CONT, pid, 0, 0); /* the event of its exit */
}

unsigned long
tracee_peek_user(pid_t pid, unsigned long offset)
{
	unsigned long value;

	CHECK_OK(trace(PTRACE_PEEKUSER, pid, offset, A(&value)));
	return value;
}
