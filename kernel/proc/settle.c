/* SPDX-License-Identifier: MIT */
/*
 * settle.c - waiting for those who are on their way out: for who counts what is left.
 *
 * A parent may learn of a child's end, and a killer go on, long before the last of it is freed. On the way are:
 *
 *	threads that were told to end, or have begun to;
 *	dead threads, until whoever runs next on their CPU has given them to the reaper (a leader stays as long as
 *	its process has not been waited for);
 *	zombies that process 1 has inherited, which it takes at once, and what it does to take them.
 *
 * Zombies that another parent lets wait are on no way: they are his.
 */
#include <tessera/sched.h>
#include <tessera/time.h>

#include "proc.h"

#define PATIENCE (2 * NSEC_PER_SEC) /* one that a tracer holds at its end may not go for long */
#define PAUSE    (NSEC_PER_MSEC / 2)

/* Under the list's lock: t and its process are there. */
static void
look_at(void *ctx, struct thread *t)
{
	const struct process *p = t->process;
	bool *found = ctx;

	if (!p)
		return;
	if (atomic_load(&t->state) == THREAD_DEAD)
		*found |= READ_ONCE(p->leader) != t;
	else
		*found |= READ_ONCE(p->group_exit) || READ_ONCE(t->exiting) || (atomic_load(&t->work) & WORK_EXIT);
}

static bool
thread_is_leaving(void)
{
	bool found = false;

	thread_for_each(look_at, &found);
	return found;
}

/* Has process 1 a zombie to take, or is it about to? */
static bool
init_is_busy(void)
{
	bool busy = false;
	struct process *p;

	if (current_process() == init_process)
		return false;
	spin_lock(&process_tree_lock);
	list_for_each (p, &init_process->children, sibling)
		busy |= p->state == PROCESS_ZOMBIE;
	if (init_process->leader)
		busy |= atomic_load(&init_process->leader->state) == THREAD_RUNNABLE;
	spin_unlock(&process_tree_lock);
	return busy;
}

void
processes_settle(void)
{
	deadline_t until = deadline_after(PATIENCE);

	while ((thread_is_leaving() || init_is_busy()) && clock_monotonic_ns() < until)
		if (wait_until(deadline_after(PAUSE), WAIT_KILLABLE) == -EINTR)
			return;
}
