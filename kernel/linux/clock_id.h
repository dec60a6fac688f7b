/* SPDX-License-Identifier: MIT */
/*
 * clock_id.h - Linux's clock numbers, and reading any of them.
 */
#ifndef TESSERA_LINUX_CLOCK_ID_H
#define TESSERA_LINUX_CLOCK_ID_H

#include <tessera/types.h>

#define CLOCK_REALTIME           0
#define CLOCK_MONOTONIC          1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_THREAD_CPUTIME_ID  3
#define CLOCK_MONOTONIC_RAW      4
#define CLOCK_REALTIME_COARSE    5
#define CLOCK_MONOTONIC_COARSE   6
#define CLOCK_BOOTTIME           7
#define CLOCK_REALTIME_ALARM     8
#define CLOCK_BOOTTIME_ALARM     9
#define CLOCK_TAI                11

/* Its time in nanoseconds. 0 or -EINVAL. */
int clock_read(int clock, uint64_t *ns);
/* How many seconds international atomic time is ahead, as adjtimex was told. */
int clock_tai_seconds(void);
/* An absolute time on it as a deadline; 0 when it has passed. */
deadline_t clock_deadline(int clock, uint64_t ns);

#endif
