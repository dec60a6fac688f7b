/* SPDX-License-Identifier: MIT */
/*
 * tracing.c - in-kernel tests of what looks at the kernel: events, lock statistics, the profiler, the
 * record of long times without interrupts.
 *
 * Each leaves everything off and freed, as it was: the frame counts what is left behind. Other threads
 * and interrupts add events of their own; so the tests record the class that only they use (timer's
 * event, emitted by hand) or look for their own values.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/latency.h>
#include <tessera/lock.h>
#include <tessera/lock_stat.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/profile.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/test.h>
#include <tessera/thread.h>
#include <tessera/trace.h>

#define MINE 0x7e57000000000000ull /* in a field: this event is a test's */

/* How many of our events are there on all CPUs, in order from 0 on each? `lost` gets those overwritten. */
static uint64_t
count_mine(uint64_t *lost, bool *ordered)
{
	uint64_t found = 0;

	*lost = 0;
	*ordered = true;
	trace_read_lock();
	for (uint32_t i = 0; i < cpu_count; i++) {
		struct trace_cursor at;
		struct trace_record r;
		uint64_t time = 0, sequence = 0;

		trace_cursor_begin(&at, i);
		while (trace_cursor_next(&at, &r)) {
			if (r.event == TRACE_LOST) {
				*lost += r.word[0];
				continue;
			}
			if (r.time < time || r.sequence <= sequence || r.cpu != i)
				*ordered = false;
			time = r.time;
			sequence = r.sequence;
			found += r.event == TRACE_EVENT_timer_fire && r.word[0] >> 48 == MINE >> 48;
		}
	}
	trace_read_unlock();
	return found;
}

KTEST(trace_off_records_and_allocates_nothing)
{
	uint64_t recorded = trace_recorded();

	for (uint32_t i = 0; i < 100; i++)
		trace_timer_fire(MINE, i);
	kcheck_equal(recorded, 0);
	kcheck_equal(trace_recorded(), 0);
	for (uint32_t i = 0; i < cpu_count; i++)
		kcheck(!cpus[i]->trace);
}

KTEST(trace_keeps_a_known_sequence)
{
	struct trace_cursor at;
	struct trace_record r;
	uint32_t next = 0;
	uint64_t flags;

	kcheck_equal(trace_enable(1u << TRACE_CLASS_TIMER), 0);
	preempt_disable();
	flags = arch_irq_save();
	for (uint32_t i = 0; i < 50; i++)
		trace_timer_fire(MINE | i, i * 7);
	trace_cursor_begin(&at, this_cpu()->id);
	while (trace_cursor_next(&at, &r) && r.event != TRACE_LOST) {
		if (r.event != TRACE_EVENT_timer_fire || r.word[0] >> 48 != MINE >> 48)
			continue;
		if (r.word[0] != (MINE | next) || r.word[1] != next * 7 || r.cpu != this_cpu()->id ||
		    r.tid != (uint32_t)current_thread()->tid)
			break;
		next++;
	}
	arch_irq_restore(flags);
	preempt_enable();
	trace_free();
	kcheck_equal(next, 50);
	for (uint32_t i = 0; i < cpu_count; i++)
		kcheck(!cpus[i]->trace);
}

KTEST(trace_overwrites_the_oldest_and_counts_it)
{
	uint64_t lost, found;
	bool ordered;

	kcheck_equal(trace_set_size(64), 0);
	kcheck_equal(trace_enable(1u << TRACE_CLASS_TIMER), 0);
	kcheck_equal(trace_set_size(128), -EBUSY);
	preempt_disable();
	for (uint32_t i = 0; i < 1000; i++)
		trace_timer_fire(MINE | i, 0);
	preempt_enable();
	trace_enable(0);
	found = count_mine(&lost, &ordered);
	trace_free();
	kcheck_equal(trace_set_size(8192), 0);
	kcheck(ordered);
	kcheck(found <= 64);
	kcheck(found >= 32); /* real timers may take some of the 64 */
	kcheck(lost >= 1000 - 64);
}

#define WRITERS 4u
#define EACH    20000u
/* Between two interrupts; an emulated CPU needs a tenth of it for one. */
#define STRIKE_NS (200 * NSEC_PER_USEC)

struct nested {
	uint32_t struck; /* [a] how often the timer wrote in the midst */
	struct timer timer;
	bool stop;
};

