/* SPDX-License-Identifier: MIT */
/*
 * boot.h - private to boot/: from each loader's information to struct bootinfo.
 *
 * The converters trust nothing that they read: lengths are bounded, strings are cut, a table that
 * does not fit is left. They are pure but for reading physical memory through phys_to_virt(), so
 * that the unit tests run them on the host.
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include <tessera/bootinfo.h>

#include "boot_layout.h"

/* The kernel proper: kernel/init/main.c. */
void __noreturn kernel_main(void);

/* Steps 4 and 5 of entry.S. */
uint64_t boot_prepare(uint32_t protocol, uint64_t info, uint64_t cycles);
void limine_prepare(uint64_t cycles);
void boot_relocate_in_place(void);
void __noreturn boot_main(void);

/* Where the loader left its information, and when; written before the kernel is relocated. */
extern uint32_t boot_protocol;
extern uint64_t boot_info, boot_cycles;
extern paddr_t boot_kernel_physical; /* of kernel_start */

/* With config_kasan: all of the shadow takes what is written to it. */
void boot_shadow_init(void);

/* Physical address of something inside the kernel's image. */
paddr_t boot_image_to_phys(const void *p);

/* Each fills `b` from the information at `info`; false when it is not what the protocol says. */
bool pvh_read(struct bootinfo *b, paddr_t info);
bool multiboot2_read(struct bootinfo *b, paddr_t info);

/* The loader's command line, NULL: none. At physical addresses: reads the identity map. */
const char *pvh_command(uint64_t info);
const char *multiboot2_command(uint64_t info);

/* Add a range; one that wraps, is empty or finds the table full is left out. */
void boot_memory_add(struct bootinfo *b, uint64_t start, uint64_t size, uint32_t e820_type);
/* Copy a string of at most `limit` bytes as the command line. */
void boot_command_set(struct bootinfo *b, const char *text, size_t limit);
/* Sort, page-align and disjoin the map (the less usable type wins); see bootinfo.c. */
void boot_info_normalise(struct bootinfo *b);
/* Is `word` one of the blank-separated words of `line`? For prepare.c: no pointers, no tables. */
bool boot_command_has(const char *line, const char *word);

#endif
