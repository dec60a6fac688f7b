/* SPDX-License-Identifier: MIT */
/*
 * pci_bus.c - which PCI devices there are: found at start, looked for again when asked, taken away.
 *
 * A bus has 32 slots of 8 functions. A bridge leads to a further bus, whose number firmware has written into it; a
 * bridge that was plugged in gets the next one that is free. pci_lock is held while the tree is walked or changed; a
 * device that was found stays valid by its references, but may be `removed`.
 */
#include <tessera/bootinfo.h>
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "iommu.h"
#include "pci.h"

struct mutex pci_lock = MUTEX_INIT(pci_lock, PCI);
struct list pci_buses = LIST_INIT(pci_buses); /* [P+l] */
/* [l] Taken as well to change the lists of buses and devices, so that who holds other locks may look for one. */
static struct spinlock list_lock = SPINLOCK_INIT(LEAF);

#define SLOTS 32
#define DEPTH_MAX 16 /* buses behind each other: each takes stack of who walks over all */

static void scan_bus(struct pci_bus *b);

/* --- references ---------------------------------------------------------------------------------- */

void
pci_device_put(struct pci_device *d)
{
	if (!ref_put(&d->refs))
		return;
	assert(d->removed && !d->driver && list_is_empty(&d->mappings));
	kfree(d->override);
	kfree(d);
}

/* --- finding ------------------------------------------------------------------------------------- */

static struct pci_device *
device_on(struct pci_bus *b, uint8_t devfn)
{
	struct pci_device *d;

	list_for_each (d, &b->devices, node)
		if (d->devfn == devfn)
			return d;
	return NULL;
}

static void
insert_device(struct pci_bus *b, struct pci_device *d)
{
	uint64_t flags = spin_lock_irq(&list_lock);
	struct pci_device *next;

	list_for_each (next, &b->devices, node)
		if (next->devfn > d->devfn)
			break;
	list_add_tail(&next->node, &d->node);
	spin_unlock_irq(&list_lock, flags);
}

static long
bus_place(const struct pci_bus *b)
{
	return (long)b->segment << 8 | b->number;
}

static void
insert_bus(struct pci_bus *b)
{
	uint64_t flags = spin_lock_irq(&list_lock);
	struct pci_bus *next;

	list_for_each (next, &pci_buses, node)
		if (bus_place(next) > bus_place(b))
			break;
	list_add_tail(&next->node, &b->node);
	spin_unlock_irq(&list_lock, flags);
}

static void
read_identity(struct pci_device *d)
{
	uint32_t at;

	d->revision = (uint8_t)pci_read(d, PCI_REVISION, 1);
	d->class = pci_read(d, PCI_REVISION, 4) >> 8;
	d->pin = (uint8_t)pci_read(d, PCI_PIN, 1);
	d->irq = d->pin ? pci_read(d, PCI_LINE, 1) : 0;
	if (d->irq == 0xff)
		d->irq = 0;
	if (d->header == 0) {
		d->subvendor = (uint16_t)pci_read(d, PCI_SUBVENDOR, 2);
		d->subdevice = (uint16_t)pci_read(d, PCI_SUBDEVICE, 2);
	} else if (pci_is_bridge(d)) {
		at = pci_find_capability(d, PCI_CAP_SUBSYSTEM);
		if (at) {
			d->subvendor = (uint16_t)pci_read(d, at + 4, 2);
			d->subdevice = (uint16_t)pci_read(d, at + 6, 2);
		}
	}
}

/* The function there, if there is one, joins the bus. */
static struct pci_device *
find_device(struct pci_bus *b, uint8_t devfn)
{
	uint32_t id = arch_pci_read(b->segment, b->number, devfn, PCI_VENDOR, 4);
	struct pci_device *d;

	if (id == UINT32_MAX || id == 0 || (id & 0xffff) == 0xffff || (id & 0xffff) == 0)
		return NULL;
	d = kzalloc(sizeof(*d));
	if (!d)
		return NULL;
	ref_init(&d->refs);
	spin_init(&d->lock, LOCK_LEAF);
	list_init(&d->mappings);
	list_init(&d->group_node);
	d->bus = b;
	d->segment = b->segment;
	d->bus_number = b->number;
	d->devfn = devfn;
	d->vendor = (uint16_t)id;
	d->device = (uint16_t)(id >> 16);
	d->header = (uint8_t)(pci_read(d, PCI_HEADER_TYPE, 1) & 0x7f);
	snprintf(d->name, sizeof(d->name), "%04x:%02x:%02x.%u", d->segment, d->bus_number, devfn >> 3, devfn & 7u);
	read_identity(d);
	pci_read_capabilities(d);
	pci_read_bars(d);
	if (pci_is_bridge(d))
		pci_read_windows(d);
	insert_device(b, d);
	return d;
}

