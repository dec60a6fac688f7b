/* SPDX-License-Identifier: MIT */
/*
 * loop.c - ioctls of loop devices and of /dev/loop-control: <linux/loop.h>'s structs.
 */
#include <tessera/block.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

#include "block.h"
#include "linux.h"

#define LOOP_SET_FD         0x4c00u
#define LOOP_CLR_FD         0x4c01u
#define LOOP_SET_STATUS     0x4c02u
#define LOOP_GET_STATUS     0x4c03u
#define LOOP_SET_STATUS64   0x4c04u
#define LOOP_GET_STATUS64   0x4c05u
#define LOOP_CHANGE_FD      0x4c06u
#define LOOP_SET_CAPACITY   0x4c07u
#define LOOP_SET_DIRECT_IO  0x4c08u
#define LOOP_SET_BLOCK_SIZE 0x4c09u
#define LOOP_CONFIGURE      0x4c0au
#define LOOP_CTL_ADD        0x4c80u
#define LOOP_CTL_REMOVE     0x4c81u
#define LOOP_CTL_GET_FREE   0x4c82u

struct linux_loop_info {
	int32_t number;
	uint64_t device, inode, rdevice;
	int32_t offset, encrypt_type, key_size, flags;
	char name[LOOP_NAME];
	uint8_t key[32];
	uint64_t init[2];
	char reserved[4];
};
_Static_assert(sizeof(struct linux_loop_info) == 168, "struct loop_info");

struct linux_loop_info64 {
	uint64_t device, inode, rdevice, offset, size_limit;
	uint32_t number, encrypt_type, key_size, flags;
	char file_name[LOOP_NAME], crypt_name[LOOP_NAME];
	uint8_t key[32];
	uint64_t init[2];
};
_Static_assert(sizeof(struct linux_loop_info64) == 232, "struct loop_info64");

struct linux_loop_config {
	uint32_t fd, block_size;
	struct linux_loop_info64 info;
	uint64_t reserved[8];
};
_Static_assert(sizeof(struct linux_loop_config) == 304, "struct loop_config");

/* Linux's dev_t of 32 bits, as these structs have it. */
static uint64_t
encode(uint64_t device)
{
	uint32_t major = DEV_MAJOR(device), minor = DEV_MINOR(device);

	return (minor & 0xff) | (uint64_t)major << 8 | (uint64_t)(minor & ~0xffu) << 12;
}

static int
status_from(struct loop_status *s, const struct linux_loop_info64 *i)
{
	if (i->encrypt_type != 0)
		return -EINVAL;
	*s = (struct loop_status){ .offset = i->offset, .size_limit = i->size_limit, .flags = i->flags };
	memcpy(s->name, i->file_name, sizeof(s->name));
	memcpy(s->crypt_name, i->crypt_name, sizeof(s->crypt_name));
	memcpy(s->init, i->init, sizeof(s->init));
	return 0;
}

static long
get_status64(struct block_device *b, struct linux_loop_info64 __user *out)
{
	struct linux_loop_info64 i;
	struct loop_status s;
	int error;

	if (!out)
		return -EINVAL;
	error = loop_get_status(b, &s);
	if (error)
		return error;
	i = (struct linux_loop_info64){
		.device = encode(s.backing_device),
		.inode = s.backing_inode,
		.rdevice = encode(s.rdev),
		.offset = s.offset,
		.size_limit = s.size_limit,
		.number = s.number,
		.flags = s.flags,
		.init = { s.init[0], s.init[1] },
	};
	memcpy(i.file_name, s.name, sizeof(s.name));
	memcpy(i.crypt_name, s.crypt_name, sizeof(s.crypt_name));
	return copy_to_user(out, &i, sizeof(i));
}

static long
set_status64(struct block_device *b, const struct linux_loop_info64 __user *in)
{
	struct linux_loop_info64 i;
	struct loop_status s;
	int error;

	if (copy_from_user(&i, in, sizeof(i)))
		return -EFAULT;
	error = status_from(&s, &i);
	return error ? error : loop_set_status(b, &s);
}

