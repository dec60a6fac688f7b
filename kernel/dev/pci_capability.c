/* SPDX-License-Identifier: MIT */
/*
 * pci_capability.c - what a device says it can do (PCI 3.0, 6.7; PCI Express 5.0, 7.6), and switching it on.
 */
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/print.h>

#include "pci.h"

#define CAPABILITIES_MAX 48    /* more than that in a list is a circle */
#define EXTENDED_MAX     480
#define EXTENDED_FIRST   0x100
#define EXTENDED_LEAST   8     /* bytes of those that are asked for */

uint16_t
pci_find_capability(struct pci_device *d, uint8_t id)
{
	uint32_t at;

	if (!(pci_read(d, PCI_STATUS, 2) & PCI_STATUS_CAPS))
		return 0;
	at = pci_read(d, PCI_CAPABILITIES, 1) & 0xfc;
	for (uint32_t i = 0; at >= 0x40 && i < CAPABILITIES_MAX; i++) {
		uint32_t head = pci_read(d, at, 2);

		if ((head & 0xff) == 0xff)
			return 0;
		if ((head & 0xff) == id)
			return (uint16_t)at;
		at = head >> 8 & 0xfc;
	}
	return 0;
}

uint16_t
pci_find_extended(struct pci_device *d, uint16_t id)
{
	uint32_t at = EXTENDED_FIRST;

	if (d->config_size <= EXTENDED_FIRST)
		return 0;
	for (uint32_t i = 0; at >= EXTENDED_FIRST && i < EXTENDED_MAX; i++) {
		uint32_t head = pci_read(d, at, 4);

		if (head == 0 || head == UINT32_MAX)
			return 0;
		if ((head & 0xffff) == id)
			return at + EXTENDED_LEAST <= d->config_size ? (uint16_t)at : 0;
		at = head >> 20 & 0xffc;
	}
	return 0;
}

/* The same of one of that many bytes; one that does not fit into the old 256 is nonsense. */
static uint16_t
whole_capability(struct pci_device *d, uint8_t id, uint32_t size)
{
	uint16_t at = pci_find_capability(d, id);

	return at + size <= EXTENDED_FIRST ? at : 0;
}

static uint32_t
find_config_size(struct pci_device *d)
{
	bool express = d->cap_express || d->class >> 8 == PCI_CLASS_HOST;

	return express && d->bus->extended && pci_read(d, EXTENDED_FIRST, 4) != UINT32_MAX ? 4096 : 256;
}

/* Does the bit that switches the interrupt line off exist (PCI 2.3)? */
static bool
test_no_intx(struct pci_device *d)
{
	uint32_t old = pci_read(d, PCI_COMMAND, 2), now;

	pci_write(d, PCI_COMMAND, 2, old ^ PCI_COMMAND_NO_INTX);
	now = pci_read(d, PCI_COMMAND, 2);
	if (now == old)
		return false;
	pci_write(d, PCI_COMMAND, 2, old);
	return (now ^ old) == PCI_COMMAND_NO_INTX;
}

void
pci_read_capabilities(struct pci_device *d)
{
	uint32_t control;

	d->cap_pm = whole_capability(d, PCI_CAP_PM, 8);
	d->cap_msi = whole_capability(d, PCI_CAP_MSI, 10);
	d->cap_msix = whole_capability(d, PCI_CAP_MSIX, 12);
	d->cap_express = whole_capability(d, PCI_CAP_EXPRESS, EXPRESS_LEAST);
	d->cap_af = whole_capability(d, PCI_CAP_AF, 6);
	if (d->cap_express)
		d->express_type = (uint8_t)EXPRESS_FLAGS_TYPE(pci_read(d, d->cap_express + EXPRESS_FLAGS, 2));
	d->config_size = find_config_size(d);
	d->no_intx_works = test_no_intx(d);
	/* Nobody handles what firmware may have left on. */
	if (d->cap_msi) {
		control = pci_read(d, d->cap_msi + MSI_CONTROL, 2);
		if (control & MSI_CONTROL_ENABLE)
			pci_write(d, d->cap_msi + MSI_CONTROL, 2, control & ~(uint32_t)MSI_CONTROL_ENABLE);
	}
	if (d->cap_msix) {
		control = pci_read(d, d->cap_msix + MSIX_CONTROL, 2);
		if (control & MSIX_CONTROL_ENABLE)
			pci_write(d, d->cap_msix + MSIX_CONTROL, 2, control & ~(uint32_t)MSIX_CONTROL_ENABLE);
	}
}

void
pci_set_command(struct pci_device *d, uint32_t set, uint32_t clear)
{
	uint32_t old = pci_read(d, PCI_COMMAND, 2), now = (old & ~clear) | set;

	if (now != old)
		pci_write(d, PCI_COMMAND, 2, now);
}

int
pci_enable_locked(struct pci_device *d)
{
	uint32_t set = 0;

	assert_mutex_held(&pci_lock);
	if (d->removed)
		return -ENODEV;
	if (d->enabled++ > 0)
		return 0;
	for (struct pci_bus *b = d->bus; b->bridge; b = b->parent)
		pci_set_command(b->bridge, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
	if (d->cap_pm) {
		uint32_t power = pci_read(d, d->cap_pm + PM_CONTROL, 2);

		if (power & PM_CONTROL_STATE)
			pci_write(d, d->cap_pm + PM_CONTROL, 2, power & ~PM_CONTROL_STATE);
	}
	for (uint32_t i = 0; i < PCI_BARS; i++) {
		const struct pci_resource *r = &d->resource[i];

		if (r->size && !(r->flags & RESOURCE_UNSET))
			set |= r->flags & RESOURCE_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	}
	pci_set_command(d, set, 0);
	return 0;
}

/* What its addresses were it keeps; it may no longer reach memory by itself. */
void
pci_disable_locked(struct pci_device *d)
{
	assert_mutex_held(&pci_lock);
	if (d->enabled > 0 && --d->enabled == 0)
		pci_set_command(d, 0, PCI_COMMAND_MASTER);
}
