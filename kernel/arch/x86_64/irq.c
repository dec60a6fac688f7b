/* SPDX-License-Identifier: MIT */
/*
 * irq.c - from a vector to who handles it, and where interrupts go.
 *
 * An interrupt has a number: of a line the one that ACPI gives it, of a message, which a device sends by a write to
 * memory, one behind those of all lines. And it has a vector, which is nobody else's on any CPU: so it moves to
 * another CPU by one write of its destination, and nothing has to be told apart while it moves.
 *
 *   device --line--> I/O APIC --+
 *   device --message------------+--[ entry of the table of remapping ]--> vector on `cpu` --> handler
 *
 * `wanted` says where it may go; it goes to the one of these CPUs that has the fewest. Messages in a row are told
 * apart by the low bits of the data alone: without remapping they share a destination, with it each has an entry.
 *
 * irq_lock guards numbers, vectors and destinations; the dispatcher reads the table of vectors without it: a handler is
 * published last, and a vector is used again only when every CPU has been seen outside of handlers since its
 * handler was taken back. What describes a number is never freed, so it can be shown without a lock.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/lock.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "acpi.h"
#include "apic.h"
#include "apic_timer.h"
#include "lapic_hw.h"
#include "platform.h"
#include "traps.h"

#define NUMBERS         320u         /* as many lines as there are, and a message for each vector */
#define NAME_MAX        40
#define MESSAGE_ADDRESS 0xfee00000ul /* SDM volume 3, 11.11.1: to one APIC by its id, fixed delivery, edge */

/* [I] immutable while `used`  [L] irq_lock  [a] atomic */
struct irq {
	irq_handler_t handler;         /* [a] NULL: nobody */
	void *arg;                     /* before handler */
	uint32_t number;               /* [I] */
	bool used;                     /* [L] */
	bool line, level, active_low;  /* [I] */
	uint8_t vector;                /* [I] */
	uint32_t cpu;                  /* [L] where it goes */
	uint64_t wanted;               /* [L] where it may go */
	int entry;                     /* [L] in the table of remapping; -1: none */
	uint32_t row, place;           /* [I] how many messages share its address and data; which of them it is */
	struct arch_msi_user user;     /* [I] of the row */
	char name[NAME_MAX];           /* [L] of who handles it */
};

static struct irq *irqs[NUMBERS];    /* [L] by number; never freed */
static struct irq *vectors[256];     /* [a] NULL: nobody's */
static uint64_t taken[4];            /* [L] vectors, until nobody can be in a handler of theirs */
static struct spinlock irq_lock = SPINLOCK_INIT(IRQ);
static const struct arch_irq_remapper *remapper; /* [L] NULL: there is none */
uint64_t arch_irq_default_affinity = UINT64_MAX;

/* --- where to ------------------------------------------------------------------------------------ */

static uint64_t
present_cpus(void)
{
	return cpu_count < 64 ? BIT(cpu_count) - 1 : UINT64_MAX;
}

/* The message has room for its id. */
static bool
is_reachable(uint32_t cpu, bool remapped)
{
	return cpus[cpu]->arch.apic_id <= 0xff || (remapped && remapper->wide);
}

/* The one of `wanted` with the fewest interrupts, or the boot CPU. [L] */
static uint32_t
choose_cpu(uint64_t wanted, bool remapped)
{
	uint32_t load[MAX_CPUS] = { 0 }, best = 0;
	bool found = false;

	assert_held(&irq_lock);
	for (uint32_t n = 0; n < NUMBERS; n++)
		if (irqs[n] && irqs[n]->used)
			load[irqs[n]->cpu]++;
	for (uint32_t c = 0; c < cpu_count; c++)
		if ((wanted & BIT(c)) && is_reachable(c, remapped) && (!found || load[c] < load[best])) {
			best = c;
			found = true;
		}
	return best;
}

