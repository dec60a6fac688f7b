/* SPDX-License-Identifier: MIT */
/*
 * signal_deliver.c - the way back to user mode: ending, stopping, running handlers, restarting calls.
 *
 * thread_return_to_user() runs whenever thread->work is set, on the thread itself, with nothing held.
 * What it does, in this order, until nothing is left to do:
 *
 *   WORK_SYSCALL_EXIT  a traced call's exit: stop for the tracer (once, first of all)
 *   WORK_EXIT   end (fatal signal, exit_group, exec by another thread)
 *   WORK_STOP   group stop: count itself as stopped; the last one tells the parent; sleep until SIGCONT
 *   WORK_TRAP   stop for the tracer, which asked for it or is to hear of job control
 *   signals     take one, ask the tracer what to do with it, act on it: ignore, stop the group, end the process, or build a handler frame
 *   otherwise   an interrupted call is run again; a mask that held for one call only goes back
 *   WORK_FRAME  nothing: that we are here is all that was wanted
 *
 * A call that a signal cut short left one of these in rax (the number of the call in orig_rax):
 *
 *                            handler, SA_RESTART   handler without   no handler
 *   ERESTARTSYS              again                 EINTR             again
 *   ERESTARTNOINTR           again                 again             again
 *   ERESTARTNOHAND           EINTR                 EINTR             again
 *   ERESTART_RESTARTBLOCK    EINTR                 EINTR             restart_syscall(2)
 *
 * "Again" is rip - 2 (the syscall instruction) with rax as it was on entry. Deadlines of restarted
 * calls are absolute, in thread->restart.
 *
 * The group stop and SIGCONT. (1) A thread sets its state to STOPPED under signal_lock while stop_signal
 * is set; (2) SIGCONT clears stop_signal under signal_lock and (3) wakes stopped threads. Either (1)
 * sees (2), or (3) sees (1); a wake between (1) and schedule() makes schedule() come straight back.
 */
#include <tessera/arch.h>
#include <tessera/pid_namespace.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/print.h>
#include <tessera/sched.h>
#include <tessera/uaccess.h>

#include "proc.h"

#define NR_RESTART_SYSCALL 219
#define SYSCALL_INSTRUCTION_SIZE 2
#define TICKS(ns) ((int64_t)((ns) / (NSEC_PER_SEC / 100)))

/* --- stop and continue ------------------------------------------------------------------------ */

void
notify_parent_of_stop(struct process *p, int code, int signo)
{
	struct siginfo info = { .signo = SIGCHLD, .code = code };
	uint64_t user, sys;
	struct process *parent;
	struct signal_action action;

	process_times(p, &user, &sys);
	spin_lock(&process_tree_lock);
	parent = p->parent;
	if (parent && p->state == PROCESS_ALIVE) {
		info.child.pid = pid_number_locked(parent->pid_ns, p->pid);
		info.child.uid = current_cred()->uid;
		info.child.status = signo;
		info.child.utime = TICKS(user);
		info.child.stime = TICKS(sys);
		action = signal_action_of(parent, SIGCHLD);
		if (action.handler != SIG_IGN && !(action.flags & SA_NOCLDSTOP))
			(void)signal_send_process(parent, SIGCHLD, &info);
		wake_all(&parent->child_wait);
	}
	spin_unlock(&process_tree_lock);
}

/* Ask every thread of p to stop, the caller too. */
static void
stop_begin_locked(struct process *p, int signo)
{
	struct thread *self = current_thread(), *t;

	if (p->stop_signal != 0)
		return;
	p->stop_signal = signo;
	p->stopped = false;
	p->threads_stopping = 0;
	list_for_each(t, &p->threads, process_node) {
		if (t->exiting)
			continue;
		p->threads_stopping++;
		atomic_or(&t->work, WORK_STOP);
		if (t != self && !ptrace_holds(t)) {
			thread_interrupt(t, false);
			thread_kick(t);
		}
		if (t != self && ptrace_holds(t))
			ptrace_notify_locked(t);
	}
}

