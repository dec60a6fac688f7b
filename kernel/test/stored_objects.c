/* SPDX-License-Identifier: MIT */
/*
 * stored_objects.c - in-kernel tests of page caches whose store is elsewhere, against one (store.h)
 * that answers late, out of order, wrongly or not at all.
 *
 * Everything is compared with what the store holds; how fast anything is, is nowhere asked.
 */
#include <tessera/address_space.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/iov.h>
#include <tessera/file.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/test.h>
#include <tessera/thread.h>

#include "store.h"

#define WORDS (PAGE_SIZE / sizeof(uint64_t))
#define SIZE  (STORE_PAGES * PAGE_SIZE)
#define RW    (MAPPING_READ | MAPPING_WRITE | MAPPING_MAYREAD | MAPPING_MAYWRITE)

static ssize_t
read_at(struct store *s, struct file *f, uint64_t offset, void *buf, size_t n)
{
	struct iov_iter it;

	iov_iter_kernel(&it, buf, n);
	return object_read(s->object, f, offset, s->object->size, &it, 0);
}

static ssize_t
write_at(struct store *s, uint64_t offset, const void *buf, size_t n)
{
	struct iov_iter it;

	iov_iter_kernel(&it, (void *)(uintptr_t)buf, n);
	return object_write(s->object, NULL, offset, &it);
}

/* What the cache shows at word `i`, or a negative errno. */
static int64_t
word(struct store *s, uint64_t i)
{
	uint64_t value = 0;
	ssize_t n = read_at(s, NULL, i * sizeof(value), &value, sizeof(value));

	return n == sizeof(value) ? (int64_t)value : n < 0 ? n : -EIO;
}

static ssize_t
set_word(struct store *s, uint64_t i, uint64_t value)
{
	return write_at(s, i * sizeof(value), &value, sizeof(value));
}

/* Pages of its backing that are dirty or leaving. */
static int64_t
backing_busy(struct store *s)
{
	return atomic_load(&s->backing->dirty) + atomic_load(&s->backing->writeback);
}

/* Until the silent store has been asked `n` times. */
static void
until_waiting(struct store *s, uint32_t n)
{
	while (store_waiting(s) < n)
		sched_yield_thread();
}

/* --- filling ------------------------------------------------------------------------------------------ */

struct readers {
	struct store *s;
	uint32_t errors; /* [a] */
};

static void
reader(void *arg, uint32_t index)
{
	struct readers *r = arg;
	uint64_t page = index * 37;

	for (uint32_t i = 0; i < STORE_PAGES; i++, page += 61)
		if (word(r->s, page % STORE_PAGES * WORDS + i) != (int64_t)(page % STORE_PAGES * WORDS + i))
			atomic_add(&r->errors, 1);
}

KTEST(fills_of_many_readers_come_in_any_order)
{
	struct readers r = { 0 };
	struct store s;

	kcheck(store_create(&s, STORE_LATE));
	r.s = &s;
	ktest_parallel(cpu_count + 2, reader, &r);
	kcheck_equal(r.errors, 0);
	kcheck_equal(s.fill_pages, STORE_PAGES); /* each once, whoever asked */
	store_destroy(&s);
}

KTEST(simple_stores_fill_and_take_page_by_page)
{
	struct store s;

	kcheck(store_create(&s, STORE_SIMPLE));
	kcheck_equal(word(&s, 5 * WORDS + 7), 5 * WORDS + 7);
	kcheck_equal(set_word(&s, 5 * WORDS + 7, 99), 8);
	kcheck_equal(object_sync(s.object, 0, UINT64_MAX), 0);
	kcheck_equal(store_word(&s, 5 * WORDS + 7), 99);
	kcheck_equal(s.write_pages, 1);
	s.fill_error = -ENXIO;
	kcheck_equal(word(&s, 9 * WORDS), -ENXIO);
	s.fill_error = 0;
	kcheck_equal(word(&s, 9 * WORDS), 9 * WORDS);
	store_destroy(&s);
}

