/* SPDX-License-Identifier: MIT */
/*
 * iommu.c - groups: devices that an IOMMU, or the bridges between, cannot tell apart belong together.
 *
 * All in a group see the same addresses, and are given to one owner. A device is alone where requests of others cannot
 * look like its own or reach it past the IOMMU: behind ports that isolate (ACS), as the only function of its slot.
 * A conventional bus is one group with the bridge that leads to it.
 *
 * Everything here is under pci_lock, but for the tables of a domain, which are its owner's.
 */
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/sysfs.h>

#include "iommu.h"
#include "pci.h"
#include "vtd.h"

struct iommu_domain {
	struct vtd_domain *tables;     /* [I] */
	uint32_t groups;               /* [P] in it */
};

static bool there;                             /* [I] after iommu_init() */
static struct list groups = LIST_INIT(groups); /* [P] */
static uint32_t last_id;                       /* [P] */

bool
iommu_is_there(void)
{
	return there;
}

uint32_t
iommu_new_group_id(void)
{
	assert_mutex_held(&pci_lock);
	return last_id++;
}

/* --- who belongs together ---------------------------------------------------------------------------- */

/* Requests through the port go up to the IOMMU, all of them. */
static bool
isolates(struct pci_device *port)
{
	uint16_t acs = pci_find_extended(port, PCI_EXT_CAP_ACS);

	if (!acs)
		return false;
	return (pci_read(port, acs + ACS_CONTROL, 2) & ACS_ISOLATE) == ACS_ISOLATE;
}

static bool
is_port(const struct pci_device *d)
{
	return d->cap_express && (d->express_type == EXPRESS_ROOT_PORT || d->express_type == EXPRESS_DOWNSTREAM);
}

static bool
shares_slot(const struct pci_device *d)
{
	const struct pci_device *other;

	list_for_each (other, &d->bus->devices, node)
		if (other != d && (other->devfn >> 3) == (d->devfn >> 3))
			return true;
	return false;
}

/* The device that stands for all those that `d` cannot be told from. */
static struct pci_device *
leader_of(struct pci_device *d)
{
	struct pci_device *leader = d, *other;

	for (struct pci_bus *b = d->bus; b->bridge; b = b->parent) {
		bool upstream = b->bridge->cap_express && b->bridge->express_type == EXPRESS_UPSTREAM;

		if (upstream ? false : !is_port(b->bridge) || !isolates(b->bridge))
			leader = b->bridge;
	}
	if (!shares_slot(leader) || (is_port(leader) && isolates(leader)))
		return leader;
	list_for_each (other, &leader->bus->devices, node)
		if ((other->devfn >> 3) == (leader->devfn >> 3) && !(is_port(other) && isolates(other)))
			return other;
	return leader;
}

static void
enable_isolation(struct pci_device *d)
{
	uint16_t acs = pci_find_extended(d, PCI_EXT_CAP_ACS);

	if (acs)
		pci_write(d, acs + ACS_CONTROL, 2,
			  pci_read(d, acs + ACS_CONTROL, 2) | (pci_read(d, acs + ACS_CAP, 2) & ACS_ISOLATE));
}

/* --- groups -------------------------------------------------------------------------------------- */

static int
show_type(struct text *t, void *object)
{
	const struct iommu_group *g = object;

	text_print(t, "%s\n", READ_ONCE(g->domain) ? "unmanaged" : "blocked");
	return 0;
}

static int
show_reserved(struct text *t, void *object)
{
	text_print(t, "0x%016lx 0x%016lx msi\n", IOMMU_RESERVED_START, IOMMU_RESERVED_END - 1);
	return 0;
}

static int
show_name(struct text *t, void *object)
{
	text_print(t, "vfio-noiommu\n");
	return 0;
}

static bool
is_real(void *object, uint32_t index)
{
	const struct iommu_group *g = object;

	return g->made_up == (index == 1);
}

static const struct sysfs_attribute group_attributes[] = {
	{ "reserved_regions", 0444, .show = show_reserved, .visible = is_real },
	{ "type", 0444, .show = show_type, .visible = is_real },
	{ "name", 0444, .show = show_name, .visible = is_real, .index = 1 },
	{ 0 },
};

