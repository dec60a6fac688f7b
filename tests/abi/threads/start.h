/* SPDX-License-Identifier: MIT */
/* Threads of a case: started and joined, or the case fails. */
#ifndef ABI_THREADS_START_H
#define ABI_THREADS_START_H

#include "../check.h"

#include <pthread.h>

static inline void
start(pthread_t *t, void *(*f)(void *), void *arg)
{
	CHECK_RETURNS(pthread_create(t, NULL, f, arg), 0);
}

static inline void *
join(pthread_t t)
{
	void *result;

	CHECK_RETURNS(pthread_join(t, &result), 0);
	return result;
}

#endif
