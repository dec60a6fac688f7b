/* SPDX-License-Identifier: MIT */
/*
 * lock_order.c - the order checker: what each thread and each interrupt holds, and whether it may.
 *
 * Every lock has a class and the classes stand in one order (lock_classes.h). Whoever takes a lock must
 * hold none of the same or a later class. If all code keeps this there is no cycle, so no deadlock,
 * whatever the timing was on the run at hand: a single pass through the two code paths, even on one
 * CPU and hours apart, finds the deadlock that would need two CPUs and bad luck.
 *
 * What is held lies in thread->held while a thread runs, and in a list of the CPU's while it is in an
 * interrupt or has no thread yet. The two need not be compared: an interrupt takes SPIN_IRQ classes
 * only, and nobody holds such a lock with interrupts on; that too is checked here.
 *
 * Each entry remembers the return addresses of who took the lock, so that a report shows both stacks:
 * how the earlier lock was taken, and how we got to the later one.
 *
 * Nothing here takes a lock. A list is written only by its context and with preemption off. Off while the kernel panics.
 */
#include <tessera/cpu.h>
#include <tessera/debug.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/sched.h>
#include <tessera/thread.h>

#include "sync.h"

enum lock_kind { KIND_SPIN, KIND_SPIN_IRQ, KIND_MUTEX, KIND_RWLOCK };

#define KIND_OF(name, kind, what) [LOCK_##name] = KIND_##kind,
static const uint8_t class_kind[LOCK_CLASS_COUNT] = { LOCK_CLASSES(KIND_OF) };
#undef KIND_OF

#define NAME_OF(name, kind, what) [LOCK_##name] = #name,
static const char *const class_name[LOCK_CLASS_COUNT] = { LOCK_CLASSES(NAME_OF) };
#undef NAME_OF

/* Locks held in interrupts, and before a CPU has its first thread. */
static struct lock_held cpu_held[MAX_CPUS]; /* [i] */

const char *
lock_class_name(uint32_t class)
{
	return class < LOCK_CLASS_COUNT ? class_name[class] : "?";
}

/* The list of the present context. Preemption off. */
static struct lock_held *
held_here(void)
{
	struct cpu *c = this_cpu();
	struct thread *t = c->current;

	if (likely(t && c->irq_depth == 0))
		return &t->held;
	if (!c->held)
		c->held = &cpu_held[c->id];
	return c->held;
}

/*
 * Return addresses above our caller, by frame pointers: every function of the kernel keeps one. A chain
 * that does not rise within a kernel stack's length has ended.
 */
static __noinline void
trace_callers(vaddr_t pc[LOCK_TRACE])
{
	const vaddr_t *frame = __builtin_frame_address(0);
	const vaddr_t *low = frame;
	unsigned int skip = 3; /* note_acquire, lock_order_*_acquire, and the lock function itself */

	for (unsigned int i = 0; i < LOCK_TRACE; ) {
		const vaddr_t *next = (const vaddr_t *)frame[0];

		if (next <= frame || (vaddr_t)next - (vaddr_t)low > KERNEL_STACK_SIZE) {
			pc[i] = 0;
			return;
		}
		if (skip)
			skip--;
		else
			pc[i++] = frame[1];
		frame = next;
	}
}

static void
print_entry(const struct lock_held *h, uint32_t i)
{
	char where[64];

	pr_err("  %s %p taken at\n", lock_class_name(h->entry[i].class), h->entry[i].lock);
	for (unsigned int k = 0; k < LOCK_TRACE && h->entry[i].pc[k]; k++)
		pr_err("    %s\n", symbol_format(h->entry[i].pc[k] - 1, where, sizeof(where)));
}

void
lock_list_print(const struct lock_held *h)
{
	for (uint32_t i = 0; i < h->count && i < LOCK_HELD_MAX; i++)
		print_entry(h, i);
}

void
lock_held_print(const struct thread *t)
{
	const struct lock_held *h = &t->held;
	bool titled = false;

	for (uint32_t i = 0; i < h->count && i < LOCK_HELD_MAX; i++) {
		/* Noted before it is waited for: not held yet. */
		if (t->waiting_for_lock && h->entry[i].lock == t->waiting_for_lock)
			continue;
		if (!titled)
			pr_err("%s (tid %d) holds:\n", t->name, t->tid);
		titled = true;
		print_entry(h, i);
	}
	if (t->waiting_for_lock)
		pr_err("%s (tid %d) waits for the lock %p\n", t->name, t->tid, t->waiting_for_lock);
}

/* Stop with both stacks: the held lock's here, the present one from panic(). */
static void __noreturn
broken(struct lock_held *h, uint32_t i, const void *l, uint16_t class, const char *rule)
{
	debug_report_begin();
	pr_err("lock order: %s: taking %s %p while holding\n", rule, lock_class_name(class), l);
	print_entry(h, i);
	pr_err("all that is held here:\n");
	lock_list_print(h);
	panic("lock order: %s: %s after %s", rule, lock_class_name(class),
	      lock_class_name(h->entry[i].class));
}

