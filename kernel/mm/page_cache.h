/* SPDX-License-Identifier: MIT */
/*
 * page_cache.h - pages of objects, as the files of this room see them.
 */
#ifndef MM_PAGE_CACHE_H
#define MM_PAGE_CACHE_H

#include <tessera/memory_object.h>

/* PAGE_LOCKED as a sleeping lock: whoever fills or writes back a page holds it. */
void page_lock(struct page *p);
bool page_trylock(struct page *p);
void page_unlock(struct page *p);

/* Take pages [first, last] out of the object and drop its references; leaves stay for the
 * caller. */
void page_cache_remove(struct memory_object *o, uint64_t first, uint64_t last);
/* Up to `n` pages from `index` on that are there and valid, each referenced; NULL where none is. */
void page_cache_peek(struct memory_object *o, uint64_t index, struct page **out, uint32_t n);
void page_cache_init(void);

void object_cache_init(void);
int object_write_back(struct memory_object *o, struct page *p);
void object_protect_range(struct memory_object *o, uint64_t first, uint64_t last);

#endif
