/* SPDX-License-Identifier: MIT */
/*
 * loop_binding.c - which file a loop device shows, and how: configured, changed, told, cleared. See loop.h.
 */
#include <tessera/backing.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/sysfs.h>

#include "loop.h"

#define CONFIGURE_FLAGS (LOOP_READ_ONLY | LOOP_AUTOCLEAR | LOOP_PARTSCAN | LOOP_DIRECT_IO)
#define SETTABLE_FLAGS  (LOOP_AUTOCLEAR | LOOP_PARTSCAN)
#define CLEARABLE_FLAGS LOOP_AUTOCLEAR

static struct mutex chain_lock = MUTEX_INIT(chain_lock, LOOP_CHAIN);

/* --- what it shows ------------------------------------------------------------------------------------ */

static uint64_t
file_bytes(const struct file *f)
{
	struct block_device *b = file_block_device(f);

	return b ? block_size(b) : READ_ONCE(f->inode->object->size);
}

static uint64_t
capacity(const struct loop *lo)
{
	uint64_t size = file_bytes(lo->file);

	size = size > lo->offset ? size - lo->offset : 0;
	if (lo->size_limit && lo->size_limit < size)
		size = lo->size_limit;
	return ALIGN_DOWN(size, BLOCK_SECTOR);
}

static bool
may_be_direct(const struct loop *lo)
{
	struct block_device *b = file_block_device(lo->file);

	return b && lo->offset % b->disk->limits.logical_block == 0 &&
	       lo->disk->limits.logical_block >= b->disk->limits.logical_block;
}

/* What the backing file can do. The disk is frozen or not yet used. */
static void
set_limits(struct loop *lo, uint32_t block)
{
	struct block_limits *l = &lo->disk->limits;
	struct block_device *b = file_block_device(lo->file);
	bool punches = lo->file->ops->fallocate != NULL;

	l->logical_block = l->physical_block = l->io_min = block;
	l->io_opt = 0;
	l->write_cache = !(lo->flags & LOOP_READ_ONLY) && lo->file->ops->sync;
	l->max_discard = l->max_zero = punches && (!b || b->disk->limits.max_zero) ? UINT32_MAX & ~(uint64_t)4095 : 0;
	l->discard_granularity = punches ? MAX(block, (uint32_t)PAGE_SIZE) : 0;
}

#define SHOW(name, format, ...)                                             \
	static int show_##name(struct text *t, void *object)                \
	{                                                                   \
		struct loop *lo = object;                                   \
									    \
		text_print(t, format "\n", __VA_ARGS__);                    \
		return 0;                                                   \
	}

SHOW(path, "%s", lo->path)
SHOW(offset, "%lu", READ_ONCE(lo->offset))
SHOW(size_limit, "%lu", READ_ONCE(lo->size_limit))
SHOW(autoclear, "%d", !!(READ_ONCE(lo->flags) & LOOP_AUTOCLEAR))
SHOW(partscan, "%d", !!(READ_ONCE(lo->flags) & LOOP_PARTSCAN))
SHOW(direct, "%d", !!(READ_ONCE(lo->flags) & LOOP_DIRECT_IO))

static const struct sysfs_attribute loop_attributes[] = {
	{ "autoclear", 0444, .show = show_autoclear },
	{ "backing_file", 0444, .show = show_path },
	{ "dio", 0444, .show = show_direct },
	{ "offset", 0444, .show = show_offset },
	{ "partscan", 0444, .show = show_partscan },
	{ "sizelimit", 0444, .show = show_size_limit },
	{ 0 },
};

static char *
path_of(struct file *f)
{
	char *buf = kmalloc(PATH_MAX, 0), *name = NULL;
	const char *text;

	if (!buf)
		return NULL;
	text = path_name(&(struct path){ f->mount, f->dentry }, buf, PATH_MAX);
	name = kstrdup(IS_ERR(text) ? "" : text);
	kfree(buf);
	return name;
}

/* The folder goes before what it shows does. */
static void
hide(struct loop *lo)
{
	sysfs_remove(lo->node_dir);
	lo->node_dir = NULL;
	kfree(lo->path);
	lo->path = NULL;
}

static int
show(struct loop *lo)
{
	lo->path = path_of(lo->file);
	lo->node_dir = lo->path ? sysfs_add_directory(lo->disk->whole->node, "loop", lo) : NULL;
	if (sysfs_add_attributes(lo->node_dir, loop_attributes)) {
		hide(lo);
		return -ENOMEM;
	}
	return 0;
}

