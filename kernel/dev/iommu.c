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
create_group(struct pci_device *leader, bool made_up)
{
	struct iommu_group *g = kzalloc(sizeof(*g));
	char name[16];

	if (!g)
		return NULL;
	list_init(&g->devices);
	g->id = iommu_new_group_id();
	g->leader = leader;
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

void
iommu_add_device(struct pci_device *d)
{
	struct pci_device *leader;
	struct iommu_group *g;

	assert_mutex_held(&pci_lock);
	if (!there)
		return;
	if (is_port(d))
		enable_isolation(d);
	leader = leader_of(d);
	list_for_each (g, &groups, node)
		if (!g->made_up && g->leader == leader) {
			join(d, g);
			if (g->domain && iommu_set_devices(g, d, g->domain))
				pr_warn("iommu: no memory for %s: it reaches nothing\n", d->name);
			return;
		}
	g = create_group(leader, false);
	if (g)
		join(d, g);
}

void
iommu_show_device(struct pci_device *d)
{
	if (d->group)
		show_in_group(d);
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
		iommu_set_devices(d->group, d, NULL);
	leave(d);
}

int
iommu_make_up_group(struct pci_device *d)
{
	struct iommu_group *g = create_group(d, true);

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

/*
 * The device's requests, under each name that they may come by: its own; behind a conventional bridge that bridge's, or
 * the first place of the bus behind it.
 */
int
iommu_set_devices(struct iommu_group *g, struct pci_device *d, struct iommu_domain *m)
{
	struct vtd_domain *tables = m ? m->tables : NULL;
	int error = vtd_set_domain(d->segment, d->bus_number, d->devfn, tables);

	for (struct pci_bus *b = d->bus; b->bridge && !error; b = b->parent) {
		if (is_port(b->bridge) || b->bridge->express_type == EXPRESS_UPSTREAM)
			continue;
		error = vtd_set_domain(d->segment, b->bridge->bus_number, b->bridge->devfn, tables);
		if (!error)
			error = vtd_set_domain(d->segment, b->number, 0, tables);
	}
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
		error = iommu_set_devices(g, d, m);
		if (error)
			goto detach;
	}
	g->domain = m;
	m->groups++;
	return 0;

detach:
	list_for_each (d, &g->devices, group_node)
		iommu_set_devices(g, d, NULL);
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
		iommu_set_devices(g, d, NULL);
	g->domain->groups--;
	g->domain = NULL;
}

uint64_t
iommu_last_address(const struct iommu_domain *m)
{
	return vtd_last_address(m->tables);
}

int
iommu_map_page(struct iommu_domain *m, uint64_t iova, paddr_t pa, bool read, bool write)
{
	return vtd_map(m->tables, iova, pa, read, write);
}

void
iommu_map_done(struct iommu_domain *m)
{
	vtd_flush(m->tables, true);
}

paddr_t
iommu_unmap_page(struct iommu_domain *m, uint64_t iova)
{
	return vtd_unmap(m->tables, iova);
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
