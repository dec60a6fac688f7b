/* SPDX-License-Identifier: MIT */
/*
 * vfio_config.c - the configuration space that a program sees of its device.
 *
 * Most bytes are the device's own, read-only. Some are only shown: what places the device in the machine (addresses,
 * interrupt messages, the line) is the kernel's, and the program sees registers of its own there that behave as
 * the real ones do, so that it, or a guest that it runs, may "place" its device as it likes. Some may be written:
 * those that concern the device alone. Which is which is put down byte by byte when the device is opened:
 *
 *	shown, hidden    bits that come from here in place of the device
 *	writable         bits that the program may change, here or there
 *	raw              bytes of no capability known to us: registers of the device's own, straight through
 *
 * A few writes mean more than their bits: see command_written() and the express capability's.
 */
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "vfio_pci.h"

static void
put(uint8_t *to, uint32_t at, uint32_t size, uint32_t value)
{
	memcpy(to + at, &value, size);
}

static uint32_t
get(const uint8_t *from, uint32_t at, uint32_t size)
{
	uint32_t value = 0;

	memcpy(&value, from + at, size);
	return value;
}

/* The register is shown as it is now, and `write` of it may be changed here. */
static void
show(struct vfio_pci *vp, uint32_t at, uint32_t size, uint32_t write)
{
	put(vp->shown, at, size, pci_read(vp->device, at, size));
	put(vp->hidden, at, size, UINT32_MAX);
	put(vp->writable, at, size, write);
}

/* It is the device's, and `write` of it may be changed there. */
static void
pass(struct vfio_pci *vp, uint32_t at, uint32_t size, uint32_t write)
{
	put(vp->writable, at, size, write);
}

static void
set_raw(struct vfio_pci *vp, uint32_t at, uint32_t size, bool raw)
{
	for (uint32_t i = at; i < MIN(at + size, vp->device->config_size); i++)
		vp->raw[i / 8] = raw ? vp->raw[i / 8] | (uint8_t)BIT(i % 8) : vp->raw[i / 8] & (uint8_t)~BIT(i % 8);
}

static bool
is_raw(const struct vfio_pci *vp, uint32_t at)
{
	return vp->raw[at / 8] & BIT(at % 8);
}

/* --- the header ---------------------------------------------------------------------------------- */

#define COMMAND_PASSED (PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | 0x8u | 0x10u | 0x40u | 0x100u | 0x200u)

static void
show_bar(struct vfio_pci *vp, uint32_t index)
{
	const struct pci_resource *r = &vp->device->resource[index];
	uint32_t at = index == PCI_ROM ? PCI_ROM_BAR : PCI_BAR + 4 * index;
	uint32_t mask = 0, low = 0;

	if (index == PCI_ROM) {
		if (r->size && !(r->flags & RESOURCE_SHADOW))
			mask = (~(uint32_t)(r->size - 1) & 0xfffff800u) | PCI_ROM_ENABLE;
	} else if (r->size) {
		low = r->raw & (r->flags & RESOURCE_IO ? 1u : 0xfu);
		mask = ~(uint32_t)(r->size - 1) & ~(r->flags & RESOURCE_IO ? 3u : 0xfu);
	} else if (index > 0 && (vp->device->resource[index - 1].flags & RESOURCE_64)) {
		mask = ~(uint32_t)((vp->device->resource[index - 1].size - 1) >> 32);
	}
	vp->bar_mask[index] = mask;
	put(vp->shown, at, 4, (pci_read(vp->device, at, 4) & mask) | low);
	put(vp->hidden, at, 4, UINT32_MAX);
	put(vp->writable, at, 4, mask);
}

static void
show_header(struct vfio_pci *vp)
{
	show(vp, PCI_COMMAND, 2, 0);
	put(vp->hidden, PCI_COMMAND, 2, PCI_COMMAND_NO_INTX);
	put(vp->writable, PCI_COMMAND, 2, COMMAND_PASSED | PCI_COMMAND_NO_INTX);
	pass(vp, PCI_STATUS, 2, 0xf900u); /* errors, cleared by writing them */
	pass(vp, PCI_CACHE_LINE, 1, 0xff);
	pass(vp, PCI_LATENCY, 1, 0xff);
	show(vp, PCI_BIST, 1, 0xff);
	for (uint32_t i = 0; i < PCI_RESOURCES; i++)
		show_bar(vp, i);
	show(vp, PCI_LINE, 1, 0xff);
}

