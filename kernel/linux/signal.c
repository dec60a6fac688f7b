/* SPDX-License-Identifier: MIT */
/*
 * signal.c - Linux's signal calls.
 */
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/fork.h>
#include <tessera/pid_namespace.h>
#include <tessera/process.h>
#include <tessera/sched.h>
#include <tessera/signal.h>

#include "linux.h"

#define SIGSET_SIZE 8

#define SIG_BLOCK   0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

#define SS_ONSTACK    1
#define SS_DISABLE    2
#define SS_AUTODISARM INT32_MIN /* bit 31 of an int */
#define SS_SIZE_MIN   2048

#define SA_KNOWN                                                                                   \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_RESTART |        \
	 SA_NODEFER | SA_RESETHAND | SA_EXPOSE_TAGBITS)

struct linux_stack {
	uint64_t sp;
	int32_t flags, pad;
	uint64_t size;
};

/* --- actions and masks ------------------------------------------------------------------------ */

long
linux_rt_sigaction(int signo, const struct signal_action __user *act, struct signal_action __user *oldact,
		   size_t size)
{
	struct signal_action action = { 0 }, old;
	int error;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (act && copy_from_user(&action, act, sizeof(action)))
		return -EFAULT;
	action.flags &= SA_KNOWN; /* programs find out what is supported by reading back */
	error = signal_set_action(signo, act ? &action : NULL, &old);
	if (!error && oldact && copy_to_user(oldact, &old, sizeof(old)))
		return -EFAULT;
	return error;
}

