/* SPDX-License-Identifier: MIT */
/* What each plain futex operation does to words and waiters at the borders: counts, comparisons, memory. */
#include "../check.h"
#include "futex.h"

#include <pthread.h>
#include <sys/mman.h>

static volatile int word, other, woken;

static void *
wait_here(void *arg)
{
	if (futex(arg, FUTEX_WAIT, 0, NULL, NULL, 0) == 0)
		__sync_fetch_and_add(&woken, 1);
	return NULL;
}

/* n threads asleep on `at`: each is seen to sleep there. */
static void
sleepers(pthread_t *t, int n, volatile int *at)
{
	for (int i = 0; i < n; i++)
		CHECK_RETURNS(pthread_create(&t[i], NULL, wait_here, (void *)at), 0);
	/* Moving them onto their own word counts them and changes nothing. */
	while (CHECK_OK(futex(at, FUTEX_CMP_REQUEUE, 0, (void *)INT_MAX, at, 0)) < n)
		check_sleep_ms(1);
}

static void
join_all(pthread_t *t, int n)
{
	for (int i = 0; i < n; i++)
		CHECK_RETURNS(pthread_join(t[i], NULL), 0);
}

/* Fewer than one is one. */
TEST(futex_wake_wakes_at_least_one)
{
	static const int counts[] = { 0, -1, INT_MIN };
	pthread_t t[4];

	sleepers(t, 4, &word);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(futex(&word, FUTEX_WAKE, counts[i], NULL, NULL, 0), 1);
	CHECK_EQ(futex(&word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0), 1);
	join_all(t, 4);
	CHECK_EQ(woken, 4);
}

TEST(futex_requeue_counts_the_woken_and_the_moved)
{
	pthread_t t[5];

	sleepers(t, 5, &word);
	CHECK_EQ(futex(&word, FUTEX_REQUEUE, 1, (void *)2, &other, 0), 3);
	CHECK_EQ(futex(&other, FUTEX_WAKE, INT_MAX, NULL, NULL, 0), 2);
	CHECK_EQ(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)INT_MAX, &other, 0), 2);
	CHECK_EQ(futex(&word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0), 0);
	CHECK_EQ(futex(&other, FUTEX_WAKE, INT_MAX, NULL, NULL, 0), 1);
	join_all(t, 5);
	CHECK_ERRNO(futex(&word, FUTEX_REQUEUE, -1, NULL, &other, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_REQUEUE, 1, (void *)-1, &other, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_CMP_REQUEUE, -1, NULL, &other, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_CMP_REQUEUE, 1, NULL, &other, 7), EAGAIN);
	CHECK_ERRNO(futex(&word, FUTEX_CMP_REQUEUE, 1, NULL, check_bad_address(), 0), EFAULT);
	CHECK_ERRNO(futex(check_bad_address(), FUTEX_CMP_REQUEUE, 1, NULL, &other, 0), EFAULT);
}

TEST(futex_wake_op_every_operation)
{
	static const struct {
		int op, arg, before, after;
	} all[] = {
		{ FUTEX_OP_SET, 7, 5, 7 },         { FUTEX_OP_SET, -3, 5, -3 },       { FUTEX_OP_ADD, 4, 5, 9 },
		{ FUTEX_OP_ADD, -6, 5, -1 },       { FUTEX_OP_OR, 10, 5, 15 },        { FUTEX_OP_ANDN, 4, 5, 1 },
		{ FUTEX_OP_XOR, 6, 5, 3 },         { FUTEX_OP_SET | 8, 31, 5, INT_MIN }, { FUTEX_OP_OR | 8, 4, 5, 21 },
		{ FUTEX_OP_ADD | 8, 33, 5, 7 },    { FUTEX_OP_XOR | 8, -1, 5, INT_MIN + 5 },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		other = all[i].before;
		CHECK_EQ(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &other,
			       FUTEX_OP(all[i].op, all[i].arg, FUTEX_OP_CMP_EQ, 0)), 0);
		CHECK_EQ(other, all[i].after);
	}
	for (int op = 5; op < 8; op++) {
		other = 5;
		CHECK_ERRNO(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &other, FUTEX_OP(op, 1, 0, 0)), ENOSYS);
		CHECK_EQ(other, 5);
	}
	CHECK_ERRNO(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, check_bad_address(), 0), EFAULT);
	CHECK_ERRNO(futex(check_bad_address(), FUTEX_WAKE_OP, 1, (void *)1, &other, 0), EFAULT);
}

