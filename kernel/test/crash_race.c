/* SPDX-License-Identifier: MIT */
/*
 * crash_race.c - two CPUs at one word with nothing between them, for the kcsan build to notice.
 */
#include <tessera/kcsan.h>
#include <tessera/sched.h>
#include <tessera/test.h>
#include <tessera/time.h>

#include "crash.h"

static uint64_t shared; /* guarded by nothing: that is the point */

static void __noinline
add_plainly(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		shared += i;
		__asm__ volatile("" ::: "memory");
	}
}

static void __noinline
race(void *arg, uint32_t index)
{
	while (config_kcsan && kcsan_count() == 0)
		add_plainly(1000);
}

static void __noinline
crash_race(void)
{
	ktest_parallel(2, race, NULL);
	if (config_kcsan)
		kcsan_flush();
}

const struct crash crash_races[] = {
	{ "race", crash_race },
	{ 0 },
};
