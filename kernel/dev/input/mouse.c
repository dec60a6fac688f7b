/* SPDX-License-Identifier: MIT */
/*
 * mouse.c - /dev/input/mouseN and mice: what points, as a PS/2 mouse would tell it (Microsoft's IntelliMouse protocol).
 *
 * A reader gets packets of three bytes, or four once it has sent the sequence of rates that switches a mouse with a
 * wheel on: buttons and signs, dx, dy (upwards), wheel. `mice` is all mice at once. Absolute devices move by the
 * difference to where the reader's pointer is, on a screen of SCREEN_WIDTH by SCREEN_HEIGHT; a touchpad moves as the
 * finger does, and a short touch is a click.
 *
 * Each reader has a queue of motions. Motions add up in the last of them as long as the buttons stay the same.
 * A reader's commands are answered like a mouse does: the answer stands before what else there is to read.
 *
 * mouse_lock is for all of it: mice are slow, and an event concerns two lists of readers.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/time.h>

#include "input.h"

#define SCREEN_WIDTH  1024
#define SCREEN_HEIGHT 768
#define QUEUE         16u
#define TAP_NS        (200 * NSEC_PER_MSEC)
#define FRACTION      128  /* of a step of a touchpad */
#define PAD_STEPS     256  /* across a touchpad */
#define SEQUENCE      6u

struct motion {
	int32_t dx, dy, dz;
	uint32_t buttons;            /* a bit each: left, right, middle, side, extra */
};

/* [m] mouse_lock  [I] */
struct mouse {
	struct input_device *device; /* [I] it holds us; NULL: all mice */
	struct list clients;         /* [m] struct mouse_client.node */
	struct wait_queue wait;
	struct async_list async;
	bool gone;                   /* [m] */
	bool tell;                   /* [m] signals are due */
	struct motion now;           /* [m] what the packet under way says */
	int32_t x, y;                /* [m] where an absolute device is */
	bool absolute;               /* [m] this packet told of it */
	/* A touchpad's finger: */
	uint64_t touched;            /* [m] since when; 0: not */
	uint32_t packets;            /* [m] since then */
	int32_t old_x[4], old_y[4];  /* [m] where it was in the last packets */
	int32_t rest_x, rest_y;      /* [m] fractions of a step */
};

enum mouse_mode { MOUSE_PLAIN, MOUSE_WHEEL, MOUSE_EXPLORER };

/* An open file. [m] */
struct mouse_client {
	struct list node;
	struct mouse *mouse;         /* [I] with a reference to its device */
	struct motion queue[QUEUE];
	uint32_t head, tail;         /* head: where motions add up */
	bool ready;                  /* there is something to tell */
	uint32_t last_buttons;
	int32_t x, y;                /* where its pointer is */
	enum mouse_mode mode;
	uint32_t wheel_step, explorer_step; /* of the sequences that switch modes */
	uint8_t bytes[6];            /* a packet or an answer, the last `left` of `count` not read yet */
	uint32_t count, left;
};

static struct spinlock mouse_lock = SPINLOCK_INIT(INPUT_MOUSE);
static struct mouse mice = {
	.clients = LIST_INIT(mice.clients),
	.wait = WAIT_QUEUE_INIT(mice.wait),
	.async = { .lock = MUTEX_INIT(mice.async.lock, ASYNC), .entries = LIST_INIT(mice.async.entries) },
};

/* --- which devices are mice ------------------------------------------------------------------------------ */

bool
mouse_is_one(const struct input_device *d)
{
	const struct input_abilities *can = &d->can;
	bool keys = bit_is_set(can->types, EV_KEY), axes = keys && bit_is_set(can->types, EV_ABS);
	bool plane = axes && bit_is_set(can->axes, ABS_X) && bit_is_set(can->axes, ABS_Y);

	if (keys && bit_is_set(can->types, EV_REL)) {
		if (bit_is_set(can->rels, REL_WHEEL))
			return true;
		if (bit_is_set(can->keys, BTN_LEFT) && bit_is_set(can->rels, REL_X) && bit_is_set(can->rels, REL_Y))
			return true;
	}
	if (!plane)
		return false;
	return bit_is_set(can->keys, BTN_TOUCH) || bit_is_set(can->keys, BTN_LEFT) ||
	       (bit_is_set(can->keys, BTN_TOOL_FINGER) && bit_is_set(can->axes, ABS_PRESSURE) &&
		bit_is_set(can->axes, ABS_TOOL_WIDTH));
}

