/* SPDX-License-Identifier: MIT */
/*
 * errors_programs.c - the errors that the manual gives for prctl, clone, unshare, setns and exec,
 * call by call; limits that end programs.
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
static int st;

TEST(prctl_refuses_what_the_manual_says)
{
	void *bad = check_bad_address();
	CHECK_ERRNO(prctl(PR_SET_NAME, NULL), EFAULT);
	CHECK_ERRNO(prctl(PR_GET_NAME, NULL), EFAULT);
	CHECK_ERRNO(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 1), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_CAPBSET_READ, 41), EINVAL);
	CHECK_EQ(prctl(PR_CAPBSET_READ, 40), 1);
	CHECK_ERRNO(prctl(PR_CAPBSET_DROP, 41), EINVAL);
	CHECK_ERRNO(prctl(PR_CAP_AMBIENT, 9, 0, 0, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 41, 0, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 0, 0, 0), EPERM);
	CHECK_ERRNO(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 0, 1, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0), EINVAL);
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), 0);
	CHECK_ERRNO(prctl(PR_SET_DUMPABLE, 2), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_DUMPABLE, -1), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_KEEPCAPS, 2), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_TIMING, 1), EINVAL);
	CHECK_EQ(prctl(PR_SET_TIMING, 0), 0);
	CHECK_EQ(prctl(PR_SET_TIMERSLACK, 0), 0);
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 50000);
	CHECK_ERRNO(prctl(PR_MCE_KILL, 9, 0, 0, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_MCE_KILL_GET, 0, 0, 0, 1), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 1), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_SECUREBITS, 0x1000), EPERM);
	CHECK_EQ(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED), 0);
	CHECK_ERRNO(prctl(PR_SET_SECUREBITS, 0), EPERM);
	CHECK_ERRNO(prctl(PR_SET_KEEPCAPS, 1), EPERM);
	CHECK_ERRNO(prctl(PR_SET_SECCOMP, 9), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_SECCOMP, 2, bad), EFAULT);
	CHECK_ERRNO(prctl(PR_SET_SECCOMP, 2, NULL), EFAULT);
	CHECK_ERRNO(prctl(PR_GET_CHILD_SUBREAPER, bad), EFAULT);
	CHECK_ERRNO(prctl(PR_GET_PDEATHSIG, bad), EFAULT);
	CHECK_ERRNO(prctl(PR_GET_TSC, bad), EFAULT);
	CHECK_ERRNO(prctl(PR_GET_TID_ADDRESS, bad), EFAULT);
	CHECK_ERRNO(prctl(PR_SET_PTRACER, 4194303), EINVAL);
	CHECK_EQ(prctl(PR_SET_PTRACER, -1), 0);
	CHECK_ERRNO(prctl(PR_SET_VMA, 0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_SPECULATION_CTRL, 99, 0, 0, 0), ENODEV);
	CHECK_ERRNO(prctl(PR_GET_SPECULATION_CTRL, 99, 0, 0, 0), ENODEV);
	CHECK_ERRNO(prctl(PR_GET_SPECULATION_CTRL, 0, 1, 0, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_IO_FLUSHER, 2, 0, 0, 0), EINVAL);
	CHECK_EQ(prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0), 0);
	CHECK_ERRNO(prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 1, 0, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_SCHED_CORE, 0, 0, 0, 0), EINVAL);
	CHECK_EQ(syscall(SYS_arch_prctl, 0x1001, bad), 0);
	CHECK_ERRNO(syscall(SYS_arch_prctl, 0x1002, -1L), EPERM);
	CHECK_ERRNO(syscall(SYS_arch_prctl, 0x1003, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_arch_prctl, 0x1004, bad), EFAULT);
	CHECK_EQ(syscall(SYS_arch_prctl, 0x1011, 0), 1);
	CHECK_ERRNO(syscall(SYS_arch_prctl, 0x1012, 2), ENODEV);
	CHECK_ERRNO(syscall(SYS_arch_prctl, 99, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_arch_prctl, 0x1001, 1ul << 47), EPERM);
	CHECK_ERRNO(syscall(SYS_arch_prctl, 0x1021, bad), EFAULT);
	CHECK_EQ(syscall(SYS_arch_prctl, 0x1022, buf), 0);
	CHECK_ERRNO(syscall(SYS_arch_prctl, 0x1023, 99), EINVAL);
	CHECK_ERRNO(syscall(SYS_arch_prctl, 0x2001, 0), EINVAL);
}

TEST(clone_unshare_and_setns_refuse_what_the_manual_says)
{
	void *bad = check_bad_address();
	struct clone_args a;
	memset(&a, 0, sizeof a);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS, 0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_FS | CLONE_NEWUSER, 0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_NEWPID | CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, buf,
			    0, 0, 0),
		EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_NEWIPC | CLONE_SYSVSEM, 0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID, 0, buf, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_PIDFD | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0,
			    buf, 0, 0),
		EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_PIDFD | CLONE_DETACHED, 0, buf, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_PIDFD, 0, bad, 0, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_NEWUSER, 0,
			    0, 0, 0),
		EINVAL);
	CHECK_ERRNO(syscall(SYS_clone3, &a, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone3, &a, 63), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone3, NULL, 64), EFAULT);
	CHECK_ERRNO(syscall(SYS_clone3, bad, 88), EFAULT);
	CHECK_ERRNO(syscall(SYS_clone3, &a, 4097), E2BIG);
	a.flags = CLONE_DETACHED;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	a.flags = 17;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	a.flags = 1ul << 34;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	a.flags = 0;
	a.exit_signal = 65;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	a.exit_signal = 256 + 17;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	a.exit_signal = 17;
	a.stack = (long)buf;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	a.stack = 0;
	a.stack_size = 100;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	a.stack_size = 0;
	a.set_tid = (long)buf;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	a.set_tid = 0;
	a.set_tid_size = 1;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	a.set_tid = (long)buf;
	a.set_tid_size = 33;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	a.set_tid_size = 1;
	((int *)buf)[0] = 0;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	((int *)buf)[0] = -5;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	((int *)buf)[0] = 1;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof a), EEXIST);
	a.set_tid = (long)bad;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof a), EFAULT);
	a.set_tid = a.set_tid_size = 0;
	a.flags = CLONE_THREAD | CLONE_VM | CLONE_SIGHAND;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	a.exit_signal = 0;
	a.flags = CLONE_INTO_CGROUP;
	a.cgroup = 999;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof a), EBADF);
	a.cgroup = 1ul << 40;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	a.cgroup = 0;
	a.flags = CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	a.flags = CLONE_PARENT;
	a.exit_signal = 17;
	CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	CHECK_EQ(unshare(CLONE_VM), 0);
	CHECK_EQ(unshare(CLONE_THREAD), 0);
	CHECK_EQ(unshare(CLONE_SIGHAND), 0);
	CHECK_ERRNO(unshare(0x1), EINVAL);
	CHECK_ERRNO(unshare(CLONE_PIDFD), EINVAL);
	CHECK_EQ(unshare(0), 0);
	CHECK_EQ(unshare(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM), 0);
	CHECK_ERRNO(syscall(SYS_setns, -1, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_setns, open(".", O_RDONLY), 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_setns, open("/proc/self/ns/uts", O_RDONLY), CLONE_NEWNS), EINVAL);
	CHECK_EQ(syscall(SYS_setns, open("/proc/self/ns/uts", O_RDONLY), CLONE_NEWUTS), 0);
	CHECK_ERRNO(syscall(SYS_setns, open("/proc/self/ns/user", O_RDONLY), 0), EINVAL);
	CHECK_EQ(syscall(SYS_setns, open("/proc/self/ns/pid", O_RDONLY), 0), 0);
	CHECK_ERRNO(syscall(SYS_setns, open("/proc/self/ns/uts", O_RDONLY), 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_setns, syscall(SYS_pidfd_open, getpid(), 0), 0), EINVAL);
	CHECK_EQ(syscall(SYS_setns, syscall(SYS_pidfd_open, getpid(), 0), CLONE_NEWUTS), 0);
	CHECK_EQ(syscall(SYS_setns, syscall(SYS_pidfd_open, 1, 0), CLONE_NEWUTS | CLONE_NEWIPC), 0);
	CHECK_ERRNO(syscall(SYS_setns, syscall(SYS_pidfd_open, 1, 0), CLONE_NEWUTS | 1), EINVAL);
}

TEST(exec_refuses_what_the_manual_says)
{
	void *bad = check_bad_address();
	char *av[] = {"x", NULL}, *big[] = {"x", buf, NULL};
	/* What a file says, which its name tells, and why it cannot be run. */
	static const struct {
		const char *name, *text;
		int mode, error;
	} files[] = {
		{ "nox", "#!/bin/sh\n", 0644, EACCES },
		{ "garb", "xxxxx", 0755, ENOEXEC },
		{ "empty", "", 0755, ENOEXEC },
		{ "sh", "#!/none\n", 0755, ENOENT },
		{ "sh2", "#!\n", 0755, ENOEXEC },
		{ "sh3", "#!d\n", 0755, EACCES },
		{ "sh4", "#! \t\n", 0755, ENOEXEC },
		{ "loop", "#!loop\n", 0755, ELOOP },
		{ "nx", "#!nox\n", 0755, EACCES },
		{ "elf", "\177ELF\2\1\1", 0755, ENOEXEC },
	};
	mkdir("d", 0755);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		check_write_file(files[i].name, files[i].text, strlen(files[i].text));
		chmod(files[i].name, files[i].mode);
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char *alone[] = { "x", NULL };
		errno = 0;
		execv(files[i].name, alone);
		if (errno != files[i].error)
			check_fail(__FILE__, __LINE__, "execv(\"%s\") (got %s, want %s)", files[i].name,
				   check_error_name(errno), check_error_name(files[i].error));
	}
	mkfifo("fifo", 0755);
	symlink("self", "self");
	CHECK_ERRNO(execv("d", av), EACCES);
	CHECK_ERRNO(execv("fifo", av), EACCES);
	CHECK_ERRNO(execv("self", av), ELOOP);
	CHECK_ERRNO(execv("none", av), ENOENT);
	CHECK_ERRNO(execv("", av), ENOENT);
	CHECK_ERRNO(execv("garb/x", av), ENOTDIR);
	CHECK_ERRNO(execv("/dev/null", av), EACCES);
	CHECK_ERRNO(execv(NULL, av), EFAULT);
	CHECK_ERRNO(execve("garb", bad, NULL), EFAULT);
	CHECK_ERRNO(execve("garb", av, bad), EFAULT);
	char *bp[] = {bad, NULL};
	CHECK_ERRNO(execve("garb", bp, NULL), EFAULT);
	CHECK_ERRNO(execve("garb", av, bp), EFAULT);
	memset(buf, 'x', 69999);
	CHECK_ERRNO(execve("garb", big, NULL), ENOEXEC);
	static char huge[140000];
	memset(huge, 'x', 139999);
	big[1] = huge;
	CHECK_ERRNO(execve("garb", big, NULL), E2BIG);
	huge[131071] = 0;
	CHECK_ERRNO(execve("garb", big, NULL), ENOEXEC);
	huge[131071] = 'x';
	huge[131072] = 0;
	CHECK_ERRNO(execve("garb", big, NULL), E2BIG);
	CHECK_ERRNO(execve("none", big, NULL), E2BIG);
	memset(buf, '/', 5000);
	buf[4095] = 0;
	CHECK_ERRNO(execv(buf, av), EACCES);
	buf[4095] = '/';
	buf[4096] = 0;
	CHECK_ERRNO(execv(buf, av), ENAMETOOLONG);
	memset(buf, 'a', 300);
	buf[300] = 0;
	CHECK_ERRNO(execv(buf, av), ENAMETOOLONG);
	CHECK_ERRNO(syscall(SYS_execveat, -1, "garb", av, NULL, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_execveat, AT_FDCWD, "garb", av, NULL, 0x800000), EINVAL);
	CHECK_ERRNO(syscall(SYS_execveat, AT_FDCWD, "", av, NULL, 0), ENOENT);
	CHECK_ERRNO(syscall(SYS_execveat, AT_FDCWD, "", av, NULL, AT_EMPTY_PATH), EACCES);
	CHECK_ERRNO(syscall(SYS_execveat, 99, "", av, NULL, AT_EMPTY_PATH), EBADF);
	CHECK_ERRNO(
		syscall(SYS_execveat, open("nox", O_RDONLY), "", av, NULL, AT_EMPTY_PATH), EACCES);
	CHECK_ERRNO(syscall(SYS_execveat, open("garb", O_RDONLY), "x", av, NULL, 0), ENOTDIR);
	CHECK_ERRNO(
		syscall(SYS_execveat, open("garb", O_PATH), "", av, NULL, AT_EMPTY_PATH), ENOEXEC);
	CHECK_ERRNO(syscall(SYS_execveat, open("garb", O_RDONLY), "", av, NULL, AT_EMPTY_PATH),
		ENOEXEC);
	symlink("garb", "l");
	CHECK_ERRNO(syscall(SYS_execveat, AT_FDCWD, "l", av, NULL, AT_SYMLINK_NOFOLLOW), ELOOP);
	CHECK_ERRNO(syscall(SYS_execveat, open("sh", O_RDONLY | O_CLOEXEC), "", av, NULL,
			    AT_EMPTY_PATH),
		ENOENT);
	int w = open("garb", O_WRONLY);
	CHECK_ERRNO(execv("garb", av), ETXTBSY);
	close(w);
	CHECK_ERRNO(execv("garb", av), ENOEXEC);
	check_drop_root();
	chmod("d", 0);
	CHECK_ERRNO(execv("nox", av), EACCES);
}
static volatile int got;
static void
h(int s)
{
	got = s;
}

