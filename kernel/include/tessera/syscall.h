/* SPDX-License-Identifier: MIT */
/*
 * syscall.h - one table says everything about Linux's calls: kernel/linux/calls.h.
 *
 * Each line: CALLn(number, name, type1, arg1, ...). From it come the prototypes (long linux_NAME(...)),
 * the thunks that take registers, the dispatch table and the names for traces. A handler decodes and
 * checks, then calls a room; it returns a value or a negative errno.
 */
#ifndef TESSERA_SYSCALL_H
#define TESSERA_SYSCALL_H

#include <tessera/errno.h>
#include <tessera/types.h>
#include <tessera/uaccess.h>

#define CALL0(nr, name) long linux_##name(void);
#define CALL1(nr, name, t1, a1) long linux_##name(t1 a1);
#define CALL2(nr, name, t1, a1, t2, a2) long linux_##name(t1 a1, t2 a2);
#define CALL3(nr, name, t1, a1, t2, a2, t3, a3) long linux_##name(t1 a1, t2 a2, t3 a3);
#define CALL4(nr, name, t1, a1, t2, a2, t3, a3, t4, a4)                                            \
	long linux_##name(t1 a1, t2 a2, t3 a3, t4 a4);
#define CALL5(nr, name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5)                                    \
	long linux_##name(t1 a1, t2 a2, t3 a3, t4 a4, t5 a5);
#define CALL6(nr, name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6)                            \
	long linux_##name(t1 a1, t2 a2, t3 a3, t4 a4, t5 a5, t6 a6);

#define CALL_MAX 1100 /* Linux's numbers end below 512, ours start at 1024 */

const char *syscall_name(unsigned int nr); /* "openat", or NULL */
unsigned int syscall_arguments(unsigned int nr); /* how many it takes */

#endif
