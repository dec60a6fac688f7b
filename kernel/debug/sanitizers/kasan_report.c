/* SPDX-License-Identifier: MIT */
/*
 * kasan_report.c - what was touched: the object, frame, region, variable or array, whose it is and was, and
 * the shadow around it.
 *
 * A function with closed words on its stack leaves at the lowest of them a magic number, a description of
 * its variables and its own address; the compiler's text is "count, then for each: offset size length
 * name". Globals are known by the tables that the constructors hand over.
 */
#include <tessera/arch.h>
#include <tessera/cpu.h>
#include <tessera/debug.h>
#include <tessera/memory_check.h>
#include <tessera/page.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/string.h>
#include <tessera/thread.h>

#include "kasan.h"

#define FRAME_MAGIC  0x41b58ab3ul
#define FRAME_LIMIT  4096u /* how far below an array its frame's first word may lie */
#define SHADOW_LINE  16u
#define UNITS_MAX    512u
#define DIRECT_MAP_END 0xffffc00000000000ul

/* The compiler's, for one variable; sizes in bytes. */
struct asan_global {
	const void *start;
	size_t size, size_with_redzone;
	const char *name, *unit;
	uint64_t has_initializer;
	const void *location;
	uint64_t odr;
};

struct asan_frame {
	uint64_t magic;
	const char *description;
	vaddr_t function;
};

/* The tables of the units; [I] after kasan_init(). */
static struct {
	const struct asan_global *globals;
	size_t count;
} units[UNITS_MAX];
static size_t unit_count;

void __asan_register_globals(const struct asan_global *g, size_t n);
void __asan_unregister_globals(const struct asan_global *g, size_t n);

void
__asan_register_globals(const struct asan_global *g, size_t n)
{
	if (unit_count < UNITS_MAX) {
		units[unit_count].globals = g;
		units[unit_count++].count = n;
	}
	for (; n; n--, g++) {
		size_t open = ALIGN_UP(g->size, GRANULE);

		kasan_poison((const char *)g->start + open, g->size_with_redzone - open,
			     KASAN_GLOBAL_REDZONE);
		kasan_unpoison(g->start, g->size);
	}
}

/* The compiler's destructors name it; nothing calls them. */
void
__asan_unregister_globals(const struct asan_global *g, size_t n)
{
}

/* --- what it is -------------------------------------------------------------------------------- */

/* The shadow byte that says why: of a granule open in part, the next one's. */
static uint8_t
why_closed(vaddr_t a, size_t n)
{
	for (vaddr_t at = a; at < a + n; at = ALIGN_DOWN(at, GRANULE) + GRANULE) {
		uint8_t s = *shadow_at(at);

		if (s >= GRANULE)
			return s;
		if (s && (MIN(a + n - 1, at | GRANULE_MASK) & GRANULE_MASK) >= s)
			return *shadow_at(at + GRANULE);
	}
	return 0;
}

static const char *
why_name(uint8_t why)
{
	switch (why) {
	case KASAN_STACK_LEFT:
	case KASAN_STACK_MIDDLE:
	case KASAN_STACK_RIGHT:
		return "stack out of bounds";
	case KASAN_STACK_SCOPE:
		return "stack use out of scope";
	case KASAN_GLOBAL_REDZONE:
		return "global out of bounds";
	case KASAN_REGION_GUARD:
		return "region out of bounds";
	case KASAN_OBJECT_FREED:
		return "use after free";
	case KASAN_OBJECT_REDZONE:
		return "object out of bounds";
	case KASAN_STACK_FREED:
		return "use of a free kernel stack";
	case KASAN_PAGE_REDZONE:
		return "kmalloc block out of bounds";
	case KASAN_PAGE_FREED:
		return "use of a free page";
	}
	return "out of bounds";
}

static void
print_shadow(vaddr_t a)
{
	vaddr_t line = ALIGN_DOWN(a, SHADOW_LINE * GRANULE) - 2 * SHADOW_LINE * GRANULE;

	pr_err("shadow, 8 bytes each (00: open):\n");
	for (unsigned int row = 0; row < 5; row++, line += SHADOW_LINE * GRANULE) {
		char text[SHADOW_LINE * 4 + 1];
		size_t n = 0;

		for (unsigned int i = 0; i < SHADOW_LINE; i++) {
			vaddr_t at = line + i * GRANULE;
			bool here = at == ALIGN_DOWN(a, GRANULE);

			n += (size_t)scnprintf(text + n, sizeof(text) - n, here ? "[%02x]" : " %02x ",
					       *shadow_at(at));
		}
		pr_err("  %#lx:%s\n", line, text);
	}
}

/* --- whose it is ------------------------------------------------------------------------------- */

