/* SPDX-License-Identifier: MIT */
/*
 * evdev.c - /dev/input/eventN: packets, which events are news, state, filters, who reads.
 */
#include "device.h"

#define A_KEYBOARD LIST(KEYS, KEY(KEY_A), KEY(KEY_B), KEY(KEY_LEFTSHIFT), UI_SET_EVBIT, EV_MSC, UI_SET_MSCBIT, MSC_SCAN)
#define A_MOUSE    LIST(KEYS, KEY(BTN_LEFT), UI_SET_EVBIT, EV_REL, UI_SET_RELBIT, REL_X, UI_SET_RELBIT, REL_Y)

TEST(packets_are_read_whole)
{
	struct device *d = device_create(A_KEYBOARD);
	int fd = device_open(d, O_RDONLY | O_NONBLOCK);
	struct input_event e[8];

	emit(d->fd, EV_MSC, MSC_SCAN, 30);
	emit(d->fd, EV_KEY, KEY_A, 1);
	expect_nothing(fd); /* the packet is not over */
	CHECK_ERRNO(read(fd, e, sizeof(e)), EAGAIN);
	report(d->fd);
	CHECK_EQ(read(fd, e, sizeof(e)), 3 * sizeof(e[0]));
	CHECK_EQ(e[0].input_event_usec, e[2].input_event_usec);
	report(d->fd); /* a packet of nothing is none */
	expect_nothing(fd);
	CHECK_ERRNO(read(fd, e, 20), EINVAL);
	device_destroy(d);
}

TEST(what_is_no_news_is_not_told)
{
	struct device *d = device_create(A_KEYBOARD);
	int fd = device_open(d, O_RDONLY | O_NONBLOCK);

	emit(d->fd, EV_KEY, KEY_A, 0);
	report(d->fd);
	emit(d->fd, EV_KEY, KEY_A, 1);
	emit(d->fd, EV_KEY, KEY_A, 1);
	emit(d->fd, EV_KEY, KEY_C, 1);   /* it has none */
	emit(d->fd, EV_REL, REL_X, 1);   /* nor that */
	emit(d->fd, EV_KEY, KEY_MAX + 7, 1);
	emit(d->fd, 77, 0, 1);
	report(d->fd);
	emit(d->fd, EV_KEY, KEY_A, 2); /* it repeats: told as it is */
	emit(d->fd, EV_KEY, KEY_A, 7); /* down, like 1 */
	emit(d->fd, EV_KEY, KEY_B, 7); /* as it was written */
	report(d->fd);
	EXPECT(fd, { EV_KEY, KEY_A, 1 }, REPORT, { EV_KEY, KEY_A, 2 }, { EV_KEY, KEY_B, 7 }, REPORT);
	expect_nothing(fd);
	device_destroy(d);
}

TEST(motions_of_nothing_are_not_told)
{
	struct device *d = device_create(A_MOUSE);
	int fd = device_open(d, O_RDONLY | O_NONBLOCK);

	emit(d->fd, EV_REL, REL_X, 0);
	report(d->fd);
	emit(d->fd, EV_REL, REL_X, 5);
	emit(d->fd, EV_REL, REL_X, 5); /* the same again is more */
	report(d->fd);
	EXPECT(fd, { EV_REL, REL_X, 5 }, { EV_REL, REL_X, 5 }, REPORT);
	device_destroy(d);
}

TEST(axes_have_fuzz)
{
	int uinput = uinput_open(0), fd;
	struct uinput_abs_setup axis = { .code = ABS_X, .absinfo = { .maximum = 1000, .fuzz = 8, .resolution = 4, .value = 100 } };
	struct input_absinfo now;
	struct device *d;

	uinput_set(uinput, LIST(UI_SET_EVBIT, EV_ABS));
	CHECK_OK(ioctl(uinput, UI_ABS_SETUP, &axis));
	d = device_create_on(uinput, "axis");
	fd = device_open(d, O_RDWR | O_NONBLOCK);
	CHECK_OK(ioctl(fd, EVIOCGABS(ABS_X), &now));
	CHECK(now.value == 100 && now.maximum == 1000 && now.fuzz == 8 && now.resolution == 4);
	emit(d->fd, EV_ABS, ABS_X, 103); /* noise */
	report(d->fd);
	emit(d->fd, EV_ABS, ABS_X, 107); /* a quarter of the way */
	report(d->fd);
	emit(d->fd, EV_ABS, ABS_X, 113); /* half of the way */
	report(d->fd);
	emit(d->fd, EV_ABS, ABS_X, 500);
	report(d->fd);
	EXPECT(fd, { EV_ABS, ABS_X, 101 }, REPORT, { EV_ABS, ABS_X, 107 }, REPORT, { EV_ABS, ABS_X, 500 }, REPORT);
	now = (struct input_absinfo){ .value = 3, .maximum = 77 };
	CHECK_OK(ioctl(fd, EVIOCSABS(ABS_X), &now));
	memset(&now, 0, sizeof(now));
	CHECK_OK(ioctl(fd, EVIOCGABS(ABS_X), &now));
	CHECK(now.value == 3 && now.maximum == 77 && now.fuzz == 0);
	CHECK_ERRNO(ioctl(fd, EVIOCGABS(ABS_X), NULL), EFAULT);
	device_destroy(d);
}

