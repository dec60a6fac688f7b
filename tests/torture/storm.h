/* SPDX-License-Identifier: MIT */
/*
 * storm.h - what the torture programs share beside the frame of the ABI tests (tests/abi/check.h).
 *
 * A storm runs for storm_seconds() (STORM_SECONDS in the environment, 3) and draws its choices from
 * storm_random(), begun from STORM_SEED. Everything in it that a case asserts holds on Linux too.
 *
 * storm_count() reads what lives in the kernel: frames, handles, threads, processes, open objects, slab
 * objects of each kind. storm_settled() compares two such counts, and waits for what is freed a little
 * later. Only Tessera tells (/proc/tessera/counters); elsewhere nothing is compared. What a debug kernel
 * knows of a leak (/proc/tessera/leaks) is left in STORM_LEAKS for whoever ran the program.
 */
#ifndef TORTURE_STORM_H
#define TORTURE_STORM_H

#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

enum { STORM_TYPES = 160 };

/*
 * Frames that may come and go beside those that the kernel keeps for the next slabs and stacks: a page table
 * or a page of ours that is there for the first time, a batch on its way to a CPU's cache.
 */
enum { STORM_FRAMES_SLACK = 16 };

#define STORM_LEAKS "/tmp/torture-leaks"

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

/* What lives, not what has happened; magazines are made once for each CPU and cache. */
static inline bool
storm_lives(const char *name)
{
	static const char *const single[] = { "threads", "processes", "open", "handles" };

	for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
		if (strcmp(name, single[i]) == 0)
			return true;
	return strncmp(name, "file.", 5) == 0 || (strncmp(name, "slab.", 5) == 0 && strcmp(name, "slab.magazine") != 0);
}

static inline void
storm_count(struct storm_count *c)
{
	FILE *f = fopen("/proc/tessera/counters", "re");
	char line[128], name[40];
	long n, frames = 0;

	memset(c, 0, sizeof(*c));
	while (f && c->types < STORM_TYPES - 1 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%39s %ld", name, &n) != 2)
			continue;
		if (strcmp(name, "frames_total") == 0)
			frames += n;
		/* Slabs are kept when they are empty: their objects are counted one by one. So are stacks. */
		else if (strcmp(name, "frames_free") == 0 || strcmp(name, "frames_slab") == 0 ||
			 strcmp(name, "frames_stacks_kept") == 0)
			frames -= n;
		if (!storm_lives(name))
			continue;
		strcpy(c->type[c->types].name, name);
		c->type[c->types++].used = n;
	}
	if (!f)
		return;
	strcpy(c->type[c->types].name, "frames");
	c->type[c->types++].used = frames;
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
			long was = 0, slack = strcmp(now.type[i].name, "frames") ? 0 : STORM_FRAMES_SLACK;

			for (int j = 0; j < before->types; j++)
				if (strcmp(before->type[j].name, now.type[i].name) == 0)
					was = before->type[j].used;
			if (now.type[i].used > was + slack && at < size)
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

/* From here on /proc/tessera/leaks tells of new allocations only. */
static inline void
storm_mark_leaks(void)
{
	int fd = open("/proc/tessera/leaks", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "mark", 4) != 4)
		FAIL("/proc/tessera/leaks: %s", check_error_name(errno));
	close(fd);
}

static inline void
storm_keep_leaks(void)
{
	int in = open("/proc/tessera/leaks", O_RDONLY | O_CLOEXEC), out;
	static char text[65536];
	ssize_t n;

	if (in < 0)
		return;
	out = open(STORM_LEAKS, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	while ((n = read(in, text, sizeof(text))) > 0)
		if (write(out, text, (size_t)n) != n)
			break;
	close(in);
	close(out);
}

/* Run `body` again and again: what it leaves behind every time is a leak. */
static inline void
storm_repeats_leave_nothing(void (*body)(void))
{
	static struct storm_count before;
	char what[1024];

	for (int run = 0;; run++) {
		storm_mark_leaks();
		storm_count(&before);
		body();
		if (storm_settled(&before, what, sizeof(what)))
			return;
		if (run == 3) {
			storm_keep_leaks();
			FAIL("each run leaves%s", what);
		}
	}
}

/* The same for a body that has not run yet: what it leaves the first time may be caches that grow. */
static inline void
storm_leaves_nothing(void (*body)(void))
{
	body();
	storm_repeats_leave_nothing(body);
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
