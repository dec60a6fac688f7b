/* SPDX-License-Identifier: MIT */
/*
 * vfio_irq.c - VFIO_DEVICE_SET_IRQS taken apart, for devices of any kind.
 */
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/poll.h>
#include <tessera/slab.h>
#include <tessera/uaccess.h>

#include "vfio.h"

struct file *
vfio_eventfd(int fd, uint64_t right, int *error)
{
	struct file *f = handle_get(fd, right, error);

	if (f && !file_is_eventfd(f)) {
		file_put(f);
		*error = -EINVAL;
		return NULL;
	}
	return f;
}

int
vfio_irq_decode(const void __user *arg, const uint32_t *counts, uint32_t indices, struct vfio_irq_set *set,
		struct vfio_irq_request *r, void **buf)
{
	size_t size;

	*buf = NULL;
	if (copy_from_user(set, arg, sizeof(*set)))
		return -EFAULT;
	if (set->argsz < sizeof(*set) || set->index >= indices || set->count >= UINT32_MAX - set->start ||
	    (set->flags & ~(VFIO_IRQ_DATA | VFIO_IRQ_ACTION)))
		return -EINVAL;
	if (set->start >= counts[set->index] || set->start + set->count > counts[set->index])
		return -EINVAL;
	switch (set->flags & VFIO_IRQ_DATA) {
	case VFIO_IRQ_DATA_NONE:
		size = 0;
		break;
	case VFIO_IRQ_DATA_BOOL:
		size = sizeof(uint8_t);
		break;
	case VFIO_IRQ_DATA_EVENTFD:
		size = sizeof(int32_t);
		break;
	default:
		return -EINVAL;
	}
	*r = (struct vfio_irq_request){ .data = set->flags & VFIO_IRQ_DATA, .start = set->start, .count = set->count };
	if (size == 0)
		return 0;
	if (set->argsz - sizeof(*set) < set->count * size)
		return -EINVAL;
	if (set->count == 0)
		return 0;
	*buf = kmalloc(set->count * size, 0);
	if (!*buf)
		return -ENOMEM;
	if (copy_from_user(*buf, (const char __user *)arg + sizeof(*set), set->count * size)) {
		kfree(*buf);
		*buf = NULL;
		return -EFAULT;
	}
	r->bools = *buf;
	return 0;
}