TEST(a_device_without_axes_has_none_to_ask_for)
{
	struct device *d = device_create(A_KEYBOARD);
	int fd = device_open(d, O_RDONLY);
	struct input_absinfo a;

	CHECK_ERRNO(ioctl(fd, EVIOCGABS(ABS_X), &a), EINVAL);
	CHECK_ERRNO(ioctl(fd, EVIOCSABS(ABS_X), &a), EINVAL);
	device_destroy(d);
}

TEST(it_says_what_it_is)
{
	int uinput = uinput_open(0), fd, version = 0, effects = 7;
	struct input_id id = { 0 };
	char text[80] = "";
	unsigned char map[KEY_MAX / 8 + 16];
	struct device *d;

	uinput_set(uinput, LIST(KEYS, KEY(KEY_A), KEY(KEY_MAX), UI_SET_PROPBIT, INPUT_PROP_POINTER, UI_SET_LEDBIT, LED_NUML));
	CHECK_OK(ioctl(uinput, UI_SET_PHYS, "desk/left"));
	d = device_create_on(uinput, "a name of its own");
	fd = device_open(d, O_RDONLY);
	CHECK_OK(ioctl(fd, EVIOCGVERSION, &version));
	CHECK_EQ(version, 0x010001);
	CHECK_OK(ioctl(fd, EVIOCGID, &id));
	CHECK(id.bustype == BUS_USB && id.vendor == 0x1234 && id.product == 0x5678 && id.version == 3);
	CHECK_EQ(ioctl(fd, EVIOCGNAME(sizeof(text)), text), 18);
	CHECK_STR(text, "a name of its own");
	CHECK_EQ(ioctl(fd, EVIOCGNAME(3), text), 3);
	CHECK_EQ(ioctl(fd, EVIOCGPHYS(sizeof(text)), text), 10);
	CHECK_STR(text, "desk/left");
	CHECK_ERRNO(ioctl(fd, EVIOCGUNIQ(sizeof(text)), text), ENOENT);
	CHECK_EQ(ioctl(fd, EVIOCGPROP(8), map), 8);
	CHECK(bit(map, INPUT_PROP_POINTER) && !bit(map, INPUT_PROP_DIRECT));
	CHECK_EQ(ioctl(fd, EVIOCGBIT(0, sizeof(map)), map), 8);
	CHECK(bit(map, EV_SYN) && bit(map, EV_KEY) && !bit(map, EV_LED));
	CHECK_EQ(ioctl(fd, EVIOCGBIT(EV_KEY, sizeof(map)), map), 96);
	CHECK(bit(map, KEY_A) && bit(map, KEY_MAX) && !bit(map, KEY_B) && !bit(map, KEY_RESERVED));
	CHECK_EQ(ioctl(fd, EVIOCGBIT(EV_KEY, 5), map), 5);
	CHECK_EQ(ioctl(fd, EVIOCGBIT(EV_LED, 8), map), 8);
	CHECK(!bit(map, LED_NUML)); /* a code without its type */
	CHECK_EQ(ioctl(fd, EVIOCGBIT(EV_FF, sizeof(map)), map), 16);
	CHECK_ERRNO(ioctl(fd, EVIOCGBIT(EV_REP, sizeof(map)), map), EINVAL);
	CHECK_ERRNO(ioctl(fd, EVIOCGBIT(EV_KEY, 96), NULL), EFAULT);
	CHECK_OK(ioctl(fd, EVIOCGEFFECTS, &effects));
	CHECK_EQ(effects, 0);
	CHECK_ERRNO(ioctl(fd, _IO('E', 0xf0)), EINVAL);
	CHECK_ERRNO(ioctl(fd, _IOR('F', 1, int), text), EINVAL);
	device_destroy(d);
}

