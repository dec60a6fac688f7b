/* SPDX-License-Identifier: MIT */
/*
 * futex_pi.c - locks whose holder runs at the priority of whoever waits for it.
 *
 * The word holds the owner's tid, FUTEX_WAITERS while the kernel knows of waiters, FUTEX_OWNER_DIED after
 * an owner ended without unlocking. A lock is handed over: the kernel writes the next owner into the
 * word, so nobody can overtake a waiting high-priority thread.
 *
 * Each waiter hangs on its owner's pi_held list; an owner inherits the highest real-time priority on
 * that list, and, while it waits for such a lock itself, passes it on to that one's owner.
 *
 * Who ends cannot write the next owner into the word, which may not even be mapped any more: the heir does,
 * when it runs. Until then it stays in the bucket, so that whoever else wants the lock sees that it is
 * given away, though the word names nobody or the dead.
 *
 * All queued waiters of a word have the same owner, whatever the program writes into the word meanwhile:
 * calls that would break this fail with EINVAL.
 *
 * A thread that ends, or execs, goes from PI_ALIVE to PI_EXITING: nobody begins to wait for it any more, and who
 * would tries again. When all it held is given away it is PI_DEAD: who still finds its number, of a zombie, in a
 * word gets ESRCH.
 *
 * Locks: the bucket's, then pi_lock (FUTEX_PI), which guards waiter->owner, thread->futex, ->pi_held and
 * ->pi_state. The owner of a queued waiter changes under both, so either is enough to read it.
 */
#include <tessera/sched.h>

#include "futex_private.h"
#include "proc.h"

#define CHAIN_MAX    16   /* how far a priority is passed on */
#define DEADLOCK_MAX 1024 /* a longer chain of owners counts as a circle */

static struct spinlock pi_lock = SPINLOCK_INIT(FUTEX_PI);

/* --- inheritance ------------------------------------------------------------------------------ */

static int
priority_of(const struct thread *t)
{
	return MAX(t->rt_priority, t->inherited_priority);
}

/* Give `owner`, and whoever it waits for in turn, what they now inherit. */
static void
inherit_locked(struct thread *owner)
{
	assert_held(&pi_lock);
	for (int depth = 0; owner && depth < CHAIN_MAX; depth++) {
		struct futex_waiter *w;
		int best = 0;

		list_for_each(w, &owner->pi_held, owner_node)
			best = MAX(best, priority_of(w->thread));
		if (best == owner->inherited_priority)
			return;
		sched_set_inherited(owner, best);
		owner = owner->futex ? owner->futex->owner : NULL;
	}
}

/* Does `owner` wait for t, at however many removes? */
static bool
would_deadlock(const struct thread *owner, const struct thread *t)
{
	assert_held(&pi_lock);
	for (int depth = 0; owner && depth < DEADLOCK_MAX; depth++) {
		if (owner == t)
			return true;
		owner = owner->futex ? owner->futex->owner : NULL;
	}
	return owner != NULL;
}

int
futex_pi_attach(struct futex_waiter *w, struct thread *owner, bool others_wait)
{
	int error = 0;

	spin_lock(&pi_lock);
	if (would_deadlock(owner, w->thread)) {
		error = -EDEADLK;
	} else if (owner->pi_state != PI_ALIVE && !others_wait) {
		error = owner->pi_state == PI_EXITING ? -EAGAIN : -ESRCH;
	} else {
		thread_get(owner);
		w->owner = owner;
		w->pi = true;
		list_add_tail(&owner->pi_held, &w->owner_node);
		w->thread->futex = w;
		inherit_locked(owner);
	}
	spin_unlock(&pi_lock);
	return error;
}

void
futex_pi_detach(struct futex_waiter *w)
{
	struct thread *owner;

	spin_lock(&pi_lock);
	owner = w->owner;
	w->owner = NULL;
	w->thread->futex = NULL;
	if (owner) {
		list_del_init(&w->owner_node);
		inherit_locked(owner);
	}
	spin_unlock(&pi_lock);
	if (owner)
		thread_put(owner);
}

