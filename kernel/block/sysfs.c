/* SPDX-License-Identifier: MIT */
/*
 * sysfs.c - disks and partitions in /sys: their folders, queue/, and what leads to them from block/, class/block and
 * dev/block.
 *
 * Attributes run with the tree locked, below disk->lock: they read what is atomic and take no lock.
 */
#include <tessera/backing.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/print.h>
#include <tessera/string.h>
#include <tessera/sysfs.h>

#include "block.h"
#include "partition.h"

#define MS(ns) ((ns) / NSEC_PER_MSEC)

/* One line of a number out of `b` or its disk `d`. */
#define SHOW(name, format, ...)                                             \
	static int show_##name(struct text *t, void *object)                \
	{                                                                   \
		struct block_device *b = object;                            \
		struct block_disk *d = b->disk;                             \
									    \
		(void)d;                                                    \
		text_print(t, format "\n", __VA_ARGS__);                    \
		return 0;                                                   \
	}

SHOW(dev, "%u:%u", DEV_MAJOR(b->dev), DEV_MINOR(b->dev))
SHOW(size, "%lu", block_size(b) / BLOCK_SECTOR)
SHOW(ro, "%d", block_readonly(b))
SHOW(removable, "%d", d->removable)
SHOW(range, "%u", d->minors)
SHOW(zero, "%d", 0)
SHOW(one, "%d", 1)
SHOW(minus_one, "%d", -1)
SHOW(empty, "%s", "")
SHOW(none, "%s", "none")
SHOW(start, "%lu", READ_ONCE(b->start) / BLOCK_SECTOR)
SHOW(partition, "%u", b->number)
SHOW(ext_range, "%u", d->no_partitions ? 1u : BLOCK_PARTITIONS_MAX + 1)
SHOW(capability, "%x", d->no_partitions ? 2u : 0u)
SHOW(sequence, "%lu", READ_ONCE(d->sequence))

SHOW(logical, "%u", d->limits.logical_block)
SHOW(physical, "%u", d->limits.physical_block)
SHOW(io_min, "%u", d->limits.io_min)
SHOW(io_opt, "%u", d->limits.io_opt)
SHOW(max_kb, "%u", d->limits.max_bytes >> 10)
SHOW(max_segments, "%u", d->limits.max_segments)
SHOW(max_segment_size, "%u", d->limits.max_bytes)
SHOW(granularity, "%u", d->limits.max_discard ? d->limits.discard_granularity : 0)
SHOW(discard_max, "%lu", d->limits.max_discard)
SHOW(zero_max, "%lu", d->limits.max_zero)
SHOW(write_cache, "%s", d->limits.write_cache ? "write back" : "write through")
SHOW(fua, "%d", d->limits.write_cache && d->limits.fua)
SHOW(rotational, "%d", d->limits.rotational)
SHOW(read_ahead, "%lu", READ_ONCE(d->backing->readahead_pages) * (PAGE_SIZE >> 10))
SHOW(no_merges, "%u", READ_ONCE(d->no_merges))
SHOW(timeout, "%u", READ_ONCE(d->timeout_ms))
SHOW(requests, "%d", 128)
SHOW(dma_alignment, "%d", 511)

static int
show_uevent(struct text *t, void *object)
{
	struct block_device *b = object;

	text_print(t, "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\nDEVTYPE=%s\nDISKSEQ=%lu\n", DEV_MAJOR(b->dev),
		   DEV_MINOR(b->dev), b->name, b->number ? "partition" : "disk", READ_ONCE(b->disk->sequence));
	if (b->number)
		text_print(t, "PARTN=%u\n", b->number);
	if (b->label[0])
		text_print(t, "PARTNAME=%s\n", b->label);
	return 0;
}

/* Nobody listens for events: asking for one again is fine. */
static ssize_t
store_uevent(void *object, char *data, size_t n)
{
	return (ssize_t)n;
}

