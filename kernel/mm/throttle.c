/* SPDX-License-Identifier: MIT */
/*
 * throttle.c - how much may be dirty, and who has to wait for that.
 *
 * Two limits, of all memory that can be had (free or cached): above `background` flushers write
 * what they have, however young; at `threshold` whoever dirties sleeps. The threshold is shared
 * out: a backing may have seven eighths of what the others leave of it, and a few pages in any
 * case. So one whose store is stuck never takes all, and what is left to the next is enough to go
 * on. max_ratio and min_ratio (bdi.c) bound a share in hundredths of the threshold.
 *
 * The limits are computed from the counters of all CPUs, at most ten times a second.
 *
 * Never made to wait: flushers, and processes that said by PR_SET_IO_FLUSHER that stores depend on
 * them.
 */
#include <tessera/address_space.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/process.h>
#include <tessera/signal.h>
#include <tessera/thread.h>
#include <tessera/time.h>

#include "mm.h"
#include "page_cache.h"

#define LIMITS_NS  (100 * NSEC_PER_MSEC)
#define SHARE_MIN  32    /* pages that every backing may have dirty */
#define MEMORY_NS  (100 * NSEC_PER_MSEC)
#define PAUSE_NS   (200 * NSEC_PER_MSEC)

int dirty_ratio = 20, dirty_background_ratio = 10;
int dirty_expire_centisecs = 3000, dirty_writeback_centisecs = 500;
uint64_t dirty_bytes, dirty_background_bytes;

static int64_t all_dirty, all_writeback;       /* [a] pages */
static uint64_t dirtied, written;              /* [a] pages, ever */
static uint64_t threshold, background;         /* [a] pages, as computed at */
static uint64_t computed_at;                   /* [a] monotonic ns, 0: never */
static struct wait_queue any_progress = WAIT_QUEUE_INIT(any_progress);

void
dirty_count(struct backing *b, int64_t dirty, int64_t writeback)
{
	/* Up before down: who looks at dirty and then at writeback misses nothing that goes from one to the other. */
	assert(writeback >= 0 || dirty == 0);
	atomic_add(&b->writeback, writeback);
	atomic_add(&b->dirty, dirty);
	atomic_add_relaxed(&all_dirty, dirty);
	atomic_add_relaxed(&all_writeback, writeback);
	if (dirty > 0)
		atomic_add_relaxed(&dirtied, (uint64_t)dirty);
	if (writeback < 0)
		atomic_add_relaxed(&written, (uint64_t)-writeback);
}

static uint64_t
limit_of(uint64_t available, int ratio, uint64_t bytes)
{
	return bytes ? DIV_ROUND_UP(bytes, PAGE_SIZE) : available * (uint64_t)MAX(ratio, 0) / 100;
}

static void
update_limits(void)
{
	uint64_t now = clock_monotonic_ns(), then = atomic_load_relaxed(&computed_at), available, high, low;
	struct memory_stats m;

	if ((then != 0 && now - then < LIMITS_NS) || !atomic_cas(&computed_at, &then, now))
		return;
	memory_stats(&m);
	available = m.free + (m.cached > m.shared ? m.cached - m.shared : 0);
	available -= MIN(available, frames_reserve);
	high = limit_of(available, READ_ONCE(dirty_ratio), READ_ONCE(dirty_bytes));
	low = limit_of(available, READ_ONCE(dirty_background_ratio), READ_ONCE(dirty_background_bytes));
	high = MAX(high, (uint64_t)SHARE_MIN);
	atomic_store_release(&threshold, high);
	atomic_store_release(&background, low >= high ? high / 2 : low);
}

void
dirty_limits_changed(void)
{
	atomic_store(&computed_at, 0);
}

static uint64_t
pages(int64_t *counter)
{
	int64_t n = atomic_load_relaxed(counter);

	return n > 0 ? (uint64_t)n : 0;
}

/* What `b` may have dirty or leaving. */
static uint64_t
share(struct backing *b)
{
	uint64_t mine = pages(&b->dirty) + pages(&b->writeback), all = pages(&all_dirty) + pages(&all_writeback);
	uint64_t others = all > mine ? all - mine : 0, limit, most, least;

	update_limits();
	limit = atomic_load_relaxed(&threshold);
	most = limit * MIN(READ_ONCE(b->max_ratio), 100u) / 100;
	least = limit * MIN(READ_ONCE(b->min_ratio), 100u) / 100;
	limit = limit > others ? (limit - others) / 8 * 7 : 0;
	limit = MAX(MIN(limit, most), least);
	return MAX(limit, (uint64_t)SHARE_MIN);
}

static bool
over_share(struct backing *b)
{
	return !atomic_load(&b->dead) && pages(&b->dirty) + pages(&b->writeback) > share(b);
}

bool
dirty_over_background(struct backing *b)
{
	uint64_t mine = share(b) / 2;

	return pages(&all_dirty) > atomic_load_relaxed(&background) || pages(&b->dirty) > mine;
}

/* Does writing depend on the caller? */
static bool
exempt(void)
{
	struct thread *t = current_thread();

	return (t->process && READ_ONCE(t->process->io_flusher)) || atomic_load_relaxed(&t->memory_reserve);
}

int
dirty_throttle(struct backing *b)
{
	int error = 0;

	if (dirty_over_background(b))
		backing_kick(b);
	if (exempt())
		return 0;
	while (over_share(b) && error != -EINTR) {
		backing_kick(b);
		error = wait_event_deadline(&b->progress, !over_share(b), WAIT_KILLABLE, deadline_after(PAUSE_NS));
	}
	return error == -EINTR ? error : 0;
}

void
writeback_progress(struct backing *b)
{
	if (!wait_queue_is_empty(&b->progress))
		wake_all(&b->progress);
	if (!wait_queue_is_empty(&any_progress))
		wake_all(&any_progress);
}

bool
writeback_wait_memory(void)
{
	uint64_t before = atomic_load_relaxed(&written);

	if (exempt() || pages(&all_dirty) + pages(&all_writeback) == 0)
		return false;
	(void)wait_event_deadline(&any_progress, atomic_load_relaxed(&written) != before, WAIT_KILLABLE,
				  deadline_after(MEMORY_NS));
	return true;
}

void
writeback_stats(struct writeback_stats *out)
{
	update_limits();
	*out = (struct writeback_stats){
		.dirty = pages(&all_dirty),
		.writeback = pages(&all_writeback),
		.dirtied = atomic_load_relaxed(&dirtied),
		.written = atomic_load_relaxed(&written),
		.threshold = atomic_load_relaxed(&threshold),
		.background = atomic_load_relaxed(&background),
	};
}
