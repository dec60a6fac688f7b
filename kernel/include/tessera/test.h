/* SPDX-License-Identifier: MIT */
/*
 * test.h - tests that run inside the kernel, on its real CPUs: `test=all` or `test=NAME` at boot.
 *
 *	KTEST(timer_cancel_waits)
 *	{
 *		kcheck(timer_cancel(&t));
 *	}
 *
 * Each runs in a kernel thread of its own. A test is named for what would break. The frame counts
 * frames, slab objects and threads before and after; see kernel/test/frame.c.
 */
#ifndef TESSERA_TEST_H
#define TESSERA_TEST_H

#include <tessera/types.h>

struct ktest {
	const char *name;
	void (*fn)(void);
};

#define KTEST(test_name)                                                                           \
	static void ktest_##test_name(void);                                                       \
	static const struct ktest ktest_entry_##test_name                                          \
		__attribute__((used, aligned(16), section(".ktest"))) = { #test_name,              \
									  ktest_##test_name };     \
	static void ktest_##test_name(void)

/* Say that the running test failed. From any thread; the first one counts. */
void ktest_fail(const char *file, int line, const char *why, ...) __printf(3, 4);

/* Leave the function with a failure unless `cond` holds. For functions that return nothing. */
#define kcheck(cond)                                                                               \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			ktest_fail(__FILE__, __LINE__, "%s", #cond);                               \
			return;                                                                    \
		}                                                                                  \
	} while (0)

/* The same for two numbers that should be equal; prints both. */
#define kcheck_equal(a, b)                                                                         \
	do {                                                                                       \
		long long kcheck_a_ = (long long)(a), kcheck_b_ = (long long)(b);                  \
		if (kcheck_a_ != kcheck_b_) {                                                      \
			ktest_fail(__FILE__, __LINE__, "%s is %lld, not %s = %lld", #a, kcheck_a_, \
				   #b, kcheck_b_);                                                 \
			return;                                                                    \
		}                                                                                  \
	} while (0)

/* Threads for tests: start `n` that run fn(arg, index) and wait until all have returned. */
void ktest_parallel(uint32_t n, void (*fn)(void *arg, uint32_t index), void *arg);
/* Sleep that long, uninterruptibly. */
void ktest_sleep_ns(uint64_t ns);

/* A bug on purpose for the fuzzer to find (planted.c); the kcov variant calls them. */
struct trap_frame;
void planted_init(void);
void planted_look(const struct trap_frame *f);

/* Run what test= names: "all", one name, or a prefix ending in "*"; then power off. */
void __noreturn test_run(const char *which);

#endif
