/* SPDX-License-Identifier: MIT */
/*
 * disk.c - disks and devices: birth, the table of numbers, capacity, removal.
 *
 *	create ---> KNOWN ---remove---> GONE ---last reference---> freed
 *
 * A disk holds a reference to each of its devices while they have names; a device holds one to its disk for
 * life, a partition one to the whole disk too; open files, mappings and requests on their way hold the device. So a
 * removed disk lasts as long as somebody looks at it, and answers EIO.
 *
 * Locks: disk->lock (BLOCK): who has it open, claims, partitions; held while a partition table is read, and while a loop
 * device that is unbound writes what is dirty, which may take as long as its file's daemon likes. Then block_table_lock
 * (BLOCK_TABLE): numbers and the list of disks; nothing is taken inside it.
 */
#include <tessera/backing.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "block.h"

struct mutex block_table_lock = MUTEX_INIT(block_table_lock, BLOCK_TABLE);
struct list block_disks = LIST_INIT(block_disks);
static struct list devices = LIST_INIT(devices); /* block_table_lock: struct block_device.table_node */
static uint64_t last_sequence;                   /* [a] */

#define EXTENDED_MINORS (1u << 20)
#define TIMEOUT_MS      30000u

struct block_disk *
block_disk_create(const struct block_disk_ops *ops, void *private)
{
	struct block_disk *d = kzalloc(sizeof(*d));

	if (!d)
		return NULL;
	ref_init(&d->refs);
	d->ops = ops;
	d->private = private;
	d->minors = 1;
	d->sysfs_parent = "devices/virtual/block";
	d->limits = (struct block_limits){
		.logical_block = BLOCK_SECTOR,
		.physical_block = BLOCK_SECTOR,
		.io_min = BLOCK_SECTOR,
		.max_bytes = 1280 << 10,
		.max_segments = 128,
	};
	d->timeout_ms = TIMEOUT_MS;
	mutex_init(&d->lock, LOCK_BLOCK);
	list_init(&d->devices);
	list_init(&d->table_node);
	wait_queue_init(&d->drained);
	d->sequence = atomic_add_fetch(&last_sequence, 1);
	return d;
}

void
block_disk_put(struct block_disk *d)
{
	if (!ref_put(&d->refs))
		return;
	if (d->backing)
		backing_put(d->backing);
	if (d->ops->release)
		d->ops->release(d);
	kfree(d);
}

static struct block_device *
find_locked(dev_t dev)
{
	struct block_device *b;

	assert_mutex_held(&block_table_lock);
	list_for_each(b, &devices, table_node)
		if (b->dev == dev)
			return b;
	return NULL;
}

struct block_device *
block_device_find(dev_t dev)
{
	struct block_device *b;

	mutex_lock(&block_table_lock);
	b = find_locked(dev);
	if (b)
		block_device_get(b);
	mutex_unlock(&block_table_lock);
	return b;
}

struct block_device *
block_device_number(struct block_disk *d, uint32_t number)
{
	struct block_device *b;

	assert_mutex_held(&d->lock);
	list_for_each(b, &d->devices, disk_node)
		if (b->number == number)
			return b;
	return NULL;
}

/* "vda" and 1 make "vda1", "loop0" and 1 "loop0p1". */
static void
make_name(struct block_device *b)
{
	const char *disk = b->disk->name;
	char end = disk[strlen(disk) - 1];

	if (b->number == 0)
		snprintf(b->name, sizeof(b->name), "%s", disk);
	else
		scnprintf(b->name, sizeof(b->name), "%.20s%s%u", disk, end >= '0' && end <= '9' ? "p" : "", b->number);
}

/* Give it a number, and let it be found by that. */
static int
enter_number(struct block_device *b)
{
	struct block_disk *d = b->disk;
	uint32_t minor = 0;
	int error = 0;

	mutex_lock(&block_table_lock);
	if (b->number < d->minors) {
		b->dev = DEV(d->major, d->first_minor + b->number);
		error = find_locked(b->dev) ? -EBUSY : 0;
	} else {
		while (minor < EXTENDED_MINORS && find_locked(DEV(BLOCK_EXTENDED_MAJOR, minor)))
			minor++;
		b->dev = DEV(BLOCK_EXTENDED_MAJOR, minor);
		error = minor == EXTENDED_MINORS ? -EBUSY : 0;
	}
	if (!error)
		list_add_tail(&devices, &b->table_node);
	mutex_unlock(&block_table_lock);
	return error;
}

static void
leave_number(struct block_device *b)
{
	mutex_lock(&block_table_lock);
	list_del(&b->table_node);
	mutex_unlock(&block_table_lock);
}

