/* SPDX-License-Identifier: MIT */
/*
 * keyboard.c - scan codes become keys; LEDs.
 *
 * A key that is held comes again and again from the keyboard; the kernel makes its own repetition, with times that
 * programs set, so these are dropped, and the keyboard is told to send as few as it can.
 */
#include <string.h>

#include "log.h"
#include "ps2.h"

#define SCAN_BIT 0x80 /* of MSC_SCAN: the code is an extended one */

struct ps2_port keyboard;

static struct {
	struct input input;
	bool raw;	  /* set 2 */
	bool extended, up; /* what came before the code says so */
	unsigned skip;	  /* codes of a Pause that are left */
	uint8_t leds;
	uint8_t down[KEY_CNT / 8];
} board;

static void
told(struct input *i, unsigned type, unsigned code, int value)
{
	static const uint8_t bits[] = { [LED_NUML] = KBD_LED_NUM, [LED_CAPSL] = KBD_LED_CAPS, [LED_SCROLLL] = KBD_LED_SCROLL };

	if (type != EV_LED || code > LED_SCROLLL)
		return;
	board.leds = value ? board.leds | bits[code] : board.leds & ~bits[code];
	ps2_send(&keyboard, (const uint8_t[]){ KBD_LEDS, board.leds }, 2);
}

static int
make_device(void)
{
	static const struct input_id id = { .bustype = BUS_I8042, .vendor = 1, .product = 1, .version = 0xab41 };
	struct input *i = &board.input;

	for (unsigned code = 0; code < 128; code++)
		for (unsigned extended = 0; extended < 2; extended++)
			if (keymap_key(code, extended))
				input_has(i, EV_KEY, keymap_key(code, extended));
	input_has(i, EV_MSC, MSC_SCAN);
	input_has(i, EV_LED, LED_NUML);
	input_has(i, EV_LED, LED_CAPSL);
	input_has(i, EV_LED, LED_SCROLLL);
	input_has(i, EV_REP, 0);
	return input_create(i, "PS/2 keyboard", "isa0060/serio0/input0", &id);
}

int
keyboard_begin(const struct driver_options *o, bool raw)
{
	int error;

	board.raw = raw;
	keyboard.there = ps2_ask(&keyboard, DEV_OFF) == ANSWER_ACK;
	if (!keyboard.there) {
		log_info("no keyboard answers");
		return 0;
	}
	if (ps2_ask(&keyboard, KBD_SCAN_SET) == ANSWER_ACK)
		(void)ps2_ask(&keyboard, 2);
	if (ps2_ask(&keyboard, DEV_SET_RATE) == ANSWER_ACK)
		(void)ps2_ask(&keyboard, KBD_SLOWEST);
	(void)ps2_ask(&keyboard, DEV_ON);
	board.input.told = told;
	error = input_open(&board.input, o, 0);
	if (error || board.input.exists)
		return error;
	return make_device();
}

int
keyboard_listen(void)
{
	return keyboard.there ? input_listen(&board.input) : 0;
}

static void
key(uint8_t code, bool extended, bool down)
{
	unsigned key = keymap_key(code, extended);
	bool was = key && board.down[key / 8] >> key % 8 & 1;

	if (key && was == down)
		return; /* it is held */
	input_emit(&board.input, EV_MSC, MSC_SCAN, code | (extended ? SCAN_BIT : 0));
	if (key) {
		board.down[key / 8] ^= 1 << key % 8;
		input_emit(&board.input, EV_KEY, key, down);
	}
	input_sync(&board.input);
}

/* Of set 1, its highest bit taken off. */
static void
code(uint8_t code, bool down)
{
	bool extended = board.extended;

	board.extended = false;
	if (board.skip) {
		/* Ctrl and Num, going down together, in this order, only from this key. */
		if (--board.skip == 0)
			key(0x46, true, down);
		return;
	}
	if (extended && (code == 0x2a || code == 0x36)) /* no key: KBD, "shift states" */
		return;
	key(code, extended, down);
}

void
keyboard_byte(uint8_t byte)
{
	bool up;
	uint8_t set1;

	if (byte == SCAN_EXTENDED) {
		board.extended = true;
		return;
	}
	if (byte == SCAN_PAUSE) {
		board.skip = 2;
		return;
	}
	if (!board.raw) {
		code(byte & ~SCAN_UP, !(byte & SCAN_UP));
		return;
	}
	if (byte == SCAN_BREAK) {
		board.up = true;
		return;
	}
	up = board.up;
	board.up = false;
	set1 = keymap_set1(byte);
	if (set1)
		code(set1, !up);
	else
		log_debug("scan code 0x%02x is no key", byte);
}
