/* SPDX-License-Identifier: MIT */
/* Sending: kill and its permissions, queues, values, synchronous waits, signalfd. */
#include "../check.h"

#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>

static volatile sig_atomic_t count;
static volatile int order[64];
static siginfo_t got_info;

static void
order_handler(int sig, siginfo_t *info, void *context __attribute__((unused)))
{
	order[count++] = (sig - SIGRTMIN) * 100 + info->si_value.sival_int;
	got_info = *info;
}

static void
handler(int sig __attribute__((unused)))
{
	count++;
}

static sigset_t
set_of(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	return set;
}

static void
block(int sig)
{
	sigset_t set = set_of(sig);

	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
}

TEST(kill_errors)
{
	CHECK_ERRNO(kill(getpid(), 65), EINVAL);
	CHECK_ERRNO(kill(getpid(), -1), EINVAL);
	CHECK_ERRNO(kill(4194300, 0), ESRCH);
	CHECK_ERRNO(kill(INT_MIN, 0), ESRCH);
	CHECK_OK(kill(getpid(), 0));
	CHECK_OK(kill(0, 0));
}

TEST(kill_permission_rules)
{
	pid_t root = check_fork();

	if (root == 0) {
		for (;;)
			pause();
	}
	pid_t pid = check_fork();
	if (pid == 0) {
		check_become(1000, 1000);
		CHECK_ERRNO(kill(root, SIGTERM), EPERM);
		CHECK_ERRNO(kill(root, 0), EPERM);
		CHECK_OK(kill(root, SIGCONT));
		CHECK_ERRNO(sigqueue(root, SIGTERM, (union sigval){ 0 }), EPERM);
		pid_t own = check_fork();
		if (own == 0) {
			for (;;)
				pause();
		}
		CHECK_OK(kill(own, SIGKILL));
		CHECK_KILLED(own, SIGKILL);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	/* The sender's real id matching the target's saved id is enough. */
	pid_t saved = check_fork();
	if (saved == 0) {
		CHECK_OK(setresuid(5, 5, 1000));
		for (;;)
			pause();
	}
	check_wait_asleep(saved, 0);
	pid = check_fork();
	if (pid == 0) {
		CHECK_OK(setresuid(1000, 1001, 1001));
		CHECK_OK(kill(saved, SIGTERM));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_KILLED(saved, SIGTERM);
	CHECK_OK(kill(root, SIGKILL));
	CHECK_KILLED(root, SIGKILL);
}

TEST(kill_minus_one_reaches_all_but_the_caller)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		pid_t children[3];
		check_become(54323, 54323);
		for (int i = 0; i < 3; i++) {
			children[i] = check_fork();
			if (children[i] == 0) {
				for (;;)
					pause();
			}
		}
		CHECK_OK(kill(-1, SIGTERM));
		for (int i = 0; i < 3; i++)
			CHECK_KILLED(children[i], SIGTERM);
		_exit(7);
	}
	CHECK_EXIT(pid, 7);
}