int
block_device_add(struct block_disk *d, uint32_t number, uint64_t start, uint64_t length,
		 const char *uuid, const char *label, bool readonly)
{
	struct block_device *b = kzalloc(sizeof(*b)), *after;
	struct list *place = &d->devices;
	int error;

	assert_mutex_held(&d->lock);
	if (!b)
		return -ENOMEM;
	b->object = object_create_stored(&block_object_ops, length, b, d->backing);
	if (!b->object) {
		kfree(b);
		return -ENOMEM;
	}
	b->disk = d;
	block_disk_get(d);
	if (number)
		block_device_get(d->whole);
	b->number = number;
	b->start = start;
	b->readonly = readonly;
	b->block_size = PAGE_SIZE;
	snprintf(b->uuid, sizeof(b->uuid), "%s", uuid);
	snprintf(b->label, sizeof(b->label), "%s", label);
	make_name(b);
	error = enter_number(b);
	if (error)
		goto put;
	error = block_sysfs_add(b);
	if (error)
		goto leave;
	error = devfs_add(b->name, S_IFBLK | 0600, b->dev);
	if (error && error != -EEXIST) /* somebody's own node of that name stays */
		goto remove_sysfs;
	list_for_each(after, &d->devices, disk_node)
		if (after->number > number) {
			place = &after->disk_node;
			break;
		}
	list_add_tail(place, &b->disk_node);
	return 0;

remove_sysfs:
	devfs_remove(b->name, b->dev);
	block_sysfs_remove(b);
leave:
	leave_number(b);
put:
	block_device_put(b);
	return error;
}

void
block_device_remove(struct block_device *b)
{
	assert_mutex_held(&b->disk->lock);
	WRITE_ONCE(b->gone, true);
	devfs_remove(b->name, b->dev);
	block_sysfs_remove(b);
	leave_number(b);
	list_del(&b->disk_node);
	object_truncate(b->object, 0);
	block_device_put(b);
}

/*
 * The last part of sync(2). The backing may outlive its disk, which is therefore looked for; and one without a write
 * cache answers at once.
 */
static int
flush_disk(struct backing *backing, bool wait)
{
	struct block_disk *d, *found = NULL;
	struct block_device *whole = NULL;
	int error = 0;

	if (!wait)
		return 0;
	mutex_lock(&block_table_lock);
	list_for_each(d, &block_disks, table_node)
		if (d->backing == backing)
			found = d;
	if (found) {
		whole = found->whole;
		block_device_get(whole);
	}
	mutex_unlock(&block_table_lock);
	if (!whole)
		return 0;
	if (!block_readonly(whole))
		error = block_flush(whole);
	block_device_put(whole);
	return error == -EOPNOTSUPP ? 0 : error;
}

int
block_disk_add(struct block_disk *d, uint64_t capacity)
{
	char name[24];
	int error;

	snprintf(name, sizeof(name), "%u:%u", d->major, d->first_minor);
	d->backing = backing_create(name, d);
	if (!d->backing)
		return -ENOMEM;
	d->backing->flush = flush_disk;
	d->backing->run_pages = MIN(d->limits.max_segments, (uint32_t)(d->limits.max_bytes / PAGE_SIZE));
	d->backing->run_pages = MIN(d->backing->run_pages, BACKING_RUN_MAX);
	error = backing_publish(d->backing, name);
	if (error)
		return error;
	mutex_lock(&d->lock);
	error = block_device_add(d, 0, 0, ALIGN_DOWN(capacity, BLOCK_SECTOR), "", "", false);
	if (!error) {
		d->whole = block_device_number(d, 0);
		mutex_lock(&block_table_lock);
		list_add_tail(&block_disks, &d->table_node);
		mutex_unlock(&block_table_lock);
	}
	mutex_unlock(&d->lock);
	if (error) {
		backing_unpublish(d->backing);
		return error;
	}
	pr_info("%s: %lu sectors of 512 bytes, blocks of %u\n", d->name, capacity / BLOCK_SECTOR,
		d->limits.logical_block);
	if (!d->no_partitions && capacity)
		block_scan_partitions(d);
	return 0;
}

void
block_disk_remove(struct block_disk *d)
{
	mutex_lock(&block_table_lock);
	list_del(&d->table_node);
	mutex_unlock(&block_table_lock);
	WRITE_ONCE(d->gone, true);
	backing_kill(d->backing, -EIO);
	wake_all(&d->drained);
	wait_event(&d->drained, atomic_load(&d->in_flight) == 0);
	mutex_lock(&d->lock);
	while (!list_is_empty(&d->devices))
		block_device_remove(list_last(&d->devices, struct block_device, disk_node));
	mutex_unlock(&d->lock);
	backing_unpublish(d->backing);
}

void
block_disk_set_capacity(struct block_disk *d, uint64_t capacity, bool news)
{
	struct block_device *b = d->whole;
	uint64_t old = block_size(b);

	capacity = ALIGN_DOWN(capacity, BLOCK_SECTOR);
	if (news) {
		WRITE_ONCE(d->sequence, atomic_add_fetch(&last_sequence, 1));
		WRITE_ONCE(d->stale_table, true);
	}
	if (capacity == old)
		return;
	if (capacity > old)
		atomic_store(&b->object->size, capacity);
	else
		object_truncate(b->object, capacity);
	if (old && capacity)
		pr_info("%s: capacity changes from %lu to %lu sectors\n", d->name, old / BLOCK_SECTOR,
			capacity / BLOCK_SECTOR);
}

