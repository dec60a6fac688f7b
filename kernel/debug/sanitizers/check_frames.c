/* SPDX-License-Identifier: MIT */
/*
 * check_frames.c - who allocated and freed each frame, and whether it was written while it was free.
 *
 * A freed frame is filled with a pattern; who is given it finds the pattern or the kernel stops. What a
 * frame remembers lies in page->watch:
 *
 *	bits  0..23  stack_id_t of who allocated it, 0: not known
 *	bits 24..47  of who freed it; 0: it is in use, or was never freed and so holds no pattern
 *	bits 48..63  the mark at its allocation
 *
 * Frames are freed and given out whole or in larger blocks; each frame of a block carries its own word.
 * A large kmalloc() keeps its size in page->private, and the rest of its block is a red zone.
 */
#include <tessera/debug.h>
#include <tessera/panic.h>
#include <tessera/print.h>

#include "check.h"

#define POISON_FREED 0x6b6b6b6b6b6b6b6bull
#define RED_BYTE     0xbb
#define STACK_MASK   0xffffffull

stack_id_t
frame_allocated_by(const struct page *p)
{
	return (stack_id_t)(p->watch & STACK_MASK);
}

stack_id_t
frame_freed_by(const struct page *p)
{
	return (stack_id_t)(p->watch >> 24 & STACK_MASK);
}

uint32_t
frame_mark(const struct page *p)
{
	return (uint32_t)(p->watch >> 48);
}

static void __noreturn __cold __noinline
written_after_free(const struct page *p, uint64_t word)
{
	const uint64_t *w = page_to_virt(p);

	debug_report_begin();
	pr_err("memory check: frame %#lx, word %lu of 512 is %#lx\n", page_to_pfn(p), word, w[word]);
	check_print_bytes(&w[word]);
	pr_err("it was freed at\n");
	stack_print(frame_freed_by(p), "  ");
	pr_err("and allocated before at\n");
	stack_print(frame_allocated_by(p), "  ");
	panic("frame %#lx was written after it was freed: word %lu is %#lx", page_to_pfn(p), word,
	      w[word]);
}

static void
check_pattern(const struct page *p)
{
	const uint64_t *w = page_to_virt(p);

	for (uint64_t i = 0; i < PAGE_SIZE / sizeof(*w); i++)
		if (unlikely(w[i] != POISON_FREED))
			written_after_free(p, i);
}

void
check_frames_alloc(struct page *p, unsigned int order)
{
	uint64_t watch = stack_remember(1) |
			 (uint64_t)MIN(READ_ONCE(object_mark), MARK_LIMIT) << 48;

	for (uint64_t i = 0; i < 1ul << order; i++) {
		if (config_poison && frame_freed_by(&p[i]))
			check_pattern(&p[i]);
		p[i].watch = watch;
	}
}

void
check_frames_free(struct page *p, unsigned int order)
{
	uint64_t by = (uint64_t)stack_remember(1) << 24;
	uint64_t *w = page_to_virt(p);

	for (uint64_t i = 0; i < 1ul << order; i++)
		p[i].watch = (p[i].watch & STACK_MASK) | by;
	if (!config_poison)
		return;
	for (uint64_t i = 0; i < (PAGE_SIZE << order) / sizeof(*w); i++)
		w[i] = POISON_FREED;
}

void
check_block_alloc(struct page *p, size_t size)
{
	uint8_t *b = page_to_virt(p);

	p->private = size;
	for (size_t i = size; i < PAGE_SIZE << p->order; i++)
		b[i] = RED_BYTE;
}

void
check_block_free(struct page *p)
{
	const uint8_t *b = page_to_virt(p);

	for (size_t i = p->private; i < PAGE_SIZE << p->order; i++) {
		if (likely(b[i] == RED_BYTE))
			continue;
		debug_report_begin();
		check_print_bytes(&b[i]);
		pr_err("memory check: block %p of %lu bytes was allocated at\n", (const void *)b,
		       p->private);
		stack_print(frame_allocated_by(p), "  ");
		panic("kmalloc: block %p of %lu bytes: written past its end, byte %lu is %#x",
		      (const void *)b, p->private, i, b[i]);
	}
	p->private = 0;
}
