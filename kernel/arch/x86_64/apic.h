/* SPDX-License-Identifier: MIT */
/*
 * apic.h - local APIC, IOAPICs and interrupt vectors.
 *
 *	0x20 .. 0x2f   where the two 8259s would deliver; they are masked
 *	0x30 .. 0xef   devices, handed out by irq.c; higher vectors have higher priority
 *	0xf0 .. 0xff   the kernel's own, below
 */
#ifndef ARCH_X86_64_APIC_H
#define ARCH_X86_64_APIC_H

#include <tessera/types.h>

#define VECTOR_PIC        0x20
#define VECTOR_DEVICE_MIN 0x30
#define VECTOR_DEVICE_MAX 0xef
#define VECTOR_TIMER      0xf0
#define VECTOR_KICK       0xfc /* nothing to do but to look at need_resched */
#define VECTOR_CALL       0xfd /* arch_call_cpus() */
#define VECTOR_ERROR      0xfe
#define VECTOR_SPURIOUS   0xff

/* --- local APIC (lapic.c) -------------------------------------------------------------------- */

void lapic_init(void);             /* boot CPU: choose the mode, map the registers */
void lapic_init_cpu(void);         /* each CPU: enable */
uint32_t lapic_id(void);           /* of this CPU, from CPUID: valid before lapic_init_cpu() */
bool lapic_is_x2apic(void);
void lapic_eoi(void);
void lapic_send(uint32_t apic_id, uint8_t vector);
void lapic_send_others(uint8_t vector);
void lapic_send_nmi(uint32_t apic_id);
void lapic_send_init(uint32_t apic_id);
void lapic_send_startup(uint32_t apic_id, uint8_t page);

/* --- IOAPIC and vectors (ioapic.c, irq.c) ---------------------------------------------------- */

void pic_disable(void);
void ioapic_init(void);
/* Program the pin of `gsi`: edge or level, polarity, to `vector` on the CPU `apic_id`; unmasked.
 * -EINVAL: no IOAPIC has it. Call with irq_lock held. */
int ioapic_route(uint32_t gsi, bool level, bool active_low, uint8_t vector, uint32_t apic_id);
bool ioapic_has(uint32_t gsi);

/* --- other CPUs (smp_call.c) ----------------------------------------------------------------- */

void smp_call_interrupt(void);
void smp_call_all_run(void);       /* boot CPU: every CPU of the machine has started */

#endif
