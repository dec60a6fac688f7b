/* SPDX-License-Identifier: MIT */
/*
 * block_test.c - the driver by itself: no door to the kernel, requests of our own with checksums.
 *
 *   --test             the second half of the disk is written in pieces of many sizes, many at once, read back
 *                      and compared; then what the disk can besides: zeroes, discard, flush, errors
 *   --test=sum         only print the checksum of the whole disk
 *   --test=loop        as --test, again and again until it is killed; only mistakes are told
 *   --test=stamp,SEED  only write the second half; what lies there is then known to who knows the seed
 *
 * What sector S holds for seed X: 64 numbers of 64 bits, number I is (S * 64 + I) * STEP ^ X.
 * The checksum is CRC-32 as in zlib.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "driver.h"
#include "manager.h"

#define STEP 0x9e3779b97f4a7c15ull

struct test {
	struct block_driver *block;
	struct block_request *requests;
	unsigned count, under_way;
	struct block_request *free;
	uint64_t done, errors;
};

struct buffer {
	struct dma memory;
};

static uint64_t seed = 1;

static void
stamp(uint64_t *at, uint64_t sector, uint32_t sectors)
{
	for (uint64_t n = sector * 64; n < (sector + sectors) * 64; n++)
		*at++ = n * STEP ^ seed;
}

static bool
is_stamped(const uint64_t *at, uint64_t sector, uint32_t sectors)
{
	for (uint64_t n = sector * 64; n < (sector + sectors) * 64; n++)
		if (*at++ != (n * STEP ^ seed)) {
			log_error("sector %llu holds what was not written", (unsigned long long)n / 64);
			return false;
		}
	return true;
}

static void
ended(struct block_request *r, int error)
{
	struct test *t = r->source;
	const uint64_t *data = ((struct buffer *)r->status)->memory.addr;

	if (error) {
		log_error("operation %d of %u sectors at %llu: %s", r->op, r->sectors, (unsigned long long)r->sector,
			strerror(-error));
		t->errors++;
	} else if (r->op == BLOCK_READ && r->head && !is_stamped(data, r->sector, r->sectors)) {
		t->errors++;
	}
	t->done++;
	t->under_way--;
	r->next = t->free;
	t->free = r;
}

/* A free request; waits for one. */
static struct block_request *
get(struct test *t)
{
	struct block_request *r;

	while (!t->free) {
		block_push(t->block);
		loop_once(-1);
	}
	r = t->free;
	t->free = r->next;
	return r;
}

static void
wait_all(struct test *t)
{
	block_push(t->block);
	while (t->under_way)
		loop_once(-1);
}

/* Cut the buffer of a request into pieces, not all of one size, that every device must take somehow. */
static void
cut(struct block_request *r, unsigned pieces)
{
	struct dma *m = &((struct buffer *)r->status)->memory;
	uint32_t left = r->sectors * SECTOR_SIZE, at = 0;

	r->segment_count = 0;
	r->reachable = true;
	while (left) {
		uint32_t size = r->segment_count + 1 == pieces || left < 1024 ? left : (left / pieces + 511) & ~511u;

		size = size > left ? left : size;
		r->segments[r->segment_count++] = (struct block_segment){
			.addr = (char *)m->addr + at, .bus = m->bus + at, .size = size,
		};
		at += size;
		left -= size;
	}
}

/* Start one operation. `check`: what is read must be stamped. */
static void
go(struct test *t, enum block_op op, uint64_t sector, uint32_t sectors, unsigned pieces, bool check)
{
	struct block_request *r = get(t);

	r->op = op;
	r->sector = sector;
	r->sectors = sectors;
	r->head = check;
	r->queue = (r - t->requests) % t->block->disk.queues;
	r->segment_count = 0;
	r->may_unmap = false;
	if (op == BLOCK_READ || op == BLOCK_WRITE)
		cut(r, pieces);
	if (op == BLOCK_WRITE)
		stamp(((struct buffer *)r->status)->memory.addr, sector, sectors);
	t->under_way++;
	block_start(t->block, r);
}

/* All of [first, last) by requests of many sizes and shapes. */
static void
sweep(struct test *t, enum block_op op, uint64_t first, uint64_t last, bool check)
{
	uint32_t unit = t->block->disk.block_size / SECTOR_SIZE, most = t->block->disk.sectors_max;
	uint64_t random = seed;

	for (uint64_t at = first; at < last;) {
		uint32_t sectors;

		random = random * 6364136223846793005ull + 1442695040888963407ull;
		sectors = (random >> 33) % (random >> 62 ? 64 : most) / unit * unit;
		sectors = sectors ? sectors : unit;
		if (sectors > last - at)
			sectors = last - at;
		go(t, op, at, sectors, 1 + (random >> 40) % 5, check);
		at += sectors;
	}
	wait_all(t);
}

static uint32_t
crc32(uint32_t crc, const uint8_t *data, size_t size)
{
	static uint32_t table[256];

	for (uint32_t i = 0; !table[255] && i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
		table[i] = c;
	}
	crc = ~crc;
	while (size--)
		crc = crc >> 8 ^ table[(crc ^ *data++) & 0xff];
	return ~crc;
}

