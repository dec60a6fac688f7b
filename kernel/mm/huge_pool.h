/* SPDX-License-Identifier: MIT */
/*
 * huge_pool.h - the pool of huge pages, as the files of this room see it.
 */
#ifndef MM_HUGE_POOL_H
#define MM_HUGE_POOL_H

#include <tessera/address_space.h>

bool huge_pool_take_back(struct page *p);
struct page *huge_pool_take(bool zero);
int huge_pool_fault(struct mapping *m, vaddr_t va);
int huge_pool_copy(struct mapping *m, vaddr_t va, struct page *from);

#endif