void
futex_priority_changed(struct thread *t)
{
	spin_lock(&pi_lock);
	if (t->futex)
		inherit_locked(t->futex->owner);
	spin_unlock(&pi_lock);
}

/* --- the queue -------------------------------------------------------------------------------- */

/*
 * The waiter to serve next: the highest priority, the oldest of equals. *mixed: one waits on the word that does not
 * want it as a lock.
 */
static struct futex_waiter *
find_top(struct futex_bucket *b, const struct futex_key *key, bool *mixed)
{
	struct futex_waiter *w, *top = NULL;

	*mixed = false;
	list_for_each(w, &b->waiters, node) {
		if (w->heir || !futex_key_equal(&w->key, key))
			continue;
		if (!w->pi)
			*mixed = true;
		else if (!top || priority_of(w->thread) > priority_of(top->thread))
			top = w;
	}
	return top;
}

/* Is the lock given to somebody who has yet to say so in the word? */
static bool
has_heir(struct futex_bucket *b, const struct futex_key *key)
{
	struct futex_waiter *w;

	list_for_each(w, &b->waiters, node)
		if (w->heir && futex_key_equal(&w->key, key))
			return true;
	return false;
}

/* `top` becomes the owner: the other waiters wait for it from now on. Bucket locked. */
static void
hand_over(struct futex_bucket *b, struct futex_waiter *top, struct thread *from, bool died)
{
	struct thread *to = top->thread;
	struct futex_key key = top->key;
	struct futex_waiter *w;
	uint32_t dropped = 0;

	spin_lock(&pi_lock);
	list_for_each(w, &b->waiters, node) {
		if (!w->pi || w->heir || !futex_key_equal(&w->key, &key) || w->owner != from)
			continue;
		list_del_init(&w->owner_node);
		dropped++;
		if (w == top) {
			w->owner = NULL;
			to->futex = NULL;
			continue;
		}
		thread_get(to);
		w->owner = to;
		list_add_tail(&to->pi_held, &w->owner_node);
	}
	inherit_locked(from);
	inherit_locked(to);
	spin_unlock(&pi_lock);
	top->got_lock = true;
	top->owner_died = died;
	futex_wake_waiter_locked(top);
	if (died) { /* it will want the bucket's lock, so it is still there */
		top->heir = true;
		list_add_tail(&b->waiters, &top->node);
	}
	while (dropped-- > 0)
		thread_put(from); /* never the last: `from` is the caller */
}

/* --- taking ----------------------------------------------------------------------------------- */

/*
 * Nobody has the number that the word named. Whoever had it may have ended since, and marked the word before its
 * number went: then the word is looked at again.
 */
static int
owner_is_gone(uint32_t __user *addr, uint32_t value)
{
	uint32_t now;
	int error = futex_read_locked(addr, &now);

	return error ? error : now == value ? -ESRCH : -EBUSY;
}

/* Nobody waits for the lock and the word names nobody. */
static int
take_free(struct futex_waiter *w, uint32_t __user *addr, uint32_t value, bool contended)
{
	uint32_t seen, wanted = (uint32_t)w->thread->local_tid | (value & FUTEX_OWNER_DIED);
	int error;

	if (contended)
		wanted |= FUTEX_WAITERS;
	error = futex_cmpxchg_locked(addr, value, wanted, &seen);
	return error ? error : seen == value ? 0 : -EBUSY;
}

/* Whom the word names, or the others wait for, with a reference; or an error. */
static int
find_owner(uint32_t __user *addr, uint32_t value, const struct futex_waiter *top, struct thread **found)
{
	struct thread *owner;

	if (!(value & FUTEX_TID_MASK)) {
		owner = top->owner;
		thread_get(owner);
	} else {
		owner = thread_find((pid_t)(value & FUTEX_TID_MASK));
		if (!owner)
			return owner_is_gone(addr, value);
	}
	*found = owner;
	if (!owner->process) {
		thread_put(owner);
		return -EPERM; /* the kernel's threads lock no words */
	}
	return 0;
}

