/* SPDX-License-Identifier: MIT */
/*
 * settle.c - waiting for those who are on their way out: for who counts what is left.
 *
 * A parent may learn of a child's end, and a killer go on, long before the last of it is freed. On
 * the way are:
 *
 *	threads that were told to end, or have begun to;
 *	dead threads, until whoever runs next on their CPU has given them to the reaper (a leader stays as long as
 *	its process has not been waited for);
 *	zombies that process 1 has inherited, which it takes at once, and what it does to take them.
 *
 * Zombies that another parent lets wait are on no way: they are his, also when he is process 1 of
 * another pid namespace.
 *
 * Nothing promises that any of these comes to an end: a tracer may hold a thread at its end,
 * process 1 may never ask for its children. So the wait is bounded as a whole (PATIENCE). That
 * process 1 runs is a hint only, that it is about to take what it inherited or to follow that up;
 * one that simply has much to do is not waited for longer than BRIEF.
 *
 * Locks: the threads' list's, then process_tree_lock, one after the other, for a look each.
 */
#include <tessera/sched.h>
#include <tessera/time.h>

#include "proc.h"

#define PATIENCE (2 * NSEC_PER_SEC)
#define BRIEF    (20 * NSEC_PER_MSEC)
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

/* Has process 1 a zombie to take? *runs: its first thread does. */
static bool
init_has_zombies(bool *runs)
{
	bool found = false;
	struct process *p;

	*runs = false;
	if (current_process() == init_process)
		return false;
	spin_lock(&process_tree_lock);
	list_for_each(p, &init_process->children, sibling)
		found |= p->state == PROCESS_ZOMBIE;
	if (init_process->leader)
		*runs = atomic_load(&init_process->leader->state) == THREAD_RUNNABLE;
	spin_unlock(&process_tree_lock);
	return found;
}

void
processes_settle(void)
{
	deadline_t until = deadline_after(PATIENCE), brief = deadline_after(BRIEF);

	for (;;) {
		bool runs, leaving = thread_is_leaving();
		uint64_t now = clock_monotonic_ns();

		leaving |= init_has_zombies(&runs);
		if (leaving)
			brief = now + BRIEF;
		if ((!leaving && (!runs || now >= brief)) || now >= until)
			return;
		if (wait_until(deadline_after(PAUSE), WAIT_KILLABLE) == -EINTR)
			return;
	}
}
