/* SPDX-License-Identifier: MIT */
/*
 * block.c - ioctls of block devices: BLK*, HDIO_GETGEO.
 */
#include <tessera/backing.h>
#include <tessera/block.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/uaccess.h>

#include "block.h"

#define BLKROSET      0x125du
#define BLKROGET      0x125eu
#define BLKRRPART     0x125fu
#define BLKGETSIZE    0x1260u
#define BLKFLSBUF     0x1261u
#define BLKRASET      0x1262u
#define BLKRAGET      0x1263u
#define BLKFRASET     0x1264u
#define BLKFRAGET     0x1265u
#define BLKSECTGET    0x1267u
#define BLKSSZGET     0x1268u
#define BLKPG         0x1269u
#define BLKBSZGET     0x80081270u
#define BLKBSZSET     0x40081271u
#define BLKGETSIZE64  0x80081272u
#define BLKDISCARD    0x1277u
#define BLKIOMIN      0x1278u
#define BLKIOOPT      0x1279u
#define BLKALIGNOFF   0x127au
#define BLKPBSZGET    0x127bu
#define BLKDISCARDZEROES 0x127cu
#define BLKSECDISCARD 0x127du
#define BLKROTATIONAL 0x127eu
#define BLKZEROOUT    0x127fu
#define BLKGETDISKSEQ 0x80081280u
#define BLKGETZONESZ  0x80041284u
#define BLKGETNRZONES 0x80041285u
#define HDIO_GETGEO   0x0301u

#define BLKPG_ADD    1
#define BLKPG_DELETE 2
#define BLKPG_RESIZE 3

struct linux_blkpg {
	int32_t op, flags, length;
	uint32_t padding;
	uint64_t data;
};
_Static_assert(sizeof(struct linux_blkpg) == 24, "struct blkpg_ioctl_arg");

struct linux_blkpg_partition {
	int64_t start, length;
	int32_t number;
	char names[128];
	char padding[4];
};
_Static_assert(sizeof(struct linux_blkpg_partition) == 152, "struct blkpg_partition");

struct linux_geometry {
	uint8_t heads, sectors;
	uint16_t cylinders;
	uint32_t padding;
	uint64_t start;
};
_Static_assert(sizeof(struct linux_geometry) == 16, "struct hd_geometry");

static bool
is_admin(void)
{
	return capable(CAP_SYS_ADMIN);
}

static long
set_readonly(struct block_device *b, const int __user *arg)
{
	int on;

	if (!is_admin())
		return -EACCES;
	if (get_user(on, arg))
		return -EFAULT;
	if (!on && READ_ONCE(b->disk->readonly))
		return -EACCES; /* the medium itself */
	WRITE_ONCE(b->readonly, on != 0);
	return 0;
}

/* The range of BLKDISCARD and BLKZEROOUT. */
static long
take_range(struct file *f, struct block_device *b, const uint64_t __user *arg, uint64_t range[2])
{
	if (!(f->mode & FILE_WRITE))
		return -EBADF;
	if (copy_from_user(range, arg, 2 * sizeof(range[0])))
		return -EFAULT;
	if ((range[0] | range[1]) % BLOCK_SECTOR)
		return -EINVAL;
	if (range[1] > UINT64_MAX - range[0] || range[0] + range[1] > block_size(b))
		return -EINVAL;
	return block_readonly(b) ? -EPERM : 0;
}

static long
discard(struct file *f, struct block_device *b, const uint64_t __user *arg)
{
	uint64_t range[2];
	long error;

	if (!(f->mode & FILE_WRITE))
		return -EBADF;
	if (!b->disk->limits.max_discard)
		return -EOPNOTSUPP;
	error = take_range(f, b, arg, range);
	if (error)
		return error;
	return block_discard(b, range[0], range[1]);
}

static long
zero_out(struct file *f, struct block_device *b, const uint64_t __user *arg)
{
	uint64_t range[2];
	long error = take_range(f, b, arg, range);

	if (error)
		return error;
	if (range[1] == 0)
		return -EINVAL;
	return block_zero(b, range[0], range[1], BLOCK_NOUNMAP, true);
}

static long
flush_buffers(struct file *f, struct block_device *b)
{
	int error;

	if (!is_admin())
		return -EACCES;
	error = block_device_sync(b, f);
	object_invalidate(b->object, 0, UINT64_MAX, false);
	return error;
}

static long
read_partitions(struct file *f, struct block_device *b)
{
	bool claimed = b->holder == f;
	long error;

	if (!is_admin())
		return -EACCES;
	if (b->number || b->disk->no_partitions)
		return -EINVAL;
	error = claimed ? 0 : block_claim(b, &b->disk->whole);
	if (error)
		return error;
	error = block_scan_partitions(b->disk);
	if (!claimed)
		block_unclaim(b, &b->disk->whole);
	return error;
}

