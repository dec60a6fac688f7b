/* SPDX-License-Identifier: MIT */
/*
 * continuation.c - deferred work: each CPU has a queue and a worker thread that runs it.
 *
 *           run_when                 its time, or its queue
 *   IDLE ------------> WAITING -----------------------------> QUEUED ----> runs as IDLE
 *      \______________________________run______________________^
 *
 * A change to QUEUED is made with the worker's lock held and by compare-and-exchange, so only one of
 * timer, wait queue and caller wins. What lost is disarmed by the worker before fn is called; so fn may
 * free or re-post its continuation. While run_when arms the two (ARMING) an event is only noted (CAME):
 * else the first could run fn before the second is armed.
 *
 * Locks: worker->lock (CONTINUATION), below WAIT_QUEUE and TIMER; the worker is woken after it was
 * dropped.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/slab.h>

#include "run_queue.h"

#define SETTLE_ROUNDS 16u

enum continuation_state {
	CONTINUATION_IDLE,
	CONTINUATION_WAITING,
	CONTINUATION_QUEUED,
	CONTINUATION_ARMING, /* run_when is setting up what it will wait for */
	CONTINUATION_CAME,   /* ... and some of it has come already */
};

/* [I] never changes  [w] lock  [m] settle_lock */
struct worker {
	struct spinlock lock;  /*     class CONTINUATION */
	struct list queue;     /* [w] struct continuation.node */
	struct thread *thread; /* [I] NULL until continuation_start_cpu() */
	struct cpu *cpu;       /* [I] */
	uint64_t done;         /* [w] how many have run */
	struct continuation marker; /* [m] the last of those that continuations_settle() waits for */
	bool reached;          /* [a] it has run */
};

static struct worker boot_worker;
static struct mutex settle_lock = MUTEX_INIT(settle_lock, SLEEP_LEAF);
static struct wait_queue markers = WAIT_QUEUE_INIT(markers); /* who waits for a marker */

/* Queue `c` on `w` if its state is `from`. Interrupts are off. */
static bool
post_to(struct worker *w, struct continuation *c, uint32_t from)
{
	bool posted;

	spin_lock(&w->lock);
	posted = atomic_cas(&c->state, &from, CONTINUATION_QUEUED);
	if (posted) {
		c->cpu = w->cpu->id;
		list_add_tail(&w->queue, &c->node);
	}
	spin_unlock(&w->lock);
	if (posted && w->thread)
		thread_wake(w->thread);
	return posted;
}

/* The same on this CPU's worker. Any context. */
static bool
post(struct continuation *c, uint32_t from)
{
	uint64_t flags = arch_irq_save();
	bool posted;

	preempt_disable();
	posted = post_to(this_cpu()->worker, c, from);
	arch_irq_restore(flags);
	preempt_enable();
	return posted;
}

/* What it waited for came. True: it will run because of that. */
static bool
event_came(struct continuation *c)
{
	uint32_t arming = CONTINUATION_ARMING;

	return atomic_cas(&c->state, &arming, CONTINUATION_CAME) || post(c, CONTINUATION_WAITING);
}

static void
timer_came(struct timer *t)
{
	event_came(container_of(t, struct continuation, timer));
}

static bool
queue_woke(struct waiter *w, uint32_t key)
{
	return event_came(container_of(w, struct continuation, waiter));
}

void
continuation_init(struct continuation *c, void (*fn)(struct continuation *c))
{
	*c = (struct continuation){ .fn = fn };
	list_init(&c->node);
	timer_init(&c->timer, timer_came);
	waiter_init(&c->waiter, NULL);
	c->waiter.wake = queue_woke;
}

bool
continuation_run(struct continuation *c)
{
	for (;;) {
		uint32_t state = atomic_load(&c->state);

		if (state == CONTINUATION_QUEUED)
			return false;
		if (post(c, state))
			return true;
	}
}

void
continuation_run_when(struct continuation *c, struct wait_queue *q, deadline_t when)
{
	uint32_t idle = CONTINUATION_IDLE, arming = CONTINUATION_ARMING;

	if (!atomic_cas(&c->state, &idle, CONTINUATION_ARMING))
		panic("continuation %p posted while it waits already", (void *)c);
	if (q)
		waiter_add(q, &c->waiter);
	if (when != DEADLINE_NEVER)
		timer_start(&c->timer, when);
	if (!atomic_cas(&c->state, &arming, CONTINUATION_WAITING))
		post(c, CONTINUATION_CAME);
}

