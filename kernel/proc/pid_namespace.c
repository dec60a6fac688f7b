/* SPDX-License-Identifier: MIT */
/*
 * pid_namespace.c - the life of a namespace of process numbers; pid.c has the numbers.
 *
 * The first process born into it is its process 1. When that ends (1) nobody is born there any more, (2) all who
 * are there are killed, (3) it ignores SIGCHLD, so that its children, and those whom it adopts now, leave no
 * zombies, and (4) it waits until it is the only one left before it becomes a zombie itself.
 */
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/pid_namespace.h>
#include <tessera/slab.h>

#include "proc.h"

struct namespace *
pid_namespace_create(struct namespace *above, struct user_namespace *owner)
{
	struct pid_namespace *parent = (struct pid_namespace *)above, *n;

	if (parent->level >= PID_NAMESPACE_DEPTH)
		return ERR_PTR(-ENOSPC);
	n = kzalloc(sizeof(*n));
	if (!n)
		return ERR_PTR(-ENOMEM);
	namespace_init(&n->ns, NAMESPACE_PID, owner);
	n->parent = parent;
	namespace_get(above);
	n->level = parent->level + 1;
	wait_queue_init(&n->fewer);
	return &n->ns;
}

void
pid_namespace_release(struct namespace *ns)
{
	struct pid_namespace *n = (struct pid_namespace *)ns;
	struct pid_namespace *parent = n->parent;

	accounting_namespace_ends(n);
	kfree(n);
	namespace_put(&parent->ns); /* at most PID_NAMESPACE_DEPTH deep */
}

bool
pid_namespace_is_inside(const struct namespace *ns, const struct namespace *of)
{
	const struct pid_namespace *n = (const struct pid_namespace *)ns;
	const struct pid_namespace *top = (const struct pid_namespace *)of;

	while (n->level > top->level)
		n = n->parent;
	return n == top;
}

void
pid_namespace_join_locked(struct process *p)
{
	assert_held(&process_tree_lock);
	for (struct pid_namespace *n = p->pid_ns; n; n = n->parent)
		n->processes++;
	if (p->pid_ns->level && !p->pid_ns->init && p->local_pid == 1)
		p->pid_ns->init = p;
}

void
pid_namespace_leave_locked(struct process *p)
{
	assert_held(&process_tree_lock);
	for (struct pid_namespace *n = p->pid_ns; n; n = n->parent) {
		n->processes--;
		if (n->ended)
			wake_all(&n->fewer);
	}
	if (p->pid_ns->init == p)
		p->pid_ns->init = NULL;
}

bool
process_is_namespace_init(const struct process *p)
{
	return p->pid_ns && p->pid_ns->level && READ_ONCE(p->pid_ns->init) == p;
}

/* Kill all who are left; false: the caller is alone. */
static bool
kill_the_rest(struct pid_namespace *n, struct process *self)
{
	struct process *p, *next, *dead = NULL;
	bool others;

	spin_lock(&process_tree_lock);
	n->ended = true; /* (1) */
	list_for_each(p, &all_processes, all_node)
		if (p != self && p->state == PROCESS_ALIVE && pid_namespace_is_inside(&p->pid_ns->ns, &n->ns))
			process_kill(p); /* (2) */
	/* Zombies from before (3): one at a time, their last reference is not put under the lock. */
	list_for_each_safe(p, next, &self->children, sibling)
		if (p->state == PROCESS_ZOMBIE && !dead) {
			process_reap_locked(p);
			dead = p;
		}
	others = n->processes > 1;
	spin_unlock(&process_tree_lock);
	process_put(dead);
	return others || dead;
}

static bool
is_alone(struct pid_namespace *n)
{
	bool alone;

	spin_lock(&process_tree_lock);
	alone = n->processes <= 1;
	spin_unlock(&process_tree_lock);
	return alone;
}

void
pid_namespace_end(struct process *p)
{
	struct signal_action ignore = { .handler = SIG_IGN };
	struct pid_namespace *n = p->pid_ns;

	(void)signal_set_action(SIGCHLD, &ignore, NULL); /* (3) */
	while (kill_the_rest(n, p)) {
		if (is_alone(n))
			break;
		/* (4); now and then it looks for zombies again that came between */
		(void)wait_event_deadline(&n->fewer, is_alone(n), WAIT_UNINTERRUPTIBLE,
					  clock_monotonic_ns() + 50 * NSEC_PER_MSEC);
	}
	spin_lock(&process_tree_lock);
	if (n->end_status)
		p->exit_status = n->end_status;
	spin_unlock(&process_tree_lock);
}

void __noreturn
pid_namespace_restart(struct pid_namespace *n, int signo)
{
	spin_lock(&process_tree_lock);
	n->end_status = signo; /* a wait status of a signal is its number */
	if (n->init)
		process_kill(n->init);
	spin_unlock(&process_tree_lock);
	process_exit_group(0);
}
