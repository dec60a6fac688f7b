/* SPDX-License-Identifier: MIT */
/*
 * broken.c - looking at a machine that may be broken: code that may fault, lists that may be wrong.
 *
 * One CPU looks while the others stand still, so there is one attempt at a time. panic() asks
 * debug_try_active() first and goes back into the attempt instead of giving up.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/debug.h>
#include <tessera/print.h>

#include "describe.h"

#define NOBODY UINT32_MAX

static uint32_t trying = NOBODY;  /* [a] the CPU that makes an attempt */
static uint64_t mark;             /* its own from here on: where the innermost attempt began */
static char reason_text[200];

bool
debug_try_active(void)
{
	uint32_t id = atomic_load_relaxed(&trying);

	return id != NOBODY && id == this_cpu()->id;
}

void
debug_try_fail(const char *format, va_list args)
{
	vsnprintf(reason_text, sizeof(reason_text), format, args);
	arch_irq_disable();
	arch_try_abort(mark);
}

void
debug_try_stop(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	debug_try_fail(format, args);
}

bool
debug_try(void (*fn)(void *), void *arg, const char **reason)
{
	uint32_t outer = atomic_load_relaxed(&trying);
	uint64_t outer_mark = mark;
	bool whole;

	atomic_store(&trying, this_cpu()->id);
	whole = arch_try(fn, arg, &mark);
	mark = outer_mark;
	atomic_store(&trying, outer);
	if (!whole && reason)
		*reason = reason_text;
	return whole;
}

static void *
broken(struct debug_walk *w, const struct list *at, const char *what)
{
	pr_err("  (the list at %p is broken: link %p %s)\n", (const void *)w->head, (const void *)at, what);
	return NULL;
}

void *
debug_walk_next(struct debug_walk *w, size_t offset, size_t size)
{
	const struct list *from = w->at, *at;
	struct list link;
	char *element;
	char last;

	if (!arch_probe_read(&link, from, sizeof(link)))
		return broken(w, from, "cannot be read");
	at = link.next;
	if (at == w->head)
		return NULL;
	if (!arch_probe_read(&link, at, sizeof(link)))
		return broken(w, at, "cannot be read");
	if (link.prev != from)
		return broken(w, at, "does not point back");
	if (w->left-- == 0)
		return broken(w, at, "comes after too many others");
	element = (char *)(uintptr_t)at - offset;
	if (!arch_probe_read(&last, element, 1) || !arch_probe_read(&last, element + size - 1, 1))
		return broken(w, at, "lies in something that cannot be read");
	w->at = at;
	return element;
}
