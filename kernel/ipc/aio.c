/* SPDX-License-Identifier: MIT */
/*
 * aio.c - contexts of asynchronous I/O: a ring of events each.
 *
 * What goes through the page cache is over when io_submit returns, as on Linux; what goes past it to a disk is
 * under way, with an event reserved, a reference to the context, and is posted by whoever completes it. A context
 * that is destroyed waits for these.
 *
 * A context's id is the address of a page that is mapped for it, because libaio looks there for a ring that it may
 * read by itself. The page is zero: no ring, and libaio asks the kernel.
 */
#include <tessera/aio.h>
#include <tessera/address_space.h>
#include <tessera/continuation.h>
#include <tessera/errno.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/wait.h>

/* [I] immutable  [l] lock  [c] contexts_lock */
struct aio_context {
	struct list node;          /* [c] */
	struct refcount refs;      /* the list, calls */
	struct process *process;   /* [I] not counted: the list is emptied before it goes */
	uint64_t id;               /* [I] */
	struct spinlock lock;      /* class LEAF */
	struct wait_queue wait;
	uint32_t size;             /* [I] events that fit */
	uint32_t first, count;     /* [l] those that are there; count is read freely by who waits */
	uint32_t reserved;         /* [l] those to come; read freely by who waits */
	bool dead;                 /* [a] destroyed */
	struct continuation last;  /* frees it: the last reference may go where nothing may sleep */
	struct aio_event event[];  /* [l] */
};

static struct mutex contexts_lock = MUTEX_INIT(contexts_lock, SLEEP_LEAF);
static struct list contexts = LIST_INIT(contexts); /* contexts_lock */
static uint32_t promised;                          /* contexts_lock, read freely */

uint32_t
aio_event_count(void)
{
	return READ_ONCE(promised);
}

void
aio_get(struct aio_context *c)
{
	ref_get(&c->refs);
}

static void
free_context(struct continuation *last)
{
	vfree(container_of(last, struct aio_context, last));
}

void
aio_put(struct aio_context *c)
{
	if (ref_put(&c->refs))
		continuation_run(&c->last);
}

static struct aio_context *
find_locked(struct process *p, uint64_t id)
{
	struct aio_context *c;

	list_for_each (c, &contexts, node)
		if (c->process == p && (c->id == id || !id))
			return c;
	return NULL;
}

struct aio_context *
aio_find(uint64_t id)
{
	struct aio_context *c;

	mutex_lock(&contexts_lock);
	c = id ? find_locked(current_process(), id) : NULL;
	if (c)
		ref_get(&c->refs);
	mutex_unlock(&contexts_lock);
	return c;
}

static long
map_page(void)
{
	struct map_request r = { .length = PAGE_SIZE, .flags = MAPPING_READ | MAPPING_WRITE | MAPPING_MAYREAD |
								MAPPING_MAYWRITE };

	return address_space_map(current_process()->as, &r);
}

/* Promise `count` more events. */
static bool
promise(uint32_t count)
{
	bool fine;

	mutex_lock(&contexts_lock);
	fine = count <= AIO_EVENTS_MAX - promised;
	if (fine)
		promised += count;
	mutex_unlock(&contexts_lock);
	return fine;
}

int
aio_create(uint32_t count, uint64_t *id)
{
	struct aio_context *c;
	long page;

	if (!promise(count))
		return -EAGAIN;
	c = vmalloc(sizeof(*c) + count * sizeof(c->event[0]));
	page = c ? map_page() : -ENOMEM;
	if (page < 0) {
		mutex_lock(&contexts_lock);
		promised -= count;
		mutex_unlock(&contexts_lock);
		if (c)
			vfree(c);
		return (int)page;
	}
	ref_init(&c->refs);
	spin_init(&c->lock, LOCK_LEAF);
	wait_queue_init(&c->wait);
	continuation_init(&c->last, free_context);
	c->process = current_process();
	c->size = count;
	c->id = *id = (uint64_t)page;
	mutex_lock(&contexts_lock);
	list_add(&contexts, &c->node);
	mutex_unlock(&contexts_lock);
	return 0;
}

/* Off the list: whoever waits there is told. False: there is none. */
static bool
end_one(struct process *p, uint64_t id)
{
	struct aio_context *c;

	mutex_lock(&contexts_lock);
	c = find_locked(p, id);
	if (c) {
		list_del(&c->node);
		promised -= c->size;
	}
	mutex_unlock(&contexts_lock);
	if (!c)
		return false;
	atomic_store(&c->dead, true);
	wake_all(&c->wait);
	wait_event(&c->wait, READ_ONCE(c->reserved) == 0);
	aio_put(c);
	return true;
}

int
aio_destroy(uint64_t id)
{
	if (!id || !end_one(current_process(), id))
		return -EINVAL;
	(void)address_space_unmap(current_process()->as, id, PAGE_SIZE);
	return 0;
}

void
aio_process_end(struct process *p)
{
	while (end_one(p, 0))
		;
}

/* --- events ----------------------------------------------------------------------------------- */

int
aio_reserve(struct aio_context *c)
{
	uint64_t flags = spin_lock_irq(&c->lock);
	int error = -EAGAIN;

	if (c->count + c->reserved < c->size) {
		WRITE_ONCE(c->reserved, c->reserved + 1);
		error = 0;
	}
	spin_unlock_irq(&c->lock, flags);
	return error;
}

/* `e` NULL: there will be none. */
static void
settle(struct aio_context *c, const struct aio_event *e)
{
	uint64_t flags = spin_lock_irq(&c->lock);

	if (e) {
		c->event[(c->first + c->count) % c->size] = *e;
		atomic_store(&c->count, c->count + 1);
	}
	WRITE_ONCE(c->reserved, c->reserved - 1);
	spin_unlock_irq(&c->lock, flags);
	wake_all(&c->wait);
}

void
aio_unreserve(struct aio_context *c)
{
	settle(c, NULL);
}

void
aio_post(struct aio_context *c, const struct aio_event *e)
{
	settle(c, e);
}

static uint32_t
take(struct aio_context *c, struct aio_event *out, uint32_t most)
{
	uint64_t flags;
	uint32_t n = 0;

	if (READ_ONCE(c->count) == 0)
		return 0;
	flags = spin_lock_irq(&c->lock);
	for (; n < most && c->count > 0; n++) {
		out[n] = c->event[c->first];
		c->first = (c->first + 1) % c->size;
		atomic_store(&c->count, c->count - 1);
	}
	spin_unlock_irq(&c->lock, flags);
	return n;
}

long
aio_wait(struct aio_context *c, uint32_t least, uint32_t most, struct aio_event *out, deadline_t until)
{
	uint32_t n = 0;
	int error = 0;

	for (;;) {
		n += take(c, out + n, most - n);
		if (n >= least || error)
			break;
		if (atomic_load(&c->dead))
			return n ? (long)n : -EINVAL;
		error = wait_event_deadline(&c->wait, atomic_load(&c->count) > 0 || atomic_load(&c->dead),
					    WAIT_INTERRUPTIBLE, until);
	}
	return n || error != -EINTR ? (long)n : -EINTR;
}
