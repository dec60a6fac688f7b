/* SPDX-License-Identifier: MIT */
/*
 * kasan.h - what the rest of the kernel tells the address sanitiser (debug/sanitizers/kasan.c, which
 * explains it), and what it asks. All of it is called behind `if (config_kasan)`.
 */
#ifndef TESSERA_KASAN_H
#define TESSERA_KASAN_H

#include <tessera/config.h>
#include <tessera/types.h>

struct object_shape;
struct page;

/* Shadow bytes: 0: all 8 bytes may be used; 1 to 7: only so many of them; the rest: none, and why. The
 * compiler writes those of arrays on the stack: 0xf1, 0xf2, 0xf3, and 0xf8 for one out of scope. */
#define KASAN_GLOBAL_REDZONE 0xf9
#define KASAN_REGION_GUARD   0xfa /* around and between regions of kernel addresses */
#define KASAN_OBJECT_FREED   0xfb
#define KASAN_OBJECT_REDZONE 0xfc /* around slab objects */
#define KASAN_STACK_FREED    0xfd /* a kernel stack without a thread */
#define KASAN_PAGE_REDZONE   0xfe /* what kmalloc rounded up */
#define KASAN_PAGE_FREED     0xff

/* Shadow for the image is there: look from now on. Boot CPU, after arch_init_memory(). */
void kasan_init(void);

/* Report and panic when not all of [p, p + n) may be used. User addresses pass. */
void kasan_check_read(const void *p, size_t n);
void kasan_check_write(const void *p, size_t n);

/* [p, p + n) must not, or may, be touched. `p` is a multiple of 8; so is `n` for kasan_poison. */
void kasan_poison(const void *p, size_t n, uint8_t why);
void kasan_unpoison(const void *p, size_t n);

/* --- memory that comes and goes ---------------------------------------------------------------- */

/* A block of frames was given out, or came back: its shadow says so. */
void kasan_page_alloc(struct page *p, unsigned int order);
void kasan_page_free(struct page *p, unsigned int order);
/* Addresses [start, start + size) of the region space come into use (all of them poisoned), or went out of
 * it. May sleep. -ENOMEM. */
int kasan_region_add(vaddr_t start, size_t size);
void kasan_region_remove(vaddr_t start, size_t size);

/* --- slab objects (mm/slab.c, <tessera/memory_check.h>) ---------------------------------------- */

/* A block of frames was cut into free objects. */
void kasan_slab_new(const struct object_shape *s, void *base);
/* `size` bytes of the object may be used from now on; none any more. */
void kasan_object_alloc(const struct object_shape *s, void *object, size_t size);
void kasan_object_free(const struct object_shape *s, void *object);
/* The same for kmalloc()'s blocks of frames. */
void kasan_block_alloc(struct page *p, size_t size);

/*
 * The quarantine: freed objects in the order of their coming, chained by their notes' link, so that an
 * address does not come back at once. Put one in; returns a chain of those that must leave for it.
 */
void *kasan_quarantine_put(const struct object_shape *s, void *object);
/* All of them leave. */
void *kasan_quarantine_take(void);
/* Bytes that it may hold. */
void kasan_quarantine_init(uint64_t bytes);

/* mm/region.c: the region that holds `p`: its kind in words, first and last mapped address + 1. NULL: none. */
const char *region_describe(const void *p, vaddr_t *start, vaddr_t *end);

#endif
