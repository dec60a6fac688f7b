/* SPDX-License-Identifier: MIT */
/*
 * names.c - where input devices are seen: /sys, /dev, /proc/bus/input.
 */
#include <sys/inotify.h>
#include <sys/sysmacros.h>

#include "device.h"

static char text[65536];

static const char *
read_file(const char *path)
{
	int fd = CHECK_OK(open(path, O_RDONLY));
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += got;
	close(fd);
	text[n] = '\0';
	return text;
}

static struct device *
example(void)
{
	int fd = uinput_open(0);

	uinput_set(fd, LIST(KEYS, KEY(KEY_ESC), KEY(KEY_A), KEY(BTN_LEFT), UI_SET_EVBIT, EV_REL, UI_SET_RELBIT, REL_X, UI_SET_RELBIT,
			    REL_Y, UI_SET_EVBIT, EV_LED, UI_SET_LEDBIT, LED_CAPSL, UI_SET_PROPBIT, INPUT_PROP_POINTER));
	CHECK_OK(ioctl(fd, UI_SET_PHYS, "abi/example"));
	return device_create_on(fd, "abi example");
}

TEST(attributes_say_what_it_is)
{
	struct device *d = example();

	CHECK_STR(device_file(d, "name"), "abi example");
	CHECK_STR(device_file(d, "phys"), "abi/example");
	CHECK_STR(device_file(d, "uniq"), "");
	CHECK_STR(device_file(d, "properties"), "1");
	CHECK_STR(device_file(d, "id/bustype"), "0003");
	CHECK_STR(device_file(d, "id/vendor"), "1234");
	CHECK_STR(device_file(d, "id/product"), "5678");
	CHECK_STR(device_file(d, "id/version"), "0003");
	CHECK_STR(device_file(d, "capabilities/ev"), "20007");
	CHECK_STR(device_file(d, "capabilities/key"), "10000 0 0 0 40000002");
	CHECK_STR(device_file(d, "capabilities/rel"), "3");
	CHECK_STR(device_file(d, "capabilities/abs"), "0");
	CHECK_STR(device_file(d, "capabilities/led"), "2");
	CHECK_STR(device_file(d, "capabilities/ff"), "0");
	CHECK_STR(device_file(d, "modalias"), "input:b0003v1234p5678e0003-e0,1,2,11,k110,r0,1,aml1,sfw");
	CHECK_STR(device_file(d, "inhibited"), "0");
	CHECK_STR(device_file(d, "uevent"),
		  "PRODUCT=3/1234/5678/3\nNAME=\"abi example\"\nPHYS=\"abi/example\"\nPROP=1\nEV=20007\n"
		  "KEY=10000 0 0 0 40000002\nREL=3\nLED=2\nMODALIAS=input:b0003v1234p5678e0003-e0,1,2,11,k110,r0,1,aml1,sfw");
	device_destroy(d);
}

