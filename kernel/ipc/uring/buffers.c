/* SPDX-License-Identifier: MIT */
/*
 * buffers.c - memory of the program's that requests name by a number: registered, or provided in groups, of which a
 * request takes one when it has something to put there.
 *
 * A group's buffers are given one by one by requests, or lie in a ring of the program's memory: entries of 16
 * bytes, of which the program advances the tail, in the last two bytes of the first, and the kernel keeps the head to
 * itself. What a request took and did not use goes onto the group's loose ones, which are taken first.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/uaccess.h>

#include "uring.h"

#define LOW_GROUPS 64u

bool
uring_request_buffer(struct uring_request *q, struct iovec *out)
{
	struct uring *u = q->ring;
	bool found;

	mutex_lock(&u->lock);
	found = q->sqe.buffer < u->buffer_count;
	if (found)
		*out = u->buffers[q->sqe.buffer];
	mutex_unlock(&u->lock);
	return found;
}

static struct uring_group *
group_find_locked(struct uring *u, uint16_t id)
{
	struct uring_group *g;

	list_for_each (g, &u->groups, node)
		if (g->id == id)
			return g;
	return NULL;
}

static struct uring_group *
group_make_locked(struct uring *u, uint16_t id)
{
	struct uring_group *g = group_find_locked(u, id);

	if (g)
		return g;
	g = kzalloc(sizeof(*g));
	if (!g)
		return NULL;
	list_init(&g->loose);
	g->id = id;
	u->low_groups |= id < LOW_GROUPS;
	list_add(&u->groups, &g->node);
	return g;
}

/* One that there is. Of the low numbers all are there when one was used: what Linux keeps as an array. */
static struct uring_group *
group_known_locked(struct uring *u, uint16_t id)
{
	return id < LOW_GROUPS && u->low_groups ? group_make_locked(u, id) : group_find_locked(u, id);
}

static void
loose_free(struct uring_group *g)
{
	struct uring_provided *b, *next;

	list_for_each_safe (b, next, &g->loose, node)
		kfree(b);
	list_init(&g->loose);
}

void
uring_groups_free(struct uring *u)
{
	struct uring_group *g, *next;

	list_for_each_safe (g, next, &u->groups, node) {
		loose_free(g);
		kfree(g);
	}
}

int
uring_provide(struct uring_request *q, uint64_t address, uint32_t size, uint32_t count, uint32_t first)
{
	struct uring *u = q->ring;
	uint32_t done = 0;
	int error = 0;

	for (; done < count && !error; done++) {
		struct uring_provided *b = kzalloc(sizeof(*b));
		struct uring_group *g;

		if (!b)
			return done ? 0 : -ENOMEM;
		b->address = address + (uint64_t)done * size;
		b->size = size;
		b->id = (uint16_t)(first + done);
		mutex_lock(&u->lock);
		g = group_make_locked(u, q->sqe.buffer);
		error = !g ? -ENOMEM : g->ring ? -EINVAL : 0;
		if (!error)
			list_add_tail(&g->loose, &b->node);
		mutex_unlock(&u->lock);
		if (error)
			kfree(b);
	}
	return error;
}

int
uring_unprovide(struct uring_request *q, uint32_t count)
{
	struct uring *u = q->ring;
	struct uring_provided *b;
	struct uring_group *g;
	uint32_t done = 0;
	int error = 0;

	mutex_lock(&u->lock);
	g = group_known_locked(u, q->sqe.buffer);
	if (!g)
		error = -ENOENT;
	else if (g->ring)
		error = -EINVAL;
	while (!error && done < count && (b = list_first(&g->loose, struct uring_provided, node)) != NULL) {
		list_del(&b->node);
		kfree(b);
		done++;
	}
	mutex_unlock(&u->lock);
	return error ? error : (int)done;
}

/* --- rings of the program's --------------------------------------------------------------------- */

struct ring_entry {
	uint64_t address;
	uint32_t size;
	uint16_t id, tail; /* the tail in the first alone */
};
_Static_assert(sizeof(struct ring_entry) == 16, "struct io_uring_buf");

