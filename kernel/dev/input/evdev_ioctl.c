/* SPDX-License-Identifier: MIT */
/*
 * evdev_ioctl.c - the commands of /dev/input/eventN.
 *
 * Many give back as many bytes of something as the command's number says there is room for; their result is how many
 * these were. Bitmaps are of 64-bit words.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

#include "input.h"

#define CLOCK_REALTIME  0u
#define CLOCK_MONOTONIC 1u
#define CLOCK_BOOTTIME  7u

/* Up to `size` bytes of a bitmap of `count` bits. */
static long
give_bits(const uint64_t *map, uint32_t count, uint32_t size, void __user *to)
{
	size_t n = MIN(WORDS(count - 1) * sizeof(map[0]), (size_t)size);

	return copy_to_user(to, map, n) ? -EFAULT : (long)n;
}

static long
give_text(const char *s, uint32_t size, void __user *to)
{
	size_t n;

	if (!s)
		return -ENOENT;
	n = MIN(strlen(s) + 1, (size_t)size);
	return copy_to_user(to, s, n) ? -EFAULT : (long)n;
}

/* The state, and no events in the queue that led to it. */
static long
give_state(struct evdev_client *c, uint16_t type, const uint64_t *state, uint32_t count, uint32_t size,
	   void __user *to)
{
	uint64_t now[WORDS(KEY_COUNT)];
	long n;

	spin_lock(&c->device->lock);
	memcpy(now, state, WORDS(count) * sizeof(now[0]));
	evdev_forget_type(c, type);
	spin_unlock(&c->device->lock);
	n = give_bits(now, count, size, to);
	if (n < 0) {
		spin_lock(&c->device->lock);
		evdev_dropped(c);
		spin_unlock(&c->device->lock);
	}
	return n;
}

static long
give_abilities(struct input_device *d, uint32_t type, uint32_t size, void __user *to)
{
	uint32_t count;
	const uint64_t *map = input_codes(d, type, &count);

	return map ? give_bits(map, count, size, to) : -EINVAL;
}

/* One axis's value of each slot: behind the number of the axis. */
static long
give_slots(struct input_device *d, uint32_t size, uint32_t __user *to)
{
	uint32_t axis, max = size < sizeof(axis) ? 0 : (uint32_t)((size - sizeof(axis)) / sizeof(*to));
	int32_t value;

	if (get_user(axis, to))
		return -EFAULT;
	if (!d->slots || axis < ABS_MT_FIRST || axis > ABS_MT_LAST)
		return -EINVAL;
	for (uint32_t i = 0; i < d->slots->count && i < max; i++) {
		value = READ_ONCE(d->slots->values[i][axis - ABS_MT_FIRST]);
		if (put_user((uint32_t)value, to + 1 + i))
			return -EFAULT;
	}
	return 0;
}

static long
get_axis(struct input_device *d, uint32_t axis, uint32_t size, void __user *to)
{
	struct input_axis a;

	if (!d->axes)
		return -EINVAL;
	spin_lock(&d->lock);
	a = d->axes[axis];
	spin_unlock(&d->lock);
	return copy_to_user(to, &a, MIN((size_t)size, sizeof(a)));
}

/* How many slots there are stays. */
static long
set_axis(struct input_device *d, uint32_t axis, uint32_t size, const void __user *from)
{
	struct input_axis a = { 0 };

	if (!d->axes)
		return -EINVAL;
	if (copy_from_user(&a, from, MIN((size_t)size, sizeof(a))))
		return -EFAULT;
	if (size < sizeof(a))
		a.resolution = 0;
	if (axis == ABS_MT_SLOT)
		return -EINVAL;
	spin_lock(&d->lock);
	d->axes[axis] = a;
	spin_unlock(&d->lock);
	return 0;
}

/* --- how keys repeat --------------------------------------------------------------------------------- */

static long
get_repeat(struct input_device *d, int32_t __user *to)
{
	if (!bit_is_set(d->can.types, EV_REP))
		return -ENOSYS;
	if (put_user(READ_ONCE(d->repeat[REP_DELAY]), to) || put_user(READ_ONCE(d->repeat[REP_PERIOD]), to + 1))
		return -EFAULT;
	return 0;
}

