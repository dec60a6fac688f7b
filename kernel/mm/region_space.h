/* SPDX-License-Identifier: MIT */
/*
 * region_space.h - a buddy allocator for virtual addresses: the pure part of region.c.
 */
#ifndef MM_REGION_SPACE_H
#define MM_REGION_SPACE_H

#include <tessera/list.h>
#include <tessera/rbtree.h>
#include <tessera/types.h>

#define REGION_ORDERS 28u /* blocks of 4 KiB to 512 GiB */

/* A block of 1 << order pages, free or used. */
struct region {
	struct rb_node node;  /* by start, all blocks */
	struct list list;     /* free: of its order; spare: of the space */
	vaddr_t start;
	uint32_t order;
	bool used;
	uint32_t kind;        /* the user's */
	uint64_t pages;       /* the user's: pages mapped after the leading guard page */
};

/* All fields under the owner's lock. */
struct region_space {
	struct rb_tree blocks;
	struct list free[REGION_ORDERS];
	struct list spare;    /* nodes for splits */
	uint32_t spare_count;
	uint64_t used_pages;
};

/* An empty space of 1 << order pages at `start`, which is aligned to its size. `root` describes
 * it. */
void region_space_init(struct region_space *s, vaddr_t start, uint32_t order, struct region *root);
void region_space_give_spare(struct region_space *s, struct region *r);
/* A node that is the caller's then; NULL: there are no more than `keep`. */
struct region *region_space_take_spare(struct region_space *s, uint32_t keep);
/* A used block of 1 << order pages; NULL: none free, or too few spare nodes (REGION_ORDERS
 * suffice). */
struct region *region_space_alloc(struct region_space *s, uint32_t order);
void region_space_free(struct region_space *s, struct region *r);
/* The used block that contains `va`, or NULL. */
struct region *region_space_find(const struct region_space *s, vaddr_t va);

#endif
