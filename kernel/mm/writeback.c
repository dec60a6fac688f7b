/* SPDX-License-Identifier: MIT */
/*
 * writeback.c - dirty pages on their way to the store, and the errors of that.
 *
 * Dirty pages carry a mark in the object's tree, leaving ones another, so both are found in the
 * order of their place, and runs of neighbours are made without looking at what is clean. A page is
 * taken out of DIRTY like this:
 *
 *	(1) under pages_lock DIRTY becomes WRITEBACK, for a whole run
 *	(2) leaves that may be written in shared mappings lose that right, each under its page-table lock; flush
 *	(3) the store reads the pages
 *
 * Who writes by a mapping: the fault (4) marks the page dirty and installs the leaf, both under the
 * page-table lock. If (4) comes before (2) reaches that table, stores made up to then are seen by
 * (3), and later ones fault. If it comes after, DIRTY was set after (1), and stays. Who writes by
 * write(2) copies, then marks: marked before (1), (3) sees the data; after, DIRTY stays.
 *
 * A hold (object_hold_writes) keeps (1) from happening and waits until what is WRITEBACK is not.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/print.h>
#include <tessera/signal.h>
#include <tessera/thread.h>
#include <tessera/time.h>

#include "mm.h"
#include "page_cache.h"

#define MEMORY_TRIES 1000u /* of a write that has to be, */
#define MEMORY_PAUSE (10 * NSEC_PER_MSEC) /* where there is no memory for it */
#define IN_FLIGHT_MAX (4u * BACKING_RUN_MAX) /* pages with one store at once; more wait here, not there */

/* --- errors ---------------------------------------------------------------------------------------- */

#define ERROR_CODE 0xfffu
#define ERROR_TOLD BIT(12)
#define ERROR_STEP BIT(13)

void
error_sequence_set(struct error_sequence *s, int error)
{
	uint32_t old = atomic_load_relaxed(&s->value), new;

	/* One that nobody has been told is not counted twice: whoever asks learns of the latest. */
	do {
		new = (old & ~(ERROR_CODE | ERROR_TOLD)) | ((uint32_t)-error & ERROR_CODE);
		if (old & ERROR_TOLD || !(old & ERROR_CODE))
			new += ERROR_STEP;
	} while (!atomic_cas(&s->value, &old, new));
}

uint32_t
error_sequence_sample(struct error_sequence *s)
{
	uint32_t now = atomic_load_relaxed(&s->value);

	return now & ERROR_TOLD ? now : 0;
}

int
error_sequence_check(struct error_sequence *s, uint32_t *seen)
{
	uint32_t now = atomic_load_relaxed(&s->value);

	if (now == atomic_load_relaxed(seen))
		return 0;
	if (!(now & ERROR_TOLD) && atomic_cas(&s->value, &now, now | ERROR_TOLD))
		now |= ERROR_TOLD;
	atomic_store_release(seen, now);
	return -(int)(now & ERROR_CODE);
}

/* --- becoming dirty -------------------------------------------------------------------------------- */

int
object_prepare_dirty(struct memory_object *o)
{
	struct backing *b = o->store->backing;
	int dead = atomic_load(&b->dead);

	if (!o->ops->write_pages && !o->ops->write_page)
		return -EROFS;
	if (dead)
		return dead;
	return READ_ONCE(b->flusher) ? 0 : backing_start_flusher(b);
}

bool
object_mark_dirty(struct memory_object *o, struct page *p)
{
	struct object_store *s = o->store;
	bool ours;

	if (!s)
		return true;
	spin_lock(&o->pages_lock);
	ours = p->object == o && (page_flags(p) & PAGE_UPTODATE);
	if (ours && !(page_flags(p) & PAGE_DIRTY) && (s->dirty + s->writeback > 0 || backing_object_dirty(s))) {
		atomic_or(&p->flags, (uint32_t)PAGE_DIRTY);
		radix_mark(&o->pages, p->index, MARK_DIRTY);
		WRITE_ONCE(s->dirty, s->dirty + 1);
		dirty_count(s->backing, 1, 0);
		current_thread()->disk.written += PAGE_SIZE;
	}
	spin_unlock(&o->pages_lock);
	return ours;
}

void
page_written(struct page *p)
{
	struct memory_object *o;

	if (!(page_flags(p) & PAGE_CACHED))
		return;
	o = evict_object_of(p);
	if (!o)
		return;
	(void)object_mark_dirty(o, p);
	object_put(o);
}

void
writeback_forget_dirty(struct memory_object *o, struct page *p)
{
	struct object_store *s = o->store;

	assert_held(&o->pages_lock);
	atomic_and(&p->flags, ~(uint32_t)PAGE_DIRTY);
	radix_unmark(&o->pages, p->index, MARK_DIRTY);
	WRITE_ONCE(s->dirty, s->dirty - 1);
	dirty_count(s->backing, -1, 0);
	if (s->dirty + s->writeback == 0)
		backing_object_clean(s);
}

