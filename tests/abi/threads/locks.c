/* SPDX-License-Identifier: MIT */
/* The locks of libc under load: mutexes, conditions, barriers, locks of readers and writers. */
#include "../check.h"
#include "start.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *
count_under_mutex(void *arg)
{
	for (int i = 0; i < 5000; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	return arg;
}

TEST(mutex_stress)
{
	pthread_t t[8];

	TIMEOUT(60);
	for (int i = 0; i < 8; i++)
		start(&t[i], count_under_mutex, NULL);
	for (int i = 0; i < 8; i++)
		join(t[i]);
	CHECK_EQ(counter, 40000);
}

static pthread_cond_t ping = PTHREAD_COND_INITIALIZER;
static int turn;

static void *
take_turns(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&mutex);
		while (turn % 3 != me)
			pthread_cond_wait(&ping, &mutex);
		turn++;
		pthread_cond_broadcast(&ping);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

TEST(condition_variable_stress)
{
	pthread_t t[3];

	TIMEOUT(60);
	for (intptr_t i = 0; i < 3; i++)
		start(&t[i], take_turns, (void *)i);
	for (int i = 0; i < 3; i++)
		join(t[i]);
	CHECK_EQ(turn, 1500);
}

TEST(condition_variable_times_out)
{
	struct timespec t;

	CHECK_OK(clock_gettime(CLOCK_REALTIME, &t));
	t.tv_nsec += 50000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&mutex);
	CHECK_RETURNS(pthread_cond_timedwait(&ping, &mutex, &t), ETIMEDOUT);
	pthread_mutex_unlock(&mutex);
}

static pthread_barrier_t barrier;
static volatile int rounds[4];

static void *
meet_often(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (int i = 1; i <= 200; i++) {
		rounds[me] = i;
		pthread_barrier_wait(&barrier);
		for (int k = 0; k < 4; k++)
			CHECK_EQ(rounds[k], i);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

TEST(barrier_stress)
{
	pthread_t t[4];

	TIMEOUT(60);
	pthread_barrier_init(&barrier, NULL, 4);
	for (intptr_t i = 0; i < 4; i++)
		start(&t[i], meet_often, (void *)i);
	for (int i = 0; i < 4; i++)
		join(t[i]);
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static volatile long pair[2];

static void *
read_or_write(void *arg)
{
	bool writer = arg != NULL;

	for (int i = 0; i < 1000; i++) {
		if (writer) {
			pthread_rwlock_wrlock(&rwlock);
			pair[0]++;
			pair[1]++;
		} else {
			pthread_rwlock_rdlock(&rwlock);
			CHECK_EQ(pair[0], pair[1]);
		}
		pthread_rwlock_unlock(&rwlock);
	}
	return NULL;
}

TEST(rwlock_stress)
{
	pthread_t t[6];

	TIMEOUT(60);
	for (intptr_t i = 0; i < 6; i++)
		start(&t[i], read_or_write, (void *)(i % 2));
	for (int i = 0; i < 6; i++)
		join(t[i]);
	CHECK_EQ(pair[0], 3000);
}

static void *
try_lock(void *arg)
{
	return (void *)(intptr_t)pthread_mutex_trylock(arg);
}

TEST(priority_inheritance_mutex)
{
	pthread_mutexattr_t a;
	pthread_mutex_t m;
	pthread_t t[2];

	pthread_mutexattr_init(&a);
	CHECK_RETURNS(pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT), 0);
	if (pthread_mutex_init(&m, &a) == ENOTSUP)
		SKIP("no priority inheritance");
	CHECK_RETURNS(pthread_mutex_lock(&m), 0);
	CHECK_RETURNS(pthread_mutex_trylock(&m), EBUSY);
	start(&t[0], try_lock, &m);
	CHECK_EQ((intptr_t)join(t[0]), EBUSY);
	CHECK_RETURNS(pthread_mutex_unlock(&m), 0);
}
