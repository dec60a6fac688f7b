/* SPDX-License-Identifier: MIT */
/*
 * virtio_blk_hw.h - the block device: VIRTIO 1.1, section 5.2. Used from both sides: by the driver of a virtio disk,
 * and by the upper half, which is one for the kernel.
 */
#ifndef DRIVER_VIRTIO_BLK_HW_H
#define DRIVER_VIRTIO_BLK_HW_H

#include <stdint.h>

/* Features: 5.2.3. Bits. */
#define VIRTIO_BLK_SIZE_MAX	1
#define VIRTIO_BLK_SEG_MAX	2
#define VIRTIO_BLK_RO		5
#define VIRTIO_BLK_BLK_SIZE	6
#define VIRTIO_BLK_FLUSH	9
#define VIRTIO_BLK_TOPOLOGY	10
#define VIRTIO_BLK_CONFIG_WCE	11
#define VIRTIO_BLK_MQ		12
#define VIRTIO_BLK_DISCARD	13
#define VIRTIO_BLK_WRITE_ZEROES 14

/* The device's configuration: 5.2.4. */
struct virtio_blk_config {
	uint64_t capacity; /* sectors of 512 bytes */
	uint32_t size_max;
	uint32_t seg_max;
	uint16_t cylinders;
	uint8_t heads, sectors;
	uint32_t blk_size;
	uint8_t physical_block_exp, alignment_offset;
	uint16_t min_io_size;
	uint32_t opt_io_size;
	uint8_t writeback, unused0;
	uint16_t num_queues;
	uint32_t max_discard_sectors;
	uint32_t max_discard_seg;
	uint32_t discard_sector_alignment;
	uint32_t max_write_zeroes_sectors;
	uint32_t max_write_zeroes_seg;
	uint8_t write_zeroes_may_unmap, unused1[3];
} __attribute__((packed));

_Static_assert(sizeof(struct virtio_blk_config) == 60, "5.2.4");

/* A request: 5.2.6. The header is read by the device, data follows, the status is one byte that it writes. */
struct virtio_blk_header {
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};

#define VIRTIO_BLK_IN		  0
#define VIRTIO_BLK_OUT		  1
#define VIRTIO_BLK_DO_FLUSH	  4
#define VIRTIO_BLK_GET_ID	  8
#define VIRTIO_BLK_DO_DISCARD	  11
#define VIRTIO_BLK_DO_WRITE_ZEROES 13

#define VIRTIO_BLK_ID_SIZE 20

struct virtio_blk_range {
	uint64_t sector;
	uint32_t num_sectors;
	uint32_t flags;
};

#define VIRTIO_BLK_UNMAP 1

#define VIRTIO_BLK_OK	    0
#define VIRTIO_BLK_IOERR    1
#define VIRTIO_BLK_UNSUPP   2

#endif
