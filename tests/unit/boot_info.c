/* SPDX-License-Identifier: MIT */
/*
 * boot_info.c - what boot loaders say becomes one memory map and one command line: overlaps resolved,
 * lengths that lie survived.
 */
/* unit: boot/bootinfo.c boot/pvh.c boot/multiboot2.c boot/limine.c */
#include <stdlib.h>
#include <string.h>

#include <tessera/arch.h>
#include <tessera/bootinfo.h>

#include "../../boot/boot.h"
#include "../../boot/limine.h"
#include "../../kernel/arch/x86_64/platform.h"
#include "unit.h"

vaddr_t direct_map_base; /* 0: a physical address is a pointer here */
struct bootinfo bootinfo;
uint32_t boot_protocol;
uint64_t boot_info, boot_cycles;
paddr_t boot_kernel_physical;
char kernel_start[1];
uint64_t boot_pml4[1], boot_pdpt_low[1], boot_directories[1];

paddr_t
boot_image_to_phys(const void *p)
{
	return (paddr_t)p;
}

/* Nothing has slid the test. */
void
boot_relocate_in_place(void)
{
}

static int
fresh(void **state)
{
	memset(&bootinfo, 0, sizeof(bootinfo));
	boot_trampoline.start = 0;
	return 0;
}

static void
assert_map(const struct boot_memory *want, uint32_t count)
{
	assert_int_equal(bootinfo.memory_count, count);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(bootinfo.memory[i].start, want[i].start);
		assert_int_equal(bootinfo.memory[i].end, want[i].end);
		assert_int_equal(bootinfo.memory[i].type, want[i].type);
	}
}

static void
overlaps_give_the_less_usable_type(void **state)
{
	const struct boot_memory want[] = {
		{ 0, 0x1000, BOOT_MEMORY_RESERVED },
		{ 0x100000, 0x200000, BOOT_MEMORY_USABLE },
		{ 0x200000, 0x300000, BOOT_MEMORY_RESERVED },
		{ 0x300000, 0x380000, BOOT_MEMORY_USABLE },
		{ 0x380000, 0x400000, BOOT_MEMORY_ACPI },
		{ 0x400000, 0x500000, BOOT_MEMORY_USABLE },
	};

	boot_memory_add(&bootinfo, 0x300000, 0x200000, 1);
	boot_memory_add(&bootinfo, 0x100000, 0x250000, 1);
	boot_memory_add(&bootinfo, 0x380000, 0x80000, 3);
	boot_memory_add(&bootinfo, 0x200000, 0x100000, 2);
	boot_info_normalise(&bootinfo);
	assert_map(want, ARRAY_SIZE(want));
}

static void
usable_memory_shrinks_to_pages_and_the_rest_grows(void **state)
{
	const struct boot_memory want[] = {
		{ 0, 0x1000, BOOT_MEMORY_RESERVED },
		{ 0x101000, 0x1ff000, BOOT_MEMORY_USABLE },
		{ 0x1ff000, 0x201000, BOOT_MEMORY_RESERVED },
	};

	boot_memory_add(&bootinfo, 0x100001, 0xfffff, 1);
	boot_memory_add(&bootinfo, 0x1fffff, 2, 2);
	boot_memory_add(&bootinfo, 0x300001, 0x10, 1);
	boot_info_normalise(&bootinfo);
	assert_map(want, ARRAY_SIZE(want));
}

static void
ranges_that_wrap_are_cut(void **state)
{
	boot_memory_add(&bootinfo, UINT64_MAX - 10, 100, 1);
	boot_memory_add(&bootinfo, 0x1000, 0, 1);
	assert_int_equal(bootinfo.memory_count, 0);
	boot_memory_add(&bootinfo, 0x100000, UINT64_MAX, 1);
	assert_int_equal(bootinfo.memory_count, 1);
	assert_int_equal(bootinfo.memory[0].end, 1ull << 52);
	for (int i = 0; i < 2 * BOOT_MEMORY_MAX; i++)
		boot_memory_add(&bootinfo, (uint64_t)i << 24, 0x2000, 1);
	boot_info_normalise(&bootinfo);
	assert_true(bootinfo.memory_count <= BOOT_MEMORY_MAX);
}

static void
random_maps_become_sorted_and_disjoint(void **state)
{
	srand(1);
	for (int round = 0; round < 200; round++) {
		fresh(NULL);
		for (int i = rand() % BOOT_MEMORY_MAX; i > 0; i--)
			boot_memory_add(&bootinfo, (uint64_t)rand() % 5000 * 777,
					(uint64_t)rand() % 100000, (uint32_t)rand() % 7);
		boot_info_normalise(&bootinfo);
		for (uint32_t i = 0; i < bootinfo.memory_count; i++) {
			assert_true(bootinfo.memory[i].start < bootinfo.memory[i].end);
			if (i)
				assert_true(bootinfo.memory[i - 1].end <= bootinfo.memory[i].start);
		}
	}
}

