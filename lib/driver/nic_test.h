/* SPDX-License-Identifier: MIT */
/* nic_test.h - a network card's driver by itself. */
#ifndef DRIVER_NIC_TEST_H
#define DRIVER_NIC_TEST_H

#include "nic.h"

/* main() of a driver that stands alone, to be tried by --test[=COUNT]: nic_test.c says what is done. */
int nic_main(const struct nic_driver *driver, int argc, char **argv);

#endif
