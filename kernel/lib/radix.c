/* SPDX-License-Identifier: MIT */
/*
 * radix.c - a sparse array as a tree of 64-slot nodes.
 *
 * A tree of height h holds the indexes 0 .. 64^h - 1; it grows at the root and shrinks only when it
 * becomes empty below a node. Each node counts its used slots, so empty ones are freed at once, and has a bit
 * per slot and mark: the entry there, or one somewhere below, carries it.
 * The caller locks. Nodes come from kmalloc with ALLOC_NOWAIT.
 */
#include <tessera/radix.h>

#include <tessera/errno.h>
#include <tessera/slab.h>

#define SLOT_BITS  6
#define SLOTS      (1u << SLOT_BITS)
#define MAX_HEIGHT 11 /* 66 bits */

struct radix_node {
	void *slot[SLOTS]; /* nodes, or items at the lowest level */
	uint64_t marked[RADIX_MARKS]; /* by slot */
	uint32_t used;
};

void
radix_init(struct radix_tree *t)
{
	t->root = NULL;
	t->height = 0;
	t->count = 0;
}

static unsigned int
slot_of(uint64_t index, uint32_t level)
{
	return (index >> (level * SLOT_BITS)) & (SLOTS - 1);
}

/* Does a tree of this height hold `index`? */
static bool
height_covers(uint32_t height, uint64_t index)
{
	if (height == 0)
		return false;
	return height * SLOT_BITS >= 64 || index >> (height * SLOT_BITS) == 0;
}

/* The node that has the slot of `index`; NULL: there is none. */
static struct radix_node *
bottom_node(const struct radix_tree *t, uint64_t index)
{
	struct radix_node *n = t->root;

	if (!height_covers(t->height, index))
		return NULL;
	for (uint32_t level = t->height - 1; level > 0 && n; level--)
		n = n->slot[slot_of(index, level)];
	return n;
}

void *
radix_get(const struct radix_tree *t, uint64_t index)
{
	struct radix_node *n = bottom_node(t, index);

	return n ? n->slot[slot_of(index, 0)] : NULL;
}

void
radix_get_run(const struct radix_tree *t, uint64_t index, void **out, uint32_t n)
{
	while (n > 0) {
		struct radix_node *node = bottom_node(t, index);
		uint32_t first = slot_of(index, 0), part = MIN(n, SLOTS - first);

		for (uint32_t i = 0; i < part; i++)
			out[i] = node ? node->slot[first + i] : NULL;
		out += part;
		n -= part;
		index += part;
	}
}

static struct radix_node *
node_create(void)
{
	return kmalloc(sizeof(struct radix_node), ALLOC_NOWAIT | ALLOC_ZERO);
}

static int
grow_to(struct radix_tree *t, uint64_t index)
{
	if (!t->root) {
		/* As high as it has to be at once: no node stands below an empty root. */
		t->root = node_create();
		if (!t->root)
			return -ENOMEM;
		while (!height_covers(t->height, index))
			t->height++;
		return 0;
	}
	while (!height_covers(t->height, index)) {
		struct radix_node *n = node_create();

		if (!n)
			return -ENOMEM;
		n->slot[0] = t->root;
		n->used = 1;
		for (unsigned int m = 0; m < RADIX_MARKS; m++)
			n->marked[m] = t->root->marked[m] != 0;
		t->root = n;
		t->height++;
	}
	return 0;
}

/* Free the nodes on the way to `index` that hold nothing. */
static void
prune(struct radix_tree *t, uint64_t index)
{
	struct radix_node *path[MAX_HEIGHT];
	struct radix_node *n = t->root;
	uint32_t level = t->height, depth = 0;

	while (level > 0 && n) {
		path[depth++] = n;
		level--;
		n = level > 0 ? n->slot[slot_of(index, level)] : NULL;
	}
	while (depth > 0 && path[depth - 1]->used == 0) {
		uint32_t parent_level = t->height - depth + 1;

		kfree(path[depth - 1]);
		depth--;
		if (depth == 0) {
			t->root = NULL;
			t->height = 0;
		} else {
			path[depth - 1]->slot[slot_of(index, parent_level)] = NULL;
			path[depth - 1]->used--;
		}
	}
}

int
radix_set(struct radix_tree *t, uint64_t index, void *item, void **old)
{
	struct radix_node *n;
	void **slot;

	if (grow_to(t, index) != 0) {
		if (t->root)
			prune(t, 0);
		return -ENOMEM;
	}
	n = t->root;
	for (uint32_t level = t->height - 1; level > 0; level--) {
		slot = &n->slot[slot_of(index, level)];
		if (!*slot) {
			*slot = node_create();
			if (!*slot) {
				prune(t, index);
				return -ENOMEM;
			}
			n->used++;
		}
		n = *slot;
	}
	slot = &n->slot[slot_of(index, 0)];
	if (old)
		*old = *slot;
	if (!*slot) {
		n->used++;
		t->count++;
	}
	*slot = item;
	return 0;
}