KTEST(readahead_asks_for_much_at_once)
{
	static const struct file_ops ops = { .name = "ktest" };
	struct file *f = file_create(&ops, O_RDONLY, NULL);
	struct store s;
	uint64_t value;

	kcheck(f && store_create(&s, STORE_AT_ONCE));
	kcheck_equal(cached_file_attach(f, s.object), 0);
	for (uint64_t i = 0; i < STORE_PAGES; i++) {
		kcheck_equal(read_at(&s, f, i * PAGE_SIZE, &value, sizeof(value)), 8);
		kcheck_equal(value, i * WORDS);
	}
	kcheck_equal(s.fill_pages, STORE_PAGES);
	kcheck(s.fills <= 2 + STORE_PAGES / 32 + 4);
	/* At random, one page is all that is asked for; ahead of a reader who says so, nothing. */
	(void)object_invalidate(s.object, 0, UINT64_MAX, true);
	s.fills = s.fill_pages = 0;
	for (uint64_t i = 0; i < 8; i++)
		kcheck_equal(read_at(&s, f, (i * 83 + 11) % STORE_PAGES * PAGE_SIZE, &value, sizeof(value)), 8);
	kcheck_equal(s.fill_pages, 8);
	cached_file_advise(f, READAHEAD_RANDOM);
	(void)object_invalidate(s.object, 0, UINT64_MAX, true);
	for (uint64_t i = 0; i < 4; i++)
		kcheck_equal(read_at(&s, f, i * PAGE_SIZE, &value, sizeof(value)), 8);
	kcheck_equal(s.fill_pages, 12);
	object_readahead(s.object, f, 100, 50);
	kcheck_equal(s.fill_pages, 62);
	file_put(f);
	store_destroy(&s);
}

struct one_reader {
	struct store *s;
	uint64_t word;
	int64_t got;
};

static void
read_one(void *arg, uint32_t index)
{
	struct one_reader *r = arg;
	const struct page *asked;

	if (index == 0) {
		r->got = word(r->s, r->word);
		return;
	}
	/* Meanwhile, by another: the page is dropped, the store changes, and is asked anew before or after it answers. */
	until_waiting(r->s, 1);
	asked = store_first(r->s);
	object_truncate(r->s->object, 0);
	object_truncate(r->s->object, SIZE);
	((uint64_t *)r->s->disk)[r->word] = 4711;
	if (asked->object)
		ktest_fail(__FILE__, __LINE__, "a page being filled stayed");
	store_answer(r->s, 1, false, 0);
	until_waiting(r->s, 1);
	store_answer(r->s, 1, false, 0);
}

KTEST(truncation_waits_for_no_fill)
{
	struct one_reader r;
	struct store s;

	kcheck(store_create(&s, STORE_SILENT));
	r = (struct one_reader){ .s = &s, .word = 3 * WORDS };
	ktest_parallel(2, read_one, &r);
	kcheck_equal(r.got, 4711);
	store_destroy(&s);
}

/* --- writing -------------------------------------------------------------------------------------------- */

