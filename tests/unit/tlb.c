/* SPDX-License-Identifier: MIT */
/*
 * tlb.c - a model of several CPUs' translation caches against mm/tlb.c, with PCIDs and without: no
 * access may ever use a translation that was changed and flushed.
 *
 * The real file is compiled here over a made-up machine: CPUs are array elements, page tables are
 * arrays, a TLB is a list of (PCID, page) -> value that forgets only what it is told to, and an
 * interrupt runs at once on the CPU it is for. So the races are not tried, but the bookkeeping of
 * slots, generations and lazy CPUs is, over hundreds of thousands of random steps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In place of <tessera/cpu.h>, <tessera/arch/cpu.h> and <tessera/preempt.h>. */
#define TESSERA_CPU_H
#define TESSERA_ARCH_CPU_H
#define TESSERA_PREEMPT_H
#include <tessera/types.h>

struct address_space;
struct arch_cpu {
	int unused;
};
struct cpu {
	uint32_t id;
	struct address_space *active;
	uint16_t pcid;
};

#define for_each_cpu(c) for ((c) = machine; (c) < machine + cpu_count; (c)++)

static struct cpu machine[MAX_CPUS];
static uint32_t here;
uint32_t cpu_count;
static bool with_pcid;

static struct cpu *
this_cpu(void)
{
	return &machine[here];
}

static inline uint64_t arch_irq_save(void) { return 0; }
static inline void arch_irq_restore(uint64_t flags) {}
static inline void preempt_disable(void) {}
static inline void preempt_enable(void) {}

/* What the locks' inlines name; nothing here takes one. */
static inline uint32_t arch_cpu_id(void) { return here; }
static inline uint64_t arch_irq_save_quiet(void) { return 0; }
static inline void arch_irq_restore_quiet(uint64_t flags) {}
static inline void arch_preempt_count_inc(void) {}
static inline bool arch_preempt_count_dec_and_should_resched(void) { return false; }
static inline void arch_release_inc16(uint16_t *word) { ++*word; }
static inline void schedule_preempted(void) {}

#include "../../kernel/mm/tlb.c"

#define CPUS   5u
#define SPACES 12u
#define PAGES  64u
#define PCIDS  8u
#define NOTHING 0u

struct address_space kernel_space = { .refs = { 1 } };
struct page_table kernel_page_table;

static struct address_space *spaces[SPACES];
static uint32_t contents[SPACES + 1][PAGES];       /* what the tables of a space say */
static uint32_t cached[MAX_CPUS][PCIDS][PAGES];    /* what the TLBs remember */
static uint64_t next_space_id = 1;
static uint32_t seed = 99, next_value = 1;
static struct address_space *resting[MAX_CPUS];     /* by a call of the thread that runs there */
static struct page *const some_table = (struct page *)contents; /* stands for tables that are freed */
static bool tables_go;

