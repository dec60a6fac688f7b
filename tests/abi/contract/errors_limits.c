/* SPDX-License-Identifier: MIT */
/*
 * errors_limits.c - the errors that the manual gives for scheduling, limits, names, numbers and
 * handles of processes, call by call.
 */
#include "words.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <sys/wait.h>

static char buf[70000];
static siginfo_t si;
static struct rusage ru;
static struct rlimit rl;

TEST(scheduling_refuses_what_the_manual_says)
{
	void *bad = check_bad_address();
	struct sched_param p = {0};
	cpu_set_t cs;
	struct timespec ts;
	unsigned long m[20] = {0};
	CHECK_ERRNO(sched_setscheduler(-1, 0, &p), EINVAL);
	CHECK_ERRNO(sched_setscheduler(0, -1, &p), EINVAL);
	CHECK_ERRNO(sched_setscheduler(0, 9, &p), EINVAL);
	CHECK_ERRNO(sched_setscheduler(0, 4, &p), EINVAL);
	CHECK_ERRNO(sched_setscheduler(0, 0, NULL), EINVAL);
	CHECK_ERRNO(sched_setscheduler(0, 0, bad), EFAULT);
	CHECK_ERRNO(sched_setscheduler(4194303, 0, &p), ESRCH);
	p.sched_priority = 1;
	CHECK_ERRNO(sched_setscheduler(0, 0, &p), EINVAL);
	p.sched_priority = 100;
	CHECK_ERRNO(sched_setscheduler(0, SCHED_FIFO, &p), EINVAL);
	p.sched_priority = 0;
	CHECK_ERRNO(sched_setscheduler(0, SCHED_FIFO, &p), EINVAL);
	CHECK_ERRNO(sched_setscheduler(0, SCHED_RR, &p), EINVAL);
	p.sched_priority = -1;
	CHECK_ERRNO(sched_setscheduler(0, SCHED_FIFO, &p), EINVAL);
	p.sched_priority = 99;
	CHECK_EQ(sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &p), 0);
	CHECK_EQ(sched_getscheduler(0), 1073741825);
	CHECK_ERRNO(sched_setparam(0, (p.sched_priority = 0, &p)), EINVAL);
	CHECK_ERRNO(sched_setparam(0, NULL), EINVAL);
	CHECK_ERRNO(sched_setparam(-1, &p), EINVAL);
	CHECK_ERRNO(sched_setparam(4194303, &p), ESRCH);
	CHECK_ERRNO(sched_getparam(0, NULL), EINVAL);
	CHECK_ERRNO(sched_getparam(-1, &p), EINVAL);
	CHECK_ERRNO(sched_getparam(0, bad), EFAULT);
	CHECK_ERRNO(sched_getparam(4194303, &p), ESRCH);
	CHECK_ERRNO(sched_getscheduler(-1), EINVAL);
	CHECK_ERRNO(sched_getscheduler(4194303), ESRCH);
	CHECK_ERRNO(sched_rr_get_interval(-1, &ts), EINVAL);
	CHECK_ERRNO(sched_rr_get_interval(0, bad), EFAULT);
	CHECK_ERRNO(sched_rr_get_interval(4194303, &ts), ESRCH);
	CHECK_EQ(sched_rr_get_interval(0, &ts), 0);
	CHECK_EQ(ts.tv_nsec, 0);
	p.sched_priority = 5;
	CHECK_EQ(sched_setscheduler(0, SCHED_RR, &p), 0);
	CHECK_EQ(sched_rr_get_interval(0, &ts), 0);
	CHECK_EQ(ts.tv_nsec, 100000000);
	p.sched_priority = 0;
	CHECK_EQ(sched_setscheduler(0, SCHED_IDLE, &p), 0);
	CHECK_EQ(sched_setscheduler(0, SCHED_BATCH, &p), 0);
	CHECK_EQ(sched_setscheduler(0, SCHED_OTHER, &p), 0);
	CHECK_ERRNO(sched_get_priority_max(-1), EINVAL);
	CHECK_ERRNO(sched_get_priority_max(7), EINVAL);
	CHECK_EQ(sched_get_priority_min(3), 0);
	CHECK_EQ(sched_get_priority_max(6), 0);
	CHECK_EQ(sched_get_priority_max(1), 99);
	CHECK_EQ(sched_get_priority_min(1), 1);
	CHECK_EQ(sched_get_priority_max(5), 0);
	CHECK_ERRNO(syscall(SYS_sched_setaffinity, 0, 8, m), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_setaffinity, 0, 0, m), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_setaffinity, 0, 8, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_sched_setaffinity, -1, 8, m), ESRCH);
	CHECK_ERRNO(syscall(SYS_sched_setaffinity, 4194303, 8, m), ESRCH);
	m[0] = 1ul << 63;
	CHECK_ERRNO(syscall(SYS_sched_setaffinity, 0, 8, m), EINVAL);
	m[0] = -1;
	CHECK_EQ(syscall(SYS_sched_setaffinity, 0, 1, m), 0);
	CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 1, m), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 4, m), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 7, m), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 12, m), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 8, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_sched_getaffinity, -1, 8, m), ESRCH);
	CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 0, m), EINVAL);
	CHECK_EQ(syscall(SYS_sched_getaffinity, 0, 8, m), 8);
	CHECK_EQ(syscall(SYS_sched_getaffinity, 0, 128, m), 8);
	(void)cs;
	CHECK_ERRNO(getpriority(9, 0), EINVAL);
	CHECK_ERRNO(getpriority(-1, 0), EINVAL);
	CHECK_ERRNO(getpriority(PRIO_PROCESS, -1), ESRCH);
	CHECK_ERRNO(getpriority(PRIO_PGRP, 4194303), ESRCH);
	CHECK_ERRNO(getpriority(PRIO_USER, 54321), ESRCH);
	CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 20);
	CHECK_ERRNO(setpriority(3, 0, 0), EINVAL);
	CHECK_ERRNO(setpriority(PRIO_PROCESS, 4194303, 0), ESRCH);
	CHECK_EQ(setpriority(PRIO_PROCESS, 0, 100), 0);
	CHECK_EQ(syscall(SYS_getpriority, 0, 0), 1);
	CHECK_EQ(setpriority(PRIO_PROCESS, 0, -100), 0);
	CHECK_EQ(syscall(SYS_getpriority, 0, 0), 40);
	CHECK_EQ(nice(1000), 19);
	CHECK_EQ(nice(-1000), -20);
	CHECK_EQ(nice(5), -15);
	unsigned char a[120] = {0};
	int *i = (int *)a;
	i[0] = 48;
	CHECK_EQ(syscall(SYS_sched_setattr, 0, a, 0), 0);
	CHECK_ERRNO(syscall(SYS_sched_setattr, 0, a, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_setattr, 0, NULL, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_setattr, -1, a, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_setattr, 0, bad, 0), EFAULT);
	i[0] = 47;
	CHECK_ERRNO(syscall(SYS_sched_setattr, 0, a, 0), E2BIG);
	CHECK_EQ(i[0], 56);
	i[0] = 100;
	CHECK_EQ(syscall(SYS_sched_setattr, 0, a, 0), 0);
	a[99] = 1;
	CHECK_ERRNO(syscall(SYS_sched_setattr, 0, a, 0), E2BIG);
	CHECK_EQ(i[0], 56);
	i[0] = 0;
	CHECK_EQ(syscall(SYS_sched_setattr, 0, a, 0), 0);
	i[0] = 5000;
	CHECK_ERRNO(syscall(SYS_sched_setattr, 0, a, 0), E2BIG);
	i[0] = 56;
	i[1] = -1;
	CHECK_ERRNO(syscall(SYS_sched_setattr, 0, a, 0), EINVAL);
	i[1] = 99;
	CHECK_ERRNO(syscall(SYS_sched_setattr, 0, a, 0), EINVAL);
	i[1] = 0;
	*(long *)(a + 8) = 0x100;
	CHECK_ERRNO(syscall(SYS_sched_setattr, 0, a, 0), EINVAL);
	*(long *)(a + 8) = 0x20;
	i[12] = 2000;
	CHECK_ERRNO(syscall(SYS_sched_setattr, 0, a, 0), EOPNOTSUPP);
	i[12] = 100;
	i[13] = 50;
	*(long *)(a + 8) = 0x60;
	CHECK_ERRNO(syscall(SYS_sched_setattr, 0, a, 0), EOPNOTSUPP);
	CHECK_EQ(syscall(SYS_sched_getattr, 0, a, 48, 0), 0);
	CHECK_ERRNO(syscall(SYS_sched_getattr, 0, a, 47, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_getattr, 0, a, 5000, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_getattr, 0, a, 48, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_getattr, 0, NULL, 48, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_getattr, -1, a, 48, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_getattr, 4194303, a, 48, 0), ESRCH);
	CHECK_ERRNO(syscall(SYS_sched_getattr, 0, bad, 48, 0), EFAULT);
	CHECK_EQ(syscall(SYS_sched_getattr, 0, a, 120, 0), 0);
	CHECK_EQ(i[0], 56);
	CHECK_ERRNO(syscall(SYS_ioprio_set, 9, 0, 0), EINVAL);
	CHECK_EQ(syscall(SYS_ioprio_set, 1, 0, 8 << 13), 0);
	CHECK_EQ(syscall(SYS_ioprio_set, 1, 0, (2 << 13) | 8), 0);
	CHECK_ERRNO(syscall(SYS_ioprio_set, 1, 0, (0 << 13) | 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_ioprio_set, 1, 4194303, 2 << 13), ESRCH);
	CHECK_EQ(syscall(SYS_ioprio_set, 1, 0, (3 << 13) | 7), 0);
	CHECK_EQ(syscall(SYS_ioprio_get, 1, 0), 24583);
	CHECK_ERRNO(syscall(SYS_ioprio_get, 9, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_ioprio_get, 1, 4194303), ESRCH);
	CHECK(syscall(SYS_ioprio_get, 2, 0) >= 0);
	CHECK_ERRNO(syscall(SYS_ioprio_get, 3, 54321), ESRCH);
	check_become(1000, 1000);
	set_limit(RLIMIT_NICE, 0, 30);
	set_limit(RLIMIT_RTPRIO, 0, 10);
	CHECK_ERRNO(nice(-1), EPERM);
	CHECK_EQ(syscall(SYS_getpriority, 0, 0), 20);
	set_limit(RLIMIT_NICE, 25, 30);
	CHECK_ERRNO(setpriority(0, 0, -5), EACCES);
	CHECK_ERRNO(setpriority(0, 0, -6), EACCES);
	CHECK_EQ(setpriority(0, 0, 10), 0);
	CHECK_ERRNO(setpriority(0, 0, -5), EACCES);
	p.sched_priority = 1;
	CHECK_ERRNO(sched_setscheduler(0, SCHED_FIFO, &p), EPERM);
	set_limit(RLIMIT_RTPRIO, 10, 10);
	CHECK_ERRNO(sched_setscheduler(0, SCHED_FIFO, &p), EPERM);
	p.sched_priority = 10;
	CHECK_ERRNO(sched_setparam(0, &p), EINVAL);
	p.sched_priority = 11;
	CHECK_ERRNO(sched_setparam(0, &p), EINVAL);
	set_limit(RLIMIT_RTPRIO, 5, 10);
	p.sched_priority = 8;
	CHECK_ERRNO(sched_setparam(0, &p), EINVAL);
	p.sched_priority = 12;
	CHECK_ERRNO(sched_setparam(0, &p), EINVAL);
	p.sched_priority = 8;
	CHECK_ERRNO(sched_setscheduler(0, SCHED_RR, &p), EPERM);
	set_limit(RLIMIT_RTPRIO, 0, 10);
	p.sched_priority = 1;
	CHECK_ERRNO(sched_setparam(0, &p), EINVAL);
	CHECK_ERRNO(sched_setscheduler(0, SCHED_RR, &p), EPERM);
	p.sched_priority = 0;
	CHECK_EQ(sched_setscheduler(0, SCHED_OTHER, &p), 0);
	CHECK_EQ(sched_setscheduler(0, SCHED_IDLE, &p), 0);
	CHECK_ERRNO(sched_setscheduler(0, SCHED_OTHER, &p), EPERM);
	set_limit(RLIMIT_NICE, 0, 30);
	CHECK_EQ(sched_setscheduler(0, SCHED_IDLE, &p), 0);
	CHECK_ERRNO(sched_setscheduler(0, SCHED_OTHER, &p), EPERM);
	CHECK_ERRNO(sched_setscheduler(0, SCHED_BATCH, &p), EPERM);
	CHECK_ERRNO(sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &p), EPERM);
	CHECK_ERRNO(sched_setscheduler(0, SCHED_OTHER, &p), EPERM);
}

