/* SPDX-License-Identifier: MIT */
/*
 * futex_private.h - what the files of futexes and robust.c share.
 */
#ifndef TESSERA_PROC_FUTEX_PRIVATE_H
#define TESSERA_PROC_FUTEX_PRIVATE_H

#include <tessera/futex.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/uaccess.h>
#include <tessera/wait.h>

struct memory_object;
struct thread;

/* What a word is known by. Two words are one when both fields are equal. */
struct futex_key {
	const void *space;             /* the address space, or the memory object */
	uint64_t offset;               /* the address, or the offset in the object */
	struct memory_object *object;  /* a reference that keeps `space` unique; NULL: private */
};

struct futex_bucket {
	struct spinlock lock;          /* class FUTEX */
	struct list waiters;           /* lock */
} __aligned(64);

/* On the sleeper's stack. [b] the lock of its present bucket */
struct futex_waiter {
	struct list node;              /* [b] */
	struct futex_key key;          /* [b] requeueing changes it */
	struct futex_bucket *bucket;   /* [b] written, read by the owner without it; NULL: woken */
	struct thread *thread;         /* [I] */
	uint32_t bitset;               /* [I] */
	int rank;                      /* [I] real-time priority when it queued, 0: none */
	bool pi;                       /* [b] waits for a lock that inherits priority */
	const struct futex_key *requeue_to; /* [I] waits to be moved to this lock; NULL: not */
	struct thread *owner;          /* [b] PI: who is boosted for us, a reference */
	struct list owner_node;        /* pi_lock: on owner->pi_held */
	bool got_lock;                 /* [b] PI: the lock was handed to us */
	bool owner_died;               /* [b] PI: by a thread that ended */
	bool heir;                     /* [b] PI: ... and the word does not name us yet: queued, asleep no more */
};

/* Waits for a lock, or to be moved to one: not to be woken as plain waiters are. */
static inline bool
futex_wants_lock(const struct futex_waiter *w)
{
	return w->pi || w->requeue_to;
}

/* futex.c. `write`: the word is to be changed. -EFAULT, -EINVAL. */
int futex_key_get(uint32_t __user *addr, bool shared, bool write, struct futex_key *key);
void futex_key_put(struct futex_key *key);
bool futex_key_equal(const struct futex_key *a, const struct futex_key *b);
struct futex_bucket *futex_bucket_of(const struct futex_key *key);
/* Lock two buckets, in the order of their addresses; they may be the same. */
void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b);
void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b);
/* Read the word with the bucket's lock held: never sleeps. -EFAULT: unlock, futex_fault_in(), retry. */
int futex_read_locked(uint32_t __user *addr, uint32_t *value);
int futex_cmpxchg_locked(uint32_t __user *addr, uint32_t old, uint32_t new_value, uint32_t *seen);
int futex_fault_in(uint32_t __user *addr); /* 0 or -EFAULT */
/* For reading only: a futex may be waited on in memory that is not writable. */
int futex_fault_in_read(uint32_t __user *addr);
/* Behind those of the same or a higher rank: real-time threads are woken first, equals in the order they came. */
void futex_add_by_rank(struct futex_bucket *b, struct futex_waiter *w);
/* Queue w if the word still has `value`. 0, -EAGAIN, -EFAULT. */
int futex_queue_if_equal(struct futex_waiter *w, uint32_t __user *addr, uint32_t value);
/* Take a waiter off its bucket and wake its thread; after this the waiter may be gone. */
void futex_wake_waiter_locked(struct futex_waiter *w);
/* Wake up to n plain waiters whose bitset meets ours. How many; -EINVAL: one of them waits for a lock. */
long futex_wake_locked(struct futex_bucket *b, const struct futex_key *key, uint32_t n, uint32_t bitset);
/* Off the queue, whatever bucket it is on. True: it was still queued, that is, nobody woke it. */
bool futex_unqueue(struct futex_waiter *w);

/* futex_two.c: w, queued in a, waits on `to`, whose bucket is b, from now on. Both locked. */
void futex_move_locked(struct futex_waiter *w, struct futex_bucket *a, struct futex_bucket *b,
		       const struct futex_key *to);

/*
 * futex_pi.c. One try to take a lock for w's thread, the bucket of its key locked. 0: it is that thread's.
 * -EINPROGRESS: w is attached to the owner, for the caller to queue. -EFAULT: fault the word in and try again.
 * -EBUSY: drop the locks, futex_pi_step_aside(), and try again. Else an error. `contended`: set FUTEX_WAITERS,
 * whoever gets it; others are to wait for it.
 */
int futex_pi_try_lock_locked(struct futex_bucket *b, const struct futex_key *key, struct futex_waiter *w,
			     uint32_t __user *addr, bool contended);
/*
 * w waits for `owner` now, whose priority follows. -EAGAIN: that thread is about to end. -ESRCH: it has ended.
 * -EDEADLK: it waits for w's thread, or for one that does. `others_wait`: others wait for the same lock and are
 * queued, or the owner sleeps in the kernel, so that it cannot end while the bucket is locked.
 */
int futex_pi_attach(struct futex_waiter *w, struct thread *owner, bool others_wait);
void futex_pi_detach(struct futex_waiter *w);
/* Sleep until the lock is handed to w. After an error w is off all queues. */
int futex_pi_wait(struct futex_waiter *w, uint32_t __user *addr, deadline_t until);
/*
 * Let the others go on whose step we need. First by a yield; then asleep, for who is less urgent than we
 * are does not run when we yield.
 */
void futex_pi_step_aside(unsigned int tries, enum wait_mode mode);
void futex_pi_thread_exit(struct thread *t, bool ends);

#endif
