/* SPDX-License-Identifier: MIT */
/*
 * ptrace_stop.c - the tracee's half: where a traced thread stops, and what becomes of it afterwards.
 *
 *   signal      each signal but SIGKILL, before it is acted upon; the tracer says which is delivered
 *   syscall     at entry and exit, after PTRACE_SYSCALL
 *   event       fork, vfork, clone, exec, exit, if the option asks for it; a step into a handler
 *   group       in place of stopping with the group; PTRACE_INTERRUPT and news of job control (seized)
 *
 * stop_here() is all of them. (1) The state is set under signal_lock, (2) the tracer is told with no lock of
 * the tracee's held, since its own signal_lock is of the same class, (3) the thread sleeps until the stop is
 * over. A tracer that looks between (1) and (3) may resume the tracee before it was told; it then gets one
 * SIGCHLD for nothing, as on Linux.
 *
 * A thread that is to end (SIGKILL in its own queue) does not stop, and leaves a stop at once. The exit
 * event is the exception: the thread is ending anyway, so what made it end is taken off its queue first,
 * and only a SIGKILL that comes later ends that stop.
 */
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/fork.h>
#include <tessera/pid_namespace.h>
#include <tessera/sched.h>

#include "proc.h"

/* What one stop tells. */
struct report {
	enum ptrace_stop kind;
	int code;                     /* as wait tells it */
	int why;                      /* CLD_TRAPPED, CLD_STOPPED: of SIGCHLD */
	const struct siginfo *info;   /* NULL: none */
	uint64_t message;
	bool in_call;
	bool group_stopped;           /* this thread was the last: the parent is told as well */
};

/* (2) */
static void
tell_tracer(struct process *p, struct thread *t, const struct report *r)
{
	struct siginfo info = { .signo = SIGCHLD, .code = r->why };
	struct signal_action action;
	struct process *to;
	uint64_t user, sys;

	thread_times(t, &user, &sys);
	info.child.uid = current_cred()->uid;
	info.child.status = r->code & 0x7f;
	info.child.utime = (int64_t)(user / (NSEC_PER_SEC / 100));
	info.child.stime = (int64_t)(sys / (NSEC_PER_SEC / 100));
	spin_lock(&process_tree_lock);
	if (ptrace_is_traced(t)) {
		to = t->ptrace->tracer->process;
		info.child.pid = pid_number_locked(to->pid_ns, t->tid);
		action = signal_action_of(to, SIGCHLD);
		if (action.handler != SIG_IGN && !(action.flags & SA_NOCLDSTOP))
			(void)signal_send_process(to, SIGCHLD, &info);
		wake_all(&to->child_wait);
	}
	spin_unlock(&process_tree_lock);
}

/* A parent that does not trace hears of the group's stop as of any other's. */
static void
tell_parent(struct process *p, struct thread *t)
{
	bool reparented;

	spin_lock(&process_tree_lock);
	reparented = !ptrace_is_traced(t) || t->ptrace->tracer->process != p->parent;
	spin_unlock(&process_tree_lock);
	if (reparented)
		notify_parent_of_stop(p, CLD_STOPPED, p->stop_signal);
}

static bool
is_killed(const struct thread *t)
{
	return t->pending.set & SIGNAL_BIT(SIGKILL);
}

/* Stay while the stop lasts and nothing worse has come; a tracer at work is waited for in any case. */
static bool
stays(const struct thread *t)
{
	const struct ptrace *pt = t->ptrace;

	if (pt->frozen)
		return true;
	if (pt->stop == PTRACE_RUNS || is_killed(t))
		return false;
	return !(pt->listening && (pt->trap & PTRACE_TRAP_NOTIFY));
}

/*
 * Stop for the tracer. The caller is t, with p->signal_lock held, which is dropped meanwhile. Returns the
 * signal that the tracer wants delivered; 0 when there is none, or no stop took place.
 */
static int
stop_here(struct process *p, struct thread *t, const struct report *r, uint64_t *flags)
{
	struct ptrace *pt = t->ptrace;
	bool told = false;

	assert_held(&p->signal_lock);
	if (!ptrace_is_traced(t) || is_killed(t))
		return 0;
	arch_tracee_sync();
	pt->code = r->code;
	pt->has_info = r->info != NULL;
	if (r->info)
		pt->info = *r->info;
	pt->message = r->message;
	pt->in_call = r->in_call;
	pt->resume_signal = 0;
	pt->reported = pt->listening = false;
	pt->trap = r->kind == PTRACE_STOP_GROUP ? 0 : pt->trap & ~PTRACE_TRAP_STOP;
	pt->stop = (uint8_t)r->kind;
	while (stays(t)) {
		atomic_store(&t->state, THREAD_STOPPED); /* (1) */
		spin_unlock_irq(&p->signal_lock, *flags);
		if (!told) {
			tell_tracer(p, t, r);
			if (r->group_stopped)
				tell_parent(p, t);
		}
		told = true;
		schedule(); /* (3) */
		*flags = spin_lock_irq(&p->signal_lock);
	}
	pt->stop = PTRACE_RUNS;
	pt->has_info = pt->listening = pt->in_call = false;
	/* What came meanwhile was left for us to find. Never cleared here: a call cut short counts on it. */
	if ((t->pending.set | p->pending.set) & ~t->signal_mask)
		atomic_or(&t->work, WORK_SIGNAL);
	if (pt->trap)
		atomic_or(&t->work, WORK_TRAP);
	return pt->resume_signal;
}

