/* SPDX-License-Identifier: MIT */
/*
 * page_cache.c - the pages of memory objects: their places in the tree, waits for them, and the
 * pages of objects that have no store. <tessera/backing.h> tells the states of a page; fill.c,
 * writeback.c and evict.c are what a store adds.
 *
 * Who waits for a page sleeps in one of a few queues that pages share by their address.
 *
 * Lock: object->pages_lock for the tree, and for the flags as backing.h says.
 */
#include <tessera/errno.h>
#include <tessera/wait.h>

#include "mm.h"
#include "page_cache.h"

#define QUEUES       64u
#define REMOVE_BATCH 32u
#define LOOK_BATCH   512u /* pages that are looked at under the lock, of which most may stay */

static struct wait_queue queues[QUEUES];

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

int
page_wait_mode(struct page *p, uint32_t flags, enum wait_mode mode)
{
	return wait_event_deadline(queue_of(p), !(page_flags(p) & flags), mode, DEADLINE_NEVER);
}

int
page_wait(struct page *p, uint32_t flags)
{
	return page_wait_mode(p, flags, WAIT_KILLABLE);
}

void
page_wake(const struct page *p)
{
	if (!wait_queue_is_empty(queue_of(p)))
		wake_all(queue_of(p));
}

/* --- insertion, look-up, removal -------------------------------------------------------------- */

void
page_cache_count(bool stored, int64_t pages)
{
	frames_count(COUNT_CACHED, pages);
	if (!stored)
		frames_count(COUNT_SHARED, pages);
}

int
page_cache_insert(struct memory_object *o, uint64_t index, struct page *p)
{
	int error = -EEXIST;

	spin_lock(&o->pages_lock);
	if (!radix_get(&o->pages, index)) {
		error = radix_set(&o->pages, index, p, NULL);
		if (error == 0) {
			p->object = o;
			p->index = index;
			atomic_or(&p->flags, (uint32_t)PAGE_CACHED);
			if (o->store)
				evict_add(p);
		}
	}
	spin_unlock(&o->pages_lock);
	if (error == 0)
		page_cache_count(o->store, 1);
	return error;
}

void
page_cache_detach(struct memory_object *o, struct page *p)
{
	assert_held(&o->pages_lock);
	if (o->store) {
		if (page_flags(p) & PAGE_DIRTY)
			writeback_forget_dirty(o, p);
		evict_remove(p);
	}
	radix_remove(&o->pages, p->index);
	atomic_and(&p->flags, ~(uint32_t)PAGE_CACHED);
	WRITE_ONCE(p->object, NULL);
}

int
object_insert_page(struct memory_object *o, uint64_t index, struct page *p)
{
	int error = o->ops->charge_page ? o->ops->charge_page(o, 1) : 0;

	if (error != 0)
		return error;
	atomic_or(&p->flags, (uint32_t)PAGE_UPTODATE);
	error = page_cache_insert(o, index, p);
	if (error != 0 && o->ops->charge_page)
		o->ops->charge_page(o, -1);
	return error;
}

void
object_make_contiguous(struct memory_object *o, uint64_t index)
{
	struct page *p = frames_plentiful() ? page_alloc(HUGE_PAGE_ORDER, ALLOC_NOWAIT | ALLOC_USER | ALLOC_ZERO) : NULL;

	if (!p)
		return;
	page_break_block(p);
	for (uint64_t i = 0; i < HUGE_PAGE_SIZE / PAGE_SIZE; i++)
		if (object_insert_page(o, index + i, p + i) != 0)
			page_put(p + i);
}

/* pages_lock held. `p` is to leave: true, it did; false, it is being written and stays, stale. */
static bool
remove_one(struct memory_object *o, struct page *p)
{
	if (o->store && (page_flags(p) & PAGE_WRITEBACK)) {
		if (page_flags(p) & PAGE_DIRTY)
			writeback_forget_dirty(o, p);
		atomic_and(&p->flags, ~(uint32_t)PAGE_UPTODATE);
		WRITE_ONCE(p->private, 0);
		return false;
	}
	page_cache_detach(o, p);
	return true;
}

