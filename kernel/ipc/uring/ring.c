/* SPDX-License-Identifier: MIT */
/*
 * ring.c - an io_uring: its memory, answers, what is registered, birth and end.
 *
 * Programs may write anything into the rings. What the kernel goes by (sizes, its own head and tail) it keeps
 * itself; of the program's it reads sq_tail and cq_head, each once, and trusts neither: a tail far off means
 * at most a full ring, a head far off a full one.
 *
 * Answers that find no room wait in a list and go into the ring when the program enters; none is lost but for
 * want of memory, which cq_overflow counts.
 */
#include <tessera/address_space.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/page.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "uring.h"

/* Offsets of mmap(2), in pages: Linux's. */
#define MAP_CQ_RING (0x8000000ul >> PAGE_SHIFT)
#define MAP_ENTRIES (0x10000000ul >> PAGE_SHIFT)

/* --- memory ----------------------------------------------------------------------------------- */

static int
ring_device_page(struct memory_object *o, uint64_t index, paddr_t *pa, unsigned int *prot)
{
	struct uring_memory *m = o->private;

	if (index >= MAP_ENTRIES) {
		index -= MAP_ENTRIES;
		if (index >= m->entries)
			return -EFAULT;
		index += m->rings;
	} else {
		if (index >= MAP_CQ_RING)
			index -= MAP_CQ_RING;
		if (index >= m->rings)
			return -EFAULT;
	}
	*pa = page_to_phys(m->pages[index]);
	return 0;
}

static void
memory_free(struct uring_memory *m)
{
	for (uint32_t i = 0; i < m->rings + m->entries; i++)
		if (m->pages[i])
			page_put(m->pages[i]);
	kfree(m);
}

static void
ring_memory_release(struct memory_object *o)
{
	memory_free(o->private);
}

static const struct memory_object_ops ring_memory_ops = {
	.name = "io_uring",
	.device_page = ring_device_page,
	.release = ring_memory_release,
};

static uint32_t
array_offset(uint32_t cq_entries)
{
	return CQES_OFFSET + cq_entries * (uint32_t)sizeof(struct uring_cqe);
}

static struct uring_memory *
memory_alloc(uint32_t sq_entries, uint32_t cq_entries)
{
	uint32_t rings = (uint32_t)DIV_ROUND_UP(array_offset(cq_entries) + sq_entries * 4, PAGE_SIZE);
	uint32_t entries = (uint32_t)DIV_ROUND_UP(sq_entries * sizeof(struct uring_sqe), PAGE_SIZE);
	struct uring_memory *m = kzalloc(sizeof(*m) + (rings + entries) * sizeof(m->pages[0]));

	if (!m)
		return NULL;
	m->rings = rings;
	m->entries = entries;
	for (uint32_t i = 0; i < rings + entries; i++) {
		m->pages[i] = page_alloc(0, ALLOC_ZERO);
		if (!m->pages[i]) {
			memory_free(m);
			return NULL;
		}
	}
	return m;
}

/* Nothing that lies in the rings crosses a page. */
static void *
ring_at(struct uring *u, uint32_t offset)
{
	return (char *)page_to_virt(u->memory->pages[offset / PAGE_SIZE]) + offset % PAGE_SIZE;
}

struct uring_header *
uring_header(struct uring *u)
{
	return ring_at(u, 0);
}

uint32_t *
uring_array_slot(struct uring *u, uint32_t index)
{
	return ring_at(u, array_offset(u->cq_entries) + (index & (u->sq_entries - 1)) * 4);
}

void
uring_read_sqe(struct uring *u, uint32_t index, struct uring_sqe *out)
{
	uint32_t offset = index * (uint32_t)sizeof(*out);

	memcpy(out, (char *)page_to_virt(u->memory->pages[u->memory->rings + offset / PAGE_SIZE]) +
			    offset % PAGE_SIZE,
	       sizeof(*out));
}

