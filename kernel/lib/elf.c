/* SPDX-License-Identifier: MIT */
/*
 * elf.c - reading ELF headers that anybody may have written. Pure: touches nothing but its arguments.
 *
 * Every sum of two numbers from the file is checked before it is used; what passes can be mapped
 * without a further look: all segments lie in [start, end), below the limit. Where the standard is
 * stricter than Linux (class and order of bytes in e_ident, order of segments, odd alignments), Linux is
 * followed.
 */
#include <tessera/elf.h>
#include <tessera/errno.h>

int
elf_check_header(const struct elf_header *h)
{
	static const uint8_t magic[4] = { 0x7f, 'E', 'L', 'F' };

	for (int i = 0; i < 4; i++)
		if (h->ident[i] != magic[i])
			return -ENOEXEC;
	if ((h->type != ELF_EXEC && h->type != ELF_DYN) || h->machine != ELF_MACHINE_X86_64)
		return -ENOEXEC;
	if (h->phentsize != sizeof(struct elf_segment) || h->phnum == 0 || h->phnum > ELF_HEADERS_MAX)
		return -ENOEXEC;
	return 0;
}

static bool
sum_fits(uint64_t a, uint64_t b, uint64_t limit)
{
	return a <= limit && b <= limit - a;
}

/* One PT_LOAD: check it and widen the plan. */
static int
add_load(const struct elf_header *h, const struct elf_segment *s, uint64_t limit, struct elf_plan *plan)
{
	uint64_t file_end, memory_end, headers_size = (uint64_t)h->phnum * sizeof(*s);

	if (s->file_size > s->memory_size || !sum_fits(s->vaddr, s->memory_size, limit))
		return -ENOEXEC;
	if (!sum_fits(s->offset, s->file_size, INT64_MAX - PAGE_SIZE))
		return -ENOEXEC;
	/* The file's pages are mapped, so place and offset must agree within a page. */
	if (s->file_size && (s->vaddr & (PAGE_SIZE - 1)) != (s->offset & (PAGE_SIZE - 1)))
		return -ENOEXEC;
	if (s->memory_size == 0)
		return 0;
	file_end = s->vaddr + s->file_size;
	memory_end = s->vaddr + s->memory_size;
	if (ALIGN_UP(memory_end, PAGE_SIZE) > limit)
		return -ENOEXEC;
	/* The standard wants ascending order; programs that break it run on Linux, so they do here. */
	if (plan->load_count == 0 || s->vaddr < plan->start)
		plan->start = ALIGN_DOWN(s->vaddr, PAGE_SIZE);
	if (s->align > plan->alignment && (s->align & (s->align - 1)) == 0)
		plan->alignment = s->align;
	if (s->vaddr > plan->data_start)
		plan->data_start = s->vaddr;
	if ((s->flags & ELF_PF_X) && (plan->code_end == 0 || s->vaddr < plan->code_start))
		plan->code_start = s->vaddr;
	if ((s->flags & ELF_PF_X) && file_end > plan->code_end)
		plan->code_end = file_end;
	if (file_end > plan->data_end)
		plan->data_end = file_end;
	if (memory_end > plan->brk)
		plan->brk = memory_end;
	if (memory_end > plan->end)
		plan->end = memory_end;
	if (h->phoff >= s->offset && sum_fits(h->phoff - s->offset, headers_size, s->file_size))
		plan->headers = s->vaddr + (h->phoff - s->offset);
	plan->load_count++;
	return 0;
}

int
elf_plan_load(const struct elf_header *h, const struct elf_segment *segments, uint64_t file_size,
	      uint64_t limit, struct elf_plan *plan)
{
	int error;

	*plan = (struct elf_plan){
		.dynamic = h->type == ELF_DYN,
		.entry = h->entry,
		.alignment = PAGE_SIZE,
	};
	for (unsigned int i = 0; i < h->phnum; i++) {
		const struct elf_segment *s = &segments[i];

		switch (s->type) {
		case ELF_PT_LOAD:
			error = add_load(h, s, limit, plan);
			if (error)
				return error;
			break;
		case ELF_PT_INTERP:
			if (plan->interp_size)
				break; /* the first counts */
			if (s->file_size < 2 || s->file_size > ELF_INTERP_MAX)
				return -ENOEXEC;
			if (!sum_fits(s->offset, s->file_size, file_size))
				return -ENOEXEC;
			plan->interp_offset = s->offset;
			plan->interp_size = s->file_size;
			break;
		case ELF_PT_GNU_STACK:
			plan->has_stack = true;
			plan->stack_exec = s->flags & ELF_PF_X;
			break;
		}
	}
	if (plan->load_count == 0)
		return -ENOEXEC;
	plan->end = ALIGN_UP(plan->end, PAGE_SIZE);
	if (!sum_fits(plan->entry, 0, limit))
		return -EINVAL;
	return 0;
}
