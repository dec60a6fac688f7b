/* SPDX-License-Identifier: MIT */
/*
 * fill.c - pages come from the store: runs, fills, and waiting for them.
 *
 * A fill is a run of new pages that go into the tree LOCKED and then to the store; whoever finds
 * one of them waits for its own page, not for the run. A page whose fill failed stays, neither
 * LOCKED nor UPTODATE, with the errno in p->private for those who waited; whoever comes later has
 * it filled again, alone.
 *
 * Nothing is locked while the store works. What happens to a page meanwhile is told by p->object:
 * it was dropped, and who waited for it looks the index up again.
 *
 * Locks: pages_lock for LOCKED and the like.
 */
#include <tessera/errno.h>
#include <tessera/signal.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/thread.h>

#include "mm.h"
#include "page_cache.h"

/* --- runs ---------------------------------------------------------------------------------------- */

struct page_run *
page_run_create(struct memory_object *o, uint64_t first, uint32_t room, uint32_t *got)
{
	struct page_run *run = NULL;

	do {
		*got = room;
		run = kmalloc(sizeof(*run) + room * sizeof(run->pages[0]), room > 1 ? ALLOC_NOWAIT : ALLOC_RESERVE);
		room = room == 1 ? 0 : MAX(room / 8, 1u);
	} while (!run && room > 0);
	if (!run)
		return NULL;
	memset(run, 0, sizeof(*run));
	list_init(&run->list);
	run->object = o;
	run->first = first;
	object_get(o);
	return run;
}

void
page_run_free(struct page_run *run)
{
	struct memory_object *o = run->object;

	kfree(run);
	object_put(o);
}

void
page_run_zero(struct page_run *run, uint32_t bytes)
{
	for (uint32_t i = bytes / PAGE_SIZE; i < run->count; i++) {
		uint32_t from = i == bytes / PAGE_SIZE ? bytes % PAGE_SIZE : 0;

		memset((char *)page_to_virt(run->pages[i]) + from, 0, PAGE_SIZE - from);
	}
}

static void
fill_complete(struct page_run *run, uint32_t from, uint32_t count, int error)
{
	struct memory_object *o = run->object;

	spin_lock(&o->pages_lock);
	for (uint32_t i = from; i < from + count; i++) {
		struct page *p = run->pages[i];

		if (error == 0)
			atomic_or(&p->flags, (uint32_t)PAGE_UPTODATE);
		else
			WRITE_ONCE(p->private, (uint64_t)(int64_t)error);
		atomic_and(&p->flags, ~(uint32_t)PAGE_LOCKED);
		page_put(p); /* here, so that an idle page has no reference of ours; waiters have their own */
	}
	spin_unlock(&o->pages_lock);
	atomic_add_relaxed(&o->store->backing->filled, count);
	for (uint32_t i = from; i < from + count; i++)
		page_wake(run->pages[i]);
}

void
page_run_complete(struct page_run *run, uint32_t from, uint32_t count, int error)
{
	assert(from + count <= run->count && error <= 0);
	if (count == 0)
		return;
	if (run->write)
		write_complete(run, from, count, error);
	else
		fill_complete(run, from, count, error);
	if (atomic_sub_fetch(&run->left, count) == 0)
		page_run_free(run);
}

/* --- fills --------------------------------------------------------------------------------------- */

/* How much of the run lies inside the object. */
static uint32_t
bytes_of(const struct page_run *run)
{
	uint64_t size = atomic_load_relaxed(&run->object->size), start = run->first << PAGE_SHIFT;
	uint64_t all = (uint64_t)run->count << PAGE_SHIFT;

	return size == UINT64_MAX ? (uint32_t)all : start >= size ? 0 : (uint32_t)MIN(all, size - start);
}

/* The run is complete: to the store with it, or away when it is empty. */
static void
submit(struct page_run *run)
{
	struct memory_object *o = run->object;
	int dead = atomic_load(&o->store->backing->dead);
	uint32_t n = run->count;

	if (n == 0) {
		page_run_free(run);
		return;
	}
	run->left = n;
	run->bytes = bytes_of(run);
	if (dead) {
		page_run_complete_all(run, dead);
	} else if (run->bytes == 0) {
		page_run_zero(run, 0);
		page_run_complete_all(run, 0);
	} else if (o->ops->read_pages) {
		o->ops->read_pages(run);
	} else {
		/* The run lives until its last page is complete. */
		for (uint32_t i = 0; i < n; i++)
			page_run_complete(run, i, 1, o->ops->read_page(o, run->pages[i]));
	}
}

/* A new page, LOCKED and in its place, with a reference more for the run. 0, -EEXIST, -ENOMEM. */
static int
add_locked(struct memory_object *o, uint64_t index, uint32_t flags, bool must, struct page **out)
{
	struct page *p = page_alloc(0, ALLOC_USER | (must ? 0 : ALLOC_TRY));
	int error;

	if (!p)
		return -ENOMEM;
	p->flags |= PAGE_LOCKED | flags;
	page_get(p);
	error = page_cache_insert(o, index, p);
	if (error != 0) {
		p->refcount = 1;
		page_free(p, 0);
		return error;
	}
	*out = p;
	return 0;
}

