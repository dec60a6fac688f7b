/* SPDX-License-Identifier: MIT */
/*
 * futex.h - sleeping on a word of user memory. futex(2), futex_waitv(2).
 *
 * `shared`: the word may lie in memory that other processes map too; it is then known by its object and
 * offset rather than by its address.
 */
#ifndef TESSERA_FUTEX_H
#define TESSERA_FUTEX_H

#include <tessera/types.h>

struct thread;

#define FUTEX_TID_MASK   0x3fffffffu
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_WAITERS    0x80000000u
#define FUTEX_BITSET_ALL 0xffffffffu

/* Sleep while *addr == value. 0 woken, -EAGAIN another value, -ETIMEDOUT, -EINTR, -EFAULT. */
int futex_wait(uint32_t __user *addr, bool shared, uint32_t value, uint32_t bitset, deadline_t until);
/* Wake up to n waiters whose bitset meets ours; how many, or -EFAULT. -EINVAL, here and below: somebody waits
 * for a lock there. */
long futex_wake(uint32_t __user *addr, bool shared, uint32_t n, uint32_t bitset);
/* Wake n_wake waiters of `from`, let n_move of the rest wait on `to`. `expected` not NULL: only while
 * *from has that value, else -EAGAIN. How many were woken or moved. */
long futex_requeue(uint32_t __user *from, uint32_t __user *to, bool shared, uint32_t n_wake, uint32_t n_move,
		   const uint32_t *expected);
/* FUTEX_WAKE_OP: change *second as `op` says, wake n of first and, if the old value compares, m of second. */
long futex_wake_op(uint32_t __user *first, uint32_t __user *second, bool shared, uint32_t n, uint32_t m,
		   uint32_t op);

/* Priority-inheriting locks. -EDEADLK, -ESRCH, -EPERM, -EAGAIN (try), -ETIMEDOUT, -EINTR ... . */
int futex_lock_pi(uint32_t __user *addr, bool shared, deadline_t until, bool try_only);
int futex_unlock_pi(uint32_t __user *addr, bool shared);
/*
 * Sleep while *addr == value until futex_requeue_pi() has moved us to the lock and that is ours. -EAGAIN: another
 * value, or a signal after we were moved; -EINTR: a signal before.
 */
int futex_wait_requeue_pi(uint32_t __user *addr, bool shared, uint32_t value, deadline_t until,
			  uint32_t __user *lock);
/* Give the lock, or a place behind its owner, to the first waiter of `from` and n_move more, while *from has the
 * expected value. How many. */
long futex_requeue_pi(uint32_t __user *from, uint32_t __user *lock, bool shared, uint32_t n_move,
		      uint32_t expected);
/* t's priority was changed: whoever it waits for inherits the new one. */
void futex_priority_changed(struct thread *t);

/* Wait on several at once. The index of one that was woken, or the errors of futex_wait. */
#define FUTEX_MANY_MAX 128
struct futex_wait_one {
	uint32_t __user *addr;
	uint32_t value;
	bool shared;
};
int futex_wait_many(const struct futex_wait_one *list, uint32_t n, deadline_t until);

#endif
