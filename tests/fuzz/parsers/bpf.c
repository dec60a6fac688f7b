/* SPDX-License-Identifier: MIT */
/* bpf.c - instructions from anywhere: what the checker passes ends and reads only its input. */
/* fuzz: kernel/lib/bpf.c */
#include "parser.h"

#include <tessera/bpf.h>

#define RECORD_SIZE 64

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t n = (uint32_t)(size / sizeof(struct bpf_instruction));
	struct bpf_instruction *p = input_copy(data, n * sizeof(*p));
	uint16_t *scratch = malloc((n + 1) * sizeof(*scratch));
	uint32_t *input = calloc(1, RECORD_SIZE);

	MUST(scratch && input);
	for (int kind = BPF_RECORD; kind <= BPF_PACKET; kind++)
		if (bpf_check(p, n, (enum bpf_input)kind, RECORD_SIZE, scratch) == 0)
			bpf_run(p, (enum bpf_input)kind, input, RECORD_SIZE);
	free(input);
	free(scratch);
	free(p);
	return 0;
}
