/* SPDX-License-Identifier: MIT */
/*
 * time.h - clocks, deadlines and timers.
 *
 * A deadline is an absolute time on the monotonic clock, in nanoseconds; relative times are turned
 * into deadlines at the system call's door and stay so, which makes restarts and moves exact.
 */
#ifndef TESSERA_TIME_H
#define TESSERA_TIME_H

#include <tessera/rbtree.h>
#include <tessera/types.h>

#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_USEC 1000ull

#define DEADLINE_NEVER UINT64_MAX

struct timespec64 {
	int64_t tv_sec;
	int64_t tv_nsec;
};

uint64_t clock_monotonic_ns(void);
uint64_t clock_realtime_ns(void);
int clock_set_realtime_ns(uint64_t ns); /* 0 */
deadline_t deadline_after(uint64_t ns); /* saturates */

/* A one-shot timer. The callback runs with interrupts off on the CPU that armed it; it may re-arm. */
struct timer {
	struct rb_node node;       /* TIMER */
	deadline_t when;           /* TIMER */
	void (*fn)(struct timer *);/* [I] */
	struct cpu *cpu;           /* TIMER: whose queue, NULL: not armed */
	bool running;              /* TIMER */
};

void timer_init(struct timer *t, void (*fn)(struct timer *));
/* Arm or re-arm on this CPU. Any context. */
void timer_start(struct timer *t, deadline_t when);
/* Disarm; waits until a running callback ended (not from the callback). True if it was armed. */
bool timer_cancel(struct timer *t);
void time_init(void);
void time_init_cpu(struct cpu *c);

#endif