static void
trampoline_is_low_and_reserved(void **state)
{
	boot_memory_add(&bootinfo, 0, 0x9fc00, 1);
	boot_memory_add(&bootinfo, 0x100000, 0x7000000, 1);
	boot_info_normalise(&bootinfo);
	assert_int_equal(boot_trampoline.start, 0x9f000 - TRAMPOLINE_SIZE);
	assert_int_equal(bootinfo.memory[2].start, boot_trampoline.start);
	assert_int_equal(bootinfo.memory[2].type, BOOT_MEMORY_RESERVED);
}

static void
arguments(void **state)
{
	char value[8];

	strcpy(bootinfo.command, "  quiet console=ttyS0 init=\"/bin/a b\" nosmap=off x= quietly x=2 long=0123456789");
	assert_true(boot_flag("quiet"));
	assert_false(boot_flag("quie"));
	assert_false(boot_flag("nosmap"));
	assert_false(boot_flag("absent"));
	assert_true(boot_argument("console", value, sizeof(value)));
	assert_string_equal(value, "ttyS0");
	assert_true(boot_argument("init", value, sizeof(value)));
	assert_string_equal(value, "/bin/a ");
	assert_true(boot_argument("x", value, sizeof(value)));
	assert_string_equal(value, "2");
	assert_true(boot_argument("long", value, sizeof(value)));
	assert_string_equal(value, "0123456");
	assert_true(boot_command_has("a nokaslr b", "nokaslr"));
	assert_false(boot_command_has("a nokaslr=1", "nokaslr"));
	assert_false(boot_command_has("a xnokaslr", "nokaslr"));
	assert_false(boot_command_has("", "nokaslr"));
}

static void
pvh(void **state)
{
	static struct {
		uint32_t magic, version, flags, modules_count;
		uint64_t modules, command, rsdp, memory;
		uint32_t memory_count, pad;
		struct { uint64_t start, size; uint32_t type, pad; } map[2];
		struct { uint64_t start, size, command, pad; } module;
		char text[16];
	} info = {
		.magic = 0x336ec578, .version = 1, .modules_count = 1, .rsdp = 0xe0010, .memory_count = 2,
		.map = { { 0x100000, 0x700000, 1, 0 }, { 0x800000, 0x1000, 4, 0 } },
		.module = { 0x400000, 12345, 0, 0 }, .text = "hello there",
	};

	/* Pointers above 4 GiB, which the boot tables do not reach, are not followed. */
	info.memory = 1ull << 40;
	assert_false(pvh_read(&bootinfo, (paddr_t)&info));
	info.magic = 0;
	assert_false(pvh_read(&bootinfo, (paddr_t)&info));
	assert_null(pvh_command((uint64_t)&info));

	/* With the information at physical address 16. */
	info.magic = 0x336ec578;
	direct_map_base = (vaddr_t)&info - 16;
	info.modules = 16 + (uint64_t)((char *)&info.module - (char *)&info);
	info.memory = 16 + (uint64_t)((char *)info.map - (char *)&info);
	info.command = 16 + (uint64_t)(info.text - (char *)&info);
	assert_true(pvh_read(&bootinfo, 16));
	assert_int_equal(bootinfo.memory_count, 2);
	assert_int_equal(bootinfo.memory[1].type, BOOT_MEMORY_NVS);
	assert_int_equal(bootinfo.initrd, 0x400000);
	assert_int_equal(bootinfo.initrd_size, 12345);
	assert_int_equal(bootinfo.rsdp, 0xe0010);
	assert_string_equal(bootinfo.command, "hello there");
	direct_map_base = 0;
}

/* Tags as GRUB writes them. */
static uint8_t *
put(uint8_t *p, uint32_t type, const void *payload, uint32_t size)
{
	uint32_t head[2] = { type, size + 8 };

	memcpy(p, head, 8);
	memcpy(p + 8, payload, size);
	return p + ((size + 8 + 7) & ~7u);
}

static uint32_t
make_information(uint8_t *info)
{
	struct { uint32_t start, end; char name[8]; } module = { 0x600000, 0x601234, "image" };
	struct { uint32_t size, version; struct { uint64_t start, size; uint32_t type, pad; } e[2]; } map = {
		24, 0, { { 0, 0x9f000, 1, 0 }, { 0x100000, 0x4000000, 1, 0 } },
	};
	struct {
		uint64_t address;
		uint32_t pitch, width, height;
		uint8_t bits, type;
		uint16_t pad;
		uint8_t red, rb, green, gb, blue, bb;
	} __packed fb = { 0xfd000000, 3200, 800, 600, 32, 1, 0, 16, 8, 8, 8, 0, 8 };
	uint8_t *p = info + 8;
	uint32_t total;

	memset(info, 0, 1024);
	p = put(p, 1, "quiet nokaslr", 14);
	p = put(p, 3, &module, sizeof(module));
	p = put(p, 6, &map, sizeof(map));
	p = put(p, 8, &fb, sizeof(fb));
	p = put(p, 14, "RSD PTR old........", 20);
	p = put(p, 15, "RSD PTR new.........................", 36);
	p = put(p, 0, "", 0);
	total = (uint32_t)(p - info);
	memcpy(info, &total, 4);
	return total;
}

