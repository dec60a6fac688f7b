/* SPDX-License-Identifier: MIT */
/*
 * storm.h - what the torture programs share beside the frame of the ABI tests (tests/abi/check.h).
 *
 * A storm runs for storm_ms() (STORM_MS in the environment, 3000), or for longer where what it is about has not
 * happened yet, and draws its choices from storm_random(), begun from STORM_SEED. Everything in it that a case asserts
 * holds on Linux too.
 *
 * storm_count() reads what lives in the kernel: frames, handles, threads, processes, open objects, slab
 * objects of each kind. storm_settled() compares two such counts. What the kernel frees late it frees when
 * asked to (a write to the counters); threads that are on their way out are waited for. Only Tessera tells
 * (/proc/tessera/counters); elsewhere nothing is compared. What a debug kernel knows of a leak (/proc/tessera/leaks) is
 * left in STORM_LEAKS for whoever ran the program: the largest places.
 */
#ifndef TORTURE_STORM_H
#define TORTURE_STORM_H

#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>

enum { STORM_TYPES = 160 };

/*
 * Frames that may come and go beside those that the kernel keeps for the next slabs and stacks: a page table
 * or a page of ours that is there for the first time, a batch on its way to a CPU's cache.
 */
enum { STORM_FRAMES_SLACK = 16 };

/* A body that leaves something so many times in a row, the first time not counted, leaks. */
enum { STORM_RUNS = 4 };

#define STORM_LEAKS "/tmp/torture-leaks"

enum { STORM_LEAK_LINES = 60 };

struct storm_count {
	int types;
	struct {
		char name[40];
		long used;
	} type[STORM_TYPES];
};

static inline int
storm_ms(void)
{
	const char *s = getenv("STORM_MS");

	return s && atoi(s) > 0 ? atoi(s) : 3000;
}

/* How long threads that have been joined may take to be gone: only a leak makes anybody wait for so long. */
static inline int
storm_patience_ms(void)
{
	const char *s = getenv("STORM_PATIENCE_MS");

	return s && atoi(s) > 0 ? atoi(s) : 10000;
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

/* The case has time for STORM_RUNS and one more, unless it asks for another time after this. */
static inline void
storm_take_time(void)
{
	check_timeout((storm_ms() * (STORM_RUNS + 2) + STORM_RUNS * storm_patience_ms()) / 1000 + 60);
}

/* Until when: for loops `while (!storm_over(end))`. */
static inline long long
storm_end(void)
{
	storm_take_time();
	return check_now_ms() + storm_ms();
}

static inline bool
storm_over(long long end)
{
	return check_now_ms() >= end;
}

/* A child that takes memory and gives it back, so that there is little, until its parent or somebody ends it. */
static inline void
storm_hog(void)
{
	size_t size = 8 << 20;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			continue;
		for (size_t i = 0; i < size; i += 4096)
			p[i] = 1;
		munmap(p, size);
	}
}

/* What lives, not what has happened; magazines are made once for each CPU and cache. */
static inline bool
storm_lives(const char *name)
{
	static const char *const single[] = { "threads", "processes", "open", "handles", "namespaces" };

	for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
		if (strcmp(name, single[i]) == 0)
			return true;
	return strncmp(name, "file.", 5) == 0 || (strncmp(name, "slab.", 5) == 0 && strcmp(name, "slab.magazine") != 0);
}

/* What is freed late is freed before the reading; the file is open by then, so that no opening or closing counts. */
static inline void
storm_count(struct storm_count *c)
{
	FILE *f = fopen("/proc/tessera/counters", "r+e");
	char line[128], name[40];
	long n, frames = 0;

	memset(c, 0, sizeof(*c));
	if (f && pwrite(fileno(f), "settle", 6, 0) != 6)
		FAIL("/proc/tessera/counters: %s", check_error_name(errno));
	while (f && c->types < STORM_TYPES - 1 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%39s %ld", name, &n) != 2)
			continue;
		if (strcmp(name, "frames_total") == 0)
			frames += n;
		/* Slabs are kept when they are empty: their objects are counted one by one. So are stacks. Memory that
		 * is first needed begins to be described. */
		else if (strcmp(name, "frames_free") == 0 || strcmp(name, "frames_slab") == 0 ||
			 strcmp(name, "frames_stacks_kept") == 0 || strcmp(name, "frames_page_array") == 0)
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
	for (long long end = check_now_ms() + storm_patience_ms();;) {
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
		if (check_now_ms() >= end)
			return false;
		check_sleep_ms(20);
	}
}

/*
 * From here on /proc/tessera/leaks tells of new allocations only. It is opened once and before, so that it does
 * not tell of itself.
 */
static int storm_leaks_fd = -1;

static inline void
storm_mark_leaks(void)
{
	if (storm_leaks_fd < 0)
		storm_leaks_fd = open("/proc/tessera/leaks", O_RDWR | O_CLOEXEC);
	if (storm_leaks_fd >= 0 && pwrite(storm_leaks_fd, "mark", 4, 0) != 4)
		FAIL("/proc/tessera/leaks: %s", check_error_name(errno));
}

/* `what` was left: the largest places that the kernel knows of, for whoever ran the program. */
static inline void
storm_keep_leaks(const char *what)
{
	static char text[65536];
	size_t at = 0, size = 0;
	ssize_t n;
	FILE *out;

	while (size < sizeof(text) &&
	       (n = pread(storm_leaks_fd, text + size, sizeof(text) - size, (off_t)size)) > 0)
		size += (size_t)n;
	for (int lines = 0; at < size && lines < STORM_LEAK_LINES; at++)
		lines += text[at] == '\n';
	out = fopen(STORM_LEAKS, "ae");
	if (!out)
		return;
	fprintf(out, "allocated in the last run that left%s:\n%.*s", what, (int)at, text);
	fclose(out);
}

/* Run `body` again and again: what it leaves behind every time is a leak. */
static inline void
storm_repeats_leave_nothing(void (*body)(void))
{
	static struct storm_count before;
	char what[1024];

	for (int run = 1;; run++) {
		storm_mark_leaks();
		storm_count(&before);
		body();
		if (storm_settled(&before, what, sizeof(what)))
			return;
		if (run == STORM_RUNS) {
			storm_keep_leaks(what);
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
