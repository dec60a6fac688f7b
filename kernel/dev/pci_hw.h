/* SPDX-License-Identifier: MIT */
/*
 * pci_hw.h - configuration space as PCI 3.0, chapter 6, and PCI Express 5.0, chapter 7, lay it out.
 */
#ifndef TESSERA_DEV_PCI_HW_H
#define TESSERA_DEV_PCI_HW_H

#include <tessera/types.h>

#define PCI_VENDOR      0x00
#define PCI_DEVICE      0x02
#define PCI_COMMAND     0x04
#define PCI_STATUS      0x06
#define PCI_REVISION    0x08
#define PCI_CLASS       0x09 /* three bytes */
#define PCI_CACHE_LINE  0x0c
#define PCI_LATENCY     0x0d
#define PCI_HEADER_TYPE 0x0e
#define PCI_BIST        0x0f
#define PCI_BAR         0x10
#define PCI_SUBVENDOR   0x2c
#define PCI_SUBDEVICE   0x2e
#define PCI_ROM_BAR     0x30
#define PCI_CAPABILITIES 0x34
#define PCI_LINE        0x3c
#define PCI_PIN         0x3d

#define PCI_COMMAND_IO       BIT(0)
#define PCI_COMMAND_MEMORY   BIT(1)
#define PCI_COMMAND_MASTER   BIT(2)
#define PCI_COMMAND_NO_INTX  BIT(10)
#define PCI_STATUS_INTX      BIT(3)
#define PCI_STATUS_CAPS      BIT(4)

#define PCI_HEADER_MULTI  0x80
#define PCI_HEADER_BRIDGE 1

#define PCI_BAR_IO       BIT(0)
#define PCI_BAR_TYPE     0x6u
#define PCI_BAR_64       0x4u
#define PCI_BAR_PREFETCH BIT(3)
#define PCI_ROM_ENABLE   BIT(0)

/* Bridges */
#define PCI_PRIMARY       0x18
#define PCI_SECONDARY     0x19
#define PCI_SUBORDINATE   0x1a
#define PCI_IO_BASE       0x1c
#define PCI_IO_LIMIT      0x1d
#define PCI_MEM_BASE      0x20
#define PCI_MEM_LIMIT     0x22
#define PCI_PREF_BASE     0x24
#define PCI_PREF_LIMIT    0x26
#define PCI_PREF_BASE_HIGH 0x28
#define PCI_PREF_LIMIT_HIGH 0x2c
#define PCI_IO_BASE_HIGH  0x30
#define PCI_IO_LIMIT_HIGH 0x32
#define PCI_BRIDGE_ROM    0x38
#define PCI_BRIDGE_CONTROL 0x3e
#define PCI_BRIDGE_RESET  BIT(6)
#define PCI_BRIDGE_VGA    BIT(3)

/* Capabilities */
#define PCI_CAP_PM      0x01
#define PCI_CAP_VPD     0x03
#define PCI_CAP_MSI     0x05
#define PCI_CAP_PCIX    0x07
#define PCI_CAP_VENDOR  0x09
#define PCI_CAP_SUBSYSTEM 0x0d
#define PCI_CAP_EXPRESS 0x10
#define PCI_CAP_MSIX    0x11
#define PCI_CAP_SATA    0x12
#define PCI_CAP_AF      0x13
#define PCI_EXT_CAP_ACS 0x0d

#define PM_CONTROL          4
#define PM_CONTROL_STATE    3u
#define PM_CONTROL_NO_RESET BIT(3)

#define MSI_CONTROL         2
#define MSI_ADDRESS         4
#define MSI_ADDRESS_HIGH    8
#define MSI_CONTROL_ENABLE  BIT(0)
#define MSI_CONTROL_SEVERAL 0x70u      /* log2 of how many it may send */
#define MSI_CONTROL_TWICE   BIT(4)
#define MSI_CONTROL_64      BIT(7)
#define MSI_CONTROL_MASKABLE BIT(8)
#define MSI_CONTROL_COUNT(c)   (1u << ((c) >> 1 & 7))  /* vectors that it could send */

