/* SPDX-License-Identifier: MIT */
/*
 * events.c - events NAME COUNT: print what the input device of that name tells, until so many packets have come. A
 * packet is a line of TYPE:CODE=VALUE; keys that repeat are left out, for how often they do is a matter of time. Says
 * when it listens, and when the device is gone.
 *
 *   events NAME led CODE VALUE      switch a light on or off instead
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/input.h>

/* The device, once it is there. */
static int
open_device(const char *name)
{
	char path[300], text[128];

	for (int tries = 0; tries < 2000; tries++) {
		DIR *all = opendir("/dev/input");
		struct dirent *entry;

		while (all && (entry = readdir(all))) {
			int fd;

			if (strncmp(entry->d_name, "event", 5) != 0)
				continue;
			snprintf(path, sizeof(path), "/dev/input/%s", entry->d_name);
			fd = open(path, O_RDWR);
			if (fd >= 0 && ioctl(fd, EVIOCGNAME(sizeof(text)), text) >= 0 && strcmp(text, name) == 0) {
				closedir(all);
				return fd;
			}
			if (fd >= 0)
				close(fd);
		}
		if (all)
			closedir(all);
		usleep(20000);
	}
	fprintf(stderr, "no device is called %s\n", name);
	exit(1);
}

int
main(int argc, char **argv)
{
	struct input_event e;
	int fd, left, told = 0;

	if (argc < 3)
		return 2;
	fd = open_device(argv[1]);
	if (argc == 5) {
		e = (struct input_event){ .type = EV_LED, .code = atoi(argv[3]), .value = atoi(argv[4]) };
		return write(fd, &e, sizeof(e)) != sizeof(e);
	}
	left = atoi(argv[2]);
	printf("listening\n");
	fflush(stdout);
	while (left > 0 && read(fd, &e, sizeof(e)) == sizeof(e)) {
		if (e.type != EV_SYN && !(e.type == EV_KEY && e.value == 2)) {
			printf("%d:%d=%d ", e.type, e.code, e.value);
			told++;
		} else if (e.type == EV_SYN && told) {
			printf("\n");
			fflush(stdout);
			told = 0;
			left--;
		}
	}
	printf(left ? "gone\n" : "done\n");
	return left != 0;
}
