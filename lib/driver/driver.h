/* SPDX-License-Identifier: MIT */
/*
 * driver.h - the frame of a driver program: its options, its device, its end. README.md is the introduction.
 *
 * Started by hand:      nvme --pci 0000:00:03.0 --vduse vda     (or --test)
 * by the manager:       nvme --device-fd 3 --container-fd 4 --manager-fd 5 --name 0000:00:03.0
 *   before it is needed:  nvme --device-later --manager-fd 5 --name 0000:00:03.0
 */
#ifndef DRIVER_DRIVER_H
#define DRIVER_DRIVER_H

#include "block.h"
#include "device.h"
#include "log.h"
#include "loop.h"

/* Statuses of a driver, by which the manager knows what to do. */
#define DRIVER_EXIT_USAGE  2  /* it is no use to start it again like this */
#define DRIVER_EXIT_DEVICE 70 /* the device failed: start again, which resets it */
#define DRIVER_EXIT_TEST   1  /* --test found a mistake */

struct driver_options {
	const char *pci, *name, *vduse, *file;
	int device_fd, container_fd, manager_fd;
	unsigned queues;	/* the most to use; 0: as many as the device has */
	bool test, verbose, confine;
	bool device_later; /* the manager sends it */
	const char *test_words; /* of --test=WORDS */
};

struct driver {
	const char *name, *about;
	bool without_device; /* it has --file instead */
	/* The device is open, or `d` is NULL. Returns the process's status when all is over. */
	int (*run)(struct device *d, const struct driver_options *o);
};

/* main() of a driver: read the options, open the device, run, close. */
int driver_main(const struct driver *driver, int argc, char **argv);

/*
 * Give up what a driver needs no more once its device and its door are open: new privileges, and each system call
 * that is not for waiting, for memory, or for descriptors that it holds. Without it: --no-confine.
 */
int driver_confine(const struct driver_options *o);

#endif