static struct iommu_group *
create_group(bool made_up)
{
	struct iommu_group *g = kzalloc(sizeof(*g));
	char name[16];

	if (!g)
		return NULL;
	list_init(&g->devices);
	g->id = iommu_new_group_id();
	g->made_up = made_up;
	snprintf(name, sizeof(name), "%u", g->id);
	g->sysfs = sysfs_add_directory(sysfs_make_path("kernel/iommu_groups"), name, g);
	if (sysfs_add_attributes(g->sysfs, group_attributes) || !sysfs_add_directory(g->sysfs, "devices", NULL))
		pr_warn("iommu: no memory to show group %u\n", g->id);
	list_add_tail(&groups, &g->node);
	return g;
}

static void
join(struct pci_device *d, struct iommu_group *g)
{
	d->group = g;
	list_add_tail(&g->devices, &d->group_node);
}

static void
show_in_group(struct pci_device *d)
{
	char path[48];

	if (!d->sysfs || !d->group->sysfs)
		return;
	snprintf(path, sizeof(path), "kernel/iommu_groups/%u/devices", d->group->id);
	if (sysfs_add_link(d->sysfs, "iommu_group", d->group->sysfs) ||
	    sysfs_add_link(sysfs_make_path(path), d->name, d->sysfs))
		pr_warn("iommu: no memory to show %s in its group\n", d->name);
}

/* The group of those that `d` cannot be told from, as they stand now: who led them may have gone. NULL: none has one. */
static struct iommu_group *
group_for(struct pci_device *d)
{
	struct pci_device *leader = leader_of(d), *other;
	struct iommu_group *g;

	list_for_each (g, &groups, node)
		list_for_each (other, &g->devices, group_node)
			if (!g->made_up && leader_of(other) == leader)
				return g;
	return NULL;
}

void
iommu_show_device(struct pci_device *d)
{
	if (d->group)
		show_in_group(d);
}

/* A name that requests come under. */
struct requester {
	uint8_t bus, devfn;
};

/*
 * Each name that the device's requests may come by, counted by `i`: its own; behind a conventional bridge that bridge's, or
 * the first place of the bus behind it. False: there are no more.
 */
static bool
name_of(const struct pci_device *d, uint32_t i, struct requester *name)
{
	*name = (struct requester){ d->bus_number, d->devfn };
	if (i == 0)
		return true;
	for (const struct pci_bus *b = d->bus; b->bridge; b = b->parent) {
		if (is_port(b->bridge) || b->bridge->express_type == EXPRESS_UPSTREAM)
			continue;
		*name = i & 1 ? (struct requester){ b->bridge->bus_number, b->bridge->devfn } : (struct requester){ b->number, 0 };
		if (i <= 2)
			return true;
		i -= 2;
	}
	return false;
}

static bool
has_name(const struct pci_device *d, struct requester wanted)
{
	struct requester name;

	for (uint32_t i = 0; name_of(d, i, &name); i++)
		if (name.bus == wanted.bus && name.devfn == wanted.devfn)
			return true;
	return false;
}

/* The names that only `d` of its group has are nobody's: behind a bridge the others go on under those they share. */
static void
forget_names(struct pci_device *d)
{
	const struct pci_device *other;
	struct requester name;

	for (uint32_t i = 0; name_of(d, i, &name); i++) {
		bool shared = false;

		list_for_each (other, &d->group->devices, group_node)
			shared |= other != d && has_name(other, name);
		if (!shared)
			vtd_set_domain(d->segment, name.bus, name.devfn, NULL);
	}
}

void
iommu_add_device(struct pci_device *d)
{
	struct iommu_group *g;

	assert_mutex_held(&pci_lock);
	if (!there || d->group)
		return;
	if (is_port(d))
		enable_isolation(d);
	g = group_for(d);
	if (!g)
		g = create_group(false);
	if (!g)
		return;
	join(d, g);
	if (g->domain && iommu_set_devices(d, g->domain)) {
		forget_names(d); /* some it may have by now */
		pr_warn("iommu: no memory for %s: it reaches nothing\n", d->name);
	}
}

