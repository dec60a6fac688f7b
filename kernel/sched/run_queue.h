/* SPDX-License-Identifier: MIT */
/*
 * run_queue.h - private to sched/: one CPU's run queue and the two classes of threads on it.
 *
 * A thread is *queued* when it is RUNNABLE and belongs to a run queue: either *linked*, waiting in the
 * fair tree or a real-time list, or running as rq->current, which is linked nowhere. The idle thread is
 * never queued.
 *
 * Who may touch a field:  [I] never changes  [q] lock  [a] atomic  [s] this CPU, interrupts off
 */
#ifndef SCHED_RUN_QUEUE_H
#define SCHED_RUN_QUEUE_H

#include <tessera/continuation.h>
#include <tessera/cpu.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/rbtree.h>
#include <tessera/sched.h>
#include <tessera/thread.h>
#include <tessera/time.h>

#define RT_PRIORITIES 100 /* 1 .. 99 are used, Linux's numbers: higher runs first */

/* Scheduling constants, in nanoseconds. */
#define FAIR_LATENCY     (12 * NSEC_PER_MSEC) /* in which every runnable thread gets its turn */
#define FAIR_SLICE_MIN   (1500 * NSEC_PER_USEC)
#define FAIR_WAKE_MARGIN (1500 * NSEC_PER_USEC) /* a woken thread must be this far behind to preempt */
#define FAIR_CREDIT      (FAIR_LATENCY / 2)   /* the most a sleeper gets for its sleep */
#define RR_SLICE         (100 * NSEC_PER_MSEC)
#define SAMPLE_PERIOD    (20 * NSEC_PER_MSEC) /* user or system? asked while a program runs alone */
#define BALANCE_PERIOD   (40 * NSEC_PER_MSEC)
#define OFFER_PERIOD     NSEC_PER_MSEC        /* a thread waits here while another CPU idles */
#define BURST_SHORT      (50 * NSEC_PER_USEC) /* about what waking another CPU costs */
#define BURST_SHORT_GUEST (1000 * NSEC_PER_USEC) /* ... when a hypervisor must wake it first */

#define WEIGHT_NICE_0 1024u
#define WEIGHT_IDLE   3u

struct rt_queue {
	uint64_t bitmap[2];                 /* [q] a bit per list that is not empty */
	struct list list[RT_PRIORITIES];    /* [q] struct thread.run_list */
};

struct fair_queue {
	struct rb_tree tree;                /* [q] struct thread.run_node by vruntime */
	struct thread *first;               /* [q] the leftmost, NULL: none */
	uint64_t min_vruntime;              /* [q] never goes back; new arrivals start near it */
	uint64_t weight;                    /* [q] of all queued fair threads, the running one too */
	uint32_t count;                     /* [q] likewise */
};

/* Exponentially damped averages of the number of queued threads, brought up to date when it changes. */
struct load_average {
	uint64_t next;                      /* [q] end of the present 5 s period */
	uint64_t average[3];                /* [q] 1, 5, 15 minutes; 11 bits of fraction */
};

struct run_queue {
	struct spinlock lock;               /*     class RUN_QUEUE */
	struct cpu *cpu;                    /* [I] */
	struct thread *idle;                /* [I] */
	struct thread *current;             /* [q] written by its CPU */
	uint32_t priority;                  /* [q] current's, 0: not real-time; others read it as a hint */
	uint32_t queued;                    /* [q] threads, the running one too; others read it as a hint */
	bool roam;                          /* [s] ... and to go to another CPU: preempt=random */
	bool yielded;                       /* [q] the running thread asked to be passed over */
	struct rt_queue rt;
	struct fair_queue fair;
	struct timer slice_timer;           /* [s] the tick: end of a slice, or a sample is due */
	deadline_t tick_at;                 /* [q] when slice_timer fires, DEADLINE_NEVER: stopped */
	struct continuation reaper;         /*     thread_reap(), by this CPU's worker */
	struct thread *leaving;             /* [s] runnable, but no longer allowed here; cleared under its lock */
	struct list dead;                   /* [s] struct thread.dead_node: to be freed */
	struct load_average load;
	uint64_t next_balance;              /* [s] */
	uint64_t switches;                  /* [q] */
	uint64_t ticks;                     /* [s] */
	uint64_t pulled, pushed;            /* [q] threads taken from, given to others */
	uint64_t user_ticks, system_ticks;  /* [s] samples of programs' threads */
	uint64_t idle_ns;                   /* [q] up to the last switch from idle */
	uint64_t user_ns, system_ns;        /* [q] as last reported: they never go back */
	uint64_t online_since;              /* [I] */
};

static inline struct run_queue *
cpu_rq(uint32_t cpu_id)
{
	return cpus[cpu_id]->rq;
}

