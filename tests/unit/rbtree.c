/* SPDX-License-Identifier: MIT */
/* unit: kernel/lib/rbtree.c */
/*
 * rbtree.c - red-black trees against their own rules after every step.
 */
#include <stdlib.h>

#include <tessera/rbtree.h>

#include "unit.h"

#define KEYS 400

struct item {
	struct rb_node node;
	int key;
	bool in;
};

static struct item items[KEYS];

/* Black height, checking order, parents and colours on the way. */
static int
check(const struct rb_node *n, const struct rb_node *parent)
{
	int left, right;

	if (!n)
		return 1;
	assert_ptr_equal(n->parent, parent);
	if (n->red) {
		assert_false(n->left && n->left->red);
		assert_false(n->right && n->right->red);
	}
	left = check(n->left, n);
	right = check(n->right, n);
	assert_int_equal(left, right);
	return left + !n->red;
}

static void
insert(struct rb_tree *t, struct item *new)
{
	struct rb_node **link = &t->root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = new->key < container_of(parent, struct item, node)->key ? &parent->left
									       : &parent->right;
	}
	rb_insert(t, &new->node, parent, link);
}

static void
check_order(const struct rb_tree *t)
{
	struct rb_node *n = rb_first(t), *last = NULL;

	for (int k = 0; k < KEYS; k++) {
		if (!items[k].in)
			continue;
		assert_ptr_equal(n, &items[k].node);
		assert_ptr_equal(rb_prev(n), last);
		last = n;
		n = rb_next(n);
	}
	assert_null(n);
	assert_ptr_equal(rb_last(t), last);
}

static void
random_inserts_and_erases_keep_the_rules(void **state)
{
	struct rb_tree t = { NULL };

	(void)state;
	srandom(7);
	for (int k = 0; k < KEYS; k++)
		items[k] = (struct item){ .key = k };
	for (int step = 0; step < 20000; step++) {
		struct item *i = &items[random() % KEYS];

		if (i->in)
			rb_erase(&t, &i->node);
		else
			insert(&t, i);
		i->in = !i->in;
		assert_false(t.root && t.root->red);
		check(t.root, NULL);
		if (step % 100 == 0)
			check_order(&t);
	}
}

static void
replace_keeps_the_place(void **state)
{
	struct rb_tree t = { NULL };
	struct item other;

	(void)state;
	for (int k = 0; k < KEYS; k++) {
		items[k] = (struct item){ .key = k, .in = true };
		insert(&t, &items[k]);
	}
	for (int k = 0; k < KEYS; k++) {
		other = items[k];
		rb_replace(&t, &items[k].node, &other.node);
		check(t.root, NULL);
		rb_replace(&t, &other.node, &items[k].node);
	}
	check_order(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_inserts_and_erases_keep_the_rules),
		cmocka_unit_test(replace_keeps_the_place),
	};

	return cmocka_run_group_tests_name("rbtree", tests, NULL, NULL);
}