static void
write_from_interrupt(struct timer *t)
{
	struct nested *n = container_of(t, struct nested, timer);

	atomic_add(&n->struck, 1);
	trace_timer_fire(MINE | 1ull << 40, 0);
	if (!atomic_load(&n->stop))
		timer_start(t, deadline_after(STRIKE_NS));
}

static void
write_many(void *arg, uint32_t index)
{
	for (uint32_t i = 0; i < EACH; i++)
		trace_timer_fire(MINE | (uint64_t)index << 32 | i, i);
}

/* Writers on every CPU, and interrupts that write in their midst: nothing is lost, nothing twice. */
KTEST(trace_nested_writers_tear_nothing)
{
	struct nested n = { 0 };
	uint64_t lost, found;
	bool ordered;

	kcheck_equal(trace_set_size(1u << 17), 0);
	kcheck_equal(trace_enable(1u << TRACE_CLASS_TIMER), 0);
	timer_init(&n.timer, write_from_interrupt);
	timer_start(&n.timer, deadline_after(STRIKE_NS));
	ktest_parallel(WRITERS, write_many, NULL);
	atomic_store(&n.stop, true);
	timer_cancel(&n.timer);
	trace_enable(0);
	found = count_mine(&lost, &ordered);
	trace_free();
	kcheck_equal(trace_set_size(8192), 0);
	kcheck(ordered);
	/* One CPU may have written all; its ring is full only after a very long time. */
	if (n.struck < (1u << 17) - WRITERS * EACH - 1000) {
		kcheck_equal(lost, 0);
		kcheck_equal(found, WRITERS * EACH + n.struck);
	}
}

KTEST(trace_list_of_classes_is_understood)
{
	uint32_t bits;

	kcheck(trace_parse("sched,irq", 0, &bits));
	kcheck_equal(bits, 1u << TRACE_CLASS_SCHED | 1u << TRACE_CLASS_IRQ);
	kcheck(trace_parse("+lock -irq\n", bits, &bits));
	kcheck_equal(bits, 1u << TRACE_CLASS_SCHED | 1u << TRACE_CLASS_LOCK);
	kcheck(trace_parse("all,-mm", 0, &bits));
	kcheck_equal(bits, TRACE_ALL & ~(1u << TRACE_CLASS_MM));
	kcheck(trace_parse("none", bits, &bits));
	kcheck_equal(bits, 0);
	kcheck(!trace_parse("sched,nonsense", 0, &bits));
}

/* A line of a report that holds what is looked for. */
struct search {
	const char *words[3];
	bool found;
	char line[400];
	size_t used;
};

static bool
holds(const char *line, const char *word)
{
	size_t n = strlen(word);

	for (; *line; line++)
		if (!memcmp(line, word, MIN(n, strlen(line))) && strlen(line) >= n)
			return true;
	return false;
}

/* Gathers what is printed to whole lines. */
static void __printf(2, 3)
look_for(void *ctx, const char *format, ...)
{
	struct search *s = ctx;
	bool all = true;
	va_list args;

	va_start(args, format);
	s->used += (size_t)vsnprintf(s->line + s->used, sizeof(s->line) - s->used, format, args);
	va_end(args);
	s->used = MIN(s->used, sizeof(s->line) - 1);
	if (!s->used || s->line[s->used - 1] != '\n')
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(s->words); i++)
		all = all && (!s->words[i] || holds(s->line, s->words[i]));
	s->found = s->found || all;
	s->used = 0;
}

struct contention {
	struct mutex mutex;
	uint32_t ready; /* [a] */
};

static bool
is_waited_for(struct mutex *m)
{
	uint64_t flags = spin_lock_irq(&m->wait_lock);
	bool yes = !list_is_empty(&m->waiters);

	spin_unlock_irq(&m->wait_lock, flags);
	return yes;
}

/* Until the other one waits, however late that is, and for 10 ms more. */
static void __noinline
hold_for_a_while(struct contention *c)
{
	mutex_lock(&c->mutex);
	atomic_add(&c->ready, 1);
	for (uint32_t ms = 0; ms < 10000 && !is_waited_for(&c->mutex); ms++)
		ktest_sleep_ns(NSEC_PER_MSEC);
	ktest_sleep_ns(10 * NSEC_PER_MSEC);
	mutex_unlock(&c->mutex);
}

static void __noinline
come_second(struct contention *c)
{
	while (atomic_load(&c->ready) == 0)
		ktest_sleep_ns(NSEC_PER_MSEC);
	mutex_lock(&c->mutex);
	mutex_unlock(&c->mutex);
}

