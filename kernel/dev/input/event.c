/* SPDX-License-Identifier: MIT */
/*
 * event.c - what happens to an input device: which events are news, whom they concern, and keys that repeat.
 *
 * Events gather in device->packet until a report (SYN_REPORT) ends the packet, which is then given to all readers at
 * once, with one time. What does not change the state of the device is no event: a key that is down already, an axis
 * that has not moved by more than its fuzz. A packet that outgrows its room is given out in parts.
 *
 * For a device with slots, ABS_MT_SLOT only says which finger the next values are about, and is sent when such a value
 * has changed.
 *
 * Readers are woken with device->lock held; those who asked for signals get them afterwards, by input_tell().
 */
#include <tessera/errno.h>
#include <tessera/time.h>

#include "input.h"

/* Where an event goes. */
#define TO_READERS  BIT(0)
#define TO_PROVIDER BIT(1)
#define TO_ALL      (TO_READERS | TO_PROVIDER)
#define WITH_SLOT   BIT(2) /* say first which finger it is */
#define FLUSH       BIT(3) /* the packet is whole */

static bool
can(const uint64_t *map, uint32_t count, uint32_t code)
{
	return code < count && bit_is_set(map, code);
}

/* --- keys that repeat -------------------------------------------------------------------------------- */

static bool
repeats(const struct input_device *d)
{
	return bit_is_set(d->can.types, EV_REP) && d->repeat[REP_DELAY] > 0 && d->repeat[REP_PERIOD] > 0;
}

static void
arm(struct input_device *d)
{
	input_device_get(d);
	d->repeat_armed = true;
	continuation_run_when(&d->repeater, NULL, d->repeat_at);
}

/* With the reference that the caller is to drop, without the lock: it is not the last. */
static void
disarm(struct input_device *d)
{
	if (d->repeat_armed && continuation_cancel(&d->repeater)) {
		d->repeat_armed = false;
		ref_put(&d->refs); /* whoever calls has another */
	}
}

/* Where it is under way already (it waits for the lock), it sees the new time and waits again. */
static void
start_repeat(struct input_device *d, uint16_t key)
{
	if (!repeats(d))
		return;
	disarm(d);
	d->repeat_key = key;
	d->repeat_at = deadline_after((uint64_t)d->repeat[REP_DELAY] * NSEC_PER_MSEC);
	if (!d->repeat_armed)
		arm(d);
}

/* --- a packet ------------------------------------------------------------------------------------------ */

static void
give(struct input_device *d)
{
	struct input_time now = { { clock_realtime_ns(), clock_monotonic_ns(), 0 } };
	uint32_t n = d->packet_used;
	struct evdev_client *c;

	now.ns[INPUT_BOOTTIME] = now.ns[INPUT_MONOTONIC];
	d->packet_used = 0;
	d->reports++;
	if (d->grab) {
		evdev_pass(d->grab, d->packet, n, &now);
	} else {
		list_for_each(c, &d->clients, node)
			evdev_pass(c, d->packet, n, &now);
		if (d->mouse && mouse_pass(d->mouse, d->packet, n))
			d->tell = true;
	}
	for (uint32_t i = 0; bit_is_set(d->can.types, EV_REP) && i < n; i++) {
		if (d->packet[i].type != EV_KEY || d->packet[i].value == 2)
			continue;
		if (d->packet[i].value)
			start_repeat(d, d->packet[i].code);
		else
			disarm(d);
	}
}

static void
put(struct input_device *d, uint16_t type, uint16_t code, int32_t value)
{
	d->packet[d->packet_used++] = (struct input_value){ type, code, value };
}

/* --- which events are news ------------------------------------------------------------------------------- */

static int32_t
without_noise(int32_t value, int32_t old, int32_t fuzz)
{
	int64_t v = value, o = old, f = fuzz;

	if (!f)
		return value;
	if (v > o - f / 2 && v < o + f / 2)
		return old;
	if (v > o - f && v < o + f)
		return (int32_t)((o * 3 + v) / 4);
	if (v > o - f * 2 && v < o + f * 2)
		return (int32_t)((o + v) / 2);
	return value;
}

static unsigned int
judge_axis(struct input_device *d, uint16_t code, int32_t *value)
{
	bool finger = code >= ABS_MT_FIRST && code <= ABS_MT_LAST, other_slot = false;
	int32_t *at = NULL;

	if (code == ABS_MT_SLOT) {
		if (d->slots && *value >= 0 && (uint32_t)*value < d->slots->count)
			d->slots->at = (uint32_t)*value;
		return 0;
	}
	if (!finger) {
		at = &d->axes[code].value;
	} else if (d->slots) {
		at = &d->slots->values[d->slots->at][code - ABS_MT_FIRST];
		other_slot = (int32_t)d->slots->at != d->axes[ABS_MT_SLOT].value;
	}
	if (at) { /* fingers without slots are told anew in each packet */
		*value = without_noise(*value, *at, d->axes[code].fuzz);
		if (*at == *value)
			return 0;
		*at = *value;
	}
	if (!other_slot)
		return TO_READERS;
	d->axes[ABS_MT_SLOT].value = (int32_t)d->slots->at;
	return TO_READERS | WITH_SLOT;
}

static unsigned int
judge_key(struct input_device *d, uint16_t code, int32_t value)
{
	if (!can(d->can.keys, KEY_COUNT, code))
		return 0;
	if (value == 2) /* it repeats */
		return TO_READERS;
	if (bit_is_set(d->keys_down, code) == !!value)
		return 0;
	bit_set(d->keys_down, code, value);
	return TO_READERS;
}

