/* SPDX-License-Identifier: MIT */
/*
 * input.h - keyboards, mice and what else people touch: devices that programs provide through /dev/uinput, and that
 * programs read from /dev/input.
 */
#ifndef TESSERA_INPUT_H
#define TESSERA_INPUT_H

struct text;

void input_init(void);
void input_dump(void); /* all devices to the log, no locks */
/* /proc/bus/input/devices and handlers. */
void input_show_devices(struct text *t);
void input_show_handlers(struct text *t);

#endif
