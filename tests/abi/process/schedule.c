/* SPDX-License-Identifier: MIT */
/* Priorities, policies and affinity, as far as calls show them. */
#include "../check.h"

#include <sched.h>
#include <sys/resource.h>

TEST(nice_moves_and_clamps)
{
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
	CHECK_EQ(nice(5), 5);
	CHECK_EQ(nice(100), 19);
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
	CHECK_EQ(nice(-100), -20);
	errno = 0;
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), -20);
	CHECK_EQ(errno, 0);
	CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 40);
}

TEST(nice_needs_privilege_to_fall)
{
	CHECK_EQ(nice(5), 5);
	check_drop_root();
	CHECK_ERRNO(nice(-1), EPERM);
	CHECK_ERRNO(setpriority(PRIO_PROCESS, 0, 0), EACCES);
	CHECK_EQ(nice(1), 6);
}

TEST(setpriority_of_groups_and_errors)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		for (;;)
			pause();
	}
	CHECK_OK(setpriority(PRIO_PGRP, 0, 4));
	CHECK_EQ(getpriority(PRIO_PROCESS, (id_t)pid), 4);
	CHECK_ERRNO(setpriority(77, 0, 4), EINVAL);
	CHECK_ERRNO(getpriority(77, 0), EINVAL);
	CHECK_ERRNO(setpriority(PRIO_PROCESS, 4194300, 4), ESRCH);
	CHECK_ERRNO(getpriority(PRIO_PROCESS, 4194300), ESRCH);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
	check_drop_root();
	CHECK_ERRNO(setpriority(PRIO_PROCESS, (id_t)getppid(), 10), EPERM);
}

TEST(nice_is_inherited)
{
	CHECK_EQ(nice(7), 7);
	pid_t pid = check_fork();
	if (pid == 0)
		_exit(getpriority(PRIO_PROCESS, 0));
	CHECK_EXIT(pid, 7);
}

TEST(priority_ranges_of_policies)
{
	CHECK_EQ(sched_get_priority_min(SCHED_FIFO), 1);
	CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
	CHECK_EQ(sched_get_priority_min(SCHED_RR), 1);
	CHECK_EQ(sched_get_priority_max(SCHED_RR), 99);
	CHECK_EQ(sched_get_priority_min(SCHED_OTHER), 0);
	CHECK_EQ(sched_get_priority_max(SCHED_OTHER), 0);
	CHECK_ERRNO(sched_get_priority_max(77), EINVAL);
	CHECK_EQ(sched_get_priority_min(6), 0); /* SCHED_DEADLINE */
	CHECK_EQ(sched_get_priority_max(6), 0);
	CHECK_ERRNO(sched_get_priority_max(7), EINVAL);
}

TEST(scheduler_policy_set_and_get)
{
	struct sched_param p = { .sched_priority = 10 };

	CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
	CHECK_OK(sched_setscheduler(0, SCHED_FIFO, &p));
	CHECK_EQ(sched_getscheduler(0), SCHED_FIFO);
	p.sched_priority = 0;
	CHECK_OK(sched_getparam(0, &p));
	CHECK_EQ(p.sched_priority, 10);
	pid_t pid = check_fork();
	if (pid == 0)
		_exit(sched_getscheduler(0));
	CHECK_EXIT(pid, SCHED_FIFO);
	p.sched_priority = 20;
	CHECK_OK(sched_setparam(0, &p));
	CHECK_OK(sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &p));
	CHECK_EQ(sched_getscheduler(0), SCHED_RR | SCHED_RESET_ON_FORK);
	pid = check_fork();
	if (pid == 0)
		_exit(sched_getscheduler(0));
	CHECK_EXIT(pid, SCHED_OTHER);
	struct timespec t;
	CHECK_OK(sched_rr_get_interval(0, &t));
	CHECK(t.tv_sec == 0 && t.tv_nsec > 0);
	p.sched_priority = 0;
	CHECK_OK(sched_setscheduler(0, SCHED_BATCH, &p));
	CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
}

