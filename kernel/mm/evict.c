/* SPDX-License-Identifier: MIT */
/*
 * evict.c - giving up pages that can be had again: for reclaim, for who says so.
 *
 * All pages of objects with a store are on one list, the longest unlooked-at first. A page that was
 * used since gets a second round: one that read(2) came to has PAGE_REFERENCED, one that is mapped
 * and was used by its address has the accessed bits of its leaves (age.c). A dirty one stays, too,
 * and its flusher is told: reclaim itself never writes, because who runs out of memory may be the
 * daemon that has to take what is written.
 *
 * When nothing was found at all, being used protects no more: better a page that is wanted again
 * than a process that has to die.
 *
 * Locks. The list's is a leaf, taken after pages_lock (insertion and removal). Here it comes first:
 * pages_lock is only tried. Having it, with the page still in its tree, keeps the object: its end
 * has to take the page out. A page that is mapped needs more, and for that a reference to the
 * object, dropped late: reclaim may run under any lock of those who allocate.
 */
#include <tessera/cpu.h>
#include <tessera/signal.h>
#include <tessera/thread.h>

#include "mm.h"
#include "page_cache.h"

#define BUDGET 4096u /* pages looked at for one call */
#define BUSY   (PAGE_LOCKED | PAGE_DIRTY | PAGE_WRITEBACK)

static struct spinlock evict_lock = SPINLOCK_INIT(LEAF);
static struct list evict_list = LIST_INIT(evict_list); /* evict_lock: struct page.node */
static uint64_t evict_count;                           /* evict_lock: pages on it; read without */

void
evict_add(struct page *p)
{
	uint64_t flags = spin_lock_irq(&evict_lock);

	list_add_tail(&evict_list, &p->node);
	WRITE_ONCE(evict_count, evict_count + 1);
	atomic_or(&p->flags, (uint32_t)PAGE_LISTED);
	spin_unlock_irq(&evict_lock, flags);
}

void
evict_remove(struct page *p)
{
	uint64_t flags = spin_lock_irq(&evict_lock);

	list_del(&p->node);
	WRITE_ONCE(evict_count, evict_count - 1);
	atomic_and(&p->flags, ~(uint32_t)PAGE_LISTED);
	spin_unlock_irq(&evict_lock, flags);
}

struct memory_object *
evict_object_of(struct page *p)
{
	uint64_t flags = spin_lock_irq(&evict_lock);
	struct memory_object *o = NULL;

	/* While it is on the list its object lives: the end of that takes it off first. */
	if (page_flags(p) & PAGE_LISTED) {
		o = p->object;
		if (!ref_get_unless_zero(&o->refs))
			o = NULL;
	}
	spin_unlock_irq(&evict_lock, flags);
	return o;
}

/* What evict_lock found. */
enum found { NOTHING, GONE, MAPPED };

/* Which pages a look is for. */
#define WITH_MAPPED BIT(0) /* also mapped ones */
#define WITH_USED   BIT(1) /* also those that were used since the last round */

/* Kick the flusher of a dirty page's object. evict_lock held, and the page on the list. */
static struct backing *
flusher_of(struct page *p)
{
	struct backing *b = p->object->store->backing;

	return READ_ONCE(b->kicked) || !ref_get_unless_zero(&b->refs) ? NULL : b;
}

/*
 * Look at the oldest page. GONE: it is the caller's, taken out. MAPPED: it may be had when it is
 * unmapped; references to it and to *object. NOTHING: it is in use, *dirty may be a backing, with a
 * reference, that should write.
 */
static enum found
look(struct page **page, struct memory_object **object, struct backing **dirty, unsigned int which)
{
	uint64_t irq = spin_lock_irq(&evict_lock);
	enum found found = NOTHING;
	struct memory_object *o;
	struct page *p;
	uint32_t flags;

	p = list_first(&evict_list, struct page, node);
	if (!p)
		goto unlock;
	list_del(&p->node);
	list_add_tail(&evict_list, &p->node);
	flags = page_flags(p);
	o = p->object;
	if (flags & PAGE_REFERENCED) {
		atomic_and(&p->flags, ~(uint32_t)PAGE_REFERENCED);
		if (!(which & WITH_USED))
			goto unlock;
	}
	if (flags & BUSY) {
		if ((flags & (PAGE_DIRTY | PAGE_WRITEBACK)) == PAGE_DIRTY && !*dirty)
			*dirty = flusher_of(p);
		goto unlock;
	}
	if (atomic_load(&p->mapcount) > 0) {
		if ((which & WITH_MAPPED) && ref_get_unless_zero(&o->refs)) {
			page_get(p);
			*page = p;
			*object = o;
			found = MAPPED;
		}
		goto unlock;
	}
	if (!spin_trylock(&o->pages_lock))
		goto unlock;
	spin_unlock_irq(&evict_lock, irq);
	if (p->object == o && atomic_load(&p->refcount) == 1 && !(page_flags(p) & BUSY)) {
		page_cache_detach(o, p);
		*page = p;
		found = GONE;
	}
	spin_unlock(&o->pages_lock);
	return found;

unlock:
	spin_unlock_irq(&evict_lock, irq);
	return found;
}

