/* SPDX-License-Identifier: MIT */
/*
 * disks.c - ext2, ext3 and ext4 on block devices, mounted by Debian's fuse2fs.
 *
 * What a device holds is told by its superblock. The device whose file system has the UUID of the argument root=UUID=...
 * becomes the root; the others are mounted as /disk, /disk2 and so on, in the order of their names. fuse2fs writes no
 * journal, so a file system that was not unmounted is repaired first: e2fsck -p, and where that does not dare, -y. What
 * cannot be repaired is mounted to be read. `disks=unmounted` leaves all alone but the root.
 *
 * The root: mounted on /sysroot, given /dev, /proc, /sys, /run of the initramfs (bound, not moved: drivers and the
 * device manager, who stay behind, look there too), moved to "/", and made the root of process 1. The initramfs is then
 * /run/initramfs. `rootinit=PATH` gives the place of process 1 to a program of the root; what it does not unmount is
 * repaired at the next boot.
 *
 * Programs' words are in /run/disks.log, fuse2fs' errors later in /run/fuse2fs-NAME.log.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

#define FUSE2FS	  "/usr/bin/fuse2fs"
#define E2FSCK	  "/usr/sbin/e2fsck"
#define DISKS_LOG "/run/disks.log"
#define SYSROOT	  "/sysroot"

/* The superblock: 1024 bytes into the file system, little-endian. */
enum { SUPERBLOCK = 1024, SB_SIZE = 256, SB_MAGIC = 56, SB_UUID = 104, EXT_MAGIC = 0xef53 };

/* What e2fsck's status has when it is not enough: bits from here on. */
enum { E2FSCK_LEFT = 4 };

bool disks_mounted;
int disks_initramfs = -1;

/* Does the device hold an ext file system? Then its UUID as text, 37 bytes. */
static bool
is_ext(const char *device, char *uuid)
{
	uint8_t sb[SB_SIZE];
	int fd = open(device, O_RDONLY | O_CLOEXEC), n = 0;
	bool is = fd >= 0 && pread(fd, sb, sizeof(sb), SUPERBLOCK) == (ssize_t)sizeof(sb) &&
		  (sb[SB_MAGIC] | sb[SB_MAGIC + 1] << 8) == EXT_MAGIC;

	if (fd >= 0)
		close(fd);
	for (int i = 0; is && i < 16; i++)
		n += sprintf(uuid + n, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", sb[SB_UUID + i]);
	return is;
}

/* Make the file system fit to be written to. False: it is not. */
static bool
repair(const char *device)
{
	char *preen[] = { "e2fsck", "-p", (char *)device, NULL }, *force[] = { "e2fsck", "-fy", (char *)device, NULL };
	char *environment[] = { NULL };
	int status;

	if (access(E2FSCK, X_OK) < 0)
		return true;
	status = run_program(E2FSCK, preen, environment, DISKS_LOG);
	if (status < E2FSCK_LEFT)
		return true;
	say("%s: e2fsck -p is not enough (status %d): e2fsck -fy", device, status);
	status = run_program(E2FSCK, force, environment, DISKS_LOG);
	if (status >= E2FSCK_LEFT)
		say("%s: e2fsck cannot repair it (status %d); mounted to be read", device, status);
	return status < E2FSCK_LEFT;
}

/* Is there a mount of fuse2fs at `where`? Asks nobody but the kernel. */
static bool
is_mounted(const char *where)
{
	char *table = read_file("/proc/self/mountinfo"), wanted[64], *rest = NULL;
	bool found = false;

	snprintf(wanted, sizeof(wanted), " %s ", where);
	for (char *line = table ? strtok_r(table, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest))
		found = found || (strstr(line, wanted) && strstr(line, " - fuse"));
	free(table);
	return found;
}

/* Mount it and leave its daemon behind. False: it is not mounted, and a line says so. */
static bool
mount_ext(const char *device, const char *where)
{
	char options[64], log[96];
	char *argv[] = { "@fuse2fs", (char *)device, (char *)where, "-o", options, NULL };
	char *environment[] = { "PATH=/usr/sbin:/usr/bin", log, NULL };
	int status;

	if (mkdir(where, 0755) < 0 && errno != EEXIST) {
		complain("%s", where);
		return false;
	}
	snprintf(log, sizeof(log), "FUSE2FS_LOGFILE=/run/fuse2fs-%s.log", strrchr(device, '/') + 1);
	snprintf(options, sizeof(options), "%sallow_other,default_permissions,big_writes,suid,dev", repair(device) ? "" : "ro,");
	status = run_program(FUSE2FS, argv, environment, DISKS_LOG);
	if (!is_mounted(where)) {
		say("%s: fuse2fs does not mount it on %s (status %d); " DISKS_LOG " has its words", device, where, status);
		return false;
	}
	disks_mounted = true;
	return true;
}

static void
bind_into_root(const char *what, unsigned long flags, const char *where)
{
	char target[64];

	snprintf(target, sizeof(target), SYSROOT "%s", where);
	if (mkdir(target, 0755) < 0 && errno != EEXIST)
		complain("%s", target);
	if (mount(what, target, NULL, MS_BIND | flags, NULL) < 0)
		complain("bind %s", target);
}

/* What is mounted on /sysroot becomes "/"; the old root stays below, and disks_initramfs leads back to it. */
static void
switch_root(void)
{
	static const char *const kept[] = { "/dev", "/proc", "/sys", "/run" };

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		bind_into_root(kept[i], MS_REC, kept[i]);
	bind_into_root("/", 0, "/run/initramfs");
	disks_initramfs = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (disks_initramfs < 0 || chdir(SYSROOT) < 0 || mount(SYSROOT, "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0)
		complain("switch to the root on disk");
}

static int
is_name(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

void
disks_mount(void)
{
	char *root = boot_value("root=UUID="), *wish = boot_value("disks=");
	bool leave = wish && strcmp(wish, "unmounted") == 0, have_root = false;
	struct dirent **names;
	int count = scandir("/sys/class/block", &names, is_name, alphasort), number = 1;

	if (access(FUSE2FS, X_OK) < 0)
		count = count < 0 ? 0 : (leave = !root, count);
	for (int pass = root ? 0 : 1; pass < 2; pass++) {
		/* The root comes first, so that what else there is can be mounted in it. */
		for (int i = 0; i < count; i++) {
			char device[sizeof(names[i]->d_name) + 8], uuid[40] = "", where[40];
			bool is_root;

			snprintf(device, sizeof(device), "/dev/%s", names[i]->d_name);
			if (!is_ext(device, uuid))
				continue;
			is_root = root && strcmp(uuid, root) == 0;
			if (pass == 0 && is_root && !have_root)
				have_root = mount_ext(device, SYSROOT);
			if (pass == 0 || is_root || leave)
				continue;
			snprintf(where, sizeof(where), number > 1 ? "%s/disk%d" : "%s/disk", have_root ? SYSROOT : "", number);
			number += mount_ext(device, where);
		}
	}
	while (count > 0)
		free(names[--count]);
	if (have_root)
		switch_root();
	else if (root)
		say("there is no root with the UUID %s: going on in the initramfs", root);
	free(root);
	free(wish);
}
