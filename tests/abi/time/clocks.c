/* SPDX-License-Identifier: MIT */
/* Clocks, sleeping, interval timers, POSIX timers, timerfd, and the vDSO that reads clocks. */
#include "../check.h"

#include <sys/resource.h>

#include <elf.h>
#include <poll.h>
#include <sys/auxv.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>

static volatile sig_atomic_t signals_seen;
static siginfo_t got;

static void
count_signal(int sig __attribute__((unused)))
{
	signals_seen++;
}

static void
take_info(int sig __attribute__((unused)), siginfo_t *info, void *context __attribute__((unused)))
{
	got = *info;
	signals_seen++;
}

static long long
ns_of(clockid_t clock)
{
	struct timespec t;

	CHECK_OK(clock_gettime(clock, &t));
	CHECK_RANGE(t.tv_nsec, 0, 999999999);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* The clock as the system call tells it, without the vDSO. */
static long long
raw_ns_of(clockid_t clock)
{
	struct timespec t;

	CHECK_OK(syscall(SYS_clock_gettime, clock, &t));
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

TEST(all_clocks_can_be_read)
{
	static const clockid_t clocks[] = {
		CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
		CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME,
	};

	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		CHECK(ns_of(clocks[i]) >= 0);
		CHECK(raw_ns_of(clocks[i]) >= 0);
	}
}

TEST(clock_errors)
{
	struct timespec t;

	CHECK_ERRNO(clock_gettime(77, &t), EINVAL);
	CHECK_ERRNO(clock_getres(77, &t), EINVAL);
	CHECK_ERRNO(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, check_bad_address()), EFAULT);
	t = (struct timespec){ 0, 1000000000 };
	CHECK_ERRNO(clock_settime(CLOCK_REALTIME, &t), EINVAL);
	t.tv_nsec = 0;
	CHECK_ERRNO(clock_settime(CLOCK_MONOTONIC, &t), EINVAL);
	check_drop_root();
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &t));
	CHECK_ERRNO(clock_settime(CLOCK_REALTIME, &t), EPERM);
}

TEST(clock_resolutions)
{
	struct timespec t;

	CHECK_OK(clock_getres(CLOCK_MONOTONIC, &t));
	CHECK(t.tv_sec == 0 && t.tv_nsec > 0 && t.tv_nsec <= 10000000);
	CHECK_OK(clock_getres(CLOCK_REALTIME, &t));
	CHECK(t.tv_sec == 0 && t.tv_nsec > 0);
	CHECK_OK(clock_getres(CLOCK_MONOTONIC_COARSE, &t));
	CHECK_RANGE(t.tv_nsec, 1, 20000000);
	CHECK_OK(clock_getres(CLOCK_REALTIME, NULL));
}

TEST(monotonic_never_goes_back)
{
	long long last = ns_of(CLOCK_MONOTONIC);

	for (int i = 0; i < 20000; i++) {
		long long now = i % 64 ? ns_of(CLOCK_MONOTONIC) : raw_ns_of(CLOCK_MONOTONIC);
		CHECK(now >= last);
		last = now;
	}
}

TEST(monotonic_agrees_between_cpus)
{
	int ends[2], back[2];

	/* Two processes hand the time to and fro; it may never fall. */
	CHECK_OK(pipe(ends));
	CHECK_OK(pipe(back));
	pid_t pid = check_fork();
	if (pid == 0) {
		for (int i = 0; i < 300; i++) {
			long long seen, now;
			check_read_all(ends[0], &seen, sizeof(seen));
			now = ns_of(CLOCK_MONOTONIC);
			CHECK(now >= seen);
			check_write_all(back[1], &now, sizeof(now));
		}
		_exit(0);
	}
	for (int i = 0; i < 300; i++) {
		long long seen, now = ns_of(CLOCK_MONOTONIC);
		check_write_all(ends[1], &now, sizeof(now));
		check_read_all(back[0], &seen, sizeof(seen));
		CHECK(ns_of(CLOCK_MONOTONIC) >= seen);
	}
	CHECK_EXIT(pid, 0);
}

TEST(clocks_advance_together)
{
	long long mono = ns_of(CLOCK_MONOTONIC), real = ns_of(CLOCK_REALTIME);
	long long boot = ns_of(CLOCK_BOOTTIME);

	check_sleep_ms(1000);
	mono = ns_of(CLOCK_MONOTONIC) - mono;
	real = ns_of(CLOCK_REALTIME) - real;
	boot = ns_of(CLOCK_BOOTTIME) - boot;
	CHECK(mono >= 1000000000);
	CHECK_RANGE(real - mono, -500000000, 500000000);
	CHECK_RANGE(boot - mono, -500000000, 500000000);
}