/* The siginfo of stops that are no signal's. */
static struct siginfo
info_of(int signo, int code)
{
	struct siginfo info;

	siginfo_user(&info, signo, code);
	info.kill.pid = current_thread()->local_tid;
	return info;
}

/* --- signals ---------------------------------------------------------------------------------------- */

/* The tracer as p numbers it, 0: it is of another namespace. The tree's lock, which would tell, is not held. */
static pid_t
number_for(const struct process *p, const struct process *tracer)
{
	if (p->pid_ns == tracer->pid_ns)
		return tracer->local_pid;
	return p->pid_ns->level ? 0 : tracer->pid;
}

/*
 * `signo` was taken out of the queues: the tracer decides what is delivered in its place. 0: nothing.
 * *info becomes what the tracer made of it.
 */
int
ptrace_stop_signal(struct process *p, struct thread *t, int signo, struct siginfo *info, uint64_t *flags)
{
	struct report r = { .kind = PTRACE_STOP_SIGNAL, .code = signo, .why = CLD_TRAPPED, .info = info };
	int wanted;

	if (!ptrace_is_traced(t) || is_killed(t))
		return signo;
	wanted = stop_here(p, t, &r, flags);
	if (is_killed(t) || wanted == 0)
		return 0;
	if (wanted == t->ptrace->info.signo) {
		*info = t->ptrace->info;
	} else {
		*info = (struct siginfo){ .signo = wanted, .code = SI_USER };
		if (ptrace_is_traced(t)) {
			info->kill.pid = number_for(p, t->ptrace->tracer->process);
			info->kill.uid = t->ptrace->tracer_cred->uid;
		}
	}
	/* The tracer may have changed the mask. */
	if (t->signal_mask & SIGNAL_BIT(wanted) & ~SIGNAL_UNBLOCKABLE) {
		(void)signal_send_locked(p, t, wanted, info);
		return 0;
	}
	return wanted;
}

/* A call's or a step's stop: the tracer's signal is sent as if by kill, not delivered here. */
static void
stop_and_send(const struct report *r, bool send)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	uint64_t flags = spin_lock_irq(&p->signal_lock);
	int signo = stop_here(p, t, r, &flags);

	if (signo && send)
		(void)signal_send_locked(p, t, signo, NULL);
	spin_unlock_irq(&p->signal_lock, flags);
}

/* --- job control ------------------------------------------------------------------------------------- */

/* The present state of the group, as a stop. */
static void
stop_for_group(struct process *p, struct thread *t, bool last, uint64_t *flags)
{
	struct report r = { .kind = PTRACE_STOP_GROUP, .why = CLD_STOPPED, .group_stopped = last };
	int signo = p->stop_signal;
	struct siginfo info;

	r.code = signo ? signo : SIGTRAP;
	if (t->ptrace->seized) {
		r.code |= PTRACE_EVENT_STOP << 8;
		info = info_of(r.code & 0xff, r.code);
		r.info = &info;
	}
	(void)stop_here(p, t, &r, flags);
}

void
ptrace_stop_group(struct process *p, struct thread *t, bool last, uint64_t *flags)
{
	stop_for_group(p, t, last, flags);
}

/* WORK_TRAP is set: somebody asked for a stop, or did and has let go since. */
void
ptrace_stop_trap(struct process *p, struct thread *t, uint64_t *flags)
{
	atomic_and(&t->work, ~WORK_TRAP);
	if (ptrace_is_traced(t) && t->ptrace->trap)
		stop_for_group(p, t, false, flags);
}

void
ptrace_notify_locked(struct thread *t)
{
	struct ptrace *pt = t->ptrace;

	assert_held(&t->process->signal_lock);
	if (!ptrace_is_traced(t) || !pt->seized)
		return;
	pt->trap |= PTRACE_TRAP_NOTIFY;
	atomic_or(&t->work, WORK_TRAP);
	if (pt->stop == PTRACE_RUNS) {
		thread_interrupt(t, false);
		thread_kick(t);
	} else if (pt->listening && !pt->frozen) {
		thread_wake_stopped(t);
	}
}

/* --- events -------------------------------------------------------------------------------------------- */

static bool
wants_event(struct thread *t, unsigned int event)
{
	return t->ptrace && (READ_ONCE(t->ptrace->options) & (1u << event));
}