bool
object_is_dirty_now(struct memory_object *o)
{
	bool dirty;

	spin_lock(&o->pages_lock);
	dirty = object_is_dirty(o);
	spin_unlock(&o->pages_lock);
	return dirty;
}

bool
object_is_dirty(const struct memory_object *o)
{
	const struct object_store *s = o->store;

	return s && (atomic_load(&s->dirty) > 0 || atomic_load(&s->writeback) > 0); /* in this order: see take() */
}

/* --- leaving ---------------------------------------------------------------------------------------- */

/*
 * (1) for `p`, which is dirty and not being written; it joins the run. pages_lock held. Others look at the counts without
 * it, first at `dirty` and then at `writeback`: they count up here before they count down, and so no page is in neither.
 */
static void
take(struct object_store *s, struct page_run *run, struct page *p)
{
	atomic_or(&p->flags, (uint32_t)PAGE_WRITEBACK);
	atomic_and(&p->flags, ~(uint32_t)PAGE_DIRTY);
	radix_mark(&s->object->pages, p->index, MARK_WRITEBACK);
	radix_unmark(&s->object->pages, p->index, MARK_DIRTY);
	WRITE_ONCE(s->writeback, s->writeback + 1);
	atomic_store_release(&s->dirty, s->dirty - 1);
	page_get(p);
	run->pages[run->count++] = p;
}

static bool
can_take(const struct page *p)
{
	return p && (page_flags(p) & (PAGE_DIRTY | PAGE_WRITEBACK)) == PAGE_DIRTY;
}

/*
 * Take the first dirty pages of [*index, last] that lie side by side; *index moves behind them.
 * `busy`, not NULL, gets instead, referenced, the first that is being written and dirty again;
 * NULL: those are passed over. 0, -EBUSY: *busy is set, or writes are held (*busy NULL); -ENOENT:
 * nothing is left.
 */
static int
gather(struct memory_object *o, uint64_t *index, uint64_t last, struct page_run *run, uint32_t room,
       struct page **busy)
{
	struct object_store *s = o->store;
	int error = -ENOENT;
	struct page *p;

	spin_lock(&o->pages_lock);
	if (s->holds > 0 && s->dirty > 0) {
		spin_unlock(&o->pages_lock);
		return -EBUSY;
	}
	while ((p = radix_next_marked(&o->pages, index, MARK_DIRTY)) != NULL && *index <= last) {
		if (!can_take(p)) {
			if (busy) {
				page_get(p);
				*busy = p;
				error = -EBUSY;
				break;
			}
			if ((*index)++ == UINT64_MAX)
				break;
			continue;
		}
		run->first = *index;
		while (run->count < room && *index <= last && can_take(p)) {
			take(s, run, p);
			p = radix_get(&o->pages, ++*index);
		}
		dirty_count(s->backing, -(int64_t)run->count, run->count);
		error = 0;
		break;
	}
	spin_unlock(&o->pages_lock);
	return error;
}

/* (2) and (3). */
static void
submit(struct page_run *run)
{
	struct memory_object *o = run->object;
	int dead = atomic_load(&o->store->backing->dead);
	uint64_t size, start = run->first << PAGE_SHIFT, all = (uint64_t)run->count << PAGE_SHIFT;
	uint32_t n = run->count;

	object_protect_range(o, run->first, run->first + n - 1);
	size = atomic_load_relaxed(&o->size);
	run->bytes = (uint32_t)(start >= size ? 0 : MIN(all, size - start));
	run->left = n;
	run->write = true;
	if (run->bytes < all)
		page_run_zero(run, run->bytes); /* a mapping may have left something behind the end */
	if (dead || run->bytes == 0)
		page_run_complete_all(run, dead);
	else if (o->ops->write_pages)
		o->ops->write_pages(run);
	else
		for (uint32_t i = 0; i < n; i++)
			page_run_complete(run, i, 1, o->ops->write_page(o, run->pages[i]));
}

void
write_complete(struct page_run *run, uint32_t from, uint32_t count, int error)
{
	struct memory_object *o = run->object;
	struct object_store *s = o->store;
	struct backing *b = s->backing;
	bool idle, left;

	if (error != 0) {
		error_sequence_set(&s->errors, error);
		error_sequence_set(&b->errors, error);
	}
	spin_lock(&o->pages_lock);
	for (uint32_t i = from; i < from + count; i++) {
		radix_unmark(&o->pages, run->first + i, MARK_WRITEBACK);
		atomic_and(&run->pages[i]->flags, ~(uint32_t)PAGE_WRITEBACK);
		page_put(run->pages[i]); /* the tree has it still: an idle page has no reference of ours */
	}
	WRITE_ONCE(s->writeback, s->writeback - count);
	dirty_count(b, 0, -(int64_t)count);
	idle = s->writeback == 0;
	left = s->dirty > 0;
	if (idle && s->dirty == 0)
		backing_object_clean(s);
	spin_unlock(&o->pages_lock);
	atomic_add_relaxed(&b->written, count);
	for (uint32_t i = from; i < from + count; i++)
		page_wake(run->pages[i]);
	if (idle && !wait_queue_is_empty(&s->idle))
		wake_all(&s->idle);
	if (left && atomic_load(&b->dead)) /* the last round passed over what was being written and dirty again */
		backing_kick(b);
	writeback_progress(b);
}