TEST(futex_wake_op_every_comparison)
{
	static const struct {
		int cmp, below, equal, above; /* does 4, 5, 6 compare with 5? */
	} all[] = {
		{ FUTEX_OP_CMP_EQ, 0, 1, 0 }, { FUTEX_OP_CMP_NE, 1, 0, 1 }, { FUTEX_OP_CMP_LT, 1, 0, 0 },
		{ FUTEX_OP_CMP_LE, 1, 1, 0 }, { FUTEX_OP_CMP_GT, 0, 0, 1 }, { FUTEX_OP_CMP_GE, 0, 1, 1 },
	};
	pthread_t t;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		for (int value = 4; value <= 6; value++) {
			int want = value == 4 ? all[i].below : value == 5 ? all[i].equal : all[i].above;

			other = 0;
			sleepers(&t, 1, &other);
			other = value;
			CHECK_EQ(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &other,
				       FUTEX_OP(FUTEX_OP_ADD, 1, all[i].cmp, 5)), want);
			CHECK_EQ(other, value + 1);
			if (!want)
				CHECK_EQ(futex(&other, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
			join_all(&t, 1);
		}
	}
	/* The word is changed before the comparison is found to be none, and nobody is woken then. */
	sleepers(&t, 1, &word);
	other = 5;
	CHECK_ERRNO(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &other, FUTEX_OP(FUTEX_OP_ADD, 1, 6, 5)), ENOSYS);
	CHECK_EQ(other, 6);
	CHECK_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	join_all(&t, 1);
}

TEST(futex_operations_that_know_no_real_time)
{
	static const int ops[] = {
		FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP, FUTEX_LOCK_PI,
		FUTEX_UNLOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_WAKE_BITSET, FUTEX_CMP_REQUEUE_PI,
	};
	struct timespec bad = { -1, 0 };

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		CHECK_ERRNO(futex(&word, ops[i] | FUTEX_CLOCK_REALTIME, 1, NULL, &other, 0), ENOSYS);
	/* The time is read first where there is one. */
	CHECK_ERRNO(futex(&word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 1, check_bad_address(), NULL, 0), EFAULT);
	CHECK_ERRNO(futex(&word, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 1, &bad, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_FD, 0, NULL, NULL, 0), ENOSYS);
}

/* Waiting needs no right to write; a word that is private and cannot change is no futex. */
TEST(futex_in_memory_of_all_kinds)
{
	struct timespec t = { 0, 1000000 };
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600)), *p;

	CHECK_OK(ftruncate(fd, 4096));
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK_ERRNO(futex(p, FUTEX_WAIT, 0, &t, NULL, 0), ETIMEDOUT);
	CHECK_ERRNO(futex(p, FUTEX_WAIT_PRIVATE, 0, &t, NULL, 0), ETIMEDOUT);
	CHECK_EQ(futex(p, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	CHECK_ERRNO(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, p, 0), EFAULT);
	p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_ERRNO(futex(p, FUTEX_WAIT, 0, &t, NULL, 0), EFAULT);
	CHECK_ERRNO(futex(p, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(futex(p, FUTEX_WAIT_PRIVATE, 0, &t, NULL, 0), ETIMEDOUT);
	CHECK_OK(mprotect(p, 4096, PROT_NONE));
	CHECK_ERRNO(futex(p, FUTEX_WAIT, 0, &t, NULL, 0), EFAULT);
	CHECK_ERRNO(futex(p, FUTEX_WAIT_PRIVATE, 0, &t, NULL, 0), EFAULT);
	CHECK_EQ(futex(p, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
	CHECK_OK(munmap(p, 4096));
	CHECK_ERRNO(futex(p, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	CHECK_EQ(futex(p, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
}

/* The word goes while somebody waits on it: the waiter is there still, and is met where the word is mapped again. */
TEST(futex_waiter_outlives_its_mapping)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600)), *a, *b;
	pthread_t t;

	CHECK_OK(ftruncate(fd, 4096));
	a = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(a != MAP_FAILED);
	sleepers(&t, 1, a);
	CHECK_OK(munmap(a, 4096));
	b = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(b != MAP_FAILED);
	CHECK_EQ(futex(b, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	join_all(&t, 1);
	CHECK_EQ(woken, 1);
}

/* Private memory after fork() is two words; shared memory one. */
TEST(futex_over_fork)
{
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid[2];

	CHECK(shared != MAP_FAILED);
	for (int i = 0; i < 2; i++) {
		pid[i] = check_fork();
		if (pid[i] == 0) {
			CHECK_OK(futex(i ? shared : &word, FUTEX_WAIT, 0, NULL, NULL, 0));
			_exit(0);
		}
		check_wait_asleep(pid[i], 0);
	}
	CHECK_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	CHECK_EQ(futex(shared, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
	CHECK_EQ(futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	CHECK_EXIT(pid[1], 0);
	CHECK_OK(kill(pid[0], SIGKILL));
	CHECK_KILLED(pid[0], SIGKILL);
}
