/* SPDX-License-Identifier: MIT */
/*
 * time.c - clocks and sleeping. Relative times become absolute deadlines at this door.
 *
 * Sleeping until a time of the real clock is turned into a monotonic deadline, anew each time that clock
 * is set meanwhile. Sleeping until CPU time is used up looks when that could be at the soonest.
 */
#include <tessera/cred.h>
#include <tessera/process.h>
#include <tessera/sched.h>

#include "clock_id.h"
#include "linux.h"

#define TIMER_ABSTIME 1
#define COARSE_NS     (4 * NSEC_PER_MSEC) /* what clock_getres says of the coarse clocks */

/*
 * The clock id of another process's or thread's CPU time: bits 3.. hold the complement of the number,
 * bit 2 says thread, the low two what is counted.
 */
#define CPU_CLOCK_THREAD 4
#define CPU_CLOCK_USER   1
#define CPU_CLOCK_FD     3

static uint64_t
thread_cpu_ns(struct thread *t, bool user_only)
{
	uint64_t user, sys;

	thread_times(t, &user, &sys);
	return user_only ? user : user + sys;
}

static uint64_t
process_cpu_ns(struct process *p, bool user_only)
{
	uint64_t user, sys;

	process_times(p, &user, &sys);
	return user_only ? user : user + sys;
}

/* A CPU clock named by number. */
static int
foreign_cpu_clock(int clock, uint64_t *ns)
{
	pid_t pid = ~(clock >> 3);
	bool user_only = (clock & 3) == CPU_CLOCK_USER;
	struct process *p;
	struct thread *t;
	bool own;

	if ((clock & 3) == CPU_CLOCK_FD)
		return -EINVAL;
	if (clock & CPU_CLOCK_THREAD) {
		t = pid ? thread_find(pid) : current_thread();
		if (!t)
			return -EINVAL;
		own = t->process == current_process();
		if (own)
			*ns = thread_cpu_ns(t, user_only);
		if (pid)
			thread_put(t);
		return own ? 0 : -EINVAL;
	}
	p = process_find(pid ? pid : current_process()->local_pid);
	if (!p)
		return -EINVAL;
	*ns = process_cpu_ns(p, user_only);
	process_put(p);
	return 0;
}

int
clock_read(int clock, uint64_t *ns)
{
	if (clock < 0)
		return foreign_cpu_clock(clock, ns);
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
		*ns = clock_realtime_ns();
		return 0;
	case CLOCK_TAI:
		*ns = clock_realtime_ns() + (uint64_t)((int64_t)clock_tai_seconds() * (int64_t)NSEC_PER_SEC);
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = clock_monotonic_ns();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		*ns = process_cpu_ns(current_process(), false);
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = thread_cpu_ns(current_thread(), false);
		return 0;
	}
	return -EINVAL;
}

long
linux_clock_gettime(int clock, struct timespec64 __user *out)
{
	struct timespec64 ts;
	uint64_t ns;
	int error = clock_read(clock, &ns);

	if (error)
		return error;
	ts = ns_timespec(ns);
	return copy_to_user(out, &ts, sizeof(ts));
}

long
linux_clock_getres(int clock, struct timespec64 __user *out)
{
	struct timespec64 ts = { 0, 1 };
	uint64_t ns;
	int error = clock_read(clock, &ns);

	if (error)
		return error;
	if (clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE)
		ts.tv_nsec = COARSE_NS;
	return out ? copy_to_user(out, &ts, sizeof(ts)) : 0;
}

static int
set_realtime(const struct timespec64 *ts)
{
	if (!timespec_valid(ts) || timespec_ns(ts) == INT64_MAX)
		return -EINVAL;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	return clock_set_realtime_ns(timespec_ns(ts));
}

long
linux_clock_settime(int clock, const struct timespec64 __user *in)
{
	struct timespec64 ts;
	uint64_t now;
	bool counts_cpu = clock < 0 && clock_read(clock, &now) == 0;

	if (clock != CLOCK_REALTIME && !counts_cpu)
		return -EINVAL;
	if (copy_from_user(&ts, in, sizeof(ts)))
		return -EFAULT;
	return counts_cpu ? -EPERM : set_realtime(&ts);
}

