/* SPDX-License-Identifier: MIT */
/*
 * check_threads.c - how deep kernel stacks get.
 *
 * A new thread's stack is filled with a pattern; the lowest word that no longer holds it is as deep as the
 * thread ever got. Measured when a thread dies, and for all that live when somebody asks. A frame whose
 * locals are never written may hide: the number is a lower bound, near the truth.
 */
#include <tessera/atomic.h>
#include <tessera/lock.h>
#include <tessera/print.h>
#include <tessera/string.h>
#include <tessera/thread.h>

#include "check.h"

#define STACK_WORD 0x6b636174736b6363ull
#define LISTED     8u

struct depth {
	uint32_t bytes;
	uint32_t tid;
	char name[16];
};

static struct spinlock deepest_lock = SPINLOCK_INIT(LEAF);
static struct depth deepest[LISTED]; /* deepest_lock: of threads that ended; deepest first, one a name */

void
check_stack_fill(struct thread *t)
{
	uint64_t *w = t->stack;

	for (size_t i = 0; i < KERNEL_STACK_SIZE / sizeof(*w); i++)
		w[i] = STACK_WORD;
}

static uint32_t
used(const struct thread *t)
{
	const uint64_t *w = t->stack;
	size_t i = 0;

	while (i < KERNEL_STACK_SIZE / sizeof(*w) && w[i] == STACK_WORD)
		i++;
	return (uint32_t)(KERNEL_STACK_SIZE - i * sizeof(*w));
}

static void
enter(struct depth *list, const struct depth *d)
{
	uint32_t i = 0, end;

	while (i < LISTED && list[i].bytes >= d->bytes && strcmp(list[i].name, d->name))
		i++;
	if (i == LISTED || list[i].bytes >= d->bytes)
		return;
	for (end = i; end < LISTED - 1 && strcmp(list[end].name, d->name); end++)
		;
	memmove(&list[i + 1], &list[i], (end - i) * sizeof(*list));
	list[i] = *d;
}

static struct depth
measure(const struct thread *t)
{
	struct depth d = { .bytes = used(t), .tid = (uint32_t)t->tid };

	string_copy(d.name, t->name, sizeof(d.name));
	return d;
}

void
check_stack_end(const struct thread *t)
{
	struct depth d = measure(t);
	uint64_t flags = spin_lock_irq(&deepest_lock);

	enter(deepest, &d);
	spin_unlock_irq(&deepest_lock, flags);
}

static void
add_live(void *ctx, struct thread *t)
{
	struct depth d;

	if (!t->stack)
		return;
	d = measure(t);
	enter(ctx, &d);
}

void
stacks_list(void (*put)(void *ctx, const char *line), void *ctx)
{
	struct depth list[LISTED];
	uint64_t flags = spin_lock_irq(&deepest_lock);

	memcpy(list, deepest, sizeof(list));
	spin_unlock_irq(&deepest_lock, flags);
	thread_for_each(add_live, list);
	for (uint32_t i = 0; i < LISTED && list[i].bytes; i++) {
		char line[80];

		snprintf(line, sizeof(line), "%6u of %d bytes by %s (tid %u)", list[i].bytes,
			 KERNEL_STACK_SIZE, list[i].name, list[i].tid);
		put(ctx, line);
	}
}
