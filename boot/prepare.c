/* SPDX-License-Identifier: MIT */
/*
 * prepare.c - choose where the kernel runs, relocate it, map it there.
 *
 * boot_prepare() runs at physical addresses, before relocation: it may use only what the compiler
 * reaches relative to the instruction pointer. No table of pointers, no string constant that is
 * kept, no call through a pointer.
 *
 * The slide: a multiple of 2 MiB (so that 2 MiB pages map the image) such that the image stays
 * below the last 2 MiB of all addresses, where wrong pointers point. It is drawn at random, as are the places of the direct map and
 * of the kernel's other areas (layout.h): by RDRAND, or, where the CPU lacks it or the argument nordrand
 * forbids it, by timing. With nokaslr it is 0 and they are at the start of their ranges.
 */
#include <tessera/arch.h>
#include <tessera/arch/port.h>
#include <tessera/config.h>
#include <tessera/layout.h>

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
#define TIMING_ROUNDS     32
#define BOOT_DIRECTORIES  4 /* of 1 GiB each */

#define PIT_COUNTER_0 0x40
#define PIT_COMMAND   0x43
#define CMOS_INDEX    0x70
#define CMOS_DATA     0x71

extern const struct relocation boot_rela_start[], boot_rela_end[];
extern const uint64_t boot_relr_start[], boot_relr_end[];
extern uint64_t boot_pml4[], boot_pdpt_direct[], boot_directories[], boot_directories_kernel[];

/* In .data: the entry code must find them written, whatever a loader does with .bss. */
__section(".data") uint32_t boot_protocol = 0;
__section(".data") uint64_t boot_info = 0;
__section(".data") uint64_t boot_cycles = 0;
__section(".data") paddr_t boot_kernel_physical = 0;
/* What Limine's entry leaves as it is. */
struct boot_layout boot_layout __ro_after_init = { REGIONS_START, PAGE_ARRAYS_START, BOOT_RANDOM_LOADER };
vaddr_t direct_map_base __ro_after_init = DIRECT_MAP_START;

/* A random word from the CPU; false if it has no source or the source is dry. */
static bool
random_instruction(uint64_t *word)
{
	bool ok = false;

	if (!(cpuid_read(1, 0).ecx & BIT(30)))
		return false;
	for (int i = 0; i < RANDOM_TRIES && !ok; i++)
		__asm__ volatile("rdrand %0" : "=r"(*word), "=@ccc"(ok)::"cc");
	return ok;
}

/* A bijection in which each bit of the input reaches all of the output. */
static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/*
 * The time-stamp counter against the 8254's, and the battery-backed clock: when the machine was switched on,
 * to a cycle, and how long each access to a slow device takes. Not a secret from who sits at the machine; a
 * program that comes later cannot know it.
 */
static uint64_t
random_timing(uint64_t before)
{
	uint64_t word = before;

	for (int i = 0; i < TIMING_ROUNDS; i++) {
		port_write8(PIT_COMMAND, 0); /* latch counter 0 */
		word ^= (uint64_t)port_read8(PIT_COUNTER_0) << 8 | (uint64_t)port_read8(PIT_COUNTER_0) << 32;
		port_write8(CMOS_INDEX, 0);
		word ^= (uint64_t)port_read8(CMOS_DATA) << 56;
		word = mix(word + arch_cycles());
	}
	return word;
}

/* The next of the words that places are drawn from; the source is chosen at the first. */
static uint64_t
random_word(uint64_t *state)
{
	uint64_t word = 0;

	if (boot_layout.source == BOOT_RANDOM_INSTRUCTION && random_instruction(&word))
		return word;
	boot_layout.source = BOOT_RANDOM_TIMING;
	return *state = random_timing(*state);
}