#define MSIX_CONTROL        2
#define MSIX_TABLE          4
#define MSIX_PENDING        8
#define MSIX_CONTROL_ENABLE BIT(15)
#define MSIX_CONTROL_MASK   BIT(14)
#define MSIX_ENTRY          16u
#define MSIX_ENTRY_MASKED   BIT(0)

#define EXPRESS_LEAST        20u /* bytes of it; a port with a slot has more */
#define EXPRESS_WITH_SLOT    28
#define EXPRESS_FLAGS        2
#define EXPRESS_FLAGS_TYPE(f) ((f) >> 4 & 15)
#define EXPRESS_FLAGS_SLOT   BIT(8)
#define EXPRESS_DEVICE_CAP   4
#define EXPRESS_DEVICE_FLR   BIT(28)
#define EXPRESS_DEVICE_CONTROL 8
#define EXPRESS_CONTROL_FLR  BIT(15)
#define EXPRESS_DEVICE_STATUS 10
#define EXPRESS_STATUS_PENDING BIT(5)
#define EXPRESS_LINK_CAP     12
#define EXPRESS_LINK_STATUS  18
#define EXPRESS_SLOT_CAP     20
#define EXPRESS_SLOT_BUTTON  BIT(0)
#define EXPRESS_SLOT_POWER   BIT(1)  /* it can be switched off */
#define EXPRESS_SLOT_LAMP    BIT(4)  /* that says whether it has power */
#define EXPRESS_SLOT_HOTPLUG BIT(6)
#define EXPRESS_SLOT_SILENT  BIT(18) /* commands are obeyed at once and not confirmed */
#define EXPRESS_SLOT_CONTROL 24
#define EXPRESS_SLOT_TELL_BUTTON BIT(0)
#define EXPRESS_SLOT_TELL_FAULT  BIT(1)
#define EXPRESS_SLOT_TELL_PRESENCE BIT(3)
#define EXPRESS_SLOT_TELL_DONE   BIT(4)
#define EXPRESS_SLOT_TELL        BIT(5)
#define EXPRESS_SLOT_LAMP_BITS   0x300u
#define EXPRESS_SLOT_LAMP_ON     0x100u
#define EXPRESS_SLOT_LAMP_BLINKS 0x200u
#define EXPRESS_SLOT_LAMP_OFF    0x300u
#define EXPRESS_SLOT_POWER_OFF   BIT(10)
#define EXPRESS_SLOT_TELL_LINK   BIT(12)
#define EXPRESS_SLOT_STATUS  26
#define EXPRESS_SLOT_PRESSED BIT(0)
#define EXPRESS_SLOT_FAULT   BIT(1)
#define EXPRESS_SLOT_CHANGED BIT(3)  /* something came or went */
#define EXPRESS_SLOT_DONE    BIT(4)  /* the command */
#define EXPRESS_SLOT_PRESENT BIT(6)
#define EXPRESS_SLOT_LINK    BIT(8)  /* came up or down */
#define EXPRESS_LINK_REPORTS BIT(20) /* of the link's capabilities: it says whether it is up */
#define EXPRESS_LINK_UP      BIT(13)
enum {
	EXPRESS_ENDPOINT = 0, EXPRESS_LEGACY_ENDPOINT = 1, EXPRESS_ROOT_PORT = 4, EXPRESS_UPSTREAM = 5,
	EXPRESS_DOWNSTREAM = 6, EXPRESS_TO_PCI = 7, EXPRESS_FROM_PCI = 8, EXPRESS_INTEGRATED = 9,
};

#define AF_CAP           3
#define AF_CAP_FLR       BIT(1)
#define AF_CONTROL       4
#define AF_CONTROL_FLR   BIT(0)
#define AF_STATUS        5
#define AF_STATUS_PENDING BIT(0)

#define ACS_CAP          4
#define ACS_CONTROL      6
#define ACS_ISOLATE      0x1du /* source validation, request and completion redirection, upstream forwarding */

#define PCI_CLASS_HOST   0x0600
#define PCI_CLASS_VGA    0x0300

#endif