static int
show_inflight(struct text *t, void *object)
{
	struct block_device *b = object;

	text_print(t, "%8lu %8lu\n", b->statistics.in_flight[0], b->statistics.in_flight[1]);
	return 0;
}

static int
show_stat(struct text *t, void *object)
{
	struct block_device *b = object;
	struct block_statistics s;
	uint64_t waited = 0;

	block_statistics_snapshot(b, &s);
	for (enum block_op op = 0; op < BLOCK_OPS; op++)
		waited += s.of[op].ns;
	text_print(t, "%8lu %8lu %8lu %8lu %8lu %8lu %8lu %8lu %8lu %8lu %8lu", s.of[BLOCK_READ].ios,
		   s.of[BLOCK_READ].merges, s.of[BLOCK_READ].sectors, MS(s.of[BLOCK_READ].ns),
		   s.of[BLOCK_WRITE].ios + s.of[BLOCK_ZERO].ios, s.of[BLOCK_WRITE].merges,
		   s.of[BLOCK_WRITE].sectors + s.of[BLOCK_ZERO].sectors,
		   MS(s.of[BLOCK_WRITE].ns + s.of[BLOCK_ZERO].ns), s.in_flight[0] + s.in_flight[1], MS(s.busy_ns),
		   MS(waited));
	text_print(t, " %8lu %8lu %8lu %8lu %8lu %8lu\n", s.of[BLOCK_DISCARD].ios, s.of[BLOCK_DISCARD].merges,
		   s.of[BLOCK_DISCARD].sectors, MS(s.of[BLOCK_DISCARD].ns), s.of[BLOCK_FLUSH].ios,
		   MS(s.of[BLOCK_FLUSH].ns));
	return 0;
}

/* --- settings ------------------------------------------------------------------------------------- */

static ssize_t
store_read_ahead(void *object, char *data, size_t n)
{
	struct block_device *b = object;
	uint64_t kb;
	ssize_t result = sysfs_parse_number(data, n, 1u << 20, &kb);

	if (result > 0)
		WRITE_ONCE(b->disk->backing->readahead_pages, (uint32_t)(kb / (PAGE_SIZE >> 10)));
	return result;
}

static ssize_t
store_no_merges(void *object, char *data, size_t n)
{
	struct block_device *b = object;
	uint64_t v;
	ssize_t result = sysfs_parse_number(data, n, UINT32_MAX, &v);

	if (result > 0)
		WRITE_ONCE(b->disk->no_merges, (uint32_t)MIN(v, 2u));
	return result;
}

static ssize_t
store_timeout(void *object, char *data, size_t n)
{
	struct block_device *b = object;
	uint64_t v;
	ssize_t result = sysfs_parse_number(data, n, UINT32_MAX, &v);

	if (result > 0 && v == 0)
		return -EINVAL;
	if (result > 0)
		WRITE_ONCE(b->disk->timeout_ms, (uint32_t)v);
	return result;
}

static const struct sysfs_attribute disk_attributes[] = {
	{ "alignment_offset", 0444, .show = show_zero },
	{ "capability", 0444, .show = show_capability },
	{ "dev", 0444, .show = show_dev },
	{ "discard_alignment", 0444, .show = show_zero },
	{ "diskseq", 0444, .show = show_sequence },
	{ "events", 0444, .show = show_empty },
	{ "events_poll_msecs", 0444, .show = show_minus_one },
	{ "ext_range", 0444, .show = show_ext_range },
	{ "hidden", 0444, .show = show_zero },
	{ "inflight", 0444, .show = show_inflight },
	{ "range", 0444, .show = show_range },
	{ "removable", 0444, .show = show_removable },
	{ "ro", 0444, .show = show_ro },
	{ "size", 0444, .show = show_size },
	{ "stat", 0444, .show = show_stat },
	{ "uevent", 0644, .show = show_uevent, .store = store_uevent },
	{ 0 },
};