TEST(limits_and_numbers_refuse_what_the_manual_says)
{
	void *bad = check_bad_address();
	CHECK_ERRNO(getrlimit(16, &rl), EINVAL);
	CHECK_ERRNO(setrlimit(16, &rl), EINVAL);
	CHECK_ERRNO(setrlimit(-1, &rl), EINVAL);
	for (int i = 0; i < 16; i++) {
		;
		CHECK_EQ(getrlimit(i, &rl), 0);
		CHECK_ERRNO(setrlimit(i, &(struct rlimit){5, 4}), EINVAL);
		CHECK_ERRNO(setrlimit(i, bad), EFAULT);
		CHECK_ERRNO(getrlimit(i, bad), EFAULT);
		CHECK_EQ(syscall(SYS_prlimit64, 0, i, NULL, NULL), 0);
		CHECK_ERRNO(syscall(SYS_prlimit64, 0, i, bad, NULL), EFAULT);
		CHECK_ERRNO(syscall(SYS_prlimit64, 0, i, &rl, bad), EFAULT);
		CHECK_EQ(setrlimit(i, &rl), 0);
	}
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &(struct rlimit){1 << 20, 1 << 20}), 0);
	CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &(struct rlimit){1 << 20, (1 << 20) + 1}), EPERM);
	CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &(struct rlimit){10, RLIM_INFINITY}), EPERM);
	CHECK_ERRNO(syscall(SYS_prlimit64, -1, 0, NULL, NULL), ESRCH);
	CHECK_ERRNO(syscall(SYS_prlimit64, 4194303, 0, NULL, &rl), ESRCH);
	CHECK_EQ(syscall(SYS_prlimit64, 1, 0, NULL, &rl), 0);
	CHECK_ERRNO(getrusage(5, &ru), EINVAL);
	CHECK_ERRNO(getrusage(-2, &ru), EINVAL);
	CHECK_EQ(getrusage(1, &ru), 0);
	CHECK_ERRNO(getrusage(0, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_times, bad), EFAULT);
	CHECK(syscall(SYS_times, NULL) > 0);
	CHECK_EQ(getrusage(RUSAGE_CHILDREN, &ru), 0);
	CHECK_ERRNO(syscall(SYS_sysinfo, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_uname, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_getcpu, bad, NULL, NULL), EFAULT);
	CHECK_ERRNO(syscall(SYS_getcpu, NULL, bad, NULL), EFAULT);
	CHECK_EQ(syscall(SYS_getcpu, NULL, NULL, bad), 0);
	CHECK_ERRNO(syscall(SYS_time, bad), EFAULT);
	CHECK_ERRNO(sethostname("x", -1), EINVAL);
	CHECK_ERRNO(sethostname(buf, 65), EINVAL);
	CHECK_ERRNO(sethostname(bad, 1), EFAULT);
	CHECK_EQ(sethostname(bad, 0), 0);
	CHECK_EQ(sethostname("h", 1), 0);
	CHECK_ERRNO(setdomainname(buf, 65), EINVAL);
	CHECK_ERRNO(setdomainname(bad, 2), EFAULT);
	CHECK_EQ(personality(0xffffffff), 0);
	CHECK_EQ(personality(0x0008), 0);
	CHECK_EQ(personality(0), 8);
	CHECK_ERRNO(syscall(SYS_sysfs, 1, "nope"), EINVAL);
	CHECK_ERRNO(syscall(SYS_sysfs, 4, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_sysfs, 2, 1000, buf), EINVAL);
	CHECK_ERRNO(syscall(SYS_sysfs, 1, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_sysfs, 2, 0, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_ustat, 0, buf), EINVAL);
	CHECK_ERRNO(syscall(SYS_ustat, 0xffff, buf), EINVAL);
	CHECK_ERRNO(syscall(SYS_getrandom, buf, 10, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_getrandom, buf, 10, 6), EINVAL);
	CHECK_ERRNO(syscall(SYS_getrandom, bad, 10, 0), EFAULT);
	CHECK_EQ(syscall(SYS_getrandom, bad, 0, 0), 0);
	CHECK(syscall(SYS_set_tid_address, bad) > 0);
	CHECK_ERRNO(syscall(SYS_get_robust_list, 0, bad, buf), EFAULT);
	CHECK_ERRNO(syscall(SYS_get_robust_list, 0, buf, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_set_robust_list, buf, 23), EINVAL);
	CHECK_ERRNO(syscall(SYS_get_robust_list, 4194303, buf, buf), ESRCH);
	CHECK_ERRNO(syscall(SYS_rseq, buf, 32, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_membarrier, 99, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_membarrier, 0, 1, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_membarrier, 8, 0, 0), EPERM);
	CHECK_ERRNO(syscall(SYS_kcmp, getpid(), getpid(), 99, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_kcmp, getpid(), getpid(), -1, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_kcmp, 4194303, getpid(), 1, 0, 0), ESRCH);
	CHECK_ERRNO(syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 99), EBADF);
	CHECK_EQ(syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 0), 0);
	CHECK_ERRNO(syscall(SYS_pidfd_open, -1, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_pidfd_open, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_pidfd_open, 4194303, 0), ESRCH);
	CHECK_ERRNO(syscall(SYS_pidfd_open, getpid(), 1), EINVAL);
	int pf = syscall(SYS_pidfd_open, getpid(), 0);
	CHECK_EQ(syscall(SYS_pidfd_send_signal, pf, 0, NULL, 0), 0);
	CHECK_ERRNO(syscall(SYS_pidfd_send_signal, pf, 0, NULL, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_pidfd_send_signal, pf, 65, NULL, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_pidfd_send_signal, pf, -1, NULL, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_pidfd_send_signal, 99, 0, NULL, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_pidfd_send_signal, 0, 0, NULL, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_pidfd_send_signal, pf, 0, bad, 0), EFAULT);
	memset(&si, 0, sizeof si);
	si.si_signo = 10;
	CHECK_ERRNO(syscall(SYS_pidfd_send_signal, pf, 12, &si, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_pidfd_send_signal, pf, 0, &si, 0), EINVAL);
	si.si_signo = 0;
	si.si_code = SI_QUEUE;
	CHECK_EQ(syscall(SYS_pidfd_send_signal, pf, 0, &si, 0), 0);
	CHECK(syscall(SYS_pidfd_getfd, pf, 0, 0) >= 0);
	CHECK_ERRNO(syscall(SYS_pidfd_getfd, pf, 99, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_pidfd_getfd, pf, 0, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_pidfd_getfd, 0, 0, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_pidfd_getfd, 99, 0, 0), EBADF);
	pid_t z = check_fork();
	if (!z)
		_exit(0);
	waitid(P_PID, z, &si, WEXITED | WNOWAIT);
	CHECK_OK(pf = syscall(SYS_pidfd_open, z, 0));
	CHECK_EQ(syscall(SYS_pidfd_send_signal, pf, 0, NULL, 0), 0);
	CHECK_ERRNO(syscall(SYS_pidfd_getfd, pf, 0, 0), ESRCH);
	waitpid(z, 0, 0);
	CHECK_ERRNO(syscall(SYS_pidfd_send_signal, pf, 0, NULL, 0), ESRCH);
	CHECK_ERRNO(syscall(SYS_pidfd_open, z, 0), ESRCH);
	CHECK_EQ(poll(&(struct pollfd){pf, 1, 0}, 1, 0), 1);
}