static bool
describe_frame(vaddr_t a)
{
	struct page *p = phys_to_page(virt_to_phys((const void *)a));

	if (!p)
		return false;
	pr_err("%#lx is byte %lu of frame %#lx, %s\n", a, a % PAGE_SIZE, page_to_pfn(p),
	       p->flags & (PAGE_FREE | PAGE_STACKED) ? "free" : "in use");
	if (frame_allocated_by(p)) {
		pr_err("allocated at\n");
		stack_print(frame_allocated_by(p), "  ");
	}
	if (frame_freed_by(p)) {
		pr_err("freed at\n");
		stack_print(frame_freed_by(p), "  ");
	}
	return true;
}

static bool
describe_global(vaddr_t a)
{
	for (size_t u = 0; u < unit_count; u++)
		for (size_t i = 0; i < units[u].count; i++) {
			const struct asan_global *g = &units[u].globals[i];
			vaddr_t start = (vaddr_t)g->start;

			if (a < start || a >= start + g->size_with_redzone)
				continue;
			pr_err("%#lx is byte %lu of the global %s of %s, which has %lu\n", a, a - start,
			       g->name, g->unit, g->size);
			return true;
		}
	return false;
}

/* The next number of a frame's description. */
static uint64_t
next_number(const char **s)
{
	uint64_t n = 0;

	while (**s == ' ')
		(*s)++;
	parse_u64(*s, s, 10, &n);
	return n;
}

static void
describe_variables(const struct asan_frame *f, vaddr_t a)
{
	const char *s = f->description;
	uint64_t count = next_number(&s), offset;
	const char *function = symbol_find(f->function, &offset);

	pr_err("%#lx is in the stack frame of %s, at %lu; its variables:\n", a,
	       function ? function : "?", a - (vaddr_t)f);
	while (count--) {
		uint64_t size, length;
		char name[64];

		offset = next_number(&s);
		size = next_number(&s);
		length = next_number(&s);
		s++; /* the blank before the name */
		string_copy(name, s, MIN(length + 1, sizeof(name)));
		s += length;
		pr_err("  [%lu, %lu) %s\n", offset, offset + size, name);
	}
}

/* The frame's first word is the beginning of the nearest left red zone below. */
static bool
describe_stack(vaddr_t a)
{
	vaddr_t at = ALIGN_DOWN(a, GRANULE), low = at - FRAME_LIMIT;

	for (; at > low; at -= GRANULE) {
		const struct asan_frame *f = (const struct asan_frame *)at;

		if (*shadow_at(at) != KASAN_STACK_LEFT || *shadow_at(at - GRANULE) == KASAN_STACK_LEFT)
			continue;
		if (f->magic != FRAME_MAGIC)
			return false;
		describe_variables(f, a);
		return true;
	}
	return false;
}

static bool
describe_region(vaddr_t a)
{
	vaddr_t start, end;
	const char *kind;

	if (a < region_base || a >= region_base + REGION_SIZE)
		return false;
	kind = region_describe((const void *)a, &start, &end);
	if (kind)
		pr_err("%#lx is byte %ld of the %s at %#lx, %lu bytes\n", a, (long)(a - start), kind,
		       start, end - start);
	else
		pr_err("%#lx is in no kernel region\n", a);
	return true;
}

static void
describe(vaddr_t a, uint8_t why)
{
	if (why == KASAN_STACK_LEFT || why == KASAN_STACK_MIDDLE || why == KASAN_STACK_RIGHT ||
	    why == KASAN_STACK_SCOPE) {
		if (describe_stack(a))
			return;
	}
	if (describe_region(a))
		return;
	if (a < DIRECT_MAP_END) {
		if (!object_describe((const void *)a))
			describe_frame(a);
		return;
	}
	describe_global(a);
}

/* The first byte of it that is closed. */
static vaddr_t
first_closed(vaddr_t a, size_t n)
{
	for (vaddr_t at = a; at < a + n; at++) {
		uint8_t s = *shadow_at(at);

		if (s >= GRANULE || (s && (at & GRANULE_MASK) >= s))
			return at;
	}
	return a;
}

void
kasan_report(vaddr_t a, size_t n, bool write, vaddr_t pc)
{
	uint8_t why = why_closed(a, n);
	vaddr_t bad = first_closed(a, n);
	char where[80];

	kasan_looking = false;
	debug_report_begin();
	symbol_format(pc - 1, where, sizeof(where));
	log_set_console_level(LOG_DEBUG);
	pr_err("KASAN: %s: %s of %lu bytes at %#lx by %s\n", why_name(why), write ? "write" : "read", n, a,
	       where);
	describe(bad, why);
	print_shadow(bad);
	panic("KASAN: %s: %s of %lu bytes at %#lx by %s", why_name(why), write ? "write" : "read", n, a,
	      where);
}
