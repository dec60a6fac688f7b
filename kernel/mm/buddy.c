/* SPDX-License-Identifier: MIT */
/*
 * buddy.c - blocks of 2^order frames that split and merge.
 *
 * A block of order k starts at a frame number divisible by 2^k. Its buddy is the block that differs
 * from it in bit k alone; the two together are a block of order k + 1. Only the first frame of a
 * free block carries PAGE_FREE and the order; the others' flags are clear, so that "is my buddy
 * free, and whole?" is one look at one struct page. Frames without memory behind them carry
 * PAGE_RESERVED and so never look free.
 *
 * The owner of the buddy, if it is in use, writes its flags and its order meanwhile, without a lock. So
 * nothing may set PAGE_FREE but push(), under the lock that we are called with: a frame that is free
 * elsewhere, on a CPU's stack say, carries another flag.
 */
#include <tessera/panic.h>

#include "buddy.h"

void
buddy_init(struct buddy *b)
{
	for (unsigned int i = 0; i <= MAX_ORDER; i++) {
		list_init(&b->free[i]);
		b->blocks[i] = 0;
	}
	b->frames = 0;
}

static void
push(struct buddy *b, struct page *p, unsigned int order)
{
	p->flags = PAGE_FREE;
	p->order = (uint16_t)order;
	list_add(&b->free[order], &p->node);
	b->blocks[order]++;
}

static void
pull(struct buddy *b, struct page *p, unsigned int order)
{
	/* A block that is not on the list: what it would unlink is somebody's data. */
	if (unlikely(p->flags != PAGE_FREE || p->order != order || b->blocks[order] == 0))
		panic("free frames: %lu blocks of order %u; the one at %p has flags %#x, order %u",
		      b->blocks[order], order, (void *)p, p->flags, p->order);
	list_del(&p->node);
	p->flags = 0;
	b->blocks[order]--;
}

void
buddy_put(struct buddy *b, struct page *p, unsigned int order)
{
	pfn_t pfn = page_to_pfn(p);

	b->frames += 1ul << order;
	p->flags = 0;
	while (order < MAX_ORDER) {
		struct page *other = pfn_to_page(pfn ^ (1ul << order));

		if (!(READ_ONCE(other->flags) & PAGE_FREE) || other->order != order)
			break;
		pull(b, other, order);
		pfn &= ~(1ul << order);
		order++;
	}
	push(b, pfn_to_page(pfn), order);
}

struct page *
buddy_take(struct buddy *b, unsigned int order)
{
	unsigned int k = order;
	struct page *p;

	while (k <= MAX_ORDER && b->blocks[k] == 0)
		k++;
	if (k > MAX_ORDER)
		return NULL;
	p = list_entry(b->free[k].next, struct page, node);
	pull(b, p, k);
	while (k > order) {
		k--;
		push(b, p + (1ul << k), k);
	}
	p->order = (uint16_t)order;
	b->frames -= 1ul << order;
	return p;
}

bool
buddy_check(const struct buddy *b)
{
	uint64_t frames = 0;

	for (unsigned int k = 0; k <= MAX_ORDER; k++) {
		uint64_t n = 0;
		struct page *p;

		list_for_each(p, &b->free[k], node) {
			if (p->flags != PAGE_FREE || p->order != k)
				return false;
			if (page_to_pfn(p) & ((1ul << k) - 1))
				return false;
			n++;
		}
		if (n != b->blocks[k])
			return false;
		frames += n << k;
	}
	return frames == b->frames;
}