/* Behind a port there is one slot. */
static bool
one_slot(const struct pci_bus *b)
{
	return b->bridge && b->bridge->cap_express &&
	       (b->bridge->express_type == EXPRESS_ROOT_PORT || b->bridge->express_type == EXPRESS_DOWNSTREAM);
}

static void
scan_slot(struct pci_bus *b, uint8_t slot)
{
	uint8_t first = (uint8_t)(slot << 3);
	struct pci_device *d = device_on(b, first);

	if (!d)
		d = find_device(b, first);
	if (!d || !(pci_read(d, PCI_HEADER_TYPE, 1) & PCI_HEADER_MULTI))
		return;
	for (uint8_t function = 1; function < 8; function++)
		if (!device_on(b, first | function))
			find_device(b, first | function);
}

static struct pci_bus *
create_bus(uint16_t segment, uint8_t number, struct pci_bus *parent, struct pci_device *bridge)
{
	struct pci_bus *b;

	if (parent && parent->depth + 1 == DEPTH_MAX) {
		pr_warn("pci %s: buses nest deeper than %d\n", bridge->name, DEPTH_MAX);
		return NULL;
	}
	b = kzalloc(sizeof(*b));
	if (!b || !arch_pci_open_bus(segment, number)) {
		kfree(b);
		return NULL;
	}
	b->segment = segment;
	b->number = b->last = number;
	b->parent = parent;
	b->depth = parent ? parent->depth + 1 : 0;
	b->bridge = bridge;
	b->extended = arch_pci_is_extended(segment, number) && (!parent || (parent->extended && bridge->cap_express));
	list_init(&b->devices);
	insert_bus(b);
	return b;
}

static struct pci_bus *
bus_numbered(uint16_t segment, uint32_t number)
{
	struct pci_bus *b;

	list_for_each (b, &pci_buses, node)
		if (b->segment == segment && b->number == number)
			return b;
	return NULL;
}

/* The numbers a bridge has are those of firmware, or new ones. 0: it gets none. */
static uint32_t
bridge_number(struct pci_device *d)
{
	uint32_t numbers = pci_read(d, PCI_PRIMARY, 4), second = numbers >> 8 & 0xff, last = numbers >> 16 & 0xff;
	struct pci_bus *up = d->bus;

	if ((numbers & 0xff) == d->bus_number && second > d->bus_number && last >= second &&
	    !bus_numbered(d->segment, second))
		return second;
	second = up->last + 1u;
	if (second > 0xff || bus_numbered(d->segment, second) || (up->bridge && second > pci_read(up->bridge, PCI_SUBORDINATE, 1))) {
		pr_warn("pci %s: no number is left for the bus behind it\n", d->name);
		return 0;
	}
	pci_write(d, PCI_PRIMARY, 4, (numbers & 0xff000000u) | second << 16 | second << 8 | d->bus_number);
	return second;
}

static void
scan_bridge(struct pci_device *d)
{
	uint32_t number;

	if (!d->below) {
		number = bridge_number(d);
		d->below = number ? create_bus(d->segment, (uint8_t)number, d->bus, d) : NULL;
		if (!d->below)
			return;
		d->below->last = (uint8_t)MAX(pci_read(d, PCI_SUBORDINATE, 1), number);
	}
	for (struct pci_bus *b = d->bus; b; b = b->parent)
		b->last = (uint8_t)MAX(b->last, d->below->last);
	scan_bus(d->below);
}

static void
scan_bus(struct pci_bus *b)
{
	struct pci_device *d;

	for (uint8_t slot = 0; slot < (one_slot(b) ? 1 : SLOTS); slot++)
		scan_slot(b, slot);
	list_for_each (d, &b->devices, node)
		if (pci_is_bridge(d))
			scan_bridge(d);
}

/* --- showing what is new ------------------------------------------------------------------------- */

static bool started; /* pci_lock: what is found from now on was plugged in */

