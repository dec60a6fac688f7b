/* SPDX-License-Identifier: MIT */
/*
 * stored_storm.c - in-kernel test of a page cache with everything at once: writers by write(2) and
 * by mappings, those who truncate and punch, who sync, drop and invalidate, a store that answers
 * late, out of order, and fails at random, and memory for half of the object.
 *
 * Each page of the object's first part has a word for every writer, 512 bytes apart; nobody else
 * writes it. The store keeps these words only, so that it takes no memory worth speaking of; the
 * rest of a page is zeroes. A writer writes ever larger numbers and knows of each page what it
 * wrote last, and what is safe: what its own open file's sync, answering 0, has promised. Then:
 *
 *	(1) what it reads is never less than what is safe, nor more than what was written
 *	(2) as long as its file would be told of no error, it is exactly what was written
 *	(3) after a sync that answers 0, and no error since the sync before, the store has exactly what was written
 *
 * When a sync tells an error, the writer writes everything once more, as it must: pages whose write
 * failed are clean, and may be dropped.
 *
 * The last part of the object is for one who cuts it off, at the store first, makes it grow again,
 * punches holes, and must find zeroes or what he has written since.
 */
#include <tessera/address_space.h>
#include <tessera/backing.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/iov.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/test.h>
#include <tessera/thread.h>

#include "store.h"

#define WRITERS  4u    /* even ones write by write(2), odd ones by a mapping */
#define CUTTER   WRITERS
#define CHAOS    (WRITERS + 1)
#define MEMBERS  (WRITERS + 2)
#define PAGES    2048u /* of the writers */
#define TAIL     64u   /* of the cutter, behind them */
#define SLOTS    8u    /* words of a page that the store keeps */
#define STRIDE   (PAGE_SIZE / SLOTS)
#define STEPS    500u /* of each writer */
#define SYNC_AT  125u  /* steps between its syncs */
#define LEFT     (1024u + PAGES / 2 + 512u) /* pages of memory: the reserve, half of the cache, everything else */
#define BURST    6u   /* runs fail, one in FAILS_1_IN, then none until there is a new burst */
#define FAILS_1_IN 4u

/* [I] immutable  [l] lock  [a] atomic */
struct storm {
	struct memory_object *object;  /* [I] */
	struct backing *backing;       /* [I] */
	struct address_space *as;      /* [I] maps the writers' part */
	vaddr_t at;                    /* [I] */
	struct file *file[WRITERS];    /* [I] */
	uint64_t (*disk)[SLOTS];       /* [a] by page; who touches it is a run that is complete later */
	struct spinlock lock;          /* class DEVICE */
	struct list runs;              /* [l] waiting for an answer */
	struct wait_queue come;        /* runs came, or the worker shall end */
	uint32_t failing;              /* [a] how many more runs will fail, at random ones */
	uint32_t random;               /* the worker's */
	uint32_t left;                 /* [a] writers that have not ended */
	uint64_t steps;                /* [a] of all writers */
	uint64_t failed;               /* [a] runs */
	bool stop, stopped, released;  /* [a] */
};

/* What a writer knows. */
struct known {
	uint32_t written[PAGES], safe[PAGES];
	uint32_t seen; /* errors from before its last sync */
};

static uint32_t
next(uint32_t *random)
{
	*random = *random * 1664525 + 1013904223;
	return *random >> 15;
}

/* --- the store ------------------------------------------------------------------------------------------ */

static uint64_t *
slot_of(struct page *p, uint32_t slot)
{
	return (uint64_t *)((char *)page_to_virt(p) + slot * STRIDE);
}

static void
move_page(struct storm *s, struct page_run *run, uint32_t i)
{
	uint64_t *kept = s->disk[run->first + i];

	if (!run->write)
		memset(page_to_virt(run->pages[i]), 0, PAGE_SIZE);
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		if (i * PAGE_SIZE + slot * STRIDE >= run->bytes)
			break;
		if (run->write)
			atomic_store(&kept[slot], atomic_load(slot_of(run->pages[i], slot)));
		else
			*slot_of(run->pages[i], slot) = atomic_load(&kept[slot]);
	}
}

/* In two parts, the second first. One may fail and the other not. */
static void
answer(struct storm *s, struct page_run *run)
{
	uint32_t half = run->count / 2, from[2] = { half, 0 }, count[2] = { run->count - half, half };

	for (uint32_t part = 0; part < 2; part++) {
		bool fail = next(&s->random) % FAILS_1_IN == 0 && atomic_load(&s->failing) > 0;

		if (count[part] == 0)
			continue;
		for (uint32_t i = from[part]; i < from[part] + count[part] && !fail; i++)
			move_page(s, run, i);
		if (fail) {
			atomic_sub(&s->failing, 1); /* only here, once it is not 0 */
			atomic_add(&s->failed, 1);
		}
		page_run_complete(run, from[part], count[part], fail ? -EIO : 0);
	}
}

static void
storm_pages(struct page_run *run)
{
	struct storm *s = run->object->private;
	uint64_t flags = spin_lock_irq(&s->lock);

	list_add_tail(&s->runs, &run->list);
	spin_unlock_irq(&s->lock, flags);
	wake_all(&s->come);
}

