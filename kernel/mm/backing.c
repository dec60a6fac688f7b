/* SPDX-License-Identifier: MIT */
/*
 * backing.c - whom pages are written to, and the thread that does it.
 *
 * An object is in one of three states to its backing:
 *
 *	unlisted  --first dirty page-->  on `objects`  --nothing dirty or leaving-->  on `clean`  --flusher-->  unlisted
 *	                                     ^------------------ dirty again ------------/
 *
 * While listed it has references to itself and its inode, which the flusher alone drops: dropping
 * the last of an inode asks the file system for work, and pages become clean in contexts that may
 * not do that.
 *
 * `objects` is in the order of dirtied_when. A round writes those from before its beginning, gives
 * them its own time and puts them at the end, so it ends. A round is made when something has been
 * dirty for dirty_expire, when too much is dirty (then all is written until it is not), and when
 * the backing is dead, which is fast.
 *
 * backing_sync() makes a round of its own, marks what is listed then and waits for each of
 * that. `pass` keeps two rounds from moving objects about under each other, `syncing` two that
 * wait. A page that is never written holds up who waits for it, and not the rounds.
 *
 * References: the owner's, and one of each object. With the last the flusher, which may be who
 * drops it, is told to end, and frees the backing on its way out.
 *
 * Locks: all_lock (LEAF) for the list of backings. syncing, then pass, then pages_lock, then backing->lock.
 * Whoever calls into this file from a page has a reference to the object, and by it to the backing.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/print.h>
#include <tessera/rcu.h>
#include <tessera/signal.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/thread.h>
#include <tessera/time.h>

#include "mm.h"
#include "page_cache.h"

#define READAHEAD_DEFAULT 32u

static struct spinlock all_lock = SPINLOCK_INIT(LEAF);
static struct list all = LIST_INIT(all); /* all_lock: struct backing.all_node */
static uint64_t sync_id;                 /* [a] */

struct backing *
backing_create(const char *name, void *private)
{
	struct backing *b = kzalloc(sizeof(*b));
	uint64_t flags;

	if (!b)
		return NULL;
	ref_init(&b->refs);
	string_copy(b->name, name, sizeof(b->name));
	b->run_pages = BACKING_RUN_MAX;
	b->readahead_pages = READAHEAD_DEFAULT;
	b->max_ratio = 100;
	b->private = private;
	spin_init(&b->lock, LOCK_BACKING);
	mutex_init(&b->syncing, LOCK_BACKING_SYNC);
	mutex_init(&b->pass, LOCK_BACKING_PASS);
	list_init(&b->objects);
	list_init(&b->clean);
	wait_queue_init(&b->work);
	wait_queue_init(&b->progress);
	flags = spin_lock_irq(&all_lock);
	list_add_tail(&all, &b->all_node);
	spin_unlock_irq(&all_lock, flags);
	return b;
}

void
backing_get(struct backing *b)
{
	ref_get(&b->refs);
}

static void
free_backing(struct rcu_head *h)
{
	struct backing *b = container_of(h, struct backing, rcu);

	assert(list_is_empty(&b->objects) && list_is_empty(&b->clean));
	kfree(b);
}

void
backing_put(struct backing *b)
{
	struct thread *thread;
	uint64_t flags;

	if (!ref_put(&b->refs))
		return;
	flags = spin_lock_irq(&all_lock);
	list_del(&b->all_node);
	spin_unlock_irq(&all_lock, flags);
	rcu_read_lock(); /* the flusher has it freed as soon as it sees that it is to end */
	thread = b->flusher;
	atomic_store(&b->stopping, true);
	wake_all(&b->work);
	rcu_read_unlock();
	if (!thread)
		rcu_free(&b->rcu, free_backing);
}

void
backing_kick(struct backing *b)
{
	bool asleep;

	if (READ_ONCE(b->kicked))
		return;
	spin_lock(&b->lock);
	asleep = !b->kicked;
	WRITE_ONCE(b->kicked, true);
	spin_unlock(&b->lock);
	if (asleep)
		wake_all(&b->work);
}