static void
announce(struct pci_bus *b)
{
	struct pci_device *d;

	list_for_each (d, &b->devices, node) {
		pci_find_resets_locked(d);
		if (!d->sysfs) {
			log_print(started ? LOG_INFO : LOG_DEBUG, "pci %s: [%04x:%04x] class %06x\n", d->name, d->vendor,
				  d->device, d->class);
			iommu_add_device(d);
			if (pci_sysfs_add_device(d))
				pr_warn("pci %s: no memory to show it in /sys\n", d->name);
			iommu_show_device(d);
			pci_match_locked(d);
		}
		if (d->below && !d->below->sysfs && d->sysfs)
			pci_sysfs_add_bus(d->below);
		if (d->below && d->below->sysfs) {
			announce(d->below);
			pci_slot_start_locked(d);
		}
	}
}

void
pci_rescan_bus_locked(struct pci_bus *b)
{
	assert_mutex_held(&pci_lock);
	scan_bus(b);
	pci_assign_bus(b);
	announce(b);
}

/* A device that does not answer any more and that nobody has been given is gone. [P] NULL: none is. */
static struct pci_device *
find_gone(void)
{
	struct pci_device *d;
	struct pci_bus *b;

	list_for_each (b, &pci_buses, node)
		list_for_each (d, &b->devices, node)
			if (!d->driver && pci_read(d, PCI_VENDOR, 2) != d->vendor) {
				pci_device_get(d);
				return d;
			}
	return NULL;
}

int
pci_rescan(void)
{
	struct pci_device *gone;
	struct pci_bus *b;
	int error;

	for (;;) {
		mutex_lock(&pci_lock);
		gone = find_gone();
		if (!gone)
			break;
		mutex_unlock(&pci_lock);
		pr_info("pci %s: does not answer any more\n", gone->name);
		error = pci_remove(gone); /* of what is behind it somebody may have something open */
		pci_device_put(gone);
		if (error)
			return error;
	}
	list_for_each (b, &pci_buses, node)
		if (!b->parent)
			pci_rescan_bus_locked(b);
	mutex_unlock(&pci_lock);
	return 0;
}

/* --- taking away --------------------------------------------------------------------------------- */

/* What stands last behind `d`, or `d`; with a reference. */
static struct pci_device *
last_below(struct pci_device *d)
{
	while (d->below && !list_is_empty(&d->below->devices))
		d = list_last(&d->below->devices, struct pci_device, node);
	pci_device_get(d);
	return d;
}

/* Without a driver and without devices behind it by now. The tree's reference goes. */
static void
remove_locked(struct pci_device *d)
{
	struct pci_bus *b = d->below;
	uint64_t flags;

	pci_slot_stop_locked(d);
	pci_set_command(d, 0, PCI_COMMAND_MASTER);
	pci_sysfs_remove_device(d);
	iommu_remove_device(d);
	atomic_store(&d->removed, true);
	pci_bar_revoke(d);
	flags = spin_lock_irq(&list_lock);
	if (b)
		list_del(&b->node);
	d->below = NULL;
	list_del(&d->node);
	spin_unlock_irq(&list_lock, flags);
	kfree(b);
	pci_device_put(d);
}

int
pci_remove(struct pci_device *d)
{
	struct pci_device *last;
	bool done = false;
	int error = 0;

	while (!done && !error) {
		mutex_lock(&pci_lock);
		if (d->removed) {
			mutex_unlock(&pci_lock);
			return 0;
		}
		last = last_below(d);
		if (!last->driver) {
			done = last == d;
			remove_locked(last);
			mutex_unlock(&pci_lock);
		} else {
			mutex_unlock(&pci_lock);
			error = pci_unbind(last, NULL);
			error = error == -ENODEV ? 0 : error;
		}
		pci_device_put(last);
	}
	return error;
}

/* --- for other rooms ----------------------------------------------------------------------------- */

long
pci_next_bus(long from)
{
	uint64_t flags = spin_lock_irq(&list_lock);
	struct pci_bus *b;
	long found = -1;

	list_for_each (b, &pci_buses, node)
		if (bus_place(b) >= from && !list_is_empty(&b->devices)) {
			found = bus_place(b);
			break;
		}
	spin_unlock_irq(&list_lock, flags);
	return found;
}

