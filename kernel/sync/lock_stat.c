/* SPDX-License-Identifier: MIT */
/*
 * lock_stat.c - statistics of locks, by class and by the place that takes them.
 *
 * The locks call here only while trace_on says so: when they have one, with how long they waited, and
 * before they give it back. Spinlocks are held by a CPU, sleeping locks by a thread; there lies a short
 * list of what is held and since when, so that locks themselves need no room for it. A hold whose
 * beginning was not seen, or that did not fit the list, is not measured.
 *
 * Each CPU counts into a table of its own: a line per class, and a hash table of sites (class and
 * caller). Interrupts are off for an update, so nothing is lost; a reader adds the CPUs up and may see
 * an update half done, which the next reading mends.
 *
 * Locks: stat_lock (SLEEP_LEAF) for the switches and against the tables going away under a reader.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/lock_stat.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/thread.h>
#include <tessera/trace.h>

#include "sync.h"

#define SITES     512u
#define SITES_TOP 4u

struct stats {
	uint64_t acquired, contended;
	uint64_t wait, wait_max, hold, hold_max; /* ns */
};

struct site {
	vaddr_t pc; /* 0: free */
	uint32_t class;
	struct stats stats;
};

/* [i] its CPU */
struct table {
	struct stats class[LOCK_CLASS_COUNT];
	struct site site[SITES];
	uint64_t no_room; /* acquisitions from sites that did not fit */
	struct lock_stat_held holds; /* spinlocks */
};

static struct mutex stat_lock = MUTEX_INIT(stat_lock, SLEEP_LEAF);
static struct table *tables[MAX_CPUS];              /* [a] */
static uint32_t generation;                         /* [a] bumped by each switching on */

/* --- counting: interrupts off ---------------------------------------------------------------------- */

static struct site *
find_site(struct table *t, uint32_t class, vaddr_t pc)
{
	uint32_t at = (uint32_t)((pc * 0x9e3779b97f4a7c15ull) >> 40) + class;

	for (uint32_t i = 0; i < 16; i++) {
		struct site *s = &t->site[(at + i) % SITES];

		if (s->pc == pc && s->class == class)
			return s;
		if (!s->pc) {
			s->class = class;
			WRITE_ONCE(s->pc, pc);
			return s;
		}
	}
	return NULL;
}

static void
count_wait(struct stats *s, bool contended, uint64_t waited)
{
	s->acquired++;
	if (contended) {
		s->contended++;
		s->wait += waited;
		s->wait_max = MAX(s->wait_max, waited);
	}
}

static void
count_hold(struct stats *s, uint64_t held)
{
	s->hold += held;
	s->hold_max = MAX(s->hold_max, held);
}

static struct lock_stat_held *
holds_of(struct table *t, struct cpu *c, bool sleeping)
{
	struct lock_stat_held *h = sleeping && c->current ? &c->current->lock_holds : &t->holds;
	uint32_t present = atomic_load_relaxed(&generation);

	if (h->generation != present) {
		h->generation = present;
		h->count = 0;
	}
	return h;
}

void __noinline
lock_stat_acquired(const void *lock, uint16_t class, bool sleeping, vaddr_t pc, bool contended,
		   uint64_t waited)
{
	uint64_t flags = arch_irq_save_quiet();
	struct cpu *c = this_cpu();
	struct table *t = atomic_load(&tables[c->id]);

	if (t && class < LOCK_CLASS_COUNT) {
		struct lock_stat_held *h = holds_of(t, c, sleeping);
		struct site *s = find_site(t, class, pc);

		count_wait(&t->class[class], contended, waited);
		if (s)
			count_wait(&s->stats, contended, waited);
		else
			t->no_room++;
		if (h->count < LOCK_STAT_HELD) {
			h->entry[h->count].lock = lock;
			h->entry[h->count].site = pc;
			h->entry[h->count].class = class;
			h->entry[h->count].since = arch_clock_ns();
			h->count++;
		}
	}
	arch_irq_restore_quiet(flags);
}

void __noinline
lock_stat_released(const void *lock, uint16_t class, bool sleeping)
{
	uint64_t flags = arch_irq_save_quiet();
	struct cpu *c = this_cpu();
	struct table *t = atomic_load(&tables[c->id]);
	struct lock_stat_held *h = t ? holds_of(t, c, sleeping) : NULL;

	for (uint32_t i = h ? h->count : 0; i-- > 0; ) {
		uint64_t held;
		struct site *s;

		if (h->entry[i].lock != lock || h->entry[i].class != class)
			continue;
		held = arch_clock_ns() - h->entry[i].since;
		s = find_site(t, class, h->entry[i].site);
		count_hold(&t->class[class], held);
		if (s)
			count_hold(&s->stats, held);
		for (h->count--; i < h->count; i++)
			h->entry[i] = h->entry[i + 1];
		break;
	}
	arch_irq_restore_quiet(flags);
}

/* --- switches -------------------------------------------------------------------------------------- */

/* stat_lock held. */
static void
free_tables(void)
{
	struct table *old[MAX_CPUS];

	for (uint32_t i = 0; i < MAX_CPUS; i++)
		old[i] = atomic_exchange(&tables[i], NULL);
	trace_synchronize();
	for (uint32_t i = 0; i < MAX_CPUS; i++)
		vfree(old[i]);
}

