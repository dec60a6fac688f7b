/* SPDX-License-Identifier: MIT */
/*
 * timer_queue.h - private to time/: one CPU's timers.
 *
 * Who may touch a field:  [I] never changes   [q] lock
 */
#ifndef TIME_TIMER_QUEUE_H
#define TIME_TIMER_QUEUE_H

#include <tessera/lock.h>
#include <tessera/rbtree.h>
#include <tessera/time.h>

struct timer_queue {
	struct spinlock lock;   /*     class TIMER */
	struct cpu *cpu;        /* [I] */
	struct rb_tree tree;    /* [q] struct timer, earliest first */
	struct timer *first;    /* [q] the earliest, NULL: none */
	struct timer *running;  /* [q] whose callback runs now; a name only: it may have been freed */
	deadline_t armed;       /* [q] when the machine's timer will fire, DEADLINE_NEVER: stopped */
	uint64_t fired;         /* [q] callbacks run */
	uint64_t interrupts;    /* [q] of the machine's timer */
};

#endif