KTEST(writes_reach_the_store_in_runs)
{
	char *buf = kmalloc(PAGE_SIZE, ALLOC_ZERO);
	struct store s;

	kcheck(buf && store_create(&s, STORE_LATE));
	for (uint32_t i = 0; i < 64; i++)
		kcheck_equal(write_at(&s, (32 + i) * PAGE_SIZE, buf, PAGE_SIZE), PAGE_SIZE);
	kcheck_equal(s.fill_pages, 0); /* written whole, never read */
	kcheck(object_is_dirty(s.object));
	kcheck_equal(atomic_load(&s.backing->dirty), 64);
	kcheck_equal(object_sync(s.object, 0, UINT64_MAX), 0);
	kcheck(!object_is_dirty(s.object));
	kcheck_equal(s.writes, 1);
	kcheck_equal(s.write_pages, 64);
	kcheck_equal(store_word(&s, 33 * WORDS), 0);
	kcheck_equal(store_word(&s, 31 * WORDS), 31 * WORDS);
	/* A part of a page: the rest is read first. */
	kcheck_equal(set_word(&s, 200 * WORDS + 1, 5), 8);
	kcheck_equal(s.fill_pages, 1);
	kcheck_equal(object_sync(s.object, 0, UINT64_MAX), 0);
	kcheck_equal(store_word(&s, 200 * WORDS + 1), 5);
	kcheck_equal(store_word(&s, 200 * WORDS + 2), 200 * WORDS + 2);
	/* Behind the end: never read, and the size is there before it is written. */
	object_truncate(s.object, 100 * PAGE_SIZE);
	s.fill_pages = 0;
	kcheck_equal(set_word(&s, 101 * WORDS + 1, 6), 8);
	kcheck_equal(s.object->size, 101 * PAGE_SIZE + 16);
	kcheck_equal(s.fill_pages, 0);
	kcheck_equal(object_sync(s.object, 0, UINT64_MAX), 0);
	kcheck_equal(store_word(&s, 101 * WORDS), 0);
	kcheck_equal(store_word(&s, 101 * WORDS + 1), 6);
	kcheck_equal(store_word(&s, 101 * WORDS + 2), 101 * WORDS + 2); /* not the store's to have */
	kfree(buf);
	store_destroy(&s);
}

KTEST(errors_of_writing_are_told_once_a_file)
{
	static const struct file_ops ops = { .name = "ktest" };
	struct file *f = file_create(&ops, O_RDWR, NULL), *late = file_create(&ops, O_RDWR, NULL);
	uint32_t of_backing = 0;
	struct store s;

	kcheck(f && late && store_create(&s, STORE_LATE));
	kcheck_equal(cached_file_attach(f, s.object), 0);
	kcheck_equal(set_word(&s, 1, 2), 8);
	s.write_error = -ENOSPC;
	kcheck_equal(object_sync(s.object, 0, UINT64_MAX), 0);
	s.write_error = 0;
	kcheck(!object_is_dirty(s.object));
	/* Opened after it, before anybody was told: told as well. */
	kcheck_equal(cached_file_attach(late, s.object), 0);
	kcheck_equal(cached_file_sync(f, 0, UINT64_MAX), -ENOSPC);
	kcheck_equal(cached_file_sync(f, 0, UINT64_MAX), 0);
	kcheck_equal(cached_file_sync(late, 0, UINT64_MAX), -ENOSPC);
	kcheck_equal(cached_file_sync(late, 0, UINT64_MAX), 0);
	kcheck_equal(error_sequence_check(&s.backing->errors, &of_backing), -ENOSPC);
	kcheck_equal(error_sequence_check(&s.backing->errors, &of_backing), 0);
	file_put(late);
	late = file_create(&ops, O_RDWR, NULL);
	kcheck(late);
	kcheck_equal(cached_file_attach(late, s.object), 0);
	kcheck_equal(cached_file_sync(late, 0, UINT64_MAX), 0);
	kcheck_equal(word(&s, 1), 2); /* memory has it while it can */
	/* The same error again is another one. */
	s.write_error = -ENOSPC;
	kcheck_equal(set_word(&s, 1, 3), 8);
	kcheck_equal(cached_file_sync(late, 0, UINT64_MAX), -ENOSPC);
	kcheck_equal(cached_file_sync(f, 0, UINT64_MAX), -ENOSPC);
	file_put(f);
	file_put(late);
	store_destroy(&s);
}

static long
map(struct address_space *as, struct memory_object *o, uint32_t flags)
{
	struct map_request r = { .length = SIZE, .flags = RW | flags, .object = o };

	return address_space_map(as, &r);
}

static void
poke(struct address_space *as, vaddr_t va, uint64_t value)
{
	ssize_t n = address_space_access(as, va, &value, sizeof(value), true, false);

	if (n != sizeof(value))
		ktest_fail(__FILE__, __LINE__, "cannot write at %#lx: %ld", va, n);
}

