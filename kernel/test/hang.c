/* SPDX-License-Identifier: MIT */
/*
 * hang.c - machines that hang or are corrupt on purpose, for kdb's tests: `test=crash:NAME` at boot, where NAME
 * is deadlock, deadlock_spin, spin, spin_irq or list. They never come to an end by themselves.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/kdb.h>
#include <tessera/lock.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/sched.h>
#include <tessera/test.h>
#include <tessera/thread.h>
#include <tessera/time.h>

#include "crash.h"

static struct mutex first = MUTEX_INIT(first, PIPE), second = MUTEX_INIT(second, PIPE);
static struct spinlock left = SPINLOCK_INIT(FILE), right = SPINLOCK_INIT(FILE);
static uint32_t ready;

static void
start_thread(const char *name, void (*fn)(void *), void *arg)
{
	struct thread *t = thread_create_kernel(name, fn, arg);

	if (!t)
		panic("no memory for a thread");
	thread_start(t);
}

static void
wait_for_ready(uint32_t n)
{
	while (atomic_load(&ready) < n)
		arch_cpu_relax();
}

static void __noreturn
stay(void)
{
	log_print(LOG_ERR, "ktest: it hangs\n");
	for (;;)
		ktest_sleep_ns(NSEC_PER_SEC);
}

/* Nested: the order checker would refuse the second lock, and there would be no deadlock to look at. */
static void __noinline
take_both(void *arg)
{
	bool turned = arg != NULL;

	mutex_lock(turned ? &second : &first);
	atomic_add(&ready, 1);
	while (atomic_load(&ready) < 2)
		ktest_sleep_ns(NSEC_PER_MSEC);
	mutex_lock_nested(turned ? &first : &second);
	thread_exit();
}

static void __noinline
hang_deadlock(void)
{
	start_thread("adam", take_both, NULL);
	start_thread("eve", take_both, &ready);
	while (!first.waiters.next || list_is_empty(&first.waiters) || list_is_empty(&second.waiters))
		ktest_sleep_ns(NSEC_PER_MSEC);
	stay();
}

static void __noinline
spin_for_both(void *arg)
{
	bool turned = arg != NULL;

	spin_lock(turned ? &right : &left);
	atomic_add(&ready, 1);
	wait_for_ready(2);
	if (turned)
		log_print(LOG_ERR, "ktest: it hangs\n");
	spin_lock_nested(turned ? &left : &right);
	thread_exit();
}

/* Needs two CPUs, and takes them. */
static void __noinline
hang_deadlock_spin(void)
{
	start_thread("adam", spin_for_both, NULL);
	start_thread("eve", spin_for_both, &ready);
	for (;;)
		ktest_sleep_ns(NSEC_PER_SEC);
}

static void __noinline
spin_here(void *arg, uint32_t index)
{
	preempt_disable();
	if (atomic_add_fetch(&ready, 1) == cpu_count)
		log_print(LOG_ERR, "ktest: it hangs\n");
	for (;;)
		arch_cpu_relax();
}

static void __noinline
hang_spin(void)
{
	ktest_parallel(cpu_count, spin_here, NULL);
}

/* The CPU that the console's interrupts go to. */
static void __noinline
hang_spin_irq(void)
{
	if (sched_set_affinity(current_thread(), (struct cpu_mask){ 1 }))
		panic("no CPU 0");
	log_print(LOG_ERR, "ktest: it hangs\n");
	arch_irq_disable();
	for (;;)
		arch_cpu_relax();
}

static void
sleep_for_ever(void *arg)
{
	for (;;)
		ktest_sleep_ns(NSEC_PER_SEC);
}

/* One link of the list of all threads leads nowhere while kdb looks. */
static void __noinline
hang_list(void)
{
	struct thread *t = thread_create_kernel("victim", sleep_for_ever, NULL);
	struct list *next;
	uint64_t flags;

	if (!t)
		panic("no memory for a thread");
	thread_start(t);
	flags = arch_irq_save();
	next = t->all_node.next;
	t->all_node.next = (struct list *)0xdead000000000000ul;
	kdb_enter(NULL, "a list is broken");
	t->all_node.next = next;
	arch_irq_restore(flags);
	stay();
}

const struct crash crash_hangs[] = {
	{ "deadlock", hang_deadlock },
	{ "deadlock_spin", hang_deadlock_spin },
	{ "spin", hang_spin },
	{ "spin_irq", hang_spin_irq },
	{ "list", hang_list },
	{ 0 },
};