/* Take t off the count of those yet to stop; true: it was the last, the group is stopped now. */
static bool
stop_count_locked(struct process *p, struct thread *t)
{
	if (!(atomic_fetch_and(&t->work, ~WORK_STOP) & WORK_STOP) || p->threads_stopping == 0)
		return false;
	if (--p->threads_stopping != 0 || p->stop_signal == 0)
		return false;
	p->stopped = true;
	p->stop_reported = false;
	return true;
}

bool
stop_leave_locked(struct process *p, struct thread *t)
{
	return stop_count_locked(p, t) && p->thread_count > 0;
}

/* Take part in the group stop. signal_lock held with `flags`; dropped and taken again inside. */
static void
stop_take_part(struct process *p, struct thread *t, uint64_t *flags)
{
	bool last = stop_count_locked(p, t);
	int signo = p->stop_signal;

	while (p->stop_signal != 0 && !(atomic_load(&t->work) & (WORK_EXIT | WORK_STOP))) {
		if (ptrace_is_traced(t)) {
			ptrace_stop_group(p, t, last, flags);
			last = false;
			/* Its tracer let it go on, stopped group or not; without a tracer it stops as others do. */
			if (ptrace_is_traced(t))
				return;
			continue;
		}
		atomic_store(&t->state, THREAD_STOPPED); /* (1) */
		spin_unlock_irq(&p->signal_lock, *flags);
		if (last)
			notify_parent_of_stop(p, CLD_STOPPED, signo);
		last = false;
		schedule();
		*flags = spin_lock_irq(&p->signal_lock);
	}
}

/*
 * The default action of a stop signal. POSIX: the terminal's stop signals do nothing in an orphaned
 * group. That needs the tree's lock, so signal_lock is dropped; a SIGCONT that comes in between must
 * win, and does: it bumps continue_generation, which was `generation` when the signal was taken.
 */
static void
stop_for_signal(struct process *p, struct thread *t, int signo, uint64_t generation, uint64_t *flags)
{
	bool orphaned = false;

	if (signo != SIGSTOP) {
		spin_unlock_irq(&p->signal_lock, *flags);
		spin_lock(&process_tree_lock);
		orphaned = group_is_orphaned_locked(p->group, NULL);
		spin_unlock(&process_tree_lock);
		*flags = spin_lock_irq(&p->signal_lock);
	}
	if (generation != p->continue_generation)
		return;
	if (orphaned || (atomic_load(&t->work) & WORK_EXIT))
		return;
	stop_begin_locked(p, signo);
}

/* One step of what may be asked of a worker: a stop, the group's or its tracer's. False: nothing is. */
static bool
worker_step(struct process *p, struct thread *t, uint64_t *flags)
{
	uint64_t generation = p->continue_generation;
	uint32_t work = atomic_load(&t->work);
	struct siginfo info;
	int signo;

	if (work & WORK_STOP) {
		stop_take_part(p, t, flags);
		return true;
	}
	if (work & WORK_TRAP) {
		ptrace_stop_trap(p, t, flags);
		return true;
	}
	signo = signal_dequeue_locked(p, t, t->signal_mask, &info);
	if (!signo)
		return false;
	if (ptrace_is_traced(t))
		signo = ptrace_stop_signal(p, t, signo, &info, flags);
	if (signo == SIGSTOP)
		stop_for_signal(p, t, signo, generation, flags);
	return true;
}

bool
signal_worker_must_end(void)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	uint64_t flags = spin_lock_irq(&p->signal_lock);
	bool end;

	while (!(atomic_load(&t->work) & WORK_EXIT) && worker_step(p, t, &flags))
		;
	signal_recompute_locked(p, t);
	end = atomic_load(&t->work) & WORK_EXIT;
	spin_unlock_irq(&p->signal_lock, flags);
	return end;
}

/* --- taking signals --------------------------------------------------------------------------- */

/*
 * The next signal that has a handler, with its siginfo and action; 0: none. Everything that needs no
 * handler is done here; may not return at all.
 */