int
uring_set_buffer_ring(struct uring *u, uint16_t id, uint64_t address, uint32_t entries)
{
	struct uring_group *g;
	int error = 0;

	mutex_lock(&u->lock);
	g = group_make_locked(u, id);
	if (!g) {
		error = -ENOMEM;
	} else if (g->ring || !list_is_empty(&g->loose)) {
		error = -EEXIST;
	} else {
		g->ring = true;
		g->address = address;
		g->mask = (uint16_t)(entries - 1);
		g->head = 0;
	}
	mutex_unlock(&u->lock);
	return error;
}

int
uring_unset_buffer_ring(struct uring *u, uint16_t id)
{
	struct uring_group *g;
	int error = 0;

	mutex_lock(&u->lock);
	g = group_known_locked(u, id);
	if (!g) {
		error = -ENOENT;
	} else if (!g->ring) {
		error = -EINVAL;
	} else {
		loose_free(g);
		g->ring = false;
		if (id >= LOW_GROUPS) {
			list_del(&g->node);
			kfree(g);
		}
	}
	mutex_unlock(&u->lock);
	return error;
}

static const char __user *
entry_address(const struct uring_group *g, uint16_t index)
{
	return __force_user(const char __user *, g->address + (uint64_t)(index & g->mask) * sizeof(struct ring_entry));
}

/* The next of its ring. 0; -ENOBUFS; -EFAULT: *fault is not in memory. */
static int
ring_take_locked(struct uring_group *g, struct uring_provided *out, const char __user **fault)
{
	struct ring_entry e;
	uint16_t tail;
	int error;

	*fault = entry_address(g, 0);
	pagefault_disable();
	error = copy_from_user(&tail, *fault + offsetof(struct ring_entry, tail), sizeof(tail));
	if (!error && tail == g->head)
		error = -ENOBUFS;
	if (!error) {
		memory_barrier(); /* the program wrote the entry, then the tail */
		*fault = entry_address(g, g->head);
		error = copy_from_user(&e, *fault, sizeof(e));
	}
	pagefault_enable();
	if (error)
		return error;
	g->head++;
	out->address = e.address;
	out->size = e.size;
	out->id = e.id;
	return 0;
}

/* --- taking one --------------------------------------------------------------------------------- */

static int
take_locked(struct uring *u, uint16_t id, struct uring_provided *out, const char __user **fault)
{
	struct uring_group *g = group_find_locked(u, id);
	struct uring_provided *b = g ? list_first(&g->loose, struct uring_provided, node) : NULL;

	if (!b)
		return g && g->ring ? ring_take_locked(g, out, fault) : -ENOBUFS;
	list_del(&b->node);
	*out = *b;
	kfree(b);
	return 0;
}

int
uring_select(struct uring_request *q, uint64_t *address, uint32_t *size, uint32_t *flags)
{
	const char __user *fault;
	struct uring_provided b;
	uint64_t word;
	int error;

	while (!q->selected) {
		mutex_lock(&q->ring->lock);
		error = take_locked(q->ring, q->sqe.buffer, &b, &fault);
		mutex_unlock(&q->ring->lock);
		if (error == -EFAULT && get_user(word, __force_user(const uint64_t __user *, fault)) == 0)
			continue;
		if (error)
			return -ENOBUFS;
		q->selected = true;
		q->buffer_address = b.address;
		q->buffer_size = b.size;
		q->buffer_id = b.id;
	}
	*address = q->buffer_address;
	*size = *size ? MIN(*size, q->buffer_size) : q->buffer_size;
	*flags = CQE_BUFFER | (uint32_t)q->buffer_id << 16;
	return 0;
}

void
uring_give_back(struct uring_request *q)
{
	struct uring_provided *b;
	struct uring_group *g;

	if (!q->selected)
		return;
	b = kzalloc(sizeof(*b));
	if (!b)
		return; /* it is kept for this request */
	b->address = q->buffer_address;
	b->size = q->buffer_size;
	b->id = q->buffer_id;
	q->selected = false;
	mutex_lock(&q->ring->lock);
	g = group_find_locked(q->ring, q->sqe.buffer);
	if (g)
		list_add(&g->loose, &b->node);
	mutex_unlock(&q->ring->lock);
	if (!g)
		kfree(b);
}

void
uring_use_up(struct uring_request *q)
{
	q->selected = false;
}