/* --- who has it open -------------------------------------------------------------------------------- */

int
block_device_open(struct block_device *b, uint32_t flags)
{
	struct block_disk *d = b->disk;
	bool scan;
	int error = -ENXIO;

	mutex_lock(&d->lock);
	if (d->gone || b->gone)
		goto out;
	error = d->ops->open ? d->ops->open(d, flags) : 0;
	if (error)
		goto out;
	b->openers++;
	d->openers++;
	b->writers += (flags & O_ACCMODE) != O_RDONLY;
	scan = d->openers == 1 && d->stale_table && !d->no_partitions;
	mutex_unlock(&d->lock);
	if (scan)
		block_scan_partitions(d);
	return 0;
out:
	mutex_unlock(&d->lock);
	return error;
}

void
block_sync_locked(struct block_disk *d)
{
	struct block_device *b;

	assert_mutex_held(&d->lock);
	list_for_each(b, &d->devices, disk_node)
		object_sync_unkillably(b->object);
}

void
block_device_close(struct block_device *b, uint32_t flags)
{
	struct block_disk *d = b->disk;

	mutex_lock(&d->lock);
	/* Without the lock, because it may take long. Who is killed here leaves dirty pages to the flusher, or to
	 * ops->closed, if that is the end of what they are written to. */
	if (b->openers == 1) {
		mutex_unlock(&d->lock);
		object_sync(b->object, 0, UINT64_MAX);
		mutex_lock(&d->lock);
	}
	b->openers--;
	d->openers--;
	b->writers -= (flags & O_ACCMODE) != O_RDONLY;
	if (b->openers == 0)
		object_invalidate(b->object, 0, UINT64_MAX, false);
	if (d->openers == 0 && !d->gone && d->ops->closed)
		d->ops->closed(d);
	mutex_unlock(&d->lock);
}

/* What holds a whole disk of which a partition is claimed. */
static int part_claimed;

int
block_claim(struct block_device *b, void *holder)
{
	struct block_disk *d = b->disk;
	struct block_device *whole = d->whole;
	int error = 0;

	mutex_lock(&d->lock);
	if (d->gone || b->gone)
		error = -ENXIO;
	else if (b->holder && b->holder != holder)
		error = -EBUSY;
	else if (b != whole && whole->holder && whole->holder != &part_claimed)
		error = -EBUSY;
	if (!error) {
		b->holder = holder;
		b->holders++;
		if (b != whole) {
			whole->holder = &part_claimed;
			whole->holders++;
		}
	}
	mutex_unlock(&d->lock);
	return error;
}

static void
drop_claim(struct block_device *b)
{
	if (--b->holders == 0)
		b->holder = NULL;
}

void
block_unclaim(struct block_device *b, void *holder)
{
	struct block_disk *d = b->disk;

	mutex_lock(&d->lock);
	if (b->holder != holder)
		panic("%s: unclaimed by %p, claimed by %p", b->name, holder, b->holder);
	drop_claim(b);
	if (b->number && !d->gone)
		drop_claim(d->whole);
	mutex_unlock(&d->lock);
}

/* --- all of them -------------------------------------------------------------------------------------- */

void
block_for_each(void (*fn)(void *ctx, struct block_device *b), void *ctx)
{
	struct block_disk *d;
	struct block_device *b;

	mutex_lock(&block_table_lock);
	list_for_each(d, &block_disks, table_node)
		list_for_each(b, &devices, table_node)
			if (b->disk == d)
				fn(ctx, b);
	mutex_unlock(&block_table_lock);
}

void
block_majors(void (*fn)(void *ctx, uint32_t major, const char *name), void *ctx)
{
	fn(ctx, 7, "loop");
	fn(ctx, 254, "virtblk");
	fn(ctx, BLOCK_EXTENDED_MAJOR, "blkext");
}

void
block_dump(void)
{
	struct block_disk *d;
	struct block_device *b;

	list_for_each(d, &block_disks, table_node) {
		pr_info("%s: %s refs %u openers %u in flight %u frozen %u%s%s\n", d->name, d->ops->name, d->refs.count,
			d->openers, d->in_flight, d->frozen, d->readonly ? " ro" : "", d->gone ? " gone" : "");
		list_for_each(b, &d->devices, disk_node)
			pr_info("  %s %u:%u start %lu size %lu pages %lu%s openers %u holder %p\n", b->name,
				DEV_MAJOR(b->dev), DEV_MINOR(b->dev), b->start, b->object->size, b->object->pages.count,
				object_is_dirty(b->object) ? " dirty" : "", b->openers, b->holder);
		if (d->ops->dump)
			d->ops->dump(d);
	}
}
