/* SPDX-License-Identifier: MIT */
/*
 * poll.c - waiting for any of several files: the core of poll(2) and select(2).
 *
 * The first round only asks: mostly something is ready, and then no queue need know of us. The second puts a
 * waiter on every queue the files name; any of them sets `triggered` and wakes the thread, which then asks all
 * files again. The flag, not the files, is what is tested between wait_prepare() and the sleep, since asking a
 * file may itself sleep.
 */
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/panic.h>
#include <tessera/poll.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/thread.h>

#define INLINE_ENTRIES 8
#define CHUNK_ENTRIES  40

struct poll_entry {
	struct waiter waiter;
	struct file *file; /* a reference: the queue lives in it */
};

struct poll_chunk {
	struct poll_chunk *next;
	uint32_t used;
	struct poll_entry entry[CHUNK_ENTRIES];
};

/* On the stack of the poller. */
struct poll_wait_set {
	struct poll_table table;  /* first: container_of in add_queue() */
	bool triggered;           /* [a] some queue was woken since the last round began */
	bool no_memory;
	uint32_t used;
	struct poll_entry entry[INLINE_ENTRIES];
	struct poll_chunk *chunks;
};

static bool
triggered(struct waiter *w, uint32_t key)
{
	struct poll_wait_set *set = w->private;

	atomic_store(&set->triggered, true);
	return thread_wake(w->thread);
}

static struct poll_entry *
entry_take(struct poll_wait_set *set)
{
	if (set->used < INLINE_ENTRIES)
		return &set->entry[set->used++];
	if (!set->chunks || set->chunks->used == CHUNK_ENTRIES) {
		struct poll_chunk *c = kmalloc(sizeof(*c), 0);

		if (!c)
			return NULL;
		c->used = 0;
		c->next = set->chunks;
		set->chunks = c;
	}
	return &set->chunks->entry[set->chunks->used++];
}

static void
add_queue(struct poll_table *pt, struct file *f, struct wait_queue *q)
{
	struct poll_wait_set *set = container_of(pt, struct poll_wait_set, table);
	struct poll_entry *e = entry_take(set);

	if (!e) {
		set->no_memory = true;
		return;
	}
	file_get(f);
	e->file = f;
	waiter_init(&e->waiter, current_thread());
	e->waiter.wake = triggered;
	e->waiter.private = set;
	waiter_add(q, &e->waiter);
}

static void
entry_release(struct poll_entry *e)
{
	waiter_remove(&e->waiter);
	file_put(e->file);
}

static void
set_release(struct poll_wait_set *set)
{
	for (uint32_t i = 0; i < set->used; i++)
		entry_release(&set->entry[i]);
	while (set->chunks) {
		struct poll_chunk *c = set->chunks;

		for (uint32_t i = 0; i < c->used; i++)
			entry_release(&c->entry[i]);
		set->chunks = c->next;
		kfree(c);
	}
}

static __always_inline bool
ask(struct poll_item *item, struct poll_table *pt)
{
	uint32_t wanted = item->events | POLL_ALWAYS;
	struct handle_loan l;
	int error;

	item->revents = 0;
	if (item->fd < 0)
		return false;
	if (unlikely(!handle_borrow(item->fd, RIGHT_POLL, &l, &error))) {
		item->revents = POLLNVAL;
		return true;
	}
	if (pt)
		pt->events = wanted;
	item->revents = (uint16_t)(file_poll(l.file, pt) & wanted);
	handle_return(&l);
	return item->revents != 0;
}

/* One round without waiters. How many are ready. */
static long
ask_all(struct poll_item *items, uint32_t count)
{
	long ready = 0;

	for (uint32_t i = 0; i < count; i++)
		ready += ask(&items[i], NULL);
	return ready;
}

/* The round that puts waiters on the queues, until one is ready: then nobody will sleep. */
static __noinline long
ask_and_watch(struct poll_item *items, uint32_t count, struct poll_wait_set *set)
{
	long ready = 0;

	for (uint32_t i = 0; i < count; i++)
		ready += ask(&items[i], ready == 0 ? &set->table : NULL);
	return ready;
}

/* None was ready. As poll_files(). */
static __noinline long
wait_for_any(struct poll_item *items, uint32_t count, deadline_t until)
{
	struct poll_wait_set set;
	bool watching = false;
	long ready = 0;
	int error = 0;

	set.table.add = add_queue;
	set.triggered = set.no_memory = false;
	set.used = 0;
	set.chunks = NULL;
	for (;;) {
		atomic_store(&set.triggered, false);
		ready = watching ? ask_all(items, count) : ask_and_watch(items, count, &set);
		watching = true;
		if (ready > 0 || error == -ETIMEDOUT)
			break;
		if (set.no_memory) {
			error = -ENOMEM;
			break;
		}
		wait_prepare(WAIT_INTERRUPTIBLE);
		error = atomic_load(&set.triggered) ? 0 : wait_sleep(WAIT_INTERRUPTIBLE, until);
		wait_finish();
		if (error == -EINTR)
			break;
	}
	set_release(&set);
	if (ready > 0)
		return ready;
	return error == -ETIMEDOUT ? 0 : error;
}

long
poll_files(struct poll_item *items, uint32_t count, deadline_t until)
{
	long ready = ask_all(items, count);

	return ready > 0 || until == 0 ? ready : wait_for_any(items, count, until);
}
