/* SPDX-License-Identifier: MIT */
/*
 * check_objects.c - the objects of slabs: red zones, what a free object holds, who had it.
 *
 *	live:  lead and the bytes behind the size asked for hold RED_BYTE
 *	free:  all from the lead to the note holds POISON_BYTE
 *
 * Allocation finds an object free and its filling whole; free finds it live and its red zones whole. The
 * sweep, check_all_objects(), finds either for all objects without a lock: it believes what it saw only if
 * the note's generation was even and the same before and after.
 *
 * A report names the object, its cache, how its bytes look, and the stacks of who allocated it and who
 * freed it.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/debug.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/thread.h>

#include "check.h"

#define RED_BYTE    0xbb
#define POISON_BYTE 0x5a
#define FRESH_BYTE  0xa5

uint32_t object_mark;

void
check_print_bytes(const void *at)
{
	const uint8_t *base = (const uint8_t *)ALIGN_DOWN((vaddr_t)at, 16) - 16;

	for (unsigned int row = 0; row < 4; row++, base += 16) {
		char line[80];
		size_t n = 0;

		for (unsigned int i = 0; i < 16; i++)
			n += (size_t)scnprintf(line + n, sizeof(line) - n, " %02x", base[i]);
		pr_err("  %p:%s%s\n", (const void *)base, line,
		       (const uint8_t *)at >= base && (const uint8_t *)at < base + 16 ? "  <--" : "");
	}
}

static void
print_history(const struct object_note *n)
{
	char stamp[32];

	if (n->allocated_by) {
		scnprintf(stamp, sizeof(stamp), "%lu.%06lu", n->allocated_ns / 1000000000,
			  n->allocated_ns / 1000 % 1000000);
		pr_err("allocated (%u bytes) at %s by tid %d:\n", n->size, stamp, n->allocated_tid);
		stack_print(n->allocated_by, "  ");
	}
	if (n->freed_by) {
		scnprintf(stamp, sizeof(stamp), "%lu.%06lu", n->freed_ns / 1000000000,
			  n->freed_ns / 1000 % 1000000);
		pr_err("freed at %s by tid %d:\n", stamp, n->freed_tid);
		stack_print(n->freed_by, "  ");
	}
}

static void __noreturn __cold __noinline
broken(const struct object_shape *s, const void *object, const uint8_t *at, const char *what)
{
	debug_report_begin();
	pr_err("memory check: %s: object %p: %s\n", s->name, object, what);
	if (at) {
		pr_err("the byte at %p (object %+ld) is %#x:\n", (const void *)at,
		       (long)(at - (const uint8_t *)object), *at);
		check_print_bytes(at);
	}
	print_history(object_note(s, object));
	panic("slab %s: object %p: %s", s->name, object, what);
}

/* The first byte of [from, to) that is not `byte`; NULL: all are. */
static const uint8_t *
find_other(const uint8_t *from, const uint8_t *to, uint8_t byte)
{
	uint64_t word = 0x0101010101010101ull * byte;

	for (; from < to && !IS_ALIGNED((vaddr_t)from, 8); from++)
		if (*from != byte)
			return from;
	for (; from + 8 <= to; from += 8)
		if (*(const uint64_t *)(const void *)from != word)
			break;
	for (; from < to; from++)
		if (*from != byte)
			return from;
	return NULL;
}

static const uint8_t *
find_before(const struct object_shape *s, const void *object, uint8_t byte)
{
	return find_other((const uint8_t *)object - s->lead, object, byte);
}

