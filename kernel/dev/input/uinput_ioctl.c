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

/* What a command takes and gives: copied in before, and out behind u->lock. */
struct argument {
	union {
		struct linux_uinput_setup setup;
		struct linux_uinput_abs_setup axis;
		struct linux_uinput_upload upload;
		struct linux_uinput_erase erase;
		char name[24];
		uint32_t version;
	};
	char *phys;
	int fault;    /* what copying it in gave, for the command to say when its turn comes */
	size_t given; /* bytes to copy out */
};

static long
set_up(struct uinput *u, struct argument *a)
{
	struct linux_uinput_setup *in = &a->setup;
	struct input_device *d = u->device;
	char *name;

	if (u->state == UINPUT_CREATED)
		return -EINVAL;
	if (a->fault)
		return a->fault;
	if (!in->name[0])
		return -EINVAL;
	in->name[UINPUT_NAME_SIZE - 1] = '\0';
	name = kstrdup(in->name);
	if (!name)
		return -ENOMEM;
	kfree(d->name);
	d->name = name;
	d->id = in->id;
	u->effects_max = in->effects_max;
	WRITE_ONCE(u->state, UINPUT_SET_UP);
	return 0;
}

/* `size`: of the caller's struct, which may end early. */
static long
set_up_axis(struct uinput *u, const struct argument *a, uint32_t size)
{
	const struct linux_uinput_abs_setup *in = &a->axis;
	long error;

	if (size > sizeof(*in))
		return -E2BIG;
	if (u->state == UINPUT_CREATED)
		return -EINVAL;
	if (a->fault)
		return a->fault;
	if (in->code >= ABS_COUNT)
		return -ERANGE;
	error = uinput_check_axis(in->code, &in->axis);
	if (!error)
		error = input_device_make_axes(u->device);
	if (error)
		return error;
	bit_set(u->device->can.axes, in->code, true);
	u->device->axes[in->code] = in->axis;
	return 0;
}

static long
set_phys(struct uinput *u, struct argument *a)
{
	if (u->state == UINPUT_CREATED)
		return -EINVAL;
	if (a->fault)
		return a->fault;
	kfree(u->device->phys);
	u->device->phys = a->phys;
	a->phys = NULL;
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
give_name(struct uinput *u, struct argument *a, uint32_t size)
{
	if (u->state != UINPUT_CREATED)
		return -ENOENT;
	if (!size)
		return -EINVAL;
	snprintf(a->name, sizeof(a->name), "input%u", u->device->number);
	a->given = MIN(strlen(a->name) + 1, (size_t)size);
	a->name[a->given - 1] = '\0';
	return (long)a->given;
}

/* --- effects ------------------------------------------------------------------------------------------- */

static long
begin_upload(struct uinput *u, struct argument *a)
{
	struct linux_uinput_upload *up = &a->upload;
	struct uinput_request r;

	if (a->fault)
		return a->fault;
	if (uinput_look(u, up->request, UI_FF_UPLOAD, &r))
		return -EINVAL;
	up->result = 0;
	up->effect = r.effect;
	up->old = r.old;
	a->given = sizeof(*up);
	return 0;
}

static long
end_upload(struct uinput *u, const struct argument *a)
{
	return a->fault ? a->fault : uinput_answer(u, a->upload.request, UI_FF_UPLOAD, a->upload.result);
}

static long
begin_erase(struct uinput *u, struct argument *a)
{
	struct linux_uinput_erase *e = &a->erase;
	struct uinput_request r;

	if (a->fault)
		return a->fault;
	if (uinput_look(u, e->request, UI_FF_ERASE, &r))
		return -EINVAL;
	e->result = 0;
	e->effect = r.erase;
	a->given = sizeof(*e);
	return 0;
}

static long
end_erase(struct uinput *u, const struct argument *a)
{
	return a->fault ? a->fault : uinput_answer(u, a->erase.request, UI_FF_ERASE, a->erase.result);
}

/* --- which command it is ------------------------------------------------------------------------------- */

#define SIZED(command) ((command) & ~IOC_SIZE_MASK)

static uint32_t
size_of(unsigned int command)
{
	return command >> IOC_SIZE_SHIFT & 0x3fff;
}

static int
copy_phys_in(struct argument *a, const char __user *from)
{
	long n;

	a->phys = kmalloc(PHYS_MAX, 0);
	if (!a->phys)
		return -ENOMEM;
	n = copy_string_from_user(a->phys, from, PHYS_MAX);
	return n == -ENAMETOOLONG ? -EINVAL : n < 0 ? (int)n : 0;
}

static void
copy_in(struct argument *a, unsigned int command, const void __user *from)
{
	size_t n = 0;

	if (command == UI_DEV_SETUP)
		n = sizeof(a->setup);
	else if (command == UI_BEGIN_FF_UPLOAD || command == UI_END_FF_UPLOAD)
		n = sizeof(a->upload);
	else if (command == UI_BEGIN_FF_ERASE || command == UI_END_FF_ERASE)
		n = sizeof(a->erase);
	else if (SIZED(command) == UI_ABS_SETUP)
		n = MIN((size_t)size_of(command), sizeof(a->axis));
	memset(a, 0, sizeof(*a));
	if (n && copy_from_user(&a->setup, from, n))
		a->fault = -EFAULT;
	if (command == UI_SET_PHYS)
		a->fault = copy_phys_in(a, from);
}

static long
sized_command(struct uinput *u, unsigned int command, struct argument *a)
{
	if (SIZED(command) == UI_GET_SYSNAME)
		return give_name(u, a, size_of(command));
	if (SIZED(command) == UI_ABS_SETUP)
		return set_up_axis(u, a, size_of(command));
	return -EINVAL;
}

static long
command_locked(struct uinput *u, unsigned int command, uintptr_t arg, struct argument *a)
{
	uint32_t count;
	uint64_t *map;

	if (!uinput_device_locked(u))
		return -ENOMEM;
	map = map_of(&u->device->can, command, &count);
	if (map)
		return set_bit(u, map, count, arg);
	switch (command) {
	case UI_GET_VERSION:
		a->version = UINPUT_VERSION;
		a->given = sizeof(a->version);
		return 0;
	case UI_DEV_CREATE:
		return uinput_create_locked(u);
	case UI_DEV_DESTROY:
		uinput_destroy_locked(u);
		return 0;
	case UI_DEV_SETUP:
		return set_up(u, a);
	case UI_SET_PHYS:
		return set_phys(u, a);
	case UI_BEGIN_FF_UPLOAD:
		return begin_upload(u, a);
	case UI_END_FF_UPLOAD:
		return end_upload(u, a);
	case UI_BEGIN_FF_ERASE:
		return begin_erase(u, a);
	case UI_END_FF_ERASE:
		return end_erase(u, a);
	}
	return sized_command(u, command, a);
}

long
uinput_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	void __user *p = (void __user *)arg;
	struct uinput *u = f->private;
	struct argument a;
	long result = -EINTR;

	copy_in(&a, command, p);
	if (mutex_lock_interruptible(&u->lock) == 0) {
		result = command_locked(u, command, arg, &a);
		mutex_unlock(&u->lock);
	}
	if (a.given && copy_to_user(p, &a.setup, a.given))
		result = -EFAULT;
	kfree(a.phys);
	return result;
}
