/* SPDX-License-Identifier: MIT */
/* Filters for the tests, and ways to install them. */
#ifndef FILTER_H
#define FILTER_H

#include "../check.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#define LOAD(field)   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, value)
#define IF_EQUAL(k, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, then, otherwise)

#define SECCOMP(op, flags, arg) syscall(SYS_seccomp, op, flags, arg)

/* Installs the instructions; what seccomp(2) returned. */
#define INSTALL(flags, ...)                                                                        \
	({                                                                                         \
		struct sock_filter code_[] = { __VA_ARGS__ };                                      \
		struct sock_fprog prog_ = { .len = sizeof(code_) / sizeof(code_[0]), .filter = code_ }; \
		SECCOMP(SECCOMP_SET_MODE_FILTER, flags, &prog_);                                   \
	})

/* `value` for call `nr`, else the call is made. */
#define INSTALL_FOR(flags, nr, value)                                                              \
	INSTALL(flags, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), IF_EQUAL(nr, 0, 1), ANSWER(value), ANSWER(SECCOMP_RET_ALLOW))

static inline void
no_new_privs(void)
{
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

#endif
