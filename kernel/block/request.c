/* SPDX-License-Identifier: MIT */
/*
 * request.c - the way of an io to the driver and back.
 *
 *	submit --> plug --> gate --> driver --> complete --> done()
 *	              merges    ^                  |
 *	                        +--- next stage ---+
 *
 * A write that asks for more than its data to move goes in stages: a flush first (BLOCK_PREFLUSH), the data,
 * and a flush behind it where the disk cannot write through its cache (BLOCK_FUA). A disk without a write
 * cache is always flushed: the stages fall away.
 *
 * The gate: disk->in_flight counts requests from the gate to their last completion; who freezes the disk lets
 * nobody in and waits until it is 0. Who waited there meanwhile is looked at again: check_again(). A stage of a
 * request that is in goes on without asking. in_flight is dropped before done() is called, so whoever waits for it may
 * not free what an io points to; the submitter's reference to the device lasts until then.
 */
#include <tessera/backing.h>
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/sched.h>
#include <tessera/signal.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/time.h>

#include "block.h"

#define PLUG_MAX 32u

static struct disk_use transferred; /* [a] by all disks since boot */

enum stage { STAGE_PREFLUSH, STAGE_DATA, STAGE_POSTFLUSH };

/* What io->waiter says when it is over. */
#define COMPLETED ((struct thread *)1)

/*
 * One thread at most waits for an io, without a queue: (1) it puts itself there, with a reference, and says that it
 * sleeps, (2) looks whether the io is over, (3) sleeps. The waker (4) puts COMPLETED there, from when on the io may be
 * gone, and (5) wakes whom it found, by that reference.
 */
void
block_io_wake(struct block_io *io)
{
	struct thread *t = atomic_exchange(&io->waiter, COMPLETED);

	if (!t)
		return;
	thread_wake(t);
	thread_put(t);
}

int
block_wait(struct block_io *io)
{
	struct thread *t = current_thread(), *nobody = NULL;

	if (atomic_load(&io->waiter) == COMPLETED)
		return io->error;
	thread_get(t);
	if (!atomic_cas(&io->waiter, &nobody, t)) {
		thread_put(t);
		return io->error;
	}
	for (;;) {
		wait_prepare(WAIT_UNINTERRUPTIBLE);
		if (atomic_load(&io->waiter) == COMPLETED)
			break;
		(void)wait_sleep(WAIT_UNINTERRUPTIBLE, DEADLINE_NEVER);
	}
	wait_finish();
	return io->error;
}

/* --- statistics ----------------------------------------------------------------------------------- */

static void
count_busy(struct block_statistics *s, uint64_t now)
{
	uint64_t since = atomic_exchange(&s->stamp, now);

	/* Others begin and end meanwhile: whose time is counted is between them, none is counted twice. */
	if (atomic_load_relaxed(&s->in_flight[0]) + atomic_load_relaxed(&s->in_flight[1]) > 0 && now > since)
		atomic_add_relaxed(&s->busy_ns, now - since);
}

static void
count_start(struct block_statistics *s, const struct block_io *io, uint64_t now)
{
	count_busy(s, now);
	atomic_add_relaxed(&s->in_flight[io->op != BLOCK_READ], 1);
}

static void
count_end(struct block_statistics *s, const struct block_io *io, uint64_t now)
{
	count_busy(s, now);
	__atomic_fetch_sub(&s->in_flight[io->op != BLOCK_READ], 1, __ATOMIC_RELAXED);
	atomic_add_relaxed(&s->of[io->op].ios, 1);
	atomic_add_relaxed(&s->of[io->op].sectors, io->length / BLOCK_SECTOR);
	atomic_add_relaxed(&s->of[io->op].ns, now - io->started);
}

void
block_statistics_snapshot(struct block_device *b, struct block_statistics *out)
{
	count_busy(&b->statistics, clock_monotonic_ns());
	memcpy(out, &b->statistics, sizeof(*out));
}

/* A write was counted for its thread before: disk_use.h. */
static void
count_transfer(const struct block_io *io)
{
	if (io->op == BLOCK_READ) {
		atomic_add_relaxed(&transferred.read, io->length);
		current_thread()->disk.read += io->length;
	} else if (io->op == BLOCK_WRITE) {
		atomic_add_relaxed(&transferred.written, io->length);
	}
}

void
block_transferred(struct disk_use *out)
{
	out->read = atomic_load_relaxed(&transferred.read);
	out->written = atomic_load_relaxed(&transferred.written);
}

