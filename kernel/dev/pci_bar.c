/* SPDX-License-Identifier: MIT */
/*
 * pci_bar.c - the addresses that devices answer at: found out, placed, mapped.
 *
 * Firmware has placed what was there when the machine started. What is plugged in later has sizes but no places; it
 * gets them inside the windows of the bridge above it, or, on a root bus, where neither memory nor anything else is.
 * How large a register's range is shows when it is written with ones (PCI 3.0, 6.2.5.1); it must not answer
 * meanwhile.
 */
#include <tessera/address_space.h>
#include <tessera/arch/port.h>
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "pci.h"

#define IO_MIN     0x1000ul /* lower ports are the PC's own */
#define IO_MAX     0x10000ul
#define MEMORY_END 0xfec00000ul
#define VIDEO_ROM  0xc0000ul
#define VIDEO_ROM_SIZE 0x20000ul

/* --- what is there ------------------------------------------------------------------------------- */

static uint64_t
lowest_bit(uint64_t mask)
{
	return mask & -mask;
}

static void
read_rom(struct pci_device *d, uint32_t at)
{
	struct pci_resource *r = &d->resource[PCI_ROM];
	uint32_t old = pci_read(d, at, 4), mask;

	pci_write(d, at, 4, ~(uint32_t)PCI_ROM_ENABLE);
	mask = pci_read(d, at, 4);
	pci_write(d, at, 4, old);
	if (mask == UINT32_MAX)
		mask = 0;
	mask &= 0xfffff800u;
	if (!mask)
		return;
	r->size = lowest_bit(mask);
	r->start = old & 0xfffff800u;
	r->raw = old & PCI_ROM_ENABLE;
	r->flags = RESOURCE_MEMORY | RESOURCE_PREFETCH | (r->start ? 0 : RESOURCE_UNSET);
}

/* Read one register, with its upper half where it has one: how many of them it was. */
static uint32_t
read_bar(struct pci_device *d, uint32_t index)
{
	struct pci_resource *r = &d->resource[index];
	uint32_t at = PCI_BAR + 4 * index, old = pci_read(d, at, 4), low, high_old, high, used = 1;
	uint64_t mask;

	pci_write(d, at, 4, UINT32_MAX);
	low = pci_read(d, at, 4);
	pci_write(d, at, 4, old);
	if (low == 0 || low == UINT32_MAX)
		return 1;
	if (low & PCI_BAR_IO) {
		mask = low & 0xfffcu;
		r->start = old & 0xfffcu;
		r->flags = RESOURCE_IO;
		r->raw = old & 3;
	} else {
		mask = low & ~0xfu;
		r->start = old & ~0xfu;
		r->flags = RESOURCE_MEMORY | (low & PCI_BAR_PREFETCH ? RESOURCE_PREFETCH : 0);
		r->raw = low & 0xf;
		if ((low & PCI_BAR_TYPE) == PCI_BAR_64 && index + 1 < PCI_BARS) {
			high_old = pci_read(d, at + 4, 4);
			pci_write(d, at + 4, 4, UINT32_MAX);
			high = pci_read(d, at + 4, 4);
			pci_write(d, at + 4, 4, high_old);
			mask |= (uint64_t)high << 32;
			r->start |= (uint64_t)high_old << 32;
			r->flags |= RESOURCE_64;
			used = 2;
		}
	}
	r->size = lowest_bit(mask);
	if (!r->size)
		*r = (struct pci_resource){ 0 };
	else if (!r->start)
		r->flags |= RESOURCE_UNSET;
	return used;
}

/* The display that firmware used shows its ROM as the copy that firmware made of it. */
static void
shadow_video_rom(struct pci_device *d)
{
	static bool seen; /* pci_lock: the first one counts */
	uint32_t command = pci_read(d, PCI_COMMAND, 2);

	if (d->class >> 8 != PCI_CLASS_VGA || seen || !(command & (PCI_COMMAND_IO | PCI_COMMAND_MEMORY)))
		return;
	for (const struct pci_bus *b = d->bus; b->bridge; b = b->parent)
		if (!(pci_read(b->bridge, PCI_BRIDGE_CONTROL, 2) & PCI_BRIDGE_VGA))
			return;
	seen = true;
	d->resource[PCI_ROM] = (struct pci_resource){
		.start = VIDEO_ROM,
		.size = VIDEO_ROM_SIZE,
		.flags = RESOURCE_MEMORY | RESOURCE_SHADOW,
	};
}