TEST(no_table_of_scan_codes)
{
	struct device *d = device_create(A_KEYBOARD);
	int fd = device_open(d, O_RDWR);
	unsigned map[2] = { 1, KEY_A };
	struct input_keymap_entry e = { .len = 4 };

	CHECK_ERRNO(ioctl(fd, EVIOCGKEYCODE, map), EINVAL);
	CHECK_ERRNO(ioctl(fd, EVIOCSKEYCODE, map), EINVAL);
	CHECK_ERRNO(ioctl(fd, EVIOCGKEYCODE_V2, &e), EINVAL);
	CHECK_ERRNO(ioctl(fd, EVIOCSKEYCODE_V2, &e), EINVAL);
	CHECK_ERRNO(ioctl(fd, EVIOCGKEYCODE, NULL), EFAULT);
	device_destroy(d);
}

TEST(state_takes_the_place_of_events)
{
	struct device *d = device_create(A_KEYBOARD);
	int fd = device_open(d, O_RDONLY | O_NONBLOCK);
	unsigned char keys[96];

	emit(d->fd, EV_KEY, KEY_A, 1);
	report(d->fd);
	emit(d->fd, EV_MSC, MSC_SCAN, 48);
	emit(d->fd, EV_KEY, KEY_B, 1);
	report(d->fd);
	CHECK_EQ(ioctl(fd, EVIOCGKEY(sizeof(keys)), keys), 96);
	CHECK(bit(keys, KEY_A) && bit(keys, KEY_B) && !bit(keys, KEY_LEFTSHIFT));
	/* The keys are out of the queue; the first report stays, for what stood before it may have been read. */
	EXPECT(fd, REPORT, { EV_MSC, MSC_SCAN, 48 }, REPORT);
	expect_nothing(fd);
	device_destroy(d);
}

TEST(lights_can_be_asked_for)
{
	struct device *d = device_create(LIST(UI_SET_EVBIT, EV_LED, UI_SET_LEDBIT, LED_NUML, UI_SET_LEDBIT, LED_CAPSL, UI_SET_EVBIT,
					      EV_SW, UI_SET_SWBIT, SW_LID));
	int fd = device_open(d, O_RDWR | O_NONBLOCK);
	unsigned char map[8];

	CHECK_EQ(ioctl(fd, EVIOCGLED(8), map), 8);
	CHECK(!bit(map, LED_NUML));
	emit(fd, EV_LED, LED_CAPSL, 1);
	emit(d->fd, EV_SW, SW_LID, 1);
	report(d->fd);
	CHECK_EQ(ioctl(fd, EVIOCGLED(8), map), 8);
	CHECK(!bit(map, LED_NUML) && bit(map, LED_CAPSL));
	CHECK_EQ(ioctl(fd, EVIOCGSW(8), map), 8);
	CHECK(bit(map, SW_LID));
	CHECK_EQ(ioctl(fd, EVIOCGSND(1), map), 1);
	device_destroy(d);
}

TEST(who_grabs_it_has_it_alone)
{
	struct device *d = device_create(A_KEYBOARD);
	int a = device_open(d, O_RDWR | O_NONBLOCK), b = device_open(d, O_RDWR | O_NONBLOCK);

	CHECK_OK(ioctl(a, EVIOCGRAB, 1));
	CHECK_ERRNO(ioctl(a, EVIOCGRAB, 1), EBUSY);
	CHECK_ERRNO(ioctl(b, EVIOCGRAB, 1), EBUSY);
	CHECK_ERRNO(ioctl(b, EVIOCGRAB, 0), EINVAL);
	emit(d->fd, EV_KEY, KEY_A, 1);
	report(d->fd);
	expect_nothing(b);
	EXPECT(a, { EV_KEY, KEY_A, 1 }, REPORT);
	emit(b, EV_KEY, KEY_B, 1); /* whoever else has it open may write */
	report(b);
	EXPECT(a, { EV_KEY, KEY_B, 1 }, REPORT);
	CHECK_OK(ioctl(a, EVIOCGRAB, 0));
	emit(d->fd, EV_KEY, KEY_A, 0);
	report(d->fd);
	EXPECT(b, { EV_KEY, KEY_A, 0 }, REPORT);
	CHECK_OK(ioctl(b, EVIOCGRAB, 1));
	close(b); /* which lets go */
	CHECK_OK(ioctl(a, EVIOCGRAB, 1));
	device_destroy(d);
}

