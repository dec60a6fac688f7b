/* SPDX-License-Identifier: MIT */
/* main.c - the driver of Intel's network cards by itself, to try it; it serves in netd. */
#include "e1000.h"
#include "nic_test.h"

int
main(int argc, char **argv)
{
	return nic_main(&e1000_driver, argc, argv);
}
