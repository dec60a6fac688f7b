/* SPDX-License-Identifier: MIT */
/*
 * uinput.c - /dev/uinput: describing a device, making it, what its provider reads.
 */
#include "device.h"

TEST(version_is_five)
{
	int fd = uinput_open(0);
	unsigned version = 0;

	CHECK_OK(ioctl(fd, UI_GET_VERSION, &version));
	CHECK_EQ(version, 5);
	CHECK_ERRNO(ioctl(fd, UI_GET_VERSION, NULL), EFAULT);
}

TEST(create_needs_a_description)
{
	int fd = uinput_open(0);
	struct uinput_setup setup = { .id = { .bustype = BUS_USB } };
	char name[16];

	CHECK_ERRNO(ioctl(fd, UI_DEV_CREATE), EINVAL);
	CHECK_ERRNO(ioctl(fd, UI_DEV_SETUP, &setup), EINVAL);
	CHECK_ERRNO(ioctl(fd, UI_DEV_SETUP, NULL), EFAULT);
	CHECK_ERRNO(ioctl(fd, UI_DEV_CREATE), EINVAL);
	CHECK_ERRNO(ioctl(fd, UI_GET_SYSNAME(16), name), ENOENT);
	CHECK_OK(ioctl(fd, UI_DEV_DESTROY));
}

TEST(bits_have_bounds)
{
	int fd = uinput_open(0);

	CHECK_ERRNO(ioctl(fd, UI_SET_EVBIT, EV_MAX + 1), EINVAL);
	CHECK_ERRNO(ioctl(fd, UI_SET_KEYBIT, KEY_MAX + 1), EINVAL);
	CHECK_ERRNO(ioctl(fd, UI_SET_RELBIT, REL_MAX + 1), EINVAL);
	CHECK_ERRNO(ioctl(fd, UI_SET_ABSBIT, ABS_MAX + 1), EINVAL);
	CHECK_ERRNO(ioctl(fd, UI_SET_MSCBIT, MSC_MAX + 1), EINVAL);
	CHECK_ERRNO(ioctl(fd, UI_SET_LEDBIT, LED_MAX + 1), EINVAL);
	CHECK_ERRNO(ioctl(fd, UI_SET_SNDBIT, SND_MAX + 1), EINVAL);
	CHECK_ERRNO(ioctl(fd, UI_SET_FFBIT, FF_MAX + 1), EINVAL);
	CHECK_ERRNO(ioctl(fd, UI_SET_SWBIT, SW_MAX + 1), EINVAL);
	CHECK_ERRNO(ioctl(fd, UI_SET_PROPBIT, INPUT_PROP_MAX + 1), EINVAL);
	CHECK_OK(ioctl(fd, UI_SET_EVBIT, EV_MAX));
	CHECK_OK(ioctl(fd, UI_SET_KEYBIT, KEY_MAX));
	CHECK_OK(ioctl(fd, UI_SET_PROPBIT, INPUT_PROP_MAX));
	CHECK_ERRNO(ioctl(fd, _IO('U', 77)), EINVAL);
	CHECK_ERRNO(ioctl(fd, 0x12345678), EINVAL);
}

TEST(a_device_that_is_made_stays_as_it_is)
{
	struct device *d = device_create(LIST(KEYS, KEY(KEY_A)));
	struct uinput_setup setup = { .name = "other" };
	struct uinput_abs_setup axis = { .code = ABS_X };

	CHECK_ERRNO(ioctl(d->fd, UI_SET_KEYBIT, KEY_B), EINVAL);
	CHECK_ERRNO(ioctl(d->fd, UI_SET_PHYS, "here"), EINVAL);
	CHECK_ERRNO(ioctl(d->fd, UI_DEV_SETUP, &setup), EINVAL);
	CHECK_ERRNO(ioctl(d->fd, UI_ABS_SETUP, &axis), EINVAL);
	CHECK_ERRNO(ioctl(d->fd, UI_DEV_CREATE), EINVAL);
	device_destroy(d);
}

TEST(axes_are_checked)
{
	int fd = uinput_open(0);
	struct uinput_abs_setup axis = { .code = ABS_X, .absinfo = { .minimum = 10, .maximum = 5 } };
	char large[64] = "";

	CHECK_ERRNO(ioctl(fd, UI_ABS_SETUP, &axis), EINVAL);
	axis.absinfo = (struct input_absinfo){ .minimum = 0, .maximum = 10, .flat = 11 };
	CHECK_ERRNO(ioctl(fd, UI_ABS_SETUP, &axis), EINVAL);
	axis.absinfo.flat = 10;
	CHECK_OK(ioctl(fd, UI_ABS_SETUP, &axis));
	axis.code = ABS_MAX + 1;
	CHECK_ERRNO(ioctl(fd, UI_ABS_SETUP, &axis), ERANGE);
	CHECK_ERRNO(ioctl(fd, UI_ABS_SETUP, NULL), EFAULT);
	CHECK_ERRNO(ioctl(fd, _IOC(_IOC_WRITE, 'U', 4, sizeof(large)), large), E2BIG);
}

