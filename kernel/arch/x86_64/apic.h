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
bool ioapic_has(uint32_t gsi);
uint32_t ioapic_lines(void);             /* of all together: messages are numbered from there */
uint32_t ioapic_id(uint32_t gsi);        /* of the one that has it, as ACPI numbers them */
uint32_t ioapic_pin(uint32_t gsi);
/*
 * Program the pin of `gsi`, which one of them has: edge or level, polarity, to `vector` on the CPU `apic_id`, or, where
 * that is not negative, by way of an entry in the table of remapping; unmasked. Call these with irq_lock held.
 */
void ioapic_route(uint32_t gsi, bool level, bool active_low, uint8_t vector, uint32_t apic_id, int entry);
/* A pin in use goes to another CPU, or by way of an entry: one write, so that no edge is lost. */
void ioapic_aim(uint32_t gsi, uint32_t apic_id);
void ioapic_remap(uint32_t gsi, uint32_t entry);
void ioapic_set_mask(uint32_t gsi, bool masked); /* the same lock */

/* --- other CPUs (smp_call.c) ----------------------------------------------------------------- */

void smp_call_interrupt(void);
void smp_call_all_run(void);       /* boot CPU: every CPU of the machine has started */

#endif