/* FIFO, RR, or one that such a thread waits for. */
static inline uint32_t
rt_priority(const struct thread *t)
{
	return MAX(t->rt_priority, t->inherited_priority);
}

static inline bool
is_rt(const struct thread *t)
{
	return rt_priority(t) != 0;
}

/* run_queue.c. All want rq->lock (assert it) unless they say otherwise. */
void run_queue_init(struct run_queue *rq, struct cpu *c);
/* The lock of the queue `t` belongs to. Interrupts off; THREAD may be held. */
struct run_queue *run_queue_lock_of(struct thread *t);
void run_queue_unlock(struct run_queue *rq);
/* Two queues, in the order of their CPUs. Interrupts off. */
void run_queue_lock_both(struct run_queue *a, struct run_queue *b);
void run_queue_unlock_both(struct run_queue *a, struct run_queue *b);
void run_queue_add(struct run_queue *rq, struct thread *t);     /* becomes queued, not linked */
void run_queue_remove(struct run_queue *rq, struct thread *t);  /* the other way */
void run_queue_link(struct run_queue *rq, struct thread *t, bool front);
void run_queue_unlink(struct run_queue *rq, struct thread *t);
/* Charge the running thread for its time up to now. */
void run_queue_account(struct run_queue *rq, uint64_t now);
/* The thread that should run: the current one or a linked one, which is unlinked. Never NULL. */
struct thread *run_queue_pick(struct run_queue *rq, uint64_t now);
/* `t` has just been linked: should the current one make way, or the tick be armed? */
bool run_queue_should_preempt(struct run_queue *rq, struct thread *t);
/* When the tick must come for the current thread, DEADLINE_NEVER: not. */
deadline_t run_queue_tick(const struct run_queue *rq, uint64_t now);
/* A linked thread that may run on `cpu_id`, the one that waits longest; NULL: none. */
struct thread *run_queue_find_movable(struct run_queue *rq, uint32_t cpu_id);

/* fair.c and realtime.c: the classes. rq->lock held. */
uint32_t fair_weight(const struct thread *t);
uint64_t fair_scale(uint64_t ns, uint32_t weight);  /* run time to virtual run time */
uint64_t fair_slice(const struct fair_queue *q, uint32_t weight);
void fair_add(struct fair_queue *q, struct thread *t, uint64_t now);
void fair_remove(struct fair_queue *q, struct thread *t, uint64_t now);
void fair_link(struct fair_queue *q, struct thread *t);
void fair_unlink(struct fair_queue *q, struct thread *t);
void fair_charge(struct fair_queue *q, struct thread *t, uint64_t ns);
bool fair_preempts(const struct thread *t, const struct thread *current);
void fair_yield(struct fair_queue *q, struct thread *t);
void rt_init(struct rt_queue *q);
void rt_link(struct rt_queue *q, struct thread *t, bool front);
void rt_unlink(struct rt_queue *q, struct thread *t);
uint32_t rt_highest(const struct rt_queue *q);      /* priority, 0: empty */
struct thread *rt_first(const struct rt_queue *q, uint32_t priority);

/* load.c */
void load_update(struct load_average *l, uint32_t queued, uint64_t now);
void load_advance(uint64_t *average, uint64_t decay, uint64_t active, uint64_t periods);

/* balance.c: which CPU. Interrupts off. */
uint32_t balance_choose_cpu(struct thread *t, bool is_new);
bool balance_pull(struct run_queue *rq);            /* idle: take a thread from somebody. No rq lock. */
void balance_tick(struct run_queue *rq, uint64_t now); /* no rq lock */
bool balance_somebody_idle(uint32_t but_cpu);
void balance_note_burst(struct thread *t, uint64_t ns); /* rq->lock: it goes to sleep */
void balance_idle_begin(uint32_t cpu_id);
void balance_idle_end(uint32_t cpu_id);

/* sched.c */
void sched_resched_cpu(struct cpu *c);              /* any context */
/* Queue a RUNNABLE thread that is on no queue. t->lock held (or t not yet known to others). */
void sched_place(struct thread *t, bool is_new);
void sched_tick(struct timer *timer);
uint64_t sched_now(void);

/* thread.c */
void thread_init(void);
struct thread *thread_create_idle(struct cpu *c);   /* NULL: no memory */
void thread_adopt_boot(struct thread *t, struct cpu *c); /* the boot CPU's first context */
void thread_setup(struct thread *t, const char *name);
void thread_list_add(struct thread *t);
void thread_reap(struct continuation *c);           /* free the dead threads of a CPU */
void thread_bury(struct thread *t);                 /* interrupts off: to be freed by the worker */

#endif
