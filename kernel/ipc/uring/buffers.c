/* SPDX-License-Identifier: MIT */
/*
 * buffers.c - memory of the program's that requests name by a number: registered, or provided in groups, of which a
 * request takes one when it has something to put there.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>

#include "uring.h"

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

int
uring_provide(struct uring_request *q, uint64_t address, uint32_t size, uint32_t count, uint32_t first)
{
	struct uring *u = q->ring;
	uint32_t done = 0;

	for (; done < count; done++) {
		struct uring_provided *b = kzalloc(sizeof(*b));

		if (!b)
			return done ? 0 : -ENOMEM;
		b->address = address + (uint64_t)done * size;
		b->size = size;
		b->group = q->sqe.buffer;
		b->id = (uint16_t)(first + done);
		mutex_lock(&u->lock);
		list_add(&u->provided, &b->node);
		mutex_unlock(&u->lock);
	}
	return 0;
}

static struct uring_provided *
provided_take_locked(struct uring *u, uint16_t group)
{
	struct uring_provided *b;

	list_for_each (b, &u->provided, node) {
		if (b->group == group) {
			list_del(&b->node);
			return b;
		}
	}
	return NULL;
}

int
uring_unprovide(struct uring_request *q, uint32_t count)
{
	uint32_t done = 0;
	struct uring_provided *b;

	for (; done < count; done++) {
		mutex_lock(&q->ring->lock);
		b = provided_take_locked(q->ring, q->sqe.buffer);
		mutex_unlock(&q->ring->lock);
		if (!b)
			break;
		kfree(b);
	}
	return done ? (int)done : -ENOENT;
}

int
uring_select(struct uring_request *q, uint64_t *address, uint32_t *size, uint32_t *flags)
{
	struct uring_provided *b;

	if (!q->selected) {
		mutex_lock(&q->ring->lock);
		b = provided_take_locked(q->ring, q->sqe.buffer);
		mutex_unlock(&q->ring->lock);
		if (!b)
			return -ENOBUFS;
		q->selected = true;
		q->buffer_address = b->address;
		q->buffer_size = b->size;
		q->buffer_id = b->id;
		kfree(b);
	}
	*address = q->buffer_address;
	*size = *size ? MIN(*size, q->buffer_size) : q->buffer_size;
	*flags = CQE_BUFFER | (uint32_t)q->buffer_id << 16;
	return 0;
}
