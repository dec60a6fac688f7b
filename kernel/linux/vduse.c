/* SPDX-License-Identifier: MIT */
/*
 * vduse.c - ioctls of VDUSE: <linux/vduse.h>'s numbers and structs.
 */
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/poll.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>
#include <tessera/vduse.h>

#include "linux.h"
#include "vduse.h"

#define VDUSE_GET_API_VERSION       0x80088100u
#define VDUSE_SET_API_VERSION       0x40088101u
#define VDUSE_CREATE_DEV            0x41508102u
#define VDUSE_DESTROY_DEV           0x41008103u
#define VDUSE_IOTLB_GET_FD          0xc0208110u
#define VDUSE_DEV_GET_FEATURES      0x80088111u
#define VDUSE_DEV_SET_CONFIG        0x40088112u
#define VDUSE_DEV_INJECT_CONFIG_IRQ 0x8113u
#define VDUSE_VQ_SETUP              0x40208114u
#define VDUSE_VQ_GET_INFO           0xc0308115u
#define VDUSE_VQ_SETUP_KICKFD       0x40088116u
#define VDUSE_VQ_INJECT_IRQ         0x40048117u
#define VDUSE_IOTLB_GET_INFO        0xc030811au
/* Ours (docs/drivers.md): _IOW(VDUSE_BASE, 0x40, struct vduse_vq_eventfd) */
#define VDUSE_VQ_DIRECT             0x40088140u

#define API_VERSION 0u
#define ACCESS_RW   3u
#define NO_EVENTFD  (-1)

struct linux_vduse_config {
	char name[VDUSE_NAME_SIZE];
	uint32_t vendor, device;
	uint64_t features;
	uint32_t queues, align;
	uint32_t reserved[13];
	uint32_t config_size;
	uint8_t config[];
};
_Static_assert(sizeof(struct linux_vduse_config) == 336, "struct vduse_dev_config");

struct linux_vduse_iotlb {
	uint64_t offset, start, last;
	uint8_t access;
	uint8_t padding[7];
};
_Static_assert(sizeof(struct linux_vduse_iotlb) == 32, "struct vduse_iotlb_entry");

struct linux_vduse_data {
	uint32_t offset, length;
	uint8_t buffer[];
};

struct linux_vduse_vq_config {
	uint32_t index;
	uint16_t max_size;
	uint16_t reserved[13];
};
_Static_assert(sizeof(struct linux_vduse_vq_config) == 32, "struct vduse_vq_config");

struct linux_vduse_vq_info {
	uint32_t index, size;
	uint64_t descriptors, driver, device;
	uint16_t avail_index, packed[3];
	uint8_t ready;
	uint8_t padding[7];
};
_Static_assert(sizeof(struct linux_vduse_vq_info) == 48, "struct vduse_vq_info");

struct linux_vduse_eventfd {
	uint32_t index;
	int32_t fd;
};

struct linux_vduse_iova_info {
	uint64_t start, last, capability, reserved[3];
};
_Static_assert(sizeof(struct linux_vduse_iova_info) == 48, "struct vduse_iova_info");

static long
create(const struct linux_vduse_config __user *in)
{
	struct linux_vduse_config *c = kmalloc(sizeof(*c), 0);
	struct vduse_create request;
	uint8_t *config = NULL;
	long error;

	if (!c)
		return -ENOMEM;
	error = copy_from_user(c, in, sizeof(*c));
	if (error)
		goto free;
	error = -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(c->reserved); i++)
		if (c->reserved[i])
			goto free;
	if (c->config_size > PAGE_SIZE)
		goto free;
	error = -ENOMEM;
	config = kzalloc(PAGE_SIZE);
	if (!config)
		goto free;
	error = copy_from_user(config, in->config, c->config_size);
	if (error)
		goto free;
	c->name[VDUSE_NAME_SIZE - 1] = '\0';
	request = (struct vduse_create){
		.vendor = c->vendor,
		.device = c->device,
		.features = c->features,
		.queues = c->queues,
		.align = c->align,
		.config_size = c->config_size,
		.config = config,
	};
	memcpy(request.name, c->name, sizeof(request.name));
	error = vduse_create(&request);
free:
	kfree(config);
	kfree(c);
	return error;
}

static long
destroy(const char __user *in)
{
	char name[VDUSE_NAME_SIZE];

	if (copy_from_user(name, in, sizeof(name)))
		return -EFAULT;
	name[sizeof(name) - 1] = '\0';
	return vduse_destroy(name);
}

long
vduse_control_command(unsigned int command, uintptr_t arg)
{
	void __user *p = (void __user *)arg;
	uint64_t version;

	switch (command) {
	case VDUSE_GET_API_VERSION:
		return put_user((uint64_t)API_VERSION, (uint64_t __user *)p);
	case VDUSE_SET_API_VERSION:
		if (get_user(version, (uint64_t __user *)p))
			return -EFAULT;
		return version > API_VERSION ? -EINVAL : 0;
	case VDUSE_CREATE_DEV:
		return create(p);
	case VDUSE_DESTROY_DEV:
		return destroy(p);
	}
	return -EINVAL;
}