/* --- capabilities -------------------------------------------------------------------------------- */

#define CAPABILITIES_END 0x100u

static void
show_msi(struct vfio_pci *vp, uint32_t at)
{
	uint32_t control = pci_read(vp->device, at + MSI_CONTROL, 2), data = control & MSI_CONTROL_64 ? 12 : 8;

	show(vp, at + MSI_CONTROL, 2, 0x71);
	show(vp, at + MSI_ADDRESS, 4, 0xfffffffcu);
	if (control & MSI_CONTROL_64)
		show(vp, at + MSI_ADDRESS_HIGH, 4, UINT32_MAX);
	show(vp, at + data, 2, 0xffff);
	if (control & MSI_CONTROL_MASKABLE)
		show(vp, at + data + 4, 4, UINT32_MAX);
}

static uint32_t
msi_length(uint32_t control)
{
	return 10 + (control & MSI_CONTROL_64 ? 4 : 0) + (control & MSI_CONTROL_MASKABLE ? 10 : 0);
}

static void
show_express(struct vfio_pci *vp, uint32_t at)
{
	pass(vp, at + EXPRESS_DEVICE_CONTROL, 2, 0x8f1fu); /* not: sizes of payload and request */
	show(vp, at + EXPRESS_DEVICE_CONTROL, 2, 0);
	put(vp->hidden, at + EXPRESS_DEVICE_CONTROL, 2, 0x70e0u | EXPRESS_CONTROL_FLR);
	put(vp->writable, at + EXPRESS_DEVICE_CONTROL, 2, 0xff1fu | 0xe0u);
	put(vp->shown, at + EXPRESS_DEVICE_CONTROL, 2,
	    pci_read(vp->device, at + EXPRESS_DEVICE_CONTROL, 2) & ~(uint32_t)EXPRESS_CONTROL_FLR);
	pass(vp, at + EXPRESS_DEVICE_STATUS, 2, 0xf);
}

/* How many bytes it has. 0: we do not know it, or it is nonsense: it does not end where capabilities do. */
static uint32_t
capability_length(struct pci_device *d, uint8_t id, uint32_t at)
{
	uint32_t n = 0;

	switch (id) {
	case PCI_CAP_PM:
	case PCI_CAP_VPD:
	case PCI_CAP_PCIX:
	case PCI_CAP_SUBSYSTEM:
	case PCI_CAP_SATA:
		n = 8;
		break;
	case PCI_CAP_MSI:
		n = msi_length(pci_read(d, at + MSI_CONTROL, 2));
		break;
	case PCI_CAP_MSIX:
		n = 12;
		break;
	case PCI_CAP_EXPRESS:
		n = (pci_read(d, at + EXPRESS_FLAGS, 2) & 15) < 2 ? EXPRESS_LEAST
								  : MAX(MIN(60u, CAPABILITIES_END - at), EXPRESS_LEAST);
		break;
	case PCI_CAP_AF:
		n = 6;
		break;
	case PCI_CAP_VENDOR:
		n = MAX(pci_read(d, at + 2, 1), 3u);
		break;
	}
	return at + n <= CAPABILITIES_END ? n : 0;
}

/* What of it may be written. */
static void
show_capability(struct vfio_pci *vp, uint8_t id, uint32_t at, uint32_t length)
{
	switch (id) {
	case PCI_CAP_PM:
		show(vp, at + PM_CONTROL, 2, PM_CONTROL_STATE); /* shown only: it stays on */
		break;
	case PCI_CAP_MSI:
		show_msi(vp, at);
		break;
	case PCI_CAP_MSIX:
		show(vp, at + MSIX_CONTROL, 2, MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK);
		break;
	case PCI_CAP_EXPRESS:
		show_express(vp, at);
		break;
	case PCI_CAP_AF:
		show(vp, at + AF_CONTROL, 1, AF_CONTROL_FLR);
		break;
	case PCI_CAP_VENDOR:
		set_raw(vp, at + 3, length - 3, true);
		break;
	case PCI_CAP_VPD:
		set_raw(vp, at + 2, 6, true);
		break;
	}
}

