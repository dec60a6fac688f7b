/* SPDX-License-Identifier: MIT */
/*
 * vtd_hw.h - Intel's DMA remapping: registers and tables (Virtualization Technology for Directed I/O, revision 3.3,
 * chapters 9 to 11), and ACPI's table DMAR (chapter 8).
 */
#ifndef TESSERA_DEV_VTD_HW_H
#define TESSERA_DEV_VTD_HW_H

#include <tessera/types.h>

#define VTD_VERSION   0x00
#define VTD_CAP       0x08
#define VTD_ECAP      0x10
#define VTD_COMMAND   0x18
#define VTD_STATUS    0x1c
#define VTD_ROOT      0x20
#define VTD_CONTEXT_COMMAND 0x28
#define VTD_FAULT_STATUS  0x34
#define VTD_FAULT_CONTROL 0x38
#define VTD_FAULT_DATA    0x3c
#define VTD_FAULT_ADDRESS 0x40
#define VTD_FAULT_ADDRESS_HIGH 0x44

#define VTD_QUEUE_HEAD    0x80
#define VTD_QUEUE_TAIL    0x88
#define VTD_QUEUE_ADDRESS 0x90
#define VTD_INTERRUPT_TABLE 0xb8

#define VTD_CAP_DOMAINS(c)    (1u << (4 + 2 * ((c) & 7)))
#define VTD_CAP_FLUSH_WRITES  BIT(4)
#define VTD_CAP_CACHING       BIT(7)
#define VTD_CAP_WIDTHS(c)     ((c) >> 8 & 31)   /* bit 1: 39 bits, 3 levels; bit 2: 48 bits, 4 levels */
#define VTD_CAP_LARGE         BIT(34)           /* entries for 2 MiB */
#define VTD_CAP_FAULTS(c)     (((c) >> 24 & 0x3ff) * 16)
#define VTD_CAP_FAULT_COUNT(c) (((c) >> 40 & 0xff) + 1)
#define VTD_ECAP_COHERENT     BIT(0)
#define VTD_ECAP_QUEUE        BIT(1)
#define VTD_ECAP_INTERRUPTS   BIT(3)
#define VTD_ECAP_WIDE         BIT(4)            /* interrupts go to APICs with 32 bits of id */
#define VTD_ECAP_IOTLB(e)     (((e) >> 8 & 0x3ff) * 16)

#define VTD_COMMAND_TRANSLATE BIT(31)
#define VTD_COMMAND_SET_ROOT  BIT(30)
#define VTD_COMMAND_FLUSH_WRITES BIT(27)
#define VTD_COMMAND_QUEUE     BIT(26)
#define VTD_COMMAND_REMAP     BIT(25)           /* interrupts */
#define VTD_COMMAND_SET_INTERRUPTS BIT(24)
#define VTD_COMMAND_OLD_FORMAT BIT(23)          /* messages that name a CPU and a vector are let through */
#define VTD_COMMAND_ONE_SHOT  (BIT(30) | BIT(29) | BIT(27) | BIT(24))

#define VTD_CONTEXT_GO        BIT(63)
#define VTD_CONTEXT_GLOBAL    (1ull << 61)
#define VTD_CONTEXT_DOMAIN    (2ull << 61)
#define VTD_IOTLB_GO          BIT(63)
#define VTD_IOTLB_GLOBAL      (1ull << 60)
#define VTD_IOTLB_DOMAIN      (2ull << 60)
#define VTD_IOTLB_DRAIN       (BIT(49) | BIT(48))
#define VTD_IOTLB_ID(id)      ((uint64_t)(id) << 32)
#define VTD_CONTEXT_KIND(c)   ((c) >> 61 & 3)
#define VTD_IOTLB_KIND(i)     ((i) >> 60 & 3)

/* Descriptors of the queue: 16 bytes */
#define VTD_QUEUE_CONTEXT     1ull
#define VTD_QUEUE_IOTLB       2ull
#define VTD_QUEUE_INTERRUPTS  4ull
#define VTD_QUEUE_WAIT        5ull
#define VTD_QUEUE_ONE         BIT(4)            /* of the interrupts: the entry at bit 32 */
#define VTD_QUEUE_WRITE       BIT(5)            /* of a wait: bits 63..32 to the address in the upper half */
#define VTD_QUEUE_DRAIN       (BIT(7) | BIT(6)) /* of the IOTLB */

#define VTD_INTERRUPT_256     7u                /* the table has 2 to the power of this and one entries */
#define VTD_INTERRUPT_WIDE    BIT(11)

#define VTD_FAULT_OVERFLOW    BIT(0)
#define VTD_FAULT_PENDING     BIT(1)
#define VTD_FAULT_QUEUE       BIT(4)            /* a descriptor makes no sense */
#define VTD_FAULT_INDEX(s)    ((s) >> 8 & 0xff)
#define VTD_FAULT_MASKED      BIT(31)
#define VTD_RECORD_FAULT      BIT(63)           /* of the upper half */
#define VTD_RECORD_READ       BIT(62)
#define VTD_RECORD_REASON(h)  ((h) >> 32 & 0xff)
#define VTD_RECORD_SOURCE(h)  ((h) & 0xffff)

#define VTD_PRESENT           BIT(0)
#define VTD_CONTEXT_WIDTH(levels) ((levels) - 2u) /* 1: three levels, 2: four */
#define VTD_CONTEXT_ID(id)    ((uint64_t)(id) << 8)
#define VTD_PAGE_READ         BIT(0)
#define VTD_PAGE_WRITE        BIT(1)
#define VTD_PAGE_LARGE        BIT(7)            /* not a table: 2 MiB, one level above the lowest */
#define VTD_PAGE_ADDRESS      0x000ffffffffff000ull

#define DMAR_FIRST            48u
#define DMAR_UNIT             0
#define DMAR_RESERVED         1
#define DMAR_UNIT_ALL         1u
#define DMAR_SCOPE_ENDPOINT   1
#define DMAR_SCOPE_BRIDGE     2
#define DMAR_SCOPE_IOAPIC     3

#endif