/* Wait until the store has less to do, or there is none. 0 or -EINTR. */
static int
wait_for_room(struct backing *b, enum wait_mode mode)
{
	return wait_event_deadline(&b->progress,
				   atomic_load_relaxed(&b->writeback) < IN_FLIGHT_MAX || atomic_load(&b->dead), mode,
				   DEADLINE_NEVER);
}

static int
wait_for_release(struct object_store *s, enum wait_mode mode)
{
	return wait_event_deadline(&s->idle, atomic_load(&s->holds) == 0, mode, DEADLINE_NEVER);
}

static int
write_start(struct memory_object *o, uint64_t start, uint64_t end, bool urgent, enum wait_mode mode)
{
	uint64_t index = start / PAGE_SIZE, last = (end - 1) / PAGE_SIZE;
	struct object_store *s = o->store;
	int error = 0;

	if (!s || end <= start)
		return 0;
	while (error == 0 && index <= last && READ_ONCE(s->dirty) > 0) {
		struct page *busy = NULL;
		struct page_run *run;
		uint32_t room;

		error = wait_for_room(s->backing, mode);
		if (error != 0)
			break;
		run = page_run_create(o, index, s->backing->run_pages, &room);
		if (!run)
			return -ENOMEM;
		run->urgent = urgent;
		error = gather(o, &index, last, run, room, urgent ? &busy : NULL);
		if (error == 0) {
			submit(run);
			continue;
		}
		page_run_free(run);
		if (error == -ENOENT)
			return 0;
		if (!urgent)
			return 0; /* held: who holds knows, and the flusher comes again */
		error = busy ? page_wait_mode(busy, PAGE_WRITEBACK, mode) : wait_for_release(s, mode);
		if (busy)
			page_put(busy);
	}
	return error;
}

int
object_write_start(struct memory_object *o, uint64_t start, uint64_t end, bool urgent)
{
	return write_start(o, start, end, urgent, WAIT_KILLABLE);
}

static int
write_wait(struct memory_object *o, uint64_t start, uint64_t end, enum wait_mode mode)
{
	uint64_t index = start / PAGE_SIZE, last = (end - 1) / PAGE_SIZE;
	struct object_store *s = o->store;
	int error = 0;

	if (!s || end <= start)
		return 0;
	while (error == 0 && index <= last && READ_ONCE(s->writeback) > 0) {
		struct page *p;

		spin_lock(&o->pages_lock);
		p = radix_next_marked(&o->pages, &index, MARK_WRITEBACK);
		if (p && index <= last)
			page_get(p);
		else
			p = NULL;
		spin_unlock(&o->pages_lock);
		if (!p)
			break;
		error = page_wait_mode(p, PAGE_WRITEBACK, mode);
		page_put(p);
		if (index++ == UINT64_MAX)
			break;
	}
	return error;
}

int
object_write_wait(struct memory_object *o, uint64_t start, uint64_t end)
{
	return write_wait(o, start, end, WAIT_KILLABLE);
}

void
object_sync_unkillably(struct memory_object *o)
{
	struct object_store *s = o->store;
	uint32_t tries = 0;

	while (write_start(o, 0, UINT64_MAX, true, WAIT_UNINTERRUPTIBLE) == -ENOMEM) {
		if (tries++ == MEMORY_TRIES) {
			pr_err("backing %s: no memory to write %lu pages of what is being closed\n",
			       s->backing->name, s->dirty);
			break;
		}
		(void)wait_event_deadline(&s->idle, false, WAIT_UNINTERRUPTIBLE, deadline_after(MEMORY_PAUSE));
	}
	(void)write_wait(o, 0, UINT64_MAX, WAIT_UNINTERRUPTIBLE);
}

int
object_sync(struct memory_object *o, uint64_t start, uint64_t end)
{
	int error = object_write_start(o, start, end, true);

	return error != 0 ? error : object_write_wait(o, start, end);
}

int
object_hold_writes(struct memory_object *o)
{
	struct object_store *s = o->store;
	int error;

	if (!s)
		return 0;
	spin_lock(&o->pages_lock);
	WRITE_ONCE(s->holds, s->holds + 1);
	spin_unlock(&o->pages_lock);
	error = wait_event_killable(&s->idle, atomic_load(&s->writeback) == 0);
	if (error != 0)
		object_release_writes(o);
	return error;
}

void
object_release_writes(struct memory_object *o)
{
	struct object_store *s = o->store;
	bool last;

	if (!s)
		return;
	spin_lock(&o->pages_lock);
	assert(s->holds > 0);
	WRITE_ONCE(s->holds, s->holds - 1);
	last = s->holds == 0;
	spin_unlock(&o->pages_lock);
	if (last)
		wake_all(&s->idle);
}
