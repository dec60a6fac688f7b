/* SPDX-License-Identifier: MIT */
/*
 * mouse.c - /dev/input/mouseN and mice: all that points, in the protocol of a PS/2 mouse.
 */
#include "device.h"

#define A_MOUSE                                                                                                        \
	LIST(KEYS, KEY(BTN_LEFT), KEY(BTN_RIGHT), KEY(BTN_SIDE), UI_SET_EVBIT, EV_REL, UI_SET_RELBIT, REL_X, UI_SET_RELBIT, \
	     REL_Y, UI_SET_RELBIT, REL_WHEEL)

static void
packet(int fd, const void *want, int n)
{
	unsigned char got[8];

	CHECK_EQ(read(fd, got, sizeof(got)), n);
	for (int i = 0; i < n; i++)
		CHECK_EQ(got[i], ((const unsigned char *)want)[i]);
}

static void
move(struct device *d, int x, int y)
{
	emit(d->fd, EV_REL, REL_X, x);
	emit(d->fd, EV_REL, REL_Y, y);
	report(d->fd);
}

TEST(motions_are_packets_of_three_bytes)
{
	struct device *d = device_create(A_MOUSE);
	int one = CHECK_OK(open(d->mouse, O_RDWR | O_NONBLOCK)), all = CHECK_OK(open("/dev/input/mice", O_RDWR | O_NONBLOCK));
	unsigned char byte;

	CHECK_ERRNO(read(one, &byte, 1), EAGAIN);
	move(d, 5, 3); /* down is negative */
	packet(one, "\x28\x05\xfd", 3);
	packet(all, "\x28\x05\xfd", 3);
	CHECK_ERRNO(read(one, &byte, 1), EAGAIN);
	move(d, -300, 0); /* as much as fits, then the rest */
	packet(one, "\x18\x81\x00", 3);
	packet(one, "\x18\x81\x00", 3);
	packet(one, "\x18\xd2\x00", 3);
	CHECK_ERRNO(read(one, &byte, 1), EAGAIN);
	device_destroy(d);
	CHECK_ERRNO(read(one, &byte, 1), ENODEV);
}

TEST(buttons_are_bits)
{
	struct device *d = device_create(A_MOUSE);
	int fd = CHECK_OK(open(d->mouse, O_RDWR | O_NONBLOCK));
	unsigned char byte;

	emit(d->fd, EV_KEY, BTN_LEFT, 1);
	report(d->fd);
	packet(fd, "\x09\x00\x00", 3);
	emit(d->fd, EV_KEY, BTN_RIGHT, 1);
	report(d->fd);
	move(d, 1, 0);
	emit(d->fd, EV_KEY, BTN_LEFT, 0);
	report(d->fd);
	packet(fd, "\x0b\x01\x00", 3); /* motions add up until a button changes */
	packet(fd, "\x0a\x00\x00", 3);
	CHECK_ERRNO(read(fd, &byte, 1), EAGAIN);
	device_destroy(d);
}

TEST(a_sequence_of_rates_brings_the_wheel)
{
	static const unsigned char wheel[] = { 0xf3, 200, 0xf3, 100, 0xf3, 80 }, explorer[] = { 0xf3, 200, 0xf3, 200, 0xf3, 80 };
	struct device *d = device_create(A_MOUSE);
	int fd = CHECK_OK(open(d->mouse, O_RDWR | O_NONBLOCK));

	CHECK_EQ(write(fd, "\xf2", 1), 1);
	packet(fd, "\xfa\x00", 2);
	CHECK_EQ(write(fd, wheel, sizeof(wheel)), sizeof(wheel));
	packet(fd, "\xfa", 1);
	CHECK_EQ(write(fd, "\xf2", 1), 1);
	packet(fd, "\xfa\x03", 2);
	emit(d->fd, EV_REL, REL_WHEEL, 1);
	report(d->fd);
	packet(fd, "\x08\x00\x00\xff", 4);
	CHECK_EQ(write(fd, explorer, sizeof(explorer)), sizeof(explorer));
	packet(fd, "\xfa", 1);
	emit(d->fd, EV_REL, REL_WHEEL, -1);
	emit(d->fd, EV_KEY, BTN_SIDE, 1);
	report(d->fd);
	packet(fd, "\x08\x00\x00\x11", 4);
	CHECK_EQ(write(fd, "\xff", 1), 1);
	packet(fd, "\xfa\xaa\x00", 3);
	CHECK_EQ(write(fd, "\xe9", 1), 1);
	packet(fd, "\xfa\x60\x03\xc8", 4);
	device_destroy(d);
}

TEST(absolute_devices_move_by_the_difference)
{
	int uinput = uinput_open(0), fd;
	struct uinput_abs_setup x = { .code = ABS_X, .absinfo = { .maximum = 1024 } }, y = { .code = ABS_Y, .absinfo = { .maximum = 768 } };
	struct device *d;

	uinput_set(uinput, LIST(KEYS, KEY(BTN_LEFT), UI_SET_EVBIT, EV_ABS));
	CHECK_OK(ioctl(uinput, UI_ABS_SETUP, &x));
	CHECK_OK(ioctl(uinput, UI_ABS_SETUP, &y));
	d = device_create_on(uinput, "tablet");
	fd = CHECK_OK(open(d->mouse, O_RDWR | O_NONBLOCK));
	emit(d->fd, EV_ABS, ABS_X, 522); /* the pointer was in the middle */
	emit(d->fd, EV_ABS, ABS_Y, 384);
	report(d->fd);
	packet(fd, "\x08\x0a\x00", 3);
	emit(d->fd, EV_ABS, ABS_Y, 380);
	report(d->fd);
	packet(fd, "\x08\x00\x04", 3);
	device_destroy(d);
}

TEST(a_touchpad_moves_as_the_finger_does_and_taps)
{
	int uinput = uinput_open(0), fd;
	struct uinput_abs_setup axis = { .absinfo = { .maximum = 2560 } };
	static const int axes[] = { ABS_X, ABS_Y, ABS_PRESSURE, ABS_TOOL_WIDTH };
	unsigned char got[3];
	struct device *d;

	uinput_set(uinput, LIST(KEYS, KEY(BTN_TOUCH), KEY(BTN_TOOL_FINGER), UI_SET_EVBIT, EV_ABS));
	for (int i = 0; i < 4; i++) {
		axis.code = axes[i];
		CHECK_OK(ioctl(uinput, UI_ABS_SETUP, &axis));
	}
	d = device_create_on(uinput, "touchpad");
	fd = CHECK_OK(open(d->mouse, O_RDWR | O_NONBLOCK));
	emit(d->fd, EV_KEY, BTN_TOUCH, 1);
	for (int i = 0; i < 6; i++) {
		emit(d->fd, EV_ABS, ABS_X, 1000 + i * 100);
		report(d->fd);
	}
	CHECK_EQ(read(fd, got, 3), 3);
	CHECK_EQ(got[0], 0x08);
	CHECK_RANGE(got[1], 40, 90);
	emit(d->fd, EV_KEY, BTN_TOUCH, 0);
	report(d->fd);
	emit(d->fd, EV_KEY, BTN_TOUCH, 1);
	report(d->fd);
	emit(d->fd, EV_KEY, BTN_TOUCH, 0);
	report(d->fd);
	device_destroy(d);
}

TEST(what_does_not_point_is_no_mouse)
{
	struct device *d = device_create(LIST(KEYS, KEY(KEY_A), UI_SET_EVBIT, EV_REL, UI_SET_RELBIT, REL_X));

	CHECK_STR(d->mouse, "");
	device_destroy(d);
}
