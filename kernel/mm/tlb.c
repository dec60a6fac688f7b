/* SPDX-License-Identifier: MIT */
/*
 * tlb.c - keeping translation caches true at the least cost.
 *
 * Terms. A CPU's TLB tags translations with a PCID. Each CPU has TLB_SLOTS of them; a slot says
 * which address space it holds (by its never reused id) and the generation up to which its
 * translations are true. An address space's tlb_generation is bumped by every change that could
 * make a cached translation wrong. as->running has a bit for every CPU that has the space loaded.
 *
 * Who changes page tables:
 *	(1) changes the entries, under page_table_lock
 *	(2) bumps as->tlb_generation             (atomic read-modify-write: full barrier)
 *	(3) reads as->running, interrupts the others in it, flushes here meanwhile, waits for them
 *	(4) frees the pages
 * Who loads a space:
 *	(5) sets its bit in as->running          (atomic read-modify-write: full barrier)
 *	(6) reads as->tlb_generation, flushes the slot if that holds an older one
 *	(7) loads the page table; clears its bit in the old space's running
 *
 * Either (3) sees the bit of (5), and this CPU gets the interrupt, or (6) sees the generation of
 * (2), and this CPU flushes by itself; both barriers are needed, they are each other's partner.
 * After (7) the old space's translations stay in their slot, known to be true up to the slot's
 * generation.
 *
 * A request carries the generation it made. The receiver compares: seen already: nothing to do. The
 * very next one: flush just the range. Otherwise one was missed or is still on its way: flush the
 * slot whole, up to the generation read before the flush.
 *
 * A space is loaded only while somebody refers to it: for a thread of a program that is its process, until
 * it has left that (sched.c, space_of()). One that were loaded behind tlb_evict() would be freed under the
 * CPU; and when the next space came to lie at its address, (5) to (7) would be skipped and a program run on
 * freed tables.
 *
 * Kernel threads and idle CPUs keep what was loaded (lazy): nothing there uses the program's addresses. Such a
 * CPU is not interrupted; to wake one that is halted costs more than all the flush. Who comes back to the space
 *	(8) says that it is not lazy any more    (atomic exchange: full barrier)
 *	(9) does (6)
 * and (3) asks, after (2), who is lazy: either it sees (8), or (9) sees the generation of (2).
 *
 * A thread that is in the midst of a call which uses no address of the program rests (tlb_rest()): it is lazy in its
 * own space, and comes back by (8) and (9) when the call is done. So is one that waits in (3) for the others:
 * two who flush at once need not interrupt each other. What a lazy CPU itself changes it flushes by
 * itself at once, so that its generation keeps up if nobody else changed anything.
 *
 * Page-table frames are freed as pages are, after the flush: a CPU may be walking them, and one
 * INVLPG drops all cached upper entries of the PCID. A lazy CPU may walk them too, as processors guess
 * ahead: when tables go it is interrupted as the others are, and leaves the space.
 *
 * Interrupts are off wherever a slot is looked at.
 */
#include <tessera/cpu.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/trace.h>

#include "mm.h"

#define TLB_SLOTS      6u
#define FLUSH_PAGES_MAX 32u

struct tlb_slot {
	uint64_t as_id;       /* 0: empty */
	uint64_t generation;
};

/* [i] this CPU, interrupts off; counters are read by anybody; [a] the same, and others ask */
struct tlb_cpu {
	struct tlb_slot slot[TLB_SLOTS]; /* [i] slot i has PCID i + 1 */
	uint32_t current;                /* [i] slot of the loaded space */
	uint32_t hand;                   /* [i] next slot to be given away */
	bool lazy;                       /* [a] nobody here runs in what is loaded */
	struct tlb_counters count;       /* [i] */
} __aligned(64);

struct flush_request {
	struct address_space *as; /* NULL: the kernel's half */
	vaddr_t start, end;
	size_t step;
	uint64_t generation;
};

static struct tlb_cpu tlb_cpus[MAX_CPUS];

static inline struct tlb_cpu *
this_tlb(void)
{
	return &tlb_cpus[this_cpu()->id];
}

