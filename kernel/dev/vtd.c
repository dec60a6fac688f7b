/* SPDX-License-Identifier: MIT */
/*
 * vtd.c - Intel's IOMMU: who asks (bus, device, function) leads by a root and a context table to a domain's tables, which
 * lead from the address that the device uses to memory.
 *
 * From the start no context is present: a device reaches nothing until a driver's container has mapped something for it,
 * and an attempt is a fault, which the unit tells by an interrupt and the log shows. Tables are cleared before the
 * unit forgets what it remembered of them, and freed after that.
 *
 * Locks: contexts are changed with pci_lock held, a domain's tables by its owner alone; the numbers of domains under
 * unit_lock; what a unit is to forget under its own lock.
 */
#include <tessera/arch.h>
#include <tessera/bootinfo.h>
#include <tessera/errno.h>
#include <tessera/lock.h>
#include <tessera/page.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "pci_hw.h"
#include "vtd.h"
#include "vtd_unit.h"

#define DOMAINS_MAX  256u
#define ENTRIES      512u
#define LARGE_SIZE   (ENTRIES * PAGE_SIZE)
#define WAIT_SPINS   10000000u
#define FAULTS_SHOWN 64u       /* lines in the log of each device; all are counted */

/* [I] but the tables: the owner's */
struct vtd_domain {
	uint32_t id;
	uint32_t levels;
	uint64_t *top;
	struct list empty; /* pages of tables that were taken out, and that units may still remember */
};

struct vtd_unit vtd_units[VTD_UNITS_MAX];
uint32_t vtd_unit_count;
static uint32_t levels;                /* [I] of all domains: what all units can */
static bool coherent, caching;         /* [I] all units see writes to tables; one remembers what was absent */
static bool has_large;                 /* [I] all units know entries for 2 MiB */
static struct spinlock unit_lock = SPINLOCK_INIT(DEVICE);
static uint64_t ids[DOMAINS_MAX / 64]; /* unit_lock; 0 is nobody's */
static uint32_t id_count;              /* [I] */

/* --- registers ----------------------------------------------------------------------------------- */

void
vtd_command(const struct vtd_unit *u, uint32_t bit)
{
	vtd_write32(u, VTD_COMMAND, (vtd_read32(u, VTD_STATUS) & ~(uint32_t)VTD_COMMAND_ONE_SHOT) | bit);
	for (uint32_t i = 0; i < WAIT_SPINS; i++)
		if (bit == VTD_COMMAND_FLUSH_WRITES ? !(vtd_read32(u, VTD_STATUS) & bit) : (vtd_read32(u, VTD_STATUS) & bit) != 0)
			return;
	panic("iommu: unit %ld does not obey command %#x", u - vtd_units, bit);
}

void
vtd_publish(const void *p, size_t n)
{
	if (!coherent)
		arch_flush_cache(p, n);
}

/* --- tables -------------------------------------------------------------------------------------- */

uint64_t *
vtd_new_table(void)
{
	paddr_t pa = frame_alloc(ALLOC_ZERO);
	uint64_t *t = pa ? phys_to_virt(pa) : NULL;

	if (t)
		vtd_publish(t, PAGE_SIZE);
	return t;
}

static void
set_entry(uint64_t *e, uint64_t value)
{
	atomic_store_release(e, value);
	vtd_publish(e, sizeof(*e));
}

static uint32_t
entry_index(uint64_t iova, uint32_t level)
{
	return (uint32_t)(iova >> (PAGE_SHIFT + 9 * level)) & (ENTRIES - 1);
}

static bool
is_present(uint64_t e)
{
	return (e & (VTD_PAGE_READ | VTD_PAGE_WRITE)) != 0;
}

/* An entry that is not of the lowest level. */
static bool
is_table(uint64_t e)
{
	return is_present(e) && !(e & VTD_PAGE_LARGE);
}

/*
 * The entry of `iova` at *level, or a large one above; *level says where it is. `make`: with the tables that lead
 * there. NULL: there is none, or no memory.
 */
static uint64_t *
entry_of(struct vtd_domain *m, uint64_t iova, uint32_t *level, bool make)
{
	uint64_t *table = m->top;

	for (uint32_t at = m->levels - 1; at > *level; at--) {
		uint64_t *e = &table[entry_index(iova, at)], *next;

		if (!is_present(*e)) {
			next = make ? vtd_new_table() : NULL;
			if (!next)
				return NULL;
			set_entry(e, virt_to_phys(next) | VTD_PAGE_READ | VTD_PAGE_WRITE);
		} else if (!is_table(*e)) {
			*level = at;
			return e;
		}
		table = phys_to_virt(*e & VTD_PAGE_ADDRESS);
	}
	return &table[entry_index(iova, *level)];
}

