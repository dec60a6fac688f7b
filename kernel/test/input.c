/* SPDX-License-Identifier: MIT */
/*
 * input.c - input devices, provided and read through their files: queues that run over, grabs, what becomes of keys whose
 * device goes, and all of that at once.
 *
 * The numbers are linux/input.h's and linux/uinput.h's. Which numbers a device gets depends on what there is beside it:
 * in a test run, nothing.
 */
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/inode.h>
#include <tessera/iov.h>
#include <tessera/print.h>
#include <tessera/random.h>
#include <tessera/string.h>
#include <tessera/test.h>

#define UINPUT DEV(10, 223)
#define EVENT0 DEV(13, 64)
#define MICE   DEV(13, 63)

#define UI_DEV_CREATE  0x5501u
#define UI_DEV_DESTROY 0x5502u
#define UI_SET_EVBIT   0x40045564u
#define UI_SET_KEYBIT  0x40045565u
#define UI_SET_RELBIT  0x40045566u
#define EVIOCGRAB      0x40044590u
#define EVIOCREVOKE    0x40044591u

#define EV_SYN      0u
#define EV_KEY      1u
#define EV_REL      2u
#define SYN_REPORT  0u
#define SYN_DROPPED 3u
#define BTN_LEFT    0x110u
#define REL_X       0u
#define REL_Y       1u

#define QUEUE 128 /* events that a reader's queue of this mouse has room for, but one */

struct event {
	int64_t seconds, microseconds;
	uint16_t type, code;
	int32_t value;
};

/* --- files ------------------------------------------------------------------------------------------- */

/* NULL: it cannot be opened. */
static struct file *
open_device(dev_t dev)
{
	struct file *f = NULL;
	char name[32];
	int error;

	snprintf(name, sizeof(name), "/ktest-%u-%u", DEV_MAJOR(dev), DEV_MINOR(dev));
	error = vfs_mknod(AT_FDCWD, name, S_IFCHR | 0600, dev);
	if (!error || error == -EEXIST)
		error = vfs_open(AT_FDCWD, name, O_RDWR | O_NONBLOCK, 0, 0, &f);
	return error ? NULL : f;
}

static void
remove_names(void)
{
	vfs_unlink(AT_FDCWD, "/ktest-10-223", false);
	vfs_unlink(AT_FDCWD, "/ktest-13-64", false);
	vfs_unlink(AT_FDCWD, "/ktest-13-63", false);
}

static long
control(struct file *f, uint32_t command, uintptr_t arg)
{
	return f->ops->ioctl(f, command, arg);
}

static ssize_t
write_bytes(struct file *f, const void *bytes, size_t n)
{
	struct iov_iter it;

	iov_iter_kernel(&it, (void *)bytes, n);
	return file_write(f, &it, NULL);
}

static ssize_t
read_bytes(struct file *f, void *bytes, size_t n)
{
	struct iov_iter it;

	iov_iter_kernel(&it, bytes, n);
	return file_read(f, &it, NULL);
}

/* --- a device ---------------------------------------------------------------------------------------- */

/* An open /dev/uinput that provides a mouse. */
static struct file *
provide_mouse(void)
{
	static const uint8_t description[1116] = "ktest";
	static const uint32_t bits[][2] = {
		{ UI_SET_EVBIT, EV_KEY }, { UI_SET_KEYBIT, BTN_LEFT }, { UI_SET_EVBIT, EV_REL },
		{ UI_SET_RELBIT, REL_X }, { UI_SET_RELBIT, REL_Y },
	};
	struct file *f = open_device(UINPUT);
	long error = f ? 0 : -ENODEV;

	for (size_t i = 0; !error && i < ARRAY_SIZE(bits); i++)
		error = control(f, bits[i][0], bits[i][1]);
	if (!error && write_bytes(f, description, sizeof(description)) != (ssize_t)sizeof(description))
		error = -EIO;
	if (!error)
		error = control(f, UI_DEV_CREATE, 0);
	if (error && f) {
		file_put(f);
		f = NULL;
	}
	return f;
}

static bool
emit(struct file *f, uint16_t type, uint16_t code, int32_t value)
{
	struct event e = { .type = type, .code = code, .value = value };

	return write_bytes(f, &e, sizeof(e)) == (ssize_t)sizeof(e);
}

