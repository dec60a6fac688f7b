/* SPDX-License-Identifier: MIT */
/*
 * sem.c - System V semaphores: sets, atomic operations, and who waits for them.
 *
 * A call's operations happen all at once or not at all. Who cannot go on queues in the set with his operations and
 * sleeps; whoever changes values does the operations of those who now can, on their behalf, before he lets
 * go of the set. So a value is never seen that a waiter was owed, and nobody is overtaken by a newcomer.
 *
 * Order of waking: those who only wait for zeroes first, then those who change values, oldest first; each change
 * starts over.
 *
 * A sleeper and who ends its wait:
 *	(1) sleeper, set locked: on the queue, result = PENDING; unlocks
 *	(2) sleeper: sleeps while result is PENDING
 *	(3) waker, set locked: off the queue, onto a list of his own, with what is to be its result
 *	(4) waker, set unlocked: result stored, thread woken; from here on the sleeper's stack may be gone
 *	(5) sleeper: leaves as soon as it sees a result; when a signal or the time ended its sleep it locks the set
 *	    and takes itself off the queue, or, if (3) was faster, waits for (4)
 * The set is free when the sleeper is told, so who preempts the waker does not have to wait for him.
 *
 * What SEM_UNDO owes lies in sem_undo.c; here it is only added up.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "sem.h"

#define PENDING 1

/* On the stack of who waits. [l] the set's lock */
struct sem_waiter {
	struct list node;               /* [l] */
	struct thread *thread;
	const struct sem_operation *ops;
	uint32_t count;
	uint32_t blocking;              /* [l] which of ops it waits for */
	struct sem_undo *undo;
	pid_t pid;
	bool ended;                     /* [l] on the list of who tells it ... */
	int outcome;                    /* ... this */
	int result;                     /* [a] PENDING, 0 or an errno */
};

/* --- operations ------------------------------------------------------------------------------- */

static int
check_one(const struct sem *s, const struct sem_operation *op, const struct sem_undo *u)
{
	int value = s->value + op->change;

	if (op->change == 0)
		return s->value ? PENDING : 0;
	if (value < 0)
		return PENDING;
	if (value > SEM_VALUE_MAX)
		return -ERANGE;
	if (op->flags & SEM_UNDO) {
		int owed = u->owed[op->index] - op->change;

		if (owed < -SEM_VALUE_MAX - 1 || owed > SEM_VALUE_MAX)
			return -ERANGE;
	}
	return 0;
}

static void
add_one(struct sem_set *set, const struct sem_operation *op, struct sem_undo *u, int sign)
{
	set->sem[op->index].value += sign * op->change;
	if (op->flags & SEM_UNDO)
		u->owed[op->index] = (int16_t)(u->owed[op->index] - sign * op->change);
}

/*
 * All of `ops`, or none: 0, PENDING (and *blocking is the one that cannot be), or an errno. Each sees what those
 * before it did.
 */
static int
try_all(struct sem_set *set, const struct sem_operation *ops, uint32_t count, struct sem_undo *u, pid_t pid,
	uint32_t *blocking)
{
	uint32_t done = 0;
	int result = 0;

	for (; done < count; done++) {
		result = check_one(&set->sem[ops[done].index], &ops[done], u);
		if (result)
			break;
		add_one(set, &ops[done], u, 1);
	}
	if (result == 0) {
		for (uint32_t i = 0; i < count; i++)
			set->sem[ops[i].index].pid = pid;
		set->operated = ipc_now();
		return 0;
	}
	*blocking = done;
	if (result == PENDING && (ops[done].flags & IPC_NOWAIT))
		result = -EAGAIN;
	while (done-- > 0)
		add_one(set, &ops[done], u, -1);
	return result;
}

/* (3) */
static void
end_wait(struct sem_waiter *w, int result, struct list *ended)
{
	list_del(&w->node);
	list_add_tail(ended, &w->node);
	w->ended = true;
	w->outcome = result;
}