static int
make_tables(void)
{
	for (uint32_t i = 0; i < cpu_count; i++) {
		struct table *t;

		if (!cpus[i] || tables[i])
			continue;
		t = vmalloc(sizeof(*t));
		if (!t) {
			free_tables();
			return -ENOMEM;
		}
		atomic_store(&tables[i], t);
	}
	return 0;
}

int
lock_stat_enable(bool on)
{
	int error = 0;

	mutex_lock(&stat_lock);
	if (!on) {
		atomic_and(&trace_on, ~TRACE_LOCK_STAT);
	} else if (!(trace_on & TRACE_LOCK_STAT)) {
		error = make_tables();
		if (!error) {
			atomic_add(&generation, 1);
			atomic_or(&trace_on, TRACE_LOCK_STAT);
		}
	}
	mutex_unlock(&stat_lock);
	return error;
}

bool
lock_stat_enabled(void)
{
	return trace_watches(TRACE_LOCK_STAT);
}

void
lock_stat_free(void)
{
	mutex_lock(&stat_lock);
	atomic_and(&trace_on, ~TRACE_LOCK_STAT);
	free_tables();
	mutex_unlock(&stat_lock);
}

static void
clear_here(void *unused)
{
	struct table *t = atomic_load(&tables[this_cpu()->id]);

	if (t)
		memset(t, 0, sizeof(*t));
}

void
lock_stat_reset(void)
{
	uint64_t flags;

	mutex_lock(&stat_lock);
	preempt_disable();
	arch_call_cpus(~0ull, clear_here, NULL);
	flags = arch_irq_save();
	clear_here(NULL);
	arch_irq_restore(flags);
	preempt_enable();
	mutex_unlock(&stat_lock);
}

/* --- report ---------------------------------------------------------------------------------------- */

static void
add_up(struct stats *sum, const struct stats *s)
{
	sum->acquired += s->acquired;
	sum->contended += s->contended;
	sum->wait += s->wait;
	sum->wait_max = MAX(sum->wait_max, s->wait_max);
	sum->hold += s->hold;
	sum->hold_max = MAX(sum->hold_max, s->hold_max);
}

/* All CPUs' tables as one; sites beyond its room count as no_room. */
static void
merge(struct table *sum)
{
	for (uint32_t i = 0; i < MAX_CPUS; i++) {
		const struct table *t = tables[i];

		if (!t)
			continue;
		sum->no_room += t->no_room;
		for (uint32_t k = 0; k < LOCK_CLASS_COUNT; k++)
			add_up(&sum->class[k], &t->class[k]);
		for (uint32_t k = 0; k < SITES; k++) {
			vaddr_t pc = READ_ONCE(t->site[k].pc);
			struct site *s = pc ? find_site(sum, t->site[k].class, pc) : NULL;

			if (s)
				add_up(&s->stats, &t->site[k].stats);
			else
				sum->no_room += t->site[k].stats.acquired;
		}
	}
}

/* Does `a` come before `b` in the report? */
static bool
weightier(const struct stats *a, const struct stats *b)
{
	return a->wait != b->wait ? a->wait > b->wait : a->acquired > b->acquired;
}

static void
print_stats(void (*print)(void *, const char *, ...), void *ctx, const char *name, const struct stats *s)
{
	print(ctx, "%-40s %10lu %9lu %12lu %10lu %12lu %10lu\n", name, s->acquired, s->contended,
	      s->wait / 1000, s->wait_max / 1000, s->hold / 1000, s->hold_max / 1000);
}

/* The weightiest sites of a class; takes them out of the table. */
static void
print_sites(struct table *t, uint32_t class, void (*print)(void *, const char *, ...), void *ctx)
{
	for (uint32_t n = 0; n < SITES_TOP; n++) {
		struct site *best = NULL;
		char where[72], name[80];

		for (uint32_t k = 0; k < SITES; k++) {
			struct site *s = &t->site[k];

			if (s->pc && s->class == class && s->stats.acquired &&
			    (!best || weightier(&s->stats, &best->stats)))
				best = s;
		}
		if (!best)
			return;
		snprintf(name, sizeof(name), "  %s", symbol_format(best->pc - 1, where, sizeof(where)));
		print_stats(print, ctx, name, &best->stats);
		best->stats.acquired = 0;
	}
}

int
lock_stat_print(void (*print)(void *ctx, const char *format, ...), void *ctx)
{
	struct table *sum = vmalloc(sizeof(*sum));

	if (!sum)
		return -ENOMEM;
	mutex_lock(&stat_lock);
	merge(sum);
	mutex_unlock(&stat_lock);
	print(ctx, "%s; times in microseconds; %lu acquisitions from places that found no room\n",
	      lock_stat_enabled() ? "on" : "off", sum->no_room);
	print(ctx, "%-40s %10s %9s %12s %10s %12s %10s\n", "class, and who takes it", "acquired",
	      "contended", "wait-total", "wait-max", "hold-total", "hold-max");
	for (;;) {
		uint32_t best = LOCK_CLASS_COUNT;

		for (uint32_t k = 0; k < LOCK_CLASS_COUNT; k++)
			if (sum->class[k].acquired && (best == LOCK_CLASS_COUNT ||
						       weightier(&sum->class[k], &sum->class[best])))
				best = k;
		if (best == LOCK_CLASS_COUNT)
			break;
		print_stats(print, ctx, lock_class_name(best), &sum->class[best]);
		sum->class[best].acquired = 0;
		print_sites(sum, best, print, ctx);
	}
	vfree(sum);
	return 0;
}
