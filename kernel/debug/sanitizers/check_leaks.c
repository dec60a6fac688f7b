/* SPDX-License-Identifier: MIT */
/*
 * check_leaks.c - where what lives in the kernel was allocated.
 *
 * Every slab object and every frame carries its allocation's call stack and the number of the last mark
 * before it. "What was allocated since the mark and is still here", grouped by cache and stack, names the
 * place of a leak without a guess: mark, do what is suspected, list.
 *
 * The walk takes no lock. What is allocated or freed meanwhile may be missing or be counted once more.
 */
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "check.h"

#define SITES_MAX  4096u
#define SHOWN_MAX  64u  /* the largest */
#define SHOWN_PCS  8u

struct site {
	const char *cache; /* NULL: frames */
	stack_id_t stack;
	uint64_t count, bytes;
};

struct census {
	struct site *sites; /* a hash table, open addressing; count 0: empty */
	uint32_t mark;      /* count what is as young */
	uint64_t lost;      /* objects for which the table had no place */
};

/* --- walks ------------------------------------------------------------------------------------ */

static void
for_each_frame(bool (*fn)(void *ctx, struct page *p), void *ctx)
{
	for (pfn_t pfn = 0; frames_next_online(&pfn); pfn++)
		if (!fn(ctx, pfn_to_page(pfn)))
			return;
}

struct object_walk {
	bool (*fn)(void *ctx, const struct object_shape *s, void *object, const struct object_note *n);
	void *ctx;
};

static bool
walk_slab(void *ctx, struct page *p)
{
	struct object_walk *w = ctx;
	const struct object_shape *s;

	if ((READ_ONCE(p->flags) & (PAGE_SLAB | PAGE_HEAD)) != (PAGE_SLAB | PAGE_HEAD))
		return true;
	s = slab_shape(p);
	for (uint32_t i = 0; s && i < s->per_slab; i++) {
		uint8_t *object = (uint8_t *)page_to_virt(p) + (size_t)i * s->stride + s->lead;

		if (!w->fn(w->ctx, s, object, object_note(s, object)))
			return false;
	}
	return true;
}

void
check_for_each_object(bool (*fn)(void *ctx, const struct object_shape *s, void *object,
				 const struct object_note *n), void *ctx)
{
	struct object_walk w = { fn, ctx };

	for_each_frame(walk_slab, &w);
}

struct block_walk {
	bool (*fn)(void *ctx, struct page *p);
	void *ctx;
};

static bool
walk_block(void *ctx, struct page *p)
{
	struct block_walk *w = ctx;
	uint32_t flags = READ_ONCE(p->flags);

	if (!(flags & PAGE_HEAD) || (flags & (PAGE_FREE | PAGE_STACKED | PAGE_SLAB | PAGE_RESERVED)))
		return true;
	return w->fn(w->ctx, p);
}

void
check_for_each_block(bool (*fn)(void *ctx, struct page *p), void *ctx)
{
	struct block_walk w = { fn, ctx };

	for_each_frame(walk_block, &w);
}

/* --- the census ------------------------------------------------------------------------------- */

static void
count(struct census *c, const char *cache, stack_id_t stack, uint64_t bytes)
{
	uint32_t hash = (stack * 2654435761u) ^ (uint32_t)((vaddr_t)cache >> 4);

	for (uint32_t i = 0; i < SITES_MAX; i++) {
		struct site *s = &c->sites[(hash + i) % SITES_MAX];

		if (s->count && (s->cache != cache || s->stack != stack))
			continue;
		s->cache = cache;
		s->stack = stack;
		s->count++;
		s->bytes += bytes;
		return;
	}
	c->lost++;
}

static bool
count_object(void *ctx, const struct object_shape *s, void *object, const struct object_note *n)
{
	struct census *c = ctx;

	if (READ_ONCE(n->state) == NOTE_LIVE && READ_ONCE(n->mark) >= c->mark)
		count(c, s->name, n->allocated_by, s->object);
	return true;
}

static bool
count_block(void *ctx, struct page *p)
{
	struct census *c = ctx;

	if (frame_mark(p) >= MIN(c->mark, MARK_LIMIT))
		count(c, NULL, frame_allocated_by(p), PAGE_SIZE << p->order);
	return true;
}

static void
print_site(const struct site *s, void (*put)(void *ctx, const char *line), void *ctx)
{
	vaddr_t pc[SHOWN_PCS];
	uint32_t n = stack_get(s->stack, pc, SHOWN_PCS);
	char line[120];

	snprintf(line, sizeof(line), "%8lu bytes in %6lu of %s", s->bytes, s->count,
		 s->cache ? s->cache : "frames");
	put(ctx, line);
	for (uint32_t i = 0; i < n; i++) {
		char where[80];

		snprintf(line, sizeof(line), "    %s", symbol_format(pc[i] - 1, where, sizeof(where)));
		put(ctx, line);
	}
}

/* Objects first: a leaked one keeps the frames behind it. */
static bool
comes_before(const struct site *a, const struct site *b)
{
	if (!a->cache != !b->cache)
		return a->cache;
	return a->bytes > b->bytes;
}

uint32_t
leaks_mark(void)
{
	return atomic_add_fetch(&object_mark, 1);
}

int
leaks_list(uint32_t mark, void (*put)(void *ctx, const char *line), void *ctx)
{
	struct census c = { .mark = mark };
	char line[80];

	c.sites = vmalloc(SITES_MAX * sizeof(*c.sites));
	if (!c.sites)
		return -ENOMEM;
	check_for_each_object(count_object, &c);
	check_for_each_block(count_block, &c);
	for (uint32_t shown = 0; shown < SHOWN_MAX; shown++) {
		struct site *most = NULL;

		for (uint32_t i = 0; i < SITES_MAX; i++)
			if (c.sites[i].count && (!most || comes_before(&c.sites[i], most)))
				most = &c.sites[i];
		if (!most)
			break;
		print_site(most, put, ctx);
		most->count = 0;
	}
	for (uint32_t i = 0; i < SITES_MAX; i++)
		c.lost += c.sites[i].count;
	if (c.lost) {
		snprintf(line, sizeof(line), "and %lu objects and blocks of smaller sites", c.lost);
		put(ctx, line);
	}
	vfree(c.sites);
	return 0;
}
