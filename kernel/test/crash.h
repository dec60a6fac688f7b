/* SPDX-License-Identifier: MIT */
/*
 * crash.h - private to test/: rules broken on purpose.
 */
#ifndef TEST_CRASH_H
#define TEST_CRASH_H

/* Break the rule of that name. Returns only if nobody noticed, or there is no such name. */
void crash_run(const char *name);

#endif
