/* SPDX-License-Identifier: MIT */
/*
 * wait.c - learning what became of a child: wait4, waitid.
 *
 * The caller puts itself on its process's child_wait, looks at its children under process_tree_lock,
 * and sleeps if none has anything to tell. Whoever changes a child's state does so under the same
 * lock (or signal_lock, for continued) and wakes child_wait afterwards.
 *
 * Threads that the caller's process traces are looked at as well (ptrace.c): their stops are told whatever
 * the options say, their ends like a child's, also those of single threads. A child that is traced tells
 * its end to the tracer first; one that the parent itself traces is looked at as a tracee only.
 */
#include <tessera/fork.h>
#include <tessera/pid_namespace.h>
#include <tessera/process.h>
#include <tessera/wait.h>

#include "proc.h"

#define P_ALL   0
#define P_PID   1
#define P_PGID  2
#define P_PIDFD 3

#define WNOHANG     0x00000001
#define WSTOPPED    0x00000002
#define WEXITED     0x00000004
#define WCONTINUED  0x00000008
#define WNOWAIT     0x01000000
#define WNOTHREAD   0x20000000
#define WALL        0x40000000
#define WCLONE      0x80000000u

struct wait_query {
	int which;
	pid_t id;
	struct process *target;   /* P_PIDFD */
	uint32_t options;
};

static bool
is_asked_for(const struct wait_query *q, struct process *child)
{
	switch (q->which) {
	case P_PID:
		if (child->pid != q->id)
			return false;
		break;
	case P_PGID:
		if (child->group->pgid != q->id)
			return false;
		break;
	case P_PIDFD:
		if (child != q->target)
			return false;
		break;
	}
	if ((q->options & WNOTHREAD) && child->creator != current_thread())
		return false;
	/* Children that do not send SIGCHLD are "clone children", asked for with __WCLONE. */
	return (q->options & WALL) || (child->exit_signal != SIGCHLD) == !!(q->options & WCLONE);
}

static bool
tracee_is_asked_for(const struct wait_query *q, const struct ptrace *pt)
{
	struct thread *t = pt->thread;
	struct process *p = t->process;

	if ((q->options & WNOTHREAD) && pt->tracer != current_thread())
		return false;
	switch (q->which) {
	case P_PID:
		return t->tid == q->id;
	case P_PGID:
		return p->group && p->group->pgid == q->id;
	case P_PIDFD:
		return p == q->target && t->tid == p->pid;
	}
	return true;
}

/* process_tree_lock held, the thread's process's own locks free: a living one may change its credentials. */
static void
fill_common(struct thread *t, struct wait_result *out)
{
	struct cred *c = thread_cred(t);

	*out = (struct wait_result){ .pid = pid_number_locked(current_pid_namespace(), t->tid), .uid = c->uid };
	cred_put(c);
}

static void
fill_end(int status, struct wait_result *out)
{
	out->status = status;
	if (status & 0x7f) {
		out->code = status & 0x80 ? CLD_DUMPED : CLD_KILLED;
		out->code_status = status & 0x7f;
	} else {
		out->code = CLD_EXITED;
		out->code_status = status >> 8 & 0xff;
	}
}

/* A zombie's story, with its accounting and that of its own reaped children. */
static void
fill_zombie(struct process *child, struct wait_result *out)
{
	fill_common(child->leader, out);
	fill_end(child->exit_status, out);
	out->user_ns = child->dead_user_ns + child->children_user_ns;
	out->system_ns = child->dead_system_ns + child->children_system_ns;
	out->minor_faults = child->dead_minor + child->children_minor;
	out->major_faults = child->dead_major + child->children_major;
	out->disk = child->dead_disk;
	disk_use_add(&out->disk, &child->children_disk);
	out->peak_rss = MAX(child->peak_rss, child->children_peak_rss);
}

