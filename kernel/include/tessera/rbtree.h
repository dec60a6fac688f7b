/* SPDX-License-Identifier: MIT */
/*
 * rbtree.h - red-black trees with the nodes inside the elements.
 *
 * The caller walks down to find the place, and rb_insert() links the node and balances:
 *
 *	struct rb_node **link = &tree->root, *parent = NULL;
 *	while (*link) { parent = *link; link = less(new, parent) ? &parent->left : &parent->right; }
 *	rb_insert(tree, &new->node, parent, link);
 */
#ifndef TESSERA_RBTREE_H
#define TESSERA_RBTREE_H

#include <tessera/types.h>

struct rb_node {
	struct rb_node *parent, *left, *right;
	bool red;
};

struct rb_tree {
	struct rb_node *root;
};

/* Link `n` in where the caller's search ended (*link, below parent), take it out, walk in order (NULL: none). The
 * caller holds what guards the tree. */
void rb_insert(struct rb_tree *t, struct rb_node *n, struct rb_node *parent, struct rb_node **link);
void rb_erase(struct rb_tree *t, struct rb_node *n);
struct rb_node *rb_first(const struct rb_tree *t);
struct rb_node *rb_last(const struct rb_tree *t);
struct rb_node *rb_next(const struct rb_node *n);
struct rb_node *rb_prev(const struct rb_node *n);
/* Put `n` into the tree in the very place of `old` (same key). */
void rb_replace(struct rb_tree *t, struct rb_node *old, struct rb_node *n);

#define rb_entry(p, type, member)                                                                  \
	({                                                                                         \
		struct rb_node *rb_p_ = (p);                                                       \
		rb_p_ ? container_of(rb_p_, type, member) : NULL;                                  \
	})

#endif