static uint64_t
peek(struct address_space *as, vaddr_t va)
{
	uint64_t value = 0;
	ssize_t n = address_space_access(as, va, &value, sizeof(value), false, false);

	if (n != sizeof(value))
		ktest_fail(__FILE__, __LINE__, "cannot read at %#lx: %ld", va, n);
	return value;
}

KTEST(mappings_tell_of_each_first_write)
{
	struct address_space *as = address_space_create();
	struct store s;
	struct page *p;
	long at;

	kcheck(as && store_create(&s, STORE_LATE));
	at = map(as, s.object, MAPPING_SHARED);
	kcheck(at > 0);
	kcheck_equal(address_space_get_page(as, (vaddr_t)at + PAGE_SIZE, false, false, &p), 0);
	page_put(p);
	kcheck(!object_is_dirty(s.object)); /* a read makes nothing dirty, though it may be written */
	for (uint64_t round = 1; round < 4; round++) {
		poke(as, (vaddr_t)at + PAGE_SIZE, round);
		poke(as, (vaddr_t)at + 7 * PAGE_SIZE, round);
		kcheck(object_is_dirty(s.object));
		kcheck_equal(object_sync(s.object, 0, UINT64_MAX), 0);
		kcheck(!object_is_dirty(s.object));
		kcheck_equal(store_word(&s, WORDS), round);
		kcheck_equal(store_word(&s, 7 * WORDS), round);
	}
	kcheck_equal(s.write_pages, 6);
	address_space_put(as);
	store_destroy(&s);
}

/* --- while a write is on its way ------------------------------------------------------------------------ */

static void
drop_while_leaving(void *arg, uint32_t index)
{
	struct one_reader *r = arg;
	struct store *s = r->s;

	if (index == 0) {
		/* (2) wants the page that is stale */
		while (atomic_load(&s->object->size) != SIZE - 1)
			sched_yield_thread();
		r->got = word(s, r->word);
		return;
	}
	/* (1) dropped while it leaves: it stays in its place, and must not be filled before that is over */
	(void)object_invalidate(s->object, 0, UINT64_MAX, true);
	object_truncate(s->object, SIZE - 1);
	for (uint32_t i = 0; i < 50; i++)
		sched_yield_thread();
	if (store_waiting(s) != 1)
		ktest_fail(__FILE__, __LINE__, "a page was filled while it was being written");
	((uint64_t *)s->disk)[r->word] = 1;
	store_answer(s, 1, false, 0);
	until_waiting(s, 1);
	store_answer(s, 1, false, 0);
}

KTEST(dropped_pages_come_back_after_their_write)
{
	struct one_reader r;
	struct store s;

	kcheck(store_create(&s, STORE_AT_ONCE));
	kcheck_equal(set_word(&s, 2 * WORDS, 815), 8);
	s.mode = STORE_SILENT;
	kcheck_equal(object_write_start(s.object, 0, UINT64_MAX, false), 0);
	kcheck_equal(store_waiting(&s), 1);
	r = (struct one_reader){ .s = &s, .word = 2 * WORDS };
	ktest_parallel(2, drop_while_leaving, &r);
	kcheck_equal(r.got, 815);
	kcheck(!object_is_dirty(s.object));
	store_destroy(&s);
}

KTEST(pages_dirty_again_are_written_again)
{
	struct store s;

	kcheck(store_create(&s, STORE_AT_ONCE));
	kcheck_equal(set_word(&s, 0, 1), 8);
	s.mode = STORE_SILENT;
	kcheck_equal(object_write_start(s.object, 0, UINT64_MAX, false), 0);
	kcheck_equal(set_word(&s, 0, 2), 8);
	/* Not twice at once. */
	kcheck_equal(object_write_start(s.object, 0, UINT64_MAX, false), 0);
	kcheck_equal(store_waiting(&s), 1);
	kcheck_equal(atomic_load(&s.backing->dirty), 1);
	kcheck_equal(atomic_load(&s.backing->writeback), 1);
	kcheck_equal(store_answer(&s, 1, false, -EIO), 1);
	s.mode = STORE_LATE;
	kcheck_equal(object_sync(s.object, 0, UINT64_MAX), 0);
	kcheck_equal(store_word(&s, 0), 2);
	kcheck_equal(backing_busy(&s), 0);
	store_destroy(&s);
}