static bool
move(struct file *f, int32_t x)
{
	return emit(f, EV_REL, REL_X, x) && emit(f, EV_SYN, SYN_REPORT, 0);
}

static bool
press(struct file *f, bool down)
{
	return emit(f, EV_KEY, BTN_LEFT, down) && emit(f, EV_SYN, SYN_REPORT, 0);
}

/* The next event is that one. */
static bool
comes(struct file *f, uint16_t type, uint16_t code, int32_t value)
{
	struct event e;

	return read_bytes(f, &e, sizeof(e)) == (ssize_t)sizeof(e) && e.type == type && e.code == code && e.value == value;
}

static bool
is_empty(struct file *f)
{
	struct event e;

	return read_bytes(f, &e, sizeof(e)) == -EAGAIN;
}

/* --- one after the other -------------------------------------------------------------------------------- */

KTEST(input_queue_that_runs_over_keeps_the_newest)
{
	struct file *provider = provide_mouse(), *reader = open_device(EVENT0);

	kcheck(provider && reader);
	/* One event less than would run over: all are there. */
	for (int i = 1; i < QUEUE / 2; i++)
		kcheck(move(provider, i));
	for (int i = 1; i < QUEUE / 2; i++)
		kcheck(comes(reader, EV_REL, REL_X, i) && comes(reader, EV_SYN, SYN_REPORT, 0));
	kcheck(is_empty(reader));
	/* The report of this packet is the one too many. */
	for (int i = 1; i <= QUEUE / 2; i++)
		kcheck(move(provider, i));
	kcheck(comes(reader, EV_SYN, SYN_DROPPED, 0) && comes(reader, EV_SYN, SYN_REPORT, 0) && is_empty(reader));
	/* What comes then is whole again, wherever in the ring it lies. */
	for (int i = 1; i < 3 * QUEUE; i++) {
		kcheck(move(provider, i));
		kcheck(comes(reader, EV_REL, REL_X, i) && comes(reader, EV_SYN, SYN_REPORT, 0));
	}
	/* What has no report yet has not come, and takes no room; then it does. */
	for (int i = 1; i < QUEUE / 2; i++)
		kcheck(move(provider, i));
	kcheck(emit(provider, EV_REL, REL_X, 100) && emit(provider, EV_REL, REL_Y, 101));
	kcheck(comes(reader, EV_REL, REL_X, 1) && comes(reader, EV_SYN, SYN_REPORT, 0));
	kcheck(move(provider, 7) && move(provider, 8));
	kcheck(comes(reader, EV_SYN, SYN_DROPPED, 0) && comes(reader, EV_SYN, SYN_REPORT, 0));
	kcheck(comes(reader, EV_REL, REL_X, 8) && comes(reader, EV_SYN, SYN_REPORT, 0) && is_empty(reader));
	file_put(reader);
	file_put(provider);
	remove_names();
}

KTEST(input_grabs_end_with_who_holds_them)
{
	struct file *provider = provide_mouse(), *one = open_device(EVENT0), *other = open_device(EVENT0);
	struct file *mice = open_device(MICE);
	uint8_t bytes[3];

	kcheck(provider && one && other && mice);
	kcheck_equal(control(one, EVIOCGRAB, 1), 0);
	kcheck_equal(control(other, EVIOCGRAB, 1), -EBUSY);
	kcheck_equal(control(other, EVIOCGRAB, 0), -EINVAL);
	kcheck(move(provider, 1));
	kcheck(is_empty(other) && comes(one, EV_REL, REL_X, 1) && comes(one, EV_SYN, SYN_REPORT, 0));
	kcheck_equal(read_bytes(mice, bytes, sizeof(bytes)), -EAGAIN);
	/* A reader that is revoked holds nothing, */
	kcheck_equal(control(one, EVIOCREVOKE, 0), 0);
	kcheck_equal(control(other, EVIOCGRAB, 1), 0);
	kcheck(move(provider, 2));
	kcheck(comes(other, EV_REL, REL_X, 2) && comes(other, EV_SYN, SYN_REPORT, 0));
	kcheck_equal(read_bytes(one, bytes, sizeof(struct event)), -ENODEV);
	file_put(one);
	/* nor does one that is closed. */
	file_put(other);
	kcheck(move(provider, 3));
	kcheck_equal(read_bytes(mice, bytes, sizeof(bytes)), sizeof(bytes));
	kcheck_equal(bytes[1], 3);
	/* A device that goes is held by nobody: the next of its number is free. */
	one = open_device(EVENT0);
	kcheck(one);
	kcheck_equal(control(one, EVIOCGRAB, 1), 0);
	file_put(provider);
	kcheck_equal(control(one, EVIOCGRAB, 0), -ENODEV);
	provider = provide_mouse();
	other = open_device(EVENT0);
	kcheck(provider && other);
	kcheck_equal(control(other, EVIOCGRAB, 1), 0);
	file_put(other);
	file_put(one);
	file_put(mice);
	file_put(provider);
	remove_names();
}

