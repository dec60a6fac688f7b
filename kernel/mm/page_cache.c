/* SPDX-License-Identifier: MIT */
/*
 * page_cache.c - the pages of memory objects: look-up, filling, read and write, eviction.
 *
 * States of a page in an object:
 *
 *	absent --insert--> LOCKED --read_page ok--> UPTODATE <--> DIRTY
 *	                      \--read_page failed--> neither: the next who looks tries again
 *
 * An object without read_page starts its pages as zeroes, UPTODATE at once. PAGE_LOCKED is a
 * sleeping lock; waiters share a few hashed queues.
 *
 * Pages that can be had again from a backing store (ops->read_page) are on one list, oldest first,
 * for eviction: a page used since it was last looked at gets a second round. The list's lock is
 * taken after pages_lock (insertion and removal), never before; eviction takes a reference to page
 * and object under the list's lock and then starts from the object. A page on the list has a living
 * object: it leaves the list before it leaves the object.
 */
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/iov.h>
#include <tessera/signal.h>
#include <tessera/string.h>
#include <tessera/wait.h>

#include "mm.h"
#include "page_cache.h"

#define QUEUES          64u
#define REMOVE_BATCH    32u

static struct wait_queue queues[QUEUES];
static struct spinlock evict_lock = SPINLOCK_INIT(LEAF);
static struct list evict_list =
	LIST_INIT(evict_list); /* evict_lock: struct page.node, oldest first */

void
page_cache_init(void)
{
	for (uint32_t i = 0; i < QUEUES; i++)
		wait_queue_init(&queues[i]);
}

static struct wait_queue *
queue_of(const struct page *p)
{
	return &queues[(page_to_pfn(p) * 0x9e3779b97f4a7c15ull) >> 58];
}

bool
page_trylock(struct page *p)
{
	return !(atomic_fetch_or(&p->flags, (uint32_t)PAGE_LOCKED) & PAGE_LOCKED);
}

void
page_lock(struct page *p)
{
	if (likely(page_trylock(p)))
		return;
	wait_event(queue_of(p), page_trylock(p));
}

void
page_unlock(struct page *p)
{
	atomic_and(&p->flags, ~(uint32_t)PAGE_LOCKED);
	if (!wait_queue_is_empty(queue_of(p)))
		wake_all(queue_of(p));
}

static bool
evictable(const struct memory_object *o)
{
	return o->ops->read_page != NULL;
}

static void
count(const struct memory_object *o, int64_t pages)
{
	frames_count(COUNT_CACHED, pages);
	if (!evictable(o))
		frames_count(COUNT_SHARED, pages);
}

/* --- insertion, look-up, removal -------------------------------------------------------------- */

/* Put `p` into the empty slot `index`; its reference becomes the object's. 0, -EEXIST, -ENOMEM. */
static int
insert(struct memory_object *o, uint64_t index, struct page *p)
{
	int error = -EEXIST;

	spin_lock(&o->pages_lock);
	if (!radix_get(&o->pages, index)) {
		error = radix_set(&o->pages, index, p, NULL);
		if (error == 0) {
			p->object = o;
			p->index = index;
			atomic_or(&p->flags, (uint32_t)PAGE_CACHED);
			if (evictable(o)) {
				uint64_t flags = spin_lock_irq(&evict_lock);

				list_add_tail(&evict_list, &p->node);
				spin_unlock_irq(&evict_lock, flags);
			}
		}
	}
	spin_unlock(&o->pages_lock);
	if (error == 0)
		count(o, 1);
	return error;
}

/* Take `p` out of its slot. pages_lock held; the object's reference is the caller's then. */
static void
detach(struct memory_object *o, struct page *p)
{
	assert_held(&o->pages_lock);
	radix_remove(&o->pages, p->index);
	if (evictable(o)) {
		uint64_t flags = spin_lock_irq(&evict_lock);

		list_del(&p->node);
		spin_unlock_irq(&evict_lock, flags);
	}
	if (atomic_fetch_and(&p->flags, ~(uint32_t)(PAGE_CACHED | PAGE_DIRTY)) & PAGE_DIRTY) {
		atomic_sub(&o->dirty, 1);
		frames_count(COUNT_DIRTY, -1);
	}
	WRITE_ONCE(p->object, NULL);
}

int
object_insert_page(struct memory_object *o, uint64_t index, struct page *p)
{
	int error = o->ops->charge_page ? o->ops->charge_page(o, 1) : 0;

	if (error != 0)
		return error;
	atomic_or(&p->flags, (uint32_t)PAGE_UPTODATE);
	error = insert(o, index, p);
	if (error != 0 && o->ops->charge_page)
		o->ops->charge_page(o, -1);
	return error;
}