static void
multiboot2(void **state)
{
	uint8_t *info = aligned_alloc(8, 1024);

	make_information(info);
	assert_string_equal(multiboot2_command((uint64_t)info), "quiet nokaslr");
	assert_true(multiboot2_read(&bootinfo, (paddr_t)info));
	assert_string_equal(bootinfo.command, "quiet nokaslr");
	assert_int_equal(bootinfo.initrd, 0x600000);
	assert_int_equal(bootinfo.initrd_size, 0x1234);
	assert_int_equal(bootinfo.memory_count, 2);
	assert_int_equal(bootinfo.framebuffer.width, 800);
	assert_int_equal(bootinfo.framebuffer.red_shift, 16);
	assert_memory_equal((void *)bootinfo.rsdp, "RSD PTR new", 11);
	free(info);
}

/* Any damage: no read outside the information (ASan watches), no endless loop. */
static void
multiboot2_damaged(void **state)
{
	static uint8_t whole[1024] __attribute__((aligned(8)));
	uint32_t total = make_information(whole);

	for (uint32_t at = 0; at < total; at++) {
		for (int bit = 0; bit < 8; bit++) {
			uint8_t *info = aligned_alloc(8, total);
			uint32_t claimed;

			memcpy(info, whole, total);
			info[at] ^= (uint8_t)(1 << bit);
			memcpy(&claimed, info, 4);
			fresh(NULL);
			/* The total is the loader's word for how much there is; only the rest can lie. */
			if (claimed <= total) {
				multiboot2_command((uint64_t)info);
				multiboot2_read(&bootinfo, (paddr_t)info);
			}
			free(info);
		}
	}
}

static void
limine(void **state)
{
	const uint64_t offset = 0xffff800000000000;
	struct limine_memory_entry a = { 0x1000, 0x9e000, LIMINE_MEMORY_USABLE };
	struct limine_memory_entry b = { 0x100000, 0x400000, LIMINE_MEMORY_KERNEL };
	struct limine_memory_entry c = { 0x500000, 0x10000, LIMINE_MEMORY_LOADER };
	struct limine_memory_entry *entries[] = { &a, &b, &c };
	struct limine_memory_response memory = { 0, 3, entries };
	struct limine_offset_response hhdm = { 0, offset };
	struct limine_file module = { .address = (void *)(offset + 0x300000), .size = 77 };
	struct limine_file *modules[] = { &module };
	struct limine_modules_response files = { 0, 1, modules };
	struct limine_file image = { .command = "console=ttyS0" };
	struct limine_file_response file = { 0, &image };
	struct limine_rsdp_response rsdp = { 0, offset + 0xf5000 };
	struct limine_framebuffer screen = { .address = (void *)(offset + 0xe0000000), .width = 640,
					     .height = 480, .pitch = 2560, .bits = 32 };
	struct limine_framebuffer *screens[] = { &screen };
	struct limine_framebuffer_response framebuffers = { 0, 1, screens };
	struct limine_answers all = { &memory, &hhdm, &file, &files, &rsdp, &framebuffers };
	struct limine_answers few = { .memory = &memory };

	assert_false(limine_convert(&bootinfo, &few));
	assert_true(limine_convert(&bootinfo, &all));
	assert_int_equal(bootinfo.memory_count, 3);
	assert_int_equal(bootinfo.memory[1].type, BOOT_MEMORY_USABLE);
	assert_int_equal(bootinfo.memory[2].type, BOOT_MEMORY_RESERVED);
	assert_int_equal(bootinfo.initrd, 0x300000);
	assert_int_equal(bootinfo.rsdp, 0xf5000);
	assert_int_equal(bootinfo.framebuffer.address, 0xe0000000);
	assert_string_equal(bootinfo.command, "console=ttyS0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(overlaps_give_the_less_usable_type, fresh),
		cmocka_unit_test_setup(usable_memory_shrinks_to_pages_and_the_rest_grows, fresh),
		cmocka_unit_test_setup(ranges_that_wrap_are_cut, fresh),
		cmocka_unit_test_setup(random_maps_become_sorted_and_disjoint, fresh),
		cmocka_unit_test_setup(trampoline_is_low_and_reserved, fresh),
		cmocka_unit_test_setup(arguments, fresh),
		cmocka_unit_test_setup(pvh, fresh),
		cmocka_unit_test_setup(multiboot2, fresh),
		cmocka_unit_test_setup(multiboot2_damaged, fresh),
		cmocka_unit_test_setup(limine, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
