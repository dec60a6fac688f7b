/* SPDX-License-Identifier: MIT */
/*
 * mouse.c - a mouse of two or three buttons, with a wheel (IntelliMouse), or with five buttons: packets become motions.
 */
#include <time.h>

#include "log.h"
#include "ps2.h"

#define GAP_MS 100 /* the bytes of a packet follow each other faster */

struct ps2_port mouse = { .mouse = true };

static struct {
	struct input input;
	int id;
	uint8_t packet[4];
	unsigned count;
	uint64_t last; /* when the last byte came, in ms */
} pointer;

static int
set_rates(uint8_t a, uint8_t b, uint8_t c)
{
	const uint8_t rates[] = { a, b, c };

	for (unsigned i = 0; i < 3; i++)
		if (ps2_ask(&mouse, DEV_SET_RATE) != ANSWER_ACK || ps2_ask(&mouse, rates[i]) != ANSWER_ACK)
			return -1;
	return ps2_ask(&mouse, MOUSE_ID) == ANSWER_ACK ? ps2_more() : -1;
}

static int
make_device(void)
{
	static const unsigned products[] = { 1, 0, 0, 5, 6 }; /* as others call them */
	static const char *const names[] = { "PS/2 mouse", "", "", "PS/2 wheel mouse", "PS/2 five-button mouse" };
	struct input_id id = { .bustype = BUS_I8042, .vendor = 2, .product = products[pointer.id], .version = 0 };
	struct input *i = &pointer.input;

	input_has(i, EV_KEY, BTN_LEFT);
	input_has(i, EV_KEY, BTN_RIGHT);
	input_has(i, EV_KEY, BTN_MIDDLE);
	if (pointer.id == MOUSE_ID_BUTTONS) {
		input_has(i, EV_KEY, BTN_SIDE);
		input_has(i, EV_KEY, BTN_EXTRA);
	}
	input_has(i, EV_REL, REL_X);
	input_has(i, EV_REL, REL_Y);
	if (pointer.id)
		input_has(i, EV_REL, REL_WHEEL);
	return input_create(i, names[pointer.id], "isa0060/serio1/input0", &id);
}

int
mouse_begin(const struct driver_options *o)
{
	int error;

	mouse.there = ps2_ask(&mouse, DEV_OFF) == ANSWER_ACK && ps2_ask(&mouse, DEV_DEFAULTS) == ANSWER_ACK;
	if (!mouse.there) {
		log_info("no mouse answers");
		return 0;
	}
	pointer.id = set_rates(200, 100, 80);
	if (pointer.id == MOUSE_ID_WHEEL && set_rates(200, 200, 80) == MOUSE_ID_BUTTONS)
		pointer.id = MOUSE_ID_BUTTONS;
	if (pointer.id != MOUSE_ID_WHEEL && pointer.id != MOUSE_ID_BUTTONS)
		pointer.id = 0;
	if (ps2_ask(&mouse, DEV_SET_RATE) == ANSWER_ACK)
		(void)ps2_ask(&mouse, 100);
	if (ps2_ask(&mouse, MOUSE_RESOLUTION) == ANSWER_ACK)
		(void)ps2_ask(&mouse, 3);
	(void)ps2_ask(&mouse, DEV_ON);
	error = input_open(&pointer.input, o, 1);
	if (error || pointer.input.exists)
		return error;
	return make_device();
}

int
mouse_listen(void)
{
	return mouse.there ? input_listen(&pointer.input) : 0;
}

static void
packet(const uint8_t *b)
{
	struct input *i = &pointer.input;
	int dx = b[1] - (b[0] & PACKET_X_SIGN ? 256 : 0), dy = b[2] - (b[0] & PACKET_Y_SIGN ? 256 : 0), wheel = 0;

	input_emit(i, EV_KEY, BTN_LEFT, !!(b[0] & PACKET_LEFT));
	input_emit(i, EV_KEY, BTN_RIGHT, !!(b[0] & PACKET_RIGHT));
	input_emit(i, EV_KEY, BTN_MIDDLE, !!(b[0] & PACKET_MIDDLE));
	if (pointer.id == MOUSE_ID_BUTTONS) {
		wheel = (int8_t)(b[3] << 4) >> 4;
		input_emit(i, EV_KEY, BTN_SIDE, !!(b[3] & PACKET_SIDE));
		input_emit(i, EV_KEY, BTN_EXTRA, !!(b[3] & PACKET_EXTRA));
	} else if (pointer.id) {
		wheel = (int8_t)b[3];
	}
	input_emit(i, EV_REL, REL_X, dx);
	input_emit(i, EV_REL, REL_Y, -dy);
	input_emit(i, EV_REL, REL_WHEEL, -wheel);
	input_sync(i);
}

void
mouse_byte(uint8_t byte)
{
	struct timespec now;
	uint64_t ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = now.tv_sec * 1000ull + now.tv_nsec / 1000000;
	if (ms > pointer.last + GAP_MS)
		pointer.count = 0; /* what came before was the rest of something */
	pointer.last = ms;
	if (pointer.count == 0 && !(byte & PACKET_ALWAYS))
		return; /* no packet begins like that */
	pointer.packet[pointer.count++] = byte;
	if (pointer.count < (pointer.id ? 4 : 3))
		return;
	pointer.count = 0;
	packet(pointer.packet);
}
