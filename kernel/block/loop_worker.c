/* SPDX-License-Identifier: MIT */
/*
 * loop_worker.c - a loop device's thread, which does its requests by the operations of the backing file: see loop.h.
 */
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/iov.h>
#include <tessera/page.h>
#include <tessera/print.h>
#include <tessera/thread.h>

#include "loop.h"

#define FALLOC_KEEP_SIZE  1
#define FALLOC_PUNCH_HOLE 2
#define FALLOC_ZERO_RANGE 16

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

int
loop_start_worker(struct loop *lo)
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
void
loop_stop_worker(struct loop *lo)
{
	WRITE_ONCE(lo->stop, true);
	wake_all(&lo->work);
	wait_event(&lo->work, !READ_ONCE(lo->running));
}

void
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