TEST(coarse_clocks_lag_little)
{
	long long coarse = ns_of(CLOCK_MONOTONIC_COARSE), fine = ns_of(CLOCK_MONOTONIC);

	CHECK(coarse <= fine);
	CHECK(fine - coarse < 1000000000);
}

TEST(realtime_is_after_2020_and_agrees_with_other_calls)
{
	struct timeval v;
	struct timespec t;

	CHECK_OK(clock_gettime(CLOCK_REALTIME, &t));
	CHECK(t.tv_sec > 1577836800);
	CHECK_OK(gettimeofday(&v, NULL));
	CHECK_RANGE(v.tv_sec - t.tv_sec, 0, 2);
	CHECK_RANGE(v.tv_usec, 0, 999999);
	CHECK_RANGE(time(NULL) - t.tv_sec, -1, 2);
	time_t stored = 0;
	CHECK_EQ(syscall(SYS_time, &stored), stored);
	CHECK_RANGE(stored - t.tv_sec, -1, 2);
	CHECK_ERRNO(syscall(SYS_gettimeofday, check_bad_address(), NULL), EFAULT);
}

TEST(vdso_is_an_elf_object_with_the_clock)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)getauxval(AT_SYSINFO_EHDR);
	static char text[65536];

	CHECK(e);
	CHECK_MEM(e->e_ident, ELFMAG, SELFMAG);
	CHECK_EQ(e->e_type, ET_DYN);
	CHECK_EQ(e->e_machine, EM_X86_64);
	/* The string is in its dynamic string table, wherever that is. */
	CHECK(memmem(e, 4096, "__vdso_clock_gettime", 20));
	check_read_file("/proc/self/maps", text, sizeof(text));
	CHECK(strstr(text, "[vdso]"));
}

TEST(cpu_clocks_count_work_not_sleep)
{
	long long process = ns_of(CLOCK_PROCESS_CPUTIME_ID);
	long long thread = ns_of(CLOCK_THREAD_CPUTIME_ID);

	check_sleep_ms(500);
	CHECK(ns_of(CLOCK_PROCESS_CPUTIME_ID) - process < 400000000);
	CHECK(ns_of(CLOCK_THREAD_CPUTIME_ID) - thread < 400000000);
	while (ns_of(CLOCK_PROCESS_CPUTIME_ID) - process < 50000000)
		;
	CHECK(ns_of(CLOCK_THREAD_CPUTIME_ID) - thread >= 40000000);
}

TEST(cpu_clock_of_another_process)
{
	clockid_t clock;
	pid_t pid = check_fork();

	if (pid == 0) {
		for (;;)
			;
	}
	CHECK_RETURNS(clock_getcpuclockid(pid, &clock), 0);
	for (int i = 0; i < 800 && ns_of(clock) < 20000000; i++)
		check_sleep_ms(10);
	CHECK(ns_of(clock) >= 20000000);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
	CHECK_RETURNS(clock_getcpuclockid(4194300, &clock), ESRCH);
}

TEST(nanosleep_sleeps_long_enough)
{
	struct timespec t = { 0, 50000000 };
	long long start = ns_of(CLOCK_MONOTONIC);

	CHECK_OK(nanosleep(&t, NULL));
	CHECK_RANGE(ns_of(CLOCK_MONOTONIC) - start, 50000000, 5000000000LL);
	t.tv_nsec = 0;
	CHECK_OK(nanosleep(&t, NULL));
}

TEST(nanosleep_errors)
{
	struct timespec t = { 0, 1000000000 };

	CHECK_ERRNO(nanosleep(&t, NULL), EINVAL);
	t = (struct timespec){ -1, 0 };
	CHECK_ERRNO(nanosleep(&t, NULL), EINVAL);
	t = (struct timespec){ 0, -1 };
	CHECK_ERRNO(nanosleep(&t, NULL), EINVAL);
	CHECK_ERRNO(nanosleep(check_bad_address(), NULL), EFAULT);
}

