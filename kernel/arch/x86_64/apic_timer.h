/* SPDX-License-Identifier: MIT */
/*
 * apic_timer.h - what the timer, the clock and the interrupt dispatcher share.
 */
#ifndef ARCH_X86_64_APIC_TIMER_H
#define ARCH_X86_64_APIC_TIMER_H

#include <tessera/types.h>

extern uint64_t clock_apic_hz; /* [I] clock.c: counts of the divided timer per second, 0: unknown */

void apic_timer_init(void);        /* boot CPU, after clock_init() */
void apic_timer_init_cpu(void);
void apic_timer_start_count(void); /* for measuring: run down from the maximum ... */
uint32_t apic_timer_count(void);   /* ... how far it has got */
/* Its interrupt came: is the deadline past? If not, it is armed again. Interrupts off. */
bool apic_timer_due(void);

#endif