TEST(limits_of_real_time_signals_and_processes)
{
	signal(SIGXCPU, h);
	set_limit(RLIMIT_RTTIME, 100000, RLIM_INFINITY);
	CHECK_EQ(sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){1}), 0);
	while (!got)
		;
	CHECK_EQ(got, 24);
	CHECK_EQ(sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0}), 0);
	pid_t c = check_fork();
	if (!c) {
		signal(SIGXCPU, SIG_IGN);
		set_limit(RLIMIT_RTTIME, 100000, 200000);
		sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){1});
		for (;;)
			;
	}
	waitpid(c, &st, 0);
	CHECK_EQ(st, 9);
	c = check_fork();
	if (!c) {
		sigset_t s;
		sigemptyset(&s);
		sigaddset(&s, SIGRTMIN);
		sigprocmask(SIG_BLOCK, &s, 0);
		set_limit(RLIMIT_SIGPENDING, 3, 3);
		check_become(1000, 1000);
		for (int i = 0; i < 5; i++)
			CHECK_NTH(sigqueue(getpid(), SIGRTMIN, (union sigval){i}), i,
				"0 0 0 AGAIN AGAIN");
		CHECK_EQ(kill(getpid(), SIGUSR2 * 0), 0);
		CHECK_EQ(kill(getpid(), SIGRTMIN), 0);
		signal(SIGUSR1, h);
		CHECK_EQ(kill(getpid(), SIGUSR1), 0);
		timer_t t;
		CHECK_ERRNO(timer_create(0,
				    &(struct sigevent){
					    .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN},
				    &t),
			EAGAIN);
		_exit(0);
	}
	waitpid(c, &st, 0);
	CHECK_EQ(st, 0);
	c = check_fork();
	if (!c) {
		check_become(54321, 54321);
		set_limit(RLIMIT_NPROC, 1, 5);
		CHECK_ERRNO(fork(), EAGAIN);
		CHECK_EQ(setuid(54321), 0);
		set_limit(RLIMIT_NPROC, 0, 5);
		CHECK_ERRNO(fork(), EAGAIN);
		set_limit(RLIMIT_NPROC, 2, 5);
		pid_t k = fork();
		if (!k) {
			_exit(7);
		}
		CHECK(k > 0);
		CHECK(waitpid(k, &st, 0) == k);
		CHECK_EQ(st, 1792);
		_exit(0);
	}
	waitpid(c, &st, 0);
	CHECK_EQ(st, 0);
	c = check_fork();
	if (!c) {
		set_limit(RLIMIT_NPROC, 0, 0);
		CHECK_EQ(setuid(54322), 0);
		execl("/proc/self/exe", "x", "--list", NULL); /* one more was allowed when it was counted */
		_exit(1);
	}
	waitpid(c, &st, 0);
	CHECK_EQ(st, 0);
}