/* --- binding ------------------------------------------------------------------------------------------ */

bool
block_is_loop(const struct block_device *b)
{
	return b->disk->major == LOOP_MAJOR;
}

static bool
is_loop_file(const struct file *f)
{
	struct block_device *b = file_block_device(f);

	return b && block_is_loop(b);
}

static void
set_file(struct loop *lo, struct file *f)
{
	uint64_t flags = spin_lock_irq(&lo->queue_lock);

	lo->file = f;
	spin_unlock_irq(&lo->queue_lock, flags);
}

/* May `f` be what the disk of `lo` shows? Not itself, by whatever chain of loop devices. */
static int
check_file(const struct loop *lo, struct file *f)
{
	int error = 0;

	assert_mutex_held(&chain_lock);
	if (!f->inode || !(file_block_device(f) || (S_ISREG(f->inode->mode) && f->inode->object && f->ops->read)))
		return -EINVAL;
	file_get(f);
	while (!error && is_loop_file(f)) {
		struct loop *below = loop_of(file_block_device(f));
		struct file *next = NULL;
		uint64_t flags;

		if (below == lo) {
			error = -EBADF;
			break;
		}
		/* Its own lock may be held for as long as its file, a hung daemon's maybe, takes to be written. */
		flags = spin_lock_irq(&below->queue_lock);
		next = below->file;
		if (next)
			file_get(next);
		spin_unlock_irq(&below->queue_lock, flags);
		file_put_late(f);
		if (!next)
			return -EINVAL;
		f = next;
	}
	file_put_late(f);
	return error;
}

/*
 * `lo` has the file `f` now, instead of none, or of one of the same size, whose reference is the caller's. No chain
 * becomes longer between the look and the deed; that one may break meanwhile does no harm.
 */
static int
take_file(struct loop *lo, struct file *f)
{
	int error;

	assert_mutex_held(&lo->lock);
	mutex_lock(&chain_lock);
	error = check_file(lo, f);
	if (!error && lo->file && file_bytes(f) != file_bytes(lo->file))
		error = -EINVAL;
	if (!error) {
		file_get(f);
		set_file(lo, f);
	}
	mutex_unlock(&chain_lock);
	return error;
}

static int
check_block_size(uint64_t size)
{
	return size < BLOCK_SECTOR || size > PAGE_SIZE || (size & (size - 1)) ? -EINVAL : 0;
}

static int
take_status(struct loop *lo, const struct loop_status *s)
{
	if (s->offset > INT64_MAX || s->size_limit > INT64_MAX)
		return -EOVERFLOW;
	lo->offset = s->offset;
	lo->size_limit = s->size_limit;
	memcpy(lo->name, s->name, sizeof(lo->name));
	memcpy(lo->crypt_name, s->crypt_name, sizeof(lo->crypt_name));
	lo->name[LOOP_NAME - 1] = lo->crypt_name[LOOP_NAME - 1] = '\0';
	memcpy(lo->init, s->init, sizeof(lo->init));
	return 0;
}

static int
configure_locked(struct loop *lo, struct file *f, bool writable, uint32_t block, const struct loop_status *s)
{
	struct block_device *below;
	int error = 0;

	if (s->flags & ~CONFIGURE_FLAGS)
		return -EINVAL;
	if (block)
		error = check_block_size(block);
	if (!error)
		error = take_status(lo, s);
	if (error)
		return error;
	lo->flags = s->flags;
	if (!(f->mode & FILE_WRITE) || !writable || !f->ops->write)
		lo->flags |= LOOP_READ_ONLY;
	below = file_block_device(f);
	if (!block)
		block = (lo->flags & LOOP_DIRECT_IO) && below ? below->disk->limits.logical_block : BLOCK_SECTOR;
	block_disk_freeze(lo->disk);
	set_limits(lo, block);
	if (!may_be_direct(lo))
		lo->flags &= ~LOOP_DIRECT_IO;
	WRITE_ONCE(lo->disk->readonly, (lo->flags & LOOP_READ_ONLY) != 0);
	error = show(lo);
	if (!error)
		error = loop_start_worker(lo);
	if (error) {
		hide(lo);
		lo->flags = 0;
	} else {
		lo->state = LOOP_BOUND;
	}
	block_disk_thaw(lo->disk);
	return error;
}

