/* SPDX-License-Identifier: MIT */
/* virtio_net_hw.h - a network card of virtio. VIRTIO 1.1, 5.1; its sections are named. */
#ifndef DRIVERS_VIRTIO_NET_HW_H
#define DRIVERS_VIRTIO_NET_HW_H

#include <stdint.h>

#define VIRTIO_NET_MODERN	0x1041 /* 4.1.2.1: products of VIRTIO_VENDOR */
#define VIRTIO_NET_TRANSITIONAL 0x1000

/* Queues: 5.1.2; the third is that of control where there is only one pair of the others. */
#define VIRTIO_NET_RECEIVE  0
#define VIRTIO_NET_TRANSMIT 1
#define VIRTIO_NET_CONTROL  2

/* Features: 5.1.3. Bits. */
#define VIRTIO_NET_CSUM	      0 /* we may leave a checksum to the device */
#define VIRTIO_NET_GUEST_CSUM 1 /* and it one to us */
#define VIRTIO_NET_MTU	      3
#define VIRTIO_NET_MAC	      5
#define VIRTIO_NET_MRG_RXBUF  15 /* a frame may take several buffers */
#define VIRTIO_NET_STATUS     16
#define VIRTIO_NET_CTRL_VQ    17
#define VIRTIO_NET_CTRL_RX    18

/* The configuration: 5.1.4. Offsets. */
#define VIRTIO_NET_CONFIG_MAC	 0 /* 6 bytes */
#define VIRTIO_NET_CONFIG_STATUS 6 /* 16 bits */
#define VIRTIO_NET_CONFIG_MTU	 10 /* 16 bits */

#define VIRTIO_NET_LINK_UP 1

/* Before each frame, both ways: 5.1.6. */
struct virtio_net_header {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t header_length;
	uint16_t gso_size;
	uint16_t checksum_start;
	uint16_t checksum_offset;
	uint16_t buffers; /* of a frame received: how many it takes; always there in version 1 */
};

#define VIRTIO_NET_NEEDS_CSUM 1 /* the checksum is to be completed */
#define VIRTIO_NET_DATA_VALID 2 /* it was looked at, and is right */

_Static_assert(sizeof(struct virtio_net_header) == 12, "5.1.6");

/* Orders through the queue of control: 5.1.6.5. A class, an order, data; and a byte of answer. */
struct virtio_net_order {
	uint8_t class, order;
};

#define VIRTIO_NET_CLASS_RX	0 /* 5.1.6.5.1; data: a byte, 0 or 1 */
#define VIRTIO_NET_RX_PROMISC	0
#define VIRTIO_NET_RX_ALL_GROUPS 1
#define VIRTIO_NET_CLASS_MAC	1 /* 5.1.6.5.2 */
#define VIRTIO_NET_MAC_TABLE	0 /* data: a count of 32 bits and addresses, twice: of hosts and of groups */

#define VIRTIO_NET_ORDER_DONE 0

#endif
