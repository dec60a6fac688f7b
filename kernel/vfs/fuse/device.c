/* SPDX-License-Identifier: MIT */
/*
 * device.c - /dev/fuse as a daemon sees it: a read takes one message, a write gives one answer or notice.
 *
 * A read takes, in this order, an INTERRUPT, then by turns FORGETs (many in one message) and requests. A request stays
 * with the device that read it, and only there its answer counts. More readers at once take more requests; a clone
 * (FUSE_DEV_IOC_CLONE) is another device on the same connection.
 *
 * What a daemon writes is believed in nothing: an answer of the wrong length, to no request or to one that is answered
 * already is EINVAL or ENOENT to it, and EIO to who waited for it.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/thread.h>
#include <tessera/uaccess.h>

#include "fuse.h"

#define FORGETS_IN_TURN 16 /* after so many messages of them requests have their turn, for as long */

struct fuse_device *
fuse_device_create(void)
{
	struct fuse_device *d = kzalloc(sizeof(*d));

	if (d) {
		list_init(&d->node);
		list_init(&d->sent);
	}
	return d;
}

struct fuse_device *
fuse_device_of(struct file *f)
{
	return f->ops == &fuse_device_ops ? f->private : NULL;
}

static int
device_open(struct inode *i, struct file *f)
{
	f->private = fuse_device_create();
	return f->private ? 0 : -ENOMEM;
}

/* What the file leads to. NULL: not mounted yet. */
static struct fuse_connection *
connection_of(struct file *f)
{
	struct fuse_device *d = f->private;

	return atomic_load(&d->conn);
}

/* --- reading ------------------------------------------------------------------------------------------ */

static bool
has_input(const struct fuse_connection *c)
{
	return !READ_ONCE(c->connected) || !list_is_empty(&c->pending) || !list_is_empty(&c->interrupts) ||
	       READ_ONCE(c->forgets);
}

/* Wait for input. One reader wakes for one message. */
static int
wait_input(struct fuse_connection *c)
{
	struct waiter w;
	int error = 0;

	waiter_init(&w, current_thread());
	w.exclusive = true;
	waiter_add(&c->input, &w);
	for (;;) {
		wait_prepare(WAIT_INTERRUPTIBLE);
		if (has_input(c))
			break;
		error = wait_sleep_exclusive(&w, WAIT_INTERRUPTIBLE, DEADLINE_NEVER);
		if (error)
			break;
	}
	wait_finish();
	waiter_remove(&w);
	return error ? -ERESTARTSYS : 0;
}

static ssize_t
put_message(struct iov_iter *to, const struct fuse_in_header *head, const void *body, size_t n)
{
	if (iov_copy_to(to, head, sizeof(*head)) != sizeof(*head) || iov_copy_to(to, body, n) != n)
		return -EFAULT;
	return head->length;
}

/* conn->lock is held on entry, free on return. */
static ssize_t
read_interrupt(struct fuse_connection *c, struct iov_iter *to)
{
	struct fuse_request *r = list_first(&c->interrupts, struct fuse_request, interrupt_node);
	struct fuse_interrupt_in in = { .unique = r->head.unique };
	struct fuse_in_header head = {
		.length = sizeof(head) + sizeof(in),
		.opcode = FUSE_INTERRUPT,
		.unique = r->head.unique | 1,
	};

	list_del_init(&r->interrupt_node);
	spin_unlock(&c->lock);
	return put_message(to, &head, &in, sizeof(in));
}

/* One FORGET; its memory goes. conn->lock as above. */
static ssize_t
read_forget(struct fuse_connection *c, struct iov_iter *to)
{
	struct fuse_forget *f = c->forgets;
	struct fuse_forget_in in = { .count = f->count };
	struct fuse_in_header head = {
		.length = sizeof(head) + sizeof(in),
		.opcode = FUSE_FORGET,
		.node = f->node,
	};

	c->forgets = f->next;
	if (!c->forgets)
		c->forgets_end = &c->forgets;
	c->unique += 2;
	head.unique = c->unique;
	spin_unlock(&c->lock);
	kfree(f);
	return put_message(to, &head, &in, sizeof(in));
}

