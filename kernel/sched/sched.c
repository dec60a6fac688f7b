/* SPDX-License-Identifier: MIT */
/*
 * sched.c - the switch, wake-ups, preemption and the tick.
 *
 * A thread's state, who changes it, and what keeps a wake-up from being lost:
 *
 *	(1) The thread itself sets SLEEPING or STOPPED (wait.c), tests its condition, and calls
 *	    schedule(). Under its run queue's lock schedule() reads the state once more, and takes the
 *	    thread off the queue only if it still is not RUNNABLE.
 *	(2) A waker holds thread->lock, so there is one at a time. It sets RUNNABLE, then looks, under
 *	    the run queue's lock, whether the thread is queued. If it is, (1) has not happened and will
 *	    find RUNNABLE. If it is not, the waker places it on a queue.
 *	(3) The thread's stack may still be in use, on its way through (4). The waker waits for on_cpu
 *	    to clear; the switching CPU needs no lock that the waker holds to get there.
 *	(4) After the switch, whoever runs next clears on_cpu of who ran before: schedule_finish().
 *	(5) A thread that finds its condition true before it calls schedule() is RUNNABLE by itself, and need
 *	    not wait for a waker in the midst of (2), unless a lock of theirs makes it: it may be asleep again
 *	    by then, and wakes for nothing, or DEAD, which no waker changes, and none places.
 *
 * A thread that is preempted between (1)'s first step and schedule() stays queued whatever its state
 * says: it has yet to test its condition.
 *
 * A runnable thread whose affinity no longer allows this CPU leaves by the same road: taken off the
 * queue in the switch, noted in rq->leaving, placed elsewhere in (4), which clears the note under
 * thread->lock. That may happen between the two steps of (2): a waker that finds the note leaves the
 * placing to (4). Dead threads are freed from (4) on by the CPU's worker.
 *
 * The preempt count is one across the switch and interrupts are off; every thread finds that on return.
 *
 * Locks: thread->lock (THREAD), then a run queue's (RUN_QUEUE). No run queue's lock is held across the
 * switch: on_cpu stands in for it.
 */
#include <tessera/address_space.h>
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/trace.h>

#include "run_queue.h"

static struct run_queue boot_queue;
static struct thread boot_thread; /* CPU 0's idle thread: the context that kernel_main() runs in */
uint64_t sched_online_mask;

uint64_t
sched_now(void)
{
	return arch_clock_ns();
}

void
sched_resched_cpu(struct cpu *c)
{
	struct cpu *here = this_cpu();

	if (atomic_exchange(&c->need_resched, 1) != 0 || c == here)
		return;
	if (here->kicks_held)
		here->kicks |= BIT(c->id);
	else
		arch_kick_cpu(c->id);
}

void
sched_kicks_hold(void)
{
	this_cpu()->kicks_held++;
}

void
sched_kicks_send(void)
{
	struct cpu *here = this_cpu();

	if (--here->kicks_held)
		return;
	for (; here->kicks; here->kicks &= here->kicks - 1)
		arch_kick_cpu((uint32_t)__builtin_ctzll(here->kicks));
}

/* --- the switch ------------------------------------------------------------------------------ */

/* (4): `prev` no longer runs here. Interrupts off. */
static void
finish_switch(struct thread *prev)
{
	struct run_queue *rq = this_cpu()->rq;
	bool dead = atomic_load_relaxed(&prev->state) == THREAD_DEAD;
	bool leaving = rq->leaving == prev;

	/* From here on another CPU may run `prev`, unless it is one of the two. */
	atomic_store_release(&prev->on_cpu, false);
	if (unlikely(leaving)) {
		/* Placed, it may run to its end elsewhere before we are out of its lock. */
		thread_get(prev);
		spin_lock(&prev->lock);
		rq->leaving = NULL;
		sched_place(prev, false);
		spin_unlock(&prev->lock);
		if (ref_put(&prev->refs))
			thread_bury(prev);
	}
	if (unlikely(dead) && ref_put(&prev->refs))
		thread_bury(prev);
}

void
schedule_finish(struct thread *prev)
{
	finish_switch(prev);
	arch_irq_enable();
	preempt_enable();
}