TEST(the_name_in_sys_is_cut_to_fit)
{
	struct device *d = device_create(LIST(KEYS, KEY(KEY_A)));
	char name[8] = "xxxxxxx";

	CHECK_EQ(ioctl(d->fd, UI_GET_SYSNAME(3), name), 3);
	CHECK_MEM(name, "in\0xxxx", 8);
	CHECK_ERRNO(ioctl(d->fd, UI_GET_SYSNAME(0), name), EINVAL);
	CHECK_ERRNO(ioctl(d->fd, UI_GET_SYSNAME(8), NULL), EFAULT);
	CHECK(strncmp(d->name, "input", 5) == 0);
	device_destroy(d);
}

TEST(the_old_description_is_written)
{
	int fd = uinput_open(0), event;
	struct uinput_user_dev dev = { .name = "old way", .id = { BUS_VIRTUAL, 1, 2, 3 } };
	struct device *d = calloc(1, sizeof(*d));
	struct input_absinfo axis = { 0 };
	char text[64] = "";

	uinput_set(fd, LIST(UI_SET_EVBIT, EV_ABS, UI_SET_ABSBIT, ABS_X));
	dev.absmin[ABS_X] = -7;
	dev.absmax[ABS_X] = 100;
	dev.absflat[ABS_X] = 3;
	dev.absfuzz[ABS_X] = 2;
	CHECK_ERRNO(write(fd, &dev, sizeof(dev) - 1), EINVAL);
	CHECK_ERRNO(write(fd, &dev, sizeof(struct input_event)), EINVAL);
	CHECK_EQ(write(fd, &dev, 0), 0);
	dev.absflat[ABS_X] = 200;
	CHECK_ERRNO(write(fd, &dev, sizeof(dev)), EINVAL);
	dev.absflat[ABS_X] = 3;
	CHECK_EQ(write(fd, &dev, sizeof(dev)), sizeof(dev));
	CHECK_OK(ioctl(fd, UI_DEV_CREATE));
	CHECK_OK(ioctl(fd, UI_GET_SYSNAME(32), d->name));
	CHECK_STR(device_file(d, "name"), "old way");
	CHECK_STR(device_file(d, "capabilities/abs"), "1");
	CHECK_STR(device_file(d, "id/vendor"), "0001");
	snprintf(text, sizeof(text), "/dev/input/%s", "event");
	for (int n = 0; n < 64; n++) { /* whichever it is */
		char path[96];

		snprintf(path, sizeof(path), "/sys/devices/virtual/input/%s/event%d", d->name, n);
		if (access(path, F_OK) == 0)
			snprintf(text, sizeof(text), "/dev/input/event%d", n);
	}
	event = CHECK_OK(open(text, O_RDONLY));
	CHECK_OK(ioctl(event, EVIOCGABS(ABS_X), &axis));
	CHECK(axis.minimum == -7 && axis.maximum == 100 && axis.flat == 3 && axis.fuzz == 2 && axis.resolution == 0);
}

TEST(there_is_nothing_to_read_without_a_device)
{
	int fd = uinput_open(O_NONBLOCK);
	struct input_event e;
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	CHECK_ERRNO(read(fd, &e, sizeof(e)), ENODEV);
	CHECK_ERRNO(read(fd, &e, 5), EINVAL);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
}