/* Take pages [first, last] out, `clean`: those that have no changes; how many have. */
static uint64_t
remove_pages(struct memory_object *o, uint64_t first, uint64_t last, bool clean)
{
	uint64_t stayed = 0;
	bool more = true;

	while (more) {
		struct page *batch[REMOVE_BATCH];
		uint32_t n = 0, looked = 0;

		spin_lock(&o->pages_lock);
		while (n < REMOVE_BATCH && looked++ < LOOK_BATCH) {
			struct page *p = radix_next(&o->pages, &first);

			more = p && first <= last;
			if (!more)
				break;
			if (clean && (page_flags(p) & (PAGE_DIRTY | PAGE_WRITEBACK)))
				stayed++;
			else if (remove_one(o, p))
				batch[n++] = p;
			more = first++ != UINT64_MAX;
			if (!more)
				break;
		}
		spin_unlock(&o->pages_lock);
		if (n == 0)
			continue;
		page_cache_count(o->store, -(int64_t)n);
		if (o->ops->charge_page)
			o->ops->charge_page(o, -(int)n);
		for (uint32_t i = 0; i < n; i++)
			page_put(batch[i]);
	}
	return stayed;
}

void
page_cache_remove(struct memory_object *o, uint64_t first, uint64_t last)
{
	(void)remove_pages(o, first, last, false);
}

uint64_t
page_cache_remove_clean(struct memory_object *o, uint64_t first, uint64_t last)
{
	return remove_pages(o, first, last, true);
}

bool
page_cache_remove_unfilled(struct memory_object *o, uint64_t index)
{
	bool filled, left = false;
	struct page *p;

	if (!o->store)
		return false;
	spin_lock(&o->pages_lock);
	p = radix_get(&o->pages, index);
	filled = p && (page_flags(p) & PAGE_UPTODATE);
	if (p && !filled)
		left = remove_one(o, p);
	spin_unlock(&o->pages_lock);
	if (left) {
		page_cache_count(o->store, -1);
		page_put(p);
	}
	return !filled;
}

struct page *
page_cache_look_up(struct memory_object *o, uint64_t index)
{
	struct page *p;

	spin_lock(&o->pages_lock);
	p = radix_get(&o->pages, index);
	if (p)
		page_get(p);
	spin_unlock(&o->pages_lock);
	return p;
}

bool
page_cache_has(struct memory_object *o, uint64_t index)
{
	bool there;

	spin_lock(&o->pages_lock);
	there = radix_get(&o->pages, index) != NULL;
	spin_unlock(&o->pages_lock);
	return there;
}

int
page_cache_add_zero(struct memory_object *o, uint64_t index, struct page **out)
{
	struct page *p;
	int error;

	error = o->ops->charge_page ? o->ops->charge_page(o, 1) : 0;
	if (error != 0)
		return error;
	p = page_alloc(0, ALLOC_USER | ALLOC_ZERO);
	error = -ENOMEM;
	if (!p)
		goto uncharge;
	p->flags |= PAGE_UPTODATE;
	page_get(p);
	error = page_cache_insert(o, index, p);
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
object_get_page(struct memory_object *o, uint64_t index, struct page **out)
{
	int error;

	if (unlikely(o->store))
		return page_cache_get(o, NULL, index, 1, out);
	do {
		*out = page_cache_look_up(o, index);
		if (*out)
			return 0;
		error = page_cache_add_zero(o, index, out);
	} while (error == -EEXIST);
	return error;
}

void
page_cache_peek(struct memory_object *o, uint64_t index, struct page **out, uint32_t n)
{
	spin_lock(&o->pages_lock);
	radix_get_run(&o->pages, index, (void **)out, n);
	for (uint32_t i = 0; i < n; i++) {
		if (out[i] && (READ_ONCE(out[i]->flags) & PAGE_UPTODATE))
			page_get(out[i]);
		else
			out[i] = NULL;
	}
	spin_unlock(&o->pages_lock);
}
