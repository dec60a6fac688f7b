/* SPDX-License-Identifier: MIT */
/*
 * loop.c - loop devices: a file, or a part of it, as a disk.
 *
 *	           configure                 clear, autoclear
 *	UNBOUND ----------------> BOUND ----------------------> UNBOUND
 *	   |  remove
 *	   v
 *	DELETING: the disk is no more
 *
 * A bound device has a worker, a kernel thread that does its requests one after the other with the backing file's
 * own operations: what file_ops can read and write can be a disk. A request's memory lies in the direct map,
 * so each segment is one kernel buffer.
 *
 * Locks: loops_lock (LOOP_TABLE): which there are; then disk->lock; then loop->lock (LOOP): the binding; then
 * chain_lock (LOOP_CHAIN): that they form no ring. Who changes the binding freezes the disk, which may take as long as
 * the file's daemon likes: never with loops_lock or chain_lock held. The worker reads it while it has a request, and
 * takes none of the four.
 */
#include <tessera/backing.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/iov.h>
#include <tessera/print.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/sysfs.h>
#include <tessera/thread.h>

#include "block.h"

#define LOOP_MAJOR 7u
#define LOOP_MAX   (1 << 20)

#define CONFIGURE_FLAGS (LOOP_READ_ONLY | LOOP_AUTOCLEAR | LOOP_PARTSCAN | LOOP_DIRECT_IO)
#define SETTABLE_FLAGS  (LOOP_AUTOCLEAR | LOOP_PARTSCAN)
#define CLEARABLE_FLAGS LOOP_AUTOCLEAR

#define FALLOC_KEEP_SIZE  1
#define FALLOC_PUNCH_HOLE 2
#define FALLOC_ZERO_RANGE 16

enum loop_state { LOOP_UNBOUND, LOOP_BOUND, LOOP_DELETING };

/* [I]  [l] lock; changed only while the disk is frozen, so the worker reads it too  [q] queue_lock  [T] loops_lock */
struct loop {
	struct block_disk *disk;     /* [I] */
	int number;                  /* [I] */
	struct list node;            /* [T] */
	struct mutex lock;           /* class LOOP */
	enum loop_state state;       /* [l] */
	struct file *file;           /* [l] a reference; NULL: unbound. Changed with queue_lock (and chain_lock) held, too */
	uint64_t offset, size_limit; /* [l] bytes */
	uint32_t flags;              /* [l] LOOP_* */
	char name[LOOP_NAME], crypt_name[LOOP_NAME]; /* [l] what programs call it */
	uint64_t init[2];            /* [l] */
	char *path;                  /* [l] of the file when it was bound */
	struct sysfs_node *node_dir; /* [l] the folder "loop" */
	struct spinlock queue_lock;  /* class LEAF */
	struct list queue;           /* [q] struct block_io.node */
	struct wait_queue work;      /* the worker waits here, and who waits for its end */
	bool stop;                   /* [q] */
	bool running;                /* [q] there is a worker */
};

static struct mutex loops_lock = MUTEX_INIT(loops_lock, LOOP_TABLE);
static struct mutex chain_lock = MUTEX_INIT(chain_lock, LOOP_CHAIN);
static struct list loops = LIST_INIT(loops); /* loops_lock: by number */

static struct loop *
loop_of(const struct block_device *b)
{
	return b->disk->private;
}

/* --- the worker ------------------------------------------------------------------------------------- */

static int
move_segment(struct loop *lo, const struct block_segment *s, uint64_t pos, bool write)
{
	char *at = (char *)page_to_virt(s->page) + s->offset;
	struct block_device *direct = lo->flags & LOOP_DIRECT_IO ? file_block_device(lo->file) : NULL;
	struct iov_iter it;
	loff_t where = (loff_t)pos;

	iov_iter_kernel(&it, at, s->length);
	while (it.count > 0) {
		ssize_t n;

		if (direct)
			n = block_direct(direct, &it, (uint64_t)where, write, false);
		else if (write)
			n = lo->file->ops->write(lo->file, &it, &where, 0);
		else
			n = lo->file->ops->read(lo->file, &it, &where, 0);
		if (n < 0)
			return n == -ENOSPC || n == -EIO ? (int)n : -EIO;
		if (n == 0) {
			if (write)
				return -EIO;
			iov_zero(&it, it.count); /* the file has become shorter */
		}
		if (direct)
			where += n;
	}
	return 0;
}