long
linux_rt_sigprocmask(int how, const uint64_t __user *set, uint64_t __user *oldset, size_t size)
{
	uint64_t old = current_thread()->signal_mask, new_set;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (set) {
		if (get_user(new_set, set))
			return -EFAULT;
		switch (how) {
		case SIG_BLOCK:
			new_set |= old;
			break;
		case SIG_UNBLOCK:
			new_set = old & ~new_set;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		signal_set_mask(new_set);
	}
	return oldset ? put_user(old, oldset) : 0;
}

long
linux_rt_sigpending(uint64_t __user *set, size_t size)
{
	uint64_t pending = signal_pending_set() & current_thread()->signal_mask;

	if (size > SIGSET_SIZE)
		return -EINVAL;
	return copy_to_user(set, &pending, size);
}

/* --- waiting ---------------------------------------------------------------------------------- */

long
linux_pause(void)
{
	(void)wait_until(DEADLINE_NEVER, WAIT_INTERRUPTIBLE);
	return -ERESTARTNOHAND;
}

long
linux_rt_sigsuspend(const uint64_t __user *set, size_t size)
{
	uint64_t mask;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (get_user(mask, set))
		return -EFAULT;
	signal_mask_begin(mask);
	(void)wait_until(DEADLINE_NEVER, WAIT_INTERRUPTIBLE);
	signal_mask_end(true);
	return -ERESTARTNOHAND;
}

/* Sleep until one of `set` is pending. Its number, -EAGAIN at the deadline, -EINTR. */
static int
wait_for_signal(uint64_t set, deadline_t until, struct siginfo *info)
{
	struct process *p = current_process();
	int signo = 0, error;

	error = wait_event_deadline(&p->signal_wait, (signo = signal_take(set, info)) != 0,
				    WAIT_INTERRUPTIBLE, until);
	if (signo)
		return signo;
	return error == -ETIMEDOUT ? -EAGAIN : -EINTR;
}

long
linux_rt_sigtimedwait(const uint64_t __user *uset, struct siginfo __user *out,
		      const struct timespec64 __user *timeout, size_t size)
{
	deadline_t until = DEADLINE_NEVER;
	struct timespec64 ts;
	struct siginfo info;
	uint64_t set;
	int signo;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (get_user(set, uset))
		return -EFAULT;
	if (timeout) {
		if (copy_from_user(&ts, timeout, sizeof(ts)))
			return -EFAULT;
		if (!timespec_valid(&ts))
			return -EINVAL;
		until = deadline_after(timespec_ns(&ts));
	}
	signo = wait_for_signal(set, until, &info);
	if (signo > 0 && out && copy_to_user(out, &info, sizeof(info)))
		return -EFAULT;
	return signo;
}

/* --- sending ---------------------------------------------------------------------------------- */

long
linux_kill(pid_t pid, int signo)
{
	struct siginfo info;

	siginfo_user(&info, signo, SI_USER);
	return signal_kill(pid, signo, &info);
}

long
linux_tgkill(pid_t pid, pid_t tid, int signo)
{
	struct siginfo info;

	if (pid <= 0 || tid <= 0)
		return -EINVAL;
	siginfo_user(&info, signo, SI_TKILL);
	return signal_kill_thread(pid, tid, signo, &info);
}

long
linux_tkill(pid_t tid, int signo)
{
	struct siginfo info;

	if (tid <= 0)
		return -EINVAL;
	siginfo_user(&info, signo, SI_TKILL);
	return signal_kill_thread(0, tid, signo, &info);
}

/* A program may make a siginfo up, but not pretend to be kill() or the kernel to somebody else. */
static int
import_info(struct siginfo *info, const struct siginfo __user *from, int signo, pid_t target)
{
	if (copy_from_user(info, from, sizeof(*info)))
		return -EFAULT;
	info->signo = signo;
	if ((info->code >= 0 || info->code == SI_TKILL) && target != current_process()->local_pid)
		return -EPERM;
	return 0;
}

long
linux_rt_sigqueueinfo(pid_t pid, int signo, const struct siginfo __user *uinfo)
{
	struct siginfo info;
	int error = import_info(&info, uinfo, signo, pid);

	if (error)
		return error;
	return pid > 0 ? signal_kill(pid, signo, &info) : -ESRCH;
}

long
linux_rt_tgsigqueueinfo(pid_t pid, pid_t tid, int signo, const struct siginfo __user *uinfo)
{
	struct siginfo info;
	int error;

	error = import_info(&info, uinfo, signo, pid);
	if (error == -EFAULT)
		return error;
	if (pid <= 0 || tid <= 0)
		return -EINVAL;
	return error ? error : signal_kill_thread(pid, tid, signo, &info);
}

long
linux_pidfd_send_signal(int pidfd, int signo, const struct siginfo __user *uinfo, unsigned int flags)
{
	struct siginfo info;
	struct process *p;
	int error;

	if (flags)
		return -EINVAL;
	if (signo < 0 || signo > SIGNAL_COUNT)
		return -EINVAL;
	p = pidfd_get_for_signal(pidfd, &error);
	if (!p)
		return error;
	/* The handle may have come from a namespace above, whose processes have no number here. */
	if (!pid_namespace_is_inside(&p->pid_ns->ns, &current_pid_namespace()->ns)) {
		process_put(p);
		return -EINVAL;
	}
	if (uinfo) {
		error = copy_from_user(&info, uinfo, sizeof(info));
		if (!error && info.signo != signo)
			error = -EINVAL;
		if (!error && (info.code >= 0 || info.code == SI_TKILL) && p != current_process())
			error = -EPERM;
	} else {
		siginfo_user(&info, signo, SI_USER);
		error = 0;
	}
	if (!error)
		error = signal_may_send(p, signo);
	if (!error && READ_ONCE(p->state) == PROCESS_REAPED)
		error = -ESRCH;
	if (!error && signo)
		error = signal_send_process(p, signo, &info);
	process_put(p);
	return error;
}

/* --- handlers --------------------------------------------------------------------------------- */

long
linux_rt_sigreturn(void)
{
	struct trap_frame *f = arch_user_frame(current_thread());
	struct siginfo info = { .signo = SIGSEGV, .code = SI_KERNEL };
	uint64_t mask;

	if (arch_signal_return(f, &mask) < 0) {
		signal_force(SIGSEGV, &info);
		return 0;
	}
	signal_set_mask(mask);
	return f->rax;
}

static bool
on_stack(const struct signal_stack *s, uint64_t sp)
{
	return !(s->flags & SS_AUTODISARM) && sp > s->sp && sp - s->sp <= s->size;
}

long
linux_sigaltstack(const void __user *uss, void __user *uoss)
{
	struct thread *t = current_thread();
	bool active = on_stack(&t->altstack, arch_user_frame(t)->rsp);
	struct linux_stack ss, old = { .sp = t->altstack.sp, .size = t->altstack.size };
	int mode;

	old.flags = t->altstack.size == 0 ? SS_DISABLE : active ? SS_ONSTACK : 0;
	old.flags |= t->altstack.flags & SS_AUTODISARM;
	if (uss) {
		if (copy_from_user(&ss, uss, sizeof(ss)))
			return -EFAULT;
		if (active)
			return -EPERM;
		mode = ss.flags & ~SS_AUTODISARM;
		if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
			return -EINVAL;
		if (mode == SS_DISABLE) {
			ss.sp = 0;
			ss.size = 0;
		} else if (ss.size < SS_SIZE_MIN) {
			return -ENOMEM;
		}
		t->altstack = (struct signal_stack){ ss.sp, ss.flags, ss.size };
	}
	return uoss ? copy_to_user(uoss, &old, sizeof(old)) : 0;
}

/* A call that was interrupted by a stop, or by a signal without a handler, goes on: see
 * thread->restart. */
long
linux_restart_syscall(void)
{
	struct restart_block *b = &current_thread()->restart;

	return b->fn ? b->fn(b) : -EINTR;
}