/* The tables below `table`, and itself: at most four deep. */
static void
free_tables(uint64_t *table, uint32_t level)
{
	for (uint32_t i = 0; level > 0 && i < ENTRIES; i++)
		if (is_table(table[i]))
			free_tables(phys_to_virt(table[i] & VTD_PAGE_ADDRESS), level - 1);
	frame_free(virt_to_phys(table));
}

/* Put one entry at `iova`, a large one if it fits: its size, 0: no memory. */
static uint64_t
map_one(struct vtd_domain *m, uint64_t iova, paddr_t pa, uint64_t size, uint64_t rights)
{
	bool large = has_large && size >= LARGE_SIZE && IS_ALIGNED(iova | pa, LARGE_SIZE);
	uint32_t level = large ? 1 : 0;
	uint64_t *e = entry_of(m, iova, &level, true);

	if (large && e && is_present(*e)) { /* a table of small ones, which are gone: units may still remember it */
		large = false;
		level = 0;
		e = entry_of(m, iova, &level, true);
	}
	if (!e)
		return 0;
	assert(!is_present(*e));
	set_entry(e, pa | rights | (large ? VTD_PAGE_LARGE : 0));
	return large ? LARGE_SIZE : PAGE_SIZE;
}

uint64_t
vtd_map(struct vtd_domain *m, uint64_t iova, paddr_t pa, uint64_t size, bool read, bool write)
{
	uint64_t rights = (read ? VTD_PAGE_READ : 0) | (write ? VTD_PAGE_WRITE : 0), done = 0, n;

	for (; done < size; done += n) {
		n = map_one(m, iova + done, pa + done, size - done, rights);
		if (!n)
			break;
	}
	return done;
}

uint64_t
vtd_unmap(struct vtd_domain *m, uint64_t iova, paddr_t *pa)
{
	uint32_t level = 0;
	uint64_t *e = entry_of(m, iova, &level, false);
	uint64_t size = level ? LARGE_SIZE : PAGE_SIZE;

	if (!e || !is_present(*e))
		return 0;
	assert(IS_ALIGNED(iova, size));
	*pa = *e & VTD_PAGE_ADDRESS;
	set_entry(e, 0);
	return size;
}

static bool
is_empty(const uint64_t *table)
{
	for (uint32_t i = 0; i < ENTRIES; i++)
		if (table[i])
			return false;
	return true;
}

/* Of the tables below `table`, those of [first, last], addresses that it spans, that hold nothing are taken out. */
static void
take_out(struct vtd_domain *m, uint64_t *table, uint32_t level, uint64_t first, uint64_t last)
{
	if (level == 0)
		return;
	for (uint32_t i = entry_index(first, level); i <= entry_index(last, level); i++) {
		uint64_t from = i == entry_index(first, level) ? first : 0, to = i == entry_index(last, level) ? last : UINT64_MAX;
		uint64_t *below;

		if (!is_table(table[i]))
			continue;
		below = phys_to_virt(table[i] & VTD_PAGE_ADDRESS);
		take_out(m, below, level - 1, from, to);
		if (is_empty(below)) {
			set_entry(&table[i], 0);
			list_add(&m->empty, &virt_to_page(below)->node);
		}
	}
}

void
vtd_unmap_tables(struct vtd_domain *m, uint64_t iova, uint64_t size)
{
	take_out(m, m->top, m->levels - 1, iova, iova + size - 1);
}

/* No unit knows them any more. */
static void
free_empty(struct vtd_domain *m)
{
	struct page *p, *next;

	list_for_each_safe (p, next, &m->empty, node)
		frame_free(page_to_phys(p));
	list_init(&m->empty);
}

void
vtd_flush(struct vtd_domain *m, bool mapped)
{
	for (uint32_t i = 0; i < vtd_unit_count; i++)
		if (!mapped || caching)
			vtd_forget(&vtd_units[i], 0, VTD_IOTLB_DOMAIN, m->id);
		else if (vtd_units[i].cap & VTD_CAP_FLUSH_WRITES)
			vtd_forget(&vtd_units[i], 0, VTD_IOTLB_DOMAIN, m->id);
	if (!mapped)
		free_empty(m);
}

