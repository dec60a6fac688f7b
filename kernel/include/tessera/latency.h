/* SPDX-License-Identifier: MIT */
/*
 * latency.h - the longest times that each CPU had interrupts, or preemption, off; and who did it.
 *
 * The hooks stand in arch_irq_*() and preempt_*(), so in every lock. Off, a hook is a load of trace_on
 * and a branch not taken. debug/latency.c.
 */
#ifndef TESSERA_LATENCY_H
#define TESSERA_LATENCY_H

#include <tessera/trace_switch.h>

static __always_inline bool
latency_watched(void)
{
	return trace_watches(TRACE_LATENCY);
}

/* Interrupts off, just now or already: a second begin is none. */
void latency_irqs_off(void);
void latency_irqs_on(void);      /* still off, on at once */
void latency_preempt_off(void);  /* the count was raised */
void latency_preempt_on(void);   /* it is about to be lowered */
/* An interrupt or exception came: the processor has turned interrupts off, they were on before. */
void latency_trap(void);

void latency_enable(bool on); /* may sleep */
bool latency_enabled(void);
void latency_reset(void);
void latency_print(void (*print)(void *ctx, const char *format, ...), void *ctx);

#endif