static long
set_repeat(struct evdev_client *c, const int32_t __user *from)
{
	int32_t delay, period;

	if (!bit_is_set(c->device->can.types, EV_REP))
		return -ENOSYS;
	if (get_user(delay, from) || get_user(period, from + 1))
		return -EFAULT;
	input_event(c->device, EV_REP, REP_DELAY, delay);
	input_event(c->device, EV_REP, REP_PERIOD, period);
	return 0;
}

/* --- who reads what ------------------------------------------------------------------------------------ */

static long
grab(struct evdev_client *c, bool on)
{
	struct input_device *d = c->device;
	long error = 0;

	spin_lock(&d->lock);
	if (on && d->grab)
		error = -EBUSY;
	else if (!on && d->grab != c)
		error = -EINVAL;
	else
		d->grab = on ? c : NULL;
	spin_unlock(&d->lock);
	return error;
}

/* What lies in the queue has times of the old clock: it goes. */
static long
set_clock(struct evdev_client *c, const uint32_t __user *from)
{
	enum input_clock clock;
	uint32_t id;

	if (get_user(id, from))
		return -EFAULT;
	switch (id) {
	case CLOCK_REALTIME:
		clock = INPUT_REALTIME;
		break;
	case CLOCK_MONOTONIC:
		clock = INPUT_MONOTONIC;
		break;
	case CLOCK_BOOTTIME:
		clock = INPUT_BOOTTIME;
		break;
	default:
		return -EINVAL;
	}
	spin_lock(&c->device->lock);
	if (c->clock != clock) {
		c->clock = clock;
		evdev_restart(c);
	}
	spin_unlock(&c->device->lock);
	return 0;
}

static long
set_mask(struct evdev_client *c, const struct linux_input_mask *m)
{
	uint32_t count = input_code_count(m->type);
	uint64_t *mask, *old;

	if (!count)
		return 0;
	if (m->codes_size % sizeof(mask[0]))
		return -EINVAL;
	mask = kzalloc(WORDS(count) * sizeof(mask[0]));
	if (!mask)
		return -ENOMEM;
	if (copy_from_user(mask, __force_user(void __user *, m->codes),
			   MIN(WORDS(count - 1) * sizeof(mask[0]), (size_t)m->codes_size))) {
		kfree(mask);
		return -EFAULT;
	}
	spin_lock(&c->device->lock);
	old = c->masks[m->type];
	c->masks[m->type] = mask;
	spin_unlock(&c->device->lock);
	kfree(old);
	return 0;
}

/* Zeroes behind what there is, for programs that know more codes than we. */
static long
give_zeroes(uint8_t __user *to, size_t n)
{
	static const uint8_t zeroes[64];

	for (size_t done = 0; done < n; done += sizeof(zeroes))
		if (copy_to_user(to + done, zeroes, MIN(sizeof(zeroes), n - done)))
			return -EFAULT;
	return 0;
}

static long
get_mask(struct evdev_client *c, const struct linux_input_mask *m)
{
	uint8_t __user *to = __force_user(uint8_t __user *, m->codes);
	uint32_t count = input_code_count(m->type);
	size_t n = MIN(WORDS(count) * sizeof(uint64_t), (size_t)m->codes_size);
	uint64_t mask[WORDS(KEY_COUNT)];

	memset(mask, 0xff, sizeof(mask));
	spin_lock(&c->device->lock);
	if (count && c->masks[m->type])
		memcpy(mask, c->masks[m->type], WORDS(count) * sizeof(mask[0]));
	spin_unlock(&c->device->lock);
	if (copy_to_user(to, mask, n))
		return -EFAULT;
	return give_zeroes(to + n, m->codes_size - n);
}

static long
mask(struct evdev_client *c, const struct linux_input_mask __user *from, bool set)
{
	struct linux_input_mask m;

	if (copy_from_user(&m, from, sizeof(m)))
		return -EFAULT;
	return set ? set_mask(c, &m) : get_mask(c, &m);
}