void *
radix_remove(struct radix_tree *t, uint64_t index)
{
	struct radix_node *n = t->root;
	void *item;

	if (!height_covers(t->height, index))
		return NULL;
	for (uint32_t level = t->height - 1; level > 0; level--) {
		n = n->slot[slot_of(index, level)];
		if (!n)
			return NULL;
	}
	item = n->slot[slot_of(index, 0)];
	if (!item)
		return NULL;
	for (unsigned int m = 0; m < RADIX_MARKS; m++)
		if (n->marked[m] >> slot_of(index, 0) & 1)
			radix_unmark(t, index, m);
	n->slot[slot_of(index, 0)] = NULL;
	t->count--;
	if (--n->used == 0)
		prune(t, index);
	return item;
}

void
radix_mark(struct radix_tree *t, uint64_t index, unsigned int mark)
{
	struct radix_node *n = t->root;

	for (uint32_t level = t->height; level-- > 0; n = n->slot[slot_of(index, level)])
		n->marked[mark] |= 1ul << slot_of(index, level);
}

void
radix_unmark(struct radix_tree *t, uint64_t index, unsigned int mark)
{
	struct radix_node *path[MAX_HEIGHT], *n = t->root;

	for (uint32_t level = t->height; level-- > 0; n = n->slot[slot_of(index, level)])
		path[level] = n;
	for (uint32_t level = 0; level < t->height; level++) {
		path[level]->marked[mark] &= ~(1ul << slot_of(index, level));
		if (path[level]->marked[mark])
			return;
	}
}

/* As next_below, of items with the mark. */
static void *
next_marked_below(const struct radix_node *n, uint32_t level, uint64_t *index, unsigned int mark)
{
	unsigned int s = slot_of(*index, level), step = level * SLOT_BITS;
	uint64_t left;

	while (s < SLOTS && (left = n->marked[mark] >> s) != 0) {
		unsigned int skip = (unsigned int)__builtin_ctzl(left);
		void *item;

		if (skip)
			*index = ((*index >> step) + skip) << step;
		s += skip;
		item = level == 0 ? n->slot[s] : next_marked_below(n->slot[s], level - 1, index, mark);
		if (item)
			return item;
		s++; /* where it left *index */
	}
	if (s < SLOTS)
		*index = step + SLOT_BITS < 64 ? ((*index >> (step + SLOT_BITS)) + 1) << (step + SLOT_BITS)
					       : UINT64_MAX;
	return NULL;
}

void *
radix_next_marked(const struct radix_tree *t, uint64_t *index, unsigned int mark)
{
	if (!height_covers(t->height, *index))
		return NULL;
	return next_marked_below(t->root, t->height - 1, index, mark);
}

/* The first item at or after *index below `n`, which covers the indexes of one slot of `level`. */
static void *
next_below(const struct radix_node *n, uint32_t level, uint64_t *index)
{
	for (unsigned int s = slot_of(*index, level); s < SLOTS; s++) {
		void *item = n->slot[s];

		if (item && level == 0)
			return item;
		if (item) {
			item = next_below(item, level - 1, index);
			if (item)
				return item;
			continue; /* it left *index at the start of the next slot */
		}
		*index = ((*index >> (level * SLOT_BITS)) + 1) << (level * SLOT_BITS);
	}
	return NULL;
}

void *
radix_next(const struct radix_tree *t, uint64_t *index)
{
	if (!height_covers(t->height, *index))
		return NULL;
	return next_below(t->root, t->height - 1, index);
}

bool
radix_find_free(const struct radix_tree *t, uint64_t start, uint64_t last, uint64_t *index)
{
	for (uint64_t i = start; i <= last; i++) {
		if (!radix_get(t, i)) {
			*index = i;
			return true;
		}
		if (i == UINT64_MAX)
			break;
	}
	return false;
}

/* Not inlined into itself: its frame counts as often as the tree is high. */
static __noinline void
destroy_below(struct radix_node *n, uint32_t level)
{
	for (unsigned int s = 0; level > 0 && s < SLOTS; s++)
		if (n->slot[s])
			destroy_below(n->slot[s], level - 1);
	kfree(n);
}

void
radix_destroy(struct radix_tree *t)
{
	if (t->root)
		destroy_below(t->root, t->height - 1);
	radix_init(t);
}
