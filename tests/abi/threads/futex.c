/* SPDX-License-Identifier: MIT */
/* futex: waiting on words, waking, moving, and what the kernel wakes when a thread ends. */
#include "../check.h"
#include "futex.h"
#include "start.h"

#include <sys/mman.h>

static volatile int word, woken;

static void *
wait_on_word(void *arg)
{
	volatile int *at = arg;

	if (futex(at, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) == 0)
		__sync_fetch_and_add(&woken, 1);
	return NULL;
}

/* Wake `want` threads on `at` as they come to sleep there. */
static void
wake_exactly(volatile int *at, int want)
{
	int done = 0;

	for (int i = 0; i < 2000 && done < want; i++) {
		done += (int)CHECK_OK(futex(at, FUTEX_WAKE_PRIVATE, want - done, NULL, NULL, 0));
		check_sleep_ms(1);
	}
	CHECK_EQ(done, want);
}

TEST(futex_wait_with_another_value_is_eagain)
{
	word = 1;
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0), EAGAIN);
}

TEST(futex_wait_times_out)
{
	struct timespec t = { 0, 80000000 };
	long long begin = check_now_ms();

	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &t, NULL, 0), ETIMEDOUT);
	CHECK_RANGE(check_now_ms() - begin, 79, 5000);
	t.tv_nsec = 0;
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &t, NULL, 0), ETIMEDOUT);
}

TEST(futex_wait_bitset_takes_absolute_time)
{
	struct timespec t;
	long long begin = check_now_ms();

	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &t));
	t.tv_nsec += 80000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 0, &t, NULL, -1), ETIMEDOUT);
	CHECK_RANGE(check_now_ms() - begin, 75, 5000);
	t = (struct timespec){ 0, 1 };
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 0, &t, NULL, -1), ETIMEDOUT);
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &t));
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &t, NULL, -1),
		    ETIMEDOUT);
}

TEST(futex_argument_errors)
{
	struct timespec bad = { 0, 1000000000 };

	CHECK_ERRNO(futex(&word, 99, 0, NULL, NULL, 0), ENOSYS);
	CHECK_ERRNO(futex((int *)((char *)&word + 1), FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex((int *)((char *)&word + 1), FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &bad, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_WAKE_BITSET, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(check_bad_address(), FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(futex((int *)0xffff888000000000, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, check_bad_address(), NULL, 0), EFAULT);
	CHECK_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
}

TEST(futex_wake_wakes_the_number_asked)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		start(&t[i], wait_on_word, (void *)&word);
	wake_exactly(&word, 3);
	for (int i = 0; i < 2000 && woken < 3; i++)
		check_sleep_ms(1);
	CHECK_EQ(woken, 3);
	check_sleep_ms(30);
	CHECK_EQ(woken, 3);
	wake_exactly(&word, 1);
	for (int i = 0; i < 4; i++)
		join(t[i]);
	CHECK_EQ(woken, 4);
}

TEST(futex_private_and_shared_do_not_meet_wrongly)
{
	volatile int *shared = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					     MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_OK(futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0));
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_EQ(futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	CHECK_EXIT(pid, 0);
}

TEST(futex_shared_by_two_mappings_of_a_file)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	CHECK_OK(ftruncate(fd, 4096));
	volatile int *a = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	pid_t pid = check_fork();
	if (pid == 0) {
		volatile int *b = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
						0));
		CHECK_OK(futex(b + 5, FUTEX_WAIT, 0, NULL, NULL, 0));
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_EQ(futex(a + 4, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	CHECK_EQ(futex(a + 5, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	CHECK_EXIT(pid, 0);
}

static void *
wait_on_bit(void *arg)
{
	CHECK_OK(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, (int)(intptr_t)arg));
	__sync_fetch_and_or(&woken, (int)(intptr_t)arg);
	return NULL;
}

TEST(futex_wake_bitset_wakes_matching_waiters)
{
	pthread_t a, b;

	start(&a, wait_on_bit, (void *)1);
	start(&b, wait_on_bit, (void *)2);
	check_sleep_ms(50);
	for (int i = 0; i < 1000 && woken != 2; i++) {
		CHECK_OK(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 2));
		check_sleep_ms(1);
	}
	CHECK_EQ(woken, 2);
	join(b);
	wake_exactly(&word, 1);
	join(a);
	CHECK_EQ(woken, 3);
}

TEST(futex_cmp_requeue_moves_waiters)
{
	static volatile int first, second;
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		start(&t[i], wait_on_word, (void *)&first);
	CHECK_ERRNO(futex(&first, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)3, &second, 77), EAGAIN);
	int moved = 0;
	for (int i = 0; i < 2000 && moved < 4; i++) {
		moved += (int)CHECK_OK(futex(&first, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)4,
					     &second, 0));
		check_sleep_ms(1);
	}
	CHECK_EQ(moved, 4);
	CHECK_EQ(futex(&first, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 0);
	CHECK_EQ(woken, 0);
	CHECK_EQ(futex(&second, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 4);
	for (int i = 0; i < 4; i++)
		join(t[i]);
	CHECK_EQ(woken, 4);
}

TEST(futex_wake_op_changes_and_compares)
{
	static volatile int a, b;

	b = 5;
	/* b += 3; wake on b too if it was 5. */
	CHECK_EQ(futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &b,
		       FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)), 0);
	CHECK_EQ(b, 8);
	CHECK_EQ(futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &b,
		       FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_GT, 5)), 0);
	CHECK_EQ(b, 1);
}

static void
ignore_signal(int sig __attribute__((unused)))
{
}

TEST(futex_wait_is_interrupted_by_a_signal)
{
	volatile int *shared = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					     MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t pid = check_fork();

	if (pid == 0) {
		struct sigaction sa = { .sa_handler = ignore_signal };
		CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
		CHECK_ERRNO(futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0), EINTR);
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_OK(kill(pid, SIGUSR1));
	CHECK_EXIT(pid, 0);
}

static char clone_stack[65536] __attribute__((aligned(16)));
static volatile pid_t clone_tid;

static int
sleep_and_leave(void *arg __attribute__((unused)))
{
	check_sleep_ms(50);
	return 0;
}

TEST(child_cleartid_is_cleared_and_woken_at_exit)
{
	clone_tid = -1;
	pid_t pid = CHECK_OK(clone(sleep_and_leave, clone_stack + sizeof(clone_stack),
				   CLONE_VM | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD,
				   NULL, NULL, NULL, (void *)&clone_tid));
	for (;;) {
		pid_t seen = clone_tid;
		if (seen == 0)
			break;
		CHECK(seen == -1 || seen == pid);
		if (futex(&clone_tid, FUTEX_WAIT, seen, NULL, NULL, 0) < 0)
			CHECK_EQ(errno, EAGAIN);
	}
	CHECK_EXIT(pid, 0);
}