TEST(scheduler_policy_errors)
{
	struct sched_param p = { .sched_priority = 0 };

	CHECK_ERRNO(sched_setscheduler(0, SCHED_FIFO, &p), EINVAL);
	p.sched_priority = 100;
	CHECK_ERRNO(sched_setscheduler(0, SCHED_RR, &p), EINVAL);
	p.sched_priority = 1;
	CHECK_ERRNO(sched_setscheduler(0, SCHED_OTHER, &p), EINVAL);
	CHECK_ERRNO(sched_setscheduler(0, 77, &p), EINVAL);
	CHECK_ERRNO(sched_setscheduler(-1, SCHED_OTHER, &p), EINVAL);
	CHECK_ERRNO(sched_getscheduler(-1), EINVAL);
	CHECK_ERRNO(sched_getscheduler(4194300), ESRCH);
	CHECK_ERRNO(sched_setscheduler(4194300, SCHED_FIFO, &p), ESRCH);
	CHECK_ERRNO(sched_setscheduler(0, SCHED_FIFO, NULL), EINVAL);
	CHECK_ERRNO(sched_setscheduler(0, SCHED_FIFO, check_bad_address()), EFAULT);
	CHECK_OK(setrlimit(RLIMIT_RTPRIO, &(struct rlimit){ 0, 0 }));
	check_drop_root();
	CHECK_ERRNO(sched_setscheduler(0, SCHED_FIFO, &p), EPERM);
}

TEST(real_time_thread_runs_before_normal_ones)
{
	cpu_set_t one;
	struct sched_param p = { .sched_priority = 10 };
	int ends[2];
	char c;

	/* On one CPU: the waker stays normal, the woken FIFO child must run at once. */
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
	CHECK_OK(pipe(ends));
	FILE *f = tmpfile();
	CHECK(f);
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(sched_setscheduler(0, SCHED_FIFO, &p));
		CHECK_EQ(read(ends[0], &c, 1), 1);
		CHECK_EQ(pwrite(fileno(f), "x", 1, 0), 1);
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(pread(fileno(f), &c, 1, 0), 1);
	CHECK_EXIT(pid, 0);
}

TEST(affinity_set_get_and_errors)
{
	cpu_set_t all, one, got;

	long size = CHECK_OK(syscall(SYS_sched_getaffinity, 0, sizeof(all), &all));
	CHECK(size > 0 && size % 8 == 0);
	CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
	int cpu = 0;
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CHECK_ERRNO(sched_setaffinity(0, sizeof(one), &one), EINVAL);
	CPU_SET(cpu, &one);
	CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
	CHECK_EQ(sched_getcpu(), cpu);
	CHECK_OK(sched_getaffinity(0, sizeof(got), &got));
	CHECK(CPU_EQUAL(&one, &got));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(sched_getaffinity(0, sizeof(got), &got));
		_exit(CPU_EQUAL(&one, &got) ? 0 : 1);
	}
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 1, &got), EINVAL);
	CHECK_ERRNO(sched_getaffinity(4194300, sizeof(got), &got), ESRCH);
	CHECK_ERRNO(sched_setaffinity(4194300, sizeof(one), &one), ESRCH);
	CHECK_ERRNO(sched_setaffinity(0, sizeof(one), check_bad_address()), EFAULT);
	CHECK_OK(sched_setaffinity(0, sizeof(all), &all));
}

TEST(affinity_moves_between_all_cpus)
{
	cpu_set_t all, one;

	CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
	for (int round = 0; round < 20; round++) {
		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
			if (!CPU_ISSET(cpu, &all))
				continue;
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
			CHECK_EQ(sched_getcpu(), cpu);
		}
	}
}

TEST(yield_lets_an_equal_run)
{
	cpu_set_t one;
	int ends[2];
	char c;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
	CHECK_OK(pipe2(ends, O_NONBLOCK));
	pid_t pid = check_fork();
	if (pid == 0) {
		check_write_all(ends[1], "x", 1);
		_exit(0);
	}
	while (read(ends[0], &c, 1) != 1)
		CHECK_OK(sched_yield());
	CHECK_EXIT(pid, 0);
}