/* The table is to be looked for from now on. d->lock is free. */
static void
scan(struct loop *lo)
{
	struct block_disk *d = lo->disk;
	int error;

	mutex_lock(&d->lock);
	d->no_partitions = false;
	mutex_unlock(&d->lock);
	error = block_scan_partitions(d);
	if (error)
		pr_warn("%s: partitions were not looked for: error %d\n", d->name, error);
}

int
loop_configure(struct block_device *b, struct file *self, struct file *f, uint32_t block, const struct loop_status *s)
{
	struct loop *lo = loop_of(b);
	bool partscan, claimed = b->holder == self;
	int error = claimed ? 0 : block_claim(b, lo);

	if (error)
		return error;
	mutex_lock(&lo->lock);
	error = lo->state != LOOP_UNBOUND ? -EBUSY : take_file(lo, f);
	if (!error) {
		error = configure_locked(lo, f, self->mode & FILE_WRITE, block, s);
		if (error) {
			set_file(lo, NULL);
			file_put_late(f); /* not the last: the caller has one */
		}
	}
	if (!error)
		block_disk_set_capacity(lo->disk, capacity(lo), true);
	partscan = !error && (lo->flags & LOOP_PARTSCAN);
	mutex_unlock(&lo->lock);
	if (partscan)
		scan(lo);
	if (!claimed)
		block_unclaim(b, lo);
	return error;
}

/* Nobody but, maybe, the caller has it open. d->lock and lo->lock are held. */
static void
unbind(struct loop *lo)
{
	struct block_disk *d = lo->disk;
	struct file *f = lo->file;

	block_sync_locked(d); /* what is dirty afterwards is gone with the file */
	block_disk_freeze(d);
	loop_stop_worker(lo);
	hide(lo);
	set_file(lo, NULL);
	lo->offset = lo->size_limit = 0;
	lo->flags = 0;
	memset(lo->name, 0, sizeof(lo->name));
	memset(lo->crypt_name, 0, sizeof(lo->crypt_name));
	lo->state = LOOP_UNBOUND;
	block_remove_partitions_locked(d);
	d->no_partitions = true;
	WRITE_ONCE(d->readonly, false);
	d->limits.logical_block = d->limits.physical_block = d->limits.io_min = BLOCK_SECTOR;
	d->limits.max_discard = d->limits.max_zero = 0;
	d->limits.write_cache = false;
	block_disk_set_capacity(d, 0, false);
	block_disk_thaw(d);
	file_put_late(f); /* it may be a disk, whose lock is of the class of ours */
}

int
loop_clear(struct block_device *b)
{
	struct loop *lo = loop_of(b);
	struct block_disk *d = lo->disk;
	int error = object_sync(d->whole->object, 0, UINT64_MAX);

	if (error)
		return error;
	mutex_lock(&d->lock);
	mutex_lock(&lo->lock);
	if (lo->state != LOOP_BOUND)
		error = -ENXIO;
	else if (d->openers > 1)
		lo->flags |= LOOP_AUTOCLEAR; /* when the others are done with it */
	else
		unbind(lo);
	mutex_unlock(&lo->lock);
	mutex_unlock(&d->lock);
	return error;
}

void
loop_closed(struct block_disk *d)
{
	struct loop *lo = d->private;

	mutex_lock(&lo->lock);
	if (lo->state == LOOP_BOUND && (lo->flags & LOOP_AUTOCLEAR))
		unbind(lo);
	mutex_unlock(&lo->lock);
}

int
loop_change_file(struct block_device *b, struct file *f)
{
	struct loop *lo = loop_of(b);
	struct file *old = NULL;
	bool partscan = false;
	int error = 0;

	mutex_lock(&lo->lock);
	if (lo->state != LOOP_BOUND)
		error = -ENXIO;
	else if (!(lo->flags & LOOP_READ_ONLY))
		error = -EINVAL;
	if (error)
		goto out;
	old = lo->file;
	block_disk_freeze(lo->disk);
	error = take_file(lo, f);
	if (!error) {
		hide(lo);
		set_limits(lo, lo->disk->limits.logical_block);
		if (!may_be_direct(lo))
			lo->flags &= ~LOOP_DIRECT_IO;
		show(lo); /* without memory it is not seen; it works all the same */
	}
	block_disk_thaw(lo->disk);
	if (!error) {
		object_invalidate(lo->disk->whole->object, 0, UINT64_MAX, true);
		partscan = lo->flags & LOOP_PARTSCAN;
	}
out:
	mutex_unlock(&lo->lock);
	if (!error)
		file_put_late(old);
	if (partscan)
		scan(lo);
	return error;
}