/* Unmap `p` of `o`, both referenced, and take it out if nobody else has it, and nobody used it if
 * that counts. */
static bool
take_mapped(struct memory_object *o, struct page *p, unsigned int which)
{
	bool gone = false;

	if (!(which & WITH_USED) && object_age(o, p))
		return false;
	object_unmap_range(o, p->index, p->index, true);
	spin_lock(&o->pages_lock);
	/* The object's reference and ours, so nobody else can have it or get it without this lock. */
	if (p->object == o && atomic_load(&p->refcount) == 2 && !(page_flags(p) & BUSY)) {
		page_cache_detach(o, p);
		gone = true;
	}
	spin_unlock(&o->pages_lock);
	if (gone)
		page_put(p);
	return gone;
}

/* Look at the oldest page, and take it if it can be had. */
static bool
take_oldest(unsigned int which)
{
	struct backing *dirty = NULL;
	struct memory_object *o;
	struct page *p;
	bool gone = false;

	switch (look(&p, &o, &dirty, which)) {
	case NOTHING:
		break;
	case GONE:
		gone = true;
		page_put(p);
		break;
	case MAPPED:
		gone = take_mapped(o, p, which);
		page_put(p);
		object_put_late(o);
		break;
	}
	if (gone)
		page_cache_count(true, -1);
	if (dirty) {
		backing_kick(dirty);
		backing_put(dirty);
	}
	return gone;
}

uint64_t
page_cache_shrink(uint64_t frames)
{
	uint64_t gone = 0;

	for (uint32_t i = 0; i < BUDGET && gone < frames && !list_is_empty(&evict_list); i++)
		gone += take_oldest(WITH_MAPPED);
	for (uint32_t i = 0; i < BUDGET && gone == 0 && !list_is_empty(&evict_list); i++)
		gone += take_oldest(WITH_MAPPED | WITH_USED);
	return gone;
}

/* --- on demand ------------------------------------------------------------------------------------------ */

/* Each page once: what is put at the end meanwhile is not waited for. */
void
page_cache_drop(void)
{
	for (uint64_t left = READ_ONCE(evict_count); left > 0 && !signal_fatal_pending(current_thread()); left--)
		(void)take_oldest(WITH_USED);
}

/* Clean, idle, unmapped pages of [first, last]; how many others stayed. */
static uint64_t
drop_idle(struct memory_object *o, uint64_t first, uint64_t last)
{
	uint64_t stayed = 0;

	for (bool more = true; more;) {
		struct page *p;
		bool gone = false;

		spin_lock(&o->pages_lock);
		p = radix_next(&o->pages, &first);
		more = p && first <= last;
		if (more && atomic_load(&p->refcount) == 1 && !(page_flags(p) & BUSY)) {
			page_cache_detach(o, p);
			gone = true;
		}
		spin_unlock(&o->pages_lock);
		if (!more)
			break;
		if (gone) {
			page_cache_count(true, -1);
			page_put(p);
		} else {
			stayed++;
		}
		more = first++ != UINT64_MAX;
	}
	return stayed;
}

uint64_t
object_invalidate(struct memory_object *o, uint64_t start, uint64_t end, bool discard)
{
	uint64_t first = start / PAGE_SIZE, last = (end - 1) / PAGE_SIZE;

	if (!o->store || end <= start)
		return 0;
	if (!discard)
		return drop_idle(o, first, last);
	mutex_lock(&o->lock);
	page_cache_remove(o, first, last);
	object_unmap_range(o, first, last, true);
	mutex_unlock(&o->lock);
	return 0;
}

uint64_t
object_drop_clean(struct memory_object *o, uint64_t start, uint64_t end)
{
	uint64_t first = start / PAGE_SIZE, last = (end - 1) / PAGE_SIZE, stayed;

	if (!o->store || end <= start)
		return 0;
	/* Who has a reference still (the request that filled it, a reader) has what it was: nobody finds it any more. */
	mutex_lock(&o->lock);
	stayed = page_cache_remove_clean(o, first, last);
	object_unmap_range(o, first, last, true);
	mutex_unlock(&o->lock);
	return stayed;
}