long
pci_next_device(uint32_t bus, long from)
{
	uint64_t flags = spin_lock_irq(&list_lock);
	struct pci_device *d;
	struct pci_bus *b;
	long found = -1;

	b = bus_numbered((uint16_t)(bus >> 8), bus & 0xff);
	if (b)
		list_for_each (d, &b->devices, node)
			if (d->devfn >= from) {
				found = d->devfn;
				break;
			}
	spin_unlock_irq(&list_lock, flags);
	return found;
}

struct pci_device *
pci_find(uint32_t bus, uint8_t devfn)
{
	uint64_t flags = spin_lock_irq(&list_lock);
	struct pci_device *d = NULL;
	struct pci_bus *b;

	b = bus_numbered((uint16_t)(bus >> 8), bus & 0xff);
	if (b)
		d = device_on(b, devfn);
	if (d)
		pci_device_get(d);
	spin_unlock_irq(&list_lock, flags);
	return d;
}

struct pci_device *
pci_find_name(const char *name, size_t n)
{
	struct pci_device *d, *found = NULL;
	struct pci_bus *b;

	while (n > 0 && (name[n - 1] == '\n' || name[n - 1] == ' '))
		n--;
	mutex_lock(&pci_lock);
	list_for_each (b, &pci_buses, node)
		list_for_each (d, &b->devices, node)
			if (strlen(d->name) == n && !memcmp(d->name, name, n))
				found = d;
	if (found)
		pci_device_get(found);
	mutex_unlock(&pci_lock);
	return found;
}

uint32_t
pci_config_size(const struct pci_device *d)
{
	return d->config_size;
}

static uint32_t
unit(uint32_t at, size_t n)
{
	return (at & 1) || n < 2 ? 1 : (at & 2) || n < 4 ? 2 : 4;
}

void
pci_config_read(struct pci_device *d, uint32_t at, void *buf, size_t n)
{
	uint8_t *out = buf;

	while (n > 0) {
		uint32_t size = unit(at, n), value = d->removed ? UINT32_MAX : pci_read(d, at, size);

		memcpy(out, &value, size);
		out += size;
		at += size;
		n -= size;
	}
}

void
pci_config_write(struct pci_device *d, uint32_t at, const void *buf, size_t n)
{
	const uint8_t *in = buf;

	while (n > 0 && !d->removed) {
		uint32_t size = unit(at, n), value = 0;

		memcpy(&value, in, size);
		pci_write(d, at, size, value);
		in += size;
		at += size;
		n -= size;
	}
}

/* --- start --------------------------------------------------------------------------------------- */

void
pci_init(void)
{
	uint16_t segment;
	struct pci_bus *b;
	uint8_t first;

	if (boot_flag("nopci")) {
		pr_info("pci: turned off by argument\n");
		return;
	}
	arch_pci_init();
	pci_sysfs_init();
	mutex_lock(&pci_lock);
	for (uint32_t i = 0; arch_pci_segment(i, &segment, &first); i++) {
		b = create_bus(segment, first, NULL, NULL);
		if (b)
			scan_bus(b);
	}
	iommu_init();
	list_for_each (b, &pci_buses, node)
		if (!b->parent && pci_sysfs_add_root(b) == 0) {
			pci_assign_bus(b);
			announce(b);
		}
	started = true;
	mutex_unlock(&pci_lock);
}

void
pci_dump(void)
{
	const struct pci_device *d;
	const struct pci_bus *b;

	list_for_each (b, &pci_buses, node) {
		pr_info("bus %04x:%02x to %02x%s%s%s\n", b->segment, b->number, b->last,
			b->bridge ? " behind " : "", b->bridge ? b->bridge->name : "",
			b->extended ? ", extended" : "");
		list_for_each (d, &b->devices, node) {
			pr_info("  %s %04x:%04x class %06x refs %u irq %u enabled %u driver %s%s\n", d->name,
				d->vendor, d->device, d->class, ref_count(&d->refs), d->irq, d->enabled,
				d->driver ? d->driver->name : "none", d->removed ? " REMOVED" : "");
			for (uint32_t i = 0; i < PCI_RESOURCES; i++)
				if (d->resource[i].size)
					pr_info("    %u: %s %#lx size %#lx%s\n", i,
						d->resource[i].flags & RESOURCE_IO ? "ports" : "memory",
						d->resource[i].start, d->resource[i].size,
						d->resource[i].flags & RESOURCE_UNSET ? " without a place" : "");
		}
	}
}