/* What we do not know is taken out of the list: it might place the device. Its bytes read as the device's. */
static void
show_capabilities(struct vfio_pci *vp)
{
	struct pci_device *d = vp->device;
	uint32_t link = PCI_CAPABILITIES, at, left = 48;

	show(vp, link, 1, 0);
	if (!(pci_read(d, PCI_STATUS, 2) & PCI_STATUS_CAPS))
		return;
	for (at = pci_read(d, PCI_CAPABILITIES, 1) & 0xfc; at >= 0x40 && left-- > 0; at = pci_read(d, at + 1, 1) & 0xfc) {
		uint8_t id = (uint8_t)pci_read(d, at, 1);
		uint32_t n;

		set_raw(vp, at, 2, false);
		n = capability_length(d, id, at);
		if (n == 0) {
			set_raw(vp, at, 4, false);
			put(vp->shown, link, 1, pci_read(d, at + 1, 1));
			continue;
		}
		show_capability(vp, id, at, n);
		if (id != PCI_CAP_VENDOR && id != PCI_CAP_VPD)
			set_raw(vp, at, n, false);
		link = at + 1;
		show(vp, link, 1, 0);
	}
}

int
vfio_config_create(struct vfio_pci *vp)
{
	uint32_t size = vp->device->config_size;

	vp->shown = kzalloc(size);
	vp->hidden = kzalloc(size);
	vp->writable = kzalloc(size);
	vp->raw = kzalloc(size / 8);
	if (!vp->shown || !vp->hidden || !vp->writable || !vp->raw) {
		vfio_config_free(vp);
		return -ENOMEM;
	}
	vfio_config_forget(vp);
	return 0;
}

void
vfio_config_forget(struct vfio_pci *vp)
{
	uint32_t size = vp->device->config_size;

	memset(vp->hidden, 0, size);
	memset(vp->writable, 0, size);
	memset(vp->raw, 0, size / 8);
	set_raw(vp, 0x40, 0xc0, true);
	show_header(vp);
	show_capabilities(vp);
}

void
vfio_config_free(struct vfio_pci *vp)
{
	kfree(vp->shown);
	kfree(vp->hidden);
	kfree(vp->writable);
	kfree(vp->raw);
	vp->shown = vp->hidden = vp->writable = vp->raw = NULL;
}

/* --- reading and writing --------------------------------------------------------------------------- */

bool
vfio_memory_is_on(struct vfio_pci *vp)
{
	return pci_read(vp->device, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY;
}

uint32_t
vfio_lend_memory(struct vfio_pci *vp)
{
	uint32_t lent = vfio_memory_is_on(vp) ? 0 : PCI_COMMAND_MEMORY;
	uint64_t flags = spin_lock_irq(&vp->irq_lock);

	pci_set_command(vp->device, lent, 0);
	spin_unlock_irq(&vp->irq_lock, flags);
	return lent;
}

void
vfio_take_memory(struct vfio_pci *vp, uint32_t lent)
{
	uint64_t flags = spin_lock_irq(&vp->irq_lock);

	pci_set_command(vp->device, 0, lent);
	spin_unlock_irq(&vp->irq_lock, flags);
}

bool
vfio_ports_are_on(struct vfio_pci *vp)
{
	return pci_read(vp->device, PCI_COMMAND, 2) & PCI_COMMAND_IO;
}

static void
read_bytes(struct vfio_pci *vp, uint32_t at, uint8_t *out, size_t n)
{
	pci_config_read(vp->device, at, out, n);
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)((out[i] & ~vp->hidden[at + i]) | (vp->shown[at + i] & vp->hidden[at + i]));
}

/* Memory that the program has mapped vanishes before the device stops to answer there. */
static void
command_written(struct vfio_pci *vp, uint32_t old)
{
	uint32_t now = pci_read(vp->device, PCI_COMMAND, 2);

	vfio_intx_hide(vp, get(vp->shown, PCI_COMMAND, 2) & PCI_COMMAND_NO_INTX);
	if (!(old & PCI_COMMAND_MEMORY) && (now & PCI_COMMAND_MEMORY)) {
		vfio_pci_irqs_reset(vp); /* its interrupts may have moved while nothing could be written there */
		device_object_show(&vp->memory);
	}
	vfio_ioeventfds_resume(vp);
}