static int
next_handled(struct siginfo *info, struct signal_action *action)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	struct signal_actions *a = p->actions;
	uint64_t flags = spin_lock_irq(&p->signal_lock), leaf, generation;
	int signo;

	for (;;) {
		if (atomic_load(&t->work) & WORK_EXIT) {
			int status = p->group_exit ? p->exit_status : 0; /* else for an exec's sake */

			spin_unlock_irq(&p->signal_lock, flags);
			thread_exit_user(status);
		}
		if (p->tell_continued) {
			p->tell_continued = false;
			spin_unlock_irq(&p->signal_lock, flags);
			notify_parent_of_stop(p, CLD_CONTINUED, SIGCONT);
			flags = spin_lock_irq(&p->signal_lock);
			continue;
		}
		if (atomic_load(&t->work) & WORK_STOP) {
			stop_take_part(p, t, &flags);
			continue;
		}
		if (atomic_load(&t->work) & WORK_TRAP) {
			ptrace_stop_trap(p, t, &flags);
			continue;
		}
		signo = signal_dequeue_locked(p, t, t->signal_mask, info);
		if (!signo)
			break;
		generation = p->continue_generation;
		if (ptrace_is_traced(t) && !(READ_ONCE(a->action[signo].flags) & SA_IMMUTABLE)) {
			signo = ptrace_stop_signal(p, t, signo, info, &flags);
			if (!signo)
				continue;
		}
		leaf = spin_lock_irq(&a->lock);
		*action = a->action[signo];
		if ((action->flags & SA_RESETHAND) && action->handler > SIG_IGN)
			a->action[signo].handler = SIG_DFL;
		spin_unlock_irq(&a->lock, leaf);
		if (action->handler > SIG_IGN)
			break;
		if (action->handler == SIG_IGN || signal_default_ignores(signo))
			continue;
		if (signal_spares(p) && signo != SIGSTOP) /* that one was let in: see comes_from_above() */
			continue;
		if (signal_default_stops(signo)) {
			stop_for_signal(p, t, signo, generation, &flags);
			continue;
		}
		spin_unlock_irq(&p->signal_lock, flags);
		if (signal_default_dumps(signo))
			core_dump(info);
		process_exit_group(signo);
	}
	signal_recompute_locked(p, t);
	spin_unlock_irq(&p->signal_lock, flags);
	return signo;
}

/* --- calls that were cut short ---------------------------------------------------------------- */

static void
run_again(struct trap_frame *f, uint64_t rax)
{
	f->rax = rax;
	f->rip -= SYSCALL_INSTRUCTION_SIZE;
	f->orig_rax = (uint64_t)-1;
}

static void
restart_call(struct trap_frame *f, const struct signal_action *handler)
{
	if ((int64_t)f->orig_rax < 0)
		return;
	switch (-(int64_t)f->rax) {
	case ERESTART_RESTARTBLOCK:
		if (handler)
			f->rax = (uint64_t)-EINTR;
		else
			run_again(f, NR_RESTART_SYSCALL);
		break;
	case ERESTARTNOHAND:
		if (handler)
			f->rax = (uint64_t)-EINTR;
		else
			run_again(f, f->orig_rax);
		break;
	case ERESTARTSYS:
		if (handler && !(handler->flags & SA_RESTART))
			f->rax = (uint64_t)-EINTR;
		else
			run_again(f, f->orig_rax);
		break;
	case ERESTARTNOINTR:
		run_again(f, f->orig_rax);
		break;
	}
}

/* --- handlers --------------------------------------------------------------------------------- */

/* No frame could be built for `signo`: SIGSEGV, and without a handler if that was the one. */
static void
frame_failed(int signo)
{
	struct siginfo info = { .signo = SIGSEGV, .code = SI_KERNEL };

	if (signo == SIGSEGV) {
		struct signal_action none = { .handler = SIG_DFL };

		(void)signal_set_action(SIGSEGV, &none, NULL);
	}
	signal_force(SIGSEGV, &info);
}