/* No device here has a table of scan codes: who provides it translates by itself. */
static long
keymap(const void __user *from, size_t size)
{
	struct linux_keymap_entry e;

	return copy_from_user(&e, from, size) ? -EFAULT : -EINVAL;
}

static long
upload(struct evdev_client *c, uint32_t size, struct input_effect __user *inout)
{
	struct input_effect e;
	long error;

	if (size != sizeof(e) || copy_from_user(&e, inout, sizeof(e)))
		return -EFAULT;
	error = effects_upload(c->device, c, &e);
	return error ? error : put_user(e.id, &inout->id);
}

/* --- which command it is --------------------------------------------------------------------------------- */

/* Those whose size is part of them. *known: it is one of these. */
static long
fixed_command(struct evdev_client *c, unsigned int command, uintptr_t arg, bool *known)
{
	struct input_device *d = c->device;
	void __user *p = (void __user *)arg;

	*known = true;
	switch (command) {
	case EVIOCGVERSION:
		return put_user(EVDEV_VERSION, (uint32_t __user *)p);
	case EVIOCGID:
		return copy_to_user(p, &d->id, sizeof(d->id));
	case EVIOCGREP:
		return get_repeat(d, p);
	case EVIOCSREP:
		return set_repeat(c, p);
	case EVIOCRMFF:
		return effects_erase(d, c, (int)arg);
	case EVIOCGEFFECTS:
		return put_user(d->effects ? d->effects->count : 0, (uint32_t __user *)p);
	case EVIOCGRAB:
		return grab(c, arg);
	case EVIOCREVOKE:
		if (arg)
			return -EINVAL;
		evdev_revoke(c);
		return 0;
	case EVIOCGMASK:
	case EVIOCSMASK:
		return mask(c, p, command == EVIOCSMASK);
	case EVIOCSCLOCKID:
		return set_clock(c, p);
	case EVIOCGKEYCODE:
	case EVIOCSKEYCODE:
		return keymap(p, 8);
	case EVIOCGKEYCODE_V2:
	case EVIOCSKEYCODE_V2:
		return keymap(p, sizeof(struct linux_keymap_entry));
	}
	*known = false;
	return -EINVAL;
}

/* Those that come in any size. */
static long
sized_command(struct evdev_client *c, unsigned int command, uint32_t size, void __user *p)
{
	struct input_device *d = c->device;

	switch (command) {
	case EVIOCGPROP:
		return give_bits(d->can.properties, PROP_COUNT, size, p);
	case EVIOCGMTSLOTS:
		return give_slots(d, size, p);
	case EVIOCGKEY:
		return give_state(c, EV_KEY, d->keys_down, KEY_COUNT, size, p);
	case EVIOCGLED:
		return give_state(c, EV_LED, d->leds_on, LED_COUNT, size, p);
	case EVIOCGSND:
		return give_state(c, EV_SND, d->sounds_on, SND_COUNT, size, p);
	case EVIOCGSW:
		return give_state(c, EV_SW, d->switches_on, SW_COUNT, size, p);
	case EVIOCGNAME:
		return give_text(d->name, size, p);
	case EVIOCGPHYS:
		return give_text(d->phys, size, p);
	case EVIOCGUNIQ:
		return give_text(d->uniq, size, p);
	case EVIOCSFF:
		return upload(c, size, p);
	}
	if (command - EVIOCGBIT < EV_COUNT)
		return give_abilities(d, command - EVIOCGBIT, size, p);
	if (command - EVIOCGABS < ABS_COUNT)
		return get_axis(d, command - EVIOCGABS, size, p);
	if (command - EVIOCSABS < ABS_COUNT)
		return set_axis(d, command - EVIOCSABS, size, p);
	return -EINVAL;
}

long
evdev_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	struct evdev_client *c = f->private;
	bool known;
	long result;

	if (!READ_ONCE(c->device->exists) || READ_ONCE(c->revoked))
		return -ENODEV;
	result = fixed_command(c, command, arg, &known);
	if (known)
		return result;
	return sized_command(c, command & ~IOC_SIZE_MASK, command >> IOC_SIZE_SHIFT & 0x3fff, (void __user *)arg);
}