static void
write_command(struct vfio_pci *vp, uint32_t at, const uint8_t *in, size_t n)
{
	uint32_t old = pci_read(vp->device, PCI_COMMAND, 2), value, allowed, hidden;
	uint8_t bytes[2] = { (uint8_t)old, (uint8_t)(old >> 8) };
	uint64_t flags;

	hidden = get(vp->shown, PCI_COMMAND, 2);
	for (size_t i = 0; i < n && at - PCI_COMMAND + i < sizeof(bytes); i++) {
		bytes[at - PCI_COMMAND + i] = in[i];
		if (at - PCI_COMMAND + i == 1)
			hidden = (hidden & ~(uint32_t)PCI_COMMAND_NO_INTX) | ((uint32_t)in[i] << 8 & PCI_COMMAND_NO_INTX);
	}
	value = bytes[0] | (uint32_t)bytes[1] << 8;
	allowed = COMMAND_PASSED;
	value = (old & ~allowed) | (value & allowed);
	put(vp->shown, PCI_COMMAND, 2, hidden);
	if (old & ~value & (PCI_COMMAND_MEMORY | PCI_COMMAND_IO))
		vfio_ioeventfds_hold(vp); /* what is rung while they are held is lost */
	if ((old & PCI_COMMAND_MEMORY) && !(value & PCI_COMMAND_MEMORY))
		device_object_hide(&vp->memory);
	/* The line's bit is set and cleared by interrupts meanwhile. */
	flags = spin_lock_irq(&vp->irq_lock);
	pci_set_command(vp->device, value & allowed, ~value & allowed);
	spin_unlock_irq(&vp->irq_lock, flags);
	command_written(vp, old);
}

static bool
asks_for_reset(struct vfio_pci *vp, uint32_t at, uint8_t value)
{
	const struct pci_device *d = vp->device;

	return (d->cap_express && at == d->cap_express + EXPRESS_DEVICE_CONTROL + 1u && (value & EXPRESS_CONTROL_FLR >> 8) &&
		(pci_read(vp->device, d->cap_express + EXPRESS_DEVICE_CAP, 4) & EXPRESS_DEVICE_FLR)) ||
	       (d->cap_af && at == d->cap_af + (uint32_t)AF_CONTROL && (value & AF_CONTROL_FLR));
}

/* `n` is 1, 2 or 4, naturally aligned: one register or less. */
static void
write_unit(struct vfio_pci *vp, uint32_t at, const uint8_t *in, size_t n, bool *reset)
{
	uint8_t now[4] = { 0 };
	bool any = false;

	if (at < PCI_COMMAND + 2 && at + n > PCI_COMMAND) {
		size_t skip = at < PCI_COMMAND ? PCI_COMMAND - at : 0;

		write_command(vp, at + (uint32_t)skip, in + skip, MIN(n - skip, (size_t)(PCI_COMMAND + 2 - at - skip)));
		if (n <= 2)
			return;
		at += 2;
		in += 2;
		n -= 2;
	}
	pci_config_read(vp->device, at, now, n);
	for (size_t i = 0; i < n; i++) {
		uint32_t where = at + (uint32_t)i;
		uint8_t write = is_raw(vp, where) ? 0xff : vp->writable[where], hidden = vp->hidden[where];

		*reset |= asks_for_reset(vp, where, in[i]);
		vp->shown[where] = (uint8_t)((vp->shown[where] & ~(write & hidden)) | (in[i] & write & hidden));
		if (at == PCI_STATUS)
			now[i] = 0; /* of these only what is written is cleared */
		now[i] = (uint8_t)((now[i] & ~(write & ~hidden)) | (in[i] & write & ~hidden));
		any |= (write & ~hidden) != 0;
	}
	if (vp->device->cap_express)
		vp->shown[vp->device->cap_express + EXPRESS_DEVICE_CONTROL + 1] &= (uint8_t)~(EXPRESS_CONTROL_FLR >> 8);
	if (vp->device->cap_af)
		vp->shown[vp->device->cap_af + AF_CONTROL] &= (uint8_t)~AF_CONTROL_FLR;
	if (any)
		pci_config_write(vp->device, at, now, n);
}

ssize_t
vfio_config_access(struct vfio_pci *vp, uint64_t at, void *buf, size_t n, bool write, bool *reset)
{
	uint32_t size = vp->device->config_size;
	uint8_t *p = buf;
	size_t done = 0;

	assert_mutex_held(&vp->lock);
	if (n > size - at)
		return -EFAULT;
	if (!write) {
		read_bytes(vp, (uint32_t)at, p, n);
		return (ssize_t)n;
	}
	while (done < n) {
		uint32_t where = (uint32_t)(at + done);
		size_t one = (where & 1) || n - done < 2 ? 1 : (where & 2) || n - done < 4 ? 2 : 4;

		write_unit(vp, where, p + done, one, reset);
		done += one;
	}
	return (ssize_t)n;
}
