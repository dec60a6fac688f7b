/* SPDX-License-Identifier: MIT */
/*
 * pci_driver.c - which driver has which device: ids, overrides, bind and unbind.
 *
 * The kernel drives no PCI device itself; its drivers give devices to programs. A driver takes a device whose
 * override names it, or, where there is no override, one whose ids were written to its new_id. A device goes back
 * when unbind or the removal of the device asks for it and no program has it open any more.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "pci.h"

#define ANY UINT32_MAX

/* [I] but node: pci_lock */
struct pci_id {
	struct list node;
	uint32_t vendor, device, subvendor, subdevice, class, class_mask;
};

static struct list drivers = LIST_INIT(drivers); /* pci_lock */

static bool
id_matches(const struct pci_id *id, const struct pci_device *d)
{
	return (id->vendor == ANY || id->vendor == d->vendor) && (id->device == ANY || id->device == d->device) &&
	       (id->subvendor == ANY || id->subvendor == d->subvendor) &&
	       (id->subdevice == ANY || id->subdevice == d->subdevice) && !((id->class ^ d->class) & id->class_mask);
}

static bool
driver_matches(const struct pci_driver *driver, const struct pci_device *d)
{
	const struct pci_id *id;

	if (d->override)
		return strcmp(d->override, driver->name) == 0;
	list_for_each (id, &driver->ids, node)
		if (id_matches(id, d))
			return true;
	return false;
}

static int
bind_locked(struct pci_driver *driver, struct pci_device *d)
{
	int error;

	assert_mutex_held(&pci_lock);
	if (d->removed || !driver_matches(driver, d))
		return -ENODEV;
	if (d->driver)
		return -EBUSY;
	if (d->header != 0)
		return -EINVAL; /* nobody drives a bridge */
	error = pci_sysfs_bound(d, driver);
	if (!error)
		error = driver->probe(driver, d);
	if (error)
		pci_sysfs_unbound(d, driver);
	else
		WRITE_ONCE(d->driver, driver);
	return error;
}

void
pci_match_locked(struct pci_device *d)
{
	struct pci_driver *driver;

	if (!pci_probes_by_itself())
		return;
	list_for_each (driver, &drivers, node)
		if (!d->driver)
			bind_locked(driver, d);
}

int
pci_unbind(struct pci_device *d, struct pci_driver *from)
{
	struct pci_driver *driver;
	int error;

	for (;;) {
		mutex_lock(&pci_lock);
		driver = d->driver;
		if (!driver || (from && driver != from)) {
			mutex_unlock(&pci_lock);
			return -ENODEV;
		}
		error = driver->remove(driver, d);
		if (!error) {
			pci_sysfs_unbound(d, driver);
			WRITE_ONCE(d->driver, NULL);
		}
		mutex_unlock(&pci_lock);
		if (error != -EBUSY)
			return error;
		error = driver->release(driver, d);
		if (error)
			return error;
	}
}

/* --- what programs write --------------------------------------------------------------------------- */

ssize_t
pci_set_override(struct pci_device *d, const char *text, size_t n)
{
	size_t length = n;
	char *name = NULL, *old;
	uint64_t flags;

	while (length > 0 && text[length - 1] == '\n')
		length--;
	if (length >= PCI_OVERRIDE_MAX)
		return -EINVAL;
	if (length > 0) {
		name = kzalloc(length + 1);
		if (!name)
			return -ENOMEM;
		memcpy(name, text, length);
	}
	flags = spin_lock_irq(&d->lock);
	old = d->override;
	d->override = name;
	spin_unlock_irq(&d->lock, flags);
	kfree(old);
	return (ssize_t)n;
}

static ssize_t
change_bind(void *object, char *data, size_t n)
{
	struct pci_device *d = pci_find_name(data, n);
	int error;

	if (!d)
		return -ENODEV;
	mutex_lock(&pci_lock);
	error = bind_locked(object, d);
	mutex_unlock(&pci_lock);
	pci_device_put(d);
	return error ? error : (ssize_t)n;
}

static ssize_t
change_unbind(void *object, char *data, size_t n)
{
	struct pci_device *d = pci_find_name(data, n);
	int error;

	if (!d)
		return -ENODEV;
	error = pci_unbind(d, object);
	pci_device_put(d);
	return error ? error : (ssize_t)n;
}

