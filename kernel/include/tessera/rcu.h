/* SPDX-License-Identifier: MIT */
/*
 * rcu.h - reading without a lock what others change (read, copy, update).
 *
 * A reader brackets its reads by rcu_read_lock() and rcu_read_unlock(): what it can find in between
 * stays allocated until it has left. Who takes an object out of the structure frees it by
 * rcu_free(). What a reader finds may have been taken out already; whether that matters is the
 * structure's business: take a reference that is refused when the object is dead, or compare a
 * sequence count afterwards.
 *
 * A reader does not sleep and is not preempted. Interrupt handlers are no readers.
 * kernel/sync/rcu.c is how.
 */
#ifndef TESSERA_RCU_H
#define TESSERA_RCU_H

#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/preempt.h>
#include <tessera/types.h>

/* In what is freed by rcu_free(); its memory may serve something else until then. */
struct rcu_head {
	struct rcu_head *next;
	void (*fn)(struct rcu_head *h);
};

extern uint64_t rcu_epoch; /* [a] never 0 */

/* Readers nest. The exchange is a full barrier: what is read later was not read before it. */
static inline void
rcu_read_lock(void)
{
	struct cpu *c;

	preempt_disable();
	c = this_cpu();
	if (c->rcu_depth++ == 0)
		(void)atomic_exchange(&c->rcu_active, atomic_load_relaxed(&rcu_epoch));
}

static inline void
rcu_read_unlock(void)
{
	struct cpu *c = this_cpu();

	if (--c->rcu_depth == 0)
		atomic_store_release(&c->rcu_active, 0);
	preempt_enable();
}

/* For assertions. */
static inline bool
rcu_reading(void)
{
	return arch_preempt_count() > 0 && this_cpu()->rcu_depth > 0;
}

/*
 * Call `fn(h)` when everybody who reads now has left. `h` lies in an object that nobody can find
 * any more. Any context. `fn` frees memory and nothing else: it runs on any thread, under whatever
 * locks that thread holds when it looks for memory; so it does not call rcu_barrier() either, which
 * would wait for itself.
 */
void rcu_free(struct rcu_head *h, void (*fn)(struct rcu_head *h));

/* Free what can be freed now. The number of objects. Any context in which memory may be freed. */
size_t rcu_reclaim(void);

/* Wait until all that was given to rcu_free() before has been freed, by whomever; some of what is
 * given to it meanwhile may be waited for as well. Sleeps, not to be interrupted. */
void rcu_barrier(void);

/* Objects that wait to be freed. */
size_t rcu_waiting(void);

struct cpu;
void rcu_init_cpu(struct cpu *c); /* before `c` runs */

#endif
