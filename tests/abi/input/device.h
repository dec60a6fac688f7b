/* SPDX-License-Identifier: MIT */
/*
 * device.h - input devices that a case makes, and the files that they are read by.
 */
#ifndef ABI_INPUT_DEVICE_H
#define ABI_INPUT_DEVICE_H

#include <linux/input.h>
#include <linux/uinput.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "../check.h"

/* What a device is to have: pairs of a UI_SET_*BIT command and its argument, ended by 0. */
#define KEYS   UI_SET_EVBIT, EV_KEY
#define KEY(k) UI_SET_KEYBIT, k

struct device {
	int fd;             /* /dev/uinput */
	char name[32];      /* inputN */
	char event[64];     /* /dev/input/eventN */
	char mouse[64];     /* /dev/input/mouseN or "" */
};

/* An open /dev/uinput; skips the case where the kernel has none. */
int uinput_open(int flags);
void uinput_set(int fd, const unsigned long *what);
/* Described with a name and made. */
struct device *device_create_on(int fd, const char *name);
struct device *device_create(const unsigned long *what);
void device_destroy(struct device *d);
/* An open eventN. */
int device_open(const struct device *d, int flags);

/* Write one event; all of a packet. */
void emit(int fd, int type, int code, int value);
void report(int fd);
/* The next events are these; `n` values of type, code, value. They carry one time. */
struct expected {
	int type, code, value;
};
void expect(int fd, const struct expected *what, size_t n);
#define EXPECT(fd, ...)                                                                            \
	do {                                                                                       \
		const struct expected what_[] = { __VA_ARGS__ };                                   \
		expect(fd, what_, sizeof(what_) / sizeof(what_[0]));                               \
	} while (0)
#define REPORT { EV_SYN, SYN_REPORT, 0 }
/* Nothing is there to read. */
void expect_nothing(int fd);
/* A file of the device in /sys, without its newline. */
const char *device_file(const struct device *d, const char *file);
/* One bit of what an EVIOCG command gave. */
static inline bool
bit(const void *map, unsigned n)
{
	return ((const unsigned char *)map)[n / 8] >> n % 8 & 1;
}

#define LIST(...) ((const unsigned long[]){ __VA_ARGS__, 0 })

#endif