/* --- sleeping --------------------------------------------------------------------------------- */

/* An absolute time on `clock` as a deadline. */
deadline_t
clock_deadline(int clock, uint64_t ns)
{
	uint64_t now = 0;

	if (clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME || clock == CLOCK_BOOTTIME_ALARM)
		return ns;
	if (clock_read(clock, &now) != 0 || ns <= now)
		return 0;
	return deadline_after(ns - now);
}

static long
sleep_until(deadline_t until, struct timespec64 __user *left)
{
	struct timespec64 ts;
	uint64_t now;

	if (wait_until(until, WAIT_INTERRUPTIBLE) == -ETIMEDOUT)
		return 0;
	if (left) {
		now = clock_monotonic_ns();
		ts = ns_timespec(until > now ? until - now : 0);
		if (copy_to_user(left, &ts, sizeof(ts)))
			return -EFAULT;
	}
	return -ERESTART_RESTARTBLOCK;
}

static long
sleep_again(struct restart_block *b)
{
	return sleep_until(b->deadline, (struct timespec64 __user *)b->arg[0]);
}

/* -ERESTARTNOHAND: a signal came; the time is absolute, so the call can be made again as it is. */
static long
sleep_until_realtime(int clock, uint64_t ns)
{
	for (;;) {
		uint64_t count = clock_set_count();
		deadline_t until = clock_deadline(clock, ns);
		int error = until == 0 ? -ETIMEDOUT
				       : wait_event_deadline(clock_set_queue(), clock_set_count() != count,
							     WAIT_INTERRUPTIBLE, until);

		if (error == -ETIMEDOUT)
			return 0;
		if (error)
			return -ERESTARTNOHAND;
	}
}

/* The least that may be left before a CPU clock is read again. */
#define CPU_SLEEP_MIN (1 * NSEC_PER_MSEC)

/* Until `clock`, which counts CPU time, shows `ns`. It gains at most a second a second on each CPU. */
static long
sleep_until_cpu(int clock, uint64_t ns, struct timespec64 __user *left)
{
	struct timespec64 ts;
	uint64_t now;

	for (;;) {
		if (clock_read(clock, &now) != 0 || now >= ns)
			return 0;
		if (wait_until(deadline_after(MAX((ns - now) / cpu_count, CPU_SLEEP_MIN)),
			       WAIT_INTERRUPTIBLE) == -ETIMEDOUT)
			continue;
		if (left) {
			ts = ns_timespec(clock_read(clock, &now) == 0 && ns > now ? ns - now : 0);
			if (copy_to_user(left, &ts, sizeof(ts)))
				return -EFAULT;
		}
		return -ERESTART_RESTARTBLOCK;
	}
}

static long
sleep_cpu_again(struct restart_block *b)
{
	return sleep_until_cpu((int)b->arg[1], b->deadline, (struct timespec64 __user *)b->arg[0]);
}

static long
sleep_cpu(int clock, bool absolute, const struct timespec64 *ts, struct timespec64 __user *left)
{
	struct restart_block *b = &current_thread()->restart;
	uint64_t now;
	long error;

	if (absolute) {
		error = sleep_until_cpu(clock, timespec_ns(ts), NULL);
		return error == -ERESTART_RESTARTBLOCK ? -ERESTARTNOHAND : error;
	}
	if (clock_read(clock, &now) != 0)
		return -EINVAL;
	b->fn = sleep_cpu_again;
	b->deadline = deadline_add(now, timespec_ns(ts));
	b->arg[0] = (uint64_t)left;
	b->arg[1] = (uint64_t)(int64_t)clock;
	return sleep_until_cpu(clock, b->deadline, left);
}

/* Is it a CPU clock of one thread, the caller itself? It would never come to its time. */
static bool
is_own_thread_clock(int clock)
{
	pid_t tid = ~(clock >> 3);

	return clock < 0 && (clock & CPU_CLOCK_THREAD) && (tid == 0 || tid == current_thread()->tid);
}

long
linux_clock_nanosleep(int clock, int flags, const struct timespec64 __user *request,
		      struct timespec64 __user *left)
{
	struct restart_block *b = &current_thread()->restart;
	struct timespec64 ts;
	deadline_t until;
	uint64_t now;
	long error;

