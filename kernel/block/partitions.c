/* SPDX-License-Identifier: MIT */
/*
 * partitions.c - partitions of a disk: as its table says, and as programs say (BLKPG).
 *
 * A table is read when a disk appears, when its medium has changed and it is opened, and when a program asks. What was
 * there before goes: nobody may have a partition open then. What a table says is cut to the disk's size; what lies
 * beyond it is left out, with a line in the log.
 */
#include <tessera/backing.h>
#include <tessera/errno.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/text.h>

#include "block.h"
#include "partition.h"

#define TABLE_MAX (32u << 10) /* 256 entries of GPT */

struct scan {
	struct partition_reader reader;
	struct block_disk *disk;
	struct text log;
	uint32_t count;
};

static int
read_disk(struct partition_reader *r, uint64_t offset, void *buf, size_t n)
{
	struct scan *s = container_of(r, struct scan, reader);

	return block_read_raw(s->disk->whole, offset, buf, n);
}

static void
add_found(struct partition_reader *r, uint32_t number, uint64_t start, uint64_t length, const char *uuid,
	  const char *label)
{
	struct scan *s = container_of(r, struct scan, reader);
	struct block_disk *d = s->disk;
	int error;

	if (length == 0 || number == 0 || number > BLOCK_PARTITIONS_MAX)
		return;
	if (start >= r->capacity) {
		pr_warn("%s: partition %u begins beyond the end of the disk: left out\n", d->name, number);
		return;
	}
	if (length > r->capacity - start) {
		pr_warn("%s: partition %u reaches beyond the end of the disk: cut\n", d->name, number);
		length = r->capacity - start;
	}
	error = block_device_add(d, number, start, length, uuid, label, false);
	if (error)
		pr_warn("%s: partition %u cannot be made: error %d\n", d->name, number, error);
	else
		text_print(&s->log, " p%u", number);
	s->count += !error;
}

int
block_remove_partitions_locked(struct block_disk *d)
{
	struct block_device *b;

	assert_mutex_held(&d->lock);
	list_for_each(b, &d->devices, disk_node)
		if (b->number && b->openers)
			return -EBUSY;
	while ((b = list_last(&d->devices, struct block_device, disk_node))->number)
		block_device_remove(b);
	return 0;
}

static int
scan_locked(struct block_disk *d)
{
	uint32_t block = d->limits.logical_block;
	struct scan *s = kzalloc(sizeof(*s));
	struct partition_reader *r;
	int kind = -ENOMEM;

	if (!s)
		return -ENOMEM;
	r = &s->reader;
	s->disk = d;
	*r = (struct partition_reader){
		.read = read_disk,
		.found = add_found,
		.block = kmalloc(PAGE_SIZE, 0),
		.table = kmalloc(TABLE_MAX, 0),
		.table_size = TABLE_MAX,
		.logical_block = block,
		.capacity = ALIGN_DOWN(block_size(d->whole), (uint64_t)block),
	};
	if (!r->block || !r->table)
		goto free;
	object_sync(d->whole->object, 0, UINT64_MAX); /* a program may just have written the table */
	kind = r->capacity < block ? 0 : partition_read_gpt(r);
	if (kind == 0 && r->complaint)
		pr_warn("%s: partition table: %s\n", d->name, r->complaint);
	if (kind == 0 && r->capacity >= block)
		kind = partition_read_mbr(r);
	if (kind > 0 && r->complaint)
		pr_warn("%s: partition table: %s\n", d->name, r->complaint);
	if (kind < 0)
		pr_warn("%s: the partition table cannot be read: error %d\n", d->name, kind);
	else if (kind > 0 && s->log.data)
		pr_info("%s:%.*s\n", d->name, (int)s->log.used, s->log.data);
	kind = MIN(kind, 0);
free:
	text_free(&s->log);
	kfree(r->block);
	kfree(r->table);
	kfree(s);
	return kind;
}

int
block_scan_partitions(struct block_disk *d)
{
	int error;

	mutex_lock(&d->lock);
	if (d->gone)
		error = -ENXIO;
	else if (d->no_partitions)
		error = -EINVAL;
	else
		error = block_remove_partitions_locked(d);
	if (!error) {
		WRITE_ONCE(d->stale_table, false);
		error = scan_locked(d);
	}
	mutex_unlock(&d->lock);
	return error;
}

/* Does any but `except` share bytes with the range? */
static bool
overlaps(struct block_disk *d, uint64_t start, uint64_t length, const struct block_device *except)
{
	struct block_device *b;

	list_for_each(b, &d->devices, disk_node) {
		if (b->number == 0 || b == except)
			continue;
		if (start < b->start + block_size(b) && b->start < start + length)
			return true;
	}
	return false;
}

int
block_add_partition(struct block_disk *d, uint32_t number, uint64_t start, uint64_t length)
{
	int error;

	mutex_lock(&d->lock);
	if (d->gone)
		error = -ENXIO;
	else if (d->no_partitions)
		error = -EINVAL;
	else if (start >= block_size(d->whole) || length > block_size(d->whole) - start)
		error = -EINVAL;
	else if (block_device_number(d, number) || overlaps(d, start, length, NULL))
		error = -EBUSY;
	else
		error = block_device_add(d, number, start, length, "", "", false);
	mutex_unlock(&d->lock);
	return error;
}

int
block_delete_partition(struct block_disk *d, uint32_t number)
{
	struct block_device *b;
	int error = 0;

	mutex_lock(&d->lock);
	b = block_device_number(d, number);
	if (!b || d->gone)
		error = -ENXIO;
	else if (b->openers)
		error = -EBUSY;
	else
		block_device_remove(b);
	mutex_unlock(&d->lock);
	return error;
}

int
block_resize_partition(struct block_disk *d, uint32_t number, uint64_t start, uint64_t length)
{
	struct block_device *b;
	int error = 0;

	mutex_lock(&d->lock);
	b = block_device_number(d, number);
	if (!b || d->gone)
		error = -ENXIO;
	else if (start != b->start)
		error = -EINVAL;
	else if (start >= block_size(d->whole) || length > block_size(d->whole) - start)
		error = -EINVAL;
	else if (overlaps(d, start, length, b))
		error = -EBUSY;
	else if (length < block_size(b))
		object_truncate(b->object, length);
	else
		atomic_store(&b->object->size, length);
	mutex_unlock(&d->lock);
	return error;
}
