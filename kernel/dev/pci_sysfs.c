/* SPDX-License-Identifier: MIT */
/*
 * pci_sysfs.c - /sys/devices/pci0000:00, /sys/bus/pci and /sys/class/pci_bus: what programs see of PCI.
 *
 * Attributes run with the tree of /sys locked, below which pci_lock may not be taken: they show what does not change or
 * is read in one piece. What changes the tree of devices is done without that lock.
 */
#include <tessera/cpu.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "pci.h"

/* Linux's flags of resources, as the file "resource" has them. */
#define FLAG_IO         0x100ul
#define FLAG_MEMORY     0x200ul
#define FLAG_PREFETCH   0x2000ul
#define FLAG_READONLY   0x4000ul
#define FLAG_ALIGNED    0x40000ul
#define FLAG_64         0x100000ul
#define FLAG_UNSET      0x20000000ul
#define FLAGS_SHADOW    0x12ul

#define CONFIG_PUBLIC 64u /* what all may read: behind it registers may react to being read */

#define SHOW(function, format, ...)                                                                \
	static int function(struct text *t, void *object)                                          \
	{                                                                                          \
		struct pci_device *d = object;                                                     \
                                                                                                   \
		text_print(t, format "\n", __VA_ARGS__);                                           \
		return 0;                                                                          \
	}

SHOW(show_vendor, "0x%04x", d->vendor)
SHOW(show_device, "0x%04x", d->device)
SHOW(show_subvendor, "0x%04x", d->subvendor)
SHOW(show_subdevice, "0x%04x", d->subdevice)
SHOW(show_class, "0x%06x", d->class)
SHOW(show_revision, "0x%02x", d->revision)
SHOW(show_irq, "%u", d->irq)
SHOW(show_enable, "%u", READ_ONCE(d->enabled))
SHOW(show_power_state, "%s", READ_ONCE(d->enabled) ? "D0" : "unknown")
SHOW(show_cold, "%d", d->cap_pm != 0)
SHOW(show_zero, "%d", d->removed)
SHOW(show_one, "%d", !d->removed)
SHOW(show_mask, "%d", d->removed ? 0 : 32)
SHOW(show_node, "%d", d->removed ? 0 : -1)
SHOW(show_secondary, "%u", pci_read(d, PCI_SECONDARY, 1))
SHOW(show_subordinate, "%u", pci_read(d, PCI_SUBORDINATE, 1))
SHOW(show_boot_vga, "%d", (d->resource[PCI_ROM].flags & RESOURCE_SHADOW) != 0)
SHOW(show_modalias, "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X", d->vendor, d->device, d->subvendor, d->subdevice,
     d->class >> 16, d->class >> 8 & 0xff, d->class & 0xff)
SHOW(show_width, "%u", pci_read(d, d->cap_express + EXPRESS_LINK_STATUS, 2) >> 4 & 0x3f)
SHOW(show_max_width, "%u", pci_read(d, d->cap_express + EXPRESS_LINK_CAP, 4) >> 4 & 0x3f)

static const char *
speed_name(uint32_t code)
{
	static const char *const names[] = {
		"Unknown", "2.5 GT/s PCIe", "5.0 GT/s PCIe", "8.0 GT/s PCIe", "16.0 GT/s PCIe", "32.0 GT/s PCIe",
		"64.0 GT/s PCIe",
	};

	return code < ARRAY_SIZE(names) ? names[code] : names[0];
}

SHOW(show_speed, "%s", speed_name(pci_read(d, d->cap_express + EXPRESS_LINK_STATUS, 2) & 15))
SHOW(show_max_speed, "%s", speed_name(pci_read(d, d->cap_express + EXPRESS_LINK_CAP, 4) & 15))

static int
show_cpus(struct text *t, void *object)
{
	text_add_cpu_mask(t, cpu_count < 64 ? BIT(cpu_count) - 1 : UINT64_MAX);
	text_add(t, "\n", 1);
	return 0;
}

