/* SPDX-License-Identifier: MIT */
/* device.c - input devices that a case makes. */
#include <dirent.h>

#include "device.h"

int
uinput_open(int flags)
{
	int fd = open("/dev/uinput", O_RDWR | flags);

	if (fd < 0 && errno == ENOENT)
		SKIP("this kernel has no uinput");
	return CHECK_OK(fd);
}

void
uinput_set(int fd, const unsigned long *what)
{
	for (; *what; what += 2)
		CHECK_OK(ioctl(fd, what[0], what[1]));
}

/* The node of a kind that the device has: /dev/input/KINDn. */
static void
find_node(const struct device *d, const char *kind, char *path, size_t size)
{
	char folder[96];
	struct dirent *entry;
	DIR *all;

	snprintf(folder, sizeof(folder), "/sys/devices/virtual/input/%s", d->name);
	path[0] = '\0';
	all = opendir(folder);
	CHECK(all != NULL);
	while ((entry = readdir(all)))
		if (strncmp(entry->d_name, kind, strlen(kind)) == 0)
			snprintf(path, size, "/dev/input/%s", entry->d_name);
	closedir(all);
}

struct device *
device_create_on(int fd, const char *name)
{
	struct device *d = calloc(1, sizeof(*d));
	struct uinput_setup setup = { .id = { .bustype = BUS_USB, .vendor = 0x1234, .product = 0x5678, .version = 3 } };

	strncpy(setup.name, name, sizeof(setup.name) - 1);
	CHECK_OK(ioctl(fd, UI_DEV_SETUP, &setup));
	CHECK_OK(ioctl(fd, UI_DEV_CREATE));
	d->fd = fd;
	CHECK_EQ(ioctl(fd, UI_GET_SYSNAME(sizeof(d->name)), d->name), strlen(d->name) + 1);
	find_node(d, "event", d->event, sizeof(d->event));
	find_node(d, "mouse", d->mouse, sizeof(d->mouse));
	CHECK(d->event[0]);
	return d;
}

struct device *
device_create(const unsigned long *what)
{
	int fd = uinput_open(0);

	uinput_set(fd, what);
	return device_create_on(fd, "abi device");
}

void
device_destroy(struct device *d)
{
	CHECK_OK(ioctl(d->fd, UI_DEV_DESTROY));
	close(d->fd);
	free(d);
}

int
device_open(const struct device *d, int flags)
{
	return CHECK_OK(open(d->event, flags));
}

void
emit(int fd, int type, int code, int value)
{
	struct input_event e = { .type = type, .code = code, .value = value };

	CHECK_EQ(write(fd, &e, sizeof(e)), sizeof(e));
}

void
report(int fd)
{
	emit(fd, EV_SYN, SYN_REPORT, 0);
}

void
expect(int fd, const struct expected *what, size_t n)
{
	struct input_event e, first;

	for (size_t i = 0; i < n; i++) {
		CHECK_EQ(read(fd, &e, sizeof(e)), sizeof(e));
		if (i == 0)
			first = e;
		if (e.type != what[i].type || e.code != what[i].code || e.value != what[i].value)
			FAIL("event %zu (got %d %d %d, want %d %d %d)", i, e.type, e.code, e.value, what[i].type, what[i].code,
			     what[i].value);
		CHECK(e.input_event_sec == first.input_event_sec && e.input_event_usec == first.input_event_usec);
		if (e.type == EV_SYN && e.code == SYN_REPORT && i + 1 < n) {
			expect(fd, what + i + 1, n - i - 1); /* the next packet has its own time */
			return;
		}
	}
}

void
expect_nothing(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	CHECK_EQ(poll(&p, 1, 0), 0);
}

const char *
device_file(const struct device *d, const char *file)
{
	static char text[4096];
	char path[160];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/devices/virtual/input/%s/%s", d->name, file);
	fd = CHECK_OK(open(path, O_RDONLY));
	n = CHECK_OK(read(fd, text, sizeof(text) - 1));
	close(fd);
	text[n] = '\0';
	if (n && text[n - 1] == '\n')
		text[n - 1] = '\0';
	return text;
}
