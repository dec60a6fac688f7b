/* SPDX-License-Identifier: MIT */
/*
 * memory.c - the memory of the door: a sparse object, and in it the arena whose chunks hold the bytes of streams.
 *
 * The arena grows by blocks of 2 MiB when no chunk is free, up to an eighth of the machine's memory, and never shrinks: its
 * blocks stay mapped at the stack and for its devices, so that a chunk changes hands without anybody's page tables.
 */
#include <tessera/address_space.h>
#include <tessera/errno.h>
#include <tessera/memory_object.h>
#include <tessera/page.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "door.h"

#define PAGES_BEFORE_ARENA (NETD_MAP_ARENA >> PAGE_SHIFT)
#define BLOCK_PAGES        (NETD_BLOCK >> PAGE_SHIFT)
#define BLOCK_CHUNKS       (NETD_BLOCK / NETD_CHUNK)
#define CHUNK_PAGES        (NETD_CHUNK >> PAGE_SHIFT)
#define BLOCKS_LIMIT       (NETD_CHUNK_NONE / BLOCK_CHUNKS)

/* A part of the object that may be mapped. */
static const struct part {
	uint64_t offset, size;
	bool writable;
} parts[] = {
	{ NETD_MAP_KERNEL, PAGE_SIZE, false },
	{ NETD_MAP_NETD, PAGE_SIZE, true },
	{ NETD_MAP_DIRTY, 2 * PAGE_SIZE, true },
	{ NETD_MAP_HALF_OPEN, NETD_HALF_OPEN * sizeof(struct netd_half_open), true },
	{ NETD_MAP_FRAMES_OUT, NETD_FRAME_RING, false },
	{ NETD_MAP_FRAMES_IN, NETD_FRAME_RING, true },
	{ NETD_MAP_WANTED, (uint64_t)NETD_SLOTS * NETD_WANTED_STRIDE, false },
	{ NETD_MAP_ACTUAL, (uint64_t)NETD_SLOTS * NETD_ACTUAL_STRIDE, true },
	{ NETD_MAP_ARENA, (uint64_t)BLOCKS_LIMIT * NETD_BLOCK, true },
};

/* [I] once it is there  [g] grow_lock */
struct block {
	struct page *pages[BLOCK_PAGES];
};

static struct {
	struct mutex grow_lock;          /* class SLEEP_LEAF */
	struct block **block;            /* [I] each that is there */
	uint32_t blocks, blocks_max;     /* [g] to change, [a] to read */
	struct spinlock lock;            /* class NETD_DOOR, with no other of it */
	uint16_t *free;                  /* lock: a stack */
	uint32_t free_count;             /* lock; read without it as a guess */
} arena;

int
door_check_mapping(uint64_t offset, size_t length, bool write)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const struct part *p = &parts[i];

		if (offset < p->offset || offset - p->offset >= p->size)
			continue;
		if (length > ALIGN_UP(p->size, PAGE_SIZE) - (offset - p->offset))
			return -EINVAL;
		return write && !p->writable ? -EPERM : 0;
	}
	return -EINVAL;
}

void *
door_page(uint64_t offset)
{
	struct page *p;

	if (object_get_page(door.memory, offset >> PAGE_SHIFT, &p))
		return NULL;
	/* The reference stays: what the kernel once looked at is there for ever. */
	return page_to_virt(p);
}

bool
door_pages(char *page[], uint32_t count, uint64_t offset)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!page[i])
			page[i] = door_page(offset + i * PAGE_SIZE);
		if (!page[i])
			return false;
	}
	return true;
}

/* --- the arena ------------------------------------------------------------------------------------------- */

static void
give(uint32_t first, uint32_t n)
{
	spin_lock(&arena.lock);
	while (n-- > 0)
		arena.free[arena.free_count++] = (uint16_t)(first + n);
	spin_unlock(&arena.lock);
}

static struct block *
make_block(uint32_t number)
{
	struct block *b = kvmalloc(sizeof(*b));
	uint64_t first = PAGES_BEFORE_ARENA + (uint64_t)number * BLOCK_PAGES;
	uint32_t i = 0;

	if (!b)
		return NULL;
	object_make_contiguous(door.memory, first);
	while (i < BLOCK_PAGES && object_get_page(door.memory, first + i, &b->pages[i]) == 0)
		i++;
	if (i == BLOCK_PAGES)
		return b;
	while (i-- > 0)
		page_put(b->pages[i]);
	kvfree(b);
	return NULL;
}

/* One more block, if nobody else has made one. False: it cannot. */
static bool
grow(void)
{
	struct block *b = NULL;
	bool there;

	mutex_lock(&arena.grow_lock);
	there = READ_ONCE(arena.free_count) > 0;
	if (!there && arena.blocks < arena.blocks_max)
		b = make_block(arena.blocks);
	if (b) {
		arena.block[arena.blocks] = b;
		atomic_store_release(&arena.blocks, arena.blocks + 1);
		atomic_store_release(&door.kernel->arena_blocks, arena.blocks);
		give((arena.blocks - 1) * BLOCK_CHUNKS, BLOCK_CHUNKS);
	}
	mutex_unlock(&arena.grow_lock);
	return there || b;
}

uint16_t
chunk_take(void)
{
	uint16_t chunk = NETD_CHUNK_NONE;

	do {
		spin_lock(&arena.lock);
		if (arena.free_count > 0)
			chunk = arena.free[--arena.free_count];
		spin_unlock(&arena.lock);
	} while (chunk == NETD_CHUNK_NONE && grow());
	return chunk;
}

void
chunk_free(uint16_t chunk)
{
	give(chunk, 1);
}

char *
chunk_at(uint16_t chunk, uint32_t offset)
{
	const struct block *b = arena.block[chunk / BLOCK_CHUNKS];

	return (char *)page_to_virt(b->pages[chunk % BLOCK_CHUNKS * CHUNK_PAGES + offset / PAGE_SIZE]) + offset % PAGE_SIZE;
}

bool
chunks_left(void)
{
	return READ_ONCE(arena.free_count) > 0 || READ_ONCE(arena.blocks) < arena.blocks_max;
}

int
door_memory_init(void)
{
	struct memory_stats stats;

	mutex_init(&arena.grow_lock, LOCK_SLEEP_LEAF);
	spin_init(&arena.lock, LOCK_NETD_DOOR);
	memory_stats(&stats);
	arena.blocks_max = (uint32_t)MIN(MAX(stats.total * PAGE_SIZE / 8 / NETD_BLOCK, 1ul), (uint64_t)BLOCKS_LIMIT);
	if (!arena.block)
		arena.block = kvmalloc(arena.blocks_max * sizeof(arena.block[0]));
	if (!arena.free)
		arena.free = kvmalloc(arena.blocks_max * BLOCK_CHUNKS * sizeof(arena.free[0]));
	if (!door.memory)
		door.memory = object_create(&anonymous_object_ops, NETD_MAP_ARENA + (uint64_t)arena.blocks_max * NETD_BLOCK,
					    NULL);
	if (!arena.block || !arena.free || !door.memory)
		return -ENOMEM;
	door.kernel = door_page(NETD_MAP_KERNEL);
	door.netd = door_page(NETD_MAP_NETD);
	door.to_netd = door_page(NETD_MAP_DIRTY);
	door.to_kernel = door_page(NETD_MAP_DIRTY + PAGE_SIZE);
	if (!door.kernel || !door.netd || !door.to_netd || !door.to_kernel)
		return -ENOMEM;
	door.kernel->arena_blocks_max = arena.blocks_max;
	return 0;
}
