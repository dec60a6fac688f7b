/* SPDX-License-Identifier: MIT */
/* Resource limits are kept; usage is counted. */
#include "../check.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/times.h>

static volatile sig_atomic_t signals_seen;

static void
count_signal(int sig __attribute__((unused)))
{
	signals_seen++;
}

TEST(rlimit_get_set_and_errors)
{
	struct rlimit l, r = { 100, 200 };

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &r));
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &l));
	CHECK_EQ(l.rlim_cur, 100);
	CHECK_EQ(l.rlim_max, 200);
	r.rlim_cur = 201;
	CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &r), EINVAL);
	CHECK_ERRNO(getrlimit((__rlimit_resource_t)99, &l), EINVAL);
	CHECK_ERRNO(setrlimit((__rlimit_resource_t)99, &r), EINVAL);
	CHECK_ERRNO(syscall(SYS_getrlimit, RLIMIT_NOFILE, check_bad_address()), EFAULT);
	CHECK_ERRNO(syscall(SYS_setrlimit, RLIMIT_NOFILE, check_bad_address()), EFAULT);
}

TEST(rlimit_hard_limit_only_falls_without_privilege)
{
	check_drop_root();
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 50, 100 }));
	CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 50, 101 }), EPERM);
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 100, 100 }));
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 10, 90 }));
}

TEST(prlimit_of_others)
{
	struct rlimit old;
	pid_t pid = check_fork();

	if (pid == 0) {
		for (;;)
			pause();
	}
	CHECK_OK(prlimit(pid, RLIMIT_NOFILE, &(struct rlimit){ 64, 65 }, &old));
	CHECK(old.rlim_max != 65);
	CHECK_OK(prlimit(pid, RLIMIT_NOFILE, NULL, &old));
	CHECK_EQ(old.rlim_cur, 64);
	CHECK_ERRNO(prlimit(4194300, RLIMIT_NOFILE, NULL, &old), ESRCH);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
	check_drop_root();
	CHECK_ERRNO(prlimit(getppid(), RLIMIT_NOFILE, NULL, &old), EPERM);
}

TEST(rlimits_survive_fork_and_exec)
{
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 321, 322 }));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(fcntl(CHECK_FD, F_SETFD, 0));
		execl("/proc/self/exe", "x", "--helper", "limit_is_321", NULL);
		_exit(99);
	}
	CHECK_EXIT(pid, 0);
}

HELPER(limit_is_321)
{
	struct rlimit l;

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &l));
	CHECK_EQ(l.rlim_cur, 321);
	CHECK_EQ(l.rlim_max, 322);
}