static int
allocate(struct loop *lo, const struct block_io *io, int mode)
{
	struct file *f = lo->file;
	int error;

	if (!f->ops->fallocate)
		return -EOPNOTSUPP;
	error = f->ops->fallocate(f, mode | FALLOC_KEEP_SIZE, (loff_t)(lo->offset + io->offset), (loff_t)io->length);
	return error == 0 || error == -EINVAL || error == -EOPNOTSUPP ? (error ? -EOPNOTSUPP : 0) : -EIO;
}

static int
perform(struct loop *lo, struct block_io *io)
{
	uint64_t pos = lo->offset + io->offset;
	int error = 0;

	switch (io->doing) {
	case BLOCK_FLUSH:
		return lo->file->ops->sync && lo->file->ops->sync(lo->file, false) ? -EIO : 0;
	case BLOCK_DISCARD:
		return allocate(lo, io, FALLOC_PUNCH_HOLE);
	case BLOCK_ZERO:
		return allocate(lo, io, io->flags & BLOCK_NOUNMAP ? FALLOC_ZERO_RANGE : FALLOC_PUNCH_HOLE);
	default:
		break;
	}
	for (; io && !error; io = io->next)
		for (uint32_t i = 0; i < io->count && !error; i++) {
			error = move_segment(lo, &io->segments[i], pos, io->op == BLOCK_WRITE);
			pos += io->segments[i].length;
		}
	return error;
}

static struct block_io *
take(struct loop *lo)
{
	uint64_t flags = spin_lock_irq(&lo->queue_lock);
	struct block_io *io = list_is_empty(&lo->queue) ? NULL : list_first(&lo->queue, struct block_io, node);

	if (io)
		list_del(&io->node);
	spin_unlock_irq(&lo->queue_lock, flags);
	return io;
}

static void
worker(void *arg)
{
	struct loop *lo = arg;
	struct block_disk *d = lo->disk;
	uint64_t flags;

	for (;;) {
		struct block_io *io;

		wait_event(&lo->work, !list_is_empty(&lo->queue) || READ_ONCE(lo->stop));
		io = take(lo);
		if (io)
			block_complete(io, perform(lo, io));
		else if (READ_ONCE(lo->stop))
			break;
	}
	flags = spin_lock_irq(&lo->queue_lock);
	lo->running = false;
	spin_unlock_irq(&lo->queue_lock, flags);
	wake_all(&lo->work);
	block_disk_put(d);
	thread_exit();
}

static int
start_worker(struct loop *lo)
{
	char name[16];
	struct thread *t;

	snprintf(name, sizeof(name), "loop%d", lo->number);
	lo->stop = false;
	t = thread_create_kernel(name, worker, lo);
	if (!t)
		return -ENOMEM;
	block_disk_get(lo->disk);
	lo->running = true;
	thread_start(t);
	return 0;
}

/* The disk is frozen: nothing is queued. */
static void
stop_worker(struct loop *lo)
{
	WRITE_ONCE(lo->stop, true);
	wake_all(&lo->work);
	wait_event(&lo->work, !READ_ONCE(lo->running));
}

static void
loop_submit(struct block_disk *d, struct block_io *io)
{
	struct loop *lo = d->private;
	uint64_t flags = spin_lock_irq(&lo->queue_lock);
	bool takes = lo->running && !lo->stop;

	if (takes)
		list_add_tail(&lo->queue, &io->node);
	spin_unlock_irq(&lo->queue_lock, flags);
	if (takes)
		wake_all(&lo->work);
	else
		block_complete(io, -EIO);
}

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
		error = start_worker(lo);
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
	stop_worker(lo);
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

static void
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

/* --- which there are ------------------------------------------------------------------------------------ */

static int
loop_open(struct block_disk *d, uint32_t flags)
{
	struct loop *lo = d->private;

	return READ_ONCE(lo->state) == LOOP_DELETING ? -ENXIO : 0;
}