ssize_t
pci_drivers_probe(const char *name, size_t n)
{
	struct pci_device *d = pci_find_name(name, n);
	struct pci_driver *driver;

	if (!d)
		return -ENODEV;
	mutex_lock(&pci_lock);
	list_for_each (driver, &drivers, node)
		if (!d->driver)
			bind_locked(driver, d);
	mutex_unlock(&pci_lock);
	pci_device_put(d);
	return (ssize_t)n;
}

/* "vendor device [subvendor subdevice [class mask [data]]]", hexadecimal: how many were there. */
static int
parse_id(const char *data, struct pci_id *id)
{
	uint32_t *const fields[] = { &id->vendor, &id->device, &id->subvendor, &id->subdevice, &id->class,
				     &id->class_mask };
	const char *end = data;
	uint64_t value;
	int n = 0;

	id->vendor = id->device = id->subvendor = id->subdevice = ANY;
	for (; n < (int)ARRAY_SIZE(fields); n++) {
		while (*end == ' ')
			end++;
		if (!*end || *end == '\n' || parse_u64(end, &end, 16, &value) || value > UINT32_MAX)
			break;
		*fields[n] = (uint32_t)value;
	}
	return n;
}

static ssize_t
change_new_id(void *object, char *data, size_t n)
{
	struct pci_driver *driver = object;
	struct pci_id *id = kzalloc(sizeof(*id));
	const struct pci_id *other;
	struct pci_device *d;
	struct pci_bus *b;
	bool there = false;

	if (!id)
		return -ENOMEM;
	if (parse_id(data, id) < 2) {
		kfree(id);
		return -EINVAL;
	}
	mutex_lock(&pci_lock);
	list_for_each (other, &driver->ids, node)
		there |= other->vendor == id->vendor && other->device == id->device &&
			 other->subvendor == id->subvendor && other->subdevice == id->subdevice &&
			 other->class == id->class && other->class_mask == id->class_mask;
	if (!there) {
		list_add_tail(&driver->ids, &id->node);
		list_for_each (b, &pci_buses, node)
			list_for_each (d, &b->devices, node)
				if (!d->driver)
					bind_locked(driver, d);
	}
	mutex_unlock(&pci_lock);
	if (there)
		kfree(id);
	return there ? -EEXIST : (ssize_t)n;
}

static ssize_t
change_remove_id(void *object, char *data, size_t n)
{
	struct pci_driver *driver = object;
	struct pci_id wanted = { .class = 0 }, *id, *next;
	ssize_t result = -ENODEV;

	if (parse_id(data, &wanted) < 2)
		return -EINVAL;
	mutex_lock(&pci_lock);
	list_for_each_safe (id, next, &driver->ids, node)
		if (id->vendor == wanted.vendor && id->device == wanted.device &&
		    (wanted.subvendor == ANY || id->subvendor == wanted.subvendor) &&
		    (wanted.subdevice == ANY || id->subdevice == wanted.subdevice) &&
		    !((id->class ^ wanted.class) & wanted.class_mask)) {
			list_del(&id->node);
			kfree(id);
			result = (ssize_t)n;
			break;
		}
	mutex_unlock(&pci_lock);
	return result;
}

static ssize_t
store_uevent(void *object, char *data, size_t n)
{
	return (ssize_t)n;
}

static const struct sysfs_attribute driver_attributes[] = {
	{ "bind", 0200, .change = change_bind },
	{ "new_id", 0200, .change = change_new_id },
	{ "remove_id", 0200, .change = change_remove_id },
	{ "uevent", 0200, .store = store_uevent },
	{ "unbind", 0200, .change = change_unbind },
	{ 0 },
};

void
pci_driver_register(struct pci_driver *driver)
{
	list_init(&driver->ids);
	driver->sysfs = sysfs_add_directory(sysfs_make_path("bus/pci/drivers"), driver->name, driver);
	if (sysfs_add_attributes(driver->sysfs, driver_attributes))
		pr_warn("pci: no memory to show the driver %s\n", driver->name);
	mutex_lock(&pci_lock);
	list_add_tail(&drivers, &driver->node);
	mutex_unlock(&pci_lock);
}
