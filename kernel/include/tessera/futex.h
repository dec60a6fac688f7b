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

#define FUTEX_TID_MASK   0x3fffffffu
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_WAITERS    0x80000000u
#define FUTEX_BITSET_ALL 0xffffffffu

/* Sleep while *addr == value. 0 woken, -EAGAIN another value, -ETIMEDOUT, -EINTR, -EFAULT. */
int futex_wait(uint32_t __user *addr, bool shared, uint32_t value, uint32_t bitset, deadline_t until);
/* Wake up to n waiters whose bitset meets ours; how many, or -EFAULT. */
long futex_wake(uint32_t __user *addr, bool shared, uint32_t n, uint32_t bitset);
/* Wake n_wake waiters of `from`, let n_move of the rest wait on `to`. `expected` not NULL: only while
 * *from has that value, else -EAGAIN. How many were woken or (with `expected`) also moved. */
long futex_requeue(uint32_t __user *from, uint32_t __user *to, bool shared, uint32_t n_wake, uint32_t n_move,
		   const uint32_t *expected);
/* FUTEX_WAKE_OP: change *second as `op` says, wake n of first and, if the old value compares, m of second. */
long futex_wake_op(uint32_t __user *first, uint32_t __user *second, bool shared, uint32_t n, uint32_t m,
		   uint32_t op);

/* Priority-inheriting locks. -EDEADLK, -ESRCH, -EPERM, -EAGAIN (try), -ETIMEDOUT, -EINTR ... . */
int futex_lock_pi(uint32_t __user *addr, bool shared, deadline_t until, bool try_only);
int futex_unlock_pi(uint32_t __user *addr, bool shared);

/* Wait on several at once. The index of one that was woken, or the errors of futex_wait. */
#define FUTEX_MANY_MAX 128
struct futex_wait_one {
	uint32_t __user *addr;
	uint32_t value;
	bool shared;
};
int futex_wait_many(const struct futex_wait_one *list, uint32_t n, deadline_t until);

#endif
