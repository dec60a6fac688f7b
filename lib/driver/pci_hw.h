/* SPDX-License-Identifier: MIT */
/* pci_hw.h - configuration space, as far as drivers use it. PCI Local Bus Specification 3.0, chapter 6. */
#ifndef DRIVER_PCI_HW_H
#define DRIVER_PCI_HW_H

#define PCI_VENDOR	 0x00 /* 6.1 */
#define PCI_DEVICE	 0x02
#define PCI_COMMAND	 0x04 /* 6.2.2 */
#define PCI_STATUS	 0x06 /* 6.2.3 */
#define PCI_REVISION	 0x08
#define PCI_CLASS	 0x09 /* 3 bytes: interface, subclass, class */
#define PCI_CAPABILITIES 0x34 /* 6.7 */

#define PCI_COMMAND_MEMORY 0x0002
#define PCI_COMMAND_MASTER 0x0004

#define PCI_STATUS_CAPABILITIES 0x0010

#define PCI_CAP_VENDOR 0x09 /* appendix H */

#endif