void
pci_read_bars(struct pci_device *d)
{
	uint32_t command = pci_read(d, PCI_COMMAND, 2);
	uint32_t bars = d->header == 0 ? PCI_BARS : pci_is_bridge(d) ? 2 : 0;

	if (command & (PCI_COMMAND_IO | PCI_COMMAND_MEMORY))
		pci_write(d, PCI_COMMAND, 2, command & ~(uint32_t)(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
	for (uint32_t i = 0; i < bars;)
		i += read_bar(d, i);
	if (bars)
		read_rom(d, d->header == 0 ? PCI_ROM_BAR : PCI_BRIDGE_ROM);
	if (command & (PCI_COMMAND_IO | PCI_COMMAND_MEMORY))
		pci_write(d, PCI_COMMAND, 2, command);
	shadow_video_rom(d);
}

void
pci_read_windows(struct pci_device *d)
{
	uint32_t base = pci_read(d, PCI_IO_BASE, 1), limit = pci_read(d, PCI_IO_LIMIT, 1);
	struct pci_resource *w = d->window;
	uint64_t start, end;

	start = (base & 0xf0) << 8;
	end = (limit & 0xf0) << 8 | 0xfff;
	if ((base & 0xf) == 1) {
		start |= pci_read(d, PCI_IO_BASE_HIGH, 2) << 16;
		end |= pci_read(d, PCI_IO_LIMIT_HIGH, 2) << 16;
	}
	w[WINDOW_IO] = (struct pci_resource){ .flags = RESOURCE_IO, .raw = base & 0xf };
	if (start <= end && (start || base != limit)) {
		w[WINDOW_IO].start = start;
		w[WINDOW_IO].size = end - start + 1;
	}
	start = (uint64_t)(pci_read(d, PCI_MEM_BASE, 2) & 0xfff0) << 16;
	end = (uint64_t)(pci_read(d, PCI_MEM_LIMIT, 2) & 0xfff0) << 16 | 0xfffff;
	w[WINDOW_MEMORY] = (struct pci_resource){ .flags = RESOURCE_MEMORY };
	if (start <= end && start) {
		w[WINDOW_MEMORY].start = start;
		w[WINDOW_MEMORY].size = end - start + 1;
	}
	base = pci_read(d, PCI_PREF_BASE, 2);
	start = (uint64_t)(base & 0xfff0) << 16;
	end = (uint64_t)(pci_read(d, PCI_PREF_LIMIT, 2) & 0xfff0) << 16 | 0xfffff;
	w[WINDOW_PREFETCH] =
		(struct pci_resource){ .flags = RESOURCE_MEMORY | RESOURCE_PREFETCH, .raw = base & 0xf };
	if ((base & 0xf) == 1) {
		start |= (uint64_t)pci_read(d, PCI_PREF_BASE_HIGH, 4) << 32;
		end |= (uint64_t)pci_read(d, PCI_PREF_LIMIT_HIGH, 4) << 32;
		w[WINDOW_PREFETCH].flags |= RESOURCE_64;
	}
	if (start <= end && start) {
		w[WINDOW_PREFETCH].start = start;
		w[WINDOW_PREFETCH].size = end - start + 1;
	}
}

/* --- places -------------------------------------------------------------------------------------- */

/* The end of whatever on the bus lies in [start, start + size), 0: nothing does. */
static uint64_t
conflict_on(struct pci_bus *b, const struct pci_resource *other, uint64_t start, uint64_t size)
{
	struct pci_device *d;

	list_for_each (d, &b->devices, node)
		for (uint32_t i = 0; i < PCI_RESOURCES + WINDOWS; i++) {
			const struct pci_resource *r =
				i < PCI_RESOURCES ? &d->resource[i] : &d->window[i - PCI_RESOURCES];

			if (r == other || !r->size || (r->flags & (RESOURCE_UNSET | RESOURCE_SHADOW)) ||
			    ((r->flags ^ other->flags) & RESOURCE_IO))
				continue;
			if (start < r->start + r->size && r->start < start + size)
				return r->start + r->size;
		}
	return 0;
}

/* A place for `r` on bus `b` in [low, high). 0: there is none. */
static uint64_t
find_place(struct pci_bus *b, const struct pci_resource *r, uint64_t align, uint64_t low, uint64_t high)
{
	uint64_t start = ALIGN_UP(low, align);

	while (start < high && high - start >= r->size) {
		uint64_t taken = conflict_on(b, r, start, r->size);

		if (taken) {
			start = ALIGN_UP(taken, align);
		} else if (!b->parent && !(r->flags & RESOURCE_IO) &&
			   !arch_pci_range_is_free(start, start + r->size)) {
			start += MAX(align, 1ul << 20);
		} else {
			return start;
		}
	}
	return 0;
}

static uint64_t
place_on(struct pci_bus *b, const struct pci_resource *r, uint64_t align)
{
	const struct pci_resource *w;
	uint64_t start = 0;

	if (!b->parent)
		return r->flags & RESOURCE_IO ? find_place(b, r, align, IO_MIN, IO_MAX)
					      : find_place(b, r, align, 1ul << 28, MEMORY_END);
	if (r->flags & RESOURCE_IO) {
		w = &b->bridge->window[WINDOW_IO];
		return find_place(b, r, align, w->start, w->start + w->size);
	}
	if (r->flags & RESOURCE_PREFETCH) {
		w = &b->bridge->window[WINDOW_PREFETCH];
		start = find_place(b, r, align, w->start, w->start + w->size);
	}
	w = &b->bridge->window[WINDOW_MEMORY];
	return start ? start : find_place(b, r, align, w->start, w->start + w->size);
}

static void
write_bar(struct pci_device *d, uint32_t index, const struct pci_resource *r)
{
	uint32_t at = index < PCI_BARS ? PCI_BAR + 4 * index : d->header == 0 ? PCI_ROM_BAR : PCI_BRIDGE_ROM;

	pci_write(d, at, 4, (uint32_t)r->start | r->raw);
	if (r->flags & RESOURCE_64)
		pci_write(d, at + 4, 4, (uint32_t)(r->start >> 32));
}

/* The largest first: what is left is then aligned for the smaller ones. */
static struct pci_resource *
largest_unset(struct pci_device *d, uint64_t below, uint32_t *index)
{
	struct pci_resource *found = NULL;

	for (uint32_t i = 0; i < PCI_RESOURCES; i++) {
		struct pci_resource *r = &d->resource[i];

		if ((r->flags & RESOURCE_UNSET) && r->size <= below && (!found || r->size > found->size) &&
		    !(r->raw & BIT(31))) {
			found = r;
			*index = i;
		}
	}
	return found;
}

static void
assign_device(struct pci_device *d)
{
	struct pci_resource *r;
	uint32_t index = 0;

	while ((r = largest_unset(d, UINT64_MAX, &index)) != NULL) {
		uint64_t start = place_on(d->bus, r, MAX(r->size, r->flags & RESOURCE_IO ? 4ul : (uint64_t)PAGE_SIZE));

		if (!start) {
			r->raw |= BIT(31); /* asked for once */
			if (index != PCI_ROM)
				pr_warn("pci %s: no room for %lu bytes of its resource %u\n", d->name, r->size, index);
			continue;
		}
		r->start = start;
		r->flags &= ~(uint32_t)RESOURCE_UNSET;
		write_bar(d, index, r);
		pr_info("pci %s: resource %u is at %#lx now\n", d->name, index, start);
	}
	for (uint32_t i = 0; i < PCI_RESOURCES; i++)
		d->resource[i].raw &= ~(uint32_t)BIT(31);
}

/* A slot that something may be plugged into needs room for it. */
static void
open_windows(struct pci_device *d)
{
	struct pci_resource *io = &d->window[WINDOW_IO], *memory = &d->window[WINDOW_MEMORY];
	uint64_t start;

	if (!pci_has_slot(d) && list_is_empty(&d->below->devices))
		return;
	if (!io->size && pci_has_slot(d)) {
		io->size = 0x1000;
		start = place_on(d->bus, io, 0x1000);
		io->start = start;
		io->size = start ? 0x1000 : 0;
		if (start) {
			pci_write(d, PCI_IO_BASE, 1, (uint32_t)(start >> 8) & 0xf0);
			pci_write(d, PCI_IO_LIMIT, 1, (uint32_t)(start >> 8) & 0xf0);
			if (io->raw == 1)
				pci_write(d, PCI_IO_BASE_HIGH, 4, 0);
		}
	}
	if (!memory->size) {
		memory->size = 1ul << 21;
		start = place_on(d->bus, memory, 1ul << 20);
		memory->start = start;
		memory->size = start ? memory->size : 0;
		if (start) {
			pci_write(d, PCI_MEM_BASE, 2, (uint32_t)(start >> 16));
			pci_write(d, PCI_MEM_LIMIT, 2, (uint32_t)((start + memory->size - 1) >> 16) & 0xfff0);
		}
	}
}

void
pci_assign_bus(struct pci_bus *b)
{
	struct pci_device *d;

	assert_mutex_held(&pci_lock);
	list_for_each (d, &b->devices, node)
		assign_device(d);
	list_for_each (d, &b->devices, node)
		if (d->below) {
			open_windows(d);
			pci_assign_bus(d->below);
		}
}

/* --- mapped -------------------------------------------------------------------------------------- */

/* What one mapping of resourceN shows. [I] but node: device->lock */
struct bar_mapping {
	struct list node;
	struct memory_object object;
	struct pci_device *device;     /* a reference */
	uint64_t start, size;
	bool combine;
	bool revoked;                  /* device->lock */
};

static int
bar_page(struct memory_object *o, uint64_t index, paddr_t *pa, unsigned int *prot)
{
	struct bar_mapping *m = container_of(o, struct bar_mapping, object);

	if (index >= DIV_ROUND_UP(m->size, PAGE_SIZE))
		return -EFAULT;
	*pa = m->start + (index << PAGE_SHIFT);
	*prot = m->combine ? PTE_WCOMBINE : PTE_UNCACHED;
	return 0;
}

static void
bar_release(struct memory_object *o)
{
	struct bar_mapping *m = container_of(o, struct bar_mapping, object);
	uint64_t flags = spin_lock_irq(&m->device->lock);

	list_del(&m->node);
	spin_unlock_irq(&m->device->lock, flags);
	pci_device_put(m->device);
	kfree(m);
}

static const struct memory_object_ops bar_object_ops = {
	.name = "pci registers",
	.device_page = bar_page,
	.release = bar_release,
};

struct memory_object *
pci_bar_object(struct pci_device *d, uint32_t index, bool combine)
{
	struct bar_mapping *m = kzalloc(sizeof(*m));
	uint64_t flags;

	if (!m)
		return NULL;
	object_init(&m->object, &bar_object_ops, UINT64_MAX);
	m->device = d;
	pci_device_get(d);
	m->start = ALIGN_DOWN(d->resource[index].start, PAGE_SIZE);
	m->size = d->resource[index].size + (d->resource[index].start & (PAGE_SIZE - 1));
	m->combine = combine;
	flags = spin_lock_irq(&d->lock);
	list_add(&d->mappings, &m->node);
	spin_unlock_irq(&d->lock, flags);
	return &m->object;
}

void
pci_bar_revoke(struct pci_device *d)
{
	struct bar_mapping *m;
	uint64_t flags;

	for (;;) {
		struct memory_object *o = NULL;

		flags = spin_lock_irq(&d->lock);
		list_for_each (m, &d->mappings, node)
			if (!m->revoked) {
				m->revoked = true;
				o = &m->object;
				if (!ref_get_unless_zero(&o->refs))
					continue;
				break;
			}
		if (&m->node == &d->mappings)
			o = NULL;
		spin_unlock_irq(&d->lock, flags);
		if (!o)
			return;
		device_object_hide(o);
		object_put(o);
	}
}

/* --- without mapping ----------------------------------------------------------------------------- */

ssize_t
pci_port_access(uint16_t port, void *buf, size_t n, bool write)
{
	uint32_t value = 0;

	if (n != 1 && n != 2 && n != 4)
		return -EINVAL;
	if (write) {
		memcpy(&value, buf, n);
		if (n == 1)
			port_write8(port, (uint8_t)value);
		else if (n == 2)
			port_write16(port, (uint16_t)value);
		else
			port_write32(port, value);
	} else {
		value = n == 1 ? port_read8(port) : n == 2 ? port_read16(port) : port_read32(port);
		memcpy(buf, &value, n);
	}
	return (ssize_t)n;
}

static struct mutex rom_lock = MUTEX_INIT(rom_lock, SLEEP_LEAF); /* each puts back what it found */

ssize_t
pci_rom_read(struct pci_device *d, void *buf, size_t n, uint64_t at)
{
	const struct pci_resource *r = &d->resource[PCI_ROM];
	paddr_t page = ALIGN_DOWN(r->start + at, PAGE_SIZE);
	size_t skip = (size_t)(r->start + at - page);
	uint32_t old = 0, bar = d->header == 0 ? PCI_ROM_BAR : PCI_BRIDGE_ROM;
	uint8_t *p;

	n = MIN(n, PAGE_SIZE - skip);
	if (!(r->flags & RESOURCE_SHADOW) && !(pci_read(d, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY))
		return -EIO;
	mutex_lock(&rom_lock);
	if (!(r->flags & RESOURCE_SHADOW)) {
		old = pci_read(d, bar, 4);
		pci_write(d, bar, 4, (uint32_t)r->start | PCI_ROM_ENABLE);
	}
	p = arch_map_device(page, PAGE_SIZE);
	for (size_t i = 0; p && i < n; i++)
		((uint8_t *)buf)[i] = *(volatile uint8_t *)(p + skip + i);
	region_unmap(p);
	if (!(r->flags & RESOURCE_SHADOW))
		pci_write(d, bar, 4, old);
	mutex_unlock(&rom_lock);
	return p ? (ssize_t)n : -ENOMEM;
}
