/* SPDX-License-Identifier: MIT */
/*
 * confine.c - what a driver cannot do once it runs: a filter of system calls (seccomp) that leaves waiting, memory and
 * the descriptors it holds. It cannot open a file, start a program or reach another process.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "driver.h"

/* Looked at in this order: the common ones first. */
static const unsigned allowed[] = {
	SYS_epoll_pwait, SYS_ioctl, SYS_sched_yield, SYS_read, SYS_write, SYS_epoll_wait, SYS_writev, SYS_pread64,
	SYS_pwrite64, SYS_futex, SYS_clock_gettime, SYS_gettimeofday, SYS_rt_sigreturn, SYS_restart_syscall, SYS_epoll_ctl,
	SYS_eventfd2, SYS_timerfd_create, SYS_timerfd_settime, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_madvise,
	SYS_mremap, SYS_brk, SYS_close, SYS_fcntl, SYS_fstat, SYS_lseek, SYS_sendmsg, SYS_recvmsg, SYS_sendto,
	SYS_recvfrom, SYS_nanosleep, SYS_clock_nanosleep, SYS_rt_sigaction,
	SYS_rt_sigprocmask, SYS_sched_getaffinity, SYS_getpid, SYS_gettid, SYS_tkill, SYS_exit, SYS_exit_group,
};

#define COUNT (sizeof(allowed) / sizeof(allowed[0]))

int
driver_confine(const struct driver_options *o)
{
	struct sock_filter code[COUNT + 6], *c = code;
	struct sock_fprog program;

	if (!o->confine)
		return 0;
	*c++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	*c++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	*c++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	*c++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < COUNT; i++)
		*c++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], COUNT - i, 0);
	*c++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	*c++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program = (struct sock_fprog){ .len = c - code, .filter = code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
		log_error("cannot give up system calls: %s", strerror(errno));
		return -errno;
	}
	return 0;
}