struct mouse *
mouse_create(struct input_device *d)
{
	struct mouse *m = kzalloc(sizeof(*m));

	if (!m)
		return NULL;
	m->device = d;
	list_init(&m->clients);
	wait_queue_init(&m->wait);
	async_list_init(&m->async);
	return m;
}

void
mouse_free(struct mouse *m)
{
	kfree(m);
}

/* --- motions to readers ------------------------------------------------------------------------------------ */

static void
move_client(struct mouse_client *c, const struct mouse *from, uint32_t buttons)
{
	struct motion *p = &c->queue[c->head];

	if (c->ready && p->buttons != buttons && (c->head + 1) % QUEUE != c->tail) {
		c->head = (c->head + 1) % QUEUE;
		p = &c->queue[c->head];
		*p = (struct motion){ 0 };
	}
	if (from->absolute) {
		p->dx += from->x - c->x;
		p->dy += from->y - c->y;
		c->x = from->x;
		c->y = from->y;
	}
	c->x = MIN(MAX(c->x + from->now.dx, 0), SCREEN_WIDTH);
	c->y = MIN(MAX(c->y + from->now.dy, 0), SCREEN_HEIGHT);
	p->dx += from->now.dx;
	p->dy += from->now.dy;
	p->dz += from->now.dz;
	p->buttons = buttons;
	if (p->dx || p->dy || p->dz || p->buttons != c->last_buttons)
		c->ready = true;
}

/* What `from` says, to the readers of `m`: it, or all mice. */
static bool
publish(struct mouse *m, const struct mouse *from)
{
	struct mouse_client *c;
	bool any = false;

	list_for_each(c, &m->clients, node) {
		move_client(c, from, m->now.buttons);
		any = any || c->ready;
	}
	if (any) {
		m->tell = true;
		wake_poll(&m->wait, POLLIN | POLLRDNORM);
	}
	return any;
}

static bool
publish_both(struct mouse *m)
{
	bool own = publish(m, m), all = publish(&mice, m);

	m->now.dx = m->now.dy = m->now.dz = 0;
	m->absolute = false;
	return own || all;
}

/* --- events of a device -------------------------------------------------------------------------------------- */

static void
press(struct mouse *m, uint32_t button, bool down)
{
	uint32_t bit = 1u << button;

	m->now.buttons = down ? m->now.buttons | bit : m->now.buttons & ~bit;
	mice.now.buttons = down ? mice.now.buttons | bit : mice.now.buttons & ~bit;
}

static void
key(struct mouse *m, uint16_t code, bool down)
{
	switch (code) {
	case BTN_TOUCH:
	case BTN_0:
	case BTN_LEFT:
		press(m, 0, down);
		break;
	case BTN_STYLUS:
	case BTN_1:
	case BTN_RIGHT:
		press(m, 1, down);
		break;
	case BTN_2:
	case BTN_FORWARD:
	case BTN_STYLUS2:
	case BTN_MIDDLE:
		press(m, 2, down);
		break;
	case BTN_3:
	case BTN_BACK:
	case BTN_SIDE:
		press(m, 3, down);
		break;
	case BTN_4:
	case BTN_EXTRA:
		press(m, 4, down);
		break;
	}
}

static void
relative(struct mouse *m, uint16_t code, int32_t value)
{
	if (code == REL_X)
		m->now.dx += value;
	else if (code == REL_Y)
		m->now.dy -= value;
	else if (code == REL_WHEEL)
		m->now.dz -= value;
}