TEST(who_is_revoked_is_out)
{
	struct device *d = device_create(A_KEYBOARD);
	int fd = device_open(d, O_RDWR | O_NONBLOCK), version;
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
	struct input_event e = { 0 };

	CHECK_ERRNO(ioctl(fd, EVIOCREVOKE, 1), EINVAL);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
	CHECK_OK(ioctl(fd, EVIOCREVOKE, 0));
	CHECK_ERRNO(read(fd, &e, sizeof(e)), ENODEV);
	CHECK_ERRNO(write(fd, &e, sizeof(e)), ENODEV);
	CHECK_ERRNO(ioctl(fd, EVIOCGVERSION, &version), ENODEV);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLHUP | POLLERR);
	device_open(d, O_RDWR);
	device_destroy(d);
}

TEST(a_device_that_goes_wakes_who_waits)
{
	struct device *d = device_create(A_KEYBOARD);
	int fd = device_open(d, O_RDWR), version;
	pid_t pid = check_fork();
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (pid == 0) {
		struct input_event e;

		_exit(read(fd, &e, sizeof(e)) == -1 && errno == ENODEV ? 0 : 1);
	}
	check_sleep_ms(20);
	device_destroy(d);
	CHECK_EXIT(pid, 0);
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK(p.revents & POLLHUP);
	CHECK_ERRNO(ioctl(fd, EVIOCGVERSION, &version), ENODEV);
}

TEST(a_queue_that_runs_over_says_so)
{
	struct device *d = device_create(A_MOUSE);
	int fd = device_open(d, O_RDONLY | O_NONBLOCK);
	struct input_event e;
	int events = 0, dropped = 0;

	for (int i = 1; i <= 500; i++) {
		emit(d->fd, EV_REL, REL_X, i);
		report(d->fd);
	}
	while (read(fd, &e, sizeof(e)) == sizeof(e)) {
		events++;
		if (e.type == EV_SYN && e.code == SYN_DROPPED) {
			CHECK_EQ(events, 1); /* it stands in front of what is left */
			dropped++;
		}
	}
	CHECK_EQ(dropped, 1);
	CHECK_RANGE(events, 2, 200);
	CHECK(e.type == EV_SYN && e.code == SYN_REPORT); /* and what is left ends well */
	device_destroy(d);
}

TEST(times_are_on_the_clock_that_is_asked_for)
{
	static const int clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME };
	struct device *d = device_create(A_MOUSE);
	int fd = device_open(d, O_RDONLY | O_NONBLOCK), bad = CLOCK_PROCESS_CPUTIME_ID;
	struct input_event e;

	CHECK_ERRNO(ioctl(fd, EVIOCSCLOCKID, &bad), EINVAL);
	CHECK_ERRNO(ioctl(fd, EVIOCSCLOCKID, NULL), EFAULT);
	for (int i = 0; i < 3; i++) {
		struct timespec before, after;
		long long at;

		CHECK_OK(ioctl(fd, EVIOCSCLOCKID, &clocks[i]));
		clock_gettime(clocks[i], &before);
		emit(d->fd, EV_REL, REL_X, 1);
		report(d->fd);
		clock_gettime(clocks[i], &after);
		CHECK_EQ(read(fd, &e, sizeof(e)), sizeof(e));
		at = e.input_event_sec * 1000000ll + e.input_event_usec;
		CHECK_RANGE(at, before.tv_sec * 1000000ll + before.tv_nsec / 1000, after.tv_sec * 1000000ll + after.tv_nsec / 1000);
		CHECK_EQ(read(fd, &e, sizeof(e)), sizeof(e));
	}
	/* Another clock: what is in the queue has wrong times, and goes. */
	emit(d->fd, EV_REL, REL_X, 1);
	report(d->fd);
	CHECK_OK(ioctl(fd, EVIOCSCLOCKID, &clocks[0]));
	expect_nothing(fd);
	emit(d->fd, EV_REL, REL_X, 2);
	report(d->fd);
	CHECK_EQ(read(fd, &e, sizeof(e)), sizeof(e));
	CHECK(e.type == EV_SYN && e.code == SYN_DROPPED);
	EXPECT(fd, { EV_REL, REL_X, 2 }, REPORT);
	device_destroy(d);
}

