/* SPDX-License-Identifier: MIT */
/*
 * sysfs.c - objects that come to /sys and go again, while programs look.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/string.h>
#include <tessera/sysfs.h>
#include <tessera/test.h>

static int
show_object(struct text *t, void *object)
{
	text_print(t, "%d\n", *(int *)object);
	return 0;
}

static const struct sysfs_attribute attributes[] = {
	{ "value", 0444, .show = show_object },
	{ 0 },
};

static const struct sysfs_attribute same_name[] = {
	{ "value", 0444, .show = show_object },
	{ 0 },
};

KTEST(sysfs_nodes_go_with_all_that_lead_to_them)
{
	uint64_t before = sysfs_count();
	struct sysfs_node *dir = sysfs_make_path("ktest/a"), *device, *top = sysfs_make_path("ktest");
	int object = 1;

	kcheck(dir && top);
	kcheck(sysfs_make_path("ktest/a") == dir);
	device = sysfs_add_directory(dir, "device", &object);
	kcheck(device);
	kcheck(!sysfs_add_directory(dir, "device", &object));
	kcheck_equal(sysfs_add_attributes(device, attributes), 0);
	kcheck_equal(sysfs_add_attributes(device, same_name), -EEXIST);
	kcheck_equal(sysfs_add_link(top, "shortcut", device), 0);
	kcheck_equal(sysfs_add_link(top, "shortcut", device), -EEXIST);
	kcheck_equal(sysfs_count(), before + 4);
	sysfs_remove(device); /* and the link to it */
	kcheck_equal(sysfs_count(), before + 2);
	kcheck_equal(sysfs_add_link(top, "shortcut", dir), 0);
	sysfs_remove(top);
	kcheck_equal(sysfs_count(), before);
}

/* Who has the file of a removed object open reads ENODEV; a look-up finds nothing. */
KTEST(sysfs_open_file_outlives_its_object)
{
	struct sysfs_node *dir = sysfs_make_path("ktest");
	struct file *f = NULL;
	struct path where;
	char text[8] = "";
	int object = 42;

	vfs_mkdir(AT_FDCWD, "/ktest-sys", 0755);
	kcheck_equal(path_lookup(AT_FDCWD, "/ktest-sys", 0, &where), 0);
	kcheck_equal(vfs_mount("sysfs", &where, "sysfs", 0, false, NULL), 0);
	path_put(&where);
	kcheck_equal(sysfs_add_attributes(sysfs_add_directory(dir, "device", &object), attributes), 0);
	kcheck_equal(vfs_open(AT_FDCWD, "/ktest-sys/ktest/device/value", O_RDONLY, 0, 0, &f), 0);
	kcheck_equal(file_read_kernel(f, text, sizeof(text), 0), 3);
	kcheck(memcmp(text, "42\n", 3) == 0);
	sysfs_remove(dir);
	kcheck_equal(file_read_kernel(f, text, sizeof(text), 0), -ENODEV);
	file_put(f);
	kcheck_equal(vfs_open(AT_FDCWD, "/ktest-sys/ktest/device/value", O_RDONLY, 0, 0, &f), -ENOENT);
	kcheck_equal(path_lookup(AT_FDCWD, "/ktest-sys", 0, &where), 0);
	kcheck_equal(vfs_unmount(&where, 0), 0);
	path_put(&where);
	kcheck_equal(vfs_unlink(AT_FDCWD, "/ktest-sys", true), 0);
}
