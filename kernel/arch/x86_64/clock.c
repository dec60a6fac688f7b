/* SPDX-License-Identifier: MIT */
/*
 * clock.c - what time it is since boot.
 *
 * The best clock is the time-stamp counter (TSC): one instruction, the same on all CPUs. It is used
 * when the CPU says that its rate never changes, or when QEMU's translator runs us, which gives all
 * CPUs one counter; and dropped for good when two CPUs are seen to disagree. Otherwise the HPET, or
 * the ACPI PM timer, is read each time. The argument clock=tsc|hpet|pmtimer forces a choice.
 *
 * How fast the TSC runs: from CPUID where it says so, unless that is far off; else measured against a
 * reference (HPET, PM timer, or the 8254) for MEASURE_NS, which is exact to about 1 in 1000; and once more
 * over the first second that has passed when a timer interrupt comes, which makes it 1 in a million. A
 * change of rate keeps the value: the new scale starts where the old one stands. Where no reference
 * counts, one second of the battery-backed clock serves.
 *
 * Readers take no lock. Scales are written to a fresh slot and published by index; a reader whose
 * index changed meanwhile reads again. There are at most SCALE_SLOTS publications, ever.
 */
#include <tessera/arch.h>
#include <tessera/arch/port.h>
#include <tessera/atomic.h>
#include <tessera/bootinfo.h>
#include <tessera/print.h>
#include <tessera/string.h>
#include <tessera/time.h>

#include "acpi.h"
#include "apic_timer.h"
#include "cmos.h"
#include "features.h"
#include "msr.h"
#include "mul_div.h"
#include "platform.h"

#define MEASURE_NS    1000000ull
#define CHECK_PART    10 /* of it is enough to see that a rate is wrong */
#define REFINE_NS     1000000000ull
#define FEMTO         1000000000000000ull
#define PM_TIMER_HZ   3579545ull
#define PIT_HZ        1193182ull
#define READ_TRIES    5
/* What no wait for a reference exceeds, whatever the rate: a reference that does not count is not there. */
#define STUCK_CYCLES  4000000000ull

/* A counter of `mask + 1` states that runs at `hz`. */
struct counter {
	const char *name;
	uint64_t (*read)(void);
	uint64_t mask, hz;
};

/* A moment, as two counters show it. */
struct moment {
	uint64_t tsc, reference;
	uint32_t apic;
};

#define SCALE_SLOTS 4

static struct clock_scale scales[SCALE_SLOTS]; /* each written once, before it is published */
static uint32_t scale_now;                     /* [a] index of the present one */
static bool use_tsc;                           /* [a] */
static bool ready;                             /* [a] */
static uint64_t tsc_hz;                        /* [I] but for clock_refine() */
static bool refine_wanted;                     /* CPU 0 */
static struct moment first_moment;             /* [I] */
static struct counter reference;               /* [I] */
static uint64_t realtime_at_boot;              /* [I] */
uint64_t clock_apic_hz;                       

/* The clock without TSC: the reference, extended to 64 bits. */
static uint64_t extended;                      /* [a] */
static uint64_t slow_multiplier, slow_base_ns; /* [I] once use_tsc is false */

/* --- reference counters ------------------------------------------------------------------------ */

#define HPET_PERIOD  (0x004 / 4) /* femtoseconds */
#define HPET_CONFIG  (0x010 / 4)
#define HPET_COUNTER (0x0f0 / 4)
#define HPET_ENABLE  1
#define HPET_PERIOD_MAX 100000000u /* the specification's */

static volatile uint32_t *hpet __ro_after_init;

static uint64_t
hpet_read(void)
{
	return hpet[HPET_COUNTER];
}

static bool
hpet_open(struct counter *c)
{
	uint32_t period;

	if (!acpi_info.hpet)
		return false;
	hpet = arch_map_device(acpi_info.hpet, 1024);
	if (!hpet)
		return false;
	period = hpet[HPET_PERIOD];
	if (!period || period > HPET_PERIOD_MAX)
		return false;
	hpet[HPET_CONFIG] |= HPET_ENABLE;
	*c = (struct counter){ "hpet", hpet_read, UINT32_MAX, FEMTO / period };
	return true;
}

