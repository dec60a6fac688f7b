/* SPDX-License-Identifier: MIT */
/*
 * errors_process.c - the errors that the manual gives for waiting for processes and for changing
 * who they are.
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
static int st;

TEST(waiting_refuses_what_the_manual_says)
{
	void *bad = check_bad_address();
	int fd = open(".", O_RDONLY);
	CHECK_ERRNO(waitpid(-1, &st, 0), ECHILD);
	CHECK_ERRNO(waitpid(0, &st, 0), ECHILD);
	CHECK_ERRNO(waitpid(1, &st, 0), ECHILD);
	CHECK_ERRNO(waitpid(-1, &st, 0x100), EINVAL);
	CHECK_ERRNO(waitpid(-1, &st, WNOWAIT), EINVAL);
	CHECK_ERRNO(waitpid(-1, &st, WEXITED), EINVAL);
	CHECK_ERRNO(waitpid(INT_MIN, &st, 0), ESRCH);
	CHECK_ERRNO(waitpid(-1, &st, __WALL | __WCLONE | __WNOTHREAD | WNOHANG), ECHILD);
	CHECK_ERRNO(wait4(-1, &st, 0, bad), ECHILD);
	CHECK_ERRNO(wait4(-1, bad, 0, 0), ECHILD);
	CHECK_ERRNO(waitid(P_ALL, 0, &si, 0), EINVAL);
	CHECK_ERRNO(waitid(P_ALL, 0, &si, WNOHANG), EINVAL);
	CHECK_ERRNO(waitid(P_ALL, 0, &si, WEXITED), ECHILD);
	CHECK_ERRNO(waitid(P_PID, 0, &si, WEXITED), EINVAL);
	CHECK_ERRNO(waitid(P_PID, -1, &si, WEXITED), EINVAL);
	CHECK_ERRNO(waitid(P_PGID, 0, &si, WEXITED), ECHILD);
	CHECK_ERRNO(waitid(P_PGID, -1, &si, WEXITED), EINVAL);
	CHECK_ERRNO(waitid(P_PIDFD, -1, &si, WEXITED), EINVAL);
	CHECK_ERRNO(waitid(P_PIDFD, 99, &si, WEXITED), EBADF);
	CHECK_ERRNO(waitid(P_PIDFD, fd, &si, WEXITED), EBADF);
	CHECK_ERRNO(waitid(9, 0, &si, WEXITED), EINVAL);
	CHECK_ERRNO(waitid(P_ALL, 0, &si, WEXITED | 0x100), EINVAL);
	CHECK_ERRNO(waitid(P_ALL, 0, bad, WEXITED), EFAULT);
	CHECK_ERRNO(waitid(P_ALL, 0, NULL, WEXITED | WNOHANG), ECHILD);
	pid_t c = check_fork();
	if (!c) {
		pause();
		_exit(0);
	}
	CHECK_EQ(waitpid(c, &st, WNOHANG), 0);
	CHECK_EQ(waitpid(c, NULL, WNOHANG), 0);
	CHECK_EQ(waitid(P_PID, c, &si, WEXITED | WNOHANG), 0);
	CHECK_EQ(si.si_pid, 0);
	CHECK_ERRNO(waitid(P_PID, c, bad, WEXITED | WNOHANG), EFAULT);
	CHECK_EQ(syscall(SYS_waitid, P_PID, c, NULL, WEXITED | WNOHANG, bad), 0);
	CHECK_EQ(syscall(SYS_wait4, c, bad, WNOHANG, bad), 0);
	CHECK_ERRNO(waitpid(c, &st, WNOHANG | __WCLONE), ECHILD);
	CHECK_ERRNO(waitid(P_PID, c, &si, WEXITED | __WCLONE | WNOHANG), ECHILD);
	CHECK_EQ(waitid(P_PGID, getpgid(c), &si, WEXITED | WNOHANG), 0);
	CHECK_EQ(waitid(P_PGID, 0, &si, WEXITED | WNOHANG), 0);
	CHECK_EQ(waitid(P_PIDFD, syscall(SYS_pidfd_open, c, 0), &si, WEXITED | WNOHANG), 0);
	int nb = syscall(SYS_pidfd_open, c, O_NONBLOCK);
	CHECK_ERRNO(waitid(P_PIDFD, nb, &si, WEXITED), EAGAIN);
	CHECK_ERRNO(waitpid(-c, &st, WNOHANG), ECHILD);
	CHECK_EQ(setpgid(c, c), 0);
	CHECK_EQ(waitpid(-c, &st, WNOHANG), 0);
	CHECK_ERRNO(waitpid(0, &st, WNOHANG), ECHILD);
	kill(c, SIGSTOP);
	CHECK(waitpid(c, &st, WUNTRACED) == c);
	CHECK_EQ(st, 4991);
	CHECK_EQ(waitpid(c, &st, WUNTRACED | WNOHANG), 0);
	kill(c, SIGCONT);
	CHECK_EQ(waitid(P_PID, c, &si, WCONTINUED | WNOWAIT), 0);
	CHECK_EQ(si.si_code, 6);
	CHECK_EQ(si.si_status, 18);
	CHECK_EQ(waitid(P_PID, c, &si, WCONTINUED), 0);
	CHECK_EQ(waitid(P_PID, c, &si, WCONTINUED | WNOHANG), 0);
	kill(c, 9);
	CHECK_EQ(waitid(P_PID, c, &si, WEXITED | WNOWAIT), 0);
	CHECK_EQ(si.si_code, 2);
	CHECK_EQ(si.si_status, 9);
	CHECK_EQ(kill(c, 0), 0);
	CHECK(getpgid(c) == c);
	CHECK(getsid(c) == getsid(0));
	CHECK_EQ(setpgid(c, 0), 0);
	CHECK_ERRNO(syscall(SYS_waitid, P_PID, c, bad, WEXITED, NULL), EFAULT);
	CHECK_ERRNO(waitpid(c, &st, 0), ECHILD);
	CHECK_ERRNO(kill(c, 0), ESRCH);
	c = check_fork();
	if (!c)
		_exit(3);
	CHECK_ERRNO(syscall(SYS_wait4, c, bad, 0, NULL), EFAULT);
	CHECK_ERRNO(waitpid(c, &st, 0), ECHILD);
	c = check_fork();
	if (!c)
		_exit(3);
	CHECK_ERRNO(syscall(SYS_wait4, c, &st, 0, bad), EFAULT);
	CHECK_ERRNO(waitpid(c, &st, 0), ECHILD);
	signal(SIGCHLD, SIG_IGN);
	c = check_fork();
	if (!c)
		_exit(3);
	CHECK_ERRNO(waitpid(c, &st, 0), ECHILD);
	CHECK_ERRNO(waitid(P_ALL, 0, &si, WEXITED), ECHILD);
}

TEST(calls_on_identity_refuse_what_the_manual_says)
{
	void *bad = check_bad_address();
	gid_t g[10] = {1, 2, 3};
	uid_t a, b, c;
	cap_user_header_t h = NULL;
	(void)h;
	CHECK_ERRNO(setuid(-1), EINVAL);
	CHECK_ERRNO(setgid(-1), EINVAL);
	CHECK_ERRNO(seteuid(-1), EINVAL);
	CHECK_EQ(setreuid(-1, -1), 0);
	CHECK_EQ(setresuid(-1, -1, -1), 0);
	CHECK_EQ(setfsuid(-1), 0);
	CHECK_EQ(setfsgid(-1), 0);
	CHECK_ERRNO(getresuid(bad, &b, &c), EFAULT);
	CHECK_ERRNO(getresuid(&a, bad, &c), EFAULT);
	CHECK_ERRNO(getresuid(&a, &b, bad), EFAULT);
	CHECK_ERRNO(getresgid(bad, &b, &c), EFAULT);
	CHECK_ERRNO(syscall(SYS_setgroups, 65537, g), EINVAL);
	CHECK_ERRNO(syscall(SYS_setgroups, -1, g), EINVAL);
	CHECK_ERRNO(syscall(SYS_setgroups, 3, bad), EFAULT);
	CHECK_EQ(syscall(SYS_setgroups, 3, g), 0);
	CHECK_ERRNO(getgroups(2, g), EINVAL);
	CHECK_EQ(getgroups(0, bad), 3);
	CHECK_ERRNO(getgroups(-1, g), EINVAL);
	CHECK_ERRNO(getgroups(3, bad), EFAULT);
	CHECK_EQ(getgroups(10, g), 3);
	g[0] = -1;
	CHECK_ERRNO(syscall(SYS_setgroups, 1, g), EINVAL);
	CHECK_EQ(syscall(SYS_setgroups, 0, bad), 0);
	CHECK_EQ(getgroups(10, g), 0);
	CHECK_ERRNO(getpgid(-1), ESRCH);
	CHECK_ERRNO(getpgid(4194303), ESRCH);
	CHECK_ERRNO(getsid(-1), ESRCH);
	CHECK_ERRNO(getsid(4194303), ESRCH);
	CHECK_ERRNO(setpgid(-1, 0), EINVAL);
	CHECK_ERRNO(setpgid(0, -1), EINVAL);
	CHECK_ERRNO(setpgid(1, 0), ESRCH);
	CHECK_ERRNO(setpgid(0, 4194303), EPERM);
	CHECK_ERRNO(setpgid(0, 1), EPERM);
	CHECK_ERRNO(setpgid(4194303, 0), ESRCH);
	CHECK(getpgid(0) == getpgrp());
	CHECK_EQ(getpgid(1), 0);
	CHECK(getpgid(2) >= 0);
	CHECK_ERRNO(syscall(SYS_capget, NULL, NULL), EFAULT);
	struct __user_cap_header_struct hd = {0, 0};
	struct __user_cap_data_struct d[2];
	CHECK_EQ(syscall(SYS_capget, &hd, NULL), 0);
	CHECK_EQ(hd.version, 537396514);
	hd.version = _LINUX_CAPABILITY_VERSION_3;
	CHECK_EQ(syscall(SYS_capget, &hd, NULL), 0);
	CHECK_ERRNO(syscall(SYS_capget, &hd, bad), EFAULT);
	hd.pid = -1;
	CHECK_ERRNO(syscall(SYS_capget, &hd, d), EINVAL);
	hd.pid = 4194303;
	CHECK_ERRNO(syscall(SYS_capget, &hd, d), ESRCH);
	hd.pid = 1;
	CHECK_EQ(syscall(SYS_capget, &hd, d), 0);
	CHECK_ERRNO(syscall(SYS_capset, &hd, d), EPERM);
	hd.pid = 0;
	CHECK_ERRNO(syscall(SYS_capset, &hd, NULL), EFAULT);
	CHECK_ERRNO(syscall(SYS_capset, NULL, d), EFAULT);
	CHECK_ERRNO(syscall(SYS_capset, &hd, bad), EFAULT);
	hd.version = 1;
	CHECK_ERRNO(syscall(SYS_capset, &hd, d), EINVAL);
	CHECK_EQ(hd.version, 537396514);
	CHECK_ERRNO(syscall(SYS_capget, bad, d), EFAULT);
	hd.version = _LINUX_CAPABILITY_VERSION_1;
	CHECK_EQ(syscall(SYS_capget, &hd, d), 0);
	hd.version = _LINUX_CAPABILITY_VERSION_3;
	CHECK_EQ(syscall(SYS_capget, &hd, d), 0);
	d[0].permitted &= ~1;
	CHECK_ERRNO(syscall(SYS_capset, &hd, d), EPERM);
	d[0].effective &= ~1;
	CHECK_EQ(syscall(SYS_capset, &hd, d), 0);
	d[0].permitted |= 1;
	CHECK_ERRNO(syscall(SYS_capset, &hd, d), EPERM);
	d[0].permitted &= ~1;
	d[0].inheritable = 1;
	CHECK_EQ(syscall(SYS_capset, &hd, d), 0);
	d[0].inheritable = 2;
	CHECK_EQ(syscall(SYS_capset, &hd, d), 0);
	d[1].permitted = -1;
	CHECK_EQ(syscall(SYS_capset, &hd, d), 0);
	d[1].effective = -1;
	CHECK_EQ(syscall(SYS_capset, &hd, d), 0);
	check_become(1000, 1000);
	CHECK_ERRNO(setuid(0), EPERM);
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERRNO(setgid(0), EPERM);
	CHECK_ERRNO(setresuid(1000, 1001, -1), EPERM);
	CHECK_ERRNO(setresgid(-1, 0, -1), EPERM);
	CHECK_ERRNO(setreuid(0, -1), EPERM);
	CHECK_ERRNO(seteuid(0), EPERM);
	CHECK_EQ(setfsuid(0), 1000);
	CHECK_EQ(setfsuid(-1), 1000);
	CHECK_ERRNO(syscall(SYS_setgroups, 0, NULL), EPERM);
	CHECK_ERRNO(chroot("/"), EPERM);
	CHECK_ERRNO(sethostname("x", 1), EPERM);
	CHECK_ERRNO(setdomainname("x", 1), EPERM);
	CHECK_ERRNO(settimeofday(&(struct timeval){0}, 0), EPERM);
	CHECK_ERRNO(clock_settime(CLOCK_REALTIME, &(struct timespec){0}), EPERM);
	CHECK_ERRNO(syscall(SYS_reboot, 0, 0, 0, 0), EPERM);
	CHECK_ERRNO(syscall(SYS_swapon, "x", 0), EPERM);
	CHECK_ERRNO(syscall(SYS_mount, "a", "b", "tmpfs", 0, 0), ENOENT);
	CHECK_ERRNO(syscall(SYS_umount2, "/", 0), EPERM);
	CHECK_ERRNO(syscall(SYS_pivot_root, "/", "/"), EPERM);
	CHECK_ERRNO(syscall(SYS_vhangup), EPERM);
	CHECK_ERRNO(syscall(SYS_iopl, 3), EPERM);
	CHECK_ERRNO(syscall(SYS_ioperm, 0, 1, 1), EPERM);
	CHECK_ERRNO(syscall(SYS_init_module, 0, 0, ""), EPERM);
	CHECK_ERRNO(syscall(SYS_delete_module, "x", 0), EPERM);
	CHECK_ERRNO(nice(-1), EPERM);
	CHECK_ERRNO(setpriority(PRIO_PROCESS, 0, -1), EACCES);
	CHECK_ERRNO(sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){1}), EPERM);
	CHECK_ERRNO(unshare(CLONE_NEWUTS), EPERM);
	CHECK_ERRNO(unshare(CLONE_NEWNS), EPERM);
	CHECK_ERRNO(syscall(SYS_quotactl, 0, 0, 0, 0), ENODEV);
	CHECK_ERRNO(adjtimex(&(struct timex){.modes = ADJ_OFFSET}), EPERM);
	CHECK_ERRNO(syscall(SYS_syslog, 3, buf, 10), EPERM);
	CHECK_ERRNO(syscall(SYS_syslog, 10, 0, 0) >= 0 ? 0 : -1, EPERM);
	CHECK_ERRNO(syscall(SYS_syslog, 5, 0, 0), EPERM);
	CHECK_ERRNO(prctl(PR_CAPBSET_DROP, 1), EPERM);
	CHECK_ERRNO(prctl(PR_SET_SECUREBITS, 1), EPERM);
	CHECK_ERRNO(kill(1, 9), EPERM);
	CHECK_ERRNO(kill(1, 0), EPERM);
	CHECK_ERRNO(syscall(SYS_tkill, 1, 0), EPERM);
	CHECK_ERRNO(syscall(SYS_ptrace, 16, 1, 0, 0), EPERM);
	CHECK_ERRNO(syscall(SYS_kcmp, 1, getpid(), 0, 0, 0), EPERM);
	CHECK_ERRNO(syscall(SYS_get_robust_list, 1, buf, buf), EPERM);
	CHECK_ERRNO(syscall(SYS_sched_setaffinity, 1, 8, buf), EPERM);
	CHECK_ERRNO(syscall(SYS_migrate_pages, 1, 64, buf, buf), EPERM);
	CHECK_ERRNO(syscall(SYS_move_pages, 1, 0, 0, 0, 0, 0), EPERM);
	CHECK_ERRNO(syscall(SYS_process_madvise, 99, 0, 0, 0, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_lookup_dcookie, 0, 0, 0), ENOSYS);
	CHECK(syscall(SYS_open_by_handle_at, 0, 0, 0) == -1);
	CHECK_ERRNO(
		setrlimit(RLIMIT_NOFILE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}), EPERM);
	CHECK_ERRNO(syscall(SYS_mknod, "blk", S_IFBLK, 0), EPERM);
	CHECK_ERRNO(syscall(SYS_ioprio_set, 1, 0, 1 << 13), EPERM);
	CHECK_ERRNO(syscall(SYS_ioprio_set, 1, 1, 2 << 13), EPERM);
	CHECK_ERRNO(syscall(SYS_sched_setattr, 1, buf, 0), EPERM);
	CHECK_ERRNO(syscall(SYS_kexec_load, 0, 0, 0, 0), EPERM);
	CHECK_ERRNO(setsid(), EPERM);
	CHECK_EQ(getpriority(PRIO_PROCESS, 1), 0);
	CHECK_ERRNO(setpriority(PRIO_PROCESS, 1, 0), EPERM);
	CHECK_EQ(setpriority(PRIO_USER, 0, 0), 0);
	CHECK_ERRNO(setpriority(PRIO_PGRP, 1, 0), ESRCH);
	CHECK_ERRNO(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_PDEATHSIG, -1), EINVAL);
}