int
fill_start(struct memory_object *o, struct file *f, uint64_t first, uint64_t count, uint64_t mark, bool urgent)
{
	uint32_t room = 0, most = o->store->backing->run_pages;
	struct page_run *run = NULL;
	uint64_t end = first + count;
	int error = 0;

	for (uint64_t i = first; i < end && error == 0; i++) {
		uint32_t flags = PAGE_AHEAD | (i == mark ? PAGE_READAHEAD : 0);

		if (run && run->count == room) {
			submit(run);
			run = NULL;
		}
		if (page_cache_has(o, i)) {
			if (run)
				submit(run);
			run = NULL;
			continue;
		}
		if (!run) {
			run = page_run_create(o, i, (uint32_t)MIN(end - i, most), &room);
			if (!run) {
				error = -ENOMEM;
				break;
			}
			run->file = f;
			run->urgent = urgent;
		}
		error = add_locked(o, i, flags, urgent && i == first, &run->pages[run->count]);
		if (error == 0) {
			run->count++;
		} else if (error == -EEXIST) {
			submit(run);
			run = NULL;
			error = 0;
		} else if (i > first) {
			break;
		}
	}
	if (run)
		submit(run);
	return urgent && error != 0 && !page_cache_has(o, first) ? error : 0;
}

/* `p`, referenced, is in the object, not up to date, and nobody seems to fill it. 0 or -ENOMEM. */
static int
refill(struct memory_object *o, struct file *f, struct page *p)
{
	uint32_t room;
	struct page_run *run = page_run_create(o, p->index, 1, &room);

	if (!run)
		return -ENOMEM;
	run->file = f;
	run->urgent = true;
	spin_lock(&o->pages_lock);
	if (p->object == o && !(page_flags(p) & (PAGE_UPTODATE | PAGE_LOCKED | PAGE_WRITEBACK))) {
		atomic_or(&p->flags, (uint32_t)PAGE_LOCKED);
		WRITE_ONCE(p->private, 0);
		page_get(p);
		run->pages[0] = p;
		run->count = 1;
	}
	spin_unlock(&o->pages_lock);
	submit(run);
	return 0;
}

/* --- finding a page ------------------------------------------------------------------------------- */

/* Who had a page fetched looks at it once: that is no use yet, so a stream does not drive out the
 * rest. */
static void
used(struct page *p, uint32_t flags)
{
	if (flags & PAGE_AHEAD)
		atomic_and(&p->flags, ~(uint32_t)PAGE_AHEAD);
	else if (!(flags & PAGE_REFERENCED))
		atomic_or(&p->flags, (uint32_t)PAGE_REFERENCED);
}

int
page_cache_find(struct memory_object *o, struct file *f, uint64_t index, uint64_t wanted, unsigned int how,
		struct page **out)
{
	for (;;) {
		struct page *p = page_cache_look_up(o, index);
		uint32_t flags;
		int error;

		*out = p;
		if (!p) {
			if (how & FIND_NOWAIT)
				return -EAGAIN;
			current_thread()->page_misses++;
			error = readahead_missing(o, f, index, wanted, how);
			if (error != 0)
				return error;
			continue;
		}
		flags = page_flags(p);
		if (likely(flags & PAGE_UPTODATE)) {
			used(p, flags);
			if ((flags & PAGE_READAHEAD) && !(how & FIND_NOWAIT)) {
				atomic_and(&p->flags, ~(uint32_t)PAGE_READAHEAD);
				readahead_more(o, f, index);
			}
			return 0;
		}
		if (how & FIND_NOWAIT) {
			page_put(p);
			*out = NULL;
			return -EAGAIN;
		}
		if (!(flags & (PAGE_LOCKED | PAGE_WRITEBACK))) {
			error = refill(o, f, p);
			if (error != 0) {
				page_put(p);
				return error;
			}
		}
		return -EAGAIN;
	}
}

int
page_cache_await(const struct memory_object *o, struct page *p)
{
	int error = page_flags(p) & PAGE_UPTODATE ? 0 : page_wait(p, PAGE_LOCKED);

	/* Dropped while it was being written: what is to be filled anew cannot be before that is over. */
	if (error == 0 && !(page_flags(p) & PAGE_UPTODATE))
		error = page_wait(p, PAGE_WRITEBACK);
	if (error == 0 && !(page_flags(p) & PAGE_UPTODATE) && READ_ONCE(p->object) == o)
		error = (int)READ_ONCE(p->private);
	page_put(p);
	return error;
}

int
page_cache_get(struct memory_object *o, struct file *f, uint64_t index, uint64_t wanted, struct page **out)
{
	for (;;) {
		int error = page_cache_find(o, f, index, wanted, 0, out);

		if (error != -EAGAIN)
			return error;
		error = page_cache_await(o, *out);
		if (error != 0)
			return error;
		if (unlikely(signal_fatal_pending(current_thread())))
			return -EINTR;
	}
}
