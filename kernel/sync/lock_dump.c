/* SPDX-License-Identifier: MIT */
/*
 * lock_dump.c - who holds what, who waits for whom, and whether they wait in a circle. For a stopped machine:
 * takes no locks.
 *
 * A wait is a thread that sleeps for a mutex or a reader-writer lock, or a CPU that spins. Its lock leads
 * to a holder: a mutex and a writer name theirs, a spinlock names its CPU, readers are found in the lists
 * of held locks, which only a kernel that checks locks keeps (config_lock_check). Following wait,
 * holder, the holder's wait, and so on either ends or comes back: a deadlock.
 */
#include <tessera/atomic.h>
#include <tessera/config.h>
#include <tessera/cpu.h>
#include <tessera/lock.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/thread.h>
#include <tessera/time.h>

#define WAITS_MAX 256u

struct lock_wait {
	struct thread *thread;  /* who waits; of a CPU that spins: the one that runs there */
	const void *lock;
	struct thread *holder;  /* NULL: nobody, or not known */
	uint32_t cpu;           /* that spins */
	uint8_t kind;           /* LOCK_WAIT_* */
	bool told;              /* in a circle that was printed */
};

static struct lock_wait waits[WAITS_MAX]; /* of the CPU that has stopped the others */
static uint32_t wait_count;

static const char *const kinds[] = {
	[LOCK_WAIT_NONE] = "nothing", [LOCK_WAIT_MUTEX] = "mutex", [LOCK_WAIT_READ] = "rwlock (to read)",
	[LOCK_WAIT_WRITE] = "rwlock (to write)", [LOCK_WAIT_SPIN] = "spinlock",
};

static uint16_t
class_of(const struct lock_wait *w)
{
	switch (w->kind) {
	case LOCK_WAIT_SPIN:
		return ((const struct spinlock *)w->lock)->class;
	case LOCK_WAIT_MUTEX:
		return ((const struct mutex *)w->lock)->class;
	default:
		return ((const struct rwlock *)w->lock)->class;
	}
}

struct reader_search {
	const void *lock;
	const struct thread *waiter;
	struct thread *found; /* one that itself waits, if there is one */
};

static bool
holds(const struct thread *t, const void *lock, uint32_t *index)
{
	for (uint32_t i = 0; i < t->held.count && i < LOCK_HELD_MAX; i++) {
		if (t->held.entry[i].lock == lock) {
			*index = i;
			return true;
		}
	}
	return false;
}

static void
search_reader(void *ctx, struct thread *t)
{
	struct reader_search *s = ctx;
	uint32_t i;

	/* The order checker notes a lock before it is waited for. */
	if (t == s->waiter || t->waiting_for_lock == s->lock || !holds(t, s->lock, &i))
		return;
	if (!s->found || t->waiting_for_lock)
		s->found = t;
}

static struct thread *
holder_of(const struct lock_wait *w)
{
	const struct rwlock *l = w->lock;
	struct reader_search s = { w->lock, w->thread, NULL };
	uint16_t cpu;

	switch (w->kind) {
	case LOCK_WAIT_MUTEX:
		return ((const struct mutex *)w->lock)->owner;
	case LOCK_WAIT_SPIN:
		cpu = ((const struct spinlock *)w->lock)->holder_cpu;
		return cpu && cpu <= cpu_count && cpus[cpu - 1] ? cpus[cpu - 1]->current : NULL;
	default:
		if (l->writer)
			return l->writer;
		thread_for_each_stopped(search_reader, &s);
		return s.found;
	}
}

static void
add_wait(struct thread *t, const void *lock, uint8_t kind, uint32_t cpu)
{
	struct lock_wait *w = &waits[wait_count];

	if (wait_count == WAITS_MAX)
		return;
	*w = (struct lock_wait){ .thread = t, .lock = lock, .kind = kind, .cpu = cpu };
	w->holder = holder_of(w);
	wait_count++;
}