/* Take the running thread off the queue if it sleeps, or may not be here. rq->lock held. */
static void
retire_current(struct run_queue *rq, struct thread *t, bool preempted)
{
	enum thread_state state = atomic_load(&t->state);

	if (!t->queued)
		return;
	if (state != THREAD_RUNNABLE && !preempted) {
		balance_note_burst(t, t->sum_exec_ns - t->burst_start);
		run_queue_remove(rq, t);
	} else if (state == THREAD_RUNNABLE &&
		   unlikely(rq->roam || !(t->affinity.bits & BIT(rq->cpu->id)))) {
		run_queue_remove(rq, t);
		t->roams = rq->roam;
		rq->leaving = t;
	}
}

/* rq->lock held: `prev` stops, `next` starts. */
static void
count_switch(struct run_queue *rq, struct thread *prev, struct thread *next, uint64_t now)
{
	rq->switches++;
	if (prev->queued || rq->leaving == prev)
		prev->involuntary_switches++;
	else
		prev->voluntary_switches++;
	trace_sched_switch(prev->tid, READ_ONCE(prev->state), next->tid, next->name, rq->queued);
	next->run_start = now;
	atomic_store(&next->on_cpu, true);
	rq->current = next;
	WRITE_ONCE(rq->priority, rt_priority(next));
	if (prev == rq->idle)
		balance_idle_end(rq->cpu->id);
}

/*
 * The memory that `t` runs in. NULL: none, whatever is loaded will do; so it is for one that has left its
 * process, whose last thread may be giving the memory back on another CPU.
 */
static struct address_space *
space_of(const struct thread *t)
{
	const struct process *p = t->process;

	if (!p || t->left_process)
		return NULL;
	assert(!t->exiting || p->thread_count == 0);
	return p->as;
}

/* Run whoever should run. Interrupts off, preempt count 1. Returns when the caller runs again. */
static void
switch_thread(bool preempted)
{
	struct cpu *c = this_cpu();
	struct run_queue *rq = c->rq;
	struct thread *prev = c->current, *next;
	struct address_space *as;
	deadline_t tick;
	uint64_t now;
	bool arm;

	assert(arch_preempt_count() == 1);
	spin_lock(&rq->lock);
	/* Before the queue is looked at: a request that comes later is a new one. */
	atomic_store(&c->need_resched, 0);
	now = sched_now();
	run_queue_account(rq, now);
	retire_current(rq, prev, preempted);
	next = run_queue_pick(rq, now);
	rq->yielded = rq->roam = false;
	if (next != prev)
		count_switch(rq, prev, next, now);
	tick = run_queue_tick(rq, now);
	arm = tick < rq->tick_at;
	if (arm)
		rq->tick_at = tick;
	spin_unlock(&rq->lock);

	if (arm)
		timer_start(&rq->slice_timer, tick);
	if (next == prev)
		return;
	if (next->rseq)
		atomic_or(&next->work, WORK_RSEQ);
	as = space_of(next);
	if (config_preempt_random && unlikely(preempt_random_on) && next != rq->idle)
		preempt_random_switch(next);
	address_space_switch(as);
	finish_switch(arch_thread_switch(prev, next));
}

void
schedule(void)
{
	lock_check_sleep();
	do {
		preempt_disable();
		arch_irq_disable();
		switch_thread(false);
		arch_irq_enable();
		preempt_enable_no_resched();
	} while (unlikely(READ_ONCE(this_cpu()->need_resched)));
}

void
schedule_preempted(void)
{
	while (READ_ONCE(this_cpu()->need_resched)) {
		if (!preemptible())
			return;
		preempt_disable();
		arch_irq_disable();
		switch_thread(true);
		arch_irq_enable();
		preempt_enable_no_resched();
	}
}

void
schedule_interrupted(void)
{
	while (READ_ONCE(this_cpu()->need_resched)) {
		preempt_disable();
		switch_thread(true);
		preempt_enable_no_resched();
	}
}

void
sched_yield_thread(void)
{
	preempt_disable();
	arch_irq_disable();
	this_cpu()->rq->yielded = true;
	switch_thread(true);
	arch_irq_enable();
	preempt_enable();
}

