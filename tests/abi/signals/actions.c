/* SPDX-License-Identifier: MIT */
/* Handlers: sigaction's flags, masks, default actions, restarts. */
#include "../check.h"

#include <poll.h>
#include <setjmp.h>
#include <sys/mman.h>

static volatile sig_atomic_t count, depth, max_depth, last_signal, was_blocked;

static void
handler(int sig)
{
	count++;
	last_signal = sig;
}

static void
install(int sig, void (*f)(int), int flags)
{
	struct sigaction sa = { .sa_handler = f, .sa_flags = flags };

	CHECK_OK(sigaction(sig, &sa, NULL));
}

/* A child that sends `sig` to us each time we are asleep, `times` times. */
static pid_t
signal_me(int sig, int times)
{
	pid_t parent = getpid(), pid = check_fork();

	if (pid == 0) {
		for (int i = 0; i < times; i++) {
			check_sleep_ms(20);
			check_wait_asleep(parent, 0);
			CHECK_OK(kill(parent, sig));
		}
		_exit(0);
	}
	return pid;
}

TEST(sigaction_errors)
{
	struct sigaction sa = { .sa_handler = handler };

	CHECK_ERRNO(sigaction(SIGKILL, &sa, NULL), EINVAL);
	CHECK_ERRNO(sigaction(SIGSTOP, &sa, NULL), EINVAL);
	CHECK_ERRNO(sigaction(0, &sa, NULL), EINVAL);
	CHECK_ERRNO(sigaction(65, &sa, NULL), EINVAL);
	CHECK_OK(sigaction(SIGKILL, NULL, &sa));
	CHECK(sa.sa_handler == SIG_DFL);
	char *bad = check_bad_address();
	CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, bad, NULL, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, NULL, bad, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4), EINVAL);
}

TEST(sigaction_returns_what_was_set)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART | SA_NODEFER }, old;

	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, SIGHUP);
	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	CHECK_OK(sigaction(SIGUSR1, NULL, &old));
	CHECK(old.sa_handler == handler);
	CHECK_EQ(old.sa_flags & (SA_RESTART | SA_NODEFER | SA_RESETHAND), SA_RESTART | SA_NODEFER);
	CHECK_EQ(sigismember(&old.sa_mask, SIGHUP), 1);
	CHECK_EQ(sigismember(&old.sa_mask, SIGUSR1), 0);
}

TEST(handler_runs_before_raise_returns)
{
	install(SIGUSR1, handler, 0);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(count, 1);
	CHECK_EQ(last_signal, SIGUSR1);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(count, 2);
}

static void
recursive_handler(int sig)
{
	depth++;
	if (depth > max_depth)
		max_depth = depth;
	if (++count < 3)
		raise(sig);
	depth--;
}

TEST(own_signal_is_blocked_in_its_handler)
{
	install(SIGUSR1, recursive_handler, 0);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(count, 3);
	CHECK_EQ(max_depth, 1);
}

TEST(sa_nodefer_lets_it_nest)
{
	install(SIGUSR1, recursive_handler, SA_NODEFER);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(count, 3);
	CHECK_EQ(max_depth, 3);
}

static void
mask_handler(int sig __attribute__((unused)))
{
	sigset_t now;

	sigprocmask(SIG_BLOCK, NULL, &now);
	was_blocked = sigismember(&now, SIGUSR2);
	int before = count;
	raise(SIGUSR2);
	was_blocked = was_blocked && count == before;
}

TEST(sa_mask_is_blocked_in_the_handler_and_restored)
{
	struct sigaction sa = { .sa_handler = mask_handler };
	sigset_t now;

	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, SIGUSR2);
	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	install(SIGUSR2, handler, 0);
	CHECK_OK(raise(SIGUSR1));
	CHECK(was_blocked);
	CHECK_EQ(count, 1);
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
	CHECK_EQ(sigismember(&now, SIGUSR2), 0);
	CHECK_EQ(sigismember(&now, SIGUSR1), 0);
}

TEST(sa_resethand_is_for_one_time)
{
	struct sigaction old;

	install(SIGUSR1, handler, SA_RESETHAND);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(count, 1);
	CHECK_OK(sigaction(SIGUSR1, NULL, &old));
	CHECK(old.sa_handler == SIG_DFL);
}

