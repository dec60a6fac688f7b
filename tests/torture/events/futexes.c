/* SPDX-License-Identifier: MIT */
/*
 * futexes.c - futexes of every kind, their owners killed.
 */
#include <linux/futex.h>

#include "storm.h"

#define LOCKS 4

struct area {
	pthread_mutex_t lock[LOCKS]; /* robust, shared, half of them with priority inheritance */
	volatile int inside[LOCKS];
	uint32_t a, b;
	_Atomic long rounds, inherited;
};

static struct area *area;

static void
make_area(void)
{
	area = mmap(NULL, sizeof(*area), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < LOCKS; i++) {
		pthread_mutexattr_t a;

		pthread_mutexattr_init(&a);
		pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
		pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
		if (i % 2)
			pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
		CHECK_RETURNS(pthread_mutex_init(&area->lock[i], &a), 0);
	}
}

static void *
locker(void *arg)
{
	for (;;) {
		int n = storm_below(LOCKS), e = pthread_mutex_lock(&area->lock[n]);

		if (e == EOWNERDEAD) {
			area->inherited++;
			area->inside[n] = 0;
			e = pthread_mutex_consistent(&area->lock[n]);
		}
		if (e)
			FAIL("lock %d: %s", n, check_error_name(e));
		if (__atomic_add_fetch(&area->inside[n], 1, __ATOMIC_SEQ_CST) != 1)
			FAIL("two hold lock %d", n);
		area->rounds++;
		if (storm_below(8) == 0)
			sched_yield();
		__atomic_sub_fetch(&area->inside[n], 1, __ATOMIC_SEQ_CST);
		e = pthread_mutex_unlock(&area->lock[n]);
		if (e)
			FAIL("unlock %d: %s", n, check_error_name(e));
	}
	return NULL;
}

static pid_t
holder(void)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		for (int i = 0; i < 2; i++)
			storm_thread(locker, NULL);
		locker(NULL);
	}
	return pid;
}

static void
robust_body(void)
{
	long long end = storm_end();
	pid_t pid[4];

	make_area();
	for (int i = 0; i < 4; i++)
		pid[i] = holder();
	while (!storm_over(end) || !area->rounds) {
		int i = storm_below(4), status;

		usleep((useconds_t)storm_below(3000));
		CHECK_OK(kill(pid[i], SIGKILL));
		CHECK_EQ(CHECK_OK(waitpid(pid[i], &status, 0)), pid[i]);
		if (!WIFSIGNALED(status))
			FAIL("a holder ended by itself: %#x", (unsigned int)status);
		pid[i] = holder();
	}
	for (int i = 0; i < 4; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	/* Whoever is left takes every lock. */
	for (int i = 0; i < LOCKS; i++) {
		struct timespec later;
		int e;

		clock_gettime(CLOCK_REALTIME, &later);
		later.tv_sec += 5;
		e = pthread_mutex_timedlock(&area->lock[i], &later);
		if (e && e != EOWNERDEAD)
			FAIL("lock %d is lost: %s", i, check_error_name(e));
	}
	munmap(area, sizeof(*area));
}

TEST(robust_locks_outlive_their_owners)
{
	storm_leaves_nothing(robust_body);
}

static void *
requeued(void *arg)
{
	struct timespec soon = { 0, 20000000 };

	while (!area->inside[0]) {
		uint32_t v = __atomic_load_n(&area->a, __ATOMIC_SEQ_CST);

		syscall(SYS_futex, &area->a, FUTEX_WAIT, v, &soon, NULL, 0);
		area->rounds++;
	}
	return NULL;
}

static void *
requeuer(void *arg)
{
	while (!area->inside[0]) {
		uint32_t v = __atomic_load_n(&area->a, __ATOMIC_SEQ_CST);

		switch (storm_below(4)) {
		case 0:
			syscall(SYS_futex, &area->a, FUTEX_CMP_REQUEUE, 1, (void *)5l, &area->b, v);
			break;
		case 1:
			syscall(SYS_futex, &area->b, FUTEX_WAKE, 3, NULL, NULL, 0);
			break;
		case 2:
			__atomic_add_fetch(&area->a, 1, __ATOMIC_SEQ_CST);
			syscall(SYS_futex, &area->a, FUTEX_WAKE, 2, NULL, NULL, 0);
			break;
		default:
			syscall(SYS_futex, &area->b, FUTEX_WAKE_OP, 1, (void *)1l, &area->a,
				FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_GT, 0));
		}
	}
	return NULL;
}

TEST(requeues_lose_nobody)
{
	long long end = storm_end();
	pthread_t t[8];

	make_area();
	for (int i = 0; i < 8; i++)
		t[i] = storm_thread(i < 5 ? requeued : requeuer, NULL);
	while (!storm_over(end) || !area->rounds)
		usleep(10000);
	area->inside[0] = 1;
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
}

/* FUTEX_LOCK_PI by hand: owners die, others get it, never ESRCH for a lock that was handed on. */
static void *
pi_thread(void *arg)
{
	uint32_t me = (uint32_t)syscall(SYS_gettid);

	while (!area->inside[0]) {
		uint32_t zero = 0;
		long r;

		if (!__atomic_compare_exchange_n(&area->a, &zero, me, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
			r = syscall(SYS_futex, &area->a, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
			if (r < 0 && errno != EAGAIN && errno != EINTR)
				FAIL("FUTEX_LOCK_PI: %s, word %#x", check_error_name(errno), area->a);
			if (r < 0)
				continue;
		}
		if ((__atomic_load_n(&area->a, __ATOMIC_SEQ_CST) & FUTEX_TID_MASK) != me)
			FAIL("owner %#x, I am %#x", area->a, me);
		if (__atomic_add_fetch(&area->inside[1], 1, __ATOMIC_SEQ_CST) != 1)
			FAIL("two hold the lock");
		area->rounds++;
		__atomic_sub_fetch(&area->inside[1], 1, __ATOMIC_SEQ_CST);
		if (!__atomic_compare_exchange_n(&area->a, &me, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
			me = (uint32_t)syscall(SYS_gettid);
			if (syscall(SYS_futex, &area->a, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) < 0)
				FAIL("FUTEX_UNLOCK_PI: %s", check_error_name(errno));
		}
	}
	return NULL;
}

TEST(pi_locks_have_one_owner)
{
	long long end = storm_end();
	pthread_t t[6];

	make_area();
	for (int i = 0; i < 6; i++)
		t[i] = storm_thread(pi_thread, NULL);
	while (!storm_over(end))
		usleep(10000);
	area->inside[0] = 1;
	for (int i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(area->a, 0);
}
