/* SPDX-License-Identifier: MIT */
/*
 * fail_nth.c - the frame of fail_nth.h: arming, judging, repeating.
 */
#include "fail_nth.h"

#include <limits.h>

#define RUNS_MAX 20000

static int control = -1;    /* /proc/thread-self/fail-nth */
static pid_t owner;         /* the thread that `control` is about */
static long left;           /* allocations until one fails; 0: has failed */
static int together;        /* how many fail in a row */
static bool struck;         /* in this run */

static void
tell(long n)
{
	char text[48];
	int length = together > 1 ? snprintf(text, sizeof(text), "%ld:%d", n, together)
				  : snprintf(text, sizeof(text), "%ld", n);

	if (pwrite(control, text, (size_t)length, 0) != length)
		FAIL("fail-nth: %s", strerror(errno));
}

void
fail_begin(void)
{
	if (control >= 0 && !struck && syscall(SYS_gettid) == owner)
		tell(left);
}

bool
fail_end(void)
{
	char text[24] = "";

	if (control < 0 || struck || syscall(SYS_gettid) != owner)
		return false;
	if (pread(control, text, sizeof(text) - 1, 0) < 0)
		FAIL("fail-nth: %s", strerror(errno));
	left = atol(text);
	tell(0);
	struck = left == 0;
	return struck;
}

void
fail_verdict(const char *file, int line, const char *call, bool injected, int error)
{
	if (!injected)
		check_fail(file, line, "%s failed though memory was there: %s", call,
			   check_error_name(error));
	switch (error) {
	case ENOMEM:
	case EAGAIN:
	case ENFILE:
	case ENOBUFS:
	case ENOSPC:
	case ENOLCK:
	case EFAULT: /* a page of ours could not be brought in for the kernel */
		return;
	default:
		check_fail(file, line, "%s: no memory, and it says %s", call, check_error_name(error));
	}
}

static void (*the_scenario)(void);
static long row_end = LONG_MAX;

/* One run in a process of its own, so that nothing is there already that was to be made. */
static bool
run(long n)
{
	pid_t pid = check_fork();
	int status;

	if (pid == 0) {
		control = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
		owner = (pid_t)syscall(SYS_gettid);
		left = n;
		struck = n == 0;
		the_scenario();
		_exit(struck ? 40 : 41);
	}
	CHECK_EQ(CHECK_OK(waitpid(pid, &status, 0)), pid);
	if (!WIFEXITED(status) || (WEXITSTATUS(status) != 40 && WEXITSTATUS(status) != 41))
		FAIL("allocation %ld, %d in a row: wait status %#x", n, together, (unsigned int)status);
	return WEXITSTATUS(status) == 40;
}

static void
row(void)
{
	for (long n = 1; n <= row_end && run(n); n++)
		if (n == RUNS_MAX)
			FAIL("something fails after %d allocations still", RUNS_MAX);
}

void
fail_each(void (*scenario)(void))
{
	check_timeout(300);
	the_scenario = scenario;
	if (access("/proc/thread-self/fail-nth", F_OK) != 0) {
		scenario();
		return; /* this kernel fails nothing on demand */
	}
	run(0);
	together = 12; /* caches grow here, not where is counted */
	row();
	together = 1;
	storm_repeats_leave_nothing(row);
}

void
fail_first(void (*scenario)(void), long most)
{
	row_end = most;
	fail_each(scenario);
}
