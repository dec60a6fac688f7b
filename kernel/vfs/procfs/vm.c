/* SPDX-License-Identifier: MIT */
/*
 * vm.c - what of /proc/sys/vm is about the page cache: how much may be dirty, told in percent of memory or in bytes,
 * whichever was written last (the other reads as 0); and dropping what is clean.
 */
#include <tessera/atomic.h>
#include <tessera/backing.h>
#include <tessera/errno.h>
#include <tessera/inode.h>

#include "files.h"

#define DIRTY_BYTES_MIN (2 * PAGE_SIZE)
#define NAMES_AT_ONCE   256u

static int
show_ratio(struct text *t, int *ratio)
{
	text_print(t, "%d\n", READ_ONCE(*ratio));
	return 0;
}

static int
show_bytes(struct text *t, uint64_t *bytes)
{
	text_print(t, "%lu\n", READ_ONCE(*bytes));
	return 0;
}

static ssize_t
write_ratio(const char *data, size_t n, int *ratio, uint64_t *bytes)
{
	uint64_t v;
	ssize_t used = parse_setting(data, n, 0, 100, &v);

	if (used < 0)
		return used;
	if ((int)v != READ_ONCE(*ratio))
		WRITE_ONCE(*bytes, 0);
	WRITE_ONCE(*ratio, (int)v);
	dirty_limits_changed();
	return used;
}

static ssize_t
write_bytes(const char *data, size_t n, int *ratio, uint64_t *bytes, uint64_t low)
{
	uint64_t v;
	ssize_t used = parse_setting(data, n, low, UINT64_MAX, &v);

	if (used < 0)
		return used;
	if (v != READ_ONCE(*bytes))
		WRITE_ONCE(*ratio, 0);
	WRITE_ONCE(*bytes, v);
	dirty_limits_changed();
	return used;
}

int
show_dirty_writeback(struct text *t, struct target *at)
{
	text_print(t, "%d\n", READ_ONCE(dirty_writeback_centisecs));
	return 0;
}

/* With another interval all is written, as on Linux: flushers that slept by the old one wake up. */
ssize_t
write_dirty_writeback(struct target *at, char *data, size_t n)
{
	uint64_t v;
	ssize_t used = parse_setting(data, n, 0, INT32_MAX, &v);
	int old;

	if (used < 0)
		return used;
	old = atomic_exchange(&dirty_writeback_centisecs, (int)v);
	if (v != 0 && old != (int)v)
		backing_write_all();
	return used;
}

int
show_dirty_ratio(struct text *t, struct target *at)
{
	return show_ratio(t, &dirty_ratio);
}

int
show_dirty_background_ratio(struct text *t, struct target *at)
{
	return show_ratio(t, &dirty_background_ratio);
}

int
show_dirty_bytes(struct text *t, struct target *at)
{
	return show_bytes(t, &dirty_bytes);
}

int
show_dirty_background_bytes(struct text *t, struct target *at)
{
	return show_bytes(t, &dirty_background_bytes);
}

ssize_t
write_dirty_ratio(struct target *at, char *data, size_t n)
{
	return write_ratio(data, n, &dirty_ratio, &dirty_bytes);
}

ssize_t
write_dirty_background_ratio(struct target *at, char *data, size_t n)
{
	return write_ratio(data, n, &dirty_background_ratio, &dirty_background_bytes);
}

ssize_t
write_dirty_bytes(struct target *at, char *data, size_t n)
{
	return write_bytes(data, n, &dirty_ratio, &dirty_bytes, DIRTY_BYTES_MIN);
}

ssize_t
write_dirty_background_bytes(struct target *at, char *data, size_t n)
{
	return write_bytes(data, n, &dirty_background_ratio, &dirty_background_bytes, 1);
}

/* 1: clean pages, 2: unused names; 4: says nothing of it in the log, which this never does. */
ssize_t
write_drop_caches(struct target *at, char *data, size_t n)
{
	uint64_t v;
	ssize_t used = parse_setting(data, n, 1, 4, &v);

	if (used < 0)
		return used;
	if (v & 1)
		page_cache_drop();
	if (v & 2)
		while (dentry_shrink(NAMES_AT_ONCE) == NAMES_AT_ONCE)
			;
	return used;
}
