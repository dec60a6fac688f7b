/* SPDX-License-Identifier: MIT */
/*
 * device.c - input devices: birth, numbers, and when they are taken away.
 *
 * A device has a number from its birth (inputN) and each of its files one from its registration: the lowest that is
 * free. Files that are open keep the device, not its names and numbers.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "input.h"

struct mutex input_lock = MUTEX_INIT(input_lock, INPUT);
struct list input_devices = LIST_INIT(input_devices);
static uint64_t minors[WORDS(MINOR_END)]; /* input_lock: in use */
static uint32_t last_number;              /* [a] */

static const struct {
	uint32_t count;
	size_t map;
} codes[EV_COUNT] = {
	[EV_SYN] = { EV_COUNT, offsetof(struct input_abilities, types) },
	[EV_KEY] = { KEY_COUNT, offsetof(struct input_abilities, keys) },
	[EV_REL] = { REL_COUNT, offsetof(struct input_abilities, rels) },
	[EV_ABS] = { ABS_COUNT, offsetof(struct input_abilities, axes) },
	[EV_MSC] = { MSC_COUNT, offsetof(struct input_abilities, misc) },
	[EV_SW] = { SW_COUNT, offsetof(struct input_abilities, switches) },
	[EV_LED] = { LED_COUNT, offsetof(struct input_abilities, leds) },
	[EV_SND] = { SND_COUNT, offsetof(struct input_abilities, sounds) },
	[EV_FF] = { FF_COUNT, offsetof(struct input_abilities, effects) },
};

uint32_t
input_code_count(uint32_t type)
{
	return type < EV_COUNT ? codes[type].count : 0;
}

uint64_t *
input_codes(struct input_device *d, uint32_t type, uint32_t *count)
{
	*count = input_code_count(type);
	return *count ? (uint64_t *)((char *)&d->can + codes[type].map) : NULL;
}

/* --- birth and death ------------------------------------------------------------------------------- */

struct input_device *
input_device_create(const struct input_device_ops *ops, void *private)
{
	struct input_device *d = kzalloc(sizeof(*d));

	if (!d)
		return NULL;
	ref_init(&d->refs);
	list_init(&d->node);
	list_init(&d->clients);
	spin_init(&d->lock, LOCK_INPUT_DEVICE);
	mutex_init(&d->clients_lock, LOCK_INPUT_CLIENTS);
	continuation_init(&d->repeater, input_repeat);
	d->ops = ops;
	d->private = private;
	d->number = atomic_fetch_add(&last_number, 1);
	return d;
}

void
input_device_put(struct input_device *d)
{
	if (!ref_put(&d->refs))
		return;
	d->ops->release(d);
	mouse_free(d->mouse);
	kvfree(d->packet);
	kvfree(d->slots);
	kvfree(d->effects);
	kfree(d->axes);
	kfree(d->name);
	kfree(d->phys);
	kfree(d->uniq);
	kfree(d);
}

int
input_device_make_axes(struct input_device *d)
{
	if (!d->axes)
		d->axes = kzalloc(ABS_COUNT * sizeof(d->axes[0]));
	return d->axes ? 0 : -ENOMEM;
}

int
input_device_make_slots(struct input_device *d, int32_t count)
{
	size_t size;

	if (count <= 0)
		return 0;
	if (count > SLOTS_MAX)
		return -EINVAL;
	size = sizeof(*d->slots) + (size_t)count * sizeof(d->slots->values[0]);
	d->slots = kvmalloc(size);
	if (!d->slots)
		return -ENOMEM;
	memset(d->slots, 0, size);
	d->slots->count = (uint32_t)count;
	for (int32_t i = 0; i < count; i++)
		d->slots->values[i][ABS_MT_TRACKING_ID - ABS_MT_FIRST] = -1;
	bit_set(d->can.axes, ABS_MT_SLOT, true);
	bit_set(d->can.axes, ABS_MT_TRACKING_ID, true);
	d->axes[ABS_MT_SLOT] = (struct input_axis){ .maximum = count - 1 };
	d->axes[ABS_MT_TRACKING_ID] = (struct input_axis){ .maximum = 0xffff };
	return 0;
}

/* --- registration ---------------------------------------------------------------------------------- */

static uint32_t
count_bits(const uint64_t *map, uint32_t count)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++)
		n += bit_is_set(map, i);
	return n;
}

/* How many fingers its packets may tell of. */
static uint32_t
finger_count(const struct input_device *d)
{
	int64_t ids;

	if (d->slots)
		return d->slots->count;
	if (d->axes && bit_is_set(d->can.axes, ABS_MT_TRACKING_ID)) {
		ids = (int64_t)d->axes[ABS_MT_TRACKING_ID].maximum - d->axes[ABS_MT_TRACKING_ID].minimum + 1;
		return (uint32_t)MIN(MAX(ids, (int64_t)2), (int64_t)32);
	}
	return bit_is_set(d->can.axes, ABS_MT_POSITION_X) ? 2 : 0;
}

#define OTHER_EVENTS 7u  /* of a packet: some keys, and what a device says of itself */
#define FINGERS_PLAIN 60u /* a packet of fingers without slots */

/* How many events a packet holds that tells of everything. */
static uint32_t
packet_size(const struct input_device *d)
{
	uint32_t fingers = finger_count(d), n = fingers + 1 + OTHER_EVENTS;

	for (uint32_t i = 0; bit_is_set(d->can.types, EV_ABS) && i < ABS_COUNT; i++)
		if (bit_is_set(d->can.axes, i))
			n += i >= ABS_MT_FIRST && i <= ABS_MT_LAST ? fingers : 1;
	if (bit_is_set(d->can.types, EV_REL))
		n += count_bits(d->can.rels, REL_COUNT);
	if (!d->slots && bit_is_set(d->can.types, EV_ABS) && bit_is_set(d->can.axes, ABS_MT_POSITION_X))
		n = MAX(n, FINGERS_PLAIN);
	return n;
}

