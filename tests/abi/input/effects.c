/* SPDX-License-Identifier: MIT */
/*
 * effects.c - force feedback: effects are uploaded, which the provider of the device is asked about.
 */
#include "device.h"

static struct device *
shaker(unsigned effects)
{
	int fd = uinput_open(0);
	struct uinput_setup setup = { .name = "shaker", .ff_effects_max = effects };
	struct device *d;

	uinput_set(fd, LIST(UI_SET_EVBIT, EV_FF, UI_SET_FFBIT, FF_PERIODIC, UI_SET_FFBIT, FF_SINE, UI_SET_FFBIT, FF_CONSTANT));
	CHECK_OK(ioctl(fd, UI_DEV_SETUP, &setup));
	CHECK_OK(ioctl(fd, UI_DEV_CREATE));
	d = calloc(1, sizeof(*d));
	d->fd = fd;
	CHECK_OK(ioctl(fd, UI_GET_SYSNAME(sizeof(d->name)), d->name));
	for (int n = 0; n < 64; n++) {
		char path[96];

		snprintf(path, sizeof(path), "/sys/devices/virtual/input/%s/event%d", d->name, n);
		if (access(path, F_OK) == 0)
			snprintf(d->event, sizeof(d->event), "/dev/input/event%d", n);
	}
	return d;
}

/* In a child: upload an effect; its exit status is the effect's number, or 100 + errno. */
static pid_t
start_upload(int fd, struct ff_effect e)
{
	pid_t pid = check_fork();

	if (pid == 0)
		_exit(ioctl(fd, EVIOCSFF, &e) == 0 ? e.id : 100 + errno);
	return pid;
}

/* The provider's side: the question that comes is this one. */
static unsigned
question(struct device *d, int code)
{
	struct input_event e;

	CHECK_EQ(read(d->fd, &e, sizeof(e)), sizeof(e));
	CHECK_EQ(e.type, EV_UINPUT);
	CHECK_EQ(e.code, code);
	return e.value;
}

static struct uinput_ff_upload
begin_upload(struct device *d)
{
	struct uinput_ff_upload up = { .request_id = question(d, UI_FF_UPLOAD) };

	CHECK_OK(ioctl(d->fd, UI_BEGIN_FF_UPLOAD, &up));
	return up;
}

static struct ff_effect
push(int level)
{
	return (struct ff_effect){ .type = FF_CONSTANT, .id = -1, .replay = { .length = 500 }, .u.constant.level = level };
}

static int
upload(struct device *d, int fd, struct ff_effect e)
{
	pid_t pid = start_upload(fd, e);
	struct uinput_ff_upload up = begin_upload(d);
	int status;

	CHECK_OK(ioctl(d->fd, UI_END_FF_UPLOAD, &up));
	CHECK_OK(waitpid(pid, &status, 0));
	return WEXITSTATUS(status);
}

TEST(effects_are_uploaded_played_and_erased)
{
	struct device *d = shaker(4);
	int fd = device_open(d, O_RDWR), n = 0;
	pid_t pid = start_upload(fd, push(1234));
	struct uinput_ff_upload up = begin_upload(d);
	struct uinput_ff_erase erase = { 0 };
	struct ff_effect e;

	CHECK(up.effect.type == FF_CONSTANT && up.effect.id == 0 && up.effect.u.constant.level == 1234 && up.old.type == 0);
	CHECK_EQ(up.effect.replay.length, 500);
	CHECK_OK(ioctl(d->fd, UI_END_FF_UPLOAD, &up));
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(ioctl(d->fd, UI_END_FF_UPLOAD, &up), EINVAL); /* it is answered */
	CHECK_OK(ioctl(fd, EVIOCGEFFECTS, &n));
	CHECK_EQ(n, 4);

	emit(fd, EV_FF, 0, 1);
	EXPECT(d->fd, { EV_FF, 0, 1 });

	e = push(99); /* changed while it is there */
	e.id = 0;
	pid = start_upload(fd, e);
	up = begin_upload(d);
	CHECK(up.effect.u.constant.level == 99 && up.old.u.constant.level == 1234);
	CHECK_OK(ioctl(d->fd, UI_END_FF_UPLOAD, &up));
	CHECK_EXIT(pid, 0);

	pid = check_fork();
	if (pid == 0)
		_exit(ioctl(fd, EVIOCRMFF, 0) == 0 ? 0 : errno);
	EXPECT(d->fd, { EV_FF, 0, 0 }); /* it stops */
	erase.request_id = question(d, UI_FF_ERASE);
	CHECK_OK(ioctl(d->fd, UI_BEGIN_FF_ERASE, &erase));
	CHECK_EQ(erase.effect_id, 0);
	CHECK_OK(ioctl(d->fd, UI_END_FF_ERASE, &erase));
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(ioctl(fd, EVIOCRMFF, 0), EINVAL);
	device_destroy(d);
}

TEST(a_refusal_is_the_result)
{
	struct device *d = shaker(2);
	int fd = device_open(d, O_RDWR);
	pid_t pid = start_upload(fd, push(1));
	struct uinput_ff_upload up = begin_upload(d);

	up.retval = -ENOSPC;
	CHECK_OK(ioctl(d->fd, UI_END_FF_UPLOAD, &up));
	CHECK_EXIT(pid, 100 + ENOSPC);
	CHECK_ERRNO(ioctl(fd, EVIOCRMFF, 0), EINVAL);
	device_destroy(d);
}

