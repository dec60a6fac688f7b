/* SPDX-License-Identifier: MIT */
/*
 * vdso_data.h - the page that the kernel writes and every program reads through the vDSO.
 *
 * The kernel makes `sequence` odd, changes the fields, and makes it even again; a reader that saw an odd
 * or a changed number reads again. A program that moves to another machine keeps the vDSO text it
 * started with, so the layout carries a version and only ever grows at its end.
 */
#ifndef VDSO_DATA_H
#define VDSO_DATA_H

#include <tessera/types.h>

#define VDSO_DATA_VERSION 1

#define VDSO_CLOCK_NONE 0 /* ask the kernel */
#define VDSO_CLOCK_TSC  1

struct vdso_data {
	uint32_t version;            /*  0 */
	uint32_t sequence;           /*  4 */
	uint32_t clock;              /*  8  VDSO_CLOCK_* */
	uint32_t unused;             /* 12 */
	uint64_t base_tsc;           /* 16 */
	uint64_t base_ns;            /* 24  monotonic time at base_tsc */
	uint64_t multiplier;         /* 32  nanoseconds per count, 32.32 fixed point */
	uint64_t realtime_offset_ns; /* 40  realtime minus monotonic */
};
_Static_assert(sizeof(struct vdso_data) == 48, "version 1 of the vDSO's data page");

#endif