/* Neither the timer nor the wait queue knows `c` afterwards. May wait for a callback. */
static void
disarm(struct continuation *c)
{
	if (c->timer.home)
		timer_cancel(&c->timer);
	waiter_remove(&c->waiter);
}

bool
continuation_cancel(struct continuation *c)
{
	for (;;) {
		uint32_t state = atomic_load(&c->state), cpu = READ_ONCE(c->cpu);
		struct worker *w = cpus[cpu]->worker;
		uint64_t flags;
		bool taken;

		if (state == CONTINUATION_IDLE)
			return false;
		if (state == CONTINUATION_WAITING) {
			if (!atomic_cas(&c->state, &state, CONTINUATION_IDLE))
				continue;
			disarm(c);
			return true;
		}
		flags = spin_lock_irq(&w->lock);
		taken = c->state == CONTINUATION_QUEUED && c->cpu == cpu && !list_is_empty(&c->node);
		if (taken) {
			list_del_init(&c->node);
			atomic_store(&c->state, CONTINUATION_IDLE);
		}
		spin_unlock_irq(&w->lock, flags);
		if (taken) {
			disarm(c);
			return true;
		}
		arch_cpu_relax();
	}
}

static struct continuation *
take(struct worker *w)
{
	uint64_t flags = spin_lock_irq(&w->lock);
	struct continuation *c = list_first(&w->queue, struct continuation, node);

	if (c) {
		list_del_init(&c->node);
		atomic_store(&c->state, CONTINUATION_IDLE);
		w->done++;
	}
	spin_unlock_irq(&w->lock, flags);
	return c;
}

static void
worker_main(void *arg)
{
	struct worker *w = arg;

	for (;;) {
		struct continuation *c;

		wait_prepare(WAIT_UNINTERRUPTIBLE);
		current_thread()->uninterruptible = false;
		c = take(w);
		if (!c) {
			(void)wait_sleep(WAIT_UNINTERRUPTIBLE, DEADLINE_NEVER);
			continue;
		}
		wait_finish();
		disarm(c);
		c->fn(c);
		if (unlikely(current_thread()->held.count))
			panic("a continuation ended while holding %s",
			      lock_class_name(current_thread()->held.entry[0].class));
	}
}

/* --- settling --------------------------------------------------------------------------------- */

static void
marker_ran(struct continuation *c)
{
	atomic_store(&container_of(c, struct worker, marker)->reached, true);
	wake_all(&markers);
}

/* Wait until `w` has run what is queued now. Returns how many it has run in all. */
static uint64_t
settle_worker(struct worker *w)
{
	uint64_t flags, done;

	atomic_store(&w->reached, false);
	flags = arch_irq_save();
	preempt_disable();
	post_to(w, &w->marker, CONTINUATION_IDLE);
	arch_irq_restore(flags);
	preempt_enable();
	wait_event(&markers, atomic_load(&w->reached));
	flags = spin_lock_irq(&w->lock);
	done = w->done;
	spin_unlock_irq(&w->lock, flags);
	return done;
}

void
continuations_settle(void)
{
	uint64_t before = 0, done;

	mutex_lock(&settle_lock);
	for (uint32_t round = 0; round < SETTLE_ROUNDS; round++) {
		done = 0;
		for (uint32_t i = 0; i < cpu_count; i++)
			done += settle_worker(cpus[i]->worker);
		if (done == before + cpu_count)
			break; /* nothing but our markers */
		before = done;
	}
	mutex_unlock(&settle_lock);
}

int
continuation_init_cpu(struct cpu *c)
{
	struct worker *w = c->id == 0 ? &boot_worker : kzalloc(sizeof(*w));

	if (!w)
		return -ENOMEM;
	spin_init(&w->lock, LOCK_CONTINUATION);
	list_init(&w->queue);
	continuation_init(&w->marker, marker_ran);
	w->cpu = c;
	c->worker = w;
	return 0;
}

/* `c` is the CPU that this runs on. What was posted before waits until now. */
void
continuation_start_cpu(struct cpu *c)
{
	struct worker *w = c->worker;
	struct thread *t;
	char name[16];

	snprintf(name, sizeof(name), "worker/%u", c->id);
	t = thread_create_kernel(name, worker_main, w);
	if (!t)
		panic("no memory for the worker of CPU %u", c->id);
	t->affinity.bits = BIT(c->id);
	w->thread = t;
	thread_start(t);
}