/* --- loading ---------------------------------------------------------------------------------- */

static void
leave_to_kernel(struct cpu *c, struct tlb_cpu *t)
{
	struct address_space *old = c->active;

	arch_page_table_load(&kernel_page_table, 0, !arch_has_pcid());
	c->active = &kernel_space;
	WRITE_ONCE(t->lazy, false);
	if (!arch_has_pcid())
		t->slot[0].as_id = 0;
	if (old)
		atomic_and(&old->running, ~BIT(c->id)); /* (7): `old` may be freed now */
}

/* Back from idling or a kernel thread to the space that is still loaded. */
static void
come_back(struct tlb_cpu *t, struct address_space *as)
{
	struct tlb_slot *s = &t->slot[t->current];
	uint64_t generation;

	if (!atomic_exchange(&t->lazy, false))            /* (8) */
		return;
	generation = atomic_load(&as->tlb_generation);    /* (9) */
	if (s->generation == generation)
		return;
	arch_tlb_flush_all(false);
	trace_tlb_flush_all(false);
	t->count.flush_local_all++;
	s->generation = generation;
}

void
address_space_switch(struct address_space *as)
{
	struct cpu *c = this_cpu();
	struct tlb_cpu *t = this_tlb();
	struct address_space *old = c->active;
	uint64_t generation;
	uint32_t i;
	bool flush;

	if (!as) {
		WRITE_ONCE(t->lazy, old && old != &kernel_space);
		return;
	}
	if (as == old) {
		come_back(t, as);
		return;
	}
	WRITE_ONCE(t->lazy, false); /* before (5): who sees the bit sees this */
	t->count.switches++;
	if (as == &kernel_space) {
		leave_to_kernel(c, t);
		return;
	}

	assert(ref_count(&as->refs) > 0);
	atomic_or(&as->running, BIT(c->id));              /* (5) */
	generation = atomic_load(&as->tlb_generation);    /* (6) */
	if (!arch_has_pcid()) {
		i = 0;
		flush = true;
	} else {
		for (i = 0; i < TLB_SLOTS; i++)
			if (t->slot[i].as_id == as->id)
				break;
		flush = i == TLB_SLOTS || t->slot[i].generation != generation;
		if (i == TLB_SLOTS) {
			i = t->hand;
			t->hand = (t->hand + 1) % TLB_SLOTS;
		}
	}
	t->slot[i] = (struct tlb_slot){ as->id, generation };
	t->current = i;
	if (flush)
		t->count.flush_local_all++;
	else
		t->count.switches_without_flush++;
	arch_page_table_load(&as->page_table, arch_has_pcid() ? (uint16_t)(i + 1) : 0, flush);
	c->active = as;
	if (old && old != &kernel_space)
		atomic_and(&old->running, ~BIT(c->id));   /* (7) */
}

struct address_space *
tlb_rest(void)
{
	uint64_t irq = arch_irq_save();
	struct cpu *c = this_cpu();
	struct tlb_cpu *t = this_tlb();
	struct address_space *as = c->active;

	if (!as || as == &kernel_space || t->lazy || !(atomic_load_relaxed(&as->running) & ~BIT(c->id)))
		as = NULL;
	else
		WRITE_ONCE(t->lazy, true);
	arch_irq_restore(irq);
	return as;
}

/* If it was made to leave meanwhile, the space is loaded again. */
void
tlb_unrest(struct address_space *as)
{
	uint64_t irq = arch_irq_save();

	address_space_switch(as);
	arch_irq_restore(irq);
}

/* --- flushing --------------------------------------------------------------------------------- */

static void
flush_range(struct tlb_cpu *t, const struct flush_request *r, bool global)
{
	if ((r->end - r->start) / r->step > FLUSH_PAGES_MAX) {
		arch_tlb_flush_all(global);
		trace_tlb_flush_all(global);
		t->count.flush_local_all++;
		return;
	}
	trace_tlb_flush_range(r->start, r->end);
	for (vaddr_t va = r->start; va < r->end; va += r->step) {
		arch_tlb_flush_page(va);
		t->count.flush_local_pages++;
	}
}

