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

#include "calls.h"

#endif
