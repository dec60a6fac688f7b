/* SPDX-License-Identifier: MIT */
/*
 * clock.c - what time it is.
 *
 * The machine gives one clock, nanoseconds since boot, the same on all CPUs (arch_clock_ns). It is the
 * monotonic clock, and the boot-time clock too, because this machine never sleeps. Realtime is that
 * plus an offset, read from the CMOS clock once and changed by clock_settime(); the vDSO has a copy.
 * Deadlines are monotonic, so setting the clock moves no deadline.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/time.h>

#include "timer_queue.h"

static int64_t realtime_offset; /* [a] realtime - monotonic */

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
	uint64_t now = arch_clock_ns();

	if (ns < now || ns > INT64_MAX)
		return -EINVAL;
	atomic_store(&realtime_offset, (int64_t)(ns - now));
	arch_vdso_update_clock();
	return 0;
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