/* --- domains ------------------------------------------------------------------------------------- */

static uint32_t
take_id(void)
{
	uint64_t flags = spin_lock_irq(&unit_lock);
	uint32_t id = 0;

	for (uint32_t i = 1; i < id_count && !id; i++)
		if (!(ids[i / 64] & BIT(i % 64))) {
			ids[i / 64] |= BIT(i % 64);
			id = i;
		}
	spin_unlock_irq(&unit_lock, flags);
	return id;
}

static void
give_id(uint32_t id)
{
	uint64_t flags = spin_lock_irq(&unit_lock);

	ids[id / 64] &= ~BIT(id % 64);
	spin_unlock_irq(&unit_lock, flags);
}

struct vtd_domain *
vtd_domain_create(void)
{
	struct vtd_domain *m = kzalloc(sizeof(*m));

	if (!m)
		return NULL;
	list_init(&m->empty);
	m->levels = levels;
	m->id = take_id();
	m->top = m->id ? vtd_new_table() : NULL;
	if (!m->top) {
		if (m->id)
			give_id(m->id);
		kfree(m);
		return NULL;
	}
	return m;
}

void
vtd_domain_free(struct vtd_domain *m)
{
	vtd_flush(m, false);
	free_tables(m->top, m->levels - 1);
	give_id(m->id);
	kfree(m);
}

uint64_t
vtd_last_address(const struct vtd_domain *m)
{
	return BIT(PAGE_SHIFT + 9 * m->levels) - 1;
}

/* What is behind a bridge has the numbers that the bridge passes on now. */
static bool
is_in_scope(const struct vtd_unit *u, const struct vtd_scope *s, uint8_t bus, uint8_t devfn)
{
	if (s->bus == bus && s->devfn == devfn)
		return true;
	return s->bridge && bus >= arch_pci_read(u->segment, s->bus, s->devfn, PCI_SECONDARY, 1) &&
	       bus <= arch_pci_read(u->segment, s->bus, s->devfn, PCI_SUBORDINATE, 1);
}

static struct vtd_unit *
unit_of(uint16_t segment, uint8_t bus, uint8_t devfn)
{
	struct vtd_unit *all = NULL;

	for (uint32_t i = 0; i < vtd_unit_count; i++) {
		struct vtd_unit *u = &vtd_units[i];

		if (u->segment != segment)
			continue;
		for (uint32_t s = 0; s < u->scope_count; s++)
			if (is_in_scope(u, &u->scopes[s], bus, devfn))
				return u;
		if (u->all)
			all = u;
	}
	return all;
}

int
vtd_set_domain(uint16_t segment, uint8_t bus, uint8_t devfn, struct vtd_domain *m)
{
	struct vtd_unit *u = unit_of(segment, bus, devfn);
	uint64_t *e;
	uint32_t old;

	if (!u)
		return m ? -ENODEV : 0;
	if (!u->contexts[bus]) {
		if (!m)
			return 0;
		u->contexts[bus] = vtd_new_table();
		if (!u->contexts[bus])
			return -ENOMEM;
		set_entry(&u->root[2 * bus], virt_to_phys(u->contexts[bus]) | VTD_PRESENT);
	}
	e = &u->contexts[bus][2 * devfn];
	old = (uint32_t)(e[1] >> 8) & 0xffff;
	set_entry(&e[0], 0);
	vtd_forget(u, VTD_CONTEXT_GLOBAL, VTD_IOTLB_DOMAIN, old);
	if (m) {
		set_entry(&e[1], VTD_CONTEXT_ID(m->id) | VTD_CONTEXT_WIDTH(m->levels));
		set_entry(&e[0], virt_to_phys(m->top) | VTD_PRESENT);
		vtd_forget(u, VTD_CONTEXT_GLOBAL, VTD_IOTLB_DOMAIN, m->id);
	}
	return 0;
}

/* --- faults -------------------------------------------------------------------------------------- */

static const char *
reason_text(uint32_t reason)
{
	static const char *const texts[] = {
		[1] = "the device is nobody's", [2] = "the device is nobody's", [3] = "its context is not valid",
		[4] = "it is beyond the width of addresses", [5] = "that may not be written", [6] = "that may not be read",
		[7] = "a table cannot be read", [8] = "the root table cannot be read", [9] = "a context table cannot be read",
	};

	return reason < ARRAY_SIZE(texts) && texts[reason] ? texts[reason] : "of another reason";
}