static void
started(struct block_io *io)
{
	uint64_t now = clock_monotonic_ns();

	io->started = now;
	count_start(&io->device->statistics, io, now);
	if (io->device->number)
		count_start(&io->device->disk->whole->statistics, io, now);
}

static void
ended(struct block_io *io)
{
	uint64_t now = clock_monotonic_ns();

	count_end(&io->device->statistics, io, now);
	if (io->device->number)
		count_end(&io->device->disk->whole->statistics, io, now);
}

/* --- the gate --------------------------------------------------------------------------------------- */

static void
leave(struct block_disk *d)
{
	if (atomic_sub_fetch(&d->in_flight, 1) == 0 && !wait_queue_is_empty(&d->drained))
		wake_all(&d->drained);
}

/* False: the disk is no more. */
static bool
enter(struct block_disk *d)
{
	for (;;) {
		atomic_add(&d->in_flight, 1);
		if (READ_ONCE(d->gone)) {
			leave(d);
			return false;
		}
		if (likely(!atomic_load(&d->frozen)))
			return true;
		leave(d);
		wait_event(&d->drained, !atomic_load(&d->frozen) || READ_ONCE(d->gone));
	}
}

void
block_disk_freeze(struct block_disk *d)
{
	atomic_add(&d->frozen, 1);
	wait_event(&d->drained, atomic_load(&d->in_flight) == 0);
}

void
block_disk_thaw(struct block_disk *d)
{
	atomic_add(&d->changes, 1); /* (2) after what was changed */
	if (atomic_sub_fetch(&d->frozen, 1) == 0)
		wake_all(&d->drained);
}

/* --- there ------------------------------------------------------------------------------------------ */

static void
finish(struct block_io *io, int error)
{
	io->error = error;
	io->done(io);
}

static void
finish_all(struct block_io *io, int error)
{
	for (struct block_io *next; io; io = next) {
		next = io->next;
		finish(io, error);
	}
}

/*
 * A request that was checked (1) before the disk was frozen, and is in now that it may be another one (2): 0 or an
 * errno. What a write was meant for is no more when the medium has changed; the size is read first, because who
 * changes the medium says so first.
 */
static int
check_again(const struct block_io *io)
{
	const struct block_device *b = io->device;
	const struct block_disk *d = b->disk;
	const struct block_limits *l = &d->limits;
	uint64_t from = io->offset - READ_ONCE(b->start), size = block_size(b);

	if (READ_ONCE(b->gone))
		return -EIO;
	if (io->op == BLOCK_FLUSH)
		return 0;
	if (io->op != BLOCK_READ && (block_readonly(b) || READ_ONCE(d->sequence) != io->sequence))
		return -EIO;
	if (((io->offset | io->length) & (l->logical_block - 1)) || from > size || io->length > size - from)
		return -EIO;
	if ((io->op == BLOCK_DISCARD && io->length > l->max_discard) ||
	    (io->op == BLOCK_ZERO && io->length > l->max_zero))
		return -EOPNOTSUPP;
	return io->total > l->max_bytes || io->total_segments > l->max_segments ? -EIO : 0;
}

/* Send the request of which `io` is the first; the driver is not told yet that it may begin. */
static void
dispatch(struct block_io *io)
{
	struct block_disk *d = io->device->disk;
	uint32_t changes;
	int error = 0;

	if (!enter(d)) {
		finish_all(io, -EIO);
		return;
	}
	changes = atomic_load(&d->changes);
	for (struct block_io *one = io; one && !error; one = one->next)
		if (one->changes != changes)
			error = check_again(one);
	if (error) {
		leave(d);
		finish_all(io, error);
		return;
	}
	for (struct block_io *one = io; one; one = one->next)
		started(one);
	d->ops->submit(d, io);
}

static void
commit(struct block_disk *d)
{
	if (d->ops->commit)
		d->ops->commit(d);
}

static bool
may_merge(const struct block_disk *d, const struct block_io *a, const struct block_io *b)
{
	return a->op == b->op && (a->op == BLOCK_READ || a->op == BLOCK_WRITE) && a->doing == a->op &&
	       b->doing == b->op && !a->flags && !b->flags && a->device->disk == b->device->disk &&
	       a->total + b->total <= d->limits.max_bytes &&
	       a->total_segments + b->total_segments <= d->limits.max_segments && !READ_ONCE(d->no_merges);
}

/* The requests `a` and then `b`, neighbours, become one: `a`. */
static void
merge(struct block_io *a, struct block_io *b)
{
	a->last->next = b;
	a->last = b->last;
	a->total += b->total;
	a->total_segments += b->total_segments;
	atomic_add_relaxed(&b->device->statistics.of[b->op].merges, 1);
	if (b->device->number)
		atomic_add_relaxed(&b->device->disk->whole->statistics.of[b->op].merges, 1);
}