/* What getrusage(RUSAGE_CHILDREN) will say from now on. */
static void
account_child(struct process *self, const struct wait_result *r)
{
	uint64_t flags = spin_lock_irq(&self->signal_lock);

	self->children_user_ns += r->user_ns;
	self->children_system_ns += r->system_ns;
	self->children_minor += r->minor_faults;
	self->children_major += r->major_faults;
	disk_use_add(&self->children_disk, &r->disk);
	self->children_peak_rss = MAX(self->children_peak_rss, r->peak_rss);
	spin_unlock_irq(&self->signal_lock, flags);
}

/* Has a living child stopped or gone on, untold? `own`: the caller traces it, and learns of stops that way. */
static bool
take_job_control(const struct wait_query *q, struct process *child, bool own, struct wait_result *out)
{
	bool told = false;
	uint64_t flags;

	fill_common(child->leader, out);
	flags = spin_lock_irq(&child->signal_lock);
	if ((q->options & WSTOPPED) && !own && child->stopped && !child->stop_reported) {
		out->status = child->stop_signal << 8 | 0x7f;
		out->code = CLD_STOPPED;
		out->code_status = child->stop_signal;
		if (!(q->options & WNOWAIT))
			child->stop_reported = true;
		told = true;
	} else if ((q->options & WCONTINUED) && child->continued) {
		out->status = 0xffff;
		out->code = CLD_CONTINUED;
		out->code_status = SIGCONT;
		if (!(q->options & WNOWAIT))
			child->continued = false;
		told = true;
	}
	spin_unlock_irq(&child->signal_lock, flags);
	return told;
}

/* --- tracees --- */

/* Is the tracee in a stop that wait has not told of? */
static bool
take_stop(const struct wait_query *q, struct thread *t, struct wait_result *out)
{
	struct process *p = t->process;
	struct ptrace *pt = t->ptrace;
	bool told = false;
	uint64_t flags;

	fill_common(t, out);
	flags = spin_lock_irq(&p->signal_lock);
	if (pt->stop != PTRACE_RUNS && !pt->reported && !pt->listening) {
		out->status = pt->code << 8 | 0x7f;
		out->code = CLD_TRAPPED;
		out->code_status = pt->code;
		if (!(q->options & WNOWAIT))
			pt->reported = true;
		told = true;
	}
	spin_unlock_irq(&p->signal_lock, flags);
	return told;
}

/* The zombie whose leader is traced by the caller's process: the parent's turn comes next. */
static void
consume_zombie(struct process *self, struct process *p, const struct wait_result *r, struct process **reaped)
{
	bool reap = true;

	if (p->parent == self) {
		account_child(self, r);
	} else {
		ptrace_unlink_locked(p->leader);
		reap = notify_parent_of_exit_locked(p);
	}
	if (reap) {
		process_reap_locked(p);
		*reaped = p;
	}
}

/* One tracee. True when it had something to tell. */
static bool
look_at_tracee(struct process *self, const struct wait_query *q, struct ptrace *pt, struct wait_result *out,
	       struct process **reaped, bool *possible)
{
	struct thread *t = pt->thread;
	struct process *p = t->process;

	if (pt->dead || (t == p->leader && p->state == PROCESS_ZOMBIE)) {
		if (!(q->options & WEXITED))
			return false;
		if (pt->dead) {
			fill_common(t, out);
			fill_end(pt->exit_status, out);
			if (!(q->options & WNOWAIT))
				ptrace_unlink_locked(t);
			return true;
		}
		fill_zombie(p, out);
		if (!(q->options & WNOWAIT))
			consume_zombie(self, p, out, reaped);
		return true;
	}
	*possible = true;
	return take_stop(q, t, out);
}

static bool
look_at_tracees(struct process *self, const struct wait_query *q, struct wait_result *out,
		struct process **reaped, bool *possible)
{
	struct ptrace *pt, *next;