TEST(effects_that_cannot_be)
{
	struct device *d = shaker(2);
	int fd = device_open(d, O_RDWR);
	struct ff_effect e = push(1);
	struct uinput_ff_upload up = { .request_id = 3 };

	e.type = FF_SPRING; /* it cannot do that */
	CHECK_ERRNO(ioctl(fd, EVIOCSFF, &e), EINVAL);
	e.type = FF_GAIN;
	CHECK_ERRNO(ioctl(fd, EVIOCSFF, &e), EINVAL);
	e.type = FF_PERIODIC;
	e.u.periodic.waveform = FF_SQUARE;
	CHECK_ERRNO(ioctl(fd, EVIOCSFF, &e), EINVAL);
	e = push(1);
	e.id = 1; /* there is none */
	CHECK_ERRNO(ioctl(fd, EVIOCSFF, &e), EINVAL);
	e.id = 7;
	CHECK_ERRNO(ioctl(fd, EVIOCSFF, &e), EINVAL);
	CHECK_ERRNO(ioctl(fd, EVIOCSFF, NULL), EFAULT);
	CHECK_ERRNO(ioctl(fd, EVIOCRMFF, 7), EINVAL);
	CHECK_ERRNO(ioctl(d->fd, UI_BEGIN_FF_UPLOAD, &up), EINVAL);
	up.request_id = 99;
	CHECK_ERRNO(ioctl(d->fd, UI_BEGIN_FF_UPLOAD, &up), EINVAL);
	CHECK_ERRNO(ioctl(d->fd, UI_BEGIN_FF_ERASE, &up), EINVAL);
	CHECK_ERRNO(ioctl(d->fd, UI_BEGIN_FF_UPLOAD, NULL), EFAULT);
	device_destroy(d);
}

TEST(an_effect_belongs_to_who_uploaded_it)
{
	struct device *d = shaker(2);
	int a = device_open(d, O_RDWR), b = device_open(d, O_RDWR);
	struct ff_effect e = push(2);

	CHECK_EQ(upload(d, a, push(1)), 0);
	CHECK_EQ(upload(d, b, push(1)), 1);
	CHECK_ERRNO(ioctl(b, EVIOCSFF, &e), ENOSPC); /* there are only two */
	e.id = 0;
	CHECK_ERRNO(ioctl(b, EVIOCSFF, &e), EACCES);
	CHECK_ERRNO(ioctl(b, EVIOCRMFF, 0), EACCES);
	e.type = FF_PERIODIC; /* and it stays of its kind */
	e.u.periodic.waveform = FF_SINE;
	CHECK_ERRNO(ioctl(a, EVIOCSFF, &e), EINVAL);
	device_destroy(d);
}

TEST(rumble_is_made_of_waves)
{
	struct device *d = shaker(2);
	int fd = device_open(d, O_RDWR);
	struct ff_effect e = { .type = FF_RUMBLE, .id = -1, .u.rumble = { .strong_magnitude = 3000, .weak_magnitude = 600 } };
	unsigned char map[16];
	struct uinput_ff_upload up;
	pid_t pid;

	CHECK_EQ(ioctl(fd, EVIOCGBIT(EV_FF, sizeof(map)), map), 16);
	CHECK(bit(map, FF_RUMBLE) && bit(map, FF_CONSTANT) && !bit(map, FF_SPRING));
	pid = start_upload(fd, e);
	up = begin_upload(d);
	CHECK(up.effect.type == FF_PERIODIC && up.effect.u.periodic.waveform == FF_SINE && up.effect.u.periodic.magnitude == 1100);
	CHECK_EQ(up.effect.u.periodic.period, 50);
	CHECK_OK(ioctl(d->fd, UI_END_FF_UPLOAD, &up));
	CHECK_EXIT(pid, 0);
	device_destroy(d);
}

TEST(a_provider_that_goes_answers_no_more)
{
	struct device *d = shaker(2);
	int fd = device_open(d, O_RDWR);
	pid_t pid = start_upload(fd, push(1));

	begin_upload(d);
	CHECK_OK(ioctl(d->fd, UI_DEV_DESTROY));
	CHECK_EXIT(pid, 100 + ENODEV);
	close(d->fd);
	close(fd);
}

TEST(effects_need_room)
{
	int fd = uinput_open(0);
	struct uinput_setup setup = { .name = "none" };

	uinput_set(fd, LIST(UI_SET_EVBIT, EV_FF));
	CHECK_OK(ioctl(fd, UI_DEV_SETUP, &setup));
	CHECK_ERRNO(ioctl(fd, UI_DEV_CREATE), EINVAL);
}

TEST(a_device_without_effects_takes_none)
{
	struct device *d = device_create(LIST(KEYS, KEY(KEY_A)));
	int fd = device_open(d, O_RDWR);
	struct ff_effect e = push(1);

	CHECK_ERRNO(ioctl(fd, EVIOCSFF, &e), ENOSYS);
	CHECK_ERRNO(ioctl(fd, EVIOCRMFF, 0), ENOSYS);
	device_destroy(d);
}