static void
plug_add(struct block_plug *p, struct block_io *io)
{
	struct block_disk *d = io->device->disk;
	struct block_io *other;

	list_for_each(other, &p->ios, node) {
		if (!may_merge(d, other, io))
			continue;
		if (other->offset + other->total == io->offset) {
			merge(other, io);
			return;
		}
		if (io->offset + io->total == other->offset) {
			list_add(&other->node, &io->node);
			list_del(&other->node);
			merge(io, other);
			return;
		}
	}
	list_add_tail(&p->ios, &io->node);
	if (++p->count >= PLUG_MAX)
		block_unplug(p);
}

void
block_plug_init(struct block_plug *p)
{
	list_init(&p->ios);
	p->count = 0;
}

void
block_unplug(struct block_plug *p)
{
	struct block_disk *last = NULL;

	while (!list_is_empty(&p->ios)) {
		struct block_io *io = list_first(&p->ios, struct block_io, node);
		struct block_disk *d = io->device->disk;

		list_del(&io->node);
		if (d != last) {
			if (last) {
				commit(last);
				block_disk_put(last);
			}
			block_disk_get(d); /* what is done may take the device along */
			last = d;
		}
		dispatch(io);
	}
	if (last) {
		commit(last);
		block_disk_put(last);
	}
	p->count = 0;
}

/* May it go to the disk at all? Turns the range into one of the disk. 0 or an errno. */
static int
check(struct block_io *io)
{
	struct block_device *b = io->device;
	struct block_disk *d = b->disk;
	const struct block_limits *l = &d->limits;
	bool data = io->op == BLOCK_READ || io->op == BLOCK_WRITE;
	uint64_t size;

	io->changes = atomic_load(&d->changes); /* (1) before what it depends on */
	io->sequence = READ_ONCE(d->sequence);
	size = block_size(b);
	if (READ_ONCE(b->gone) || READ_ONCE(d->gone))
		return -EIO;
	if (io->op == BLOCK_FLUSH)
		return 0;
	if (io->op != BLOCK_READ && block_readonly(b))
		return -EPERM;
	if (io->length == 0 || ((io->offset | io->length) & (l->logical_block - 1)))
		return -EINVAL;
	if (io->offset > size || io->length > size - io->offset)
		return -EIO;
	if (data && (io->length > l->max_bytes || io->count > l->max_segments))
		return -EINVAL;
	if ((io->op == BLOCK_DISCARD && io->length > l->max_discard) ||
	    (io->op == BLOCK_ZERO && io->length > l->max_zero))
		return -EOPNOTSUPP;
	io->offset += READ_ONCE(b->start);
	return 0;
}

void
block_submit(struct block_io *io, struct block_plug *p)
{
	struct block_disk *d = io->device->disk;
	int error;

	io->error = 0;
	atomic_store(&io->waiter, NULL);
	error = check(io);
	if (!d->limits.write_cache) {
		io->flags &= ~(uint32_t)(BLOCK_PREFLUSH | BLOCK_FUA);
		if (!error && io->op == BLOCK_FLUSH) {
			finish(io, 0);
			return;
		}
	}
	if (error) {
		finish(io, error);
		return;
	}
	count_transfer(io);
	io->next = NULL;
	io->last = io;
	io->total = io->length;
	io->total_segments = io->count;
	io->stage = io->flags & BLOCK_PREFLUSH ? STAGE_PREFLUSH : STAGE_DATA;
	io->doing = io->flags & BLOCK_PREFLUSH ? BLOCK_FLUSH : io->op;
	if (p) {
		plug_add(p, io);
		return;
	}
	block_disk_get(d);
	dispatch(io);
	commit(d);
	block_disk_put(d);
}

int
block_submit_wait(struct block_io *io)
{
	io->done = block_io_wake;
	block_submit(io, NULL);
	return block_wait(io);
}

/* --- and back --------------------------------------------------------------------------------------- */

/* The stage of `io` that was done is not its last: begin the next. */
static bool
next_stage(struct block_io *io, struct block_disk *d)
{
	if (io->stage == STAGE_PREFLUSH) {
		io->stage = STAGE_DATA;
		io->doing = io->op;
	} else if (io->stage == STAGE_DATA && (io->flags & BLOCK_FUA) && !d->limits.fua) {
		io->stage = STAGE_POSTFLUSH;
		io->doing = BLOCK_FLUSH;
	} else {
		return false;
	}
	block_disk_get(d); /* the request may be over, and with it whoever kept the disk */
	d->ops->submit(d, io);
	commit(d);
	block_disk_put(d);
	return true;
}

