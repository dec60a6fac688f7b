/* SPDX-License-Identifier: MIT */
/*
 * memory.c - memory for segments: what is given back is kept, by its size, for whoever wants one next.
 *
 * A segment takes two or three blocks, a few times each; malloc would be a good part of its way.
 */
#include <stdint.h>
#include <stdlib.h>

#include "hooks.h"

#define STEP	 64u
#define CLASSES	 34u	     /* up to a frame of Ethernet and what lwIP has with it */
#define KEPT_MAX (4u << 20) /* bytes */

/* In front of what its user has, which is aligned as malloc's. */
struct block {
	struct block *next; /* while it is kept */
	size_t class;	    /* CLASSES: too large to be kept */
};

#define KEPT_SIZE (CLASSES * STEP - sizeof(struct block))

static struct block *kept[CLASSES];
static size_t bytes_kept;

static size_t
size_of(size_t class)
{
	return (class + 1) * STEP;
}

void *
memory_take(size_t size)
{
	size_t class = size > KEPT_SIZE ? CLASSES : (size + sizeof(struct block) - 1) / STEP;
	struct block *b;

	if (class == CLASSES) {
		b = size <= SIZE_MAX - sizeof(*b) ? malloc(size + sizeof(*b)) : NULL;
	} else if (kept[class]) {
		b = kept[class];
		kept[class] = b->next;
		bytes_kept -= size_of(class);
	} else {
		b = malloc(size_of(class));
	}
	if (!b)
		return NULL;
	b->class = class;
	return b + 1;
}

void
memory_give(void *at)
{
	struct block *b = (struct block *)at - 1;

	if (b->class == CLASSES || bytes_kept + size_of(b->class) > KEPT_MAX) {
		free(b);
		return;
	}
	b->next = kept[b->class];
	kept[b->class] = b;
	bytes_kept += size_of(b->class);
}