TEST(kill_zero_reaches_the_own_group)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_OK(setpgid(0, 0));
		signal(SIGUSR1, SIG_IGN);
		pid_t child = check_fork();
		if (child == 0) {
			signal(SIGUSR1, SIG_DFL);
			for (;;)
				pause();
		}
		check_wait_asleep(child, 0);
		CHECK_OK(kill(0, SIGUSR1));
		CHECK_KILLED(child, SIGUSR1);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(kill_info_names_the_sender)
{
	struct sigaction sa = { .sa_sigaction = order_handler, .sa_flags = SA_SIGINFO };

	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	block(SIGUSR1);
	pid_t parent = getpid(), pid = check_fork();
	if (pid == 0) {
		CHECK_OK(setresuid(0, 1000, 0));
		CHECK_OK(setresuid(1000, 0, 0));
		CHECK_OK(kill(parent, SIGUSR1));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	sigset_t set = set_of(SIGUSR1);
	CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
	CHECK_EQ(count, 1);
	CHECK_EQ(got_info.si_signo, SIGUSR1);
	CHECK_EQ(got_info.si_code, SI_USER);
	CHECK_EQ(got_info.si_pid, pid);
	CHECK_EQ(got_info.si_uid, 1000);
}

TEST(real_time_signals_queue_in_order)
{
	struct sigaction sa = { .sa_sigaction = order_handler, .sa_flags = SA_SIGINFO };
	sigset_t set;

	sigemptyset(&set);
	for (int i = 0; i < 3; i++)
		sigaddset(&set, SIGRTMIN + i);
	sa.sa_mask = set;
	for (int i = 0; i < 3; i++)
		CHECK_OK(sigaction(SIGRTMIN + i, &sa, NULL));
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	static const int sent[][2] = { { 2, 1 }, { 0, 2 }, { 1, 3 }, { 0, 4 }, { 2, 5 }, { 0, 6 } };
	for (int i = 0; i < 6; i++)
		CHECK_OK(sigqueue(getpid(), SIGRTMIN + sent[i][0],
				  (union sigval){ .sival_int = sent[i][1] }));
	/* Taken one at a time the lowest number comes first, and each number in order. */
	static const int want[] = { 2, 4, 6, 103, 201, 205 };
	for (int i = 0; i < 6; i++) {
		siginfo_t info;
		int sig = CHECK_OK(sigwaitinfo(&set, &info));
		CHECK_EQ((sig - SIGRTMIN) * 100 + info.si_value.sival_int, want[i]);
		CHECK_EQ(info.si_code, SI_QUEUE);
		CHECK_EQ(info.si_pid, getpid());
	}
}

TEST(real_time_handlers_run_once_per_signal)
{
	struct sigaction sa = { .sa_sigaction = order_handler, .sa_flags = SA_SIGINFO };
	sigset_t set = set_of(SIGRTMIN + 4);

	CHECK_OK(sigaction(SIGRTMIN + 4, &sa, NULL));
	block(SIGRTMIN + 4);
	for (int i = 0; i < 20; i++)
		CHECK_OK(sigqueue(getpid(), SIGRTMIN + 4, (union sigval){ .sival_int = i }));
	CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
	CHECK_EQ(count, 20);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(order[i], 400 + i);
}

TEST(standard_signals_do_not_queue)
{
	sigset_t set = set_of(SIGUSR1);

	signal(SIGUSR1, handler);
	block(SIGUSR1);
	for (int i = 0; i < 5; i++)
		CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
	CHECK_EQ(count, 1);
}

TEST(sigqueue_value_and_errors)
{
	sigset_t set = set_of(SIGUSR1);
	siginfo_t info;

	block(SIGUSR1);
	union sigval value = { .sival_ptr = (void *)0x123456789abc };
	CHECK_OK(sigqueue(getpid(), SIGUSR1, value));
	CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
	CHECK_EQ(info.si_value.sival_ptr, (void *)0x123456789abc);
	CHECK_ERRNO(sigqueue(getpid(), 65, (union sigval){ 0 }), EINVAL);
	CHECK_ERRNO(sigqueue(4194300, SIGUSR1, (union sigval){ 0 }), ESRCH);
	pid_t pid = check_fork();
	if (pid == 0) {
		for (;;)
			pause();
	}
	memset(&info, 0, sizeof(info));
	info.si_code = SI_USER;
	CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &info), EPERM);
	CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, check_bad_address()), EFAULT);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(sigtimedwait_rules)
{
	sigset_t set = set_of(SIGUSR1);
	siginfo_t info;
	struct timespec none = { 0, 0 }, some = { 0, 60000000 }, bad = { 0, 1000000000 };

	block(SIGUSR1);
	CHECK_ERRNO(sigtimedwait(&set, &info, &none), EAGAIN);
	long long start = check_now_ms();
	CHECK_ERRNO(sigtimedwait(&set, &info, &some), EAGAIN);
	CHECK_RANGE(check_now_ms() - start, 59, 5000);
	CHECK_ERRNO(sigtimedwait(&set, &info, &bad), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &set, &info, &none, 4), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, check_bad_address(), &info, &none, 8), EFAULT);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(sigtimedwait(&set, &info, &none), SIGUSR1);
	CHECK_EQ(info.si_signo, SIGUSR1);
	sigset_t pending;
	CHECK_OK(sigpending(&pending));
	CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
}

TEST(sigwait_is_woken_by_another_process)
{
	sigset_t set = set_of(SIGUSR1);
	int sig = 0;

	block(SIGUSR1);
	pid_t parent = getpid(), pid = check_fork();
	if (pid == 0) {
		check_wait_asleep(parent, 0);
		CHECK_OK(kill(parent, SIGUSR1));
		_exit(0);
	}
	CHECK_RETURNS(sigwait(&set, &sig), 0);
	CHECK_EQ(sig, SIGUSR1);
	CHECK_EXIT(pid, 0);
}