TEST(masks_hide_events)
{
	struct device *d = device_create(A_KEYBOARD);
	int fd = device_open(d, O_RDONLY | O_NONBLOCK);
	unsigned char codes[96] = "", types[8] = "", back[128];
	struct input_mask m = { .type = EV_KEY, .codes_size = sizeof(codes), .codes_ptr = (uintptr_t)codes };
	struct input_mask t = { .type = 0, .codes_size = 8, .codes_ptr = (uintptr_t)types };

	memset(back, 0, sizeof(back));
	m.codes_ptr = (uintptr_t)back;
	m.codes_size = sizeof(back);
	CHECK_OK(ioctl(fd, EVIOCGMASK, &m));
	CHECK(back[0] == 0xff && back[95] == 0xff && back[96] == 0);
	m.codes_ptr = (uintptr_t)codes;
	m.codes_size = sizeof(codes);
	codes[KEY_B / 8] |= 1 << KEY_B % 8;
	CHECK_OK(ioctl(fd, EVIOCSMASK, &m));
	emit(d->fd, EV_MSC, MSC_SCAN, 1);
	emit(d->fd, EV_KEY, KEY_A, 1);
	report(d->fd);
	emit(d->fd, EV_KEY, KEY_B, 1);
	report(d->fd);
	EXPECT(fd, { EV_MSC, MSC_SCAN, 1 }, REPORT, { EV_KEY, KEY_B, 1 }, REPORT);
	types[EV_KEY / 8] |= 1 << EV_KEY % 8;
	CHECK_OK(ioctl(fd, EVIOCSMASK, &t)); /* of types: MSC is out */
	emit(d->fd, EV_MSC, MSC_SCAN, 1);
	report(d->fd);
	emit(d->fd, EV_MSC, MSC_SCAN, 1);
	emit(d->fd, EV_KEY, KEY_B, 0);
	report(d->fd);
	EXPECT(fd, { EV_KEY, KEY_B, 0 }, REPORT);
	m.codes_ptr = (uintptr_t)back;
	CHECK_OK(ioctl(fd, EVIOCGMASK, &m));
	CHECK_MEM(back, codes, sizeof(codes));
	m.codes_size = 3;
	CHECK_ERRNO(ioctl(fd, EVIOCSMASK, &m), EINVAL);
	m.type = EV_REP; /* a type without codes */
	CHECK_OK(ioctl(fd, EVIOCSMASK, &m));
	m.type = 1000;
	CHECK_OK(ioctl(fd, EVIOCSMASK, &m));
	CHECK_OK(ioctl(fd, EVIOCGMASK, &m));
	m = (struct input_mask){ .type = EV_KEY, .codes_size = 8 };
	CHECK_ERRNO(ioctl(fd, EVIOCSMASK, &m), EFAULT);
	CHECK_ERRNO(ioctl(fd, EVIOCGMASK, &m), EFAULT);
	CHECK_ERRNO(ioctl(fd, EVIOCSMASK, NULL), EFAULT);
	device_destroy(d);
}

TEST(keys_that_are_held_repeat)
{
	struct device *d = device_create(LIST(KEYS, KEY(KEY_A), KEY(KEY_B), UI_SET_EVBIT, EV_REP));
	int fd = device_open(d, O_RDWR);
	unsigned rep[2] = { 0 };
	struct input_event e;

	CHECK_OK(ioctl(fd, EVIOCGREP, rep));
	CHECK(rep[0] == 250 && rep[1] == 33);
	rep[0] = 20;
	rep[1] = 5;
	CHECK_OK(ioctl(fd, EVIOCSREP, rep));
	EXPECT(d->fd, { EV_REP, REP_DELAY, 20 }); /* its provider is told as well */
	EXPECT(d->fd, { EV_REP, REP_PERIOD, 5 });
	emit(d->fd, EV_KEY, KEY_A, 1);
	report(d->fd);
	EXPECT(fd, { EV_REP, REP_DELAY, 20 }, { EV_REP, REP_PERIOD, 5 }, { EV_KEY, KEY_A, 1 }, REPORT);
	EXPECT(fd, { EV_KEY, KEY_A, 2 }, { EV_SYN, SYN_REPORT, 1 }, { EV_KEY, KEY_A, 2 }, { EV_SYN, SYN_REPORT, 1 });
	emit(d->fd, EV_KEY, KEY_A, 0);
	report(d->fd);
	do
		CHECK_EQ(read(fd, &e, sizeof(e)), sizeof(e));
	while (e.type != EV_KEY || e.value == 2);
	CHECK_EQ(e.value, 0);
	CHECK_EQ(read(fd, &e, sizeof(e)), sizeof(e));
	check_sleep_ms(40);
	expect_nothing(fd);
	CHECK_ERRNO(ioctl(fd, EVIOCSREP, NULL), EFAULT);
	CHECK_ERRNO(ioctl(fd, EVIOCGREP, NULL), EFAULT);
	device_destroy(d);
}