static void
hold(void *arg, uint32_t index)
{
	struct store *s = arg;

	if (index == 0) {
		if (object_hold_writes(s->object) != 0 || atomic_load(&s->backing->writeback) != 0)
			ktest_fail(__FILE__, __LINE__, "a write was on its way, held");
		s->mode = STORE_LATE;
		if (set_word(s, 9 * WORDS, 9) != 8 || object_write_start(s->object, 0, UINT64_MAX, false) != 0)
			ktest_fail(__FILE__, __LINE__, "cannot write while writes are held");
		if (s->writes != 1)
			ktest_fail(__FILE__, __LINE__, "a held write began");
		object_release_writes(s->object);
		return;
	}
	until_waiting(s, 1);
	for (uint32_t i = 0; i < 50; i++)
		sched_yield_thread();
	store_answer(s, 1, false, 0);
}

KTEST(held_writes_do_not_begin)
{
	struct store s;

	kcheck(store_create(&s, STORE_AT_ONCE));
	kcheck_equal(set_word(&s, 0, 1), 8);
	kcheck_equal(word(&s, 9 * WORDS), 9 * WORDS);
	s.mode = STORE_SILENT;
	kcheck_equal(object_write_start(s.object, 0, UINT64_MAX, false), 0);
	ktest_parallel(2, hold, &s);
	kcheck_equal(object_sync(s.object, 0, UINT64_MAX), 0);
	kcheck_equal(store_word(&s, 9 * WORDS), 9);
	store_destroy(&s);
}

/* --- flushers, limits, death ------------------------------------------------------------------------------ */

KTEST(flushers_write_what_is_old)
{
	int every = dirty_writeback_centisecs, age = dirty_expire_centisecs;
	struct store s;

	kcheck(store_create(&s, STORE_LATE));
	dirty_writeback_centisecs = 1;
	dirty_expire_centisecs = 1;
	kcheck_equal(set_word(&s, 0, 17), 8);
	kcheck_equal(set_word(&s, 77 * WORDS, 18), 8);
	while (object_is_dirty(s.object))
		sched_yield_thread();
	kcheck_equal(store_word(&s, 0), 17);
	kcheck_equal(store_word(&s, 77 * WORDS), 18);
	kcheck_equal(set_word(&s, 0, 19), 8);
	kcheck_equal(backing_sync(s.backing, true), 0);
	kcheck_equal(store_word(&s, 0), 19);
	dirty_writeback_centisecs = every;
	dirty_expire_centisecs = age;
	store_destroy(&s);
}

KTEST(writers_wait_while_too_much_is_dirty)
{
	char *buf = kmalloc(PAGE_SIZE, ALLOC_ZERO);
	uint64_t bytes = dirty_bytes;
	struct store s;

	kcheck(buf && store_create(&s, STORE_LATE));
	dirty_bytes = 64 * PAGE_SIZE;
	dirty_limits_changed();
	for (uint64_t i = 0; i < 4 * STORE_PAGES; i++) {
		kcheck_equal(write_at(&s, i % STORE_PAGES * PAGE_SIZE, buf, PAGE_SIZE), PAGE_SIZE);
		kcheck(backing_busy(&s) <= 64);
	}
	kcheck_equal(backing_sync(s.backing, true), 0);
	for (uint64_t i = 0; i < STORE_PAGES; i++)
		kcheck_equal(store_word(&s, i * WORDS), 0);
	dirty_bytes = bytes;
	dirty_limits_changed();
	kfree(buf);
	store_destroy(&s);
}

