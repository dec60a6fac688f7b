/* SPDX-License-Identifier: MIT */
/*
 * ptrace_request.c - the tracer's half: holding a tracee still, looking into it, letting it go on.
 *
 * A request that needs the tracee in a stop freezes it first: ptrace_get(tid, true). From there to
 * ptrace_unfreeze(), ptrace_resume() or ptrace_detach() nothing wakes the tracee; its registers lie in
 * its stack and in arch_thread, and are the tracer's to change. The tracer may sleep meanwhile: it waits for
 * memory, never for the tracee.
 */
#include <tessera/address_space.h>
#include <tessera/arch.h>
#include <tessera/cred.h>
#include <tessera/sched.h>
#include <tessera/wait.h>

#include "proc.h"

#define LOOKS_BEFORE_SLEEP 200
#define SETTLE_NS          (50 * NSEC_PER_USEC)

static uint64_t
lock(struct thread *t)
{
	return spin_lock_irq(&t->process->signal_lock);
}

static void
unlock(struct thread *t, uint64_t flags)
{
	spin_unlock_irq(&t->process->signal_lock, flags);
}

/* A frozen thread's way to sleep is short, but it may have been preempted on it. */
static void
wait_off_cpu(struct thread *t)
{
	for (unsigned int looks = 0;; looks++) {
		uint64_t flags = spin_lock_irq(&t->lock);
		bool off = t->state == THREAD_STOPPED && !READ_ONCE(t->on_cpu) && !READ_ONCE(t->queued);

		spin_unlock_irq(&t->lock, flags);
		if (off)
			return;
		if (looks < LOOKS_BEFORE_SLEEP)
			arch_cpu_relax();
		else
			(void)wait_until(clock_monotonic_ns() + SETTLE_NS, WAIT_UNINTERRUPTIBLE);
	}
}

static bool
can_freeze(struct thread *t)
{
	const struct ptrace *pt = t->ptrace;

	return pt->stop != PTRACE_RUNS && !pt->listening && !pt->frozen && !t->exiting &&
	       !(t->pending.set & SIGNAL_BIT(SIGKILL));
}

struct thread *
ptrace_get(pid_t tid, bool freeze)
{
	struct thread *t = thread_find(tid);
	bool mine = false;
	uint64_t flags;

	if (!t)
		return NULL;
	if (t->process) {
		flags = lock(t);
		mine = t->ptrace && t->ptrace->tracer == current_thread();
		if (mine && freeze) {
			mine = can_freeze(t);
			t->ptrace->frozen = mine;
		}
		unlock(t, flags);
	}
	if (!mine) {
		thread_put(t);
		return NULL;
	}
	if (freeze)
		wait_off_cpu(t);
	return t;
}

/* What came while it was frozen wakes it now. */
static void
thaw_locked(struct thread *t)
{
	t->ptrace->frozen = false;
	thread_wake_stopped(t);
}

void
ptrace_unfreeze(struct thread *t)
{
	struct ptrace *pt = t->ptrace;
	uint64_t flags = lock(t);

	pt->frozen = false;
	if ((t->pending.set & SIGNAL_BIT(SIGKILL)) || (pt->listening && (pt->trap & PTRACE_TRAP_NOTIFY)))
		thaw_locked(t);
	unlock(t, flags);
}

/* --- going on ------------------------------------------------------------------------------------------ */

/* Does the instruction at the tracee's rip set the trap flag itself (POPF, IRET)? */
static bool
sets_trap_flag(struct thread *t)
{
	uint8_t code[15];
	ssize_t n = ptrace_access(t, arch_thread_ip(t), code, sizeof(code), false);

	return n > 0 && arch_sets_trap_flag(code, (size_t)n);
}

static const uint32_t work_of[] = {
	[PTRACE_GO] = 0,
	[PTRACE_GO_SYSCALL] = CALL_WORK_TRACE,
	[PTRACE_GO_STEP] = CALL_WORK_STEP,
	[PTRACE_GO_EMULATE] = CALL_WORK_EMULATE,
	[PTRACE_GO_EMULATE_STEP] = CALL_WORK_EMULATE | CALL_WORK_STEP,
};

static void
prepare_step(struct thread *t, bool step)
{
	if (step)
		arch_step_enable(t, sets_trap_flag(t));
	else
		arch_step_disable(t);
	t->ptrace->stepping = step;
}

void
ptrace_resume(struct thread *t, enum ptrace_how how, int signo)
{
	struct ptrace *pt = t->ptrace;
	uint64_t flags;

	prepare_step(t, work_of[how] & CALL_WORK_STEP);
	flags = lock(t);
	atomic_and(&t->call_work, ~CALL_WORK_PTRACE);
	atomic_or(&t->call_work, work_of[how]);
	if (pt->in_call && work_of[how])
		atomic_or(&t->work, WORK_SYSCALL_EXIT);
	pt->resume_signal = signo;
	pt->stop = PTRACE_RUNS;
	thaw_locked(t);
	unlock(t, flags);
}

