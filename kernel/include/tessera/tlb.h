/* SPDX-License-Identifier: MIT */
/*
 * tlb.h - keeping translation caches true at the least cost.
 *
 * Every address space has a generation, bumped by each change that needs a flush. Each CPU
 * remembers, per PCID slot, which address space and which generation its TLB has seen. A CPU that
 * has the space loaded gets an interrupt; any other catches up when it next loads it. Unmaps are
 * gathered in a batch: pages are freed only after the batch was flushed.
 *
 * What was never used is in no TLB: a processor sets the accessed bit of a leaf before it remembers
 * what the leaf says (Intel SDM 3A 4.10.2.2; AMD APM 2 5.4.2), so one that is taken out without it
 * needs no flush. Whoever clears that bit has to flush before the leaf may be judged by it; fork.c
 * says how.
 */
#ifndef TESSERA_TLB_H
#define TESSERA_TLB_H

#include <tessera/types.h>

struct address_space;
struct page;

#define TLB_BATCH_PAGES 64

/* On the stack of who unmaps. */
struct tlb_batch {
	struct address_space *as;
	vaddr_t start, end;         /* the range that changed */
	bool huge;
	bool flush;                 /* something in it needs one */
	uint32_t count;
	struct page *tables;        /* chain of arch_page_table_prune(): released after the flush */
	struct page *pages[TLB_BATCH_PAGES]; /* to be put after the flush */
};

void tlb_batch_init(struct tlb_batch *b, struct address_space *as);
/* A leaf at [va, va + size) was removed or lost rights. `p` (may be NULL) loses one reference after
 * the flush. as->page_table_lock may be held; true: the batch is full, finish it soon. */
bool tlb_batch_add(struct tlb_batch *b, vaddr_t va, size_t size, struct page *p);
/* A leaf was removed that no TLB can hold: its page only goes with the batch. As above. */
bool tlb_batch_hold(struct tlb_batch *b, struct page *p);
/* Nothing has to be done for it. */
static inline bool
tlb_batch_is_empty(const struct tlb_batch *b)
{
	return !b->flush && b->count == 0; /* leaves that nobody used need no flush, but their pages wait */
}
/* Flush, then put the pages. No spinlock held, interrupts on. The batch is empty then. */
void tlb_batch_finish(struct tlb_batch *b);
/* Kernel mappings [start, end) were removed: everyone flushes. */
void tlb_flush_kernel(vaddr_t start, vaddr_t end);
void tlb_init_cpu(uint32_t cpu_id);
/* Every CPU that still has the dead space `as` loaded leaves it. No thread runs in it. May wait. */
void tlb_evict(struct address_space *as);
void tlb_count_upgrade(void); /* a right grew: no flush */

/*
 * From tlb_rest() to tlb_unrest(), in a call of a thread on its own space, this CPU uses no address
 * of the program: who changes the space meanwhile sends it no interrupt, and it catches up at the
 * end. Threads that change their space together spend most of their time so, waiting for each
 * other. Sleeping, being preempted and moved to another CPU in between are all right. NULL when
 * there is nobody to rest from; else what tlb_unrest() gets.
 */
struct address_space *tlb_rest(void);
void tlb_unrest(struct address_space *as);

/* /proc/tlb. Summed over CPUs. */
#define TLB_COUNTERS(C)                                                                            \
	C(switches, "address space switches")                                                      \
	C(switches_without_flush, "switches that kept the TLB")                                    \
	C(flush_requests, "changes that needed a flush")                                           \
	C(flush_local_pages, "single pages flushed here")                                          \
	C(flush_local_all, "whole contexts flushed here")                                          \
	C(interrupts_sent, "flush interrupts sent")                                                \
	C(interrupts_avoided, "CPUs that would have got one but do not run in the space")            \
	C(flush_deferred, "flushes left for the next switch")                                      \
	C(interrupts_taken, "flush interrupts taken")                                              \
	C(flush_avoided_upgrade, "rights grown: no flush")                                         \
	C(flush_avoided_unused, "leaves taken out that were never used: no flush")                                         \
	C(pages_batched, "pages freed after a shared flush")
struct tlb_counters {
#define TLB_FIELD(name, what) uint64_t name;
	TLB_COUNTERS(TLB_FIELD)
#undef TLB_FIELD
};
void tlb_counters(struct tlb_counters *sum);
uint64_t tlb_interrupts_taken(uint32_t cpu_id); /* the line TLB of /proc/interrupts */
void tlb_dump(void); /* each CPU's slots, and the counters, to the log; takes no locks */

#endif
