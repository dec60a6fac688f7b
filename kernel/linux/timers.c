/* SPDX-License-Identifier: MIT */
/*
 * timers.c - alarm, interval timers, POSIX timers.
 */
#include <tessera/process.h>
#include <tessera/process_timers.h>
#include <tessera/signal.h>

#include "clock_id.h"
#include "linux.h"

#define TIMER_ABSTIME 1

#define SIGEV_SIGNAL    0
#define SIGEV_NONE      1
#define SIGEV_THREAD    2
#define SIGEV_THREAD_ID 4

/* --- interval timers -------------------------------------------------------------------------- */

static bool
timeval_valid(const struct linux_timeval *t)
{
	return t->tv_sec >= 0 && t->tv_usec >= 0 && t->tv_usec < 1000000;
}

static uint64_t
timeval_ns(const struct linux_timeval *t)
{
	struct timespec64 ts = { t->tv_sec, t->tv_usec * (int64_t)NSEC_PER_USEC };

	return timespec_ns(&ts);
}

static struct linux_timeval
ns_timeval(uint64_t ns)
{
	return (struct linux_timeval){ ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / NSEC_PER_USEC };
}

static int
put_itimerval(struct linux_itimerval __user *out, uint64_t value, uint64_t interval)
{
	struct linux_itimerval v = { ns_timeval(interval), ns_timeval(value) };

	return copy_to_user(out, &v, sizeof(v));
}

long
linux_getitimer(int which, struct linux_itimerval __user *out)
{
	uint64_t value, interval;

	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	itimer_get(which, &value, &interval);
	return put_itimerval(out, value, interval);
}

long
linux_setitimer(int which, const struct linux_itimerval __user *in, struct linux_itimerval __user *out)
{
	struct linux_itimerval v = { 0 };
	uint64_t value, interval;
	int error;

	if (in && copy_from_user(&v, in, sizeof(v)))
		return -EFAULT;
	if (which < ITIMER_REAL || which > ITIMER_PROF || !timeval_valid(&v.value) ||
	    !timeval_valid(&v.interval))
		return -EINVAL;
	error = itimer_set(which, timeval_ns(&v.value), timeval_ns(&v.interval), &value, &interval);
	if (error || !out)
		return error;
	return put_itimerval(out, value, interval);
}

/* Seconds left of an earlier alarm, rounded, but never 0 if there was one. */
long
linux_alarm(unsigned int seconds)
{
	uint64_t value, interval;
	int error = itimer_set(ITIMER_REAL, seconds * NSEC_PER_SEC, 0, &value, &interval);

	if (error)
		return error;
	if (value > 0 && value < NSEC_PER_SEC)
		return 1;
	return (value + NSEC_PER_SEC / 2) / NSEC_PER_SEC;
}

/* --- POSIX timers ----------------------------------------------------------------------------- */

struct linux_sigevent {
	uint64_t value;
	int32_t signo, notify, tid;
	int32_t pad[11];
};
_Static_assert(sizeof(struct linux_sigevent) == 64, "struct sigevent");

#define CPU_CLOCK_THREAD 4
#define CPU_CLOCK_USER   1 /* of the lowest two bits: 0 and 2 are all the time, 3 is something else */
#define CPU_CLOCK_OTHER  3

/* A CPU clock by number, as clock_getcpuclockid and pthread_getcpuclockid make it. */
static int
decode_cpu_clock(int clock, struct posix_timer_request *r)
{
	if ((clock & 3) == CPU_CLOCK_OTHER) /* without the thread bit a device's clock, which has no timers */
		return clock & CPU_CLOCK_THREAD ? -EINVAL : -EOPNOTSUPP;
	r->measured = ~(clock >> 3);
	r->user_only = (clock & 3) == CPU_CLOCK_USER;
	r->clock = clock & CPU_CLOCK_THREAD ? POSIX_CLOCK_THREAD_CPU : POSIX_CLOCK_PROCESS_CPU;
	return 0;
}

static int
decode_clock(int clock, struct posix_timer_request *r)
{
	if (clock < 0)
		return decode_cpu_clock(clock, r);
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		r->clock = POSIX_CLOCK_REALTIME;
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		r->clock = POSIX_CLOCK_MONOTONIC;
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		r->clock = POSIX_CLOCK_PROCESS_CPU;
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		r->clock = POSIX_CLOCK_THREAD_CPU;
		return 0;
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	}
	return -EINVAL;
}

static int
decode_event(const struct linux_sigevent *e, struct posix_timer_request *r)
{
	r->signo = e->signo;
	r->value = e->value;
	switch (e->notify) {
	case SIGEV_NONE:
		r->notify = POSIX_NOTIFY_NONE;
		return 0;
	case SIGEV_SIGNAL | SIGEV_THREAD_ID:
		r->notify = POSIX_NOTIFY_THREAD;
		r->tid = e->tid;
		break;
	case SIGEV_SIGNAL:
	case SIGEV_THREAD:
		r->notify = POSIX_NOTIFY_PROCESS;
		break;
	default:
		return -EINVAL;
	}
	return e->signo < 1 || e->signo > SIGNAL_COUNT ? -EINVAL : 0;
}

long
linux_timer_create(int clock, const void __user *uevent, int __user *out)
{
	struct posix_timer_request r = {
		.notify = POSIX_NOTIFY_PROCESS,
		.signo = SIGALRM,
		.value_is_id = true,
	};
	struct linux_sigevent e;
	int error = decode_clock(clock, &r), id;

	if (error)
		return error;
	if (uevent) {
		if (copy_from_user(&e, uevent, sizeof(e)))
			return -EFAULT;
		r.value_is_id = false;
		error = decode_event(&e, &r);
		if (error)
			return error;
	}
	id = posix_timer_create(&r);
	if (id < 0)
		return id;
	if (put_user(id, out)) {
		(void)posix_timer_delete(id);
		return -EFAULT;
	}
	return 0;
}

long
linux_timer_delete(int id)
{
	return posix_timer_delete(id);
}

static int
put_itimerspec(struct linux_itimerspec __user *out, uint64_t value, uint64_t interval)
{
	struct linux_itimerspec v = { ns_timespec(interval), ns_timespec(value) };

	return copy_to_user(out, &v, sizeof(v));
}

long
linux_timer_settime(int id, int flags, const struct linux_itimerspec __user *in,
		    struct linux_itimerspec __user *out)
{
	struct linux_itimerspec v;
	uint64_t value = 0, interval = 0;
	int error;

	if (!in)
		return -EINVAL;
	if (copy_from_user(&v, in, sizeof(v)))
		return -EFAULT;
	if (!timespec_valid(&v.value) || !timespec_valid(&v.interval))
		return -EINVAL;
	error = posix_timer_set(id, flags & TIMER_ABSTIME, timespec_ns(&v.value), timespec_ns(&v.interval),
				&value, &interval);
	if (error || !out)
		return error;
	return put_itimerspec(out, value, interval);
}

long
linux_timer_gettime(int id, struct linux_itimerspec __user *out)
{
	uint64_t value, interval;
	int error = posix_timer_get(id, &value, &interval);

	return error ? error : put_itimerspec(out, value, interval);
}

long
linux_timer_getoverrun(int id)
{
	return posix_timer_overrun(id);
}
