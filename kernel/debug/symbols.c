/* SPDX-License-Identifier: MIT */
/*
 * symbols.c - names for addresses, from the table that the build puts into the kernel.
 *
 * tools/ksyms.py states the format. Offsets count from kernel_start, so they hold at any base.
 */
#include <tessera/debug.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/string.h>

extern const uint32_t ksyms_count;
extern const uint32_t ksyms_offsets[];
extern const uint32_t ksyms_name_offsets[];
extern const char ksyms_names[];
extern const char kernel_start[], kernel_text_end[];

const char *
symbol_find(vaddr_t pc, uint64_t *offset)
{
	uint64_t where = pc - (vaddr_t)kernel_start;
	uint32_t low = 0, high = ksyms_count;

	if (pc < (vaddr_t)kernel_start || pc >= (vaddr_t)kernel_text_end || !ksyms_count ||
	    where < ksyms_offsets[0])
		return NULL;
	/* ksyms_offsets[low] <= where < ksyms_offsets[high] */
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (ksyms_offsets[middle] <= where)
			low = middle;
		else
			high = middle;
	}
	*offset = where - ksyms_offsets[low];
	return ksyms_names + ksyms_name_offsets[low];
}

vaddr_t
symbol_address(const char *name)
{
	for (uint32_t i = 0; i < ksyms_count; i++)
		if (!strcmp(ksyms_names + ksyms_name_offsets[i], name))
			return (vaddr_t)kernel_start + ksyms_offsets[i];
	return 0;
}

void
symbol_for_each(void (*fn)(void *ctx, vaddr_t start, const char *name), void *ctx)
{
	for (uint32_t i = 0; i < ksyms_count; i++)
		fn(ctx, (vaddr_t)kernel_start + ksyms_offsets[i], ksyms_names + ksyms_name_offsets[i]);
}

const char *
symbol_format(vaddr_t pc, char *out, size_t size)
{
	uint64_t offset;
	const char *name = symbol_find(pc, &offset);

	if (name)
		snprintf(out, size, "%s+0x%lx", name, offset);
	else
		snprintf(out, size, "%#lx", pc);
	return out;
}
