/* SPDX-License-Identifier: MIT */
/* Futexes that inherit priority: FUTEX_LOCK_PI and its kin, and from a condition to its lock in one step. */
#include "../check.h"
#include "futex.h"
#include "start.h"

#include <sched.h>
#include <sys/mman.h>

static volatile int lock, lock2, condition;

static int
self(void)
{
	return (int)syscall(SYS_gettid);
}

static int
owner(volatile int *at)
{
	return (int)((unsigned)*at & FUTEX_TID_MASK);
}

/* A thread that makes one call on behalf of the case and says what came of it. */
struct caller {
	pthread_t thread;
	volatile int tid;
	int op, value, three;
	volatile int *at, *other;
	struct timespec *until;
	bool unlock;           /* ... what it got */
	volatile int error;    /* -1: still at it */
	struct sched_param param;
	int policy;
};

static void *
call(void *arg)
{
	struct caller *c = arg;

	if (c->policy)
		CHECK_OK(sched_setscheduler(0, c->policy, &c->param));
	c->tid = self();
	c->error = futex(c->at, c->op, c->value, c->until, c->other, c->three) == 0 ? 0 : errno;
	if (c->error == 0 && c->unlock)
		CHECK_OK(futex(c->other ? c->other : c->at, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	return NULL;
}

static void
begin(struct caller *c)
{
	c->error = -1;
	CHECK_RETURNS(pthread_create(&c->thread, NULL, call, c), 0);
}

/* ... and wait until it sleeps in the call. */
static void
begin_asleep(struct caller *c)
{
	begin(c);
	while (!c->tid)
		check_sleep_ms(1);
	check_wait_asleep(getpid(), c->tid);
}

static int
end(struct caller *c)
{
	CHECK_RETURNS(pthread_join(c->thread, NULL), 0);
	return c->error;
}

static struct caller
waiter(bool unlock)
{
	return (struct caller){ .op = FUTEX_WAIT_REQUEUE_PI, .at = &condition, .other = &lock, .unlock = unlock };
}

static struct caller
locker(volatile int *at, bool unlock)
{
	return (struct caller){ .op = FUTEX_LOCK_PI, .at = at, .unlock = unlock };
}

static struct timespec
soon(clockid_t clock)
{
	struct timespec t;

	CHECK_OK(clock_gettime(clock, &t));
	t.tv_nsec += 30000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

/* --- locks --------------------------------------------------------------------------------------- */

TEST(lock_pi_takes_and_gives_back)
{
	CHECK_OK(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(lock, self());
	CHECK_ERRNO(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK);
	CHECK_ERRNO(futex(&lock, FUTEX_LOCK_PI2, 0, NULL, NULL, 0), EDEADLK);
	CHECK_ERRNO(futex(&lock, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EDEADLK);
	CHECK_OK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(lock, 0);
	CHECK_ERRNO(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM);
	CHECK_OK(futex(&lock, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(lock, self());
	/* An owner that died left the mark: it stays for the program to see. */
	lock = (int)FUTEX_OWNER_DIED;
	CHECK_OK(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ((unsigned)lock, FUTEX_OWNER_DIED | (unsigned)self());
}

TEST(lock_pi_is_handed_over)
{
	struct caller c = locker(&lock, false);

	CHECK_OK(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	begin_asleep(&c);
	CHECK_EQ((unsigned)lock, FUTEX_WAITERS | (unsigned)self());
	CHECK_OK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(owner(&lock), c.tid);
	CHECK_EQ((unsigned)lock & FUTEX_WAITERS, FUTEX_WAITERS);
	CHECK_EQ(end(&c), 0);
}

TEST(lock_pi_times_out)
{
	struct timespec real = soon(CLOCK_REALTIME), monotonic = soon(CLOCK_MONOTONIC), past = { 1, 0 };
	struct timespec bad = { 0, 1000000000 };
	struct caller c = locker(&lock, false);

	CHECK_OK(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	c.until = &real;
	begin(&c);
	CHECK_EQ(end(&c), ETIMEDOUT);
	c.op = FUTEX_LOCK_PI2;
	c.until = &monotonic;
	begin(&c);
	CHECK_EQ(end(&c), ETIMEDOUT);
	c.until = &past;
	begin(&c);
	CHECK_EQ(end(&c), ETIMEDOUT);
	real = soon(CLOCK_REALTIME);
	c.op = FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME;
	c.until = &real;
	begin(&c);
	CHECK_EQ(end(&c), ETIMEDOUT);
	c.until = &bad;
	begin(&c);
	CHECK_EQ(end(&c), EINVAL);
	c.until = check_bad_address();
	begin(&c);
	CHECK_EQ(end(&c), EFAULT);
	CHECK_OK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(lock, 0);
}

TEST(lock_pi_errors)
{
	static const int ops[] = { FUTEX_LOCK_PI, FUTEX_LOCK_PI2, FUTEX_TRYLOCK_PI };
	struct caller c = locker(&lock, false);

	for (int i = 0; i < 3; i++) {
		volatile int *odd = (volatile int *)((volatile char *)&lock + 2);

		CHECK_ERRNO(futex(check_bad_address(), ops[i], 0, NULL, NULL, 0), EFAULT);
		CHECK_ERRNO(futex(odd, ops[i], 0, NULL, NULL, 0), EINVAL);
		lock = 0x3ffffffe; /* nobody's number */
		CHECK_ERRNO(futex(&lock, ops[i], 0, NULL, NULL, 0), ESRCH);
		CHECK_EQ((unsigned)lock, FUTEX_WAITERS | 0x3ffffffeu);
		lock = 2; /* the kernel's own: kthreadd, where it is so */
	}
	CHECK_ERRNO(futex(check_bad_address(), FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EFAULT);
	lock = 1;
	CHECK_ERRNO(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM);
	/* A lock that somebody has is looked at, not taken. */
	lock = 0;
	CHECK_OK(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	c.op = FUTEX_TRYLOCK_PI;
	begin(&c);
	CHECK_EQ(end(&c), EAGAIN);
	CHECK_EQ(owner(&lock), self());
}

TEST(lock_pi_in_memory_that_is_not_writable_faults)
{
	int *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED);
	*page = 0;
	CHECK_OK(mprotect(page, 4096, PROT_READ));
	CHECK_ERRNO(futex(page, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(futex(page, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(futex(page, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EFAULT);
}

/* The owner is a zombie: its number is there still, but nobody who could unlock. */
TEST(lock_pi_of_a_zombie_is_esrch)
{
	siginfo_t info;
	pid_t pid = check_fork();

	if (pid == 0)
		_exit(0);
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	lock = pid;
	CHECK_ERRNO(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0), ESRCH);
	lock = pid;
	CHECK_ERRNO(futex(&lock, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), ESRCH);
	CHECK_EXIT(pid, 0);
}

HELPER(lock_after_exec)
{
	int *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0);

	CHECK(page != MAP_FAILED);
	CHECK_OK(futex(page, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	page[1] = 1;
	while (!((unsigned)*page & FUTEX_WAITERS))
		check_sleep_ms(1);
	CHECK_OK(futex(page, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
}

/* A program that was exec'ed owns locks like any other. */
TEST(lock_pi_of_a_program_after_exec_is_waited_for)
{
	int fd = CHECK_OK(open("locks", O_RDWR | O_CREAT, 0600)), *page;

	CHECK_OK(ftruncate(fd, 4096));
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(page != MAP_FAILED);
	pid_t pid = check_fork();
	if (pid == 0) {
		char *argv[] = { "/proc/self/exe", "--helper", "lock_after_exec", NULL };

		dup2(fd, 3);
		execv(argv[0], argv);
		_exit(1);
	}
	while (!__atomic_load_n(&page[1], __ATOMIC_ACQUIRE))
		check_sleep_ms(1);
	CHECK_OK(futex(page, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(owner(page), self());
	CHECK_EXIT(pid, 0);
}

/* Who holds one lock and waits for another, whose owner wants the first, is told so. */
TEST(lock_pi_finds_a_circle)
{
	struct caller c = locker(&lock2, true);

	CHECK_OK(futex(&lock2, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	begin_asleep(&c);
	lock = c.tid;
	CHECK_ERRNO(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK);
	CHECK_OK(futex(&lock2, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(end(&c), 0);
}

/* A word is a lock or a plain word, not both. */
TEST(lock_pi_and_plain_waiters_do_not_mix)
{
	struct caller plain = { .op = FUTEX_WAIT, .at = &lock }, c = locker(&lock2, true);

	begin_asleep(&plain);
	CHECK_ERRNO(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EINVAL);
	lock = self();
	CHECK_ERRNO(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EINVAL);
	CHECK_EQ(futex(&lock, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	CHECK_EQ(end(&plain), 0);

	CHECK_OK(futex(&lock2, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	begin_asleep(&c);
	CHECK_ERRNO(futex(&lock2, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&lock2, FUTEX_WAKE_BITSET, 1, NULL, NULL, 1), EINVAL);
	CHECK_ERRNO(futex(&lock2, FUTEX_REQUEUE, 1, (void *)1, &lock, 0), EINVAL);
	CHECK_ERRNO(futex(&lock2, FUTEX_WAKE_OP, 1, (void *)1, &lock, 0), EINVAL);
	CHECK_OK(futex(&lock2, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(end(&c), 0);
}

/* The program rewrites the word under a waiter: the new owner cannot hand over what is waited for elsewhere ... */
static void *
unlock_as_another(void *arg)
{
	lock = self() | (int)FUTEX_WAITERS;
	CHECK_ERRNO(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EINVAL);
	return arg;
}

/* ... and nobody can wait for it. */
static void *
lock_of_another(void *arg)
{
	CHECK_ERRNO(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EINVAL);
	return arg;
}

TEST(pi_word_rewritten_under_a_waiter_is_einval)
{
	struct caller c = locker(&lock, false);
	pthread_t other;

	lock = self();
	begin_asleep(&c);
	start(&other, unlock_as_another, NULL);
	join(other);
	/* A living thread that nobody waits for. */
	pid_t pid = check_fork();
	if (pid == 0)
		for (;;)
			pause();
	lock = pid | (int)FUTEX_WAITERS;
	start(&other, lock_of_another, NULL);
	join(other);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
	lock = self() | (int)FUTEX_WAITERS;
	CHECK_OK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(end(&c), 0);
	CHECK_EQ(owner(&lock), c.tid);
}

/* --- from a condition to its lock ------------------------------------------------------------------ */

TEST(requeue_pi_gives_the_free_lock_to_the_first)
{
	struct caller c = waiter(false);

	CHECK_EQ(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, NULL, &lock, 0), 0);
	begin_asleep(&c);
	CHECK_EQ(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, NULL, &lock, 0), 1);
	CHECK_EQ(lock, c.tid);
	CHECK_EQ(end(&c), 0);
	lock = 0;
	begin_asleep(&c);
	/* More may be moved: the owner must come back to the kernel. */
	CHECK_EQ(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &lock, 0), 1);
	CHECK_EQ((unsigned)lock, FUTEX_WAITERS | (unsigned)c.tid);
	CHECK_EQ(end(&c), 0);
}

TEST(requeue_pi_moves_all_to_a_lock_that_is_held)
{
	struct caller c[4];

	CHECK_OK(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	for (int i = 0; i < 4; i++) {
		c[i] = waiter(true);
		begin_asleep(&c[i]);
	}
	/* The first and one more, then the rest. */
	CHECK_EQ(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &lock, 0), 2);
	CHECK_EQ(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)INT_MAX, &lock, 0), 2);
	CHECK_EQ((unsigned)lock, FUTEX_WAITERS | (unsigned)self());
	for (int i = 0; i < 4; i++)
		CHECK_EQ(c[i].error, -1);
	CHECK_OK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	for (int i = 0; i < 4; i++)
		CHECK_EQ(end(&c[i]), 0);
	CHECK_EQ(lock, 0);
}

TEST(requeue_pi_over_two_mappings_and_processes)
{
	int fd = CHECK_OK(open("word", O_RDWR | O_CREAT, 0600)), *a, *b;

	CHECK_OK(ftruncate(fd, 4096));
	a = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	b = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(a != MAP_FAILED && b != MAP_FAILED);
	CHECK_ERRNO(futex(&a[0], FUTEX_WAIT_REQUEUE_PI, 0, NULL, &b[0], 0), EINVAL);
	CHECK_ERRNO(futex(&a[0], FUTEX_CMP_REQUEUE_PI, 1, NULL, &b[0], 0), EINVAL);
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(futex(&a[0], FUTEX_WAIT_REQUEUE_PI, 0, NULL, &a[8], 0));
		CHECK_EQ(owner(&a[8]), getpid());
		CHECK_OK(futex(&a[8], FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_OK(futex(&b[8], FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(futex(&b[0], FUTEX_CMP_REQUEUE_PI, 1, NULL, &b[8], 0), 1);
	CHECK_OK(munmap(a, 4096));
	CHECK_OK(futex(&b[8], FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	CHECK_EXIT(pid, 0);
	CHECK_EQ(b[8], 0);
}

TEST(wait_requeue_pi_errors)
{
	volatile int *odd = (volatile int *)((volatile char *)&lock2 + 2);

	CHECK_ERRNO(futex(&condition, FUTEX_WAIT_REQUEUE_PI, 1, NULL, &lock, 0), EAGAIN);
	CHECK_ERRNO(futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &condition, 0), EINVAL);
	CHECK_ERRNO(futex(odd, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &lock, 0), EINVAL);
	CHECK_ERRNO(futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, NULL, odd, 0), EINVAL);
	CHECK_ERRNO(futex(check_bad_address(), FUTEX_WAIT_REQUEUE_PI, 0, NULL, &lock, 0), EFAULT);
	CHECK_ERRNO(futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, NULL, check_bad_address(), 0), EFAULT);
	CHECK_ERRNO(futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, check_bad_address(), &lock, 0), EFAULT);
}

TEST(cmp_requeue_pi_errors)
{
	volatile int *odd = (volatile int *)((volatile char *)&lock2 + 2);
	struct caller c = waiter(true), plain = { .op = FUTEX_WAIT, .at = &condition };

	CHECK_ERRNO(futex(&condition, FUTEX_CMP_REQUEUE_PI, 0, NULL, &lock, 0), EINVAL);
	CHECK_ERRNO(futex(&condition, FUTEX_CMP_REQUEUE_PI, 2, NULL, &lock, 0), EINVAL);
	CHECK_ERRNO(futex(&condition, FUTEX_CMP_REQUEUE_PI, -1, NULL, &lock, 0), EINVAL);
	CHECK_ERRNO(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)-1, &lock, 0), EINVAL);
	CHECK_ERRNO(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, NULL, &condition, 0), EINVAL);
	CHECK_ERRNO(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, NULL, &lock, 1), EAGAIN);
	CHECK_ERRNO(futex(odd, FUTEX_CMP_REQUEUE_PI, 1, NULL, &lock, 0), EINVAL);
	CHECK_ERRNO(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, NULL, odd, 0), EINVAL);
	CHECK_ERRNO(futex(check_bad_address(), FUTEX_CMP_REQUEUE_PI, 1, NULL, &lock, 0), EFAULT);
	CHECK_ERRNO(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, NULL, check_bad_address(), 0), EFAULT);
	begin_asleep(&c);
	/* Another lock than the waiter said; the calls that are not for such waiters. */
	CHECK_ERRNO(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, NULL, &lock2, 0), EINVAL);
	CHECK_ERRNO(futex(&condition, FUTEX_CMP_REQUEUE, 1, (void *)1, &lock, 0), EINVAL);
	CHECK_ERRNO(futex(&condition, FUTEX_REQUEUE, 0, (void *)1, &lock, 0), EINVAL);
	CHECK_ERRNO(futex(&condition, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
	/* The owner has no such number; it is the waiter itself. */
	lock = 0x3ffffffe;
	CHECK_ERRNO(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, NULL, &lock, 0), ESRCH);
	lock = c.tid;
	CHECK_ERRNO(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, NULL, &lock, 0), EDEADLK);
	lock = 0;
	CHECK_EQ(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, NULL, &lock, 0), 1);
	CHECK_EQ(end(&c), 0);
	begin_asleep(&plain);
	CHECK_ERRNO(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, NULL, &lock, 0), EINVAL);
	CHECK_EQ(futex(&condition, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	CHECK_EQ(end(&plain), 0);
}

TEST(wait_requeue_pi_times_out_before_and_after_it_is_moved)
{
	struct timespec t = soon(CLOCK_MONOTONIC), real = soon(CLOCK_REALTIME);
	struct caller c = waiter(true);

	CHECK_ERRNO(futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, &t, &lock, 0), ETIMEDOUT);
	CHECK_ERRNO(futex(&condition, FUTEX_WAIT_REQUEUE_PI | FUTEX_CLOCK_REALTIME, 0, &real, &lock, 0), ETIMEDOUT);
	CHECK_OK(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &t));
	t.tv_sec += 1;
	c.until = &t;
	begin_asleep(&c);
	CHECK_EQ(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, NULL, &lock, 0), 1);
	CHECK_EQ(end(&c), ETIMEDOUT);
	CHECK_OK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(lock, 0);
}

static volatile int handled;

static void
handle(int sig __attribute__((unused)))
{
	handled++;
}

/* A signal before it is moved: it waits again. After: the condition has been signalled, says EAGAIN. */
TEST(wait_requeue_pi_and_signals)
{
	struct sigaction sa = { .sa_handler = handle };
	struct caller c = waiter(true);

	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	CHECK_OK(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	begin_asleep(&c);
	CHECK_OK(syscall(SYS_tgkill, getpid(), c.tid, SIGUSR1));
	while (!handled)
		check_sleep_ms(1);
	check_wait_asleep(getpid(), c.tid);
	CHECK_EQ(c.error, -1);
	CHECK_EQ(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, NULL, &lock, 0), 1);
	CHECK_OK(syscall(SYS_tgkill, getpid(), c.tid, SIGUSR1));
	CHECK_EQ(end(&c), EAGAIN);
	CHECK_OK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
}
