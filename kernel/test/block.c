/* SPDX-License-Identifier: MIT */
/*
 * block.c - requests on their way: what is merged, what a flush goes before and behind, what a removed disk says.
 *
 * The disk is memory; it remembers what it was asked for, and answers at once.
 */
#include <tessera/block.h>
#include <tessera/errno.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/test.h>

#define DISK_SIZE (64u << 10)
#define ASKED_MAX 32u

/* One disk at a time. */
static struct {
	uint8_t *bytes;
	int error;
	uint32_t asked;
	struct {
		enum block_op doing;
		uint64_t offset, total;
	} log[ASKED_MAX];
	bool released;
} ram;

static void
submit(struct block_disk *d, struct block_io *io)
{
	uint64_t at = io->offset;

	if (ram.asked < ASKED_MAX) {
		ram.log[ram.asked].doing = io->doing;
		ram.log[ram.asked].offset = io->offset;
		ram.log[ram.asked].total = io->total;
	}
	ram.asked++;
	for (struct block_io *one = io; one && io->doing != BLOCK_FLUSH; one = one->next)
		for (uint32_t i = 0; i < one->count; i++) {
			uint8_t *memory = (uint8_t *)page_to_virt(one->segments[i].page) + one->segments[i].offset;
			uint32_t n = one->segments[i].length;

			if (one->op == BLOCK_WRITE)
				memcpy(ram.bytes + at, memory, n);
			else
				memcpy(memory, ram.bytes + at, n);
			at += n;
		}
	block_complete(io, ram.error);
}

static void
release(struct block_disk *d)
{
	ram.released = true;
}

static const struct block_disk_ops ram_ops = {
	.name = "ram",
	.submit = submit,
	.release = release,
};

static void
make_disk(struct block_disk **out)
{
	struct block_disk *d;

	memset(&ram, 0, sizeof(ram));
	ram.bytes = kzalloc(DISK_SIZE);
	d = block_disk_create(&ram_ops, NULL);
	*out = d;
	kcheck(ram.bytes && d);
	snprintf(d->name, sizeof(d->name), "ktest");
	d->major = 240;
	d->no_partitions = true;
	d->limits.write_cache = true;
	kcheck_equal(block_disk_add(d, DISK_SIZE), 0);
}

static void
end_disk(struct block_disk *d)
{
	block_disk_remove(d);
	block_disk_put(d);
	kcheck(ram.released);
	kfree(ram.bytes);
}

struct transfer {
	struct block_io io;
	struct block_segment segment;
};

static void
prepare(struct transfer *t, struct block_disk *d, enum block_op op, uint64_t offset, struct page *p, uint32_t n)
{
	*t = (struct transfer){ .segment = { p, 0, n } };
	t->io = (struct block_io){
		.device = d->whole,
		.op = op,
		.offset = offset,
		.length = n,
		.segments = &t->segment,
		.count = 1,
		.done = block_io_wake,
	};
}

KTEST(block_neighbours_become_one_request)
{
	static const uint64_t order[] = { 4096, 8192, 0, 20480, 16384, 40960 };
	struct block_disk *d;
	struct page *p = page_alloc(0, ALLOC_ZERO);
	static struct transfer t[ARRAY_SIZE(order)]; /* a lot for a stack */
	struct block_plug plug;

	make_disk(&d);
	kcheck(p);
	block_plug_init(&plug);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		prepare(&t[i], d, BLOCK_WRITE, order[i], p, 4096);
		block_submit(&t[i].io, &plug);
	}
	kcheck_equal(ram.asked, 0);
	block_unplug(&plug);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		kcheck_equal(block_wait(&t[i].io), 0);
	kcheck_equal(ram.asked, 3);
	kcheck_equal(ram.log[0].offset, 0);
	kcheck_equal(ram.log[0].total, 12288);
	kcheck_equal(ram.log[1].offset, 16384);
	kcheck_equal(ram.log[1].total, 8192);
	kcheck_equal(ram.log[2].total, 4096);
	kcheck_equal(d->whole->statistics.of[BLOCK_WRITE].ios, 6);
	kcheck_equal(d->whole->statistics.of[BLOCK_WRITE].merges, 3);
	page_put(p);
	end_disk(d);
}

KTEST(block_barriers_flush_around_a_write)
{
	struct block_disk *d;
	struct page *p = page_alloc(0, ALLOC_ZERO);
	struct transfer t;

	make_disk(&d);
	kcheck(p);
	prepare(&t, d, BLOCK_WRITE, 0, p, 512);
	t.io.flags = BLOCK_PREFLUSH | BLOCK_FUA;
	kcheck_equal(block_submit_wait(&t.io), 0);
	kcheck_equal(ram.asked, 3);
	kcheck_equal(ram.log[0].doing, BLOCK_FLUSH);
	kcheck_equal(ram.log[1].doing, BLOCK_WRITE);
	kcheck_equal(ram.log[2].doing, BLOCK_FLUSH);
	/* A disk that writes through its cache needs no flush behind. */
	ram.asked = 0;
	d->limits.fua = true;
	prepare(&t, d, BLOCK_WRITE, 0, p, 512);
	t.io.flags = BLOCK_PREFLUSH | BLOCK_FUA;
	kcheck_equal(block_submit_wait(&t.io), 0);
	kcheck_equal(ram.asked, 2);
	/* One without a cache needs none at all. */
	ram.asked = 0;
	d->limits.write_cache = false;
	prepare(&t, d, BLOCK_WRITE, 0, p, 512);
	t.io.flags = BLOCK_PREFLUSH | BLOCK_FUA;
	kcheck_equal(block_submit_wait(&t.io), 0);
	kcheck_equal(block_flush(d->whole), 0);
	kcheck_equal(ram.asked, 1);
	/* What fails before the data ends it. */
	ram.asked = 0;
	d->limits.write_cache = true;
	ram.error = -EIO;
	prepare(&t, d, BLOCK_WRITE, 0, p, 512);
	t.io.flags = BLOCK_PREFLUSH;
	kcheck_equal(block_submit_wait(&t.io), -EIO);
	kcheck_equal(ram.asked, 1);
	ram.error = 0;
	page_put(p);
	end_disk(d);
}

