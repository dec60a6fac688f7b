/* SPDX-License-Identifier: MIT */
/*
 * accepters.h - several threads that wait in accept(2) at one listener, and whom a connection wakes.
 *
 * A thread counts how often it slept there. Who is woken for nothing sleeps once more; the rest of a call may now and then
 * sleep as well, for a lock: so what many threads did together is held against a bound.
 */
#ifndef ABI_ACCEPTERS_H
#define ABI_ACCEPTERS_H

#include "check.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define ACCEPTERS   10
#define ACCEPT_MS   15000
#define INTERRUPTED 60 /* rounds */

struct accepter {
	pthread_t thread;
	int listener;
	pid_t tid;
	bool done;
	long result; /* of accept(), or -errno */
	long slept;
};

static inline long
voluntary_switches(void)
{
	struct rusage u;

	CHECK_OK(getrusage(RUSAGE_THREAD, &u));
	return u.ru_nvcsw;
}

static inline void *
accept_one(void *arg)
{
	struct accepter *a = arg;
	long before = voluntary_switches();

	__atomic_store_n(&a->tid, gettid(), __ATOMIC_RELEASE);
	a->result = accept(a->listener, NULL, NULL);
	if (a->result < 0)
		a->result = -errno;
	a->slept = voluntary_switches() - before;
	__atomic_store_n(&a->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* It sleeps in accept when this returns. */
static inline void
accepter_begins(struct accepter *a, int listener)
{
	*a = (struct accepter){ .listener = listener };
	CHECK_RETURNS(pthread_create(&a->thread, NULL, accept_one, a), 0);
	while (!__atomic_load_n(&a->tid, __ATOMIC_ACQUIRE))
		check_sleep_ms(1);
	check_wait_asleep(getpid(), a->tid);
}

/* What its accept came to, which must not take for ever. */
static inline long
accepter_ends(struct accepter *a)
{
	long long end = check_now_ms() + ACCEPT_MS;

	while (!__atomic_load_n(&a->done, __ATOMIC_ACQUIRE) && check_now_ms() < end)
		check_sleep_ms(1);
	CHECK(a->done);
	CHECK_RETURNS(pthread_join(a->thread, NULL), 0);
	return a->result;
}

static inline void
knock(int listener)
{
	struct sockaddr_storage a = { 0 };
	socklen_t size = sizeof(a), type_size = sizeof(int);
	int s, type;

	CHECK_OK(getsockname(listener, (struct sockaddr *)&a, &size));
	CHECK_OK(getsockopt(listener, SOL_SOCKET, SO_TYPE, &type, &type_size));
	s = CHECK_OK(socket(a.ss_family, type, 0));
	CHECK_OK(connect(s, (struct sockaddr *)&a, size));
	CHECK_OK(close(s));
}

/* Each connection goes to who has waited longest, and lets the others sleep. */
static inline void
check_one_is_woken(int listener)
{
	struct accepter a[ACCEPTERS];
	long slept = 0;

	for (int i = 0; i < ACCEPTERS; i++)
		accepter_begins(&a[i], listener);
	for (int i = 0; i < ACCEPTERS; i++) {
		knock(listener);
		CHECK_OK(close((int)CHECK_OK(accepter_ends(&a[i]))));
		slept += a[i].slept;
		for (int k = i + 1; k < ACCEPTERS; k++)
			check_wait_asleep(getpid(), a[k].tid);
	}
	CHECK_RANGE(slept, ACCEPTERS, 2 * ACCEPTERS); /* it would be 55, were all woken each time */
}

static inline void
accept_is_interrupted(int sig)
{
	(void)sig;
}

/*
 * The one that a connection wakes is interrupted at about that time. It leaves with the connection, or without: then the
 * other one has it.
 */
static inline void
check_none_is_lost(int listener)
{
	struct sigaction act = { .sa_handler = accept_is_interrupted };
	struct accepter a[2];

	CHECK_OK(sigaction(SIGUSR1, &act, NULL));
	for (int i = 0; i < INTERRUPTED; i++) {
		accepter_begins(&a[0], listener);
		accepter_begins(&a[1], listener);
		if (i % 2)
			knock(listener);
		if (syscall(SYS_tgkill, getpid(), a[0].tid, SIGUSR1) < 0)
			CHECK_EQ(errno, ESRCH); /* it has its connection, and has ended */
		if (i % 2 == 0)
			knock(listener);
		if (accepter_ends(&a[0]) < 0)
			CHECK_EQ(a[0].result, -EINTR);
		else
			knock(listener);
		CHECK_OK(close((int)CHECK_OK(accepter_ends(&a[1]))));
		if (a[0].result >= 0)
			CHECK_OK(close((int)a[0].result));
	}
}

#endif