/*
 * For preempt=random: as if the tick had ended the slice here, or with `move` as if balancing had sent
 * the thread away. Its state may say that it is about to sleep. Preemptible.
 */
void
sched_yield_here(bool move)
{
	preempt_disable();
	arch_irq_disable();
	this_cpu()->rq->yielded = true;
	this_cpu()->rq->roam = move;
	switch_thread(true);
	arch_irq_enable();
	preempt_enable_no_resched();
}

/* --- waking ------------------------------------------------------------------------------------ */

void
sched_place(struct thread *t, bool is_new)
{
	struct run_queue *rq = cpu_rq(balance_choose_cpu(t, is_new));
	bool preempt;

	spin_lock(&rq->lock);
	run_queue_account(rq, sched_now());
	t->burst_start = t->sum_exec_ns;
	run_queue_add(rq, t);
	run_queue_link(rq, t, false);
	preempt = run_queue_should_preempt(rq, t);
	spin_unlock(&rq->lock);
	if (preempt)
		sched_resched_cpu(rq->cpu);
}

/* (2) and (3), if the state is `from`. t->lock held. */
static bool
wake_locked(struct thread *t, enum thread_state from)
{
	struct run_queue *rq;
	bool placed;

	/* One that found its condition true meanwhile goes on, and may even end: (5). */
	if (!atomic_cas(&t->state, &from, THREAD_RUNNABLE))
		return false;
	cpu_count_one(CPU_COUNTER(wakes));
	trace_sched_wake(t->tid, t->cpu, t->name);
	rq = run_queue_lock_of(t);
	placed = t->queued || rq->leaving == t || atomic_load(&t->state) == THREAD_DEAD;
	run_queue_unlock(rq);
	if (placed)
		return true;
	while (atomic_load(&t->on_cpu))
		arch_cpu_relax();
	sched_place(t, false);
	return true;
}

static bool
wake_from(struct thread *t, enum thread_state from)
{
	uint64_t flags = spin_lock_irq(&t->lock);
	bool asleep = wake_locked(t, from);

	spin_unlock_irq(&t->lock, flags);
	return asleep;
}

bool
thread_wake(struct thread *t)
{
	/* Behind whatever made the condition true; partner: the store of the state in wait_prepare(). */
	memory_barrier();
	if (atomic_load(&t->state) != THREAD_SLEEPING)
		return false;
	return wake_from(t, THREAD_SLEEPING);
}

bool
thread_wake_stopped(struct thread *t)
{
	return wake_from(t, THREAD_STOPPED);
}

void
thread_start(struct thread *t)
{
	uint64_t flags;

	/* Once it is placed another CPU may run it to its end, before we have dropped its lock. */
	thread_get(t);
	thread_list_add(t);
	t->start_time = clock_monotonic_ns();
	flags = spin_lock_irq(&t->lock);
	assert(t->state == THREAD_NEW);
	cpu_count_one(CPU_COUNTER(forks));
	trace_sched_fork(t->tid, t->name);
	atomic_store(&t->state, THREAD_RUNNABLE);
	sched_place(t, true);
	spin_unlock_irq(&t->lock, flags);
	thread_put(t);
}

void
thread_interrupt(struct thread *t, bool fatal)
{
	uint64_t flags;

	memory_barrier();
	flags = spin_lock_irq(&t->lock);
	switch (atomic_load(&t->state)) {
	case THREAD_SLEEPING:
		if (t->wait_mode == WAIT_INTERRUPTIBLE || (t->wait_mode == WAIT_KILLABLE && fatal))
			wake_locked(t, THREAD_SLEEPING);
		break;
	case THREAD_STOPPED:
		if (fatal)
			wake_locked(t, THREAD_STOPPED);
		break;
	default:
		break;
	}
	spin_unlock_irq(&t->lock, flags);
}

/* It may have moved or stopped meanwhile: then it has been, or will go, through the kernel anyway. */
void
thread_kick(struct thread *t)
{
	uint32_t cpu;

	preempt_disable();
	cpu = atomic_load(&t->cpu);
	if (atomic_load(&t->on_cpu) && cpu != this_cpu()->id)
		arch_kick_cpu(cpu);
	preempt_enable();
}