int
futex_pi_try_lock_locked(struct futex_bucket *b, const struct futex_key *key, struct futex_waiter *w,
			 uint32_t __user *addr, bool contended)
{
	uint32_t value, seen;
	struct futex_waiter *top;
	struct thread *owner;
	bool mixed;
	int error = futex_read_locked(addr, &value);

	if (error)
		return error;
	if ((value & FUTEX_TID_MASK) == (uint32_t)w->thread->local_tid)
		return -EDEADLK;
	if (has_heir(b, key))
		return -EBUSY;
	top = find_top(b, key, &mixed);
	if (mixed)
		return -EINVAL;
	if (!(value & FUTEX_TID_MASK) && !top)
		return take_free(w, addr, value, contended);
	/* Nobody's, but others wait: for an owner that is just ending, who will hand it to them. */
	if (!(value & FUTEX_TID_MASK) && !(value & FUTEX_OWNER_DIED))
		return -EINVAL;
	if (!(value & FUTEX_WAITERS)) {
		error = futex_cmpxchg_locked(addr, value, value | FUTEX_WAITERS, &seen);
		if (error || seen != value)
			return error ? error : -EBUSY;
	}
	error = find_owner(addr, value | FUTEX_WAITERS, top, &owner);
	if (error)
		return error;
	if (top && top->owner != owner) /* the program wrote another owner into the word */
		error = -EINVAL;
	else
		error = futex_pi_attach(w, owner, top != NULL);
	thread_put(owner);
	if (error == -EAGAIN)
		return -EBUSY;
	if (error == -ESRCH)
		return owner_is_gone(addr, value | FUTEX_WAITERS);
	return error ? error : -EINPROGRESS;
}

/* We were handed the lock of a thread that had ended: only we can write the word. */
static int
take_from_dead(struct futex_waiter *w, uint32_t __user *addr)
{
	uint32_t value, seen;

	if (get_user(value, addr))
		return -EFAULT;
	for (;;) {
		uint32_t wanted = FUTEX_WAITERS | FUTEX_OWNER_DIED | (uint32_t)w->thread->local_tid;

		if (arch_user_cmpxchg32(addr, value, wanted, &seen))
			return -EFAULT;
		if (seen == value)
			return 0;
		value = seen;
	}
}

int
futex_pi_wait(struct futex_waiter *w, uint32_t __user *addr, deadline_t until)
{
	struct futex_bucket *b;
	int error = 0;

	for (;;) {
		wait_prepare(WAIT_INTERRUPTIBLE);
		if (!atomic_load(&w->bucket)) {
			wait_finish();
			break;
		}
		error = wait_sleep(WAIT_INTERRUPTIBLE, until);
		if (error)
			break;
	}
	if (futex_unqueue(w)) {
		if (w->pi)
			futex_pi_detach(w);
		return error;
	}
	if (!w->owner_died)
		return 0;
	error = take_from_dead(w, addr);
	b = futex_bucket_of(&w->key);
	spin_lock(&b->lock);
	list_del(&w->node);
	spin_unlock(&b->lock);
	return error;
}

void
futex_pi_step_aside(unsigned int tries, enum wait_mode mode)
{
	if (tries < 4)
		sched_yield_thread();
	else
		(void)wait_until(deadline_after(NSEC_PER_MSEC / 4), mode);
}

/* One try; with try_only the lock is not waited for, but whoever holds it is looked at all the same. */
static int
lock_or_queue(struct futex_bucket *b, struct futex_waiter *w, uint32_t __user *addr, bool try_only)
{
	int error;

	spin_lock(&b->lock);
	error = futex_pi_try_lock_locked(b, &w->key, w, addr, false);
	if (error == -EINPROGRESS && try_only) {
		futex_pi_detach(w);
		error = -EAGAIN;
	} else if (error == -EINPROGRESS) {
		list_add_tail(&b->waiters, &w->node);
		w->bucket = b;
	}
	spin_unlock(&b->lock);
	return error;
}