static long
get_region(struct vduse *v, struct linux_vduse_iotlb __user *inout)
{
	struct linux_vduse_iotlb entry;
	struct vduse_region r;
	struct file *f;
	int error, fd;

	if (copy_from_user(&entry, inout, sizeof(entry)))
		return -EFAULT;
	r = (struct vduse_region){ .start = entry.start, .last = entry.last };
	error = vduse_region_file(v, &r, &f);
	if (error)
		return error;
	entry = (struct linux_vduse_iotlb){ .start = r.start, .last = r.last, .access = ACCESS_RW };
	error = copy_to_user(inout, &entry, sizeof(entry));
	fd = error ? error : handle_open(f, RIGHT_ALL, false);
	if (fd < 0)
		file_put(f);
	return fd;
}

static long
get_region_info(struct vduse *v, struct linux_vduse_iova_info __user *inout)
{
	struct linux_vduse_iova_info info;
	struct vduse_region r;
	int error;

	if (copy_from_user(&info, inout, sizeof(info)))
		return -EFAULT;
	if (info.reserved[0] | info.reserved[1] | info.reserved[2])
		return -EINVAL;
	r = (struct vduse_region){ .start = info.start, .last = info.last };
	error = vduse_region_info(v, &r);
	if (error)
		return error;
	info = (struct linux_vduse_iova_info){ .start = r.start, .last = r.last };
	return copy_to_user(inout, &info, sizeof(info));
}

static long
set_config(struct vduse *v, const struct linux_vduse_data __user *in)
{
	struct linux_vduse_data head;
	void *data;
	long error;

	if (copy_from_user(&head, in, sizeof(head)))
		return -EFAULT;
	if (head.length == 0 || head.offset > vduse_config_size(v) ||
	    head.length > vduse_config_size(v) - head.offset)
		return -EINVAL;
	data = kmalloc(head.length, 0);
	if (!data)
		return -ENOMEM;
	error = copy_from_user(data, in->buffer, head.length);
	if (!error)
		error = vduse_set_config(v, head.offset, data, head.length);
	kfree(data);
	return error;
}

static long
setup_queue(struct vduse *v, const struct linux_vduse_vq_config __user *in)
{
	struct linux_vduse_vq_config c;

	if (copy_from_user(&c, in, sizeof(c)))
		return -EFAULT;
	for (size_t i = 0; i < ARRAY_SIZE(c.reserved); i++)
		if (c.reserved[i])
			return -EINVAL;
	return vduse_queue_setup(v, c.index, c.max_size);
}

static long
get_queue(struct vduse *v, struct linux_vduse_vq_info __user *inout)
{
	struct linux_vduse_vq_info info;
	struct vduse_queue_info i;
	int error;

	if (copy_from_user(&info, inout, sizeof(info)))
		return -EFAULT;
	i.index = info.index;
	error = vduse_queue_info(v, &i);
	if (error)
		return error;
	info = (struct linux_vduse_vq_info){
		.index = i.index,
		.size = i.size,
		.descriptors = i.descriptors,
		.driver = i.driver,
		.device = i.device,
		.avail_index = i.avail_index,
		.ready = i.ready,
	};
	return copy_to_user(inout, &info, sizeof(info));
}

static long
set_kick(struct vduse *v, const struct linux_vduse_eventfd __user *in)
{
	struct linux_vduse_eventfd e;
	struct file *f;
	int error = 0;

	if (copy_from_user(&e, in, sizeof(e)))
		return -EFAULT;
	if (e.fd == NO_EVENTFD)
		return vduse_queue_kick_file(v, e.index, NULL);
	f = handle_get(e.fd, RIGHT_WRITE, &error);
	if (!f)
		return error;
	error = file_is_eventfd(f) ? vduse_queue_kick_file(v, e.index, f) : -EINVAL;
	file_put(f);
	return error;
}

static long
set_direct(struct vduse *v, const struct linux_vduse_eventfd __user *in)
{
	struct linux_vduse_eventfd e;
	struct file *f;
	int error = 0;

	if (copy_from_user(&e, in, sizeof(e)))
		return -EFAULT;
	f = handle_get(e.fd, RIGHT_READ, &error);
	if (!f)
		return error;
	error = file_is_eventfd(f) ? vduse_queue_direct(v, e.index, f) : -EINVAL;
	file_put(f);
	return error;
}

long
vduse_command(struct vduse *v, unsigned int command, uintptr_t arg)
{
	void __user *p = (void __user *)arg;
	uint32_t index;

	switch (command) {
	case VDUSE_IOTLB_GET_FD:
		return get_region(v, p);
	case VDUSE_IOTLB_GET_INFO:
		return get_region_info(v, p);
	case VDUSE_DEV_GET_FEATURES:
		return put_user(vduse_features(v), (uint64_t __user *)p);
	case VDUSE_DEV_SET_CONFIG:
		return set_config(v, p);
	case VDUSE_DEV_INJECT_CONFIG_IRQ:
		return vduse_config_changed(v);
	case VDUSE_VQ_SETUP:
		return setup_queue(v, p);
	case VDUSE_VQ_GET_INFO:
		return get_queue(v, p);
	case VDUSE_VQ_SETUP_KICKFD:
		return set_kick(v, p);
	case VDUSE_VQ_DIRECT:
		return set_direct(v, p);
	case VDUSE_VQ_INJECT_IRQ:
		if (get_user(index, (uint32_t __user *)p))
			return -EFAULT;
		return vduse_queue_interrupt(v, index);
	}
	return -ENOTTY;
}
