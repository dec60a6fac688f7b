/* SPDX-License-Identifier: MIT */
/*
 * fail_nth.h - each allocation of a few calls made to fail once.
 *
 * A scenario is a function that does something from an untouched start to its end and checks the result.
 * The calls it makes within OK() are those on trial. It is run with the first allocation failing, then
 * the second, and so on, counted over all its trials together, until a run comes to its end in which
 * nothing was failed. A call that fails must have been failed by us, must say so by an errno that can
 * mean "no memory", and must have changed nothing: it is made again at once and must succeed, and the
 * scenario goes on. The whole row is then repeated, and must leave no object behind.
 *
 * The kernel's side is /proc/thread-self/fail-nth; where that is missing each scenario runs once.
 */
#ifndef TORTURE_FAIL_NTH_H
#define TORTURE_FAIL_NTH_H

#include "storm.h"

void fail_begin(void);                    /* the coming trial counts on */
bool fail_end(void);                      /* it stops; true: an allocation was failed in it */
void fail_verdict(const char *file, int line, const char *call, bool injected, int error);
void fail_each(void (*scenario)(void));
void fail_first(void (*scenario)(void), long most); /* of those allocations only: where thousands alike follow */

/* A call in libc's manner, on trial; its value when it succeeds at last. */
#define OK(expr)                                                                                   \
	({                                                                                         \
		fail_begin();                                                                      \
		errno = 0;                                                                         \
		__typeof__(expr) trial_ = (expr);                                                  \
		int trial_error_ = errno;                                                          \
		bool injected_ = fail_end();                                                       \
		if ((long)trial_ == -1) {                                                          \
			fail_verdict(__FILE__, __LINE__, #expr, injected_, trial_error_);          \
			trial_ = CHECK_OK(expr);                                                   \
		}                                                                                  \
		trial_;                                                                            \
	})

/* In the manner of pthread_*(): an error is returned. */
#define OK_RETURNS(expr)                                                                           \
	do {                                                                                       \
		fail_begin();                                                                      \
		int trial_error_ = (expr);                                                         \
		bool injected_ = fail_end();                                                       \
		if (trial_error_) {                                                                \
			fail_verdict(__FILE__, __LINE__, #expr, injected_, trial_error_);          \
			CHECK_RETURNS(expr, 0);                                                    \
		}                                                                                  \
	} while (0)

/* Something that cannot fail: touching memory, close(). */
#define MUST(statement)                                                                            \
	do {                                                                                       \
		fail_begin();                                                                      \
		statement;                                                                         \
		fail_end();                                                                        \
	} while (0)

#define SCENARIO(name)                                                                             \
	static void scenario_##name(void);                                                         \
	TEST(name)                                                                                 \
	{                                                                                          \
		fail_each(scenario_##name);                                                        \
	}                                                                                          \
	static void scenario_##name(void)

#endif
