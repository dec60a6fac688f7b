/* SPDX-License-Identifier: MIT */
/*
 * limine.h - the part of the Limine boot protocol that we use: magic numbers and layouts from its
 * specification.
 */
#ifndef BOOT_LIMINE_H
#define BOOT_LIMINE_H

#include <tessera/bootinfo.h>

#define LIMINE_BASE_REVISION_0 0xf9562b2d5c95a6c8
#define LIMINE_BASE_REVISION_1 0x6a7b384944536bdc

#define LIMINE_COMMON      0xc7b1dd30df4c8b88, 0x0a82e883a194f07b
#define LIMINE_OFFSET      0x48dcf1cb8ad2b852, 0x63984e959a98244b
#define LIMINE_FRAMEBUFFER 0x9d5827dcd881dd75, 0xa3148604f6fab11b
#define LIMINE_MEMORY      0x67cf3d9d378a806f, 0xe304acdfc50c3c62
#define LIMINE_FILE        0xad97e90e83f1ed67, 0x31eb5d1c5ff23b69
#define LIMINE_MODULES     0x3e7e279702be32af, 0xca1c4f3bd1280cee
#define LIMINE_RSDP        0xc5e77b6b397e7b43, 0x27637845accdcf3c
#define LIMINE_ADDRESS     0x71ba76863cc55f63, 0xb2644a48c516a487

struct limine_request {
	uint64_t id[4];
	uint64_t revision;
	void *response;
};

#define LIMINE_REQUEST(which) { .id = { LIMINE_COMMON, which } }

enum limine_memory_type {
	LIMINE_MEMORY_USABLE,
	LIMINE_MEMORY_RESERVED,
	LIMINE_MEMORY_ACPI,
	LIMINE_MEMORY_NVS,
	LIMINE_MEMORY_BAD,
	LIMINE_MEMORY_LOADER,
	LIMINE_MEMORY_KERNEL,  /* the image and the modules */
	LIMINE_MEMORY_FRAMEBUFFER,
};

struct limine_memory_entry {
	uint64_t base, length, type;
};

struct limine_memory_response {
	uint64_t revision, count;
	struct limine_memory_entry **entries;
};

struct limine_offset_response {
	uint64_t revision, offset;
};

struct limine_address_response {
	uint64_t revision, physical, virtual;
};

/* The head of struct limine_file, as far as we read it. */
struct limine_file {
	uint64_t revision;
	void *address;
	uint64_t size;
	char *path, *command;
};

struct limine_file_response {
	uint64_t revision;
	struct limine_file *file;
};

struct limine_modules_response {
	uint64_t revision, count;
	struct limine_file **modules;
};

struct limine_rsdp_response {
	uint64_t revision, address;
};

struct limine_framebuffer {
	void *address;
	uint64_t width, height, pitch;
	uint16_t bits;
	uint8_t model, red_bits, red_shift, green_bits, green_shift, blue_bits, blue_shift;
};

struct limine_framebuffer_response {
	uint64_t revision, count;
	struct limine_framebuffer **framebuffers;
};

/* What came back; NULL: not answered. */
struct limine_answers {
	const struct limine_memory_response *memory;
	const struct limine_offset_response *offset;
	const struct limine_file_response *file;
	const struct limine_modules_response *modules;
	const struct limine_rsdp_response *rsdp;
	const struct limine_framebuffer_response *framebuffers;
};

/* Fill `b` from the answers; false without a memory map. */
bool limine_convert(struct bootinfo *b, const struct limine_answers *a);

#endif