	if (clock_read(clock, &now) != 0)
		return -EINVAL;
	if (clock == CLOCK_THREAD_CPUTIME_ID || clock == CLOCK_MONOTONIC_RAW ||
	    clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE)
		return -EOPNOTSUPP;
	if (copy_from_user(&ts, request, sizeof(ts)))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	if (is_own_thread_clock(clock))
		return -EINVAL;
	if (clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM) {
		if (!capable(CAP_WAKE_ALARM))
			return -EPERM;
		if (flags & ~TIMER_ABSTIME)
			return -EINVAL;
	}
	if (clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID)
		return sleep_cpu(clock, flags & TIMER_ABSTIME, &ts, left);
	if ((flags & TIMER_ABSTIME) &&
	    (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI))
		return sleep_until_realtime(clock, timespec_ns(&ts));
	if (flags & TIMER_ABSTIME) {
		until = clock_deadline(clock, timespec_ns(&ts));
		error = sleep_until(until, NULL);
		return error == -ERESTART_RESTARTBLOCK ? -ERESTARTNOHAND : error;
	}
	until = deadline_after(timespec_ns(&ts));
	b->fn = sleep_again;
	b->deadline = until;
	b->arg[0] = (uint64_t)left;
	return sleep_until(until, left);
}

long
linux_nanosleep(const struct timespec64 __user *request, struct timespec64 __user *left)
{
	return linux_clock_nanosleep(CLOCK_MONOTONIC, 0, request, left);
}

/* --- the old calls ---------------------------------------------------------------------------- */

/* What time zone the machine is said to be in. The kernel only keeps it: programs have /etc/localtime. */
struct time_zone {
	int32_t minutes_west, daylight;
};

#define MINUTES_WEST_MAX (15 * 60)

static struct time_zone time_zone; /* [a] each */
static bool time_zone_told;        /* [a] */

long
linux_gettimeofday(struct linux_timeval __user *out, int __user *zone)
{
	uint64_t ns = clock_realtime_ns();
	struct linux_timeval tv = { ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / NSEC_PER_USEC };

	if (out && copy_to_user(out, &tv, sizeof(tv)))
		return -EFAULT;
	if (zone && (put_user(READ_ONCE(time_zone.minutes_west), zone) ||
		     put_user(READ_ONCE(time_zone.daylight), zone + 1)))
		return -EFAULT;
	return 0;
}

long
linux_settimeofday(const struct linux_timeval __user *in, const int __user *zone)
{
	struct linux_timeval tv = { 0 };
	struct time_zone tz = { 0 };
	struct timespec64 ts;
	bool first;

	if (in && copy_from_user(&tv, in, sizeof(tv)))
		return -EFAULT;
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EINVAL;
	ts = (struct timespec64){ tv.tv_sec, tv.tv_usec * (int64_t)NSEC_PER_USEC };
	if (zone && copy_from_user(&tz, zone, sizeof(tz)))
		return -EFAULT;
	if (in && (!timespec_valid(&ts) || timespec_ns(&ts) == INT64_MAX))
		return -EINVAL;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	if (tz.minutes_west > MINUTES_WEST_MAX || tz.minutes_west < -MINUTES_WEST_MAX)
		return -EINVAL;
	if (zone) {
		WRITE_ONCE(time_zone.minutes_west, tz.minutes_west);
		WRITE_ONCE(time_zone.daylight, tz.daylight);
		/* Told before any time was set: the machine's clock, by which it was booted, ran in that zone. */
		first = !atomic_exchange(&time_zone_told, true);
		if (first && !in && tz.minutes_west)
			return clock_set_realtime_ns((int64_t)clock_realtime_ns() +
						     tz.minutes_west * 60 * (int64_t)NSEC_PER_SEC);
	}
	return in ? set_realtime(&ts) : 0;
}

long
linux_time(int64_t __user *out)
{
	int64_t now = clock_realtime_ns() / NSEC_PER_SEC;

	if (out && put_user(now, out))
		return -EFAULT;
	return now;
}
