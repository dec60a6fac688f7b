/* SPDX-License-Identifier: MIT */
/*
 * The real clock is set: what was to happen at a time of it happens at that time, what was to happen
 * after a while does not move. Each case puts the clock back as far as it put it forward.
 */
#include "../check.h"

#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>

#define HOUR 3600

/* Not on a host where somebody tries the program out: its other users live by that clock. */
static void
only_in_our_image(void)
{
	char name[64] = "";

	if (access("/etc/hostname", R_OK) == 0)
		check_read_file("/etc/hostname", name, sizeof(name));
	if (strcmp(name, "tessera\n") != 0)
		SKIP("it would set this host's clock");
}

static void
put_forward(long seconds)
{
	struct timex x = { .modes = ADJ_SETOFFSET, .time = { seconds, 0 } };

	only_in_our_image();
	CHECK_OK(clock_adjtime(CLOCK_REALTIME, &x));
}

static struct timespec
real_in(long seconds)
{
	struct timespec t;

	CHECK_OK(clock_gettime(CLOCK_REALTIME, &t));
	t.tv_sec += seconds;
	return t;
}

TEST(sleep_until_a_real_time_ends_when_the_clock_is_set_past_it)
{
	struct timespec until = real_in(HOUR);
	pid_t child = check_fork();

	if (child == 0)
		_exit(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL));
	check_wait_asleep(child, 0);
	put_forward(2 * HOUR);
	CHECK_EXIT(child, 0);
	put_forward(-2 * HOUR);
}

TEST(sleep_of_a_while_does_not_end_when_the_clock_is_set)
{
	struct timespec hour = { HOUR, 0 };
	pid_t child = check_fork();

	if (child == 0)
		_exit(clock_nanosleep(CLOCK_REALTIME, 0, &hour, NULL));
	check_wait_asleep(child, 0);
	put_forward(2 * HOUR);
	check_sleep_ms(50);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	put_forward(-2 * HOUR);
}

TEST(timerfd_of_a_real_time_expires_when_the_clock_is_set_past_it)
{
	struct itimerspec at = { .it_value = real_in(HOUR) }, left;
	int fd = CHECK_OK(timerfd_create(CLOCK_REALTIME, 0));
	uint64_t n = 0;

	CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL));
	put_forward(-HOUR);
	CHECK_OK(timerfd_gettime(fd, &left));
	CHECK_RANGE(left.it_value.tv_sec, 2 * HOUR - 10, 2 * HOUR);
	put_forward(3 * HOUR);
	CHECK_EQ(read(fd, &n, 8), 8);
	CHECK_EQ(n, 1);
	put_forward(-2 * HOUR);
}

TEST(timerfd_of_a_while_does_not_move_with_the_clock)
{
	struct itimerspec in = { .it_value = { HOUR, 0 } }, left;
	int fd = CHECK_OK(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
	uint64_t n;

	CHECK_OK(timerfd_settime(fd, 0, &in, NULL));
	put_forward(2 * HOUR);
	CHECK_OK(timerfd_gettime(fd, &left));
	put_forward(-2 * HOUR);
	CHECK_RANGE(left.it_value.tv_sec, HOUR - 10, HOUR);
	CHECK_ERRNO(read(fd, &n, 8), EAGAIN);
}

TEST(timerfd_that_is_cancelled_when_the_clock_is_set_says_so_once)
{
	struct itimerspec at = { .it_value = real_in(HOUR) };
	int fd = CHECK_OK(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
	struct pollfd p = { fd, POLLIN, 0 };
	uint64_t n;

	CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, NULL));
	CHECK_EQ(poll(&p, 1, 0), 0);
	put_forward(10);
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_ERRNO(read(fd, &n, 8), ECANCELED);
	CHECK_ERRNO(read(fd, &n, 8), EAGAIN);
	put_forward(-10);
	CHECK_ERRNO(read(fd, &n, 8), ECANCELED);
}

TEST(timerfd_read_that_sleeps_is_cancelled_when_the_clock_is_set)
{
	struct itimerspec at = { .it_value = real_in(HOUR) };
	int fd = CHECK_OK(timerfd_create(CLOCK_REALTIME, 0));
	pid_t child;
	uint64_t n;

	CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, NULL));
	child = check_fork();
	if (child == 0) {
		CHECK_ERRNO(read(fd, &n, 8), ECANCELED);
		_exit(0);
	}
	check_wait_asleep(child, 0);
	put_forward(10);
	CHECK_EXIT(child, 0);
	put_forward(-10);
}

