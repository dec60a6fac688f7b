/* SPDX-License-Identifier: MIT */
/*
 * check.h - private to the checks of memory.
 */
#ifndef SANITIZERS_CHECK_H
#define SANITIZERS_CHECK_H

#include <tessera/memory_check.h>
#include <tessera/page.h>

/*
 * Call fn for each object of each slab, live or free, until it returns false. No lock is held: a slab may
 * go away meanwhile, its frames stay readable, and fn must doubt what it sees.
 */
void check_for_each_object(bool (*fn)(void *ctx, const struct object_shape *s, void *object,
				      const struct object_note *note), void *ctx);
/* Call fn for the first frame of each block that is in use. No lock, as above. */
void check_for_each_block(bool (*fn)(void *ctx, struct page *p), void *ctx);

/* The number of the last mark, in as many bits as a frame has for it. */
#define MARK_LIMIT 0xffffu
/* The mark that a frame in use carries. */
uint32_t frame_mark(const struct page *p);

/* Print 64 bytes around `at`, a line for each 16, an arrow at the one that holds it. */
void check_print_bytes(const void *at);

#endif
