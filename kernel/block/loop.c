/* SPDX-License-Identifier: MIT */
/*
 * loop.c - which loop devices there are: made when they are asked for, removed, found. See loop.h.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/print.h>
#include <tessera/slab.h>

#include "loop.h"

#define LOOP_MAX (1 << 20)

static struct mutex loops_lock = MUTEX_INIT(loops_lock, LOOP_TABLE);
static struct list loops = LIST_INIT(loops); /* loops_lock: by number */

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