TEST(nodes_have_numbers)
{
	struct device *d = example();
	const char *event = strrchr(d->event, '/') + 1;
	char path[128], want[128], to[256];
	struct stat st;
	ssize_t n;

	CHECK_OK(stat(d->event, &st));
	CHECK(S_ISCHR(st.st_mode) && major(st.st_rdev) == 13 && (int)minor(st.st_rdev) == 64 + atoi(event + 5));
	snprintf(path, sizeof(path), "%s/uevent", event);
	snprintf(want, sizeof(want), "MAJOR=13\nMINOR=%u\nDEVNAME=input/%s", minor(st.st_rdev), event);
	CHECK_STR(device_file(d, path), want);
	snprintf(path, sizeof(path), "%s/dev", event);
	snprintf(want, sizeof(want), "13:%u", minor(st.st_rdev));
	CHECK_STR(device_file(d, path), want);
	snprintf(path, sizeof(path), "/sys/dev/char/13:%u", minor(st.st_rdev));
	n = CHECK_OK(readlink(path, to, sizeof(to) - 1));
	to[n] = '\0';
	snprintf(want, sizeof(want), "../../devices/virtual/input/%s/%s", d->name, event);
	CHECK_STR(to, want);
	snprintf(path, sizeof(path), "/sys/class/input/%s/device/name", event);
	CHECK_STR(read_file(path), "abi example\n");
	snprintf(path, sizeof(path), "/sys/class/input/%s/subsystem", event);
	n = CHECK_OK(readlink(path, to, sizeof(to) - 1));
	to[n] = '\0';
	CHECK_STR(strrchr(to, '/'), "/input");
	CHECK(d->mouse[0]);
	CHECK_OK(stat(d->mouse, &st));
	CHECK((int)minor(st.st_rdev) == 32 + atoi(strrchr(d->mouse, '/') + 6));
	CHECK_OK(stat("/dev/input/mice", &st));
	CHECK(major(st.st_rdev) == 13 && minor(st.st_rdev) == 63);
	CHECK_OK(stat("/dev/uinput", &st));
	CHECK(major(st.st_rdev) == 10 && minor(st.st_rdev) == 223);
	CHECK_STR(read_file("/sys/class/misc/uinput/dev"), "10:223\n");
	CHECK_STR(read_file("/sys/class/input/mice/dev"), "13:63\n");
	device_destroy(d);
	CHECK_ERRNO(stat(path, &st), ENOENT);
}

TEST(proc_lists_it)
{
	struct device *d = example();
	char want[512];

	snprintf(want, sizeof(want),
		 "I: Bus=0003 Vendor=1234 Product=5678 Version=0003\nN: Name=\"abi example\"\nP: Phys=abi/example\n"
		 "S: Sysfs=/devices/virtual/input/%s\nU: Uniq=\nH: Handlers=",
		 d->name);
	CHECK(strstr(read_file("/proc/bus/input/devices"), want));
	CHECK(strstr(strstr(text, want), strrchr(d->event, '/') + 1));
	CHECK(strstr(strstr(text, want), "\nB: PROP=1\nB: EV=20007\nB: KEY=10000 0 0 0 40000002\nB: REL=3\nB: LED=2\n\n"));
	CHECK(strstr(read_file("/proc/bus/input/handlers"), "Name=evdev Minor=64\n"));
	CHECK(strstr(text, "Name=mousedev Minor=32\n"));
	device_destroy(d);
	CHECK(!strstr(read_file("/proc/bus/input/devices"), "abi example"));
}

TEST(who_watches_the_folder_hears_of_nodes)
{
	char room[4096], name[64];
	int fd = CHECK_OK(inotify_init1(IN_NONBLOCK)), created = 0, deleted = 0;
	struct device *d;
	ssize_t n;

	close(uinput_open(0));
	CHECK_OK(inotify_add_watch(fd, "/dev/input", IN_CREATE | IN_DELETE));
	d = device_create(LIST(KEYS, KEY(KEY_A)));
	snprintf(name, sizeof(name), "%s", strrchr(d->event, '/') + 1);
	device_destroy(d);
	while ((n = read(fd, room, sizeof(room))) > 0)
		for (char *at = room; at < room + n; at += sizeof(struct inotify_event) + ((struct inotify_event *)at)->len) {
			struct inotify_event *e = (struct inotify_event *)at;

			created += e->mask == IN_CREATE && strcmp(e->name, name) == 0;
			deleted += e->mask == IN_DELETE && strcmp(e->name, name) == 0;
		}
	CHECK_EQ(created, 1);
	CHECK_EQ(deleted, 1);
}

TEST(more_devices_than_there_were_numbers_for)
{
	struct device *d[40];
	struct stat st;
	int beyond = 0;

	for (int i = 0; i < 40; i++) {
		d[i] = device_create(LIST(KEYS, KEY(KEY_A)));
		CHECK_OK(stat(d[i]->event, &st));
		beyond += minor(st.st_rdev) >= 256;
		CHECK_OK(close(open(d[i]->event, O_RDONLY)));
	}
	CHECK_RANGE(beyond, 8, 20);
	for (int i = 0; i < 40; i++)
		device_destroy(d[i]);
}
