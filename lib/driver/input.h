/* SPDX-License-Identifier: MIT */
/*
 * input.h - an input device that this process provides, through /dev/uinput (linux/uinput.h).
 *
 * input_open(), then, where it is new, what it has (input_has()) and input_create(). Where the device manager has kept it
 * for us, it is there with its readers: input_open() lets go of all keys that a predecessor may have left pressed.
 *
 * Events gather in a packet, which input_sync() gives out.
 */
#ifndef DRIVER_INPUT_H
#define DRIVER_INPUT_H

#include <linux/input.h>

#include "driver.h"

#define INPUT_PACKET 32

struct input {
	struct watch watch;
	bool exists; /* it need not be made */
	unsigned used;
	struct input_event packet[INPUT_PACKET];
	/* What programs do to it: LEDs and the like. May be NULL. */
	void (*told)(struct input *i, unsigned type, unsigned code, int value);
};

/* From the manager (its `unit`th), or by ourselves. 0 or a negative errno, with a line in the log. */
int input_open(struct input *i, const struct driver_options *o, unsigned unit);
/* It has events of `type`, and this code of them; 0 is a code. */
void input_has(struct input *i, unsigned type, unsigned code);
/* Make it. 0 or a negative errno. */
int input_create(struct input *i, const char *name, const char *phys, const struct input_id *id);
/* Listen to programs: once confined, or before. */
int input_listen(struct input *i);
void input_emit(struct input *i, unsigned type, unsigned code, int value);
void input_sync(struct input *i);

#endif
