/* SPDX-License-Identifier: MIT */
/*
 * ring.c - the bytes of one direction of a stream: see ring.h.
 */
#include <tessera/errno.h>
#include <tessera/page.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "../door/door.h"
#include "ring.h"

void
byte_ring_init(struct byte_ring *r, uint32_t limit)
{
	uint32_t pages = RING_LEAF;

	while (pages < RING_PAGES_MAX && pages * (uint32_t)PAGE_SIZE < limit + PAGE_SIZE)
		pages *= 2;
	memset(r, 0, sizeof(*r));
	r->pages = pages;
	byte_ring_set_limit(r, limit);
}

void
byte_ring_set_limit(struct byte_ring *r, uint32_t limit)
{
	/* One less than there are: the first and the last one held may be the same slot's neighbours, never the same slot. */
	uint32_t most = r->chunk ? (NETD_CHUNKS - 1) * NETD_CHUNK : (r->pages - 1) * (uint32_t)PAGE_SIZE;

	WRITE_ONCE(r->limit, MIN(limit, most));
}

void
byte_ring_init_chunks(struct byte_ring *r, uint32_t limit, uint16_t *table)
{
	memset(r, 0, sizeof(*r));
	r->chunk = table;
	byte_ring_set_limit(r, limit);
}

static uint16_t *
chunk_slot(const struct byte_ring *r, uint64_t at)
{
	return &r->chunk[at / NETD_CHUNK % NETD_CHUNKS];
}

uint64_t
byte_ring_grant(struct byte_ring *r, uint64_t end)
{
	while (r->chunk_end < end) {
		uint16_t chunk = chunk_take();

		if (chunk == NETD_CHUNK_NONE)
			break;
		WRITE_ONCE(*chunk_slot(r, r->chunk_end), chunk);
		r->chunk_end += NETD_CHUNK;
	}
	return MIN(end, r->chunk_end);
}

/* Those from that of the byte at `from` up to, not with, that of the byte at `to`. */
static void
free_chunks(struct byte_ring *r, uint64_t from, uint64_t to)
{
	for (uint64_t n = from / NETD_CHUNK; n < to / NETD_CHUNK; n++) {
		uint16_t *slot = chunk_slot(r, n * NETD_CHUNK);

		if (*slot != NETD_CHUNK_NONE) /* the one that is kept */
			chunk_free(*slot);
		WRITE_ONCE(*slot, NETD_CHUNK_NONE);
	}
}

void
byte_ring_destroy(struct byte_ring *r)
{
	if (r->chunk)
		free_chunks(r, r->tail, r->chunk_end);
	for (uint32_t i = 0; i < RING_LEAVES; i++) {
		struct ring_leaf *leaf = r->leaf[i];

		for (uint32_t n = 0; leaf && n < RING_LEAF; n++)
			if (leaf->page[n])
				page_free(leaf->page[n], 0);
		kfree(leaf);
	}
	for (; r->spare_out != r->spare_in; r->spare_out++)
		page_free(r->spare[r->spare_out % RING_SPARE], 0);
	memset(r, 0, sizeof(*r));
}

static struct page **
slot_of(const struct byte_ring *r, uint64_t at)
{
	uint32_t slot = (uint32_t)(at / PAGE_SIZE) & (r->pages - 1);
	struct ring_leaf *leaf = READ_ONCE(r->leaf[slot / RING_LEAF]);

	return leaf ? &leaf->page[slot % RING_LEAF] : NULL;
}

static char *
bytes_at(const struct byte_ring *r, uint64_t at)
{
	if (r->chunk)
		return chunk_at(READ_ONCE(*chunk_slot(r, at)), (uint32_t)(at % NETD_CHUNK));
	return (char *)page_to_virt(*slot_of(r, at)) + at % PAGE_SIZE;
}

/* --- the writer --------------------------------------------------------------------------------- */

static struct page *
take_spare(struct byte_ring *r)
{
	struct page *p;

	if (atomic_load(&r->spare_in) == r->spare_out)
		return NULL;
	p = r->spare[r->spare_out % RING_SPARE];
	atomic_store_release(&r->spare_out, r->spare_out + 1);
	return p;
}

