/* SPDX-License-Identifier: MIT */
/* prctl(PR_SET_TSC): threads that may not read the time-stamp counter. */
#include "../check.h"

#include <pthread.h>
#include <setjmp.h>
#include <sys/prctl.h>

static sigjmp_buf back;
static volatile sig_atomic_t code_seen;

static void
go_back(int signo __attribute__((unused)), siginfo_t *info, void *context __attribute__((unused)))
{
	code_seen = info->si_code;
	siglongjmp(back, 1);
}

/* Can the counter be read? All that may ask the clock is left out: it reads the counter too. */
static bool
readable(bool with_processor)
{
	struct sigaction action = { .sa_sigaction = go_back, .sa_flags = SA_SIGINFO };
	unsigned int low, high, processor;

	CHECK_OK(sigaction(SIGSEGV, &action, NULL));
	if (sigsetjmp(back, 1))
		return false;
	if (with_processor)
		__asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(processor));
	else
		__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return true;
}

static void *
may_read(void *arg __attribute__((unused)))
{
	return (void *)(long)readable(false);
}

static bool
other_thread_may(void)
{
	pthread_t thread;
	void *result;

	CHECK_EQ(pthread_create(&thread, NULL, may_read, NULL), 0);
	CHECK_EQ(pthread_join(thread, &result), 0);
	return result != NULL;
}

TEST(the_counter_faults_where_it_may_not_be_read)
{
	int mode = 0;

	CHECK_OK(prctl(PR_GET_TSC, &mode));
	CHECK_EQ(mode, PR_TSC_ENABLE);
	CHECK(readable(false));
	CHECK_OK(prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
	CHECK_OK(prctl(PR_GET_TSC, &mode));
	CHECK_EQ(mode, PR_TSC_SIGSEGV);
	CHECK(!readable(false));
	CHECK_EQ(code_seen, SI_KERNEL);
	CHECK(!readable(true));
	CHECK(!other_thread_may());
	CHECK_OK(prctl(PR_SET_TSC, PR_TSC_ENABLE));
	CHECK(readable(false));
	CHECK(other_thread_may());
	CHECK_ERRNO(prctl(PR_SET_TSC, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_TSC, 3), EINVAL);
	CHECK_ERRNO(prctl(PR_GET_TSC, check_bad_address()), EFAULT);
}

/* Who may and who may not take turns on one processor. */
TEST(the_counter_is_each_threads_own)
{
	int fds[2][2];
	char byte = 0;
	pid_t pid;

	CHECK_OK(pipe(fds[0]));
	CHECK_OK(pipe(fds[1]));
	pid = CHECK_OK(fork());
	if (pid == 0) {
		CHECK_OK(prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
		for (int i = 0; i < 100; i++) {
			CHECK(!readable(false));
			check_write_all(fds[0][1], &byte, 1);
			CHECK_EQ(read(fds[1][0], &byte, 1), 1);
		}
		_exit(0);
	}
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(read(fds[0][0], &byte, 1), 1);
		CHECK(readable(false));
		check_write_all(fds[1][1], &byte, 1);
	}
	CHECK_EXIT(pid, 0);
}

/* A program that gets so far as to tell must not need the clock to start. */
HELPER(tell_tsc)
{
	_exit(readable(false) ? 1 : 0);
}

TEST(children_and_new_programs_may_not_either)
{
	char *arguments[] = { "self", "--helper", "tell_tsc", NULL };
	pid_t pid;

	CHECK_OK(prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
	pid = CHECK_OK(fork());
	if (pid == 0) {
		if (readable(false))
			_exit(1);
		execv("/proc/self/exe", arguments);
		_exit(2);
	}
	CHECK_OK(prctl(PR_SET_TSC, PR_TSC_ENABLE));
	CHECK_EXIT(pid, 0);
}
