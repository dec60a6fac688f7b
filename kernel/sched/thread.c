/* SPDX-License-Identifier: MIT */
/*
 * thread.c - threads as objects: made, listed, counted, freed.
 *
 * References. A thread is born with one, which belongs to its running: the scheduler drops it once the
 * thread is dead and off its CPU. Whoever keeps a pointer beyond that takes one of its own, before
 * thread_start(). The last one frees the stack and the rest; from a context that may not sleep, and
 * always for a thread that has just ended, the CPU's worker does it.
 *
 * Locks: all_lock (LEAF) guards the list of all threads. The lists of dead threads belong to their CPU.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/config.h>
#include <tessera/debug.h>
#include <tessera/memory_check.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "run_queue.h"

static struct slab_cache *cache;                 /* [I] */
static struct spinlock all_lock = SPINLOCK_INIT(LEAF);
static struct list all = LIST_INIT(all);         /* all_lock: struct thread.all_node */
static uint64_t count;                           /* [a] threads that exist, idle ones apart */

void
thread_init(void)
{
	cache = slab_cache_create("thread", sizeof(struct thread), 64);
	if (!cache)
		panic("no memory for the cache of threads");
}

/* Everything at its default. */
void
thread_setup(struct thread *t, const char *name)
{
	memset(t, 0, sizeof(*t));
	t->magic = THREAD_MAGIC;
	string_copy(t->name, name, sizeof(t->name));
	ref_init(&t->refs);
	spin_init(&t->lock, LOCK_THREAD);
	list_init(&t->process_node);
	list_init(&t->all_node);
	list_init(&t->dead_node);
	list_init(&t->run_list);
	list_init(&t->pending.entries);
	list_init(&t->pi_held);
	timer_init(&t->sleep_timer, wait_deadline_reached);
	t->affinity.bits = UINT64_MAX;
	t->syscall_number = (uint64_t)-1;
	t->altstack.flags = 2; /* SS_DISABLE */
	t->timer_slack_ns = 50 * NSEC_PER_USEC;
}

struct thread *
thread_alloc(void)
{
	struct thread *t = slab_alloc(cache, 0);

	if (!t)
		return NULL;
	thread_setup(t, "");
	t->stack = kernel_stack_alloc();
	if (!t->stack) {
		slab_free(cache, t);
		return NULL;
	}
	t->stack_top = (vaddr_t)t->stack + KERNEL_STACK_SIZE;
	if (config_misuse_check)
		check_stack_fill(t);
	preempt_disable();
	t->cpu = this_cpu()->id;
	preempt_enable();
	atomic_add_relaxed(&count, 1);
	return t;
}

struct thread *
thread_create_kernel(const char *name, void (*fn)(void *), void *arg)
{
	struct thread *t = thread_alloc();

	if (!t)
		return NULL;
	string_copy(t->name, name, sizeof(t->name));
	arch_thread_init(t, fn, arg);
	return t;
}

static void
make_idle(struct thread *t, struct cpu *c)
{
	snprintf(t->name, sizeof(t->name), "idle/%u", c->id);
	t->state = THREAD_RUNNABLE;
	t->on_cpu = true;
	t->policy = SCHED_IDLE;
	t->cpu = c->id;
	t->affinity.bits = BIT(c->id);
}

struct thread *
thread_create_idle(struct cpu *c)
{
	struct thread *t = thread_alloc();

	if (!t)
		return NULL;
	atomic_sub(&count, 1);
	make_idle(t, c);
	return t;
}

/* The stack is the boot stack: it is never freed, as its thread never ends. */
void
thread_adopt_boot(struct thread *t, struct cpu *c)
{
	thread_setup(t, "");
	make_idle(t, c);
	t->stack_top = ALIGN_UP((vaddr_t)__builtin_frame_address(0), 16);
}

void
thread_list_add(struct thread *t)
{
	uint64_t flags = spin_lock_irq(&all_lock);

	list_add_tail(&all, &t->all_node);
	spin_unlock_irq(&all_lock, flags);
}

void
thread_for_each(void (*fn)(void *ctx, struct thread *t), void *ctx)
{
	uint64_t flags = spin_lock_irq(&all_lock);
	struct thread *t;

	list_for_each (t, &all, all_node)
		fn(ctx, t);
	spin_unlock_irq(&all_lock, flags);
}

void
thread_for_each_stopped(void (*fn)(void *ctx, struct thread *t), void *ctx)
{
	struct thread *t;

	list_for_each_checked (t, &all, all_node) {
		if (t->magic != THREAD_MAGIC)
			pr_err("  (no thread is at %p, which is in the list of threads)\n", (void *)t);
		else
			fn(ctx, t);
	}
}

uint64_t
thread_count(void)
{
	return atomic_load(&count);
}

/* No references are left and nothing runs on the stack. May sleep. */
static void
thread_free(struct thread *t)
{
	uint64_t flags;

	assert(t->magic == THREAD_MAGIC && !t->on_cpu && !t->queued);
	flags = spin_lock_irq(&all_lock);
	list_del_init(&t->all_node);
	spin_unlock_irq(&all_lock, flags);
	thread_release_user(t);
	arch_thread_free(t);
	if (config_misuse_check)
		check_stack_end(t);
	kernel_stack_free(t->stack);
	t->magic = 0;
	slab_free(cache, t);
	atomic_sub(&count, 1);
}

void
thread_put(struct thread *t)
{
	uint64_t flags;

	if (!ref_put(&t->refs))
		return;
	if (preemptible()) {
		thread_free(t);
		return;
	}
	flags = arch_irq_save();
	thread_bury(t);
	arch_irq_restore(flags);
}

void
thread_bury(struct thread *t)
{
	struct run_queue *rq = this_cpu()->rq;

	list_add_tail(&rq->dead, &t->dead_node);
	continuation_run(&rq->reaper);
}

/* Runs on the worker of the queue's CPU. */
void
thread_reap(struct continuation *c)
{
	struct run_queue *rq = container_of(c, struct run_queue, reaper);
	struct list dead = LIST_INIT(dead);
	struct thread *t, *tmp;

	arch_irq_disable();
	list_splice_tail(&dead, &rq->dead);
	arch_irq_enable();
	list_for_each_safe (t, tmp, &dead, dead_node)
		thread_free(t);
}