static int
show_cpu_list(struct text *t, void *object)
{
	text_add_cpu_list(t, cpu_count < 64 ? BIT(cpu_count) - 1 : UINT64_MAX);
	text_add(t, "\n", 1);
	return 0;
}

static uint64_t
flags_of(const struct pci_resource *r, uint32_t index)
{
	uint64_t flags = r->flags & RESOURCE_IO ? FLAG_IO : FLAG_MEMORY;

	if (r->flags & RESOURCE_SHADOW)
		return flags | FLAGS_SHADOW;
	flags |= r->raw & 0xf;
	flags |= r->flags & RESOURCE_PREFETCH ? FLAG_PREFETCH : 0;
	flags |= r->flags & RESOURCE_64 ? FLAG_64 : 0;
	flags |= r->flags & RESOURCE_UNSET ? FLAG_UNSET : 0;
	if (index < PCI_RESOURCES)
		flags |= FLAG_ALIGNED;
	return index == PCI_ROM ? flags | FLAG_READONLY : flags;
}

static void
resource_line(struct text *t, const struct pci_resource *r, uint32_t index)
{
	if (r && r->size)
		text_print(t, "0x%016lx 0x%016lx 0x%016lx\n", r->start, r->start + r->size - 1, flags_of(r, index));
	else
		text_print(t, "0x%016lx 0x%016lx 0x%016lx\n", 0ul, 0ul, 0ul);
}

/* Registers, ROM, six of virtual functions that nobody has made; a bridge's windows, one more for CardBus. */
static int
show_resource(struct text *t, void *object)
{
	struct pci_device *d = object;

	for (uint32_t i = 0; i < PCI_RESOURCES; i++)
		resource_line(t, &d->resource[i], i);
	for (uint32_t i = 0; i < 6; i++)
		resource_line(t, NULL, 0);
	if (!pci_is_bridge(d))
		return 0;
	for (uint32_t i = 0; i < WINDOWS; i++)
		resource_line(t, &d->window[i], PCI_RESOURCES + i);
	resource_line(t, NULL, 0);
	return 0;
}

static int
show_uevent(struct text *t, void *object)
{
	struct pci_device *d = object;
	struct pci_driver *driver = READ_ONCE(d->driver); /* drivers stay */

	if (driver)
		text_print(t, "DRIVER=%s\n", driver->name);
	text_print(t, "PCI_CLASS=%04X\nPCI_ID=%04X:%04X\nPCI_SUBSYS_ID=%04X:%04X\nPCI_SLOT_NAME=%s\nMODALIAS=", d->class,
		   d->vendor, d->device, d->subvendor, d->subdevice, d->name);
	return show_modalias(t, object);
}

static int
show_override(struct text *t, void *object)
{
	struct pci_device *d = object;
	char name[PCI_OVERRIDE_MAX];
	uint64_t flags = spin_lock_irq(&d->lock);

	snprintf(name, sizeof(name), "%s", d->override ? d->override : "(null)");
	spin_unlock_irq(&d->lock, flags);
	text_print(t, "%s\n", name);
	return 0;
}

static ssize_t
store_override(void *object, char *data, size_t n)
{
	return pci_set_override(object, data, n);
}

static int
show_reset_methods(struct text *t, void *object)
{
	pci_show_reset_methods(object, t);
	return 0;
}

/* --- what changes the tree ------------------------------------------------------------------------- */

static void
hold(void *object)
{
	pci_device_get(object);
}

static void
drop(void *object)
{
	pci_device_put(object);
}

static ssize_t
change_remove(void *object, char *data, size_t n)
{
	uint64_t yes;
	ssize_t used = sysfs_parse_number(data, n, UINT32_MAX, &yes);
	int error = used > 0 && yes ? pci_remove(object) : 0;

	return error ? error : used;
}

static ssize_t
change_rescan(void *object, char *data, size_t n)
{
	uint64_t yes;
	ssize_t used = sysfs_parse_number(data, n, UINT32_MAX, &yes);
	int error = used > 0 && yes ? pci_rescan() : 0;

	return error ? error : used;
}

