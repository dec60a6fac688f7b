/* SPDX-License-Identifier: MIT */
/* The call itself, which libc does not offer. */
#ifndef ABI_THREADS_FUTEX_H
#define ABI_THREADS_FUTEX_H

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static inline long
futex(volatile int *at, int op, int value, const struct timespec *t, volatile int *other, int three)
{
	return syscall(SYS_futex, at, op, value, t, other, three);
}

#endif