	list_for_each_safe(pt, next, &self->tracees, node)
		if (tracee_is_asked_for(q, pt) && look_at_tracee(self, q, pt, out, reaped, possible))
			return true;
	return false;
}

/* --- children --- */

static bool
look_at_child(struct process *self, const struct wait_query *q, struct process *child,
	      struct wait_result *out, struct process **reaped, bool *possible)
{
	bool traced = child->leader && ptrace_is_traced(child->leader);
	bool own = traced && child->leader->ptrace->tracer->process == self;

	if (child->state != PROCESS_ZOMBIE) {
		*possible = true;
		return take_job_control(q, child, own, out);
	}
	if (traced) {
		*possible |= !own; /* not before its tracer; our own look at it is that of a tracer */
		return false;
	}
	if (!(q->options & WEXITED))
		return false;
	fill_zombie(child, out);
	if (!(q->options & WNOWAIT)) {
		account_child(self, out);
		process_reap_locked(child);
		*reaped = child;
	}
	return true;
}

/*
 * One look at all children and tracees. Returns true when *out was filled; *reaped then gets a zombie that
 * left the tree, to be put by the caller. *possible: one could still have something to tell.
 */
static bool
look(struct process *self, const struct wait_query *q, struct wait_result *out,
     struct process **reaped, bool *possible)
{
	struct process *child;
	bool found = false;

	*possible = false;
	spin_lock(&process_tree_lock);
	list_for_each(child, &self->children, sibling) {
		if (!is_asked_for(q, child))
			continue;
		found = look_at_child(self, q, child, out, reaped, possible);
		if (found)
			break;
	}
	if (!found && !list_is_empty(&self->tracees))
		found = look_at_tracees(self, q, out, reaped, possible);
	spin_unlock(&process_tree_lock);
	return found;
}

static long
wait_for(const struct wait_query *q, bool nonblock, struct wait_result *out)
{
	struct process *self = current_process(), *reaped = NULL;
	struct waiter w;
	bool possible, interrupted = false;
	long result;

	waiter_init(&w, current_thread());
	waiter_add(&self->child_wait, &w);
	for (;;) {
		wait_prepare(WAIT_INTERRUPTIBLE);
		if (look(self, q, out, &reaped, &possible)) {
			result = out->pid;
			break;
		}
		result = -ECHILD;
		if (!possible)
			break;
		result = nonblock && !(q->options & WNOHANG) ? -EAGAIN : 0;
		if (nonblock || (q->options & WNOHANG))
			break;
		result = -ERESTARTSYS;
		if (interrupted)
			break;
		/* The signal may be the very child's: it is looked for once more before the signal is told of. */
		interrupted = wait_sleep(WAIT_INTERRUPTIBLE, DEADLINE_NEVER) == -EINTR;
	}
	wait_finish();
	waiter_remove(&w);
	process_put(reaped);
	return result;
}

/* Returns the child's pid with *out filled, 0 (WNOHANG and nothing to tell), or -ECHILD, -EINVAL,
 * -EBADF, -EAGAIN (a nonblocking pidfd), -ERESTARTSYS. */
long
process_wait(int which, pid_t id, int options, struct wait_result *out)
{
	struct wait_query q = { .which = which, .id = id, .options = (uint32_t)options };
	bool nonblock = false;
	int error;
	long result;

	*out = (struct wait_result){ 0 };
	switch (which) {
	case P_ALL:
		break;
	case P_PID:
		if (id <= 0)
			return -EINVAL;
		q.id = pid_given(id);
		break;
	case P_PGID:
		if (id < 0)
			return -EINVAL;
		q.id = id ? pid_given(id) : process_pgid(current_process());
		break;
	case P_PIDFD:
		if (id < 0)
			return -EINVAL;
		q.target = pidfd_get(id, &nonblock, &error);
		if (!q.target)
			return error;
		break;
	default:
		return -EINVAL;
	}
	result = wait_for(&q, nonblock, out);
	process_put(q.target);
	return result;
}
