/* SPDX-License-Identifier: MIT */
/*
 * clone.c - fork, vfork, clone, clone3: four ways to say it.
 */
#include <tessera/fork.h>
#include <tessera/pid_namespace.h>
#include <tessera/signal.h>
#include <tessera/string.h>

#include "linux.h"

#define CSIGNAL 0xffull

long
linux_fork(void)
{
	struct clone_request r = { .exit_signal = SIGCHLD };

	return process_clone(&r);
}

long
linux_vfork(void)
{
	struct clone_request r = { .flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD };

	return process_clone(&r);
}

long
linux_clone(unsigned long flags, uint64_t stack, int32_t __user *parent_tid, int32_t __user *child_tid,
	    uint64_t tls)
{
	struct clone_request r = {
		.flags = (uint32_t)flags & ~CSIGNAL,
		.exit_signal = flags & CSIGNAL,
		.stack = stack,
		.tls = tls,
		.parent_tid = parent_tid,
		.child_tid = child_tid,
		.pidfd = parent_tid,
	};

	/* Both would go to the same place. */
	if ((r.flags & CLONE_PIDFD) && (r.flags & CLONE_PARENT_SETTID))
		return -EINVAL;
	return process_clone(&r);
}

/* struct clone_args, version 2 (88 bytes); version 0 ends at `set_tid`. */
struct clone_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	uint64_t set_tid, set_tid_size, cgroup;
};

/* Copy a versioned struct: what the program's version lacks is zero, what ours lacks must be. */
static int
copy_args(struct clone_args *a, const void __user *from, size_t size)
{
	const uint8_t __user *rest = (const uint8_t __user *)from + sizeof(*a);

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < offsetof(struct clone_args, set_tid))
		return -EINVAL;
	memset(a, 0, sizeof(*a));
	if (copy_from_user(a, from, MIN(size, sizeof(*a))))
		return -EFAULT;
	for (size_t i = sizeof(*a); i < size; i++, rest++) {
		uint8_t byte;

		if (get_user(byte, rest))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return 0;
}

long
linux_clone3(const void __user *uargs, size_t size)
{
	struct clone_args a;
	struct clone_request r = { 0 };
	pid_t set_tid[PID_NAMESPACE_DEPTH];
	int error = copy_args(&a, uargs, size);

	if (error)
		return error;
	/* Nothing that can be opened is a control group. */
	if (a.flags & CLONE_INTO_CGROUP)
		return a.cgroup > INT32_MAX || size < sizeof(a) ? -EINVAL : -EBADF;
	if (a.exit_signal > SIGNAL_COUNT || (a.flags & (CSIGNAL | CLONE_DETACHED)))
		return -EINVAL;
	if ((a.flags & (CLONE_THREAD | CLONE_PARENT)) && a.exit_signal)
		return -EINVAL;
	/* A stack is given by its lowest address and its size, both or neither. */
	if (!a.stack != !a.stack_size || !user_range_ok((void __user *)a.stack, a.stack_size))
		return -EINVAL;
	if (!a.set_tid != !a.set_tid_size || a.set_tid_size > ARRAY_SIZE(set_tid))
		return -EINVAL;
	if (a.set_tid && copy_from_user(set_tid, (const void __user *)a.set_tid, a.set_tid_size * sizeof(set_tid[0])))
		return -EFAULT;
	r.set_tid = set_tid;
	r.set_tid_count = a.set_tid_size;
	r.flags = a.flags;
	r.exit_signal = (int)a.exit_signal;
	r.stack = a.stack ? a.stack + a.stack_size : 0;
	r.tls = a.tls;
	r.parent_tid = (int32_t __user *)a.parent_tid;
	r.child_tid = (int32_t __user *)a.child_tid;
	r.pidfd = (int32_t __user *)a.pidfd;
	return process_clone(&r);
}