void
ptrace_detach(struct thread *t, int signo)
{
	uint64_t flags;

	prepare_step(t, false);
	flags = lock(t);
	t->ptrace->resume_signal = signo;
	unlock(t, flags);
	spin_lock(&process_tree_lock);
	ptrace_unlink_locked(t);
	spin_unlock(&process_tree_lock);
}

int
ptrace_listen(struct thread *t)
{
	struct ptrace *pt = t->ptrace;
	uint64_t flags = lock(t);
	int error = -EIO;

	if (pt->seized && pt->has_info && (unsigned int)pt->info.code >> 8 == PTRACE_EVENT_STOP) {
		pt->listening = true;
		error = 0;
	}
	unlock(t, flags);
	return error;
}

int
ptrace_interrupt(struct thread *t)
{
	struct ptrace *pt = t->ptrace;
	uint64_t flags = lock(t);
	int error = -EIO;

	if (pt->seized && pt->tracer == current_thread()) {
		error = 0;
		pt->trap |= PTRACE_TRAP_STOP;
		atomic_or(&t->work, WORK_TRAP);
		if (pt->stop == PTRACE_RUNS) {
			thread_interrupt(t, false);
			thread_kick(t);
		} else if (pt->listening) {
			pt->trap |= PTRACE_TRAP_NOTIFY; /* as news would */
			thread_wake_stopped(t);
		}
	}
	unlock(t, flags);
	return error;
}

void
ptrace_kill(struct thread *t)
{
	struct siginfo info;

	siginfo_user(&info, SIGKILL, SI_USER);
	(void)signal_send_thread(t, SIGKILL, &info);
}

/* --- looking into it ------------------------------------------------------------------------------------ */

void
ptrace_set_options(struct thread *t, uint32_t options)
{
	uint64_t flags = lock(t);

	t->ptrace->options = options;
	unlock(t, flags);
}

uint64_t
ptrace_message(struct thread *t)
{
	return READ_ONCE(t->ptrace->message);
}

int
ptrace_siginfo(struct thread *t, struct siginfo *out)
{
	uint64_t flags = lock(t);
	int error = t->ptrace->has_info ? 0 : -EINVAL;

	if (!error)
		*out = t->ptrace->info;
	unlock(t, flags);
	return error;
}

int
ptrace_set_siginfo(struct thread *t, const struct siginfo *in)
{
	uint64_t flags = lock(t);
	int error = t->ptrace->has_info ? 0 : -EINVAL;

	if (!error)
		t->ptrace->info = *in;
	unlock(t, flags);
	return error;
}

int
ptrace_syscall_stop(struct thread *t)
{
	const struct ptrace *pt = t->ptrace;
	uint64_t flags = lock(t);
	int which = 0;

	if (pt->has_info && pt->info.code == (SIGTRAP | 0x80))
		which = (int)pt->message;
	else if (pt->has_info && pt->info.code == (int)(SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
		which = -1;
	unlock(t, flags);
	return which;
}

/* The mask that it would go on with: that of a call which waits with another comes back behind it. */
uint64_t
ptrace_signal_mask(struct thread *t)
{
	return t->restore_signal_mask ? t->saved_signal_mask : READ_ONCE(t->signal_mask);
}

void
ptrace_set_signal_mask(struct thread *t, uint64_t mask)
{
	uint64_t flags;

	mask &= ~SIGNAL_UNBLOCKABLE;
	flags = lock(t);
	t->signal_mask = mask;
	t->restore_signal_mask = false;
	atomic_or(&t->work, WORK_SIGNAL); /* it looks for itself */
	unlock(t, flags);
}

bool
ptrace_peek_siginfo(struct thread *t, bool shared, uint64_t index, struct siginfo *out)
{
	struct process *p = t->process;
	uint64_t flags = lock(t);
	struct signal_queue *q = shared ? &p->pending : &t->pending;
	struct signal_entry *e;
	bool found = false;

	list_for_each(e, &q->entries, node) {
		if (index-- == 0) {
			*out = e->info;
			found = true;
			break;
		}
	}
	unlock(t, flags);
	return found;
}

/* A tracee that has become a program its tracer may not read keeps its memory to itself. */
static bool
may_touch(struct thread *t)
{
	uint64_t flags;
	bool ok;

	if (atomic_load(&t->process->dumpable))
		return true;
	flags = lock(t);
	ok = t->ptrace->tracer_cred && cred_capable(t->ptrace->tracer_cred, CAP_SYS_PTRACE);
	unlock(t, flags);
	return ok;
}

ssize_t
ptrace_access(struct thread *t, vaddr_t addr, void *buf, size_t n, bool write)
{
	struct address_space *as;
	ssize_t done = -EIO;

	as = process_address_space(t->process); /* in this order: see process_may_inspect() */
	if (as && may_touch(t))
		done = address_space_access(as, addr, buf, n, write, true);
	if (as)
		address_space_put(as);
	return done < 0 ? -EIO : done;
}
