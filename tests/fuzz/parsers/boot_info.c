/* SPDX-License-Identifier: MIT */
/*
 * boot_info.c - what a boot loader says, whatever it says: one sorted, disjoint map of memory and a
 * command line that ends.
 *
 * The first byte of the input chooses the protocol. For PVH the rest is physical memory from 0 on, with
 * start_info in front; what lies elsewhere a loader would be believed, so its pointers are bent to lie inside.
 */
/* fuzz: boot/bootinfo.c boot/pvh.c boot/multiboot2.c */
#include "parser.h"

#include <tessera/arch.h>
#include <tessera/bootinfo.h>

#include "../../../boot/boot.h"
#include "../../../kernel/arch/x86_64/platform.h"

#define ROOM 4096

vaddr_t direct_map_base;
struct bootinfo bootinfo;
uint32_t boot_protocol;
uint64_t boot_info, boot_cycles;
paddr_t boot_kernel_physical;

paddr_t
boot_image_to_phys(const void *p)
{
	return (paddr_t)p;
}

static void
check_map(const struct bootinfo *b)
{
	MUST(b->memory_count <= BOOT_MEMORY_MAX);
	for (uint32_t i = 0; i < b->memory_count; i++) {
		const struct boot_memory *m = &b->memory[i];

		MUST(m->start < m->end && m->end <= 1ull << 52);
		MUST(m->start % PAGE_SIZE == 0 && m->end % PAGE_SIZE == 0);
		MUST(i == 0 || b->memory[i - 1].end <= m->start);
		MUST(m->start != 0 || m->type != BOOT_MEMORY_USABLE);
	}
	MUST(b->initrd_size == 0 || b->initrd + b->initrd_size > b->initrd);
	MUST(memchr(b->command, '\0', sizeof(b->command)));
}

/* Ranges as a loader's map has them: 17 bytes each. */
static void
read_ranges(const uint8_t *data, size_t size)
{
	for (; size >= 17; data += 17, size -= 17) {
		uint64_t start, length;

		memcpy(&start, data, 8);
		memcpy(&length, data + 8, 8);
		boot_memory_add(&bootinfo, start, length, data[16]);
	}
}

static void
read_pvh(const uint8_t *data, size_t size)
{
	static uint8_t memory[ROOM + 4096];
	uint64_t *modules = (uint64_t *)(memory + 16), *command = modules + 1, *map = modules + 3;

	memset(memory, 0, sizeof(memory));
	memcpy(memory, data, size < ROOM ? size : ROOM);
	*modules %= ROOM - 32;
	*command %= ROOM;
	*map = *map % ROOM + (*map % ROOM == 0);
	*modules &= ~7ull;
	*map = (*map + 7) & ~7ull;
	if (*(uint32_t *)(memory + 48) > 170)
		*(uint32_t *)(memory + 48) = 170;
	direct_map_base = (vaddr_t)memory;
	pvh_read(&bootinfo, 0);
	direct_map_base = 0;
}

static void
read_multiboot2(const uint8_t *data, size_t size)
{
	uint8_t *info;

	if (size < 8)
		return;
	info = aligned_alloc(8, ALIGN_UP(size, 8ul));
	MUST(info);
	memset(info, 0, ALIGN_UP(size, 8ul));
	memcpy(info, data, size);
	/* The total is the loader's: it may lie about all but that. */
	if (*(uint32_t *)info > size)
		*(uint32_t *)info = (uint32_t)size;
	multiboot2_read(&bootinfo, (paddr_t)info);
	multiboot2_command((uint64_t)info);
	free(info);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	memset(&bootinfo, 0, sizeof(bootinfo));
	boot_trampoline.start = 0;
	switch (data[0] % 3) {
	case 0:
		read_ranges(data + 1, size - 1);
		break;
	case 1:
		read_pvh(data + 1, size - 1);
		break;
	default:
		read_multiboot2(data + 1, size - 1);
		break;
	}
	boot_info_normalise(&bootinfo);
	check_map(&bootinfo);
	return 0;
}
