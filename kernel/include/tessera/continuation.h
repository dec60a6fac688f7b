/* SPDX-License-Identifier: MIT */
/*
 * continuation.h - deferred work: small pieces that run to completion on per-CPU worker threads.
 *
 * A continuation may sleep shortly (take mutexes) but must not wait for events: instead it names
 * its successor and the event the successor awaits.
 */
#ifndef TESSERA_CONTINUATION_H
#define TESSERA_CONTINUATION_H

#include <tessera/list.h>
#include <tessera/time.h>
#include <tessera/types.h>
#include <tessera/wait.h>

struct continuation {
	struct list node;                      /* CONTINUATION */
	void (*fn)(struct continuation *c);    /* owner, while idle */
	struct timer timer;                    /* of continuation_run_when */
	struct waiter waiter;                  /* of continuation_run_when */
	uint32_t state;                        /* [a] enum continuation_state: continuation.c */
	uint32_t cpu;                          /* CONTINUATION: whose queue, while queued */
};

void continuation_init(struct continuation *c, void (*fn)(struct continuation *c));
/* Queue for a worker of this CPU. Any context. False: it was queued already. The memory must live
 * until fn starts; fn may free or re-post it. */
bool continuation_run(struct continuation *c);
/* Queue when the time comes, or when `q` is woken, whichever is first (NULL, DEADLINE_NEVER: no). */
void continuation_run_when(struct continuation *c, struct wait_queue *q, deadline_t when);
/* Take it back if it has not begun. True when it will not run; false says nothing of a run that has begun: it may
 * go on, and the continuation must outlive it. */
bool continuation_cancel(struct continuation *c);
/* Wait until every worker has run what was queued, and what that queued: for who counts what is left. Whoever
 * keeps queueing is not waited for. Sleeps. */
void continuations_settle(void);
struct cpu;
int continuation_init_cpu(struct cpu *c); /* before `c` runs; -ENOMEM */
/* On `c` itself, once it schedules: start its worker. What was posted before runs now. */
void continuation_start_cpu(struct cpu *c);

#endif