TEST(a_busy_process_does_not_starve_another)
{
	cpu_set_t one;
	long long start = check_now_ms();

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
	pid_t busy = check_fork();
	if (busy == 0) {
		for (;;)
			;
	}
	struct timespec cpu;
	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	while (cpu.tv_sec == 0 && cpu.tv_nsec < 100000000);
	CHECK(check_now_ms() - start < 5000);
	CHECK_OK(kill(busy, SIGKILL));
	CHECK_KILLED(busy, SIGKILL);
}

#define IO_PRIORITY(class, data) ((class) << 13 | (data))

static long
io_get(int which, int who)
{
	return syscall(SYS_ioprio_get, which, who);
}

static long
io_set(int which, int who, int value)
{
	return syscall(SYS_ioprio_set, which, who, value);
}

TEST(io_priority_errors)
{
	CHECK_ERRNO(io_get(0, 0), EINVAL);
	CHECK_ERRNO(io_get(4, 0), EINVAL);
	CHECK_ERRNO(io_set(0, 0, IO_PRIORITY(2, 0)), EINVAL);
	CHECK_ERRNO(io_set(1, 0, IO_PRIORITY(0, 1)), EINVAL);
	CHECK_ERRNO(io_set(1, 0, IO_PRIORITY(4, 0)), EINVAL);
	CHECK_OK(io_set(1, 0, IO_PRIORITY(3, 5)));
	CHECK_ERRNO(io_get(1, 0x7ffffff0), ESRCH);
	CHECK_ERRNO(io_set(1, 0x7ffffff0, 0), ESRCH);
	CHECK_ERRNO(io_get(2, 0x7ffffff0), ESRCH);
	CHECK_ERRNO(io_set(3, 0x7ffffff0, 0), ESRCH);
	check_drop_root();
	CHECK_ERRNO(io_set(1, 0, IO_PRIORITY(1, 0)), EPERM);
	CHECK_ERRNO(io_set(1, 1, IO_PRIORITY(2, 0)), EPERM);
	CHECK_OK(io_set(1, 0, IO_PRIORITY(2, 0)));
}

struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static long
set_deadline(uint64_t runtime, uint64_t deadline, uint64_t period, uint32_t priority)
{
	struct attributes a = { .size = sizeof(a), .policy = 6, .priority = priority, .runtime = runtime,
				.deadline = deadline, .period = period };

	return syscall(SYS_sched_setattr, 0, &a, 0);
}

/* What SCHED_DEADLINE takes for wrong, before it is asked whether there is time left. */
TEST(deadline_parameters_are_checked)
{
	enum { MS = 1000000 };
	struct sched_param none = { 0 };
	cpu_set_t all, one;

	CHECK_ERRNO(sched_setscheduler(0, 6, &none), EINVAL);
	CHECK_ERRNO(set_deadline(0, 100 * MS, 100 * MS, 0), EINVAL);
	CHECK_ERRNO(set_deadline(1023, 100 * MS, 100 * MS, 0), EINVAL);
	CHECK_ERRNO(set_deadline(10 * MS, 0, 100 * MS, 0), EINVAL);
	CHECK_ERRNO(set_deadline(10 * MS, 9 * MS, 100 * MS, 0), EINVAL);
	CHECK_ERRNO(set_deadline(10 * MS, 100 * MS, 99 * MS, 0), EINVAL);
	CHECK_ERRNO(set_deadline(10 * MS, 100 * MS, 1ull << 63, 0), EINVAL);
	CHECK_ERRNO(set_deadline(10 * MS, 100 * MS, 5000ull * MS, 0), EINVAL);
	CHECK_ERRNO(set_deadline(2048, 99000, 99000, 0), EINVAL);
	CHECK_ERRNO(set_deadline(10 * MS, 100 * MS, 100 * MS, 1), EINVAL);
	CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
	if (CPU_COUNT(&all) > 1) {
		CPU_ZERO(&one);
		CPU_SET(0, &one);
		CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
		CHECK_ERRNO(set_deadline(10 * MS, 100 * MS, 0, 0), EPERM);
		CHECK_OK(sched_setaffinity(0, sizeof(all), &all));
	}
	check_drop_root();
	CHECK_ERRNO(set_deadline(10 * MS, 100 * MS, 100 * MS, 0), EPERM);
	CHECK_ERRNO(set_deadline(0, 100 * MS, 100 * MS, 0), EINVAL);
	CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
}