static void
contend(void *arg, uint32_t index)
{
	if (index == 0)
		hold_for_a_while(arg);
	else
		come_second(arg);
}

KTEST(lock_stat_sees_contention)
{
	struct search held = { .words = { "hold_for_a_while" } }, waited = { .words = { "come_second" } };
	struct contention c = { 0 };

	mutex_init(&c.mutex, LOCK_EXEC);
	kcheck_equal(lock_stat_enable(true), 0);
	ktest_parallel(2, contend, &c);
	lock_stat_enable(false);
	kcheck_equal(lock_stat_print(look_for, &held), 0);
	kcheck_equal(lock_stat_print(look_for, &waited), 0);
	lock_stat_free();
	kcheck(held.found);
	kcheck(waited.found);
}

/* The EXEC line must show one wait of 10 ms at least: acquired 2, contended 1, wait in microseconds. */
KTEST(lock_stat_measures_wait_and_hold)
{
	struct search line = { .words = { "EXEC  ", "         2         1 " } };
	struct contention c = { 0 };

	mutex_init(&c.mutex, LOCK_EXEC);
	kcheck_equal(lock_stat_enable(true), 0);
	ktest_parallel(2, contend, &c);
	lock_stat_enable(false);
	kcheck_equal(lock_stat_print(look_for, &line), 0);
	lock_stat_free();
	kcheck(line.found);
}

static void __noinline
spin_in_the_kernel(uint64_t ns)
{
	uint64_t end = arch_clock_ns() + ns;

	while (arch_clock_ns() < end)
		arch_cpu_relax();
}

static void __noinline
spin_without_interrupts(uint64_t ns)
{
	uint64_t flags = arch_irq_save(), end = arch_clock_ns() + ns;

	while (arch_clock_ns() < end)
		arch_cpu_relax();
	arch_irq_restore(flags);
}

KTEST(profile_names_a_spinning_function)
{
	struct search here = { .words = { "spin_in_the_kernel_[k]" } };
	uint64_t samples = 0, missed;

	kcheck_equal(profile_start(0), -EINVAL);
	kcheck_equal(profile_start(PROFILE_HZ_MAX + 1), -EINVAL);
	kcheck_equal(profile_start(1000), 0);
	for (unsigned int i = 0; i < 100 && !here.found; i++) {
		spin_in_the_kernel(50 * NSEC_PER_MSEC);
		profile_print(look_for, &here);
	}
	profile_stop();
	profile_totals(&samples, &missed);
	profile_free();
	kcheck(samples > 0);
	kcheck(here.found);
}

/* Only an NMI strikes code that has interrupts off; with one CPU nobody can send it. */
KTEST(profile_sees_code_without_interrupts)
{
	struct search here = { .words = { "spin_without_interrupts_[k]" } };

	if (cpu_count == 1)
		return;
	kcheck_equal(profile_start(1000), 0);
	for (unsigned int i = 0; i < 100 && !here.found; i++) {
		spin_without_interrupts(50 * NSEC_PER_MSEC);
		profile_print(look_for, &here);
	}
	profile_free();
	kcheck(here.found);
}

KTEST(latency_catches_interrupts_off)
{
	struct search here = { .words = { "spin_without_interrupts+" } };
	bool was_on = latency_enabled();

	latency_enable(true);
	for (unsigned int i = 0; i < 20 && !here.found; i++) {
		/* Longer each time: on a busy host another CPU's section may have been stretched. */
		latency_reset();
		spin_without_interrupts((5 + 5 * i) * NSEC_PER_MSEC);
		latency_print(look_for, &here);
	}
	latency_enable(was_on);
	latency_reset();
	kcheck(here.found);
}

static void __noinline
spin_without_preemption(uint64_t ns)
{
	preempt_disable();
	spin_in_the_kernel(ns);
	preempt_enable();
}

KTEST(latency_catches_preemption_off)
{
	struct search here = { .words = { "spin_without_preemption+" } };
	bool was_on = latency_enabled();

	latency_enable(true);
	for (unsigned int i = 0; i < 20 && !here.found; i++) {
		latency_reset();
		spin_without_preemption((5 + 5 * i) * NSEC_PER_MSEC);
		latency_print(look_for, &here);
	}
	latency_enable(was_on);
	latency_reset();
	kcheck(here.found);
}
