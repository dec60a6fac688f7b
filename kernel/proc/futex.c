/* SPDX-License-Identifier: MIT */
/*
 * futex.c - waiting on a word of user memory.
 *
 * A table of buckets, hashed by the word's key. A waiter (on the sleeper's stack) is in one bucket. No
 * wake-up is lost: (1) the sleeper takes the bucket's lock, (2) reads the word, (3) queues itself and
 * declares itself sleeping, (4) drops the lock; the waker (5) changes the word in user mode, (6) takes
 * the lock and looks. If (6) comes before (1), (2) sees (5); else (6) sees (3).
 *
 * A waker sets waiter->bucket to NULL and the waiter may then return and be gone, so the waker holds a
 * reference to the thread over its wake-up.
 *
 * Locks: a bucket's lock (FUTEX); two of them in the order of their addresses. User memory under it is
 * read with page faults disabled; when that fails the lock is dropped, the page faulted in, and all
 * begins again.
 */
#include <tessera/address_space.h>
#include <tessera/sched.h>
#include <tessera/slab.h>

#include "futex_private.h"
#include "proc.h"

#define BUCKETS 512

static struct futex_bucket buckets[BUCKETS];

void
futex_init(void)
{
	for (int i = 0; i < BUCKETS; i++) {
		spin_init(&buckets[i].lock, LOCK_FUTEX);
		list_init(&buckets[i].waiters);
	}
}

/* --- keys ------------------------------------------------------------------------------------- */

/*
 * May the word be known by what is mapped there? A word to be changed must be writable. Private memory that is not
 * will never hold anything else; a file's page may, by whoever else maps it.
 */
static bool
may_share(const struct mapping *m, bool write)
{
	if (m->flags & MAPPING_WRITE)
		return true;
	return !write && (m->flags & MAPPING_READ) && m->object;
}

int
futex_key_get(uint32_t __user *addr, bool shared, bool write, struct futex_key *key)
{
	struct address_space *as = current_process()->as;
	vaddr_t va = (vaddr_t)addr;
	struct mapping *m;
	int error = -EFAULT;

	if (va & 3)
		return -EINVAL;
	if (!user_range_ok(addr, sizeof(*addr)))
		return -EFAULT;
	*key = (struct futex_key){ .space = as, .offset = va };
	if (!shared)
		return 0;
	read_lock(&as->lock);
	m = address_space_find(as, va);
	if (m && m->start <= va && may_share(m, write)) {
		error = 0;
		/* Private memory is this space's alone, however it was asked for. */
		if ((m->flags & MAPPING_SHARED) && m->object) {
			key->object = m->object;
			object_get(key->object);
			key->space = key->object;
			key->offset = (m->object_page << PAGE_SHIFT) + (va - m->start);
		}
	}
	read_unlock(&as->lock);
	return error;
}

void
futex_key_put(struct futex_key *key)
{
	if (key->object)
		object_put(key->object);
	key->object = NULL;
}

bool
futex_key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->space == b->space && a->offset == b->offset;
}

struct futex_bucket *
futex_bucket_of(const struct futex_key *key)
{
	uint64_t h = ((uintptr_t)key->space >> 6 ^ key->offset >> 2) * 0x9e3779b97f4a7c15ull;

	return &buckets[h >> 32 & (BUCKETS - 1)];
}

/* --- the word --------------------------------------------------------------------------------- */

int
futex_read_locked(uint32_t __user *addr, uint32_t *value)
{
	int error;

	pagefault_disable();
	error = copy_from_user(value, addr, sizeof(*value));
	pagefault_enable();
	return error;
}

int
futex_cmpxchg_locked(uint32_t __user *addr, uint32_t old, uint32_t new_value, uint32_t *seen)
{
	int error;

	pagefault_disable();
	error = arch_user_cmpxchg32(addr, old, new_value, seen);
	pagefault_enable();
	return error;
}

int
futex_fault_in(uint32_t __user *addr)
{
	struct page *page;
	int error = address_space_get_page(current_process()->as, (vaddr_t)addr, true, false, &page);

	if (error)
		return -EFAULT;
	page_put(page);
	return 0;
}

int
futex_fault_in_read(uint32_t __user *addr)
{
	uint32_t value;

	return get_user(value, addr);
}

/* --- queueing --------------------------------------------------------------------------------- */

void
futex_add_by_rank(struct futex_bucket *b, struct futex_waiter *w)
{
	struct futex_waiter *other;

	if (w->rank > 0) {
		list_for_each(other, &b->waiters, node) {
			if (other->rank < w->rank) {
				list_add_tail(&other->node, &w->node); /* just before it */
				return;
			}
		}
	}
	list_add_tail(&b->waiters, &w->node);
}

static void
queue_locked(struct futex_bucket *b, struct futex_waiter *w)
{
	w->rank = w->thread->rt_priority;
	futex_add_by_rank(b, w);
	w->bucket = b;
}

void
futex_wake_waiter_locked(struct futex_waiter *w)
{
	struct thread *t = w->thread;

	thread_get(t);
	list_del(&w->node);
	atomic_store_release(&w->bucket, NULL);
	thread_wake(t);
	thread_put(t);
}

