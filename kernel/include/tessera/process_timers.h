/* SPDX-License-Identifier: MIT */
/*
 * process_timers.h - timers that send signals: setitimer, timer_create. Times in nanoseconds.
 */
#ifndef TESSERA_PROCESS_TIMERS_H
#define TESSERA_PROCESS_TIMERS_H

#include <tessera/types.h>

#define ITIMER_REAL    0
#define ITIMER_VIRTUAL 1
#define ITIMER_PROF    2

/* The caller's process. `value` 0 disarms. -ENOMEM. */
int itimer_set(int which, uint64_t value, uint64_t interval, uint64_t *old_value, uint64_t *old_interval);
void itimer_get(int which, uint64_t *value, uint64_t *interval);

struct process;

enum posix_clock { POSIX_CLOCK_MONOTONIC, POSIX_CLOCK_REALTIME, POSIX_CLOCK_PROCESS_CPU, POSIX_CLOCK_THREAD_CPU };
enum posix_notify { POSIX_NOTIFY_NONE, POSIX_NOTIFY_PROCESS, POSIX_NOTIFY_THREAD };

struct posix_timer_request {
	enum posix_clock clock;
	pid_t measured;      /* whose CPU time: one of the caller's threads, or any process; 0: the caller's own */
	bool user_only;      /* of it the time in user mode */
	enum posix_notify notify;
	int signo;
	pid_t tid;           /* POSIX_NOTIFY_THREAD: one of the caller's */
	bool value_is_id;    /* the signal's value is the timer's number */
	uint64_t value;
};
/* The new timer's number, -EAGAIN, -EINVAL. */
int posix_timer_create(const struct posix_timer_request *r);
int posix_timer_delete(int id);
/* One of p's timers. */
struct posix_timer_told {
	int id, signo;
	uint64_t value;
	enum posix_clock clock;
	enum posix_notify notify;
	pid_t target;        /* who is told, as the first namespace numbers it */
};
/* The timer of p with the greatest number below `before`. False: none. */
bool posix_timer_last(struct process *p, int before, struct posix_timer_told *out);
/* `value` relative, or, with `absolute`, a time on the timer's clock; 0 disarms. */
int posix_timer_set(int id, bool absolute, uint64_t value, uint64_t interval, uint64_t *old_value,
		    uint64_t *old_interval);
int posix_timer_get(int id, uint64_t *value, uint64_t *interval);
int posix_timer_overrun(int id);

#endif
