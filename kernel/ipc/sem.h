/* SPDX-License-Identifier: MIT */
/*
 * sem.h - what sem.c and sem_undo.c share.
 */
#ifndef TESSERA_IPC_SEM_H
#define TESSERA_IPC_SEM_H

#include "sysv.h"

struct sem {
	int value;
	pid_t pid;                      /* of the last operation */
};

/* [I] immutable  [l] the head's lock */
struct sem_set {
	struct ipc_object ipc;
	uint32_t count;                 /* [I] */
	int64_t operated, changed;      /* [l] */
	struct list wait_zero;          /* [l] struct sem_waiter: who changes nothing */
	struct list wait_change;        /* [l] the others; both oldest first */
	struct list undos;              /* [l] struct sem_undo.set_node */
	struct sem sem[];               /* [l] */
};

/* What one list of undoing owes one set. Freed under the set's lock. */
struct sem_undo {
	struct list set_node;           /* the set's lock */
	struct list list_node;          /* the list's lock */
	struct sem_undo_list *list;     /* [I] */
	struct sem_set *set;            /* [I] not counted: removal of the set frees us */
	int16_t owed[];                 /* the set's lock; added to each value at the end */
};

static inline struct sem_set *
sem_set_of(struct ipc_object *o)
{
	return container_of(o, struct sem_set, ipc);
}

/* Values have changed: who can go on now moves to `ended`. Set locked. */
void sem_values_changed(struct sem_set *set, struct list *ended);
/* Tell those on `ended`, better with the set unlocked; nobody is on it afterwards. */
void sem_tell(struct list *ended);

/* sem_undo.c. Set locked. What the caller owes the set, made if need be: 0 or -ENOMEM. */
int sem_undo_find(struct sem_set *set, struct sem_undo **out);
/* The values [index, index + count) were set: nothing is owed to them. */
void sem_undo_forget(struct sem_set *set, uint32_t index, uint32_t count);
void sem_undo_set_removed(struct sem_set *set);

#endif