TEST(a_device_that_goes_while_a_key_repeats)
{
	for (int i = 0; i < 10; i++) {
		struct device *d = device_create(LIST(KEYS, KEY(KEY_A), UI_SET_EVBIT, EV_REP));
		unsigned rep[2] = { 1, 1 };
		int fd = device_open(d, O_RDWR);

		CHECK_OK(ioctl(fd, EVIOCSREP, rep));
		emit(d->fd, EV_KEY, KEY_A, 1);
		report(d->fd);
		check_sleep_ms(i);
		device_destroy(d);
		close(fd);
	}
}

TEST(without_repeat_there_are_no_times_of_it)
{
	struct device *d = device_create(A_KEYBOARD);
	int fd = device_open(d, O_RDWR);
	unsigned rep[2];

	CHECK_ERRNO(ioctl(fd, EVIOCGREP, rep), ENOSYS);
	CHECK_ERRNO(ioctl(fd, EVIOCSREP, rep), ENOSYS);
	device_destroy(d);
}

TEST(fingers_have_slots)
{
	int uinput = uinput_open(0), fd;
	struct uinput_abs_setup slot = { .code = ABS_MT_SLOT, .absinfo = { .maximum = 3 } };
	struct uinput_abs_setup x = { .code = ABS_MT_POSITION_X, .absinfo = { .maximum = 1000 } };
	struct uinput_abs_setup id = { .code = ABS_MT_TRACKING_ID, .absinfo = { .maximum = 9 } };
	struct input_absinfo a;
	struct {
		unsigned code;
		int values[8];
	} request = { .code = ABS_MT_POSITION_X, .values = { [5] = 77 } };
	struct device *d;

	uinput_set(uinput, LIST(UI_SET_EVBIT, EV_ABS, KEYS, KEY(BTN_TOUCH)));
	CHECK_OK(ioctl(uinput, UI_ABS_SETUP, &slot));
	CHECK_OK(ioctl(uinput, UI_ABS_SETUP, &x));
	CHECK_OK(ioctl(uinput, UI_ABS_SETUP, &id));
	d = device_create_on(uinput, "fingers");
	fd = device_open(d, O_RDWR | O_NONBLOCK);
	emit(d->fd, EV_ABS, ABS_MT_SLOT, 0);
	emit(d->fd, EV_ABS, ABS_MT_TRACKING_ID, 5);
	emit(d->fd, EV_ABS, ABS_MT_POSITION_X, 100);
	emit(d->fd, EV_ABS, ABS_MT_SLOT, 2);
	emit(d->fd, EV_ABS, ABS_MT_TRACKING_ID, 6);
	emit(d->fd, EV_ABS, ABS_MT_POSITION_X, 200);
	report(d->fd);
	emit(d->fd, EV_ABS, ABS_MT_SLOT, 0);
	emit(d->fd, EV_ABS, ABS_MT_POSITION_X, 100); /* it has not moved: the slot is not told, either */
	emit(d->fd, EV_ABS, ABS_MT_SLOT, 2);
	emit(d->fd, EV_ABS, ABS_MT_POSITION_X, 201);
	emit(d->fd, EV_ABS, ABS_MT_SLOT, 9); /* there is none */
	report(d->fd);
	EXPECT(fd, { EV_ABS, ABS_MT_TRACKING_ID, 5 }, { EV_ABS, ABS_MT_POSITION_X, 100 }, { EV_ABS, ABS_MT_SLOT, 2 },
	       { EV_ABS, ABS_MT_TRACKING_ID, 6 }, { EV_ABS, ABS_MT_POSITION_X, 200 }, REPORT, { EV_ABS, ABS_MT_POSITION_X, 201 }, REPORT);
	CHECK_OK(ioctl(fd, EVIOCGMTSLOTS(sizeof(request)), &request));
	CHECK(request.values[0] == 100 && request.values[1] == 0 && request.values[2] == 201 && request.values[5] == 77);
	request.values[0] = 77;
	CHECK_OK(ioctl(fd, EVIOCGMTSLOTS(2), &request)); /* there is room for none */
	CHECK_EQ(request.values[0], 77);
	request.code = ABS_MT_TRACKING_ID;
	CHECK_OK(ioctl(fd, EVIOCGMTSLOTS(sizeof(request)), &request));
	CHECK(request.values[0] == 5 && request.values[1] == -1 && request.values[2] == 6 && request.values[3] == -1);
	request.code = ABS_X;
	CHECK_ERRNO(ioctl(fd, EVIOCGMTSLOTS(sizeof(request)), &request), EINVAL);
	CHECK_OK(ioctl(fd, EVIOCGABS(ABS_MT_TRACKING_ID), &a));
	CHECK_EQ(a.maximum, 0xffff);
	CHECK_OK(ioctl(fd, EVIOCGABS(ABS_MT_SLOT), &a));
	CHECK(a.maximum == 3 && a.value == 2);
	CHECK_ERRNO(ioctl(fd, EVIOCSABS(ABS_MT_SLOT), &a), EINVAL);
	device_destroy(d);
}

