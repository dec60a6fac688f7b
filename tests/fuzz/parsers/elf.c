/* SPDX-License-Identifier: MIT */
/* elf.c - ELF headers of anybody's: a plan that is made can be mapped without a further look. */
/* fuzz: kernel/lib/elf.c */
#include "parser.h"

#include <tessera/elf.h>
#include <tessera/errno.h>

#define LIMIT 0x7ffffffff000ull

static void
check_plan(const struct elf_plan *p, uint64_t file_size)
{
	MUST(p->start % PAGE_SIZE == 0 && p->end % PAGE_SIZE == 0);
	MUST(p->start <= p->end && p->end <= LIMIT);
	MUST(p->load_count == 0 || p->start < p->end);
	MUST(p->alignment >= PAGE_SIZE && (p->alignment & (p->alignment - 1)) == 0);
	MUST(p->interp_size <= ELF_INTERP_MAX);
	MUST(p->interp_offset + p->interp_size >= p->interp_offset && p->interp_offset + p->interp_size <= file_size);
	MUST(p->code_start <= LIMIT && p->code_end <= LIMIT && p->data_end <= LIMIT && p->brk <= LIMIT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_header h;
	struct elf_segment *segments;
	struct elf_plan plan;
	uint64_t file_size = INT64_MAX;

	if (size < sizeof(h))
		return 0;
	memcpy(&h, data, sizeof(h));
	if (elf_check_header(&h))
		return 0;
	MUST(h.phnum > 0 && h.phnum <= ELF_HEADERS_MAX);
	if ((size - sizeof(h)) / sizeof(*segments) < h.phnum)
		return 0;
	if (h.flags & 1) /* as the kernel calls it, or with the file's size known */
		file_size = size;
	segments = input_copy(data + sizeof(h), h.phnum * sizeof(*segments));
	if (elf_plan_load(&h, segments, file_size, LIMIT, &plan) == 0)
		check_plan(&plan, file_size);
	free(segments);
	return 0;
}