void
thread_exit(void)
{
	struct thread *t = current_thread();

	lock_check_sleep();
	if (unlikely(t->held.count))
		panic("thread %s (tid %d) ends while holding %s", t->name, t->tid,
		      lock_class_name(t->held.entry[0].class));
	if (config_misuse_check && unlikely(t->waiters))
		waiters_left(t, "ends");
	timer_cancel(&t->sleep_timer);
	preempt_disable();
	arch_irq_disable();
	cpu_count_one(CPU_COUNTER(exits));
	trace_sched_exit(t->name);
	atomic_store(&t->state, THREAD_DEAD);
	switch_thread(false);
	panic("a dead thread runs");
}

/* --- the tick ---------------------------------------------------------------------------------- */

/*
 * Was the program in user mode when the tick came? Entries by interrupt leave -1 in orig_rax, system
 * calls their number, faults their error code.
 */
static void
take_sample(struct run_queue *rq, struct thread *t)
{
	if (!t->process)
		return;
	if (arch_user_frame(t)->orig_rax == (uint64_t)-1) {
		t->user_ticks++;
		rq->user_ticks++;
	} else {
		t->system_ticks++;
		rq->system_ticks++;
	}
}

/* rq->slice_timer, in an interrupt. */
void
sched_tick(struct timer *timer)
{
	struct run_queue *rq = container_of(timer, struct run_queue, slice_timer);
	struct thread *t;
	deadline_t next = DEADLINE_NEVER;
	bool expired;
	uint64_t now;

	spin_lock(&rq->lock);
	now = sched_now();
	rq->tick_at = DEADLINE_NEVER;
	rq->ticks++;
	run_queue_account(rq, now);
	t = rq->current;
	take_sample(rq, t);
	expired = rq->queued > 1 && now >= t->slice_end;
	if (!expired) {
		next = run_queue_tick(rq, now);
		rq->tick_at = next;
	}
	spin_unlock(&rq->lock);
	if (expired)
		sched_resched_cpu(rq->cpu);
	else if (next != DEADLINE_NEVER)
		timer_start(timer, next);
	balance_tick(rq, now);
}

/* --- CPUs ---------------------------------------------------------------------------------------- */

static void
queue_of_cpu(struct run_queue *rq, struct cpu *c, struct thread *idle)
{
	run_queue_init(rq, c);
	rq->idle = rq->current = idle;
	c->rq = rq;
	c->idle = idle;
}

static void
go_online(struct cpu *c)
{
	c->rq->online_since = c->idle->run_start = sched_now();
	atomic_or(&sched_online_mask, BIT(c->id));
}

void
sched_init(void)
{
	struct cpu *c = this_cpu();

	thread_init();
	thread_adopt_boot(&boot_thread, c);
	queue_of_cpu(&boot_queue, c, &boot_thread);
	c->current = &boot_thread;
	go_online(c);
}

int
sched_init_cpu(struct cpu *c)
{
	struct run_queue *rq = kzalloc(sizeof(*rq));
	struct thread *idle = rq ? thread_create_idle(c) : NULL;

	if (!idle) {
		kfree(rq);
		return -ENOMEM;
	}
	queue_of_cpu(rq, c, idle);
	return 0;
}

void
cpu_entry(struct cpu *c)
{
	c->current = c->idle;
	go_online(c);
	arch_irq_enable();
	continuation_start_cpu(c);
	sched_idle_loop();
}

/*
 * What a CPU does that has nothing to do. It says that it is idle before it looks for work, and whoever
 * queues work looks for idle CPUs after: one of the two sees the other.
 */
void
sched_idle_loop(void)
{
	struct cpu *c = this_cpu();

	for (;;) {
		bool pulled;

		balance_idle_begin(c->id);
		pulled = balance_pull(c->rq);
		arch_irq_disable();
		if (!pulled && !READ_ONCE(c->need_resched))
			arch_idle();
		arch_irq_enable();
		if (pulled || READ_ONCE(c->need_resched))
			schedule();
	}
}
