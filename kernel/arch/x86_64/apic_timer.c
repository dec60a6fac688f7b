/* SPDX-License-Identifier: MIT */
/*
 * apic_timer.c - a one-shot timer on each CPU: the local APIC counts down from a number, or fires when
 * the time-stamp counter passes a deadline.
 *
 * The hardware may be early: a count has 32 bits, its rate was measured, and a clock that wraps must
 * be read from time to time. So each CPU remembers the true deadline, and an interrupt before it only
 * arms again.
 */
#include <tessera/arch.h>
#include <tessera/cpu.h>
#include <tessera/print.h>
#include <tessera/time.h>

#include "apic.h"
#include "apic_timer.h"
#include "features.h"
#include "lapic_hw.h"
#include "msr.h"
#include "mul_div.h"
#include "platform.h"

#define DIVIDER      16
#define COUNT_MAX    UINT32_MAX
#define DEFAULT_HZ   (NSEC_PER_SEC / DIVIDER)

static deadline_t armed[MAX_CPUS]; /* [i] by its CPU */
static bool deadline_mode __ro_after_init;
static uint64_t counts_per_ns __ro_after_init; /* 32.32 fixed point */

void
apic_timer_start_count(void)
{
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_16);
	lapic_write(LAPIC_TIMER_INITIAL, COUNT_MAX);
}

uint32_t
apic_timer_count(void)
{
	return COUNT_MAX - lapic_read(LAPIC_TIMER_CURRENT);
}

void
apic_timer_init(void)
{
	uint64_t hz = clock_apic_hz ? clock_apic_hz : DEFAULT_HZ;

	/* A deadline on a counter whose rate may change would drift. */
	deadline_mode = cpu_features.tsc_deadline && cpu_features.tsc_invariant;
	counts_per_ns = mul_div(hz, FIXED_ONE, NSEC_PER_SEC);
	apic_timer_init_cpu();
	if (deadline_mode)
		pr_info("timer: TSC deadline\n");
	else
		pr_info("timer: local APIC, %lu kHz\n", hz / 1000);
}

void
apic_timer_init_cpu(void)
{
	armed[this_cpu()->id] = DEADLINE_NEVER;
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_16);
	lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER | (deadline_mode ? LVT_TSC_DEADLINE : 0));
	/* The mode must have reached the APIC before the first deadline (SDM volume 3, 11.5.4.1). */
	if (deadline_mode)
		__asm__ volatile("mfence" ::: "memory");
}

/* Have the hardware fire in about `ns`. */
static void
start(uint64_t ns)
{
	uint64_t count;

	if (deadline_mode) {
		count = mul_div(ns, clock_tsc_hz(), NSEC_PER_SEC);
		wrmsr(MSR_TSC_DEADLINE, arch_cycles() + MIN(count, (uint64_t)INT64_MAX));
		return;
	}
	count = mul_div(ns, counts_per_ns, FIXED_ONE);
	lapic_write(LAPIC_TIMER_INITIAL, (uint32_t)MIN(count, (uint64_t)COUNT_MAX - 1) + 1);
}

/* Arm for armed[], or for the moment when the clock must be read again. */
static void
arm(uint32_t cpu_id)
{
	deadline_t when = armed[cpu_id];
	uint64_t now = arch_clock_ns(), limit = clock_max_sleep_ns(), ns;

	if (when == DEADLINE_NEVER && !(limit && cpu_id == 0)) {
		if (deadline_mode)
			wrmsr(MSR_TSC_DEADLINE, 0);
		else
			lapic_write(LAPIC_TIMER_INITIAL, 0);
		return;
	}
	ns = when > now ? when - now : 0;
	start(limit && ns > limit ? limit : ns);
}

void
arch_timer_arm(deadline_t when)
{
	uint32_t id = this_cpu()->id;

	armed[id] = when;
	arm(id);
}

bool
apic_timer_due(void)
{
	uint32_t id = this_cpu()->id;

	if (arch_clock_ns() < armed[id]) {
		arm(id);
		return false;
	}
	armed[id] = DEADLINE_NEVER;
	return true;
}
