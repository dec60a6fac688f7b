/* SPDX-License-Identifier: MIT */
/*
 * frame.c - runs the in-kernel tests, each in its own thread, and looks for what they leave behind.
 *
 * After a test the counts of frames (slabs apart), slab objects and threads must be what they were.
 * Dead threads and such are freed by workers, so the counts get a moment to settle. Caches keep what
 * they have grown by; so a test that seems to leak runs again, and only what it then adds is a leak.
 *
 * Output, one line each:  ktest: ok NAME | ktest: FAIL NAME: why | ktest: done P passed F failed
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/memory_check.h>
#include <tessera/page.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/test.h>
#include <tessera/thread.h>
#include <tessera/wait.h>

#include "crash.h"

extern const struct ktest ktest_start[], ktest_end[];

#define SETTLE_NS   (500 * NSEC_PER_MSEC)
#define HANG_NS     (120 * NSEC_PER_SEC)
#define STATUS_FAIL 1
#define ATTEMPTS    5 /* a cache of each CPU's may grow at another time */

static char failure[200];                    /* of the running test */
static uint32_t failed;                      /* [a] it has failed; `failure` is being written */
static uint32_t finished;                    /* [a] its thread has returned */
static struct wait_queue finish_queue = WAIT_QUEUE_INIT(finish_queue);

void
ktest_fail(const char *file, int line, const char *why, ...)
{
	va_list args;
	size_t n;

	if (atomic_exchange(&failed, 1))
		return;
	n = (size_t)scnprintf(failure, sizeof(failure), "%s:%d: ", file, line);
	va_start(args, why);
	vsnprintf(failure + n, sizeof(failure) - n, why, args);
	va_end(args);
}

void
ktest_sleep_ns(uint64_t ns)
{
	(void)wait_until(deadline_after(ns), WAIT_UNINTERRUPTIBLE);
}

/* --- several threads ------------------------------------------------------------------------- */

struct crew {
	void (*fn)(void *arg, uint32_t index);
	void *arg;
	uint32_t next;              /* [a] index for the next member */
	uint32_t left;              /* [a] members that have not returned */
	struct wait_queue done;
};

static void
crew_member(void *arg)
{
	struct crew *crew = arg;
	uint64_t flags;

	crew->fn(crew->arg, atomic_fetch_add(&crew->next, 1));
	/* The last one wakes under the queue's lock: the crew is gone once its maker gets that. */
	flags = spin_lock_irq(&crew->done.lock);
	if (atomic_sub_fetch(&crew->left, 1) == 0 && !list_is_empty(&crew->done.waiters)) {
		struct waiter *w = list_first(&crew->done.waiters, struct waiter, node);

		thread_wake(w->thread);
	}
	spin_unlock_irq(&crew->done.lock, flags);
	thread_exit();
}

void
ktest_parallel(uint32_t n, void (*fn)(void *arg, uint32_t index), void *arg)
{
	struct crew crew = { .fn = fn, .arg = arg, .left = n };
	uint64_t flags;

	wait_queue_init(&crew.done);
	for (uint32_t i = 0; i < n; i++) {
		struct thread *t = thread_create_kernel("ktest-crew", crew_member, &crew);

		if (t) {
			thread_start(t);
		} else {
			ktest_fail(__FILE__, __LINE__, "no memory for a thread");
			atomic_sub(&crew.left, 1);
		}
	}
	wait_event(&crew.done, atomic_load(&crew.left) == 0);
	flags = spin_lock_irq(&crew.done.lock);
	spin_unlock_irq(&crew.done.lock, flags);
}

/* --- leaks ------------------------------------------------------------------------------------- */

struct counts {
	int64_t frames, objects, threads;
};

static void
add_objects(void *ctx, const char *name, size_t size, uint64_t used, uint64_t total, uint64_t pages)
{
	/* A magazine belongs to a CPU's cache: it is made when that CPU first frees something. */
	if (strcmp(name, "magazine"))
		*(int64_t *)ctx += (int64_t)used;
}

/* Stacks kept for reuse, each in a region, are nobody's; nor is what describes memory that came online. */
static struct counts
take_counts(void)
{
	int64_t kept = (int64_t)kernel_stacks_kept();
	struct counts c = { .threads = (int64_t)thread_count(), .objects = -kept / (KERNEL_STACK_SIZE / PAGE_SIZE) };
	struct memory_stats m;

	slab_drain_quarantine();
	memory_stats(&m);
	c.frames = (int64_t)(m.kernel + m.anonymous + m.cached - m.array) - kept;
	slab_for_each(add_objects, &c.objects);
	return c;
}

