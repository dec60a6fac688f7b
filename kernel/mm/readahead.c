/* SPDX-License-Identifier: MIT */
/*
 * readahead.c - guessing what a file's reader wants next, and what an open file remembers.
 *
 * An open file has a window: the pages [window_start, + window_size) that were last fetched for it.
 * The first of its last `window_ahead` pages carries PAGE_READAHEAD: who comes to it has the next
 * window, twice as large up to the backing's limit, fetched behind the present one, and goes on
 * reading meanwhile.
 *
 *	missing, and it follows what was read last, or starts the file, or is a large read: a first window
 *	missing at the end of the window: the next one (the mark was evicted, or the store is slower than the reader)
 *	missing elsewhere: random access, just what is wanted
 *	missing in a mapping, not in sequence: what lies around it
 *
 * The window's numbers are hints: two readers of one open file may mix them up, and fetch too much
 * or too little.
 */
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/inode.h>
#include <tessera/slab.h>

#include "mm.h"
#include "page_cache.h"

#define FIRST_WINDOW 4u  /* times what was wanted */
#define AROUND       16u /* pages, for mappings */

static uint64_t
pages_of(const struct memory_object *o)
{
	uint64_t size = atomic_load_relaxed(&o->size);

	return DIV_ROUND_UP(MIN(size, UINT64_MAX - PAGE_SIZE), PAGE_SIZE);
}

/* The largest window of `c` (NULL: of somebody who has none). */
static uint64_t
window_max(struct memory_object *o, const struct cached_file *c)
{
	uint64_t pages = READ_ONCE(o->store->backing->readahead_pages);

	if (c && READ_ONCE(c->advice) == READAHEAD_SEQUENTIAL)
		pages *= 2;
	return c && READ_ONCE(c->advice) == READAHEAD_RANDOM ? 0 : pages;
}

/* Fetch window [start, start + size) of which the last `ahead` pages are beyond what is wanted
 * now. */
static int
fetch(struct memory_object *o, struct file *f, struct cached_file *c, uint64_t start, uint64_t size, uint64_t ahead,
      bool urgent)
{
	uint64_t end = pages_of(o);

	if (start >= end)
		end = start + 1;
	if (size > end - start) { /* nothing lies behind the window: nobody needs to be told of its end */
		size = end - start;
		ahead = 0;
	}
	WRITE_ONCE(c->window_start, start);
	WRITE_ONCE(c->window_size, (uint32_t)size);
	WRITE_ONCE(c->window_ahead, (uint32_t)ahead);
	return fill_start(o, f, start, size, ahead ? start + size - ahead : UINT64_MAX, urgent);
}

/* What follows a window of `size` pages. */
static uint64_t
next_size(uint64_t size, uint64_t max)
{
	return size * 2 < max ? size * 2 : max;
}

static int
fetch_around(struct memory_object *o, struct file *f, uint64_t index, uint64_t max)
{
	uint64_t n = MIN((uint64_t)AROUND, max), start = index - index % n, end = MAX(pages_of(o), index + 1);
	int error = fill_start(o, f, index, MIN(start + n, end) - index, UINT64_MAX, true);

	if (error == 0 && start < index)
		error = fill_start(o, f, start, index - start, UINT64_MAX, false);
	return error;
}

int
readahead_missing(struct memory_object *o, struct file *f, uint64_t index, uint64_t wanted, unsigned int how)
{
	struct cached_file *c = f ? f->cached : NULL;
	uint64_t max = window_max(o, c), end, previous, size;

	end = MAX(pages_of(o), index + 1);
	wanted = MIN(wanted, end - index);
	if (!c || max == 0 || (how & FIND_ALONE))
		return fill_start(o, f, index, MIN(wanted, (uint64_t)READ_ONCE(o->store->backing->run_pages)), UINT64_MAX,
				  true);
	end = READ_ONCE(c->window_start) + READ_ONCE(c->window_size);
	previous = READ_ONCE(c->previous);
	if (index == end && READ_ONCE(c->window_size))
		size = next_size(READ_ONCE(c->window_size), max);
	else if (index == 0 || index == previous || index == previous + 1 || wanted >= max)
		size = MIN(wanted * FIRST_WINDOW, max);
	else if (how & FIND_AROUND)
		return fetch_around(o, f, index, max);
	else
		return fill_start(o, f, index, wanted, UINT64_MAX, true);
	return fetch(o, f, c, index, size, size > wanted ? size - wanted : size, true);
}

void
readahead_more(struct memory_object *o, struct file *f, uint64_t index)
{
	struct cached_file *c = f ? f->cached : NULL;
	uint64_t max = window_max(o, c), size, start;

	if (!c || max == 0)
		return;
	/* Another's mark, or one of a window that was left: then it is taken for the begin of a stream here. */
	start = READ_ONCE(c->window_start) + READ_ONCE(c->window_size);
	if (index < READ_ONCE(c->window_start) || index >= start) {
		start = index + 1;
		size = MIN((uint64_t)FIRST_WINDOW, max);
	} else {
		size = next_size(READ_ONCE(c->window_size), max);
	}
	if (start < pages_of(o))
		(void)fetch(o, f, c, start, size, size, false);
}

void
readahead_read(struct file *f, uint64_t index)
{
	if (f && f->cached)
		WRITE_ONCE(f->cached->previous, index);
}

void
object_readahead(struct memory_object *o, struct file *f, uint64_t first, uint64_t count)
{
	uint64_t pages = pages_of(o), most;

	if (!o->store || first >= pages)
		return;
	most = MAX(READ_ONCE(o->store->backing->readahead_pages), o->store->backing->run_pages);
	most = MIN(most, pages - first);
	(void)fill_start(o, f, first, MIN(count, most), UINT64_MAX, false);
}

/* --- open files ------------------------------------------------------------------------------------ */

int
cached_file_attach(struct file *f, struct memory_object *o)
{
	struct cached_file *c;

	if (!o->store || f->cached)
		return 0;
	c = kzalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	object_get(o);
	c->object = o;
	c->previous = UINT64_MAX;
	c->error_seen = error_sequence_sample(&o->store->errors);
	f->cached = c;
	return 0;
}

void
cached_file_detach(struct file *f)
{
	struct cached_file *c = f->cached;

	if (!c)
		return;
	f->cached = NULL;
	object_put(c->object);
	kfree(c);
}

struct memory_object *
cached_file_object(const struct file *f)
{
	return f->cached ? f->cached->object : f->inode ? f->inode->object : NULL;
}

int
cached_file_error(struct file *f)
{
	return f->cached ? error_sequence_check(&f->cached->object->store->errors, &f->cached->error_seen) : 0;
}

void
file_system_error_begin(struct file *f)
{
	struct backing *b = f->inode->fs->backing;

	if (b)
		f->fs_error_seen = error_sequence_sample(&b->errors);
}

int
file_system_error(struct file *f)
{
	struct backing *b = f->inode ? f->inode->fs->backing : NULL;

	return b ? error_sequence_check(&b->errors, &f->fs_error_seen) : 0;
}

int
cached_file_sync(struct file *f, uint64_t start, uint64_t end)
{
	struct memory_object *o = cached_file_object(f);
	int error = o ? object_sync(o, start, end) : 0, told = cached_file_error(f);

	return error != 0 ? error : told;
}

void
cached_file_advise(struct file *f, enum readahead_advice advice)
{
	if (f->cached)
		WRITE_ONCE(f->cached->advice, (uint8_t)advice);
}
