/* SPDX-License-Identifier: MIT */
/*
 * pci_msi.c - messages of devices (PCI 3.0, 6.8): MSI, a row of them whose numbers the device adds to one word; and
 * MSI-X, each an entry in a table among the device's registers.
 *
 * arch says what a message is and calls back whenever it changes; here it is written into the device.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>

#include "pci.h"

uint32_t
pci_requester(const struct pci_device *d)
{
	uint32_t id = (uint32_t)d->bus_number << 8 | d->devfn;

	for (const struct pci_bus *b = d->bus; b && b->bridge; b = b->parent) {
		const struct pci_device *up = b->bridge;

		if (!up->cap_express)
			id = (uint32_t)up->bus_number << 8 | up->devfn;
		else if (up->express_type == EXPRESS_TO_PCI)
			id = (uint32_t)b->number << 8;
	}
	return (uint32_t)d->segment << 16 | id;
}

/* --- MSI ----------------------------------------------------------------------------------------- */

uint32_t
pci_msi_count(struct pci_device *d)
{
	return d->cap_msi ? MIN(MSI_CONTROL_COUNT(pci_read(d, d->cap_msi + MSI_CONTROL, 2)), 32u) : 0;
}

/* The lower half of the address is all that changes while messages are sent: one write. */
void
pci_msi_write(struct pci_device *d, const struct arch_msi *m)
{
	uint32_t at = d->cap_msi, control = pci_read(d, at + MSI_CONTROL, 2);

	pci_write(d, at + MSI_ADDRESS, 4, (uint32_t)m->address);
	if (control & MSI_CONTROL_64)
		pci_write(d, at + MSI_ADDRESS_HIGH, 4, (uint32_t)(m->address >> 32));
	pci_write(d, at + (control & MSI_CONTROL_64 ? 12u : 8u), 2, m->data);
}

void
pci_msi_enable(struct pci_device *d, uint32_t count)
{
	uint32_t at = d->cap_msi, control = pci_read(d, at + MSI_CONTROL, 2);

	if (control & MSI_CONTROL_MASKABLE)
		pci_write(d, at + (control & MSI_CONTROL_64 ? 16u : 12u), 4, 0);
	control &= ~(uint32_t)(MSI_CONTROL_SEVERAL | MSI_CONTROL_ENABLE);
	for (uint32_t n = 1; n < count; n *= 2)
		control += MSI_CONTROL_TWICE;
	pci_write(d, at + MSI_CONTROL, 2, control | MSI_CONTROL_ENABLE);
}

void
pci_msi_disable(struct pci_device *d)
{
	pci_write(d, d->cap_msi + MSI_CONTROL, 2,
		  pci_read(d, d->cap_msi + MSI_CONTROL, 2) & ~(uint32_t)(MSI_CONTROL_SEVERAL | MSI_CONTROL_ENABLE));
}

/* --- MSI-X --------------------------------------------------------------------------------------- */

bool
pci_msix_table(struct pci_device *d, struct pci_msix *out)
{
	uint32_t where, bar;

	if (!d->cap_msix)
		return false;
	where = pci_read(d, d->cap_msix + MSIX_TABLE, 4);
	bar = where & 7;
	if (bar >= PCI_BARS)
		return false;
	*out = (struct pci_msix){ .bar = bar, .start = where & ~7u };
	out->count = (pci_read(d, d->cap_msix + MSIX_CONTROL, 2) & 0x7ff) + 1;
	out->end = out->start + (uint64_t)out->count * MSIX_ENTRY;
	return (d->resource[bar].flags & RESOURCE_MEMORY) && !(d->resource[bar].flags & RESOURCE_UNSET) &&
	       out->end <= d->resource[bar].size;
}

void
pci_msix_write(volatile uint32_t *entry, const struct arch_msi *m, bool on)
{
	entry[3] = MSIX_ENTRY_MASKED;
	entry[0] = (uint32_t)m->address;
	entry[1] = (uint32_t)(m->address >> 32);
	entry[2] = m->data;
	if (on)
		entry[3] = 0;
}

void
pci_msix_set(struct pci_device *d, bool on)
{
	uint32_t control = pci_read(d, d->cap_msix + MSIX_CONTROL, 2) & ~(uint32_t)(MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK);

	pci_write(d, d->cap_msix + MSIX_CONTROL, 2, control | (on ? MSIX_CONTROL_ENABLE : 0));
}

/* --- the kernel's own ---------------------------------------------------------------------------- */

static void
write_own(void *arg, const struct arch_msi *m)
{
	struct pci_message *own = arg;

	if (own->table)
		pci_msix_write(own->table, m, true);
	else
		pci_msi_write(own->device, m);
}

int
pci_message_start(struct pci_message *own, struct pci_device *d, irq_handler_t handler, void *arg, const char *name)
{
	struct arch_msi_user user = { .requester = pci_requester(d), .write = write_own, .arg = own };
	struct pci_msix x;

	*own = (struct pci_message){ .device = d, .number = -1 };
	if (pci_msix_table(d, &x)) {
		pci_set_command(d, PCI_COMMAND_MEMORY, 0);
		own->table = arch_map_device(d->resource[x.bar].start + x.start, x.end - x.start);
		if (!own->table)
			return -ENOMEM;
		for (uint32_t i = 0; i < x.count; i++)
			own->table[i * (MSIX_ENTRY / 4) + 3] = MSIX_ENTRY_MASKED;
	} else if (!d->cap_msi) {
		return -ENODEV;
	}
	own->number = arch_msi_alloc(1, &user);
	if (own->number < 0) {
		pci_message_stop(own);
		return -ENOSPC;
	}
	arch_msi_handle(own->number, handler, arg, name);
	pci_set_command(d, PCI_COMMAND_MASTER, 0); /* a message is a write of its own */
	if (own->table)
		pci_msix_set(d, true);
	else
		pci_msi_enable(d, 1);
	return 0;
}

void
pci_message_stop(struct pci_message *own)
{
	if (own->number >= 0) {
		if (own->table)
			pci_msix_set(own->device, false);
		else
			pci_msi_disable(own->device);
		arch_msi_unhandle(own->number);
		arch_msi_free(own->number);
	}
	if (own->table)
		region_unmap((void *)own->table);
	own->table = NULL;
	own->number = -1;
}
