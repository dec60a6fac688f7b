/* SPDX-License-Identifier: MIT */
/*
 * ring.c - rings of packet sockets: their memory, and what programs set of them. The theory is in packet_ring.h.
 */
#include <tessera/errno.h>
#include <tessera/memory_object.h>
#include <tessera/page.h>
#include <tessera/poll.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "packet_ring.h"

#define ALIGNMENT       16u
#define TIMEOUT_DEFAULT 8u   /* ms */
#define SHARE_OF_MEMORY 4u   /* a ring takes at most that part of it */

static const uint8_t header_size[PACKET_VERSIONS] = {
	[PACKET_VERSION_1] = sizeof(struct ring_header_1),
	[PACKET_VERSION_2] = sizeof(struct ring_header_2),
	[PACKET_VERSION_3] = sizeof(struct ring_header_3),
};

/* Where each version has its status, within a frame's header. */
static const uint8_t status_offset[PACKET_VERSIONS] = {
	[PACKET_VERSION_1] = offsetof(struct ring_header_1, status),
	[PACKET_VERSION_2] = offsetof(struct ring_header_2, status),
	[PACKET_VERSION_3] = offsetof(struct ring_header_3, status),
};

uint32_t
ring_header_size(enum packet_version v)
{
	return header_size[v];
}

int
packet_header_size(uint32_t version)
{
	return version < PACKET_VERSIONS ? header_size[version] : -EINVAL;
}

/* --- memory ----------------------------------------------------------------------------------------- */

void
ring_put(struct packet_ring *r)
{
	if (!ref_put(&r->refs))
		return;
	for (uint32_t i = 0; i < r->pages && r->page[i]; i++)
		page_put(r->page[i]);
	kvfree(r);
}

/* -ENOMEM, before a program has to be killed for it. */
static struct packet_ring *
create(const struct packet_ring_wish *w)
{
	uint64_t pages = (uint64_t)w->block_size * w->blocks / PAGE_SIZE;
	struct memory_stats memory;
	struct packet_ring *r;

	memory_stats(&memory);
	if (pages > memory.total / SHARE_OF_MEMORY || pages > memory.free / 2)
		return NULL;
	r = kvmalloc(sizeof(*r) + pages * sizeof(r->page[0]));
	if (!r)
		return NULL;
	memset(r, 0, sizeof(*r) + pages * sizeof(r->page[0]));
	ref_init(&r->refs);
	r->wish = *w;
	if (!r->wish.timeout)
		r->wish.timeout = TIMEOUT_DEFAULT;
	r->per_block = w->block_size / w->frame_size;
	r->pages = (uint32_t)pages;
	for (uint32_t i = 0; i < pages; i++) {
		r->page[i] = page_alloc(0, ALLOC_ZERO | ALLOC_TRY);
		if (!r->page[i]) {
			ring_put(r);
			return NULL;
		}
	}
	return r;
}

void *
ring_at(const struct packet_ring *r, uint64_t at)
{
	return (char *)page_to_virt(r->page[at / PAGE_SIZE]) + at % PAGE_SIZE;
}

void
ring_write(const struct packet_ring *r, uint64_t at, const void *from, size_t n)
{
	while (n > 0) {
		size_t step = MIN(n, PAGE_SIZE - at % PAGE_SIZE);

		memcpy(ring_at(r, at), from, step);
		at += step;
		from = (const char *)from + step;
		n -= step;
	}
}

void
ring_read(const struct packet_ring *r, uint64_t at, void *to, size_t n)
{
	while (n > 0) {
		size_t step = MIN(n, PAGE_SIZE - at % PAGE_SIZE);

		memcpy(to, ring_at(r, at), step);
		at += step;
		to = (char *)to + step;
		n -= step;
	}
}

uint64_t
ring_frame_at(const struct packet_ring *r, uint32_t frame)
{
	return (uint64_t)(frame / r->per_block) * r->wish.block_size + frame % r->per_block * r->wish.frame_size;
}

/* Version 1 has 64 bits for it, whose upper half is always 0. */
uint32_t
ring_status(const struct packet_ring *r, enum packet_version v, uint32_t frame)
{
	return atomic_load((uint32_t *)ring_at(r, ring_frame_at(r, frame) + status_offset[v]));
}

