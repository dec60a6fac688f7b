/* SPDX-License-Identifier: MIT */
/*
 * pci.c - /proc/bus: input devices; and in /proc/bus/pci all devices as one table, and each one's configuration space as BUS/DEVICE.FUNCTION.
 *
 * The number of a bus is its segment and its own; that of a device, the bus's and its place on it.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/input.h>
#include <tessera/pci.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "files.h"
#include "frame.h"

#define CONFIG_PUBLIC 64u /* what all may read */

static int
show_devices(struct text *t, struct target *at)
{
	pci_show_all(t);
	return 0;
}

static int
bus_name(struct target *at, long number, char *buf, size_t size)
{
	if (number >> 8)
		return snprintf(buf, size, "%04lx:%02lx", (unsigned long)number >> 8, (unsigned long)number & 0xff);
	return snprintf(buf, size, "%02lx", (unsigned long)number);
}

static int
device_name(struct target *at, long number, char *buf, size_t size)
{
	return snprintf(buf, size, "%02lx.%lu", (unsigned long)number >> 3 & 0x1f, (unsigned long)number & 7);
}

static long
bus_next(struct target *at, long from)
{
	return pci_next_bus(from);
}

static long
device_next(struct target *at, long from)
{
	long bus = (long)at->address << 8, devfn = pci_next_device((uint32_t)at->address, MAX(from - bus, 0l));

	return devfn < 0 ? -1 : bus | devfn;
}

/* The number of that name, of those that next() and name() give. */
static long
find(struct target *at, const char *name, size_t length, long (*next)(struct target *, long),
     int (*name_of)(struct target *, long, char *, size_t))
{
	char text[16];

	for (long n = next(at, 0); n >= 0; n = next(at, n + 1))
		if (name_of(at, n, text, sizeof(text)) == (int)length && !memcmp(text, name, length))
			return n;
	return -1;
}

static long
bus_find(struct target *at, const char *name, size_t length)
{
	return find(at, name, length, bus_next, bus_name);
}

static long
device_find(struct target *at, const char *name, size_t length)
{
	return find(at, name, length, device_next, device_name);
}

/* --- a device's configuration ---------------------------------------------------------------------- */

static struct pci_device *
device_of(const struct file *f)
{
	uint32_t number = (uint32_t)node_of(f->inode)->address;

	return pci_find(number >> 8, (unsigned long)number & 0xff);
}

uint64_t
proc_pci_size(uint64_t number)
{
	struct pci_device *d = pci_find((uint32_t)number >> 8, (unsigned long)number & 0xff);
	uint64_t size = d ? pci_config_size(d) : 0;

	if (d)
		pci_device_put(d);
	return size;
}

static ssize_t
move_config(struct file *f, struct iov_iter *it, loff_t *pos, bool write)
{
	struct pci_device *d = device_of(f);
	uint64_t size;
	ssize_t n = 0;
	void *buf;

	if (!d)
		return -ENODEV;
	buf = kmalloc(PAGE_SIZE, 0);
	size = write || cred_capable(f->cred, CAP_SYS_ADMIN) ? pci_config_size(d) : CONFIG_PUBLIC;
	if (!buf)
		n = -ENOMEM;
	else if ((uint64_t)*pos < size)
		n = (ssize_t)MIN(it->count, size - (uint64_t)*pos);
	if (n > 0 && write) {
		if (iov_copy_from(buf, it, (size_t)n) < (size_t)n)
			n = -EFAULT;
		else
			pci_config_write(d, (uint32_t)*pos, buf, (size_t)n);
	} else if (n > 0) {
		pci_config_read(d, (uint32_t)*pos, buf, (size_t)n);
		if (iov_copy_to(it, buf, (size_t)n) < (size_t)n)
			n = -EFAULT;
	}
	if (n > 0)
		*pos += n;
	kfree(buf);
	pci_device_put(d);
	return n;
}

static ssize_t
config_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	return move_config(f, to, pos, false);
}

static ssize_t
config_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	return move_config(f, from, pos, true);
}

static const struct file_ops config_ops = {
	.name = "pci configuration",
	.read = config_read,
	.write = config_write,
};

static const struct entry device_entry = {
	.name = "device",
	.mode = S_IFREG | 0644,
	.flags = ENTRY_PLACE,
	.file_ops = &config_ops,
};

static const struct entry_list device_list = {
	.find = device_find,
	.next = device_next,
	.name = device_name,
	.each = &device_entry,
};

static const struct entry bus_entry = {
	.name = "bus",
	.mode = S_IFDIR | 0555,
	.flags = ENTRY_PLACE,
	.list = &device_list,
};

static const struct entry_list bus_list = {
	.find = bus_find,
	.next = bus_next,
	.name = bus_name,
	.each = &bus_entry,
};

static const struct entry pci_entries[] = {
	ENTRY_FILE("devices", show_devices),
	{ 0 },
};

static int
show_input_devices(struct text *t, struct target *at)
{
	input_show_devices(t);
	return 0;
}

static int
show_input_handlers(struct text *t, struct target *at)
{
	input_show_handlers(t);
	return 0;
}

static const struct entry input_entries[] = {
	ENTRY_FILE("devices", show_input_devices),
	ENTRY_FILE("handlers", show_input_handlers),
	{ 0 },
};

const struct entry bus_entries[] = {
	{ .name = "input", .mode = S_IFDIR | 0555, .children = input_entries },
	{ .name = "pci", .mode = S_IFDIR | 0555, .children = pci_entries, .list = &bus_list },
	{ 0 },
};
