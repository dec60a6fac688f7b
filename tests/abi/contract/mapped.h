/* SPDX-License-Identifier: MIT */
/*
 * mapped.h - mmap and mremap as calls that return 0 or -1, and pages to try things on.
 */
#ifndef ABI_CONTRACT_MAPPED_H
#define ABI_CONTRACT_MAPPED_H

#include "words.h"

#include <sys/mman.h>

static inline int
mapped(void *at)
{
	return at == MAP_FAILED ? -1 : 0;
}

#define MM(...) mapped(mmap(__VA_ARGS__))
#define MR(...) mapped(mremap(__VA_ARGS__))

/* `n` private pages; they go with the case. */
static inline char *
pg(int n, int prot)
{
	return mmap(0, n * 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

#endif
