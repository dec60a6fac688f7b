/* SPDX-License-Identifier: MIT */
/* Flags of processes and threads: see flags.h. */
#include "flags.h"

static long
prctl_once(long option)
{
	char name[16];
	int n;
	uint64_t address;

	switch (option) {
	case PR_SET_PDEATHSIG: return prctl((int)option, SIGTERM);
	case PR_GET_PDEATHSIG: case PR_GET_UNALIGN: case PR_GET_FPEMU: case PR_GET_FPEXC:
	case PR_GET_ENDIAN: case PR_GET_TSC: case PR_GET_CHILD_SUBREAPER:
		return prctl((int)option, &n);
	case PR_SET_DUMPABLE: return prctl((int)option, 1);
	case PR_SET_UNALIGN: case PR_SET_FPEMU: case PR_SET_FPEXC: case PR_SET_ENDIAN:
		return prctl((int)option, 1);
	case PR_SET_NAME: return prctl((int)option, "name");
	case PR_GET_NAME: return prctl((int)option, name);
	case PR_SET_TSC: return prctl((int)option, PR_TSC_ENABLE);
	case PR_CAPBSET_READ: case PR_CAPBSET_DROP: return prctl((int)option, 5);
	case PR_SET_SECUREBITS: return prctl((int)option, SECBIT_NO_CAP_AMBIENT_RAISE);
	case PR_SET_TIMERSLACK: return prctl((int)option, 100000);
	case PR_TASK_PERF_EVENTS_DISABLE: case PR_TASK_PERF_EVENTS_ENABLE: return prctl((int)option);
	case PR_MCE_KILL: return prctl((int)option, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
	case PR_MCE_KILL_GET: return prctl((int)option, 0, 0, 0, 0);
	case PR_SET_MM: return prctl((int)option, PR_SET_MM_ARG_START, 1, 0, 0);
	case PR_SET_PTRACER: return prctl((int)option, getppid());
	case PR_SET_CHILD_SUBREAPER: return prctl((int)option, 1);
	case PR_SET_NO_NEW_PRIVS: return prctl((int)option, 1, 0, 0, 0);
	case PR_GET_TID_ADDRESS: return prctl((int)option, &address);
	case PR_SET_THP_DISABLE: return prctl((int)option, 1, 0, 0, 0);
	case PR_CAP_AMBIENT: return prctl((int)option, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	case PR_GET_SPECULATION_CTRL: return prctl((int)option, PR_SPEC_STORE_BYPASS, 0, 0, 0);
	case PR_SET_SPECULATION_CTRL:
		return prctl((int)option, PR_SPEC_STORE_BYPASS, PR_SPEC_ENABLE, 0, 0);
	case PR_SET_IO_FLUSHER: return prctl((int)option, 1, 0, 0, 0);
	case PR_SCHED_CORE: return prctl((int)option, 0, 0, 0, &address);
	case 0x53564d41: return prctl((int)option, 0, check_bad_address(), 4096, "name"); /* PR_SET_VMA */
	default: return prctl((int)option, 0, 0, 0, 0);
	}
}

TEST(prctl_options)
{
#define OPTION(name, want) ROW("prctl", #name, want, in_child(prctl_once, name))
	OPTION(PR_SET_PDEATHSIG, 0);
	OPTION(PR_GET_PDEATHSIG, 0);
	OPTION(PR_GET_DUMPABLE, 0);
	OPTION(PR_SET_DUMPABLE, 0);
	OPTION(PR_GET_UNALIGN, EINVAL);
	OPTION(PR_SET_UNALIGN, EINVAL);
	OPTION(PR_GET_KEEPCAPS, 0);
	OPTION(PR_SET_KEEPCAPS, 0);
	OPTION(PR_GET_FPEMU, EINVAL);
	OPTION(PR_SET_FPEMU, EINVAL);
	OPTION(PR_GET_FPEXC, EINVAL);
	OPTION(PR_SET_FPEXC, EINVAL);
	OPTION(PR_GET_TIMING, 0);
	OPTION(PR_SET_TIMING, 0);
	OPTION(PR_SET_NAME, 0);
	OPTION(PR_GET_NAME, 0);
	OPTION(PR_GET_ENDIAN, EINVAL);
	OPTION(PR_SET_ENDIAN, EINVAL);
	OPTION(PR_CAPBSET_READ, 0);
	OPTION(PR_CAPBSET_DROP, 0);
	OPTION(PR_GET_TSC, 0);
	OPTION(PR_SET_TSC, 0);
	OPTION(PR_GET_SECUREBITS, 0);
	OPTION(PR_SET_SECUREBITS, 0);
	OPTION(PR_SET_TIMERSLACK, 0);
	OPTION(PR_GET_TIMERSLACK, 0);
	OPTION(PR_TASK_PERF_EVENTS_DISABLE, 0);
	OPTION(PR_TASK_PERF_EVENTS_ENABLE, 0);
	OPTION(PR_MCE_KILL, 0);
	OPTION(PR_MCE_KILL_GET, 0);
	OPTION(PR_SET_PTRACER, 0);
	OPTION(PR_SET_CHILD_SUBREAPER, 0);
	OPTION(PR_GET_CHILD_SUBREAPER, 0);
	OPTION(PR_SET_NO_NEW_PRIVS, 0);
	OPTION(PR_GET_NO_NEW_PRIVS, 0);
	OPTION(PR_GET_TID_ADDRESS, 0);
	OPTION(PR_SET_THP_DISABLE, 0);
	OPTION(PR_GET_THP_DISABLE, 0);
	OPTION(PR_MPX_ENABLE_MANAGEMENT, EINVAL);
	OPTION(PR_SET_FP_MODE, EINVAL);
	OPTION(PR_GET_FP_MODE, EINVAL);
	OPTION(PR_CAP_AMBIENT, 0);
	OPTION(PR_SVE_SET_VL, EINVAL);
	OPTION(PR_SVE_GET_VL, EINVAL);
	OPTION(PR_GET_SPECULATION_CTRL, 0);
	OPTION(PR_SET_SPECULATION_CTRL, ENXIO);
	OPTION(PR_PAC_RESET_KEYS, EINVAL);
	OPTION(PR_SET_TAGGED_ADDR_CTRL, EINVAL);
	OPTION(PR_GET_TAGGED_ADDR_CTRL, EINVAL);
	OPTION(PR_SET_IO_FLUSHER, 0);
	OPTION(PR_GET_IO_FLUSHER, 0);
	OPTION(PR_SET_SYSCALL_USER_DISPATCH, 0);
	OPTION(PR_SCHED_CORE, EINVAL);
	OPTION(PR_SET_VMA, EINVAL);
#undef OPTION
	FLAG(prctl, 9999, EINVAL, in_child(prctl_once, 9999));
	FLAGS_END();
}

static long
arch_prctl_once(long option)
{
	uint64_t word = 0;

	switch (option) {
	case ARCH_GET_FS: case ARCH_GET_GS: return syscall(SYS_arch_prctl, option, &word);
	case ARCH_SET_GS: return syscall(SYS_arch_prctl, option, 0);
	case ARCH_SET_CPUID: return syscall(SYS_arch_prctl, option, 1);
	case 0x1021: case 0x1022: case 0x1024: return syscall(SYS_arch_prctl, option, &word);
	case 0x1023: case 0x1025: return syscall(SYS_arch_prctl, option, 18);
	default: return syscall(SYS_arch_prctl, option, 0);
	}
}

TEST(arch_prctl_options)
{
#define OPTION(name, want) ROW("arch_prctl", #name, want, in_child(arch_prctl_once, name))
	OPTION(ARCH_GET_FS, 0);
	OPTION(ARCH_GET_GS, 0);
	OPTION(ARCH_SET_GS, 0);
	OPTION(ARCH_GET_CPUID, 0);
	FLAG(arch_prctl, ARCH_GET_XCOMP_SUPP, 0, in_child(arch_prctl_once, 0x1021));
	FLAG(arch_prctl, ARCH_GET_XCOMP_PERM, 0, in_child(arch_prctl_once, 0x1022));
	FLAG(arch_prctl, ARCH_REQ_XCOMP_PERM, EOPNOTSUPP, in_child(arch_prctl_once, 0x1023));
	FLAG(arch_prctl, 0x9999, EINVAL, in_child(arch_prctl_once, 0x9999));
#undef OPTION
	FLAGS_END();
}

TEST(membarrier_commands)
{
#define COMMAND(name, want) ROW("membarrier", #name, want, syscall(SYS_membarrier, name, 0, 0))
	COMMAND(MEMBARRIER_CMD_QUERY, 0);
	COMMAND(MEMBARRIER_CMD_GLOBAL, 0);
	COMMAND(MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0);
	COMMAND(MEMBARRIER_CMD_PRIVATE_EXPEDITED, EPERM);
	COMMAND(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0);
	COMMAND(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0);
	FLAG(membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED registered, 0,
	     syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	COMMAND(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, EPERM);
	COMMAND(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0);
	FLAG(membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE registered, 0,
	     syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
	COMMAND(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, EPERM);
	COMMAND(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0);
	FLAG(membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ registered, 0,
	     syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0));
	FLAG(membarrier, MEMBARRIER_CMD_FLAG_CPU, 0,
	     syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_FLAG_CPU, 0));
	FLAG(membarrier, MEMBARRIER_CMD_FLAG_CPU of another command, EINVAL,
	     syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, MEMBARRIER_CMD_FLAG_CPU, 0));
	FLAG(membarrier, 1 << 20, EINVAL, syscall(SYS_membarrier, 1 << 20, 0, 0));
	FLAGS_END();
}

static uint32_t word, word2;

static long
futex(int op, uint32_t value, long time_or_count, uint32_t value3)
{
	word = 0;
	word2 = 0;
	return syscall(SYS_futex, &word, op, value, time_or_count, &word2, value3);
}

TEST(futex_operations)
{
	struct timespec soon = { 0, 1000 };

	FLAG(futex, FUTEX_WAIT, EAGAIN, futex(FUTEX_WAIT, 1, 0, 0));
	FLAG(futex, FUTEX_WAKE, 0, futex(FUTEX_WAKE, 1, 0, 0));
	FLAG(futex, FUTEX_FD, ENOSYS, futex(FUTEX_FD, 0, 0, 0));
	FLAG(futex, FUTEX_REQUEUE, 0, futex(FUTEX_REQUEUE, 1, 1, 0));
	FLAG(futex, FUTEX_CMP_REQUEUE, 0, futex(FUTEX_CMP_REQUEUE, 1, 1, 0));
	FLAG(futex, FUTEX_CMP_REQUEUE of another value, EAGAIN, futex(FUTEX_CMP_REQUEUE, 1, 1, 5));
	FLAG(futex, FUTEX_WAKE_OP, 0, futex(FUTEX_WAKE_OP, 1, 1, 0));
	FLAG(futex, FUTEX_LOCK_PI, 0, futex(FUTEX_LOCK_PI, 0, 0, 0));
	FLAG(futex, FUTEX_UNLOCK_PI, EPERM, futex(FUTEX_UNLOCK_PI, 0, 0, 0));
	FLAG(futex, FUTEX_TRYLOCK_PI, 0, futex(FUTEX_TRYLOCK_PI, 0, 0, 0));
	FLAG(futex, FUTEX_WAIT_BITSET, EAGAIN, futex(FUTEX_WAIT_BITSET, 1, 0, 1));
	FLAG(futex, FUTEX_WAIT_BITSET of no bits, EINVAL, futex(FUTEX_WAIT_BITSET, 1, 0, 0));
	FLAG(futex, FUTEX_WAKE_BITSET, 0, futex(FUTEX_WAKE_BITSET, 1, 0, 1));
	FLAG(futex, FUTEX_WAKE_BITSET of no bits, EINVAL, futex(FUTEX_WAKE_BITSET, 1, 0, 0));
	FLAG(futex, FUTEX_WAIT_REQUEUE_PI, EAGAIN, futex(FUTEX_WAIT_REQUEUE_PI, 1, (long)&soon, 0));
	FLAG(futex, FUTEX_CMP_REQUEUE_PI, 0, futex(FUTEX_CMP_REQUEUE_PI, 1, 0, 0));
	FLAG(futex, FUTEX_CMP_REQUEUE_PI of two, EINVAL, futex(FUTEX_CMP_REQUEUE_PI, 2, 0, 0));
	FLAG(futex, FUTEX_LOCK_PI2, 0, futex(FUTEX_LOCK_PI2, 0, 0, 0));
	FLAG(futex, FUTEX_CLOCK_REALTIME and FUTEX_WAIT, ENOSYS, futex(FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 1, (long)&soon, 0));
	FLAG(futex, FUTEX_CLOCK_REALTIME and FUTEX_WAKE, ENOSYS, futex(FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, 0, 0));
	FLAG(futex, FUTEX_CLOCK_REALTIME and FUTEX_LOCK_PI2, 0,
	     futex(FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 1, 0, 0));
	FLAG(futex, FUTEX_CLOCK_REALTIME and FUTEX_WAIT_REQUEUE_PI, EAGAIN,
	     futex(FUTEX_WAIT_REQUEUE_PI | FUTEX_CLOCK_REALTIME, 1, (long)&soon, 0));
	FLAG(futex, FUTEX_CLOCK_REALTIME and FUTEX_LOCK_PI, ENOSYS,
	     futex(FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 1, 0, 0));
	FLAG(futex, 14, ENOSYS, futex(14, 1, 0, 0));
	FLAGS_END();
}

struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

static struct attributes attributes;

static long
set_attributes(long unused)
{
	(void)unused;
	return syscall(SYS_sched_setattr, 0, &attributes, 0);
}

static long
set_policy(long policy)
{
	struct sched_param p = { .sched_priority = policy == SCHED_FIFO || policy == SCHED_RR };

	return syscall(SYS_sched_setscheduler, 0, policy, &p);
}

TEST(scheduling_policies)
{
#define POLICY(name, want) ROW("sched_setscheduler", #name, want, in_child(set_policy, name))
	POLICY(SCHED_OTHER, 0);
	POLICY(SCHED_FIFO, 0);
	POLICY(SCHED_RR, 0);
	POLICY(SCHED_BATCH, 0);
	POLICY(SCHED_IDLE, 0);
	POLICY(SCHED_DEADLINE, EINVAL);
	POLICY(SCHED_OTHER | SCHED_RESET_ON_FORK, 0);
	POLICY(4, EINVAL);
	POLICY(7, EINVAL);
#define ATTRIBUTES(name, want, ...)                                                                \
	attributes = (struct attributes){ .size = 56, __VA_ARGS__ };                               \
	ROW("sched_setattr", #name, want, in_child(set_attributes, 0))
	ATTRIBUTES(SCHED_OTHER, 0, .nice = 5);
	ATTRIBUTES(SCHED_FIFO, 0, .policy = 1, .priority = 5);
	ATTRIBUTES(SCHED_FIFO without a priority, EINVAL, .policy = 1);
	ATTRIBUTES(SCHED_DEADLINE, 0, .policy = 6, .runtime = 10000000, .deadline = 100000000, .period = 100000000);
	ATTRIBUTES(SCHED_DEADLINE without a runtime, EINVAL, .policy = 6);
	ATTRIBUTES(SCHED_FLAG_RESET_ON_FORK, 0, .flags = 1);
	ATTRIBUTES(SCHED_FLAG_RECLAIM, 0, .flags = 2);
	ATTRIBUTES(SCHED_FLAG_DL_OVERRUN, 0, .flags = 4);
	ATTRIBUTES(SCHED_FLAG_KEEP_POLICY, 0, .flags = 8);
	ATTRIBUTES(SCHED_FLAG_KEEP_PARAMS, 0, .flags = 16);
	ATTRIBUTES(SCHED_FLAG_UTIL_CLAMP_MIN, EOPNOTSUPP, .flags = 32);
	ATTRIBUTES(SCHED_FLAG_UTIL_CLAMP_MAX, EOPNOTSUPP, .flags = 64, .util_max = 1024);
	ATTRIBUTES(an unknown flag, EINVAL, .flags = 128);
	FLAGS_END();
}

TEST(resource_limits_of_every_kind)
{
	struct rlimit l;

#define LIMIT(name, want)                                                                          \
	ROW("getrlimit", #name, want, getrlimit(name, &l));                                        \
	ROW("setrlimit", #name, want, setrlimit(name, &l))
	LIMIT(RLIMIT_CPU, 0);
	LIMIT(RLIMIT_FSIZE, 0);
	LIMIT(RLIMIT_DATA, 0);
	LIMIT(RLIMIT_STACK, 0);
	LIMIT(RLIMIT_CORE, 0);
	LIMIT(RLIMIT_RSS, 0);
	LIMIT(RLIMIT_NPROC, 0);
	LIMIT(RLIMIT_NOFILE, 0);
	LIMIT(RLIMIT_MEMLOCK, 0);
	LIMIT(RLIMIT_AS, 0);
	LIMIT(RLIMIT_LOCKS, 0);
	LIMIT(RLIMIT_SIGPENDING, 0);
	LIMIT(RLIMIT_MSGQUEUE, 0);
	LIMIT(RLIMIT_NICE, 0);
	LIMIT(RLIMIT_RTPRIO, 0);
	LIMIT(RLIMIT_RTTIME, 0);
	LIMIT(16, EINVAL);
	FLAGS_END();
}

TEST(wait_and_pidfd_flags)
{
	siginfo_t info;
	pid_t pid = check_fork();
	int pidfd;

	if (pid == 0)
		for (;;)
			pause();
	pidfd = CHECK_OK((int)syscall(SYS_pidfd_open, pid, 0));
	FLAG(pidfd_open, PIDFD_NONBLOCK, 0, syscall(SYS_pidfd_open, pid, O_NONBLOCK));
	FLAG(pidfd_open, 1, EINVAL, syscall(SYS_pidfd_open, pid, 1));
	FLAG(pidfd_open, PIDFD_THREAD, EINVAL, syscall(SYS_pidfd_open, pid, O_EXCL));
	FLAG(pidfd_getfd, 0, 0, syscall(SYS_pidfd_getfd, pidfd, CHECK_FD, 0));
	FLAG(pidfd_getfd, 1, EINVAL, syscall(SYS_pidfd_getfd, pidfd, CHECK_FD, 1));
	FLAG(pidfd_send_signal, 0, 0, syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0));
	FLAG(pidfd_send_signal, 1, EINVAL, syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 1));
	FLAG(wait4, WNOHANG, 0, wait4(pid, NULL, WNOHANG, NULL));
	FLAG(wait4, WUNTRACED, 0, wait4(pid, NULL, WNOHANG | WUNTRACED, NULL));
	FLAG(wait4, WCONTINUED, 0, wait4(pid, NULL, WNOHANG | WCONTINUED, NULL));
	FLAG(wait4, __WALL, 0, wait4(pid, NULL, WNOHANG | __WALL, NULL));
	FLAG(wait4, __WCLONE, ECHILD, wait4(pid, NULL, WNOHANG | __WCLONE, NULL));
	FLAG(wait4, __WNOTHREAD, 0, wait4(pid, NULL, WNOHANG | __WNOTHREAD, NULL));
	FLAG(wait4, WNOWAIT, EINVAL, wait4(pid, NULL, WNOHANG | WNOWAIT, NULL));
	FLAG(wait4, WEXITED, EINVAL, wait4(pid, NULL, WNOHANG | WEXITED, NULL));
	FLAG(waitid, P_PID, 0, waitid(P_PID, pid, &info, WEXITED | WNOHANG));
	FLAG(waitid, P_PGID, 0, waitid(P_PGID, getpgrp(), &info, WEXITED | WNOHANG));
	FLAG(waitid, P_PGID 0, 0, waitid(P_PGID, 0, &info, WEXITED | WNOHANG));
	FLAG(waitid, P_ALL, 0, waitid(P_ALL, 0, &info, WEXITED | WNOHANG));
	FLAG(waitid, P_PIDFD, 0, waitid(P_PIDFD, pidfd, &info, WEXITED | WNOHANG));
	FLAG(waitid, P_PIDFD of no pidfd, EBADF, waitid(P_PIDFD, CHECK_FD, &info, WEXITED | WNOHANG));
	FLAG(waitid, P_PID 0, EINVAL, waitid(P_PID, 0, &info, WEXITED | WNOHANG));
	FLAG(waitid, type 4, EINVAL, waitid(4, pid, &info, WEXITED | WNOHANG));
	FLAG(waitid, no state, EINVAL, waitid(P_PID, pid, &info, WNOHANG));
	FLAG(waitid, unknown option, EINVAL, waitid(P_PID, pid, &info, WEXITED | 0x100));
	FLAGS_END();
}

/* A child made so, that ends at once. */
static long
clone3_with(uint64_t flags)
{
	uint64_t args[11] = { [0] = flags, [4] = SIGCHLD };
	long pid = syscall(SYS_clone3, args, sizeof(args));

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : waitpid((pid_t)pid, NULL, 0) == pid ? 0 : -1;
}

/* In a child: what is unshared stays there. */
static long
unshare_of(int flags)
{
	int status;
	pid_t pid = check_fork();

	if (pid == 0)
		_exit(unshare(flags) ? errno : 0);
	CHECK_OK(waitpid(pid, &status, 0));
	errno = WEXITSTATUS(status);
	return errno ? -1 : 0;
}

#define NEWTIME 0x80

TEST(kinds_of_namespaces)
{
	FLAG(unshare, CLONE_NEWNS, 0, unshare_of(CLONE_NEWNS));
	FLAG(unshare, CLONE_NEWUTS, 0, unshare_of(CLONE_NEWUTS));
	FLAG(unshare, CLONE_NEWIPC, 0, unshare_of(CLONE_NEWIPC));
	FLAG(unshare, CLONE_NEWUSER, 0, unshare_of(CLONE_NEWUSER));
	FLAG(unshare, CLONE_NEWPID, 0, unshare_of(CLONE_NEWPID));
	FLAG(unshare, CLONE_NEWNET, 0, unshare_of(CLONE_NEWNET));
	FLAG(unshare, CLONE_NEWCGROUP, 0, unshare_of(CLONE_NEWCGROUP));
	FLAG(unshare, CLONE_NEWTIME, 0, unshare_of(NEWTIME));
	FLAG(unshare, 1, EINVAL, unshare_of(1));
	FLAG(clone3, CLONE_NEWUTS, 0, clone3_with(CLONE_NEWUTS));
	FLAG(clone3, CLONE_NEWPID, 0, clone3_with(CLONE_NEWPID));
	FLAG(clone3, CLONE_NEWNET, 0, clone3_with(CLONE_NEWNET));
	FLAG(clone3, CLONE_NEWTIME, 0, clone3_with(NEWTIME));
	FLAGS_END();
}
