/* SPDX-License-Identifier: MIT */
/*
 * misuse.c - what the headers call when a list or a count is used against its rules: the test ends.
 */
#include <stdio.h>
#include <stdlib.h>

#include <tessera/atomic.h>
#include <tessera/list.h>

void
list_corrupted(const char *doing, const struct list *n, const struct list *prev, const struct list *next)
{
	fprintf(stderr, "list: %s: its neighbours do not agree\n", doing);
	abort();
}

void
refcount_broken(const struct refcount *r, uint32_t count, const char *what)
{
	fprintf(stderr, "refcount: %s (%u)\n", what, count);
	abort();
}