static void
add_thread(void *ctx, struct thread *t)
{
	if (t->waiting_for_lock && t->waiting_kind != LOCK_WAIT_NONE)
		add_wait(t, t->waiting_for_lock, t->waiting_kind, t->cpu);
}

static void
collect(void)
{
	struct cpu *c;

	wait_count = 0;
	thread_for_each_stopped(add_thread, NULL);
	for_each_cpu (c)
		if (c->spin_wait && c->current)
			add_wait(c->current, c->spin_wait, LOCK_WAIT_SPIN, c->id);
}

static void
print_holder(const struct lock_wait *w)
{
	char where[64];
	uint32_t i;

	if (!w->holder) {
		pr_info("    held by %s\n", w->kind == LOCK_WAIT_SPIN || config_lock_check
						    ? "nobody that is known" : "readers that are not recorded");
		return;
	}
	if (holds(w->holder, w->lock, &i))
		pr_info("    held by %s (tid %d), taken at %s\n", w->holder->name, w->holder->tid,
			symbol_format(w->holder->held.entry[i].pc[0] - 1, where, sizeof(where)));
	else
		pr_info("    held by %s (tid %d)\n", w->holder->name, w->holder->tid);
}

static void
print_wait(const struct lock_wait *w)
{
	const struct thread *t = w->thread;

	if (w->kind == LOCK_WAIT_SPIN)
		pr_info("  CPU %u, %s (tid %d), spins for the %s %s %p\n", w->cpu, t->name, t->tid,
			kinds[w->kind], lock_class_name(class_of(w)), w->lock);
	else
		pr_info("  %s (tid %d) waits for the %s %s %p since %lu ms\n", t->name, t->tid,
			kinds[w->kind], lock_class_name(class_of(w)), w->lock,
			(clock_monotonic_ns() - t->sleep_start) / NSEC_PER_MSEC);
	print_holder(w);
}

static struct lock_wait *
wait_of(const struct thread *t)
{
	for (uint32_t i = 0; t && i < wait_count; i++)
		if (waits[i].thread == t)
			return &waits[i];
	return NULL;
}

/* Does following holders from `w` come back to it? How many steps that takes, 0: it does not. */
static uint32_t
circle(struct lock_wait *w)
{
	struct lock_wait *at = w;

	for (uint32_t n = 1; n <= wait_count; n++) {
		at = wait_of(at->holder);
		if (!at)
			return 0;
		if (at == w)
			return n;
	}
	return 0;
}

static void
print_circles(void)
{
	for (uint32_t i = 0; i < wait_count; i++) {
		struct lock_wait *w = &waits[i];
		uint32_t n = w->told ? 0 : circle(w);

		if (n)
			pr_info("DEADLOCK: a circle of %u\n", n);
		for (; n > 0; n--, w = wait_of(w->holder)) {
			w->told = true;
			print_wait(w);
		}
	}
}

void
lock_deadlocks_print(void)
{
	collect();
	print_circles();
}

static void
print_held(void *ctx, struct thread *t)
{
	uint64_t *n = ctx;

	if (t->held.count) {
		lock_held_print(t);
		(*n)++;
	}
}

void
lock_dump(void)
{
	uint64_t holding = 0;
	struct cpu *c;

	collect();
	pr_info("%u waiting for a lock\n", wait_count);
	for (uint32_t i = 0; i < wait_count; i++)
		print_wait(&waits[i]);
	print_circles();
	if (!config_lock_check) {
		pr_info("what is held is recorded by a kernel that checks locks (BUILD=debug) only\n");
		return;
	}
	thread_for_each_stopped(print_held, &holding);
	for_each_cpu (c) {
		if (c->idle && c->idle->held.count)
			print_held(&holding, c->idle);
		if (c->held && c->held->count) {
			pr_info("CPU %u, in an interrupt, holds:\n", c->id);
			lock_list_print(c->held);
		}
	}
	if (!holding)
		pr_info("no thread holds a lock\n");
}
