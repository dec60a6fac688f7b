/* SPDX-License-Identifier: MIT */
/*
 * sem_undo.c - SEM_UNDO: what a program did to semaphores is undone when it ends.
 *
 * A list of undoing belongs to all threads that were made with CLONE_SYSVSEM from one another; the last of them
 * to end undoes. For each set it has a struct sem_undo, on the list and on the set.
 *
 * Who frees one: removal of its set, or the end of its list; both hold the set's lock and take it off both lists.
 * The end of a list finds it under the list's lock, takes a reference to the set, drops the list's lock, locks
 * the set, and looks whether the set was removed meanwhile: then it has been freed.
 *
 * Locks: the set's, then the list's (a leaf).
 */
#include <tessera/errno.h>
#include <tessera/process.h>
#include <tessera/slab.h>

#include "sem.h"

struct sem_undo_list {
	struct refcount refs;           /* threads */
	struct spinlock lock;           /* class LEAF */
	struct list undos;              /* lock: struct sem_undo.list_node */
};

static struct sem_undo_list *
own_list(void)
{
	struct thread *t = current_thread();
	struct sem_undo_list *l = t->sem_undo;

	if (l)
		return l;
	l = kzalloc(sizeof(*l));
	if (!l)
		return NULL;
	ref_init(&l->refs);
	spin_init(&l->lock, LOCK_LEAF);
	list_init(&l->undos);
	t->sem_undo = l;
	return l;
}

int
sem_undo_share(struct thread *child)
{
	struct sem_undo_list *l = own_list();

	if (!l)
		return -ENOMEM;
	ref_get(&l->refs);
	child->sem_undo = l;
	return 0;
}

void
sem_undo_drop(struct thread *t)
{
	bool last = t->sem_undo && ref_put(&t->sem_undo->refs);

	assert(!last); /* whoever shared it has it still */
	t->sem_undo = NULL;
}

int
sem_undo_find(struct sem_set *set, struct sem_undo **out)
{
	struct sem_undo_list *l = own_list();
	struct sem_undo *u;
	uint64_t flags;

	assert_mutex_held(&set->ipc.lock);
	if (!l)
		return -ENOMEM;
	list_for_each (u, &set->undos, set_node) {
		if (u->list == l) {
			*out = u;
			return 0;
		}
	}
	u = kzalloc(sizeof(*u) + set->count * sizeof(u->owed[0]));
	if (!u)
		return -ENOMEM;
	u->list = l;
	u->set = set;
	list_add(&set->undos, &u->set_node);
	flags = spin_lock_irq(&l->lock);
	list_add(&l->undos, &u->list_node);
	spin_unlock_irq(&l->lock, flags);
	*out = u;
	return 0;
}

static void
undo_free(struct sem_undo *u)
{
	uint64_t flags = spin_lock_irq(&u->list->lock);

	list_del(&u->list_node);
	spin_unlock_irq(&u->list->lock, flags);
	list_del(&u->set_node);
	kfree(u);
}

void
sem_undo_forget(struct sem_set *set, uint32_t index, uint32_t count)
{
	struct sem_undo *u;

	list_for_each (u, &set->undos, set_node)
		for (uint32_t i = index; i < index + count; i++)
			u->owed[i] = 0;
}

void
sem_undo_set_removed(struct sem_set *set)
{
	struct sem_undo *u, *next;

	list_for_each_safe (u, next, &set->undos, set_node)
		undo_free(u);
}

/* Nobody waits to do this: values stop at their limits. */
static void
apply(struct sem_set *set, const struct sem_undo *u, struct list *ended)
{
	for (uint32_t i = 0; i < set->count; i++) {
		struct sem *s = &set->sem[i];

		if (u->owed[i] == 0)
			continue;
		s->value = MAX(0, MIN(SEM_VALUE_MAX, s->value + u->owed[i]));
		s->pid = current_process()->pid;
	}
	set->operated = ipc_now();
	sem_values_changed(set, ended);
}

/* The set of the first thing owed, with a reference; NULL: nothing is. */
static struct sem_set *
next_set(struct sem_undo_list *l, struct sem_undo **out)
{
	struct sem_set *set = NULL;
	uint64_t flags = spin_lock_irq(&l->lock);

	*out = list_first(&l->undos, struct sem_undo, list_node);
	if (*out) {
		set = (*out)->set;
		ref_get(&set->ipc.refs);
	}
	spin_unlock_irq(&l->lock, flags);
	return set;
}

void
sem_undo_exit(void)
{
	struct thread *t = current_thread();
	struct sem_undo_list *l = t->sem_undo;
	struct sem_undo *u;
	struct sem_set *set;

	t->sem_undo = NULL;
	if (!l || !ref_put(&l->refs))
		return;
	while ((set = next_set(l, &u)) != NULL) {
		struct list ended = LIST_INIT(ended);

		mutex_lock(&set->ipc.lock);
		if (!set->ipc.deleted) { /* else u is freed */
			apply(set, u, &ended);
			undo_free(u);
		}
		mutex_unlock(&set->ipc.lock);
		sem_tell(&ended);
		ipc_put(&set->ipc);
	}
	kfree(l);
}