void
uring_tell_offsets(struct uring *u, struct uring_offsets *out)
{
#define AT(field) ((uint32_t)offsetof(struct uring_header, field))
	*out = (struct uring_offsets){
		.sq_head = AT(sq_head), .sq_tail = AT(sq_tail), .sq_mask = AT(sq_mask),
		.sq_entries = AT(sq_entries), .sq_flags = AT(sq_flags), .sq_dropped = AT(sq_dropped),
		.sq_array = array_offset(u->cq_entries), .cq_head = AT(cq_head),
		.cq_tail = AT(cq_tail), .cq_mask = AT(cq_mask), .cq_entries = AT(cq_entries),
		.cq_overflow = AT(cq_overflow), .cq_cqes = CQES_OFFSET, .cq_flags = AT(cq_flags),
	};
#undef AT
}

/* --- answers ---------------------------------------------------------------------------------- */

static uint32_t
ready(struct uring *u)
{
	uint32_t n = atomic_load(&u->cq_tail) - atomic_load(&uring_header(u)->cq_head);

	return MIN(n, u->cq_entries);
}

static bool
put_answer(struct uring *u, const struct uring_cqe *c)
{
	if (ready(u) >= u->cq_entries)
		return false;
	*(struct uring_cqe *)ring_at(u, CQES_OFFSET + (u->cq_tail & (u->cq_entries - 1)) *
							       (uint32_t)sizeof(*c)) = *c;
	/* What the program reads behind the tail is the answer: it loads the tail first. */
	atomic_store(&u->cq_tail, u->cq_tail + 1);
	atomic_store_release(&uring_header(u)->cq_tail, u->cq_tail);
	return true;
}

static void
put_aside(struct uring *u, const struct uring_cqe *c)
{
	struct uring_header *h = uring_header(u);
	struct uring_overflow *o = kmalloc(sizeof(*o), 0);

	if (!o) {
		atomic_add(&h->cq_overflow, 1);
		return;
	}
	o->cqe = *c;
	list_add_tail(&u->overflow, &o->node);
	atomic_add(&u->overflowed, 1);
	atomic_or(&h->sq_flags, (uint32_t)SQ_CQ_OVERFLOW);
}

static void
tell_eventfd(struct uring *u)
{
	if (!u->eventfd || (atomic_load(&uring_header(u)->cq_flags) & CQ_NO_EVENTFD))
		return;
	eventfd_signal(u->eventfd, 1);
}

void
uring_post_locked(struct uring *u, uint64_t user_data, int32_t result, uint32_t flags)
{
	struct uring_cqe c = { user_data, result, flags };

	assert_mutex_held(&u->lock);
	if (!list_is_empty(&u->overflow) || !put_answer(u, &c))
		put_aside(u, &c);
	tell_eventfd(u);
	wake_poll(&u->wait, POLLIN | POLLRDNORM);
}

void
uring_flush_locked(struct uring *u)
{
	struct uring_overflow *o;

	assert_mutex_held(&u->lock);
	while ((o = list_first(&u->overflow, struct uring_overflow, node)) != NULL) {
		if (!put_answer(u, &o->cqe))
			return;
		list_del(&o->node);
		atomic_sub(&u->overflowed, 1);
		kfree(o);
	}
	atomic_and(&uring_header(u)->sq_flags, ~(uint32_t)SQ_CQ_OVERFLOW);
}

bool
uring_post_more(struct uring_request *q, int32_t result, uint32_t flags)
{
	struct uring *u = q->ring;
	bool room;

	mutex_lock(&u->lock);
	room = list_is_empty(&u->overflow) && ready(u) < u->cq_entries;
	if (room) {
		q->repeats = true;
		uring_post_locked(u, q->sqe.user_data, result, flags);
	}
	mutex_unlock(&u->lock);
	return room;
}

int
uring_message(struct uring *to, uint64_t user_data, int32_t result)
{
	int error = 0;

	mutex_lock(&to->lock);
	if (to->flags & URING_DISABLED)
		error = -EBADFD;
	else if (to->dead)
		error = -EOVERFLOW;
	else
		uring_post_locked(to, user_data, result, 0);
	mutex_unlock(&to->lock);
	return error;
}