static void
message_of(const struct irq *i, struct arch_msi *m)
{
	if (i->entry >= 0) {
		uint32_t handle = (uint32_t)i->entry - i->place;

		/* Remappable; the data is added to the number of the entry. */
		m->address = MESSAGE_ADDRESS | (handle & 0x7fff) << 5 | BIT(4) | BIT(3) | (handle >> 15 & 1) << 2;
		m->data = 0;
	} else {
		m->address = MESSAGE_ADDRESS | (uint64_t)(cpus[i->cpu]->arch.apic_id & 0xff) << 12;
		m->data = i->vector - i->place;
	}
}

static void
tell_device(const struct irq *i)
{
	struct arch_msi m;

	message_of(i, &m);
	i->user.write(i->user.arg, &m);
}

/* Its destination is cpu's. [L] */
static void
aim(struct irq *i)
{
	uint32_t apic_id = cpus[i->cpu]->arch.apic_id;

	if (i->entry >= 0)
		remapper->set(i->entry, i->vector, apic_id, i->level);
	else if (i->line)
		ioapic_aim(i->number, apic_id);
	else
		tell_device(i);
}

/* --- numbers and vectors --------------------------------------------------------------------------- */

static bool
is_taken(uint32_t vector)
{
	return taken[vector / 64] & BIT(vector % 64);
}

static void
set_taken(uint32_t vector, bool yes)
{
	if (yes)
		taken[vector / 64] |= BIT(vector % 64);
	else
		taken[vector / 64] &= ~BIT(vector % 64);
}

/* The first of `count` vectors in a row, aligned to `count`, that nobody has. [L] 0: there are none. */
static uint32_t
free_vectors(uint32_t count)
{
	assert_held(&irq_lock);
	for (uint32_t v = ALIGN_UP((uint32_t)VECTOR_DEVICE_MIN, count); v + count - 1 <= VECTOR_DEVICE_MAX; v += count) {
		uint32_t n = 0;

		while (n < count && !is_taken(v + n))
			n++;
		if (n == count)
			return v;
	}
	return 0;
}

/* The first of `count` numbers in a row that no message has. [L] 0: there are none. */
static uint32_t
free_numbers(uint32_t count)
{
	uint32_t n = 0;

	assert_held(&irq_lock);
	for (uint32_t at = ioapic_lines(); at < NUMBERS; at++) {
		n = irqs[at] && irqs[at]->used ? 0 : n + 1;
		if (n == count)
			return at + 1 - count;
	}
	return 0;
}

/* What describes a number is there. -ENOMEM. Memory may be waited for. */
static int
prepare_numbers(uint32_t first, uint32_t count)
{
	uint64_t flags;
	struct irq *i;

	for (uint32_t n = first; n < first + count; n++) {
		i = irqs[n] ? NULL : kzalloc(sizeof(*i));
		if (!irqs[n] && !i)
			return -ENOMEM;
		flags = spin_lock_irq(&irq_lock);
		if (!irqs[n] && i) {
			i->number = n;
			irqs[n] = i;
			i = NULL;
		}
		spin_unlock_irq(&irq_lock, flags);
		kfree(i);
	}
	return 0;
}

static void
take_number(struct irq *i, uint32_t vector)
{
	struct cpu *c;

	i->used = true;
	i->vector = (uint8_t)vector;
	i->handler = NULL;
	i->name[0] = '\0';
	i->wanted = arch_irq_default_affinity;
	i->entry = -1;
	i->row = 1;
	i->place = 0;
	for_each_cpu(c)
		c->arch.irq_count[vector] = 0;
	set_taken(vector, true);
	atomic_store_release(&vectors[vector], i);
}

static void
nothing(void *unused)
{
}

/* Return when no handler that was running is running any more: they run with interrupts off. */
static void
wait_for_handlers(void)
{
	preempt_disable();
	arch_call_cpus(present_cpus(), nothing, NULL);
	preempt_enable();
}

/* --- lines --------------------------------------------------------------------------------------- */

/* The line, when somebody has it. [L] NULL: nobody has. */
static struct irq *
line_of(uint32_t gsi)
{
	assert_held(&irq_lock);
	return gsi < NUMBERS && irqs[gsi] && irqs[gsi]->used && irqs[gsi]->line ? irqs[gsi] : NULL;
}

