/* SPDX-License-Identifier: MIT */
/*
 * frames_boot.c - physical memory before the frame allocator stands.
 *
 * bootinfo's map is turned into two lists of frame ranges: boot_ram, everything that is memory and
 * will have a struct page (the kernel's image and the initramfs included: their pages get mapped
 * into programs), and boot_free, what may be handed out. The first MiB is neither: firmware and the
 * start of the other CPUs use it.
 *
 * Until frames_init(), frames are handed out from the bottom up by moving a cursor over boot_free;
 * they are never given back, and section.c marks all below the cursor as reserved. One CPU runs.
 */
#include <tessera/bootinfo.h>
#include <tessera/string.h>

#include "mm.h"

#define LOW_MEMORY_END 0x100000ul

struct boot_ranges boot_ram;
struct boot_ranges boot_free;
static pfn_t cursor;
static bool ready;

/* Keep the ranges sorted; merge with neighbours that touch. */
static void
range_add(struct boot_ranges *r, pfn_t start, pfn_t end)
{
	uint32_t i = 0;

	if (start >= end)
		return;
	while (i < r->count && r->range[i].end < start)
		i++;
	if (i < r->count && r->range[i].start <= end) {
		r->range[i].start = MIN(r->range[i].start, start);
		r->range[i].end = MAX(r->range[i].end, end);
		while (i + 1 < r->count && r->range[i + 1].start <= r->range[i].end) {
			r->range[i].end = MAX(r->range[i].end, r->range[i + 1].end);
			memmove(&r->range[i + 1], &r->range[i + 2],
				(r->count - i - 2) * sizeof(r->range[0]));
			r->count--;
		}
		return;
	}
	if (r->count == BOOT_RANGE_MAX)
		return;
	memmove(&r->range[i + 1], &r->range[i], (r->count - i) * sizeof(r->range[0]));
	r->range[i] = (struct frame_range){ start, end };
	r->count++;
}

static void
range_remove(struct boot_ranges *r, pfn_t start, pfn_t end)
{
	struct boot_ranges old = *r;

	r->count = 0;
	for (uint32_t i = 0; i < old.count; i++) {
		struct frame_range f = old.range[i];

		if (start >= end || f.end <= start || f.start >= end) {
			range_add(r, f.start, f.end);
			continue;
		}
		if (f.start < start)
			range_add(r, f.start, start);
		if (f.end > end)
			range_add(r, end, f.end);
	}
}

static void
add_bytes(struct boot_ranges *r, paddr_t start, paddr_t end)
{
	start = MAX(start, LOW_MEMORY_END);
	end = MIN(end, (paddr_t)SECTION_MAX << SECTION_SHIFT);
	range_add(r, ALIGN_UP(start, PAGE_SIZE) >> PAGE_SHIFT, end >> PAGE_SHIFT);
}

/* Occupied bytes: widen to whole frames. */
static void
occupy(paddr_t start, paddr_t end)
{
	if (start == end)
		return;
	start = MAX(ALIGN_DOWN(start, PAGE_SIZE), LOW_MEMORY_END);
	end = ALIGN_UP(end, PAGE_SIZE);
	if (start >= end)
		return;
	add_bytes(&boot_ram, start, end);
	range_remove(&boot_free, start >> PAGE_SHIFT, end >> PAGE_SHIFT);
}

void
boot_ranges_init(void)
{
	if (ready)
		return;
	ready = true;
	for (uint32_t i = 0; i < bootinfo.memory_count; i++) {
		const struct boot_memory *m = &bootinfo.memory[i];

		if (m->type == BOOT_MEMORY_USABLE && m->end > LOW_MEMORY_END)
			add_bytes(&boot_ram, m->start, m->end);
	}
	boot_free = boot_ram;
	/* Whatever is not plain memory wins where the firmware's ranges share a frame. */
	for (uint32_t i = 0; i < bootinfo.memory_count; i++) {
		const struct boot_memory *m = &bootinfo.memory[i];

		if (m->type != BOOT_MEMORY_USABLE && m->end > m->start) {
			pfn_t start = m->start >> PAGE_SHIFT;
			pfn_t end = ALIGN_UP(m->end, PAGE_SIZE) >> PAGE_SHIFT;

			range_remove(&boot_ram, start, end);
			range_remove(&boot_free, start, end);
		}
	}
	occupy(bootinfo.kernel_start, bootinfo.kernel_end);
	occupy(bootinfo.initrd, bootinfo.initrd + bootinfo.initrd_size);
	cursor = boot_free.count > 0 ? boot_free.range[0].start : 0;
}

pfn_t
boot_frames_cursor(void)
{
	return cursor;
}

paddr_t
boot_frame_alloc(void)
{
	boot_ranges_init();
	for (uint32_t i = 0; i < boot_free.count; i++) {
		const struct frame_range *f = &boot_free.range[i];

		if (cursor >= f->end)
			continue;
		pfn_t pfn = MAX(cursor, f->start);

		cursor = pfn + 1;
		memset(phys_to_virt(pfn << PAGE_SHIFT), 0, PAGE_SIZE);
		return pfn << PAGE_SHIFT;
	}
	panic("too little memory: the boot map has no free frame left (%u ranges)",
		boot_free.count);
}
