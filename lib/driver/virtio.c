/* SPDX-License-Identifier: MIT */
/* virtio.c - find and begin a virtio device on PCI (4.1), agree on features (3.1). */
#include <errno.h>

#include "log.h"
#include "pci_hw.h"
#include "virtio.h"

/* 4.1.4: capabilities say in which region each structure lies. */
static void
find_structures(struct virtio *v)
{
	struct device *d = v->device;

	for (unsigned at = device_capability(d, PCI_CAP_VENDOR, 0); at; at = device_capability(d, PCI_CAP_VENDOR, at)) {
		unsigned type = device_config_read(d, at + VIRTIO_CAP_TYPE, 1);
		unsigned bar = device_config_read(d, at + VIRTIO_CAP_BAR, 1);
		uint32_t offset = device_config_read(d, at + VIRTIO_CAP_OFFSET, 4);
		uint32_t length = device_config_read(d, at + VIRTIO_CAP_LENGTH, 4);
		volatile uint8_t *place;

		if (bar >= DEVICE_BARS || !d->bars[bar].base || (uint64_t)offset + length > d->bars[bar].size)
			continue;
		place = d->bars[bar].base + offset;
		if (type == VIRTIO_CAP_COMMON && !v->common && length >= VIRTIO_COMMON_SIZE) {
			v->common = place;
		} else if (type == VIRTIO_CAP_NOTIFY && !v->notify) {
			v->notify = place;
			v->notify_scale = device_config_read(d, at + VIRTIO_CAP_NOTIFY_SCALE, 4);
		} else if (type == VIRTIO_CAP_ISR && !v->isr) {
			v->isr = place;
		} else if (type == VIRTIO_CAP_DEVICE && !v->config) {
			v->config = place;
			v->config_size = length;
		}
	}
}

static uint64_t
offered_features(struct virtio *v)
{
	uint64_t features;

	write32(v->common, VIRTIO_DEVICE_FEATURE_SELECT, 1);
	features = (uint64_t)read32(v->common, VIRTIO_DEVICE_FEATURE) << 32;
	write32(v->common, VIRTIO_DEVICE_FEATURE_SELECT, 0);
	return features | read32(v->common, VIRTIO_DEVICE_FEATURE);
}

static void
add_status(struct virtio *v, uint8_t bits)
{
	write8(v->common, VIRTIO_STATUS, read8(v->common, VIRTIO_STATUS) | bits);
}

int
virtio_reset(struct virtio *v)
{
	/* 4.1.4.3.2: reset is done when it reads 0. A device that is gone reads ones. */
	write8(v->common, VIRTIO_STATUS, 0);
	for (unsigned left = 1000000; read8(v->common, VIRTIO_STATUS) != 0;)
		if (--left == 0)
			return -ENODEV;
	return 0;
}

int
virtio_begin(struct virtio *v, struct device *d, uint64_t wanted)
{
	*v = (struct virtio){ .device = d };
	find_structures(v);
	if (!v->common || !v->notify || !v->isr) {
		log_error("no virtio device of version 1");
		return -ENODEV;
	}
	if (virtio_reset(v) < 0)
		return -ENODEV;
	device_bus_master(d, true);
	add_status(v, VIRTIO_ACKNOWLEDGE);
	add_status(v, VIRTIO_DRIVER);
	wanted |= 1ull << VIRTIO_VERSION_1 | 1ull << VIRTIO_ACCESS_PLATFORM;
	v->features = offered_features(v) & wanted;
	write32(v->common, VIRTIO_DRIVER_FEATURE_SELECT, 0);
	write32(v->common, VIRTIO_DRIVER_FEATURE, v->features);
	write32(v->common, VIRTIO_DRIVER_FEATURE_SELECT, 1);
	write32(v->common, VIRTIO_DRIVER_FEATURE, v->features >> 32);
	add_status(v, VIRTIO_FEATURES_OK);
	if (!virtio_has(v, VIRTIO_VERSION_1) || !(read8(v->common, VIRTIO_STATUS) & VIRTIO_FEATURES_OK)) {
		add_status(v, VIRTIO_FAILED);
		log_error("the device refuses features 0x%llx", (unsigned long long)v->features);
		return -EPROTO;
	}
	/* 6.1: it would take the addresses that we give it for those of the machine's memory, whoever's that is. */
	if (d->iommu && !virtio_has(v, VIRTIO_ACCESS_PLATFORM)) {
		write8(v->common, VIRTIO_STATUS, 0);
		log_error("the device goes past the IOMMU (it does not offer ACCESS_PLATFORM)");
		return -EPERM;
	}
	return 0;
}

unsigned
virtio_queue_count(struct virtio *v)
{
	return read16(v->common, VIRTIO_QUEUE_COUNT);
}

void
virtio_go(struct virtio *v)
{
	add_status(v, VIRTIO_DRIVER_OK);
}

bool
virtio_is_broken(struct virtio *v)
{
	return read8(v->common, VIRTIO_STATUS) & VIRTIO_NEEDS_RESET;
}

uint8_t
virtio_isr(struct virtio *v)
{
	return read8(v->isr, 0);
}
