/* SPDX-License-Identifier: MIT */
/*
 * memory_map.c - the kernel's half of every address space, built once from bootinfo.
 *
 * The direct map covers what is memory, in the largest pages that fit (1 GiB where the CPU has them),
 * rounded to 2 MiB at its edges, never device holes beyond that. The kernel's image is mapped in
 * 4 KiB pages: text read and execute, constants read, data read and write, the page below the boot
 * stack not at all. The image's text and constants are read-only in the direct map too.
 *
 * Each area under the top-level table gets its entry here (layout.h), before any program's table
 * copies them: what is mapped later, everybody sees.
 */
#include <tessera/arch.h>
#include <tessera/bootinfo.h>
#include <tessera/config.h>
#include <tessera/kasan.h>
#include <tessera/layout.h>
#include <tessera/page.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/tlb.h>

#include "features.h"
#include "kernel_image.h"
#include "msr.h"
#include "platform.h"

static const char *const sources[] = {
	[BOOT_RANDOM_NONE] = "nobody: nokaslr",
	[BOOT_RANDOM_INSTRUCTION] = "rdrand",
	[BOOT_RANDOM_TIMING] = "timing",
	[BOOT_RANDOM_LOADER] = "the loader",
};

vaddr_t region_base __ro_after_init;

#define ENTRIES   512
#define SHIFT_4K  12
#define SHIFT_2M  21
#define SHIFT_1G  30
#define SHIFT_TOP 39

#define TABLE_BITS (X86_PTE_PRESENT | X86_PTE_WRITE)
#define LEAF_BITS  (X86_PTE_PRESENT | X86_PTE_GLOBAL | X86_PTE_ACCESSED | X86_PTE_DIRTY)

paddr_t
kernel_image_to_phys(const void *p)
{
	return bootinfo.kernel_start + (paddr_t)((const char *)p - kernel_start);
}

/* The table behind `entry`, made when there is none. */
static uint64_t *
table_below(uint64_t *entry)
{
	if (!(*entry & X86_PTE_PRESENT))
		*entry = boot_frame_alloc() | TABLE_BITS;
	return phys_to_virt(*entry & X86_PTE_FRAME);
}

/* The entry for `va` whose leaf spans 1 << shift bytes. */
static uint64_t *
entry_for(vaddr_t va, unsigned int shift)
{
	uint64_t *table = phys_to_virt(kernel_page_table.root);

	for (unsigned int s = SHIFT_TOP; s > shift; s -= 9)
		table = table_below(&table[va >> s & (ENTRIES - 1)]);
	return &table[va >> shift & (ENTRIES - 1)];
}

static void
map_pages(vaddr_t va, paddr_t pa, uint64_t size, uint64_t bits)
{
	uint64_t *entry = NULL;

	for (uint64_t at = 0; at < size; at += PAGE_SIZE) {
		entry = entry && !IS_ALIGNED(va + at, HUGE_PAGE_SIZE) ? entry + 1 : entry_for(va + at, SHIFT_4K);
		*entry = (pa + at) | bits;
	}
}

/* --- the direct map ---------------------------------------------------------------------------- */

/* Does [start, start + size) share a byte with the image's read-only part? */
static bool
touches_image(paddr_t start, uint64_t size)
{
	return start < kernel_image_to_phys(kernel_rodata_end) && start + size > bootinfo.kernel_start;
}

static void
direct_map_small(paddr_t start)
{
	uint64_t *entry = entry_for(direct_map_base + start, SHIFT_4K);

	for (paddr_t p = start; p < start + HUGE_PAGE_SIZE; p += PAGE_SIZE) {
		uint64_t bits = LEAF_BITS | X86_PTE_NX;

		if (!touches_image(p, PAGE_SIZE))
			bits |= X86_PTE_WRITE;
		*entry++ = p | bits;
	}
}