TEST(clock_nanosleep_absolute)
{
	struct timespec t;

	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &t));
	long long until = t.tv_sec * 1000000000LL + t.tv_nsec + 60000000;
	t.tv_sec = until / 1000000000;
	t.tv_nsec = until % 1000000000;
	CHECK_RETURNS(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), 0);
	CHECK(ns_of(CLOCK_MONOTONIC) >= until);
	long long start = ns_of(CLOCK_MONOTONIC);
	t.tv_sec = 0;
	CHECK_RETURNS(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), 0);
	CHECK(ns_of(CLOCK_MONOTONIC) - start < 2000000000);
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &t));
	until = t.tv_sec * 1000000000LL + t.tv_nsec + 60000000;
	t.tv_sec = until / 1000000000;
	t.tv_nsec = until % 1000000000;
	CHECK_RETURNS(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL), 0);
	CHECK(ns_of(CLOCK_REALTIME) >= until);
}

TEST(clock_nanosleep_errors)
{
	struct timespec t = { 0, 1 };

	CHECK_RETURNS(clock_nanosleep(77, 0, &t, NULL), EINVAL);
	CHECK_RETURNS(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL), EINVAL);
	t.tv_nsec = 1000000000;
	CHECK_RETURNS(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL), EINVAL);
}

TEST(clock_nanosleep_interrupted)
{
	struct timespec t = { 8, 0 }, left = { 77, 77 };
	struct sigaction sa = { .sa_handler = count_signal };

	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	pid_t parent = getpid(), pid = check_fork();
	if (pid == 0) {
		for (int i = 0; i < 2; i++) {
			check_sleep_ms(30);
			check_wait_asleep(parent, 0);
			CHECK_OK(kill(parent, SIGUSR1));
		}
		_exit(0);
	}
	CHECK_RETURNS(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &left), EINTR);
	CHECK_RANGE(left.tv_sec, 1, 7);
	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &t));
	t.tv_sec += 8;
	left.tv_sec = 77;
	CHECK_RETURNS(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, &left), EINTR);
	CHECK_EQ(left.tv_sec, 77);
	CHECK_EXIT(pid, 0);
}

TEST(itimer_real_fires_and_repeats)
{
	struct itimerval v = { { 0, 20000 }, { 0, 20000 } }, old;

	signal(SIGALRM, count_signal);
	CHECK_OK(setitimer(ITIMER_REAL, &v, NULL));
	while (signals_seen < 3)
		pause();
	memset(&v, 0, sizeof(v));
	CHECK_OK(setitimer(ITIMER_REAL, &v, &old));
	CHECK_EQ(old.it_interval.tv_usec, 20000);
	CHECK_OK(getitimer(ITIMER_REAL, &old));
	CHECK_EQ(old.it_value.tv_sec, 0);
	CHECK_EQ(old.it_value.tv_usec, 0);
	int seen = signals_seen;
	check_sleep_ms(60);
	CHECK_EQ(signals_seen, seen);
}

TEST(itimer_remaining_time)
{
	struct itimerval v = { { 0, 0 }, { 50, 0 } }, now;

	CHECK_OK(setitimer(ITIMER_REAL, &v, NULL));
	CHECK_OK(getitimer(ITIMER_REAL, &now));
	CHECK_RANGE(now.it_value.tv_sec, 49, 50);
	CHECK_EQ(now.it_interval.tv_sec, 0);
	CHECK_RANGE(alarm(0), 49, 50);
}

TEST(itimer_virtual_and_prof_count_cpu_time)
{
	/* Much more than these calls take, also where the host stops the processor in the midst of one, which counts. */
	struct itimerval v = { { 0, 0 }, { 0, 300000 } };

	signal(SIGVTALRM, count_signal);
	signal(SIGPROF, count_signal);
	CHECK_OK(setitimer(ITIMER_VIRTUAL, &v, NULL));
	CHECK_OK(setitimer(ITIMER_PROF, &v, NULL));
	check_sleep_ms(500);
	CHECK_EQ(signals_seen, 0);
	while (signals_seen < 2)
		;
	CHECK(ns_of(CLOCK_PROCESS_CPUTIME_ID) >= 290000000);
}

TEST(itimer_that_is_off_keeps_its_interval_unless_real)
{
	static const int which[] = { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };
	struct itimerval v = { { 10, 20 }, { 0, 0 } }, old;

	for (int i = 0; i < 3; i++) {
		CHECK_OK(setitimer(which[i], &v, NULL));
		CHECK_OK(getitimer(which[i], &old));
		CHECK_EQ(old.it_interval.tv_sec, i == 0 ? 0 : 10);
		CHECK_EQ(old.it_value.tv_sec, 0);
		CHECK_EQ(old.it_value.tv_usec, 0);
	}
}

