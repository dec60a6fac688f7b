/* SPDX-License-Identifier: MIT */
/*
 * door.h - /dev/netd from our side: its memory, laid out as abi/netd.h says, and its calls.
 *
 * What the kernel reads of ours is stored by door_put*(): all that was stored before is seen by who sees it.
 */
#ifndef NETD_DOOR_H
#define NETD_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "../../abi/netd.h"

struct door {
	int fd;
	const struct netd_kernel_page *kernel;
	struct netd_netd_page *netd;
	struct netd_dirty *to_netd, *to_kernel;
	struct netd_half_open *half_open;
	const uint8_t *frames_out;
	uint8_t *frames_in;
	const uint8_t *wanted;
	uint8_t *actual, *arena;
	uint32_t arena_blocks; /* mapped */
	bool changed;	       /* the kernel is to look */
	uint64_t frames_in_head;
};

extern struct door door;

/* Map the memory behind `fd`. 0, or a negative errno. */
int door_open(int fd);
/* Tell the kernel of all that has changed; nothing, if nothing has. */
void door_kick(void);
/* The calls of abi/netd.h: 0 or a negative errno. */
int door_accept(struct netd_accept *a);
int door_add_interface(struct netd_interface *i);
int door_set_link(const struct netd_link *l);
int door_set_neighbour(const struct netd_table_neighbour *n);
int door_add_address(const struct netd_table_address *a);
int door_add_route(const struct netd_table_route *r);
/* A table whole: an array of *count entries, which the caller frees. NULL: an error. */
void *door_table(uint32_t table, size_t entry_size, uint32_t *count);
/* Map what the arena has grown by. */
void door_map_arena(void);

static inline const struct netd_wanted *
door_wanted(uint32_t slot)
{
	return (const struct netd_wanted *)(door.wanted + (size_t)slot * NETD_WANTED_STRIDE);
}

static inline struct netd_actual *
door_actual(uint32_t slot)
{
	return (struct netd_actual *)(door.actual + (size_t)slot * NETD_ACTUAL_STRIDE);
}

static inline uint32_t
door_get32(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline uint64_t
door_get64(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void
door_put32(uint32_t *p, uint32_t value)
{
	__atomic_store_n(p, value, __ATOMIC_RELEASE);
}

static inline void
door_put64(uint64_t *p, uint64_t value)
{
	__atomic_store_n(p, value, __ATOMIC_RELEASE);
}

/* The kernel is to look at `slot`. */
static inline void
door_mark(uint32_t slot)
{
	__atomic_fetch_or(&door.to_kernel->slot[slot / 64], 1ull << slot % 64, __ATOMIC_SEQ_CST);
	__atomic_fetch_or(&door.to_kernel->summary[slot / 4096], 1ull << slot / 64 % 64, __ATOMIC_SEQ_CST);
	door.changed = true;
}

/* Where byte `at` of a stream lies by `chunks`, and how many follow there; NULL: nowhere. */
static inline uint8_t *
door_chunk(const uint16_t *chunks, uint64_t at, uint32_t *left)
{
	uint16_t chunk = __atomic_load_n(&chunks[at / NETD_CHUNK % NETD_CHUNKS], __ATOMIC_RELAXED);

	if ((uint64_t)(chunk + 1) * NETD_CHUNK > (uint64_t)door.arena_blocks * NETD_BLOCK)
		door_map_arena();
	if (chunk == NETD_CHUNK_NONE || (uint64_t)(chunk + 1) * NETD_CHUNK > (uint64_t)door.arena_blocks * NETD_BLOCK)
		return NULL;
	*left = NETD_CHUNK - at % NETD_CHUNK;
	return door.arena + (size_t)chunk * NETD_CHUNK + at % NETD_CHUNK;
}

/*
 * The frames out that there are now may be looked at from now on: first all is to be known that the kernel
 * wanted before it put them there.
 */
void door_frames_see(void);
/*
 * The next record among the frames out, without a look at what it says of itself: its length is within the ring.
 * NULL: there is none. door_frame_done() gives its room back.
 */
const struct netd_frame *door_frame_next(void);
void door_frame_done(void);
/* A frame for the kernel. False: there is no room. */
bool door_frame_send(enum netd_frame_kind kind, uint32_t flags, uint32_t interface, const struct netd_address *next,
	const struct iovec *parts, unsigned count);

#endif
