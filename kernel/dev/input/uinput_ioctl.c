/* SPDX-License-Identifier: MIT */
/*
 * uinput_ioctl.c - the commands of /dev/uinput: a device described bit by bit, made, destroyed; answers about effects.
 */
#include <tessera/errno.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

#include "uinput.h"

#define PHYS_MAX 1024

static long
set_up(struct uinput *u, const void __user *from)
{
	struct linux_uinput_setup in;
	struct input_device *d = u->device;
	char *name;

	if (u->state == UINPUT_CREATED)
		return -EINVAL;
	if (copy_from_user(&in, from, sizeof(in)))
		return -EFAULT;
	if (!in.name[0])
		return -EINVAL;
	in.name[UINPUT_NAME_SIZE - 1] = '\0';
	name = kstrdup(in.name);
	if (!name)
		return -ENOMEM;
	kfree(d->name);
	d->name = name;
	d->id = in.id;
	u->effects_max = in.effects_max;
	WRITE_ONCE(u->state, UINPUT_SET_UP);
	return 0;
}

/* `size`: of the caller's struct, which may end early. */
static long
set_up_axis(struct uinput *u, const void __user *from, uint32_t size)
{
	struct linux_uinput_abs_setup in = { 0 };
	long error;

	if (size > sizeof(in))
		return -E2BIG;
	if (u->state == UINPUT_CREATED)
		return -EINVAL;
	if (copy_from_user(&in, from, size))
		return -EFAULT;
	if (in.code >= ABS_COUNT)
		return -ERANGE;
	error = uinput_check_axis(in.code, &in.axis);
	if (!error)
		error = input_device_make_axes(u->device);
	if (error)
		return error;
	bit_set(u->device->can.axes, in.code, true);
	u->device->axes[in.code] = in.axis;
	return 0;
}

static long
set_phys(struct uinput *u, const char __user *from)
{
	char *phys;
	long n;

	if (u->state == UINPUT_CREATED)
		return -EINVAL;
	phys = kmalloc(PHYS_MAX, 0);
	if (!phys)
		return -ENOMEM;
	n = copy_string_from_user(phys, from, PHYS_MAX);
	if (n < 0) {
		kfree(phys);
		return n == -ENAMETOOLONG ? -EINVAL : n;
	}
	kfree(u->device->phys);
	u->device->phys = phys;
	return 0;
}

