/* SPDX-License-Identifier: MIT */
/*
 * rbtree.c - red-black trees: every path from a node to a leaf has the same number of black nodes, and
 * no red node has a red child. Cormen et al., Introduction to Algorithms, chapter 13, with NULL
 * leaves, so that deletion carries the parent of the hole along.
 *
 * The caller locks.
 */
#include <tessera/rbtree.h>

static bool
is_red(const struct rb_node *n)
{
	return n && n->red;
}

/* Make `n` hang where `old` hung below `parent`. */
static void
replace_child(struct rb_tree *t, struct rb_node *parent, struct rb_node *old, struct rb_node *n)
{
	if (!parent)
		t->root = n;
	else if (parent->left == old)
		parent->left = n;
	else
		parent->right = n;
}

static void
rotate_left(struct rb_tree *t, struct rb_node *x)
{
	struct rb_node *y = x->right;

	x->right = y->left;
	if (y->left)
		y->left->parent = x;
	y->parent = x->parent;
	replace_child(t, x->parent, x, y);
	y->left = x;
	x->parent = y;
}

static void
rotate_right(struct rb_tree *t, struct rb_node *x)
{
	struct rb_node *y = x->left;

	x->left = y->right;
	if (y->right)
		y->right->parent = x;
	y->parent = x->parent;
	replace_child(t, x->parent, x, y);
	y->right = x;
	x->parent = y;
}

void
rb_insert(struct rb_tree *t, struct rb_node *n, struct rb_node *parent, struct rb_node **link)
{
	n->parent = parent;
	n->left = n->right = NULL;
	n->red = true;
	*link = n;

	while (is_red(n->parent)) {
		struct rb_node *p = n->parent, *g = p->parent;
		bool p_is_left = p == g->left;
		struct rb_node *uncle = p_is_left ? g->right : g->left;

		if (is_red(uncle)) {
			p->red = uncle->red = false;
			g->red = true;
			n = g;
			continue;
		}
		if (n == (p_is_left ? p->right : p->left)) {
			n = p;
			if (p_is_left)
				rotate_left(t, n);
			else
				rotate_right(t, n);
			p = n->parent;
		}
		p->red = false;
		g->red = true;
		if (p_is_left)
			rotate_right(t, g);
		else
			rotate_left(t, g);
	}
	t->root->red = false;
}

/* `n` (maybe NULL) below `parent` lacks one black on its paths: mend. */
static void
erase_fix(struct rb_tree *t, struct rb_node *n, struct rb_node *parent)
{
	while (n != t->root && !is_red(n)) {
		bool left = n == parent->left;
		struct rb_node *s = left ? parent->right : parent->left;

		if (is_red(s)) {
			s->red = false;
			parent->red = true;
			if (left)
				rotate_left(t, parent);
			else
				rotate_right(t, parent);
			s = left ? parent->right : parent->left;
		}
		struct rb_node *near = left ? s->left : s->right;
		struct rb_node *far = left ? s->right : s->left;

		if (!is_red(near) && !is_red(far)) {
			s->red = true;
			n = parent;
			parent = n->parent;
			continue;
		}
		if (!is_red(far)) {
			near->red = false;
			s->red = true;
			if (left)
				rotate_right(t, s);
			else
				rotate_left(t, s);
			s = left ? parent->right : parent->left;
			far = left ? s->right : s->left;
		}
		s->red = parent->red;
		parent->red = false;
		far->red = false;
		if (left)
			rotate_left(t, parent);
		else
			rotate_right(t, parent);
		n = t->root;
	}
	if (n)
		n->red = false;
}

void
rb_erase(struct rb_tree *t, struct rb_node *n)
{
	struct rb_node *child, *parent;
	bool removed_red;

	if (n->left && n->right) {
		struct rb_node *next = n->right;

		while (next->left)
			next = next->left;
		child = next->right;
		removed_red = next->red;
		if (next->parent == n) {
			parent = next;
		} else {
			parent = next->parent;
			parent->left = child;
			if (child)
				child->parent = parent;
			next->right = n->right;
			n->right->parent = next;
		}
		next->left = n->left;
		n->left->parent = next;
		next->parent = n->parent;
		next->red = n->red;
		replace_child(t, n->parent, n, next);
	} else {
		child = n->left ? n->left : n->right;
		parent = n->parent;
		removed_red = n->red;
		if (child)
			child->parent = parent;
		replace_child(t, parent, n, child);
	}
	if (!removed_red && t->root)
		erase_fix(t, child, parent);
}

struct rb_node *
rb_first(const struct rb_tree *t)
{
	struct rb_node *n = t->root;

	while (n && n->left)
		n = n->left;
	return n;
}

struct rb_node *
rb_last(const struct rb_tree *t)
{
	struct rb_node *n = t->root;

	while (n && n->right)
		n = n->right;
	return n;
}

struct rb_node *
rb_next(const struct rb_node *n)
{
	if (n->right) {
		n = n->right;
		while (n->left)
			n = n->left;
		return (struct rb_node *)n;
	}
	while (n->parent && n == n->parent->right)
		n = n->parent;
	return n->parent;
}

struct rb_node *
rb_prev(const struct rb_node *n)
{
	if (n->left) {
		n = n->left;
		while (n->right)
			n = n->right;
		return (struct rb_node *)n;
	}
	while (n->parent && n == n->parent->left)
		n = n->parent;
	return n->parent;
}

void
rb_replace(struct rb_tree *t, struct rb_node *old, struct rb_node *n)
{
	*n = *old;
	replace_child(t, old->parent, old, n);
	if (n->left)
		n->left->parent = n;
	if (n->right)
		n->right->parent = n;
}