/* (4) */
void
sem_tell(struct list *ended)
{
	struct sem_waiter *w, *next;

	list_for_each_safe (w, next, ended, node) {
		struct thread *t = w->thread;

		thread_get(t);
		atomic_store(&w->result, w->outcome);
		thread_wake(t);
		thread_put(t);
	}
}

/* Let those of `queue` go on who can. True: a value changed, and `restart` asked to stop then. */
static bool
serve(struct sem_set *set, struct list *queue, bool restart, struct list *ended)
{
	struct sem_waiter *w, *next;

	list_for_each_safe (w, next, queue, node) {
		int result = try_all(set, w->ops, w->count, w->undo, w->pid, &w->blocking);

		if (result == PENDING)
			continue;
		end_wait(w, result, ended);
		if (result == 0 && restart)
			return true;
	}
	return false;
}

void
sem_values_changed(struct sem_set *set, struct list *ended)
{
	assert_mutex_held(&set->ipc.lock);
	do {
		serve(set, &set->wait_zero, false, ended);
	} while (serve(set, &set->wait_change, true, ended));
}

static bool
changes_values(const struct sem_operation *ops, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (ops[i].change != 0)
			return true;
	return false;
}

static bool
wants_undo(const struct sem_operation *ops, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (ops[i].flags & SEM_UNDO)
			return true;
	return false;
}

/* Sleep until `w` has a result, 0; or as wait_sleep(). */
static int
sleep_for(struct sem_waiter *w, enum wait_mode mode, deadline_t until)
{
	int error = 0;

	while (!error) { /* (2) */
		wait_prepare(mode);
		if (atomic_load(&w->result) != PENDING)
			break;
		error = wait_sleep(mode, until);
	}
	wait_finish();
	return error;
}

/* Queue and sleep; the set is locked, and is not afterwards. */
static int
wait_turn(struct sem_set *set, struct sem_waiter *w, bool change, deadline_t until)
{
	bool ended;
	int error;

	atomic_store(&w->result, PENDING); /* (1) */
	list_add_tail(change ? &set->wait_change : &set->wait_zero, &w->node);
	mutex_unlock(&set->ipc.lock);
	error = sleep_for(w, WAIT_INTERRUPTIBLE, until);
	if (!error)
		return w->result;
	mutex_lock(&set->ipc.lock); /* (5) */
	ended = w->ended;
	if (!ended)
		list_del_init(&w->node);
	mutex_unlock(&set->ipc.lock);
	if (!ended)
		return error == -ETIMEDOUT ? -EAGAIN : -EINTR;
	sleep_for(w, WAIT_UNINTERRUPTIBLE, DEADLINE_NEVER);
	return w->result;
}

int
sem_operate(int id, const struct sem_operation *ops, uint32_t count, deadline_t until)
{
	bool change = changes_values(ops, count);
	struct sem_waiter w = { .thread = current_thread(), .ops = ops, .count = count,
				.pid = current_process()->pid };
	int error;
	struct ipc_object *o = ipc_find(IPC_SEM, id, &error);
	struct list ended = LIST_INIT(ended);
	struct sem_set *set;

	if (!o)
		return error;
	set = sem_set_of(o);
	mutex_lock(&o->lock);
	error = -EFBIG;
	for (uint32_t i = 0; i < count; i++)
		if (ops[i].index >= set->count)
			goto unlock;
	error = -EACCES;
	if (!ipc_permits(o, change ? 0222 : 0444))
		goto unlock;
	error = -EIDRM;
	if (o->deleted)
		goto unlock;
	if (wants_undo(ops, count)) {
		error = sem_undo_find(set, &w.undo);
		if (error)
			goto unlock;
	}
	error = try_all(set, ops, count, w.undo, w.pid, &w.blocking);
	if (error == PENDING) {
		error = wait_turn(set, &w, change, until);
		ipc_put(o);
		return error;
	}
	if (error == 0 && change)
		sem_values_changed(set, &ended);
unlock:
	mutex_unlock(&o->lock);
	sem_tell(&ended);
	ipc_put(o);
	return error;
}

