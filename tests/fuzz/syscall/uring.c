/* SPDX-License-Identifier: MIT */
/*
 * uring.c - io_uring's rings as a program uses them, in the child: entries are written to shared memory, not given to a
 * call.
 *
 * io_uring_setup() says where in the ring the tail and the array are; it is remembered by descriptor, of the newest
 * MAX_RINGS. To submit, the rings are mapped, the entries stored, the tail moved, io_uring_enter() called, and the
 * rings unmapped. The descriptor may be another file by then, and other threads submit to the same ring: what is
 * read and stored here need not make sense to the kernel, which must bear it. See io_uring_setup(2).
 */
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "fuzz.h"

#define MAX_RINGS   8
#define SQE_SIZE    64
#define MAX_ENTRIES 4096u

static struct ring {
	long fd;
	uint32_t entries, tail, array;
} rings[MAX_RINGS];
static unsigned int rings_made;

void
uring_forget(void)
{
	rings_made = 0;
}

void
uring_remember(long fd, const struct io_uring_params *params)
{
	unsigned int i = __atomic_fetch_add(&rings_made, 1, __ATOMIC_RELAXED);

	rings[i % MAX_RINGS] = (struct ring){ fd, params->sq_entries, params->sq_off.tail, params->sq_off.array };
}

static const struct ring *
ring_of(long fd)
{
	for (unsigned int i = 0; i < MAX_RINGS && i < rings_made; i++)
		if (rings[i].fd == fd && rings[i].entries > 0 && rings[i].entries <= MAX_ENTRIES)
			return &rings[i];
	return NULL;
}

static void
store(uint64_t at, uint32_t n)
{
	raw_fill(at, &n, sizeof(n));
}

static void
push(const struct ring *r, uint64_t ring, uint64_t entries, const uint8_t *sqe)
{
	uint32_t tail, slot;

	/* The page may be gone or not ours: then the tail is what the kernel shall make of garbage. */
	if (raw_call(SYS_futex, ring + r->tail, 1 /* FUTEX_WAKE */, 0, 0, 0, 0) < 0)
		return;
	tail = *(volatile uint32_t *)(ring + r->tail);
	slot = tail & (r->entries - 1);
	raw_fill(entries + (uint64_t)slot * SQE_SIZE, sqe, SQE_SIZE);
	store(ring + r->array + 4ul * slot, slot);
	store(ring + r->tail, tail + 1);
}

long
uring_submit(long fd, const uint8_t *sqes, uint64_t count, uint64_t flags)
{
	const struct ring *r = ring_of(fd);
	uint64_t size, ring, entries;
	long result = -14;

	if (!r || (uint64_t)sqes < DATA || (uint64_t)sqes >= DATA + MAX_THREADS * DATA_SIZE)
		return -9;
	size = r->array + 4ul * r->entries;
	ring = (uint64_t)raw_call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, (uint64_t)fd, IORING_OFF_SQ_RING);
	entries = (uint64_t)raw_call(SYS_mmap, 0, (uint64_t)r->entries * SQE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, (uint64_t)fd,
				     IORING_OFF_SQES);
	if ((int64_t)ring > 0 && (int64_t)entries > 0) {
		for (uint64_t i = 0; i < count % (MAX_SQES + 1); i++)
			push(r, ring, entries, sqes + i * SQE_SIZE);
		result = raw_call(SYS_io_uring_enter, (uint64_t)fd, count % (MAX_SQES + 1), 0, flags, 0, 0);
	}
	if ((int64_t)ring > 0)
		raw_call(SYS_munmap, ring, size, 0, 0, 0, 0);
	if ((int64_t)entries > 0)
		raw_call(SYS_munmap, entries, (uint64_t)r->entries * SQE_SIZE, 0, 0, 0, 0);
	return result;
}
