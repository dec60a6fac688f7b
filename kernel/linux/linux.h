/* SPDX-License-Identifier: MIT */
/*
 * linux.h - the prototypes of all handlers, made from calls.h, and the structs they name.
 */
#ifndef TESSERA_LINUX_LINUX_H
#define TESSERA_LINUX_LINUX_H

#include <tessera/iov.h>
#include <tessera/syscall.h>
#include <tessera/time.h>

struct linux_epoll_event;
struct linux_mmsghdr;
struct linux_msghdr;
struct linux_rusage;
struct linux_file_handle;
struct linux_sysinfo;
struct linux_timex;
struct linux_ustat;
struct linux_utsname;
struct rlimit64;
struct sched_attr;
struct sem_operation;
struct siginfo;
struct signal_action;
struct linux_open_how;
struct linux_pollfd;
struct linux_stat;
struct linux_statfs;
struct linux_statx;

struct linux_timeval {
	int64_t tv_sec, tv_usec;
};

struct linux_itimerspec {
	struct timespec64 interval, value;
};

struct linux_itimerval {
	struct linux_timeval interval, value;
};

static inline bool
timespec_valid(const struct timespec64 *t)
{
	return t->tv_sec >= 0 && t->tv_nsec >= 0 && t->tv_nsec < (int64_t)NSEC_PER_SEC;
}

/* In nanoseconds, saturated: a very long time is for ever. */
static inline uint64_t
timespec_ns(const struct timespec64 *t)
{
	if ((uint64_t)t->tv_sec >= INT64_MAX / NSEC_PER_SEC)
		return INT64_MAX;
	return (uint64_t)t->tv_sec * NSEC_PER_SEC + (uint64_t)t->tv_nsec;
}

static inline struct timespec64
ns_timespec(uint64_t ns)
{
	return (struct timespec64){ (int64_t)(ns / NSEC_PER_SEC), (int64_t)(ns % NSEC_PER_SEC) };
}

struct file;
/* inode_flags.c: ioctl()s of chattr(1). False: it is none; else *result. */
bool inode_flags_command(struct file *f, unsigned int command, uintptr_t arg, long *result);
/* prctl(PR_SET_MM): memory_borders.c. */
long prctl_set_mm(unsigned long what, unsigned long at, unsigned long size, unsigned long last);
/* prctl(PR_SET_SECCOMP): seccomp.c. */
long seccomp_prctl(unsigned long mode, const void __user *filter);
long ptrace_seccomp_filter(struct thread *t, uint64_t index, void __user *to);   /* seccomp.c */
long ptrace_seccomp_metadata(struct thread *t, uint64_t size, void __user *user);

#include "calls.h"

#endif