TEST(default_actions_of_all_signals)
{
	static const int ignored[] = { SIGCHLD, SIGURG, SIGWINCH, SIGCONT };
	static const int stopping[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };

	TIMEOUT(30);
	for (int sig = 1; sig < NSIG; sig++) {
		bool ignores = false, stops = false;
		int status;
		if (sig == 32 || sig == 33)
			continue;
		for (int i = 0; i < 4; i++) {
			ignores |= sig == ignored[i];
			stops |= sig == stopping[i];
		}
		pid_t pid = check_fork();
		if (pid == 0) {
			syscall(SYS_tgkill, getpid(), getpid(), sig);
			_exit(44);
		}
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		if (ignores) {
			if (!WIFEXITED(status) || WEXITSTATUS(status) != 44)
				FAIL("signal %d (got status %#x, want it ignored)", sig, status);
		} else if (stops) {
			if (!WIFSTOPPED(status) || WSTOPSIG(status) != sig)
				FAIL("signal %d (got status %#x, want a stop)", sig, status);
			CHECK_OK(kill(pid, SIGKILL));
			CHECK_KILLED(pid, SIGKILL);
		} else if (!WIFSIGNALED(status) || WTERMSIG(status) != sig) {
			FAIL("signal %d (got status %#x, want death)", sig, status);
		}
	}
}

TEST(ignored_signal_is_discarded_even_if_pending)
{
	sigset_t set, pending;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_OK(raise(SIGUSR1));
	CHECK_OK(sigpending(&pending));
	CHECK_EQ(sigismember(&pending, SIGUSR1), 1);
	signal(SIGUSR1, SIG_IGN);
	CHECK_OK(sigpending(&pending));
	CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
	install(SIGUSR1, handler, 0);
	CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
	CHECK_EQ(count, 0);
}

TEST(read_returns_eintr_without_sa_restart)
{
	int ends[2];
	char c;

	CHECK_OK(pipe(ends));
	install(SIGUSR1, handler, 0);
	pid_t pid = signal_me(SIGUSR1, 1);
	CHECK_ERRNO(read(ends[0], &c, 1), EINTR);
	CHECK_EQ(count, 1);
	CHECK_EXIT(pid, 0);
}

TEST(read_goes_on_with_sa_restart)
{
	int ends[2];
	char c;

	CHECK_OK(pipe(ends));
	install(SIGUSR1, handler, SA_RESTART);
	pid_t parent = getpid(), pid = check_fork();
	if (pid == 0) {
		for (int i = 0; i < 3; i++) {
			check_sleep_ms(20);
			check_wait_asleep(parent, 0);
			CHECK_OK(kill(parent, SIGUSR1));
		}
		check_sleep_ms(20);
		check_write_all(ends[1], "x", 1);
		_exit(0);
	}
	CHECK_EQ(read(ends[0], &c, 1), 1);
	CHECK_EQ(count, 3);
	CHECK_EXIT(pid, 0);
}

TEST(ignored_signal_does_not_interrupt)
{
	int ends[2];
	char c;

	CHECK_OK(pipe(ends));
	signal(SIGUSR1, SIG_IGN);
	pid_t parent = getpid(), pid = check_fork();
	if (pid == 0) {
		check_wait_asleep(parent, 0);
		CHECK_OK(kill(parent, SIGUSR1));
		CHECK_OK(kill(parent, SIGWINCH));
		check_sleep_ms(20);
		check_write_all(ends[1], "x", 1);
		_exit(0);
	}
	CHECK_EQ(read(ends[0], &c, 1), 1);
	CHECK_EXIT(pid, 0);
}

TEST(stop_and_continue_do_not_interrupt_a_read)
{
	int ends[2];

	CHECK_OK(pipe(ends));
	pid_t pid = check_fork();
	if (pid == 0) {
		char c;
		CHECK_EQ(read(ends[0], &c, 1), 1);
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	int status;
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_OK(kill(pid, SIGCONT));
	check_wait_asleep(pid, 0);
	check_write_all(ends[1], "x", 1);
	CHECK_EXIT(pid, 0);
}

TEST(nanosleep_is_eintr_with_remaining_time_even_with_sa_restart)
{
	struct timespec t = { 8, 0 }, left = { 77, 77 };

	install(SIGUSR1, handler, SA_RESTART);
	pid_t pid = signal_me(SIGUSR1, 1);
	CHECK_ERRNO(nanosleep(&t, &left), EINTR);
	CHECK_RANGE(left.tv_sec, 1, 7);
	CHECK_RANGE(left.tv_nsec, 0, 999999999);
	CHECK_EXIT(pid, 0);
}

TEST(stopped_nanosleep_keeps_its_deadline)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		long long start = check_now_ms();
		struct timespec t = { 0, 400000000 };
		CHECK_OK(nanosleep(&t, NULL));
		CHECK_RANGE(check_now_ms() - start, 399, 5000);
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	int status;
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EXIT(pid, 0);
}

