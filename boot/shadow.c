/* SPDX-License-Identifier: MIT */
/*
 * shadow.c - KASAN before the memory map: the compiler's code writes shadow for the arrays of every
 * function from the first on, so all of the shadow is one page that takes it. Nobody reads it.
 *
 * Four pages of tables for 16 TiB, in the boot tables that arch_init_memory() leaves.
 */
#include <tessera/arch.h>
#include <tessera/layout.h>

#include "boot.h"

#define ENTRIES 512

extern uint64_t boot_pml4[];

static uint64_t tables[3][ENTRIES] __aligned(PAGE_SIZE);
static uint8_t page[PAGE_SIZE] __aligned(PAGE_SIZE);

void
boot_shadow_init(void)
{
	uint64_t below = boot_image_to_phys(page) | PTE_TABLE;

	for (unsigned int level = 0; level < 3; level++) {
		for (unsigned int i = 0; i < ENTRIES; i++)
			tables[level][i] = below;
		below = boot_image_to_phys(tables[level]) | PTE_TABLE;
	}
	for (vaddr_t at = SHADOW_BASE; at < SHADOW_END; at += 1ul << 39)
		boot_pml4[at >> 39 & (ENTRIES - 1)] = below;
}
