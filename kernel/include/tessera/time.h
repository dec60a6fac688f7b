/* SPDX-License-Identifier: MIT */
/*
 * time.h - clocks, deadlines and timers.
 *
 * A deadline is an absolute time on the monotonic clock, in nanoseconds; relative times are turned
 * into deadlines at the system call's door and stay so, which makes restarts and moves exact.
 */
#ifndef TESSERA_TIME_H
#define TESSERA_TIME_H

#include <tessera/list.h>
#include <tessera/rbtree.h>
#include <tessera/types.h>

struct cpu;
struct wait_queue;

#define NSEC_PER_SEC  1000000000ul
#define NSEC_PER_MSEC 1000000ul
#define NSEC_PER_USEC 1000ul

#define DEADLINE_NEVER UINT64_MAX

struct timespec64 {
	int64_t tv_sec;
	int64_t tv_nsec;
};

/* Nanoseconds since the machine started, never backwards; since 1970. Any context. */
uint64_t clock_monotonic_ns(void);
uint64_t clock_realtime_ns(void);
int clock_set_realtime_ns(uint64_t ns); /* 0, or -EINVAL: before the machine was started */

/*
 * Who keeps absolute real times as deadlines is told when the clock is set: `moved` gets by how much such
 * a deadline moves (the real clock put forward: it comes sooner, negative). From a thread, CLOCK_SET held.
 */
struct clock_watcher {
	struct list node;           /* CLOCK_SET */
	void (*moved)(struct clock_watcher *w, int64_t shift); /* [I] */
};

void clock_watch(struct clock_watcher *w, void (*moved)(struct clock_watcher *w, int64_t shift));
/* After this returns `moved` does not run any more. Not from `moved`. */
void clock_unwatch(struct clock_watcher *w);
/* `when` moved by `shift`; a time that is past becomes 1. DEADLINE_NEVER stays. */
deadline_t deadline_move(deadline_t when, int64_t shift);
/* How often the clock was set, and who sleeps until it is set again. */
uint64_t clock_set_count(void);
struct wait_queue *clock_set_queue(void);

/* Realtime minus monotonic, as the vDSO needs it. */
int64_t clock_realtime_offset_ns(void);
deadline_t deadline_after(uint64_t ns); /* saturates */
/* `ns` after `when`; saturates. */
static inline deadline_t
deadline_add(deadline_t when, uint64_t ns)
{
	return ns >= DEADLINE_NEVER - when ? DEADLINE_NEVER : when + ns;
}


/*
 * A one-shot timer. The callback runs with interrupts off on the CPU that armed it; it may re-arm the
 * timer, or free it. Two CPUs may not start the same timer at the same moment: its owner's lock, or
 * that only one thread uses it, sees to that.
 */
struct timer {
	struct rb_node node;       /* TIMER */
	deadline_t when;           /* TIMER */
	void (*fn)(struct timer *);/* [I] */
	struct cpu *cpu;           /* TIMER: whose queue, NULL: not armed */
	struct cpu *home;          /* [a] whose queue it was on last, NULL: never armed */
};

void timer_init(struct timer *t, void (*fn)(struct timer *));
/* Arm or re-arm on this CPU. Any context. */
void timer_start(struct timer *t, deadline_t when);
/* Disarm; waits until a running callback ended (not from the callback). True if it was armed. */
bool timer_cancel(struct timer *t);
void time_init(void);
int time_init_cpu(struct cpu *c); /* before `c` starts timers; -ENOMEM */
uint64_t timer_interrupt_count(uint32_t cpu_id); /* how often its timer fired */
void timer_dump(void);            /* all queues to the log; takes no locks */

#endif