static bool
grew(const struct counts *before, const struct counts *after)
{
	return after->frames > before->frames || after->objects > before->objects ||
	       after->threads > before->threads;
}

/* The counts, when they are back at `before` or have had their time. */
static struct counts
settled(const struct counts *before)
{
	deadline_t until = deadline_after(SETTLE_NS);
	struct counts now = take_counts();

	while (grew(before, &now) && clock_monotonic_ns() < until) {
		ktest_sleep_ns(5 * NSEC_PER_MSEC);
		now = take_counts();
	}
	return now;
}

static void
put_place(void *ctx, const char *line)
{
	log_print(LOG_ERR, "ktest:   %s\n", line);
}

/* Where what the last run left behind was allocated, in the builds that know. */
static void
print_places(uint32_t mark)
{
	if (config_object_notes)
		(void)leaks_list(mark, put_place, NULL);
}

/* --- one test, all tests ------------------------------------------------------------------------- */

static void
test_thread(void *arg)
{
	const struct ktest *test = arg;

	test->fn();
	atomic_store(&finished, 1);
	wake_all(&finish_queue);
	thread_exit();
}

/* True: it passed. */
static bool
run_once(const struct ktest *test)
{
	struct thread *t;

	failure[0] = 0;
	atomic_store(&failed, 0);
	atomic_store(&finished, 0);
	t = thread_create_kernel("ktest", test_thread, (void *)test);
	if (!t)
		panic("ktest: no memory for the thread of %s", test->name);
	thread_start(t);
	if (wait_event_deadline(&finish_queue, atomic_load(&finished), WAIT_UNINTERRUPTIBLE,
				deadline_after(HANG_NS))) {
		sched_dump();
		timer_dump();
		panic("ktest: %s hangs", test->name);
	}
	return !atomic_load(&failed);
}

static bool
run(const struct ktest *test)
{
	struct counts before, after;

	for (int attempt = 0; ; attempt++) {
		uint32_t mark = config_object_notes ? leaks_mark() : 0;

		before = take_counts();
		if (!run_once(test)) {
			log_print(LOG_ERR, "ktest: FAIL %s: %s\n", test->name, failure);
			return false;
		}
		after = settled(&before);
		if (!grew(&before, &after)) {
			log_print(LOG_NOTICE, "ktest: ok %s\n", test->name);
			return true;
		}
		if (attempt == ATTEMPTS) {
			log_print(LOG_ERR, "ktest: FAIL %s: leaks %ld frames, %ld objects, %ld threads\n",
				  test->name, after.frames - before.frames, after.objects - before.objects,
				  after.threads - before.threads);
			print_places(mark);
			return false;
		}
	}
}

/* Whether the first `n` characters of `which` name it: all of its name, with a * its beginning. */
static bool
selected(const char *which, size_t n, const char *name)
{
	if (n == 3 && !strncmp(which, "all", n))
		return true;
	if (n && which[n - 1] == '*')
		return !strncmp(which, name, n - 1);
	return n == strlen(name) && !strncmp(which, name, n);
}

void
test_run(const char *which)
{
	const char *times = strchr(which, ':');
	size_t n = times ? (size_t)(times - which) : strlen(which);
	uint32_t passed = 0, fails = 0;
	uint64_t rounds = 1;

	log_set_console_level(LOG_INFO);
	if (!strncmp(which, "crash:", 6)) {
		crash_run(which + 6);
		arch_exit_emulator(STATUS_FAIL);
	}
	if (times)
		(void)parse_u64(times + 1, NULL, 10, &rounds);
	for (uint64_t i = 0; i < rounds; i++)
		for (const struct ktest *test = ktest_start; test < ktest_end; test++)
			if (selected(which, n, test->name))
				*(run(test) ? &passed : &fails) += 1;
	if (config_poison)
		(void)check_all_objects();
	if (!passed && !fails)
		log_print(LOG_ERR, "ktest: no test is named %s\n", which);
	log_print(LOG_NOTICE, "ktest: done %u passed %u failed\n", passed, fails);
	if (fails || !passed)
		arch_exit_emulator(STATUS_FAIL);
	arch_power_off();
}