int
uring_wait(struct uring *u, uint32_t count, deadline_t until)
{
	int error;

	count = MIN(count, u->cq_entries);
	mutex_lock(&u->lock);
	uring_flush_locked(u);
	mutex_unlock(&u->lock);
	error = wait_event_deadline(&u->wait, ready(u) >= count || atomic_load(&u->overflowed) > 0,
				    WAIT_INTERRUPTIBLE, until);
	if (atomic_load(&u->overflowed) > 0) {
		mutex_lock(&u->lock);
		uring_flush_locked(u);
		mutex_unlock(&u->lock);
	}
	return error == -ETIMEDOUT ? -ETIME : error;
}

/* --- registering ------------------------------------------------------------------------------ */

int
uring_set_buffers(struct uring *u, struct iovec *v, uint32_t count)
{
	int error = -EBUSY;

	mutex_lock(&u->lock);
	if (!u->buffers) {
		u->buffers = v;
		u->buffer_count = count;
		error = 0;
	}
	mutex_unlock(&u->lock);
	return error;
}

int
uring_unset_buffers(struct uring *u)
{
	struct iovec *old;

	mutex_lock(&u->lock);
	old = u->buffers;
	u->buffers = NULL;
	u->buffer_count = 0;
	mutex_unlock(&u->lock);
	kfree(old);
	return old ? 0 : -ENXIO;
}

int
uring_set_eventfd(struct uring *u, struct file *f, bool async)
{
	int error = -EBUSY;

	mutex_lock(&u->lock);
	if (!u->eventfd) {
		u->eventfd = f;
		u->eventfd_async = async;
		error = 0;
	}
	mutex_unlock(&u->lock);
	return error;
}

int
uring_unset_eventfd(struct uring *u)
{
	struct file *old;

	mutex_lock(&u->lock);
	old = u->eventfd;
	u->eventfd = NULL;
	mutex_unlock(&u->lock);
	if (!old)
		return -ENXIO;
	file_put_late(old);
	return 0;
}

/* --- the open object -------------------------------------------------------------------------- */

static uint32_t
uring_poll(struct file *f, struct poll_table *pt)
{
	struct uring *u = f->private;
	struct uring_header *h = uring_header(u);
	uint32_t events = 0;

	poll_wait(pt, f, &u->wait);
	if (ready(u) > 0 || atomic_load(&u->overflowed) > 0)
		events |= POLLIN | POLLRDNORM;
	if (atomic_load(&h->sq_tail) - READ_ONCE(u->sq_head) < u->sq_entries)
		events |= POLLOUT | POLLWRNORM;
	return events;
}

static int
uring_mmap(struct file *f, uint64_t offset, size_t length, uint32_t *flags, struct memory_object **out)
{
	struct uring *u = f->private;
	uint64_t index = offset >> PAGE_SHIFT, limit = u->memory->rings;

	if (index >= MAP_ENTRIES) {
		index -= MAP_ENTRIES;
		limit = u->memory->entries;
	} else if (index >= MAP_CQ_RING) {
		index -= MAP_CQ_RING;
	}
	if (index != 0 || DIV_ROUND_UP(length, PAGE_SIZE) > limit || !(*flags & MAPPING_SHARED))
		return -EINVAL;
	*out = u->object;
	object_get(u->object);
	return 0;
}

static void
uring_release(struct file *f)
{
	struct uring *u = f->private;
	struct list gone = LIST_INIT(gone);
	struct uring_pool *p;

	mutex_lock(&u->lock);
	u->dead = true;
	uring_cancel_all_locked(u, NULL, &gone);
	while ((p = list_first(&u->pools, struct uring_pool, node)) != NULL)
		uring_pool_end_locked(p);
	mutex_unlock(&u->lock);
	uring_requests_free(&gone);
	wake_all(&u->poller_wait);
	(void)uring_unset_files(u);
	(void)uring_unset_buffers(u);
	(void)uring_unset_eventfd(u);
	uring_put(u);
}

