/* SPDX-License-Identifier: MIT */
/* e1000.h - the driver of Intel's 8254x and 82574, for a table of drivers. */
#ifndef DRIVERS_E1000_H
#define DRIVERS_E1000_H

struct nic_driver;
extern const struct nic_driver e1000_driver;

#endif