static void
kick_all(struct backing *b)
{
	spin_lock(&b->lock);
	WRITE_ONCE(b->kicked, true);
	b->kicked_all = true;
	spin_unlock(&b->lock);
	wake_all(&b->work);
}

void
backing_kill(struct backing *b, int error)
{
	int alive = 0;

	assert(error < 0);
	if (!atomic_cas(&b->dead, &alive, error))
		return;
	wake_all(&b->progress);
	writeback_progress(b);
	backing_kick(b);
}

/* --- which objects are dirty ------------------------------------------------------------------------ */

/* References for an object that is to be listed; false: nobody has its inode any more. pages_lock
 * is held. */
static bool
pin(struct object_store *s)
{
	struct inode *i = s->object->inode;

	if (s->orphan || (i && !ref_get_unless_zero(&i->refs)))
		return false;
	s->pinned = i;
	object_get(s->object);
	atomic_add(&s->backing->pins, 1);
	return true;
}

bool
backing_object_dirty(struct object_store *s)
{
	struct backing *b = s->backing;
	bool first = false, ok = true;

	assert_held(&s->object->pages_lock);
	spin_lock(&b->lock);
	if (s->listed)
		list_del(&s->node);
	else
		ok = s->listed = pin(s);
	if (ok) {
		first = list_is_empty(&b->objects);
		s->dirtied_when = clock_monotonic_ns();
		list_add_tail(&b->objects, &s->node);
	}
	spin_unlock(&b->lock);
	if (first)
		wake_all(&b->work); /* there is a time to wait for now */
	return ok;
}

void
backing_object_clean(struct object_store *s)
{
	struct backing *b = s->backing;

	assert_held(&s->object->pages_lock);
	spin_lock(&b->lock);
	list_del(&s->node);
	list_add_tail(&b->clean, &s->node);
	spin_unlock(&b->lock);
	wake_all(&b->work);
}

/* Let go of what is clean. The flusher only. */
static void
unlist_clean(struct backing *b)
{
	for (;;) {
		struct object_store *s;
		struct memory_object *o;
		struct inode *i;

		spin_lock(&b->lock);
		s = list_first(&b->clean, struct object_store, node);
		if (s) {
			list_del(&s->node);
			s->listed = false;
		}
		o = s ? s->object : NULL;
		i = s ? s->pinned : NULL;
		spin_unlock(&b->lock);
		if (!o)
			return;
		if (o->ops->cleaned)
			o->ops->cleaned(o);
		if (i)
			inode_put(i);
		if (atomic_sub_fetch(&b->pins, 1) == 0)
			wake_all(&b->progress);
		object_put(o);
	}
}

void
backing_settle(struct backing *b)
{
	assert(atomic_load(&b->dead));
	wait_event(&b->progress, atomic_load(&b->pins) == 0);
}

/* The longest dirty object from before `cutoff`, referenced, and from now on the youngest; NULL:
 * there is none. */
static struct memory_object *
next_due(struct backing *b, uint64_t cutoff)
{
	struct object_store *s;

	spin_lock(&b->lock);
	s = list_first(&b->objects, struct object_store, node);
	if (s && s->dirtied_when <= cutoff) {
		s->dirtied_when = clock_monotonic_ns();
		if (s->dirtied_when <= cutoff)
			s->dirtied_when = cutoff + 1;
		list_del(&s->node);
		list_add_tail(&b->objects, &s->node);
		object_get(s->object);
	} else {
		s = NULL;
	}
	spin_unlock(&b->lock);
	return s ? s->object : NULL;
}

/* --- the flusher -------------------------------------------------------------------------------------- */

static uint64_t
centisecs(int n)
{
	return (uint64_t)MAX(n, 0) * 10 * NSEC_PER_MSEC;
}

/* Is there a time to wait for? No lock: also a condition to sleep on. */
static bool
has_schedule(struct backing *b)
{
	return !list_is_empty(&b->objects) && READ_ONCE(dirty_writeback_centisecs) > 0;
}

