/* SPDX-License-Identifier: MIT */
/* driver.c - main() of a driver. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "driver.h"
#include "manager.h"

#define LET_GO_MS 30000 /* a predecessor that has just died: its device is reset first, and others' before it */

static void
usage(const struct driver *driver)
{
	printf("usage: %s --pci ADDRESS [options]\n"
	       "%s\n"
	       "  --pci ADDRESS       the device, such as 0000:00:03.0, which must belong to vfio-pci; or the name of one of\n"
	       "                      the machine's old devices, such as i8042\n"
	       "  --file PATH         what a driver without a device works on\n"
	       "  --vduse NAME        serve it as /dev/vduse/NAME (disks)\n"
	       "  --test[=WORDS]      no door: use the device by itself, tell whether it works\n"
	       "  --queues N          use at most N queues\n"
	       "  --verbose           say more\n"
	       "  --no-confine        keep all system calls, for debuggers\n"
	       "  --device-fd N --container-fd N --manager-fd N --name TEXT\n"
	       "                      what the device manager has opened\n"
	       "  --device-later      the manager sends the device and the container when they are to be driven\n",
		driver->name, driver->about);
}

enum { OPTION_PCI = 256, OPTION_VDUSE, OPTION_TEST, OPTION_QUEUES, OPTION_VERBOSE, OPTION_NO_CONFINE, OPTION_DEVICE,
	OPTION_CONTAINER, OPTION_MANAGER, OPTION_LATER, OPTION_NAME, OPTION_FILE, OPTION_HELP };

static const struct option long_options[] = {
	{ "pci", required_argument, NULL, OPTION_PCI },
	{ "file", required_argument, NULL, OPTION_FILE },
	{ "vduse", required_argument, NULL, OPTION_VDUSE },
	{ "test", optional_argument, NULL, OPTION_TEST },
	{ "queues", required_argument, NULL, OPTION_QUEUES },
	{ "verbose", no_argument, NULL, OPTION_VERBOSE },
	{ "no-confine", no_argument, NULL, OPTION_NO_CONFINE },
	{ "device-fd", required_argument, NULL, OPTION_DEVICE },
	{ "container-fd", required_argument, NULL, OPTION_CONTAINER },
	{ "manager-fd", required_argument, NULL, OPTION_MANAGER },
	{ "device-later", no_argument, NULL, OPTION_LATER },
	{ "name", required_argument, NULL, OPTION_NAME },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ 0 },
};

static bool
read_options(const struct driver *driver, struct driver_options *o, int argc, char **argv)
{
	int option;

	*o = (struct driver_options){ .device_fd = -1, .container_fd = -1, .manager_fd = -1, .confine = true };
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		switch (option) {
		case OPTION_PCI: o->pci = optarg; break;
		case OPTION_FILE: o->file = optarg; break;
		case OPTION_VDUSE: o->vduse = optarg; break;
		case OPTION_TEST: o->test = true; o->test_words = optarg; break;
		case OPTION_QUEUES: o->queues = atoi(optarg); break;
		case OPTION_VERBOSE: o->verbose = true; break;
		case OPTION_NO_CONFINE: o->confine = false; break;
		case OPTION_DEVICE: o->device_fd = atoi(optarg); break;
		case OPTION_CONTAINER: o->container_fd = atoi(optarg); break;
		case OPTION_MANAGER: o->manager_fd = atoi(optarg); break;
		case OPTION_LATER: o->device_later = true; break;
		case OPTION_NAME: o->name = optarg; break;
		case OPTION_HELP: usage(driver); exit(0);
		default: return false;
		}
	}
	if (!o->name)
		o->name = o->pci ? o->pci : "";
	if (driver->without_device)
		return optind == argc && o->file;
	if (o->device_later)
		return optind == argc && o->manager_fd >= 0;
	return optind == argc && (o->pci || (o->device_fd >= 0 && o->container_fd >= 0));
}

int
driver_main(const struct driver *driver, int argc, char **argv)
{
	struct driver_options o;
	struct device d;
	int status;

	if (!read_options(driver, &o, argc, argv)) {
		usage(driver);
		return DRIVER_EXIT_USAGE;
	}
	log_open(driver->name, o.name, o.verbose);
	/* A driver of the disk that is paged to must not wait for that disk. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		log_debug("memory is not locked: %s", strerror(errno));
	if (driver->without_device)
		return driver->run(NULL, &o);
	if (o.device_later && manager_take_device(o.manager_fd, &o.device_fd, &o.container_fd) < 0)
		return DRIVER_EXIT_DEVICE;
	if (o.pci)
		status = device_open(&d, o.pci, LET_GO_MS);
	else
		status = device_adopt(&d, o.name, o.device_fd, o.container_fd);
	if (status < 0)
		return DRIVER_EXIT_DEVICE;
	status = driver->run(&d, &o);
	device_bus_master(&d, false);
	device_close(&d);
	return status;
}