void
page_cache_remove(struct memory_object *o, uint64_t first, uint64_t last)
{
	for (;;) {
		struct page *batch[REMOVE_BATCH];
		uint32_t n = 0;

		spin_lock(&o->pages_lock);
		while (n < REMOVE_BATCH) {
			struct page *p = radix_next(&o->pages, &first);

			if (!p || first > last)
				break;
			detach(o, p);
			batch[n++] = p;
		}
		spin_unlock(&o->pages_lock);
		if (n == 0)
			return;
		count(o, -(int64_t)n);
		if (o->ops->charge_page)
			o->ops->charge_page(o, -(int)n);
		for (uint32_t i = 0; i < n; i++)
			page_put(batch[i]);
	}
}

/* Fill a page that is in the object but not valid. 0, or what read_page said; -EAGAIN: it left. */
static int
fill(struct memory_object *o, struct page *p)
{
	int error = 0;

	page_lock(p);
	if (p->object != o) {
		error = -EAGAIN;
	} else if (!(p->flags & PAGE_UPTODATE)) {
		error = o->ops->read_page(o, p);
		if (error == 0)
			atomic_or(&p->flags, (uint32_t)PAGE_UPTODATE);
	}
	page_unlock(p);
	return error;
}

static struct page *
look_up(struct memory_object *o, uint64_t index)
{
	struct page *p;

	spin_lock(&o->pages_lock);
	p = radix_get(&o->pages, index);
	if (p)
		page_get(p);
	spin_unlock(&o->pages_lock);
	return p;
}

/* Make the missing page `index`; *out gets it with a reference. -EEXIST: somebody else did. */
static int
add_page(struct memory_object *o, uint64_t index, bool zero, struct page **out)
{
	struct page *p;
	int error;

	error = o->ops->charge_page ? o->ops->charge_page(o, 1) : 0;
	if (error != 0)
		return error;
	p = page_alloc(0, ALLOC_USER | (zero ? ALLOC_ZERO : 0));
	error = -ENOMEM;
	if (!p)
		goto uncharge;
	if (zero)
		p->flags |= PAGE_UPTODATE;
	page_get(p);
	error = insert(o, index, p);
	if (error != 0)
		goto free_page;
	*out = p;
	return 0;

free_page:
	p->refcount = 1;
	page_free(p, 0);
uncharge:
	if (o->ops->charge_page)
		o->ops->charge_page(o, -1);
	return error;
}

int
object_get_page(struct memory_object *o, uint64_t index, bool create, struct page **out)
{
	for (;;) {
		struct page *p = look_up(o, index);
		int error;

		if (!p) {
			if (!create && !evictable(o)) {
				*out = NULL;
				return 0;
			}
			error = add_page(o, index, !evictable(o), &p);
			if (error == -EEXIST)
				continue;
			if (error != 0)
				return error;
		}
		if (likely(p->flags & PAGE_UPTODATE)) {
			if (evictable(o) && !(p->flags & PAGE_REFERENCED))
				atomic_or(&p->flags, (uint32_t)PAGE_REFERENCED);
			*out = p;
			return 0;
		}
		error = fill(o, p);
		if (error == 0) {
			*out = p;
			return 0;
		}
		page_put(p);
		if (error != -EAGAIN)
			return error;
	}
}

void
page_cache_peek(struct memory_object *o, uint64_t index, struct page **out, uint32_t n)
{
	spin_lock(&o->pages_lock);
	radix_get_run(&o->pages, index, (void **)out, n);
	for (uint32_t i = 0; i < n; i++) {
		if (out[i] && (out[i]->flags & PAGE_UPTODATE))
			page_get(out[i]);
		else
			out[i] = NULL;
	}
	spin_unlock(&o->pages_lock);
}

/* --- read and write --------------------------------------------------------------------------- */

/* A transfer may be of two GiB, and others wait for the file's lock: who is killed has what he has. */
static bool
is_over(ssize_t done)
{
	return done > 0 && unlikely(signal_fatal_pending(current_thread()));
}

ssize_t
object_read(struct memory_object *o, uint64_t offset, uint64_t size, struct iov_iter *to)
{
	ssize_t done = 0;

	while (to->count > 0 && offset < size && !is_over(done)) {
		size_t in_page = offset % PAGE_SIZE;
		size_t room = MIN(PAGE_SIZE - in_page, to->count), n = MIN(room, size - offset);
		struct page *p;
		size_t moved;
		int error = object_get_page(o, offset / PAGE_SIZE, false, &p);

		if (error != 0)
			return done > 0 ? done : error;
		if (p) {
			moved = iov_copy_to(to, (char *)page_to_virt(p) + in_page, n);
			page_put(p);
		} else {
			moved = iov_zero(to, n);
		}
		done += (ssize_t)moved;
		offset += moved;
		if (moved < n)
			return done > 0 ? done : -EFAULT;
	}
	return done;
}