TEST(lights_and_sounds_come_to_the_provider)
{
	int uinput = uinput_open(O_NONBLOCK), fd;
	struct pollfd p = { .fd = uinput, .events = POLLIN };
	struct device *d;

	uinput_set(uinput, LIST(KEYS, KEY(KEY_A), UI_SET_EVBIT, EV_LED, UI_SET_LEDBIT, LED_CAPSL, UI_SET_EVBIT, EV_SND,
				UI_SET_SNDBIT, SND_BELL));
	d = device_create_on(uinput, "lights");
	fd = device_open(d, O_RDWR | O_NONBLOCK);
	CHECK_ERRNO(read(uinput, &p, 5), EINVAL);
	CHECK_EQ(read(uinput, &p, 0), -1);
	CHECK_EQ(poll(&p, 1, 0), 0);
	emit(fd, EV_LED, LED_CAPSL, 1);
	CHECK_EQ(poll(&p, 1, 0), 1);
	emit(fd, EV_LED, LED_CAPSL, 1); /* it is on */
	emit(fd, EV_LED, LED_NUML, 1);  /* there is none */
	emit(fd, EV_SND, SND_BELL, 1);
	emit(fd, EV_SND, SND_BELL, 1); /* each bell is one */
	emit(fd, EV_KEY, KEY_A, 1);    /* readers hear of that, the provider does not */
	report(fd);
	for (int i = 0; i < 3; i++) {
		static const struct expected want[] = { { EV_LED, LED_CAPSL, 1 }, { EV_SND, SND_BELL, 1 }, { EV_SND, SND_BELL, 1 } };
		struct input_event e;

		CHECK_EQ(read(uinput, &e, sizeof(e)), sizeof(e));
		CHECK(e.type == want[i].type && e.code == want[i].code && e.value == want[i].value);
	}
	CHECK_ERRNO(read(uinput, &p, sizeof(struct input_event)), EAGAIN);
	EXPECT(fd, { EV_LED, LED_CAPSL, 1 }, { EV_SND, SND_BELL, 1 }, { EV_SND, SND_BELL, 1 }, { EV_KEY, KEY_A, 1 }, REPORT);
	device_destroy(d);
}

TEST(a_provider_that_waits_is_woken)
{
	struct device *d = device_create(LIST(UI_SET_EVBIT, EV_LED, UI_SET_LEDBIT, LED_NUML));
	pid_t pid = check_fork();

	if (pid == 0) {
		struct input_event e;

		_exit(read(d->fd, &e, sizeof(e)) == sizeof(e) && e.type == EV_LED && e.code == LED_NUML ? 0 : 1);
	}
	emit(device_open(d, O_RDWR), EV_LED, LED_NUML, 1);
	CHECK_EXIT(pid, 0);
	device_destroy(d);
}

TEST(events_that_end_early_are_refused)
{
	struct device *d = device_create(LIST(KEYS, KEY(KEY_A)));
	struct input_event e[2] = { { .type = EV_KEY, .code = KEY_A, .value = 1 }, { .type = EV_SYN } };
	int fd = device_open(d, O_RDONLY | O_NONBLOCK);

	CHECK_ERRNO(write(d->fd, e, 23), EINVAL);
	CHECK_EQ(write(d->fd, e, sizeof(e) + 5), sizeof(e)); /* what is not whole is left */
	CHECK_ERRNO(write(d->fd, NULL, sizeof(e)), EFAULT);
	EXPECT(fd, { EV_KEY, KEY_A, 1 }, REPORT);
	device_destroy(d);
}

TEST(a_device_can_be_made_again)
{
	struct device *d = device_create(LIST(KEYS, KEY(KEY_A)));
	char old[32];
	struct stat st;

	snprintf(old, sizeof(old), "%s", d->name);
	CHECK_OK(stat(d->event, &st));
	CHECK_OK(ioctl(d->fd, UI_DEV_DESTROY));
	CHECK_ERRNO(stat(d->event, &st), ENOENT);
	uinput_set(d->fd, LIST(KEYS, KEY(KEY_B)));
	d = device_create_on(d->fd, "again");
	CHECK(strcmp(old, d->name) != 0); /* numbers of devices are not used twice */
	device_destroy(d);
}

TEST(slots_have_bounds)
{
	int fd = uinput_open(0);
	struct uinput_abs_setup slot = { .code = ABS_MT_SLOT, .absinfo = { .maximum = 100 } };

	CHECK_ERRNO(ioctl(fd, UI_ABS_SETUP, &slot), EINVAL);
	slot.absinfo.maximum = 99;
	CHECK_OK(ioctl(fd, UI_ABS_SETUP, &slot));
	uinput_set(fd, LIST(UI_SET_EVBIT, EV_ABS, UI_SET_ABSBIT, ABS_MT_POSITION_X));
	device_destroy(device_create_on(fd, "many fingers"));
}

TEST(slots_may_begin_below_zero)
{
	int fd = uinput_open(0);
	struct uinput_abs_setup slot = { .code = ABS_MT_SLOT, .absinfo = { .minimum = -5, .maximum = -2 } };
	struct uinput_setup setup = { .name = "no fingers" };
	int result;

	CHECK_OK(ioctl(fd, UI_ABS_SETUP, &slot));
	uinput_set(fd, LIST(UI_SET_EVBIT, EV_ABS, UI_SET_ABSBIT, ABS_MT_POSITION_X));
	CHECK_OK(ioctl(fd, UI_DEV_SETUP, &setup));
	result = ioctl(fd, UI_DEV_CREATE);
	CHECK(result == 0 || errno == EINVAL || errno == ENOMEM);
}
