/* SPDX-License-Identifier: MIT */
/*
 * pci_made_up.c - a device that is not there: the code that reads devices' configuration is shown one that a test has made
 * up, with whatever nonsense in it.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "vfio_pci.h"

/* The register of an address range at `at`, or -1: none. */
static int
range_at(uint32_t at)
{
	if (at >= PCI_BAR && at < PCI_BAR + 4 * PCI_BARS)
		return (int)(at - PCI_BAR) / 4;
	return at >= PCI_ROM_BAR && at < PCI_ROM_BAR + 4 ? PCI_ROM : -1;
}

uint32_t
pci_made_up_read(struct pci_made_up *m, uint32_t at, uint32_t size)
{
	uint32_t v = UINT32_MAX;

	m->reads++;
	if (at + size <= (m->extended ? sizeof(m->bytes) : 256u)) {
		v = 0;
		memcpy(&v, m->bytes + at, size);
	}
	return v;
}

/* Of address ranges what their mask says, and the command register, are changed; nothing else. */
void
pci_made_up_write(struct pci_made_up *m, uint32_t at, uint32_t size, uint32_t value)
{
	int range = range_at(at);
	uint32_t old;

	if (range >= 0 && size == 4) {
		memcpy(&old, m->bytes + at, 4);
		value = (old & ~m->masks[range]) | (value & m->masks[range]);
		memcpy(m->bytes + at, &value, 4);
	} else if (at == PCI_COMMAND && size == 2) {
		value &= 0x7ff;
		memcpy(m->bytes + at, &value, 2);
	}
}

/* As a program with the device would see it; all of it is read and written. */
static int
show_to_program(struct pci_device *d)
{
	struct vfio_pci *vp = kzalloc(sizeof(*vp));
	uint32_t reads = d->made_up->reads; /* of who finds it: those are counted */
	uint8_t byte;
	bool reset;
	int error;

	if (!vp)
		return -ENOMEM;
	mutex_init(&vp->lock, LOCK_VFIO_DEVICE);
	spin_init(&vp->irq_lock, LOCK_DEVICE);
	list_init(&vp->ioeventfds);
	object_init(&vp->memory, NULL, 0);
	vp->device = d;
	vp->mode = VFIO_PCI_IRQS;
	error = vfio_config_create(vp);
	if (!error) {
		mutex_lock(&vp->lock);
		for (uint32_t at = 0; at < d->config_size; at++) {
			vfio_config_access(vp, at, &byte, 1, false, &reset);
			d->made_up->shown[at] = byte;
			byte = 0xff;
			vfio_config_access(vp, at, &byte, 1, true, &reset);
		}
		mutex_unlock(&vp->lock);
		vfio_config_free(vp);
	}
	d->made_up->reads = reads;
	kfree(vp);
	return error;
}

int
pci_read_made_up(struct pci_made_up *m, struct pci_reading *out)
{
	struct pci_device *d = kzalloc(sizeof(*d));
	struct pci_bus *b = kzalloc(sizeof(*b));
	struct pci_msix x;
	int error;

	if (!d || !b) {
		kfree(d);
		kfree(b);
		return -ENOMEM;
	}
	*out = (struct pci_reading){ .extended_found = 0 };
	b->extended = m->extended;
	d->bus = b;
	d->made_up = m;
	d->header = m->bytes[PCI_HEADER_TYPE] & 0x7f;
	pci_read_capabilities(d);
	pci_read_bars(d);
	out->capabilities[0] = d->cap_pm;
	out->capabilities[1] = d->cap_msi;
	out->capabilities[2] = d->cap_msix;
	out->capabilities[3] = d->cap_express;
	out->capabilities[4] = d->cap_af;
	out->extended_found = pci_find_extended(d, PCI_EXT_CAP_ACS);
	for (uint32_t i = 0; i < PCI_RESOURCES; i++) {
		out->start[i] = d->resource[i].start;
		out->size[i] = d->resource[i].size;
		out->ports[i] = d->resource[i].flags & RESOURCE_IO;
	}
	out->msix = pci_msix_table(d, &x);
	if (out->msix) {
		out->msix_bar = x.bar;
		out->msix_start = x.start;
		out->msix_end = x.end;
	}
	error = show_to_program(d);
	kfree(b);
	kfree(d);
	return error;
}
