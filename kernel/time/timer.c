/* SPDX-License-Identifier: MIT */
/*
 * timer.c - one-shot timers: a red-black tree per CPU over the machine's one-shot timer.
 *
 * There is no periodic tick. Each CPU's hardware timer is set for its earliest timer and not at all
 * when it has none, so an idle CPU sleeps until something is due. A cancelled timer leaves the
 * hardware armed: one early interrupt is cheaper than programming it twice for every wait that ends
 * before its deadline, which most do.
 *
 * A timer is on the queue `cpu`, or on none (NULL); `home` is the last queue it was on and changes only
 * while it is on none. Callbacks run with interrupts off and without the queue's lock:
 *
 *	(1) the interrupt takes a due timer off the queue and notes it in queue->running
 *	(2) drops the lock and calls it; the timer may re-arm itself, or be freed
 *	(3) takes the lock and clears running, without looking at the timer again
 *
 * timer_cancel() waits until its timer's home no longer says (1), so after it nobody uses the timer. A
 * timer that is started while another CPU is between (1) and (3) with it goes onto that CPU's queue: on
 * this one's, its home would be this CPU, and a cancel would look for the callback in the wrong place.
 * The other CPU arms its hardware behind (3), so nobody has to tell it.
 *
 * Locks: queue->lock (TIMER), one at a time.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/time.h>
#include <tessera/trace.h>

#include "timer_queue.h"

static struct timer_queue boot_queue;

void
timer_init(struct timer *t, void (*fn)(struct timer *))
{
	*t = (struct timer){ .fn = fn };
}

/* Timers due at the same time fire in the order they were started. */
static void
insert(struct timer_queue *q, struct timer *t)
{
	struct rb_node **link = &q->tree.root, *parent = NULL;
	bool first = true;

	while (*link) {
		parent = *link;
		if (t->when < container_of(parent, struct timer, node)->when) {
			link = &parent->left;
		} else {
			link = &parent->right;
			first = false;
		}
	}
	rb_insert(&q->tree, &t->node, parent, link);
	if (first)
		q->first = t;
	t->cpu = q->cpu;
}

static void
erase(struct timer_queue *q, struct timer *t)
{
	if (q->first == t)
		q->first = rb_entry(rb_next(&t->node), struct timer, node);
	rb_erase(&q->tree, &t->node);
	t->cpu = NULL;
}

/* Have the hardware fire no later than the first timer. This CPU's queue, its lock held. */
static void
arm(struct timer_queue *q)
{
	if (q->first && q->first->when < q->armed) {
		q->armed = q->first->when;
		arch_timer_arm(q->armed);
	}
}

/*
 * Take `t` off whatever queue it is on. True if it was on one. *running tells whether its callback is
 * running at this moment.
 */
static bool
detach(struct timer *t, bool *running)
{
	for (;;) {
		struct cpu *home = atomic_load(&t->home);
		struct timer_queue *q;
		uint64_t flags;
		bool armed;

		*running = false;
		if (!home)
			return false;
		q = home->timers;
		flags = spin_lock_irq(&q->lock);
		if (t->home != home) {
			spin_unlock_irq(&q->lock, flags);
			continue;
		}
		armed = t->cpu != NULL;
		if (armed)
			erase(q, t);
		*running = q->running == t;
		spin_unlock_irq(&q->lock, flags);
		return armed;
	}
}

/* Take `t` off its queue. If another CPU runs its callback: put it onto that CPU's queue, due at `when`. */
static bool
start_at_home(struct timer *t, deadline_t when)
{
	struct cpu *home = t->home;
	struct timer_queue *q;
	bool there;

	if (!home)
		return false;
	q = home->timers;
	spin_lock(&q->lock);
	if (t->cpu)
		erase(q, t);
	there = q->running == t && home != this_cpu();
	if (there) {
		t->when = when;
		insert(q, t);
	}
	spin_unlock(&q->lock);
	return there;
}

/* Who starts a timer sees to it that nobody else does at that moment; its callback may run. */
void
timer_start(struct timer *t, deadline_t when)
{
	uint64_t flags = arch_irq_save();
	struct timer_queue *q;

	preempt_disable();
	if (start_at_home(t, when))
		goto out;
	q = this_cpu()->timers;
	spin_lock(&q->lock);
	assert(!t->cpu);
	t->when = when;
	atomic_store(&t->home, q->cpu);
	insert(q, t);
	arm(q);
	spin_unlock(&q->lock);
out:
	arch_irq_restore(flags);
	preempt_enable();
}

bool
timer_cancel(struct timer *t)
{
	bool armed = false, running;

	for (;;) {
		armed |= detach(t, &running);
		if (!running)
			return armed;
		arch_cpu_relax();
	}
}

/* The machine's timer fired: run what is due, arm for the next. Interrupts off. */
void
timer_interrupt(void)
{
	struct timer_queue *q = this_cpu()->timers;
	struct timer *t;

	spin_lock(&q->lock);
	q->armed = DEADLINE_NEVER;
	q->interrupts++;
	while ((t = q->first) != NULL && t->when <= arch_clock_ns()) {
		void (*fn)(struct timer *) = t->fn;

		trace_timer_fire((vaddr_t)fn, arch_clock_ns() - t->when);
		erase(q, t);
		q->running = t;          /* (1) */
		q->fired++;
		spin_unlock(&q->lock);
		fn(t);                   /* (2) */
		spin_lock(&q->lock);
		q->running = NULL;       /* (3) */
	}
	/* A callback may have armed for a timer that has been cancelled since. */
	if (q->first) {
		q->armed = q->first->when;
		arch_timer_arm(q->armed);
	}
	spin_unlock(&q->lock);
}

int
time_init_cpu(struct cpu *c)
{
	struct timer_queue *q = c->id == 0 ? &boot_queue : kzalloc(sizeof(*q));

	if (!q)
		return -ENOMEM;
	spin_init(&q->lock, LOCK_TIMER);
	q->cpu = c;
	q->armed = DEADLINE_NEVER;
	c->timers = q;
	return 0;
}

uint64_t
timer_interrupt_count(uint32_t cpu_id)
{
	const struct timer_queue *q = cpus[cpu_id]->timers;

	return READ_ONCE(q->interrupts);
}

#define DUMP_MAX 200

static void
dump_queue(const struct timer_queue *q)
{
	uint64_t now = arch_clock_ns();
	struct rb_node *n = rb_first(&q->tree);
	char name[64];

	for (unsigned int i = 0; n && i < DUMP_MAX; n = rb_next(n), i++) {
		const struct timer *t = container_of(n, struct timer, node);
		int64_t left = (int64_t)(t->when - now) / (int64_t)NSEC_PER_USEC;

		pr_info("  timer %p in %ld us: %s\n", (const void *)t, left,
			symbol_format((vaddr_t)t->fn, name, sizeof(name)));
	}
}

/* Takes no locks: for a machine that hangs. */
void
timer_dump(void)
{
	struct cpu *c;

	for_each_cpu (c) {
		const struct timer_queue *q = c->timers;
		const struct timer *first;

		if (!q)
			continue;
		first = READ_ONCE(q->first);
		pr_info("cpu %u timers: %lu interrupts, %lu fired, first %p at %lu, armed for %lu\n",
			c->id, q->interrupts, q->fired, (const void *)first,
			first ? first->when : 0, q->armed);
		dump_queue(q);
	}
}
