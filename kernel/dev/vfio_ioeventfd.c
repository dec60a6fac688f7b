/* SPDX-License-Identifier: MIT */
/*
 * vfio_ioeventfd.c - VFIO_DEVICE_IOEVENTFD: who writes to an eventfd writes a value to one of the device's registers.
 *
 * So a doorbell is rung by whoever fills the queue, without waking the program that has the device. The write happens
 * inside of the eventfd's wake-up, in any context, and takes what was counted. While the program has switched the registers
 * off, or a reset runs, it goes nowhere: what nobody claims may be an error that stops the machine.
 *
 * Locks: vp->lock for the list. waiter_remove() waits for a wake-up under way. A doorbell's own lock is held while it is
 * rung, so that vfio_ioeventfds_hold() waits for that.
 */
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/poll.h>
#include <tessera/slab.h>

#include "vfio_pci.h"

#define IOEVENTFDS_MAX 1000u

/* [I] but for the node */
struct vfio_ioeventfd {
	struct list node;              /* [d] vp->ioeventfds */
	struct waiter waiter;
	struct spinlock lock;          /* class LEAF */
	bool answers;                  /* lock: the register is there */
	struct file *eventfd;          /* a reference */
	struct vfio_pci *device;
	uint32_t region, size;
	uint64_t at, data;
	volatile uint8_t *reg;         /* NULL: a port */
};

static void
write_register(const struct vfio_ioeventfd *e)
{
	uint64_t data = e->data;

	if (!e->reg)
		pci_port_access((uint16_t)(e->device->device->resource[e->region].start + e->at), (uint8_t *)&data,
				e->size, true);
	else if (e->size == 1)
		*e->reg = (uint8_t)data;
	else if (e->size == 2)
		*(volatile uint16_t *)e->reg = (uint16_t)data;
	else if (e->size == 4)
		*(volatile uint32_t *)e->reg = (uint32_t)data;
	else
		*(volatile uint64_t *)e->reg = data;
}

static void
ring(struct vfio_ioeventfd *e)
{
	uint64_t flags;

	eventfd_drain(e->eventfd);
	flags = spin_lock_irq(&e->lock);
	if (e->answers)
		write_register(e);
	spin_unlock_irq(&e->lock, flags);
}

/* The eventfd's queue is locked. */
static bool
written(struct waiter *w, uint32_t key)
{
	struct vfio_ioeventfd *e = container_of(w, struct vfio_ioeventfd, waiter);

	if (key & POLLIN)
		ring(e);
	return false;
}

static void
remove(struct vfio_ioeventfd *e)
{
	waiter_remove(&e->waiter);
	list_del(&e->node);
	file_put(e->eventfd);
	kfree(e);
}

static struct vfio_ioeventfd *
find(struct vfio_pci *vp, uint32_t region, uint64_t at, uint32_t size, uint64_t data, uint32_t *count)
{
	struct vfio_ioeventfd *e, *found = NULL;

	*count = 0;
	list_for_each (e, &vp->ioeventfds, node) {
		++*count;
		if (e->region == region && e->at == at && e->size == size && e->data == data)
			found = e;
	}
	return found;
}

static bool
answers(const struct vfio_ioeventfd *e)
{
	return e->reg ? vfio_memory_is_on(e->device) : vfio_ports_are_on(e->device);
}

static long
add(struct vfio_pci *vp, const struct vfio_ioeventfd *like, int fd)
{
	struct vfio_ioeventfd *e = kmemdup(like, sizeof(*like));
	int error;

	if (!e)
		return -ENOMEM;
	e->eventfd = vfio_eventfd(fd, RIGHT_READ, &error);
	if (!e->eventfd) {
		kfree(e);
		return error;
	}
	spin_init(&e->lock, LOCK_LEAF);
	e->answers = answers(e);
	waiter_init(&e->waiter, NULL);
	e->waiter.wake = written;
	list_add_tail(&vp->ioeventfds, &e->node);
	waiter_add(eventfd_queue(e->eventfd), &e->waiter);
	if (file_poll(e->eventfd, NULL) & POLLIN) /* written before we listened */
		ring(e);
	return 0;
}

long
vfio_ioeventfd_request(struct vfio_pci *vp, const struct vfio_ioeventfd_order *o)
{
	struct vfio_ioeventfd like = { .device = vp }, *old;
	const struct pci_resource *r;
	uint8_t *map = NULL;
	uint32_t count;

	assert_mutex_held(&vp->lock);
	if (o->argsz < VFIO_IOEVENTFD_MIN || (o->flags & ~VFIO_IOEVENTFD_SIZES) || !o->flags ||
	    (o->flags & (o->flags - 1)) || o->fd < -1)
		return -EINVAL;
	like.size = o->flags;
	like.data = o->data;
	like.region = (uint32_t)MIN(o->offset >> VFIO_REGION_SHIFT, (uint64_t)VFIO_PCI_REGIONS);
	like.at = o->offset & (BIT(VFIO_REGION_SHIFT) - 1);
	if (like.region >= PCI_BARS)
		return -EINVAL;
	r = &vp->device->resource[like.region];
	if ((r->flags & RESOURCE_UNSET) || like.at + like.size > r->size)
		return -EINVAL;
	if (like.region == vp->table_bar && like.at < vp->table_end && like.at + like.size > vp->table_start)
		return -EINVAL;
	if (!IS_ALIGNED(like.at, like.size) || ((r->flags & RESOURCE_IO) && like.size == 8))
		return -EINVAL;
	if (!(r->flags & RESOURCE_IO)) {
		map = vfio_map_bar(vp, like.region);
		if (!map)
			return -ENOMEM;
		like.reg = map + like.at;
	}
	old = find(vp, like.region, like.at, like.size, like.data, &count);
	if (old) {
		if (o->fd >= 0)
			return -EEXIST;
		remove(old);
		return 0;
	}
	if (o->fd < 0)
		return -ENODEV;
	return count >= IOEVENTFDS_MAX ? -ENOSPC : add(vp, &like, o->fd);
}

static void
set_answers(struct vfio_ioeventfd *e, bool there)
{
	uint64_t flags = spin_lock_irq(&e->lock);

	e->answers = there;
	spin_unlock_irq(&e->lock, flags);
}

void
vfio_ioeventfds_hold(struct vfio_pci *vp)
{
	struct vfio_ioeventfd *e;

	assert_mutex_held(&vp->lock);
	list_for_each (e, &vp->ioeventfds, node)
		set_answers(e, false);
}

void
vfio_ioeventfds_resume(struct vfio_pci *vp)
{
	struct vfio_ioeventfd *e;

	assert_mutex_held(&vp->lock);
	list_for_each (e, &vp->ioeventfds, node)
		set_answers(e, answers(e));
}

void
vfio_ioeventfds_off(struct vfio_pci *vp)
{
	struct vfio_ioeventfd *e, *next;

	assert_mutex_held(&vp->lock);
	list_for_each_safe (e, next, &vp->ioeventfds, node)
		remove(e);
}
