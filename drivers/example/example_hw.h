/* SPDX-License-Identifier: MIT */
/*
 * example_hw.h - registers of QEMU's educational device, in BAR 0. Specification: docs/specs/edu.txt in QEMU's sources
 * ("EDU device"). Accesses are of 32 bits.
 */
#ifndef EXAMPLE_HW_H
#define EXAMPLE_HW_H

#define EDU_IDENTITY   0x00 /* 0xMMmm00ed: the version and a mark */
#define EDU_LIVENESS   0x04 /* reads as the complement of what was written */
#define EDU_FACTORIAL  0x08 /* write n; read n! when it is no longer busy */
#define EDU_STATUS     0x20
#define EDU_CAUSE      0x24 /* of the interrupt */
#define EDU_RAISE      0x60 /* raise an interrupt for these causes */
#define EDU_ACKNOWLEDGE 0x64 /* take causes back */
#define EDU_DMA_SOURCE 0x80
#define EDU_DMA_TARGET 0x88
#define EDU_DMA_COUNT  0x90
#define EDU_DMA_COMMAND 0x98
#define EDU_SIZE       0x100

#define EDU_MARK 0xed

#define EDU_STATUS_BUSY	     0x01
#define EDU_STATUS_INTERRUPT 0x80 /* raise one when the factorial is there */

#define EDU_CAUSE_FACTORIAL 0x001
#define EDU_CAUSE_DMA	    0x100

#define EDU_DMA_START	  0x1
#define EDU_DMA_TO_MEMORY 0x2 /* else from memory to the device */
#define EDU_DMA_INTERRUPT 0x4

/* The device's own memory, as its DMA engine names it. */
#define EDU_BUFFER	0x40000
#define EDU_BUFFER_SIZE 4096

#endif
