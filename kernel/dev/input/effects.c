/* SPDX-License-Identifier: MIT */
/*
 * effects.c - force feedback: effects that programs upload to a device and play by writing events.
 *
 * Each effect belongs to the open file that uploaded it and goes with it. effects->lock is held while the provider
 * is asked, so it hears of one thing at a time; when a file is closed it is only told, because whoever should answer
 * may be the one who closes.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "input.h"

int
effects_create(struct input_device *d, uint32_t count)
{
	size_t size = sizeof(*d->effects) + count * sizeof(d->effects->slots[0]);

	if (count > FF_EFFECTS_MAX)
		return -EINVAL;
	d->effects = kvmalloc(size);
	if (!d->effects)
		return -ENOMEM;
	memset(d->effects, 0, size);
	mutex_init(&d->effects->lock, LOCK_INPUT_EFFECTS);
	d->effects->count = count;
	memcpy(d->effects->true_ones, d->can.effects, sizeof(d->can.effects));
	bit_set(d->can.types, EV_FF, true);
	if (bit_is_set(d->can.effects, FF_PERIODIC))
		bit_set(d->can.effects, FF_RUMBLE, true);
	return 0;
}

static bool
is_possible(const struct input_device *d, const struct input_effect *e)
{
	if (e->type < FF_EFFECT_FIRST || e->type > FF_EFFECT_LAST || !bit_is_set(d->can.effects, e->type))
		return false;
	return e->type != FF_PERIODIC ||
	       (e->periodic.waveform >= FF_WAVE_FIRST && e->periodic.waveform <= FF_WAVE_LAST &&
		bit_is_set(d->can.effects, e->periodic.waveform));
}

/* A device that shakes only in waves: strong and weak become one. */
static int
make_of_others(const struct input_device *d, struct input_effect *e)
{
	uint32_t magnitude;

	if (bit_is_set(d->effects->true_ones, e->type))
		return 0;
	if (e->type != FF_RUMBLE || !bit_is_set(d->effects->true_ones, FF_PERIODIC))
		return -EINVAL;
	magnitude = e->rumble.strong / 3u + e->rumble.weak / 6u;
	e->type = FF_PERIODIC;
	memset(&e->periodic, 0, sizeof(e->periodic));
	e->periodic.waveform = FF_SINE;
	e->periodic.period = 50;
	e->periodic.magnitude = (int16_t)magnitude;
	return 0;
}

/* The slot of an effect of this client. */
static int
find_slot(struct input_effects *all, const struct evdev_client *c, int id, struct effect_slot **out)
{
	if (id < 0 || (uint32_t)id >= all->count || !all->slots[id].owner)
		return -EINVAL;
	if (all->slots[id].owner != c)
		return -EACCES;
	*out = &all->slots[id];
	return 0;
}

static int
take_slot(struct input_effects *all, struct input_effect *e, struct effect_slot **out)
{
	for (uint32_t id = 0; id < all->count; id++)
		if (!all->slots[id].owner) {
			e->id = (int16_t)id;
			*out = &all->slots[id];
			return 0;
		}
	return -ENOSPC;
}

static bool
is_same_kind(const struct input_effect *a, const struct input_effect *b)
{
	return a->type == b->type && (a->type != FF_PERIODIC || a->periodic.waveform == b->periodic.waveform);
}

/* Who owns it now; not if the file has been revoked, or the device taken away, meanwhile. */
static int
set_owner(struct input_device *d, struct effect_slot *s, const struct evdev_client *c)
{
	int error = 0;

	spin_lock(&d->lock);
	if (c && (c->revoked || !d->exists))
		error = -ENODEV;
	else
		s->owner = c;
	spin_unlock(&d->lock);
	return error;
}

int
effects_upload(struct input_device *d, const struct evdev_client *c, struct input_effect *e)
{
	struct input_effects *all = d->effects;
	struct effect_slot *s = NULL;
	bool is_new = e->id == -1;
	int error;

	if (!all)
		return -ENOSYS;
	if (!is_possible(d, e))
		return -EINVAL;
	error = make_of_others(d, e);
	if (!error)
		error = mutex_lock_interruptible(&all->lock);
	if (error)
		return error == -EINTR ? -ERESTARTSYS : error;
	error = is_new ? take_slot(all, e, &s) : find_slot(all, c, e->id, &s);
	if (!error && !is_new && !is_same_kind(e, &s->effect))
		error = -EINVAL;
	if (!error)
		error = d->ops->upload(d, e, is_new ? NULL : &s->effect);
	if (!error)
		error = set_owner(d, s, c);
	if (!error)
		s->effect = *e;
	mutex_unlock(&all->lock);
	return error;
}

static int
erase_locked(struct input_device *d, struct effect_slot *s, uint32_t id, bool wait)
{
	const struct evdev_client *owner = s->owner;
	int error;

	assert_mutex_held(&d->effects->lock);
	spin_lock(&d->lock);
	if (d->exists)
		d->ops->event(d, EV_FF, (uint16_t)id, 0); /* it stops */
	s->owner = NULL;
	spin_unlock(&d->lock);
	error = d->ops->erase(d, id, wait);
	if (error && wait)
		(void)set_owner(d, s, owner);
	return error;
}

int
effects_erase(struct input_device *d, const struct evdev_client *c, int id)
{
	struct effect_slot *s;
	int error;

	if (!d->effects)
		return -ENOSYS;
	if (mutex_lock_interruptible(&d->effects->lock))
		return -ERESTARTSYS;
	error = find_slot(d->effects, c, id, &s);
	if (!error)
		error = erase_locked(d, s, (uint32_t)id, true);
	mutex_unlock(&d->effects->lock);
	return error;
}

static bool
owns_any(struct input_device *d, const struct evdev_client *c)
{
	bool any = false;

	spin_lock(&d->lock);
	for (uint32_t id = 0; id < d->effects->count; id++)
		any |= d->effects->slots[id].owner == c;
	spin_unlock(&d->lock);
	return any;
}

/* The client is revoked: it gets no more. Who has none does not wait for a provider that others ask. */
void
effects_flush(struct input_device *d, const struct evdev_client *c)
{
	if (!d->effects || !owns_any(d, c))
		return;
	mutex_lock(&d->effects->lock);
	for (uint32_t id = 0; id < d->effects->count; id++)
		if (d->effects->slots[id].owner == c)
			(void)erase_locked(d, &d->effects->slots[id], id, false);
	mutex_unlock(&d->effects->lock);
}