/* --- values ----------------------------------------------------------------------------------- */

static struct sem_set *
find_set(int id, uint32_t rights, int *error)
{
	struct ipc_object *o = ipc_find_locked(IPC_SEM, id, rights, error);

	return o ? sem_set_of(o) : NULL;
}

static int
count_waiters(const struct list *queue, int index, bool zero)
{
	const struct sem_waiter *w;
	int n = 0;

	list_for_each (w, queue, node) {
		const struct sem_operation *op = &w->ops[w->blocking];

		if (op->index == index && (zero ? op->change == 0 : op->change < 0))
			n++;
	}
	return n;
}

int
sem_ask(int id, int index, enum sem_question q)
{
	int result;
	struct sem_set *set = find_set(id, 0444, &result);

	if (!set)
		return result;
	result = -EINVAL;
	if (index < 0 || (uint32_t)index >= set->count)
		goto unlock;
	switch (q) {
	case SEM_VALUE:
		result = set->sem[index].value;
		break;
	case SEM_PID:
		result = set->sem[index].pid;
		break;
	case SEM_WAIT_INCREASE:
	case SEM_WAIT_ZERO:
		result = count_waiters(&set->wait_change, index, q == SEM_WAIT_ZERO) +
			 count_waiters(&set->wait_zero, index, q == SEM_WAIT_ZERO);
		break;
	}
unlock:
	ipc_unlock_put(&set->ipc);
	return result;
}

int
sem_set_value(int id, int index, int value)
{
	int error;
	struct ipc_object *o;
	struct sem_set *set;
	struct list ended = LIST_INIT(ended);

	if (value < 0 || value > SEM_VALUE_MAX)
		return -ERANGE;
	o = ipc_find(IPC_SEM, id, &error);
	if (!o)
		return error;
	set = sem_set_of(o);
	mutex_lock(&o->lock);
	error = -EINVAL;
	if (index < 0 || (uint32_t)index >= set->count)
		goto unlock;
	error = -EACCES;
	if (!ipc_permits(o, 0222))
		goto unlock;
	error = -EIDRM;
	if (o->deleted)
		goto unlock;
	error = 0;
	sem_undo_forget(set, (uint32_t)index, 1);
	set->sem[index].value = value;
	set->sem[index].pid = current_process()->pid;
	set->changed = ipc_now();
	sem_values_changed(set, &ended);
unlock:
	mutex_unlock(&o->lock);
	sem_tell(&ended);
	ipc_put(o);
	return error;
}

int
sem_count(int id)
{
	int error;
	struct ipc_object *o = ipc_find(IPC_SEM, id, &error);
	int count;

	if (!o)
		return error;
	count = (int)sem_set_of(o)->count;
	ipc_put(o);
	return count;
}

int
sem_get_all(int id, uint16_t *values, uint32_t count)
{
	int error;
	struct sem_set *set = find_set(id, 0444, &error);

	if (!set)
		return error;
	error = set->count == count ? 0 : -EAGAIN;
	for (uint32_t i = 0; error == 0 && i < count; i++)
		values[i] = (uint16_t)set->sem[i].value;
	ipc_unlock_put(&set->ipc);
	return error;
}

int
sem_may_set(int id)
{
	int error;
	struct sem_set *set = find_set(id, 0222, &error);

	if (set)
		ipc_unlock_put(&set->ipc);
	return set ? 0 : error;
}

int
sem_set_all(int id, const uint16_t *values, uint32_t count)
{
	int error;
	struct sem_set *set = find_set(id, 0222, &error);
	struct list ended = LIST_INIT(ended);

	if (!set)
		return error;
	error = set->count == count ? 0 : -EAGAIN;
	if (error)
		goto unlock;
	for (uint32_t i = 0; i < count; i++) {
		set->sem[i].value = values[i];
		set->sem[i].pid = current_process()->pid;
	}
	sem_undo_forget(set, 0, count);
	set->changed = ipc_now();
	sem_values_changed(set, &ended);
unlock:
	mutex_unlock(&set->ipc.lock);
	sem_tell(&ended);
	ipc_put(&set->ipc);
	return error;
}