bool
futex_unqueue(struct futex_waiter *w)
{
	struct futex_bucket *b;

	while ((b = atomic_load(&w->bucket)) != NULL) {
		spin_lock(&b->lock);
		if (w->bucket == b) {
			list_del(&w->node);
			w->bucket = NULL;
			spin_unlock(&b->lock);
			return true;
		}
		spin_unlock(&b->lock); /* requeued meanwhile */
	}
	return false;
}

void
futex_lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	spin_lock(a < b ? &a->lock : &b->lock);
	if (a != b)
		spin_lock_nested(a < b ? &b->lock : &a->lock);
}

void
futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	if (a != b)
		spin_unlock(a < b ? &b->lock : &a->lock);
	spin_unlock(a < b ? &a->lock : &b->lock);
}

/* --- waiting ---------------------------------------------------------------------------------- */

int
futex_queue_if_equal(struct futex_waiter *w, uint32_t __user *addr, uint32_t value)
{
	struct futex_bucket *b = futex_bucket_of(&w->key);
	uint32_t seen;

	for (;;) {
		spin_lock(&b->lock);                                /* (1) */
		if (futex_read_locked(addr, &seen) == 0)            /* (2) */
			break;
		spin_unlock(&b->lock);
		if (futex_fault_in_read(addr))
			return -EFAULT;
	}
	if (seen != value) {
		spin_unlock(&b->lock);
		return -EAGAIN;
	}
	queue_locked(b, w);                                         /* (3) */
	spin_unlock(&b->lock);                                      /* (4) */
	return 0;
}

int
futex_wait(uint32_t __user *addr, bool shared, uint32_t value, uint32_t bitset, deadline_t until)
{
	struct futex_waiter w = { .thread = current_thread(), .bitset = bitset };
	int error;

	if (!bitset)
		return -EINVAL;
	error = futex_key_get(addr, shared, false, &w.key);
	if (error)
		return error;
	error = futex_queue_if_equal(&w, addr, value);
	if (error)
		goto put_key;
	for (;;) {
		wait_prepare(WAIT_INTERRUPTIBLE);
		if (!atomic_load(&w.bucket)) {
			wait_finish();
			break;
		}
		error = wait_sleep(WAIT_INTERRUPTIBLE, until);
		if (error)
			break;
	}
	if (!futex_unqueue(&w))
		error = 0;
put_key:
	futex_key_put(&w.key);
	return error;
}

/* Index of a waiter that was woken, -1: none. Takes the others off. */
static int
unqueue_many(struct futex_waiter *w, uint32_t n)
{
	int woken = -1;

	for (uint32_t i = 0; i < n; i++) {
		if (!futex_unqueue(&w[i]) && woken < 0)
			woken = i;
		futex_key_put(&w[i].key);
	}
	return woken;
}

static bool
any_woken(struct futex_waiter *w, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!atomic_load(&w[i].bucket))
			return true;
	return false;
}

int
futex_wait_many(const struct futex_wait_one *list, uint32_t n, deadline_t until)
{
	struct futex_waiter *w = kzalloc(n * sizeof(*w));
	uint32_t queued;
	int error = 0, woken;

	if (!w)
		return -ENOMEM;
	for (queued = 0; queued < n; queued++) {
		w[queued].thread = current_thread();
		w[queued].bitset = FUTEX_BITSET_ALL;
		error = futex_key_get(list[queued].addr, list[queued].shared, false, &w[queued].key);
		if (error)
			break;
		error = futex_queue_if_equal(&w[queued], list[queued].addr, list[queued].value);
		if (error) {
			futex_key_put(&w[queued].key);
			break;
		}
	}
	while (!error) {
		wait_prepare(WAIT_INTERRUPTIBLE);
		if (any_woken(w, n)) {
			wait_finish();
			break;
		}
		error = wait_sleep(WAIT_INTERRUPTIBLE, until);
	}
	woken = unqueue_many(w, queued);
	kfree(w);
	return woken >= 0 ? woken : error;
}

/* --- waking ----------------------------------------------------------------------------------- */

long
futex_wake_locked(struct futex_bucket *b, const struct futex_key *key, uint32_t n, uint32_t bitset)
{
	struct futex_waiter *w, *next;
	uint32_t woken = 0;

	list_for_each_safe(w, next, &b->waiters, node) {
		if (woken >= n)
			break;
		if (!futex_key_equal(&w->key, key))
			continue;
		if (futex_wants_lock(w))
			return -EINVAL;
		if (!(w->bitset & bitset))
			continue;
		futex_wake_waiter_locked(w);
		woken++;
	}
	return woken;
}

long
futex_wake(uint32_t __user *addr, bool shared, uint32_t n, uint32_t bitset)
{
	struct futex_key key;
	struct futex_bucket *b;
	long woken;
	int error;

	if (!bitset)
		return -EINVAL;
	error = futex_key_get(addr, shared, false, &key);
	if (error)
		return error;
	b = futex_bucket_of(&key);
	spin_lock(&b->lock);                                        /* (6) */
	woken = futex_wake_locked(b, &key, n, bitset);
	spin_unlock(&b->lock);
	futex_key_put(&key);
	return woken;
}