TEST(pause_returns_eintr_after_the_handler)
{
	install(SIGUSR1, handler, SA_RESTART);
	pid_t pid = signal_me(SIGUSR1, 1);
	CHECK_ERRNO(pause(), EINTR);
	CHECK_EQ(count, 1);
	CHECK_EXIT(pid, 0);
}

TEST(sigsuspend_swaps_the_mask_for_the_wait)
{
	sigset_t block, none, now;

	install(SIGUSR1, handler, SA_RESTART);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &block, NULL));
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(count, 0);
	CHECK_ERRNO(sigsuspend(&none), EINTR);
	CHECK_EQ(count, 1);
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
	CHECK_EQ(sigismember(&now, SIGUSR1), 1);
	CHECK_ERRNO(syscall(SYS_rt_sigsuspend, check_bad_address(), 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_rt_sigsuspend, &none, 4), EINVAL);
}

TEST(sigprocmask_rules)
{
	sigset_t set, old;

	sigfillset(&set);
	CHECK_OK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, &old, 8));
	CHECK_OK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &old, 8));
	CHECK_EQ(sigismember(&old, SIGKILL), 0);
	CHECK_EQ(sigismember(&old, SIGSTOP), 0);
	CHECK_EQ(sigismember(&old, SIGTERM), 1);
	CHECK_ERRNO(syscall(SYS_rt_sigprocmask, 77, &set, NULL, 8), EINVAL);
	CHECK_OK(syscall(SYS_rt_sigprocmask, 77, NULL, NULL, 8));
	CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 16), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, check_bad_address(), NULL, 8), EFAULT);
	sigemptyset(&set);
	CHECK_OK(sigprocmask(SIG_SETMASK, &set, NULL));
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &old));
	CHECK_EQ(sigismember(&old, SIGTERM), 0);
}

TEST(unblocking_delivers_before_the_call_returns)
{
	sigset_t set;

	install(SIGUSR1, handler, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_OK(raise(SIGUSR1));
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(count, 0);
	CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
	CHECK_EQ(count, 1);
}

static sigjmp_buf escape;

static void
jumping_handler(int sig)
{
	count++;
	siglongjmp(escape, sig);
}

TEST(siglongjmp_leaves_a_handler_many_times)
{
	install(SIGUSR1, jumping_handler, 0);
	for (volatile int i = 0; i < 1000; i++) {
		if (sigsetjmp(escape, 1) == 0) {
			raise(SIGUSR1);
			FAIL("raise returned (got a return, want a jump)");
		}
	}
	CHECK_EQ(count, 1000);
}

TEST(setjmp_recovers_from_a_fault)
{
	volatile char *bad = check_bad_address();

	install(SIGSEGV, jumping_handler, 0);
	for (volatile int i = 0; i < 100; i++) {
		if (sigsetjmp(escape, 1) == 0)
			*bad = 1;
	}
	CHECK_EQ(count, 100);
}

TEST(sigkill_and_sigstop_cannot_be_blocked)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		sigset_t all;
		sigfillset(&all);
		sigprocmask(SIG_BLOCK, &all, NULL);
		for (;;)
			check_sleep_ms(1000);
	}
	check_wait_asleep(pid, 0);
	int status;
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(sigkill_ends_a_busy_loop)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		for (;;)
			;
	}
	check_sleep_ms(20);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(sigcont_runs_its_handler_after_continuing)
{
	int ends[2];
	char c;

	CHECK_OK(pipe(ends));
	pid_t pid = check_fork();
	if (pid == 0) {
		install(SIGCONT, handler, 0);
		raise(SIGSTOP);
		CHECK_EQ(count, 1);
		check_write_all(ends[1], "c", 1);
		_exit(0);
	}
	int status;
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_OK(kill(pid, SIGCONT));
	check_read_all(ends[0], &c, 1);
	CHECK_EXIT(pid, 0);
}

TEST(sigcont_continues_although_blocked_or_ignored)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		sigset_t set;
		sigemptyset(&set);
		sigaddset(&set, SIGCONT);
		sigprocmask(SIG_BLOCK, &set, NULL);
		raise(SIGSTOP);
		signal(SIGCONT, SIG_IGN);
		raise(SIGSTOP);
		_exit(3);
	}
	int status;
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EXIT(pid, 3);
}

