/* SPDX-License-Identifier: MIT */
/*
 * ring.h - the bytes of one direction of a stream, on their way from one writer to one reader.
 *
 * `head` counts the bytes ever put in, `tail` those ever taken; what lies between is held, in pages of the ring. The
 * writer alone moves head, the reader alone tail, so that the two need no lock between them; who they are, the
 * stream's send_lock and read_lock say.
 *
 * A page belongs to the reader from when head enters it until tail has left it, else to the writer. A page that the
 * reader is through with goes back to the writer by the small ring `spare`, or when that is full to the frames: an idle
 * stream holds little.
 *
 * A stream that leads out of the machine has its bytes in chunks of the door's arena instead (net/door), by a table of
 * their numbers in the stream's slot. There the network stack is the reader, or the writer, who needs the chunks before
 * it writes: byte_ring_grant().
 *
 *   (1) the writer fills pages, (2) moves head; (3) the reader sees head, (4) reads the pages. And back:
 *   (5) the reader empties the slots, (6) moves tail; (7) the writer sees tail, (8) fills the slots anew.
 */
#ifndef TESSERA_NET_RING_H
#define TESSERA_NET_RING_H

#include <tessera/iov.h>
#include <tessera/types.h>

#define RING_LEAF      32u                      /* pages that a leaf leads to */
#define RING_LEAVES    32u
#define RING_PAGES_MAX (RING_LEAF * RING_LEAVES) /* 4 MiB */
#define RING_SPARE     8u

struct page;

struct ring_leaf {
	struct page *page[RING_LEAF];
};

/* [w] the writer's  [r] the reader's  [a] atomic */
struct byte_ring {
	uint64_t head;                          /* [w] to move, [a] to read */
	uint64_t tail;                          /* [r] to move, [a] to read */
	uint64_t urgent;                        /* [w] to set, [a] to read: behind the latest urgent byte; 0: none yet */
	uint32_t limit;                         /* [a] bytes it may hold; at most `pages` of them */
	uint32_t pages;                         /* [I] a power of two: page n lies in slot n % pages */
	uint32_t spare_in, spare_out;           /* [r], [w] to move, [a] to read */
	struct page *spare[RING_SPARE];         /* between the two the reader's last pages */
	struct ring_leaf *leaf[RING_LEAVES];    /* [w] to set; NULL: none yet */
	uint16_t *chunk;                        /* [I] of chunks: the table of their numbers; else NULL */
	uint64_t chunk_end;                     /* [w] from this byte on there are none yet */
};

/* Empty, for up to `limit` bytes. */
void byte_ring_init(struct byte_ring *r, uint32_t limit);
/* Another limit, or what there are slots for. What is held already stays. */
void byte_ring_set_limit(struct byte_ring *r, uint32_t limit);
/* The same of chunks, of which `table` has room for NETD_CHUNKS. */
void byte_ring_init_chunks(struct byte_ring *r, uint32_t limit, uint16_t *table);
/* Of chunks: have those for all bytes before `end`. Up to where there are some now: less, when memory is short. May sleep. */
uint64_t byte_ring_grant(struct byte_ring *r, uint64_t end);
/* Nobody reads or writes any more. What is held is lost. */
void byte_ring_destroy(struct byte_ring *r);

/* To the reader: bytes that can be taken. */
static inline size_t
byte_ring_length(const struct byte_ring *r)
{
	return __atomic_load_n(&r->head, __ATOMIC_ACQUIRE) - __atomic_load_n(&r->tail, __ATOMIC_RELAXED);
}

/* To the writer: bytes that can be put in. */
static inline size_t
byte_ring_room(const struct byte_ring *r)
{
	size_t held = __atomic_load_n(&r->head, __ATOMIC_RELAXED) - __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
	size_t limit = READ_ONCE(r->limit);

	return held < limit ? limit - held : 0;
}

/*
 * The writer: put up to n bytes in, as many as there is room for, and move head. Bytes, 0: no room; -EFAULT, -ENOBUFS when
 * not one could be. May sleep for memory, unless `nowait`.
 */
ssize_t byte_ring_put(struct byte_ring *r, struct iov_iter *from, size_t n, bool nowait);
/* The reader: copy up to n of the bytes from `skip` behind the tail on. Fewer than there are only on a fault. */
size_t byte_ring_copy(const struct byte_ring *r, size_t skip, struct iov_iter *to, size_t n);
/* The reader: the next n bytes are taken. */
void byte_ring_consume(struct byte_ring *r, size_t n);
/*
 * The same for the reader who also grants: of chunks, the last one is kept for what comes next. Were it given away where
 * there is no other, nothing could come any more, and nobody would be told to grant again.
 */
void byte_ring_consume_and_keep(struct byte_ring *r, size_t n);
/* The reader: the byte at that place of the stream, which is held. */
uint8_t byte_ring_byte(const struct byte_ring *r, uint64_t at);

#endif