/* Codes of types that it does not have. */
static void
clean_abilities(struct input_device *d)
{
	bit_set(d->can.types, EV_SYN, true);
	bit_set(d->can.keys, KEY_RESERVED, false);
	for (uint32_t type = 1; type < EV_COUNT; type++) {
		uint32_t count;
		uint64_t *map = input_codes(d, type, &count);

		if (map && !bit_is_set(d->can.types, type))
			memset(map, 0, WORDS(count) * sizeof(map[0]));
	}
}

/* The lowest free number in [low, high), or of those for more devices; 0: none. */
static uint32_t
take_minor(uint32_t low, uint32_t high)
{
	for (uint32_t i = low; i < MINOR_END; i = i + 1 == high ? MINOR_MORE : i + 1)
		if (!bit_is_set(minors, i)) {
			bit_set(minors, i, true);
			return i;
		}
	return 0;
}

static bool
number_node(struct input_node *n, const char *kind, uint32_t low, uint32_t high)
{
	n->kind = kind;
	n->minor = take_minor(low, high);
	snprintf(n->name, sizeof(n->name), "%s%u", kind, n->minor < high ? n->minor - low : n->minor);
	return n->minor != 0;
}

static void
free_minor(struct input_node *n)
{
	if (n->minor)
		bit_set(minors, n->minor, false);
}

/* What it needs to run, but for its names. */
static int
prepare(struct input_device *d)
{
	clean_abilities(d);
	d->packet_max = packet_size(d) + 2;
	d->packet = kvmalloc(d->packet_max * sizeof(d->packet[0]));
	if (!d->packet)
		return -ENOMEM;
	if (mouse_is_one(d)) {
		d->mouse = mouse_create(d);
		if (!d->mouse)
			return -ENOMEM;
	}
	if (!d->repeat[REP_DELAY] && !d->repeat[REP_PERIOD]) {
		d->repeat[REP_DELAY] = 250;
		d->repeat[REP_PERIOD] = 33;
	}
	return 0;
}

int
input_device_register(struct input_device *d)
{
	int error;

	if (bit_is_set(d->can.types, EV_ABS) && !d->axes)
		return -EINVAL;
	error = prepare(d);
	if (error)
		return error;
	mutex_lock(&input_lock);
	error = -ENFILE;
	if (!number_node(&d->event_node, "event", MINOR_EVENT, MINOR_EVENT_END) ||
	    (d->mouse && !number_node(&d->mouse_node, "mouse", MINOR_MOUSE, MINOR_MICE)))
		goto free_numbers;
	d->exists = true; /* nobody has it yet */
	error = input_names_add(d);
	if (error)
		goto free_numbers;
	input_device_get(d);
	list_add_tail(&input_devices, &d->node);
	mutex_unlock(&input_lock);
	return 0;
free_numbers:
	d->exists = false;
	free_minor(&d->event_node);
	free_minor(&d->mouse_node);
	mutex_unlock(&input_lock);
	return error;
}

void
input_device_remove(struct input_device *d)
{
	mutex_lock(&input_lock);
	list_del_init(&d->node);
	input_silence(d, true);
	input_names_remove(d);
	free_minor(&d->event_node);
	free_minor(&d->mouse_node);
	mutex_unlock(&input_lock);
	input_device_put(d);
}

struct input_device *
input_device_find(uint32_t minor, bool mouse)
{
	struct input_device *d, *found = NULL;

	mutex_lock(&input_lock);
	list_for_each(d, &input_devices, node)
		if (minor && minor == (mouse ? d->mouse_node.minor : d->event_node.minor))
			found = d;
	if (found)
		input_device_get(found);
	mutex_unlock(&input_lock);
	return found;
}

/* Numbers above those of each kind are given out to both. */
static int
open_any(struct inode *i, struct file *f)
{
	struct input_device *d = input_device_find(DEV_MINOR(i->rdev), false);

	if (d) {
		input_device_put(d);
		return evdev_open(i, f);
	}
	file_set_ops(f, &mouse_ops);
	return mouse_open(i, f);
}

void
input_dump(void)
{
	struct input_device *d;

	list_for_each(d, &input_devices, node)
		pr_info("input%u \"%s\": %s %s refs %u%s%s, %lu reports, %lu queues ran over\n", d->number,
			d->name ? d->name : "", d->event_node.name, d->mouse_node.name, ref_count(&d->refs),
			d->grab ? ", grabbed" : "", d->inhibited ? ", inhibited" : "", d->reports, d->drops);
}

void
input_init(void)
{
	int error = chrdev_register_range("event", DEV(MAJOR_INPUT, MINOR_EVENT), MINOR_EVENT_END - MINOR_EVENT,
					  &evdev_ops, evdev_open);

	if (!error)
		error = chrdev_register_range("mouse", DEV(MAJOR_INPUT, MINOR_MOUSE), MINOR_MICE - MINOR_MOUSE + 1,
					      &mouse_ops, mouse_open);
	if (!error)
		error = chrdev_register_range("input", DEV(MAJOR_INPUT, MINOR_MORE), MINOR_END - MINOR_MORE,
					      &evdev_ops, open_any);
	if (!error)
		error = sysfs_add_device("devices/virtual", "input", "input/mice", DEV(MAJOR_INPUT, MINOR_MICE), 0600);
	if (!error)
		error = devfs_add("input/mice", S_IFCHR | 0600, DEV(MAJOR_INPUT, MINOR_MICE));
	if (error)
		pr_warn("input: no memory\n");
	uinput_init();
}