static void
storm_release(struct memory_object *o)
{
	struct storm *s = o->private;

	atomic_store(&s->released, true);
}

static const struct memory_object_ops storm_ops = {
	.name = "storm",
	.read_pages = storm_pages,
	.write_pages = storm_pages,
	.release = storm_release,
};

/* The newest first: no order is promised. */
static struct page_run *
take(struct storm *s)
{
	uint64_t flags = spin_lock_irq(&s->lock);
	struct page_run *run = list_last(&s->runs, struct page_run, list);

	if (run)
		list_del(&run->list);
	spin_unlock_irq(&s->lock, flags);
	return run;
}

static void
worker(void *arg)
{
	struct storm *s = arg;
	struct page_run *run;

	atomic_store(&current_thread()->memory_reserve, true); /* writing is how memory comes back */
	while (!atomic_load(&s->stop)) {
		wait_event(&s->come, atomic_load(&s->stop) || !list_is_empty(&s->runs));
		while ((run = take(s)) != NULL)
			answer(s, run);
	}
	atomic_store(&s->stopped, true);
	thread_exit();
}

/* --- the writers ------------------------------------------------------------------------------------------ */

static ssize_t
move(struct storm *s, struct file *f, uint64_t offset, uint64_t *value, bool write)
{
	struct iov_iter it;

	iov_iter_kernel(&it, value, sizeof(*value));
	return write ? object_write(s->object, f, offset, &it)
		     : object_read(s->object, f, offset, atomic_load(&s->object->size), &it, 0);
}

/* Once more while the store's errors are in the way: they are not what is looked for here. */
static uint64_t
access(struct storm *s, uint32_t member, uint32_t page, uint64_t value, bool write)
{
	uint64_t offset = page * PAGE_SIZE + member * STRIDE;
	ssize_t n;

	do {
		if (member % 2)
			n = address_space_access(s->as, s->at + offset, &value, sizeof(value), write, false);
		else
			n = move(s, s->file[member], offset, &value, write);
	} while (n == -EIO);
	if (n != sizeof(value))
		ktest_fail(__FILE__, __LINE__, "member %u, page %u: %ld", member, page, n);
	return value;
}

/* May an error have been since the last sync began? */
static bool
error_is_due(struct storm *s, const struct known *k)
{
	uint32_t seen = k->seen;

	return error_sequence_check(&s->backing->errors, &seen) != 0;
}

static void
look(struct storm *s, struct known *k, uint32_t member, uint32_t page)
{
	uint64_t got = access(s, member, page, 0, false);

	if (got < k->safe[page] || got > k->written[page] || (got != k->written[page] && !error_is_due(s, k)))
		ktest_fail(__FILE__, __LINE__, "member %u, page %u: %u written, %u safe, %lu read", member, page,
			   k->written[page], k->safe[page], got);
}

/* True: nothing was lost since the last time. Else all is written once more. */
static bool
sync_and_compare(struct storm *s, struct known *k, uint32_t member)
{
	int error;

	(void)error_sequence_check(&s->backing->errors, &k->seen);
	error = cached_file_sync(s->file[member], 0, UINT64_MAX);
	if (error != 0 && error != -EIO)
		ktest_fail(__FILE__, __LINE__, "member %u: sync: %d", member, error);
	for (uint32_t page = 0; page < PAGES; page++) {
		uint64_t kept = atomic_load(&s->disk[page][member]);

		if (error != 0) {
			if (k->written[page] != 0)
				access(s, member, page, k->written[page], true);
			continue;
		}
		if (kept != k->written[page])
			ktest_fail(__FILE__, __LINE__, "member %u, page %u: %u written and synced, the store has %lu",
				   member, page, k->written[page], kept);
		k->safe[page] = k->written[page];
	}
	return error == 0;
}

static void
write_all_the_time(struct storm *s, uint32_t member)
{
	struct known *k = vmalloc(sizeof(*k));
	uint32_t random = member + 1;

	for (uint32_t step = 1; k && step <= STEPS; step++) {
		uint32_t page = next(&random) % PAGES;

		atomic_add(&s->steps, 1);
		if (next(&random) % 2) {
			access(s, member, page, step, true);
			k->written[page] = step;
		} else {
			look(s, k, member, page);
		}
		if (step % SYNC_AT == 0)
			(void)sync_and_compare(s, k, member);
	}
	while (k && !sync_and_compare(s, k, member))
		;
	if (!k)
		ktest_fail(__FILE__, __LINE__, "no memory for a writer");
	vfree(k);
	atomic_sub(&s->left, 1);
}

/* --- the others ------------------------------------------------------------------------------------------- */

/* Until writers have gone on a little: those who disturb them do not do so all the time. False:
 * they have ended. */
static bool
wait_for_steps(struct storm *s, uint64_t steps)
{
	uint64_t until = atomic_load(&s->steps) + steps;

	while (atomic_load(&s->left) > 0 && atomic_load(&s->steps) < until)
		ktest_sleep_ns(NSEC_PER_MSEC / 4);
	return atomic_load(&s->left) > 0;
}

