/* SPDX-License-Identifier: MIT */
/*
 * poller.c - a thread of the program's process that looks for submissions, so that the program makes no calls.
 *
 * It looks again and again while there are some, and for a while after; then it says so in the ring's flags and
 * sleeps until somebody enters the ring to wake it. That no submission is overlooked: the poller (1) sets
 * NEED_WAKEUP, (2) looks at the tail once more; the program (3) moves the tail, (4) reads the flags. Both with a
 * full barrier between: either (2) sees (3) or (4) sees (1).
 *
 * It ends with the ring, and with the program of the process that made it; a ring that others hold takes
 * nothing any more then.
 */
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/process.h>
#include <tessera/sched.h>

#include "uring.h"

static bool
is_over(struct uring *u)
{
	return READ_ONCE(u->dead) || signal_worker_must_end();
}

static bool
has_submissions(struct uring *u)
{
	return !(READ_ONCE(u->flags) & URING_DISABLED) &&
	       atomic_load(&uring_header(u)->sq_tail) != READ_ONCE(u->sq_head);
}

static void
sleep(struct uring *u)
{
	struct uring_header *h = uring_header(u);

	atomic_or(&h->sq_flags, (uint32_t)SQ_NEED_WAKEUP);          /* (1) */
	if (!has_submissions(u))                                    /* (2) */
		(void)wait_event_interruptible(&u->poller_wait,
					       READ_ONCE(u->dead) || atomic_load(&u->poller_woken));
	atomic_store(&u->poller_woken, false);
	atomic_and(&h->sq_flags, ~(uint32_t)SQ_NEED_WAKEUP);
}

static void
poller_main(void *arg)
{
	struct uring *u = arg;
	uint64_t until;

	if (u->poller_cpu >= 0)
		(void)sched_set_affinity(current_thread(), (struct cpu_mask){ BIT(u->poller_cpu) });
	until = clock_monotonic_ns() + u->poller_idle;
	while (!is_over(u)) {
		if (has_submissions(u)) {
			(void)uring_submit(u, u->sq_entries);
			wake_all(&u->poller_wait);
			until = clock_monotonic_ns() + u->poller_idle;
		} else if (clock_monotonic_ns() < until) {
			sched_yield_thread();
		} else {
			sleep(u);
			until = clock_monotonic_ns() + u->poller_idle;
		}
	}
	atomic_store(&u->poller_gone, true);
	atomic_or(&uring_header(u)->sq_flags, (uint32_t)SQ_NEED_WAKEUP); /* who enters hears of it */
	wake_all(&u->poller_wait);
	uring_put(u);
	process_worker_exit();
}

int
uring_poller_start(struct uring *u, uint64_t idle_ns, int cpu)
{
	int error;

	u->poller_idle = idle_ns;
	u->poller_cpu = cpu;
	uring_get(u);
	error = process_add_worker("iou-sqp", poller_main, u);
	if (error)
		uring_put(u);
	return error;
}

bool
uring_is_polled(const struct uring *u)
{
	return READ_ONCE(u->flags) & URING_POLLED;
}

static bool
has_room(struct uring *u)
{
	return atomic_load(&uring_header(u)->sq_tail) - READ_ONCE(u->sq_head) < u->sq_entries;
}

int
uring_poller_enter(struct uring *u, bool wake, bool wait)
{
	int error = 0;

	mutex_lock(&u->lock);
	uring_flush_locked(u);
	mutex_unlock(&u->lock);
	if (atomic_load(&u->poller_gone))
		return -EOWNERDEAD;
	if (wake) {
		atomic_store(&u->poller_woken, true);
		wake_all(&u->poller_wait);
	}
	if (wait)
		error = wait_event_interruptible(&u->poller_wait, has_room(u) || atomic_load(&u->poller_gone));
	return error;
}
