/* SPDX-License-Identifier: MIT */
/*
 * kasan_heap.c - the shadow of slab objects and of frames, and the quarantine.
 *
 * The slots of a slab are as <tessera/memory_check.h> cuts them; all of a slab is closed but the bytes of
 * live objects that were asked for.
 *
 * The quarantine is one queue for all CPUs and caches. What enters pushes out what has been in it longest
 * until it holds at most `limit` bytes of slots. Its objects count as free: who counts objects or frames
 * to find leaks empties it before (slab_drain_quarantine()), and so does who is short of memory.
 *
 * Lock: quarantine_lock (LEAF), taken with nothing inside.
 */
#include <tessera/lock.h>
#include <tessera/memory_check.h>
#include <tessera/page.h>
#include <tessera/slab.h>

#include "kasan.h"

static struct spinlock quarantine_lock = SPINLOCK_INIT(LEAF);
static void *first, *last;  /* quarantine_lock: objects, by their notes' link */
static uint64_t held;       /* quarantine_lock: bytes */
static uint64_t limit;      /* [I] */

/* --- frames ------------------------------------------------------------------------------------ */

void
kasan_page_alloc(struct page *p, unsigned int order)
{
	kasan_unpoison(page_to_virt(p), PAGE_SIZE << order);
}

void
kasan_page_free(struct page *p, unsigned int order)
{
	kasan_poison(page_to_virt(p), PAGE_SIZE << order, KASAN_PAGE_FREED);
}

/* Close all from `size` bytes behind `p` to `end`. */
static void
set_size(void *p, size_t size, size_t end, uint8_t why)
{
	size_t whole = ALIGN_UP(size, GRANULE);

	kasan_unpoison(p, size);
	if (whole < end)
		kasan_poison((char *)p + whole, end - whole, why);
}

void
kasan_block_alloc(struct page *p, size_t size)
{
	set_size(page_to_virt(p), size, PAGE_SIZE << p->order, KASAN_PAGE_REDZONE);
}

/* --- objects ----------------------------------------------------------------------------------- */

void
kasan_slab_new(const struct object_shape *s, void *base)
{
	size_t bytes = ALIGN_UP((size_t)s->stride * s->per_slab, PAGE_SIZE);

	kasan_poison(base, bytes, KASAN_OBJECT_REDZONE);
}

void
kasan_object_alloc(const struct object_shape *s, void *object, size_t size)
{
	set_size(object, size, s->room, KASAN_OBJECT_REDZONE);
}

void
kasan_object_free(const struct object_shape *s, void *object)
{
	kasan_poison(object, ALIGN_UP((size_t)s->object, GRANULE), KASAN_OBJECT_FREED);
}

/* --- the quarantine ---------------------------------------------------------------------------- */

static const struct object_shape *
shape_of(const void *object)
{
	const struct page *p = virt_to_page(object);

	return slab_shape(p->flags & PAGE_TAIL ? p->head : p);
}

static void **
link_of(void *object)
{
	return &object_note(shape_of(object), object)->link;
}

void *
kasan_quarantine_put(const struct object_shape *s, void *object)
{
	void *out = NULL, **end = &out;
	uint64_t flags;

	*link_of(object) = NULL;
	flags = spin_lock_irq(&quarantine_lock);
	if (last)
		*link_of(last) = object;
	else
		first = object;
	last = object;
	held += s->stride;
	while (held > limit) {
		void *o = first;

		held -= shape_of(o)->stride;
		first = *link_of(o);
		*end = o;
		end = link_of(o);
	}
	*end = NULL;
	if (!first)
		last = NULL;
	spin_unlock_irq(&quarantine_lock, flags);
	return out;
}

void *
kasan_quarantine_take(void)
{
	uint64_t flags = spin_lock_irq(&quarantine_lock);
	void *out = first;

	first = last = NULL;
	held = 0;
	spin_unlock_irq(&quarantine_lock, flags);
	return out;
}

void
kasan_quarantine_init(uint64_t bytes)
{
	limit = bytes;
}
