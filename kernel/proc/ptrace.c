/* SPDX-License-Identifier: MIT */
/*
 * ptrace.c - who traces whom: links made and broken. The tracee's stops are in ptrace_stop.c, what the
 * tracer does with one in ptrace_request.c.
 *
 * A link goes from a tracee's struct ptrace to the thread that traces it, and lies on the list `tracees` of
 * that thread's process. Both ends hold a reference to the other thread. It is changed under
 * process_tree_lock and the signal_lock of the tracee's process, so either is enough to read it: wait and
 * the ends of threads have the former, the tracee on its way and the tracer's requests the latter.
 *
 * A stop is a state of the tracee (ptrace->stop, under signal_lock), in which its thread sleeps as STOPPED:
 *
 *            reports                          resume, detach, tracer ends
 *   RUNS ---------------> SIGNAL, SYSCALL, -------------------------------> RUNS
 *                         EVENT, GROUP
 *                             | request            ^ request done
 *                             v                    |
 *                           frozen ----------------+
 *
 * The tracer reads and writes its tracee's registers while that is frozen: in a stop, off its CPU, and not
 * to be woken by anything, SIGKILL included, which then waits the moment that one request takes. Every
 * wake-up of a STOPPED thread happens under signal_lock and looks at `frozen` and `stop` first.
 *
 * Group stops belong to the process (signal_deliver.c). A traced thread counts itself as stopped like any
 * other but then stops for its tracer, and goes on when that says so, not at SIGCONT. A tracee that loses
 * its tracer while the group is stopped takes part in that stop as an ordinary thread.
 *
 * Death. A traced leader's zombie belongs to the tracer first: when that is not the parent's process, the
 * parent hears of the end only after the tracer has waited or let go. Another thread that was traced
 * leaves its number and status in its struct ptrace (`dead`) until the tracer has waited. A thread that ends
 * lets all its tracees go, with SIGKILL where PTRACE_O_EXITKILL asked for it.
 *
 * Privilege. Attaching needs process_may_attach(), asked with the target's exec_lock held, so that no exec
 * that would raise the target's rights is half done. An exec under trace raises none unless the tracer,
 * when the link was made, had CAP_SYS_PTRACE (exec_cred.c).
 */
#include <tessera/arch.h>
#include <tessera/cred.h>
#include <tessera/pid_namespace.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/wait.h>

#include "proc.h"

int
ptrace_prepare(struct thread *t)
{
	struct ptrace *pt, *none = NULL;

	if (atomic_load(&t->ptrace))
		return 0;
	pt = kzalloc(sizeof(*pt));
	if (!pt)
		return -ENOMEM;
	pt->thread = t;
	list_init(&pt->node);
	if (!atomic_cas(&t->ptrace, &none, pt))
		kfree(pt); /* somebody was faster */
	return 0;
}

/* The thread is being freed. */
void
ptrace_free(struct thread *t)
{
	assert(!t->ptrace || !t->ptrace->tracer);
	kfree(t->ptrace);
	t->ptrace = NULL;
}

/* Both locks held; t is not traced. */
static void
link_locked(struct thread *t, struct thread *tracer, const struct cred *c, uint32_t options, bool seized)
{
	struct ptrace *pt = t->ptrace;

	assert(!pt->tracer);
	pt->tracer = tracer;
	thread_get(tracer);
	pt->tracer_cred = (struct cred *)c;
	cred_get(pt->tracer_cred);
	pt->options = options;
	pt->seized = seized;
	pt->trap = 0;
	pt->message = 0;
	list_add_tail(&tracer->process->tracees, &pt->node);
	thread_get(t);
}

/* The link is gone; t's references to go are dropped by the caller. Both locks held. */
static void
unlink_both_locked(struct thread *t)
{
	struct process *p = t->process;
	struct ptrace *pt = t->ptrace;

	list_del_init(&pt->node);
	pt->tracer = NULL;
	pt->options = 0;
	pt->seized = pt->listening = false;
	pt->trap = 0; /* WORK_TRAP stays: the thread itself finds nothing to do and clears it */
	atomic_and(&t->call_work, ~CALL_WORK_PTRACE);
	/* The group is stopped, or about to: t is to be an ordinary member of that. */
	if (p->stop_signal != 0 && !t->exiting && !(atomic_load(&t->work) & (WORK_STOP | WORK_EXIT))) {
		if (!p->stopped)
			p->threads_stopping++;
		atomic_or(&t->work, WORK_STOP);
		if (pt->stop == PTRACE_RUNS) {
			thread_interrupt(t, false);
			thread_kick(t);
		}
	}
	if (pt->stop != PTRACE_RUNS) {
		if (pt->stepping)
			arch_step_disable(t);
		pt->stepping = false;
		pt->stop = PTRACE_RUNS;
	}
	pt->frozen = false;
	thread_wake_stopped(t);
}

