/* SPDX-License-Identifier: MIT */
/* main.c - the driver of virtio's network cards by itself, to try it; it serves in netd. */
#include "nic_test.h"
#include "virtio_net.h"

int
main(int argc, char **argv)
{
	return nic_main(&virtio_net_driver, argc, argv);
}