KTEST(stuck_stores_leave_room_for_others)
{
	char *buf = kmalloc(PAGE_SIZE, ALLOC_ZERO);
	uint64_t bytes = dirty_bytes;
	struct store stuck, s;

	kcheck(buf && store_create(&stuck, STORE_SILENT) && store_create(&s, STORE_LATE));
	dirty_bytes = 64 * PAGE_SIZE;
	dirty_limits_changed();
	/* Nearly its share; the flusher may have given some to the store by now. */
	for (uint64_t i = 0; i < 50; i++)
		kcheck_equal(write_at(&stuck, i * PAGE_SIZE, buf, PAGE_SIZE), PAGE_SIZE);
	for (uint64_t i = 0; i < STORE_PAGES; i++)
		kcheck_equal(write_at(&s, i * PAGE_SIZE, buf, PAGE_SIZE), PAGE_SIZE);
	kcheck_equal(backing_busy(&stuck), 50);
	kcheck_equal(object_sync(s.object, 0, UINT64_MAX), 0);
	dirty_bytes = bytes;
	dirty_limits_changed();
	stuck.mode = STORE_LATE;
	wake_all(&stuck.come);
	kcheck_equal(object_sync(stuck.object, 0, UINT64_MAX), 0);
	kfree(buf);
	store_destroy(&stuck);
	store_destroy(&s);
}

KTEST(dead_stores_answer_at_once)
{
	struct store s;

	kcheck(store_create(&s, STORE_AT_ONCE));
	for (uint64_t i = 0; i < 8; i++)
		kcheck_equal(set_word(&s, i * WORDS, 1), 8);
	s.mode = STORE_SILENT;
	kcheck_equal(object_write_start(s.object, 0, PAGE_SIZE, false), 0);
	kcheck_equal(store_waiting(&s), 1);
	backing_kill(s.backing, -ENOTCONN);
	kcheck_equal(store_answer(&s, 1, false, -ENOTCONN), 1); /* what it had is its own to answer */
	while (object_is_dirty(s.object)) /* dropped by the flusher */
		sched_yield_thread();
	kcheck_equal(s.writes, 1);
	kcheck_equal(word(&s, 0), 1);           /* in memory */
	kcheck_equal(word(&s, 99 * WORDS), -ENOTCONN);
	kcheck_equal(set_word(&s, 0, 2), -ENOTCONN);
	store_destroy(&s);
}

/* --- eviction ---------------------------------------------------------------------------------------------- */

/* All pages that nobody uses are dropped. What stays is told: who has it, and what for. */
static void
drop_all(struct memory_object *o)
{
	uint64_t stayed = object_invalidate(o, 0, UINT64_MAX, false), index = 0;
	struct page *p;

	spin_lock(&o->pages_lock);
	p = radix_next(&o->pages, &index);
	if (stayed > 0 && p)
		ktest_fail(__FILE__, __LINE__, "%lu pages stay; page %lu: flags %#x, %u references, %u leaves", stayed,
			   index, p->flags, p->refcount, p->mapcount);
	spin_unlock(&o->pages_lock);
}

KTEST(clean_pages_are_evicted_dirty_ones_are_not)
{
	struct address_space *as = address_space_create();
	struct store s;
	struct page *p;
	long at;

	kcheck(as && store_create(&s, STORE_LATE));
	at = map(as, s.object, MAPPING_SHARED);
	kcheck(at > 0);
	for (uint64_t i = 0; i < STORE_PAGES; i++)
		kcheck_equal(word(&s, i * WORDS), i * WORDS);
	kcheck_equal(address_space_get_page(as, (vaddr_t)at + 5 * PAGE_SIZE, false, false, &p), 0);
	page_put(p);
	kcheck_equal(set_word(&s, 6 * WORDS, 66), 8);
	kcheck_equal(set_word(&s, 7 * WORDS, 77), 8);
	/* What is mapped stays: the pages around the fault, among them those that are dirty. A page whose object is
	 * locked is passed over, and a processor that stands still in its flusher locks it for many rounds. */
	while (READ_ONCE(s.object->pages.count) > 16) {
		page_cache_drop();
		sched_yield_thread();
	}
	for (uint32_t i = 0; i < 4; i++)
		page_cache_drop();
	kcheck_equal(s.object->pages.count, 16);
	kcheck_equal(word(&s, 6 * WORDS), 66);
	kcheck_equal(word(&s, 7 * WORDS), 77);
	kcheck_equal(word(&s, 5 * WORDS), 5 * WORDS);
	kcheck_equal(object_sync(s.object, 0, UINT64_MAX), 0);
	kcheck_equal(object_invalidate(s.object, 0, UINT64_MAX, false), 16);
	address_space_put(as);
	drop_all(s.object);
	kcheck_equal(s.object->pages.count, 0);
	store_destroy(&s);
}