static const struct sysfs_attribute partition_attributes[] = {
	{ "alignment_offset", 0444, .show = show_zero },
	{ "dev", 0444, .show = show_dev },
	{ "discard_alignment", 0444, .show = show_zero },
	{ "inflight", 0444, .show = show_inflight },
	{ "partition", 0444, .show = show_partition },
	{ "ro", 0444, .show = show_ro },
	{ "size", 0444, .show = show_size },
	{ "start", 0444, .show = show_start },
	{ "stat", 0444, .show = show_stat },
	{ "uevent", 0644, .show = show_uevent, .store = store_uevent },
	{ 0 },
};

static const struct sysfs_attribute queue_attributes[] = {
	{ "add_random", 0444, .show = show_zero },
	{ "chunk_sectors", 0444, .show = show_zero },
	{ "dax", 0444, .show = show_zero },
	{ "discard_granularity", 0444, .show = show_granularity },
	{ "discard_max_bytes", 0444, .show = show_discard_max },
	{ "discard_max_hw_bytes", 0444, .show = show_discard_max },
	{ "discard_zeroes_data", 0444, .show = show_zero },
	{ "dma_alignment", 0444, .show = show_dma_alignment },
	{ "fua", 0444, .show = show_fua },
	{ "hw_sector_size", 0444, .show = show_logical },
	{ "io_poll", 0444, .show = show_zero },
	{ "io_poll_delay", 0444, .show = show_minus_one },
	{ "io_timeout", 0644, .show = show_timeout, .store = store_timeout },
	{ "iostats", 0444, .show = show_one },
	{ "logical_block_size", 0444, .show = show_logical },
	{ "max_discard_segments", 0444, .show = show_one },
	{ "max_hw_sectors_kb", 0444, .show = show_max_kb },
	{ "max_integrity_segments", 0444, .show = show_zero },
	{ "max_sectors_kb", 0444, .show = show_max_kb },
	{ "max_segment_size", 0444, .show = show_max_segment_size },
	{ "max_segments", 0444, .show = show_max_segments },
	{ "minimum_io_size", 0444, .show = show_io_min },
	{ "nomerges", 0644, .show = show_no_merges, .store = store_no_merges },
	{ "nr_requests", 0444, .show = show_requests },
	{ "nr_zones", 0444, .show = show_zero },
	{ "optimal_io_size", 0444, .show = show_io_opt },
	{ "physical_block_size", 0444, .show = show_physical },
	{ "read_ahead_kb", 0644, .show = show_read_ahead, .store = store_read_ahead },
	{ "rotational", 0444, .show = show_rotational },
	{ "rq_affinity", 0444, .show = show_one },
	{ "scheduler", 0444, .show = show_none },
	{ "stable_writes", 0444, .show = show_zero },
	{ "virt_boundary_mask", 0444, .show = show_zero },
	{ "write_cache", 0444, .show = show_write_cache },
	{ "write_same_max_bytes", 0444, .show = show_zero },
	{ "write_zeroes_max_bytes", 0444, .show = show_zero_max },
	{ "zone_append_max_bytes", 0444, .show = show_zero },
	{ "zone_write_granularity", 0444, .show = show_zero },
	{ "zoned", 0444, .show = show_none },
	{ 0 },
};

/* --- the folders ------------------------------------------------------------------------------------ */

static int
fill_disk(struct block_device *b, struct sysfs_node *dir)
{
	struct block_disk *d = b->disk;
	int error = sysfs_add_attributes(dir, disk_attributes);

	if (!error && d->attributes)
		error = sysfs_add_attributes(dir, d->attributes);
	if (!error)
		error = sysfs_add_attributes(sysfs_add_directory(dir, "queue", b), queue_attributes);
	if (!error && (!sysfs_add_directory(dir, "holders", b) || !sysfs_add_directory(dir, "slaves", b)))
		error = -ENOMEM;
	if (!error)
		error = sysfs_add_link(dir, "bdi", d->backing->node);
	if (!error)
		error = sysfs_add_link(sysfs_make_path("block"), b->name, dir);
	return error;
}

