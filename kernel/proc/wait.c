/* SPDX-License-Identifier: MIT */
/*
 * wait.c - learning what became of a child: wait4, waitid.
 *
 * The caller puts itself on its process's child_wait, looks at its children under process_tree_lock,
 * and sleeps if none has anything to tell. Whoever changes a child's state does so under the same
 * lock (or signal_lock, for continued) and wakes child_wait afterwards.
 */
#include <tessera/fork.h>
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

/* process_tree_lock held, the child's own locks free: a living child may change its credentials. */
static void
fill_common(struct process *child, struct wait_result *out)
{
	struct cred *c = thread_cred(child->leader);

	*out = (struct wait_result){ .pid = child->pid, .uid = c->uid };
	cred_put(c);
}

/* A zombie's story, with its accounting and that of its own reaped children. */
static void
fill_zombie(struct process *child, struct wait_result *out)
{
	int status = child->exit_status;

	fill_common(child, out);
	out->status = status;
	if (status & 0x7f) {
		out->code = status & 0x80 ? CLD_DUMPED : CLD_KILLED;
		out->code_status = status & 0x7f;
	} else {
		out->code = CLD_EXITED;
		out->code_status = status >> 8 & 0xff;
	}
	out->user_ns = child->dead_user_ns + child->children_user_ns;
	out->system_ns = child->dead_system_ns + child->children_system_ns;
	out->minor_faults = child->dead_minor + child->children_minor;
	out->major_faults = child->dead_major + child->children_major;
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
	self->children_peak_rss = MAX(self->children_peak_rss, r->peak_rss);
	spin_unlock_irq(&self->signal_lock, flags);
}

/* Has a living child stopped or gone on, untold? */
static bool
take_job_control(const struct wait_query *q, struct process *child, struct wait_result *out)
{
	bool told = false;
	uint64_t flags;

	fill_common(child, out);
	flags = spin_lock_irq(&child->signal_lock);
	if ((q->options & WSTOPPED) && child->stopped && !child->stop_reported) {
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

/*
 * One look at all children. Returns true when *out was filled; *reaped then gets a zombie that left
 * the tree, to be put by the caller. *possible: some child could still have something to tell.
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
		if (child->state == PROCESS_ZOMBIE) {
			if (!(q->options & WEXITED))
				continue;
			fill_zombie(child, out);
			if (!(q->options & WNOWAIT)) {
				account_child(self, out);
				process_reap_locked(child);
				*reaped = child;
			}
			found = true;
			break;
		}
		*possible = true;
		if (take_job_control(q, child, out)) {
			found = true;
			break;
		}
	}
	spin_unlock(&process_tree_lock);
	return found;
}

static long
wait_for(const struct wait_query *q, bool nonblock, struct wait_result *out)
{
	struct process *self = current_process(), *reaped = NULL;
	struct waiter w;
	bool possible;
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
		result = nonblock ? -EAGAIN : 0;
		if (nonblock || (q->options & WNOHANG))
			break;
		result = -ERESTARTSYS;
		if (wait_sleep(WAIT_INTERRUPTIBLE, DEADLINE_NEVER) == -EINTR)
			break;
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
		break;
	case P_PGID:
		if (id < 0)
			return -EINVAL;
		if (id == 0)
			q.id = process_pgid(current_process());
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
