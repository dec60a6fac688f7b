/* SPDX-License-Identifier: MIT */
/*
 * exit.c - the end of a thread, and, with the last one, of its process.
 *
 * A thread first settles what lies in its program's memory (robust futexes, clear_child_tid), then
 * leaves its process. The last one gives back what the process holds, hands its children to a
 * new parent and leaves a zombie: number, group, status and accounting, until the parent has waited.
 *
 * A thread that has left while others remain has no memory any more, though it still runs for a while: the
 * last one may give it back at any time. The scheduler therefore loads none for it (left_process).
 *
 * The last steps of a process happen under process_tree_lock in one piece, so that a waiting parent
 * sees either a living child or a complete zombie.
 */
#include <tessera/accounting.h>
#include <tessera/address_space.h>
#include <tessera/aio.h>
#include <tessera/config.h>
#include <tessera/handle.h>
#include <tessera/kcov.h>
#include <tessera/namespace.h>
#include <tessera/pid_namespace.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/sched.h>
#include <tessera/seccomp.h>
#include <tessera/sysv.h>
#include <tessera/tty.h>
#include <tessera/uring.h>

#include "proc.h"

#define TICKS(ns) ((int64_t)((ns) / (NSEC_PER_SEC / 100)))

void __noreturn
process_exit_group(int status)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	uint64_t flags = spin_lock_irq(&p->signal_lock);

	if (!process_kill_threads_locked(p, status, t))
		status = p->exit_status; /* somebody was faster */
	spin_unlock_irq(&p->signal_lock, flags);
	thread_exit_user(status);
}

/* Take the calling thread out of its process. True: it was the last. */
static bool
leave_process(struct process *p, struct thread *t, int status)
{
	uint64_t flags, user, sys;
	bool stopped, last;

	spin_lock(&p->lock);
	flags = spin_lock_irq(&p->signal_lock);
	t->exiting = true;
	list_del_init(&t->process_node);
	p->thread_count--;
	p->worker_count -= t->worker;
	last = p->thread_count == 0;
	if (!last && p->thread_count == p->worker_count)
		(void)process_kill_threads_locked(p, t == p->leader ? status : p->exit_status, t);
	/* Behind the lock the last thread, or one that execs, may take the memory away on another CPU. */
	t->left_process = !last;
	if (!p->group_exit && (t == p->leader || last))
		if (t == p->leader)
			p->exit_status = status;
	thread_times(t, &user, &sys);
	p->dead_user_ns += user;
	p->dead_system_ns += sys;
	p->dead_minor += t->minor_faults;
	p->dead_major += t->major_faults;
	disk_use_add(&p->dead_disk, &t->disk);
	p->dead_voluntary += t->voluntary_switches;
	p->dead_involuntary += t->involuntary_switches;
	signal_queue_flush(&t->pending, ~0ull);
	signal_retarget_locked(p, t, ~t->signal_mask);
	stopped = stop_leave_locked(p, t);
	spin_unlock_irq(&p->signal_lock, flags);
	spin_unlock(&p->lock);
	if (stopped)
		notify_parent_of_stop(p, CLD_STOPPED, p->stop_signal);
	return last;
}

/* What the process holds goes back. May sleep: files are closed, memory is unmapped. */
static void
release_parts(struct process *p)
{
	struct address_space *as;
	struct handle_table *handles;
	struct ipc_namespace *ipc;
	struct namespaces *namespaces;
	struct fs_context *fs;

	timers_exit(p);
	uring_process_end(p);
	aio_process_end(p);
	spin_lock(&p->lock);
	as = p->as;
	handles = p->handles;
	fs = p->fs;
	p->peak_rss = MAX(p->peak_rss, address_space_peak_resident(as));
	p->handles = NULL;
	spin_unlock(&p->lock);
	handle_table_leave(handles); /* some releases still look at the process's memory and directories */

	spin_lock(&p->lock);
	ipc = p->ipc;
	namespaces = p->namespaces;
	p->as = NULL;
	p->fs = NULL;
	p->ipc = NULL;
	p->namespaces = NULL;
	spin_unlock(&p->lock);
	address_space_put(as);
	fs_context_put(fs);
	ipc_namespace_put(ipc);
	namespaces_put(namespaces);
}

