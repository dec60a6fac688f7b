/* SPDX-License-Identifier: MIT */
/*
 * crash.h - private to test/: rules broken on purpose.
 */
#ifndef TEST_CRASH_H
#define TEST_CRASH_H

/* A way to break a rule: tables of these end with an empty one. */
struct crash {
	const char *name;
	void (*fn)(void);
};
extern const struct crash crash_memory[], crash_undefined[], crash_races[], crashes_kasan[],
	crash_hangs[];

/* Break the rule of that name. Returns only if nobody noticed, or there is no such name. */
void crash_run(const char *name);

#endif
