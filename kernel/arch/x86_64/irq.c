/* SPDX-License-Identifier: MIT */
/*
 * irq.c - from a vector to who handles it.
 *
 * A device line gets a vector of its own when a driver registers, and all device interrupts go to
 * the boot CPU. irq_lock guards registering; the dispatcher reads the table without it: a slot's
 * handler is published last and never taken back.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/lock.h>
#include <tessera/print.h>

#include "acpi.h"
#include "apic.h"
#include "apic_timer.h"
#include "lapic_hw.h"
#include "platform.h"
#include "traps.h"

struct irq_slot {
	irq_handler_t handler; /* [a] NULL: free */
	void *arg;             /* before handler */
	uint32_t gsi;          /* [L] irq_lock */
};

static struct irq_slot slots[256];
static struct spinlock irq_lock = SPINLOCK_INIT(IRQ);
static uint32_t next_vector = VECTOR_DEVICE_MIN; /* [L] */

int
arch_irq_register(uint32_t gsi, bool level, bool active_low, irq_handler_t handler, void *arg)
{
	uint64_t flags = spin_lock_irq(&irq_lock);
	int err = -EINVAL;
	struct irq_slot *s;

	if (!ioapic_has(gsi))
		goto unlock;
	err = -EBUSY;
	for (uint32_t v = VECTOR_DEVICE_MIN; v < next_vector; v++)
		if (slots[v].handler && slots[v].gsi == gsi)
			goto unlock;
	err = -ENOSPC;
	if (next_vector > VECTOR_DEVICE_MAX)
		goto unlock;

	s = &slots[next_vector];
	s->gsi = gsi;
	s->arg = arg;
	atomic_store_release(&s->handler, handler);
	err = ioapic_route(gsi, level, active_low, (uint8_t)next_vector, cpus[0]->arch.apic_id);
	if (err)
		s->handler = NULL;
	else
		next_vector++;
unlock:
	spin_unlock_irq(&irq_lock, flags);
	return err;
}

/* ISA lines are edge-triggered and active high, and line n is GSI n, unless ACPI says otherwise. */
int
arch_irq_isa_register(uint32_t isa_irq, irq_handler_t handler, void *arg)
{
	for (uint32_t i = 0; i < acpi_info.override_count; i++) {
		const struct acpi_override *o = &acpi_info.override[i];

		if (o->source == isa_irq)
			return arch_irq_register(o->gsi, o->level, o->active_low, handler, arg);
	}
	return arch_irq_register(isa_irq, false, false, handler, arg);
}

void
interrupt_dispatch(struct trap_frame *f, unsigned int vector)
{
	struct cpu *c = this_cpu();
	irq_handler_t handler;

	c->arch.irq_count[vector]++;
	switch (vector) {
	case VECTOR_TIMER:
		lapic_eoi();
		if (c->id == 0)
			clock_refine();
		if (apic_timer_due())
			timer_interrupt();
		return;
	case VECTOR_KICK:
		lapic_eoi();
		log_wake_readers();
		return;
	case VECTOR_CALL:
		lapic_eoi();
		smp_call_interrupt();
		return;
	case VECTOR_SPURIOUS:
		return; /* not acknowledged: SDM volume 3, 11.9 */
	case VECTOR_ERROR:
		lapic_write(LAPIC_ERROR_STATUS, 0);
		pr_warn("apic: CPU %u: error status %#x\n", c->id, lapic_read(LAPIC_ERROR_STATUS));
		lapic_eoi();
		return;
	}
	if (vector < VECTOR_DEVICE_MIN)
		return; /* a spurious line of the masked 8259s, which the local APIC knows nothing of */
	handler = atomic_load(&slots[vector].handler);
	if (handler)
		handler(slots[vector].arg);
	lapic_eoi();
}

static void
print_vector(uint32_t vector, const char *name, void (*print)(void *, const char *, const uint64_t *),
	     void *ctx)
{
	uint64_t counts[MAX_CPUS] = { 0 };
	struct cpu *c;

	for_each_cpu(c)
		counts[c->id] = c->arch.irq_count[vector];
	print(ctx, name, counts);
}

void
arch_irq_counts_print(void (*print)(void *ctx, const char *name, const uint64_t *per_cpu), void *ctx)
{
	char name[24];

	for (uint32_t v = VECTOR_DEVICE_MIN; v <= VECTOR_DEVICE_MAX; v++) {
		if (!atomic_load(&slots[v].handler))
			continue;
		snprintf(name, sizeof(name), "%u", slots[v].gsi);
		print_vector(v, name, print, ctx);
	}
	print_vector(2, "NMI", print, ctx);
	print_vector(VECTOR_TIMER, "LOC", print, ctx);
	print_vector(VECTOR_SPURIOUS, "SPU", print, ctx);
	print_vector(VECTOR_KICK, "RES", print, ctx);
	print_vector(VECTOR_CALL, "CAL", print, ctx);
	print_vector(VECTOR_ERROR, "ERR", print, ctx);
}