int
futex_lock_pi(uint32_t __user *addr, bool shared, deadline_t until, bool try_only)
{
	unsigned int tries = 0;
	struct futex_waiter w = { .thread = current_thread(), .bitset = FUTEX_BITSET_ALL };
	struct futex_bucket *b;
	int error = futex_key_get(addr, shared, true, &w.key);

	if (error)
		return error;
	list_init(&w.owner_node);
	b = futex_bucket_of(&w.key);
	for (;;) {
		error = lock_or_queue(b, &w, addr, try_only);
		if (error == -EFAULT) {
			error = futex_fault_in(addr);
			if (error)
				break;
		} else if (error == -EBUSY) {
			if (signal_pending(w.thread)) {
				error = -EINTR;
				break;
			}
			futex_pi_step_aside(tries++, WAIT_INTERRUPTIBLE);
		} else {
			break;
		}
	}
	if (error == -EINPROGRESS)
		error = futex_pi_wait(&w, addr, until);
	futex_key_put(&w.key);
	return error;
}

/* --- giving back ------------------------------------------------------------------------------ */

/* One try, bucket locked; -EFAULT and -EBUSY as above. */
static int
try_unlock_locked(struct futex_bucket *b, const struct futex_key *key, uint32_t __user *addr)
{
	struct thread *self = current_thread();
	struct futex_waiter *top;
	uint32_t value, seen, wanted;
	bool mixed;
	int error = futex_read_locked(addr, &value);

	if (error)
		return error;
	if ((value & FUTEX_TID_MASK) != (uint32_t)self->local_tid)
		return -EPERM;
	top = find_top(b, key, &mixed);
	if (mixed || (top && top->owner != self)) /* it waits for the owner that the word named before */
		return -EINVAL;
	/* The next owner always comes back to the kernel; by then others may wait. */
	wanted = top ? (uint32_t)top->thread->local_tid | FUTEX_WAITERS : 0;
	error = futex_cmpxchg_locked(addr, value, wanted, &seen);
	if (error || seen != value)
		return error ? error : -EBUSY;
	if (top)
		hand_over(b, top, self, false);
	return 0;
}

int
futex_unlock_pi(uint32_t __user *addr, bool shared)
{
	struct futex_bucket *b;
	struct futex_key key;
	uint32_t value;
	int error;

	/* Whose it is is looked at first: another's word may be anywhere. */
	if (get_user(value, addr))
		return -EFAULT;
	if ((value & FUTEX_TID_MASK) != (uint32_t)current_thread()->local_tid)
		return -EPERM;
	error = futex_key_get(addr, shared, true, &key);
	if (error)
		return error;
	b = futex_bucket_of(&key);
	for (;;) {
		spin_lock(&b->lock);
		error = try_unlock_locked(b, &key, addr);
		spin_unlock(&b->lock);
		if (error == -EFAULT) {
			error = futex_fault_in(addr);
			if (error)
				break;
		} else if (error != -EBUSY) {
			break;
		}
	}
	futex_key_put(&key);
	return error;
}

/*
 * t ends, or execs: whoever waits for one of its locks gets it. Until that is done, who comes to wait for t
 * tries again; then it finds the lock given away, or t without locks.
 */
void
futex_pi_thread_exit(struct thread *t, bool ends)
{
	for (unsigned int tries = 0;; tries++) {
		struct futex_waiter *w, *top;
		struct futex_bucket *b;
		struct futex_key key;
		bool mixed, mine;

		spin_lock(&pi_lock);
		t->pi_state = PI_EXITING;
		w = list_first(&t->pi_held, struct futex_waiter, owner_node);
		if (!w) {
			t->pi_state = ends ? PI_DEAD : PI_ALIVE;
			spin_unlock(&pi_lock);
			return;
		}
		key = w->key;
		spin_unlock(&pi_lock);
		/* w may go now; another waiter of the same word does as well, and none is fine too. */
		b = futex_bucket_of(&key);
		spin_lock(&b->lock);
		top = find_top(b, &key, &mixed);
		mine = top && top->owner == t;
		if (mine)
			hand_over(b, top, t, true);
		spin_unlock(&b->lock);
		if (!mine) /* w is on its way off, and may be less urgent than we are */
			futex_pi_step_aside(tries, WAIT_UNINTERRUPTIBLE);
	}
}
