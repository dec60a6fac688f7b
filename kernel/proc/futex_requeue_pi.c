/* SPDX-License-Identifier: MIT */
/*
 * futex_requeue_pi.c - from a condition to its lock in one step.
 *
 * A thread waits on a word (the condition), and says for which PI lock it will want to be moved from there. Who
 * signals the condition moves the first waiter and as many more as it likes: the first takes the lock if it is free,
 * all others are attached to its owner, who inherits their priority from then on, though they still sleep. So
 * nobody is woken who would only go to sleep again, and the most urgent one gets the lock next.
 *
 *   WAITING on the condition --moved--> WAITING for the lock --handed over--> awake, the owner
 *          |    |                                |
 *          |    +-- the lock was free -----------)-----------------------> awake, the owner
 *          +-- deadline, signal                  +-- deadline, signal: -ETIMEDOUT, -EAGAIN
 *
 * A waiter of the first kind has waiter->requeue_to and not ->pi; of the second kind, both.
 *
 * Locks: the buckets of both words; then futex_pi.c's.
 */
#include <tessera/address_space.h>
#include <tessera/sched.h>

#include "futex_private.h"
#include "proc.h"

int
futex_wait_requeue_pi(uint32_t __user *addr, bool shared, uint32_t value, deadline_t until,
		      uint32_t __user *lock)
{
	struct futex_key lock_key;
	struct futex_waiter w = {
		.thread = current_thread(), .bitset = FUTEX_BITSET_ALL, .requeue_to = &lock_key,
	};
	int error;

	if (addr == lock)
		return -EINVAL;
	error = futex_key_get(lock, shared, true, &lock_key);
	if (error)
		return error;
	error = futex_key_get(addr, shared, false, &w.key);
	if (error)
		goto put_lock;
	list_init(&w.owner_node);
	error = futex_queue_if_equal(&w, addr, value);
	if (error)
		goto put_key;
	/* One word at two addresses. Nobody can have moved us, for there is nowhere to move us to. */
	if (futex_key_equal(&w.key, &lock_key)) {
		(void)futex_unqueue(&w);
		error = -EINVAL;
		goto put_key;
	}
	error = futex_pi_wait(&w, lock, until);
	/* Begun again, the call would find the condition signalled: say that at once. */
	if (error == -EINTR && w.pi)
		error = -EAGAIN;
put_key:
	futex_key_put(&w.key);
put_lock:
	futex_key_put(&lock_key);
	return error;
}

/* Both words and their buckets, while they are locked. */
struct move {
	struct futex_bucket *a, *b;
	struct futex_key from, to;
};

static bool
is_for(const struct futex_waiter *w, const struct futex_key *to)
{
	return w->requeue_to && !w->pi && futex_key_equal(w->requeue_to, to);
}

static struct futex_waiter *
first_of(struct futex_bucket *b, const struct futex_key *key)
{
	struct futex_waiter *w;

	list_for_each(w, &b->waiters, node)
		if (futex_key_equal(&w->key, key))
			return w;
	return NULL;
}

/* Up to n waiters but `top` wait for `owner` from now on. *moved: how many, also with an error. */
static int
move_others(struct move *m, const struct futex_waiter *top, struct thread *owner, uint32_t n, uint32_t *moved)
{
	struct futex_waiter *w, *next;

	list_for_each_safe(w, next, &m->a->waiters, node) {
		int error;

		if (*moved >= n)
			break;
		if (w == top || !futex_key_equal(&w->key, &m->from))
			continue;
		if (!is_for(w, &m->to))
			return -EINVAL;
		error = futex_pi_attach(w, owner, true);
		if (error)
			return error;
		futex_move_locked(w, m->a, m->b, &m->to);
		(*moved)++;
	}
	return 0;
}

/* All of it, both buckets locked; the errors of futex_pi_try_lock_locked() for the caller to try again. */
static long
requeue_locked(struct move *m, uint32_t __user *lock, uint32_t n_move)
{
	struct futex_waiter *top = first_of(m->a, &m->from);
	struct thread *owner;
	uint32_t moved = 0;
	int taken, error;

	if (!top)
		return 0;
	if (!is_for(top, &m->to))
		return -EINVAL;
	taken = futex_pi_try_lock_locked(m->b, &m->to, top, lock, n_move > 0);
	if (taken && taken != -EINPROGRESS)
		return taken;
	owner = taken == 0 ? top->thread : top->owner;
	thread_get(owner);
	if (taken)
		futex_move_locked(top, m->a, m->b, &m->to);
	error = move_others(m, top, owner, n_move, &moved);
	if (taken == 0) { /* last: awake it may end, and the others must be among its waiters then */
		top->got_lock = true;
		futex_wake_waiter_locked(top);
	}
	thread_put(owner);
	return error ? error : (long)moved + 1;
}

long
futex_requeue_pi(uint32_t __user *from, uint32_t __user *lock, bool shared, uint32_t n_move, uint32_t expected)
{
	unsigned int tries = 0;
	uint32_t seen;
	struct move m;
	long result;

	if (from == lock)
		return -EINVAL;
	result = futex_key_get(from, shared, false, &m.from);
	if (result)
		return result;
	result = futex_key_get(lock, shared, true, &m.to);
	if (result)
		goto put_from;
	result = -EINVAL;
	if (futex_key_equal(&m.from, &m.to))
		goto put_both;
	m.a = futex_bucket_of(&m.from);
	m.b = futex_bucket_of(&m.to);
	for (;;) {
		bool read;

		futex_lock_two(m.a, m.b);
		read = futex_read_locked(from, &seen) == 0;
		result = !read ? -EFAULT : seen != expected ? -EAGAIN : requeue_locked(&m, lock, n_move);
		futex_unlock_two(m.a, m.b);
		if (result == -EFAULT) {
			result = read ? futex_fault_in(lock) : futex_fault_in_read(from);
			if (result)
				break;
		} else if (result == -EBUSY) {
			if (signal_pending(current_thread())) {
				result = -EINTR;
				break;
			}
			futex_pi_step_aside(tries++, WAIT_INTERRUPTIBLE);
		} else {
			break;
		}
	}
put_both:
	futex_key_put(&m.to);
put_from:
	futex_key_put(&m.from);
	return result;
}