static long
get_status(struct block_device *b, struct linux_loop_info __user *out)
{
	struct linux_loop_info i;
	struct loop_status s;
	int error;

	if (!out)
		return -EINVAL;
	error = loop_get_status(b, &s);
	if (error)
		return error;
	if (s.offset > INT32_MAX)
		return -EOVERFLOW;
	memset(&i, 0, sizeof(i));
	i.number = (int32_t)s.number;
	i.device = encode(s.backing_device);
	i.inode = s.backing_inode;
	i.rdevice = encode(s.rdev);
	i.offset = (int32_t)s.offset;
	i.flags = (int32_t)s.flags;
	i.init[0] = s.init[0];
	i.init[1] = s.init[1];
	memcpy(i.name, s.name, sizeof(i.name));
	return copy_to_user(out, &i, sizeof(i));
}

static long
set_status(struct block_device *b, const struct linux_loop_info __user *in)
{
	struct linux_loop_info i;
	struct loop_status s;

	if (copy_from_user(&i, in, sizeof(i)))
		return -EFAULT;
	if (i.encrypt_type != 0)
		return -EINVAL;
	s = (struct loop_status){ .offset = (uint64_t)(int64_t)i.offset, .flags = (uint32_t)i.flags,
				  .init = { i.init[0], i.init[1] } };
	memcpy(s.name, i.name, sizeof(s.name));
	return loop_set_status(b, &s);
}

static long
with_file(struct block_device *b, struct file *self, int fd, uint32_t block, const struct loop_status *s)
{
	int error = 0;
	struct file *f = handle_get(fd, RIGHT_NONE, &error);

	if (!f)
		return error;
	error = f->mode & FILE_PATH ? -EBADF : s ? loop_configure(b, self, f, block, s) : loop_change_file(b, f);
	file_put(f);
	return error;
}

static long
configure(struct block_device *b, struct file *self, const struct linux_loop_config __user *in)
{
	struct linux_loop_config c;
	struct loop_status s;
	int error;

	if (copy_from_user(&c, in, sizeof(c)))
		return -EFAULT;
	error = status_from(&s, &c.info);
	return error ? error : with_file(b, self, (int)c.fd, c.block_size, &s);
}

long
loop_command(struct file *f, struct block_device *b, unsigned int command, uintptr_t arg)
{
	static const struct loop_status none;
	void __user *p = (void __user *)arg;

	switch (command) {
	case LOOP_SET_STATUS:
	case LOOP_SET_STATUS64:
	case LOOP_SET_CAPACITY:
	case LOOP_SET_DIRECT_IO:
	case LOOP_SET_BLOCK_SIZE:
		if (!(f->mode & FILE_WRITE) && !capable(CAP_SYS_ADMIN))
			return -EPERM;
		break;
	}
	switch (command) {
	case LOOP_SET_FD:
		return with_file(b, f, (int)arg, 0, &none);
	case LOOP_CONFIGURE:
		return configure(b, f, p);
	case LOOP_CHANGE_FD:
		return with_file(b, f, (int)arg, 0, NULL);
	case LOOP_CLR_FD:
		return loop_clear(b);
	case LOOP_SET_STATUS:
		return set_status(b, p);
	case LOOP_GET_STATUS:
		return get_status(b, p);
	case LOOP_SET_STATUS64:
		return set_status64(b, p);
	case LOOP_GET_STATUS64:
		return get_status64(b, p);
	case LOOP_SET_CAPACITY:
		return loop_set_capacity(b);
	case LOOP_SET_DIRECT_IO:
		return loop_set_direct_io(b, arg != 0);
	case LOOP_SET_BLOCK_SIZE:
		return loop_set_block_size(b, arg);
	}
	return -EINVAL;
}

long
loop_control_command(unsigned int command, uintptr_t arg)
{
	switch (command) {
	case LOOP_CTL_ADD:
		return loop_add((int)arg);
	case LOOP_CTL_REMOVE:
		return loop_remove((int)arg);
	case LOOP_CTL_GET_FREE:
		return loop_get_free();
	}
	return -ENOSYS;
}
