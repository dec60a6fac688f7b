/* SPDX-License-Identifier: MIT */
/*
 * evdev.c - /dev/input/eventN: each open file has a queue of events of its own.
 *
 *	tail ...may be read... packet ...not whole yet... head
 *
 * What is read is always of whole packets. A queue that runs over loses all but the newest event, before which it gets
 * SYN_DROPPED: who reads that asks the device for its state. All of a queue is under its device's lock; what is read is
 * taken out a few at a time, and given to the program without the lock.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/time.h>

#include "input.h"

#define PACKETS_QUEUED 8u  /* at least so many fit, of the largest kind */
#define QUEUE_MIN      64u
#define BATCH          8   /* events on the stack while they are copied */

/* --- the queue --------------------------------------------------------------------------------------- */

static uint32_t
next(const struct evdev_client *c, uint32_t at)
{
	return (at + 1) & (c->size - 1);
}

static void
add(struct evdev_client *c, const struct evdev_item *item)
{
	c->items[c->head] = *item;
	c->head = next(c, c->head);
	if (likely(c->head != c->tail))
		return;
	c->tail = (c->head - 2) & (c->size - 1);
	c->items[c->tail] = (struct evdev_item){ item->ns, { EV_SYN, SYN_DROPPED, 0 } };
	c->packet = c->tail;
	c->device->drops++;
}

void
evdev_dropped(struct evdev_client *c)
{
	uint64_t ns = c->clock == INPUT_REALTIME ? clock_realtime_ns() : clock_monotonic_ns();

	c->items[c->head] = (struct evdev_item){ ns, { EV_SYN, SYN_DROPPED, 0 } };
	c->head = next(c, c->head);
	if (c->head == c->tail)
		c->tail = c->packet = (c->head - 1) & (c->size - 1);
}

void
evdev_restart(struct evdev_client *c)
{
	if (c->head == c->tail)
		return;
	c->packet = c->head = c->tail;
	evdev_dropped(c);
}

void
evdev_forget_type(struct evdev_client *c, uint16_t type)
{
	uint32_t to = c->tail, kept = 1; /* a report at the front stays: its packet was read in part */

	c->packet = c->tail;
	for (uint32_t i = c->tail; i != c->head; i = next(c, i)) {
		struct input_value *v = &c->items[i].v;
		bool report = v->type == EV_SYN && v->code == SYN_REPORT;

		if (v->type == type || (report && !kept))
			continue;
		c->items[to] = c->items[i];
		to = next(c, to);
		kept++;
		if (report) {
			kept = 0;
			c->packet = to;
		}
	}
	c->head = to;
}

static bool
is_wanted(const struct evdev_client *c, const struct input_value *v)
{
	uint32_t count = input_code_count(v->type);

	if (v->type == EV_SYN || v->type >= EV_COUNT)
		return true;
	if (c->masks[EV_SYN] && !bit_is_set(c->masks[EV_SYN], v->type))
		return false;
	return v->code >= count || !c->masks[v->type] || bit_is_set(c->masks[v->type], v->code);
}

