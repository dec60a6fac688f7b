/* SPDX-License-Identifier: MIT */
/*
 * timers.h - private to timers.c and posix_timers.c.
 *
 * Everything here is guarded by process->signal_lock. A kernel timer is never disarmed when its owner
 * changes its mind: it fires, finds nothing due, and arms itself for what is. So no lock is ever held
 * while a callback is waited for; only the end of a process (or of a POSIX timer) does that.
 */
#ifndef TESSERA_PROC_TIMERS_H
#define TESSERA_PROC_TIMERS_H

#include <tessera/process_timers.h>
#include <tessera/time.h>

#include "proc.h"

struct cpu_limit_timer {
	uint64_t when, interval; /* in CPU time; when 0: off */
};

struct interval_timers {
	struct process *process;        /* [I] */
	struct timer real_timer;
	deadline_t real_when;           /* 0: off */
	uint64_t real_interval;
	struct timer cpu_timer;         /* samples the CPU time while anything below counts it */
	struct cpu_limit_timer virtual_time, prof_time;
	uint64_t limit_when;            /* when RLIMIT_CPU is to be looked at next; 0: no limit */
	struct list posix;              /* struct posix_timer.node */
	int next_id;
	bool ending;                    /* nothing is armed any more */
};

struct posix_timer {
	struct list node;
	struct process *process;        /* [I] */
	struct thread *target;          /* [I] POSIX_NOTIFY_THREAD: a reference */
	struct thread *measured_thread; /* [I] thread clocks: a reference */
	struct process *measured;       /* [I] the CPU clock of another process: a reference */
	uint64_t measured_time;         /* of another process, when it was last seen */
	bool user_only;                 /* [I] of CPU time that in user mode */
	int id;                         /* [I] */
	enum posix_clock clock;         /* [I] */
	enum posix_notify notify;       /* [I] */
	struct signal_entry entry;
	struct timer timer;
	uint64_t when, interval;        /* deadline, or CPU time; when 0: off */
	bool absolute;                  /* set for a time of the real clock */
	struct clock_watcher watcher;   /* of the real clock, if it is ours */
	uint32_t overrun, last_overrun;
};

struct interval_timers *timers_get(struct process *p);    /* made at first use; NULL: no memory */
void timers_arm_cpu_locked(struct interval_timers *it);   /* sample when something could be due */
/* CPU time of the process, user and in all; signal_lock held. */
void timers_cpu_time_locked(struct process *p, uint64_t *user, uint64_t *all);
/* Let CPU-time POSIX timers that are due fire; the smallest time left, UINT64_MAX: none. */
uint64_t posix_timers_check_cpu_locked(struct interval_timers *it, uint64_t user, uint64_t all);
void posix_timers_delete_all(struct interval_timers *it);
/* `t` has joined p, whose signal_lock is held: it may be a real-time one. */
void timers_thread_added_locked(struct process *p, const struct thread *t);

#endif