TEST(itimer_errors)
{
	struct itimerval v = { { 0, 0 }, { 0, 1000000 } };

	CHECK_ERRNO(setitimer(ITIMER_REAL, &v, NULL), EINVAL);
	v.it_value.tv_usec = 0;
	CHECK_ERRNO(setitimer((__itimer_which_t)77, &v, NULL), EINVAL);
	CHECK_ERRNO(getitimer((__itimer_which_t)77, &v), EINVAL);
	CHECK_ERRNO(setitimer(ITIMER_REAL, check_bad_address(), NULL), EFAULT);
}

TEST(posix_timer_with_signal_value)
{
	timer_t timer;
	struct sigaction sa = { .sa_sigaction = take_info, .sa_flags = SA_SIGINFO };
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1,
			      .sigev_value.sival_int = 42 };
	struct itimerspec s = { { 0, 0 }, { 1000, 0 } }, now;

	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	if (timer_create(CLOCK_MONOTONIC, &e, &timer) < 0 && errno == ENOSYS)
		SKIP("no timer_create");
	CHECK_OK(timer_settime(timer, 0, &s, NULL));
	CHECK_OK(timer_gettime(timer, &now));
	CHECK_RANGE(now.it_value.tv_sec * 1000000000LL + now.it_value.tv_nsec, 900000000000, 1000000000000);
	s.it_value = (struct timespec){ 0, 30000000 };
	CHECK_OK(timer_settime(timer, 0, &s, NULL));
	while (!signals_seen)
		check_sleep_ms(5);
	CHECK_EQ(got.si_code, SI_TIMER);
	CHECK_EQ(got.si_value.sival_int, 42);
	CHECK_EQ(timer_getoverrun(timer), 0);
	CHECK_OK(timer_delete(timer));
	CHECK_ERRNO(timer_settime(timer, 0, &s, NULL), EINVAL);
}

TEST(posix_timer_overrun_counts_missed_signals)
{
	timer_t timer;
	sigset_t set;
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec s = { { 0, 5000000 }, { 0, 5000000 } };
	siginfo_t info;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	if (timer_create(CLOCK_MONOTONIC, &e, &timer) < 0 && errno == ENOSYS)
		SKIP("no timer_create");
	CHECK_OK(timer_settime(timer, 0, &s, NULL));
	check_sleep_ms(100);
	CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
	CHECK(info.si_overrun >= 5);
	CHECK(timer_getoverrun(timer) >= 5);
	CHECK_OK(timer_delete(timer));
}

TEST(timerfd_counts_expirations)
{
	struct itimerspec s = { { 0, 10000000 }, { 0, 10000000 } }, now;
	uint64_t n = 0;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd < 0 && errno == ENOSYS)
		SKIP("no timerfd");
	CHECK(fd >= 0);
	CHECK_ERRNO(read(fd, &n, 8), EAGAIN);
	CHECK_OK(timerfd_settime(fd, 0, &s, NULL));
	CHECK_OK(timerfd_gettime(fd, &now));
	CHECK_EQ(now.it_interval.tv_nsec, 10000000);
	check_sleep_ms(100);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(read(fd, &n, 8), 8);
	CHECK(n >= 9);
	CHECK_ERRNO(read(fd, &n, 4), EINVAL);
	memset(&s, 0, sizeof(s));
	CHECK_OK(timerfd_settime(fd, 0, &s, NULL));
	CHECK_ERRNO(timerfd_create(77, 0), EINVAL);
	CHECK_ERRNO(timerfd_create(CLOCK_MONOTONIC, 0x40000000), EINVAL);
}

TEST(timerfd_absolute_and_blocking)
{
	struct itimerspec s = { { 0, 0 }, { 0, 0 } };
	uint64_t n = 0;
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	if (fd < 0 && errno == ENOSYS)
		SKIP("no timerfd");
	long long until = ns_of(CLOCK_MONOTONIC) + 60000000;
	s.it_value.tv_sec = until / 1000000000;
	s.it_value.tv_nsec = until % 1000000000;
	CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &s, NULL));
	CHECK_EQ(read(fd, &n, 8), 8);
	CHECK_EQ(n, 1);
	CHECK(ns_of(CLOCK_MONOTONIC) >= until);
}

