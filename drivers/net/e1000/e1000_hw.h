/* SPDX-License-Identifier: MIT */
/*
 * e1000_hw.h - Intel's 8254x, and 82574 as far as it is the same. "PCI/PCI-X Family of Gigabit Ethernet Controllers
 * Software Developer's Manual", 317453, whose sections are named; "82574 GbE Controller Family Datasheet", 317694, where
 * it says so.
 */
#ifndef DRIVERS_E1000_HW_H
#define DRIVERS_E1000_HW_H

#include <stdint.h>

#define E1000_VENDOR  0x8086 /* 5.2 */
#define E1000_82544GC 0x100c
#define E1000_82540EM 0x100e
#define E1000_82545EM 0x100f
#define E1000_82574L  0x10d3 /* 317694: 9.1.1.2 */

#define E1000_REGISTERS 0x20000 /* the size of BAR 0 */

/* Registers: 13.2. */
#define E1000_CTRL   0x0000 /* 13.4.1 */
#define E1000_STATUS 0x0008 /* 13.4.2 */
#define E1000_ICR    0x00c0 /* 13.4.17: causes of interrupts; reading takes them back */
#define E1000_IMS    0x00d0 /* 13.4.20: those that are told, set */
#define E1000_IMC    0x00d8 /* 13.4.21: and taken away */
#define E1000_RCTL   0x0100 /* 13.4.22 */
#define E1000_TCTL   0x0400 /* 13.4.33 */
#define E1000_TIPG   0x0410 /* 13.4.34 */
#define E1000_RDBA   0x2800 /* 13.4.25: 64 bits */
#define E1000_RDLEN  0x2808
#define E1000_RDH    0x2810
#define E1000_RDT    0x2818
#define E1000_TDBA   0x3800 /* 13.4.35: 64 bits */
#define E1000_TDLEN  0x3808
#define E1000_TDH    0x3810
#define E1000_TDT    0x3818
#define E1000_TXDCTL 0x3828 /* 13.4.42 */
#define E1000_RXCSUM 0x5000 /* 13.4.28 */
#define E1000_MTA    0x5200 /* 13.5.1: 128 words of 32 groups */
#define E1000_RA     0x5400 /* 13.5.2: its address, 64 bits */

#define E1000_CTRL_FD	0x00000001
#define E1000_CTRL_LRST 0x00000008
#define E1000_CTRL_ASDE 0x00000020
#define E1000_CTRL_SLU	0x00000040
#define E1000_CTRL_RST	0x04000000

#define E1000_STATUS_LU		 0x00000002
#define E1000_STATUS_SPEED_SHIFT 6 /* of 2 bits: 10, 100, 1000, 1000 Mbit/s */

#define E1000_INT_TXDW	 0x01 /* a descriptor to send was written back */
#define E1000_INT_LSC	 0x04 /* the link has changed */
#define E1000_INT_RXDMT0 0x10 /* few descriptors are left for what comes */
#define E1000_INT_RXO	 0x40 /* and none were */
#define E1000_INT_RXT0	 0x80 /* a frame has come */

#define E1000_RCTL_EN	 0x00000002
#define E1000_RCTL_UPE	 0x00000008 /* all hosts */
#define E1000_RCTL_MPE	 0x00000010 /* all groups */
#define E1000_RCTL_BAM	 0x00008000 /* broadcasts */
#define E1000_RCTL_2048	 0x00000000 /* the size of buffers */
#define E1000_RCTL_SECRC 0x04000000 /* without Ethernet's checksum */

#define E1000_TCTL_EN	0x00000002
#define E1000_TCTL_PSP	0x00000008 /* short frames are filled up, but for those that are shorter than E1000_FRAME_MIN */
#define E1000_FRAME_MIN 17
#define E1000_TCTL_CT	0x000000f0 /* 15 tries */
#define E1000_TCTL_COLD 0x00040000 /* 64 byte times: full duplex */
#define E1000_TIPG_COPPER 0x00602008 /* 13.4.34: 8, 8, 6 */

#define E1000_TXDCTL_82574 0x01400000 /* 317694, 10.2.6.13: by descriptors, and a bit that must be set */

#define E1000_RXCSUM_TUOFL 0x00000200 /* look at the checksums of TCP and UDP */

#define E1000_RA_VALID 0x80000000 /* in the higher half */

/* A descriptor for what comes: 3.2.3. */
struct e1000_receive {
	uint64_t address;
	uint16_t length;
	uint16_t checksum;
	uint8_t status;
	uint8_t errors;
	uint16_t special;
};

#define E1000_RX_DONE	  0x01
#define E1000_RX_END	  0x02 /* of the frame */
#define E1000_RX_IGNORE	  0x04 /* what is said of checksums */
#define E1000_RX_CHECKED  0x20
#define E1000_RX_BAD_SUM  0x60 /* among the errors: TCP's or UDP's, IP's */
#define E1000_RX_BAD	  0x97 /* the frame */

/* One to send: 3.3.7. With a type and a command of 0 each it is the older 3.3.3. */
struct e1000_send {
	uint64_t address;
	uint16_t length;
	uint8_t type;
	uint8_t command;
	uint8_t status;
	uint8_t options;
	uint16_t special;
};

/* It stands among them and says where the checksums of those behind it are, until the next one: 3.3.6. */
struct e1000_context {
	uint8_t ip_start, ip_offset;
	uint16_t ip_end;
	uint8_t start, offset; /* summed up from there on; the sum is put there */
	uint16_t end;	       /* 0: the frame's */
	uint16_t length;
	uint8_t type;
	uint8_t command;
	uint8_t status;
	uint8_t header;
	uint16_t segment;
};

#define E1000_TX_DATA	0x10 /* type */
#define E1000_TX_END	0x01 /* commands: of the frame */
#define E1000_TX_FCS	0x02 /* add Ethernet's checksum */
#define E1000_TX_REPORT 0x08 /* write the status */
#define E1000_TX_TYPED	0x20 /* its type counts */
#define E1000_TX_SUM	0x02 /* options: put the context's sum in */
#define E1000_TX_DONE	0x01 /* status */

_Static_assert(sizeof(struct e1000_receive) == 16 && sizeof(struct e1000_send) == 16 && sizeof(struct e1000_context) == 16,
	"3.2.3, 3.3.6, 3.3.7");

#endif