KTEST(block_bad_ranges_never_reach_the_driver)
{
	struct block_disk *d;
	struct page *p = page_alloc(0, ALLOC_ZERO);
	struct transfer t;

	make_disk(&d);
	kcheck(p);
	prepare(&t, d, BLOCK_READ, 100, p, 512);
	kcheck_equal(block_submit_wait(&t.io), -EINVAL);
	prepare(&t, d, BLOCK_READ, 0, p, 100);
	kcheck_equal(block_submit_wait(&t.io), -EINVAL);
	prepare(&t, d, BLOCK_READ, DISK_SIZE - 512, p, 1024);
	kcheck_equal(block_submit_wait(&t.io), -EIO);
	prepare(&t, d, BLOCK_READ, UINT64_MAX - 511, p, 512);
	kcheck_equal(block_submit_wait(&t.io), -EIO);
	kcheck_equal(block_discard(d->whole, 0, 512), -EOPNOTSUPP);
	d->readonly = true;
	prepare(&t, d, BLOCK_WRITE, 0, p, 512);
	kcheck_equal(block_submit_wait(&t.io), -EPERM);
	kcheck_equal(ram.asked, 0);
	d->readonly = false;
	/* Zeroes that the disk cannot make are written. */
	memset(ram.bytes, 0xff, DISK_SIZE);
	kcheck_equal(block_zero(d->whole, 512, 8192, 0, true), 0);
	kcheck_equal(ram.bytes[511], 0xff);
	kcheck_equal(ram.bytes[512], 0);
	kcheck_equal(ram.bytes[512 + 8191], 0);
	kcheck_equal(ram.bytes[512 + 8192], 0xff);
	page_put(p);
	end_disk(d);
}

/* Checked, and at the gate no more what it was checked for. */
KTEST(block_requests_meet_the_disk_that_they_were_meant_for)
{
	struct block_disk *d;
	struct page *p = page_alloc(0, ALLOC_ZERO);
	struct transfer t;
	struct block_plug plug;

	make_disk(&d);
	kcheck(p);
	block_plug_init(&plug);
	/* It froze and is the same. */
	prepare(&t, d, BLOCK_WRITE, DISK_SIZE - 512, p, 512);
	block_submit(&t.io, &plug);
	block_disk_freeze(d);
	block_disk_thaw(d);
	block_unplug(&plug);
	kcheck_equal(block_wait(&t.io), 0);
	kcheck_equal(ram.asked, 1);
	/* It is another medium: nobody wants that written there, but whoever reads reads it. */
	for (int write = 0; write < 2; write++) {
		prepare(&t, d, write ? BLOCK_WRITE : BLOCK_READ, 0, p, 512);
		block_submit(&t.io, &plug);
		block_disk_freeze(d);
		block_disk_set_capacity(d, DISK_SIZE, true);
		block_disk_thaw(d);
		block_unplug(&plug);
		kcheck_equal(block_wait(&t.io), write ? -EIO : 0);
		kcheck_equal(ram.asked, 2);
	}
	/* It is smaller, its blocks are larger, it is not to be written. */
	for (int how = 0; how < 3; how++) {
		prepare(&t, d, how < 2 ? BLOCK_READ : BLOCK_WRITE, DISK_SIZE - 512, p, 512);
		block_submit(&t.io, &plug);
		block_disk_freeze(d);
		block_disk_set_capacity(d, how == 0 ? DISK_SIZE / 2 : DISK_SIZE, false);
		d->limits.logical_block = how == 1 ? 4096 : 512;
		d->readonly = how == 2;
		block_disk_thaw(d);
		block_unplug(&plug);
		kcheck_equal(block_wait(&t.io), -EIO);
		kcheck_equal(ram.asked, 2);
		block_disk_set_capacity(d, DISK_SIZE, false);
		d->limits.logical_block = 512;
		d->readonly = false;
	}
	page_put(p);
	end_disk(d);
}

KTEST(block_removed_disks_answer_with_an_error)
{
	struct block_disk *d;
	struct page *p = page_alloc(0, ALLOC_ZERO);
	struct block_device *b;
	struct transfer t;

	make_disk(&d);
	kcheck(p);
	b = d->whole;
	block_device_get(b);
	kcheck_equal(block_claim(b, &t), 0);
	kcheck_equal(block_claim(b, &ram), -EBUSY);
	block_unclaim(b, &t);
	kcheck_equal(block_device_open(b, 0), 0);
	block_disk_remove(d);
	kcheck_equal(block_device_open(b, 0), -ENXIO);
	prepare(&t, d, BLOCK_READ, 0, p, 512);
	kcheck_equal(block_submit_wait(&t.io), -EIO);
	kcheck_equal(block_flush(b), -EIO);
	block_device_close(b, 0);
	block_disk_put(d);
	kcheck(!ram.released); /* who looks at it keeps it */
	block_device_put(b);
	kcheck(ram.released);
	kfree(ram.bytes);
	page_put(p);
}