static uint64_t
pm_timer_read(void)
{
	return port_read32(acpi_info.pm_timer_port);
}

static bool
pm_timer_open(struct counter *c)
{
	if (!acpi_info.pm_timer_port)
		return false;
	*c = (struct counter){ "acpi_pm", pm_timer_read,
			       acpi_info.pm_timer_32bit ? UINT32_MAX : 0xffffff, PM_TIMER_HZ };
	return true;
}

/* 8254, channel 2: counts down from 65536, without an interrupt. Good for measuring only. */
#define PIT_CHANNEL_2 0x42
#define PIT_COMMAND   0x43
#define PIT_GATE      0x61

static uint64_t
pit_read(void)
{
	uint32_t count;

	port_write8(PIT_COMMAND, 0x80); /* latch channel 2 */
	count = port_read8(PIT_CHANNEL_2);
	count |= (uint32_t)port_read8(PIT_CHANNEL_2) << 8;
	return 0xffff - count;
}

static void
pit_open(struct counter *c)
{
	port_write8(PIT_GATE, (uint8_t)((port_read8(PIT_GATE) & ~2) | 1)); /* gate on, speaker off */
	port_write8(PIT_COMMAND, 0xb4);                                    /* both bytes, mode 2 */
	port_write8(PIT_CHANNEL_2, 0);
	port_write8(PIT_CHANNEL_2, 0);
	*c = (struct counter){ "pit", pit_read, 0xffff, PIT_HZ };
}

/* --- measuring ------------------------------------------------------------------------------- */

/*
 * Read all counters as close together as can be: of some tries, the one whose reading of the
 * reference took the shortest. (A virtual CPU may lose its own between any two instructions.)
 */
static struct moment
read_moment(void)
{
	struct moment best = { 0 };
	uint64_t shortest = UINT64_MAX;

	for (int i = 0; i < READ_TRIES; i++) {
		uint64_t before = arch_cycles();
		uint64_t value = reference.read();
		uint64_t after = arch_cycles();

		if (after - before < shortest) {
			shortest = after - before;
			best.tsc = before + shortest / 2;
			best.reference = value;
			best.apic = apic_timer_count();
		}
	}
	return best;
}

/* Counts per second of something that counted `counts` while the reference counted `ticks`. */
static uint64_t
rate(uint64_t counts, uint64_t ticks)
{
	return ticks ? mul_div(counts, reference.hz, ticks) : 0;
}

static uint64_t
rate_from_cpuid(void)
{
	struct cpuid r;

	if (cpu_features.max_leaf >= 0x15) {
		r = cpuid_read(0x15, 0);
		if (r.eax && r.ebx && r.ecx)
			return (uint64_t)r.ecx * r.ebx / r.eax;
	}
	/* A leaf that hypervisors agreed upon: kHz of TSC and of the APIC's timer. */
	if (cpu_features.hypervisor && cpuid_read(0x40000000, 0).eax >= 0x40000010) {
		r = cpuid_read(0x40000010, 0);
		return (uint64_t)r.eax * 1000;
	}
	return 0;
}

/* Wait until the battery-backed clock's second changes. False: it does not. */
static bool
wait_for_second(void)
{
	uint64_t start = arch_cycles();
	uint8_t now = cmos_second();

	while (cmos_second() == now) {
		if (arch_cycles() - start > 3 * STUCK_CYCLES)
			return false;
		arch_cpu_relax();
	}
	return true;
}

/* There is no counter: one second by the battery-backed clock, or nothing but a guess. */
static void
measure_by_seconds(uint64_t known)
{
	uint64_t tsc;
	uint32_t apic;

	refine_wanted = false;
	reference.name = "nothing";
	tsc_hz = known;
	clock_apic_hz = 0;
	if (!cmos_present() || !wait_for_second())
		return;
	tsc = arch_cycles();
	apic = apic_timer_count();
	if (!wait_for_second())
		return;
	clock_apic_hz = apic_timer_count() - apic;
	tsc_hz = known ? known : arch_cycles() - tsc;
	reference.name = "rtc";
}

/* Let the reference count `wait` since first_moment. False: it does not count. */
static bool
wait_for_counts(uint64_t wait, struct moment *end)
{
	while (((reference.read() - first_moment.reference) & reference.mask) < wait) {
		if (arch_cycles() - first_moment.tsc > STUCK_CYCLES)
			return false;
		arch_cpu_relax();
	}
	*end = read_moment();
	return true;
}