/* Without devices nobody refers to a group. */
static void
leave(struct pci_device *d)
{
	struct iommu_group *g = d->group;

	list_del(&d->group_node);
	d->group = NULL;
	if (!list_is_empty(&g->devices))
		return;
	assert(!g->domain);
	list_del(&g->node);
	sysfs_remove(g->sysfs);
	kfree(g);
}

void
iommu_remove_device(struct pci_device *d)
{
	assert_mutex_held(&pci_lock);
	if (!d->group)
		return;
	if (!d->group->made_up)
		forget_names(d);
	leave(d);
}

int
iommu_make_up_group(struct pci_device *d)
{
	struct iommu_group *g = create_group(true);

	if (!g)
		return -ENOMEM;
	join(d, g);
	show_in_group(d);
	return 0;
}

void
iommu_drop_made_up_group(struct pci_device *d)
{
	if (!d->group || !d->group->made_up)
		return;
	if (d->sysfs)
		sysfs_remove_link(d->sysfs, "iommu_group");
	leave(d);
}

/* --- domains ------------------------------------------------------------------------------------- */

struct iommu_domain *
iommu_domain_create(void)
{
	struct iommu_domain *m = kzalloc(sizeof(*m));

	if (!m)
		return NULL;
	m->tables = vtd_domain_create();
	if (!m->tables) {
		kfree(m);
		return NULL;
	}
	return m;
}

void
iommu_domain_free(struct iommu_domain *m)
{
	assert(m->groups == 0);
	vtd_domain_free(m->tables);
	kfree(m);
}

int
iommu_set_devices(struct pci_device *d, struct iommu_domain *m)
{
	struct requester name;
	int error = 0;

	for (uint32_t i = 0; !error && name_of(d, i, &name); i++)
		error = vtd_set_domain(d->segment, name.bus, name.devfn, m ? m->tables : NULL);
	return error;
}

int
iommu_attach(struct iommu_domain *m, struct iommu_group *g)
{
	struct pci_device *d;
	int error = 0;

	assert_mutex_held(&pci_lock);
	if (g->domain)
		return -EBUSY;
	list_for_each (d, &g->devices, group_node) {
		error = iommu_set_devices(d, m);
		if (error)
			goto detach;
	}
	g->domain = m;
	m->groups++;
	return 0;

detach:
	list_for_each (d, &g->devices, group_node)
		iommu_set_devices(d, NULL);
	return error;
}

void
iommu_detach(struct iommu_group *g)
{
	struct pci_device *d;

	assert_mutex_held(&pci_lock);
	if (!g->domain)
		return;
	list_for_each (d, &g->devices, group_node)
		iommu_set_devices(d, NULL);
	g->domain->groups--;
	g->domain = NULL;
}

uint64_t
iommu_last_address(const struct iommu_domain *m)
{
	return vtd_last_address(m->tables);
}

uint64_t
iommu_map(struct iommu_domain *m, uint64_t iova, paddr_t pa, uint64_t size, bool read, bool write)
{
	return vtd_map(m->tables, iova, pa, size, read, write);
}

void
iommu_map_done(struct iommu_domain *m)
{
	vtd_flush(m->tables, true);
}

uint64_t
iommu_unmap(struct iommu_domain *m, uint64_t iova, paddr_t *pa)
{
	return vtd_unmap(m->tables, iova, pa);
}

void
iommu_unmap_tables(struct iommu_domain *m, uint64_t iova, uint64_t size)
{
	vtd_unmap_tables(m->tables, iova, size);
}

void
iommu_unmap_done(struct iommu_domain *m)
{
	vtd_flush(m->tables, false);
}

/* --- start --------------------------------------------------------------------------------------- */

void
iommu_init(void)
{
	sysfs_make_path("kernel/iommu_groups");
	there = vtd_start();
}

void
iommu_dump(void)
{
	const struct iommu_group *g;
	const struct pci_device *d;

	vtd_dump();
	list_for_each (g, &groups, node) {
		pr_info("group %u%s: %s\n", g->id, g->made_up ? ", made up" : "", g->domain ? "in a domain" : "blocked");
		list_for_each (d, &g->devices, group_node)
			pr_info("  %s\n", d->name);
	}
}