/* --- sets ------------------------------------------------------------------------------------- */

static int
set_create(struct ipc_namespace *ns, const struct ipc_request *r, struct ipc_object **out)
{
	struct sem_set *set;

	if (r->size == 0)
		return -EINVAL;
	if (atomic_load(&ns->sem_used) + r->size > atomic_load(&ns->sem_all_max))
		return -ENOSPC;
	set = kzalloc(sizeof(*set) + r->size * sizeof(set->sem[0]));
	if (!set)
		return -ENOMEM;
	set->count = (uint32_t)r->size;
	set->changed = ipc_now();
	list_init(&set->wait_zero);
	list_init(&set->wait_change);
	list_init(&set->undos);
	atomic_add(&ns->sem_used, set->count);
	*out = &set->ipc;
	return 0;
}

static int
set_check(struct ipc_object *o, const struct ipc_request *r)
{
	return r->size > sem_set_of(o)->count ? -EINVAL : 0;
}

static uint32_t
set_limit(const struct ipc_namespace *ns)
{
	return atomic_load(&ns->sem_count_max);
}

static void
set_changed(struct ipc_object *o, const struct ipc_change *c)
{
	sem_set_of(o)->changed = ipc_now();
}

static void
set_removed(struct ipc_object *o)
{
	struct sem_set *set = sem_set_of(o);
	struct list ended = LIST_INIT(ended);
	struct sem_waiter *w, *next;

	atomic_sub(&o->ns->sem_used, set->count);
	sem_undo_set_removed(set);
	list_for_each_safe (w, next, &set->wait_zero, node)
		end_wait(w, -EIDRM, &ended);
	list_for_each_safe (w, next, &set->wait_change, node)
		end_wait(w, -EIDRM, &ended);
	sem_tell(&ended);
}

static void
set_free(struct ipc_object *o)
{
	kfree(sem_set_of(o));
}

static void
set_dump(const struct ipc_object *o)
{
	const struct sem_set *set = container_of(o, const struct sem_set, ipc);
	const struct sem_waiter *w;

	for (uint32_t i = 0; i < MIN(set->count, 16u); i++)
		pr_info("  [%u] %d by %d\n", i, set->sem[i].value, set->sem[i].pid);
	list_for_each (w, &set->wait_zero, node)
		pr_info("  waits for zero: tid %d\n", w->thread->tid);
	list_for_each (w, &set->wait_change, node)
		pr_info("  waits: tid %d, semaphore %u by %d\n", w->thread->tid,
			w->ops[w->blocking].index, w->ops[w->blocking].change);
}

const struct ipc_kind_ops sem_kind = {
	.name = "sem",
	.create = set_create,
	.check = set_check,
	.limit = set_limit,
	.changed = set_changed,
	.removed = set_removed,
	.free = set_free,
	.dump = set_dump,
};

int
sem_get(int32_t key, int count, uint32_t flags)
{
	struct ipc_request r = { .key = key, .flags = flags, .size = (uint64_t)count };

	if (count < 0 || (uint32_t)count > atomic_load(&current_ipc_namespace()->sem_set_max))
		return -EINVAL;
	return ipc_get(IPC_SEM, &r);
}

int
sem_status(int name, enum ipc_naming by, struct sem_status *out)
{
	int error;
	struct ipc_object *o = ipc_find_named_locked(IPC_SEM, name, by, &error);
	struct sem_set *set;

	if (!o)
		return error;
	set = sem_set_of(o);
	*out = (struct sem_status){ .operated = set->operated, .changed = set->changed,
				    .count = set->count };
	ipc_status_fill(o, &out->ipc);
	ipc_unlock_put(o);
	return 0;
}