static ssize_t
change_enable(void *object, char *data, size_t n)
{
	struct pci_device *d = object;
	uint64_t on;
	ssize_t used = sysfs_parse_number(data, n, UINT32_MAX, &on);

	if (used < 0)
		return used;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	mutex_lock(&pci_lock);
	if (d->removed)
		used = -ENODEV;
	else if (d->driver)
		used = -EBUSY;
	else if (on)
		used = pci_enable_locked(d) ? -ENODEV : used;
	else if (!d->enabled)
		used = -EIO;
	else
		pci_disable_locked(d);
	mutex_unlock(&pci_lock);
	return used;
}

static ssize_t
change_reset(void *object, char *data, size_t n)
{
	uint64_t yes;
	ssize_t used = sysfs_parse_number(data, n, UINT32_MAX, &yes);
	int error;

	if (used < 0 || yes != 1)
		return -EINVAL;
	mutex_lock(&pci_lock);
	error = pci_reset_locked(object);
	mutex_unlock(&pci_lock);
	return error ? error : used;
}

static ssize_t
change_reset_bus(void *object, char *data, size_t n)
{
	struct pci_device *d = object;
	uint64_t yes;
	ssize_t used = sysfs_parse_number(data, n, UINT32_MAX, &yes);
	int error;

	if (used < 0 || yes != 1)
		return -EINVAL;
	mutex_lock(&pci_lock);
	error = d->below ? pci_reset_bus_locked(d->below) : -ENOTTY;
	mutex_unlock(&pci_lock);
	return error ? error : used;
}

/* Nobody listens to events here; what they are about can be asked for. */
static ssize_t
store_nothing(void *object, char *data, size_t n)
{
	return (ssize_t)n;
}

/* --- registers ----------------------------------------------------------------------------------- */

static uint64_t
config_size(void *object, uint32_t index)
{
	return pci_config_size(object);
}

static ssize_t
config_read(struct file *f, void *object, uint32_t index, void *buf, size_t n, uint64_t at)
{
	if (!cred_capable(f->cred, CAP_SYS_ADMIN)) {
		if (at >= CONFIG_PUBLIC)
			return 0;
		n = MIN(n, (size_t)(CONFIG_PUBLIC - at));
	}
	pci_config_read(object, (uint32_t)at, buf, n);
	return (ssize_t)n;
}

static ssize_t
config_write(struct file *f, void *object, uint32_t index, const void *buf, size_t n, uint64_t at)
{
	pci_config_write(object, (uint32_t)at, buf, n);
	return (ssize_t)n;
}

static const struct sysfs_bytes config_bytes = {
	.size = config_size,
	.read = config_read,
	.write = config_write,
};

static uint64_t
resource_size(void *object, uint32_t index)
{
	const struct pci_device *d = object;

	return d->resource[index].size;
}

static bool
has_resource(void *object, uint32_t index)
{
	const struct pci_device *d = object;

	return d->resource[index].size && !(d->resource[index].flags & RESOURCE_UNSET);
}

static bool
has_prefetch(void *object, uint32_t index)
{
	const struct pci_device *d = object;

	return has_resource(object, index) &&
	       (d->resource[index].flags & (RESOURCE_MEMORY | RESOURCE_PREFETCH)) == (RESOURCE_MEMORY | RESOURCE_PREFETCH);
}

/* Ports one access at a time; memory is for mapping. */
static ssize_t
resource_read(struct file *f, void *object, uint32_t index, void *buf, size_t n, uint64_t at)
{
	const struct pci_resource *r = &((struct pci_device *)object)->resource[index];

	if (!(r->flags & RESOURCE_IO))
		return -EIO;
	return pci_port_access((uint16_t)(r->start + at), buf, n, false);
}