/* --- everything at once ------------------------------------------------------------------------------------- */

#define ROUNDS  1500u
#define MEMBERS 6u

struct storm {
	struct store *s;
	struct address_space *as;
	vaddr_t at;
	uint32_t left; /* [a] writers that have not ended */
};

/*
 * Each member has a word of every page for its own, by write(2) or by the mapping; so what it wrote
 * last is what it must see, whatever the others and the last member, which writes out and drops, do
 * to the page.
 */
static void
storm_member(void *arg, uint32_t index)
{
	uint64_t values[32] = { 0 }, value;
	struct storm *st = arg;
	uint32_t random = index + 1;

	while (index == MEMBERS - 1 && atomic_load(&st->left) > 0) {
		random = random * 1664525 + 1013904223;
		if (random >> 30 == 0)
			page_cache_drop();
		else if (random >> 30 == 1)
			(void)object_invalidate(st->s->object, 0, UINT64_MAX, false);
		else
			(void)object_write_start(st->s->object, 0, UINT64_MAX, random >> 29 & 1);
		sched_yield_thread();
	}
	for (uint32_t i = 0; i < ROUNDS && index < MEMBERS - 1; i++) {
		uint32_t page;
		vaddr_t va;

		random = random * 1664525 + 1013904223;
		page = (random >> 8) % ARRAY_SIZE(values);
		va = st->at + page * PAGE_SIZE + index * 8;
		if ((random >> 4) % 4 == 0) {
			values[page] = (uint64_t)index << 32 | (i + 1);
			if (index % 2)
				poke(st->as, va, values[page]);
			else if (set_word(st->s, page * WORDS + index, values[page]) != 8)
				ktest_fail(__FILE__, __LINE__, "write failed");
		} else if (values[page]) {
			if (index % 2)
				value = peek(st->as, va);
			else
				value = (uint64_t)word(st->s, page * WORDS + index);
			if (value != values[page])
				ktest_fail(__FILE__, __LINE__, "page %u: %#lx was written, %#lx read", page, values[page],
					   value);
		}
	}
	if (index < MEMBERS - 1) {
		if (object_sync(st->s->object, 0, UINT64_MAX) != 0)
			ktest_fail(__FILE__, __LINE__, "sync failed");
		for (uint32_t page = 0; page < ARRAY_SIZE(values); page++)
			if (values[page] && store_word(st->s, page * WORDS + index) != values[page])
				ktest_fail(__FILE__, __LINE__, "page %u: %#lx was written and synced, the store has %#lx",
					   page, values[page], store_word(st->s, page * WORDS + index));
		atomic_sub(&st->left, 1);
	}
}

KTEST(writers_faults_flushers_and_eviction_lose_nothing)
{
	struct storm st = { .as = address_space_create(), .left = MEMBERS - 1 };
	struct store s;

	kcheck(st.as && store_create(&s, STORE_LATE));
	st.s = &s;
	st.at = (vaddr_t)map(st.as, s.object, MAPPING_SHARED);
	ktest_parallel(MEMBERS, storm_member, &st);
	address_space_put(st.as);
	store_destroy(&s);
}
