/* SPDX-License-Identifier: MIT */
/*
 * eventfd.c - eventfd(2): a 64-bit counter that can be waited for.
 *
 * The counter has a lock of its own; sleepers are woken after it is dropped.
 */
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/inode.h>
#include <tessera/panic.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/thread.h>

#define VALUE_MAX (UINT64_MAX - 1)

struct eventfd {
	struct spinlock lock;          /* class LEAF */
	uint64_t value;                /* lock */
	bool semaphore;                /* [I] */
	struct wait_queue read_wait, write_wait;
};

static struct eventfd *
eventfd_of(struct file *f)
{
	return f->private;
}

/* Take what read(2) returns; false: the counter is zero. */
static bool
take(struct eventfd *e, uint64_t *out)
{
	uint64_t flags = spin_lock_irq(&e->lock);
	bool ready = e->value > 0;

	if (ready) {
		*out = e->semaphore ? 1 : e->value;
		e->value -= *out;
	}
	spin_unlock_irq(&e->lock, flags);
	return ready;
}

static bool
add(struct eventfd *e, uint64_t n)
{
	uint64_t flags = spin_lock_irq(&e->lock);
	bool fits = n <= VALUE_MAX - e->value;

	if (fits)
		e->value += n;
	spin_unlock_irq(&e->lock, flags);
	return fits;
}

static ssize_t
eventfd_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct eventfd *e = eventfd_of(f);
	uint64_t n = 0;

	if (to->count < sizeof(n))
		return -EINVAL;
	if (!take(e, &n)) {
		if (file_may_not_wait(f, rw_flags))
			return -EAGAIN;
		if (wait_event_interruptible(&e->read_wait, take(e, &n)))
			return -ERESTARTSYS;
	}
	wake_poll(&e->write_wait, POLLOUT | POLLWRNORM);
	return iov_copy_to(to, &n, sizeof(n)) == sizeof(n) ? (ssize_t)sizeof(n) : -EFAULT;
}

static ssize_t
eventfd_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	struct eventfd *e = eventfd_of(f);
	uint64_t n;

	if (from->count < sizeof(n))
		return -EINVAL;
	if (iov_copy_from(&n, from, sizeof(n)) != sizeof(n))
		return -EFAULT;
	if (n == UINT64_MAX)
		return -EINVAL;
	if (!add(e, n)) {
		if (file_may_not_wait(f, rw_flags))
			return -EAGAIN;
		if (wait_event_interruptible(&e->write_wait, add(e, n)))
			return -ERESTARTSYS;
	}
	wake_poll(&e->read_wait, POLLIN | POLLRDNORM);
	return sizeof(n);
}

static uint32_t
eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = eventfd_of(f);
	uint64_t value;

	poll_wait(pt, f, &e->read_wait);
	poll_wait(pt, f, &e->write_wait);
	value = READ_ONCE(e->value);
	return (value > 0 ? POLLIN | POLLRDNORM : 0) | (value < VALUE_MAX ? POLLOUT | POLLWRNORM : 0);
}

static void
eventfd_release(struct file *f)
{
	kfree(f->private);
}

static void
eventfd_dump(struct file *f)
{
	pr_info("eventfd: %lu%s", eventfd_of(f)->value, eventfd_of(f)->semaphore ? " (semaphore)" : "");
}

static void
eventfd_fdinfo(struct file *f, void (*print)(void *ctx, const char *fmt, ...), void *ctx)
{
	print(ctx, "eventfd-count: %16lx\n", eventfd_of(f)->value);
}

static const struct file_ops eventfd_ops = {
	.name = "eventfd",
	.no_splice_read = true,
	.no_splice_write = true,
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.release = eventfd_release,
	.dump = eventfd_dump,
	.fdinfo = eventfd_fdinfo,
};

bool
file_is_eventfd(const struct file *f)
{
	return f->ops == &eventfd_ops;
}

void
eventfd_signal(struct file *f, uint64_t n)
{
	struct eventfd *e = eventfd_of(f);

	if (add(e, n))
		wake_poll(&e->read_wait, POLLIN | POLLRDNORM);
}

bool
eventfd_take(struct file *f, uint64_t *n)
{
	struct eventfd *e = eventfd_of(f);

	if (!take(e, n))
		return false;
	wake_poll(&e->write_wait, POLLOUT | POLLWRNORM);
	return true;
}

void
eventfd_drain(struct file *f)
{
	uint64_t n;

	(void)take(eventfd_of(f), &n);
}

struct wait_queue *
eventfd_queue(struct file *f)
{
	return &eventfd_of(f)->read_wait;
}

struct file *
eventfd_create_file(uint64_t value, bool semaphore, uint32_t flags)
{
	struct eventfd *e = kzalloc(sizeof(*e));
	struct file *f;

	if (!e)
		return NULL;
	spin_init(&e->lock, LOCK_LEAF);
	e->value = value;
	e->semaphore = semaphore;
	wait_queue_init(&e->read_wait);
	wait_queue_init(&e->write_wait);
	f = anonymous_file_create(&eventfd_ops, O_RDWR | flags, e);
	if (!f)
		kfree(e);
	else
		f->mode |= FILE_STREAM;
	return f;
}