/* Both ends are multiples of 2 MiB. */
static void
direct_map_range(paddr_t start, paddr_t end)
{
	const uint64_t bits = LEAF_BITS | X86_PTE_WRITE | X86_PTE_NX | X86_PTE_LARGE;
	const uint64_t giant = BIT(SHIFT_1G);

	while (start < end) {
		if (cpu_features.huge_1g && IS_ALIGNED(start, giant) && end - start >= giant &&
		    !touches_image(start, giant)) {
			*entry_for(direct_map_base + start, SHIFT_1G) = start | bits;
			start += giant;
			continue;
		}
		if (touches_image(start, HUGE_PAGE_SIZE))
			direct_map_small(start);
		else
			*entry_for(direct_map_base + start, SHIFT_2M) = start | bits;
		start += HUGE_PAGE_SIZE;
	}
}

/* Ranges that meet after rounding are joined, so that a 2 MiB page is entered only once. */
static uint64_t
map_memory(void)
{
	paddr_t start = 0, end = 0;
	uint64_t total = 0;

	for (uint32_t i = 0; i < bootinfo.memory_count; i++) {
		const struct boot_memory *m = &bootinfo.memory[i];
		paddr_t from = ALIGN_DOWN(m->start, HUGE_PAGE_SIZE);
		paddr_t to = MIN(ALIGN_UP(m->end, HUGE_PAGE_SIZE), DIRECT_MAP_SIZE);

		if (m->type != BOOT_MEMORY_USABLE && m->type != BOOT_MEMORY_ACPI)
			continue;
		if (from >= to)
			continue;
		if (m->type == BOOT_MEMORY_USABLE)
			total += m->end - m->start;
		if (from <= end) {
			end = MAX(end, to);
			continue;
		}
		direct_map_range(start, end);
		start = from;
		end = to;
	}
	direct_map_range(start, end);
	return total;
}

/* --- the image --------------------------------------------------------------------------------- */

static void
map_image(void)
{
	const struct {
		char *start, *end;
		uint64_t bits;
	} part[] = {
		{ kernel_text_start, kernel_text_end, LEAF_BITS },
		{ kernel_rodata_start, kernel_rodata_end, LEAF_BITS | X86_PTE_NX },
		{ kernel_data_start, kernel_data_end, LEAF_BITS | X86_PTE_NX | X86_PTE_WRITE },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(part); i++)
		map_pages((vaddr_t)part[i].start, kernel_image_to_phys(part[i].start),
			  (uint64_t)(part[i].end - part[i].start), part[i].bits);
	*entry_for((vaddr_t)boot_stack_guard, SHIFT_4K) = 0;
}

/* The top-level entries of [base, base + size): what lies under them is made on demand. */
static void
reserve_area(vaddr_t base, uint64_t size)
{
	for (vaddr_t va = ALIGN_DOWN(base, BIT(SHIFT_TOP)); va < base + size; va += BIT(SHIFT_TOP))
		entry_for(va, SHIFT_1G);
}

void
arch_init_memory(void)
{
	const struct boot_layout *l = &boot_layout;
	uint64_t total;

	assert(boot_stack_top - boot_stack_bottom == KERNEL_STACK_SIZE);
	kernel_page_table.root = boot_frame_alloc();
	total = map_memory();
	map_image();
	region_base = l->regions;
	page_array = (struct page *)l->page_array;
	reserve_area(region_base, REGION_SIZE);
	reserve_area(l->page_array, PAGE_ARRAY_SIZE);
	if (config_kasan)
		arch_shadow_init(SHADOW_OF(kernel_start), (size_t)(kernel_end - kernel_start) >> SHADOW_SHIFT);
	cr3_write(kernel_page_table.root);
	if (config_kasan)
		kasan_init();
	pr_info("memory: %lu MiB usable in %u ranges; kernel at %#lx, slide %#lx\n", total >> 20,
		bootinfo.memory_count, bootinfo.kernel_start, bootinfo.kernel_slide);
	pr_info("layout: direct map %#lx, regions %#lx, page array %#lx; places by %s\n", direct_map_base,
		region_base, l->page_array, sources[l->source]);
}

void
memory_map_seal(void)
{
	for (char *p = kernel_ro_after_init_start; p < kernel_ro_after_init_end; p += PAGE_SIZE)
		*entry_for((vaddr_t)p, SHIFT_4K) &= ~X86_PTE_WRITE;
	tlb_flush_kernel((vaddr_t)kernel_ro_after_init_start, (vaddr_t)kernel_ro_after_init_end);
}
