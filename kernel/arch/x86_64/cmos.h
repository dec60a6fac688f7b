/* SPDX-License-Identifier: MIT */
/*
 * cmos.h - the clock's cells as read, and what they mean.
 */
#ifndef ARCH_X86_64_CMOS_H
#define ARCH_X86_64_CMOS_H

#include <tessera/types.h>

struct cmos_time {
	uint8_t second, minute, hour, day, month, year, century;
	uint8_t status; /* register B: how the others are written */
};

/* Seconds since 1970, 0 for cells that are no time. */
uint64_t cmos_to_seconds(const struct cmos_time *t);

/* The cell of the seconds, which changes once a second; false: there is no such clock. */
uint8_t cmos_second(void);
bool cmos_present(void);

#endif
