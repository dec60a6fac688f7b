/* SPDX-License-Identifier: MIT */
/*
 * vdso.c - the vDSO in a program's memory: text pages and, behind them, the data page with the clocks.
 *
 * One memory object holds the pages for everybody. The text is mapped privately, so that a debugger's
 * breakpoint (and a program that is moved to another machine) has a copy of its own; the data page is
 * read-only for good.
 */
#include <tessera/address_space.h>
#include <tessera/arch.h>
#include <tessera/random.h>

#include "proc.h"

#define PLACE_BITS 9 /* within 2 MiB above the stack, as far as there is room */

static struct memory_object *vdso_object; /* [I] after the first exec, which nobody races */

static int
make_object(void)
{
	unsigned int n = arch_vdso_text_pages() + 1;

	vdso_object = object_create(&anonymous_object_ops, n * PAGE_SIZE, NULL);
	if (!vdso_object)
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++) {
		struct page *p = arch_vdso_page(i);
		int error;

		page_get(p); /* the vDSO's writer keeps its own reference */
		error = object_insert_page(vdso_object, i, p);
		if (error)
			return error;
	}
	return 0;
}

static long
map_part(struct address_space *as, vaddr_t at, uint64_t first, uint64_t pages, uint32_t flags)
{
	struct map_request r = {
		.addr = at,
		.length = pages * PAGE_SIZE,
		.flags = flags,
		.place = MAP_PLACE_FIXED,
		.offset = first * PAGE_SIZE,
		.object = vdso_object,
	};

	return address_space_map(as, &r);
}

long
vdso_map(struct address_space *as, vaddr_t stack_top, bool randomize)
{
	unsigned int text = arch_vdso_text_pages();
	struct map_request space = { .length = (text + 1) * PAGE_SIZE };
	vaddr_t at;
	long r;

	if (text == 0)
		return 0;
	if (!vdso_object) {
		r = make_object();
		if (r < 0)
			return r;
	}
	/* Above the stack if it fits there, else among the mappings. */
	at = ALIGN_UP(stack_top, PAGE_SIZE);
	if (randomize)
		at += random_below(BIT(PLACE_BITS)) << PAGE_SHIFT;
	if (!randomize || at + space.length > USER_END) {
		r = address_space_map(as, &space);
		if (r < 0)
			return r;
		at = r;
	}
	r = map_part(as, at, 0, text,
		     MAPPING_READ | MAPPING_EXEC | MAPPING_VDSO | MAPPING_MAYREAD |
			     MAPPING_MAYWRITE | MAPPING_MAYEXEC);
	if (r < 0)
		return r;
	r = map_part(as, at + text * PAGE_SIZE, text, 1,
		     MAPPING_READ | MAPPING_SHARED | MAPPING_VVAR | MAPPING_MAYREAD);
	return r < 0 ? r : (long)at;
}
