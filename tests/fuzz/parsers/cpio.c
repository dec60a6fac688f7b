/* SPDX-License-Identifier: MIT */
/* cpio.c - an archive from anywhere: entries lie inside it, and reading comes to an end. */
/* fuzz: kernel/lib/cpio.c */
#include "parser.h"

#include <tessera/cpio.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *archive = input_copy(data, size);
	size_t offset = 0, before = 0;
	struct cpio_entry e;

	while (cpio_next(archive, size, &offset, &e) > 0) {
		MUST(offset > before && offset <= size);
		MUST((const uint8_t *)e.name >= archive && (const uint8_t *)e.name + e.length < archive + size);
		MUST(e.name[e.length] == '\0' && strlen(e.name) == e.length);
		MUST(e.data_offset <= size && e.size <= size - e.data_offset);
		MUST(e.data == archive + e.data_offset);
		before = offset;
	}
	free(archive);
	return 0;
}
