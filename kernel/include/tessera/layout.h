/* SPDX-License-Identifier: MIT */
/*
 * layout.h - where the kernel's own areas lie in its half of the address space.
 *
 *	[DIRECT_MAP_START, REGIONS_START)     the direct map of memory, at a multiple of 1 GiB
 *	[REGIONS_START, PAGE_ARRAYS_START)    stacks, vmalloc, devices: mm/region.c, at one of its size
 *	[PAGE_ARRAYS_START, SHADOW_BASE)      struct page per frame: mm/section.c, at a multiple of 1 GiB
 *	[SHADOW_BASE, SHADOW_END)             with config_kasan: the shadow of all of it
 *	[0xffffffff80000000, the top)         the kernel's image
 *
 * Where in its range each lies is drawn at every boot (boot/prepare.c); with nokaslr it is the start, and
 * with config_kasan too, but for the image. Their
 * entries in the top-level page table (512 GiB each) are made at boot, before the first program's page table
 * copies them, so that all page tables share what is mapped there later.
 */
#ifndef TESSERA_LAYOUT_H
#define TESSERA_LAYOUT_H

#include <tessera/types.h>

#define DIRECT_MAP_START  0xffff800000000000ul
#define DIRECT_MAP_SIZE   0x0000400000000000ul
#define REGIONS_START     0xffffc90000000000ul
#define REGION_SIZE       0x0000001000000000ul
#define PAGE_ARRAYS_START 0xffffea0000000000ul
#define PAGE_ARRAY_SIZE   0x0000010000000000ul

extern vaddr_t region_base; /* [I] */

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
