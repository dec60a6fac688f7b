/* SPDX-License-Identifier: MIT */
/*
 * smp_stop.c - one CPU brings the others to a halt by NMI, which reaches them wherever they are: with
 * interrupts off, in an endless loop, in the middle of a lock.
 *
 *	RUN   --arch_park_other_cpus()--> PARK --arch_unpark_cpus()--> RUN     kdb
 *	any   --arch_stop_other_cpus()--> HALT                                panic, power off: for good
 *
 * A CPU that stops publishes its registers in place[] and waits inside the NMI handler, so that it touches
 * no memory but `mode` until it is let go. From then on whoever stopped it may look at everything that
 * it was doing.
 *
 * An NMI that comes while one is being handled waits in the processor until the handler returns. A CPU
 * may so be asked twice (by us and by somebody who pressed a button that reaches all CPUs), and the second
 * request arrive when all is over: at the very place where the CPU was let go, by which it is known.
 */
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/kdb.h>
#include <tessera/time.h>

#include "apic.h"
#include "descriptors.h"
#include "traps.h"

#define NOBODY UINT32_MAX
/* Longer than a CPU of an overcommitted host may stand still; each is waited for only until it is there. */
#define ANSWER_NS (3 * NSEC_PER_SEC)
#define ANSWER_SPINS 400000000u
#define LATCHED_NS (2 * NSEC_PER_SEC)

enum stop_mode { STOP_RUN, STOP_PARK, STOP_HALT };

/* One per CPU. */
struct stop_place {
	const struct trap_frame *frame; /* [a] where it stands, NULL: it runs */
	uint64_t left_rip, left_rsp;    /* [i] where it went on */
	uint64_t left_at;               /* [i] when */
	bool asked;                     /* [a] an NMI of ours is on its way */
} __aligned(64);

static struct stop_place place[MAX_CPUS];
static uint32_t mode;                   /* [a] enum stop_mode */
static uint32_t master = NOBODY;        /* [a] who stopped the others */

static void
ask_others(struct cpu *self)
{
	struct cpu *c;

	for_each_cpu(c)
		if (c != self && c->arch.online && !atomic_load(&place[c->id].frame)) {
			atomic_store(&place[c->id].asked, true);
			lapic_send_nmi(c->arch.apic_id);
		}
}

static bool
all_stand(struct cpu *self, bool wanted)
{
	struct cpu *c;

	for_each_cpu(c)
		if (c != self && c->arch.online && (atomic_load(&place[c->id].frame) != NULL) != wanted)
			return false;
	return true;
}

static bool
wait_for_all(struct cpu *self, bool wanted)
{
	uint64_t start = arch_clock_ns();

	for (uint32_t i = 0; !all_stand(self, wanted); i++) {
		if (i >= ANSWER_SPINS || arch_clock_ns() - start > ANSWER_NS)
			return false;
		arch_cpu_relax();
	}
	return true;
}

bool
arch_park_other_cpus(void)
{
	struct cpu *self = this_cpu();

	atomic_store(&master, self->id);
	atomic_store(&mode, STOP_PARK);
	ask_others(self);
	return wait_for_all(self, true);
}

void
arch_unpark_cpus(void)
{
	struct cpu *self = this_cpu();

	atomic_store(&mode, STOP_RUN);
	wait_for_all(self, false);
	atomic_store(&master, NOBODY);
}

void
arch_stop_other_cpus(void)
{
	struct cpu *self = this_cpu();

	if (atomic_exchange(&mode, STOP_HALT) == STOP_HALT)
		return;
	atomic_store(&master, self->id);
	ask_others(self);
	wait_for_all(self, true);
}

const struct trap_frame *
arch_stopped_frame(uint32_t cpu_id)
{
	return cpu_id < MAX_CPUS ? atomic_load(&place[cpu_id].frame) : NULL;
}

void
arch_park_here(const struct trap_frame *f)
{
	struct stop_place *p = &place[this_cpu()->id];

	atomic_store(&p->frame, f);
	for (;;) {
		uint32_t now = atomic_load(&mode);

		if (now == STOP_HALT)
			arch_halt();
		if (now == STOP_RUN)
			break;
		arch_cpu_relax();
	}
	p->left_rip = f->rip;
	p->left_rsp = f->rsp;
	p->left_at = arch_clock_ns();
	atomic_store(&p->frame, NULL);
}

/* Was this one on its way while the CPU stood? */
static bool
was_latched(const struct trap_frame *f)
{
	struct stop_place *p = &place[this_cpu()->id];
	bool same = p->left_rip == f->rip && p->left_rsp == f->rsp &&
		    arch_clock_ns() - p->left_at < LATCHED_NS;

	p->left_rip = 0;
	return same;
}

/*
 * CPUs that an NMI of the profiler is on its way to. What it does there reads memory through page tables
 * and causes no fault, so the next NMI waits until it is done.
 */
static uint64_t profiled; /* [a] */

bool
arch_profile_nmi(uint32_t cpu_id)
{
	if (atomic_fetch_or(&profiled, BIT(cpu_id)) & BIT(cpu_id))
		return false;
	lapic_send_nmi(cpus[cpu_id]->arch.apic_id);
	return true;
}

bool
nmi_dispatch(struct trap_frame *f)
{
	struct cpu *c = this_cpu();
	bool profiler = atomic_load(&profiled) & BIT(c->id), taken;
	bool asked = atomic_exchange(&place[c->id].asked, false);

	if (profiler)
		atomic_and(&profiled, ~BIT(c->id));
	if (atomic_load(&mode) != STOP_RUN) {
		if (atomic_load(&master) != c->id)
			arch_park_here(f);
		return true;
	}
	if (profiler)
		profile_nmi(f);
	/* Asked, but it answers after the others were let go: nobody pressed a button. */
	if (was_latched(f) || profiler || asked)
		return true;
	/* Any fault that is handled from here on lets the next NMI come: it must not land on our frames. */
	descriptors_nest_nmi(c, true);
	taken = kdb_nmi(f);
	descriptors_nest_nmi(c, false);
	return taken;
}