static uint32_t
sum(struct test *t)
{
	uint32_t crc = 0;

	for (uint64_t at = 0; at < t->block->disk.sectors;) {
		uint64_t left = t->block->disk.sectors - at;
		uint32_t sectors = left < t->block->disk.sectors_max ? left : t->block->disk.sectors_max;

		go(t, BLOCK_READ, at, sectors, 1, false);
		wait_all(t);
		crc = crc32(crc, ((struct buffer *)t->free->status)->memory.addr, (size_t)sectors * SECTOR_SIZE);
		at += sectors;
	}
	return crc;
}

/* Sectors [first, first + count) are all zero. */
static bool
is_zero(struct test *t, uint64_t first, uint32_t count)
{
	const uint8_t *data;

	go(t, BLOCK_READ, first, count, 1, false);
	wait_all(t);
	data = ((struct buffer *)t->free->status)->memory.addr;
	return data[0] == 0 && memcmp(data, data + 1, (size_t)count * SECTOR_SIZE - 1) == 0;
}

static void
special(struct test *t, uint64_t first)
{
	struct block_disk *disk = &t->block->disk;
	uint32_t unit = disk->block_size / SECTOR_SIZE;
	uint64_t before = t->errors;

	if (disk->write_cache)
		go(t, BLOCK_FLUSH, 0, 0, 0, false);
	wait_all(t);
	if (disk->zeroes_max) {
		go(t, BLOCK_WRITE_ZEROES, first + 2 * unit, 3 * unit, 0, false);
		wait_all(t);
		if (!is_zero(t, first + 2 * unit, 3 * unit)) {
			log_error("sectors to be zero are not");
			t->errors++;
		}
		go(t, BLOCK_READ, first, 2 * unit, 1, true);
		go(t, BLOCK_READ, first + 5 * unit, 2 * unit, 1, true);
		wait_all(t);
	}
	if (disk->discard_max)
		go(t, BLOCK_DISCARD, first + 8 * unit, 8 * unit, 0, false);
	wait_all(t);
	if (t->errors != before)
		return;
	/* The device itself says no to what lies beyond its end. */
	log_info("reading beyond the end, which must fail");
	go(t, BLOCK_READ, disk->sectors + 8 * unit, unit, 1, false);
	wait_all(t);
	if (t->errors == before)
		log_error("reading beyond the end went well");
	t->errors = t->errors == before ? before + 1 : before;
}

static int
make_requests(struct test *t)
{
	struct block_disk *disk = &t->block->disk;

	t->count = disk->queues * disk->depth < 24 ? disk->queues * disk->depth : 24;
	t->requests = calloc(t->count, sizeof(*t->requests));
	for (unsigned i = 0; t->requests && i < t->count; i++) {
		struct buffer *b = calloc(1, sizeof(*b));
		struct block_request *r = &t->requests[i];

		if (!b || dma_alloc(t->block->device, &b->memory, (size_t)disk->sectors_max * SECTOR_SIZE) < 0)
			return -ENOMEM;
		/* Tests have no status byte; the field carries the buffer. */
		r->status = (uint8_t *)b;
		r->source = t;
		r->done = ended;
		r->next = t->free;
		t->free = r;
	}
	return t->requests ? 0 : -ENOMEM;
}

static int
test_disk(struct test *t, const char *words)
{
	struct block_disk *disk = &t->block->disk;
	uint32_t unit = disk->block_size / SECTOR_SIZE;
	uint64_t half = disk->sectors / 2 / unit * unit;
	bool only_stamp = strncmp(words, "stamp,", 6) == 0;

	if (make_requests(t) < 0)
		return -ENOMEM;
	if (t->block->ops->go)
		t->block->ops->go(t->block);
	while (strcmp(words, "loop") == 0 && t->errors == 0) {
		sweep(t, BLOCK_WRITE, half, disk->sectors, false);
		sweep(t, BLOCK_READ, half, disk->sectors, true);
		seed++;
	}
	if (strcmp(words, "sum") == 0) {
		printf("sum %08x\n", sum(t));
	} else {
		if (only_stamp)
			seed = strtoull(words + 6, NULL, 0);
		sweep(t, BLOCK_WRITE, half, disk->sectors, false);
		sweep(t, BLOCK_READ, half, disk->sectors, true);
		if (!only_stamp)
			special(t, half);
	}
	if (disk->write_cache) {
		go(t, BLOCK_FLUSH, 0, 0, 0, false);
		wait_all(t);
	}
	printf("test %s: %llu requests, %llu errors\n", t->errors ? "failed" : "passed", (unsigned long long)t->done,
		(unsigned long long)t->errors);
	fflush(stdout);
	return t->errors ? -EIO : 0;
}

int
block_serve_test(struct block_driver **disks, unsigned count, const struct driver_options *o)
{
	int status = 0;

	if (driver_confine(o) < 0)
		return DRIVER_EXIT_DEVICE;
	manager_tell_running(o->manager_fd);
	for (unsigned i = 0; i < count; i++) {
		struct test t = { .block = disks[i] };

		if (test_disk(&t, o->test_words ? o->test_words : "") < 0)
			status = DRIVER_EXIT_TEST;
	}
	return status;
}