/* The page for the byte at `at`, which head is about to enter or is in. False: no memory. */
static bool
have_page(struct byte_ring *r, uint64_t at, unsigned int flags)
{
	struct ring_leaf **leaf;
	struct page **slot;

	if (r->chunk)
		return byte_ring_grant(r, at + 1) > at;
	leaf = &r->leaf[((uint32_t)(at / PAGE_SIZE) & (r->pages - 1)) / RING_LEAF];
	if (!*leaf) {
		struct ring_leaf *fresh = kmalloc(sizeof(*fresh), flags | ALLOC_ZERO);

		if (!fresh)
			return false;
		WRITE_ONCE(*leaf, fresh);
	}
	slot = slot_of(r, at);
	if (!*slot)
		*slot = take_spare(r);
	if (!*slot)
		*slot = page_alloc(0, flags);
	return *slot != NULL;
}

ssize_t
byte_ring_put(struct byte_ring *r, struct iov_iter *from, size_t n, bool nowait)
{
	uint64_t at = r->head;
	int error = 0;

	n = MIN(n, byte_ring_room(r)); /* (7) */
	while (n > 0 && !error) {
		size_t piece = MIN(n, PAGE_SIZE - at % PAGE_SIZE), copied;

		if (!have_page(r, at, nowait ? ALLOC_NOWAIT : 0)) {
			error = -ENOBUFS;
			break;
		}
		copied = iov_copy_from(bytes_at(r, at), from, piece); /* (1), (8) */
		if (copied < piece)
			error = -EFAULT;
		at += copied;
		n -= copied;
	}
	n = at - r->head;
	atomic_store(&r->head, at); /* (2): before it is looked whether the reader sleeps */
	return n || !error ? (ssize_t)n : error;
}

/* --- the reader --------------------------------------------------------------------------------- */

size_t
byte_ring_copy(const struct byte_ring *r, size_t skip, struct iov_iter *to, size_t n)
{
	uint64_t at = r->tail + skip;
	size_t done = 0;

	while (done < n) {
		size_t piece = MIN(n - done, PAGE_SIZE - at % PAGE_SIZE);
		size_t copied = iov_copy_to(to, bytes_at(r, at), piece); /* (4) */

		done += copied;
		at += copied;
		if (copied < piece)
			break;
	}
	return done;
}

uint8_t
byte_ring_byte(const struct byte_ring *r, uint64_t at)
{
	return *(uint8_t *)bytes_at(r, at);
}

/* The slot's page, which tail has left. */
static void
give_back(struct byte_ring *r, struct page **slot)
{
	struct page *p = *slot;

	*slot = NULL; /* (5) */
	if (r->spare_in - atomic_load(&r->spare_out) == RING_SPARE) {
		page_free(p, 0);
		return;
	}
	r->spare[r->spare_in % RING_SPARE] = p;
	atomic_store_release(&r->spare_in, r->spare_in + 1);
}

void
byte_ring_consume(struct byte_ring *r, size_t n)
{
	uint64_t to = r->tail + n, page;

	if (r->chunk)
		free_chunks(r, r->tail, to);
	for (page = r->tail / PAGE_SIZE; !r->chunk && page < to / PAGE_SIZE; page++)
		give_back(r, slot_of(r, page * PAGE_SIZE));
	atomic_store(&r->tail, to); /* (6): before it is looked whether the writer sleeps */
}

void
byte_ring_consume_and_keep(struct byte_ring *r, size_t n)
{
	uint64_t to = r->tail + n;

	if (r->chunk && n > 0 && to == r->chunk_end) {
		uint16_t *last = chunk_slot(r, to - 1);

		WRITE_ONCE(*chunk_slot(r, to), *last);
		WRITE_ONCE(*last, NETD_CHUNK_NONE);
		r->chunk_end += NETD_CHUNK;
	}
	byte_ring_consume(r, n);
}