static void
choose_areas(uint64_t *state)
{
	const uint64_t giant = 1ul << 30;
	uint64_t at = random_word(state) % ((REGIONS_START - DIRECT_MAP_START - DIRECT_MAP_SIZE) / giant);

	/* The boot tables' 4 GiB stay in one table of the third level. */
	if (at % 512 > 512 - BOOT_DIRECTORIES)
		at &= ~511ul;
	direct_map_base += at * giant;
	at = random_word(state) % ((PAGE_ARRAYS_START - REGIONS_START) / REGION_SIZE);
	boot_layout.regions += at * REGION_SIZE;
	at = random_word(state) % ((SHADOW_BASE - PAGE_ARRAYS_START - PAGE_ARRAY_SIZE) / giant);
	boot_layout.page_array += at * giant;
}

/* Where each area lies; returns the slide of the image. */
static vaddr_t
choose_places(const char *command, uint64_t image_size)
{
	uint64_t places = (KERNEL_SLIDE_MAX - ALIGN_UP(image_size, HUGE_PAGE_SIZE)) / HUGE_PAGE_SIZE + 1;
	uint64_t state = boot_cycles;

	direct_map_base = DIRECT_MAP_START;
	boot_layout.regions = REGIONS_START;
	boot_layout.page_array = PAGE_ARRAYS_START;
	boot_layout.source = BOOT_RANDOM_NONE;
	if (command && boot_command_has(command, "nokaslr"))
		return 0;
	boot_layout.source = command && boot_command_has(command, "nordrand") ? BOOT_RANDOM_TIMING
									      : BOOT_RANDOM_INSTRUCTION;
	/* The shadow's tables are ready for what lies at the starts. */
	if (!config_kasan)
		choose_areas(&state);
	return (random_word(&state) % places) * HUGE_PAGE_SIZE;
}

/* The direct map of the first 4 GiB at its place. */
static void
map_memory(paddr_t directories)
{
	uint64_t top = direct_map_base >> 39 & 511, giant = direct_map_base >> 30 & 511;

	for (uint64_t i = 0; i < BOOT_DIRECTORIES; i++)
		boot_pdpt_direct[giant + i] = (directories + i * PAGE_SIZE) | PTE_TABLE;
	boot_pml4[top] = (paddr_t)boot_pdpt_direct | PTE_TABLE;
}

/*
 * The words of .relr.dyn: an even one is the address of a word to relocate; an odd one says by its bits, from the
 * second on, which of the next 63 words are. (ELF, System V ABI: DT_RELR.) The words hold their linked values.
 */
static void
relocate_packed(paddr_t image, vaddr_t slide)
{
	uint64_t *next = NULL;

	for (const uint64_t *r = boot_relr_start; r < boot_relr_end; r++) {
		if (!(*r & 1)) {
			next = (uint64_t *)(image + *r - KERNEL_LINK_BASE);
			*next++ += slide;
			continue;
		}
		for (unsigned int i = 0; i < 63; i++)
			if (*r >> (i + 1) & 1)
				next[i] += slide;
		next += 63;
	}
}

/*
 * Limine has slid the image and applied what .rela.dyn has; not every version knows .relr.dyn. A pointer that was
 * to be relocated tells whether this one does. The image is mapped by then as its segments say, constants read only.
 */
void
boot_relocate_in_place(void)
{
	static const char *volatile self = kernel_start;
	uint64_t cr0 = cr0_read();

	if (self == kernel_start)
		return;
	cr0_write(cr0 & ~CR0_WP);
	relocate_packed((paddr_t)kernel_start, (vaddr_t)kernel_start - KERNEL_LINK_BASE);
	cr0_write(cr0);
}

/* The linker left only relative relocations (tools/check_kernel.py makes sure): unpacked those at odd addresses. */
static void
relocate(paddr_t image, vaddr_t slide)
{
	relocate_packed(image, slide);
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
	slide = choose_places(command, size);
	map_memory((paddr_t)boot_directories);
	relocate(image, slide);

	for (uint64_t at = 0; at < size; at += HUGE_PAGE_SIZE)
		boot_directories_kernel[(slide + at) / HUGE_PAGE_SIZE] = (image + at) | PTE_LEAF;
	return KERNEL_LINK_BASE + slide - image;
}
