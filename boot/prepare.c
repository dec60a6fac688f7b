/* SPDX-License-Identifier: MIT */
/*
 * prepare.c - choose where the kernel runs, relocate it, map it there.
 *
 * boot_prepare() runs at physical addresses, before relocation: it may use only what the compiler
 * reaches relative to the instruction pointer. No table of pointers, no string constant that is
 * kept, no call through a pointer.
 *
 * The slide: a multiple of 2 MiB (so that 2 MiB pages map the image) such that the image stays
 * inside the 1 GiB above its link address. It is random where the CPU has a random source and the
 * arguments do not say nokaslr; 0 otherwise.
 */
#include "../kernel/arch/x86_64/kernel_image.h"
#include "../kernel/arch/x86_64/msr.h"
#include "boot.h"

/* An entry of .rela.dyn (ELF64, System V ABI). */
struct relocation {
	uint64_t offset;
	uint64_t info;
	int64_t addend;
};

#define R_X86_64_RELATIVE 8
#define RANDOM_TRIES      16

extern const struct relocation boot_rela_start[], boot_rela_end[];
extern uint64_t boot_directory_kernel[];

/* In .data: the entry code must find them written, whatever a loader does with .bss. */
__section(".data") uint32_t boot_protocol = 0;
__section(".data") uint64_t boot_info = 0;
__section(".data") uint64_t boot_cycles = 0;
__section(".data") paddr_t boot_kernel_physical = 0;

/* A random word from the CPU; false if it has no source or the source is dry. */
static bool
random_word(uint64_t *word)
{
	bool ok = false;

	if (!(cpuid_read(1, 0).ecx & BIT(30)))
		return false;
	for (int i = 0; i < RANDOM_TRIES && !ok; i++)
		__asm__ volatile("rdrand %0" : "=r"(*word), "=@ccc"(ok)::"cc");
	return ok;
}

static vaddr_t
choose_slide(const char *command, uint64_t image_size)
{
	uint64_t places = (KERNEL_SLIDE_MAX - ALIGN_UP(image_size, HUGE_PAGE_SIZE)) / HUGE_PAGE_SIZE + 1;
	uint64_t word;

	if (command && (boot_command_has(command, "nokaslr") || boot_command_has(command, "nordrand")))
		return 0;
	if (!random_word(&word))
		return 0;
	return (word % places) * HUGE_PAGE_SIZE;
}

/* The linker left only relative relocations (tools/check_kernel.py makes sure). */
static void
relocate(paddr_t image, vaddr_t slide)
{
	for (const struct relocation *r = boot_rela_start; r < boot_rela_end; r++) {
		if ((uint32_t)r->info != R_X86_64_RELATIVE)
			continue;
		*(uint64_t *)(image + r->offset - KERNEL_LINK_BASE) = (uint64_t)r->addend + slide;
	}
}

/*
 * Called once by entry.S, on the boot stack, with the identity map of the first 4 GiB.
 * Returns what to add to a physical address inside the image to get its virtual one.
 */
uint64_t
boot_prepare(uint32_t protocol, uint64_t info, uint64_t cycles)
{
	paddr_t image = (paddr_t)kernel_start;
	uint64_t size = (uint64_t)(kernel_end - kernel_start);
	const char *command;
	vaddr_t slide;

	boot_protocol = protocol;
	boot_info = info;
	boot_cycles = cycles;
	boot_kernel_physical = image;

	command = protocol == BOOT_PROTOCOL_PVH ? pvh_command(info) : multiboot2_command(info);
	slide = choose_slide(command, size);
	relocate(image, slide);

	for (uint64_t at = 0; at < size; at += HUGE_PAGE_SIZE)
		boot_directory_kernel[(slide + at) / HUGE_PAGE_SIZE] = (image + at) | PTE_LEAF;
	return KERNEL_LINK_BASE + slide - image;
}