unsigned int
ptrace_clone_event(uint64_t flags, int exit_signal)
{
	unsigned int event = flags & CLONE_VFORK ? PTRACE_EVENT_VFORK
			     : exit_signal != SIGCHLD || (flags & CLONE_THREAD) ? PTRACE_EVENT_CLONE
			     : PTRACE_EVENT_FORK;

	return !(flags & CLONE_UNTRACED) && wants_event(current_thread(), event) ? event : 0;
}

void
ptrace_stop_event(unsigned int event, uint64_t message)
{
	int code = (int)(SIGTRAP | event << 8);
	struct siginfo info;
	struct report r = { .kind = PTRACE_STOP_EVENT, .code = code, .why = CLD_TRAPPED, .info = &info,
			    .message = message, .in_call = event != PTRACE_EVENT_EXIT };

	if (!wants_event(current_thread(), event))
		return;
	info = info_of(SIGTRAP, code);
	stop_and_send(&r, false);
}

bool
ptrace_seccomp(uint16_t data)
{
	if (!wants_event(current_thread(), PTRACE_EVENT_SECCOMP))
		return false;
	ptrace_stop_event(PTRACE_EVENT_SECCOMP, data);
	return true;
}

bool
ptrace_suspends_seccomp(void)
{
	const struct ptrace *pt = current_thread()->ptrace;

	return pt && (READ_ONCE(pt->options) & PTRACE_OPTION_SUSPEND_SECCOMP);
}

void
ptrace_stop_step(void)
{
	struct siginfo info = info_of(SIGTRAP, SIGTRAP);
	struct report r = { .kind = PTRACE_STOP_EVENT, .code = SIGTRAP, .why = CLD_TRAPPED, .info = &info };

	stop_and_send(&r, false);
}

/* The calling thread has a new program; `old` is what its tracer knew it as before. */
void
ptrace_exec(uint64_t old)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	struct siginfo info;
	uint64_t flags;

	if (!t->ptrace)
		return;
	if (wants_event(t, PTRACE_EVENT_EXEC)) {
		ptrace_stop_event(PTRACE_EVENT_EXEC, old);
		return;
	}
	siginfo_user(&info, SIGTRAP, SI_USER);
	flags = spin_lock_irq(&p->signal_lock);
	if (ptrace_is_traced(t) && !t->ptrace->seized)
		(void)signal_send_locked(p, t, SIGTRAP, &info);
	spin_unlock_irq(&p->signal_lock, flags);
}

void
ptrace_thread_exits(int status)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	uint64_t flags;

	if (!wants_event(t, PTRACE_EVENT_EXIT))
		return;
	flags = spin_lock_irq(&p->signal_lock);
	t->pending.set &= ~SIGNAL_BIT(SIGKILL);
	spin_unlock_irq(&p->signal_lock, flags);
	ptrace_stop_event(PTRACE_EVENT_EXIT, (uint64_t)status);
}

/* --- system calls --------------------------------------------------------------------------------------- */

static void
stop_at_call(uint64_t message)
{
	struct thread *t = current_thread();
	bool good = t->ptrace && (READ_ONCE(t->ptrace->options) & PTRACE_OPTION_SYSGOOD);
	int code = SIGTRAP | (good ? 0x80 : 0);
	struct siginfo info = info_of(SIGTRAP, code);
	struct report r = { .kind = PTRACE_STOP_SYSCALL, .code = code, .why = CLD_TRAPPED, .info = &info,
			    .message = message, .in_call = message == PTRACE_MESSAGE_ENTRY };

	stop_and_send(&r, true);
}

bool
ptrace_syscall_enter(struct trap_frame *f)
{
	struct thread *t = current_thread();
	uint32_t work = READ_ONCE(t->call_work);

	f->rax = (uint64_t)-ENOSYS;
	atomic_or(&t->work, WORK_SYSCALL_EXIT);
	if (work & (CALL_WORK_TRACE | CALL_WORK_EMULATE)) {
		stop_at_call(PTRACE_MESSAGE_ENTRY);
		if (signal_fatal_pending(t) || (work & CALL_WORK_EMULATE))
			return false;
	}
	return (int)f->orig_rax != -1;
}

void
ptrace_syscall_exit(struct trap_frame *f)
{
	struct thread *t = current_thread();
	uint32_t work = READ_ONCE(t->call_work);

	atomic_and(&t->work, ~WORK_SYSCALL_EXIT);
	if ((work & CALL_WORK_STEP) && !(work & CALL_WORK_EMULATE)) {
		struct siginfo info = { .signo = SIGTRAP, .code = TRAP_BRKPT };

		info.fault.address = f->rip;
		signal_force(SIGTRAP, &info);
	} else if (work & CALL_WORK_TRACE) {
		stop_at_call(PTRACE_MESSAGE_EXIT);
	}
}