static ssize_t
resource_write(struct file *f, void *object, uint32_t index, const void *buf, size_t n, uint64_t at)
{
	const struct pci_resource *r = &((struct pci_device *)object)->resource[index];
	uint8_t copy[4];

	if (!(r->flags & RESOURCE_IO))
		return -EIO;
	if (n > sizeof(copy))
		return -EINVAL;
	memcpy(copy, buf, n);
	return pci_port_access((uint16_t)(r->start + at), copy, n, true);
}

static int
map_resource(struct pci_device *d, uint32_t index, uint64_t offset, size_t length, bool combine,
	     struct memory_object **out)
{
	const struct pci_resource *r = &d->resource[index];
	uint64_t size = ALIGN_UP(r->size + (r->start & (PAGE_SIZE - 1)), PAGE_SIZE);

	if (!(r->flags & RESOURCE_MEMORY))
		return -ENODEV;
	if (offset >= size || ALIGN_UP(length, PAGE_SIZE) > size - offset)
		return -EINVAL;
	*out = pci_bar_object(d, index, combine);
	return *out ? 0 : -ENOMEM;
}

static int
resource_mmap(struct file *f, void *object, uint32_t index, uint64_t offset, size_t length, uint32_t *flags,
	      struct memory_object **out)
{
	return map_resource(object, index, offset, length, false, out);
}

static int
resource_mmap_combined(struct file *f, void *object, uint32_t index, uint64_t offset, size_t length, uint32_t *flags,
		       struct memory_object **out)
{
	return map_resource(object, index, offset, length, true, out);
}

static const struct sysfs_bytes resource_bytes = {
	.size = resource_size,
	.read = resource_read,
	.write = resource_write,
	.mmap = resource_mmap,
};
static const struct sysfs_bytes combined_bytes = { .size = resource_size, .mmap = resource_mmap_combined };

static ssize_t
rom_read(struct file *f, void *object, uint32_t index, void *buf, size_t n, uint64_t at)
{
	struct pci_device *d = object;

	return READ_ONCE(d->rom_readable) ? pci_rom_read(d, buf, n, at) : -EINVAL;
}

static ssize_t
rom_write(struct file *f, void *object, uint32_t index, const void *buf, size_t n, uint64_t at)
{
	struct pci_device *d = object;

	WRITE_ONCE(d->rom_readable, !(at == 0 && n > 0 && n <= 2 && *(const char *)buf == '0'));
	return (ssize_t)n;
}

static const struct sysfs_bytes rom_bytes = { .size = resource_size, .read = rom_read, .write = rom_write };

/* --- which device has what --------------------------------------------------------------------------- */

static bool
has_link(void *object, uint32_t index)
{
	const struct pci_device *d = object;

	return d->cap_express && !(d->express_type == EXPRESS_INTEGRATED && d->class >> 16 == 6);
}

static bool
is_bridge(void *object, uint32_t index)
{
	return pci_is_bridge(object);
}

static bool
is_display(void *object, uint32_t index)
{
	const struct pci_device *d = object;

	return d->class >> 8 == PCI_CLASS_VGA;
}

static bool
has_reset(void *object, uint32_t index)
{
	const struct pci_device *d = object;

	return READ_ONCE(d->resets) != 0;
}

static const struct sysfs_attribute device_attributes[] = {
	{ "ari_enabled", 0444, .show = show_zero },
	{ "broken_parity_status", 0644, .show = show_zero, .store = store_nothing },
	{ "class", 0444, .show = show_class },
	{ "config", 0644, .bytes = &config_bytes },
	{ "consistent_dma_mask_bits", 0444, .show = show_mask },
	{ "d3cold_allowed", 0644, .show = show_cold, .store = store_nothing },
	{ "device", 0444, .show = show_device },
	{ "dma_mask_bits", 0444, .show = show_mask },
	{ "driver_override", 0644, .show = show_override, .store = store_override },
	{ "enable", 0644, .show = show_enable, .change = change_enable, .hold = hold, .drop = drop },
	{ "irq", 0444, .show = show_irq },
	{ "local_cpulist", 0444, .show = show_cpu_list },
	{ "local_cpus", 0444, .show = show_cpus },
	{ "modalias", 0444, .show = show_modalias },
	{ "msi_bus", 0644, .show = show_one, .store = store_nothing },
	{ "numa_node", 0644, .show = show_node, .store = store_nothing },
	{ "power_state", 0444, .show = show_power_state },
	{ "remove", 0220, .change = change_remove, .hold = hold, .drop = drop },
	{ "rescan", 0200, .change = change_rescan, .hold = hold, .drop = drop },
	{ "resource", 0444, .show = show_resource },
	{ "revision", 0444, .show = show_revision },
	{ "subsystem_device", 0444, .show = show_subdevice },
	{ "subsystem_vendor", 0444, .show = show_subvendor },
	{ "uevent", 0644, .show = show_uevent, .store = store_nothing },
	{ "vendor", 0444, .show = show_vendor },
	{ 0 },
};