TEST(no_slots_without_fingers)
{
	struct device *d = device_create(A_KEYBOARD);
	unsigned request[4] = { ABS_MT_POSITION_X };

	CHECK_ERRNO(ioctl(device_open(d, O_RDONLY), EVIOCGMTSLOTS(sizeof(request)), request), EINVAL);
	device_destroy(d);
}

static volatile sig_atomic_t told;

static void
on_signal(int sig __attribute__((unused)))
{
	told++;
}

TEST(readers_are_told_by_signal)
{
	struct device *d = device_create(A_MOUSE);
	int fd = device_open(d, O_RDONLY | O_NONBLOCK);

	signal(SIGIO, on_signal);
	CHECK_OK(fcntl(fd, F_SETOWN, getpid()));
	CHECK_OK(fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK));
	emit(d->fd, EV_REL, REL_X, 1);
	CHECK_EQ(told, 0);
	report(d->fd);
	CHECK_EQ(told, 1);
	device_destroy(d);
	CHECK_EQ(told, 2);
}

TEST(packets_too_large_come_in_parts)
{
	struct device *d = device_create(A_MOUSE);
	int fd = device_open(d, O_RDONLY | O_NONBLOCK);
	struct input_event e;
	int reports = 0, moves = 0;

	for (int i = 0; i < 30; i++)
		emit(d->fd, EV_REL, REL_X, 1);
	report(d->fd);
	while (read(fd, &e, sizeof(e)) == sizeof(e)) {
		reports += e.type == EV_SYN;
		moves += e.type == EV_REL;
	}
	CHECK_EQ(moves, 30);
	CHECK_RANGE(reports, 2, 5);
	device_destroy(d);
}

TEST(an_inhibited_device_is_silent)
{
	struct device *d = device_create(A_KEYBOARD);
	int fd = device_open(d, O_RDONLY | O_NONBLOCK), file;
	char path[96];

	snprintf(path, sizeof(path), "/sys/devices/virtual/input/%s/inhibited", d->name);
	file = CHECK_OK(open(path, O_WRONLY));
	emit(d->fd, EV_KEY, KEY_A, 1);
	report(d->fd);
	EXPECT(fd, { EV_KEY, KEY_A, 1 }, REPORT);
	CHECK_EQ(write(file, "1\n", 2), 2);
	EXPECT(fd, { EV_KEY, KEY_A, 0 }, { EV_SYN, SYN_REPORT, 1 });
	emit(d->fd, EV_KEY, KEY_B, 1);
	report(d->fd);
	expect_nothing(fd);
	CHECK_EQ(write(file, "0\n", 2), 2);
	emit(d->fd, EV_KEY, KEY_B, 1);
	report(d->fd);
	EXPECT(fd, { EV_KEY, KEY_B, 1 }, REPORT);
	device_destroy(d);
}
