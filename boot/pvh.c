/* SPDX-License-Identifier: MIT */
/*
 * pvh.c - the PVH boot protocol (Xen's public header start_info.h; QEMU, Firecracker and cloud
 * hypervisors speak it): a structure whose fields are physical addresses of further tables.
 */
#include <tessera/arch.h>
#include <tessera/string.h>

#include "boot.h"

#define PVH_MAGIC       0x336ec578
#define LOW_4G          0x100000000ull /* as far as the boot tables reach */

struct pvh_start_info {
	uint32_t magic;
	uint32_t version;         /* 1: has a memory map */
	uint32_t flags;
	uint32_t module_count;
	uint64_t modules;         /* struct pvh_module[] */
	uint64_t command;
	uint64_t rsdp;
	uint64_t memory;          /* struct pvh_memory[] */
	uint32_t memory_count;
	uint32_t reserved;
};

struct pvh_module {
	uint64_t start, size, command, reserved;
};

struct pvh_memory {
	uint64_t start, size;
	uint32_t type;            /* E820's */
	uint32_t reserved;
};

const char *
pvh_command(uint64_t info)
{
	const struct pvh_start_info *s = (const void *)info;

	if (s->magic != PVH_MAGIC || s->command >= LOW_4G)
		return NULL;
	return (const char *)s->command;
}

bool
pvh_read(struct bootinfo *b, paddr_t info)
{
	const struct pvh_start_info *s = phys_to_virt(info);
	const struct pvh_module *module;
	const struct pvh_memory *memory;

	if (s->magic != PVH_MAGIC || s->version < 1 || !s->memory || s->memory >= LOW_4G)
		return false;
	memory = phys_to_virt(s->memory);
	for (uint32_t i = 0; i < MIN(s->memory_count, (uint32_t)BOOT_MEMORY_MAX); i++)
		boot_memory_add(b, memory[i].start, memory[i].size, memory[i].type);

	if (s->module_count && s->modules && s->modules < LOW_4G) {
		module = phys_to_virt(s->modules);
		b->initrd = module->start;
		b->initrd_size = module->size;
	}
	if (s->command && s->command < LOW_4G)
		boot_command_set(b, phys_to_virt(s->command), BOOT_COMMAND_MAX);
	b->rsdp = s->rsdp;
	return b->memory_count != 0;
}