/* Who reads all mice does not believe for ever that a button of a mouse that has been pulled out is down. */
KTEST(input_keys_go_up_with_their_device)
{
	struct file *provider = provide_mouse(), *reader = open_device(EVENT0), *mice = open_device(MICE);
	uint8_t bytes[3];

	kcheck(provider && reader && mice);
	kcheck(press(provider, true));
	kcheck(comes(reader, EV_KEY, BTN_LEFT, 1) && comes(reader, EV_SYN, SYN_REPORT, 0));
	kcheck_equal(read_bytes(mice, bytes, sizeof(bytes)), sizeof(bytes));
	kcheck_equal(bytes[0], 9);
	file_put(provider);
	kcheck_equal(read_bytes(mice, bytes, sizeof(bytes)), sizeof(bytes));
	kcheck_equal(bytes[0], 8);
	kcheck_equal(read_bytes(reader, bytes, sizeof(struct event)), -ENODEV);
	/* The next one begins with its keys up, and what the old one had pressed is not pressed. */
	provider = provide_mouse();
	kcheck(provider);
	kcheck(move(provider, 5));
	kcheck_equal(read_bytes(mice, bytes, sizeof(bytes)), sizeof(bytes));
	kcheck_equal(bytes[0], 8);
	/* Nor is it when somebody had the device alone, and was the only one to be told. */
	kcheck(press(provider, true));
	kcheck_equal(read_bytes(mice, bytes, sizeof(bytes)), sizeof(bytes));
	kcheck_equal(bytes[0], 9);
	file_put(reader);
	reader = open_device(EVENT0);
	kcheck(reader);
	kcheck_equal(control(reader, EVIOCGRAB, 1), 0);
	file_put(provider);
	provider = provide_mouse();
	kcheck(provider);
	kcheck(move(provider, 5));
	kcheck_equal(read_bytes(mice, bytes, sizeof(bytes)), sizeof(bytes));
	kcheck_equal(bytes[0], 8);
	file_put(mice);
	file_put(reader);
	file_put(provider);
	remove_names();
}

/* --- all at once ---------------------------------------------------------------------------------------- */

#define ROUNDS 40u

static bool storm_over; /* [a] */

/* Presses and moves, and takes its device away in the midst of a packet. */
static bool
provide_in_storm(void)
{
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct file *f = provide_mouse();

		if (!f)
			return false;
		for (uint64_t n = random_below(3 * QUEUE); n > 0; n--)
			if (!move(f, (int32_t)n) || !press(f, n & 1))
				return false;
		emit(f, EV_REL, REL_Y, 1);
		if (i & 1)
			control(f, UI_DEV_DESTROY, 0);
		file_put(f);
	}
	return true;
}

/* Opens what there is, has it alone now and then, reads, and lets go in one way or the other. */
static void
read_in_storm(void)
{
	while (!atomic_load(&storm_over)) {
		struct file *f = open_device(EVENT0);
		uint8_t bytes[5 * sizeof(struct event)];

		if (!f)
			continue;
		if (random_below(2))
			control(f, EVIOCGRAB, 1);
		for (uint64_t n = random_below(500); n > 0 && read_bytes(f, bytes, sizeof(bytes)) != -ENODEV; n--)
			;
		if (random_below(4) == 0)
			control(f, EVIOCREVOKE, 0);
		file_put(f);
	}
}

static void
take_part(void *arg, uint32_t index)
{
	if (index > 0) {
		read_in_storm();
		return;
	}
	if (!provide_in_storm())
		ktest_fail(__FILE__, __LINE__, "a device that cannot be made, or takes no events");
	atomic_store(&storm_over, true);
}

KTEST(input_devices_go_while_they_are_read)
{
	atomic_store(&storm_over, false);
	ktest_parallel(4, take_part, NULL);
	remove_names();
}
