/* SPDX-License-Identifier: MIT */
/*
 * kcsan.h - the finder of data races of the kcsan build (debug/sanitizers/kcsan.c), and how code says that
 * a race is meant.
 *
 * Two accesses to the same bytes race when they come from two CPUs at one time, one of them writes, and
 * nothing orders them. They are free of it when both are marked: READ_ONCE, WRITE_ONCE, atomic_*.
 */
#ifndef TESSERA_KCSAN_H
#define TESSERA_KCSAN_H

#include <tessera/config.h>
#include <tessera/types.h>

/* An expression read without any order on purpose: any value that was there is good, as in a statistic or
 * a dump. A comment at the place says why. */
#define data_race(x) READ_ONCE(x)

/* Begin to look; before it nothing is watched. After the other CPUs came up. */
void kcsan_start(void);
/* Print what was found and could not be printed where it was found. Preemptible. */
void kcsan_flush(void);
/* The same, and how much was looked at: the last words before the machine is switched off. */
void kcsan_summary(void);
/* Races found so far, each pair of places once. */
uint32_t kcsan_count(void);

#endif