static uint64_t
counts_until(const struct moment *end)
{
	return (end->reference - first_moment.reference) & reference.mask;
}

/* A rate that is told is of the processor's model; an emulator of that may run at another, by far. */
static bool
is_far_off(uint64_t told, const struct moment *end)
{
	uint64_t measured = rate(end->tsc - first_moment.tsc, counts_until(end));

	return measured < told - told / 4 || measured > told + told / 4;
}

static void
measure(void)
{
	uint64_t wait = reference.hz * MEASURE_NS / NSEC_PER_SEC;
	uint64_t known = rate_from_cpuid();
	struct moment end;

	apic_timer_start_count();
	first_moment = read_moment();
	if (!wait_for_counts(known ? wait / CHECK_PART : wait, &end)) {
		measure_by_seconds(known);
		return;
	}
	if (known && is_far_off(known, &end)) {
		pr_info("clock: CPUID tells of %lu MHz, which is not so\n", known / 1000000);
		known = 0;
	}
	if (known && cpu_features.tsc_deadline) {
		tsc_hz = known;
		return;
	}
	if (!wait_for_counts(wait, &end)) {
		measure_by_seconds(known);
		return;
	}
	tsc_hz = known ? known : rate(end.tsc - first_moment.tsc, counts_until(&end));
	clock_apic_hz = rate(end.apic - first_moment.apic, counts_until(&end));
	refine_wanted = !known;
}

/* --- scales ----------------------------------------------------------------------------------- */

static uint64_t
multiplier(uint64_t hz)
{
	return mul_div(NSEC_PER_SEC, FIXED_ONE, hz);
}

static uint64_t
scale_ns(const struct clock_scale *s, uint64_t tsc)
{
	/* A CPU whose counter is behind by less than anyone can see must not go back by centuries. */
	if ((int64_t)(tsc - s->base_tsc) < 0)
		return s->base_ns;
	return s->base_ns + mul_fixed(tsc - s->base_tsc, s->multiplier);
}

static void
publish(struct clock_scale s)
{
	uint32_t next = atomic_load(&scale_now) + 1;

	scales[next] = s;
	atomic_store(&scale_now, next);
}

static uint64_t
tsc_clock_ns(void)
{
	uint32_t index;
	uint64_t ns;

	do {
		index = atomic_load(&scale_now);
		ns = scale_ns(&scales[index], arch_cycles());
	} while (unlikely(index != atomic_load(&scale_now)));
	return ns;
}

/*
 * The reference, extended: `extended` is the highest count that anyone has seen. Somebody reads the
 * clock at least once in half the counter's period (clock_max_sleep_ns); a count that seems to lie
 * more than that ahead is one that another CPU overtook.
 */
static uint64_t
slow_clock_ns(void)
{
	uint64_t seen = atomic_load(&extended), ahead, total;

	do {
		ahead = (reference.read() - seen) & reference.mask;
		total = ahead > reference.mask / 2 ? seen : seen + ahead;
	} while (!atomic_cas(&extended, &seen, total));
	return slow_base_ns + mul_fixed(total, slow_multiplier);
}

uint64_t
arch_clock_ns(void)
{
	if (likely(atomic_load(&use_tsc)))
		return tsc_clock_ns();
	return atomic_load(&ready) ? slow_clock_ns() : 0;
}

uint64_t
arch_clock_at(uint64_t cycles)
{
	return tsc_hz ? mul_fixed(cycles - bootinfo.entry_cycles, multiplier(tsc_hz)) : 0;
}

const char *
arch_clock_name(void)
{
	return atomic_load(&use_tsc) ? "tsc" : reference.name;
}

bool
clock_scale_get(struct clock_scale *s)
{
	if (!atomic_load(&use_tsc))
		return false;
	*s = scales[atomic_load(&scale_now)];
	return true;
}

uint64_t
clock_tsc_hz(void)
{
	return tsc_hz;
}

uint64_t
clock_max_sleep_ns(void)
{
	if (atomic_load(&use_tsc))
		return 0;
	return (reference.mask / 4) * NSEC_PER_SEC / reference.hz;
}