static long
change_partition(struct block_device *b, const struct linux_blkpg __user *uarg)
{
	struct linux_blkpg arg;
	struct linux_blkpg_partition p;
	uint64_t start, length;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (!is_admin())
		return -EACCES;
	if (copy_from_user(&p, (const void __user *)arg.data, sizeof(p)))
		return -EFAULT;
	if (b->number || p.number <= 0)
		return -EINVAL;
	if (arg.op == BLKPG_DELETE)
		return block_delete_partition(b->disk, (uint32_t)p.number);
	if (p.start < 0 || p.length <= 0 || p.length > INT64_MAX - p.start)
		return -EINVAL;
	start = (uint64_t)p.start;
	length = (uint64_t)p.length;
	if ((start | length) % b->disk->limits.logical_block)
		return -EINVAL;
	if (arg.op == BLKPG_ADD)
		return block_add_partition(b->disk, (uint32_t)p.number, start, length);
	if (arg.op == BLKPG_RESIZE)
		return block_resize_partition(b->disk, (uint32_t)p.number, start, length);
	return -EINVAL;
}

static long
set_readahead(struct block_device *b, uintptr_t sectors)
{
	if (!is_admin())
		return -EACCES;
	WRITE_ONCE(b->disk->backing->readahead_pages, (uint32_t)MIN(sectors / (PAGE_SIZE / BLOCK_SECTOR), 1ul << 20));
	return 0;
}

static long
get_readahead(struct block_device *b, long __user *out)
{
	if (!out)
		return -EINVAL;
	return put_user((long)READ_ONCE(b->disk->backing->readahead_pages) * (long)(PAGE_SIZE / BLOCK_SECTOR), out);
}

static long
set_block_size(struct file *f, struct block_device *b, const int __user *arg)
{
	int size;

	if (!is_admin())
		return -EACCES;
	if (!arg)
		return -EINVAL;
	if (get_user(size, arg))
		return -EFAULT;
	if (size < (int)b->disk->limits.logical_block || size > (int)PAGE_SIZE || (size & (size - 1)))
		return -EINVAL;
	if (b->holder && b->holder != f)
		return -EBUSY;
	WRITE_ONCE(b->block_size, (uint32_t)size);
	return 0;
}

/* What disks without cylinders say they have. */
static long
get_geometry(struct block_device *b, struct linux_geometry __user *out)
{
	struct linux_geometry g = { .heads = 64, .sectors = 32 };

	if (!out)
		return -EINVAL;
	if (block_is_loop(b))
		return -ENOTTY;
	g.cylinders = (uint16_t)(block_size(b->disk->whole) / BLOCK_SECTOR >> 11);
	g.start = READ_ONCE(b->start) / BLOCK_SECTOR;
	return copy_to_user(out, &g, sizeof(g));
}

long
block_command(struct file *f, unsigned int command, uintptr_t arg)
{
	struct block_device *b = file_block_device(f);
	const struct block_limits *l = &b->disk->limits;
	void __user *p = (void __user *)arg;

	switch (command) {
	case BLKFLSBUF:
		return flush_buffers(f, b);
	case BLKROSET:
		return set_readonly(b, p);
	case BLKROGET:
		return put_user((int)block_readonly(b), (int __user *)p);
	case BLKRRPART:
		return read_partitions(f, b);
	case BLKPG:
		return change_partition(b, p);
	case BLKGETSIZE:
		return put_user((long)(block_size(b) / BLOCK_SECTOR), (long __user *)p);
	case BLKGETSIZE64:
		return put_user(block_size(b), (uint64_t __user *)p);
	case BLKSSZGET:
		return put_user((int)l->logical_block, (int __user *)p);
	case BLKPBSZGET:
		return put_user(l->physical_block, (unsigned int __user *)p);
	case BLKIOMIN:
		return put_user(l->io_min, (unsigned int __user *)p);
	case BLKIOOPT:
		return put_user(l->io_opt, (unsigned int __user *)p);
	case BLKALIGNOFF:
		return put_user(0, (int __user *)p);
	case BLKDISCARDZEROES:
	case BLKGETZONESZ:
	case BLKGETNRZONES:
		return put_user(0u, (unsigned int __user *)p);
	case BLKSECTGET:
		return put_user((unsigned short)MIN(l->max_bytes / BLOCK_SECTOR, 0xffffu), (unsigned short __user *)p);
	case BLKROTATIONAL:
		return put_user((unsigned short)l->rotational, (unsigned short __user *)p);
	case BLKGETDISKSEQ:
		return put_user(READ_ONCE(b->disk->sequence), (uint64_t __user *)p);
	case BLKRASET:
	case BLKFRASET:
		return set_readahead(b, arg);
	case BLKRAGET:
	case BLKFRAGET:
		return get_readahead(b, p);
	case BLKBSZGET:
		return put_user((int)READ_ONCE(b->block_size), (int __user *)p);
	case BLKBSZSET:
		return set_block_size(f, b, p);
	case BLKDISCARD:
		return discard(f, b, p);
	case BLKSECDISCARD:
		return -EOPNOTSUPP;
	case BLKZEROOUT:
		return zero_out(f, b, p);
	case HDIO_GETGEO:
		return get_geometry(b, p);
	}
	return block_is_loop(b) ? loop_command(f, b, command, arg) : -ENOTTY;
}
