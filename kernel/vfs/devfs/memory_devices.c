/* SPDX-License-Identifier: MIT */
/*
 * memory_devices.c - null, zero, full, random, urandom, kmsg. Numbers and behaviour as in null(4),
 * full(4), random(4).
 */
#include <tessera/address_space.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/random.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

#include "devfs.h"


static ssize_t
null_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	return 0;
}

static ssize_t
null_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	size_t n = from->count;

	iov_advance(from, n);
	return (ssize_t)n;
}

static loff_t
null_seek(struct file *f, loff_t offset, int whence)
{
	return f->position = 0;
}

/* Endless sources look for signals now and then. */
static bool
interrupted(size_t done)
{
	return done % (64 * PAGE_SIZE) == 0 && signal_pending(current_thread());
}

static ssize_t
zero_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	size_t done = 0, wanted = to->count;

	while (done < wanted) {
		size_t n = MIN(wanted - done, PAGE_SIZE), moved = iov_zero(to, n);

		done += moved;
		if (moved < n)
			return done ? (ssize_t)done : -EFAULT;
		if (interrupted(done))
			return (ssize_t)done;
	}
	return (ssize_t)done;
}

/* Private mappings are plain anonymous memory; shared ones get an object of their own. */
static int
zero_mmap(
	struct file *f, uint64_t offset, size_t length, uint32_t *flags, struct memory_object **out)
{
	*out = NULL;
	if (!(*flags & MAPPING_SHARED))
		return 0;
	*out = object_create(&anonymous_object_ops, UINT64_MAX, NULL);
	return *out ? 0 : -ENOMEM;
}

static ssize_t
full_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	return -ENOSPC;
}

static ssize_t
random_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	uint8_t chunk[256];
	size_t done = 0, wanted = to->count;

	while (done < wanted) {
		size_t n = MIN(wanted - done, sizeof(chunk)), moved;

		random_bytes(chunk, n);
		moved = iov_copy_to(to, chunk, n);
		done += moved;
		if (moved < n)
			return done ? (ssize_t)done : -EFAULT;
		if (interrupted(done))
			break;
	}
	memset(chunk, 0, sizeof(chunk));
	return (ssize_t)done;
}

static ssize_t
random_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	uint8_t chunk[256];
	size_t done = 0, wanted = from->count;

	while (done < wanted) {
		size_t n = MIN(wanted - done, sizeof(chunk)), moved = iov_copy_from(chunk, from, n);

		random_stir(chunk, moved);
		done += moved;
		if (moved < n)
			return done ? (ssize_t)done : -EFAULT;
	}
	return (ssize_t)done;
}

#define RNDGETENTCNT 0x80045200u

static long
random_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	int bits = 256;

	if (command == RNDGETENTCNT)
		return put_user(bits, (int __user *)arg);
	return -EINVAL;
}

static const struct file_ops null_ops = {
	.name = "null",
	.no_splice_read = true,
	.read = null_read,
	.write = null_write,
	.seek = null_seek,
};

static const struct file_ops zero_ops = {
	.name = "zero",
	.no_splice_read = true,
	.no_splice_write = true,
	.read = zero_read,
	.write = null_write,
	.seek = null_seek,
	.mmap = zero_mmap,
};

static const struct file_ops full_ops = {
	.name = "full",
	.no_splice_read = true,
	.no_splice_write = true,
	.read = zero_read,
	.write = full_write,
	.seek = null_seek,
};

static const struct file_ops random_ops = {
	.name = "random",
	.read = random_read,
	.write = random_write,
	.seek = null_seek,
	.ioctl = random_ioctl,
};

void
memory_devices_init(void)
{
	chrdev_register("null", DEV(MAJOR_MEMORY, 3), 0666, &null_ops, NULL);
	chrdev_register("zero", DEV(MAJOR_MEMORY, 5), 0666, &zero_ops, NULL);
	chrdev_register("full", DEV(MAJOR_MEMORY, 7), 0666, &full_ops, NULL);
	chrdev_register("random", DEV(MAJOR_MEMORY, 8), 0666, &random_ops, NULL);
	chrdev_register("urandom", DEV(MAJOR_MEMORY, 9), 0666, &random_ops, NULL);
}