static void
show_fault(struct vtd_unit *u, uint64_t low, uint64_t high)
{
	uint32_t source = VTD_RECORD_SOURCE(high), reason = VTD_RECORD_REASON(high);
	uint32_t *shown = &u->shown[(source >> 8 ^ source) & 0xff]; /* one that does nothing else silences no other */
	uint32_t n = MIN(atomic_load(shown), FAULTS_SHOWN) + 1;

	atomic_add(&u->faults, 1);
	atomic_store(shown, n);
	if (n <= FAULTS_SHOWN)
		pr_warn("iommu: %04x:%02x:%02x.%u %s %#lx: %s (reason %u)%s\n", u->segment, source >> 8, source >> 3 & 0x1f,
			source & 7, high & VTD_RECORD_READ ? "reads" : "writes", low & ~0xffful, reason_text(reason), reason,
			n == FAULTS_SHOWN ? "; its further ones are only counted" : "");
}

static void
fault_interrupt(void *arg)
{
	struct vtd_unit *u = arg;
	uint32_t at = (uint32_t)VTD_CAP_FAULTS(u->cap), count = (uint32_t)VTD_CAP_FAULT_COUNT(u->cap);
	uint32_t i = VTD_FAULT_INDEX(vtd_read32(u, VTD_FAULT_STATUS)) % count;

	for (uint32_t n = 0; n < count; n++, i = (i + 1) % count) {
		uint64_t low = vtd_read64(u, at + 16 * i), high = vtd_read64(u, at + 16 * i + 8);

		if (!(high & VTD_RECORD_FAULT))
			break;
		show_fault(u, low, high);
		vtd_write64(u, at + 16 * i + 8, VTD_RECORD_FAULT); /* it may be used again */
	}
	vtd_write32(u, VTD_FAULT_STATUS, VTD_FAULT_OVERFLOW);
}

/* The unit's own message, which it does not remap. */
static void
write_message(void *arg, const struct arch_msi *m)
{
	struct vtd_unit *u = arg;

	vtd_write32(u, VTD_FAULT_DATA, m->data);
	vtd_write32(u, VTD_FAULT_ADDRESS_HIGH, (uint32_t)(m->address >> 32));
	vtd_write32(u, VTD_FAULT_ADDRESS, (uint32_t)m->address);
}

static void
start_faults(struct vtd_unit *u)
{
	struct arch_msi_user user = { .requester = ARCH_MSI_DIRECT, .write = write_message, .arg = u };
	char name[24];

	u->interrupt = arch_msi_alloc(1, &user);
	if (u->interrupt < 0) {
		pr_warn("iommu: no interrupt for faults: they are not told\n");
		return;
	}
	snprintf(name, sizeof(name), "dmar%u", (unsigned int)(u - vtd_units));
	arch_msi_handle(u->interrupt, fault_interrupt, u, name);
	vtd_write32(u, VTD_FAULT_CONTROL, 0);
	fault_interrupt(u); /* what there was before */
}

/* --- start --------------------------------------------------------------------------------------- */

static uint64_t
field(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return v;
}

/* Devices that a unit names: on the bus itself, or, by a path of several steps, behind bridges. */
static void
read_scopes(struct vtd_unit *u, const uint8_t *p, const uint8_t *end)
{
	while (end - p >= 8 && p[1] >= 8 && p[1] <= end - p) {
		uint8_t bus = p[5];

		for (uint32_t at = 6; at + 2 <= p[1]; at += 2) {
			uint8_t devfn = (uint8_t)(p[at] << 3 | (p[at + 1] & 7));

			if (at + 4 <= p[1])
				bus = (uint8_t)arch_pci_read(u->segment, bus, devfn, PCI_SECONDARY, 1);
			else if ((p[0] == DMAR_SCOPE_ENDPOINT || p[0] == DMAR_SCOPE_BRIDGE) && u->scope_count < VTD_SCOPES_MAX)
				u->scopes[u->scope_count++] = (struct vtd_scope){ bus, devfn, p[0] == DMAR_SCOPE_BRIDGE };
			else if (p[0] == DMAR_SCOPE_IOAPIC && u->ioapic_count < VTD_SCOPES_MAX)
				u->ioapics[u->ioapic_count++] = (struct vtd_ioapic){ p[4], bus, devfn };
		}
		p += p[1];
	}
}

