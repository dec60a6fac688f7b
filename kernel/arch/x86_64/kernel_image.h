/* SPDX-License-Identifier: MIT */
/*
 * kernel_image.h - where the linker put things (boot/kernel.ld).
 */
#ifndef ARCH_X86_64_KERNEL_IMAGE_H
#define ARCH_X86_64_KERNEL_IMAGE_H

#include <tessera/types.h>

extern char kernel_start[], kernel_end[];
extern char kernel_text_start[], kernel_text_used[], kernel_text_end[];
extern char kernel_rodata_start[], kernel_rodata_end[];
extern char kernel_data_start[], kernel_data_end[];
extern char kernel_ro_after_init_start[], kernel_ro_after_init_end[];
extern char boot_stack_guard[], boot_stack_bottom[], boot_stack_top[];

/* Physical address of something inside the kernel's image (not of the direct map). */
paddr_t kernel_image_to_phys(const void *p);

#endif
