/* SPDX-License-Identifier: MIT */
/*
 * disk.h - a disk for a case: a loop device over a file of its scratch directory.
 *
 * The file is unlinked and the device clears itself when it is closed last, so nothing is left however a case ends.
 */
#ifndef ABI_BLOCK_DISK_H
#define ABI_BLOCK_DISK_H

#include <linux/blkpg.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "check.h"

#define MIB (1024ll * 1024)

struct disk {
	int fd;        /* open for reading and writing */
	int number;    /* of the loop device */
	char path[32];
};

/* A file of `size` bytes without a name, as the backing of a disk. */
static inline int
backing_file(long long size)
{
	int fd = CHECK_OK(open("backing", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));

	CHECK_OK(unlink("backing"));
	CHECK_OK(ftruncate(fd, size));
	return fd;
}

/*
 * A free loop device, configured with `c`. Others look for one at the same time, so finding one and taking it may
 * have to be tried again.
 */
static inline struct disk
disk_configure(struct loop_config *c, int flags)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	struct disk d;

	if (control < 0)
		check_skip("no loop devices here");
	for (;;) {
		d.number = (int)CHECK_OK(ioctl(control, LOOP_CTL_GET_FREE));
		snprintf(d.path, sizeof(d.path), "/dev/loop%d", d.number);
		d.fd = CHECK_OK(open(d.path, flags | O_CLOEXEC));
		if (ioctl(d.fd, LOOP_CONFIGURE, c) == 0)
			break;
		CHECK(errno == EBUSY);
		close(d.fd);
	}
	close(control);
	return d;
}

static inline struct disk
disk_flags(long long size, unsigned int lo_flags, int open_flags)
{
	struct loop_config c = { .info.lo_flags = LO_FLAGS_AUTOCLEAR | lo_flags };
	struct disk d;

	c.fd = (unsigned int)backing_file(size);
	d = disk_configure(&c, open_flags);
	close((int)c.fd);
	return d;
}

static inline struct disk
disk_of(long long size)
{
	return disk_flags(size, 0, O_RDWR);
}

/* Another handle of it. */
static inline int
disk_open(const struct disk *d, int flags)
{
	return CHECK_OK(open(d->path, flags | O_CLOEXEC));
}

/* Memory that O_DIRECT takes. */
static inline unsigned char *
aligned(size_t size)
{
	void *p = NULL;

	CHECK(posix_memalign(&p, 4096, size) == 0);
	memset(p, 0, size);
	return p;
}

static inline long long
number_in(const char *format, const char *name, const char *file)
{
	char path[128], text[64] = "";
	int fd, n;

	snprintf(path, sizeof(path), format, name, file);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	n = (int)CHECK_OK(read(fd, text, sizeof(text) - 1));
	text[n] = '\0';
	close(fd);
	return atoll(text);
}

#endif
