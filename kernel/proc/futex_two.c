/* SPDX-License-Identifier: MIT */
/*
 * futex_two.c - operations on two words: waiters of one are moved to the other, or one is changed and both are
 * woken.
 *
 * Locks: the buckets of both words, in the order of their addresses.
 */
#include <tessera/address_space.h>

#include "futex_private.h"
#include "proc.h"

/* --- moving ----------------------------------------------------------------------------------- */

void
futex_move_locked(struct futex_waiter *w, struct futex_bucket *a, struct futex_bucket *b, const struct futex_key *to)
{
	/* The waiter puts the object of whatever key it has in the end. Its old one is held by the caller's
	 * key too, so this cannot be the last reference. */
	if (w->key.object)
		object_put(w->key.object);
	w->key = *to;
	if (w->key.object)
		object_get(w->key.object);
	if (a != b) {
		list_del(&w->node);
		futex_add_by_rank(b, w);
		atomic_store_release(&w->bucket, b);
	}
}

/*
 * Wake n_wake waiters of `from` and let up to n_move more wait on `to`. How many in all; -EINVAL: one of
 * them waits for a lock.
 */
static long
requeue_locked(struct futex_bucket *a, const struct futex_key *from, struct futex_bucket *b,
	       const struct futex_key *to, uint32_t n_wake, uint32_t n_move)
{
	struct futex_waiter *w, *next;
	uint64_t done = 0, most = (uint64_t)n_wake + n_move;
	bool same = futex_key_equal(from, to);

	list_for_each_safe(w, next, &a->waiters, node) {
		if (done >= most)
			break;
		if (!futex_key_equal(&w->key, from))
			continue;
		if (futex_wants_lock(w))
			return -EINVAL;
		if (done++ < n_wake)
			futex_wake_waiter_locked(w);
		else if (!same)
			futex_move_locked(w, a, b, to);
	}
	return (long)done;
}

long
futex_requeue(uint32_t __user *from, uint32_t __user *to, bool shared, uint32_t n_wake, uint32_t n_move,
	      const uint32_t *expected)
{
	struct futex_key key_from, key_to;
	struct futex_bucket *a, *b;
	uint32_t seen;
	long result = futex_key_get(from, shared, false, &key_from);

	if (result)
		return result;
	result = futex_key_get(to, shared, false, &key_to);
	if (result)
		goto put_from;
	a = futex_bucket_of(&key_from);
	b = futex_bucket_of(&key_to);
	futex_lock_two(a, b);
	while (expected && futex_read_locked(from, &seen) != 0) {
		futex_unlock_two(a, b);
		result = futex_fault_in_read(from);
		if (result)
			goto put_to;
		futex_lock_two(a, b);
	}
	if (expected && seen != *expected)
		result = -EAGAIN;
	else
		result = requeue_locked(a, &key_from, b, &key_to, n_wake, n_move);
	futex_unlock_two(a, b);
put_to:
	futex_key_put(&key_to);
put_from:
	futex_key_put(&key_from);
	return result;
}

/* --- FUTEX_WAKE_OP ---------------------------------------------------------------------------- */

static int32_t
sign_extend_12(uint32_t x)
{
	return (int32_t)(x << 20) >> 20;
}

/* The operation's new value. op: 4 bits operation (8: operand is a shift), 4 comparison, 12, 12. */
static int
apply_op(uint32_t op, uint32_t old, uint32_t *out)
{
	uint32_t arg = (uint32_t)sign_extend_12(op >> 12 & 0xfff);

	if (op & 0x80000000u)
		arg = 1u << (arg & 31);
	switch (op >> 28 & 7) {
	case 0:
		*out = arg;
		return 0;
	case 1:
		*out = old + arg;
		return 0;
	case 2:
		*out = old | arg;
		return 0;
	case 3:
		*out = old & ~arg;
		return 0;
	case 4:
		*out = old ^ arg;
		return 0;
	}
	return -ENOSYS;
}

/* Does the old value compare? -ENOSYS: no such comparison. */
static int
compare_op(uint32_t op, int32_t old)
{
	int32_t arg = sign_extend_12(op & 0xfff);

	switch (op >> 24 & 15) {
	case 0:
		return old == arg;
	case 1:
		return old != arg;
	case 2:
		return old < arg;
	case 3:
		return old <= arg;
	case 4:
		return old > arg;
	case 5:
		return old >= arg;
	}
	return -ENOSYS;
}

/* Change the word atomically, bucket locks held. 0 with *old, -EFAULT (fault it in and retry), -ENOSYS. */
static int
change_word_locked(uint32_t __user *addr, uint32_t op, uint32_t *old)
{
	uint32_t seen, wanted;
	int error = futex_read_locked(addr, &seen);

	while (!error) {
		*old = seen;
		error = apply_op(op, seen, &wanted);
		if (error)
			return error;
		error = futex_cmpxchg_locked(addr, *old, wanted, &seen);
		if (!error && seen == *old)
			return 0;
	}
	return error;
}

long
futex_wake_op(uint32_t __user *first, uint32_t __user *second, bool shared, uint32_t n, uint32_t m, uint32_t op)
{
	struct futex_key key1, key2;
	struct futex_bucket *a, *b;
	uint32_t old = 0;
	long result = futex_key_get(first, shared, false, &key1);

	if (result)
		return result;
	result = futex_key_get(second, shared, true, &key2);
	if (result)
		goto put_first;
	a = futex_bucket_of(&key1);
	b = futex_bucket_of(&key2);
	for (;;) {
		futex_lock_two(a, b);
		result = change_word_locked(second, op, &old);
		if (result != -EFAULT)
			break;
		futex_unlock_two(a, b);
		result = futex_fault_in(second);
		if (result)
			goto put_second;
	}
	if (result == 0) {
		int compared = compare_op(op, (int32_t)old);

		result = compared < 0 ? compared : futex_wake_locked(a, &key1, n, FUTEX_BITSET_ALL);
		if (result >= 0 && compared > 0) {
			long more = futex_wake_locked(b, &key2, m, FUTEX_BITSET_ALL);

			result = more < 0 ? more : result + more;
		}
	}
	futex_unlock_two(a, b);
put_second:
	futex_key_put(&key2);
put_first:
	futex_key_put(&key1);
	return result;
}