/* Bring this CPU up to a request, interrupts off. */
static void
flush_here(const struct flush_request *r)
{
	struct cpu *c = this_cpu();
	struct tlb_cpu *t = this_tlb();
	struct tlb_slot *s = &t->slot[t->current];
	uint64_t now;

	if (!r->as) {
		flush_range(t, r, true);
		return;
	}
	if (c->active != r->as) {
		/* It left meanwhile; (6) will see the generation when it comes back. */
		t->count.flush_deferred++;
		trace_tlb_deferred(false);
		return;
	}
	if (s->generation >= r->generation)
		return;
	if (s->generation + 1 == r->generation) {
		flush_range(t, r, false);
		s->generation = r->generation;
		return;
	}
	now = atomic_load(&r->as->tlb_generation);
	arch_tlb_flush_all(false);
	trace_tlb_flush_all(false);
	t->count.flush_local_all++;
	s->generation = now;
}

/* The interrupt. */
static void
flush_remote(void *arg)
{
	const struct flush_request *r = arg;
	struct cpu *c = this_cpu();
	struct tlb_cpu *t = this_tlb();

	t->count.interrupts_taken++;
	if (!r->as || c->active != r->as || !t->lazy) {
		flush_here(r);
		return;
	}
	trace_tlb_deferred(true);
	leave_to_kernel(c, t);
	t->count.flush_deferred++;
}

static void
flush(struct flush_request *r, uint64_t mask)
{
	struct address_space *resting;
	uint64_t irq;
	bool others;

	others = arch_call_cpus_start(mask, flush_remote, r);
	irq = arch_irq_save();
	flush_here(r);
	arch_irq_restore(irq);
	if (!others)
		return;
	resting = tlb_rest();
	arch_call_cpus_wait();
	if (resting)
		tlb_unrest(resting);
}

/* (3): who has to hear of a change of `as`. With `tables`, some of them will be freed. */
static uint64_t
cpus_to_tell(const struct address_space *as, bool tables)
{
	uint64_t mask = atomic_load(&as->running), told = mask;

	if (tables)
		return mask;
	for (uint32_t i = 0; mask; i++, mask >>= 1)
		if ((mask & 1) && atomic_load(&tlb_cpus[i].lazy))
			told &= ~BIT(i);
	return told;
}

/* GCC turns its builtin into a call of its own library, which a kernel does not link. */
static uint64_t
count_bits(uint64_t mask)
{
	uint64_t n = 0;

	for (; mask; mask &= mask - 1)
		n++;
	return n;
}

void
tlb_batch_init(struct tlb_batch *b, struct address_space *as)
{
	b->as = as;
	b->start = UINT64_MAX;
	b->end = 0;
	b->huge = false;
	b->flush = false;
	b->count = 0;
	b->tables = NULL;
}

bool
tlb_batch_hold(struct tlb_batch *b, struct page *p)
{
	this_tlb()->count.flush_avoided_unused++;
	if (p)
		b->pages[b->count++] = p;
	return b->count == TLB_BATCH_PAGES;
}

bool
tlb_batch_add(struct tlb_batch *b, vaddr_t va, size_t size, struct page *p)
{
	b->flush = true;
	if (size != PAGE_SIZE)
		b->huge = true;
	b->start = MIN(b->start, va);
	b->end = MAX(b->end, va + size);
	if (p)
		b->pages[b->count++] = p;
	return b->count == TLB_BATCH_PAGES;
}

