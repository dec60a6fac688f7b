/* SPDX-License-Identifier: MIT */
/*
 * boot_layout.h - numbers that the entry code, the linker script and the C of boot/ agree on.
 */
#ifndef BOOT_BOOT_LAYOUT_H
#define BOOT_BOOT_LAYOUT_H

#define BOOT_PROTOCOL_PVH        1
#define BOOT_PROTOCOL_MULTIBOOT2 2
#define BOOT_PROTOCOL_LIMINE     3

#define MULTIBOOT2_LOADER_MAGIC 0x36d76289

#define PTE_TABLE 0x03 /* present, writable */
#define PTE_LEAF  0x83 /* and a 2 MiB page */

#define KERNEL_LINK_BASE 0xffffffff80000000 /* KERNEL_VIRTUAL in kernel.ld */
#define KERNEL_SLIDE_MAX 0x7fe00000         /* the image stays inside this much from there */

#endif