TEST(sigtimedwait_is_interrupted_by_another_signal)
{
	sigset_t set = set_of(SIGUSR1);
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };
	struct timespec long_time = { 8, 0 };

	block(SIGUSR1);
	CHECK_OK(sigaction(SIGUSR2, &sa, NULL));
	pid_t parent = getpid(), pid = check_fork();
	if (pid == 0) {
		check_wait_asleep(parent, 0);
		CHECK_OK(kill(parent, SIGUSR2));
		_exit(0);
	}
	CHECK_ERRNO(sigtimedwait(&set, NULL, &long_time), EINTR);
	CHECK_EXIT(pid, 0);
}

TEST(tgkill_and_tkill_rules)
{
	struct sigaction sa = { .sa_sigaction = order_handler, .sa_flags = SA_SIGINFO };
	pid_t pid = getpid();

	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	CHECK_OK(syscall(SYS_tgkill, pid, pid, SIGUSR1));
	CHECK_EQ(count, 1);
	CHECK_EQ(got_info.si_code, SI_TKILL);
	CHECK_EQ(got_info.si_pid, pid);
	CHECK_OK(syscall(SYS_tkill, pid, SIGUSR1));
	CHECK_EQ(count, 2);
	CHECK_ERRNO(syscall(SYS_tgkill, pid, 4194300, SIGUSR1), ESRCH);
	CHECK_ERRNO(syscall(SYS_tgkill, 1, pid, SIGUSR1), ESRCH);
	CHECK_ERRNO(syscall(SYS_tgkill, -1, pid, SIGUSR1), EINVAL);
	CHECK_ERRNO(syscall(SYS_tgkill, pid, 0, SIGUSR1), EINVAL);
	CHECK_ERRNO(syscall(SYS_tgkill, pid, pid, 65), EINVAL);
	CHECK_OK(syscall(SYS_tgkill, pid, pid, 0));
}

TEST(sigpending_shows_thread_and_process_signals)
{
	sigset_t set, pending;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_OK(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR2));
	CHECK_OK(sigpending(&pending));
	CHECK_EQ(sigismember(&pending, SIGUSR1), 1);
	CHECK_EQ(sigismember(&pending, SIGUSR2), 1);
	CHECK_EQ(sigismember(&pending, SIGHUP), 0);
	CHECK_ERRNO(syscall(SYS_rt_sigpending, check_bad_address(), 8), EFAULT);
}

TEST(alarm_replaces_and_returns_the_rest)
{
	CHECK_EQ(alarm(0), 0);
	CHECK_EQ(alarm(100), 0);
	CHECK_RANGE(alarm(50), 99, 100);
	CHECK_RANGE(alarm(0), 49, 50);
	CHECK_EQ(alarm(0), 0);
	signal(SIGALRM, handler);
	alarm(1);
	CHECK_ERRNO(pause(), EINTR);
	CHECK_EQ(count, 1);
	CHECK_EQ(alarm(0), 0);
}

TEST(signalfd_reads_blocked_signals)
{
	struct signalfd_siginfo info;
	sigset_t set = set_of(SIGUSR1);

	block(SIGUSR1);
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0 && errno == ENOSYS)
		SKIP("no signalfd");
	CHECK(fd >= 0);
	CHECK_ERRNO(read(fd, &info, sizeof(info)), EAGAIN);
	CHECK_ERRNO(read(fd, &info, 10), EINVAL);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_OK(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 5 }));
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(read(fd, &info, sizeof(info)), sizeof(info));
	CHECK_EQ(info.ssi_signo, SIGUSR1);
	CHECK_EQ(info.ssi_int, 5);
	CHECK_EQ(info.ssi_pid, getpid());
	CHECK_ERRNO(read(fd, &info, sizeof(info)), EAGAIN);
}

TEST(many_signals_between_two_processes)
{
	enum { ROUNDS = 500 };
	sigset_t set = set_of(SIGUSR1);
	int sig;

	TIMEOUT(60);
	block(SIGUSR1);
	pid_t parent = getpid(), pid = check_fork();
	if (pid == 0) {
		for (int i = 0; i < ROUNDS; i++) {
			CHECK_RETURNS(sigwait(&set, &sig), 0);
			CHECK_OK(kill(parent, SIGUSR1));
		}
		_exit(0);
	}
	for (int i = 0; i < ROUNDS; i++) {
		CHECK_OK(kill(pid, SIGUSR1));
		CHECK_RETURNS(sigwait(&set, &sig), 0);
	}
	CHECK_EXIT(pid, 0);
}