int
arch_irq_register(uint32_t gsi, bool level, bool active_low, irq_handler_t handler, void *arg, const char *name)
{
	uint64_t flags;
	int err = ioapic_has(gsi) && gsi < NUMBERS ? prepare_numbers(gsi, 1) : -EINVAL;
	uint32_t vector;
	struct irq *i;

	if (err)
		return err;
	flags = spin_lock_irq(&irq_lock);
	i = irqs[gsi];
	err = -EBUSY;
	if (i->used)
		goto unlock;
	err = -ENOSPC;
	vector = free_vectors(1);
	if (!vector)
		goto unlock;
	take_number(i, vector);
	i->line = true;
	i->level = level;
	i->active_low = active_low;
	i->arg = arg;
	string_copy(i->name, name, sizeof(i->name));
	i->cpu = choose_cpu(i->wanted & BIT(0) ? BIT(0) : i->wanted, false);
	if (remapper)
		i->entry = remapper->take_line(ioapic_id(gsi));
	atomic_store_release(&i->handler, handler);
	if (i->entry >= 0)
		aim(i);
	ioapic_route(gsi, level, active_low, (uint8_t)vector, cpus[i->cpu]->arch.apic_id, i->entry);
	err = 0;
unlock:
	spin_unlock_irq(&irq_lock, flags);
	return err;
}

/* It is nobody's from now on, when no CPU is in its handler any more. */
static void
give_back(struct irq *i, uint32_t count)
{
	int entry = i->entry;
	uint64_t flags;

	for (uint32_t n = 0; n < count; n++)
		atomic_store(&vectors[i->vector + n], NULL);
	wait_for_handlers();
	flags = spin_lock_irq(&irq_lock);
	if (entry >= 0)
		remapper->give(entry, count);
	for (uint32_t n = 0; n < count; n++) {
		struct irq *one = irqs[i->number + n];

		set_taken(one->vector, false);
		one->used = false;
		atomic_store(&one->handler, NULL);
	}
	spin_unlock_irq(&irq_lock, flags);
}

void
arch_irq_unregister(uint32_t gsi)
{
	uint64_t flags = spin_lock_irq(&irq_lock);
	struct irq *i = line_of(gsi);

	if (i)
		ioapic_set_mask(gsi, true);
	spin_unlock_irq(&irq_lock, flags);
	if (i)
		give_back(i, 1);
}

void
arch_irq_set_mask(uint32_t gsi, bool masked)
{
	uint64_t flags = spin_lock_irq(&irq_lock);

	ioapic_set_mask(gsi, masked);
	spin_unlock_irq(&irq_lock, flags);
}

void
arch_irq_set_name(uint32_t number, const char *name)
{
	uint64_t flags = spin_lock_irq(&irq_lock);

	if (number < NUMBERS && irqs[number])
		string_copy(irqs[number]->name, name, sizeof(irqs[number]->name));
	spin_unlock_irq(&irq_lock, flags);
}

/* ISA lines are edge-triggered and active high, and line n is GSI n, unless ACPI says otherwise. */
uint32_t
arch_irq_isa_line(uint32_t isa_irq, bool *level, bool *active_low)
{
	*level = *active_low = false;
	for (uint32_t i = 0; i < acpi_info.override_count; i++) {
		const struct acpi_override *o = &acpi_info.override[i];

		if (o->source == isa_irq) {
			*level = o->level;
			*active_low = o->active_low;
			return o->gsi;
		}
	}
	return isa_irq;
}

int
arch_irq_isa_register(uint32_t isa_irq, irq_handler_t handler, void *arg, const char *name)
{
	bool level, active_low;
	uint32_t gsi = arch_irq_isa_line(isa_irq, &level, &active_low);

	return arch_irq_register(gsi, level, active_low, handler, arg, name);
}

/* --- messages ------------------------------------------------------------------------------------ */