/* The terminal of a session whose leader ends is hung up and belongs to nobody. */
static void
end_session(struct process *p)
{
	struct session *s;
	struct tty *tty = NULL;

	spin_lock(&process_tree_lock);
	s = p->group->session;
	if (s->sid == p->pid && s->tty) {
		tty = s->tty;
		s->tty = NULL; /* its reference is ours now */
	}
	spin_unlock(&process_tree_lock);
	if (!tty)
		return;
	tty_session_ended(tty, p->pid);
	tty_put(tty);
}

/* Who adopts the children of p: the nearest ancestor that asked to, else process 1. */
static struct process *
find_reaper_locked(struct process *p)
{
	struct process *a;
	struct pid_namespace *ns = p->pid_ns;

	if (ns->level && (!ns->init || ns->init == p))
		ns = ns->parent; /* who outlives its process 1 has come from outside */
	for (a = p->parent; a && a != init_process && a != ns->init && a->pid_ns == ns; a = a->parent)
		if (a->child_subreaper && a->state == PROCESS_ALIVE && a->thread_count > 0)
			return a;
	return ns->level && ns->init ? ns->init : init_process;
}

/*
 * SIGHUP and SIGCONT to a group that has just lost its last link to the session and has stopped
 * members (POSIX, _exit: consequences). `parent` is the other end of the link that goes: one within the
 * group or out of the session was none, and a group that was orphaned before is left alone.
 */
static void
check_orphaned_group_locked(struct process_group *g, struct process *parent, struct process *leaving)
{
	struct process *p;

	if (!parent || parent->group == g || parent->group->session != g->session)
		return;
	if (!group_is_orphaned_locked(g, leaving) || !group_has_stopped_locked(g))
		return;
	list_for_each(p, &g->members, group_node) {
		(void)signal_send_process(p, SIGHUP, NULL);
		(void)signal_send_process(p, SIGCONT, NULL);
	}
}

/* Tell `parent`, or who traces p in another's place, that it has become a zombie. True: it will not wait. */
static bool
tell_of_exit_locked(struct process *p, struct process *parent, int signo)
{
	struct signal_action action = signal_action_of(parent, SIGCHLD);
	struct siginfo info = { .signo = signo };
	bool ignored, reap = false, send = signo > 0;
	int status = p->exit_status;

	info.child.pid = pid_number_locked(parent->pid_ns, p->pid);
	info.child.uid = p->leader->cred->uid;
	info.child.utime = TICKS(p->dead_user_ns);
	info.child.stime = TICKS(p->dead_system_ns);
	if (status & 0x7f) {
		info.code = status & 0x80 ? CLD_DUMPED : CLD_KILLED;
		info.child.status = status & 0x7f;
	} else {
		info.code = CLD_EXITED;
		info.child.status = status >> 8 & 0xff;
	}
	if (signo == SIGCHLD) {
		ignored = action.handler == SIG_IGN;
		reap = ignored || (action.flags & SA_NOCLDWAIT);
		send = !ignored;
	}
	if (send)
		(void)signal_send_process(parent, signo, &info);
	wake_all(&parent->child_wait);
	return reap;
}

/*
 * p has become a zombie, or its tracer, which had it first, is done with it. True: nobody will wait for it, reap
 * it now.
 */
bool
notify_parent_of_exit_locked(struct process *p)
{
	struct process *tracer = ptrace_foreign_tracer_locked(p);

	if (tracer) {
		if (!tell_of_exit_locked(p, tracer, SIGCHLD))
			return false;
		ptrace_unlink_locked(p->leader);
	}
	return tell_of_exit_locked(p, p->parent, p->exit_signal);
}

