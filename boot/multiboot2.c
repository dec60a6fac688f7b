/* SPDX-License-Identifier: MIT */
/*
 * multiboot2.c - the Multiboot2 information that GRUB hands over, from BIOS and from UEFI alike: a
 * length, then tags {type, size, ...}, each at a multiple of 8 bytes, ended by type 0.
 */
#include <tessera/arch.h>
#include <tessera/string.h>

#include "boot.h"

#define INFO_MAX (1u << 20) /* a larger one is garbage */

enum tag_type {
	TAG_END = 0,
	TAG_COMMAND = 1,
	TAG_MODULE = 3,
	TAG_MEMORY = 6,
	TAG_FRAMEBUFFER = 8,
	TAG_RSDP_OLD = 14,
	TAG_RSDP_NEW = 15,
};

#define FRAMEBUFFER_RGB 1

struct tag {
	uint32_t type;
	uint32_t size; /* with these eight bytes, without padding */
};

struct tag_module {
	struct tag tag;
	uint32_t start, end;
	char command[];
};

struct tag_memory {
	struct tag tag;
	uint32_t entry_size, entry_version;
	char entries[];
};

struct memory_entry {
	uint64_t start, size;
	uint32_t type, reserved;
};

struct tag_framebuffer {
	struct tag tag;
	uint64_t address;
	uint32_t pitch, width, height;
	uint8_t bits, type;
	uint16_t reserved;
	uint8_t red_shift, red_bits, green_shift, green_bits, blue_shift, blue_bits;
} __packed;

/* The loader's copy of the RSDP may be overwritten, ours not. */
static __ro_after_init uint8_t rsdp_copy[64] __aligned(16);

/*
 * The tag after `at` (0: the first) and its offset, or NULL at the end or where the tags stop
 * making sense.
 */
static const struct tag *
next_tag(const uint8_t *info, uint32_t *at)
{
	uint32_t total = *(const uint32_t *)info;
	const struct tag *t;

	if (total > INFO_MAX)
		return NULL;
	if (*at == 0)
		*at = 8;
	else
		*at = ALIGN_UP(*at + ((const struct tag *)(info + *at))->size, 8u);
	if (*at + sizeof(struct tag) > total)
		return NULL;
	t = (const struct tag *)(info + *at);
	if (t->type == TAG_END || t->size < sizeof(struct tag) || t->size > total - *at)
		return NULL;
	return t;
}

const char *
multiboot2_command(uint64_t info)
{
	const struct tag *t;
	uint32_t at = 0;

	while ((t = next_tag((const uint8_t *)info, &at)))
		if (t->type == TAG_COMMAND && t->size > sizeof(*t))
			return ((const char *)(t + 1))[t->size - sizeof(*t) - 1] ? NULL : (const char *)(t + 1);
	return NULL;
}

static void
read_memory(struct bootinfo *b, const struct tag_memory *m)
{
	if (m->tag.size < sizeof(*m) || m->entry_size < sizeof(struct memory_entry) ||
	    m->entry_size % 8)
		return;
	for (uint32_t at = 0; at + m->entry_size <= m->tag.size - sizeof(*m); at += m->entry_size) {
		const struct memory_entry *e = (const void *)(m->entries + at);

		boot_memory_add(b, e->start, e->size, e->type);
	}
}

static void
read_framebuffer(struct bootinfo *b, const struct tag_framebuffer *f)
{
	if (f->tag.size < sizeof(*f) || f->type != FRAMEBUFFER_RGB)
		return;
	b->framebuffer = (struct boot_framebuffer){
		.address = f->address, .width = f->width, .height = f->height, .pitch = f->pitch,
		.bits = f->bits, .red_shift = f->red_shift, .green_shift = f->green_shift,
		.blue_shift = f->blue_shift,
	};
}

static void
read_rsdp(struct bootinfo *b, const struct tag *t)
{
	size_t size = MIN(t->size - sizeof(*t), sizeof(rsdp_copy));

	if (b->rsdp && t->type == TAG_RSDP_OLD)
		return; /* the new one was there already */
	memcpy(rsdp_copy, t + 1, size);
	b->rsdp = boot_image_to_phys(rsdp_copy);
}

bool
multiboot2_read(struct bootinfo *b, paddr_t info)
{
	const uint8_t *base = phys_to_virt(info);
	const struct tag *t;
	uint32_t at = 0;

	while ((t = next_tag(base, &at))) {
		const struct tag_module *m = (const void *)t;

		switch (t->type) {
		case TAG_COMMAND:
			boot_command_set(b, (const char *)(t + 1), t->size - sizeof(*t));
			break;
		case TAG_MODULE:
			if (t->size >= sizeof(*m) && m->end > m->start && !b->initrd) {
				b->initrd = m->start;
				b->initrd_size = m->end - m->start;
			}
			break;
		case TAG_MEMORY:
			read_memory(b, (const void *)t);
			break;
		case TAG_FRAMEBUFFER:
			read_framebuffer(b, (const void *)t);
			break;
		case TAG_RSDP_OLD:
		case TAG_RSDP_NEW:
			read_rsdp(b, t);
			break;
		}
	}
	return b->memory_count != 0;
}
