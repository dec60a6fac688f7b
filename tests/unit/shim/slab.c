/* SPDX-License-Identifier: MIT */
/*
 * slab.c - the kernel's allocator calls, served by the host's, so that ASan watches them.
 *
 * unit_fail_allocation, when positive, counts down and lets that allocation fail.
 */
#include <stdlib.h>
#include <string.h>

#include <tessera/slab.h>

#include "unit.h"

int unit_fail_allocation;
long unit_allocations;

void *
kmalloc(size_t size, unsigned int flags)
{
	if (unit_fail_allocation > 0 && --unit_fail_allocation == 0)
		return NULL;
	unit_allocations++;
	return flags & ALLOC_ZERO ? calloc(1, size) : malloc(size);
}

void *
kzalloc(size_t size)
{
	return kmalloc(size, ALLOC_ZERO);
}

void
kfree(void *p)
{
	if (p)
		unit_allocations--;
	free(p);
}
