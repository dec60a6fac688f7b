/* SPDX-License-Identifier: MIT */
/*
 * machine.c - the first levels of /sys, clocks, and devices that programs open by number.
 */
#include <tessera/arch.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/network.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "sysfs.h"

ssize_t
sysfs_parse_number(const char *data, size_t n, uint64_t high, uint64_t *out)
{
	const char *end;
	uint64_t v;

	if (parse_u64(data, &end, 10, &v))
		return -EINVAL;
	while (*end == ' ' || *end == '\n')
		end++;
	if (*end || v > high)
		return -EINVAL;
	*out = v;
	return (ssize_t)n;
}

static int
show_clock(struct text *t, void *object)
{
	text_print(t, "%s\n", arch_clock_name());
	return 0;
}

/* What it was at boot is what it stays: the kernel chooses (see arch/x86_64/clock.c). */
static const struct sysfs_attribute clock_attributes[] = {
	{ "available_clocksource", 0444, .show = show_clock },
	{ "current_clocksource", 0444, .show = show_clock },
	{ 0 },
};

static int
show_yes(struct text *t, void *object)
{
	text_print(t, "1\n");
	return 0;
}

static int
show_no(struct text *t, void *object)
{
	text_print(t, "0\n");
	return 0;
}

static int
show_last_event(struct text *t, void *object)
{
	text_print(t, "%lu\n", netlink_last_event());
	return 0;
}

/* File capabilities are obeyed; no other kernel waits to be started. */
static const struct sysfs_attribute kernel_attributes[] = {
	{ "fscaps", 0444, .show = show_yes },
	{ "kexec_loaded", 0444, .show = show_no },
	{ "kexec_crash_loaded", 0444, .show = show_no },
	{ "uevent_seqnum", 0444, .show = show_last_event },
	{ 0 },
};

/* Folders that are there for others to be put in or mounted on. */
static const char *const folders[] = {
	"block", "bus", "class", "dev/block", "dev/char", "devices/platform", "devices/virtual", "firmware",
	"fs/bpf", "fs/cgroup", "fs/pstore", "hypervisor", "kernel/debug", "kernel/security", "kernel/tracing",
	"module", "power",
};

/* --- devices ----------------------------------------------------------------------------------------- */

/* A device's object. [I] */
struct device {
	char *name;
	dev_t number;
	mode_t mode;
};

static int
show_dev(struct text *t, void *object)
{
	const struct device *d = object;

	text_print(t, "%u:%u\n", DEV_MAJOR(d->number), DEV_MINOR(d->number));
	return 0;
}

static int
show_uevent(struct text *t, void *object)
{
	const struct device *d = object;

	text_print(t, "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\n", DEV_MAJOR(d->number), DEV_MINOR(d->number), d->name);
	if (d->mode != 0600)
		text_print(t, "DEVMODE=0%o\n", d->mode);
	return 0;
}

static const struct sysfs_attribute device_attributes[] = {
	{ "dev", 0444, .show = show_dev },
	{ "uevent", 0444, .show = show_uevent },
	{ 0 },
};

static int
show_active(struct text *t, void *object)
{
	text_print(t, "ttyS0\n");
	return 0;
}

/* The log and /dev/console are the first serial port. */
static const struct sysfs_attribute console_attributes[] = {
	{ "active", 0444, .show = show_active },
	{ 0 },
};

static void
device_free(struct device *d)
{
	kfree(d->name);
	kfree(d);
}

void
sysfs_remove_device(dev_t number)
{
	struct sysfs_node *all = sysfs_make_path("dev/char"), *link = NULL, *dir = NULL;
	char name[24];
	int n = snprintf(name, sizeof(name), "%u:%u", DEV_MAJOR(number), DEV_MINOR(number));
	struct device *d;

	read_lock(&sysfs_lock);
	if (all)
		link = sysfs_find_locked(all, name, (size_t)n);
	if (link && link->target)
		dir = link->target; /* nobody else removes it */
	read_unlock(&sysfs_lock);
	if (!dir)
		return;
	d = dir->object;
	sysfs_remove(dir);
	device_free(d);
}

int
sysfs_add_device(const char *parent, const char *class, const char *name, dev_t number, mode_t mode)
{
	struct device *d = kzalloc(sizeof(*d));
	struct sysfs_node *dir, *of_class;
	const char *last = strrchr(name, '/');
	char path[96];
	int error = -ENOMEM;

	if (!d)
		return -ENOMEM;
	d->name = kstrdup(name);
	d->number = number;
	d->mode = mode;
	last = last ? last + 1 : name;
	snprintf(path, sizeof(path), "%s/%s", parent, class);
	dir = d->name ? sysfs_add_directory(sysfs_make_path(path), last, d) : NULL;
	if (!dir)
		goto free;
	snprintf(path, sizeof(path), "class/%s", class);
	of_class = sysfs_make_path(path);
	snprintf(path, sizeof(path), "%u:%u", DEV_MAJOR(number), DEV_MINOR(number));
	error = sysfs_add_attributes(dir, device_attributes);
	if (!error && number == DEV(5, 1))
		error = sysfs_add_attributes(dir, console_attributes);
	if (!error)
		error = sysfs_add_link(dir, "subsystem", of_class);
	if (!error)
		error = sysfs_add_link(of_class, last, dir);
	if (!error)
		error = sysfs_add_link(sysfs_make_path("dev/char"), path, dir);
	if (!error)
		return 0;
	sysfs_remove(dir);
free:
	device_free(d);
	return error;
}

void
sysfs_add_machine(void)
{
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(folders) && !error; i++)
		error = sysfs_make_path(folders[i]) ? 0 : -ENOMEM;
	if (!error)
		error = sysfs_add_attributes(sysfs_make_path("kernel"), kernel_attributes);
	if (!error)
		error = sysfs_add_attributes(sysfs_make_path("devices/system/clocksource/clocksource0"),
					     clock_attributes);
	if (error)
		pr_warn("sysfs: no memory for its first levels\n");
}
