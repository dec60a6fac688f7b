/* SPDX-License-Identifier: MIT */
/*
 * storm.h - what the torture programs share beside the frame of the ABI tests (tests/abi/check.h).
 *
 * A storm runs for storm_seconds() (STORM_SECONDS in the environment, 3) and draws its choices from
 * storm_random(), begun from STORM_SEED. Everything in it that a case asserts holds on Linux too.
 *
 * storm_count() reads what lives in the kernel: storm_settled() compares two such counts, and waits for
 * what is freed a little later. Only Tessera tells (/proc/tessera/objects); elsewhere nothing is compared.
 */
#ifndef TORTURE_STORM_H
#define TORTURE_STORM_H

#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

enum { STORM_TYPES = 160 };

struct storm_count {
	int types;
	struct {
		char name[40];
		long used;
	} type[STORM_TYPES];
};

static inline int
storm_seconds(void)
{
	const char *s = getenv("STORM_SECONDS");

	return s && atoi(s) > 0 ? atoi(s) : 3;
}

static inline uint32_t
storm_random(void)
{
	static _Thread_local uint64_t x;

	if (!x) {
		const char *s = getenv("STORM_SEED");

		x = ((s ? strtoull(s, NULL, 0) : 1) + 1) * 0x9e3779b97f4a7c15ull ^
		    (uint64_t)syscall(SYS_gettid) << 20 ^ 1;
	}
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	return (uint32_t)((x * 0x2545f4914f6cdd1dull) >> 32);
}

static inline int
storm_below(int limit)
{
	return (int)(storm_random() % (uint32_t)limit);
}

/* Until when: for loops `while (!storm_over(end))`. */
static inline long long
storm_end(void)
{
	int seconds = storm_seconds();

	check_timeout(seconds * 4 + 60);
	return check_now_ms() + seconds * 1000ll;
}

static inline bool
storm_over(long long end)
{
	return check_now_ms() >= end;
}

static inline void
storm_count(struct storm_count *c)
{
	FILE *f = fopen("/proc/tessera/counters", "re");
	char line[128];

	memset(c, 0, sizeof(*c));
	while (f && c->types < STORM_TYPES && fgets(line, sizeof(line), f)) {
		/* What lives, not what has happened; magazines are made once for each CPU and cache. */
		if ((strncmp(line, "slab.", 5) && strncmp(line, "file.", 5) && strncmp(line, "threads ", 8) &&
		     strncmp(line, "processes ", 10) && strncmp(line, "open ", 5) && strncmp(line, "handles ", 8)) ||
		    strncmp(line, "slab.magazine", 13) == 0)
			continue;
		if (sscanf(line, "%39s %ld", c->type[c->types].name, &c->type[c->types].used) == 2)
			c->types++;
	}
	if (f)
		fclose(f);
}

/* Is nothing more in use than before, perhaps after a while? Else `what` says what is. */
static inline bool
storm_settled(const struct storm_count *before, char *what, size_t size)
{
	for (int tries = 0;; tries++) {
		static struct storm_count now;
		size_t at = 0;

		storm_count(&now);
		what[0] = '\0';
		for (int i = 0; i < now.types; i++) {
			long was = 0;

			for (int j = 0; j < before->types; j++)
				if (strcmp(before->type[j].name, now.type[i].name) == 0)
					was = before->type[j].used;
			if (now.type[i].used > was && at < size)
				at += (size_t)snprintf(what + at, size - at, " %s %ld -> %ld",
						       now.type[i].name, was, now.type[i].used);
		}
		if (!what[0])
			return true;
		if (tries == 20)
			return false;
		check_sleep_ms(50);
	}
}

/*
 * Run `body` again and again: what it leaves behind the first times may be caches that grow; what it
 * leaves every time is a leak.
 */
static inline void
storm_leaves_nothing(void (*body)(void))
{
	static struct storm_count before;
	char what[1024];

	body();
	for (int run = 0;; run++) {
		storm_count(&before);
		body();
		if (storm_settled(&before, what, sizeof(what)))
			return;
		if (run == 3)
			FAIL("each run leaves%s", what);
	}
}

/* A thread that dies with the case when it cannot be had. */
static inline pthread_t
storm_thread(void *(*body)(void *), void *arg)
{
	pthread_t t;

	CHECK_RETURNS(pthread_create(&t, NULL, body, arg), 0);
	return t;
}

static inline void
storm_pin(int cpu)
{
	cpu_set_t set;
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	CPU_ZERO(&set);
	CPU_SET((unsigned int)(cpu % (n > 0 ? n : 1)), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

#endif
