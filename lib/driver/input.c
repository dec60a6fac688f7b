/* SPDX-License-Identifier: MIT */
/* input.c - an input device through /dev/uinput. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/uinput.h>

#include "input.h"
#include "log.h"
#include "manager.h"

/* All keys go up: those that are up already are no news. */
static void
release_keys(struct input *i)
{
	for (unsigned key = 1; key < KEY_CNT; key++) {
		input_emit(i, EV_KEY, key, 0);
		if (i->used == INPUT_PACKET - 1)
			input_sync(i);
	}
	input_sync(i);
}

int
input_open(struct input *i, const struct driver_options *o, unsigned unit)
{
	char name[32];
	int fd = o->manager_fd >= 0 ? manager_ask(o->manager_fd, MANAGER_WANTS_INPUT, unit) :
				      open("/dev/uinput", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		fd = o->manager_fd >= 0 ? fd : -errno;
		log_error("no /dev/uinput: %s", strerror(-fd));
		return fd;
	}
	i->watch.fd = fd;
	i->used = 0;
	i->exists = ioctl(fd, UI_GET_SYSNAME(sizeof(name)), name) > 0;
	if (i->exists) {
		log_info("going on with %s", name);
		release_keys(i);
	}
	return 0;
}

void
input_has(struct input *i, unsigned type, unsigned code)
{
	static const unsigned long commands[EV_CNT] = {
		[EV_KEY] = UI_SET_KEYBIT, [EV_REL] = UI_SET_RELBIT, [EV_ABS] = UI_SET_ABSBIT, [EV_MSC] = UI_SET_MSCBIT,
		[EV_LED] = UI_SET_LEDBIT, [EV_SND] = UI_SET_SNDBIT, [EV_SW] = UI_SET_SWBIT,
	};

	if (ioctl(i->watch.fd, UI_SET_EVBIT, type) < 0 || (commands[type] && ioctl(i->watch.fd, commands[type], code) < 0))
		log_error("uinput does not take code %u of type %u: %s", code, type, strerror(errno));
}

int
input_create(struct input *i, const char *name, const char *phys, const struct input_id *id)
{
	struct uinput_setup setup = { .id = *id };

	strncpy(setup.name, name, sizeof(setup.name) - 1);
	if (ioctl(i->watch.fd, UI_SET_PHYS, phys) < 0 || ioctl(i->watch.fd, UI_DEV_SETUP, &setup) < 0 ||
		ioctl(i->watch.fd, UI_DEV_CREATE) < 0) {
		log_error("uinput does not make \"%s\": %s", name, strerror(errno));
		return -errno;
	}
	i->exists = true;
	return 0;
}

static void
heard(struct watch *w)
{
	struct input *i = container_of(w, struct input, watch);
	struct input_event e;

	while (read(w->fd, &e, sizeof(e)) == sizeof(e))
		if (i->told)
			i->told(i, e.type, e.code, e.value);
}

int
input_listen(struct input *i)
{
	i->watch.ready = heard;
	return loop_watch(&i->watch);
}

void
input_emit(struct input *i, unsigned type, unsigned code, int value)
{
	if (i->used < INPUT_PACKET - 1)
		i->packet[i->used++] = (struct input_event){ .type = type, .code = code, .value = value };
}

void
input_sync(struct input *i)
{
	if (!i->used)
		return;
	i->packet[i->used++] = (struct input_event){ .type = EV_SYN, .code = SYN_REPORT };
	if (write(i->watch.fd, i->packet, i->used * sizeof(i->packet[0])) < 0)
		log_error("uinput takes no events: %s", strerror(errno));
	i->used = 0;
}
