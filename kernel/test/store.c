/* SPDX-License-Identifier: MIT */
/*
 * store.c - the store of store.h.
 */
#include "store.h"

#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/test.h>
#include <tessera/thread.h>

#define ORDER 8u /* of the block that is the disk */
_Static_assert(1u << ORDER == STORE_PAGES, "the disk is one block");

/* Copy one page of a run to or from the disk. */
static void
move_page(struct store *s, struct page_run *run, uint32_t i)
{
	char *at = s->disk + (run->first + i) * PAGE_SIZE, *page = page_to_virt(run->pages[i]);
	uint32_t n = run->bytes > i * PAGE_SIZE ? MIN(run->bytes - i * (uint32_t)PAGE_SIZE, (uint32_t)PAGE_SIZE) : 0;

	if (run->first + i >= STORE_PAGES)
		ktest_fail(__FILE__, __LINE__, "page %lu of the store was asked for", run->first + i);
	else if (run->write)
		memcpy(at, page, n);
	else
		memcpy(page, at, n);
}

static void
answer(struct store *s, struct page_run *run, int error, bool parts)
{
	uint32_t count = run->count, half = count / 2;
	bool write = run->write;

	if (!error)
		error = atomic_load(write ? &s->write_error : &s->fill_error);
	for (uint32_t i = 0; i < count && !error; i++)
		move_page(s, run, i);
	if (!error && !write)
		page_run_zero(run, run->bytes);
	if (parts && half > 0) {
		page_run_complete(run, half, count - half, error);
		page_run_complete(run, 0, half, error);
	} else {
		page_run_complete_all(run, error);
	}
}

static void
ask(struct store *s, struct page_run *run)
{
	atomic_add(run->write ? &s->writes : &s->fills, 1);
	atomic_add(run->write ? &s->write_pages : &s->fill_pages, run->count);
	if (atomic_load(&s->mode) == STORE_AT_ONCE) {
		answer(s, run, 0, false);
		return;
	}
	uint64_t flags = spin_lock_irq(&s->lock);

	list_add_tail(&s->runs, &run->list);
	spin_unlock_irq(&s->lock, flags);
	wake_all(&s->come);
}

static void
store_pages(struct page_run *run)
{
	ask(run->object->private, run);
}

static int
store_read_page(struct memory_object *o, struct page *p)
{
	struct store *s = o->private;
	int error = atomic_load(&s->fill_error);

	atomic_add(&s->fill_pages, 1);
	if (!error)
		memcpy(page_to_virt(p), s->disk + p->index * PAGE_SIZE, PAGE_SIZE);
	return error;
}

static int
store_write_page(struct memory_object *o, struct page *p)
{
	struct store *s = o->private;
	int error = atomic_load(&s->write_error);

	atomic_add(&s->write_pages, 1);
	if (!error)
		memcpy(s->disk + p->index * PAGE_SIZE, page_to_virt(p), PAGE_SIZE);
	return error;
}

static void
store_release(struct memory_object *o)
{
	struct store *s = o->private;
	uint64_t flags = spin_lock_irq(&s->lock);

	/* Under the lock: once store_destroy() has had it, nobody is in here. */
	atomic_store(&s->released, true);
	wake_all(&s->come);
	spin_unlock_irq(&s->lock, flags);
}

static const struct memory_object_ops store_ops = {
	.name = "test store",
	.read_pages = store_pages,
	.write_pages = store_pages,
	.release = store_release,
};

static const struct memory_object_ops simple_ops = {
	.name = "simple test store",
	.read_page = store_read_page,
	.write_page = store_write_page,
	.release = store_release,
};

/* One run off the queue; NULL: there is none. */
static struct page_run *
take(struct store *s, bool newest)
{
	uint64_t flags = spin_lock_irq(&s->lock);
	struct page_run *run = newest ? list_last(&s->runs, struct page_run, list)
				      : list_first(&s->runs, struct page_run, list);

	if (run)
		list_del(&run->list);
	spin_unlock_irq(&s->lock, flags);
	return run;
}