/* [L] The numbers are there. 0 or -ENOSPC. */
static int
take_row(uint32_t first, uint32_t count, const struct arch_msi_user *u)
{
	bool remapped = remapper && u->requester != ARCH_MSI_DIRECT;
	uint32_t vector = free_vectors(count), cpu;
	int entry = -1;

	if (!vector || (!remapped && !is_reachable(0, false)))
		return -ENOSPC;
	if (remapped) {
		entry = remapper->take(u->requester, count);
		if (entry < 0)
			return -ENOSPC;
	}
	cpu = choose_cpu(arch_irq_default_affinity, remapped);
	for (uint32_t n = 0; n < count; n++) {
		struct irq *i = irqs[first + n];

		take_number(i, vector + n);
		i->line = i->level = false;
		i->row = count;
		i->place = n;
		i->user = *u;
		i->cpu = cpu;
		if (remapped) {
			i->entry = entry + (int)n;
			aim(i);
		}
	}
	tell_device(irqs[first]);
	return 0;
}

int
arch_msi_alloc(uint32_t count, const struct arch_msi_user *u)
{
	uint64_t flags;
	uint32_t first;
	int error;

	assert(count > 0 && (count & (count - 1)) == 0);
	for (;;) {
		flags = spin_lock_irq(&irq_lock);
		first = free_numbers(count);
		spin_unlock_irq(&irq_lock, flags);
		if (!first)
			return -ENOSPC;
		error = prepare_numbers(first, count);
		if (error)
			return error;
		flags = spin_lock_irq(&irq_lock);
		if (free_numbers(count) == first) {
			error = take_row(first, count, u);
			spin_unlock_irq(&irq_lock, flags);
			return error ? error : (int)first;
		}
		spin_unlock_irq(&irq_lock, flags); /* somebody else was faster */
	}
}

void
arch_msi_free(int first)
{
	struct irq *i = irqs[first];

	assert(i && i->used && i->place == 0);
	give_back(i, i->row);
}

void
arch_msi_handle(int number, irq_handler_t handler, void *arg, const char *name)
{
	uint64_t flags = spin_lock_irq(&irq_lock);
	struct irq *i = irqs[number];

	assert(i && i->used && !i->handler);
	i->arg = arg;
	string_copy(i->name, name, sizeof(i->name));
	atomic_store_release(&i->handler, handler);
	spin_unlock_irq(&irq_lock, flags);
}

void
arch_msi_unhandle(int number)
{
	atomic_store(&irqs[number]->handler, NULL);
	wait_for_handlers();
}

void
arch_msi_tell(int number)
{
	uint64_t flags = spin_lock_irq(&irq_lock);

	tell_device(irqs[number]);
	spin_unlock_irq(&irq_lock, flags);
}

/* --- remapping ----------------------------------------------------------------------------------- */

void
arch_irq_remap(const struct arch_irq_remapper *r)
{
	uint64_t flags = spin_lock_irq(&irq_lock);

	assert(!remapper);
	remapper = r;
	for (uint32_t gsi = 0; gsi < ioapic_lines(); gsi++) {
		struct irq *i = line_of(gsi);

		if (!i)
			continue;
		i->entry = r->take_line(ioapic_id(gsi));
		if (i->entry < 0)
			continue;
		aim(i);
		ioapic_remap(gsi, (uint32_t)i->entry);
	}
	spin_unlock_irq(&irq_lock, flags);
}

bool
arch_irq_has_wide_ids(void)
{
	return lapic_is_x2apic();
}

/* --- where programs want them ------------------------------------------------------------------------ */

long
arch_irq_next(long from)
{
	for (long n = MAX(from, 0l); n < (long)NUMBERS; n++) {
		const struct irq *i = irqs[n];

		if (i && READ_ONCE(i->used))
			return n;
	}
	return -1;
}

bool
arch_irq_state(uint32_t number, struct arch_irq_state *s)
{
	const struct irq *i = number < NUMBERS ? irqs[number] : NULL;
	struct cpu *c;

	if (!i || !READ_ONCE(i->used))
		return false;
	*s = (struct arch_irq_state){ .wanted = READ_ONCE(i->wanted) & present_cpus(), .cpu = READ_ONCE(i->cpu) };
	for_each_cpu(c)
		s->count += c->arch.irq_count[i->vector];
	return true;
}