/*
 * A missing page that is about to be written whole is not zeroed or read first: it is filled before
 * anybody can see it. *moved: bytes taken from the iterator. -EEXIST: it is there by now, `from` is
 * as it was.
 */
static int
write_fresh(struct memory_object *o, uint64_t index, struct iov_iter *from, size_t *moved)
{
	struct page *p;
	int error = o->ops->charge_page ? o->ops->charge_page(o, 1) : 0;

	*moved = 0;
	if (error != 0)
		return error;
	p = page_alloc(0, ALLOC_USER);
	error = -ENOMEM;
	if (!p)
		goto uncharge;
	*moved = iov_copy_from(page_to_virt(p), from, PAGE_SIZE);
	error = -EFAULT;
	if (*moved == 0)
		goto free_page;
	if (*moved < PAGE_SIZE)
		memset((char *)page_to_virt(p) + *moved, 0, PAGE_SIZE - *moved);
	p->flags |= PAGE_UPTODATE;
	page_get(p);
	error = insert(o, index, p);
	if (error != 0)
		goto free_page;
	object_mark_dirty(o, p);
	page_put(p);
	return 0;

free_page:
	iov_revert(from, *moved);
	*moved = 0;
	p->refcount = 1;
	page_free(p, 0);
uncharge:
	if (o->ops->charge_page)
		o->ops->charge_page(o, -1);
	return error;
}

ssize_t
object_write(struct memory_object *o, uint64_t offset, struct iov_iter *from)
{
	ssize_t done = 0;

	while (from->count > 0 && !is_over(done)) {
		uint64_t index = offset / PAGE_SIZE;
		size_t in_page = offset % PAGE_SIZE;
		size_t n = MIN(PAGE_SIZE - in_page, from->count), moved;
		struct page *p = look_up(o, index);
		int error;

		if (!p && n == PAGE_SIZE && !evictable(o)) {
			error = write_fresh(o, index, from, &moved);
			if (error == -EEXIST)
				continue;
			if (error != 0)
				return done > 0 ? done : error;
		} else {
			if (p)
				page_put(p);
			error = object_get_page(o, index, true, &p);
			if (error != 0)
				return done > 0 ? done : error;
			moved = iov_copy_from((char *)page_to_virt(p) + in_page, from, n);
			if (moved > 0)
				object_mark_dirty(o, p);
			page_put(p);
		}
		done += (ssize_t)moved;
		offset += moved;
		if (moved < n)
			return done > 0 ? done : -EFAULT;
	}
	return done;
}

/* --- eviction --------------------------------------------------------------------------------- */

/* The oldest page not used lately, with references to it and its object. */
static struct page *
evict_candidate(struct memory_object **object, uint32_t *budget)
{
	uint64_t flags = spin_lock_irq(&evict_lock);
	struct page *found = NULL;

	while (!found && *budget > 0 && !list_is_empty(&evict_list)) {
		struct page *p = list_first(&evict_list, struct page, node);

		(*budget)--;
		list_del(&p->node);
		list_add_tail(&evict_list, &p->node);
		if (p->flags & PAGE_REFERENCED) {
			atomic_and(&p->flags, ~(uint32_t)PAGE_REFERENCED);
			continue;
		}
		if ((p->flags & PAGE_LOCKED) || !ref_get_unless_zero(&p->object->refs))
			continue;
		*object = p->object;
		page_get(p);
		found = p;
	}
	spin_unlock_irq(&evict_lock, flags);
	return found;
}

/* True when `p` went. The caller holds a reference to both. */
static bool
evict(struct memory_object *o, struct page *p)
{
	bool gone = false;

	if (p->flags & PAGE_DIRTY)
		if (!o->ops->write_page || object_write_back(o, p) != 0)
			return false;
	if (!page_trylock(p))
		return false;
	if (p->object == o && p->refcount > 2)
		object_unmap_range(o, p->index, p->index, true);
	spin_lock(&o->pages_lock);
	/* The object's reference and ours, so nobody else can have it or get it without this
	 * lock. */
	if (p->object == o && p->refcount == 2 && !(p->flags & PAGE_DIRTY)) {
		detach(o, p);
		gone = true;
	}
	spin_unlock(&o->pages_lock);
	page_unlock(p);
	if (gone) {
		count(o, -1);
		if (o->ops->charge_page)
			o->ops->charge_page(o, -1);
		page_put(p);
	}
	return gone;
}

uint64_t
page_cache_shrink(uint64_t frames)
{
	uint32_t budget = 4096;
	uint64_t gone = 0;

	while (gone < frames) {
		struct memory_object *o;
		struct page *p = evict_candidate(&o, &budget);

		if (!p)
			break;
		if (evict(o, p))
			gone++;
		page_put(p);
		object_put(o);
	}
	return gone;
}