TEST(stop_and_cont_discard_each_other)
{
	sigset_t set, pending;

	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGCONT);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	install(SIGCONT, handler, 0);
	CHECK_OK(raise(SIGTSTP));
	CHECK_OK(raise(SIGCONT));
	CHECK_OK(sigpending(&pending));
	CHECK_EQ(sigismember(&pending, SIGTSTP), 0);
	CHECK_EQ(sigismember(&pending, SIGCONT), 1);
	CHECK_OK(raise(SIGTSTP));
	CHECK_OK(sigpending(&pending));
	CHECK_EQ(sigismember(&pending, SIGTSTP), 1);
	CHECK_EQ(sigismember(&pending, SIGCONT), 0);
}

static siginfo_t child_info;

static void
child_handler(int sig __attribute__((unused)), siginfo_t *info,
	      void *context __attribute__((unused)))
{
	child_info = *info;
	count++;
}

TEST(sigchld_tells_how_a_child_ended)
{
	struct sigaction sa = { .sa_sigaction = child_handler, .sa_flags = SA_SIGINFO };
	sigset_t block, none;

	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	CHECK_OK(sigprocmask(SIG_BLOCK, &block, NULL));
	CHECK_OK(sigaction(SIGCHLD, &sa, NULL));
	pid_t pid = check_fork();
	if (pid == 0)
		_exit(6);
	CHECK_ERRNO(sigsuspend(&none), EINTR);
	CHECK_EQ(child_info.si_code, CLD_EXITED);
	CHECK_EQ(child_info.si_pid, pid);
	CHECK_EQ(child_info.si_status, 6);
	CHECK_EQ(child_info.si_uid, getuid());
	CHECK_EXIT(pid, 6);
	pid = check_fork();
	if (pid == 0) {
		for (;;)
			pause();
	}
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_ERRNO(sigsuspend(&none), EINTR);
	CHECK_EQ(child_info.si_code, CLD_STOPPED);
	CHECK_EQ(child_info.si_status, SIGSTOP);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_ERRNO(sigsuspend(&none), EINTR);
	CHECK_EQ(child_info.si_code, CLD_CONTINUED);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_ERRNO(sigsuspend(&none), EINTR);
	CHECK_EQ(child_info.si_code, CLD_KILLED);
	CHECK_EQ(child_info.si_status, SIGKILL);
	CHECK_KILLED(pid, SIGKILL);
}

TEST(sa_nocldstop_hides_stops)
{
	install(SIGCHLD, handler, SA_NOCLDSTOP);
	pid_t pid = check_fork();
	if (pid == 0) {
		for (;;)
			pause();
	}
	siginfo_t info;
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED));
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WCONTINUED));
	CHECK_EQ(count, 0);
	CHECK_OK(kill(pid, SIGKILL));
	int status;
	while (waitpid(pid, &status, 0) < 0)
		CHECK_EQ(errno, EINTR);
	CHECK_EQ(count, 1);
}

TEST(ignored_sigchld_reaps_children)
{
	signal(SIGCHLD, SIG_IGN);
	pid_t pid = check_fork();
	if (pid == 0)
		_exit(0);
	CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
	/* The parent may hear of it a moment before the pid is free. */
	for (int i = 0; i < 4000 && kill(pid, 0) == 0; i++)
		check_sleep_ms(2);
	CHECK_ERRNO(kill(pid, 0), ESRCH);
}

TEST(sa_nocldwait_reaps_but_signals)
{
	install(SIGCHLD, handler, SA_NOCLDWAIT | SA_RESTART);
	pid_t pid = check_fork();
	if (pid == 0)
		_exit(0);
	CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
	CHECK_EQ(count, 1);
}

static void
nest_two(int sig __attribute__((unused)))
{
	count = count * 10 + 2;
}

static void
nest_one(int sig __attribute__((unused)))
{
	raise(SIGUSR2);
	count = count * 10 + 1;
}

TEST(different_signals_nest)
{
	install(SIGUSR1, nest_one, 0);
	install(SIGUSR2, nest_two, 0);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(count, 21);
}

TEST(abort_kills_despite_handler_and_block)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		sigset_t set;
		install(SIGABRT, handler, 0);
		sigemptyset(&set);
		sigaddset(&set, SIGABRT);
		sigprocmask(SIG_BLOCK, &set, NULL);
		abort();
	}
	CHECK_KILLED(pid, SIGABRT);
}
