/* SPDX-License-Identifier: MIT */
/*
 * lapic_hw.h - the local APIC's registers (Intel SDM volume 3, table 11-1).
 */
#ifndef ARCH_X86_64_LAPIC_HW_H
#define ARCH_X86_64_LAPIC_HW_H

#include <tessera/types.h>

#define LAPIC_VERSION         0x030
#define LAPIC_TASK_PRIORITY   0x080
#define LAPIC_EOI             0x0b0
#define LAPIC_SPURIOUS        0x0f0
#define LAPIC_ERROR_STATUS    0x280
#define LAPIC_COMMAND_LOW     0x300
#define LAPIC_COMMAND_HIGH    0x310
#define LAPIC_LVT_TIMER       0x320
#define LAPIC_LVT_PERFORMANCE 0x340
#define LAPIC_LVT_LINT0       0x350
#define LAPIC_LVT_LINT1       0x360
#define LAPIC_LVT_ERROR       0x370
#define LAPIC_TIMER_INITIAL   0x380
#define LAPIC_TIMER_CURRENT   0x390
#define LAPIC_TIMER_DIVIDE    0x3e0

#define SPURIOUS_ENABLE 0x100

#define LVT_NMI          0x00400
#define LVT_MASKED       0x10000
#define LVT_TSC_DEADLINE 0x40000

#define COMMAND_FIXED   0x0000
#define COMMAND_NMI     0x4400 /* with assert */
#define COMMAND_INIT    0x0500
#define COMMAND_STARTUP 0x4600
#define COMMAND_PENDING 0x1000
#define COMMAND_ASSERT  0x4000
#define COMMAND_OTHERS  0xc0000 /* all but the sender; no destination is read */

#define DIVIDE_BY_16 0x3

uint32_t lapic_read(uint32_t reg);
void lapic_write(uint32_t reg, uint32_t value);

#endif
