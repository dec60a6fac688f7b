/* SPDX-License-Identifier: MIT */
/*
 * pid.c - numbers: who has which, and which is next.
 *
 * One number space serves threads, processes, groups and sessions. A number is in use while any of
 * the four has it: a group outlives its leader, so its number must not go to a new process meanwhile.
 * Numbers are handed out upwards and wrap past the reserved small ones, so that one is not used again
 * before all others were.
 *
 * All state is guarded by process_tree_lock.
 */
#include <tessera/radix.h>
#include <tessera/slab.h>

#include "proc.h"

struct spinlock process_tree_lock = SPINLOCK_INIT(PROCESS_TREE);

static struct radix_tree slots; /* process_tree_lock: struct pid_slot * by number */
static pid_t last_pid;          /* process_tree_lock */

pid_t
pid_alloc_locked(pid_t want)
{
	struct pid_slot *slot;
	uint64_t nr;

	assert_held(&process_tree_lock);
	if (want != 0) {
		if (radix_get(&slots, want))
			return -EEXIST;
		nr = want;
	} else if (!radix_find_free(&slots, last_pid + 1, PID_LOCAL_MAX, &nr) &&
		   !radix_find_free(&slots, PID_RESERVED, PID_LOCAL_MAX, &nr)) {
		return -EAGAIN;
	}
	slot = kmalloc(sizeof(*slot), ALLOC_NOWAIT | ALLOC_ZERO);
	if (!slot)
		return -ENOMEM;
	if (radix_set(&slots, nr, slot, NULL) != 0) {
		kfree(slot);
		return -ENOMEM;
	}
	if (want == 0)
		last_pid = (pid_t)nr;
	return (pid_t)nr;
}

struct pid_slot *
pid_slot_locked(pid_t pid)
{
	assert_held(&process_tree_lock);
	return pid > 0 ? radix_get(&slots, pid) : NULL;
}

void
pid_release_locked(pid_t pid)
{
	struct pid_slot *slot = pid_slot_locked(pid);

	if (!slot || slot->thread || slot->process || slot->group || slot->session)
		return;
	radix_remove(&slots, pid);
	kfree(slot);
}

pid_t
process_last_pid(void)
{
	return READ_ONCE(last_pid);
}

struct process *
process_find(pid_t pid)
{
	struct pid_slot *slot;
	struct process *p = NULL;

	spin_lock(&process_tree_lock);
	slot = pid_slot_locked(pid);
	if (slot && slot->process) {
		p = slot->process;
		process_get(p);
	}
	spin_unlock(&process_tree_lock);
	return p;
}

struct thread *
thread_find(pid_t tid)
{
	struct pid_slot *slot;
	struct thread *t = NULL;

	spin_lock(&process_tree_lock);
	slot = pid_slot_locked(tid);
	if (slot && slot->thread) {
		t = slot->thread;
		thread_get(t);
	}
	spin_unlock(&process_tree_lock);
	return t;
}

struct process *
process_next(pid_t pid)
{
	uint64_t nr = pid < 0 ? 0 : pid;
	struct process *p = NULL;
	struct pid_slot *slot;

	spin_lock(&process_tree_lock);
	while ((slot = radix_next(&slots, &nr)) != NULL) {
		if (slot->process) {
			p = slot->process;
			process_get(p);
			break;
		}
		nr++;
	}
	spin_unlock(&process_tree_lock);
	return p;
}
