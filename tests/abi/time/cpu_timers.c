/* SPDX-License-Identifier: MIT */
/* Timers on the CPU time of other threads and processes. */
#include "../check.h"

#include <pthread.h>
#include <sys/prctl.h>

static volatile bool stop;
static volatile pid_t idle_tid;

static timer_t
make_timer(clockid_t clock, int notify, pid_t tid)
{
	struct sigevent e = { .sigev_signo = SIGUSR1, .sigev_notify = notify };
	timer_t t;

	e._sigev_un._tid = tid;
	CHECK_OK(timer_create(clock, &e, &t));
	return t;
}

static void
start(timer_t t, long ms)
{
	struct itimerspec s = { .it_value = { ms / 1000, ms % 1000 * 1000000 } };

	CHECK_OK(timer_settime(t, 0, &s, NULL));
}

static void
block_signal(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_RETURNS(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
}

/* The timer's signal comes, to the caller. */
static void
await_signal(void)
{
	struct timespec patience = { 9, 0 };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_EQ(sigtimedwait(&set, &info, &patience), SIGUSR1);
	CHECK_EQ(info.si_code, SI_TIMER);
}

static void *
spin(void *unused)
{
	while (!stop)
		;
	return unused;
}

TEST(timer_on_the_clock_of_another_thread)
{
	struct itimerspec left;
	clockid_t clock;
	pthread_t t;
	timer_t timer;

	block_signal();
	CHECK_RETURNS(pthread_create(&t, NULL, spin, NULL), 0);
	CHECK_RETURNS(pthread_getcpuclockid(t, &clock), 0);
	timer = make_timer(clock, SIGEV_SIGNAL, 0);
	start(timer, 30);
	await_signal();
	CHECK_OK(timer_gettime(timer, &left));
	CHECK_EQ(left.it_value.tv_sec, 0);
	CHECK_EQ(left.it_value.tv_nsec, 0);
	stop = true;
	CHECK_RETURNS(pthread_join(t, NULL), 0);
	CHECK_OK(timer_delete(timer));
}

TEST(timer_on_the_clock_of_another_process)
{
	pid_t pid = check_fork();
	clockid_t clock;
	timer_t timer;

	if (pid == 0)
		spin(NULL);
	block_signal();
	CHECK_RETURNS(clock_getcpuclockid(pid, &clock), 0);
	timer = make_timer(clock, SIGEV_SIGNAL, 0);
	start(timer, 30);
	await_signal();
	CHECK_OK(timer_delete(timer));
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(two_processes_measure_each_other)
{
	pid_t child, parent = getpid();
	clockid_t clock;
	timer_t timer;

	block_signal();
	child = check_fork();
	CHECK_RETURNS(clock_getcpuclockid(child ? child : parent, &clock), 0);
	timer = make_timer(clock, SIGEV_SIGNAL, 0);
	for (int i = 0; i < 300; i++)
		start(timer, 1);
	CHECK_OK(timer_delete(timer));
	if (child == 0)
		_exit(0);
	CHECK_EXIT(child, 0);
}

static void *
wait_idly(void *unused)
{
	idle_tid = gettid();
	await_signal();
	stop = true;
	return unused;
}

TEST(thread_clock_is_the_callers_whoever_is_told)
{
	pthread_t t;
	timer_t timer;

	block_signal();
	CHECK_RETURNS(pthread_create(&t, NULL, wait_idly, NULL), 0);
	while (!idle_tid)
		sched_yield();
	timer = make_timer(CLOCK_THREAD_CPUTIME_ID, SIGEV_THREAD_ID, idle_tid);
	start(timer, 30);
	spin(NULL);
	CHECK_RETURNS(pthread_join(t, NULL), 0);
	CHECK_OK(timer_delete(timer));
}

TEST(timer_on_user_time_alone)
{
	timer_t timer = make_timer(~getpid() << 3 | 1, SIGEV_SIGNAL, 0);

	block_signal();
	start(timer, 30);
	for (long long end = check_now_ms() + 5; check_now_ms() < end;)
		;
	/* libc's clock is read in user mode, too: this must come to an end. */
	for (sigset_t pending; sigpending(&pending) == 0 && !sigismember(&pending, SIGUSR1);)
		for (volatile int i = 0; i < 100000; i++)
			;
	await_signal();
	CHECK_OK(timer_delete(timer));
}

TEST(timers_on_no_such_clock)
{
	pid_t pid = check_fork();
	struct sigevent e = { .sigev_notify = SIGEV_NONE };
	timer_t t;

	if (pid == 0)
		_exit(0);
	/* A thread's clock is for its own process only. */
	CHECK_ERRNO(timer_create(~getppid() << 3 | 6, &e, &t), EINVAL);
	CHECK_ERRNO(timer_create(~getpid() << 3 | 3, &e, &t), EOPNOTSUPP);
	CHECK_ERRNO(timer_create(~getpid() << 3 | 7, &e, &t), EINVAL);
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(timer_create(~pid << 3 | 2, &e, &t), EINVAL);
}