#define RESOURCE(n)                                                                                \
	{ "resource" #n, 0600, .bytes = &resource_bytes, .index = n, .visible = has_resource },    \
	{ "resource" #n "_wc", 0600, .bytes = &combined_bytes, .index = n, .visible = has_prefetch }

static const struct sysfs_attribute other_attributes[] = {
	RESOURCE(0),
	RESOURCE(1),
	RESOURCE(2),
	RESOURCE(3),
	RESOURCE(4),
	RESOURCE(5),
	{ "rom", 0600, .bytes = &rom_bytes, .index = PCI_ROM, .visible = has_resource },
	{ "boot_vga", 0444, .show = show_boot_vga, .visible = is_display },
	{ "current_link_speed", 0444, .show = show_speed, .visible = has_link },
	{ "current_link_width", 0444, .show = show_width, .visible = has_link },
	{ "max_link_speed", 0444, .show = show_max_speed, .visible = has_link },
	{ "max_link_width", 0444, .show = show_max_width, .visible = has_link },
	{ "secondary_bus_number", 0444, .show = show_secondary, .visible = is_bridge },
	{ "subordinate_bus_number", 0444, .show = show_subordinate, .visible = is_bridge },
	{ "reset_subordinate", 0200, .change = change_reset_bus, .hold = hold, .drop = drop, .visible = is_bridge },
	{ "reset", 0200, .change = change_reset, .hold = hold, .drop = drop, .visible = has_reset },
	{ "reset_method", 0444, .show = show_reset_methods, .visible = has_reset },
	{ 0 },
};

/* --- buses --------------------------------------------------------------------------------------- */

static int
show_empty(struct text *t, void *object)
{
	return 0;
}

static const struct sysfs_attribute bus_attributes[] = {
	{ "cpuaffinity", 0444, .show = show_cpus },
	{ "cpulistaffinity", 0444, .show = show_cpu_list },
	{ "rescan", 0200, .change = change_rescan },
	{ "uevent", 0644, .show = show_empty, .store = store_nothing },
	{ 0 },
};

static ssize_t
change_probe(void *object, char *data, size_t n)
{
	return pci_drivers_probe(data, n);
}

static int autoprobe = 1; /* [a] */

static int
show_autoprobe(struct text *t, void *object)
{
	text_print(t, "%d\n", READ_ONCE(autoprobe));
	return 0;
}

static ssize_t
store_autoprobe(void *object, char *data, size_t n)
{
	WRITE_ONCE(autoprobe, data[0] != '0');
	return (ssize_t)n;
}

bool
pci_probes_by_itself(void)
{
	return READ_ONCE(autoprobe);
}

static const struct sysfs_attribute all_attributes[] = {
	{ "drivers_autoprobe", 0644, .show = show_autoprobe, .store = store_autoprobe },
	{ "drivers_probe", 0200, .change = change_probe },
	{ "rescan", 0200, .change = change_rescan },
	{ "resource_alignment", 0644, .show = show_empty, .store = store_nothing },
	{ "uevent", 0200, .store = store_nothing },
	{ 0 },
};

void
pci_sysfs_init(void)
{
	sysfs_make_path("bus/pci/devices");
	sysfs_make_path("bus/pci/drivers");
	sysfs_make_path("bus/pci/slots");
	if (sysfs_add_attributes(sysfs_make_path("bus/pci"), all_attributes))
		pr_warn("pci: no memory for /sys/bus/pci\n");
}

/* The bus's own directory, beside those of its devices. */
static int
add_bus(struct pci_bus *b)
{
	struct sysfs_node *class = sysfs_make_path("class/pci_bus"), *dir;
	char name[16];
	int error;

	snprintf(name, sizeof(name), "%04x:%02x", b->segment, b->number);
	dir = sysfs_add_directory(b->devices_node, "pci_bus", NULL);
	b->sysfs = dir ? sysfs_add_directory(dir, name, NULL) : NULL;
	if (!b->sysfs)
		return -ENOMEM;
	error = sysfs_add_attributes(b->sysfs, bus_attributes);
	if (!error)
		error = sysfs_add_link(b->sysfs, "subsystem", class);
	return error ? error : sysfs_add_link(class, name, b->sysfs);
}

int
pci_sysfs_add_root(struct pci_bus *b)
{
	char path[32];

	snprintf(path, sizeof(path), "devices/pci%04x:%02x", b->segment, b->number);
	b->devices_node = sysfs_make_path(path);
	return b->devices_node ? add_bus(b) : -ENOMEM;
}

int
pci_sysfs_add_bus(struct pci_bus *b)
{
	b->devices_node = b->bridge->sysfs;
	return add_bus(b);
}

int
pci_sysfs_add_device(struct pci_device *d)
{
	struct sysfs_node *bus = sysfs_make_path("bus/pci");
	int error;

	d->sysfs = sysfs_add_directory(d->bus->devices_node, d->name, d);
	if (!d->sysfs)
		return -ENOMEM;
	error = sysfs_add_attributes(d->sysfs, device_attributes);
	if (!error)
		error = sysfs_add_attributes(d->sysfs, other_attributes);
	if (!error)
		error = sysfs_add_link(d->sysfs, "subsystem", bus);
	return error ? error : sysfs_add_link(sysfs_make_path("bus/pci/devices"), d->name, d->sysfs);
}

void
pci_sysfs_remove_device(struct pci_device *d)
{
	sysfs_remove(d->sysfs);
	d->sysfs = NULL;
}

int
pci_sysfs_bound(struct pci_device *d, struct pci_driver *driver)
{
	int error = d->sysfs ? sysfs_add_link(d->sysfs, "driver", driver->sysfs) : 0;

	return error || !d->sysfs ? error : sysfs_add_link(driver->sysfs, d->name, d->sysfs);
}

void
pci_sysfs_unbound(struct pci_device *d, struct pci_driver *driver)
{
	if (d->sysfs)
		sysfs_remove_link(d->sysfs, "driver");
	sysfs_remove_link(driver->sysfs, d->name);
}

/* --- /proc/bus/pci/devices ----------------------------------------------------------------------------- */

static uint64_t
old_start(const struct pci_resource *r, uint32_t index)
{
	return r->size ? r->start | (flags_of(r, index) & 0xf) : 0;
}

void
pci_show_all(struct text *t)
{
	struct pci_device *d;
	struct pci_bus *b;

	mutex_lock(&pci_lock);
	list_for_each (b, &pci_buses, node)
		list_for_each (d, &b->devices, node) {
			text_print(t, "%02x%02x\t%04x%04x\t%x", b->number, d->devfn, d->vendor, d->device, d->irq);
			for (uint32_t i = 0; i < PCI_RESOURCES; i++)
				text_print(t, "\t%16lx", old_start(&d->resource[i], i));
			for (uint32_t i = 0; i < PCI_RESOURCES; i++)
				text_print(t, "\t%16lx", d->resource[i].size);
			text_print(t, "\t%s\n", d->driver ? d->driver->name : "");
		}
	mutex_unlock(&pci_lock);
}
