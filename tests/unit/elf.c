/* SPDX-License-Identifier: MIT */
/*
 * elf.c - programs are planned as their headers say; headers of garbage are refused, never followed.
 */
/* unit: kernel/lib/elf.c */
#include <stdlib.h>
#include <string.h>

#include <tessera/elf.h>
#include <tessera/errno.h>

#include "unit.h"

#define LIMIT 0x7ffffffff000ull

static struct elf_header
header(uint16_t type, uint16_t segments)
{
	struct elf_header h = {
		.ident = { 0x7f, 'E', 'L', 'F', 2, 1, 1 },
		.type = type,
		.machine = ELF_MACHINE_X86_64,
		.entry = 0x401000,
		.phoff = 64,
		.phentsize = sizeof(struct elf_segment),
		.phnum = segments,
	};

	return h;
}

static struct elf_segment
load(uint32_t flags, uint64_t offset, uint64_t vaddr, uint64_t file_size, uint64_t memory_size)
{
	struct elf_segment s = {
		.type = ELF_PT_LOAD,
		.flags = flags,
		.offset = offset,
		.vaddr = vaddr,
		.file_size = file_size,
		.memory_size = memory_size,
		.align = 0x1000,
	};

	return s;
}

static void
ordinary_program(void **state)
{
	struct elf_header h = header(ELF_EXEC, 4);
	struct elf_segment s[4] = {
		load(ELF_PF_R, 0, 0x400000, 0x500, 0x500),
		load(ELF_PF_R | ELF_PF_X, 0x1000, 0x401000, 0x1234, 0x1234),
		load(ELF_PF_R | ELF_PF_W, 0x3e10, 0x404e10, 0x200, 0x900),
		{ .type = ELF_PT_GNU_STACK, .flags = ELF_PF_R | ELF_PF_W },
	};
	struct elf_plan p;

	s[2].offset = 0x3e10;
	s[2].vaddr = 0x404e10;
	assert_int_equal(elf_check_header(&h), 0);
	assert_int_equal(elf_plan_load(&h, s, 0x10000, LIMIT, &p), 0);
	assert_false(p.dynamic);
	assert_int_equal(p.load_count, 3);
	assert_int_equal(p.start, 0x400000);
	assert_int_equal(p.end, 0x406000);
	assert_int_equal(p.headers, 0x400040);
	assert_int_equal(p.brk, 0x404e10 + 0x900);
	assert_int_equal(p.code_end, 0x402234);
	assert_int_equal(p.data_end, 0x405010);
	assert_true(p.has_stack);
	assert_false(p.stack_exec);
	assert_int_equal(p.interp_size, 0);
}

static void
interpreter(void **state)
{
	struct elf_header h = header(ELF_DYN, 2);
	struct elf_segment s[2] = {
		{ .type = ELF_PT_INTERP, .offset = 0x300, .file_size = 28 },
		load(ELF_PF_R | ELF_PF_X, 0, 0, 0x2000, 0x2000),
	};
	struct elf_plan p;

	assert_int_equal(elf_plan_load(&h, s, 0x3000, LIMIT, &p), 0);
	assert_true(p.dynamic);
	assert_int_equal(p.interp_offset, 0x300);
	assert_int_equal(p.interp_size, 28);
	s[0].file_size = 1;
	assert_int_equal(elf_plan_load(&h, s, 0x3000, LIMIT, &p), -ENOEXEC);
	s[0].file_size = 5000;
	assert_int_equal(elf_plan_load(&h, s, 0x3000, LIMIT, &p), -ENOEXEC);
	s[0].file_size = 28;
	s[0].offset = UINT64_MAX - 10;
	assert_int_equal(elf_plan_load(&h, s, 0x3000, LIMIT, &p), -ENOEXEC);
}

static void
wrong_headers(void **state)
{
	struct elf_header good = header(ELF_EXEC, 1), h;

	h = good;
	h.ident[0] = 'M';
	assert_int_equal(elf_check_header(&h), -ENOEXEC);
	h = good;
	h.machine = 3;
	assert_int_equal(elf_check_header(&h), -ENOEXEC);
	h = good;
	h.type = 1;
	assert_int_equal(elf_check_header(&h), -ENOEXEC);
	h = good;
	h.phentsize = 32;
	assert_int_equal(elf_check_header(&h), -ENOEXEC);
	h = good;
	h.phnum = 0;
	assert_int_equal(elf_check_header(&h), -ENOEXEC);
	h.phnum = 0xffff;
	assert_int_equal(elf_check_header(&h), -ENOEXEC);
}

static void
refuse(struct elf_segment s)
{
	struct elf_header h = header(ELF_EXEC, 1);
	struct elf_plan p;

	assert_true(elf_plan_load(&h, &s, 0x10000, LIMIT, &p) < 0);
}

static void
hostile_segments(void **state)
{
	struct elf_header h = header(ELF_EXEC, 2);
	struct elf_segment s[2];
	struct elf_segment bad;
	struct elf_plan p;

	refuse(load(ELF_PF_R, 0, 0x400000, 0x2000, 0x1000));              /* more file than memory */
	refuse(load(ELF_PF_R, 0, LIMIT - 0x1000, 0, 0x2000));             /* past the end */
	refuse(load(ELF_PF_R, 0, UINT64_MAX - 0xfff, 0x100, 0x1000));     /* wraps */
	refuse(load(ELF_PF_R, 0, 0x400000, 0, UINT64_MAX));
	refuse(load(ELF_PF_R, INT64_MAX - 0xfff, 0x400000, 0x1000, 0x1000));
	refuse(load(ELF_PF_R, 0x10, 0x400000, 0x100, 0x100));             /* not congruent */
	bad = load(ELF_PF_R, 0, 0x400000, 0x100, 0x100);
	bad.type = 0;
	refuse(bad);                                                      /* nothing to load */
	s[0] = load(ELF_PF_R, 0, 0x500000, 0x1000, 0x1000);
	s[1] = load(ELF_PF_R, 0, 0x400000, 0x1000, 0x1000);
	s[1].align = 0x3000; /* odd, and not in ascending order: as Linux, no matter */
	assert_int_equal(elf_plan_load(&h, s, 0x10000, LIMIT, &p), 0);
	assert_int_equal(p.start, 0x400000);
	assert_int_equal(p.end, 0x501000);
	assert_int_equal(p.alignment, 0x1000);
}

/* Whatever the bytes: an answer, and a plan that keeps its promises when it is yes. */
static void
random_bytes_never_crash(void **state)
{
	struct elf_segment s[4];
	struct elf_plan p;

	srand(1);
	for (int round = 0; round < 200000; round++) {
		struct elf_header h = header(rand() & 1 ? ELF_EXEC : ELF_DYN, 4);
		uint8_t *bytes = (uint8_t *)s;

		for (size_t i = 0; i < sizeof(s); i++)
			bytes[i] = rand() % 3 ? 0 : rand();
		for (int i = 0; i < 4; i++)
			if (rand() % 4)
				s[i].type = rand() % 2 ? ELF_PT_LOAD : ELF_PT_INTERP;
		if (elf_plan_load(&h, s, 0x10000, LIMIT, &p) != 0)
			continue;
		assert_true(p.start < p.end && p.end <= LIMIT);
		assert_true(p.brk <= p.end && p.data_end <= p.end);
		assert_true(p.interp_size <= ELF_INTERP_MAX);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_program),
		cmocka_unit_test(interpreter),
		cmocka_unit_test(wrong_headers),
		cmocka_unit_test(hostile_segments),
		cmocka_unit_test(random_bytes_never_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