TEST(timer_of_a_real_time_expires_when_the_clock_is_set_past_it)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec at = { .it_value = real_in(HOUR) };
	struct timespec second = { 60, 0 };
	sigset_t set;
	timer_t id;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_OK(timer_create(CLOCK_REALTIME, &e, &id));
	CHECK_OK(timer_settime(id, TIMER_ABSTIME, &at, NULL));
	put_forward(2 * HOUR);
	CHECK_EQ(sigtimedwait(&set, NULL, &second), SIGUSR1);
	put_forward(-2 * HOUR);
}

TEST(interval_timer_does_not_move_with_the_clock)
{
	struct itimerval in = { .it_value = { HOUR, 0 } }, left;

	CHECK_OK(setitimer(ITIMER_REAL, &in, NULL));
	put_forward(2 * HOUR);
	CHECK_OK(getitimer(ITIMER_REAL, &left));
	put_forward(-2 * HOUR);
	CHECK_RANGE(left.it_value.tv_sec, HOUR - 10, HOUR);
}

TEST(adjtimex_keeps_what_a_time_daemon_says)
{
	struct timex x = { .modes = ADJ_MAXERROR | ADJ_ESTERROR, .maxerror = 1000, .esterror = 500 };

	CHECK_OK(adjtimex(&x));
	x = (struct timex){ 0 };
	CHECK_OK(adjtimex(&x));
	CHECK_RANGE(x.maxerror, 1000, 2000);
	CHECK_EQ(x.esterror, 500);
	x.modes = ADJ_NANO;
	CHECK_OK(adjtimex(&x));
	CHECK(x.status & STA_NANO);
	x.modes = ADJ_MICRO;
	CHECK_OK(adjtimex(&x));
	CHECK(!(x.status & STA_NANO));
	CHECK_RANGE(x.time.tv_usec, 0, 999999);
	x.modes = ADJ_TICK;
	x.tick = 8999;
	CHECK_ERRNO(adjtimex(&x), EINVAL);
	x.tick = 11001;
	CHECK_ERRNO(adjtimex(&x), EINVAL);
	x.modes = ADJ_SETOFFSET;
	x.time = (struct timeval){ 0, 1000000 };
	CHECK_ERRNO(adjtimex(&x), EINVAL);
	CHECK_ERRNO(syscall(SYS_adjtimex, check_bad_address()), EFAULT);
	check_drop_root();
	x.modes = ADJ_MAXERROR;
	CHECK_ERRNO(adjtimex(&x), EPERM);
	x.modes = 0;
	CHECK_OK(adjtimex(&x));
}

TEST(clock_tai_is_ahead_by_what_was_told)
{
	struct timex x = { .modes = ADJ_TAI, .constant = 37 };
	struct timespec real, tai;

	CHECK_OK(adjtimex(&x));
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &real));
	CHECK_OK(clock_gettime(CLOCK_TAI, &tai));
	x.constant = 0;
	x.modes = ADJ_TAI;
	CHECK_OK(adjtimex(&x));
	CHECK_RANGE(tai.tv_sec - real.tv_sec, 37, 47);
}

static void *
burn(void *unused)
{
	for (;;)
		__asm__ volatile("pause");
	return unused;
}

TEST(sleep_until_the_process_has_used_cpu_time)
{
	clockid_t own = CLOCK_PROCESS_CPUTIME_ID;
	struct timespec t, in = { 0, 20000000 };
	long long before;
	pthread_t burner;

	CHECK_EQ(pthread_create(&burner, NULL, burn, NULL), 0);
	CHECK_OK(clock_gettime(own, &t));
	before = t.tv_sec * 1000000000ll + t.tv_nsec;
	CHECK_EQ(clock_nanosleep(own, 0, &in, NULL), 0);
	CHECK_OK(clock_gettime(own, &t));
	CHECK(t.tv_sec * 1000000000ll + t.tv_nsec >= before + in.tv_nsec);
	t.tv_nsec = 0;
	CHECK_EQ(clock_nanosleep(own, TIMER_ABSTIME, &t, NULL), 0);
}