static void
begin_change(struct object_note *n)
{
	WRITE_ONCE(n->generation, n->generation + 1);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void
end_change(struct object_note *n)
{
	atomic_store_release(&n->generation, n->generation + 1);
}

static pid_t
tid_here(void)
{
	struct thread *t = current_thread();

	return t ? t->tid : 0;
}

void
check_slab_new(const struct object_shape *s, void *base)
{
	for (uint32_t i = 0; i < s->per_slab; i++) {
		uint8_t *slot = (uint8_t *)base + (size_t)i * s->stride;
		struct object_note *n = object_note(s, slot + s->lead);

		if (config_poison)
			memset(slot, POISON_BYTE, s->lead + s->room);
		memset(n, 0, sizeof(*n));
		n->state = NOTE_FREE;
	}
}

static void
fill_red_zones(const struct object_shape *s, void *object, size_t size)
{
	memset((uint8_t *)object - s->lead, RED_BYTE, s->lead);
	memset((uint8_t *)object + size, RED_BYTE, s->room - size);
}

void
check_object_alloc(const struct object_shape *s, void *object, size_t size)
{
	struct object_note *n = object_note(s, object);
	uint8_t *slot = (uint8_t *)object - s->lead;

	if (unlikely(n->state != NOTE_FREE))
		broken(s, object, NULL, "its note was overwritten while it was free");
	if (config_poison) {
		const uint8_t *bad = find_other(slot, slot + s->lead + s->room, POISON_BYTE);

		if (unlikely(bad))
			broken(s, object, bad, "written after it was freed");
	}
	begin_change(n);
	n->state = NOTE_LIVE;
	n->size = (uint32_t)size;
	n->mark = READ_ONCE(object_mark);
	n->allocated_by = stack_remember(1);
	n->allocated_tid = tid_here();
	n->allocated_ns = arch_clock_ns();
	if (config_poison) {
		memset(object, FRESH_BYTE, size);
		fill_red_zones(s, object, size);
	}
	end_change(n);
}

void
check_object_free(const struct object_shape *s, void *object)
{
	struct object_note *n = object_note(s, object);
	const uint8_t *bad;

	if (unlikely(!IS_ALIGNED((vaddr_t)object, 16)))
		broken(s, (void *)ALIGN_DOWN((vaddr_t)object, 16), object, "freed by a pointer into it");
	if (unlikely(n->state == NOTE_FREE))
		broken(s, object, NULL, "freed twice");
	if (unlikely(n->state != NOTE_LIVE))
		broken(s, object, NULL, "its note was overwritten, or it is not an object's start");
	if (config_poison) {
		bad = find_before(s, object, RED_BYTE);
		if (unlikely(bad))
			broken(s, object, bad, "written before its start");
		bad = find_other((uint8_t *)object + n->size, (uint8_t *)object + s->room, RED_BYTE);
		if (unlikely(bad))
			broken(s, object, bad, "written past its end");
	}
	begin_change(n);
	n->state = NOTE_FREE;
	n->freed_by = stack_remember(1);
	n->freed_tid = tid_here();
	n->freed_ns = arch_clock_ns();
	if (config_poison)
		memset((uint8_t *)object - s->lead, POISON_BYTE, s->lead + s->room);
	end_change(n);
}

void
check_object_resize(const struct object_shape *s, void *object, size_t size)
{
	struct object_note *n = object_note(s, object);
	const uint8_t *bad;

	if (config_poison) {
		bad = find_other((uint8_t *)object + n->size, (uint8_t *)object + s->room, RED_BYTE);
		if (unlikely(bad))
			broken(s, object, bad, "written past its end");
	}
	begin_change(n);
	n->size = (uint32_t)size;
	if (config_poison)
		fill_red_zones(s, object, size);
	end_change(n);
}

size_t
check_object_size(const struct object_shape *s, const void *object)
{
	return object_note(s, object)->size;
}

/* --- all of them ------------------------------------------------------------------------------ */

static const struct object_shape *
object_at(const void *address, void **object)
{
	struct page *p = phys_to_page(virt_to_phys(address));
	const struct object_shape *s;
	uint64_t at;

	if (!p)
		return NULL;
	if (p->flags & PAGE_TAIL)
		p = p->head;
	s = slab_shape(p);
	if (!s)
		return NULL;
	at = ((vaddr_t)address - (vaddr_t)page_to_virt(p)) / s->stride;
	if (at >= s->per_slab)
		return NULL;
	*object = (uint8_t *)page_to_virt(p) + at * s->stride + s->lead;
	return s;
}

struct sweep {
	uint64_t seen;
};

static bool
sweep_object(void *ctx, const struct object_shape *s, void *object, const struct object_note *n)
{
	struct sweep *w = ctx;
	uint32_t generation = atomic_load(&n->generation);
	const uint8_t *bad = NULL;
	const char *what = "";
	void *same;

	w->seen++;
	if (generation & 1)
		return true;
	if (n->state == NOTE_FREE) {
		bad = find_other((uint8_t *)object - s->lead, (uint8_t *)object + s->room,
				 POISON_BYTE);
		what = "written after it was freed (seen by the sweep)";
	} else if (n->state == NOTE_LIVE) {
		bad = find_before(s, object, RED_BYTE);
		what = "written before its start (seen by the sweep)";
		if (!bad) {
			bad = find_other((uint8_t *)object + n->size, (uint8_t *)object + s->room,
					 RED_BYTE);
			what = "written past its end (seen by the sweep)";
		}
	}
	if (likely(!bad))
		return true;
	/* Did it change hands meanwhile? Then what we saw means nothing. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (atomic_load_relaxed(&n->generation) != generation || object_at(object, &same) != s)
		return true;
	broken(s, object, bad, what);
}

uint64_t
check_all_objects(void)
{
	struct sweep w = { 0 };

	if (config_poison)
		check_for_each_object(sweep_object, &w);
	return w.seen;
}

bool
object_describe(const void *address)
{
	const struct object_shape *s;
	const struct object_note *n;
	void *object;

	if ((vaddr_t)address < direct_map_base)
		return false;
	s = object_at(address, &object);
	if (!s)
		return false;
	n = object_note(s, object);
	pr_err("%p is byte %ld of %s object %p, %s\n", address,
	       (long)((vaddr_t)address - (vaddr_t)object), s->name, object,
	       n->state == NOTE_LIVE ? "live" : n->state == NOTE_FREE ? "free" : "overwritten");
	print_history(n);
	return true;
}
