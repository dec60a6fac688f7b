/* SPDX-License-Identifier: MIT */
/*
 * uinput.c - /dev/uinput: a program provides an input device.
 *
 *	        described (ioctl, or a struct that is written)      UI_DEV_CREATE
 *	NEW ---------------------------------------------> SET_UP ---------------> CREATED
 *	 ^                                                    |                       |
 *	 +-------------- UI_DEV_DESTROY, or the file is closed --------------------+
 *
 * What is written while the device is there are its events; what is read is what programs do to it: LEDs, sounds, how
 * keys repeat, and questions about effects (uinput_request.c).
 *
 * u->lock is for what the program does; the device calls back with its own lock held, and takes only ring_lock. A
 * device that is still open somewhere after it was destroyed has a reference to `u`, and finds it in another state.
 *
 * The program's memory is read and written without u->lock: it may be a file of a daemon that does not answer, and
 * those who have the device open wait for that lock when they close it.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/time.h>

#include "uinput.h"

#define INJECTED_AT_ONCE 16u

static void
uinput_put(struct uinput *u)
{
	if (ref_put(&u->refs))
		kfree(u);
}

static void
on_event(struct input_device *d, uint16_t type, uint16_t code, int32_t value)
{
	uinput_queue(d->private, type, code, value);
}

static void
on_release(struct input_device *d)
{
	uinput_put(d->private);
}

static const struct input_device_ops device_ops = {
	.event = on_event,
	.upload = uinput_upload,
	.erase = uinput_erase,
	.release = on_release,
};

/* --- the device -------------------------------------------------------------------------------------- */

struct input_device *
uinput_device_locked(struct uinput *u)
{
	assert_mutex_held(&u->lock);
	if (!u->device) {
		u->device = input_device_create(&device_ops, u);
		if (u->device)
			ref_get(&u->refs);
	}
	return u->device;
}

int
uinput_check_axis(uint32_t code, const struct input_axis *a)
{
	int64_t range = (int64_t)a->maximum - a->minimum;

	if ((a->minimum || a->maximum) && range < 0)
		return -EINVAL;
	if (code == ABS_MT_SLOT && a->maximum >= SLOTS_MAX)
		return -EINVAL;
	return range > INT32_MAX || a->flat > range ? -EINVAL : 0;
}

/* What is made of the description. */
static int
complete(struct uinput *u)
{
	struct input_device *d = u->device;
	int error = 0;

	if (bit_is_set(d->can.types, EV_ABS)) {
		error = input_device_make_axes(d);
		if (!error && bit_is_set(d->can.axes, ABS_MT_SLOT) && !d->slots)
			error = input_device_make_slots(d, d->axes[ABS_MT_SLOT].maximum + 1);
	}
	if (error)
		return error;
	if (bit_is_set(d->can.types, EV_FF) && !u->effects_max)
		return -EINVAL;
	return u->effects_max ? effects_create(d, u->effects_max) : 0;
}

int
uinput_create_locked(struct uinput *u)
{
	int error;

	assert_mutex_held(&u->lock);
	if (u->state != UINPUT_SET_UP)
		return -EINVAL;
	error = complete(u);
	if (!error) {
		WRITE_ONCE(u->state, UINPUT_CREATED);
		error = input_device_register(u->device);
		if (error)
			WRITE_ONCE(u->state, UINPUT_SET_UP);
	}
	if (error)
		uinput_destroy_locked(u);
	return error;
}

void
uinput_destroy_locked(struct uinput *u)
{
	bool created = u->state == UINPUT_CREATED;

	assert_mutex_held(&u->lock);
	WRITE_ONCE(u->state, UINPUT_NEW);
	if (!u->device)
		return;
	if (created) {
		uinput_flush_requests(u);
		input_device_remove(u->device);
	}
	input_device_put(u->device);
	u->device = NULL;
	wake_all(&u->wait);
}

/* --- what is written --------------------------------------------------------------------------------- */

/* A description as it was before there were commands for that. */
static ssize_t
describe_locked(struct uinput *u, const struct linux_uinput_user_dev *in)
{
	struct input_device *d = uinput_device_locked(u);
	char *name;

	if (!d || input_device_make_axes(d))
		return -ENOMEM;
	u->effects_max = in->effects_max;
	if (!in->name[0])
		return -EINVAL;
	name = kstrdup(in->name);
	if (!name)
		return -ENOMEM;
	kfree(d->name);
	d->name = name;
	d->id = in->id;
	for (uint32_t i = 0; i < ABS_COUNT; i++) {
		d->axes[i].maximum = in->maximum[i];
		d->axes[i].minimum = in->minimum[i];
		d->axes[i].fuzz = in->fuzz[i];
		d->axes[i].flat = in->flat[i];
	}
	for (uint32_t i = 0; bit_is_set(d->can.types, EV_ABS) && i < ABS_COUNT; i++)
		if (bit_is_set(d->can.axes, i) && uinput_check_axis(i, &d->axes[i]))
			return -EINVAL;
	WRITE_ONCE(u->state, UINPUT_SET_UP);
	return sizeof(*in);
}

static ssize_t
describe(struct uinput *u, struct iov_iter *from)
{
	struct linux_uinput_user_dev *in;
	ssize_t result = -EINVAL;

	if (from->count != sizeof(*in))
		return -EINVAL;
	in = kmalloc(sizeof(*in), 0);
	if (!in)
		return -ENOMEM;
	if (iov_copy_from(in, from, sizeof(*in)) < sizeof(*in)) {
		result = -EFAULT;
	} else if (mutex_lock_interruptible(&u->lock)) {
		result = -EINTR;
	} else {
		in->name[UINPUT_NAME_SIZE - 1] = '\0';
		if (u->state != UINPUT_CREATED) /* it was none when we looked */
			result = describe_locked(u, in);
		mutex_unlock(&u->lock);
	}
	kfree(in);
	return result;
}

