/* SPDX-License-Identifier: MIT */
/*
 * futex_private.h - what futex.c, futex_pi.c and robust.c share.
 */
#ifndef TESSERA_PROC_FUTEX_PRIVATE_H
#define TESSERA_PROC_FUTEX_PRIVATE_H

#include <tessera/futex.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/uaccess.h>

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
	bool pi;                       /* [I] waits for a lock that inherits priority */
	struct thread *owner;          /* [b] PI: who is boosted for us, a reference */
	struct list owner_node;        /* pi_lock: on owner->pi_held */
	bool got_lock;                 /* [b] PI: the lock was handed to us */
	bool owner_died;               /* [b] PI: by a thread that ended */
	bool heir;                     /* [b] PI: ... and the word does not name us yet: queued, asleep no more */
};

int futex_key_get(uint32_t __user *addr, bool shared, struct futex_key *key); /* -EFAULT, -EINVAL */
void futex_key_put(struct futex_key *key);
bool futex_key_equal(const struct futex_key *a, const struct futex_key *b);
struct futex_bucket *futex_bucket_of(const struct futex_key *key);
/* Read the word with the bucket's lock held: never sleeps. -EFAULT: unlock, futex_fault_in(), retry. */
int futex_read_locked(uint32_t __user *addr, uint32_t *value);
int futex_cmpxchg_locked(uint32_t __user *addr, uint32_t old, uint32_t new_value, uint32_t *seen);
int futex_fault_in(uint32_t __user *addr); /* 0 or -EFAULT */
/* Take a waiter off its bucket and wake its thread; after this the waiter may be gone. */
void futex_wake_waiter_locked(struct futex_waiter *w);
/* Off the queue, whatever bucket it is on. True: it was still queued, that is, nobody woke it. */
bool futex_unqueue(struct futex_waiter *w);
void futex_pi_thread_exit(struct thread *t);

#endif