void
evdev_pass(struct evdev_client *c, const struct input_value *v, uint32_t n, const struct input_time *now)
{
	bool whole = false;

	if (c->revoked)
		return;
	for (uint32_t i = 0; i < n; i++) {
		struct evdev_item item = { now->ns[c->clock], v[i] };
		bool report = v[i].type == EV_SYN && v[i].code == SYN_REPORT;

		if (!is_wanted(c, &v[i]) || (report && c->packet == c->head)) /* a packet of nothing */
			continue;
		add(c, &item);
		if (report) {
			c->packet = c->head;
			whole = true;
		}
	}
	if (!whole)
		return;
	c->tell = c->device->tell = true;
	wake_poll(&c->wait, POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
}

/* --- the file ---------------------------------------------------------------------------------------- */

static uint32_t
queue_size(const struct input_device *d)
{
	uint32_t wanted = MAX((d->packet_max - 2) * PACKETS_QUEUED, QUEUE_MIN), size = QUEUE_MIN;

	while (size < wanted)
		size *= 2;
	return size;
}

static void
client_free(struct evdev_client *c)
{
	for (size_t i = 0; i < EV_COUNT; i++)
		kfree(c->masks[i]);
	kvfree(c->items);
	kfree(c);
}

int
evdev_open(struct inode *i, struct file *f)
{
	struct input_device *d = input_device_find(DEV_MINOR(i->rdev), false);
	struct evdev_client *c = d ? kzalloc(sizeof(*c)) : NULL;
	int error = d ? -ENOMEM : -ENODEV;

	if (!c)
		goto put_device;
	c->device = d;
	c->size = queue_size(d);
	wait_queue_init(&c->wait);
	async_list_init(&c->async);
	c->items = kvmalloc(c->size * sizeof(c->items[0]));
	if (!c->items)
		goto free_client;
	error = -ENODEV;
	mutex_lock(&d->clients_lock);
	spin_lock(&d->lock);
	if (d->exists) {
		list_add_tail(&d->clients, &c->node);
		error = 0;
	}
	spin_unlock(&d->lock);
	mutex_unlock(&d->clients_lock);
	if (error)
		goto free_client;
	f->private = c;
	return 0;
free_client:
	client_free(c);
put_device:
	if (d)
		input_device_put(d);
	return error;
}

void
evdev_revoke(struct evdev_client *c)
{
	struct input_device *d = c->device;

	spin_lock(&d->lock);
	c->revoked = true;
	if (d->grab == c)
		d->grab = NULL;
	spin_unlock(&d->lock);
	effects_flush(d, c);
	wake_poll(&c->wait, POLLHUP | POLLERR);
}

static void
evdev_release(struct file *f)
{
	struct evdev_client *c = f->private;
	struct input_device *d;

	if (!c) /* it was not opened */
		return;
	d = c->device;
	evdev_revoke(c);
	mutex_lock(&d->clients_lock);
	spin_lock(&d->lock);
	list_del(&c->node);
	spin_unlock(&d->lock);
	mutex_unlock(&d->clients_lock);
	client_free(c);
	input_device_put(d);
}

static bool
is_over(const struct evdev_client *c)
{
	return !READ_ONCE(c->device->exists) || READ_ONCE(c->revoked);
}

static bool
is_readable(const struct evdev_client *c)
{
	return READ_ONCE(c->packet) != READ_ONCE(c->tail);
}

/* Take up to `max` events out. */
static uint32_t
take(struct evdev_client *c, struct linux_input_event *out, uint32_t max)
{
	uint32_t n = 0;

	spin_lock(&c->device->lock);
	for (; n < max && c->tail != c->packet; c->tail = next(c, c->tail)) {
		const struct evdev_item *item = &c->items[c->tail];

		out[n++] = (struct linux_input_event){
			.seconds = (int64_t)(item->ns / NSEC_PER_SEC),
			.microseconds = (int64_t)(item->ns % NSEC_PER_SEC / NSEC_PER_USEC),
			.type = item->v.type,
			.code = item->v.code,
			.value = item->v.value,
		};
	}
	spin_unlock(&c->device->lock);
	return n;
}

/* What is there, as much as fits: bytes, or -EFAULT. */
static ssize_t
move(struct evdev_client *c, struct iov_iter *to)
{
	struct linux_input_event batch[BATCH];
	ssize_t done = 0;
	uint32_t n;

	do {
		n = take(c, batch, (uint32_t)MIN(to->count / sizeof(batch[0]), (size_t)BATCH));
		if (iov_copy_to(to, batch, n * sizeof(batch[0])) < n * sizeof(batch[0]))
			return -EFAULT;
		done += (ssize_t)(n * sizeof(batch[0]));
	} while (n == BATCH);
	return done;
}

static ssize_t
evdev_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct evdev_client *c = f->private;
	ssize_t n;

	if (to->count && to->count < sizeof(struct linux_input_event))
		return -EINVAL;
	for (;;) {
		if (is_over(c))
			return -ENODEV;
		if (!is_readable(c) && file_may_not_wait(f, rw_flags))
			return -EAGAIN;
		if (!to->count)
			return 0;
		n = move(c, to);
		if (n)
			return n;
		if (!file_may_not_wait(f, rw_flags) &&
		    wait_event_interruptible(&c->wait, is_readable(c) || is_over(c)))
			return -ERESTARTSYS;
	}
}

/* LEDs, sounds, how keys repeat, effects: and whatever else the device knows. */
static ssize_t
evdev_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	struct evdev_client *c = f->private;
	struct linux_input_event e;
	ssize_t done = 0;

	if (from->count && from->count < sizeof(e))
		return -EINVAL;
	if (is_over(c))
		return -ENODEV;
	while (from->count >= sizeof(e)) {
		if (iov_copy_from(&e, from, sizeof(e)) < sizeof(e))
			return -EFAULT;
		if (!is_over(c))
			input_event(c->device, e.type, e.code, e.value);
		done += (ssize_t)sizeof(e);
	}
	return done;
}

static uint32_t
evdev_poll(struct file *f, struct poll_table *pt)
{
	struct evdev_client *c = f->private;
	uint32_t events;

	poll_wait(pt, f, &c->wait);
	events = is_over(c) ? POLLHUP | POLLERR : POLLOUT | POLLWRNORM;
	return events | (is_readable(c) ? POLLIN | POLLRDNORM : 0);
}

static struct async_list *
evdev_async(struct file *f)
{
	struct evdev_client *c = f->private;

	return &c->async;
}

static void
evdev_dump(struct file *f)
{
	struct evdev_client *c = f->private;

	pr_info("  %s: queue of %u, %u to read, %u not whole%s%s\n", c->device->event_node.name, c->size,
		(c->packet - c->tail) & (c->size - 1), (c->head - c->packet) & (c->size - 1),
		c->revoked ? ", revoked" : "", c->device->grab == c ? ", has grabbed it" : "");
}

const struct file_ops evdev_ops = {
	.name = "evdev",
	.no_splice_read = true,
	.no_splice_write = true,
	.read = evdev_read,
	.write = evdev_write,
	.poll = evdev_poll,
	.ioctl = evdev_ioctl,
	.async = evdev_async,
	.release = evdev_release,
	.dump = evdev_dump,
};