/* From `ns` on, the reference is the clock. */
static void
start_slow_clock(uint64_t ns)
{
	uint64_t count = reference.read() & reference.mask;

	slow_multiplier = multiplier(reference.hz);
	slow_base_ns = ns - mul_fixed(count, slow_multiplier);
	atomic_store(&extended, count);
	atomic_store(&ready, true);
	atomic_store(&use_tsc, false);
}

void
clock_tsc_unreliable(const char *why)
{
	static bool done; /* [a] */

	if (!atomic_load(&use_tsc) || atomic_exchange(&done, true))
		return;
	pr_warn("clock: the time-stamp counters disagree (%s); using %s\n", why, reference.name);
	if (reference.read == pit_read)
		pr_err("clock: there is nothing better than them; time may jump between CPUs\n");
	else
		start_slow_clock(tsc_clock_ns());
	arch_vdso_update_clock();
}

void
clock_refine(void)
{
	uint64_t elapsed, expected, ticks;
	struct clock_scale s;
	struct moment m;

	if (likely(!refine_wanted))
		return;
	elapsed = arch_clock_ns() - scale_ns(&scales[1], first_moment.tsc);
	if (elapsed < REFINE_NS)
		return;
	refine_wanted = false;
	if (!atomic_load(&use_tsc) || reference.mask <= 0xffff)
		return;
	/* The reference may have wrapped; how often follows from the rate that is nearly right. */
	m = read_moment();
	expected = mul_div(m.tsc - first_moment.tsc, reference.hz, tsc_hz);
	ticks = (m.reference - first_moment.reference - expected) & reference.mask;
	ticks = ticks > reference.mask / 2 ? expected - (reference.mask + 1 - ticks) : expected + ticks;
	tsc_hz = rate(m.tsc - first_moment.tsc, ticks);

	s.base_tsc = arch_cycles();
	s.base_ns = scale_ns(&scales[atomic_load(&scale_now)], s.base_tsc);
	s.multiplier = multiplier(tsc_hz);
	publish(s);
	arch_vdso_update_clock();
	pr_debug("clock: time-stamp counter refined to %lu kHz\n", tsc_hz / 1000);
}

void
clock_spin_ns(uint64_t ns)
{
	uint64_t start = arch_clock_ns();

	/* Before the clock runs, a port access is about a microsecond everywhere. */
	if (!atomic_load(&use_tsc) && !atomic_load(&ready)) {
		for (uint64_t i = 0; i <= ns / NSEC_PER_USEC; i++)
			port_write8(0x80, 0);
		return;
	}
	while (arch_clock_ns() - start < ns)
		arch_cpu_relax();
}

uint64_t
arch_realtime_at_boot_ns(void)
{
	return realtime_at_boot;
}

void
clock_init(void)
{
	char wanted[16] = "";
	bool tsc = cpu_features.tsc_invariant || cpu_features.tcg;

	boot_argument("clock", wanted, sizeof(wanted));
	if (strcmp(wanted, "pmtimer") == 0 ? !pm_timer_open(&reference)
					   : !hpet_open(&reference) && !pm_timer_open(&reference))
		pit_open(&reference);
	measure();
	if (!strcmp(wanted, "tsc"))
		tsc = true;
	else if (wanted[0])
		tsc = false;
	if (!tsc_hz) {
		pr_err("clock: this machine has nothing to measure time by; taking the processor for one of 1 GHz\n");
		tsc_hz = NSEC_PER_SEC;
	}

	if (tsc || reference.read == pit_read) {
		publish((struct clock_scale){ bootinfo.entry_cycles, 0, multiplier(tsc_hz) });
		atomic_store(&use_tsc, true);
	} else {
		refine_wanted = false;
		start_slow_clock(scale_ns(&(struct clock_scale){ bootinfo.entry_cycles, 0,
								 multiplier(tsc_hz) },
					  arch_cycles()));
	}
	realtime_at_boot = cmos_read_ns() - arch_clock_ns();
	pr_info("clock: %s; time-stamp counter %lu MHz%s, measured against %s\n", arch_clock_name(),
		tsc_hz / 1000000, cpu_features.tsc_invariant ? ", invariant" : "", reference.name);
}