static void
loop_release(struct block_disk *d)
{
	kfree(d->private);
}

static void
loop_dump(struct block_disk *d)
{
	struct loop *lo = d->private;

	pr_info("  loop: state %u file %s offset %lu limit %lu flags %#x%s\n", lo->state, lo->path ? lo->path : "-",
		lo->offset, lo->size_limit, lo->flags, lo->running ? " worker" : "");
}

static const struct block_disk_ops loop_ops = {
	.name = "loop",
	.submit = loop_submit,
	.open = loop_open,
	.closed = loop_closed,
	.release = loop_release,
	.dump = loop_dump,
};

static struct loop *
find_locked(int number)
{
	struct loop *lo;

	list_for_each(lo, &loops, node)
		if (lo->number == number)
			return lo;
	return NULL;
}

static int
add_locked(int number)
{
	struct loop *lo, *after;
	struct list *place = &loops;
	struct block_disk *d;
	int error;

	if (number < 0)
		for (number = 0; find_locked(number); number++)
			;
	else if (find_locked(number))
		return -EEXIST;
	if (number >= LOOP_MAX)
		return -ENOSPC;
	lo = kzalloc(sizeof(*lo));
	d = lo ? block_disk_create(&loop_ops, lo) : NULL;
	if (!d) {
		kfree(lo);
		return -ENOMEM;
	}
	lo->disk = d;
	lo->number = number;
	mutex_init(&lo->lock, LOCK_LOOP);
	spin_init(&lo->queue_lock, LOCK_LEAF);
	list_init(&lo->queue);
	wait_queue_init(&lo->work);
	snprintf(d->name, sizeof(d->name), "loop%d", number);
	d->major = LOOP_MAJOR;
	d->first_minor = (uint32_t)number;
	d->no_partitions = true;
	error = block_disk_add(d, 0);
	if (error) {
		block_disk_put(d);
		return error;
	}
	list_for_each(after, &loops, node)
		if (after->number > number) {
			place = &after->node;
			break;
		}
	list_add_tail(place, &lo->node);
	return number;
}

int
loop_add(int number)
{
	mutex_lock(&loops_lock);
	number = add_locked(number);
	mutex_unlock(&loops_lock);
	return number;
}

int
loop_get_free(void)
{
	struct loop *lo;
	int number = -1;

	mutex_lock(&loops_lock);
	list_for_each(lo, &loops, node)
		if (READ_ONCE(lo->state) == LOOP_UNBOUND) {
			number = lo->number;
			break;
		}
	if (number < 0)
		number = add_locked(-1);
	mutex_unlock(&loops_lock);
	return number;
}

int
loop_remove(int number)
{
	struct loop *lo;
	int error = 0;

	if (number < 0)
		return -EINVAL;
	mutex_lock(&loops_lock);
	lo = find_locked(number);
	if (!lo) {
		mutex_unlock(&loops_lock);
		return -ENODEV;
	}
	mutex_lock(&lo->disk->lock);
	mutex_lock(&lo->lock);
	if (lo->state != LOOP_UNBOUND || lo->disk->openers)
		error = -EBUSY;
	else
		WRITE_ONCE(lo->state, LOOP_DELETING);
	mutex_unlock(&lo->lock);
	mutex_unlock(&lo->disk->lock);
	if (!error) {
		list_del(&lo->node);
		block_disk_remove(lo->disk);
		block_disk_put(lo->disk);
	}
	mutex_unlock(&loops_lock);
	return error;
}

bool
loop_probe(dev_t dev)
{
	return DEV_MAJOR(dev) == LOOP_MAJOR && DEV_MINOR(dev) < LOOP_MAX && loop_add((int)DEV_MINOR(dev)) >= 0;
}

static const struct file_ops loop_control_ops = {
	.name = "loop-control",
};

bool
file_is_loop_control(const struct file *f)
{
	return f->ops == &loop_control_ops;
}

void
loop_init(void)
{
	if (chrdev_register("loop-control", DEV(10, 237), 0600, &loop_control_ops, NULL))
		pr_warn("loop: no memory for /dev/loop-control\n");
}
