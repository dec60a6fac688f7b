/* SPDX-License-Identifier: MIT */
/*
 * futex.c - futex(2), futex_waitv(2), robust lists: Linux's numbers onto <tessera/futex.h>.
 */
#include <tessera/futex.h>
#include <tessera/process.h>
#include <tessera/slab.h>

#include "clock_id.h"
#include "linux.h"

#define FUTEX_WAIT        0
#define FUTEX_WAKE        1
#define FUTEX_REQUEUE     3
#define FUTEX_CMP_REQUEUE 4
#define FUTEX_WAKE_OP     5
#define FUTEX_LOCK_PI     6
#define FUTEX_UNLOCK_PI   7
#define FUTEX_TRYLOCK_PI  8
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_WAIT_REQUEUE_PI 11
#define FUTEX_CMP_REQUEUE_PI  12
#define FUTEX_LOCK_PI2    13
#define FUTEX_PRIVATE_FLAG   128
#define FUTEX_CLOCK_REALTIME 256

#define ROBUST_HEAD_SIZE 24

/* When a wait that was interrupted without a handler goes on: same word, same deadline. */
static long
wait_again(struct restart_block *b)
{
	int r = futex_wait((uint32_t __user *)b->arg[0], (uint32_t)b->arg[1], (uint32_t)b->arg[2],
			   (uint32_t)b->arg[3], b->deadline);

	return r == -EINTR ? -ERESTART_RESTARTBLOCK : r;
}

static long
wait(uint32_t __user *addr, bool shared, uint32_t value, uint32_t bitset, deadline_t until)
{
	struct restart_block *b = &current_thread()->restart;
	int r = futex_wait(addr, shared, value, bitset, until);

	if (r != -EINTR)
		return r;
	if (until == DEADLINE_NEVER)
		return -ERESTARTSYS;
	b->fn = wait_again;
	b->arg[0] = (uint64_t)addr;
	b->arg[1] = shared;
	b->arg[2] = value;
	b->arg[3] = bitset;
	b->deadline = until;
	return -ERESTART_RESTARTBLOCK;
}

/* The deadline of a call that has one: FUTEX_WAIT's is relative, the others' absolute. */
static int
read_deadline(int command, bool realtime, uint64_t utime, deadline_t *until)
{
	struct timespec64 ts;

	*until = DEADLINE_NEVER;
	if (!utime)
		return 0;
	if (copy_from_user(&ts, (const void __user *)utime, sizeof(ts)))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	if (command == FUTEX_WAIT)
		*until = deadline_after(timespec_ns(&ts));
	else
		*until = clock_deadline(realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC, timespec_ns(&ts));
	return 0;
}

static long
lock_pi(uint32_t __user *addr, bool shared, deadline_t until, bool try_only)
{
	int r = futex_lock_pi(addr, shared, until, try_only);

	return r == -EINTR ? -ERESTARTNOINTR : r;
}

static long
wait_requeue_pi(uint32_t __user *addr, bool shared, uint32_t value, deadline_t until, uint32_t __user *lock)
{
	int r = futex_wait_requeue_pi(addr, shared, value, until, lock);

	return r == -EINTR ? -ERESTARTNOINTR : r;
}

/* FUTEX_REQUEUE and its kin: how many to wake, and to move. */
static long
requeue(uint32_t __user *from, uint32_t __user *to, bool shared, int command, int n_wake, int n_move,
	uint32_t expected)
{
	long r;

	if (n_wake < 0 || n_move < 0)
		return -EINVAL;
	if (command != FUTEX_CMP_REQUEUE_PI)
		return futex_requeue(from, to, shared, n_wake, n_move,
				     command == FUTEX_CMP_REQUEUE ? &expected : NULL);
	/* Exactly one gets the lock. */
	if (from == to || n_wake != 1)
		return -EINVAL;
	r = futex_requeue_pi(from, to, shared, n_move, expected);
	return r == -EINTR ? -ERESTARTNOINTR : r;
}

static bool
has_deadline(int command)
{
	return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET || command == FUTEX_LOCK_PI ||
	       command == FUTEX_LOCK_PI2 || command == FUTEX_WAIT_REQUEUE_PI;
}

/* Who asks for none, or fewer, to be woken has always had one. */
static uint32_t
at_least_one(uint32_t n)
{
	return (uint32_t)MAX((int32_t)n, 1);
}

