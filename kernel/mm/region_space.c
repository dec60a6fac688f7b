/* SPDX-License-Identifier: MIT */
/*
 * region_space.c - virtual addresses by the buddy rule.
 *
 * As in buddy.c a block of order k starts at a multiple of its size and merges with the block whose
 * address differs in that one bit. Addresses have no struct page to hold the state, so every block
 * has a node in one tree ordered by address; a buddy is found by looking its address up.
 *
 * Splitting needs nodes. They come from a list of spares that the caller tops up before it takes
 * its lock, so that nothing is allocated under it.
 */
#include "region_space.h"

static uint64_t
bytes(uint32_t order)
{
	return PAGE_SIZE << order;
}

static void
insert(struct region_space *s, struct region *r)
{
	struct rb_node **link = &s->blocks.root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = r->start < rb_entry(parent, struct region, node)->start ? &parent->left
									       : &parent->right;
	}
	rb_insert(&s->blocks, &r->node, parent, link);
}

/* The block that starts last at or before `va`. */
static struct region *
find_block(const struct region_space *s, vaddr_t va)
{
	struct rb_node *n = s->blocks.root;
	struct region *best = NULL;

	while (n) {
		struct region *r = rb_entry(n, struct region, node);

		if (r->start <= va) {
			best = r;
			n = n->right;
		} else {
			n = n->left;
		}
	}
	return best;
}

void
region_space_init(struct region_space *s, vaddr_t start, uint32_t order, struct region *root)
{
	s->blocks.root = NULL;
	for (uint32_t i = 0; i < REGION_ORDERS; i++)
		list_init(&s->free[i]);
	list_init(&s->spare);
	s->spare_count = 0;
	s->used_pages = 0;
	root->start = start;
	root->order = order;
	root->used = false;
	insert(s, root);
	list_add(&s->free[order], &root->list);
}

void
region_space_give_spare(struct region_space *s, struct region *r)
{
	list_add(&s->spare, &r->list);
	s->spare_count++;
}

struct region *
region_space_take_spare(struct region_space *s, uint32_t keep)
{
	struct region *r;

	if (s->spare_count <= keep)
		return NULL;
	r = list_first(&s->spare, struct region, list);
	list_del_init(&r->list);
	s->spare_count--;
	return r;
}

struct region *
region_space_alloc(struct region_space *s, uint32_t order)
{
	uint32_t k = order;
	struct region *r;

	while (k < REGION_ORDERS && list_is_empty(&s->free[k]))
		k++;
	if (k >= REGION_ORDERS || s->spare_count < k - order)
		return NULL;
	r = list_first(&s->free[k], struct region, list);
	list_del_init(&r->list);
	while (k > order) {
		struct region *upper = region_space_take_spare(s, 0);

		k--;
		upper->start = r->start + bytes(k);
		upper->order = k;
		upper->used = false;
		insert(s, upper);
		list_add(&s->free[k], &upper->list);
	}
	r->order = order;
	r->used = true;
	s->used_pages += 1ul << order;
	return r;
}

void
region_space_free(struct region_space *s, struct region *r)
{
	s->used_pages -= 1ul << r->order;
	r->used = false;
	while (r->order + 1 < REGION_ORDERS) {
		struct region *other = find_block(s, r->start ^ bytes(r->order));
		struct region *upper;

		if (!other || other == r || other->start != (r->start ^ bytes(r->order)) ||
		    other->used || other->order != r->order)
			break;
		list_del_init(&other->list);
		upper = other->start > r->start ? other : r;
		r = upper == other ? r : other;
		rb_erase(&s->blocks, &upper->node);
		region_space_give_spare(s, upper);
		r->order++;
	}
	list_add(&s->free[r->order], &r->list);
}

struct region *
region_space_find(const struct region_space *s, vaddr_t va)
{
	struct region *r = find_block(s, va);

	if (!r || !r->used || va >= r->start + bytes(r->order))
		return NULL;
	return r;
}
