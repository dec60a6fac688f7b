/* SPDX-License-Identifier: MIT */
/*
 * slab.h - kernel objects: caches of one size over frames, with per-CPU free lists.
 */
#ifndef TESSERA_SLAB_H
#define TESSERA_SLAB_H

#include <tessera/page.h>
#include <tessera/types.h>

struct object_shape;
struct slab_cache;

/* Create a cache of objects of `size` bytes (align 0: 16). Never fails at boot; NULL later. `name` is
 * kept by reference. Objects are counted: /proc/slabinfo and the leak check read it. */
struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align);
void slab_free(struct slab_cache *c, void *object);
void *slab_alloc(struct slab_cache *c, unsigned int flags) /* ALLOC_ZERO, ALLOC_NOWAIT */
	__freed_by(slab_free, 2);

/* General sizes, 16 bytes to 4 MiB. Contiguous. flags as page_alloc. NULL: no memory. */
void kfree(void *p);                     /* NULL is fine */
void *kmalloc(size_t size, unsigned int flags) __freed_by(kfree, 1);
void *kzalloc(size_t size) __freed_by(kfree, 1); /* may sleep, zeroed */
void *krealloc(void *p, size_t size, unsigned int flags);
char *kstrdup(const char *s) __freed_by(kfree, 1);
void *kmemdup(const void *p, size_t size) __freed_by(kfree, 1);

void slab_init(void);
void slab_init_cpu(struct cpu *c);
/* Walk all caches: /proc/slabinfo. Takes each cache's lock. */
void slab_for_each(void (*fn)(void *ctx, const char *name, size_t size, uint64_t used,
			      uint64_t total, uint64_t pages), void *ctx);

/* Freed objects that KASAN holds back are free indeed: before somebody counts what is left. */
void slab_drain_quarantine(void);

/* How the slab of which `p` is the first frame is cut; NULL: not a slab. For those who look at all. */
const struct object_shape *slab_shape(const struct page *p);
void slab_dump(void);                    /* all caches to the log; takes no locks */

/* Virtually contiguous memory, page granular, with an unmapped guard page on both sides (region.c). */
void vfree(void *p);
void *vmalloc(size_t size) __freed_by(vfree, 1); /* zeroed; may sleep; NULL */
/* Memory that is given back soon: contiguous where that is easy, because a region that goes is flushed for by all
 * CPUs; not zeroed. kvfree() knows which. NULL is fine. */
void kvfree(void *p);
void *kvmalloc(size_t size) __freed_by(kvfree, 1);
struct page;
/* The page behind an address of kmalloc's, kvmalloc's or vmalloc's memory, or of any page's. No reference: pages inside a
 * larger block have none of their own. Takes a spinlock with interrupts off. */
struct page *kernel_page(const void *at);
void kernel_stack_free(void *base);
/* Frames of stacks that wait for the next threads. */
uint64_t kernel_stacks_kept(void);
void *kernel_stack_alloc(void)           /* KERNEL_STACK_SIZE, guarded; returns its lowest address */
	__freed_by(kernel_stack_free, 1);
/* Map the `size` bytes from `start`, device registers or other frames, at kernel addresses of their own. NULL: no memory. */
void *region_map_phys(paddr_t start, size_t size, unsigned int prot);
void region_unmap(void *p);
/* For who counts memory: no stacks are kept for reuse then, and as many spare nodes of regions as always, fewer only where
 * memory is gone. Others may free stacks and regions meanwhile. Sleeps; no lock held. */
void regions_settle(void);
void region_init(void);

#endif
