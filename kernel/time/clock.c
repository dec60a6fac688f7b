/* SPDX-License-Identifier: MIT */
/*
 * clock.c - what time it is.
 *
 * The machine gives one clock, nanoseconds since boot, the same on all CPUs (arch_clock_ns). It is the
 * monotonic clock, and the boot-time clock too, because this machine never sleeps. Realtime is that
 * plus an offset, read from the CMOS clock once and changed by clock_settime(); the vDSO has a copy.
 * Deadlines are monotonic, so setting the clock moves no deadline: timers that were set for an absolute
 * real time watch the clock and move theirs, and who sleeps for one waits on a queue too.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/lock.h>
#include <tessera/time.h>
#include <tessera/wait.h>

#include "timer_queue.h"

static int64_t realtime_offset; /* [a] realtime - monotonic */
static uint64_t set_count;      /* [a] how often it was set */

static struct mutex watch_lock = MUTEX_INIT(watch_lock, CLOCK_SET);
static struct list watchers = LIST_INIT(watchers); /* watch_lock */
static struct wait_queue set_queue = WAIT_QUEUE_INIT(set_queue);                /* who sleeps for an absolute real time */

uint64_t
clock_monotonic_ns(void)
{
	return arch_clock_ns();
}

uint64_t
clock_realtime_ns(void)
{
	return arch_clock_ns() + (uint64_t)atomic_load_relaxed(&realtime_offset);
}

int64_t
clock_realtime_offset_ns(void)
{
	return atomic_load_relaxed(&realtime_offset);
}

int
clock_set_realtime_ns(uint64_t ns)
{
	struct clock_watcher *w;
	int64_t shift;
	uint64_t now;

	mutex_lock(&watch_lock);
	now = arch_clock_ns();
	if (ns < now || ns > INT64_MAX) {
		mutex_unlock(&watch_lock);
		return -EINVAL;
	}
	shift = realtime_offset - (int64_t)(ns - now);
	atomic_store(&realtime_offset, (int64_t)(ns - now));
	arch_vdso_update_clock();
	list_for_each(w, &watchers, node)
		w->moved(w, shift);
	mutex_unlock(&watch_lock);
	atomic_fetch_add(&set_count, 1);
	wake_all(&set_queue);
	return 0;
}

void
clock_watch(struct clock_watcher *w, void (*moved)(struct clock_watcher *w, int64_t shift))
{
	w->moved = moved;
	mutex_lock(&watch_lock);
	list_add_tail(&watchers, &w->node);
	mutex_unlock(&watch_lock);
}

void
clock_unwatch(struct clock_watcher *w)
{
	mutex_lock(&watch_lock);
	list_del(&w->node);
	mutex_unlock(&watch_lock);
}

deadline_t
deadline_move(deadline_t when, int64_t shift)
{
	if (when == DEADLINE_NEVER)
		return when;
	if (shift >= 0)
		return deadline_add(when, (uint64_t)shift);
	return when > (uint64_t)-shift ? when - (uint64_t)-shift : 1;
}

uint64_t
clock_set_count(void)
{
	return atomic_load(&set_count);
}

struct wait_queue *
clock_set_queue(void)
{
	return &set_queue;
}

deadline_t
deadline_after(uint64_t ns)
{
	uint64_t now = arch_clock_ns();

	return ns >= DEADLINE_NEVER - now ? DEADLINE_NEVER : now + ns;
}

void
time_init(void)
{
	atomic_store(&realtime_offset, (int64_t)arch_realtime_at_boot_ns());
	arch_vdso_update_clock();
}