static void
uring_dump(struct file *f)
{
	struct uring *u = f->private;
	const struct uring_request *q;

	pr_info("io_uring: %u + %u entries, %u under way, %u ready, %u aside%s\n", u->sq_entries,
		u->cq_entries, u->inflight, ready(u), u->overflowed, u->dead ? ", closed" : "");
	list_for_each (q, &u->requests, node)
		pr_info("  operation %u, state %u, user data %#lx\n", q->sqe.opcode, q->state,
			q->sqe.user_data);
}

static const struct file_ops uring_file_ops = {
	.name = "io_uring",
	.poll = uring_poll,
	.mmap = uring_mmap,
	.release = uring_release,
	.dump = uring_dump,
};

struct uring *
file_uring(struct file *f)
{
	return f->ops == &uring_file_ops ? f->private : NULL;
}

void
uring_get(struct uring *u)
{
	ref_get(&u->refs);
}

void
uring_put(struct uring *u)
{
	struct uring_overflow *o, *next_o;

	if (!ref_put(&u->refs))
		return;
	assert(list_is_empty(&u->requests) && list_is_empty(&u->pools));
	list_for_each_safe (o, next_o, &u->overflow, node)
		kfree(o);
	uring_groups_free(u);
	object_put(u->object);
	kfree(u->by_data);
	kfree(u);
}

/* As many lists as the ring may well have requests at once. */
static bool
hash_create(struct uring *u)
{
	uint32_t n = MIN(MAX(u->cq_entries, 16u), 4096u);

	u->by_data = kmalloc(n * sizeof(u->by_data[0]), 0);
	if (!u->by_data)
		return false;
	for (uint32_t i = 0; i < n; i++)
		list_init(&u->by_data[i]);
	u->hash_mask = n - 1;
	return true;
}

static void
lay_out(struct uring *u)
{
	struct uring_header *h = uring_header(u);

	h->sq_mask = u->sq_entries - 1;
	h->sq_entries = u->sq_entries;
	h->cq_mask = u->cq_entries - 1;
	h->cq_entries = u->cq_entries;
}

struct file *
uring_create_file(uint32_t sq_entries, uint32_t cq_entries, uint32_t flags)
{
	struct uring *u = kzalloc(sizeof(*u));
	struct file *f;

	if (!u)
		return NULL;
	ref_init(&u->refs);
	mutex_init(&u->submit_lock, LOCK_URING_SUBMIT);
	mutex_init(&u->lock, LOCK_URING);
	u->sq_entries = sq_entries;
	u->cq_entries = cq_entries;
	u->flags = flags;
	list_init(&u->overflow);
	wait_queue_init(&u->wait);
	list_init(&u->requests);
	list_init(&u->drained);
	list_init(&u->pools);
	list_init(&u->groups);
	list_init(&u->counting);
	wait_queue_init(&u->poller_wait);
	if (!hash_create(u))
		goto free_ring;
	u->memory = memory_alloc(sq_entries, cq_entries);
	if (!u->memory)
		goto free_hash;
	u->object = object_create(&ring_memory_ops, UINT64_MAX, u->memory);
	if (!u->object)
		goto free_memory;
	lay_out(u);
	f = anonymous_file_create(&uring_file_ops, O_RDWR, u);
	if (f)
		return f;
	object_put(u->object);
	kfree(u->by_data);
	kfree(u);
	return NULL;

free_memory:
	memory_free(u->memory);
free_hash:
	kfree(u->by_data);
free_ring:
	kfree(u);
	return NULL;
}

int
uring_enable(struct uring *u)
{
	int error = -EBADFD;

	mutex_lock(&u->lock);
	if (u->flags & URING_DISABLED) {
		WRITE_ONCE(u->flags, u->flags & ~(uint32_t)URING_DISABLED);
		error = 0;
	}
	mutex_unlock(&u->lock);
	return error;
}
