/* SPDX-License-Identifier: MIT */
/*
 * stats.h - the room's switches and counters.
 */
#ifndef MM_STATS_H
#define MM_STATS_H

#include <tessera/types.h>

/* [a] */
struct fault_counters {
	uint64_t copied; /* copy-on-write copies */
	uint64_t huge;   /* 2 MiB pages given out by faults */
};
extern struct fault_counters fault_counts;

#endif
