/* SPDX-License-Identifier: MIT */
/* nic.c - which driver is for a network card; a card that the device manager has opened. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "nic.h"
#include "pci_hw.h"

int
nic_open(const struct nic_driver *const *drivers, struct device *d, struct nic **out)
{
	uint16_t vendor = device_config_read(d, PCI_VENDOR, 2), product = device_config_read(d, PCI_DEVICE, 2);
	int error = -ENODEV;

	while (*drivers && !(*drivers)->matches(vendor, product))
		drivers++;
	if (*drivers)
		error = (*drivers)->open(d, out);
	else
		log_error("%s: no driver for %04x:%04x", d->name, vendor, product);
	if (error)
		return error;
	(*out)->device = d;
	snprintf((*out)->key, sizeof((*out)->key), "%s", d->name);
	return 0;
}

int
nic_adopt(const struct nic_driver *const *drivers, const char *name, int device_fd, int container_fd, struct nic **out)
{
	struct device *d = malloc(sizeof(*d));
	int error = d ? device_adopt(d, name, device_fd, container_fd) : -ENOMEM;

	if (!error) {
		error = nic_open(drivers, d, out);
		if (error)
			device_close(d);
	}
	if (error)
		free(d);
	return error;
}

void
nic_close(struct nic *nic)
{
	struct device *d = nic->device;

	nic->ops->close(nic);
	device_bus_master(d, false);
	device_close(d);
	free(d);
}
