/* SPDX-License-Identifier: MIT */
/*
 * pid.c - numbers: who has which, and which is next.
 *
 * One number space serves threads, processes, groups and sessions. A number is in use while any of
 * the four has it: a group outlives its leader, so its number must not go to a new process meanwhile.
 * Numbers are handed out upwards and wrap past the reserved small ones, so that one is not used again
 * before all others were.
 *
 * In a namespace below the first a slot has a number of each level, and stands in the table of each.
 *
 * All state is guarded by process_tree_lock.
 */
#include <tessera/pid_namespace.h>
#include <tessera/radix.h>
#include <tessera/slab.h>

#include "proc.h"

struct spinlock process_tree_lock = SPINLOCK_INIT(PROCESS_TREE);

static struct radix_tree slots; /* process_tree_lock: struct pid_slot * by number */

struct pid_namespace init_pid_namespace = {
	.ns = { { 1 }, NAMESPACE_PID, 0xeffffffc, &init_user_namespace },
	.fewer = WAIT_QUEUE_INIT(init_pid_namespace.fewer),
};

/* Those of a namespace: the first's are where they always were. */
static struct radix_tree *
slots_of(struct pid_namespace *ns)
{
	return ns->level ? &ns->slots : &slots;
}

/*
 * Give `slot` a number in one namespace. The number, or -EAGAIN, -EEXIST, -ENOMEM; -EINVAL: another than 1 is
 * wanted where there is no process 1 yet.
 */
static pid_t
enter_slot(struct pid_namespace *ns, pid_t want, struct pid_slot *slot)
{
	struct radix_tree *tree = slots_of(ns);
	uint64_t nr = (uint64_t)want;

	if (want != 0) {
		if (want != 1 && ns->level && !ns->init)
			return -EINVAL;
		if (radix_get(tree, nr))
			return -EEXIST;
	} else if (!radix_find_free(tree, ns->last + 1, PID_LOCAL_MAX, &nr) &&
		   !radix_find_free(tree, PID_RESERVED, PID_LOCAL_MAX, &nr)) {
		return -EAGAIN;
	}
	if (radix_set(tree, nr, slot, NULL) != 0)
		return -ENOMEM;
	if (want == 0)
		ns->last = (pid_t)nr;
	return (pid_t)nr;
}

/* Its numbers of levels [from, its own] are free again. */
static void
leave_slots(struct pid_slot *slot, uint32_t from)
{
	for (struct pid_namespace *n = slot->ns; n && n->level >= from; n = n->parent)
		radix_remove(slots_of(n), (uint64_t)slot->numbers[n->level]);
}

pid_t
pid_alloc_locked(const pid_t *want, size_t wanted, struct pid_namespace *ns)
{
	size_t i = 0;
	struct pid_slot *slot;
	pid_t number, result;

	assert_held(&process_tree_lock);
	if (ns->ended)
		return -ENOMEM;
	slot = kmalloc(sizeof(*slot) + (ns->level + 1) * sizeof(pid_t), ALLOC_NOWAIT | ALLOC_ZERO);
	if (!slot)
		return -ENOMEM;
	slot->ns = ns;
	for (struct pid_namespace *n = ns; n; n = n->parent, i++) {
		number = enter_slot(n, i < wanted ? want[i] : 0, slot);
		if (number < 0) {
			leave_slots(slot, n->level + 1);
			kfree(slot);
			return number;
		}
		slot->numbers[n->level] = number;
	}
	namespace_get(&ns->ns);
	result = slot->numbers[0];
	return result;
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
	leave_slots(slot, 0);
	namespace_put(&slot->ns->ns);
	kfree(slot);
}

pid_t
process_last_pid(void)
{
	return READ_ONCE(current_pid_namespace()->last);
}

struct process *
process_find(pid_t pid)
{
	return process_find_in(current_pid_namespace(), pid);
}

struct process *
process_find_in(struct pid_namespace *ns, pid_t pid)
{
	struct pid_slot *slot;
	struct process *p = NULL;

	spin_lock(&process_tree_lock);
	slot = pid > 0 ? radix_get(slots_of(ns), pid) : NULL;
	if (slot && slot->process) {
		p = slot->process;
		process_get(p);
	}
	spin_unlock(&process_tree_lock);
	return p;
}

struct process *
process_find_by_thread(pid_t tid)
{
	const struct pid_slot *slot;
	struct process *p = NULL;

	spin_lock(&process_tree_lock);
	slot = tid > 0 ? radix_get(slots_of(current_pid_namespace()), tid) : NULL;
	if (slot)
		p = slot->thread ? slot->thread->process : slot->process;
	if (p)
		process_get(p);
	spin_unlock(&process_tree_lock);
	return p;
}

struct thread *
thread_find(pid_t tid)
{
	return thread_find_in(current_pid_namespace(), tid);
}

struct thread *
thread_find_in(struct pid_namespace *ns, pid_t tid)
{
	struct pid_slot *slot;
	struct thread *t = NULL;

	spin_lock(&process_tree_lock);
	slot = tid > 0 ? radix_get(slots_of(ns), tid) : NULL;
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

/* --- from one namespace to another ------------------------------------------------------------ */

struct pid_namespace *
current_pid_namespace(void)
{
	struct process *p = current_process();

	return p && p->pid_ns ? p->pid_ns : &init_pid_namespace;
}

pid_t
pid_number_locked(const struct pid_namespace *ns, pid_t pid)
{
	const struct pid_slot *slot;
	const struct pid_namespace *n;

	if (!ns->level || pid <= 0)
		return pid;
	slot = pid_slot_locked(pid);
	for (n = slot ? slot->ns : NULL; n && n->level > ns->level;)
		n = n->parent;
	return n == ns ? slot->numbers[ns->level] : 0;
}

pid_t
pid_number(const struct pid_namespace *ns, pid_t pid)
{
	if (!ns->level || pid <= 0)
		return pid;
	spin_lock(&process_tree_lock);
	pid = pid_number_locked(ns, pid);
	spin_unlock(&process_tree_lock);
	return pid;
}

pid_t
pid_global_locked(const struct pid_namespace *ns, pid_t number)
{
	const struct pid_slot *slot;

	if (!ns->level || number <= 0)
		return number;
	slot = radix_get((struct radix_tree *)&ns->slots, (uint64_t)number);
	return slot ? slot->numbers[0] : PID_NONE;
}

pid_t
pid_global(const struct pid_namespace *ns, pid_t number)
{
	if (!ns->level || number <= 0)
		return number;
	spin_lock(&process_tree_lock);
	number = pid_global_locked(ns, number);
	spin_unlock(&process_tree_lock);
	return number;
}

pid_t
pid_next_process(struct pid_namespace *ns, pid_t from)
{
	uint64_t nr = from < 0 ? 0 : (uint64_t)from;
	struct pid_slot *slot;

	spin_lock(&process_tree_lock);
	while ((slot = radix_next(slots_of(ns), &nr)) != NULL && !slot->process)
		nr++;
	spin_unlock(&process_tree_lock);
	return slot ? (pid_t)nr : -1;
}

pid_t
pid_given(pid_t number)
{
	return pid_global(current_pid_namespace(), number);
}

pid_t
pid_shown(pid_t pid)
{
	return pid_number(current_pid_namespace(), pid);
}