/* A condition to sleep on: no lock. */
static bool
has_work(struct backing *b)
{
	return READ_ONCE(b->kicked) || atomic_load(&b->stopping) || !list_is_empty(&b->clean);
}

/* `everything`: not only what is old; `to_the_end`: even when little is left. */
static void
round_of(struct backing *b, bool everything, bool to_the_end)
{
	uint64_t now = clock_monotonic_ns(), age = centisecs(READ_ONCE(dirty_expire_centisecs));
	struct memory_object *o;

	mutex_lock(&b->pass);
	while ((o = next_due(b, everything ? now : now - MIN(now, age))) != NULL) {
		(void)object_write_start(o, 0, UINT64_MAX, false);
		object_put(o);
		if (everything && !to_the_end && !atomic_load(&b->dead) && !dirty_over_background(b))
			everything = false;
	}
	mutex_unlock(&b->pass);
	atomic_add_relaxed(&b->rounds, 1);
}

static void
flusher(void *arg)
{
	struct backing *b = arg;

	/* Writing is how memory comes back. */
	atomic_store(&current_thread()->memory_reserve, true);
	while (!atomic_load(&b->stopping)) {
		bool timed = has_schedule(b);
		deadline_t until = timed ? deadline_after(centisecs(READ_ONCE(dirty_writeback_centisecs))) : DEADLINE_NEVER;
		int error = wait_event_deadline(&b->work, has_work(b) || (!timed && has_schedule(b)), WAIT_INTERRUPTIBLE,
						until);
		bool kicked, to_the_end, any;

		spin_lock(&b->lock);
		kicked = b->kicked;
		to_the_end = b->kicked_all;
		WRITE_ONCE(b->kicked, false);
		b->kicked_all = false;
		any = !list_is_empty(&b->objects);
		spin_unlock(&b->lock);
		if (any && (kicked || error == -ETIMEDOUT))
			round_of(b, kicked, to_the_end);
		unlist_clean(b);
	}
	rcu_free(&b->rcu, free_backing);
	thread_exit();
}

int
backing_start_flusher(struct backing *b)
{
	struct thread *t;
	char name[16];

	scnprintf(name, sizeof(name), "flush-%.9s", b->name);
	t = thread_create_kernel(name, flusher, b);
	if (!t)
		return -ENOMEM;
	spin_lock(&b->lock);
	if (!b->flusher) {
		WRITE_ONCE(b->flusher, t);
		t = NULL;
	}
	spin_unlock(&b->lock);
	if (t)
		thread_put(t);
	else
		thread_start(b->flusher);
	return 0;
}

/* --- sync(2) and its like ------------------------------------------------------------------------------ */

/* Those that are listed now are to be waited for. */
static void
mark_all(struct backing *b)
{
	struct object_store *s;

	spin_lock(&b->lock);
	list_for_each(s, &b->objects, node)
		s->awaited = true;
	spin_unlock(&b->lock);
}

/* One of those, referenced, and no longer one. The flusher may have moved it among the others. NULL: there is none. */
static struct memory_object *
next_marked(struct backing *b)
{
	struct object_store *s, *found = NULL;

	spin_lock(&b->lock);
	list_for_each(s, &b->objects, node)
		if (s->awaited) {
			found = s;
			break;
		}
	if (found) {
		found->awaited = false;
		found->dirtied_when = clock_monotonic_ns();
		list_del(&found->node);
		list_add_tail(&b->objects, &found->node);
		object_get(found->object);
	}
	spin_unlock(&b->lock);
	return found ? found->object : NULL;
}

/* Start to write all that was dirty before `now`. */
static int
write_all(struct backing *b, uint64_t now)
{
	int error = mutex_lock_killable(&b->pass);
	struct memory_object *o;

	if (error != 0)
		return error;
	while (error == 0 && (o = next_due(b, now)) != NULL) {
		error = object_write_start(o, 0, UINT64_MAX, false);
		object_put(o);
	}
	mutex_unlock(&b->pass);
	return error;
}