void
ring_set_status(const struct packet_ring *r, enum packet_version v, uint32_t frame, uint32_t status)
{
	atomic_store_release((uint32_t *)ring_at(r, ring_frame_at(r, frame) + status_offset[v]), status);
}

/* --- mapping ---------------------------------------------------------------------------------------- */

/* What is mapped: the rings that were there then. */
struct view {
	struct packet_ring *ring[2];   /* references; NULL: it had none */
};

static int
view_page(struct memory_object *o, uint64_t index, paddr_t *pa, unsigned int *prot)
{
	struct view *v = o->private;

	for (unsigned i = 0; i < ARRAY_SIZE(v->ring); i++) {
		uint32_t pages = v->ring[i] ? v->ring[i]->pages : 0;

		if (index < pages) {
			*pa = page_to_phys(v->ring[i]->page[index]);
			return 0;
		}
		index -= pages;
	}
	return -EFAULT;
}

static void
view_free(struct view *v)
{
	for (unsigned i = 0; i < ARRAY_SIZE(v->ring); i++)
		if (v->ring[i])
			ring_put(v->ring[i]);
	kfree(v);
}

static void
view_release(struct memory_object *o)
{
	view_free(o->private);
}

static const struct memory_object_ops view_ops = {
	.name = "packet",
	.device_page = view_page,
	.release = view_release,
};

/* All of both rings, or nothing. */
int
packet_mmap(struct socket *s, uint64_t offset, size_t length, struct memory_object **out)
{
	struct packet_socket *k = packet_of(s);
	struct view *v = kzalloc(sizeof(*v));
	uint64_t pages = 0;
	int error = -EINVAL;

	if (!v)
		return -ENOMEM;
	spin_lock(&k->ring_lock);
	v->ring[0] = k->receive_ring;
	v->ring[1] = k->send_ring;
	for (unsigned i = 0; i < ARRAY_SIZE(v->ring); i++)
		if (v->ring[i]) {
			ref_get(&v->ring[i]->refs);
			pages += v->ring[i]->pages;
		}
	spin_unlock(&k->ring_lock);
	if (offset == 0 && pages && DIV_ROUND_UP(length, PAGE_SIZE) == pages) {
		*out = object_create(&view_ops, pages * PAGE_SIZE, v);
		if (*out)
			return 0;
		error = -ENOMEM;
	}
	view_free(v);
	return error;
}

void
packet_mapped(struct socket *s, bool more)
{
	atomic_add(&packet_of(s)->mappings, more ? 1u : -1u);
}

/* --- what programs set ---------------------------------------------------------------------------------- */

bool
packet_has_rings(struct socket *s)
{
	return READ_ONCE(packet_of(s)->receive_ring) || READ_ONCE(packet_of(s)->send_ring);
}

enum packet_version
packet_version(struct socket *s)
{
	return READ_ONCE(packet_of(s)->version);
}

uint32_t
packet_reserve(struct socket *s)
{
	return READ_ONCE(packet_of(s)->reserve);
}

int
packet_version_set(struct socket *s, uint32_t version)
{
	struct packet_socket *k = packet_of(s);
	int error = 0;

	if (version >= PACKET_VERSIONS)
		return -EINVAL;
	spin_lock(&k->ring_lock);
	if (packet_has_rings(s))
		error = -EBUSY;
	else
		WRITE_ONCE(k->version, (enum packet_version)version);
	spin_unlock(&k->ring_lock);
	return error;
}

int
packet_reserve_set(struct socket *s, uint32_t bytes)
{
	struct packet_socket *k = packet_of(s);
	int error = 0;

	if (bytes > INT32_MAX)
		return -EINVAL;
	spin_lock(&k->ring_lock);
	if (packet_has_rings(s))
		error = -EBUSY;
	else
		WRITE_ONCE(k->reserve, bytes);
	spin_unlock(&k->ring_lock);
	return error;
}

uint32_t
packet_freezes(struct socket *s)
{
	struct packet_socket *k = packet_of(s);
	uint32_t n = 0;

	spin_lock(&k->ring_lock);
	if (k->receive_ring) {
		n = k->receive_ring->freezes;
		k->receive_ring->freezes = 0;
	}
	spin_unlock(&k->ring_lock);
	return n;
}