/* The bitmap that a command sets a bit of, and its size; NULL: it is another command. */
static uint64_t *
map_of(struct input_abilities *can, unsigned int command, uint32_t *count)
{
	static const struct {
		unsigned int command;
		uint32_t count;
		size_t at;
	} maps[] = {
		{ UI_SET_EVBIT, EV_COUNT, offsetof(struct input_abilities, types) },
		{ UI_SET_KEYBIT, KEY_COUNT, offsetof(struct input_abilities, keys) },
		{ UI_SET_RELBIT, REL_COUNT, offsetof(struct input_abilities, rels) },
		{ UI_SET_ABSBIT, ABS_COUNT, offsetof(struct input_abilities, axes) },
		{ UI_SET_MSCBIT, MSC_COUNT, offsetof(struct input_abilities, misc) },
		{ UI_SET_LEDBIT, LED_COUNT, offsetof(struct input_abilities, leds) },
		{ UI_SET_SNDBIT, SND_COUNT, offsetof(struct input_abilities, sounds) },
		{ UI_SET_FFBIT, FF_COUNT, offsetof(struct input_abilities, effects) },
		{ UI_SET_SWBIT, SW_COUNT, offsetof(struct input_abilities, switches) },
		{ UI_SET_PROPBIT, PROP_COUNT, offsetof(struct input_abilities, properties) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		if (maps[i].command == command) {
			*count = maps[i].count;
			return (uint64_t *)((char *)can + maps[i].at);
		}
	return NULL;
}

static long
set_bit(struct uinput *u, uint64_t *map, uint32_t count, uintptr_t arg)
{
	if (u->state == UINPUT_CREATED || arg >= count)
		return -EINVAL;
	bit_set(map, (uint32_t)arg, true);
	return 0;
}

/* The name in /sys; cut where it does not fit, with its end. */
static long
give_name(struct uinput *u, char __user *to, uint32_t size)
{
	char name[24];
	size_t n;

	if (u->state != UINPUT_CREATED)
		return -ENOENT;
	if (!size)
		return -EINVAL;
	snprintf(name, sizeof(name), "input%u", u->device->number);
	n = MIN(strlen(name) + 1, (size_t)size);
	name[n - 1] = '\0';
	return copy_to_user(to, name, n) ? -EFAULT : (long)n;
}

/* --- effects ------------------------------------------------------------------------------------------- */

static long
begin_upload(struct uinput *u, struct linux_uinput_upload __user *inout)
{
	struct linux_uinput_upload up;
	struct uinput_request r;

	if (copy_from_user(&up, inout, sizeof(up)))
		return -EFAULT;
	if (uinput_look(u, up.request, UI_FF_UPLOAD, &r))
		return -EINVAL;
	up.result = 0;
	up.effect = r.effect;
	up.old = r.old;
	return copy_to_user(inout, &up, sizeof(up));
}

static long
end_upload(struct uinput *u, const struct linux_uinput_upload __user *from)
{
	struct linux_uinput_upload up;

	if (copy_from_user(&up, from, sizeof(up)))
		return -EFAULT;
	return uinput_answer(u, up.request, UI_FF_UPLOAD, up.result);
}

static long
begin_erase(struct uinput *u, struct linux_uinput_erase __user *inout)
{
	struct linux_uinput_erase e;
	struct uinput_request r;

	if (copy_from_user(&e, inout, sizeof(e)))
		return -EFAULT;
	if (uinput_look(u, e.request, UI_FF_ERASE, &r))
		return -EINVAL;
	e.result = 0;
	e.effect = r.erase;
	return copy_to_user(inout, &e, sizeof(e));
}

static long
end_erase(struct uinput *u, const struct linux_uinput_erase __user *from)
{
	struct linux_uinput_erase e;

	if (copy_from_user(&e, from, sizeof(e)))
		return -EFAULT;
	return uinput_answer(u, e.request, UI_FF_ERASE, e.result);
}

/* --- which command it is ------------------------------------------------------------------------------- */

static long
sized_command(struct uinput *u, unsigned int command, uint32_t size, void __user *p)
{
	if (command == UI_GET_SYSNAME)
		return give_name(u, p, size);
	if (command == UI_ABS_SETUP)
		return set_up_axis(u, p, size);
	return -EINVAL;
}

static long
command_locked(struct uinput *u, unsigned int command, uintptr_t arg)
{
	void __user *p = (void __user *)arg;
	uint32_t count;
	uint64_t *map;

	if (!uinput_device_locked(u))
		return -ENOMEM;
	map = map_of(&u->device->can, command, &count);
	if (map)
		return set_bit(u, map, count, arg);
	switch (command) {
	case UI_GET_VERSION:
		return put_user(UINPUT_VERSION, (uint32_t __user *)p);
	case UI_DEV_CREATE:
		return uinput_create_locked(u);
	case UI_DEV_DESTROY:
		uinput_destroy_locked(u);
		return 0;
	case UI_DEV_SETUP:
		return set_up(u, p);
	case UI_SET_PHYS:
		return set_phys(u, p);
	case UI_BEGIN_FF_UPLOAD:
		return begin_upload(u, p);
	case UI_END_FF_UPLOAD:
		return end_upload(u, p);
	case UI_BEGIN_FF_ERASE:
		return begin_erase(u, p);
	case UI_END_FF_ERASE:
		return end_erase(u, p);
	}
	return sized_command(u, command & ~IOC_SIZE_MASK, command >> IOC_SIZE_SHIFT & 0x3fff, p);
}

long
uinput_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	struct uinput *u = f->private;
	long result;

	if (mutex_lock_interruptible(&u->lock))
		return -EINTR;
	result = command_locked(u, command, arg);
	mutex_unlock(&u->lock);
	return result;
}