static int
fill_partition(struct block_device *b, struct sysfs_node *dir)
{
	int error = sysfs_add_attributes(dir, partition_attributes);

	if (!error && !sysfs_add_directory(dir, "holders", b))
		error = -ENOMEM;
	return error;
}

int
block_sysfs_add(struct block_device *b)
{
	struct block_disk *d = b->disk;
	struct sysfs_node *parent = b->number ? d->whole->node : sysfs_make_path(d->sysfs_parent);
	struct sysfs_node *class = sysfs_make_path("class/block"), *dir = NULL;
	char number[24];
	int error;

	if (parent)
		dir = sysfs_add_directory(parent, b->name, b);
	if (!dir)
		return -ENOMEM;
	snprintf(number, sizeof(number), "%u:%u", DEV_MAJOR(b->dev), DEV_MINOR(b->dev));
	error = b->number ? fill_partition(b, dir) : fill_disk(b, dir);
	if (!error)
		error = sysfs_add_link(dir, "subsystem", class);
	if (!error)
		error = sysfs_add_link(class, b->name, dir);
	if (!error)
		error = sysfs_add_link(sysfs_make_path("dev/block"), number, dir);
	if (error)
		sysfs_remove(dir);
	else
		b->node = dir;
	return error;
}

void
block_sysfs_remove(struct block_device *b)
{
	sysfs_remove(b->node);
	b->node = NULL;
}

/* --- /proc -------------------------------------------------------------------------------------------- */

static void
partition_line(void *ctx, struct block_device *b)
{
	uint64_t size = block_size(b);

	if (size)
		text_print(ctx, "%4u  %7u %10lu %s\n", DEV_MAJOR(b->dev), DEV_MINOR(b->dev), size >> 10, b->name);
}

int
block_show_partitions(struct text *t)
{
	size_t before;

	text_print(t, "major minor  #blocks  name\n\n");
	before = t->used;
	block_for_each(partition_line, t);
	if (t->used == before) /* no disks, no heading */
		t->used = 0;
	return 0;
}

static void
statistics_line(void *ctx, struct block_device *b)
{
	struct block_statistics s;
	struct text *t = ctx;
	uint64_t waited = 0;

	if (b->number && !block_size(b))
		return;
	block_statistics_snapshot(b, &s);
	for (enum block_op op = 0; op < BLOCK_OPS; op++)
		waited += s.of[op].ns;
	text_print(t, "%4u %7u %s %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu", DEV_MAJOR(b->dev), DEV_MINOR(b->dev),
		   b->name, s.of[BLOCK_READ].ios, s.of[BLOCK_READ].merges, s.of[BLOCK_READ].sectors,
		   MS(s.of[BLOCK_READ].ns), s.of[BLOCK_WRITE].ios + s.of[BLOCK_ZERO].ios, s.of[BLOCK_WRITE].merges,
		   s.of[BLOCK_WRITE].sectors + s.of[BLOCK_ZERO].sectors,
		   MS(s.of[BLOCK_WRITE].ns + s.of[BLOCK_ZERO].ns), s.in_flight[0] + s.in_flight[1], MS(s.busy_ns),
		   MS(waited));
	text_print(t, " %lu %lu %lu %lu %lu %lu\n", s.of[BLOCK_DISCARD].ios, s.of[BLOCK_DISCARD].merges,
		   s.of[BLOCK_DISCARD].sectors, MS(s.of[BLOCK_DISCARD].ns), s.of[BLOCK_FLUSH].ios,
		   MS(s.of[BLOCK_FLUSH].ns));
}

int
block_show_diskstats(struct text *t)
{
	block_for_each(statistics_line, t);
	return 0;
}