void
block_complete(struct block_io *io, int error)
{
	struct block_disk *d = io->device->disk;

	if (!error && next_stage(io, d))
		return;
	for (struct block_io *one = io; one; one = one->next)
		ended(one);
	leave(d);
	finish_all(io, error);
}

/* --- whole ranges ------------------------------------------------------------------------------------ */

int
block_flush(struct block_device *b)
{
	struct block_io io = { .device = b, .op = BLOCK_FLUSH };

	return block_submit_wait(&io);
}

/* One kind of request without data over the range, in pieces that the disk takes. */
static int
each_piece(struct block_device *b, enum block_op op, uint32_t flags, uint64_t offset, uint64_t length, uint64_t max)
{
	int error = 0;

	max = ALIGN_DOWN(max, (uint64_t)b->disk->limits.logical_block);
	if (max == 0)
		return -EOPNOTSUPP;
	while (length > 0 && !error) {
		struct block_io io = {
			.device = b, .op = op, .flags = flags, .offset = offset, .length = MIN(length, max),
		};
		uint64_t n = io.length;

		error = signal_fatal_pending(current_thread()) ? -EINTR : block_submit_wait(&io);
		offset += n;
		length -= n;
	}
	return error;
}

/*
 * Before a range changes below the page cache: no page is on its way to the disk, and none goes there until after it,
 * with what was in the range before. 0 or -EINTR.
 */
static int
range_begin(struct block_device *b)
{
	return object_hold_writes(b->object);
}

/*
 * It has changed: so do its pages. Those that lie in it in part keep what is beside it, changes too. Where it
 * failed nobody knows how far it came: clean pages are read anew.
 */
static void
range_end(struct block_device *b, uint64_t offset, uint64_t length, int error)
{
	if (error)
		object_drop_clean(b->object, offset, offset + length);
	else
		object_punch(b->object, offset, offset + length);
	object_release_writes(b->object);
}

int
block_discard(struct block_device *b, uint64_t offset, uint64_t length)
{
	int error = range_begin(b);

	if (error)
		return error;
	error = each_piece(b, BLOCK_DISCARD, 0, offset, length, b->disk->limits.max_discard);
	range_end(b, offset, length, error);
	return error;
}

/* Many segments of the one page of zeroes. */
static int
write_zeroes(struct block_device *b, uint64_t offset, uint64_t length)
{
	uint32_t n = MIN(b->disk->limits.max_segments, 64u);
	struct block_segment *segments = kmalloc(n * sizeof(*segments), 0);
	struct page *p = page_alloc(0, ALLOC_ZERO);
	int error = segments && p ? 0 : -ENOMEM;

	while (!error && length > 0) {
		struct block_io io = { .device = b, .op = BLOCK_WRITE, .offset = offset, .segments = segments };

		while (io.count < n && io.length < length && io.length + PAGE_SIZE <= b->disk->limits.max_bytes) {
			uint32_t piece = (uint32_t)MIN(length - io.length, PAGE_SIZE);

			segments[io.count++] = (struct block_segment){ .page = p, .length = piece };
			io.length += piece;
		}
		offset += io.length;
		length -= io.length;
		error = signal_fatal_pending(current_thread()) ? -EINTR : block_submit_wait(&io);
	}
	if (p)
		page_put(p);
	kfree(segments);
	return error;
}

int
block_zero(struct block_device *b, uint64_t offset, uint64_t length, uint32_t flags, bool may_write)
{
	int error = range_begin(b);

	if (error)
		return error;
	error = each_piece(b, BLOCK_ZERO, flags, offset, length, b->disk->limits.max_zero);
	if (error == -EOPNOTSUPP && may_write)
		error = write_zeroes(b, offset, length);
	range_end(b, offset, length, error);
	return error;
}

int
block_read_raw(struct block_device *b, uint64_t offset, void *buf, size_t length)
{
	while (length > 0) {
		uint32_t n = (uint32_t)MIN(length, (size_t)b->disk->limits.max_bytes);
		struct block_segment s = { virt_to_page(buf), (uint32_t)((uintptr_t)buf % PAGE_SIZE), n };
		struct block_io io = {
			.device = b, .op = BLOCK_READ, .offset = offset, .length = n, .segments = &s, .count = 1,
		};
		int error = block_submit_wait(&io);

		if (error)
			return error;
		offset += n;
		buf = (char *)buf + n;
		length -= n;
	}
	return 0;
}