static void
run_handler(struct trap_frame *f, int signo, const struct siginfo *info,
	    const struct signal_action *action)
{
	struct thread *t = current_thread();
	uint64_t old_mask = t->restore_signal_mask ? t->saved_signal_mask : t->signal_mask;
	uint64_t mask = t->signal_mask | action->mask;
	bool stepping = t->ptrace && t->ptrace->stepping && ptrace_is_traced(t);

	restart_call(f, action);
	if (stepping)
		arch_step_disable(t); /* the frame shows the program's own flags */
	if ((t->rseq && rseq_update(f, true) != 0) ||
	    arch_signal_push(f, signo, info, action, old_mask) != 0) {
		frame_failed(signo);
		return;
	}
	t->restore_signal_mask = false;
	if (!(action->flags & SA_NODEFER))
		mask |= SIGNAL_BIT(signo);
	signal_set_mask(mask);
	if (stepping)
		ptrace_stop_step();
}

static void
handle_signals(struct trap_frame *f)
{
	struct thread *t = current_thread();
	struct signal_action action;
	struct siginfo info;
	int signo;

	while ((signo = next_handled(&info, &action)) != 0)
		run_handler(f, signo, &info, &action);
	restart_call(f, NULL);
	if (t->restore_signal_mask) {
		t->restore_signal_mask = false;
		signal_set_mask(t->saved_signal_mask);
	}
}

void
thread_return_to_user(struct trap_frame *f)
{
	struct thread *t = current_thread();
	uint32_t work = atomic_load(&t->work);

	if (work & WORK_FRAME)
		atomic_and(&t->work, ~WORK_FRAME); /* this way out loads it all */
	if (!t->process)
		return;
	if (t->dispatch.turned_away)
		t->dispatch.turned_away = false;
	else if (work & WORK_SYSCALL_EXIT) {
		ptrace_syscall_exit(f);
		work = atomic_load(&t->work);
	}
	if (work & WORK_RESUME) {
		atomic_and(&t->work, ~WORK_RESUME);
		if (t->set_child_tid) {
			/* As Linux: a bad address is the program's own affair. */
			(void)put_user((uint32_t)t->local_tid, t->set_child_tid);
			t->set_child_tid = NULL;
		}
	}
	if ((work & (WORK_SIGNAL | WORK_STOP | WORK_TRAP | WORK_EXIT)) || t->restore_signal_mask)
		handle_signals(f);
	if (work & WORK_RSEQ) {
		atomic_and(&t->work, ~WORK_RSEQ);
		if (t->rseq && rseq_update(f, false) != 0)
			frame_failed(SIGSEGV);
	}
}

/* --- traps ------------------------------------------------------------------------------------ */

/*
 * Send `info` for a trap that the program caused. Logged when it will end the program: what happened, where,
 * and in whom, since the parent may never tell. A tracer can.
 */
static void
user_trap(struct trap_frame *f, const struct siginfo *info, vaddr_t address, int trap_no)
{
	int signo = info->signo;
	struct thread *t = current_thread();
	struct process *p = t->process;

	if (READ_ONCE(p->actions->action[signo].handler) == SIG_DFL && signo != SIGTRAP && !ptrace_is_traced(t))
		pr_info("%s[%d]: trap %d, signal %d at %#lx ip %#lx sp %#lx\n", t->name, t->tid, trap_no,
			signo, address, f->rip, f->rsp);
	signal_force(signo, info);
}

void
thread_user_trap(struct trap_frame *f, int signo, int code, vaddr_t address, int trap_no)
{
	struct siginfo info = { .signo = signo, .code = code };

	info.fault.address = address;
	user_trap(f, &info, address, trap_no);
}

void
thread_user_key_trap(struct trap_frame *f, unsigned int key, vaddr_t address, int trap_no)
{
	struct siginfo info = { .signo = SIGSEGV, .code = SEGV_PKUERR };

	info.pkey_fault.address = address;
	info.pkey_fault.pkey = key;
	user_trap(f, &info, address, trap_no);
}