/* As many as the buffer has room for, in one message. */
static ssize_t
read_forgets(struct fuse_connection *c, struct iov_iter *to)
{
	size_t room = (to->count - sizeof(struct fuse_in_header) - sizeof(struct fuse_batch_forget_in)) /
		      sizeof(struct fuse_forget_one);
	struct fuse_batch_forget_in in = { 0 };
	struct fuse_forget *first = c->forgets, *f = first, **end = &c->forgets;
	struct fuse_in_header head = { .opcode = FUSE_BATCH_FORGET };
	ssize_t n;

	for (; *end && in.count < room; end = &(*end)->next)
		in.count++;
	c->forgets = *end;
	*end = NULL;
	if (!c->forgets)
		c->forgets_end = &c->forgets;
	c->unique += 2;
	head.unique = c->unique;
	spin_unlock(&c->lock);
	head.length = (uint32_t)(sizeof(head) + sizeof(in) + in.count * sizeof(struct fuse_forget_one));
	n = put_message(to, &head, &in, sizeof(in));
	while (f) {
		struct fuse_forget_one one = { f->node, f->count };
		struct fuse_forget *next = f->next;

		if (n > 0 && iov_copy_to(to, &one, sizeof(one)) != sizeof(one))
			n = -EFAULT;
		kfree(f);
		f = next;
	}
	return n;
}

static bool
put_pages(struct iov_iter *to, const struct fuse_pages *p)
{
	size_t left = p->size, at = p->offset;

	for (uint32_t i = 0; left > 0; i++, at = 0) {
		size_t n = MIN(left, PAGE_SIZE - at);

		if (iov_copy_to(to, (const char *)page_to_virt(p->page[i]) + at, n) != n)
			return false;
		left -= n;
	}
	return true;
}

/* `r` is sent and has a reference of ours: its bytes. */
static ssize_t
put_request(struct iov_iter *to, const struct fuse_request *r)
{
	ssize_t n = put_message(to, &r->head, r->args, r->args_size);

	if (n > 0 && r->data_size && iov_copy_to(to, r->data, r->data_size) != r->data_size)
		n = -EFAULT;
	if (n > 0 && r->pages.size && !r->pages_out && !put_pages(to, &r->pages))
		n = -EFAULT;
	return n;
}

/* What came meanwhile: a signal to its caller. */
static void
read_done(struct fuse_request *r)
{
	struct fuse_connection *c = r->conn;
	bool interrupted;

	spin_lock(&c->lock);
	r->was_read = true;
	interrupted = r->interrupted;
	if (interrupted)
		fuse_interrupt_locked(r);
	spin_unlock(&c->lock);
	if (interrupted)
		wake_queue(&c->input, POLLIN | POLLRDNORM, 1);
}

/* The first request. 0: it did not fit, look again. conn->lock as above. */
static ssize_t
read_request(struct fuse_connection *c, struct fuse_device *d, struct iov_iter *to)
{
	struct fuse_request *r = list_first(&c->pending, struct fuse_request, node);
	bool fits = r->head.length <= to->count;
	ssize_t n;

	ref_get(&r->refs);
	list_del(&r->node);
	r->state = FUSE_SENT;
	r->device = d;
	list_add_tail(&d->sent, &r->node);
	spin_unlock(&c->lock);
	n = fits ? put_request(to, r) : 0;
	if (n < 0)
		fuse_request_finish(r, -EIO);
	else if (!fits)
		fuse_request_finish(r, r->head.opcode == FUSE_SETXATTR ? -E2BIG : -EIO);
	else if (r->no_answer)
		fuse_request_finish(r, 0);
	else
		read_done(r);
	fuse_request_put(r);
	return n;
}

static bool
forgets_turn_locked(struct fuse_connection *c)
{
	if (!c->forgets)
		return false;
	if (list_is_empty(&c->pending) || c->forget_turn-- > 0)
		return true;
	if (c->forget_turn <= -FORGETS_IN_TURN / 2)
		c->forget_turn = FORGETS_IN_TURN;
	return false;
}