int
loop_set_status(struct block_device *b, const struct loop_status *s)
{
	struct loop *lo = loop_of(b);
	bool partscan = false, moves;
	uint32_t was;
	int error = 0;

	mutex_lock(&lo->lock);
	if (lo->state != LOOP_BOUND) {
		error = -ENXIO;
		goto out;
	}
	moves = lo->offset != s->offset || lo->size_limit != s->size_limit;
	if (moves) {
		error = object_sync(lo->disk->whole->object, 0, UINT64_MAX);
		if (error)
			goto out;
		object_invalidate(lo->disk->whole->object, 0, UINT64_MAX, true);
	}
	block_disk_freeze(lo->disk);
	was = lo->flags;
	error = take_status(lo, s);
	if (!error) {
		lo->flags = (s->flags & SETTABLE_FLAGS) | (was & ~CLEARABLE_FLAGS);
		if (moves)
			block_disk_set_capacity(lo->disk, capacity(lo), true);
		if (!may_be_direct(lo))
			lo->flags &= ~LOOP_DIRECT_IO;
		partscan = (lo->flags & LOOP_PARTSCAN) && !(was & LOOP_PARTSCAN);
	}
	block_disk_thaw(lo->disk);
out:
	mutex_unlock(&lo->lock);
	if (partscan)
		scan(lo);
	return error;
}

int
loop_get_status(struct block_device *b, struct loop_status *s)
{
	struct loop *lo = loop_of(b);
	struct file_stat st;
	int error;

	memset(s, 0, sizeof(*s));
	mutex_lock(&lo->lock);
	if (lo->state == LOOP_BOUND)
		error = vfs_stat(&(struct path){ lo->file->mount, lo->file->dentry }, &st);
	else
		error = -ENXIO;
	if (!error) {
		s->offset = lo->offset;
		s->size_limit = lo->size_limit;
		s->flags = lo->flags;
		s->number = (uint32_t)lo->number;
		s->backing_device = st.device;
		s->backing_inode = st.inode;
		s->rdev = st.rdev;
		memcpy(s->name, lo->name, sizeof(s->name));
		memcpy(s->crypt_name, lo->crypt_name, sizeof(s->crypt_name));
		memcpy(s->init, lo->init, sizeof(s->init));
	}
	mutex_unlock(&lo->lock);
	return error;
}

int
loop_set_capacity(struct block_device *b)
{
	struct loop *lo = loop_of(b);
	int error = 0;

	mutex_lock(&lo->lock);
	if (lo->state != LOOP_BOUND)
		error = -ENXIO;
	else
		block_disk_set_capacity(lo->disk, capacity(lo), false);
	mutex_unlock(&lo->lock);
	return error;
}

int
loop_set_direct_io(struct block_device *b, bool on)
{
	struct loop *lo = loop_of(b);
	int error = 0;

	mutex_lock(&lo->lock);
	if (lo->state != LOOP_BOUND)
		error = -ENXIO;
	else if (on != !!(lo->flags & LOOP_DIRECT_IO)) {
		if (on && !may_be_direct(lo)) {
			error = -EINVAL;
		} else {
			block_disk_freeze(lo->disk);
			lo->flags ^= LOOP_DIRECT_IO;
			block_disk_thaw(lo->disk);
		}
	}
	mutex_unlock(&lo->lock);
	return error;
}

int
loop_set_block_size(struct block_device *b, uint64_t size)
{
	struct loop *lo = loop_of(b);
	int error;

	mutex_lock(&lo->lock);
	error = lo->state != LOOP_BOUND ? -ENXIO : check_block_size(size);
	if (!error && size != lo->disk->limits.logical_block) {
		error = object_sync(lo->disk->whole->object, 0, UINT64_MAX);
		if (!error) {
			object_invalidate(lo->disk->whole->object, 0, UINT64_MAX, true);
			block_disk_freeze(lo->disk);
			set_limits(lo, (uint32_t)size);
			if (!may_be_direct(lo))
				lo->flags &= ~LOOP_DIRECT_IO;
			block_disk_thaw(lo->disk);
		}
	}
	mutex_unlock(&lo->lock);
	return error;
}