static void
absolute(struct mouse *m, uint16_t code, int32_t value)
{
	const struct input_axis *a = &m->device->axes[code];
	int32_t screen = code == ABS_X ? SCREEN_WIDTH : SCREEN_HEIGHT;
	int64_t size = (int64_t)a->maximum - a->minimum, at = (int64_t)value - a->minimum;

	if (code != ABS_X && code != ABS_Y)
		return;
	size = size > 0 ? size : screen;
	at = MIN(MAX(at, (int64_t)0), size) * screen / size;
	if (code == ABS_X)
		m->x = (int32_t)at;
	else
		m->y = screen - (int32_t)at;
	m->absolute = true;
}

/* How far the finger has come on one axis since two packets ago, in steps; the rest is kept. */
static int32_t
slide(struct mouse *m, const int32_t *old, int32_t value, int32_t *rest)
{
	const struct input_axis *a = &m->device->axes[ABS_X]; /* of both, for the same scale */
	int64_t size = (int64_t)a->maximum - a->minimum, way;

	if (!m->touched || m->packets < 2)
		return 0;
	size = size > 0 ? size : PAD_STEPS * 2;
	way = ((int64_t)value - old[(m->packets - 2) & 3]) * PAD_STEPS * FRACTION / size + *rest;
	*rest = (int32_t)(way % FRACTION);
	return (int32_t)(way / FRACTION);
}

static void
touchpad(struct mouse *m, uint16_t code, int32_t value)
{
	if (code == ABS_X) {
		m->old_x[m->packets & 3] = value;
		m->now.dx = slide(m, m->old_x, value, &m->rest_x);
	} else if (code == ABS_Y) {
		m->old_y[m->packets & 3] = value;
		m->now.dy = -slide(m, m->old_y, value, &m->rest_y);
	}
}

static bool
touch(struct mouse *m, bool down)
{
	bool tap = !down && m->touched && clock_monotonic_ns() < m->touched + TAP_NS;

	if (tap) {
		press(m, 0, true);
		publish_both(m);
		press(m, 0, false);
	}
	if (!down) {
		m->touched = 0;
		m->packets = 0;
		m->rest_x = m->rest_y = 0;
	} else if (!m->touched) {
		m->touched = clock_monotonic_ns();
	}
	return tap;
}

/* The packet is over. */
static bool
report(struct mouse *m)
{
	if (m->touched) {
		m->packets++; /* an axis that has not moved is not told again: it is where it was */
		m->old_x[m->packets & 3] = m->old_x[(m->packets - 1) & 3];
		m->old_y[m->packets & 3] = m->old_y[(m->packets - 1) & 3];
	}
	return publish_both(m);
}

static bool
event(struct mouse *m, const struct input_value *v)
{
	const struct input_abilities *can = &m->device->can;
	bool pad = bit_is_set(can->keys, BTN_TOOL_FINGER);

	switch (v->type) {
	case EV_ABS:
		if (bit_is_set(can->keys, BTN_TRIGGER)) /* a joystick */
			return false;
		if (pad)
			touchpad(m, v->code, v->value);
		else
			absolute(m, v->code, v->value);
		return false;
	case EV_REL:
		relative(m, v->code, v->value);
		return false;
	case EV_KEY:
		if (v->value == 2)
			return false;
		if (v->code == BTN_TOUCH && pad)
			return touch(m, v->value);
		key(m, v->code, v->value);
		return false;
	case EV_SYN:
		return v->code == SYN_REPORT && report(m);
	}
	return false;
}

bool
mouse_pass(struct mouse *m, const struct input_value *v, uint32_t n)
{
	bool any = false;

	spin_lock(&mouse_lock);
	for (uint32_t i = 0; i < n; i++)
		any = event(m, &v[i]) || any;
	spin_unlock(&mouse_lock);
	return any;
}

static void
tell(struct mouse *m, enum async_event what)
{
	bool due;

	spin_lock(&mouse_lock);
	due = m->tell;
	m->tell = false;
	spin_unlock(&mouse_lock);
	if (due)
		async_tell(&m->async, what);
}