/* One message, if there is one: 0 there is none. */
static ssize_t
read_one(struct fuse_connection *c, struct fuse_device *d, struct iov_iter *to)
{
	spin_lock(&c->lock);
	if (!c->connected) {
		spin_unlock(&c->lock);
		return c->aborted && fuse_has(c, FUSE_ABORT_ERROR) ? -ECONNABORTED : -ENODEV;
	}
	if (!list_is_empty(&c->interrupts))
		return read_interrupt(c, to);
	if (forgets_turn_locked(c))
		return c->minor >= 16 && c->forgets->next ? read_forgets(c, to) : read_forget(c, to);
	if (!list_is_empty(&c->pending))
		return read_request(c, d, to);
	spin_unlock(&c->lock);
	return 0;
}

ssize_t
fuse_device_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct fuse_connection *c = connection_of(f);
	size_t least;

	if (!c)
		return -EPERM;
	least = sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in) + c->max_write;
	if (to->count < MAX(least, (size_t)FUSE_MIN_READ))
		return -EINVAL;
	for (;;) {
		ssize_t n = read_one(c, f->private, to);
		int error;

		if (n)
			return n;
		if (has_input(c))
			continue;
		if (file_may_not_wait(f, rw_flags))
			return -EAGAIN;
		error = wait_input(c);
		if (error)
			return error;
	}
}

/* --- writing ------------------------------------------------------------------------------------------ */

static bool
take_pages(struct iov_iter *from, const struct fuse_pages *p, size_t n)
{
	size_t at = p->offset;

	for (uint32_t i = 0; n > 0; i++, at = 0) {
		size_t part = MIN(n, PAGE_SIZE - at);

		if (iov_copy_from((char *)page_to_virt(p->page[i]) + at, from, part) != part)
			return false;
		n -= part;
	}
	return true;
}

/* The answer's bytes behind its head: 0, -EINVAL, -EFAULT. */
static int
take_answer(struct fuse_request *r, struct iov_iter *from)
{
	size_t n = from->count, room = r->out_size + (r->pages_out ? r->pages.size : 0), first;

	if (n > room || (n < room && !r->out_var))
		return -EINVAL;
	first = MIN(n, (size_t)r->out_size);
	if (first && iov_copy_from(r->out, from, first) != first)
		return -EFAULT;
	if (n > first && !take_pages(from, &r->pages, n - first))
		return -EFAULT;
	r->got = (uint32_t)n;
	return 0;
}

/* An answer to an INTERRUPT: the daemon knows none, or not yet the request. */
static ssize_t
interrupt_answered_locked(struct fuse_request *r, const struct fuse_out_header *head)
{
	if (head->length != sizeof(*head))
		return -EINVAL;
	if (head->error == -ENOSYS)
		fuse_lacks_it(r->conn, LACK_INTERRUPT);
	else if (head->error == -EAGAIN && !r->interrupted)
		return -EINVAL;
	else if (head->error == -EAGAIN)
		fuse_interrupt_locked(r);
	return head->length;
}

static struct fuse_request *
find_sent_locked(struct fuse_device *d, uint64_t unique)
{
	struct fuse_request *r;

	list_for_each(r, &d->sent, node)
		if (r->head.unique == unique)
			return r;
	return NULL;
}

/* The request that `head` answers, with a reference and marked busy; or NULL, and *result is what write returns. */
static struct fuse_request *
answered_request(struct fuse_connection *c, struct fuse_device *d, const struct fuse_out_header *head, ssize_t *result)
{
	struct fuse_request *r;
	bool again = false;

	spin_lock(&c->lock);
	r = find_sent_locked(d, head->unique & ~1ull);
	if (!r || r->busy) {
		*result = -ENOENT;
		r = NULL;
	} else if (head->unique & 1) {
		*result = interrupt_answered_locked(r, head);
		again = !list_is_empty(&r->interrupt_node);
		r = NULL;
	} else {
		r->busy = true;
		ref_get(&r->refs);
	}
	spin_unlock(&c->lock);
	if (again)
		wake_queue(&c->input, POLLIN | POLLRDNORM, 1);
	return r;
}

