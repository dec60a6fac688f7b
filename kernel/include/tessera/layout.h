/* SPDX-License-Identifier: MIT */
/*
 * layout.h - where the kernel's own areas lie in its half of the address space.
 *
 * Each area is one entry of the top-level page table (512 GiB), but for the shadow. The entries are made at boot,
 * before the first program's page table copies them, so that all page tables share what is mapped
 * there later. The direct map (arch.h) lies below all of them, the kernel image above.
 */
#ifndef TESSERA_LAYOUT_H
#define TESSERA_LAYOUT_H

#include <tessera/types.h>

#define REGION_BASE     0xffffc90000000000ul /* stacks, vmalloc, devices: mm/region.c */
#define REGION_SIZE     0x0000008000000000ul
#define PAGE_ARRAY_BASE 0xffffea0000000000ul /* struct page per frame: mm/section.c */
#define PAGE_ARRAY_SIZE 0x0000008000000000ul

/*
 * With config_kasan: one byte of shadow for 8 of the kernel's half, so 32 entries. The compiler knows
 * where it lies (Makefile); debug/sanitizers/kasan.c says what it holds.
 */
#define SHADOW_SHIFT  3
#define SHADOW_OFFSET 0xdffffc0000000000ul
#define SHADOW_BASE   0xffffec0000000000ul /* of the first address of the kernel's half */
#define SHADOW_END    0xfffffc0000000000ul
#define SHADOW_OF(va) (((vaddr_t)(va) >> SHADOW_SHIFT) + SHADOW_OFFSET)

#endif