uint32_t
store_answer(struct store *s, uint32_t n, bool newest, int error)
{
	struct page_run *run;
	uint32_t done = 0;

	while (done < n && (run = take(s, newest)) != NULL) {
		answer(s, run, error, true);
		done++;
	}
	return done;
}

uint32_t
store_waiting(struct store *s)
{
	uint64_t flags = spin_lock_irq(&s->lock);
	struct page_run *run;
	uint32_t n = 0;

	list_for_each(run, &s->runs, list)
		n++;
	spin_unlock_irq(&s->lock, flags);
	return n;
}

const struct page *
store_first(struct store *s)
{
	uint64_t flags = spin_lock_irq(&s->lock);
	const struct page *p = list_first(&s->runs, struct page_run, list)->pages[0];

	spin_unlock_irq(&s->lock, flags);
	return p;
}

static void
worker(void *arg)
{
	struct store *s = arg;

	while (!atomic_load(&s->stop)) {
		wait_event(&s->come, atomic_load(&s->stop) ||
				     (atomic_load(&s->mode) == STORE_LATE && !list_is_empty(&s->runs)));
		/* Let more come, so that there is an order to turn round. */
		sched_yield_thread();
		while (atomic_load(&s->mode) == STORE_LATE && store_answer(s, 1, true, 0))
			;
	}
	atomic_store(&s->stopped, true);
	thread_exit();
}

bool
store_create(struct store *s, enum store_mode mode)
{
	struct page *disk = page_alloc(ORDER, 0);

	*s = (struct store){ .mode = mode };
	spin_init(&s->lock, LOCK_DEVICE);
	list_init(&s->runs);
	wait_queue_init(&s->come);
	s->disk = disk ? page_to_virt(disk) : NULL;
	s->backing = backing_create("test", s);
	s->object = s->backing ? object_create_stored(mode == STORE_SIMPLE ? &simple_ops : &store_ops,
						      STORE_PAGES * PAGE_SIZE, s, s->backing)
			       : NULL;
	s->worker = thread_create_kernel("ktest-store", worker, s);
	if (!disk || !s->object || !s->worker) {
		ktest_fail(__FILE__, __LINE__, "no memory for a store");
		return false;
	}
	for (uint64_t i = 0; i < STORE_PAGES * PAGE_SIZE / sizeof(i); i++)
		((uint64_t *)s->disk)[i] = i;
	thread_start(s->worker);
	return true;
}

void
store_destroy(struct store *s)
{
	uint64_t flags;

	object_put(s->object);
	/* The flusher lets go of what was dirty, in its own time. */
	wait_event(&s->come, atomic_load(&s->released));
	flags = spin_lock_irq(&s->lock);
	spin_unlock_irq(&s->lock, flags);
	backing_put(s->backing);
	atomic_store(&s->stop, true);
	wake_all(&s->come);
	while (!atomic_load(&s->stopped))
		sched_yield_thread();
	page_free(virt_to_page(s->disk), ORDER);
}

uint64_t
store_word(const struct store *s, uint64_t i)
{
	return READ_ONCE(((uint64_t *)s->disk)[i]);
}

/* --- little memory -------------------------------------------------------------------------------------- */

void
memory_hoard(struct list *to, uint64_t left)
{
	struct memory_stats m;
	struct page *p;

	for (memory_stats(&m); m.free > left + (1ul << MAX_ORDER); memory_stats(&m)) {
		p = page_alloc(MAX_ORDER, ALLOC_NOWAIT);
		if (!p)
			break;
		list_add(to, &p->node);
	}
	while (m.free > left && (p = page_alloc(0, ALLOC_NOWAIT)) != NULL) {
		list_add(to, &p->node);
		m.free--;
	}
}

void
memory_give_back(struct list *from)
{
	while (!list_is_empty(from)) {
		struct page *p = list_first(from, struct page, node);

		list_del(&p->node);
		page_free(p, p->order);
	}
}
