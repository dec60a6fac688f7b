/* SPDX-License-Identifier: MIT */
/*
 * bootinfo.h - what every boot protocol is turned into before kernel_main() runs.
 */
#ifndef TESSERA_BOOTINFO_H
#define TESSERA_BOOTINFO_H

#include <tessera/types.h>

enum boot_memory_type {
	BOOT_MEMORY_USABLE,
	BOOT_MEMORY_RESERVED,
	BOOT_MEMORY_ACPI,      /* tables; usable once they have been read, which we never claim */
	BOOT_MEMORY_NVS,
	BOOT_MEMORY_BAD,
};

struct boot_memory {
	paddr_t start, end;    /* end exclusive; sorted, disjoint after boot_info_normalise() */
	uint32_t type;
};

struct boot_framebuffer {
	paddr_t address;       /* 0: none */
	uint32_t width, height, pitch, bits;
	uint8_t red_shift, green_shift, blue_shift;
};

#define BOOT_MEMORY_MAX 256
#define BOOT_COMMAND_MAX 2048

struct bootinfo {
	const char *protocol;                       /* "pvh", "multiboot2", "limine" */
	struct boot_memory memory[BOOT_MEMORY_MAX];
	uint32_t memory_count;
	paddr_t initrd, initrd_size;                /* 0: none */
	paddr_t rsdp;                               /* 0: search the BIOS areas */
	paddr_t kernel_start, kernel_end;           /* frames the loaded image occupies */
	vaddr_t kernel_slide;                       /* KASLR: load address - link address */
	struct boot_framebuffer framebuffer;
	uint64_t entry_cycles;                      /* TSC at the first instruction */
	char command[BOOT_COMMAND_MAX];             /* NUL-terminated, truncated if longer */
};

extern struct bootinfo bootinfo; /* [I] after arch_boot */

/*
 * Look up `name=value` or a bare `name` in the kernel's arguments.
 * Returns the value copied to `out` (or "" for a bare name) and true, false if it is absent.
 */
bool boot_argument(const char *name, char *out, size_t size);
bool boot_flag(const char *name); /* present at all, and not "=off", "=0", "=no" */

/*
 * Where the kernel's areas lie (layout.h), and what chose the places. Filled before the kernel is relocated;
 * the kernel takes what it needs in arch_init_memory().
 */
enum boot_random { BOOT_RANDOM_NONE, BOOT_RANDOM_INSTRUCTION, BOOT_RANDOM_TIMING, BOOT_RANDOM_LOADER };
struct boot_layout {
	vaddr_t regions, page_array;
	enum boot_random source;
};
extern struct boot_layout boot_layout;

#endif
