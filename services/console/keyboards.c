/* SPDX-License-Identifier: MIT */
/*
 * keyboards.c - all input devices that type, through /dev/input/event*; they come and go. Keys that repeat type again;
 * locks are shown by LEDs on all of them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/input.h>

#include "console.h"
#include "log.h"
#include "loop.h"

struct keyboard {
	struct keyboard *next;
	struct watch watch;
	char name[32];
};

static struct keyboard *all;
static struct modifiers held;
static unsigned down; /* a bit for each key of `sides`: two of a kind are held until both are up */
static const uint16_t sides[] = { KEY_LEFTSHIFT, KEY_RIGHTSHIFT, KEY_LEFTCTRL, KEY_RIGHTCTRL };
static void (*typed)(const char *bytes, size_t n);

static void look(struct watch *w);

/* One of them goes down or up. False: it is none of them. */
static bool
hold(unsigned code, bool is_down)
{
	for (unsigned i = 0; i < sizeof(sides) / sizeof(sides[0]); i++)
		if (sides[i] == code) {
			down = is_down ? down | 1u << i : down & ~(1u << i);
			held.shift = down & 3;
			held.control = down & 12;
			return true;
		}
	return false;
}

/* Nobody will say that they went up. */
static void
release_all(void)
{
	held.shift = held.control = held.alt = false;
	down = 0;
}

static void
show_locks(struct keyboard *k)
{
	struct input_event e[] = {
		{ .type = EV_LED, .code = LED_CAPSL, .value = held.caps },
		{ .type = EV_LED, .code = LED_NUML, .value = held.num },
		{ .type = EV_SYN, .code = SYN_REPORT },
	};

	if (write(k->watch.fd, e, sizeof(e)) < 0)
		log_debug("%s has no LEDs: %s", k->name, strerror(errno));
}

static void
forget(struct keyboard *k)
{
	for (struct keyboard **at = &all; *at; at = &(*at)->next)
		if (*at == k) {
			*at = k->next;
			break;
		}
	log_info("%s is gone", k->name);
	loop_forget(&k->watch);
	close(k->watch.fd);
	free(k);
	release_all();
	look(NULL); /* one that has come back under its name was taken for the one that went */
}

static void
lock(bool *which)
{
	*which = !*which;
	for (struct keyboard *k = all; k; k = k->next)
		show_locks(k);
}

static void
key(unsigned code, int value)
{
	char bytes[TYPED_MAX];
	size_t n;

	if (hold(code, value))
		return;
	switch (code) {
	case KEY_LEFTALT:
		held.alt = value;
		return;
	case KEY_CAPSLOCK:
	case KEY_NUMLOCK:
		if (value == 1)
			lock(code == KEY_CAPSLOCK ? &held.caps : &held.num);
		return;
	}
	n = value ? keymap_type(code, &held, bytes) : 0;
	if (n)
		typed(bytes, n);
}

static void
ready(struct watch *w)
{
	struct keyboard *k = container_of(w, struct keyboard, watch);
	struct input_event e;
	ssize_t n;

	while ((n = read(w->fd, &e, sizeof(e))) == sizeof(e)) {
		if (e.type == EV_KEY)
			key(e.code, e.value);
		else if (e.type == EV_SYN && e.code == SYN_DROPPED)
			release_all();
	}
	if (n < 0 && errno == ENODEV)
		forget(k);
}

/* It has letters, and an Enter. */
static bool
can_type(int fd)
{
	uint8_t keys[KEY_CNT / 8] = { 0 };

	return ioctl(fd, EVIOCGBIT(EV_KEY, sizeof(keys)), keys) >= 0 && keys[KEY_A / 8] >> KEY_A % 8 & 1 &&
	       keys[KEY_ENTER / 8] >> KEY_ENTER % 8 & 1;
}

static void
found(const char *name)
{
	struct keyboard *k;
	char path[64];
	int fd;

	for (k = all; k; k = k->next)
		if (strcmp(k->name, name) == 0)
			return;
	snprintf(path, sizeof(path), "/dev/input/%s", name);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	k = fd >= 0 && can_type(fd) ? calloc(1, sizeof(*k)) : NULL;
	if (!k) {
		if (fd >= 0)
			close(fd);
		return;
	}
	snprintf(k->name, sizeof(k->name), "%s", name);
	k->watch.fd = fd;
	k->watch.ready = ready;
	if (loop_watch(&k->watch) < 0) {
		close(fd);
		free(k);
		return;
	}
	k->next = all;
	all = k;
	log_info("%s types", name);
	show_locks(k);
}

static void
look(struct watch *w)
{
	char drop[4096];
	struct dirent *entry;
	DIR *folder;

	while (w && read(w->fd, drop, sizeof(drop)) > 0)
		;
	folder = opendir("/dev/input");
	while (folder && (entry = readdir(folder)))
		if (strncmp(entry->d_name, "event", 5) == 0 && strlen(entry->d_name) < 16)
			found(entry->d_name);
	if (folder)
		closedir(folder);
}

int
keyboards_begin(void (*type)(const char *bytes, size_t n))
{
	static struct watch changes = { .ready = look };

	typed = type;
	changes.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (changes.fd < 0 || inotify_add_watch(changes.fd, "/dev/input", IN_CREATE | IN_ATTRIB) < 0 || loop_watch(&changes) < 0)
		return -errno;
	look(NULL);
	return 0;
}