/* Cut at page PAGES + `pages`, at the store first, as file systems do. */
static void
cut(struct storm *s, uint32_t pages)
{
	if (object_hold_writes(s->object) != 0) {
		ktest_fail(__FILE__, __LINE__, "writes cannot be held");
		return;
	}
	for (uint32_t page = PAGES + pages; page < PAGES + TAIL; page++)
		for (uint32_t slot = 0; slot < SLOTS; slot++)
			atomic_store(&s->disk[page][slot], 0);
	object_truncate(s->object, (PAGES + pages) * PAGE_SIZE);
	object_release_writes(s->object);
}

/* What was cut off or punched is zeroes; what was written since is there, unless writing failed. */
static void
cut_all_the_time(struct storm *s)
{
	uint32_t random = 77;

	while (wait_for_steps(s, 20)) {
		uint32_t pages = next(&random) % TAIL, page = pages + next(&random) % (TAIL - pages);
		uint64_t value = next(&random) | 1, got = 0;

		cut(s, pages);
		while (move(s, NULL, (PAGES + page) * PAGE_SIZE, &value, true) == -EIO)
			;
		for (uint32_t i = pages; i <= page; i++) {
			while (move(s, NULL, (PAGES + i) * PAGE_SIZE, &got, false) == -EIO)
				;
			if (got != 0 && (i != page || got != value))
				ktest_fail(__FILE__, __LINE__, "page %u of the tail, cut at %u: %lu", i, pages, got);
		}
		if (next(&random) % 4 == 0)
			object_punch(s->object, (PAGES + pages) * PAGE_SIZE + 8, (PAGES + page) * PAGE_SIZE);
	}
}

/* Those who write out, drop and invalidate; and the store's luck. */
static void
stir_all_the_time(struct storm *s)
{
	uint32_t random = 99;

	while (wait_for_steps(s, 16)) {
		if (atomic_load(&s->failing) == 0 && next(&random) % 2)
			atomic_store(&s->failing, BURST);
		switch (next(&random) % 6) {
		case 0:
			page_cache_drop();
			break;
		case 1:
			(void)object_invalidate(s->object, 0, UINT64_MAX, false);
			break;
		case 2:
			(void)backing_sync(s->backing, true);
			break;
		default:
			(void)object_write_start(s->object, next(&random) % PAGES * PAGE_SIZE, UINT64_MAX,
						 next(&random) % 2);
			break;
		}
	}
}

static void
member(void *arg, uint32_t index)
{
	struct storm *s = arg;

	if (index < WRITERS)
		write_all_the_time(s, index);
	else if (index == CUTTER)
		cut_all_the_time(s);
	else
		stir_all_the_time(s);
}

/* --- putting it together ------------------------------------------------------------------------------------ */

static bool
set_up(struct storm *s)
{
	static const struct file_ops ops = { .name = "ktest" };
	struct map_request r = { .length = PAGES * PAGE_SIZE,
				 .flags = MAPPING_READ | MAPPING_WRITE | MAPPING_MAYREAD | MAPPING_MAYWRITE | MAPPING_SHARED };
	struct thread *t = thread_create_kernel("ktest-storm", worker, s);

	spin_init(&s->lock, LOCK_DEVICE);
	list_init(&s->runs);
	wait_queue_init(&s->come);
	s->disk = vmalloc((PAGES + TAIL) * sizeof(s->disk[0]));
	s->backing = backing_create("storm", s);
	s->object = s->backing ? object_create_stored(&storm_ops, (PAGES + TAIL) * PAGE_SIZE, s, s->backing) : NULL;
	s->as = address_space_create();
	if (!t || !s->disk || !s->object || !s->as)
		return false;
	r.object = s->object;
	s->at = (vaddr_t)address_space_map(s->as, &r);
	for (uint32_t i = 0; i < WRITERS; i++) {
		s->file[i] = file_create(&ops, O_RDWR, NULL);
		if (!s->file[i] || cached_file_attach(s->file[i], s->object) != 0)
			return false;
	}
	thread_start(t);
	return true;
}

static void
tear_down(struct storm *s)
{
	address_space_put(s->as);
	for (uint32_t i = 0; i < WRITERS; i++)
		file_put(s->file[i]);
	object_put(s->object);
	/* The flusher lets go of what was dirty, in its own time. */
	while (!atomic_load(&s->released))
		sched_yield_thread();
	backing_put(s->backing);
	atomic_store(&s->stop, true);
	wake_all(&s->come);
	while (!atomic_load(&s->stopped))
		sched_yield_thread();
	vfree(s->disk);
}

KTEST(caches_with_failing_stores_lose_nothing_untold)
{
	static struct storm s;
	struct list hoarded = LIST_INIT(hoarded);

	s = (struct storm){ .left = WRITERS, .failing = BURST };
	kcheck(set_up(&s));
	memory_hoard(&hoarded, LEFT);
	dirty_limits_changed();
	ktest_parallel(MEMBERS, member, &s);
	memory_give_back(&hoarded);
	dirty_limits_changed();
	kcheck(s.failed > 0);
	tear_down(&s);
}
