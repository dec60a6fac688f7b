/* SPDX-License-Identifier: MIT */
/*
 * misuse.c - reports of lists, counts and waiters that were used against their rules. The tests stand in
 * the headers, where they cost a compare in the debug build and nothing in a release.
 */
#include <tessera/atomic.h>
#include <tessera/debug.h>
#include <tessera/list.h>
#include <tessera/memory_check.h>
#include <tessera/page.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/thread.h>

/* What the object that holds `p` is, where that is known. */
static void
describe(const void *p)
{
	if (config_object_notes && (vaddr_t)p >= direct_map_base)
		(void)object_describe(p);
}

void
list_corrupted(const char *doing, const struct list *n, const struct list *prev,
	       const struct list *next)
{
	debug_report_begin();
	pr_err("list: %s %p between %p and %p\n", doing, (const void *)n, (const void *)prev,
	       (const void *)next);
	describe(n);
	if (prev != LIST_GONE) {
		pr_err("%p: next %p, prev %p\n", (const void *)prev, (const void *)prev->next,
		       (const void *)prev->prev);
		pr_err("%p: next %p, prev %p\n", (const void *)next, (const void *)next->next,
		       (const void *)next->prev);
		describe(prev);
	}
	panic("list: %s %p: %s", doing, (const void *)n,
	      prev == LIST_GONE ? "it was removed already" : "its neighbours do not agree");
}

void
refcount_broken(const struct refcount *r, uint32_t count, const char *what)
{
	debug_report_begin();
	describe(r);
	panic("refcount %p: %s (it was %u)", (const void *)r, what, count);
}

void
page_refcount_broken(const struct page *p, uint32_t count)
{
	debug_report_begin();
	if (config_object_notes) {
		pr_err("frame %#lx was freed at\n", page_to_pfn(p));
		stack_print(frame_freed_by(p), "  ");
	}
	panic("frame %#lx: a reference to a frame that is free (count %u, flags %#x)", page_to_pfn(p),
	      count, p->flags);
}

void
waiters_left(const struct thread *t, const char *where)
{
	panic("wait: %s (tid %d) %s with %u waiters of its stack on queues", t->name, t->tid, where,
	      t->waiters);
}
