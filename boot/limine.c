/* SPDX-License-Identifier: MIT */
/*
 * limine.c - the Limine boot protocol: requests that the loader finds in our image by their magic
 * numbers and answers by filling in a pointer. Base revision 2.
 *
 * Limine loads the image anywhere, relocates it, and enters with its own page tables, in which
 * physical memory lies at an offset of its choice. limine_prepare() reads all answers through that
 * mapping, then loads tables of our shape: the first 4 GiB at 0 and at the base of the direct map,
 * and Limine's own mapping of the image, which lasts until arch_init_memory() makes the final one.
 */
#include <tessera/arch.h>
#include <tessera/string.h>

#include "../kernel/arch/x86_64/kernel_image.h"
#include "../kernel/arch/x86_64/msr.h"
#include "boot.h"
#include "limine.h"

/* The loader writes here before we run; nothing may assume the initial values. */
#define REQUEST __section(".data.limine_requests") __attribute__((used))

static volatile uint64_t REQUEST base_revision[3] = {
	LIMINE_BASE_REVISION_0, LIMINE_BASE_REVISION_1, 2,
};

static volatile struct limine_request REQUEST memory_request = LIMINE_REQUEST(LIMINE_MEMORY);
static volatile struct limine_request REQUEST offset_request = LIMINE_REQUEST(LIMINE_OFFSET);
static volatile struct limine_request REQUEST address_request = LIMINE_REQUEST(LIMINE_ADDRESS);
static volatile struct limine_request REQUEST file_request = LIMINE_REQUEST(LIMINE_FILE);
static volatile struct limine_request REQUEST module_request = LIMINE_REQUEST(LIMINE_MODULES);
static volatile struct limine_request REQUEST rsdp_request = LIMINE_REQUEST(LIMINE_RSDP);
static volatile struct limine_request REQUEST framebuffer_request =
	LIMINE_REQUEST(LIMINE_FRAMEBUFFER);

extern uint64_t boot_pml4[], boot_pdpt_low[], boot_directories[];

static uint32_t
e820_from_limine(uint64_t type)
{
	/* What Limine calls reclaimable holds its tables and stack, still in use. */
	switch (type) {
	case LIMINE_MEMORY_USABLE:
	case LIMINE_MEMORY_KERNEL:
		return 1;
	case LIMINE_MEMORY_ACPI:
		return 3;
	case LIMINE_MEMORY_NVS:
		return 4;
	case LIMINE_MEMORY_BAD:
		return 5;
	}
	return 2;
}

/* Limine's pointers into physical memory are its offset plus the address. */
static paddr_t
to_phys(uint64_t offset, uint64_t pointer)
{
	return pointer >= offset ? pointer - offset : pointer;
}

bool
limine_convert(struct bootinfo *b, const struct limine_answers *a)
{
	if (!a->memory || !a->offset)
		return false;
	for (uint64_t i = 0; i < MIN(a->memory->count, (uint64_t)BOOT_MEMORY_MAX); i++) {
		const struct limine_memory_entry *e = a->memory->entries[i];

		boot_memory_add(b, e->base, e->length, e820_from_limine(e->type));
	}
	if (a->file && a->file->file && a->file->file->command)
		boot_command_set(b, a->file->file->command, BOOT_COMMAND_MAX);
	if (a->modules && a->modules->count) {
		b->initrd = to_phys(a->offset->offset, (uint64_t)a->modules->modules[0]->address);
		b->initrd_size = a->modules->modules[0]->size;
	}
	if (a->rsdp)
		b->rsdp = to_phys(a->offset->offset, a->rsdp->address);
	if (a->framebuffers && a->framebuffers->count) {
		const struct limine_framebuffer *f = a->framebuffers->framebuffers[0];

		b->framebuffer = (struct boot_framebuffer){
			.address = to_phys(a->offset->offset, (uint64_t)f->address),
			.width = (uint32_t)f->width, .height = (uint32_t)f->height,
			.pitch = (uint32_t)f->pitch, .bits = f->bits, .red_shift = f->red_shift,
			.green_shift = f->green_shift, .blue_shift = f->blue_shift,
		};
	}
	return b->memory_count != 0;
}

/* Tables as entry.S would have made them, but for the image's own mapping. */
static void
load_tables(uint64_t offset)
{
	const uint64_t *theirs = (const uint64_t *)(offset + (cr3_read() & X86_PTE_FRAME));

	for (uint64_t i = 0; i < 2048; i++)
		boot_directories[i] = i << HUGE_PAGE_SHIFT | PTE_LEAF;
	for (uint64_t i = 0; i < 4; i++)
		boot_pdpt_low[i] = (boot_image_to_phys(boot_directories) + i * PAGE_SIZE) | PTE_TABLE;
	boot_pml4[0] = boot_pml4[256] = boot_image_to_phys(boot_pdpt_low) | PTE_TABLE;
	boot_pml4[511] = theirs[511];
	cr3_write(boot_image_to_phys(boot_pml4));
}

/* Called by entry.S on our boot stack. */
void
limine_prepare(uint64_t cycles)
{
	struct limine_answers a = {
		.memory = memory_request.response, .offset = offset_request.response,
		.file = file_request.response, .modules = module_request.response,
		.rsdp = rsdp_request.response, .framebuffers = framebuffer_request.response,
	};
	const struct limine_address_response *address = address_request.response;

	boot_relocate_in_place();
	boot_protocol = BOOT_PROTOCOL_LIMINE;
	boot_cycles = cycles;
	if (base_revision[2] != 0 || !address || !limine_convert(&bootinfo, &a)) {
		/* Without an offset there is no way to our own tables: the serial port is all there is. */
		bootinfo.memory_count = 0;
		return;
	}
	boot_kernel_physical = address->physical + (paddr_t)(kernel_start - (char *)address->virtual);
	load_tables(a.offset->offset);
}
