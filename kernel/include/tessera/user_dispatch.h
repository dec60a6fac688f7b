/* SPDX-License-Identifier: MIT */
/*
 * user_dispatch.h - a program handles system calls itself: prctl(PR_SET_SYSCALL_USER_DISPATCH).
 *
 * Calls made from outside one range of the program's text are turned into SIGSYS while a byte in its memory, the
 * selector, says so: an emulator of another system lets foreign code run and looks at its calls. Of one thread;
 * neither its children nor the program after an exec have it.
 */
#ifndef TESSERA_USER_DISPATCH_H
#define TESSERA_USER_DISPATCH_H

#include <tessera/types.h>
#include <tessera/uaccess.h>

struct thread;
struct trap_frame;

/* [o] all, of the thread itself, while it has CALL_WORK_DISPATCH */
struct user_dispatch {
	uint64_t start, length;         /* calls from here are never looked at */
	const uint8_t __user *selector; /* NULL: all others are turned away */
	bool turned_away;               /* the present call: its exit is nobody's affair */
};

/* Of the calling thread. -EINVAL: not a range; -EFAULT: not an address of a program's. */
int user_dispatch_set(uint64_t start, uint64_t length, const uint8_t __user *selector);
void user_dispatch_clear(struct thread *t);
/* May the call that `f` asks for be made? False: a signal is on its way, *result is what rax shall be. */
bool user_dispatch_enter(struct trap_frame *f, long *result);

#endif
