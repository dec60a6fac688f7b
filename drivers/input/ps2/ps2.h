/* SPDX-License-Identifier: MIT */
/*
 * ps2.h - the controller, its keyboard and its mouse, as the files of this driver see them.
 */
#ifndef PS2_H
#define PS2_H

#include "input.h"
#include "ps2_hw.h"

/*
 * Bytes for a device go out one at a time, each after the device has taken the one before (ANSWER_ACK), which it tells
 * through an interrupt like everything else. One that is not taken is sent again, a few times.
 */
#define QUEUE_MAX 16

struct ps2_port {
	bool mouse;	   /* it is the second one */
	bool there;	   /* something answers */
	uint8_t queue[QUEUE_MAX];
	unsigned queued;
	bool sent;	   /* queue[0] is under way */
	unsigned tries;
};

/* --- ps2.c */
extern struct device *ps2_device;
/* Queue bytes for a device; all or none. */
void ps2_send(struct ps2_port *p, const uint8_t *bytes, unsigned n);
/* While no interrupts come yet: send a byte and wait for the answer, which is it, or -1. */
int ps2_ask(struct ps2_port *p, uint8_t byte);
/* One more byte of an answer, or -1. */
int ps2_more(void);

/* --- keyboard.c */
extern struct ps2_port keyboard;
/* Find it and switch it on. `raw`: it speaks set 2, for the controller does not translate. */
int keyboard_begin(const struct driver_options *o, bool raw);
int keyboard_listen(void);
void keyboard_byte(uint8_t byte);

/* --- keymap.c: the key of a scan code of set 1 (`extended`: behind SCAN_EXTENDED), or 0. */
unsigned keymap_key(uint8_t code, bool extended);
/* Set 1's code of one of set 2, or 0. */
uint8_t keymap_set1(uint8_t code);

/* --- mouse.c */
extern struct ps2_port mouse;
int mouse_begin(const struct driver_options *o);
int mouse_listen(void);
void mouse_byte(uint8_t byte);

#endif