static void
read_unit(const uint8_t *p, size_t n)
{
	struct vtd_unit *u = &vtd_units[vtd_unit_count];

	if (n < 16 || vtd_unit_count == VTD_UNITS_MAX)
		return;
	*u = (struct vtd_unit){ .all = p[4] & DMAR_UNIT_ALL, .segment = (uint16_t)field(p + 6, 2), .interrupt = -1 };
	u->registers = arch_map_device(field(p + 8, 8), PAGE_SIZE);
	if (!u->registers)
		return;
	u->cap = vtd_read64(u, VTD_CAP);
	u->ecap = vtd_read64(u, VTD_ECAP);
	if (u->cap == UINT64_MAX || VTD_ECAP_IOTLB(u->ecap) + 16 > PAGE_SIZE ||
	    VTD_CAP_FAULTS(u->cap) + 16 * VTD_CAP_FAULT_COUNT(u->cap) > PAGE_SIZE) {
		pr_warn("iommu: the unit at %#lx has registers that we cannot use\n", field(p + 8, 8));
		region_unmap((void *)u->registers);
		return;
	}
	spin_init(&u->queue_lock, LOCK_LEAF);
	read_scopes(u, p + 16, p + n);
	vtd_unit_count++;
}

static void
read_dmar(const uint8_t *table, size_t size)
{
	for (size_t at = DMAR_FIRST, n; at + 4 <= size; at += n) {
		uint16_t kind = (uint16_t)field(table + at, 2);

		n = field(table + at + 2, 2);
		if (n < 4 || n > size - at)
			return;
		if (kind == DMAR_UNIT)
			read_unit(table + at, n);
		else if (kind == DMAR_RESERVED && n >= 24)
			pr_info("iommu: firmware would keep %#lx to %#lx for a device; it does not\n",
				field(table + at + 8, 8), field(table + at + 16, 8));
	}
}

static bool
start_unit(struct vtd_unit *u)
{
	u->root = vtd_new_table();
	if (!u->root)
		return false;
	vtd_write64(u, VTD_ROOT, virt_to_phys(u->root));
	vtd_command(u, VTD_COMMAND_SET_ROOT);
	vtd_queue_start(u);
	vtd_forget(u, VTD_CONTEXT_GLOBAL, VTD_IOTLB_GLOBAL, 0);
	start_faults(u);
	vtd_command(u, VTD_COMMAND_TRANSLATE);
	return true;
}

bool
vtd_start(void)
{
	size_t size;
	const uint8_t *table = boot_flag("noiommu") ? NULL : arch_acpi_table("DMAR", &size);
	uint32_t widths = 31;

	if (!table)
		return false;
	read_dmar(table, size);
	coherent = has_large = true;
	id_count = DOMAINS_MAX;
	for (uint32_t i = 0; i < vtd_unit_count; i++) {
		widths &= (uint32_t)VTD_CAP_WIDTHS(vtd_units[i].cap);
		coherent &= (vtd_units[i].ecap & VTD_ECAP_COHERENT) != 0;
		caching |= (vtd_units[i].cap & VTD_CAP_CACHING) != 0;
		has_large &= (vtd_units[i].cap & VTD_CAP_LARGE) != 0;
		id_count = MIN(id_count, VTD_CAP_DOMAINS(vtd_units[i].cap));
	}
	levels = widths & BIT(2) ? 4 : widths & BIT(1) ? 3 : 0;
	if (vtd_unit_count == 0 || levels == 0) {
		pr_warn("iommu: the units that ACPI names cannot be used\n");
		return false;
	}
	for (uint32_t i = 0; i < vtd_unit_count; i++)
		if (!start_unit(&vtd_units[i]))
			panic("no memory for the tables of the IOMMU");
	pr_info("iommu: %u units, %u bits of addresses; devices reach what their drivers map\n", vtd_unit_count,
		PAGE_SHIFT + 9 * levels);
	vtd_remap_start();
	return true;
}

void
vtd_dump(void)
{
	for (uint32_t i = 0; i < vtd_unit_count; i++)
		pr_info("unit %u: segment %04x%s, cap %#lx, ecap %#lx, status %#x, faults %lu\n", i, vtd_units[i].segment,
			vtd_units[i].all ? ", all devices" : "", vtd_units[i].cap, vtd_units[i].ecap, vtd_read32(&vtd_units[i], VTD_STATUS),
			vtd_units[i].faults);
	vtd_remap_dump();
}