void
ptrace_unlink_locked(struct thread *t)
{
	struct ptrace *pt = t->ptrace;
	struct thread *tracer;
	struct cred *c;
	uint64_t flags;

	assert_held(&process_tree_lock);
	if (!pt || !pt->tracer)
		return;
	flags = spin_lock_irq(&t->process->signal_lock);
	tracer = pt->tracer;
	c = pt->tracer_cred;
	pt->tracer_cred = NULL;
	unlink_both_locked(t);
	spin_unlock_irq(&t->process->signal_lock, flags);
	cred_put(c);
	if (pt->dead) {
		pt->dead = false;
		pid_slot_locked(t->tid)->thread = NULL;
		pid_release_locked(t->tid);
	}
	thread_put(tracer);
	thread_put(t);
}

/* --- becoming a tracee -------------------------------------------------------------------------- */

/* The thread of `parent` that made p; one of the others when that has ended. process_tree_lock and
 * parent->lock held. */
static struct thread *
parent_thread(struct process *parent, struct process *p)
{
	struct thread *t;

	list_for_each(t, &parent->threads, process_node)
		if (t == p->creator)
			return t;
	return list_first(&parent->threads, struct thread, process_node);
}

/* May `tracer` hold the calling thread, which offers itself? Its rights must cover ours. */
static bool
covers(const struct cred *tracer)
{
	return !(current_cred()->cap_permitted & ~tracer->cap_permitted) ||
	       cred_capable(tracer, CAP_SYS_PTRACE);
}

int
ptrace_traceme(void)
{
	struct thread *t = current_thread(), *tracer;
	struct process *p = t->process, *parent;
	struct cred *c = NULL;
	uint64_t flags;
	int error = ptrace_prepare(t);

	if (error)
		return error;
	spin_lock(&process_tree_lock);
	error = -EPERM;
	if (ptrace_is_traced(t))
		goto unlock;
	error = 0;
	parent = p->parent;
	spin_lock(&parent->lock);
	tracer = parent_thread(parent, p);
	if (tracer) {
		thread_get(tracer);
		c = (struct cred *)tracer->cred;
		cred_get(c);
	}
	spin_unlock(&parent->lock);
	/* A parent that is just ending could not wait: Linux says it was done. */
	if (!tracer)
		goto unlock;
	if (covers(c)) {
		/* It was among the living: its end, which lets its tracees go, waits for the tree's lock. */
		flags = spin_lock_irq(&p->signal_lock);
		link_locked(t, tracer, c, 0, false);
		spin_unlock_irq(&p->signal_lock, flags);
	} else {
		error = -EPERM;
	}
	cred_put(c);
	thread_put(tracer);
unlock:
	spin_unlock(&process_tree_lock);
	return error;
}

/* Everything that says whether t may be traced is settled; the target's exec_lock is held. */
static int
attach(struct thread *t, bool seize, uint32_t options, bool *trapping)
{
	struct process *p = t->process;
	uint64_t flags;
	int error = process_may_attach(p, t);

	if (error)
		return error;
	spin_lock(&process_tree_lock);
	flags = spin_lock_irq(&p->signal_lock);
	error = -EPERM;
	if (!t->exiting && p->state == PROCESS_ALIVE && !t->ptrace->tracer) {
		struct ptrace *pt = t->ptrace;

		link_locked(t, current_thread(), current_cred(), options, seize);
		if (!seize)
			(void)signal_send_locked(p, t, SIGSTOP, NULL);
		/* Already stopped: it becomes a stop for us, and nobody sees it run in between. */
		if (atomic_load(&t->state) == THREAD_STOPPED) {
			pt->trap |= PTRACE_TRAP_STOP;
			atomic_or(&t->work, WORK_TRAP);
			*trapping = thread_wake_stopped(t);
		}
		error = 0;
	}
	spin_unlock_irq(&p->signal_lock, flags);
	spin_unlock(&process_tree_lock);
	return error;
}

int
ptrace_attach(pid_t tid, bool seize, uint32_t options)
{
	struct thread *t = thread_find(tid);
	struct process *p;
	bool trapping = false;
	int error = -ESRCH;

	if (!t)
		return error;
	p = t->process;
	error = -EPERM;
	if (!p || p == current_process())
		goto put_thread;
	error = ptrace_prepare(t);
	if (error)
		goto put_thread;
	error = -ERESTARTNOINTR;
	if (mutex_lock_interruptible(&p->exec_lock))
		goto put_thread;
	error = attach(t, seize, options, &trapping);
	mutex_unlock(&p->exec_lock);
	if (trapping)
		(void)wait_event_killable(&current_process()->child_wait,
			atomic_load(&t->ptrace->stop) != PTRACE_RUNS || READ_ONCE(t->exiting) ||
			(atomic_load(&t->work) & WORK_EXIT) ||
			!(READ_ONCE(t->ptrace->trap) & PTRACE_TRAP_STOP));
put_thread:
	thread_put(t);
	return error;
}

