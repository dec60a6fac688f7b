/* SPDX-License-Identifier: MIT */
/*
 * radix.h - a sparse array of pointers indexed by 64-bit numbers: page caches, pid tables.
 * 64 slots a node, as high as the largest index needs. The caller locks.
 */
#ifndef TESSERA_RADIX_H
#define TESSERA_RADIX_H

#include <tessera/types.h>

struct radix_node;

#define RADIX_MARKS 2u /* each entry may carry any of so many marks, which can be looked for */

struct radix_tree {
	struct radix_node *root;
	uint32_t height;  /* levels; 0: empty */
	uint64_t count;   /* entries that are not NULL */
};

/* An empty tree; what lies at `index`, or NULL. */
void radix_init(struct radix_tree *t);
void *radix_get(const struct radix_tree *t, uint64_t index);
/* out[0 .. n - 1]: what lies at `index` and behind it, or NULL. */
void radix_get_run(const struct radix_tree *t, uint64_t index, void **out, uint32_t n);
/* Store `item` (not NULL). Returns 0 or -ENOMEM; *old (may be NULL) gets what was there. Allocates
 * without sleeping: a caller that holds a spinlock and gets -ENOMEM drops it, reclaims, tries again. */
int radix_set(struct radix_tree *t, uint64_t index, void *item, void **old);
void *radix_remove(struct radix_tree *t, uint64_t index);
/* The first entry with an index >= *index; *index is set to its index. NULL: none. */
void *radix_next(const struct radix_tree *t, uint64_t *index);
/* The entry at `index`, which is there, gets mark 0 .. RADIX_MARKS - 1 or loses it. An entry that is removed has none. */
void radix_mark(struct radix_tree *t, uint64_t index, unsigned int mark);
void radix_unmark(struct radix_tree *t, uint64_t index, unsigned int mark);
/* As radix_next(), of entries with the mark; what lies between costs nothing. */
void *radix_next_marked(const struct radix_tree *t, uint64_t *index, unsigned int mark);
/* The smallest index >= `start` and <= `last` whose slot is empty; false: none. */
bool radix_find_free(const struct radix_tree *t, uint64_t start, uint64_t last, uint64_t *index);
/* Free all nodes; the items are the caller's. */
void radix_destroy(struct radix_tree *t);

#endif
