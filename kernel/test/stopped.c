/* SPDX-License-Identifier: MIT */
/*
 * stopped.c - tests of what kdb and panics stand on: CPUs that stop and go on, attempts, checked walks.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/debug.h>
#include <tessera/list.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/string.h>
#include <tessera/test.h>
#include <tessera/thread.h>
#include <tessera/time.h>

#define ROUNDS 8

static uint64_t counted[MAX_CPUS]; /* by index of the thread */
static bool enough;

/* Count until the first member has stopped the machine often enough. */
static void
count_or_stop(void *arg, uint32_t index)
{
	uint64_t *moved = arg;

	if (index) {
		while (!atomic_load(&enough)) {
			atomic_add(&counted[index], 1);
			/* Timers must survive too. */
			if (counted[index] % 4096 == 0)
				ktest_sleep_ns(100 * NSEC_PER_USEC);
		}
		return;
	}
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t flags = arch_irq_save(), before = 0, after = 0;

		if (!arch_park_other_cpus())
			ktest_fail(__FILE__, __LINE__, "a CPU does not answer");
		for (uint32_t i = 1; i <= cpu_count; i++)
			before += atomic_load(&counted[i % MAX_CPUS]);
		for (int i = 0; i < 20000; i++)
			arch_cpu_relax();
		for (uint32_t i = 1; i <= cpu_count; i++)
			after += atomic_load(&counted[i % MAX_CPUS]);
		*moved += after - before;
		arch_unpark_cpus();
		arch_irq_restore(flags);
		ktest_sleep_ns(NSEC_PER_MSEC / 2);
	}
	atomic_store(&enough, true);
}

KTEST(stopped_cpus_stand_still_and_go_on)
{
	uint64_t moved = 0;

	memset(counted, 0, sizeof(counted));
	atomic_store(&enough, false);
	ktest_parallel(cpu_count + 1, count_or_stop, &moved);
	kcheck_equal(moved, 0);
}

struct attempts {
	uint32_t begun, ended;
	bool panic;
	const char *reason;
	bool whole, inner_whole;
};

static volatile uint8_t *volatile nowhere = (volatile uint8_t *)0x10;

static void
go_wrong(void *arg)
{
	struct attempts *a = arg;

	a->begun++;
	if (a->panic)
		panic("attempt %u", a->begun);
	a->ended += *nowhere;
}

static void
nest(void *arg)
{
	struct attempts *a = arg;

	a->inner_whole = debug_try(go_wrong, a, NULL);
	a->ended++;
}

/* On a stopped machine, as is the rule. */
static void
attempt(void (*fn)(void *), struct attempts *a)
{
	uint64_t flags = arch_irq_save();

	arch_park_other_cpus();
	a->whole = debug_try(fn, a, &a->reason);
	arch_unpark_cpus();
	arch_irq_restore(flags);
}

KTEST(attempt_ends_with_a_fault_or_panic_only)
{
	struct attempts a = { 0 };

	attempt(go_wrong, &a);
	kcheck(!a.whole && a.begun == 1 && a.ended == 0);
	kcheck(!strncmp(a.reason, "kernel read 0x10", 16));
	a.panic = true;
	attempt(go_wrong, &a);
	kcheck(!a.whole && !strcmp(a.reason, "attempt 2"));
	attempt(nest, &a);
	kcheck(a.whole && !a.inner_whole && a.ended == 1);
	kcheck(!debug_panicking());
}

struct item {
	int number;
	struct list node;
};

static int
walk(struct list *l)
{
	struct item *i;
	int n = 0;

	list_for_each_checked (i, l, node)
		n++;
	return n;
}

KTEST(checked_walk_ends_at_a_broken_link)
{
	struct list l = LIST_INIT(l);
	struct item items[3] = { 0 };

	kcheck_equal(walk(&l), 0);
	for (int i = 0; i < 3; i++)
		list_add_tail(&l, &items[i].node);
	kcheck_equal(walk(&l), 3);
	items[1].node.next = (struct list *)0x8;
	kcheck_equal(walk(&l), 2);
	items[1].node.next = &items[0].node;
	kcheck_equal(walk(&l), 2);
	items[0].node.next = (struct list *)0xdead000000000000ul;
	kcheck_equal(walk(&l), 1);
}

KTEST(probe_reads_what_is_there_only)
{
	uint64_t word = 42, copy = 0;

	kcheck(arch_probe_read(&copy, &word, sizeof(word)) && copy == 42);
	kcheck(!arch_probe_read(&copy, (void *)0xdead000000000000ul, 8));
	kcheck(!arch_probe_read(&copy, (void *)0xffffc8ffffffff00ul, 8));
}

struct steps {
	uint32_t all, inside;
};

static bool
count_step(void *ctx, const struct stack_step *s)
{
	struct steps *n = ctx;
	uint64_t offset;
	const char *name = symbol_find(s->pc - 1, &offset);

	n->all++;
	n->inside += name && !strncmp(name, "deep", 4);
	return true;
}

static int deep(int n, struct steps *s);
static int (*volatile again)(int n, struct steps *s) = deep; /* which no compiler turns into a loop */

static int __noinline
deep(int n, struct steps *s)
{
	int result = n;

	if (n)
		result += again(n - 1, s);
	else
		arch_stack_walk((vaddr_t)__builtin_frame_address(0), count_step, s);
	return result;
}

KTEST(stack_walk_sees_every_caller)
{
	struct steps s = { 0 };

	deep(10, &s);
	kcheck_equal(s.inside, 10);
	kcheck(s.all >= 12 && s.all < 40);
}