/* As many as fit `events`; those before one that cannot be read. */
static ssize_t
inject_some(struct uinput *u, struct iov_iter *from)
{
	struct linux_input_event events[INJECTED_AT_ONCE];
	size_t n = MIN(from->count / sizeof(events[0]), (size_t)INJECTED_AT_ONCE);
	size_t there = iov_copy_from(events, from, n * sizeof(events[0])) / sizeof(events[0]);

	if (mutex_lock_interruptible(&u->lock))
		return -EINTR;
	if (u->state != UINPUT_CREATED)
		there = n = 0;
	for (size_t i = 0; i < there; i++)
		input_event(u->device, events[i].type, events[i].code, events[i].value);
	mutex_unlock(&u->lock);
	if (there < n)
		return -EFAULT;
	return n ? (ssize_t)(n * sizeof(events[0])) : -ENODEV;
}

static ssize_t
inject(struct uinput *u, struct iov_iter *from)
{
	ssize_t done = 0;

	if (from->count < sizeof(struct linux_input_event))
		return -EINVAL;
	while (from->count >= sizeof(struct linux_input_event)) {
		ssize_t n = inject_some(u, from);

		if (n == -EFAULT || (n < 0 && !done))
			return n;
		if (n < 0)
			break;
		done += n;
	}
	return done;
}

static ssize_t
uinput_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	struct uinput *u = f->private;

	if (!from->count)
		return 0;
	return READ_ONCE(u->state) == UINPUT_CREATED ? inject(u, from) : describe(u, from);
}

/* --- what is read ------------------------------------------------------------------------------------ */

/* The oldest event. */
static bool
take(struct uinput *u, struct linux_input_event *out)
{
	uint64_t flags = spin_lock_irq(&u->ring_lock);
	uint32_t at = (u->head - u->count) % UINPUT_EVENTS;
	bool any = u->count > 0;

	if (any) {
		*out = (struct linux_input_event){
			.seconds = (int64_t)(u->ring[at].ns / NSEC_PER_SEC),
			.microseconds = (int64_t)(u->ring[at].ns % NSEC_PER_SEC / NSEC_PER_USEC),
			.type = u->ring[at].v.type,
			.code = u->ring[at].v.code,
			.value = u->ring[at].v.value,
		};
		u->count--;
	}
	spin_unlock_irq(&u->ring_lock, flags);
	return any;
}

static ssize_t
read_events(struct uinput *u, struct iov_iter *to)
{
	struct linux_input_event e;
	ssize_t done = 0;

	while (to->count >= sizeof(e) && take(u, &e)) {
		if (iov_copy_to(to, &e, sizeof(e)) < sizeof(e))
			return -EFAULT;
		done += (ssize_t)sizeof(e);
	}
	return done;
}

static ssize_t
uinput_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct uinput *u = f->private;
	bool wait = !file_may_not_wait(f, rw_flags);
	ssize_t n;

	if (to->count && to->count < sizeof(struct linux_input_event))
		return -EINVAL;
	for (;;) {
		if (READ_ONCE(u->state) != UINPUT_CREATED)
			n = -ENODEV;
		else if (!READ_ONCE(u->count) && !wait)
			n = -EAGAIN;
		else
			n = read_events(u, to);
		if (n || !to->count)
			return n;
		if (wait && wait_event_interruptible(&u->wait, READ_ONCE(u->count) ||
								       READ_ONCE(u->state) != UINPUT_CREATED))
			return -ERESTARTSYS;
	}
}

static uint32_t
uinput_poll(struct file *f, struct poll_table *pt)
{
	struct uinput *u = f->private;

	poll_wait(pt, f, &u->wait);
	return POLLOUT | POLLWRNORM | (READ_ONCE(u->count) ? POLLIN | POLLRDNORM : 0);
}

/* --- the file ---------------------------------------------------------------------------------------- */

static int
uinput_open(struct inode *i, struct file *f)
{
	struct uinput *u = kzalloc(sizeof(*u));

	if (!u)
		return -ENOMEM;
	ref_init(&u->refs);
	mutex_init(&u->lock, LOCK_UINPUT);
	spin_init(&u->ring_lock, LOCK_LEAF);
	wait_queue_init(&u->wait);
	f->private = u;
	return 0;
}

static void
uinput_release(struct file *f)
{
	struct uinput *u = f->private;

	if (!u)
		return;
	mutex_lock(&u->lock);
	uinput_destroy_locked(u);
	mutex_unlock(&u->lock);
	uinput_put(u);
}

static void
uinput_dump(struct file *f)
{
	static const char *const states[] = {
		[UINPUT_NEW] = "new", [UINPUT_SET_UP] = "set up", [UINPUT_CREATED] = "created",
	};
	struct uinput *u = f->private;

	pr_info("  uinput: %s, device %d, %u events to read\n", states[u->state],
		u->device ? (int)u->device->number : -1, u->count);
}

static const struct file_ops uinput_ops = {
	.name = "uinput",
	.no_splice_read = true,
	.no_splice_write = true,
	.read = uinput_read,
	.write = uinput_write,
	.poll = uinput_poll,
	.ioctl = uinput_ioctl,
	.release = uinput_release,
	.dump = uinput_dump,
};

void
uinput_init(void)
{
	if (chrdev_register("uinput", DEV(MAJOR_MISC, MINOR_UINPUT), 0600, &uinput_ops, uinput_open))
		pr_warn("uinput: no memory\n");
}
