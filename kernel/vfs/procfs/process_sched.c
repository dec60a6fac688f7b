/* SPDX-License-Identifier: MIT */
/*
 * process_sched.c - /proc/PID/sched and timers: how a process has been run, and the timers it has.
 */
#include <tessera/errno.h>
#include <tessera/process_timers.h>
#include <tessera/sched.h>
#include <tessera/string.h>

#include "files.h"

#define NAME_WIDTH 45

static void
number(struct text *t, const char *name, uint64_t value)
{
	text_print(t, "%s%*s:%21lu\n", name, (int)(NAME_WIDTH - strlen(name)), "", value);
}

/* Nanoseconds as milliseconds with what is behind the point. */
static void
time_of(struct text *t, const char *name, uint64_t ns)
{
	text_print(t, "%s%*s:%14lu.%06lu\n", name, (int)(NAME_WIDTH - strlen(name)), "", ns / NSEC_PER_MSEC,
		   ns % NSEC_PER_MSEC);
}

int
show_sched(struct text *t, struct target *at)
{
	struct thread *th = at->thread;
	uint64_t user, sys;
	uint64_t voluntary, involuntary;

	if (!th)
		return -ESRCH;
	thread_times(th, &user, &sys);
	voluntary = READ_ONCE(th->voluntary_switches);
	involuntary = READ_ONCE(th->involuntary_switches);
	text_print(t, "%s (%d, #threads: %u)\n", th->name, pid_number(at->ns, th->tid),
		   READ_ONCE(at->process->thread_count));
	text_print(t, "-------------------------------------------------------------------\n");
	time_of(t, "se.exec_start", clock_monotonic_ns());
	time_of(t, "se.vruntime", READ_ONCE(th->vruntime));
	time_of(t, "se.sum_exec_runtime", user + sys);
	number(t, "nr_switches", voluntary + involuntary);
	number(t, "nr_voluntary_switches", voluntary);
	number(t, "nr_involuntary_switches", involuntary);
	number(t, "policy", (uint64_t)th->policy);
	return 0;
}

static int
clock_number(enum posix_clock c)
{
	static const int numbers[] = {
		[POSIX_CLOCK_REALTIME] = 0,
		[POSIX_CLOCK_MONOTONIC] = 1,
		[POSIX_CLOCK_PROCESS_CPU] = -6, /* as another's would be named: of process, and thread, 0 */
		[POSIX_CLOCK_THREAD_CPU] = -2,
	};

	return numbers[c];
}

/* proc(5): four lines for each, the newest first. */
int
show_timers(struct text *t, struct target *at)
{
	struct posix_timer_told one = { .id = INT32_MAX };

	while (posix_timer_last(at->process, one.id, &one))
		text_print(t, "ID: %d\nsignal: %d/%016lx\nnotify: %s/%s.%d\nClockID: %d\n", one.id, one.signo,
			   one.value, one.notify == POSIX_NOTIFY_NONE ? "none" : "signal",
			   one.notify == POSIX_NOTIFY_THREAD ? "tid" : "pid", pid_number(at->ns, one.target),
			   clock_number(one.clock));
	return 0;
}
