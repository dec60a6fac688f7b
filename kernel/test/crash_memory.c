/* SPDX-License-Identifier: MIT */
/*
 * crash_memory.c - rules about memory, lists, counts and waiters, each broken on purpose. The debug build
 * must notice.
 */
#include <tessera/atomic.h>
#include <tessera/list.h>
#include <tessera/memory_check.h>
#include <tessera/page.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/test.h>
#include <tessera/thread.h>
#include <tessera/wait.h>

#include "crash.h"

static void __noinline
use_object(void *p)
{
	kfree(p);
}

static void __noinline
make_and_free(void *volatile *where)
{
	*where = kmalloc(40, 0);
	use_object(*where);
}

static void __noinline
crash_overflow(void)
{
	volatile uint8_t *p = kmalloc(40, 0);

	p[40] = 1;
	use_object((void *)p);
}

static void __noinline
crash_underflow(void)
{
	volatile uint8_t *p = kmalloc(40, 0);

	p[-1] = 1;
	use_object((void *)p);
}

static void __noinline
crash_sweep(void)
{
	volatile uint8_t *p = kmalloc(40, 0);

	p[41] = 1;
	if (config_poison)
		(void)check_all_objects();
	use_object((void *)p);
}

static void __noinline
crash_use_after_free(void)
{
	void *volatile p;

	make_and_free(&p);
	((volatile uint8_t *)p)[9] = 1;
	for (unsigned int i = 0; i < 1000; i++)
		(void)kmalloc(40, 0);
}

static void __noinline
crash_freed_inside(void)
{
	uint8_t *volatile p = kmalloc(40, 0);

	use_object(p + 8);
}

static void __noinline
crash_freed_twice(void)
{
	void *volatile p, *volatile between = kmalloc(40, 0);

	make_and_free(&p);
	kfree(between); /* not the last that was freed: only its note can tell */
	use_object(p);
}

static void __noinline
crash_block_overflow(void)
{
	volatile uint8_t *p = kmalloc(5000, 0);

	p[5000] = 1;
	use_object((void *)p);
}

static void __noinline
crash_frame(void)
{
	struct page *p = page_alloc(0, 0);

	page_free(p, 0);
	((volatile uint8_t *)page_to_virt(p))[100] = 1;
	for (unsigned int i = 0; i < 1000; i++)
		(void)page_alloc(0, 0);
}

static void __noinline
crash_page_reference(void)
{
	struct page *p = page_alloc(0, 0);

	page_put(p);
	page_get(p);
}

static void __noinline
crash_list_twice(void)
{
	struct list head = LIST_INIT(head), *volatile n = kmalloc(sizeof(*n), 0);

	list_add(&head, n);
	list_del(n);
	list_del(n);
}

static void __noinline
crash_list_link(void)
{
	struct list head = LIST_INIT(head), a, b = LIST_INIT(b);

	list_add(&head, &a);
	*(struct list *volatile *)&a.prev = &b;
	list_add_tail(&a, &b);
}

static void __noinline
crash_ref_dead(void)
{
	struct refcount *volatile r = kmalloc(sizeof(*r), 0);

	ref_init(r);
	(void)ref_put(r);
	ref_get(r);
}

static void __noinline
crash_ref_underflow(void)
{
	struct refcount *volatile r = kmalloc(sizeof(*r), 0);

	ref_init(r);
	(void)ref_put(r);
	(void)ref_put(r);
}

static void __noinline
crash_waiter(void)
{
	static struct wait_queue queue = WAIT_QUEUE_INIT(queue);
	struct waiter w;

	waiter_init(&w, current_thread());
	waiter_add(&queue, &w);
	thread_exit();
}

const struct crash crash_memory[] = {
	{ "overflow", crash_overflow },
	{ "underflow", crash_underflow },
	{ "sweep", crash_sweep },
	{ "use_after_free", crash_use_after_free },
	{ "freed_inside", crash_freed_inside },
	{ "freed_twice", crash_freed_twice },
	{ "block_overflow", crash_block_overflow },
	{ "frame", crash_frame },
	{ "page_reference", crash_page_reference },
	{ "list_twice", crash_list_twice },
	{ "list_link", crash_list_link },
	{ "ref_dead", crash_ref_dead },
	{ "ref_underflow", crash_ref_underflow },
	{ "waiter", crash_waiter },
	{ 0 },
};
