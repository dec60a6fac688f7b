/* SPDX-License-Identifier: MIT */
/*
 * parser.h - what a parser's fuzzer includes: libFuzzer calls LLVMFuzzerTestOneInput() with bytes.
 *
 * AddressSanitizer watches what is read, UBSan what is computed, and MUST() what the parser promises of its
 * result. input_copy() gives memory that ends where the input ends, so that reading past it is seen.
 */
#ifndef PARSER_H
#define PARSER_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond);         \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static inline void *
input_copy(const void *data, size_t size)
{
	void *copy = malloc(size ? size : 1);

	MUST(copy);
	memcpy(copy, data, size);
	return copy;
}

#endif