static unsigned int
judge_repeat(struct input_device *d, uint16_t code, int32_t value)
{
	if (code >= REP_COUNT || value < 0 || d->repeat[code] == value)
		return 0;
	d->repeat[code] = value;
	return TO_ALL;
}

/* One bit of state; `to` when it changes. */
static unsigned int
judge_bit(uint64_t *state, uint16_t code, int32_t value, unsigned int to)
{
	if (bit_is_set(state, code) == !!value)
		return 0;
	bit_set(state, code, value);
	return to;
}

static unsigned int
judge_report(uint16_t code)
{
	switch (code) {
	case SYN_CONFIG:
		return TO_ALL;
	case SYN_REPORT:
		return TO_READERS | FLUSH;
	case SYN_MT_REPORT:
		return TO_READERS;
	}
	return 0;
}

/* Bring the state up to date and say who is to know. */
static unsigned int
judge(struct input_device *d, uint16_t type, uint16_t code, int32_t *value)
{
	switch (type) {
	case EV_SYN:
		return judge_report(code);
	case EV_KEY:
		return judge_key(d, code, *value);
	case EV_REL:
		return can(d->can.rels, REL_COUNT, code) && *value ? TO_READERS : 0;
	case EV_ABS:
		return can(d->can.axes, ABS_COUNT, code) ? judge_axis(d, code, value) : 0;
	case EV_MSC:
		return can(d->can.misc, MSC_COUNT, code) ? TO_ALL : 0;
	case EV_SW:
		return can(d->can.switches, SW_COUNT, code) ? judge_bit(d->switches_on, code, *value, TO_READERS) : 0;
	case EV_LED:
		return can(d->can.leds, LED_COUNT, code) ? judge_bit(d->leds_on, code, *value, TO_ALL) : 0;
	case EV_SND:
		if (!can(d->can.sounds, SND_COUNT, code))
			return 0;
		judge_bit(d->sounds_on, code, *value, 0);
		return TO_ALL;
	case EV_REP:
		return judge_repeat(d, code, *value);
	case EV_FF:
		return *value >= 0 ? TO_ALL : 0;
	case EV_PWR:
		return TO_ALL;
	}
	return 0;
}

static void
handle_locked(struct input_device *d, uint16_t type, uint16_t code, int32_t value)
{
	unsigned int where;

	assert_held(&d->lock);
	if (!d->exists || d->inhibited || !can(d->can.types, EV_COUNT, type))
		return;
	where = judge(d, type, code, &value);
	if (where & TO_PROVIDER)
		d->ops->event(d, type, code, value);
	if (where & WITH_SLOT)
		put(d, EV_ABS, ABS_MT_SLOT, (int32_t)d->slots->at);
	if (where & TO_READERS)
		put(d, type, code, value);
	if (where & FLUSH) {
		if (d->packet_used > 1)
			give(d);
		d->packet_used = 0;
	} else if (d->packet_used >= d->packet_max - 2) {
		put(d, EV_SYN, SYN_REPORT, 1);
		give(d);
	}
}

/* --- doors --------------------------------------------------------------------------------------------- */

void
input_tell(struct input_device *d)
{
	struct evdev_client *c;
	bool due;

	if (likely(!READ_ONCE(d->tell)))
		return;
	spin_lock(&d->lock);
	d->tell = false;
	spin_unlock(&d->lock);
	mutex_lock(&d->clients_lock);
	list_for_each(c, &d->clients, node) {
		spin_lock(&d->lock);
		due = c->tell;
		c->tell = false;
		spin_unlock(&d->lock);
		if (due)
			async_tell(&c->async, READ_ONCE(d->exists) ? ASYNC_IN : ASYNC_HUP);
	}
	mutex_unlock(&d->clients_lock);
	if (d->mouse)
		mouse_tell(d->mouse);
}

void
input_event(struct input_device *d, uint16_t type, uint16_t code, int32_t value)
{
	spin_lock(&d->lock);
	handle_locked(d, type, code, value);
	spin_unlock(&d->lock);
	input_tell(d);
}

void
input_repeat(struct continuation *c)
{
	struct input_device *d = container_of(c, struct input_device, repeater);

	spin_lock(&d->lock);
	d->repeat_armed = false;
	if (d->exists && !d->inhibited && repeats(d) && bit_is_set(d->keys_down, d->repeat_key)) {
		if (clock_monotonic_ns() >= d->repeat_at) {
			handle_locked(d, EV_KEY, d->repeat_key, 2);
			handle_locked(d, EV_SYN, SYN_REPORT, 1);
			d->repeat_at = deadline_after((uint64_t)d->repeat[REP_PERIOD] * NSEC_PER_MSEC);
		}
		arm(d);
	}
	spin_unlock(&d->lock);
	input_tell(d);
	input_device_put(d);
}

void
input_silence(struct input_device *d, bool gone)
{
	struct evdev_client *c;
	bool any = false;

	spin_lock(&d->lock);
	for (uint32_t key = 0; key < KEY_COUNT; key++)
		if (bit_is_set(d->keys_down, key)) {
			handle_locked(d, EV_KEY, (uint16_t)key, 0);
			any = true;
		}
	if (any)
		handle_locked(d, EV_SYN, SYN_REPORT, 1);
	disarm(d);
	if (gone) {
		d->exists = false;
		d->grab = NULL;
		d->tell = true;
		list_for_each(c, &d->clients, node) {
			c->tell = true;
			wake_all(&c->wait);
		}
		if (d->mouse)
			mouse_gone(d->mouse);
	} else {
		d->inhibited = true;
	}
	spin_unlock(&d->lock);
	input_tell(d);
}