TEST(rlimit_as_is_enomem)
{
	CHECK_OK(setrlimit(RLIMIT_AS, &(struct rlimit){ 64 << 20, 64 << 20 }));
	CHECK_ERRNO(mmap(NULL, 128 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	char *p = CHECK_OK(mmap(NULL, 16 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CHECK_ERRNO(mremap(p, 16 << 20, 128 << 20, MREMAP_MAYMOVE), ENOMEM);
	CHECK_ERRNO(sbrk(128 << 20), ENOMEM);
	CHECK_OK(munmap(p, 16 << 20));
	CHECK_OK(mmap(NULL, 16 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

TEST(rlimit_data_holds_brk_and_private_memory)
{
	CHECK_OK(setrlimit(RLIMIT_DATA, &(struct rlimit){ 16 << 20, 16 << 20 }));
	CHECK_ERRNO(sbrk(32 << 20), ENOMEM);
	CHECK_ERRNO(mmap(NULL, 32 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0), ENOMEM);
	CHECK_OK(mmap(NULL, 32 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CHECK_OK(sbrk(1 << 20));
}

/* Uses `kib` KiB of stack. */
static int __attribute__((noinline))
dig(int kib)
{
	volatile char room[1024];

	room[0] = (char)kib;
	if (kib == 0)
		return 0;
	int deeper = dig(kib - 1);
	return deeper + room[0] * 0;
}

TEST(rlimit_stack_bounds_its_growth)
{
	CHECK_OK(setrlimit(RLIMIT_STACK, &(struct rlimit){ 1 << 20, 8 << 20 }));
	pid_t pid = check_fork();
	if (pid == 0)
		_exit(dig(500));
	CHECK_EXIT(pid, 0);
	pid = check_fork();
	if (pid == 0)
		_exit(dig(2000));
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(rlimit_nproc_is_eagain_without_privilege)
{
	CHECK_OK(setrlimit(RLIMIT_NPROC, &(struct rlimit){ 3, 3 }));
	check_become(54321, 54321);
	int made = 0;
	pid_t pids[10];
	for (; made < 10; made++) {
		pids[made] = fork();
		if (pids[made] == 0) {
			for (;;)
				pause();
		}
		if (pids[made] < 0)
			break;
	}
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(made, 2);
	for (int i = 0; i < made; i++) {
		CHECK_OK(kill(pids[i], SIGKILL));
		CHECK_KILLED(pids[i], SIGKILL);
	}
	pid_t pid = check_fork();
	if (pid == 0)
		_exit(0);
	CHECK_EXIT(pid, 0);
}

TEST(rlimit_nproc_does_not_bind_root)
{
	CHECK_OK(setrlimit(RLIMIT_NPROC, &(struct rlimit){ 1, 1 }));
	pid_t pid = check_fork();
	if (pid == 0)
		_exit(0);
	CHECK_EXIT(pid, 0);
}

TEST(rlimit_cpu_sends_sigxcpu_then_sigkill)
{
	TIMEOUT(60);
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(setrlimit(RLIMIT_CPU, &(struct rlimit){ 1, 5 }));
		for (;;)
			;
	}
	CHECK_KILLED(pid, SIGXCPU);
	pid = check_fork();
	if (pid == 0) {
		signal(SIGXCPU, SIG_IGN);
		CHECK_OK(setrlimit(RLIMIT_CPU, &(struct rlimit){ 1, 2 }));
		for (;;)
			;
	}
	CHECK_KILLED(pid, SIGKILL);
}

TEST(rlimit_cpu_handler_runs)
{
	TIMEOUT(30);
	signal(SIGXCPU, count_signal);
	CHECK_OK(setrlimit(RLIMIT_CPU, &(struct rlimit){ 1, RLIM_INFINITY }));
	while (!signals_seen)
		;
	CHECK(clock() >= CLOCKS_PER_SEC * 9 / 10);
}

TEST(rlimit_core_zero_makes_no_core)
{
	int status;
	pid_t pid = check_fork();

	if (pid == 0)
		abort();
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WTERMSIG(status), SIGABRT);
	CHECK(!WCOREDUMP(status));
	CHECK_ERRNO(access("core", F_OK), ENOENT);
}

TEST(rlimit_sigpending_bounds_queued_signals)
{
	sigset_t set;
	int queued = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	check_become(54322, 54322);
	CHECK_OK(setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){ 10, 10 }));
	while (queued < 100 && sigqueue(getpid(), SIGRTMIN, (union sigval){ 0 }) == 0)
		queued++;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(queued, 10);
}

TEST(getrusage_counts_time_and_faults)
{
	struct rusage a, b;

	CHECK_OK(getrusage(RUSAGE_SELF, &a));
	char *p = CHECK_OK(mmap(NULL, 100 * 4096, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CHECK_OK(madvise(p, 100 * 4096, MADV_NOHUGEPAGE));
	for (int i = 0; i < 100; i++)
		p[i * 4096] = 1;
	CHECK_OK(getrusage(RUSAGE_SELF, &b));
	CHECK(b.ru_minflt - a.ru_minflt >= 100);
	CHECK(b.ru_maxrss > 0);
	CHECK_OK(getrusage(RUSAGE_THREAD, &b));
	CHECK_OK(getrusage(RUSAGE_CHILDREN, &b));
	CHECK_EQ(b.ru_utime.tv_sec, 0);
	CHECK_ERRNO(getrusage((__rusage_who_t)77, &b), EINVAL);
	CHECK_ERRNO(getrusage(RUSAGE_SELF, check_bad_address()), EFAULT);
}

TEST(getrusage_counts_voluntary_switches)
{
	struct rusage a, b;

	CHECK_OK(getrusage(RUSAGE_SELF, &a));
	for (int i = 0; i < 5; i++)
		check_sleep_ms(20);
	CHECK_OK(getrusage(RUSAGE_SELF, &b));
	CHECK(b.ru_nvcsw - a.ru_nvcsw >= 5);
}

TEST(times_count_cpu_of_self_and_children)
{
	struct tms t;
	struct timespec cpu;

	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	while (cpu.tv_sec == 0 && cpu.tv_nsec < 80000000);
	clock_t a = CHECK_OK(times(&t));
	CHECK_RANGE(t.tms_utime + t.tms_stime, 5, 400);
	CHECK_EQ(t.tms_cutime + t.tms_cstime, 0);
	pid_t pid = check_fork();
	if (pid == 0) {
		do
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
		while (cpu.tv_sec == 0 && cpu.tv_nsec < 80000000);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	clock_t b = CHECK_OK(times(&t));
	CHECK_RANGE(t.tms_cutime + t.tms_cstime, 5, 400);
	CHECK(b >= a + 6);
	CHECK_ERRNO(syscall(SYS_times, check_bad_address()), EFAULT);
}

TEST(prctl_name_and_errors)
{
	char name[16], text[32];

	CHECK_OK(prctl(PR_SET_NAME, "a_very_long_thread_name"));
	CHECK_OK(prctl(PR_GET_NAME, name));
	CHECK_STR(name, "a_very_long_thr");
	check_read_file("/proc/self/comm", text, sizeof(text));
	CHECK_STR(text, "a_very_long_thr\n");
	CHECK_ERRNO(prctl(PR_SET_NAME, check_bad_address()), EFAULT);
	CHECK_ERRNO(prctl(123456, 0, 0, 0, 0), EINVAL);
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
	CHECK_OK(prctl(PR_SET_DUMPABLE, 0));
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
	CHECK_ERRNO(prctl(PR_SET_DUMPABLE, 77), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_PDEATHSIG, 77), EINVAL);
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	CHECK_ERRNO(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
}

/* A zombie has limits but uses no time: nothing of it may run once it has been reaped. */
TEST(rlimit_cpu_of_a_zombie_may_be_set)
{
	struct rlimit l = { 1, 2 };
	siginfo_t info;
	pid_t pid = check_fork();

	if (pid == 0)
		_exit(0);
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	CHECK_OK(prlimit(pid, RLIMIT_CPU, &l, NULL));
	CHECK_EXIT(pid, 0);
	check_sleep_ms(1300);
	pid = check_fork();
	if (pid == 0)
		_exit(0);
	CHECK_EXIT(pid, 0);
}