int
arch_irq_set_affinity(uint32_t number, uint64_t wanted)
{
	struct irq *i = number < NUMBERS ? irqs[number] : NULL;
	uint64_t flags;
	int error = 0;
	uint32_t cpu;

	if (!(wanted & present_cpus()))
		return -EINVAL;
	if (!i)
		return -EIO;
	flags = spin_lock_irq(&irq_lock);
	if (!i->used) {
		error = -EIO;
		goto unlock;
	}
	i->wanted = wanted;
	if (wanted & BIT(i->cpu))
		goto unlock;
	cpu = choose_cpu(wanted, i->entry >= 0);
	if (!(wanted & BIT(cpu))) {
		error = -EINVAL; /* none of them can be told by a message */
		goto unlock;
	}
	i->cpu = cpu;
	/* A row without entries moves as one. */
	for (uint32_t n = 0; i->entry < 0 && n < i->row; n++) {
		struct irq *one = irqs[i->number - i->place + n];

		one->cpu = cpu;
		one->wanted = wanted;
	}
	aim(i);
unlock:
	spin_unlock_irq(&irq_lock, flags);
	return error;
}

/* --- taken --------------------------------------------------------------------------------------- */

void
interrupt_dispatch(struct trap_frame *f, unsigned int vector)
{
	struct cpu *c = this_cpu();
	irq_handler_t handler;
	struct irq *i;

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
	i = atomic_load(&vectors[vector]);
	handler = i ? atomic_load(&i->handler) : NULL;
	if (handler)
		handler(i->arg);
	lapic_eoi();
}

/* --- shown --------------------------------------------------------------------------------------- */

static void
print_vector(uint32_t vector, const char *name, const char *what, arch_irq_printer_t print, void *ctx)
{
	uint64_t counts[MAX_CPUS] = { 0 };
	struct cpu *c;

	for_each_cpu(c)
		counts[c->id] = c->arch.irq_count[vector];
	print(ctx, name, counts, what);
}

/* As Linux calls it: what it comes by, its number there, how it is signalled. */
static void
describe(const struct irq *i, char *buf, size_t size)
{
	static const char *const chips[2][2] = { { "PCI-MSI", "IR-PCI-MSI" }, { "IO-APIC", "IR-IO-APIC" } };
	bool direct = !i->line && i->user.requester == ARCH_MSI_DIRECT;
	uint64_t there = i->line ? ioapic_pin(i->number) : i->user.index + i->place;

	if (!i->line && !direct)
		there |= (uint64_t)i->user.requester << 11;
	snprintf(buf, size, " %8s %3lu-%-8s  %s", direct ? "DMAR-MSI" : chips[i->line][i->entry >= 0], there,
		 i->level ? "fasteoi" : "edge", i->name);
}

void
arch_irq_counts_print(arch_irq_printer_t print, void *ctx)
{
	char name[24], what[96];

	for (uint32_t n = 0; n < NUMBERS; n++) {
		const struct irq *i = irqs[n];

		if (!i || !atomic_load(&i->handler))
			continue;
		snprintf(name, sizeof(name), "%u", n);
		describe(i, what, sizeof(what));
		print_vector(i->vector, name, what, print, ctx);
	}
	print_vector(2, "NMI", "  Non-maskable interrupts", print, ctx);
	print_vector(VECTOR_TIMER, "LOC", "  Local timer interrupts", print, ctx);
	print_vector(VECTOR_SPURIOUS, "SPU", "  Spurious interrupts", print, ctx);
	print_vector(VECTOR_KICK, "RES", "  Rescheduling interrupts", print, ctx);
	print_vector(VECTOR_CALL, "CAL", "  Function call interrupts", print, ctx);
	print_vector(VECTOR_ERROR, "ERR", NULL, print, ctx);
}