void
mouse_tell(struct mouse *m)
{
	tell(m, READ_ONCE(m->gone) ? ASYNC_HUP : ASYNC_IN);
	tell(&mice, ASYNC_IN);
}

void
mouse_gone(struct mouse *m)
{
	spin_lock(&mouse_lock);
	m->gone = m->tell = true;
	mice.now.buttons &= ~m->now.buttons;
	wake_all(&m->wait);
	spin_unlock(&mouse_lock);
}

/* --- the protocol ---------------------------------------------------------------------------------------------- */

static int8_t
limited(int32_t delta, int32_t most)
{
	return (int8_t)MIN(MAX(delta, -most), most);
}

/* As much of what is to be told as fits: the rest comes with the next packet. */
static void
make_packet(struct mouse_client *c, uint8_t *out)
{
	struct motion *p = &c->queue[c->tail];
	int8_t dx = limited(p->dx, 127), dy = limited(p->dy, 127), dz = limited(p->dz, c->mode == MOUSE_WHEEL ? 127 : 7);
	uint32_t more = (p->buttons & 0x10) >> 3 | (p->buttons & 0x08) >> 1; /* side and extra, where they fit */

	out[0] = (uint8_t)(0x08 | (p->dx < 0) << 4 | (p->dy < 0) << 5 | (p->buttons & 7));
	out[1] = (uint8_t)dx;
	out[2] = (uint8_t)dy;
	p->dx -= dx;
	p->dy -= dy;
	c->count = c->mode == MOUSE_PLAIN ? 3 : 4;
	if (c->mode == MOUSE_EXPLORER) {
		out[3] = (uint8_t)(((uint8_t)dz & 0x0f) | (p->buttons & 0x18) << 1);
		p->dz -= dz;
	} else {
		out[0] |= (uint8_t)more;
		out[3] = (uint8_t)dz;
		p->dz -= c->mode == MOUSE_WHEEL ? dz : p->dz;
	}
	if (p->dx || p->dy || p->dz)
		return;
	if (c->tail != c->head) {
		c->tail = (c->tail + 1) % QUEUE;
		return;
	}
	c->ready = false;
	c->last_buttons = p->buttons;
}

static void
answer(struct mouse_client *c, uint8_t command)
{
	static const uint8_t ids[] = { [MOUSE_PLAIN] = 0, [MOUSE_WHEEL] = 3, [MOUSE_EXPLORER] = 4 };

	c->bytes[0] = 0xfa; /* taken */
	switch (command) {
	case 0xeb: /* what is there to tell? */
		make_packet(c, c->bytes + 1);
		c->count++;
		break;
	case 0xf2: /* what are you? */
		c->bytes[1] = ids[c->mode];
		c->count = 2;
		break;
	case 0xe9: /* how are you set? */
		c->bytes[1] = 0x60;
		c->bytes[2] = 3;
		c->bytes[3] = 200;
		c->count = 4;
		break;
	case 0xff:
		c->wheel_step = c->explorer_step = 0;
		c->mode = MOUSE_PLAIN;
		c->bytes[1] = 0xaa;
		c->bytes[2] = 0;
		c->count = 3;
		break;
	default:
		c->count = 1;
	}
	c->left = c->count;
}

/* One more byte of a sequence of rates. */
static bool
step(uint32_t *at, const uint8_t *sequence, uint8_t byte)
{
	*at = byte == sequence[*at] ? *at + 1 : 0;
	if (*at < SEQUENCE)
		return false;
	*at = 0;
	return true;
}

static void
command(struct mouse_client *c, uint8_t byte)
{
	static const uint8_t wheel[SEQUENCE] = { 0xf3, 200, 0xf3, 100, 0xf3, 80 };
	static const uint8_t explorer[SEQUENCE] = { 0xf3, 200, 0xf3, 200, 0xf3, 80 };

	spin_lock(&mouse_lock);
	if (step(&c->explorer_step, explorer, byte))
		c->mode = MOUSE_EXPLORER;
	if (step(&c->wheel_step, wheel, byte))
		c->mode = MOUSE_WHEEL;
	answer(c, byte);
	c->mouse->tell = true;
	spin_unlock(&mouse_lock);
}

