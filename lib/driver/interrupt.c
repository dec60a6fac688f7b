/* SPDX-License-Identifier: MIT */
/*
 * interrupt.c - a device's interrupts as eventfds.
 *
 * MSI and MSI-X come by edge: nothing is to be done after one. The pin is a level; VFIO closes it when it fires, and
 * the handler, which has made the device take the level back, is followed by an order to open it.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "device.h"
#include "log.h"

static void
unmask_pin(struct device *d)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK,
		.index = VFIO_PCI_INTX_IRQ_INDEX,
		.count = 1,
	};

	if (ioctl(d->fd, VFIO_DEVICE_SET_IRQS, &set) < 0)
		log_error("the interrupt pin cannot be opened: %s", strerror(errno));
}

static void
arrived(struct watch *w)
{
	struct vector *v = container_of(w, struct vector, watch);
	struct device *d = v->device;

	if (v->handler)
		v->handler(d, v - d->vector, v->argument);
	if (d->irq_index == VFIO_PCI_INTX_IRQ_INDEX && !d->platform)
		unmask_pin(d);
}

/* Give the kernel the eventfds of `count` vectors from `first` on, for a kind of interrupts. */
static int
arm(struct device *d, uint32_t index, unsigned first, unsigned count)
{
	struct {
		struct vfio_irq_set set;
		int32_t fds[DEVICE_VECTORS];
	} order = {
		.set = { .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, .index = index, .count = count },
	};

	order.set.argsz = sizeof(order.set) + count * sizeof(int32_t);
	for (unsigned i = 0; i < count; i++)
		memcpy(order.set.data + i * sizeof(int32_t), &d->vector[first + i].watch.fd, sizeof(int32_t));
	return ioctl(d->fd, VFIO_DEVICE_SET_IRQS, &order) < 0 ? -errno : 0;
}

int
device_interrupts(struct device *d, unsigned wanted)
{
	static const uint32_t kinds[] = { VFIO_PCI_MSIX_IRQ_INDEX, VFIO_PCI_MSI_IRQ_INDEX, VFIO_PCI_INTX_IRQ_INDEX };
	int error = -ENODEV;

	if (wanted > DEVICE_VECTORS)
		wanted = DEVICE_VECTORS;
	for (unsigned i = 0; i < wanted; i++) {
		struct vector *v = &d->vector[i];

		v->device = d;
		v->watch.ready = arrived;
		error = loop_watch_event(&v->watch);
		if (error)
			return error;
		d->vectors = i + 1;
	}
	for (unsigned k = 0; k < 3; k++) {
		unsigned count = d->irq_counts[kinds[k]];

		if (count == 0)
			continue;
		count = count < wanted ? count : wanted;
		error = arm(d, kinds[k], 0, count);
		if (error == 0) {
			d->irq_index = kinds[k];
			for (unsigned i = count; i < d->vectors; i++) {
				loop_forget(&d->vector[i].watch);
				close(d->vector[i].watch.fd);
			}
			d->vectors = count;
			return count;
		}
	}
	log_error("no interrupts: %s", strerror(-error));
	return error;
}

int
device_line(struct device *d, unsigned line, void (*handler)(struct device *, unsigned, void *), void *argument)
{
	struct vector *v = &d->vector[d->vectors];
	int error;

	if (d->vectors == DEVICE_VECTORS || line >= sizeof(d->irq_counts) / sizeof(d->irq_counts[0]) || !d->irq_counts[line])
		return -EINVAL;
	*v = (struct vector){ .device = d, .handler = handler, .argument = argument, .watch.ready = arrived };
	error = loop_watch_event(&v->watch);
	if (error)
		return error;
	d->vectors++;
	error = arm(d, line, d->vectors - 1, 1);
	return error ? error : (int)d->vectors - 1;
}

unsigned
device_on_interrupt(struct device *d, unsigned vector, void (*handler)(struct device *, unsigned, void *), void *argument)
{
	if (vector >= d->vectors)
		vector = d->vectors - 1;
	d->vector[vector].handler = handler;
	d->vector[vector].argument = argument;
	return vector;
}