void
ptrace_inherit_locked(struct thread *t)
{
	struct thread *self = current_thread(), *tracer;
	struct ptrace *mine = self->ptrace;
	struct cred *c;
	uint64_t flags, options_flags;
	uint32_t options;
	bool seized;

	assert_held(&process_tree_lock);
	/* Two processes' signal locks are not held together; the tree's lock keeps the link as it is. */
	options_flags = spin_lock_irq(&self->process->signal_lock);
	tracer = mine ? mine->tracer : NULL;
	c = tracer ? mine->tracer_cred : NULL;
	options = tracer ? mine->options : 0;
	seized = tracer && mine->seized;
	spin_unlock_irq(&self->process->signal_lock, options_flags);
	if (!tracer)
		return;
	flags = spin_lock_irq(&t->process->signal_lock);
	link_locked(t, tracer, c, options, seized);
	if (seized) {
		t->ptrace->trap = PTRACE_TRAP_STOP;
		t->work |= WORK_TRAP;
	} else {
		t->pending.set |= SIGNAL_BIT(SIGSTOP);
		t->work |= WORK_SIGNAL;
	}
	spin_unlock_irq(&t->process->signal_lock, flags);
}

/* --- ends ------------------------------------------------------------------------------------------ */

struct process *
ptrace_foreign_tracer_locked(struct process *p)
{
	struct thread *leader = p->leader;

	assert_held(&process_tree_lock);
	if (!leader || !ptrace_is_traced(leader) || leader->ptrace->tracer->process == p->parent)
		return NULL;
	return leader->ptrace->tracer->process;
}

bool
ptrace_thread_ended_locked(struct thread *t, int status)
{
	struct siginfo info = { .signo = SIGCHLD };
	struct process *to;
	struct signal_action action;

	assert_held(&process_tree_lock);
	if (!ptrace_is_traced(t))
		return false;
	to = t->ptrace->tracer->process;
	action = signal_action_of(to, SIGCHLD);
	info.child.pid = pid_number_locked(to->pid_ns, t->tid);
	info.child.uid = t->cred->uid;
	info.code = status & 0x7f ? CLD_KILLED : CLD_EXITED;
	info.child.status = status & 0x7f ? status & 0x7f : status >> 8 & 0xff;
	if (action.handler != SIG_IGN)
		(void)signal_send_process(to, SIGCHLD, &info);
	if (action.handler == SIG_IGN || (action.flags & SA_NOCLDWAIT)) {
		ptrace_unlink_locked(t);
		wake_all(&to->child_wait);
		return false;
	}
	t->ptrace->dead = true;
	t->ptrace->exit_status = status;
	wake_all(&to->child_wait);
	return true;
}

void
ptrace_tracer_ends_locked(struct thread *tracer, struct list *dead)
{
	struct ptrace *pt, *next;

	assert_held(&process_tree_lock);
	list_for_each_safe(pt, next, &tracer->process->tracees, node) {
		struct thread *t = pt->thread;
		struct process *p = t->process;
		bool foreign;

		if (pt->tracer != tracer)
			continue;
		if (pt->options & PTRACE_OPTION_EXITKILL)
			(void)signal_send_process(p, SIGKILL, NULL);
		foreign = t == p->leader && ptrace_foreign_tracer_locked(p) != NULL;
		/* The link's may be the last reference but ours. */
		process_get(p);
		ptrace_unlink_locked(t);
		if (foreign && p->state == PROCESS_ZOMBIE && notify_parent_of_exit_locked(p)) {
			process_reap_locked(p);
			list_add_tail(dead, &p->all_node);
		}
		process_put(p);
	}
}

/* --- what others ask -------------------------------------------------------------------------------- */

pid_t
ptrace_tracer_pid(struct thread *t)
{
	pid_t pid = 0;

	spin_lock(&process_tree_lock);
	if (ptrace_is_traced(t))
		pid = t->ptrace->tracer->process->pid;
	spin_unlock(&process_tree_lock);
	return pid;
}

uint64_t
ptrace_number(pid_t tid)
{
	struct thread *t = current_thread();
	pid_t number = 0;

	spin_lock(&process_tree_lock);
	if (ptrace_is_traced(t))
		number = pid_number_locked(t->ptrace->tracer->process->pid_ns, tid);
	spin_unlock(&process_tree_lock);
	return (uint64_t)number;
}

bool
ptrace_is_stopped(const struct thread *t)
{
	const struct ptrace *pt = READ_ONCE(t->ptrace);

	return pt && atomic_load(&pt->stop) != PTRACE_RUNS;
}

bool
ptrace_tracer_capable(void)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	uint64_t flags = spin_lock_irq(&p->signal_lock);
	bool ok = !ptrace_is_traced(t) || cred_capable(t->ptrace->tracer_cred, CAP_SYS_PTRACE);

	spin_unlock_irq(&p->signal_lock, flags);
	return ok;
}