void
tlb_batch_finish(struct tlb_batch *b)
{
	struct address_space *as = b->as;

	if (b->flush) {
		struct flush_request r = {
			.as = as, .start = b->start, .end = b->end,
			/* One INVLPG flushes a whole large page; mixed ranges go by the small
			 * step. */
			.step = b->huge && IS_ALIGNED(b->start | b->end, HUGE_PAGE_SIZE)
					? HUGE_PAGE_SIZE : PAGE_SIZE,
		};
		struct tlb_cpu *t;
		uint64_t mask, sent;

		preempt_disable();
		t = this_tlb();
		r.generation = atomic_add_fetch(&as->tlb_generation, 1); /* (2) */
		mask = cpus_to_tell(as, b->tables != NULL);              /* (3) */
		sent = count_bits(mask & ~BIT(this_cpu()->id));
		t->count.flush_requests++;
		t->count.interrupts_sent += sent;
		if (cpu_count > 0)
			t->count.interrupts_avoided +=
				cpu_count - 1 - MIN(sent, (uint64_t)cpu_count - 1);
		t->count.pages_batched += b->count;
		trace_tlb_request(b->start, b->end, mask & ~BIT(this_cpu()->id),
				  cpu_count - 1 - MIN(sent, (uint64_t)cpu_count - 1), b->count);
		flush(&r, mask);
		preempt_enable();
	}
	for (uint32_t i = 0; i < b->count; i++) /* (4) */
		page_put(b->pages[i]);
	arch_page_table_release(b->tables);
	tlb_batch_init(b, as);
}

void
tlb_flush_kernel(vaddr_t start, vaddr_t end)
{
	struct flush_request r = { .start = start, .end = end, .step = PAGE_SIZE };

	if (start >= end)
		return;
	preempt_disable();
	this_tlb()->count.flush_requests++;
	flush(&r, cpu_count < MAX_CPUS ? BIT(cpu_count) - 1 : UINT64_MAX);
	preempt_enable();
}

static void
evict_here(struct address_space *as)
{
	struct cpu *c = this_cpu();

	if (c->active == as)
		leave_to_kernel(c, this_tlb());
}

static void
evict_remote(void *arg)
{
	this_tlb()->count.interrupts_taken++;
	evict_here(arg);
}

/*
 * No CPU may have a page table loaded that is about to be freed. Nobody runs in `as`, so its bits
 * are those of lazy CPUs and maybe of this one, and no new ones appear.
 */
void
tlb_evict(struct address_space *as)
{
	uint64_t mask, irq;

	preempt_disable();
	irq = arch_irq_save();
	evict_here(as);
	arch_irq_restore(irq);
	mask = atomic_load(&as->running);
	if (mask)
		arch_call_cpus(mask, evict_remote, as);
	preempt_enable();
}

void
tlb_count_upgrade(void)
{
	this_tlb()->count.flush_avoided_upgrade++;
}

void
tlb_counters(struct tlb_counters *sum)
{
	*sum = (struct tlb_counters){ 0 };
	for (uint32_t i = 0; i < MAX_CPUS; i++) {
		const struct tlb_counters *c = &tlb_cpus[i].count;

#define ADD(name, what) sum->name += READ_ONCE(c->name);
		TLB_COUNTERS(ADD)
#undef ADD
	}
}

uint64_t
tlb_interrupts_taken(uint32_t cpu_id)
{
	return READ_ONCE(tlb_cpus[cpu_id].count.interrupts_taken);
}

void
tlb_dump(void)
{
	struct tlb_counters sum;
	struct cpu *c;

	for_each_cpu (c) {
		const struct tlb_cpu *t = &tlb_cpus[c->id];

		pr_info("cpu %u: space %lu loaded%s, slot %u; slots (space:generation)", c->id,
			c->active ? c->active->id : 0, t->lazy ? " lazily" : "", t->current);
		for (uint32_t i = 0; i < TLB_SLOTS; i++)
			if (t->slot[i].as_id)
				pr_info("  %u: %lu:%lu\n", i, t->slot[i].as_id, t->slot[i].generation);
	}
	tlb_counters(&sum);
#define PRINT(name, what) pr_info("%12lu %s\n", sum.name, what);
	TLB_COUNTERS(PRINT)
#undef PRINT
}

/* Call on the CPU itself, before it runs threads: it stands on the kernel's own page table. */
void
tlb_init_cpu(uint32_t cpu_id)
{
	assert(this_cpu()->id == cpu_id);
	this_cpu()->active = &kernel_space;
	for (uint32_t i = 0; i < TLB_SLOTS; i++)
		tlb_cpus[cpu_id].slot[i] = (struct tlb_slot){ 0, 0 };
}