TEST(times_counts_in_hundredths)
{
	struct tms t;
	clock_t a = CHECK_OK(times(&t));

	check_sleep_ms(200);
	clock_t b = CHECK_OK(times(&t));
	CHECK_RANGE(b - a, 19, 500);
	CHECK_EQ(sysconf(_SC_CLK_TCK), 100);
}

TEST(sleep_deadlines_of_many_processes)
{
	enum { COUNT = 20 };
	pid_t pids[COUNT];

	for (int i = 0; i < COUNT; i++) {
		pids[i] = check_fork();
		if (pids[i] == 0) {
			long long start = ns_of(CLOCK_MONOTONIC);
			long ms = 10 + (i * 37) % 100;
			check_sleep_ms(ms);
			long long took = ns_of(CLOCK_MONOTONIC) - start;
			_exit(took >= ms * 1000000 && took < ms * 1000000 + 4000000000LL ? 0 : 1);
		}
	}
	for (int i = 0; i < COUNT; i++)
		CHECK_EXIT(pids[i], 0);
}

TEST(adjtime_tells_what_is_left_to_anybody)
{
	struct timeval left = { 7, 7 }, none = { 0, 0 };
	struct timex t = { .modes = ADJ_OFFSET_SS_READ };

	CHECK_OK(adjtime(&none, NULL)); /* takes back what there was */
	CHECK_OK(adjtime(NULL, &left));
	CHECK_EQ(left.tv_sec, 0);
	CHECK_EQ(left.tv_usec, 0);
	check_drop_root();
	left.tv_sec = 7;
	CHECK_OK(adjtime(NULL, &left));
	CHECK_EQ(left.tv_sec, 0);
	CHECK(adjtimex(&t) >= 0);
	CHECK_EQ(t.modes, ADJ_OFFSET_SS_READ);
	CHECK_EQ(t.offset, 0);
	CHECK_ERRNO(adjtime(&none, NULL), EPERM);
}

/* Each has a signal kept for it, so there are as many as there may be pending signals. */
TEST(posix_timers_count_as_pending_signals)
{
	timer_t timer[64], again;
	int n = 0;

	CHECK_OK(setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){ 40, 40 }));
	while (n < 64 && timer_create(CLOCK_MONOTONIC, NULL, &timer[n]) == 0)
		n++;
	CHECK_EQ(errno, EAGAIN);
	CHECK_RANGE(n, 1, 40); /* the user may have some elsewhere */
	CHECK_OK(timer_delete(timer[n / 2]));
	CHECK_OK(timer_create(CLOCK_MONOTONIC, NULL, &again));
	CHECK_ERRNO(timer_create(CLOCK_MONOTONIC, NULL, &again), EAGAIN);
}

TEST(the_time_zone_is_kept)
{
	struct timezone tz = { -90, 1 }, got = { 7, 7 }, old;
	struct timeval tv;

	CHECK_OK(gettimeofday(&tv, NULL));
	CHECK_OK((int)syscall(SYS_settimeofday, &tv, &(struct timezone){ 0, 0 })); /* with a time it is only kept */
	CHECK_OK((int)syscall(SYS_gettimeofday, NULL, &old));
	CHECK_EQ(old.tz_minuteswest, 0);
	CHECK_OK((int)syscall(SYS_settimeofday, NULL, &tz));
	CHECK_OK((int)syscall(SYS_gettimeofday, NULL, &got));
	CHECK_EQ(got.tz_minuteswest, -90);
	CHECK_EQ(got.tz_dsttime, 1);
	got = (struct timezone){ 7, 7 };
	CHECK_OK(gettimeofday(&tv, &got)); /* without a call, too */
	CHECK_EQ(got.tz_minuteswest, -90);
	tz.tz_minuteswest = 15 * 60 + 1;
	CHECK_ERRNO((int)syscall(SYS_settimeofday, NULL, &tz), EINVAL);
	tz.tz_minuteswest = -15 * 60 - 1;
	CHECK_ERRNO((int)syscall(SYS_settimeofday, NULL, &tz), EINVAL);
	CHECK_ERRNO((int)syscall(SYS_settimeofday, NULL, check_bad_address()), EFAULT);
	CHECK_OK((int)syscall(SYS_settimeofday, NULL, &old));
	check_drop_root();
	CHECK_ERRNO((int)syscall(SYS_settimeofday, NULL, &old), EPERM);
}
