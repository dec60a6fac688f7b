/* SPDX-License-Identifier: MIT */
/*
 * boot_main.c - the first code at the kernel's own addresses: one bootinfo from whichever loader,
 * then kernel_main().
 */
#include <tessera/arch.h>
#include <tessera/config.h>
#include <tessera/string.h>

#include "../kernel/arch/x86_64/kernel_image.h"
#include "../kernel/arch/x86_64/platform.h"
#include "boot.h"

/* What a panic leaves QEMU with: isa-debug-exit turns it into status 253. */
#define BOOT_EXIT_STATUS 0x7e

struct bootinfo bootinfo __ro_after_init;

/* What the first context runs on, later CPU 0's idle thread: kernel.ld puts it between its two names. */
static char __section(".bss.boot_stack") __attribute__((used)) boot_stack[KERNEL_STACK_SIZE];

paddr_t
boot_image_to_phys(const void *p)
{
	return boot_kernel_physical + (paddr_t)((const char *)p - kernel_start);
}

/* Nothing works yet but the serial port. */
static void __noreturn
give_up(const char *why)
{
	console_init_early();
	arch_console_write(why, strlen(why));
	arch_exit_emulator(BOOT_EXIT_STATUS);
}

void __noreturn
boot_main(void)
{
	struct bootinfo *b = &bootinfo;
	bool ok = false;

	if (config_kasan)
		boot_shadow_init();
	switch (boot_protocol) {
	case BOOT_PROTOCOL_PVH:
		b->protocol = "pvh";
		ok = pvh_read(b, boot_info);
		break;
	case BOOT_PROTOCOL_MULTIBOOT2:
		b->protocol = "multiboot2";
		ok = multiboot2_read(b, boot_info);
		break;
	case BOOT_PROTOCOL_LIMINE:
		b->protocol = "limine";
		ok = b->memory_count != 0;
		break;
	}
	if (!ok)
		give_up("PANIC: tessera: the boot loader's information has no memory map\n");

	b->entry_cycles = boot_cycles;
	b->kernel_start = boot_kernel_physical;
	b->kernel_end = boot_image_to_phys(kernel_end);
	b->kernel_slide = (vaddr_t)kernel_start - KERNEL_LINK_BASE;
	boot_info_normalise(b);
	kernel_main();
}