/* The children of p get a new parent; zombies among them that nobody will wait for are put on `dead`. */
static void
give_children_away_locked(struct process *p, struct list *dead)
{
	struct process *reaper = find_reaper_locked(p), *child, *next;

	list_for_each_safe(child, next, &p->children, sibling) {
		int signo = READ_ONCE(child->parent_death_signal);

		list_del_init(&child->sibling);
		list_add_tail(&reaper->children, &child->sibling);
		process_set_parent_locked(child, reaper);
		process_get(reaper);
		process_put(p); /* not the last: p's own thread holds one */
		child->exit_signal = SIGCHLD;
		child->creator = NULL;
		if (signo)
			(void)signal_send_process(child, signo, NULL);
		if (child->state == PROCESS_ZOMBIE) {
			if (!ptrace_foreign_tracer_locked(child) && notify_parent_of_exit_locked(child)) {
				process_reap_locked(child);
				list_add_tail(dead, &child->all_node);
			}
		} else {
			check_orphaned_group_locked(child->group, p, NULL);
		}
	}
}

/* Zombies that were reaped under process_tree_lock: the life's reference of each. */
static void
put_dead(struct list *dead)
{
	struct process *child, *next;

	list_for_each_safe(child, next, dead, all_node) {
		list_del_init(&child->all_node);
		process_put(child);
	}
}

/* From living to zombie. */
static void
become_zombie(struct process *p)
{
	struct list dead = LIST_INIT(dead);
	bool reap;

	spin_lock(&process_tree_lock);
	give_children_away_locked(p, &dead);
	check_orphaned_group_locked(p->group, p->parent, p);
	p->state = PROCESS_ZOMBIE;
	reap = notify_parent_of_exit_locked(p);
	if (reap)
		process_reap_locked(p);
	wake_poll(&p->threads_wait, POLLIN | POLLRDNORM);
	spin_unlock(&process_tree_lock);
	if (reap)
		process_put(p);
	put_dead(&dead);
}

/* The end of process 1 is the end of the machine: say how it came. */
static void __noreturn
init_died(struct thread *t, int status)
{
	if (status & 0x7f)
		panic("process 1 (%s) was ended by signal %d: nothing is left to run", t->name,
		      status & 0x7f);
	panic("process 1 (%s) exited with status %d: nothing is left to run", t->name, status >> 8 & 0xff);
}

void __noreturn
thread_exit_user(int status)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	struct list dead = LIST_INIT(dead);
	struct pid_slot *slot;
	bool last;

	/* Before anybody can learn of the end: who has joined the thread may use its buffer. */
	if (config_kcov)
		kcov_thread_exit();
	core_park(p, t);
	ptrace_thread_exits(status);
	futex_thread_exit(t, true);
	vfork_release(t);
	sem_undo_exit();
	last = leave_process(p, t, status);
	if (last) {
		if (p == init_process)
			init_died(t, p->exit_status);
		if (process_is_namespace_init(p))
			pid_namespace_end(p);
		accounting_process_ends(p, p->exit_status);
		release_parts(p);
		end_session(p);
	}
	spin_lock(&process_tree_lock);
	user_charge_locked(t->cred->uid, -1);
	ptrace_tracer_ends_locked(t, &dead);
	if (t->tid != p->pid && !ptrace_thread_ended_locked(t, status)) {
		slot = pid_slot_locked(t->tid);
		slot->thread = NULL;
		pid_release_locked(t->tid);
	}
	spin_unlock(&process_tree_lock);
	put_dead(&dead);
	if (last)
		become_zombie(p);
	else
		wake_all(&p->threads_wait);
	thread_exit();
}

/* sched/ frees a thread's memory and asks for the rest: what proc/ put into it. */
void
thread_release_user(struct thread *t)
{
	ptrace_free(t);
	cred_put((struct cred *)t->cred);
	t->cred = NULL;
	sem_undo_drop(t);
	seccomp_release(t);
	process_put(t->process);
	t->process = NULL;
}