static uint32_t
next_random(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

/* --- the machine ------------------------------------------------------------------------------ */

bool
arch_has_pcid(void)
{
	return with_pcid;
}

void
arch_page_table_load(struct page_table *pt, uint16_t pcid, bool flush)
{
	assert_true(with_pcid || (pcid == 0 && flush));
	assert_true(pcid < PCIDS);
	this_cpu()->pcid = pcid;
	if (flush)
		memset(cached[here][pcid], 0, sizeof(cached[here][pcid]));
}

void
arch_tlb_flush_page(vaddr_t va)
{
	if (va / PAGE_SIZE < PAGES)
		cached[here][this_cpu()->pcid][va / PAGE_SIZE] = NOTHING;
}

void
arch_tlb_flush_all(bool global)
{
	if (global)
		memset(cached[here], 0, sizeof(cached[here]));
	else
		memset(cached[here][this_cpu()->pcid], 0, sizeof(cached[here][0]));
}

bool
arch_call_cpus_start(uint64_t mask, void (*fn)(void *), void *arg)
{
	uint32_t self = here;

	for (here = 0; here < cpu_count; here++)
		if (here != self && (mask & BIT(here))) {
			/* Who idles is left alone, but when there will be nothing left to walk. */
			assert_true(fn != flush_remote || tables_go || !tlb_cpus[here].lazy);
			fn(arg);
		}
	here = self;
	return mask & ~BIT(self);
}

void
arch_call_cpus_wait(void)
{
}

void
arch_call_cpus(uint64_t mask, void (*fn)(void *), void *arg)
{
	arch_call_cpus_start(mask, fn, arg);
}

void
arch_page_table_release(struct page *chain)
{
	assert_ptr_equal(chain, tables_go ? some_table : NULL);
}

void
page_put(struct page *p)
{
	fail_msg("no pages in this model");
}

void
panic(const char *format, ...)
{
	fail_msg("panic: %s", format);
	abort();
}

/* --- the model -------------------------------------------------------------------------------- */

static void
make_space(uint32_t s)
{
	spaces[s] = calloc(1, sizeof(struct address_space));
	spaces[s]->id = next_space_id++;
	spaces[s]->tlb_generation = 1;
	ref_init(&spaces[s]->refs);
	for (uint32_t i = 0; i < PAGES; i++)
		contents[s][i] = next_value++;
}

/* The thread that runs on this CPU: another from now on, whatever the old one was doing. */
static void
run_in(struct address_space *as)
{
	resting[here] = NULL;
	address_space_switch(as);
}

/* A call begins to rest, or ends, perhaps after it was made to leave. */
static void
rest_or_not(void)
{
	struct address_space *as = resting[here];

	if (as) {
		resting[here] = NULL;
		tlb_unrest(as);
		assert_ptr_equal(this_cpu()->active, as);
		assert_false(tlb_cpus[here].lazy);
	} else {
		resting[here] = tlb_rest();
		assert_true(!resting[here] || tlb_cpus[here].lazy);
	}
}

/* Threads leave (their CPUs go lazy), then it dies. */
static void
replace_space(uint32_t s)
{
	uint32_t self = here;

	for (here = 0; here < cpu_count; here++)
		if (this_cpu()->active == spaces[s] || resting[here] == spaces[s])
			run_in(NULL);
	here = self;
	tlb_evict(spaces[s]);
	assert_int_equal(spaces[s]->running, 0);
	for (uint32_t i = 0; i < cpu_count; i++)
		assert_ptr_not_equal(machine[i].active, spaces[s]);
	free(spaces[s]);
	make_space(s);
}

static uint32_t
index_of(const struct address_space *as)
{
	for (uint32_t s = 0; s < SPACES; s++)
		if (spaces[s] == as)
			return s;
	return SPACES;
}

/* The running CPU reads a page through its TLB. */
static void
access_page(uint32_t page)
{
	uint32_t s = index_of(this_cpu()->active);
	uint32_t *entry = &cached[here][this_cpu()->pcid][page];

	if (s == SPACES || tlb_cpus[here].lazy)
		return;
	if (*entry == NOTHING)
		*entry = contents[s][page];
	assert_int_equal(*entry, contents[s][page]);
}

/* Some pages of a space change, wherever it runs, and are flushed for together; sometimes tables go with them. */
static void
change(uint32_t s, uint32_t first, uint32_t n)
{
	struct tlb_batch b;

	tables_go = next_random() % 8 == 0;
	tlb_batch_init(&b, spaces[s]);
	for (uint32_t i = first; i < first + n && i < PAGES; i++) {
		contents[s][i] = next_value++;
		tlb_batch_add(&b, i * PAGE_SIZE, PAGE_SIZE, NULL);
	}
	if (tables_go)
		b.tables = some_table;
	tlb_batch_finish(&b);
	for (uint32_t i = 0; i < cpu_count && tables_go; i++)
		assert_false(i != here && machine[i].active == spaces[s] && tlb_cpus[i].lazy);
	tables_go = false;
}

static void
run_model(bool pcid)
{
	with_pcid = pcid;
	cpu_count = CPUS;
	memset(cached, 0, sizeof(cached));
	memset(tlb_cpus, 0, sizeof(tlb_cpus));
	memset(resting, 0, sizeof(resting));
	for (here = 0; here < CPUS; here++) {
		machine[here] = (struct cpu){ .id = here };
		tlb_init_cpu(here);
	}
	here = 0;
	for (uint32_t s = 0; s < SPACES; s++)
		make_space(s);
	for (uint32_t step = 0; step < 400000; step++) {
		uint32_t r = next_random();

		here = next_random() % CPUS;
		switch (r % 16) {
		case 0:
		case 1:
			run_in(spaces[next_random() % SPACES]);
			break;
		case 2:
			run_in(NULL);
			break;
		case 5:
			rest_or_not();
			break;
		case 3:
			change(next_random() % SPACES, next_random() % PAGES,
			       next_random() % 8 ? 1 + next_random() % 4 : PAGES);
			break;
		case 4:
			if (next_random() % 64 == 0)
				replace_space(next_random() % SPACES);
			break;
		default:
			access_page(next_random() % PAGES);
		}
		for (uint32_t i = 0; i < CPUS; i++)
			if (index_of(machine[i].active) != SPACES)
				assert_true(machine[i].active->running & BIT(i));
	}
	for (uint32_t s = 0; s < SPACES; s++) {
		replace_space(s);
		free(spaces[s]);
	}
}

static void
test_no_stale_translation_with_pcid(void **unused)
{
	struct tlb_counters sum;

	run_model(true);
	tlb_counters(&sum);
	assert_true(sum.switches_without_flush > 0);
	assert_true(sum.interrupts_avoided > sum.interrupts_sent);
}

static void
test_no_stale_translation_without_pcid(void **unused)
{
	run_model(false);
}

static void
test_switch_back_flushes_nothing(void **unused)
{
	uint64_t before;

	with_pcid = true;
	cpu_count = 1;
	here = 0;
	memset(tlb_cpus, 0, sizeof(tlb_cpus));
	machine[0] = (struct cpu){ .id = 0 };
	tlb_init_cpu(0);
	make_space(0);
	make_space(1);
	address_space_switch(spaces[0]);
	address_space_switch(spaces[1]);
	before = tlb_cpus[0].count.flush_local_all;
	for (int i = 0; i < 10; i++) {
		address_space_switch(spaces[0]);
		address_space_switch(spaces[1]);
	}
	assert_int_equal(tlb_cpus[0].count.flush_local_all, before);
	assert_int_equal(tlb_cpus[0].count.switches_without_flush, 20);
	/* A change while it is away costs one flush when it returns. */
	change(0, 3, 1);
	assert_int_equal(tlb_cpus[0].count.flush_local_pages, 0);
	address_space_switch(spaces[0]);
	assert_int_equal(tlb_cpus[0].count.flush_local_all, before + 1);
	address_space_switch(&kernel_space);
	free(spaces[0]);
	free(spaces[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_stale_translation_with_pcid),
		cmocka_unit_test(test_no_stale_translation_without_pcid),
		cmocka_unit_test(test_switch_back_flushes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