static __noinline void
note_acquire(struct lock_held *h, const void *l, uint16_t class, enum lock_how how)
{
	uint32_t n = h->count;

	for (uint32_t i = 0; i < n; i++) {
		/* A mutex and the spinlock inside it may have one address, but not one class. */
		if (unlikely(h->entry[i].lock == l && h->entry[i].class == class))
			broken(h, i, l, class, "the same lock twice");
		if (how == LOCK_TRY || likely(h->entry[i].class < class))
			continue;
		if (h->entry[i].class > class)
			broken(h, i, l, class, "wrong order");
		if (how != LOCK_NESTED)
			broken(h, i, l, class, "two locks of one class");
	}
	if (unlikely(n >= LOCK_HELD_MAX))
		broken(h, n - 1, l, class, "more locks than the list holds");
	h->entry[n].lock = l;
	h->entry[n].class = class;
	trace_callers(h->entry[n].pc);
	h->count = n + 1;
}

static void
note_release(struct lock_held *h, const void *l, uint16_t class)
{
	for (uint32_t i = h->count; i-- > 0; ) {
		if (h->entry[i].lock != l || h->entry[i].class != class)
			continue;
		h->count--;
		for (; i < h->count; i++)
			h->entry[i] = h->entry[i + 1];
		return;
	}
	panic("lock order: %s %p released by a context that does not hold it", lock_class_name(class),
	      l);
}

void
lock_order_spin_acquire(const struct spinlock *l, enum lock_how how)
{
	struct cpu *c = this_cpu();

	if (!config_lock_check || unlikely(debug_panicking()))
		return;
	if (unlikely(l->class >= LOCK_CLASS_COUNT || class_kind[l->class] > KIND_SPIN_IRQ))
		panic("spinlock %p has class %u, which is not a spinlock's: not initialised?",
		      (const void *)l, l->class);
	if (class_kind[l->class] == KIND_SPIN_IRQ) {
		if (unlikely(arch_irqs_enabled()))
			panic("spinlock %s %p, which interrupts take too, taken with interrupts on",
			      class_name[l->class], (const void *)l);
	} else if (unlikely(c->irq_depth)) {
		panic("spinlock %s %p taken in an interrupt; its class is for threads only",
		      class_name[l->class], (const void *)l);
	}
	note_acquire(held_here(), l, l->class, how);
}

void
lock_order_spin_release(const struct spinlock *l)
{
	struct cpu *c = this_cpu();

	if (!config_lock_check || unlikely(debug_panicking()))
		return;
	if (unlikely(l->holder_cpu != c->id + 1))
		panic("spinlock %s %p released by CPU %u; held by %s %d", lock_class_name(l->class),
		      (const void *)l, c->id, l->holder_cpu ? "CPU" : "nobody",
		      (int)l->holder_cpu - 1);
	note_release(held_here(), l, l->class);
}

void
lock_order_sleep_acquire(const void *l, uint16_t class, enum lock_how how)
{
	struct thread *t = current_thread();

	if (!config_lock_check || unlikely(debug_panicking() || !t))
		return;
	if (unlikely(class >= LOCK_CLASS_COUNT || class_kind[class] < KIND_MUTEX))
		panic("sleeping lock %p has class %u, which is a spinlock's: not initialised?", l,
		      class);
	if (how == LOCK_TRY) {
		if (unlikely(this_cpu()->irq_depth))
			panic("sleeping lock %s %p taken in an interrupt", class_name[class], l);
	} else {
		lock_check_sleep();
	}
	/* The scheduler notes its own locks in the same list. */
	preempt_disable();
	note_acquire(&t->held, l, class, how);
	preempt_enable();
}

void
lock_order_sleep_release(const void *l, uint16_t class)
{
	struct thread *t = current_thread();

	if (!config_lock_check || unlikely(debug_panicking() || !t))
		return;
	preempt_disable();
	note_release(&t->held, l, class);
	preempt_enable();
}

void
lock_check_sleep(void)
{
	struct thread *t = current_thread();
	struct lock_held *h = t ? &t->held : NULL;
	char where[64];

	/* Before the scheduler runs nobody else could hold anything: no wait can happen. */
	if (likely(preemptible()) || !t || debug_panicking() || !sched_online_mask)
		return;
	if (this_cpu()->irq_depth)
		panic("sleeping in an interrupt");
	for (uint32_t i = h->count; i-- > 0; ) {
		if (class_kind[h->entry[i].class] <= KIND_SPIN_IRQ)
			panic("sleeping while holding spinlock %s %p, taken at %s",
			      lock_class_name(h->entry[i].class), h->entry[i].lock,
			      symbol_format(h->entry[i].pc[0] - 1, where, sizeof(where)));
	}
	panic("sleeping with %s off", arch_irqs_enabled() ? "preemption" : "interrupts");
}
