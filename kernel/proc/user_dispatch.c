/* SPDX-License-Identifier: MIT */
/*
 * user_dispatch.c - system calls that come back to the program as SIGSYS. See user_dispatch.h.
 *
 * The selector is read at each call: it is the program's own switch, thrown without a call. A value that is neither
 * of the two, or a selector that cannot be read, ends the program, since a handler could not make a call either.
 */
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/uaccess.h>
#include <tessera/user_dispatch.h>

#include "proc.h"

#define SELECTOR_ALLOW 0
#define SELECTOR_BLOCK 1
#define SYS_USER_DISPATCH 2 /* si_code of SIGSYS */
#define ARCH_X86_64 0xc000003eu

int
user_dispatch_set(uint64_t start, uint64_t length, const uint8_t __user *selector)
{
	struct thread *t = current_thread();

	if (start && start + length <= start)
		return -EINVAL;
	if (selector && !user_range_ok(selector, sizeof(*selector)))
		return -EFAULT;
	t->dispatch = (struct user_dispatch){ .start = start, .length = length, .selector = selector };
	atomic_or(&t->call_work, CALL_WORK_DISPATCH);
	return 0;
}

void
user_dispatch_clear(struct thread *t)
{
	atomic_and(&t->call_work, ~CALL_WORK_DISPATCH);
	t->dispatch = (struct user_dispatch){ 0 };
}

/* The registers are as they were at the call: its number is in rax again. */
static long
turn_away(struct trap_frame *f, int signo, bool deadly)
{
	struct siginfo info = { .signo = signo, .code = deadly ? SI_KERNEL : SYS_USER_DISPATCH };

	if (deadly) {
		signal_force_default(signo, &info);
	} else {
		info.sys.call_address = f->rip;
		info.sys.syscall = (int32_t)f->orig_rax;
		info.sys.arch = ARCH_X86_64;
		signal_force(signo, &info);
	}
	current_thread()->dispatch.turned_away = true;
	return (long)f->orig_rax;
}

bool
user_dispatch_enter(struct trap_frame *f, long *result)
{
	const struct user_dispatch *d = &current_thread()->dispatch;
	uint8_t selector = SELECTOR_BLOCK;

	if (f->rip - d->start < d->length)
		return true;
	if (d->selector && get_user(selector, d->selector)) {
		*result = turn_away(f, SIGSEGV, true);
		return false;
	}
	if (selector == SELECTOR_ALLOW)
		return true;
	*result = turn_away(f, SIGSYS, selector != SELECTOR_BLOCK);
	return false;
}
