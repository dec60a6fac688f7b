/* SPDX-License-Identifier: MIT */
/*
 * ahci_hw.h - registers and structures of a SATA controller: Serial ATA AHCI 1.3.1 ("AHCI"), and the commands of its
 * disks: ATA/ATAPI Command Set 3 ("ACS").
 */
#ifndef AHCI_HW_H
#define AHCI_HW_H

#include <stdint.h>

/* The controller, in BAR 5: AHCI 3.1. */
#define AHCI_CAP 0x00
#define AHCI_GHC 0x04
#define AHCI_IS	 0x08
#define AHCI_PI	 0x0c

#define AHCI_CAP_PORTS(cap) ((cap)&0x1f)
#define AHCI_CAP_SLOTS(cap) (((cap) >> 8 & 0x1f) + 1)
#define AHCI_CAP_NCQ	    (1u << 30)
#define AHCI_CAP_64	    (1u << 31)

#define AHCI_GHC_RESET	   (1u << 0)
#define AHCI_GHC_INTERRUPT (1u << 1)
#define AHCI_GHC_ENABLE	   (1u << 31)

/* A port: AHCI 3.3. */
#define AHCI_PORT(n) (0x100 + 0x80 * (n))

#define AHCI_PORT_CLB  0x00 /* 64 */
#define AHCI_PORT_FB   0x08 /* 64 */
#define AHCI_PORT_IS   0x10
#define AHCI_PORT_IE   0x14
#define AHCI_PORT_CMD  0x18
#define AHCI_PORT_TFD  0x20
#define AHCI_PORT_SIG  0x24
#define AHCI_PORT_SSTS 0x28
#define AHCI_PORT_SCTL 0x2c
#define AHCI_PORT_SERR 0x30
#define AHCI_PORT_SACT 0x34
#define AHCI_PORT_CI   0x38
#define AHCI_PORT_SIZE 0x80

#define AHCI_CMD_START	    (1u << 0)
#define AHCI_CMD_SPIN_UP    (1u << 1)
#define AHCI_CMD_POWER	    (1u << 2)
#define AHCI_CMD_FIS	    (1u << 4)
#define AHCI_CMD_FIS_RUNS   (1u << 14)
#define AHCI_CMD_RUNS	    (1u << 15)

/* Interrupts: 3.3.5. Those of an end, those of an error; a link came, or went and came. */
#define AHCI_IS_ENDS    0x0000000fu
#define AHCI_IS_ERRORS  0x78000010u
#define AHCI_IS_CONNECT (1u << 6)

#define AHCI_TFD_BUSY  0x88u /* BSY, DRQ */
#define AHCI_TFD_ERROR 0x01u

#define AHCI_SSTS_DETECTED 0xfu
#define AHCI_SSTS_PRESENT  3u
#define AHCI_SIG_DISK	  0x00000101u

/* A command's header: AHCI 4.2.2. */
struct ahci_header {
	uint16_t flags; /* words of the FIS, and AHCI_HEADER_WRITE */
	uint16_t regions;
	uint32_t transferred;
	uint64_t table;
	uint32_t reserved[4];
};

#define AHCI_HEADER_WRITE (1u << 6)

/* Where the data lies: AHCI 4.2.3.3. */
struct ahci_region {
	uint64_t bus;
	uint32_t reserved;
	uint32_t size; /* less one */
};

/* A command's table: AHCI 4.2.3. */
struct ahci_table {
	uint8_t fis[64];
	uint8_t atapi[16];
	uint8_t reserved[48];
	struct ahci_region regions[];
};

/* What the host sends: Serial ATA 3.0, 10.3.4. */
struct ahci_fis {
	uint8_t type, flags, command, features_low;
	uint8_t lba0, lba1, lba2, device;
	uint8_t lba3, lba4, lba5, features_high;
	uint8_t count_low, count_high, icc, control;
	uint32_t auxiliary;
};

_Static_assert(sizeof(struct ahci_header) == 32, "AHCI 4.2.2");
_Static_assert(sizeof(struct ahci_region) == 16, "AHCI 4.2.3.3");
_Static_assert(sizeof(struct ahci_table) == 128, "AHCI 4.2.3");
_Static_assert(sizeof(struct ahci_fis) == 20, "10.3.4");

#define AHCI_FIS_HOST	 0x27
#define AHCI_FIS_COMMAND 0x80
#define AHCI_DEVICE_LBA	 0x40

/* Commands: ACS 7. */
#define ATA_DSM		 0x06 /* 7.10 */
#define ATA_READ	 0x25 /* READ DMA EXT */
#define ATA_WRITE	 0x35 /* WRITE DMA EXT */
#define ATA_READ_QUEUED	 0x60 /* READ FPDMA QUEUED */
#define ATA_WRITE_QUEUED 0x61 /* WRITE FPDMA QUEUED */
#define ATA_FLUSH	 0xea /* FLUSH CACHE EXT */
#define ATA_IDENTIFY	 0xec /* 7.16 */

#define ATA_DSM_TRIM 1

/* Identification: ACS 7.16.7. Words. */
#define ATA_ID_SERIAL	 10 /* 10 words, bytes swapped */
#define ATA_ID_QUEUE	 75 /* depth less one */
#define ATA_ID_SATA	 76 /* bit 8: queued commands */
#define ATA_ID_FEATURES	 85 /* bit 5: a write cache that is on */
#define ATA_ID_SECTORS	 100 /* 4 words */
#define ATA_ID_SIZES	 106 /* bit 14 set, 15 clear: valid; bit 12: long sectors */
#define ATA_ID_SIZE	 117 /* 2 words: a sector in words of 16 bits */
#define ATA_ID_DSM	 169 /* bit 0: TRIM */

#endif