int
backing_sync(struct backing *b, bool wait)
{
	uint64_t now = clock_monotonic_ns();
	int error = mutex_lock_killable(&b->syncing);
	struct memory_object *o;

	if (error != 0)
		return error;
	error = write_all(b, now);
	if (wait)
		mark_all(b);
	while (error == 0 && wait && (o = next_marked(b)) != NULL) {
		error = object_sync(o, 0, UINT64_MAX);
		object_put(o);
	}
	mutex_unlock(&b->syncing);
	if (error == 0 && b->flush && !atomic_load(&b->dead))
		error = b->flush(b, wait);
	return error;
}

#define PATIENCE (5 * NSEC_PER_SEC)

/* Pages that are dirty or leaving; none is missed that goes from one to the other: dirty_count(). */
static uint64_t
count_due(struct backing *b)
{
	int64_t dirty = atomic_load(&b->dirty);

	return (uint64_t)(dirty + atomic_load(&b->writeback));
}

int
backing_sync_patiently(struct backing *b, bool killable)
{
	enum wait_mode mode = killable ? WAIT_KILLABLE : WAIT_UNINTERRUPTIBLE;
	uint64_t start = atomic_load(&b->written), due = count_due(b);
	uint64_t now = start;
	deadline_t last = DEADLINE_NEVER; /* for one who is being killed: of all, not of a step */
	int error = 0;

	while (error == 0 && now - start < due && count_due(b) > 0) {
		uint64_t before = now;

		if (last == DEADLINE_NEVER && signal_fatal_pending(current_thread()))
			last = deadline_after(PATIENCE);

		kick_all(b);
		/* What is truncated is written by nobody. */
		error = wait_event_deadline(&b->progress, (now = atomic_load(&b->written)) != before ||
								  atomic_load(&b->dead) || count_due(b) == 0,
					    mode, MIN(last, deadline_after(PATIENCE)));
		if (atomic_load(&b->dead))
			break;
	}
	if (error == -ETIMEDOUT)
		pr_warn("backing %s: nothing of %lu pages was written for seconds: sync waits no longer\n", b->name, due);
	return error == -ETIMEDOUT ? 0 : error;
}

static int
sync_one(struct backing *b, bool wait)
{
	if (!b->untrusted)
		return backing_sync(b, wait);
	if (wait)
		return backing_sync_patiently(b, true);
	kick_all(b);
	return 0;
}

/* A backing that this sync has not been to, with a reference, or NULL. */
static struct backing *
next_backing(uint64_t id)
{
	uint64_t flags = spin_lock_irq(&all_lock);
	struct backing *b, *found = NULL;

	list_for_each(b, &all, all_node)
		if (b->synced != id && ref_get_unless_zero(&b->refs)) {
			b->synced = id;
			found = b;
			break;
		}
	spin_unlock_irq(&all_lock, flags);
	return found;
}

int
backing_sync_all(void)
{
	int error = 0;

	for (int wait = 0; wait <= 1 && error != -EINTR; wait++) {
		uint64_t id = atomic_add_fetch(&sync_id, 1);
		struct backing *b;

		while ((b = next_backing(id)) != NULL) {
			error = sync_one(b, wait);
			backing_put(b);
			if (error == -EINTR)
				break;
		}
	}
	return error == -EINTR ? error : 0;
}

void
backing_write_all(void)
{
	uint64_t id = atomic_add_fetch(&sync_id, 1);
	struct backing *b;

	while ((b = next_backing(id)) != NULL) {
		kick_all(b);
		backing_put(b);
	}
}

void
backing_dump_all(void)
{
	struct backing *b;

	list_for_each(b, &all, all_node)
		pr_info("backing %s: %ld dirty, %ld leaving, %lu filled and %lu written ever, %lu rounds%s%s\n", b->name,
			b->dirty, b->writeback, b->filled, b->written, b->rounds, b->kicked ? ", kicked" : "",
			b->dead ? ", dead" : "");
}