/* Sizes that make sense: 0 or -EINVAL. */
static int
check(const struct packet_socket *k, bool send, const struct packet_ring_wish *w)
{
	uint64_t least = (uint64_t)ALIGN_UP(ring_header_size(k->version), ALIGNMENT) + sizeof(struct link_address) +
			 k->reserve;

	if (w->blocks == 0)
		return w->frames ? -EINVAL : 0;
	if (w->block_size == 0 || w->block_size > INT32_MAX || w->block_size % PAGE_SIZE)
		return -EINVAL;
	if (k->version == PACKET_VERSION_3 &&
	    w->block_size < sizeof(struct ring_block) + ALIGN_UP((uint64_t)w->private, 8) + least)
		return -EINVAL;
	if (w->frame_size < least || w->frame_size % ALIGNMENT || w->frame_size > w->block_size)
		return -EINVAL;
	if ((uint64_t)(w->block_size / w->frame_size) * w->blocks != w->frames)
		return -EINVAL;
	return send && k->version == PACKET_VERSION_3 && (w->timeout || w->private || w->features) ? -EINVAL : 0;
}

/* In the order in which Linux looks: is it mapped, is there one, are the sizes right? ring_lock held. */
static int
may_set(const struct packet_socket *k, bool send, const struct packet_ring_wish *w)
{
	if (READ_ONCE(k->mappings) || (w->blocks && (send ? k->send_ring : k->receive_ring)))
		return -EBUSY;
	return check(k, send, w);
}

int
packet_ring_set(struct socket *s, bool send, const struct packet_ring_wish *w)
{
	struct packet_socket *k = packet_of(s);
	struct packet_ring **slot = send ? &k->send_ring : &k->receive_ring, *r = NULL, *old = NULL;
	bool unused = false;
	int error;

	mutex_lock(&s->lock);
	spin_lock(&k->ring_lock);
	error = may_set(k, send, w);
	spin_unlock(&k->ring_lock);
	if (!error && w->blocks) {
		r = create(w);
		error = r ? 0 : -ENOMEM;
	}
	if (!error) {
		spin_lock(&k->ring_lock);
		error = may_set(k, send, w); /* the version may have become another one */
		if (!error) {
			old = *slot;
			atomic_store(slot, r);
			unused = old && !send && ring_end(k);
			if (r && !send)
				ring_begin(k, r);
			r = NULL;
		}
		spin_unlock(&k->ring_lock);
	}
	mutex_unlock(&s->lock);
	if (r)
		ring_put(r);
	if (old)
		ring_put(old);
	if (!error && !send)
		packet_queue_drop(&k->queue); /* what came before lies elsewhere */
	if (unused)
		packet_put(k);
	return error;
}

void
rings_drop(struct packet_socket *k)
{
	struct packet_ring *in, *out;
	bool unused;

	spin_lock(&k->ring_lock);
	in = k->receive_ring;
	out = k->send_ring;
	WRITE_ONCE(k->receive_ring, NULL);
	WRITE_ONCE(k->send_ring, NULL);
	unused = in && ring_end(k);
	spin_unlock(&k->ring_lock);
	if (in)
		ring_put(in);
	if (out)
		ring_put(out);
	if (unused)
		packet_put(k);
}

/* Is the frame, or the block, before the one that is filled next the program's? ring_lock held. */
static bool
has_received(const struct packet_socket *k, const struct packet_ring *r)
{
	uint32_t before;

	if (k->version != PACKET_VERSION_3)
		return ring_status(r, k->version, r->head ? r->head - 1 : r->wish.frames - 1) != RING_KERNEL;
	before = r->block ? r->block - 1 : r->wish.blocks - 1;
	return READ_ONCE(((struct ring_block *)ring_at(r, (uint64_t)before * r->wish.block_size))->status) != RING_KERNEL;
}

uint32_t
rings_poll(struct packet_socket *k)
{
	uint32_t events = 0;

	if (!packet_has_rings(&k->socket))
		return 0;
	spin_lock(&k->ring_lock);
	if (k->receive_ring && has_received(k, k->receive_ring))
		events |= POLLIN | POLLRDNORM;
	if (k->send_ring && ring_status(k->send_ring, k->version, k->send_ring->head) == RING_AVAILABLE)
		events |= POLLOUT | POLLWRNORM;
	spin_unlock(&k->ring_lock);
	return events;
}
