/* SPDX-License-Identifier: MIT */
/* nvme_hw.h - registers and structures of an NVMe controller: NVM Express Base Specification 1.4; sections named. */
#ifndef NVME_HW_H
#define NVME_HW_H

#include <stdint.h>

/* Controller registers in BAR 0: 3.1. */
#define NVME_CAP  0x00 /* 64 */
#define NVME_VS	  0x08
#define NVME_CC	  0x14
#define NVME_CSTS 0x1c
#define NVME_AQA  0x24
#define NVME_ASQ  0x28 /* 64 */
#define NVME_ACQ  0x30 /* 64 */

#define NVME_DOORBELLS 0x1000 /* 3.1.24: queue Q's tail is the (2 Q)th, its head the (2 Q + 1)th */

#define NVME_CAP_MQES(cap)   ((unsigned)((cap)&0xffff) + 1)	/* entries of a queue, at most */
#define NVME_CAP_TO(cap)     ((unsigned)((cap) >> 24 & 0xff))	/* of 500 ms */
#define NVME_CAP_STRIDE(cap) (4u << ((cap) >> 32 & 0xf))	/* of doorbells */
#define NVME_CAP_MPSMIN(cap) (4096u << ((cap) >> 48 & 0xf))

/* 3.1.5: enabled, pages of 4 KiB, entries of 64 and 16 bytes. */
#define NVME_CC_EN 0x00460001u

#define NVME_CSTS_RDY 0x1
#define NVME_CSTS_CFS 0x2

/* A command: 4.2. */
struct nvme_command {
	uint8_t opcode;
	uint8_t flags;
	uint16_t id;
	uint32_t nsid;
	uint64_t reserved;
	uint64_t metadata;
	uint64_t prp1, prp2; /* 4.3; or a descriptor of 4.4: address, and length with the kind in the highest byte */
	uint32_t dw10, dw11, dw12, dw13, dw14, dw15;
};

#define NVME_COMMAND_SGL 0x40 /* of `flags`: the data are one descriptor of 4.4, a data block's being kind 0 */

/* A completion: 4.6. The lowest bit of `status` is the phase, the rest 4.6.1. */
struct nvme_completion {
	uint32_t dw0;
	uint32_t reserved;
	uint16_t sq_head;
	uint16_t sq_id;
	uint16_t id;
	uint16_t status;
};

_Static_assert(sizeof(struct nvme_command) == 64, "4.2");
_Static_assert(sizeof(struct nvme_completion) == 16, "4.6");

#define NVME_STATUS_CODE(status) ((status) >> 1 & 0x7ff) /* with its type */
#define NVME_INVALID_OPCODE	 0x001

/* Admin commands: 5. */
#define NVME_ADMIN_CREATE_SQ	0x01 /* 5.4 */
#define NVME_ADMIN_CREATE_CQ	0x05 /* 5.3 */
#define NVME_ADMIN_IDENTIFY	0x06 /* 5.15 */
#define NVME_ADMIN_SET_FEATURES 0x09 /* 5.21 */

#define NVME_FEATURE_QUEUES 0x07 /* 5.21.1.7 */

#define NVME_IDENTIFY_NAMESPACE	  0x00
#define NVME_IDENTIFY_CONTROLLER  0x01
#define NVME_IDENTIFY_NAMESPACES  0x02

/* Identify controller: figure 247. Offsets. */
#define NVME_ID_SERIAL 4 /* 20 bytes */
#define NVME_ID_MDTS   77
#define NVME_ID_ONCS   520
#define NVME_ID_VWC    525

#define NVME_ID_SGLS   536

#define NVME_SGLS_SUPPORT 0x3 /* 0: none; of any alignment, or of 4 bytes */

#define NVME_ONCS_DSM	 0x04
#define NVME_ONCS_ZEROES 0x08

/* Identify namespace: figure 245. Offsets. */
#define NVME_NS_NSZE  0
#define NVME_NS_FLBAS 26
#define NVME_NS_LBAF  128 /* 4 bytes each; the third is the power of two */

/* NVM commands: 6. */
#define NVME_FLUSH  0x00 /* 6.8 */
#define NVME_WRITE  0x01 /* 6.15 */
#define NVME_READ   0x02 /* 6.9 */
#define NVME_ZEROES 0x08 /* 6.17 */
#define NVME_DSM    0x09 /* 6.7 */

#define NVME_ZEROES_DEALLOCATE (1u << 25)
#define NVME_DSM_DEALLOCATE    (1u << 2)

struct nvme_range {
	uint32_t attributes;
	uint32_t blocks;
	uint64_t first;
};

#endif
