/* SPDX-License-Identifier: MIT */
/*
 * Priority inheritance: who holds a lock runs at the priority of the most urgent who waits for it, directly, through
 * another lock, or for having been moved to it from a condition.
 */
#include "../check.h"
#include "futex.h"
#include "start.h"

#include <sched.h>
#include <semaphore.h>

enum { LOW = 10, MIDDLE = 20, HIGH = 30 };

static volatile int lock, lock2, condition, go, done;
static sem_t ready;

static void
become(int priority)
{
	struct sched_param param = { .sched_priority = priority };

	CHECK_OK(sched_setscheduler(0, priority ? SCHED_FIFO : SCHED_OTHER, &param));
}

/* The priority that a thread runs at, as field 18 of its stat tells it: below zero for real-time ones. */
static int
runs_at(int tid)
{
	char path[64], text[512], *p;
	int priority;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	check_read_file(path, text, sizeof(text));
	p = strrchr(text, ')');
	CHECK(p && sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %d", &priority) == 1);
	return priority;
}

/* All on one processor, the case above everybody, so that priorities alone decide who runs. */
static void
one_processor(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
	CHECK_OK(sem_init(&ready, 0, 0));
	become(HIGH + 10);
}

static void *
hold_until_told(void *arg)
{
	become(LOW);
	CHECK_OK(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	sem_post(&ready);
	while (!go)
		futex(&go, FUTEX_WAIT, 0, NULL, NULL, 0);
	CHECK_OK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	return arg;
}

/* Tells who holds the lock to give it back, and keeps the processor from everybody less urgent. */
static void *
tell_and_spin(void *arg)
{
	become(MIDDLE);
	go = 1;
	futex(&go, FUTEX_WAKE, 1, NULL, NULL, 0);
	while (!done)
		;
	return arg;
}

static void *
want(void *arg)
{
	volatile int *at = arg;

	become(HIGH);
	CHECK_OK(futex(at, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	done = 1;
	CHECK_OK(futex(at, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	return arg;
}

/* Without inheritance the low one never gets the processor, and the case is killed. */
TEST(a_less_urgent_owner_runs_for_a_more_urgent_waiter)
{
	pthread_t low, middle, high;

	one_processor();
	start(&low, hold_until_told, NULL);
	CHECK_OK(sem_wait(&ready));
	start(&high, want, (void *)&lock);
	while (!((unsigned)lock & FUTEX_WAITERS))
		check_sleep_ms(1);
	start(&middle, tell_and_spin, NULL);
	join(high);
	join(middle);
	join(low);
	CHECK_EQ(lock, 0);
}

static void *
hold_lock2_want_lock(void *arg)
{
	become(LOW);
	CHECK_OK(futex(&lock2, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	sem_post(&ready);
	CHECK_OK(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	CHECK_OK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	CHECK_OK(futex(&lock2, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	return arg;
}

TEST(priority_is_passed_on_from_lock_to_lock)
{
	pthread_t low, between, middle, high;

	one_processor();
	start(&low, hold_until_told, NULL);
	CHECK_OK(sem_wait(&ready));
	start(&between, hold_lock2_want_lock, NULL);
	CHECK_OK(sem_wait(&ready));
	start(&high, want, (void *)&lock2);
	while (!((unsigned)lock2 & FUTEX_WAITERS))
		check_sleep_ms(1);
	start(&middle, tell_and_spin, NULL);
	join(high);
	join(middle);
	join(between);
	join(low);
}

static volatile int waiter_tid;

static void *
wait_for_condition(void *arg)
{
	become(HIGH);
	waiter_tid = (int)syscall(SYS_gettid);
	CHECK_OK(futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &lock, 0));
	done = 1;
	CHECK_OK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	return arg;
}

/* The waiter sleeps on; who holds the lock inherits its priority the moment it is moved. */
TEST(priority_is_inherited_from_a_waiter_that_was_moved)
{
	pthread_t low, middle, high;

	one_processor();
	start(&low, hold_until_told, NULL);
	CHECK_OK(sem_wait(&ready));
	start(&high, wait_for_condition, NULL);
	while (!waiter_tid)
		check_sleep_ms(1);
	check_wait_asleep(getpid(), waiter_tid);
	CHECK_EQ(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, NULL, &lock, 0), 1);
	start(&middle, tell_and_spin, NULL);
	join(high);
	join(middle);
	join(low);
}

/* --- as /proc shows it --------------------------------------------------------------------------- */

static volatile int wanter_tid;

static void *
want_lock_for_a_while(void *arg)
{
	const struct timespec *until = arg;

	wanter_tid = (int)syscall(SYS_gettid);
	become(HIGH);
	if (until)
		CHECK_ERRNO(futex(&lock, FUTEX_LOCK_PI, 0, until, NULL, 0), ETIMEDOUT);
	else
		CHECK_OK(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	return NULL;
}

TEST(inherited_priority_comes_and_goes)
{
	struct sched_param param = { .sched_priority = HIGH + 5 };
	struct timespec t;
	pthread_t thread;
	int self = (int)syscall(SYS_gettid);

	CHECK_OK(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(runs_at(self), 20);
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &t));
	t.tv_sec += 1;
	start(&thread, want_lock_for_a_while, &t);
	while (!((unsigned)lock & FUTEX_WAITERS))
		check_sleep_ms(1);
	check_wait_asleep(getpid(), wanter_tid);
	CHECK_EQ(runs_at(self), -1 - HIGH);
	/* It is the policy that is told, and it is what it was. */
	CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
	join(thread);
	CHECK_EQ(runs_at(self), 20);
	/* The waiter's priority is changed while it waits. */
	start(&thread, want_lock_for_a_while, NULL);
	while (runs_at(self) == 20)
		check_sleep_ms(1);
	CHECK_OK(sched_setscheduler(wanter_tid, SCHED_FIFO, &param));
	CHECK_EQ(runs_at(self), -1 - (HIGH + 5));
	CHECK_OK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(runs_at(self), 20);
	join(thread);
}