/* --- the file -------------------------------------------------------------------------------------------------- */

int
mouse_open(struct inode *i, struct file *f)
{
	bool all = DEV_MINOR(i->rdev) == MINOR_MICE;
	struct input_device *d = all ? NULL : input_device_find(DEV_MINOR(i->rdev), true);
	struct mouse_client *c;

	if (!all && !d)
		return -ENODEV;
	c = kzalloc(sizeof(*c));
	if (!c) {
		if (d)
			input_device_put(d);
		return -ENOMEM;
	}
	c->mouse = all ? &mice : d->mouse;
	c->x = SCREEN_WIDTH / 2;
	c->y = SCREEN_HEIGHT / 2;
	spin_lock(&mouse_lock);
	list_add_tail(&c->mouse->clients, &c->node);
	spin_unlock(&mouse_lock);
	f->private = c;
	return 0;
}

static void
mouse_release(struct file *f)
{
	struct mouse_client *c = f->private;
	struct input_device *d;

	if (!c)
		return;
	d = c->mouse->device;
	spin_lock(&mouse_lock);
	list_del(&c->node);
	spin_unlock(&mouse_lock);
	kfree(c);
	if (d)
		input_device_put(d);
}

static bool
is_readable(const struct mouse_client *c)
{
	return READ_ONCE(c->ready) || READ_ONCE(c->left);
}

static ssize_t
mouse_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct mouse_client *c = f->private;
	bool wait = !file_may_not_wait(f, rw_flags);
	uint8_t bytes[sizeof(c->bytes)];
	size_t n;

	if (!is_readable(c) && !READ_ONCE(c->mouse->gone) && !wait)
		return -EAGAIN;
	if (wait_event_interruptible(&c->mouse->wait, READ_ONCE(c->mouse->gone) || is_readable(c)))
		return -ERESTARTSYS;
	if (READ_ONCE(c->mouse->gone))
		return -ENODEV;
	spin_lock(&mouse_lock);
	if (!c->left && c->ready) {
		make_packet(c, c->bytes);
		c->left = c->count;
	}
	n = MIN(to->count, (size_t)c->left);
	memcpy(bytes, c->bytes + c->count - c->left, n);
	c->left -= (uint32_t)n;
	spin_unlock(&mouse_lock);
	return iov_copy_to(to, bytes, n) < n ? -EFAULT : (ssize_t)n;
}

static ssize_t
mouse_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	struct mouse_client *c = f->private;
	size_t n = from->count;
	uint8_t byte;

	while (from->count) {
		if (iov_copy_from(&byte, from, 1) < 1)
			return -EFAULT;
		command(c, byte);
	}
	tell(c->mouse, ASYNC_IN);
	wake_poll(&c->mouse->wait, POLLIN | POLLRDNORM);
	return (ssize_t)n;
}

static uint32_t
mouse_poll(struct file *f, struct poll_table *pt)
{
	struct mouse_client *c = f->private;
	uint32_t events;

	poll_wait(pt, f, &c->mouse->wait);
	events = READ_ONCE(c->mouse->gone) ? POLLHUP | POLLERR : POLLOUT | POLLWRNORM;
	return events | (is_readable(c) ? POLLIN | POLLRDNORM : 0);
}

static struct async_list *
mouse_async(struct file *f)
{
	struct mouse_client *c = f->private;

	return &c->mouse->async;
}

static void
mouse_dump(struct file *f)
{
	struct mouse_client *c = f->private;

	pr_info("  %s: mode %u, %u motions, %u bytes to read\n",
		c->mouse->device ? c->mouse->device->mouse_node.name : "mice", c->mode,
		(c->head - c->tail) % QUEUE + c->ready, c->left);
}

const struct file_ops mouse_ops = {
	.name = "mouse",
	.no_splice_read = true,
	.no_splice_write = true,
	.read = mouse_read,
	.write = mouse_write,
	.poll = mouse_poll,
	.async = mouse_async,
	.release = mouse_release,
	.dump = mouse_dump,
};
