/* SPDX-License-Identifier: MIT */
/* virtio_net.h - the driver of virtio's network cards, for a table of drivers. */
#ifndef DRIVERS_VIRTIO_NET_H
#define DRIVERS_VIRTIO_NET_H

struct nic_driver;
extern const struct nic_driver virtio_net_driver;

#endif
