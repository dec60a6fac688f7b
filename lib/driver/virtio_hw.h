/* SPDX-License-Identifier: MIT */
/*
 * virtio_hw.h - what all virtio devices share. Virtual I/O Device (VIRTIO) Version 1.1, OASIS; its sections
 * are named.
 */
#ifndef DRIVER_VIRTIO_HW_H
#define DRIVER_VIRTIO_HW_H

#include <stdint.h>

#define VIRTIO_VENDOR	     0x1af4 /* 4.1.2 */
#define VIRTIO_MODERN_DEVICE 0x1040 /* 4.1.2.1: plus the type of the device */

/* Types of devices: 5. */
#define VIRTIO_TYPE_BLOCK   2
#define VIRTIO_TYPE_CONSOLE 3
#define VIRTIO_TYPE_RANDOM  4

/* The device's status: 2.1. */
#define VIRTIO_ACKNOWLEDGE 0x01
#define VIRTIO_DRIVER	   0x02
#define VIRTIO_DRIVER_OK   0x04
#define VIRTIO_FEATURES_OK 0x08
#define VIRTIO_NEEDS_RESET 0x40
#define VIRTIO_FAILED	   0x80

/* Features of any device: 6. Bits. */
#define VIRTIO_INDIRECT_DESC   28
#define VIRTIO_EVENT_IDX       29
#define VIRTIO_VERSION_1       32
#define VIRTIO_ACCESS_PLATFORM 33

/* A capability of the PCI transport: 4.1.4. Offsets in configuration space from where it begins. */
#define VIRTIO_CAP_TYPE		3
#define VIRTIO_CAP_BAR		4
#define VIRTIO_CAP_OFFSET	8
#define VIRTIO_CAP_LENGTH	12
#define VIRTIO_CAP_NOTIFY_SCALE 16

#define VIRTIO_CAP_COMMON 1
#define VIRTIO_CAP_NOTIFY 2
#define VIRTIO_CAP_ISR	  3
#define VIRTIO_CAP_DEVICE 4

/* The common configuration: 4.1.4.3. Offsets and sizes in bits. */
#define VIRTIO_DEVICE_FEATURE_SELECT 0x00 /* 32 */
#define VIRTIO_DEVICE_FEATURE	     0x04 /* 32 */
#define VIRTIO_DRIVER_FEATURE_SELECT 0x08 /* 32 */
#define VIRTIO_DRIVER_FEATURE	     0x0c /* 32 */
#define VIRTIO_CONFIG_VECTOR	     0x10 /* 16 */
#define VIRTIO_QUEUE_COUNT	     0x12 /* 16 */
#define VIRTIO_STATUS		     0x14 /* 8 */
#define VIRTIO_CONFIG_GENERATION     0x15 /* 8 */
#define VIRTIO_QUEUE_SELECT	     0x16 /* 16 */
#define VIRTIO_QUEUE_SIZE	     0x18 /* 16 */
#define VIRTIO_QUEUE_VECTOR	     0x1a /* 16 */
#define VIRTIO_QUEUE_ENABLE	     0x1c /* 16 */
#define VIRTIO_QUEUE_NOTIFY_OFFSET   0x1e /* 16 */
#define VIRTIO_QUEUE_DESC	     0x20 /* 64 */
#define VIRTIO_QUEUE_AVAIL	     0x28 /* 64 */
#define VIRTIO_QUEUE_USED	     0x30 /* 64 */
#define VIRTIO_COMMON_SIZE	     0x38

#define VIRTIO_NO_VECTOR 0xffff

#define VIRTIO_ISR_CONFIG 2 /* 4.1.4.5: not a queue but the configuration has changed */

/* The split virtqueue: 2.6. */
struct vring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

#define VRING_DESC_NEXT	    1
#define VRING_DESC_WRITE    2 /* the device writes */
#define VRING_DESC_INDIRECT 4

struct vring_avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[]; /* and behind it used_event */
};

#define VRING_AVAIL_NO_INTERRUPT 1

struct vring_used_elem {
	uint32_t id;
	uint32_t len;
};

struct vring_used {
	uint16_t flags;
	uint16_t idx;
	struct vring_used_elem ring[]; /* and behind it avail_event */
};

#define VRING_USED_NO_NOTIFY 1

_Static_assert(sizeof(struct vring_desc) == 16, "2.6.5");
_Static_assert(sizeof(struct vring_used_elem) == 8, "2.6.8");

/* 2.6.7.2: whether the step from `old` to `new` passed `event`. */
static inline int
vring_need_event(uint16_t event, uint16_t new, uint16_t old)
{
	return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

#endif