long
linux_futex(uint32_t __user *addr, int op, uint32_t value, uint64_t utime, uint32_t __user *addr2,
	    uint32_t value3)
{
	int command = op & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
	bool shared = !(op & FUTEX_PRIVATE_FLAG), realtime = op & FUTEX_CLOCK_REALTIME;
	deadline_t until = DEADLINE_NEVER;
	int error;

	if (has_deadline(command)) {
		/* FUTEX_LOCK_PI has always counted in real time. */
		error = read_deadline(command, realtime || command == FUTEX_LOCK_PI, utime, &until);
		if (error)
			return error;
	}
	if (realtime && command != FUTEX_WAIT_BITSET && command != FUTEX_LOCK_PI2 &&
	    command != FUTEX_WAIT_REQUEUE_PI)
		return -ENOSYS;
	switch (command) {
	case FUTEX_WAIT:
		return wait(addr, shared, value, FUTEX_BITSET_ALL, until);
	case FUTEX_WAIT_BITSET:
		return wait(addr, shared, value, value3, until);
	case FUTEX_WAKE:
		return futex_wake(addr, shared, at_least_one(value), FUTEX_BITSET_ALL);
	case FUTEX_WAKE_BITSET:
		return futex_wake(addr, shared, at_least_one(value), value3);
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
	case FUTEX_CMP_REQUEUE_PI:
		/* The fourth argument is a count here, not a time. */
		return requeue(addr, addr2, shared, command, (int)value, (int)utime, value3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(addr, addr2, shared, at_least_one(value), at_least_one((uint32_t)utime),
				     value3);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return lock_pi(addr, shared, until, false);
	case FUTEX_TRYLOCK_PI:
		return lock_pi(addr, shared, DEADLINE_NEVER, true);
	case FUTEX_UNLOCK_PI:
		return futex_unlock_pi(addr, shared);
	case FUTEX_WAIT_REQUEUE_PI:
		return wait_requeue_pi(addr, shared, value, until, addr2);
	}
	return -ENOSYS;
}

/* struct futex_waitv */
struct user_waitv {
	uint64_t value, addr;
	uint32_t flags, reserved;
};

#define FUTEX_32 2u

long
linux_futex_waitv(const void __user *uwaiters, unsigned int n, unsigned int flags,
		  const struct timespec64 __user *utime, int clock)
{
	const struct user_waitv __user *from = uwaiters;
	deadline_t until = DEADLINE_NEVER;
	struct futex_wait_one *list;
	long r = 0;

	if (flags || n == 0 || n > FUTEX_MANY_MAX || !uwaiters)
		return -EINVAL;
	if (utime) {
		if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
			return -EINVAL;
		r = read_deadline(FUTEX_WAIT_BITSET, clock == CLOCK_REALTIME, (uint64_t)utime, &until);
		if (r)
			return r;
	}
	list = kmalloc(n * sizeof(*list), 0);
	if (!list)
		return -ENOMEM;
	for (unsigned int i = 0; i < n && !r; i++) {
		struct user_waitv v;

		if (copy_from_user(&v, from + i, sizeof(v)))
			r = -EFAULT;
		else if ((v.flags & ~(FUTEX_32 | FUTEX_PRIVATE_FLAG)) || !(v.flags & FUTEX_32) || v.reserved)
			r = -EINVAL;
		list[i].addr = (uint32_t __user *)v.addr;
		list[i].value = (uint32_t)v.value;
		list[i].shared = !(v.flags & FUTEX_PRIVATE_FLAG);
	}
	if (!r)
		r = futex_wait_many(list, n, until);
	kfree(list);
	return r == -EINTR ? -ERESTARTSYS : r;
}

long
linux_set_robust_list(void __user *head, size_t size)
{
	struct thread *t = current_thread();

	if (size != ROBUST_HEAD_SIZE)
		return -EINVAL;
	t->robust_list = head;
	return 0;
}

long
linux_get_robust_list(pid_t tid, uint64_t __user *head, size_t __user *size)
{
	struct thread *t = tid ? thread_find(tid) : current_thread();
	uint64_t list;
	int error;

	if (!t)
		return -ESRCH;
	error = process_may_inspect(t->process);
	list = (uint64_t)t->robust_list;
	if (tid)
		thread_put(t);
	if (error)
		return error;
	if (put_user((size_t)ROBUST_HEAD_SIZE, size) || put_user(list, head))
		return -EFAULT;
	return 0;
}