static ssize_t
answer(struct fuse_connection *c, struct fuse_device *d, const struct fuse_out_header *head, struct iov_iter *from)
{
	struct fuse_request *r;
	ssize_t result = 0;
	int error = 0;

	if (head->error <= -512 || head->error > 0) {
		fuse_complain(c, "an answer's error is none", (uint32_t)head->error);
		return -EINVAL;
	}
	r = answered_request(c, d, head, &result);
	if (!r)
		return result;
	atomic_add_relaxed(&c->answers, 1);
	if (head->error)
		error = from->count ? -EINVAL : 0;
	else
		error = take_answer(r, from);
	if (error)
		fuse_complain(c, "an answer of a wrong length", r->head.opcode);
	fuse_request_finish(r, error ? -EIO : head->error);
	fuse_request_put(r);
	return error ? error : (ssize_t)head->length;
}

ssize_t
fuse_device_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	struct fuse_connection *c = connection_of(f);
	struct fuse_out_header head;
	size_t n = from->count;
	int error;

	if (!c)
		return -EPERM;
	if (n < sizeof(head))
		return -EINVAL;
	if (iov_copy_from(&head, from, sizeof(head)) != sizeof(head))
		return -EFAULT;
	if (head.length != n)
		return -EINVAL;
	if (head.unique)
		return answer(c, f->private, &head, from);
	atomic_add_relaxed(&c->notices, 1);
	error = fuse_notice(c, head.error, from);
	return error ? error : (ssize_t)n;
}

uint32_t
fuse_device_poll(struct file *f, struct poll_table *pt)
{
	struct fuse_connection *c = connection_of(f);
	uint32_t ready = POLLOUT | POLLWRNORM;

	if (!c)
		return POLLERR;
	poll_wait(pt, f, &c->input);
	if (!READ_ONCE(c->connected))
		return POLLERR;
	return has_input(c) ? ready | POLLIN | POLLRDNORM : ready;
}

/* --- the file ----------------------------------------------------------------------------------------- */

/* This device becomes another one of the connection of the device that `fd` is. */
static long
clone_of(struct file *f, const uint32_t __user *arg)
{
	struct fuse_device *d = f->private, *from;
	uint32_t fd;
	int error = 0;
	struct file *other;

	if (get_user(fd, arg))
		return -EFAULT;
	other = handle_get((int)fd, RIGHT_CONTROL, &error);
	if (!other)
		return error == -EBADF ? -EINVAL : error;
	from = fuse_device_of(other);
	error = -EINVAL;
	if (from && atomic_load(&from->conn) && other->cred->user_ns == f->cred->user_ns)
		error = fuse_device_attach(d, from->conn) ? 0 : -EINVAL;
	file_put(other);
	return error;
}

static long
device_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	return command == FUSE_DEV_IOC_CLONE ? clone_of(f, (const uint32_t __user *)arg) : -ENOTTY;
}

void
fuse_device_release(struct file *f)
{
	struct fuse_device *d = f->private;

	if (d)
		fuse_device_end(d);
	kfree(d);
}

void
fuse_device_dump(struct file *f)
{
	struct fuse_device *d = f->private;
	struct fuse_request *r;

	if (!d || !d->conn) {
		pr_info("  fuse device, not mounted\n");
		return;
	}
	pr_info("  fuse device of connection %u\n", d->conn->number);
	list_for_each(r, &d->sent, node)
		fuse_request_dump(r);
}

static const char *
device_can_save(struct file *f)
{
	return "a FUSE daemon's connection stays with its mount";
}

const struct file_ops fuse_device_ops = {
	.name = "fuse device",
	.read = fuse_device_read,
	.write = fuse_device_write,
	.poll = fuse_device_poll,
	.ioctl = device_ioctl,
	.splice_messages = true,
	.release = fuse_device_release,
	.dump = fuse_device_dump,
	.can_save = device_can_save,
};

void
fuse_device_init(void)
{
	chrdev_register("fuse", DEV(10, 229), 0666, &fuse_device_ops, device_open);
}
